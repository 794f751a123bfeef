import { html, nothing, repeat } from "../../vendor/lit.js";
import { followUpsOf } from "../follow_ups.js";
import { statusOf } from "../status.js";
import { filesOf } from "./attached-files.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";
import { FollowsTheEnd } from "./scrolling.js";
import "./assistant-message.js";
import "./follow-ups.js";
import "./status-line.js";
import "./waiting-list.js";

/** @type {Wire.Approval[]} one for all, so that nothing is drawn again for it */
const NOTHING_ASKED = [];

/** The conversation, from the oldest message that is loaded to what is going on now. */
export class MessageList extends PageElement {
  static properties = {
    state: { attribute: false },
    streaming: { attribute: false },
    conversation: { attribute: false },
    away: { state: true },
  };

  constructor() {
    super();
    /** @type {Page.State | null} */
    this.state = null;
    this.streaming = true;
    /** @type {import("../conversation.js").Conversation | null} */
    this.conversation = null;
    this.away = false;
    this.scrolling = new FollowsTheEnd({
      onAway: (away) => {
        this.away = away;
      },
      onTop: () => this.conversation?.loadOlder(),
    });
  }

  firstUpdated() {
    const scroller = this.querySelector(".scroller");
    const column = this.querySelector(".column");
    if (scroller instanceof HTMLElement && column instanceof HTMLElement) this.scrolling.attach(scroller, column);
  }

  willUpdate() {
    this.scrolling.before(this.state?.threadId ?? "", this.state?.messages[0]?.id ?? "");
  }

  updated() {
    this.scrolling.after();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.scrolling.detach();
  }

  render() {
    const { state } = this;
    if (!state) return nothing;
    const pending = state.pending?.threadId === state.threadId ? state.pending : null;
    return html`
      <div class="scroller" tabindex="0" role="region" aria-label="Conversation">
        <div class="column">
          ${state.older ? html`<p class="older">Reading older messages…</p>` : nothing}
          ${repeat(state.messages, (message) => message.id, (message, index) => this.message(state, message, index))}
          ${pending?.content ? question(pending.content, pending.attachments, true) : nothing}
          ${pending?.status === "failed" ? this.refused(pending) : nothing}
          <status-line .status=${statusOf(pending, state.live, this.streaming)}></status-line>
          <follow-ups
            .questions=${followUpsOf(state, this.conversation?.busy ?? false)}
            .conversation=${this.conversation}
          ></follow-ups>
          <waiting-list
            .waiting=${state.waiting}
            .adding=${state.adding.filter((one) => one.threadId === state.threadId)}
            .queue=${this.conversation?.queue ?? null}
          ></waiting-list>
        </div>
      </div>
      ${this.away
        ? html`<button class="button is-small to-newest" type="button" @click=${() => this.scrolling.toEnd()}>
            ${icons.down}To the newest
          </button>`
        : nothing}
    `;
  }

  /** @param {Page.State} state @param {Wire.Message} message @param {number} index */
  message(state, message, index) {
    if (message.role === "user") return question(message.content ?? "…", message.attachments, false);
    const live = state.live?.runId === message.run_id ? state.live : null;
    return html`<assistant-message
      class="message assistant-message"
      .message=${message}
      .run=${state.runs[message.run_id ?? ""]}
      .steps=${state.steps}
      .last=${index === state.messages.length - 1}
      .busy=${this.conversation?.busy ?? false}
      .approvals=${live?.state.approvals ?? NOTHING_ASKED}
      .conversation=${this.conversation}
    ></assistant-message>`;
  }

  /** @param {Page.Pending} pending */
  refused(pending) {
    return html`<div class="error-status" role="alert">
      <p>${pending.error?.message ?? "The message could not be sent."}</p>
      <button class="button is-small" type="button" @click=${() => this.conversation?.retry()}>Retry</button>
      <button class="button is-small is-quiet" type="button" @click=${() => this.conversation?.dismiss()}>Discard</button>
    </div>`;
  }
}

/** @param {string} content @param {Wire.Attachment[] | undefined} files @param {boolean} pending */
function question(content, files, pending) {
  return html`<div class="message user-message ${pending ? "is-pending" : ""}">
    <h2 class="visually-hidden">You</h2>
    ${filesOf(files)}
    <p class="question">${content}</p>
  </div>`;
}

customElements.define("message-list", MessageList);
