/** What a screen reader is told of the answers that are under way: sentences, never tokens, and not one upon another. Pure. */

import { answerOf, isTerminal } from "../streaming/snapshot.js";
import { lineOf } from "./status.js";
import { gettext, language, ngettext } from "./words.js";

/** So many milliseconds lie between what is said, or a reader would hear of nothing else. */
const PAUSE = 4000;

const MANY = "many";
const WRITING = "writing";

/**
 * @typedef {object} Sentence
 * @property {string} text
 * @property {boolean} passing whether it is not worth saying any more when the next is there
 * @property {string} [about] what it is about, where of several that wait only the last is worth saying
 */

/** Holds back what comes too soon. Times are milliseconds. */
export class Announcer {
  constructor() {
    this.saidAt = -Infinity;
    /** @type {Sentence[]} */
    this.held = [];
  }

  /** @param {Sentence[]} sentences */
  hear(sentences) {
    if (!sentences.length) return;
    const told = new Set(sentences.map((one) => one.about));
    this.held = [...this.held.filter((one) => !one.passing && !(one.about && told.has(one.about))), ...sentences];
  }

  /** What is to be said now, all at once. @param {number} now @returns {string | null} */
  take(now) {
    if (!this.held.length || now < this.saidAt + PAUSE) return null;
    const text = this.held.map((one) => one.text).join(" ");
    this.saidAt = now;
    this.held = [];
    return text;
  }

  /** In how many milliseconds there will be something to say; null where nothing is held. @param {number} now */
  wait(now) {
    return this.held.length ? Math.max(0, this.saidAt + PAUSE - now) : null;
  }
}

/** Sees what is new from one state of the page to the next. */
export class Listener {
  constructor() {
    /** @type {string | null} */
    this.threadId = null;
    /** @type {Map<string, string>} what was last said of the runs that are under way */
    this.phases = new Map();
    /** @type {Set<string>} the notices that were said, by run and code */
    this.noticed = new Set();
    /** How many messages waited. */
    this.behind = 0;
  }

  /** @param {Page.State} state @returns {Sentence[]} */
  hear(state) {
    // What goes on in the thread that was left is not told here; one that got its id is the same.
    if (this.threadId !== null && state.threadId !== this.threadId) this.forget();
    this.threadId = state.threadId;
    const lives = state.lives.filter((live) => !live.aside);
    const many = lives.length > 1;
    return [
      ...lives.flatMap((live) => this.ofLive(live, many)),
      ...this.ofEnded(state, new Set(lives.map((live) => live.runId))),
      ...this.ofQueue(state, lives.length > 0),
    ];
  }

  /** @private */
  forget() {
    this.phases.clear();
    this.noticed.clear();
  }

  /** @private @param {Page.Live} live @param {boolean} many @returns {Sentence[]} */
  ofLive({ runId, state }, many) {
    const before = this.phases.get(runId) ?? "";
    const phase = phaseOf(state, many);
    const known = !phase || phase.name === before || this.isSaidOfAll(phase.name, before);
    this.phases.set(runId, phase?.name ?? before);
    if (known) return [];
    // A place in the line is said once: it changes every few seconds.
    const sentence = { text: phase.text, passing: !state.approvals.length };
    return phase.name === "line" ? [sentence] : [sentence, ...this.news(state.run)];
  }

  /** That several write is said once for all of them, and not anew of those that are left. @private @param {string} phase
   * @param {string} before */
  isSaidOfAll(phase, before) {
    return phase === MANY ? [...this.phases.values()].includes(MANY) : before === MANY && phase.startsWith(WRITING);
  }

  /** @private @param {Page.State} state @param {Set<string>} live @returns {Sentence[]} */
  ofEnded(state, live) {
    const sentences = [];
    for (const runId of this.phases.keys()) {
      const run = state.runs[runId];
      // One whose end was not told is read afresh, and said then.
      if (live.has(runId) || !run || !isTerminal(run.status)) continue;
      const many = this.phases.size > 1;
      this.phases.delete(runId);
      const text = endOf(run, state.messages.find((message) => message.run_id === runId), many);
      sentences.push({ text, passing: false, about: many ? runId : "the end" }, ...this.news(run));
    }
    return sentences;
  }

  /** @private @param {Page.State} state @param {boolean} busy @returns {Sentence[]} */
  ofQueue({ waiting }, busy) {
    const more = busy && waiting.length > this.behind;
    this.behind = waiting.length;
    return more ? [{ text: gettext("A message waits until the answer is done."), passing: false }] : [];
  }

  /** What the model was not given, and was not said yet. @private @param {Wire.Run | null | undefined} run
   * @returns {Sentence[]} */
  news(run) {
    const fresh = (run?.notices ?? []).filter((one) => !this.noticed.has(`${run?.id} ${one.code}`));
    for (const one of fresh) this.noticed.add(`${run?.id} ${one.code}`);
    return fresh.map((one) => ({ text: one.message, passing: false }));
  }
}

/** @param {Page.Live["state"]} state @param {boolean} many @returns {{name: string, text: string} | null} */
function phaseOf(state, many) {
  const asked = state.approvals[0];
  if (asked) {
    const { approval_id, tool } = asked;
    return { name: `approval ${approval_id}`, text: gettext("The tool %(tool)s waits for your approval.", { tool }) };
  }
  const line = lineOf(state);
  if (line) return { name: "line", text: `${line}.` };
  const open = state.steps.findLast((step) => step.status === "in_progress");
  const writing = state.answerLength > 0 && answerOf(state)?.status === "in_progress";
  // Several at once would speak over each other.
  if (many) return open || writing ? { name: MANY, text: gettext("Several answers are being written.") } : null;
  if (open?.step === "reasoning") return { name: `step ${open.id}`, text: gettext("The model is thinking.") };
  if (open) return { name: `step ${open.id}`, text: gettext("The tool %(tool)s is used.", { tool: open.name ?? "" }) };
  return writing ? { name: `${WRITING} ${state.steps.length}`, text: gettext("The answer is being written.") } : null;
}

/** @param {Wire.Run} run @param {Wire.Message | undefined} message @param {boolean} many @returns {string} */
function endOf(run, message, many) {
  const words = wordsIn(message?.content ?? "");
  const length = words ? ngettext("%(count)s word.", "%(count)s words.", words) : "";
  const said = [ended(run), length].filter(Boolean).join(" ");
  return many ? gettext("%(model)s: %(said)s", { model: run.model, said }) : said;
}

/** @param {Wire.Run} run */
function ended(run) {
  switch (run.status) {
    case "completed":
      return gettext("Answer finished.");
    case "cancelled":
      return gettext("Answer stopped.");
    case "failed":
      return run.error ? gettext("The answer failed: %(why)s", { why: run.error.message }) : gettext("The answer failed.");
    default:
      return gettext("Answer ended early.");
  }
}

/** As the language counts them: not all of them put spaces between. @param {string} text */
function wordsIn(text) {
  let count = 0;
  for (const { isWordLike } of new Intl.Segmenter(language, { granularity: "word" }).segment(text)) count += isWordLike ? 1 : 0;
  return count;
}
