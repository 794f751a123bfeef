import { html } from "../../vendor/lit.js";
import { Announcer, Listener } from "../announcing.js";
import { PageElement } from "./element.js";

/** Where a screen reader hears what goes on with the answers; see announcing.js. */
export class LiveRegion extends PageElement {
  static properties = { state: { attribute: false }, sentence: { state: true } };

  constructor() {
    super();
    /** @type {Page.State | null} */
    this.state = null;
    this.sentence = "";
    this.listener = new Listener();
    this.announcer = new Announcer();
    this.timer = 0;
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.timer);
  }

  willUpdate() {
    if (this.state) this.announcer.hear(this.listener.hear(this.state));
    const now = Date.now();
    const text = this.announcer.take(now);
    // The same words as before are heard only where something has changed.
    if (text !== null) this.sentence = text === this.sentence ? `${text}\u00a0` : text;
    clearTimeout(this.timer);
    const wait = this.announcer.wait(now);
    if (wait !== null) this.timer = setTimeout(() => this.requestUpdate(), wait);
  }

  render() {
    return html`<p class="visually-hidden" role="status" aria-live="polite">${this.sentence}</p>`;
  }
}

customElements.define("live-region", LiveRegion);
