import { html, nothing } from "../../vendor/lit.js";
import { copyFrom } from "../clipboard.js";
import { usageParts } from "../format.js";
import { segmentsOf } from "../segments.js";
import { endingOf } from "../status.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";
import "./markdown-text.js";
import "./thinking-step.js";
import "./tool-card.js";

/** One answer: its steps on their thread, its text, how it ended and what it cost. */
export class AssistantMessage extends PageElement {
  static properties = {
    message: { attribute: false },
    run: { attribute: false },
    steps: { attribute: false },
    last: { attribute: false },
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
    this.last = false;
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
      <h2 class="visually-hidden">Answer</h2>
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
      ${growing ? nothing : this.footer(message, run)}
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
      Continue
    </button>`;
  }

  /** @param {Wire.Step} one */
  step(one) {
    if (one.step === "reasoning") return html`<thinking-step .step=${one}></thinking-step>`;
    return html`<tool-card
      .step=${one}
      .approval=${this.approvals.find((approval) => approval.step_id === one.id)}
      .runId=${this.message?.run_id ?? ""}
      .conversation=${this.conversation}
    ></tool-card>`;
  }

  /** @param {Wire.Run} run */
  failure(run) {
    return html`<div class="error-status" role="alert">
      <p>${run.error?.message ?? "The answer failed."}</p>
      ${this.last
        ? html`<button class="button is-small" type="button" ?disabled=${this.busy} @click=${this.again}>Retry</button>`
        : nothing}
      ${this.message ? this.goesOn(this.message) : nothing}
    </div>`;
  }

  /** @param {Wire.Message} message @param {Wire.Run | undefined} run */
  footer(message, run) {
    const parts = run ? usageParts(run) : [];
    return html`<footer class="answer-foot">
      ${message.content
        ? html`<button class="icon-button" type="button" title="Copy the answer" @click=${this.copy}>
            ${icons.copy}<span class="visually-hidden">Copy the answer</span>
          </button>`
        : nothing}
      ${this.last && run?.status !== "failed"
        ? html`<button
            class="icon-button"
            type="button"
            title="Regenerate"
            data-testid="regenerate-button"
            ?disabled=${this.busy}
            @click=${this.again}
          >
            ${icons.again}<span class="visually-hidden">Regenerate</span>
          </button>`
        : nothing}
      ${parts.length || message.model
        ? html`<p class="usage">
            ${message.model ? html`<span>${message.model}</span>` : nothing}
            ${parts.map((part) => html`<span>${part}</span>`)}
          </p>`
        : nothing}
    </footer>`;
  }

  again() {
    if (this.message) this.conversation?.regenerate(this.message);
  }

  goOn() {
    if (this.message) this.conversation?.goOn(this.message);
  }

  /** @param {MouseEvent} click */
  copy(click) {
    const button = click.currentTarget;
    if (!this.message || !(button instanceof HTMLElement)) return;
    copyFrom(this.message.content ?? "", button, button.querySelector("span") ?? button);
  }
}

/** What the model was not given: no errors, and said to screen readers by the live region. @param {Wire.Notice[]} all */
function notices(all) {
  return html`<ul class="answer-notices" aria-label="About this answer">
    ${all.map((one) => html`<li data-testid="notice">${icons.info}<span>${one.message}</span></li>`)}
  </ul>`;
}

customElements.define("assistant-message", AssistantMessage);
