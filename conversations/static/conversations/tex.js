/**
 * TeX as MathML. The library is a third of a megabyte, so it is fetched when the first formula is met; until then, and
 * for what it does not understand, the source stands there.
 */

/** Beyond this nobody reads a formula, and it would hold the page up. */
const LONGEST = 5_000;
const OPTIONS = {
  output: /** @type {"mathml"} */ ("mathml"),
  throwOnError: true,
  strict: /** @type {"ignore"} */ ("ignore"),
  trust: false, // no links, no images, no classes of its own
  maxExpand: 300,
  maxSize: 20,
};
/** Five lines that define their own commands can be a formula of millions of signs. Answers seldom do, and stay source. */
const DEFINES = /\\(?:[gex]?def|let|futurelet|(?:renew|new|provide)command)(?![A-Za-z])/;

/** The source once more, which the sanitiser would leave as text. */
const ANNOTATION = /<annotation[^>]*>[^<]*<\/annotation>/;

const TAG = /<(\/?)([a-z]+)([^>]*)>/;
const TOKENS = new Set(["mi", "mn", "mo", "ms", "mtext"]);
/** Of a text split at its tags: what stands between, and a tag's slash, name and attributes. */
const TAG_PARTS = [
  /** @param {string} text */ (text) => text,
  /** @param {string} slash */ (slash) => `<${slash}`,
  /** @param {string} name */ (name) => name,
  /** @param {string} attributes */ (attributes) => `${attributes}>`,
];

/** @type {typeof import("../vendor/katex.js")["default"] | null} */
let katex = null;
/** @type {Promise<void> | null} */
let loading = null;

/**
 * @param {string} tex
 * @param {boolean} apart
 * @returns {string | null} MathML; null where there is none, or none yet
 */
export function formula(tex, apart) {
  if (!katex || !tex || tex.length > LONGEST || DEFINES.test(tex)) return null;
  try {
    const markup = katex.renderToString(tex, { ...OPTIONS, displayMode: apart });
    return withPlainTokens(markup.replace(ANNOTATION, ""));
  } catch {
    return null;
  }
}

/**
 * The library puts formulas into elements that hold text (`<mi><mrow>…`), which the HTML parser takes for the end of the
 * formula. Those become rows.
 *
 * @param {string} markup
 */
function withPlainTokens(markup) {
  const pieces = markup.split(TAG);
  /** @type {number[]} */
  const open = []; // where the elements around begin
  for (let at = 1; at < pieces.length; at += 4) {
    if (pieces[at] === "/") {
      pieces[at + 1] = pieces[/** @type {number} */ (open.pop()) + 1];
      continue;
    }
    const around = open.at(-1);
    if (around !== undefined && TOKENS.has(pieces[around + 1])) pieces.splice(around + 1, 2, "mrow", "");
    open.push(at);
  }
  return pieces.map((piece, at) => TAG_PARTS[at % 4](piece)).join("");
}

export function isAtHand() {
  return katex !== null;
}

/** When formulas can be made. Where the library cannot be fetched that is never, and the next formula asks again. */
export function atHand() {
  loading ??= import("../vendor/katex.js").then(
    (module) => {
      katex = module.default;
    },
    (fault) => {
      loading = null;
      throw fault;
    },
  );
  return loading;
}
