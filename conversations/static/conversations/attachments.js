/** The files that go with the next question: sent to the server one after the other, kept with the thread's draft. */

import { failureFrom, newKey } from "./api.js";
import { bytes } from "./format.js";
import { readDraftFiles, saveDraftFiles } from "./preferences.js";
import { gettext } from "./words.js";

export class Attachments {
  /**
   * @param {object} parts
   * @param {import("./store.js").Store} parts.store
   * @param {import("./api.js").Api} parts.api
   * @param {Page.Boot["limits"]} parts.limits
   */
  constructor({ store, api, limits }) {
    this.store = store;
    this.api = api;
    this.limits = limits;
    /** @type {string | null} the thread whose draft has them */
    this.threadId = null;
    this.line = Promise.resolve();
    /** What stops those that are on their way, by their keys. @type {Map<string, AbortController>} */
    this.stops = new Map();
  }

  get all() {
    return this.store.state.attached;
  }

  /** Whether one of them is not at the server yet. */
  get underWay() {
    return this.all.some((one) => one.status === "sending");
  }

  get refused() {
    return this.all.some((one) => one.status === "refused");
  }

  /** What the draft of another thread has. @param {string | null} threadId */
  show(threadId) {
    this.stopAll();
    this.threadId = threadId;
    this.put(readDraftFiles(threadId).map(ready));
  }

  /** The first message gave this thread its address; what is attached meanwhile stays. @param {string} threadId */
  moved(threadId) {
    saveDraftFiles(this.threadId, []);
    this.threadId = threadId;
    this.put(this.all);
  }

  /** @param {Iterable<File>} files */
  add(files) {
    for (const file of files) {
      const told = this.all.filter((one) => one.status !== "refused").length;
      const reason = this.reason(file, told);
      /** @type {Page.Attached} */
      const one = { key: newKey(), name: file.name || "picture.png", size: file.size, progress: 0, file: null, error: reason,
        status: reason ? "refused" : "sending" };
      this.put([...this.all, one]);
      if (!reason) this.send(one, file);
    }
  }

  /** @param {Page.Attached} one */
  remove(one) {
    this.stops.get(one.key)?.abort();
    this.put(this.all.filter((other) => other.key !== one.key));
    // A message may have it that was sent in another tab; then it stays, and that is no fault.
    if (one.file) this.api.delete(`/attachments/${one.file.id}`).catch(() => {});
  }

  /** Those that go with a question that is sent now. @returns {Wire.Attachment[]} */
  take() {
    const taken = this.all.flatMap((one) => (one.file ? [one.file] : []));
    this.put([]);
    return taken;
  }

  /** Gives files back whose question was not sent after all, unless others are attached by now.
   * @param {string | null} threadId @param {Wire.Attachment[]} files */
  handBack(threadId, files) {
    if (!files.length) return;
    if (threadId !== this.threadId) {
      if (!readDraftFiles(threadId).length) saveDraftFiles(threadId, files);
    } else if (!this.all.length) this.put(files.map(ready));
  }

  /** @private @param {File} file @param {number} before how many there are @returns {string | null} */
  reason(file, before) {
    const { attachments, attachment_bytes } = this.limits;
    if (before >= attachments) return gettext("A message has at most %(count)s files.", { count: attachments });
    if (file.size > attachment_bytes) return gettext("Larger than %(size)s.", { size: bytes(attachment_bytes) });
    return file.size ? null : gettext("This file is empty.");
  }

  /** @private @param {Page.Attached} one @param {File} file */
  send(one, file) {
    const stop = new AbortController();
    this.stops.set(one.key, stop);
    const progressed = (/** @type {number} */ progress) => this.change(one.key, { progress });
    this.line = this.line.then(async () => {
      if (stop.signal.aborted) return;
      try {
        const sent = await this.api.upload("/attachments", file, { name: one.name, key: one.key, stop: stop.signal, progressed });
        this.change(one.key, { status: "ready", file: sent, name: sent.name, size: sent.size, progress: 1 });
      } catch (fault) {
        if (!stop.signal.aborted) this.change(one.key, { status: "refused", error: failureFrom(fault).message });
      } finally {
        this.stops.delete(one.key);
      }
    });
  }

  /** @private */
  stopAll() {
    for (const stop of this.stops.values()) stop.abort();
    this.stops.clear();
  }

  /** @private @param {string} key @param {Partial<Page.Attached>} changes */
  change(key, changes) {
    this.put(this.all.map((one) => (one.key === key ? { ...one, ...changes } : one)));
  }

  /** @private @param {Page.Attached[]} attached */
  put(attached) {
    this.store.update({ attached });
    saveDraftFiles(this.threadId, attached.flatMap((one) => (one.file ? [one.file] : [])));
  }
}

/** @param {Wire.Attachment} file @returns {Page.Attached} */
function ready(file) {
  return { key: file.id, name: file.name, size: file.size, progress: 1, file, error: null, status: "ready" };
}
