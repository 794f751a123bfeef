import { html, nothing } from "../../vendor/lit.js";
import { beganAt, duration } from "../format.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";
import "./elapsed-time.js";
import "./markdown-text.js";

/**
 * The model's thinking. As set it is open while it thinks and folded with its duration when it has ended, or always, or
 * never; what somebody has chosen here stays.
 */
export class ThinkingStep extends PageElement {
  static properties = { step: { attribute: false }, unfolds: { attribute: false }, chosen: { state: true } };

  constructor() {
    super();
    /** @type {Wire.Step | null} */
    this.step = null;
    /** @type {Page.Settings["thinking"] | undefined} */
    this.unfolds = "while";
    this.since = 0;
    /** @type {boolean | null} what the reader chose, if so */
    this.chosen = null;
  }

  render() {
    const { step } = this;
    if (!step) return nothing;
    const thinking = step.status === "in_progress";
    const open = this.chosen ?? (this.unfolds === "always" || (this.unfolds !== "never" && thinking));
    if (thinking) this.since ||= beganAt(step.started_at, Date.now());
    return html`<section class="step thinking ${thinking ? "is-open" : ""}">
      <button class="step-head" type="button" aria-expanded=${open ? "true" : "false"} @click=${() => this.toggle(open)}>
        ${icons.chevron}<span>${title(step)}</span>
        ${thinking ? html`<elapsed-time .since=${this.since}></elapsed-time>` : nothing}
      </button>
      ${open ? this.body(step.details ?? "", thinking) : nothing}
    </section>`;
  }

  /** @param {string} text @param {boolean} thinking */
  body(text, thinking) {
    return html`<div class="step-body"><markdown-text class="prose" .open=${thinking} .text=${text}></markdown-text></div>`;
  }

  /** @param {boolean} open */
  toggle(open) {
    this.chosen = !open;
  }
}

/** @param {Wire.Step} step */
function title(step) {
  if (step.status === "in_progress") return gettext("Thinking…");
  const ended = step.status === "completed";
  if (step.duration_ms == null) return ended ? gettext("Thought") : gettext("Stopped thinking");
  const time = duration(step.duration_ms);
  return ended ? gettext("Thought for %(time)s", { time }) : gettext("Stopped thinking after %(time)s", { time });
}

customElements.define("thinking-step", ThinkingStep);
