/** What the shown branch of a thread becomes when messages, steps and runs arrive. Pure. */

/**
 * A message beside one that is shown (a regenerated answer) replaces everything after its parent: that is the branch
 * which is shown now, and nothing is lost on the server.
 *
 * @param {Wire.Message[]} messages
 * @param {Wire.Message} message
 * @returns {Wire.Message[]}
 */
export function withMessage(messages, message) {
  const at = messages.findIndex((one) => one.id === message.id);
  // A snapshot that would be too long comes without the question's text; what is known of it stays.
  if (at >= 0 && message.content === null) return messages;
  if (at >= 0) return messages[at] === message ? messages : messages.with(at, message);
  // Another first question; where nothing is said of a parent, as of one that left the queue, it follows.
  if (message.parent_id === null) return [message];
  const parent = message.parent_id ? messages.findIndex((one) => one.id === message.parent_id) : -1;
  return [...(parent >= 0 ? messages.slice(0, parent + 1) : messages), message];
}

/**
 * @template {{id: string}} Item
 * @param {Record<string, Item>} known
 * @param {Item[]} items
 * @returns {Record<string, Item>} the same object where nothing is new
 */
export function withItems(known, items) {
  const fresh = items.filter((item) => known[item.id] !== item);
  return fresh.length ? { ...known, ...Object.fromEntries(fresh.map((item) => [item.id, item])) } : known;
}

/**
 * An older page before what is shown already.
 *
 * @param {Wire.Message[]} messages
 * @param {Wire.Message[]} older
 */
export function withOlder(messages, older) {
  const known = new Set(messages.map((message) => message.id));
  return [...older.filter((message) => !known.has(message.id)), ...messages];
}

/**
 * The first page of the list, read afresh, laid over what had been paged in: newest first, nothing twice.
 *
 * @param {Wire.Thread[]} shown
 * @param {Wire.Thread[]} fresh
 * @param {boolean} complete whether there is nothing after `fresh`
 */
export function refreshed(shown, fresh, complete) {
  const known = new Set(fresh.map((thread) => thread.id));
  const oldest = fresh.at(-1)?.updated_at ?? "";
  // What is newer than the page's end, or pinned, and missing from it is gone; what is older was not asked for.
  const isBelow = (/** @type {Wire.Thread} */ thread) => !thread.pinned && thread.updated_at <= oldest;
  const rest = complete ? [] : shown.filter((thread) => !known.has(thread.id) && isBelow(thread));
  return [...fresh, ...rest];
}
