/** The questions that could come next: below the last answer, until somebody asks something. Pure. */

/** @type {string[]} one for all, so that nothing is drawn again for it */
const NONE = [];

/**
 * @param {Page.State} state
 * @param {boolean} busy whether an answer is on its way
 * @returns {string[]}
 */
export function followUpsOf({ messages, suggested, pending, waiting, adding, threadId }, busy) {
  const last = messages.at(-1);
  if (busy || last?.role !== "assistant" || last.status === "in_progress") return NONE;
  if (waiting.length || [pending, ...adding].some((one) => one?.threadId === threadId)) return NONE;
  return (suggested?.messageId === last.id ? suggested.questions : last.follow_ups) ?? NONE;
}

/**
 * What the feed tells of them. Kept beside the messages: the run that brings the answer knows nothing of them, and may
 * be a little behind the feed.
 *
 * @param {Page.Suggested | null} suggested
 * @param {Wire.FeedEnvelope} envelope about the shown thread
 * @returns {Page.Suggested | null}
 */
export function suggestedBy(suggested, { event, data }) {
  if (event === "message.updated") return { messageId: data.message_id, questions: data.follow_ups };
  return event === "thread.run.created" ? null : suggested;
}
