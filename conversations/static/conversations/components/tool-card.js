import { html, nothing } from "../../vendor/lit.js";
import { beganAt, duration } from "../format.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";
import "./approval-question.js";
import "./elapsed-time.js";

const SHORT = 240;
/** @type {Record<Wire.Step["status"], string>} */
const OUTCOMES = {
  in_progress: gettext("running"),
  completed: gettext("done"),
  failed: gettext("failed"),
  cancelled: gettext("stopped"),
};

/** One tool at work: its name, what it was given, what it says, how long it took and how that ended. */
export class ToolCard extends PageElement {
  static properties = {
    step: { attribute: false },
    progress: { attribute: false },
    approval: { attribute: false },
    runId: { attribute: false },
    conversation: { attribute: false },
    chosen: { state: true },
  };

  constructor() {
    super();
    /** @type {Wire.Step | null} */
    this.step = null;
    /** @type {number | undefined} how far it is, 0 to 1, where it says so */
    this.progress = undefined;
    this.since = 0;
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
    const running = step.status === "in_progress" && !approval;
    if (running) this.since ||= beganAt(step.started_at, Date.now());
    return html`<section class="step tool-card ${step.status}">
      <button class="step-head" type="button" aria-expanded=${open ? "true" : "false"} @click=${() => this.toggle(open)}>
        ${icons.chevron}
        <span class="tool-name">${step.name ?? gettext("tool")}</span>
        <span class="tool-outcome">${approval ? gettext("waits for you") : outcome(step)}</span>
        ${running ? html`<elapsed-time .since=${this.since}></elapsed-time>` : nothing}
      </button>
      ${running && this.progress !== undefined ? this.bar(step, this.progress) : nothing}
      ${open ? (approval ? this.question(approval) : body(step)) : nothing}
    </section>`;
  }

  /** @param {Wire.Step} step @param {number} progress */
  bar({ name }, progress) {
    const label = gettext("How far %(tool)s is", { tool: name ?? gettext("the tool") });
    return html`<progress class="tool-progress" max="1" .value=${progress} aria-label=${label}></progress>`;
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
    ${step.output ? html`<pre class="tool-output" tabindex="0" aria-label=${gettext("Output")}>${step.output}</pre>` : nothing}
    ${step.output_cut ? html`<p class="tool-says">${gettext("The output was too long and is cut here.")}</p>` : nothing}
    ${step.error ? html`<p class="tool-error">${step.error.message}</p>` : nothing}
  </div>`;
}

/** @param {[string, unknown]} entry */
function argument([name, value]) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return html`<div><dt>${name}</dt><dd>${text}</dd></div>`;
}

customElements.define("tool-card", ToolCard);
