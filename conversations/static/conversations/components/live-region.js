import { html } from "../../vendor/lit.js";
import { PageElement } from "./element.js";

/** Tells a screen reader when an answer begins, what it asks and how it ended: sentences, never tokens. */
export class LiveRegion extends PageElement {
  static properties = { state: { attribute: false }, sentence: { state: true } };

  constructor() {
    super();
    /** @type {Page.State | null} */
    this.state = null;
    this.sentence = "";
    this.wasLive = "";
    this.wasAsked = false;
  }

  willUpdate() {
    const { state } = this;
    if (!state) return;
    const live = state.live?.runId ?? "";
    if (live && !this.wasLive) this.sentence = "Answer is being written.";
    if (!live && this.wasLive) this.sentence = ending(state.runs[this.wasLive]);
    this.wasLive = live;
    const asked = (state.live?.state.approvals.length ?? 0) > 0;
    if (asked && !this.wasAsked) this.sentence = "A tool waits for your approval.";
    this.wasAsked = asked;
  }

  render() {
    return html`<p class="visually-hidden" role="status" aria-live="polite">${this.sentence}</p>`;
  }
}

/** @param {Wire.Run | undefined} run */
function ending(run) {
  if (run?.status === "completed") return "Answer finished.";
  if (run?.status === "cancelled") return "Answer stopped.";
  if (run?.status === "incomplete") return "Answer ended early.";
  return run && run.status !== "in_progress" ? "No answer: there was an error." : "";
}

customElements.define("live-region", LiveRegion);
