/** The thread that is shown: open it, ask, stop, look at other versions. Every way of changing it goes through here. */

import { failureFrom } from "./api.js";
import { withItems, withOlder } from "./branch.js";
import { suggestedBy } from "./follow_ups.js";
import { Following } from "./following.js";
import { chosenModel } from "./models.js";
import { readPlan, readSettings, savePlan, saveSettings } from "./preferences.js";
import { Queue } from "./queue.js";
import { Sending } from "./sending.js";
import { exchanged, isElsewhere, withListed } from "./versions.js";

/** The feed tells of a new head before the run that moved it: so long it may take until that is known here. */
const HEAD_SETTLES = 300;

/** What is known of a thread that is not shown any more. */
const NOTHING = { messages: [], alongside: {}, versions: {}, steps: {}, runs: {}, older: null, problem: null };

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./threads.js").Threads} Threads
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
    this.threads = threads;
    this.files = files;
    this.onThread = onThread;
    const onWaits = (/** @type {Wire.Run} */ run) => this.waits(run);
    const onUntold = (/** @type {string} */ threadId) => this.load(threadId);
    this.following = new Following({ store, api, runs, threads, onWaits, onUntold });
    const { following } = this;
    this.sending = new Sending({
      store, api, runs, threads, files, following, onWaits, onUntold, onThread: (thread) => this.begin(thread),
    });
    this.queue = new Queue({ store, api, files, onBegun: (threadId, runId) => following.begin(threadId, runId) });
    this.pagingOlder = false;
    /** How many wishes to show another version are on their way: until then the head is the reader's, not the feed's. */
    this.showing = 0;
  }

  /** Whether an answer is on its way here. */
  get busy() {
    return this.store.state.lives.length > 0 || this.sending.underWay;
  }

  /** Whether what is sent now may wait on the server until the answer is done. Only one model can be asked so. */
  get queues() {
    const { lives, pending, threadId, beside } = this.store.state;
    // A whole answer that is waited for has no run here; its send has long arrived.
    const whole = pending?.status === "sending" && !readSettings().streaming;
    return threadId !== null && !beside.length && (lives.length > 0 || whole);
  }

  /** @param {string | null} threadId null for the thread that is not there yet */
  async open(threadId) {
    this.following.leave();
    this.queue.forget();
    this.files.show(threadId);
    const view = threadId ? "loading" : "new";
    const known = this.store.state.threads.items.find((thread) => thread.id === threadId) ?? null;
    this.store.update({ threadId, thread: known, view, ...NOTHING, suggested: null, beside: [], plan: readPlan() });
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
      const active = [...new Set([...thread.active_runs, ...(told?.active_runs ?? [])])];
      this.following.readAfresh(new Set(active.filter((runId) => isElsewhere(thread, page, runId))));
      for (const runId of active) this.following.begin(threadId, runId);
    } catch (fault) {
      if (this.isHere(threadId)) this.notLoaded(fault);
    }
  }

  /** What the feed tells of the thread that is shown. @param {Wire.FeedEnvelope} envelope */
  heard(envelope) {
    const { event, data } = envelope;
    const { threadId, view, lives, runs, messages } = this.store.state;
    if (!threadId || threadId !== (data.thread_id ?? data.thread?.id)) return;
    if (event === "thread.deleted") {
      this.following.leave();
      this.queue.forget();
      this.store.update({ view: "deleted", ...NOTHING });
      return;
    }
    if (event === "thread.created" && (view === "deleted" || view === "missing")) this.open(threadId); // its deletion was undone
    this.queue.heard(envelope);
    const suggested = suggestedBy(this.store.state.suggested, envelope);
    if (suggested !== this.store.state.suggested) this.store.update({ suggested });
    if (event === "thread.updated") setTimeout(() => this.headMoved(threadId), HEAD_SETTLES);
    // A run that this page has begun is followed by whoever sent it.
    if (view !== "ready" || this.sending.underWay) return;
    // Of several models that answer at once each is told by itself.
    if (event === "thread.run.created" && data.run.lane > 0) this.following.begin(threadId, data.run.id);
    if (lives.length) return;
    if (event === "message.deleted" && messages.some((one) => one.id === data.message_id)) this.load(threadId);
    if (!data.run?.user_message_id) return; // one that was withdrawn has left nothing
    if (event === "thread.run.created") this.following.begin(threadId, data.run.id);
    else if (runs[data.run.id]?.status !== data.run.status) this.load(threadId);
  }

  /** The feed had a gap: whatever has happened to the shown thread meanwhile was not told. */
  async caughtUp() {
    const { threadId, view } = this.store.state;
    if (!threadId || view !== "ready") return;
    if (!this.busy) return this.load(threadId);
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
      const { messages, versions, steps, runs } = this.store.state;
      this.store.update({
        messages: withOlder(messages, page.results),
        versions: withListed(versions, page.results),
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
    await this.ask({ content, attachments: this.files.take(), beside: this.others() });
  }

  /** Another answer beside this one, by the chosen model or by another. @param {Wire.Message} answer
   * @param {string} [model] */
  async regenerate(answer, model) {
    await this.ask({ content: "", regenerate: answer.id, ...(model ? { model } : {}) });
  }

  /** Another version of a question, with the same files. @param {Wire.Message} question @param {string} content */
  async edit(question, content) {
    const { attachments = [], id } = question;
    await this.ask({ content, edit: id, attachments, beside: this.others() });
  }

  /** The rest of an answer that ended early. @param {Wire.Message} answer */
  async goOn(answer) {
    await this.ask({ content: "", goOn: answer.id, model: "" });
  }

  /** The same send again. */
  async retry() {
    await this.sending.retry();
  }

  /** Leaves a send that was refused. */
  dismiss() {
    this.sending.dismiss();
  }

  /** Shows another version of a message, with what was said last below it. On all devices: the thread goes on there.
   * @param {string} messageId */
  async show(messageId) {
    const { threadId, alongside } = this.store.state;
    if (!threadId) return;
    const atHand = messageId in alongside && !this.busy;
    if (atHand) this.store.update(exchanged(this.store.state, messageId));
    this.showing += 1;
    try {
      await this.api.patch(`/threads/${threadId}`, { head: messageId });
      if (!atHand && this.isHere(threadId)) await this.load(threadId);
    } catch (fault) {
      this.store.update({ problem: failureFrom(fault) });
      if (atHand && this.isHere(threadId)) await this.load(threadId);
    } finally {
      this.showing -= 1;
    }
  }

  /** Deletes a message and what was said below it, for good. @param {Wire.Message} message */
  async remove(message) {
    const { threadId } = this.store.state;
    try {
      await this.api.delete(`/threads/${threadId}/messages/${message.id}`);
      if (threadId && this.isHere(threadId)) await this.load(threadId);
    } catch (fault) {
      this.store.update({ problem: failureFrom(fault) });
    }
  }

  /** Stops what is being written here, all of it or one answer of several; what was shown stays. @param {string} [runId] */
  async stop(runId) {
    const { lives, threadId } = this.store.state;
    if (runId) return this.following.stop([runId]);
    const here = lives.some((live) => !live.aside) ? lives.filter((live) => !live.aside) : lives;
    try {
      await this.following.stop(here.length ? here.map((live) => live.runId) : await this.activeRuns(threadId));
    } catch (fault) {
      this.store.update({ problem: failureFrom(fault) });
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

  /** Who answers what is asked next, the first of them in the branch, the others beside it. The first is remembered for
   * this thread, and for the next new one. @param {string[]} models */
  async chooseModels([model, ...beside]) {
    this.store.update({ beside });
    if (model === chosenModel(this.store.state)) return;
    saveSettings({ model });
    this.store.update({ model });
    const { thread } = this.store.state;
    if (thread) await this.threads.change(thread, { model });
  }

  /** What the thread tells every model, and how it is to answer; of one that is not there yet, when it is made.
   * @param {Page.Plan} plan @returns {Promise<Wire.Failure | null>} why it was refused */
  async configure(plan) {
    const { thread } = this.store.state;
    if (!thread) {
      savePlan(plan);
      this.store.update({ plan });
      return null;
    }
    try {
      this.threads.put(await this.api.patch(`/threads/${thread.id}`, plan));
      return null;
    } catch (fault) {
      return failureFrom(fault);
    }
  }

  /** @private @param {import("./sending.js").Wish} wish */
  async ask(wish) {
    if (this.busy) return;
    this.dismiss();
    await this.sending.send(wish);
  }

  /** Another tab, or an answer by another model, may have made one of them the thread's. @private */
  others() {
    const { beside } = this.store.state;
    return beside.filter((model) => model !== chosenModel(this.store.state));
  }

  /** The feed has told another head than the one that is shown, and no answer explains it: another version was chosen
   * elsewhere. @private @param {string} threadId */
  headMoved(threadId) {
    const { thread, view, messages } = this.store.state;
    if (!this.isHere(threadId) || view !== "ready" || this.busy || this.showing || !thread?.head) return;
    if (!messages.some((message) => message.id === thread.head)) this.load(threadId);
  }

  /** Somebody else was faster: what was sent here waits, and is followed when its turn comes.
   * @private @param {Wire.Run} run */
  waits(run) {
    const { pending } = this.store.state;
    this.following.forget(run.id);
    if (pending?.threadId !== run.thread_id || pending.status === "failed") return;
    this.store.update({ pending: null });
    this.queue.added(run);
    if (!this.threads.fed) this.load(run.thread_id);
  }

  /** @private @param {Wire.Thread} thread @param {Wire.MessagePage} page */
  showPage(thread, page) {
    // An answer on its way is told by its run from the beginning; its row lags behind.
    const whole = readSettings().streaming ? page.results : page.results.filter((one) => one.status !== "in_progress");
    this.store.update({
      thread,
      view: "ready",
      messages: whole,
      alongside: withItems({}, page.beside),
      versions: withListed({}, page.results),
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
    savePlan(null);
    if (this.store.state.threadId !== null) return;
    this.store.update({ threadId: thread.id, thread, view: "ready" });
    this.files.moved(thread.id);
    this.onThread(thread.id);
  }

  /** @private @param {string | null} threadId */
  isHere(threadId) {
    return this.store.state.threadId === threadId;
  }
}
