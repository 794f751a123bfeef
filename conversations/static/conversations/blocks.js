/**
 * Where a growing Markdown text may be cut: what stands before cannot change any more, so it need not be rendered
 * again. Pure.
 *
 * Only whole lines decide: Markdown's block structure depends on lines, and half a line can pretend to be another kind
 * of block ("#" before "#hashtag", "***" before "***bold***").
 */

/**
 * @typedef {{level: number, map: [number, number] | null}} BlockToken
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
  const starts = parser
    .parse(whole, environment)
    .filter((token) => token.level === 0 && token.map)
    .map((token) => token.map?.[0] ?? 0);
  const last = Math.max(0, ...starts);
  return new Set(starts).size > 1 ? offsetOfLine(whole, last) : 0;
}

/** @param {string} text @param {number} line */
function offsetOfLine(text, line) {
  let offset = 0;
  for (let at = 0; at < line; at += 1) offset = text.indexOf("\n", offset) + 1;
  return offset;
}
