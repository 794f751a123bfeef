import { html, nothing } from "../../vendor/lit.js";
import { exactly } from "../format.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";

/** What a tool is about to do, exactly, and the two answers. Each question is answered once. */
export class ApprovalQuestion extends PageElement {
  static properties = {
    approval: { attribute: false },
    runId: { attribute: false },
    conversation: { attribute: false },
    given: { state: true },
  };

  constructor() {
    super();
    /** @type {Wire.Approval | null} */
    this.approval = null;
    this.runId = "";
    /** @type {import("../conversation.js").Conversation | null} */
    this.conversation = null;
    /** @type {Wire.Decision | null} what was answered here, while the run has not gone on */
    this.given = null;
  }

  render() {
    const { approval, given } = this;
    if (!approval) return nothing;
    return html`<div class="approval" role="group" aria-label=${gettext("Approval of %(tool)s", { tool: approval.tool })}>
      <p>${gettext("May the tool %(tool)s run with exactly this?", { tool: approval.tool })}</p>
      <pre class="tool-output" tabindex="0" aria-label=${gettext("Arguments")}>${exactly(approval.arguments)}</pre>
      <div class="approval-answers">
        ${this.button("approve", gettext("Approve"), "is-main")} ${this.button("deny", gettext("Deny"), "")}
        ${given ? html`<span role="status">${given === "approve" ? gettext("Approved.") : gettext("Denied.")}</span>` : nothing}
      </div>
    </div>`;
  }

  /** @param {Wire.Decision} decision @param {string} words @param {string} look */
  button(decision, words, look) {
    return html`<button
      class="button is-small ${look}"
      type="button"
      data-testid="${decision}-button"
      ?disabled=${this.given !== null}
      @click=${() => this.answer(decision)}
    >
      ${words}
    </button>`;
  }

  /** @param {Wire.Decision} decision */
  async answer(decision) {
    const { approval, conversation } = this;
    if (!approval || !conversation || this.given) return;
    this.given = decision;
    // A refusal says why above the message field; the question may be answered again.
    if (!(await conversation.decide(this.runId, approval, decision))) this.given = null;
  }
}

customElements.define("approval-question", ApprovalQuestion);
