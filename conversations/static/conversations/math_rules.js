/**
 * Where a Markdown text has formulas: `$…$` and `\(…\)` in a line, `$$…$$` and `\[…\]` set apart. Pure.
 *
 * A dollar is money far more often than it is TeX: one that opens stands before a word, one that closes behind a word
 * and not before another (Pandoc asks for as much), both in one paragraph.
 */

const DOLLAR = 0x24;
const BACKSLASH = 0x5c;
/** So far an end is looked for: else a text of nothing but beginnings would take the square of its length. */
const FURTHEST = 5_000;

/** @type {{open: string, close: string}[]} */
const APART = [
  { open: "$$", close: "$$" },
  { open: "\\[", close: "\\]" },
];

/**
 * Teaches a markdown-it parser the tokens `math_inline` and `math_block`, whose `content` is TeX. A block that has not
 * been closed yet has `meta.open`.
 *
 * @param {import("../vendor/markdown-it.js").MarkdownIt} parser
 */
export function withMath(parser) {
  parser.inline.ruler.before("escape", "math", inLine);
  parser.block.ruler.before("fence", "math", block, { alt: ["paragraph", "blockquote", "list"] });
}

/** @param {import("../vendor/markdown-it.js").StateInline} state @param {boolean} silent */
function inLine(state, silent) {
  const found = formulaAt(state.src, state.pos, state.posMax);
  if (!found) return false;
  if (!silent) {
    const token = state.push("math_inline", "math", 0);
    token.content = found.tex;
    token.meta = { apart: found.apart };
  }
  state.pos = found.end;
  return true;
}

/**
 * @param {string} text
 * @param {number} at
 * @param {number} until
 * @returns {{tex: string, apart: boolean, end: number} | null}
 */
export function formulaAt(text, at, until) {
  const first = text.charCodeAt(at);
  if (first === BACKSLASH) {
    if (text[at + 1] === "(") return between(text, at, until, "\\(", "\\)", false);
    if (text[at + 1] === "[") return between(text, at, until, "\\[", "\\]", true);
    return null;
  }
  if (first !== DOLLAR) return null;
  if (text[at + 1] === "$") return between(text, at, until, "$$", "$$", true);
  return /\s/.test(text[at + 1] ?? " ") ? null : betweenDollars(text, at, until);
}

/**
 * @param {string} text @param {number} at @param {number} until @param {string} open @param {string} close
 * @param {boolean} apart
 */
function between(text, at, until, open, close, apart) {
  const from = at + open.length;
  const near = text.slice(from, Math.min(until, from + FURTHEST));
  const length = near.indexOf(close);
  if (length < 0) return null;
  const tex = near.slice(0, length).trim();
  return tex ? { tex, apart, end: from + length + close.length } : null;
}

/** @param {string} text @param {number} at @param {number} until */
function betweenDollars(text, at, until) {
  for (let end = text.indexOf("$", at + 1); end >= 0 && end < until; end = text.indexOf("$", end + 1)) {
    if (isEscaped(text, end)) continue;
    if (/\s/.test(text[end - 1]) || /[0-9A-Za-z]/.test(text[end + 1] ?? "")) return null;
    return { tex: text.slice(at + 1, end), apart: false, end: end + 1 };
  }
  return null;
}

/** @param {string} text @param {number} at */
function isEscaped(text, at) {
  let slashes = 0;
  while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes += 1;
  return slashes % 2 === 1;
}

/**
 * @param {import("../vendor/markdown-it.js").StateBlock} state
 * @param {number} startLine
 * @param {number} endLine
 * @param {boolean} silent
 */
function block(state, startLine, endLine, silent) {
  if (state.sCount[startLine] - state.blkIndent >= 4) return false;
  const first = lineOf(state, startLine);
  const kind = APART.find(({ open }) => first.startsWith(open));
  if (!kind) return false;
  const opening = first.slice(kind.open.length);
  const closedAt = opening.indexOf(kind.close);
  // More words behind it: that is a formula in a paragraph.
  if (closedAt >= 0 && opening.slice(closedAt + kind.close.length).trim()) return false;
  if (silent) return true;

  const lines = [closedAt < 0 ? opening : opening.slice(0, closedAt)];
  let closed = closedAt >= 0;
  let next = startLine + 1;
  for (; !closed && next < endLine; next += 1) {
    const line = lineOf(state, next);
    // It has left its list or quotation.
    if (line && state.sCount[next] < state.blkIndent) break;
    const at = line.indexOf(kind.close);
    closed = at >= 0;
    lines.push(closed ? line.slice(0, at) : line);
  }
  state.line = next;
  const token = state.push("math_block", "math", 0);
  token.block = true;
  token.content = lines.join("\n").trim();
  token.map = [startLine, next];
  token.markup = kind.open;
  token.meta = { open: !closed };
  return true;
}

/** @param {import("../vendor/markdown-it.js").StateBlock} state @param {number} line */
function lineOf(state, line) {
  return state.src.slice(state.bMarks[line] + state.tShift[line], state.eMarks[line]);
}
