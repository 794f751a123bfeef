/**
 * The one fold, as the page has it: events in, what a reader sees out. Twin of streaming/protocol/snapshot.py; both
 * are held to the same recorded transcripts.
 *
 * Everything here is pure: `apply` returns a new state and leaves the old one as it was.
 */

const TERMINAL_EVENTS = new Set([
  "thread.run.completed",
  "thread.run.incomplete",
  "thread.run.failed",
  "thread.run.cancelled",
  "thread.run.expired",
]);
const TERMINAL_STATUSES = new Set(["completed", "incomplete", "failed", "cancelled", "expired"]);
const BETWEEN_THOUGHTS = "\n\n";

/**
 * A run as a reader sees it who has applied the events up to `last`.
 *
 * @typedef {object} RunState
 * @property {number} last
 * @property {boolean} terminal
 * @property {Wire.Run | null} run
 * @property {Wire.Message[]} messages in the order of their creation
 * @property {Wire.Step[]} steps in the order of their creation
 * @property {Wire.Approval[]} approvals those that the run is parked for
 * @property {Record<string, number>} progress how far tools that are at work say that they are, 0 to 1, by their steps
 * @property {string | null} answerId the run's one assistant message
 * @property {number} answerLength of the answer's content, in code points
 * @property {string} thinkingBefore what the answer's thinking was before this run's own steps
 * @property {Wire.Failure | null} error
 * @property {Hint | null} hint the newest hint; the next numbered event ends it
 * @property {number} unknown how many numbered events had a name that is not known here
 */
/** @typedef {{kind: "queued", position: number, estimateMs: number | null} | {kind: "status", phase: string, progress: number | null}} Hint */
/** @typedef {"applied" | "hint" | "repeat" | "gap"} Outcome */

/** @returns {RunState} the state before the first event */
export function emptyState() {
  return {
    last: 0,
    terminal: false,
    run: null,
    messages: [],
    steps: [],
    approvals: [],
    progress: {},
    answerId: null,
    answerLength: 0,
    thinkingBefore: "",
    error: null,
    hint: null,
    unknown: 0,
  };
}

/**
 * One envelope by the client rules: a snapshot replaces, no id is a hint, an id seen before is dropped, the next is
 * applied, anything else is a gap and changes nothing.
 *
 * @param {RunState} state
 * @param {Wire.Envelope} envelope
 * @returns {{state: RunState, outcome: Outcome}}
 */
export function apply(state, envelope) {
  const { event, id, data } = envelope;
  if (event === "thread.run.snapshot") return { state: replaced(state, data), outcome: "applied" };
  if (id === undefined || id === null) return { state: withHint(state, event, data), outcome: "hint" };
  if (id <= state.last || state.terminal) return { state, outcome: "repeat" };
  if (id !== state.last + 1) return { state, outcome: "gap" };
  return { state: { ...folded(state, event, data), last: id, hint: null }, outcome: "applied" };
}

/**
 * The state that a run's plain resource describes; for networks that break streaming, and for ended runs.
 *
 * @param {Wire.RunView} view
 * @returns {Wire.Envelope} a snapshot, as the server would have sent it
 */
export function asSnapshot(view) {
  const { run, messages, steps, head, approvals } = view;
  const at = { as_of: head, gap: false, reason: "state" };
  return {
    event: "thread.run.snapshot",
    id: head,
    data: { run_id: run.id, thread_id: run.thread_id, run, messages, steps, approvals, ...at },
  };
}

/** @param {string} status */
export function isTerminal(status) {
  return TERMINAL_STATUSES.has(status);
}

/** @param {RunState} state */
export function answerOf(state) {
  return state.messages.find((message) => message.id === state.answerId) ?? null;
}

/**
 * The messages with the answer's `thinking`, which is put together only when somebody asks: steps have it already.
 *
 * @param {RunState} state
 */
export function messagesOf(state) {
  const answer = answerOf(state);
  if (answer?.status !== "in_progress") return state.messages;
  const thinking = [state.thinkingBefore, thoughtsOf(state.steps)].filter(Boolean).join(BETWEEN_THOUGHTS);
  return put(state.messages, { ...answer, thinking });
}

/** @param {any} data @returns {Hint} */
function queued({ position, estimate_ms }) {
  return { kind: "queued", position, estimateMs: estimate_ms ?? null };
}

/** @param {RunState} state @param {string} event @param {any} data @returns {RunState} */
function withHint(state, event, data) {
  if (event === "thread.run.queued") return { ...state, hint: queued(data) };
  if (event === "thread.run.status") {
    return { ...state, hint: { kind: "status", phase: data.phase, progress: data.progress ?? null } };
  }
  return state;
}

/** @param {RunState} state @param {string} event @param {any} data @returns {RunState} */
function folded(state, event, data) {
  if (TERMINAL_EVENTS.has(event)) return { ...state, run: data.run, approvals: [], terminal: true };
  switch (event) {
    case "thread.message.delta":
      return appended(state, data.content ?? "");
    case "thread.run.step.in_progress":
      return stepGrown(state, data);
    case "thread.run.created":
    case "thread.run.updated":
    case "thread.run.in_progress":
      return { ...state, run: data.run, approvals: [] };
    case "thread.message.created":
      return messageAdded(noLongerWaiting(state, data.message), data.message);
    case "thread.message.completed":
    case "thread.message.incomplete":
      return { ...state, messages: put(state.messages, data.message) };
    case "thread.run.step.created":
      return stepAdded(state, data.step);
    case "thread.run.step.completed":
    case "thread.run.step.failed":
    case "thread.run.step.cancelled":
      return { ...state, steps: put(state.steps, data.step), progress: without(state.progress, data.step.id) };
    case "thread.run.requires_action":
      return { ...withStatus(state, "requires_action"), approvals: data.approvals ?? [] };
    case "thread.run.cancelling":
      return withStatus(state, "cancelling");
    case "error":
      return { ...state, error: data };
    default:
      return { ...state, unknown: state.unknown + 1 };
  }
}

/** @param {RunState} state @param {any} data @returns {RunState} */
function replaced(state, data) {
  const begun = {
    ...emptyState(),
    last: data.as_of,
    run: data.run,
    terminal: TERMINAL_STATUSES.has(data.run.status),
    steps: data.steps,
    approvals: data.approvals ?? [],
    error: data.run.error ?? null,
    unknown: state.unknown,
  };
  return data.messages.reduce(messageAdded, begun);
}

/** @param {RunState} state @param {Wire.Message} message @returns {RunState} */
function messageAdded(state, message) {
  const messages = put(state.messages, message);
  if (message.role !== "assistant") return { ...state, messages };
  const thoughts = thoughtsOf(state.steps);
  const begun = { ...state, answerId: message.id };
  if (message.status !== "in_progress") return { ...begun, messages };
  const answerLength = codePoints(message.content ?? "");
  const whole = message.parts?.length || !message.content ? message.parts ?? [] : [textPart(0, answerLength)];
  return {
    ...begun,
    messages: put(messages, { ...message, parts: whole }),
    answerLength,
    thinkingBefore: withoutTail(message.thinking ?? "", thoughts),
  };
}

/** A waiting send was opened without messages: it begins with them.
 * @param {RunState} state @param {Wire.Message} message @returns {RunState} */
function noLongerWaiting(state, { id, role }) {
  const { run } = state;
  if (role === "user" && run?.waiting) {
    return { ...state, run: { ...run, waiting: false, request: null, user_message_id: id } };
  }
  if (role === "assistant" && run?.assistant_message_id === null) {
    return { ...state, run: { ...run, assistant_message_id: id } };
  }
  return state;
}

/** @param {RunState} state @param {string} content @returns {RunState} */
function appended(state, content) {
  const answer = answerOf(state);
  if (!answer || !content) return state;
  const answerLength = state.answerLength + codePoints(content);
  const parts = [...(answer.parts ?? [])];
  const open = parts.at(-1);
  if (open && "text" in open) parts[parts.length - 1] = textPart(open.text[0], answerLength);
  else parts.push(textPart(state.answerLength, answerLength));
  const grown = { ...answer, content: answer.content + content, parts };
  return { ...state, messages: put(state.messages, grown), answerLength };
}

/** @param {RunState} state @param {Wire.Step} step @returns {RunState} */
function stepAdded(state, step) {
  const answer = answerOf(state);
  const steps = put(state.steps, step);
  if (answer?.status !== "in_progress") return { ...state, steps };
  const message = { ...answer, parts: [...(answer.parts ?? []), { step_id: step.id }] };
  return { ...state, steps, messages: put(state.messages, message) };
}

/** @param {RunState} state @param {any} data @returns {RunState} */
function stepGrown(state, data) {
  const step = state.steps.find((one) => one.id === data.step_id);
  if (!step || step.status !== "in_progress") return state;
  const grown = { ...step };
  if (typeof data.details === "string" && data.details) {
    grown.details = step.step === "reasoning" ? (step.details ?? "") + data.details : data.details;
  }
  if (data.arguments) grown.arguments = data.arguments;
  if (typeof data.output === "string") grown.output = (step.output ?? "") + data.output;
  const far = typeof data.progress === "number" ? { ...state.progress, [step.id]: data.progress } : state.progress;
  return { ...state, steps: put(state.steps, grown), progress: far };
}

/** @param {RunState} state @param {Wire.RunStatus} status @returns {RunState} */
function withStatus(state, status) {
  return state.run ? { ...state, run: { ...state.run, status } } : state;
}

/** @param {Wire.Step[]} steps */
function thoughtsOf(steps) {
  const thoughts = steps.filter((step) => step.step === "reasoning" && step.details).map((step) => step.details);
  return thoughts.join(BETWEEN_THOUGHTS);
}

/** @param {string} text @param {string} tail */
function withoutTail(text, tail) {
  const head = tail && text.endsWith(tail) ? text.slice(0, -tail.length) : text;
  return tail && head.endsWith(BETWEEN_THOUGHTS) ? head.slice(0, -BETWEEN_THOUGHTS.length) : head;
}

/**
 * The list with the item in the place of the one with its id, or at the end.
 *
 * @template {{id: string}} Item
 * @param {Item[]} items
 * @param {Item} item
 * @returns {Item[]}
 */
function put(items, item) {
  const at = items.findIndex((one) => one.id === item.id);
  return at < 0 ? [...items, item] : items.with(at, item);
}

/** @param {Record<string, number>} progress @param {string} stepId */
function without(progress, stepId) {
  if (!(stepId in progress)) return progress;
  const { [stepId]: _, ...others } = progress;
  return others;
}

/** @param {number} start @param {number} end @returns {Wire.Part} */
function textPart(start, end) {
  return { text: [start, end] };
}

/** How many code points; the wire counts them, JavaScript counts UTF-16 units. @param {string} text */
export function codePoints(text) {
  let count = text.length;
  for (let at = 0; at + 1 < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit >= 0xd800 && unit < 0xdc00 && text.charCodeAt(at + 1) >> 10 === 0x37) count -= 1;
  }
  return count;
}
