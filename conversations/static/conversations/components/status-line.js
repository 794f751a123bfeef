import { html, nothing } from "../../vendor/lit.js";
import { PageElement } from "./element.js";
import "./elapsed-time.js";

/** What is going on at this moment, and how far it is where that is known. */
export class StatusLine extends PageElement {
  static properties = { status: { attribute: false } };

  constructor() {
    super();
    /** @type {import("../status.js").Status | null} */
    this.status = null;
    this.said = "";
    this.since = 0;
  }

  willUpdate() {
    const said = this.status?.text ?? "";
    if (said !== this.said) this.since = Date.now();
    this.said = said;
  }

  render() {
    const { status } = this;
    if (!status) return nothing;
    return html`<p class="status-line ${status.tone}">
      <span class="pulse" aria-hidden="true"></span>
      <span>${status.text}</span>
      <elapsed-time .since=${this.since} .from=${5}></elapsed-time>
      ${status.progress === null
        ? nothing
        : html`<progress max="1" .value=${status.progress} aria-label=${status.text}></progress>`}
    </p>`;
  }
}

customElements.define("status-line", StatusLine);
