import { html } from "../../vendor/lit.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";

/** A question before something that cannot be taken back. `ask` resolves to the answer. */
export class ConfirmDialog extends PageElement {
  static properties = { heading: { attribute: false }, sentence: { attribute: false }, verb: { attribute: false } };

  constructor() {
    super();
    this.heading = "";
    this.sentence = "";
    this.verb = "";
  }

  render() {
    return html`<dialog aria-labelledby="confirm-title">
      <h2 id="confirm-title">${this.heading}</h2>
      <p>${this.sentence}</p>
      <form method="dialog" class="actions">
        <button class="button" value="no">${gettext("Cancel")}</button>
        <button class="button is-danger" value="yes" data-testid="confirm-button">${this.verb}</button>
      </form>
    </dialog>`;
  }

  /** @param {{heading: string, sentence: string, verb: string}} question @returns {Promise<boolean>} */
  async ask({ heading, sentence, verb }) {
    Object.assign(this, { heading, sentence, verb });
    await this.updateComplete;
    const dialog = /** @type {HTMLDialogElement} */ (this.querySelector("dialog"));
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    });
  }
}

customElements.define("confirm-dialog", ConfirmDialog);
