import { html, nothing } from "../../vendor/lit.js";
import { duration } from "../format.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";
import "./markdown-text.js";

/** The model's thinking: open while it thinks, folded with its duration when it has ended, unless somebody opened it. */
export class ThinkingStep extends PageElement {
  static properties = { step: { attribute: false }, chosen: { state: true } };

  constructor() {
    super();
    /** @type {Wire.Step | null} */
    this.step = null;
    /** @type {boolean | null} what the reader chose, if so */
    this.chosen = null;
  }

  render() {
    const { step } = this;
    if (!step) return nothing;
    const thinking = step.status === "in_progress";
    const open = this.chosen ?? thinking;
    return html`<section class="step thinking ${thinking ? "is-open" : ""}">
      <button class="step-head" type="button" aria-expanded=${open ? "true" : "false"} @click=${() => this.toggle(open)}>
        ${icons.chevron}<span>${title(step)}</span>
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
  if (step.status === "in_progress") return "Thinking…";
  const time = step.duration_ms == null ? "" : ` for ${duration(step.duration_ms)}`;
  return step.status === "completed" ? `Thought${time}` : `Stopped thinking${time && ` after${time.slice(4)}`}`;
}

customElements.define("thinking-step", ThinkingStep);
