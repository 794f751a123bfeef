import { html, nothing } from "../../vendor/lit.js";
import { remedyOf } from "../remedies.js";
import { segmentsOf } from "../segments.js";
import { endingOf } from "../status.js";
import { placeChanged } from "../versions.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";
import "./answer-foot.js";
import "./markdown-text.js";
import "./thinking-step.js";
import "./tool-card.js";

/** One answer: its steps on their thread, its text, how it ended and what it cost. */
export class AssistantMessage extends PageElement {
  static properties = {
    message: { attribute: false },
    run: { attribute: false },
    steps: { attribute: false },
    settings: { attribute: false },
    progress: { attribute: false },
    last: { attribute: false },
    place: { attribute: false, hasChanged: placeChanged },
    busy: { attribute: false },
    approvals: { attribute: false },
    conversation: { attribute: false },
  };

  constructor() {
    super();
    /** @type {Wire.Message | null} */
    this.message = null;
    /** @type {Wire.Run | undefined} */
    this.run = undefined;
    /** @type {Record<string, Wire.Step>} */
    this.steps = {};
    /** @type {Page.Settings | null} */
    this.settings = null;
    /** @type {Record<string, number>} how far its tools are, 0 to 1 */
    this.progress = {};
    /** Whether nothing was said after it. */
    this.last = false;
    /** @type {ReturnType<typeof import("../versions.js").placeOf> | null} */
    this.place = null;
    this.busy = false;
    /** @type {Wire.Approval[]} */
    this.approvals = [];
    /** @type {import("../conversation.js").Conversation | null} */
    this.conversation = null;
  }

  render() {
    const { message, run } = this;
    if (!message) return nothing;
    const segments = segmentsOf(message, this.steps);
    const growing = message.status === "in_progress";
    const why = growing ? null : endingOf(message, run);
    return html`
      <h2 class="visually-hidden">${gettext("Answer")}</h2>
      ${segments.map((segment, index) =>
        segment.kind === "steps"
          ? html`<div class="steps">${segment.steps.map((one) => this.step(one))}</div>`
          : html`<markdown-text
              class="prose"
              .open=${growing && index === segments.length - 1}
              .text=${segment.text}
            ></markdown-text>`,
      )}
      ${why ? html`<p class="ending">${why}</p>${this.goesOn(message)}` : nothing}
      ${run?.status === "failed" ? this.failure(run) : nothing}
      ${run?.notices?.length ? notices(run.notices) : nothing}
      ${growing ? nothing : this.foot(message, run)}
    `;
  }

  /** Only what was begun can be gone on with. @param {Wire.Message} message */
  goesOn(message) {
    if (!this.last || message.status !== "incomplete" || !message.content) return nothing;
    return html`<button
      class="button is-small"
      type="button"
      data-testid="continue-button"
      ?disabled=${this.busy}
      @click=${this.goOn}
    >
      ${gettext("Continue")}
    </button>`;
  }

  /** @param {Wire.Step} one */
  step(one) {
    if (one.step === "reasoning") return html`<thinking-step .step=${one} .unfolds=${this.settings?.thinking}></thinking-step>`;
    return html`<tool-card
      .step=${one}
      .progress=${this.progress[one.id]}
      .approval=${this.approvals.find((approval) => approval.step_id === one.id)}
      .runId=${this.message?.run_id ?? ""}
      .conversation=${this.conversation}
    ></tool-card>`;
  }

  /** Said to screen readers by the live region: what failed long ago is not to be heard. @param {Wire.Run} run */
  failure({ error }) {
    const { words, again } = remedyOf(error);
    return html`<div class="error-status" role="group" aria-label=${gettext("Error")}>
      <div class="error-words">
        <p>${error?.message ?? gettext("The answer failed.")}</p>
        ${words ? html`<p class="remedy">${words}</p>` : nothing}
        ${error?.log_id
          ? html`<p class="log-number">${gettext("Number in the server's log: %(number)s", { number: error.log_id })}</p>`
          : nothing}
      </div>
      ${this.last && again
        ? html`<button class="button is-small" type="button" ?disabled=${this.busy} @click=${this.again}>${gettext("Retry")}</button>`
        : nothing}
      ${this.message ? this.goesOn(this.message) : nothing}
    </div>`;
  }

  /** @param {Wire.Message} message @param {Wire.Run | undefined} run */
  foot(message, run) {
    return html`<answer-foot
      .message=${message}
      .run=${run}
      .speed=${this.settings?.speed ?? true}
      .place=${this.place}
      .busy=${this.busy}
      .conversation=${this.conversation}
    ></answer-foot>`;
  }

  again() {
    if (this.message) this.conversation?.regenerate(this.message);
  }

  goOn() {
    if (this.message) this.conversation?.goOn(this.message);
  }
}

/** What the model was not given: no errors, and said to screen readers by the live region. @param {Wire.Notice[]} all */
function notices(all) {
  return html`<ul class="answer-notices" aria-label=${gettext("About this answer")}>
    ${all.map((one) => html`<li data-testid="notice">${icons.info}<span>${one.message}</span></li>`)}
  </ul>`;
}

customElements.define("assistant-message", AssistantMessage);
