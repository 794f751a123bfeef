import { html, nothing, repeat } from "../../vendor/lit.js";
import { shortName } from "../picking.js";
import { statusOf } from "../status.js";
import { gettext, ngettext } from "../words.js";
import { PageElement } from "./element.js";
import "./assistant-message.js";
import "./status-line.js";

/** The answers of several models to one question, side by side; on narrow screens one beside the edge of the next. */
export class AnswerColumns extends PageElement {
  static properties = {
    answers: { attribute: false },
    chosen: { attribute: false },
    state: { attribute: false },
    conversation: { attribute: false },
    draw: { attribute: false },
  };

  constructor() {
    super();
    /** @type {Wire.Message[]} */
    this.answers = [];
    /** @type {string} the id of the answer that the thread goes on from */
    this.chosen = "";
    /** @type {Page.State | null} */
    this.state = null;
    /** @type {import("../conversation.js").Conversation | null} */
    this.conversation = null;
    /** How an answer is drawn. @type {(message: Wire.Message) => unknown} */
    this.draw = () => nothing;
  }

  render() {
    const { answers } = this;
    const label = ngettext("%(count)s answer", "%(count)s answers side by side", answers.length);
    return html`<div class="columns has-${answers.length}" role="group" aria-label=${label} tabindex="0">
      ${repeat(answers, (message) => message.id, (message) => this.column(message))}
    </div>`;
  }

  /** @param {Wire.Message} message */
  column(message) {
    const live = this.state?.lives.find((one) => one.runId === message.run_id) ?? null;
    const chosen = message.id === this.chosen;
    return html`<section class="answer-column ${chosen ? "is-chosen" : ""}" aria-label=${message.model ?? nothing}>
      <header class="column-head">
        <h3 title=${message.model ?? nothing}>${shortName(message.model ?? "")}</h3>
        ${live ? this.stopButton(live) : this.chooser(message, chosen)}
      </header>
      ${this.draw(message)}
      <status-line .status=${statusOf(null, live, true)}></status-line>
    </section>`;
  }

  /** @param {Page.Live} live */
  stopButton(live) {
    return html`<button class="button is-small is-quiet" type="button" data-testid="stop-column" ?disabled=${live.stopping}
      @click=${() => this.conversation?.stop(live.runId)}>
      ${gettext("Stop")}
    </button>`;
  }

  /** @param {Wire.Message} message @param {boolean} chosen */
  chooser(message, chosen) {
    if (chosen) return html`<p class="column-note">${gettext("Goes on from here")}</p>`;
    return html`<button
      class="button is-small is-quiet"
      type="button"
      data-testid="choose-column"
      ?disabled=${this.conversation?.busy ?? false}
      @click=${() => this.conversation?.show(message.id)}
    >
      ${gettext("Go on from this")}
    </button>`;
  }
}

customElements.define("answer-columns", AnswerColumns);
