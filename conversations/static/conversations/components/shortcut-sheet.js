import { html } from "../../vendor/lit.js";
import { APPLE } from "../apple.js";
import { IN_FIELDS, keysOf, SHORTCUTS } from "../shortcuts.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";

/** Every shortcut there is. */
export class ShortcutSheet extends PageElement {
  render() {
    return html`<dialog class="shortcut-sheet" aria-labelledby="shortcuts-title">
      <form method="dialog">
        <h2 id="shortcuts-title">${gettext("Keyboard shortcuts")}</h2>
        <button class="icon-button" title=${gettext("Close")}>
          ${icons.close}<span class="visually-hidden">${gettext("Close")}</span>
        </button>
      </form>
      <dl>
        ${SHORTCUTS.map((one) => row(keysOf(one, APPLE), one.label))} ${IN_FIELDS.map(([keys, label]) => row(keys, label))}
      </dl>
    </dialog>`;
  }

  show() {
    const dialog = /** @type {HTMLDialogElement} */ (this.querySelector("dialog"));
    if (!dialog.open) dialog.showModal();
  }
}

/** @param {string[]} keys @param {string} label */
function row(keys, label) {
  return html`<div>
    <dt>${keys.map((key) => html`<kbd>${key}</kbd>`)}</dt>
    <dd>${label}</dd>
  </div>`;
}

customElements.define("shortcut-sheet", ShortcutSheet);
