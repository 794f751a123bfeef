/**
 * The list of threads as the feed keeps it up: what was read before, and the events, make the list as it would be read
 * afresh. Pure; held to the transcript that the server's own tests record.
 *
 * @typedef {{updated_at: string, id: string, pinned?: boolean}} Place
 *
 * `floor` is the place of the last thread that was read; null where all were. `last` is the feed's last number that was
 * applied. `archived`: it is the archive.
 * @typedef {{items: Wire.Thread[], floor: Place | null, last: number, archived: boolean}} ThreadList
 *
 * `gap`: events are missing, `reset`: the server cannot go on, `lacking`: a thread has come up of which nothing is known
 * here. After each of them the list must be read afresh.
 * @typedef {"applied" | "repeat" | "gap" | "reset" | "lacking"} Outcome
 */

const ENDS = new Set(["completed", "incomplete", "failed", "cancelled", "expired"].map((end) => `thread.run.${end}`));

/** @param {Wire.ThreadPage} page @param {boolean} [archived] @returns {ThreadList} */
export function listOf(page, archived = false) {
  return { items: page.results, floor: floorOf(page), last: page.feed_cursor, archived };
}

/** The next page below. @param {ThreadList} list @param {Wire.ThreadPage} page @returns {ThreadList} */
export function withPage(list, page) {
  const known = new Set(list.items.map((thread) => thread.id));
  const fresh = page.results.filter((thread) => !known.has(thread.id));
  return { ...list, items: sorted([...list.items, ...fresh]), floor: floorOf(page) };
}

/**
 * One event by its number: one that was applied before is dropped, the next is applied, anything else changes nothing.
 *
 * @param {ThreadList} list @param {Wire.FeedEnvelope} envelope @returns {{list: ThreadList, outcome: Outcome}}
 */
export function apply(list, envelope) {
  if (envelope.event === "feed.reset") return { list, outcome: "reset" };
  if (envelope.feed <= list.last) return { list, outcome: "repeat" };
  if (envelope.feed !== list.last + 1) return { list, outcome: "gap" };
  const outcome = lacks(list, envelope) ? "lacking" : "applied";
  return { list: { ...changed(list, envelope), last: envelope.feed }, outcome };
}

/**
 * What an event changes, whatever its number: events carry whole objects, so that one which the list has already does
 * no harm where all that came after it follow.
 *
 * @param {ThreadList} list @param {Wire.FeedEnvelope} envelope @returns {ThreadList}
 */
export function changed(list, { event, data }) {
  if (event === "thread.created" || event === "thread.updated") return put(list, data.thread);
  if (event === "thread.deleted") return without(list, data.thread_id);
  const thread = list.items.find((one) => one.id === data.thread_id);
  if (thread && event === "thread.queue.updated") {
    return put(list, { ...thread, waiting_runs: data.waiting.map((/** @type {Wire.Run} */ run) => run.id) });
  }
  if (!thread || !data.run) return list;
  const others = thread.active_runs.filter((id) => id !== data.run.id);
  if (event === "thread.run.created") return put(list, { ...thread, active_runs: [...others, data.run.id] });
  if (!ENDS.has(event)) return list;
  return put(list, { ...thread, active_runs: others, updated_at: data.run.finished_at });
}

/** @param {ThreadList} list @param {Wire.Thread} thread */
function put(list, thread) {
  const rest = without(list, thread.id);
  if (Boolean(thread.archived) !== list.archived || (list.floor && before(list.floor, thread))) return rest;
  return { ...rest, items: sorted([thread, ...rest.items]) };
}

/** @param {ThreadList} list @param {string} threadId */
function without(list, threadId) {
  return { ...list, items: list.items.filter((thread) => thread.id !== threadId) };
}

/** The end of a run moves its thread up, and tells of the thread nothing else.
 * @param {ThreadList} list @param {Wire.FeedEnvelope} envelope */
function lacks({ items, floor }, { event, data }) {
  if (!ENDS.has(event) || !floor || items.some((thread) => thread.id === data.thread_id)) return false;
  return !before(floor, { updated_at: data.run.finished_at, id: data.thread_id });
}

/** @param {Wire.ThreadPage} page @returns {Place | null} */
function floorOf({ results, next }) {
  const last = next ? results.at(-1) : null;
  return last ? { updated_at: last.updated_at, id: last.id } : null;
}

/** @param {Wire.Thread[]} threads */
function sorted(threads) {
  return threads.sort((one, other) => (before(one, other) ? -1 : 1));
}

/** Whether `one` stands above `other`: what is pinned, and the latest, first. @param {Place} one @param {Place} other */
function before(one, other) {
  if (Boolean(one.pinned) !== Boolean(other.pinned)) return Boolean(one.pinned);
  return one.updated_at === other.updated_at ? one.id > other.id : one.updated_at > other.updated_at;
}
