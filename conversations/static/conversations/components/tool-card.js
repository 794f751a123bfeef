import { html, nothing } from "../../vendor/lit.js";
import { duration } from "../format.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";
import "./approval-question.js";

const SHORT = 240;
/** @type {Record<Wire.Step["status"], string>} */
const OUTCOMES = { in_progress: "running", completed: "done", failed: "failed", cancelled: "stopped" };

/** One tool at work: its name, what it was given, what it says, how long it took and how that ended. */
export class ToolCard extends PageElement {
  static properties = {
    step: { attribute: false },
    approval: { attribute: false },
    runId: { attribute: false },
    conversation: { attribute: false },
    chosen: { state: true },
  };

  constructor() {
    super();
    /** @type {Wire.Step | null} */
    this.step = null;
    /** @type {Wire.Approval | undefined} what it waits for */
    this.approval = undefined;
    this.runId = "";
    /** @type {import("../conversation.js").Conversation | null} */
    this.conversation = null;
    /** @type {boolean | null} */
    this.chosen = null;
  }

  render() {
    const { step, approval } = this;
    if (!step) return nothing;
    const open = approval !== undefined || (this.chosen ?? (step.status === "in_progress" || (step.output ?? "").length <= SHORT));
    return html`<section class="step tool-card ${step.status}">
      <button class="step-head" type="button" aria-expanded=${open ? "true" : "false"} @click=${() => this.toggle(open)}>
        ${icons.chevron}
        <span class="tool-name">${step.name ?? "tool"}</span>
        <span class="tool-outcome">${approval ? "waits for you" : outcome(step)}</span>
      </button>
      ${open ? (approval ? this.question(approval) : body(step)) : nothing}
    </section>`;
  }

  /** Always open: whoever agrees must have seen to what. @param {Wire.Approval} approval */
  question(approval) {
    return html`<div class="step-body">
      <approval-question
        .approval=${approval}
        .runId=${this.runId}
        .conversation=${this.conversation}
      ></approval-question>
    </div>`;
  }

  /** @param {boolean} open */
  toggle(open) {
    if (!this.approval) this.chosen = !open;
  }
}

/** @param {Wire.Step} step */
function outcome(step) {
  const time = step.duration_ms == null ? "" : ` · ${duration(step.duration_ms)}`;
  return OUTCOMES[step.status] + time;
}

/** @param {Wire.Step} step */
function body(step) {
  const given = step.arguments && Object.keys(step.arguments).length ? step.arguments : null;
  const says = step.status === "in_progress" && !step.output ? step.details : null;
  return html`<div class="step-body">
    ${given ? html`<dl class="tool-arguments">${Object.entries(given).map(argument)}</dl>` : nothing}
    ${says ? html`<p class="tool-says">${says}</p>` : nothing}
    ${step.output ? html`<pre class="tool-output" tabindex="0" aria-label="Output">${step.output}</pre>` : nothing}
    ${step.output_cut ? html`<p class="tool-says">The output was too long and is cut here.</p>` : nothing}
    ${step.error ? html`<p class="tool-error">${step.error.message}</p>` : nothing}
  </div>`;
}

/** @param {[string, unknown]} entry */
function argument([name, value]) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return html`<div><dt>${name}</dt><dd>${text}</dd></div>`;
}

customElements.define("tool-card", ToolCard);
