import { html, nothing } from "../../vendor/lit.js";
import { seconds } from "../format.js";
import { PageElement } from "./element.js";

/**
 * How long something has been going on, counted up each second; for the eye alone, because a screen reader would hear
 * it every second. Nothing in the first few seconds.
 */
export class ElapsedTime extends PageElement {
  static properties = { since: { attribute: false }, from: { attribute: false } };

  constructor() {
    super();
    /** Milliseconds, as of `Date.now`. */
    this.since = 0;
    /** So many seconds say nothing. */
    this.from = 3;
    this.timer = 0;
  }

  connectedCallback() {
    super.connectedCallback();
    this.timer = setInterval(() => this.requestUpdate(), 1000);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  render() {
    const past = Math.floor((Date.now() - this.since) / 1000);
    return past < this.from ? nothing : html`<span class="elapsed" aria-hidden="true">${seconds(past)}</span>`;
  }
}

customElements.define("elapsed-time", ElapsedTime);
