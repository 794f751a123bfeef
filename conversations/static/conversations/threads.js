/** The list of threads: read, paged, kept fresh, renamed, deleted. */

import { failureFrom } from "./api.js";
import { refreshed } from "./branch.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./api.js").Api} Api */

export class Threads {
  /** @param {Store} store @param {Api} api */
  constructor(store, api) {
    this.store = store;
    this.api = api;
    this.paging = false;
    this.changes = 0;
  }

  /** Reads the newest page afresh; what had been paged in below it stays. @returns {Promise<void>} */
  async refresh() {
    try {
      const { changes } = this;
      const page = await this.api.get("/threads");
      // Read before a change that is shown already: it would take the change back.
      if (changes !== this.changes) return this.refresh();
      const { items, next, status } = this.store.state.threads;
      const complete = page.next === null;
      const merged = refreshed(items, page.results, complete);
      const further = status === "ready" && items.length > page.results.length && !complete ? next : page.next;
      const { thread, threadId } = this.store.state;
      const shown = merged.find((one) => one.id === threadId) ?? thread;
      this.store.update({ threads: { items: merged, next: further, status: "ready" }, thread: shown });
    } catch (fault) {
      const { threads } = this.store.state;
      failureFrom(fault);
      if (threads.status !== "ready") this.store.update({ threads: { ...threads, status: "failed" } });
    }
  }

  async more() {
    const { next } = this.store.state.threads;
    if (!next || this.paging) return;
    this.paging = true;
    try {
      const page = await this.api.get(`/threads?cursor=${encodeURIComponent(next)}`);
      const { threads } = this.store.state;
      const known = new Set(threads.items.map((thread) => thread.id));
      const fresh = page.results.filter((/** @type {Wire.Thread} */ thread) => !known.has(thread.id));
      this.store.update({ threads: { ...threads, items: [...threads.items, ...fresh], next: page.next } });
    } catch (fault) {
      this.store.update({ problem: failureFrom(fault) });
    } finally {
      this.paging = false;
    }
  }

  /** Shows a thread that is new or has changed. @param {Wire.Thread} thread @param {boolean} [first] moves it up */
  put(thread, first = false) {
    this.changes += 1;
    const { threads, threadId } = this.store.state;
    const at = threads.items.findIndex((one) => one.id === thread.id);
    const rest = threads.items.filter((one) => one.id !== thread.id);
    const items = first || at < 0 ? [thread, ...rest] : threads.items.with(at, thread);
    this.store.update({ threads: { ...threads, items }, ...(threadId === thread.id ? { thread } : {}) });
  }

  /** @param {Wire.Thread} thread @param {string} title */
  async rename(thread, title) {
    await this.change(thread, { title });
  }

  /** @param {Wire.Thread} thread @param {Partial<Wire.Thread>} fields shown at once, and taken back if refused */
  async change(thread, fields) {
    this.put({ ...thread, ...fields });
    try {
      this.put(await this.api.patch(`/threads/${thread.id}`, fields));
    } catch (fault) {
      this.put(thread);
      this.store.update({ problem: failureFrom(fault) });
    }
  }

  /** @param {Wire.Thread} thread @returns {Promise<boolean>} whether it is gone */
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
    const { threads } = this.store.state;
    const items = threads.items.filter((one) => one.id !== thread.id);
    this.store.update({ threads: { ...threads, items } });
    return true;
  }
}
