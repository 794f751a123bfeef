/**
 * The one way from untrusted Markdown into the document. Raw HTML is off, the sanitiser comes last, and what it gives
 * back is a fragment: no HTML text is ever put into the page.
 */

import purify from "../vendor/dompurify.js";
import hljs from "../vendor/highlight.js";
import MarkdownIt from "../vendor/markdown-it.js";
import { inAlphabet } from "./alphabets.js";
import { codeHead } from "./code_tools.js";
import { asDiagrams, isDiagram } from "./diagrams.js";
import { hostOf, isAllowed } from "./links.js";
import { withMath } from "./math_rules.js";
import * as tex from "./tex.js";
import { gettext } from "./words.js";

/** Colouring costs time in proportion; beyond this much code nobody reads colours. */
const MOST_COLOURED = 60_000;
/** And with the square of a line, which is then no line that somebody wrote. */
const LONGER_LINE = /[^\n]{1001}/;
const TAGS = [
  "a", "blockquote", "br", "code", "del", "div", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s",
  "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
];
const MATH_TAGS = [
  "math", "menclose", "mfrac", "mi", "mmultiscripts", "mn", "mo", "mover", "mpadded", "mphantom", "mroot", "mrow", "ms",
  "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover",
];
const MATH_ATTRIBUTES = [
  "accent", "accentunder", "columnalign", "columnlines", "columnspacing", "depth", "display", "displaystyle", "fence",
  "height", "largeop", "linethickness", "lspace", "mathbackground", "mathcolor", "mathvariant", "maxsize", "minsize",
  "movablelimits", "notation", "rowlines", "rowspacing", "rspace", "scriptlevel", "separator", "stretchy", "symmetric",
  "voffset", "width", "xmlns",
];

/**
 * What one text's blocks share: its link definitions, and whether there is a formula in it that could not be set yet.
 *
 * @typedef {{references?: Record<string, any>, awaitsMath?: boolean}} Environment
 */

export const parser = new MarkdownIt({ html: false, linkify: true, breaks: true, typographer: false });
// "main.py" is a file name and not a host in Paraguay.
parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
parser.validateLink = isAllowed;
withMath(parser);

const { rules } = parser.renderer;

// A cell's alignment comes as a style, which the content security policy forbids.
for (const name of ["th_open", "td_open"]) {
  rules[name] = (tokens, index, options, _environment, renderer) => {
    const token = tokens[index];
    const style = String(token.attrGet("style") ?? "");
    const side = /text-align:(left|center|right)/.exec(style)?.[1];
    token.attrs = side ? [["class", `align-${side}`]] : null;
    return renderer.renderToken(tokens, index, options);
  };
}
rules.table_open = () => '<div class="table-scroll"><table>';
rules.table_close = () => "</table></div>";

// The page's own headings come first; an answer's begin below them.
for (const name of ["heading_open", "heading_close"]) {
  rules[name] = (tokens, index, options, _environment, renderer) => {
    const level = Math.min(Number(tokens[index].tag.slice(1)) + 2, 6);
    tokens[index].tag = `h${level}`;
    return renderer.renderToken(tokens, index, options);
  };
}

// A remote image would tell its host who reads what, and carry data there: it is a link until somebody follows it.
rules.image = (tokens, index) => {
  const token = tokens[index];
  const address = String(token.attrGet("src") ?? "");
  const name = token.content || gettext("image");
  const text = gettext("%(name)s (image on %(host)s)", { name, host: hostOf(address) });
  return `<a class="image-link" href="${escape(address)}">${escape(text)}</a>`;
};

rules.fence = (tokens, index) => {
  const block = codeBlock(tokens[index].content, tokens[index].info.trim().split(/\s+/)[0] ?? "");
  return isDiagram(tokens[index]) ? `<div class="drawable">${block}</div>` : block;
};
rules.code_block = (tokens, index) => codeBlock(tokens[index].content, "");

rules.math_inline = (tokens, index, _options, environment) => {
  const { content, meta } = tokens[index];
  return maths(content, Boolean(meta?.apart), environment ?? {});
};
rules.math_block = (tokens, index, _options, environment) => {
  const { content, meta, markup } = tokens[index];
  // Half a formula is another one, or none.
  const inner = meta?.open ? source(markup + content) : maths(content, true, environment ?? {});
  return `<div class="math-block">${inner}</div>`;
};

const purifier = purify(window);
purifier.addHook("afterSanitizeAttributes", (node) => {
  if (node.nodeName !== "A") return;
  if (!isAllowed(node.getAttribute("href") ?? "")) return node.removeAttribute("href");
  node.setAttribute("rel", "noopener noreferrer nofollow");
  node.setAttribute("target", "_blank");
});

/**
 * @param {string} text
 * @param {Environment} environment
 * @returns {DocumentFragment} safe to put into the page as it is
 */
export function render(text, environment) {
  let html;
  try {
    html = parser.render(text, environment);
  } catch (fault) {
    console.error(fault);
    return plain(text);
  }
  const fragment = purifier.sanitize(html, {
    ALLOWED_TAGS: [...TAGS, ...MATH_TAGS],
    ALLOWED_ATTR: ["href", "class", "data-language", "start", ...MATH_ATTRIBUTES],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
  return furnished(fragment);
}

/** The text as it is; for what cannot be rendered. @param {string} text */
function plain(text) {
  const fragment = document.createDocumentFragment();
  const paragraph = document.createElement("p");
  paragraph.className = "plain";
  paragraph.textContent = text;
  fragment.append(paragraph);
  return fragment;
}

/** @param {string} code @param {string} language */
function codeBlock(code, language) {
  const known = hljs.getLanguage(language) && code.length <= MOST_COLOURED && !LONGER_LINE.test(code);
  const inner = known ? hljs.highlight(code, { language, ignoreIllegals: true }).value : escape(code);
  return `<div class="code-block" data-language="${escape(language)}"><pre><code class="hljs">${inner}</code></pre></div>`;
}

/** @param {string} content @param {boolean} apart @param {Environment} environment */
function maths(content, apart, environment) {
  const set = tex.formula(content, apart);
  if (set === null && !tex.isAtHand()) environment.awaitsMath = true;
  return set ?? source(content);
}

/** @param {string} content */
function source(content) {
  return `<code class="math-source">${escape(content)}</code>`;
}

/**
 * What our own hand adds after sanitising, out of elements and text nodes only.
 *
 * @param {DocumentFragment} fragment
 */
function furnished(fragment) {
  for (const block of fragment.querySelectorAll(".code-block")) {
    block.prepend(codeHead(block.getAttribute("data-language") ?? ""));
  }
  asDiagrams(fragment);
  for (const table of fragment.querySelectorAll("mtable")) alignColumns(table);
  for (const letters of fragment.querySelectorAll("[mathvariant]:not([mathvariant=normal])")) {
    if (letters.childElementCount) continue;
    letters.textContent = inAlphabet(letters.textContent ?? "", letters.getAttribute("mathvariant") ?? "");
    // A single letter is italic by itself; one of an alphabet is what it is.
    letters.setAttribute("mathvariant", "normal");
  }
  // What scrolls sideways must be reachable by keyboard.
  for (const scroller of fragment.querySelectorAll("pre, .table-scroll, .math-block")) scroller.setAttribute("tabindex", "0");
  return fragment;
}

/**
 * Browsers set a table of formulas as if nothing had been said of its columns, so each cell is told.
 *
 * @param {Element} table
 */
function alignColumns(table) {
  const sides = table.getAttribute("columnalign")?.split(/\s+/) ?? [];
  const gaps = table.getAttribute("columnspacing")?.split(/\s+/) ?? [];
  for (const row of table.children) {
    for (const [column, cell] of Array.from(row.children).entries()) {
      const side = sides[Math.min(column, sides.length - 1)];
      if (side === "left" || side === "right") cell.classList.add(`align-${side}`);
      if (column > 0 && isClosed(gaps, column - 1)) cell.classList.add("joins-left");
      if (column + 1 < row.children.length && isClosed(gaps, column)) cell.classList.add("joins-right");
    }
  }
}

/** @param {string[]} gaps @param {number} gap the last one is for all that follow */
function isClosed(gaps, gap) {
  return Number.parseFloat(gaps[Math.min(gap, gaps.length - 1)] ?? "1") === 0;
}

/** @param {string} text */
function escape(text) {
  return parser.utils.escapeHtml(text);
}
