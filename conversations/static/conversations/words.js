/**
 * The page's words in the reader's language. The server writes the catalogue into the page (see page_words.py); where
 * it has no translation, and where there is no page, a text is its own.
 *
 * `manage.py makemessages -d djangojs` finds whatever is given to `gettext` and `ngettext` as a plain string.
 */

/**
 * @typedef {object} Catalogue
 * @property {Record<string, string | string[]>} texts
 * @property {string} forms which of a text's forms is for 0, 1, 2 … 199 things, a digit each
 */

/** @type {Catalogue} */
const NONE = { texts: {}, forms: "" };

export class Words {
  /** @param {Catalogue} catalogue */
  constructor({ texts, forms }) {
    this.texts = texts;
    this.forms = forms;
  }

  /**
   * @param {string} text with `%(name)s` for each of the values
   * @param {Record<string, string | number>} [values]
   */
  gettext(text, values = {}) {
    const found = this.texts[text];
    return filled(typeof found === "string" ? found : text, values);
  }

  /**
   * @param {string} one
   * @param {string} many
   * @param {number} count is the value `count`, too, written as the language writes numbers
   * @param {Record<string, string | number>} [values]
   */
  ngettext(one, many, count, values = {}) {
    const found = this.texts[one];
    const form = Number(this.forms[count < 200 ? count : 100 + (count % 100)] ?? 0);
    const text = Array.isArray(found) ? found[form] : undefined;
    return filled(text ?? (count === 1 ? one : many), { count: count.toLocaleString(language), ...values });
  }
}

/** The language that the page is in, for numbers and times. */
export const language = globalThis.document?.documentElement.lang || "en";

const words = new Words(inThePage());

export const gettext = words.gettext.bind(words);
export const ngettext = words.ngettext.bind(words);

/**
 * The pieces of a text around what is more than text, in the order of the reader's language; for a template.
 *
 * @template Part
 * @param {string} text with `%(name)s` for each of the parts
 * @param {Record<string, Part>} parts
 * @returns {(string | Part)[]}
 */
export function around(text, parts) {
  return text.split(/%\((\w+)\)s/).map((piece, index) => (index % 2 ? parts[piece] : piece));
}

/** @returns {Catalogue} */
function inThePage() {
  const boot = globalThis.document?.getElementById("boot")?.textContent;
  return boot ? (JSON.parse(boot).words ?? NONE) : NONE;
}

/** @param {string} text @param {Record<string, string | number>} values */
function filled(text, values) {
  return text.replace(/%\((\w+)\)s/g, (whole, name) => (Object.hasOwn(values, name) ? String(values[name]) : whole));
}
