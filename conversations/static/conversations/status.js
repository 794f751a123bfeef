/** What is going on, in words, at every moment of a send and its run. Pure. */

import { answerOf, isTerminal } from "../streaming/snapshot.js";
import { about } from "./format.js";
import { gettext, language } from "./words.js";

/**
 * @typedef {object} Status
 * @property {string} text
 * @property {string | null} still what is said instead when it has gone on for long
 * @property {string | null | undefined} since when it began, where the server has said so
 * @property {number | null} progress 0 to 1
 * @property {"busy" | "trouble"} tone
 */

/** What takes so many milliseconds is said to take long: most first tokens are there by then. */
const LONG = 10_000;

const WAITING = {
  text: gettext("Waiting for the model…"),
  still: gettext("Still waiting for the model…"),
};

/** @type {Record<string, {text: string, still: string}>} */
const PHASES = {
  loading_model: { text: gettext("Loading the model…"), still: gettext("Still loading the model…") },
  waiting_for_model: WAITING,
  waiting_for_storage: { text: gettext("Waiting for the database…"), still: gettext("Still waiting for the database…") },
};

/**
 * @param {Page.Pending | null} pending
 * @param {Page.Live | null} live
 * @param {boolean} streaming
 * @returns {Status | null} null when nothing is going on
 */
export function statusOf(pending, live, streaming) {
  if (live) return ofRun(live);
  if (pending?.status === "lost") return trouble(gettext("Connection lost. Sending again…"));
  if (pending?.status !== "sending") return null;
  return busy(streaming ? gettext("Sending…") : gettext("Waiting for the whole answer…"));
}

/** What it says after so many milliseconds. @param {Status} status @param {number} waited */
export function saidAfter(status, waited) {
  return status.still && waited >= LONG ? status.still : status.text;
}

/** @param {Page.Live} live @returns {Status} */
function ofRun({ state, connected, stopping }) {
  const { run, hint } = state;
  if (!connected) return state.last > 0 ? trouble(gettext("Connection lost. Reconnecting…")) : busy(gettext("Connecting…"));
  if (stopping || run?.status === "cancelling") return busy(gettext("Stopping…"));
  const line = lineOf(state);
  if (line) return { ...busy(line), since: run?.created_at };
  if (run?.status === "requires_action") return busy(gettext("Waiting for your approval…"));
  if (hint?.kind === "status") return { ...ofWait(state, PHASES[hint.phase] ?? WAITING), progress: hint.progress };
  if (!run || run.status === "queued") return busy(gettext("Queued…"));
  return ofAnswer(state);
}

/** @param {Page.Live["state"]} state @returns {Status} */
function ofAnswer(state) {
  const open = state.steps.findLast((step) => step.status === "in_progress");
  if (open?.step === "reasoning") return { ...busy(gettext("Thinking…")), since: open.started_at };
  if (open) return { ...busy(usingTool(open.name)), since: open.started_at };
  const last = answerOf(state)?.parts?.at(-1);
  return last && "text" in last ? busy(gettext("Writing…")) : ofWait(state, WAITING);
}

/** Nothing comes from the model server. @param {Page.Live["state"]} state @param {{text: string, still: string}} words
 * @returns {Status} */
function ofWait({ run, steps, answerLength }, words) {
  const first = !steps.length && !answerLength;
  const text = words === WAITING && (run?.attempt ?? 1) > 1 ? gettext("Going on after an interruption…") : words.text;
  return { ...busy(text), still: words.still, since: first ? run?.started_at : null };
}

/** @param {string | null | undefined} name */
function usingTool(name) {
  return name ? gettext("Using %(tool)s…", { tool: name }) : gettext("Using a tool…");
}
/** Where a run stands that waits behind others; null for one that does not.
 * @param {Page.Live["state"]} state */
export function lineOf({ run, hint }) {
  if (hint?.kind !== "queued" || !WAITS.has(run?.status ?? "")) return null;
  const { position, estimateMs } = hint;
  const time = estimateMs === null ? "" : about(estimateMs);
  const values = { position: position.toLocaleString(language), time };
  if (position > 1) {
    return time
      ? gettext("Waiting — number %(position)s in line, %(time)s", values)
      : gettext("Waiting — number %(position)s in line", values);
  }
  return time ? gettext("Waiting — next in line, %(time)s", values) : gettext("Waiting — next in line");
}

// A run whose approvals are all given goes on when it is its turn.
const WAITS = new Set(["queued", "requires_action"]);

/** @param {string} text @returns {Status} */
function busy(text) {
  return { text, still: null, since: null, progress: null, tone: "busy" };
}

/** @param {string} text @returns {Status} */
function trouble(text) {
  return { ...busy(text), tone: "trouble" };
}

/** @type {Record<string, string>} */
const ENDINGS = {
  cancelled: gettext("Stopped. What was written so far is kept."),
  expired: gettext("The time for this answer ran out."),
};

/** Of an incomplete run, as the protocol names them. @type {Record<string, string>} */
const REASONS = {
  max_tokens: gettext("The answer reached its length limit."),
  content_filter: gettext("The model server's content filter ended the answer."),
  max_steps: gettext("The answer was ended: it may not use any more tool calls."),
  repeat_limit: gettext("The answer was ended: the model made the same tool call again and again."),
  token_budget: gettext("The answer was ended: there are no tokens left for it."),
  interrupted: gettext("The answer was interrupted."),
};

/** Why an answer is not whole, or empty; null where there is nothing to say.
 * @param {Wire.Message} message @param {Wire.Run | undefined} run */
export function endingOf(message, run) {
  // The run says how it ended a moment after its message does.
  if (message.status === "in_progress" || run?.status === "failed" || (run && !isTerminal(run.status))) return null;
  if (message.status === "completed") {
    return message.content?.trim() ? null : gettext("The model ended without writing an answer.");
  }
  // One that ended before runs said why is known to have ended early, and no more.
  return ENDINGS[run?.status ?? ""] ?? REASONS[run?.reason ?? ""] ?? gettext("The answer ended early.");
}
