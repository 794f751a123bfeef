import { html, nothing } from "../../vendor/lit.js";
import { beganAt } from "../format.js";
import { saidAfter } from "../status.js";
import { PageElement } from "./element.js";
import "./elapsed-time.js";

/** What is going on at this moment, since when, and how far it is where that is known. */
export class StatusLine extends PageElement {
  static properties = { status: { attribute: false } };

  constructor() {
    super();
    /** @type {import("../status.js").Status | null} */
    this.status = null;
    this.said = "";
    this.since = 0;
    this.timer = 0;
  }

  connectedCallback() {
    super.connectedCallback();
    // What goes on for long is said in other words.
    this.timer = setInterval(() => this.status?.still && this.requestUpdate(), 1000);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  willUpdate() {
    const said = this.status?.text ?? "";
    if (said !== this.said) this.since = beganAt(this.status?.since, Date.now());
    this.said = said;
  }

  render() {
    const { status } = this;
    if (!status) return nothing;
    const text = saidAfter(status, Date.now() - this.since);
    return html`<p class="status-line ${status.tone}">
      <span class="pulse" aria-hidden="true"></span>
      <span>${text}</span>
      <elapsed-time .since=${this.since} .from=${5}></elapsed-time>
      ${status.progress === null
        ? nothing
        : html`<progress max="1" .value=${status.progress} aria-label=${text}></progress>`}
    </p>`;
  }
}

customElements.define("status-line", StatusLine);
