import { html, nothing } from "../../vendor/lit.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";

/** Questions that a model thinks could come next. To choose one is to ask it. */
export class FollowUps extends PageElement {
  static properties = { questions: { attribute: false }, conversation: { attribute: false } };

  constructor() {
    super();
    /** @type {string[]} */
    this.questions = [];
    /** @type {import("../conversation.js").Conversation | null} */
    this.conversation = null;
  }

  render() {
    if (!this.questions.length) return nothing;
    return html`<ul class="follow-ups" aria-label=${gettext("You could ask next")}>
      ${this.questions.map(
        (question) => html`<li>
          <button class="follow-up" type="button" data-testid="follow-up" @click=${() => this.ask(question)}>
            ${question}
          </button>
        </li>`,
      )}
    </ul>`;
  }

  /** The button goes with what it asks, so whoever pressed it by keyboard goes on where people write.
   * @param {string} question */
  ask(question) {
    this.conversation?.send(question);
    if (matchMedia("(pointer: fine)").matches) document.getElementById("chat-input")?.focus();
  }
}

customElements.define("follow-ups", FollowUps);
