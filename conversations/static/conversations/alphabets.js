/**
 * Letters of mathematics. MathML's `mathvariant` is understood by few browsers; Unicode has the letters themselves, in a
 * font that has them (Mathematical Alphanumeric Symbols, U+1D400 to U+1D7FF). Pure.
 */

/** Where the alphabets begin: capitals and small letters in one row of 52, digits in one of 10. */
const LETTERS = {
  bold: 0x1d400,
  italic: 0x1d434,
  "bold-italic": 0x1d468,
  script: 0x1d49c,
  "bold-script": 0x1d4d0,
  fraktur: 0x1d504,
  "double-struck": 0x1d538,
  "bold-fraktur": 0x1d56c,
  "sans-serif": 0x1d5a0,
  "bold-sans-serif": 0x1d5d4,
  "sans-serif-italic": 0x1d608,
  "sans-serif-bold-italic": 0x1d63c,
  monospace: 0x1d670,
};
const DIGITS = {
  bold: 0x1d7ce,
  "double-struck": 0x1d7d8,
  "sans-serif": 0x1d7e2,
  "bold-sans-serif": 0x1d7ec,
  monospace: 0x1d7f6,
};
/** Alpha to omega, with the small final sigma: 25 capitals (theta's variant among them) and 25 small letters. */
const GREEK = { bold: 0x1d6a8, italic: 0x1d6e2, "bold-italic": 0x1d71c };
/** Those that Unicode had before stand where they were. */
const ELSEWHERE = {
  italic: { h: "ℎ" },
  script: { B: "ℬ", E: "ℰ", F: "ℱ", H: "ℋ", I: "ℐ", L: "ℒ", M: "ℳ", R: "ℛ", e: "ℯ", g: "ℊ", o: "ℴ" },
  fraktur: { C: "ℭ", H: "ℌ", I: "ℑ", R: "ℜ", Z: "ℨ" },
  "double-struck": { C: "ℂ", H: "ℍ", N: "ℕ", P: "ℙ", Q: "ℚ", R: "ℝ", Z: "ℤ" },
};

/**
 * @param {string} text
 * @param {string} variant as MathML names it
 * @returns {string} with the letters of that alphabet; what has none in it stays as it is
 */
export function inAlphabet(text, variant) {
  return Array.from(text, (character) => letter(character, variant)).join("");
}

/** @param {string} character @param {string} variant */
function letter(character, variant) {
  const elsewhere = /** @type {Record<string, Record<string, string>>} */ (ELSEWHERE)[variant]?.[character];
  return (
    elsewhere ??
    shifted(character, LETTERS, variant, "A", "Z", 0) ??
    shifted(character, LETTERS, variant, "a", "z", 26) ??
    shifted(character, DIGITS, variant, "0", "9", 0) ??
    shifted(character, GREEK, variant, "Α", "Ω", 0) ??
    shifted(character, GREEK, variant, "α", "ω", 26) ??
    character
  );
}

/**
 * @param {string} character
 * @param {Record<string, number>} alphabets
 * @param {string} variant
 * @param {string} first @param {string} last the row that the character may be of
 * @param {number} offset
 */
function shifted(character, alphabets, variant, first, last, offset) {
  const begin = alphabets[variant];
  if (begin === undefined || character < first || character > last || character.length > 1) return null;
  return String.fromCodePoint(begin + offset + character.charCodeAt(0) - first.charCodeAt(0));
}
