import { html, nothing } from "../../vendor/lit.js";
import { beganAt, duration } from "../format.js";
import { stepRemedyOf } from "../remedies.js";
import { argumentsOf, outcomeOf } from "../tools.js";
import { gettext, ngettext } from "../words.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";
import "./approval-question.js";
import "./elapsed-time.js";

const SHORT = 240;
/** One tool at work: its name, what it was given, what it says, how long it took and how that ended. */
export class ToolCard extends PageElement {
  static properties = {
    step: { attribute: false },
    progress: { attribute: false },
    approval: { attribute: false },
    runId: { attribute: false },
    conversation: { attribute: false },
    chosen: { state: true },
    whole: { state: true },
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
    /** @type {Set<string>} the long arguments that are shown whole */
    this.whole = new Set();
    /** Whether its output is followed as it comes: until somebody looks at what came before. */
    this.follows = true;
  }

  updated() {
    const output = this.querySelector(".tool-output");
    if (output && this.follows && this.step?.status === "in_progress") output.scrollTop = output.scrollHeight;
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
      ${open ? (approval ? this.question(approval) : this.body(step)) : nothing}
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

  /** @param {Wire.Step} step */
  body(step) {
    const given = argumentsOf(step.arguments);
    const says = step.status === "in_progress" && !step.output ? step.details : null;
    return html`<div class="step-body">
      ${given.length ? html`<dl class="tool-arguments">${given.map((one) => this.argument(one))}</dl>` : nothing}
      ${says ? html`<p class="tool-says">${says}</p>` : nothing}
      ${step.output ? this.output(step.output) : nothing}
      ${step.output_cut ? html`<p class="tool-says">${gettext("The output was too long and is cut here.")}</p>` : nothing}
      ${step.error ? failure(step.error) : nothing}
    </div>`;
  }

  /** @param {string} output */
  output(output) {
    return html`<pre class="tool-output" tabindex="0" aria-label=${gettext("Output")} @scroll=${this.scrolled}>${output}</pre>`;
  }

  /** @param {Event} event */
  scrolled({ currentTarget }) {
    const { scrollTop, scrollHeight, clientHeight } = /** @type {HTMLElement} */ (currentTarget);
    this.follows = scrollHeight - scrollTop - clientHeight < 4; // pixels: a zoomed page has fractions of them
  }

  /** @param {import("../tools.js").Argument} one */
  argument({ name, text, beginning }) {
    if (beginning === null) return html`<div><dt>${name}</dt><dd>${text}</dd></div>`;
    const whole = this.whole.has(name);
    const length = text.length;
    const more = ngettext("Show all of it (%(count)s character)", "Show all of it (%(count)s characters)", length);
    const button = html`<button class="link-button" type="button" aria-expanded=${whole ? "true" : "false"}
      @click=${() => this.unfold(name)}>${whole ? gettext("Show less") : more}</button>`;
    return html`<div><dt>${name}</dt><dd><span class="tool-argument">${whole ? text : beginning}</span>${button}</dd></div>`;
  }

  /** @param {string} name */
  unfold(name) {
    const whole = new Set(this.whole);
    if (!whole.delete(name)) whole.add(name);
    this.whole = whole;
  }

  /** @param {boolean} open */
  toggle(open) {
    if (!this.approval) this.chosen = !open;
  }
}

/** @param {Wire.Step} step */
function outcome(step) {
  const time = step.duration_ms == null ? "" : ` · ${duration(step.duration_ms)}`;
  return outcomeOf(step) + time;
}

/** @param {Wire.Failure} error */
function failure(error) {
  const remedy = stepRemedyOf(error);
  return html`<p class="tool-error">${error.message}</p>
    ${remedy ? html`<p class="tool-says">${remedy}</p>` : nothing}`;
}

customElements.define("tool-card", ToolCard);
