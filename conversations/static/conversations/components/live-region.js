import { html } from "../../vendor/lit.js";
import { lineOf } from "../status.js";
import { PageElement } from "./element.js";

const BEGUN = new Set(["in_progress", "cancelling", "requires_action"]);

/**
 * Tells a screen reader when an answer waits in line, when it begins, what it asks, how it ended, and what its model was
 * not given: sentences, never tokens.
 */
export class LiveRegion extends PageElement {
  static properties = { state: { attribute: false }, sentence: { state: true } };

  constructor() {
    super();
    /** @type {Page.State | null} */
    this.state = null;
    this.sentence = "";
    this.wasLive = "";
    this.wasAsked = false;
    this.hadBegun = false;
    this.waited = false;
    this.behind = 0;
    /** @type {Set<string>} the notices of an answer that were said, by run and code */
    this.said = new Set();
  }

  willUpdate() {
    const { state } = this;
    if (!state) return;
    const live = state.live?.runId ?? "";
    const begun = state.live !== null && BEGUN.has(state.live.state.run?.status ?? "");
    if (begun && !this.hadBegun) {
      this.said.clear();
      this.sentence = this.withNews("Answer is being written.", state.live?.state.run);
    }
    this.hadBegun = begun;
    // The place is said once: what changes every few seconds would be heard every few seconds.
    const line = state.live && lineOf(state.live.state);
    if (line && !this.waited) this.sentence = `${line}.`;
    this.waited = Boolean(line);
    if (!live && this.wasLive) this.sentence = this.withNews(ending(state.runs[this.wasLive]), state.runs[this.wasLive]);
    this.wasLive = live;
    const asked = (state.live?.state.approvals.length ?? 0) > 0;
    if (asked && !this.wasAsked) this.sentence = "A tool waits for your approval.";
    this.wasAsked = asked;
    if (live && state.waiting.length > this.behind) this.sentence = "A message waits until the answer is done.";
    this.behind = state.waiting.length;
  }

  /** The sentence, and what is new of what the model was not given. @param {string} sentence
   * @param {Wire.Run | null | undefined} run */
  withNews(sentence, run) {
    const news = (run?.notices ?? []).filter((one) => !this.said.has(`${run?.id} ${one.code}`));
    for (const one of news) this.said.add(`${run?.id} ${one.code}`);
    return [sentence, ...news.map((one) => one.message)].filter(Boolean).join(" ");
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
