import { html, nothing } from "../../vendor/lit.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";

/** Long enough to read it and to find the button; the server keeps a deleted thread for longer. */
const SHOWN_FOR = 12_000;

/** What was just done to a thread, with the way back. It stays as long as somebody looks at it. */
export class UndoMessage extends PageElement {
  static properties = { undoable: { attribute: false }, onUndo: { attribute: false }, onGone: { attribute: false } };

  constructor() {
    super();
    /** @type {Page.Undoable | null} */
    this.undoable = null;
    /** @type {(undoable: Page.Undoable) => void} */
    this.onUndo = () => undefined;
    /** @type {() => void} */
    this.onGone = () => undefined;
    this.timer = 0;
    for (const event of ["pointerenter", "focusin"]) this.addEventListener(event, () => this.hold());
    for (const event of ["pointerleave", "focusout"]) this.addEventListener(event, () => this.wait());
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.hold();
  }

  /** @param {Map<string, unknown>} changes */
  updated(changes) {
    if (changes.has("undoable")) this.wait();
  }

  render() {
    const { undoable } = this;
    return html`<div class="undo" role="status">${undoable ? this.content(undoable) : nothing}</div>`;
  }

  /** @param {Page.Undoable} undoable */
  content(undoable) {
    return html`<p>${sentence(undoable)}</p>
      <button class="button is-small" type="button" data-testid="undo-button" @click=${() => this.onUndo(undoable)}>
        ${gettext("Undo")}
      </button>
      <button class="icon-button" type="button" title=${gettext("Close")} @click=${() => this.onGone()}>
        ${icons.close}<span class="visually-hidden">${gettext("Close")}</span>
      </button>`;
  }

  hold() {
    clearTimeout(this.timer);
  }

  wait() {
    this.hold();
    if (this.undoable && !this.matches(":hover, :focus-within")) this.timer = setTimeout(() => this.onGone(), SHOWN_FOR);
  }
}

/** @param {Page.Undoable} undoable */
function sentence({ kind, thread }) {
  const title = thread.title || gettext("New thread");
  if (kind === "deleted") return gettext("“%(title)s” was deleted.", { title });
  if (kind === "archived") return gettext("“%(title)s” is in the archive.", { title });
  return gettext("“%(title)s” is in the list again.", { title });
}

customElements.define("undo-message", UndoMessage);
