/** What the reader asks of the shown thread: on its way to the server, lost, refused. */

import { ApiError, failureFrom, newKey } from "./api.js";
import { chosenModel } from "./models.js";
import { readDraft, readSettings, saveDraft } from "./preferences.js";
import { named, stillThere } from "./queue.js";

/** @typedef {Pick<Page.Pending, "content"> & Partial<Pick<Page.Pending, "attachments" | "regenerate" | "goOn" | "edit" | "model" | "beside">>} Wish */

export class Sending {
  /**
   * @param {object} parts
   * @param {import("./store.js").Store} parts.store
   * @param {import("./api.js").Api} parts.api
   * @param {import("./runs.js").Runs} parts.runs
   * @param {import("./threads.js").Threads} parts.threads
   * @param {import("./attachments.js").Attachments} parts.files
   * @param {import("./following.js").Following} parts.following
   * @param {(thread: Wire.Thread) => void} parts.onThread a thread was made for the first message
   * @param {(run: Wire.Run) => void} parts.onWaits somebody else was faster
   * @param {(threadId: string) => Promise<void>} parts.onUntold what is stored must be read, because nobody told it
   */
  constructor({ store, api, runs, threads, files, following, onThread, onWaits, onUntold }) {
    this.store = store;
    this.api = api;
    this.runs = runs;
    this.threads = threads;
    this.files = files;
    this.following = following;
    this.onThread = onThread;
    this.onWaits = onWaits;
    this.onUntold = onUntold;
  }

  /** Whether a send of this page to the shown thread is on its way. */
  get underWay() {
    const { pending } = this.store.state;
    return pending !== null && pending.status !== "failed" && this.isHere(pending.threadId);
  }

  /** @param {Wish} wish */
  async send(wish) {
    const { threadId, plan } = this.store.state;
    const keys = { key: newKey(), threadKey: newKey() };
    const nothing = { attachments: [], regenerate: null, goOn: null, edit: null, beside: [] };
    const model = chosenModel(this.store.state);
    await this.deliver({ threadId, plan, ...nothing, model, ...wish, ...keys, status: "sending", error: null });
  }

  /** The same send again, under the same key: if it had arrived after all, it does not happen twice. */
  async retry() {
    const { pending } = this.store.state;
    if (pending?.status === "failed") await this.deliver(pending);
  }

  /** Gives the refused text back to the composer, unless something else has been written there. */
  dismiss() {
    const { pending } = this.store.state;
    if (pending?.status !== "failed") return;
    if (pending.content && !readDraft(pending.threadId)) saveDraft(pending.threadId, pending.content);
    this.files.handBack(pending.threadId, stillThere(pending.attachments, pending.error));
    this.put(null);
  }

  /** @private @param {Page.Pending} first */
  async deliver(first) {
    let pending = this.put({ ...first, status: "sending", error: null });
    const onLost = () => void this.put({ ...pending, status: "lost" });
    try {
      if (!pending.threadId) {
        const thread = await this.api.postOnce("/threads", this.wanted(pending), pending.threadKey, onLost);
        pending = this.put({ ...pending, threadId: thread.id, status: "sending" });
        this.onThread(thread);
      }
      await this.startRuns(pending, String(pending.threadId), onLost);
    } catch (fault) {
      const error = failureFrom(fault);
      this.put({ ...pending, status: "failed", error });
      if (error.code === "thread_busy" && this.isHere(pending.threadId)) await this.onUntold(String(pending.threadId));
      if (error.code !== "not_authenticated") return;
      // Signing in leads away from this page: what was written waits in the composer.
      this.dismiss();
      this.store.update({ signedOut: true });
    }
  }

  /** The thread to make: sent again, it must be the same. @private @param {Page.Pending} pending */
  wanted({ model, plan }) {
    const named = Object.entries(plan ?? {}).filter(([, value]) => value && Object.keys(value).length);
    return withModel(Object.fromEntries(named), model);
  }

  /** @private @param {Page.Pending} pending @param {string} threadId @param {() => void} onLost */
  async startRuns(pending, threadId, onLost) {
    const body = asked(pending);
    if (!readSettings().streaming) return this.askWhole(pending, threadId, body, onLost);
    const frame = { ...body, thread_id: threadId, idempotency_key: pending.key };
    if (this.runs.sendsBySocket(frame)) {
      try {
        await this.runs.send(frame, (/** @type {string} */ runId) => this.following.watcher(threadId, runId));
        return this.arrived(pending);
      } catch (fault) {
        if (fault instanceof ApiError) throw fault;
      }
    }
    await this.post(pending, threadId, body, onLost);
  }

  /** @private @param {Page.Pending} pending @param {string} threadId @param {object} body @param {() => void} onLost */
  async post(pending, threadId, body, onLost) {
    const answer = await this.api.postOnce(`/threads/${threadId}/runs`, body, pending.key, onLost);
    for (const run of answer.runs ?? [answer.run]) {
      if (run.waiting) this.onWaits(run);
      else this.following.begin(threadId, run.id);
    }
    this.arrived(pending);
  }

  /** Streaming is off: one request, whole answers. Where its way did not hold for so long, the runs are followed.
   * @private @param {Page.Pending} pending @param {string} threadId @param {object} body @param {() => void} onLost */
  async askWhole(pending, threadId, body, onLost) {
    try {
      if (!(await this.api.postLong(`/threads/${threadId}/runs?wait=true`, body, pending.key))) {
        onLost();
        return await this.post(pending, threadId, body, onLost);
      }
    } catch (fault) {
      // A run that failed answers with its error and has left its traces in the thread: those are shown instead.
      if (!(fault instanceof ApiError) || !fault.failure.details?.run_id) throw fault;
    }
    if (this.isHere(threadId)) await this.onUntold(threadId);
    this.put(null);
    this.threads.stale();
  }

  /** The server has it. Here the pending question stands until the run's own events bring it.
   * @private @param {Page.Pending} pending */
  arrived(pending) {
    if (!this.isHere(pending.threadId) && this.store.state.pending?.key === pending.key) this.put(null);
    this.threads.stale();
  }

  /** @private @template {Page.Pending | null} P @param {P} pending @returns {P} */
  put(pending) {
    this.store.update({ pending });
    return pending;
  }

  /** @private @param {string | null} threadId */
  isHere(threadId) {
    return this.store.state.threadId === threadId;
  }
}

/** @param {Page.Pending} pending */
function asked({ content, attachments, regenerate, goOn, edit, model, beside }) {
  if (goOn) return { continue: goOn };
  const who = beside.length ? { models: [model, ...beside] } : withModel({}, model);
  if (regenerate) return { regenerate, ...who };
  if (edit) return { content, edit, ...named(attachments), ...who };
  // Only a plain question to one model can wait for its turn.
  return { content, ...(beside.length ? {} : { if_busy: "enqueue" }), ...named(attachments), ...who };
}

/** @param {object} body @param {string} model */
function withModel(body, model) {
  return model ? { ...body, model } : body;
}
