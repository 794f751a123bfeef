/** The chat: makes the parts, joins them, and keeps the address and the state together. */

import { Api } from "./api.js";
import { Attachments } from "./attachments.js";
import { socketUrl } from "./boot.js";
import { Conversation } from "./conversation.js";
import { Feed } from "./feed.js";
import { Models } from "./models.js";
import { onSettings, readSettings } from "./preferences.js";
import { Runs } from "./runs.js";
import { initialState, Store } from "./store.js";
import { Threads } from "./threads.js";
import { gettext } from "./words.js";

export class ChatPage {
  /** @param {Page.Boot} boot */
  constructor(boot) {
    this.boot = boot;
    this.store = new Store(initialState(readSettings()));
    this.api = new Api(boot.urls.api, boot.csrf);
    this.threads = new Threads(this.store, this.api, (list) => this.feed.start(list.last));
    this.models = new Models(this.store, this.api);
    const runs = new Runs(boot.urls.api, socketUrl(boot), () => readSettings().transport);
    this.conversation = new Conversation({
      store: this.store,
      api: this.api,
      runs,
      threads: this.threads,
      files: new Attachments({ store: this.store, api: this.api, limits: boot.limits }),
      onThread: (threadId) => history.pushState(null, "", boot.urls.threads + threadId),
    });
    this.feed = new Feed({
      api: boot.urls.api,
      username: boot.username,
      runs,
      onEvent: (envelope) => this.heard(envelope),
      onFed: (fed) => {
        this.threads.fed = fed;
      },
      onSignedOut: () => this.store.update({ signedOut: true }),
      onStale: () => this.threads.refresh(),
    });
  }

  /** Goes to a thread, or to a new one, without loading the page. @param {string} path @returns {boolean} if it did */
  navigate(path) {
    const threadId = this.threadOf(path);
    if (threadId === undefined) return false;
    if (path !== location.pathname) history.pushState(null, "", path);
    if (threadId !== this.store.state.threadId || threadId === null) this.conversation.open(threadId);
    return true;
  }

  start() {
    onSettings(() => this.store.update({ settings: readSettings() }));
    this.threads.refresh();
    this.models.load();
    this.conversation.open(this.boot.thread);
    addEventListener("popstate", () => this.conversation.open(this.threadOf(location.pathname) ?? null));
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.threads.refresh();
    });
    this.store.subscribe(() => this.titled());
  }

  /** @private @param {Wire.FeedEnvelope} envelope */
  async heard(envelope) {
    const gap = this.threads.take(envelope);
    if (envelope.event !== "feed.reset") this.conversation.heard(envelope);
    if (envelope.event === "thread.run.failed") this.models.doubted();
    if (!gap) return;
    await gap;
    await this.conversation.caughtUp();
  }

  /** @private @param {string} path @returns {string | null | undefined} undefined for an address elsewhere */
  threadOf(path) {
    if (path === this.boot.urls.home) return null;
    const { threads } = this.boot.urls;
    return path.startsWith(threads) ? path.slice(threads.length) || undefined : undefined;
  }

  /** @private */
  titled() {
    const { thread, threadId, threads } = this.store.state;
    const known = threads.items.find((one) => one.id === threadId);
    document.title = `${known?.title || thread?.title || gettext("New thread")} · chatserver`;
  }
}
