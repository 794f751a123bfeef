/** The runs of the thread that is shown, each followed to its end: one, or where several models answer, some at once. */

import { isTerminal } from "../streaming/snapshot.js";
import { failureFrom } from "./api.js";
import { withItems } from "./branch.js";
import { readSettings } from "./preferences.js";
import { isAbove, placed } from "./versions.js";

/**
 * @typedef {import("../streaming/snapshot.js").RunState} RunState
 * @typedef {import("./store.js").Store} Store
 */

export class Following {
  /**
   * @param {object} parts
   * @param {Store} parts.store
   * @param {import("./api.js").Api} parts.api
   * @param {import("./runs.js").Runs} parts.runs
   * @param {import("./threads.js").Threads} parts.threads
   * @param {(run: Wire.Run) => void} parts.onWaits the run was not begun after all, but waits for its turn
   * @param {(threadId: string) => void} parts.onUntold what is stored must be read, because nobody told it
   */
  constructor({ store, api, runs, threads, onWaits, onUntold }) {
    this.store = store;
    this.api = api;
    this.runs = runs;
    this.threads = threads;
    this.onWaits = onWaits;
    this.onUntold = onUntold;
    /** Runs that write in a version which is not shown. @type {Set<string>} */
    this.elsewhere = new Set();
    this.fillingIn = false;
    /** The run for which the thread was read afresh. */
    this.readFor = "";
  }

  /** Follows nothing any more. */
  leave() {
    this.runs.stopAll();
    this.elsewhere.clear();
    this.fillingIn = false;
    this.setLives([]);
  }

  /** Follows a run of the thread, if that is still shown. @param {string} threadId @param {string} runId */
  begin(threadId, runId) {
    if (this.isHere(threadId)) this.runs.follow(runId, this.watcher(threadId, runId));
  }

  /** @param {string} threadId @param {string} runId @returns {import("./runs.js").Watcher} */
  watcher(threadId, runId) {
    return {
      onChange: (state, connected) => {
        if (this.isHere(threadId)) this.changed(threadId, runId, state, connected);
      },
      onEnd: (reason, state) => {
        if (this.isHere(threadId)) this.ended(threadId, runId, reason, state);
      },
    };
  }

  /** The thread was read afresh: these of its runs write elsewhere, and what the others have told lies over it, because
   * their rows lag behind. @param {Set<string>} elsewhere */
  readAfresh(elsewhere) {
    this.elsewhere = elsewhere;
    const lives = this.store.state.lives.map((live) => ({ ...live, aside: elsewhere.has(live.runId) }));
    this.setLives(lives);
    for (const { state, aside } of lives) if (!aside) this.store.update(this.merged(state, this.answersToo(state)));
  }

  /** Stops these runs, and keeps what was written. @param {string[]} runIds */
  async stop(runIds) {
    this.mark(runIds, true);
    try {
      await Promise.all(runIds.map((runId) => this.api.post(`/runs/${runId}/cancel`, {})));
    } catch (fault) {
      this.mark(runIds, false);
      this.store.update({ problem: failureFrom(fault) });
    }
  }

  /** It waits for its turn instead. @param {string} runId */
  forget(runId) {
    this.setLives(this.store.state.lives.filter((live) => live.runId !== runId));
  }

  /** @private @param {string} threadId @param {string} runId @param {RunState} state @param {boolean} connected */
  changed(threadId, runId, state, connected) {
    if (state.run?.waiting) return this.onWaits(state.run);
    const { lives, pending } = this.store.state;
    const at = lives.findIndex((live) => live.runId === runId);
    const aside = this.elsewhere.has(runId);
    const live = { runId, state, connected, aside, stopping: lives[at]?.stopping ?? false };
    const arrived = state.messages.some((message) => message.role === "user") || pending?.regenerate || pending?.goOn;
    this.setLives(at < 0 ? [...lives, live] : lives.with(at, live));
    if (arrived && pending && this.isHere(pending.threadId)) this.store.update({ pending: null });
    if (aside) return;
    if (isAbove(this.store.state, state.messages)) return this.readOnce(threadId, runId);
    this.store.update(this.merged(state, this.answersToo(state)));
    if (this.store.state.messages.some((message) => message.content === null)) void this.fillIn(threadId);
  }

  /** @private @param {string} threadId @param {string} runId */
  readOnce(threadId, runId) {
    if (this.readFor === runId) return;
    this.readFor = runId;
    this.onUntold(threadId);
  }

  /** The text of a question that a snapshot had no room for. @private @param {string} threadId */
  async fillIn(threadId) {
    if (this.fillingIn) return;
    this.fillingIn = true;
    try {
      const page = await this.api.get(`/threads/${threadId}/messages`);
      if (!this.isHere(threadId)) return;
      const questions = page.results.filter((/** @type {Wire.Message} */ message) => message.role === "user");
      for (const question of questions) this.store.update(placed(this.store.state, question, 0));
      this.fillingIn = false;
    } catch (fault) {
      // Not tried again with every event: opening the thread does.
      this.store.update({ problem: failureFrom(fault) });
    }
  }

  /** @private @param {string} threadId @param {string} runId @param {string} reason @param {RunState} state */
  ended(threadId, runId, reason, state) {
    this.setLives(reason === "signed_out" ? [] : this.store.state.lives.filter((live) => live.runId !== runId));
    if (reason === "signed_out") return this.store.update({ signedOut: true });
    if (state.terminal && !state.messages.length) return; // withdrawn before its turn came
    const { pending } = this.store.state;
    const left = pending?.threadId === threadId && pending.status !== "failed" ? null : pending;
    const hidden = this.elsewhere.delete(runId) || isAbove(this.store.state, state.messages);
    this.store.update({ pending: left, ...(hidden ? {} : this.merged(state, true)) });
    // The run has ended, but this page was not told how: what is stored says it.
    if (!state.terminal) this.onUntold(threadId);
    else this.goOnWithQueue(threadId, runId);
    this.threads.stale();
  }

  /** The end of a run is the beginning of the next, which the feed may have told before it was over here.
   * @private @param {string} threadId @param {string} ended */
  goOnWithQueue(threadId, ended) {
    const { thread, waiting, lives, runs } = this.store.state;
    if (lives.length) return;
    const over = (/** @type {string} */ runId) => runId === ended || isTerminal(runs[runId]?.status ?? "");
    const next = thread?.active_runs.find((runId) => !over(runId));
    if (next) this.begin(threadId, next);
    else if (waiting.length && !this.threads.fed) this.onUntold(threadId);
  }

  /** Where streaming is off, an answer is shown when it is whole, or asks something. @private @param {RunState} state */
  answersToo(state) {
    return readSettings().streaming || state.terminal || state.approvals.length > 0;
  }

  /** What a run has to show, in the thread. @private @param {RunState} state @param {boolean} answerToo */
  merged(state, answerToo) {
    const told = answerToo ? state.messages : state.messages.filter((message) => message.role === "user");
    const { steps, runs } = this.store.state;
    const lane = state.run?.lane ?? 0;
    return {
      ...told.reduce((shown, message) => placed(shown, message, lane), shownIn(this.store.state)),
      steps: answerToo ? withItems(steps, state.steps) : steps,
      runs: state.run ? withItems(runs, [state.run]) : runs,
    };
  }

  /** @private @param {string[]} runIds @param {boolean} stopping */
  mark(runIds, stopping) {
    const { lives } = this.store.state;
    this.setLives(lives.map((live) => (runIds.includes(live.runId) ? { ...live, stopping } : live)));
  }

  /** @private @param {Page.Live[]} lives */
  setLives(lives) {
    this.store.update({ lives, live: lives.find((live) => !live.aside) ?? null });
  }

  /** @private @param {string | null} threadId */
  isHere(threadId) {
    return this.store.state.threadId === threadId;
  }
}

/** @param {Page.State} state @returns {import("./versions.js").Shown} */
function shownIn({ messages, alongside, versions }) {
  return { messages, alongside, versions };
}
