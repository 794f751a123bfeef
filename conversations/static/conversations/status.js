/** What is going on, in words, at every moment of a send and its run. Pure. */

import { about, ordinal } from "./format.js";

/** @typedef {{text: string, progress: number | null, tone: "busy" | "trouble"}} Status */

/** @type {Record<string, string>} */
const PHASES = {
  loading_model: "Loading the model…",
  waiting_for_model: "Waiting for the model…",
  waiting_for_storage: "Waiting for the database…",
};

/**
 * @param {Page.Pending | null} pending
 * @param {Page.Live | null} live
 * @param {boolean} streaming
 * @returns {Status | null} null when nothing is going on
 */
export function statusOf(pending, live, streaming) {
  if (live) return ofRun(live);
  if (pending?.status === "lost") return trouble("Connection lost. Sending again…");
  if (pending?.status === "sending") return busy(streaming ? "Sending…" : "Waiting for the whole answer…");
  return null;
}

/** @param {Page.Live} live @returns {Status} */
function ofRun({ state, connected, stopping }) {
  const { run, hint } = state;
  if (!connected) return state.last > 0 ? trouble("Connection lost. Reconnecting…") : busy("Connecting…");
  if (stopping || run?.status === "cancelling") return busy("Stopping…");
  const line = lineOf(state);
  if (line) return busy(line);
  if (run?.status === "requires_action") return busy("Waiting for your approval…");
  if (hint?.kind === "status") return { ...busy(PHASES[hint.phase] ?? "Waiting…"), progress: hint.progress };
  if (!run || run.status === "queued") return busy("Queued…");
  return busy(ofAnswer(state));
}

/** @param {Page.Live["state"]} state */
function ofAnswer({ steps, messages, answerId }) {
  const open = steps.findLast((step) => step.status === "in_progress");
  if (open?.step === "reasoning") return "Thinking…";
  if (open) return `Using ${open.name ?? "a tool"}…`;
  const answer = messages.find((message) => message.id === answerId);
  const last = answer?.parts?.at(-1);
  return last && "text" in last ? "Writing…" : "Waiting for the model…";
}

/** Where a run stands that waits behind others; null for one that does not.
 * @param {Page.Live["state"]} state */
export function lineOf({ run, hint }) {
  if (hint?.kind !== "queued" || !WAITS.has(run?.status ?? "")) return null;
  const place = hint.position > 1 ? `${ordinal(hint.position)} in line` : "next in line";
  const time = hint.estimateMs === null ? "" : `, ${about(hint.estimateMs)}`;
  return `Waiting — ${place}${time}`;
}

// A run whose approvals are all given goes on when it is its turn.
const WAITS = new Set(["queued", "requires_action"]);

/** @param {string} text @returns {Status} */
function busy(text) {
  return { text, progress: null, tone: "busy" };
}

/** @param {string} text @returns {Status} */
function trouble(text) {
  return { text, progress: null, tone: "trouble" };
}

/** @type {Record<string, string>} */
const REASONS = {
  cancelled: "Stopped. What was written so far is kept.",
  expired: "The time for this answer ran out.",
  interrupted: "The answer was interrupted.",
  tools: "The answer was ended: too many tool calls, or the same one again and again.",
};

/** What model servers say of an answer that they cut off. @type {Record<string, string>} */
const CUT_OFF = {
  length: "The answer reached its length limit.",
  content_filter: "The model server's content filter ended the answer.",
};

/** Why an answer is not whole, or empty; null where there is nothing to say.
 * @param {Wire.Message} message @param {Wire.Run | undefined} run */
export function endingOf(message, run) {
  if (message.status === "in_progress" || run?.status === "failed") return null;
  if (message.status === "completed") {
    return message.content?.trim() ? null : "The model ended without writing an answer.";
  }
  if (run?.status === "cancelled") return REASONS.cancelled;
  if (run?.status === "expired") return REASONS.expired;
  if (!run?.finish_reason) return REASONS.interrupted;
  // The model was done in its own words, so it was its tool calls that could not go on.
  return CUT_OFF[run.finish_reason] ?? REASONS.tools;
}
