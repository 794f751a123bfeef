import { html, nothing } from "../../vendor/lit.js";
import { APPLE } from "../apple.js";
import { firstRunOf } from "../first_run.js";
import { isPlain } from "../parameters.js";
import { keysOf, neighbour, SHORTCUTS, shortcutFor } from "../shortcuts.js";
import { statusOf } from "../status.js";
import { columnsOf } from "../versions.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";
import "./chat-composer.js";
import "./confirm-dialog.js";
import "./first-run.js";
import "./live-region.js";
import "./message-list.js";
import "./server-notice.js";
import "./shortcut-sheet.js";
import "./status-line.js";
import "./thread-settings.js";
import "./thread-sidebar.js";
import "./undo-message.js";

const SHEET = SHORTCUTS.filter((one) => one.name === "sheet" && one.typing).flatMap((one) => keysOf(one, APPLE));
const MISSING = gettext("This thread is not here. It may have been deleted, or it is not yours.");
const DELETED = gettext("This thread has been deleted.");

/** The whole page of the chat: the list beside the conversation, or in front of it where there is no room. */
export class ChatApp extends PageElement {
  static properties = { page: { attribute: false }, drawer: { state: true } };

  constructor() {
    super();
    /** @type {import("../page.js").ChatPage | null} */
    this.page = null;
    this.drawer = false;
    this.narrow = matchMedia("(max-width: 55rem)");
    this.narrow.addEventListener("change", () => this.requestUpdate());
    this.addEventListener("click", this.clicked);
    this.keydown = this.keydown.bind(this);
    this.addEventListener("edit-last-question", () => this.editLast());
    this.addEventListener("sidebar-close", () => this.showDrawer(false));
    this.addEventListener("thread-rename", (event) => this.rename(/** @type {CustomEvent} */ (event)));
    this.addEventListener("thread-pin", (event) => this.pin(/** @type {CustomEvent} */ (event)));
    this.addEventListener("thread-archive", (event) => this.archive(/** @type {CustomEvent} */ (event)));
    this.addEventListener("message-delete", (event) => this.deleteMessage(/** @type {CustomEvent} */ (event)));
    this.addEventListener("thread-delete", (event) => this.deleteThread(/** @type {CustomEvent} */ (event)));
  }

  render() {
    const { page } = this;
    if (!page) return nothing;
    const { state } = page.store;
    const inFront = this.narrow.matches && this.drawer;
    return html`
      <a class="skip-link" href="#chat-input">${gettext("To the message field")}</a>
      <div class="app ${this.drawer ? "is-drawer-open" : ""}">
        <div class="scrim" @click=${() => this.showDrawer(false)}></div>
        <thread-sidebar
          class="sidebar"
          role="complementary"
          aria-label=${gettext("Threads and account")}
          ?inert=${this.narrow.matches && !this.drawer}
          .boot=${page.boot}
          .threads=${state.threads}
          .current=${state.threadId}
          .live=${state.live !== null}
          .csrf=${() => page.api.token()}
          .onMore=${() => page.threads.more()}
          .onRetry=${() => page.threads.refresh()}
          .onArchive=${(/** @type {boolean} */ archived) => page.threads.showArchive(archived)}
        ></thread-sidebar>
        <main class="conversation ${isEmpty(state) ? "is-empty" : ""}" ?inert=${inFront}>
          ${this.top(state)} ${this.middle(page, state)}
          <div class="dock">
            ${this.problems(page, state)} ${state.view === "ready" ? this.status(page, state) : nothing}
            ${isEmpty(state) && firstRunOf(state.models, state.threads)?.kind === "missing"
              ? nothing
              : html`<server-notice .models=${state.models} .manage=${page.boot.urls.models}></server-notice>`}
            <chat-composer
              .state=${state}
              .busy=${page.conversation.busy}
              .queues=${page.conversation.queues}
              .conversation=${page.conversation}
              .onLook=${() => page.models.wanted()}
            ></chat-composer>
          </div>
          ${isEmpty(state)
            ? html`<p class="keys-hint">${gettext("Keyboard shortcuts:")} ${SHEET.map((key) => html`<kbd>${key}</kbd>`)}</p>`
            : nothing}
        </main>
      </div>
      <live-region .state=${state}></live-region>
      <undo-message
        .undoable=${state.undoable}
        .onUndo=${(/** @type {Page.Undoable} */ undoable) => this.undo(undoable)}
        .onGone=${() => page.store.update({ undoable: null })}
      ></undo-message>
      <confirm-dialog></confirm-dialog>
      <thread-settings></thread-settings>
      <shortcut-sheet></shortcut-sheet>
    `;
  }

  /** @param {Page.State} state */
  top(state) {
    return html`<header class="topbar">
      <button class="icon-button only-narrow" type="button" aria-expanded=${this.drawer ? "true" : "false"}
        @click=${() => this.showDrawer(true)}>
        ${icons.menu}<span class="visually-hidden">${gettext("Show the list")}</span>
      </button>
      <h1>${title(state)}</h1>
      ${state.view === "new" || state.view === "ready" ? this.settingsButton(planOf(state)) : nothing}
      <a class="icon-button only-narrow" href=${this.page?.boot.urls.home ?? "/"} title=${gettext("New thread")}>
        ${icons.plus}<span class="visually-hidden">${gettext("New thread")}</span>
      </a>
    </header>`;
  }

  /** @param {Page.Plan} plan */
  settingsButton(plan) {
    const label = isPlain(plan) ? gettext("Settings of this thread") : gettext("Settings of this thread (some are set)");
    return html`<button class="icon-button ${isPlain(plan) ? "" : "is-set"}" type="button" title=${label}
      data-testid="thread-settings" @click=${this.editSettings}>
      ${icons.gear}<span class="visually-hidden">${label}</span>
    </button>`;
  }

  editSettings() {
    const { page } = this;
    const form = /** @type {import("./thread-settings.js").ThreadSettings} */ (this.querySelector("thread-settings"));
    if (page) form.edit(planOf(page.store.state), (plan) => page.conversation.configure(plan));
  }

  /** @param {import("../page.js").ChatPage} page @param {Page.State} state */
  middle(page, state) {
    if (isEmpty(state)) return welcome(page, state);
    if (state.view === "missing" || state.view === "deleted") {
      return html`<div class="blank">
        <p>${state.view === "deleted" ? DELETED : MISSING}</p>
        <a class="button" href=${page.boot.urls.home}>${gettext("New thread")}</a>
      </div>`;
    }
    if (state.view === "failed") {
      return html`<div class="blank">
        <p>${gettext("The thread cannot be read.")}</p>
        <button class="button" type="button" @click=${() => page.conversation.open(state.threadId)}>
          ${gettext("Retry")}
        </button>
      </div>`;
    }
    return html`<message-list
      .state=${state}
      .conversation=${page.conversation}
    ></message-list>`;
  }

  /** What is going on has one place, which does not move while text comes. Columns say it for themselves.
   * @param {import("../page.js").ChatPage} page @param {Page.State} state */
  status({ conversation }, state) {
    const pending = state.pending?.threadId === state.threadId ? state.pending : null;
    const many = !pending && state.lives.length > 0 && columnsOf(state).length > 0;
    const status = many ? null : statusOf(pending, state.live, state.settings.streaming);
    const aside = state.lives.find((live) => live.aside)?.state.answerId;
    return html`<div class="status-place">
      <status-line .status=${status}></status-line>
      ${aside
        ? html`<p class="status-line is-elsewhere">
            <span class="pulse" aria-hidden="true"></span>
            <span>${gettext("An answer is being written in another version.")}</span>
            <button class="button is-small" type="button" data-testid="show-elsewhere"
              @click=${() => conversation.show(aside)}>
              ${gettext("Show it")}
            </button>
          </p>`
        : nothing}
    </div>`;
  }

  /** @param {import("../page.js").ChatPage} page @param {Page.State} state */
  problems(page, state) {
    if (state.signedOut) {
      const back = `${page.boot.urls.login}?next=${encodeURIComponent(location.pathname)}`;
      return html`<div class="error-status" role="alert">
        <p>${gettext("You are signed out. Your answers go on; sign in to see them.")}</p>
        <a class="button is-small" href=${back}>${gettext("Sign in")}</a>
      </div>`;
    }
    if (!state.problem || state.view === "missing" || state.view === "deleted") return nothing;
    return html`<div class="error-status" role="alert">
      <p>${state.problem.message}</p>
      <button class="button is-small is-quiet" type="button" @click=${() => page.store.update({ problem: null })}>
        ${gettext("Close")}
      </button>
    </div>`;
  }

  /** Links between threads change the state, not the page. @param {MouseEvent} event */
  clicked(event) {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !plain || link.target || link.origin !== location.origin || link.hash) return;
    if (!this.page?.navigate(link.pathname)) return;
    event.preventDefault();
    this.showDrawer(false);
    if (link.pathname === this.page.boot.urls.home) this.querySelector("textarea")?.focus();
  }

  connectedCallback() {
    super.connectedCallback();
    addEventListener("keydown", this.keydown);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    removeEventListener("keydown", this.keydown);
  }

  /** @param {KeyboardEvent} event */
  keydown(event) {
    if (event.defaultPrevented || document.querySelector("dialog:modal")) return;
    const field = event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]");
    const name = shortcutFor(event, Boolean(field));
    if (name && this.perform(name)) event.preventDefault();
    else if (event.key === "Escape" && this.drawer) this.showDrawer(false);
  }

  /** @param {string} name @returns {boolean} whether there was something to do */
  perform(name) {
    const { page } = this;
    if (!page) return false;
    const { threads, threadId } = page.store.state;
    switch (name) {
      case "new-thread":
        page.navigate(page.boot.urls.home);
        this.querySelector("textarea")?.focus();
        return true;
      case "previous-thread":
      case "next-thread": {
        const thread = neighbour(threads.items, threadId, name === "next-thread" ? 1 : -1);
        return thread !== null && page.navigate(page.boot.urls.threads + thread.id);
      }
      case "write":
        document.getElementById("chat-input")?.focus();
        return true;
      case "models":
        this.one("model-picker").toggle();
        return true;
      case "stop":
        if (!page.conversation.busy) return false;
        page.conversation.stop();
        return true;
      default:
        this.one("shortcut-sheet").show();
        return true;
    }
  }

  /** The last question in other words; not while it is being answered. */
  editLast() {
    if (this.page?.conversation.busy) return;
    const questions = /** @type {NodeListOf<import("./question-message.js").QuestionMessage>} */ (
      this.querySelectorAll("question-message")
    );
    [...questions].at(-1)?.edit(true);
  }

  /** One of the parts of which there is one. @param {string} name @returns {any} */
  one(name) {
    return this.querySelector(name);
  }

  /** @param {boolean} open */
  async showDrawer(open) {
    if (this.drawer === open) return;
    this.drawer = open;
    await this.updateComplete;
    const target = open ? ".sidebar .icon-button" : ".topbar .icon-button";
    const element = this.querySelector(target);
    if (this.narrow.matches && element instanceof HTMLElement) element.focus();
  }

  /** @param {CustomEvent} event */
  rename({ detail }) {
    this.page?.threads.rename(detail.thread, detail.title);
  }

  /** @param {CustomEvent<{thread: Wire.Thread}>} event */
  pin({ detail: { thread } }) {
    this.page?.threads.pin(thread, !thread.pinned);
  }

  /** @param {CustomEvent<{thread: Wire.Thread}>} event */
  archive({ detail: { thread } }) {
    this.page?.threads.archive(thread, !thread.archived);
  }

  /** @param {CustomEvent<{message: Wire.Message}>} event */
  async deleteMessage({ detail: { message } }) {
    const dialog = /** @type {import("./confirm-dialog.js").ConfirmDialog} */ (this.querySelector("confirm-dialog"));
    const asked = message.role === "user";
    const sure = await dialog.ask({
      heading: asked ? gettext("Delete this question?") : gettext("Delete this answer?"),
      sentence: asked
        ? gettext("Its answers and everything that was said after them will be deleted with it, for good.")
        : gettext("Everything that was said after it will be deleted with it, for good. Its other versions stay."),
      verb: gettext("Delete"),
    });
    if (sure) await this.page?.conversation.remove(message);
  }

  /** @param {CustomEvent<{thread: Wire.Thread}>} event */
  async deleteThread({ detail: { thread } }) {
    const { page } = this;
    if (!page || !(await page.threads.remove(thread))) return;
    if (page.store.state.threadId === thread.id) page.navigate(page.boot.urls.home);
  }

  /** @param {Page.Undoable} undoable */
  async undo(undoable) {
    const { page } = this;
    await page?.threads.undo(undoable);
    if (undoable.kind === "deleted") page?.navigate(page.boot.urls.threads + undoable.thread.id);
  }
}

/** @param {Page.State} state */
function isEmpty({ view, pending, messages, threadId }) {
  return view === "new" && !messages.length && (pending === null || pending.threadId !== threadId);
}

/** @param {import("../page.js").ChatPage} page @param {Page.State} state */
function welcome({ boot }, { models, threads }) {
  const what = firstRunOf(models, threads);
  const missing = what?.kind === "missing";
  return html`<div class="welcome">
    <h1 class="greeting">${missing ? gettext("One thing is missing: a model") : gettext("What would you like to know?")}</h1>
    <first-run .what=${what} .models=${models} .urls=${boot.urls}></first-run>
  </div>`;
}

/** @param {Page.State} state @returns {Page.Plan} */
function planOf({ thread, plan }) {
  return thread ? { system_prompt: thread.system_prompt ?? "", parameters: thread.parameters ?? {} } : plan;
}

/** @param {Page.State} state */
function title({ thread, view }) {
  if (view === "missing" || view === "deleted") return gettext("Nothing here");
  return thread?.title || gettext("New thread");
}

customElements.define("chat-app", ChatApp);
