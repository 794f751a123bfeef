/** The thread that is shown: open it, send, follow, stop, regenerate. Every way of changing it goes through here. */

import { ApiError, failureFrom, newKey } from "./api.js";
import { withItems, withMessage, withOlder } from "./branch.js";
import { suggestedBy } from "./follow_ups.js";
import { chosenModel } from "./models.js";
import { readDraft, readSettings, saveDraft, saveSettings } from "./preferences.js";
import { named, Queue, stillThere } from "./queue.js";

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./threads.js").Threads} Threads
 * @typedef {import("../streaming/snapshot.js").RunState} RunState
 */

export class Conversation {
  /**
   * @param {object} parts
   * @param {Store} parts.store
   * @param {import("./api.js").Api} parts.api
   * @param {import("./runs.js").Runs} parts.runs
   * @param {Threads} parts.threads
   * @param {import("./attachments.js").Attachments} parts.files
   * @param {(threadId: string) => void} parts.onThread a new thread has its address now
   */
  constructor({ store, api, runs, threads, files, onThread }) {
    this.store = store;
    this.api = api;
    this.runs = runs;
    this.threads = threads;
    this.files = files;
    this.onThread = onThread;
    this.queue = new Queue({ store, api, files, onBegun: (threadId, runId) => this.begun(threadId, runId) });
    this.pagingOlder = false;
    this.fillingIn = false;
  }

  /** Whether an answer is on its way here. */
  get busy() {
    return this.store.state.live !== null || this.sendsHere();
  }

  /** Whether what is sent now may wait on the server until the answer is done. */
  get queues() {
    const { live, pending, threadId } = this.store.state;
    // A whole answer that is waited for has no run here; its send has long arrived.
    return threadId !== null && (live !== null || (pending?.status === "sending" && !readSettings().streaming));
  }

  /** @param {string | null} threadId null for the thread that is not there yet */
  async open(threadId) {
    this.runs.stopAll();
    this.queue.forget();
    this.fillingIn = false;
    this.files.show(threadId);
    const view = threadId ? "loading" : "new";
    const known = this.store.state.threads.items.find((thread) => thread.id === threadId) ?? null;
    this.store.update({
      threadId, thread: known, view, messages: [], steps: {}, runs: {}, older: null, live: null, problem: null,
      suggested: null,
    });
    if (threadId) await this.load(threadId);
  }

  /** Reads the shown thread afresh, and goes on with whatever runs in it. @param {string} threadId */
  async load(threadId) {
    try {
      const path = `/threads/${encodeURIComponent(threadId)}`;
      const heard = this.queue.told;
      const [thread, page] = await Promise.all([this.api.get(path), this.api.get(`${path}/messages`)]);
      if (!this.isHere(threadId) || this.store.state.view === "deleted") return;
      // What changed while this was read, the feed alone has told: a name, a run that began.
      const told = this.store.state.threads.items.find((one) => one.id === threadId);
      this.showPage((this.threads.fed && told) || thread, page);
      this.queue.show(page.waiting, heard);
      for (const runId of [...thread.active_runs, ...(told?.active_runs ?? [])].slice(0, 1)) {
        this.begun(threadId, runId);
      }
    } catch (fault) {
      if (this.isHere(threadId)) this.notLoaded(fault);
    }
  }

  /** What the feed tells of the thread that is shown. @param {Wire.FeedEnvelope} envelope */
  heard(envelope) {
    const { event, data } = envelope;
    const { threadId, view, live, runs, messages } = this.store.state;
    if (!threadId || threadId !== (data.thread_id ?? data.thread?.id)) return;
    if (event === "thread.deleted") {
      this.runs.stopAll();
      this.queue.forget();
      this.store.update({ view: "deleted", live: null, messages: [], steps: {}, runs: {}, older: null, problem: null });
      return;
    }
    this.queue.heard(envelope);
    const suggested = suggestedBy(this.store.state.suggested, envelope);
    if (suggested !== this.store.state.suggested) this.store.update({ suggested });
    // A run that this page has begun is followed by whoever sent it.
    if (live || view !== "ready" || this.sendsHere()) return;
    if (event === "message.deleted" && messages.some((one) => one.id === data.message_id)) this.load(threadId);
    if (!data.run?.user_message_id) return; // one that was withdrawn has left nothing
    if (event === "thread.run.created") this.begun(threadId, data.run.id);
    else if (runs[data.run.id]?.status !== data.run.status) this.load(threadId);
  }

  /** The feed had a gap: whatever has happened to the shown thread meanwhile was not told. */
  async caughtUp() {
    const { threadId, view, live } = this.store.state;
    if (!threadId || view !== "ready") return;
    if (!live && !this.sendsHere()) return this.load(threadId);
    const { told } = this.queue;
    const page = await this.api.get(`/threads/${threadId}/messages`).catch(() => null);
    if (page && this.isHere(threadId)) this.queue.show(page.waiting, told);
  }

  /** The messages before those that are shown. */
  async loadOlder() {
    const { older, threadId } = this.store.state;
    if (!older || !threadId || this.pagingOlder) return;
    this.pagingOlder = true;
    try {
      const page = await this.api.get(`/threads/${threadId}/messages?cursor=${encodeURIComponent(older)}`);
      if (!this.isHere(threadId)) return;
      const { messages, steps, runs } = this.store.state;
      this.store.update({
        messages: withOlder(messages, page.results),
        steps: withItems(steps, page.steps),
        runs: withItems(runs, page.runs),
        older: page.next,
      });
    } catch (fault) {
      this.store.update({ problem: failureFrom(fault) });
    } finally {
      this.pagingOlder = false;
    }
  }

  /** @param {string} content */
  async send(content) {
    const { threadId } = this.store.state;
    if (!content.trim()) return;
    if (threadId && this.queues) {
      return this.queue.add(threadId, content, this.files.take(), chosenModel(this.store.state));
    }
    if (this.busy) return;
    this.dismiss();
    await this.deliver({ ...this.newPending(content), attachments: this.files.take() });
  }

  /** Another answer beside this one. @param {Wire.Message} answer */
  async regenerate(answer) {
    if (this.busy) return;
    this.dismiss();
    await this.deliver({ ...this.newPending(""), regenerate: answer.id });
  }

  /** The rest of an answer that ended early. @param {Wire.Message} answer */
  async goOn(answer) {
    if (this.busy) return;
    this.dismiss();
    await this.deliver({ ...this.newPending(""), goOn: answer.id, model: "" });
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
    this.store.update({ pending: null });
  }

  async stop() {
    const { live, threadId } = this.store.state;
    if (live) this.store.update({ live: { ...live, stopping: true } });
    try {
      const runIds = live ? [live.runId] : await this.activeRuns(threadId);
      await Promise.all(runIds.map((runId) => this.api.post(`/runs/${runId}/cancel`, {})));
    } catch (fault) {
      const now = this.store.state.live;
      this.store.update({ problem: failureFrom(fault), live: now && { ...now, stopping: false } });
    }
  }

  /**
   * @param {string} runId
   * @param {Wire.Approval} approval
   * @param {Wire.Decision} decision
   * @returns {Promise<boolean>} whether the server has it; if not, the page says why
   */
  async decide(runId, approval, decision) {
    try {
      await this.api.post(`/runs/${runId}/approvals/${approval.approval_id}`, { decision });
      return true;
    } catch (fault) {
      this.store.update({ problem: failureFrom(fault) });
      return false;
    }
  }

  /** Remembered for this thread, and for the next new one. @param {string} model */
  async chooseModel(model) {
    saveSettings({ model });
    this.store.update({ model });
    const { thread } = this.store.state;
    if (thread) await this.threads.change(thread, { model });
  }

  /** The next message is answered by these, too. @param {string[]} models at most three besides the chosen one */
  chooseBeside(models) {
    this.store.update({ beside: models });
  }

  /** @private @param {string} content @returns {Page.Pending} */
  newPending(content) {
    const { threadId } = this.store.state;
    const model = chosenModel(this.store.state);
    const keys = { key: newKey(), threadKey: newKey() };
    return { threadId, content, attachments: [], regenerate: null, goOn: null, model, ...keys, status: "sending", error: null };
  }

  /** @private @param {Page.Pending} first */
  async deliver(first) {
    let pending = this.setPending({ ...first, status: "sending", error: null });
    const onLost = () => void this.setPending({ ...pending, status: "lost" });
    try {
      if (!pending.threadId) {
        const thread = await this.api.postOnce("/threads", withModel({}, pending.model), pending.threadKey, onLost);
        pending = this.setPending({ ...pending, threadId: thread.id, status: "sending" });
        this.begin(thread);
      }
      await this.startRun(pending, String(pending.threadId), onLost);
    } catch (fault) {
      const error = failureFrom(fault);
      this.setPending({ ...pending, status: "failed", error });
      if (error.code === "thread_busy" && this.isHere(pending.threadId)) await this.load(String(pending.threadId));
      if (error.code !== "not_authenticated") return;
      // Signing in leads away from this page: what was written waits in the composer.
      this.dismiss();
      this.store.update({ signedOut: true });
    }
  }

  /** @private @param {Page.Pending} pending @param {string} threadId @param {() => void} onLost */
  async startRun(pending, threadId, onLost) {
    const body = withModel(asked(pending), pending.model);
    if (!readSettings().streaming) return this.askWhole(pending, threadId, body, onLost);
    const frame = { ...body, thread_id: threadId, idempotency_key: pending.key };
    if (this.runs.sendsBySocket(frame)) {
      try {
        await this.runs.send(frame, (/** @type {string} */ runId) => this.watcher(threadId, runId));
        return this.sent(pending);
      } catch (fault) {
        if (fault instanceof ApiError) throw fault;
      }
    }
    const { run } = await this.api.postOnce(`/threads/${threadId}/runs`, body, pending.key, onLost);
    if (run.waiting) this.waits(run);
    else this.begun(threadId, run.id);
    this.sent(pending);
  }

  /** Streaming is off: one request, one whole answer.
   * @private @param {Page.Pending} pending @param {string} threadId @param {object} body @param {() => void} onLost */
  async askWhole(pending, threadId, body, onLost) {
    try {
      await this.api.postOnce(`/threads/${threadId}/runs?wait=true`, body, pending.key, onLost);
    } catch (fault) {
      // A run that failed answers with its error and has left its traces in the thread: those are shown instead.
      if (!(fault instanceof ApiError) || !fault.failure.details?.run_id) throw fault;
    }
    if (this.isHere(threadId)) await this.load(threadId);
    this.clearPending();
    this.threads.stale();
  }

  /** @private @param {string} threadId @param {string} runId @returns {import("./runs.js").Watcher} */
  watcher(threadId, runId) {
    return {
      onChange: (state, connected) => {
        if (this.isHere(threadId)) this.follow(threadId, runId, state, connected);
      },
      onEnd: (reason, state) => {
        if (this.isHere(threadId)) this.ended(threadId, reason, state);
      },
    };
  }

  /** Follows a run of the thread, if that is still shown. @private @param {string} threadId @param {string} runId */
  begun(threadId, runId) {
    if (this.isHere(threadId)) this.runs.follow(runId, this.watcher(threadId, runId));
  }

  /** Somebody else was faster: what was sent here waits, and is followed when its turn comes.
   * @private @param {Wire.Run} run */
  waits(run) {
    const { live, pending } = this.store.state;
    if (live?.runId === run.id) this.store.update({ live: null });
    if (pending?.threadId !== run.thread_id || pending.status === "failed") return;
    this.clearPending();
    this.queue.added(run);
    if (!this.threads.fed) this.load(run.thread_id);
  }

  /** @private @param {string} threadId @param {string} runId @param {RunState} state @param {boolean} connected */
  follow(threadId, runId, state, connected) {
    if (state.run?.waiting) return this.waits(state.run);
    const { live, pending } = this.store.state;
    const stopping = live?.runId === runId && live.stopping;
    const arrived = state.messages.some((message) => message.role === "user") || pending?.regenerate || pending?.goOn;
    this.store.update({
      live: { runId, state, connected, stopping },
      ...this.merged(state, readSettings().streaming || state.terminal || state.approvals.length > 0),
      ...(arrived && pending && this.isHere(pending.threadId) ? { pending: null } : {}),
    });
    if (this.store.state.messages.some((message) => message.content === null)) void this.fillIn(threadId);
  }

  /** The text of a question that a snapshot had no room for. @private @param {string} threadId */
  async fillIn(threadId) {
    if (this.fillingIn) return;
    this.fillingIn = true;
    try {
      const page = await this.api.get(`/threads/${threadId}/messages`);
      if (!this.isHere(threadId)) return;
      const questions = page.results.filter((/** @type {Wire.Message} */ message) => message.role === "user");
      this.store.update({ messages: questions.reduce(withMessage, this.store.state.messages) });
      this.fillingIn = false;
    } catch (fault) {
      // Not tried again with every event: opening the thread does.
      this.store.update({ problem: failureFrom(fault) });
    }
  }

  /** @private @param {string} threadId @param {string} reason @param {RunState} state */
  ended(threadId, reason, state) {
    if (reason === "signed_out") return this.store.update({ signedOut: true, live: null });
    if (state.terminal && !state.messages.length) return; // withdrawn before its turn came
    const { pending } = this.store.state;
    const left = pending?.threadId === threadId && pending.status !== "failed" ? null : pending;
    this.store.update({ ...this.merged(state, true), live: null, pending: left });
    // The run has ended, but this page was not told how: what is stored says it.
    if (!state.terminal) this.load(threadId);
    else this.goOnWithQueue(threadId, state.run?.id);
    this.threads.stale();
  }

  /** The end of a run is the beginning of the next, which the feed may have told before it was over here.
   * @private @param {string} threadId @param {string} [ended] */
  goOnWithQueue(threadId, ended) {
    const { thread, waiting } = this.store.state;
    const next = thread?.active_runs.find((runId) => runId !== ended);
    if (next) this.begun(threadId, next);
    else if (waiting.length && !this.threads.fed) this.load(threadId);
  }

  /** What a run has to show, in the thread. @private @param {RunState} state @param {boolean} answerToo */
  merged(state, answerToo) {
    const shown = answerToo ? state.messages : state.messages.filter((message) => message.role === "user");
    const { messages, steps, runs } = this.store.state;
    return {
      messages: shown.reduce(withMessage, messages),
      steps: answerToo ? withItems(steps, state.steps) : steps,
      runs: state.run ? withItems(runs, [state.run]) : runs,
    };
  }

  /** @private @param {Wire.Thread} thread @param {Wire.MessagePage} page */
  showPage(thread, page) {
    // An answer on its way is told by its run from the beginning; its row lags behind.
    const whole = readSettings().streaming ? page.results : page.results.filter((one) => one.status !== "in_progress");
    this.store.update({
      thread,
      view: "ready",
      messages: whole,
      steps: withItems({}, page.steps),
      runs: withItems({}, page.runs),
      older: page.next,
    });
  }

  /** @private @param {unknown} fault */
  notLoaded(fault) {
    const failure = failureFrom(fault);
    if (failure.code === "not_authenticated") return this.store.update({ signedOut: true });
    if (this.store.state.view === "deleted") return;
    this.store.update({ view: failure.code === "not_found" ? "missing" : "failed", problem: failure });
  }

  /** @private @param {string | null} threadId @returns {Promise<string[]>} */
  async activeRuns(threadId) {
    if (!threadId) return [];
    const thread = await this.api.get(`/threads/${threadId}`);
    return thread.active_runs;
  }

  /** A new thread has been made for the first message. @private @param {Wire.Thread} thread */
  begin(thread) {
    this.threads.put(thread);
    if (this.store.state.threadId !== null) return;
    this.store.update({ threadId: thread.id, thread, view: "ready" });
    this.files.moved(thread.id);
    this.onThread(thread.id);
  }

  /** @private @param {Page.Pending} pending */
  setPending(pending) {
    this.store.update({ pending });
    return pending;
  }

  /** The server has it. Here the pending question stands until the run's own events bring it.
   * @private @param {Page.Pending} pending */
  sent(pending) {
    if (!this.isHere(pending.threadId) && this.store.state.pending?.key === pending.key) this.clearPending();
    this.threads.stale();
  }

  /** @private */
  clearPending() {
    this.store.update({ pending: null });
  }

  /** Whether a send of this page to the shown thread is on its way. @private */
  sendsHere() {
    const { pending } = this.store.state;
    return pending !== null && pending.status !== "failed" && this.isHere(pending.threadId);
  }

  /** @private @param {string | null} threadId */
  isHere(threadId) {
    return this.store.state.threadId === threadId;
  }
}

/** @param {Page.Pending} pending */
function asked({ content, attachments, regenerate, goOn }) {
  if (regenerate) return { regenerate };
  return goOn ? { continue: goOn } : { content, if_busy: "enqueue", ...named(attachments) };
}

/** @param {object} body @param {string} model */
function withModel(body, model) {
  return model ? { ...body, model } : body;
}

