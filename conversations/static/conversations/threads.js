/** The list of threads: read, paged, kept up by the feed, renamed, deleted. */

import { failureFrom } from "./api.js";
import { refreshed } from "./branch.js";
import { apply, changed, listOf, withPage } from "./thread_list.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./thread_list.js").ThreadList} ThreadList */

export class Threads {
  /** @param {Store} store @param {Api} api @param {(list: ThreadList) => void} [onRead] */
  constructor(store, api, onRead = () => undefined) {
    this.store = store;
    this.api = api;
    this.onRead = onRead;
    /** Whether the feed tells of what changes; then nothing needs to be read again. */
    this.fed = false;
    /** @type {ThreadList | null} */
    this.list = null;
    /** What the feed has told while a page is being read, which may have been made before. @type {Wire.FeedEnvelope[]} */
    this.heard = [];
    /** @type {Promise<void> | null} */
    this.reading = null;
    this.again = false;
    this.paging = false;
    this.changes = 0;
    /** Whether the archive is shown instead. */
    this.archived = false;
  }

  /** Shows the archive, or the list again. @param {boolean} archived */
  async showArchive(archived) {
    if (archived === this.archived) return;
    this.archived = archived;
    this.changes += 1; // a page that is being read is of the other list
    this.list = null;
    this.store.update({ threads: { items: [], next: null, status: "loading", archived } });
    await this.refresh(false);
  }

  /** Something has changed here: reads the list again, unless the feed tells. */
  stale() {
    if (!this.fed) this.refresh();
  }

  /**
   * Reads the newest page afresh. What had been paged in below it stays, unless `keep` is false.
   *
   * @param {boolean} [keep] @returns {Promise<void>}
   */
  refresh(keep = true) {
    this.again = this.reading !== null;
    this.reading ??= this.read(keep).finally(() => {
      this.reading = null;
      this.forget();
      if (this.again) this.refresh();
    });
    return this.reading;
  }

  async more() {
    const { next } = this.store.state.threads;
    if (!next || this.paging) return;
    this.paging = true;
    try {
      const archive = this.archived ? "&archived=1" : "";
      const page = await this.api.get(`/threads?cursor=${encodeURIComponent(next)}${archive}`);
      if (!this.list || this.store.state.threads.next !== next) return;
      const since = this.heard.filter((envelope) => envelope.feed > page.feed_cursor);
      this.show(since.reduce(changed, withPage(this.list, page)), { next: page.next });
    } catch (fault) {
      this.store.update({ problem: failureFrom(fault) });
    } finally {
      this.paging = false;
      this.forget();
    }
  }

  /**
   * What the feed tells. After a gap the list is read afresh.
   *
   * @param {Wire.FeedEnvelope} envelope @returns {Promise<void> | null} the reading, where one was needed
   */
  take(envelope) {
    if (this.reading || this.paging) this.heard.push(envelope);
    if (!this.list) return null;
    const { list, outcome } = apply(this.list, envelope);
    if (outcome === "gap" || outcome === "reset") return this.refresh(false);
    if (outcome !== "repeat") this.show(list);
    const { thread } = envelope.data;
    if (thread && thread.id === this.store.state.threadId) this.store.update({ thread });
    return outcome === "lacking" ? this.refresh() : null;
  }

  /** Shows a thread that is new or has changed here. @param {Wire.Thread} thread */
  put(thread) {
    this.changes += 1;
    const none = { items: this.store.state.threads.items, floor: null, last: 0, archived: this.archived };
    const list = changed(this.list ?? none, { event: "thread.updated", feed: 0, data: { thread } });
    if (this.list) this.list = list;
    const { threads, threadId } = this.store.state;
    this.store.update({ threads: { ...threads, items: list.items }, ...(threadId === thread.id ? { thread } : {}) });
  }

  /** @param {Wire.Thread} thread @param {string} title */
  async rename(thread, title) {
    await this.change(thread, { title });
  }

  /** @param {Wire.Thread} thread @param {boolean} pinned */
  async pin(thread, pinned) {
    await this.change(thread, { pinned });
  }

  /** Can be undone. @param {Wire.Thread} thread @param {boolean} archived */
  async archive(thread, archived) {
    if (await this.change(thread, { archived })) {
      this.store.update({ undoable: { kind: archived ? "archived" : "unarchived", thread: { ...thread, archived } } });
    }
  }

  /** What was done last to a thread, and could be. @param {Page.Undoable} undoable */
  async undo({ kind, thread }) {
    this.store.update({ undoable: null });
    if (kind !== "deleted") return void this.change(thread, { archived: kind === "unarchived" });
    try {
      const restored = await this.api.post(`/threads/${thread.id}/restore`, {});
      if (!this.fed) this.put(restored);
    } catch (fault) {
      this.store.update({ problem: failureFrom(fault) });
    }
  }

  /** @param {Wire.Thread} thread @param {Partial<Wire.Thread>} fields shown at once, and taken back if refused
   * @returns {Promise<boolean>} whether it was done */
  async change(thread, fields) {
    this.put({ ...thread, ...fields });
    try {
      const now = await this.api.patch(`/threads/${thread.id}`, fields);
      // The feed tells it too, and perhaps a later change already.
      if (!this.fed) this.put(now);
      return true;
    } catch (fault) {
      this.put(thread);
      this.store.update({ problem: failureFrom(fault) });
      return false;
    }
  }

  /** Can be undone. @param {Wire.Thread} thread @returns {Promise<boolean>} whether it is gone */
  async remove(thread) {
    try {
      await this.api.delete(`/threads/${thread.id}`);
    } catch (fault) {
      const failure = failureFrom(fault);
      if (failure.code !== "not_found") {
        this.store.update({ problem: failure });
        return false;
      }
    }
    this.changes += 1;
    this.store.update({ undoable: { kind: "deleted", thread } });
    if (this.list) this.show(changed(this.list, { event: "thread.deleted", feed: 0, data: { thread_id: thread.id } }));
    return true;
  }

  /** @private @param {boolean} keep @returns {Promise<void>} */
  async read(keep) {
    try {
      const { changes } = this;
      const page = await this.api.get(this.archived ? "/threads?archived=1" : "/threads");
      // Read before a change that is shown already: it would take the change back.
      if (changes !== this.changes) return this.read(keep);
      this.begin(page, keep && this.list !== null);
    } catch (fault) {
      const { threads } = this.store.state;
      failureFrom(fault);
      if (threads.status !== "ready") this.store.update({ threads: { ...threads, status: "failed" } });
    }
  }

  /** @private @param {Wire.ThreadPage} page @param {boolean} keep */
  begin(page, keep) {
    const { items, next } = this.store.state.threads;
    const complete = page.next === null;
    const deeper = keep && !complete && items.length > page.results.length;
    let list = listOf(page, this.archived);
    if (deeper && this.list) list = { ...list, items: refreshed(items, page.results, complete), floor: this.list.floor };
    for (const envelope of this.heard) {
      const step = apply(list, envelope);
      list = step.list;
      this.again ||= step.outcome === "gap";
    }
    this.show(list, { next: deeper ? next : page.next, status: "ready" });
    this.onRead(list);
  }

  /** @private @param {ThreadList} list @param {Partial<Page.ThreadList>} [more] */
  show(list, more = {}) {
    this.list = list;
    const { threads, thread, threadId } = this.store.state;
    const shown = list.items.find((one) => one.id === threadId) ?? thread;
    this.store.update({ threads: { ...threads, items: list.items, ...more }, thread: shown });
  }

  /** What was heard is needed only while something is being read. @private */
  forget() {
    if (!this.reading && !this.paging) this.heard = [];
  }
}
