/**
 * Where a growing Markdown text may be cut: what stands before cannot change any more, so it need not be rendered
 * again. Pure.
 *
 * Only whole lines decide: Markdown's block structure depends on lines, and half a line can pretend to be another kind
 * of block ("#" before "#hashtag", "***" before "***bold***").
 */

/**
 * @typedef {{level: number, map: [number, number] | null, type: string, content: string}} BlockToken
 * @typedef {{parse: (text: string, environment: any) => BlockToken[]}} BlockParser
 */

/**
 * @param {BlockParser} parser
 * @param {string} text
 * @param {object} environment the link definitions found so far; new ones are added
 * @returns {number} how many characters of the text are finished
 */
export function finishedLength(parser, text, environment) {
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  const tokens = parser.parse(whole, environment).filter((token) => token.level === 0 && token.map);
  const last = tokens.at(-1);
  // Nothing that follows can change a fence that is closed; and to render a long one again is dear.
  if (last?.type === "fence" && isClosed(last)) return offsetOfLine(whole, last.map?.[1] ?? 0);
  const starts = new Set(tokens.map((token) => token.map?.[0] ?? 0));
  return starts.size > 1 ? offsetOfLine(whole, Math.max(...starts)) : 0;
}

/** Whether it has both its lines around the code. @param {BlockToken} fence */
function isClosed({ map, content }) {
  const lines = content.split("\n").length - 1;
  return map !== null && map[1] - map[0] === lines + 2;
}

/**
 * Code that is still being written: the first line of its fence, and where the code begins. Null for any other text; one
 * that is indented, or quoted, is no matter of speed.
 *
 * @param {string} text from its first line on
 * @returns {{fence: string, begins: number} | null}
 */
export function openFence(text) {
  const [first, marks, info] = /^(`{3,}|~{3,})([^\n]*)\n/.exec(text) ?? [];
  if (!first || (marks[0] === "`" && info.includes("`"))) return null;
  const closing = new RegExp(`^ {0,3}${marks[0]}{${marks.length},}[ \\t]*$`, "m");
  return closing.test(text.slice(first.length)) ? null : { fence: marks + info, begins: first.length };
}

/** @param {string} text @param {number} line */
function offsetOfLine(text, line) {
  let offset = 0;
  for (let at = 0; at < line; at += 1) offset = text.indexOf("\n", offset) + 1;
  return offset;
}
