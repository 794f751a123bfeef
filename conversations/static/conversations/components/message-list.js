import { html, nothing, repeat } from "../../vendor/lit.js";
import { followUpsOf } from "../follow_ups.js";
import { columnsOf, placeOf } from "../versions.js";
import { gettext } from "../words.js";
import { filesOf } from "./attached-files.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";
import { FollowsTheEnd } from "./scrolling.js";
import "./answer-columns.js";
import "./assistant-message.js";
import "./follow-ups.js";
import "./question-message.js";
import "./waiting-list.js";

/** @type {Wire.Approval[]} one for all, so that nothing is drawn again for it */
const NOTHING_ASKED = [];
/** @type {Record<string, number>} */
const NOTHING_KNOWN = {};

/** The conversation, from the oldest message that is loaded to what is going on now. */
export class MessageList extends PageElement {
  static properties = {
    state: { attribute: false },
    conversation: { attribute: false },
    away: { state: true },
  };

  constructor() {
    super();
    /** @type {Page.State | null} */
    this.state = null;
    /** @type {import("../conversation.js").Conversation | null} */
    this.conversation = null;
    this.away = false;
    /** @type {{messageId: string, forward: boolean} | null} the version that is being brought, and which arrow asked */
    this.wanted = null;
    // Followed in the frame in which it is drawn, not in the next.
    this.addEventListener("text-drawn", () => this.scrolling.grown());
    this.addEventListener("version-show", (event) => this.showVersion(/** @type {CustomEvent} */ (event)));
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
    this.scrolling.before(this.state?.threadId ?? "");
  }

  updated() {
    this.scrolling.after();
    if (this.wanted) this.focusOnArrow(this.wanted);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.scrolling.detach();
  }

  render() {
    const { state } = this;
    if (!state) return nothing;
    const pending = state.pending?.threadId === state.threadId ? state.pending : null;
    const shown = shownWith(state.messages, pending);
    const columns = pending ? [] : columnsOf(state);
    return html`
      <div class="scroller" tabindex="0" role="region" aria-label=${gettext("Conversation")}>
        <div class="column">
          ${state.older ? html`<p class="older">${gettext("Reading older messages…")}</p>` : nothing}
          ${repeat(shown, (message) => message.id, (message) => this.message(state, message, columns))}
          ${pending?.content ? question(pending.content, pending.attachments) : nothing}
          ${pending?.status === "failed" ? this.refused(pending) : nothing}
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
            ${icons.down}${gettext("To the newest")}
          </button>`
        : nothing}
    `;
  }

  /** @param {Page.State} state @param {Wire.Message} message @param {Wire.Message[]} columns */
  message(state, message, columns) {
    if (message.role === "user") {
      return html`<question-message
        class="message user-message"
        .message=${message}
        .place=${placeOf(state.versions, message)}
        .busy=${this.conversation?.busy ?? false}
        .conversation=${this.conversation}
      ></question-message>`;
    }
    const last = message === state.messages.at(-1);
    if (!last || !columns.length) return this.answer(state, message, last, true);
    // Those that were asked for at other times are reached from the answer that is gone on from.
    const all = placeOf(state.versions, message).of === columns.length;
    return html`<answer-columns
      class="message"
      .answers=${columns}
      .chosen=${message.id}
      .state=${state}
      .conversation=${this.conversation}
      .draw=${(/** @type {Wire.Message} */ one) => this.answer(state, one, true, !all && one === message)}
    ></answer-columns>`;
  }

  /** @param {Page.State} state @param {Wire.Message} message @param {boolean} last @param {boolean} arrows */
  answer(state, message, last, arrows) {
    const live = state.lives.find((one) => one.runId === message.run_id);
    return html`<assistant-message
      class="message assistant-message"
      .message=${message}
      .run=${state.runs[message.run_id ?? ""]}
      .steps=${state.steps}
      .last=${last}
      .settings=${state.settings}
      .progress=${live?.state.progress ?? NOTHING_KNOWN}
      .place=${arrows ? placeOf(state.versions, message) : null}
      .busy=${this.conversation?.busy ?? false}
      .approvals=${live?.state.approvals ?? NOTHING_ASKED}
      .conversation=${this.conversation}
    ></assistant-message>`;
  }

  /** @param {CustomEvent} event */
  showVersion({ detail }) {
    this.wanted = detail;
    this.conversation?.show(detail.messageId);
  }

  /** The arrow that was pressed went away with its message; the one of the version that came has the focus then.
   * @param {{messageId: string, forward: boolean}} wanted */
  focusOnArrow({ messageId, forward }) {
    if (!this.state?.messages.some((message) => message.id === messageId)) return;
    this.wanted = null;
    const names = forward ? ["next-version", "previous-version"] : ["previous-version", "next-version"];
    requestAnimationFrame(() => {
      const message = [...this.querySelectorAll("question-message, assistant-message")].find((one) => idOf(one) === messageId);
      const arrows = names.map((name) => message?.querySelector(`[data-testid=${name}]:enabled`));
      const arrow = arrows.find((one) => one instanceof HTMLElement);
      if (arrow instanceof HTMLElement) arrow.focus({ preventScroll: true });
    });
  }

  /** @param {Page.Pending} pending */
  refused(pending) {
    return html`<div class="error-status" role="alert">
      <p>${pending.error?.message ?? gettext("The message could not be sent.")}</p>
      <button class="button is-small" type="button" @click=${() => this.conversation?.retry()}>${gettext("Retry")}</button>
      <button class="button is-small is-quiet" type="button" @click=${() => this.conversation?.dismiss()}>${gettext("Discard")}</button>
    </div>`;
  }
}

/** @param {Element} element a question or an answer */
function idOf(element) {
  return /** @type {Element & {message: Wire.Message | null}} */ (element).message?.id;
}

/** Without what is being asked anew: it is another version from its place on. @param {Wire.Message[]} messages
 * @param {Page.Pending | null} pending */
function shownWith(messages, pending) {
  const at = messages.findIndex((message) => message.id === pending?.edit);
  return at < 0 || pending?.status === "failed" ? messages : messages.slice(0, at);
}

/** On its way. @param {string} content @param {Wire.Attachment[]} files */
function question(content, files) {
  return html`<div class="message user-message is-pending">
    <h2 class="visually-hidden">${gettext("You")}</h2>
    ${filesOf(files)}
    <p class="question">${content}</p>
  </div>`;
}

customElements.define("message-list", MessageList);
