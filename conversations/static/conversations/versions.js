/**
 * What stands beside the shown branch: the versions of a message, and the answers that several models gave to one
 * question. Pure.
 *
 * @typedef {object} Shown
 * @property {Wire.Message[]} messages the branch, the newest last
 * @property {Record<string, Wire.Message>} alongside other answers that may be shown beside one of the branch
 * @property {Record<string, string[]>} versions the ids of the messages below each parent, the oldest first
 */

import { withMessage } from "./branch.js";

/** The key of those versions that have no parent: first questions. */
const FIRST = "";

/**
 * A message of a run in what is shown. The answer of another lane than the first stands beside the branch; any other
 * message that is new belongs to it.
 *
 * @param {Shown} shown
 * @param {Wire.Message} message
 * @param {number} lane
 * @returns {Shown}
 */
export function placed(shown, message, lane) {
  const { messages, alongside } = shown;
  const versions = withVersion(shown.versions, message);
  const inBranch = messages.some((one) => one.id === message.id);
  const beside = !inBranch && (message.id in alongside || (lane > 0 && message.role === "assistant"));
  if (!beside) return { messages: withMessage(messages, message), alongside, versions };
  if (alongside[message.id] === message) return { messages, alongside, versions };
  return { messages, alongside: { ...alongside, [message.id]: message }, versions };
}

/**
 * Whether a run asks somewhere above what is loaded, where nothing has a place: the thread must be read afresh.
 *
 * @param {Pick<Page.State, "messages" | "older">} shown
 * @param {Wire.Message[]} told by the run
 */
export function isAbove({ messages, older }, [first]) {
  if (!first || !messages.length || messages.some((one) => one.id === first.id)) return false;
  if (first.parent_id === null) return older !== null;
  return !messages.some((one) => one.id === first.parent_id);
}

/** @param {Record<string, string[]>} versions @param {Wire.Message} message */
function withVersion(versions, { id, parent_id }) {
  const key = parent_id ?? FIRST;
  const known = versions[key] ?? [];
  return known.includes(id) ? versions : { ...versions, [key]: [...known, id] };
}

/** As a page of messages tells them. @param {Record<string, string[]>} known @param {Wire.Message[]} messages */
export function withListed(known, messages) {
  const listed = messages.map((message) => [message.parent_id ?? FIRST, message.versions ?? [message.id]]);
  return { ...known, ...Object.fromEntries(listed) };
}

/**
 * Where a message stands among its versions.
 *
 * @param {Record<string, string[]>} versions
 * @param {Wire.Message} message
 * @returns {{at: number, of: number, before: string | null, after: string | null}} `at` counts from 1
 */
export function placeOf(versions, message) {
  const all = versions[message.parent_id ?? FIRST] ?? [message.id];
  const index = Math.max(all.indexOf(message.id), 0);
  return { at: index + 1, of: all.length, before: all[index - 1] ?? null, after: all[index + 1] ?? null };
}

/**
 * Whether another place is to be shown; it is told anew for every message whenever anything changes.
 *
 * @param {ReturnType<typeof placeOf> | null} now @param {ReturnType<typeof placeOf> | null | undefined} before
 */
export function placeChanged(now, before) {
  return now?.at !== before?.at || now?.of !== before?.of || now?.before !== before?.before || now?.after !== before?.after;
}

/**
 * The answers to show side by side at the end of the branch: those that one send asked for, by lane.
 *
 * @param {Pick<Page.State, "messages" | "alongside" | "runs">} state
 * @returns {Wire.Message[]} empty where the last answer stands alone
 */
export function columnsOf({ messages, alongside, runs }) {
  const last = messages.at(-1);
  const beside = Object.values(alongside).filter((one) => one.parent_id === last?.parent_id && one.id !== last?.id);
  if (last?.role !== "assistant" || !beside.length) return [];
  const sends = sendsOf(runs);
  const moments = new Set(sends.get(last.id)?.moments ?? []);
  const together = beside.filter((one) => sends.get(one.id)?.moments.some((moment) => moments.has(moment)));
  if (!together.length) return [];
  const lane = (/** @type {Wire.Message} */ one) => sends.get(one.id)?.lane ?? 0;
  return [last, ...together].sort((one, other) => lane(one) - lane(other));
}

/** When each answer was asked for, and in which lane; one that was gone on with has several runs, of which the first
 * tells the lane. @param {Record<string, Wire.Run>} runs */
function sendsOf(runs) {
  /** @type {Map<string, {moments: string[], lane: number}>} */
  const sends = new Map();
  for (const run of Object.values(runs)) {
    const { assistant_message_id: answer, created_at: moment, lane } = run;
    if (!answer || !moment) continue;
    const known = sends.get(answer);
    sends.set(answer, { moments: [...(known?.moments ?? []), moment], lane: Math.max(known?.lane ?? 0, lane ?? 0) });
  }
  return sends;
}

/**
 * Another answer of the columns becomes the one that is gone on with.
 *
 * @param {Pick<Page.State, "messages" | "alongside">} shown
 * @param {string} id of one of `alongside`
 */
export function exchanged({ messages, alongside }, id) {
  const last = /** @type {Wire.Message} */ (messages.at(-1));
  const { [id]: chosen, ...others } = alongside;
  return { messages: [...messages.slice(0, -1), chosen], alongside: { ...others, [last.id]: last } };
}

/**
 * Whether a run writes in a version that is not shown. Its page must be as new as the thread: else the run may be one
 * that began between the two.
 *
 * @param {Wire.Thread} thread
 * @param {Wire.MessagePage} page
 * @param {string} runId
 */
export function isElsewhere(thread, page, runId) {
  const current = thread.active_runs.includes(runId) && thread.head === page.results.at(-1)?.id;
  return current && !page.runs.some((run) => run.id === runId);
}
