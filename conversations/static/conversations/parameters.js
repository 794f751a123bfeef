/** How a model is to answer, as a form has it: texts, of which an empty one leaves it to the model. Pure. */

import { gettext } from "./words.js";

/**
 * The limits are the server's (docs/protocol.md, Parameters).
 *
 * @typedef {{name: string, label: string, help: string, min: number, max: number, whole: boolean}} Field
 */

/** @type {Field[]} */
export const FIELDS = [
  { name: "temperature", label: gettext("Temperature"), help: gettext("0 to 2: the higher, the freer"), min: 0, max: 2, whole: false },
  { name: "top_p", label: gettext("Top p"), help: gettext("0 to 1: only the likeliest words, up to this share"), min: 0, max: 1, whole: false },
  { name: "top_k", label: gettext("Top k"), help: gettext("only so many of the likeliest words"), min: 0, max: 1_000_000, whole: true },
  { name: "seed", label: gettext("Seed"), help: gettext("the same seed, the same answer, where the model can"), min: 0, max: 2 ** 31 - 1, whole: true },
  { name: "max_tokens", label: gettext("Longest answer"), help: gettext("in tokens, thinking with it"), min: 1, max: 10_000_000, whole: true },
  { name: "context_length", label: gettext("Context"), help: gettext("in tokens: older messages beyond are left out"), min: 256, max: 10_000_000, whole: true },
  { name: "keep_alive", label: gettext("Keep loaded"), help: gettext("for so many seconds after an answer; -1 is for ever"), min: -1, max: 31_536_000, whole: true },
];

/** What `thinking` may be, and how it is called. @type {[string, string][]} */
export const THINKING = [
  ["", gettext("As the model does")],
  ["true", gettext("On")],
  ["false", gettext("Off")],
  ["low", gettext("Low")],
  ["medium", gettext("Medium")],
  ["high", gettext("High")],
  ["max", gettext("Most")],
];
const MOST_STOPS = 4;

/** @typedef {Record<string, string>} Written by the names of the parameters; `stop` a line each */

/** @param {Record<string, unknown>} parameters @returns {Written} */
export function written(parameters) {
  const stop = parameters.stop ?? [];
  const texts = Object.fromEntries(FIELDS.map(({ name }) => [name, textOf(parameters[name])]));
  return { ...texts, thinking: textOf(parameters.thinking), stop: [stop].flat().join("\n") };
}

/** @param {unknown} value */
function textOf(value) {
  return value === undefined || value === null ? "" : String(value);
}

/**
 * @param {Written} texts
 * @returns {{parameters: Record<string, unknown>, wrong: Record<string, string>}} `wrong` says of each that cannot be why
 */
export function read(texts) {
  /** @type {Record<string, unknown>} */
  const parameters = {};
  /** @type {Record<string, string>} */
  const wrong = {};
  for (const field of FIELDS) {
    const text = (texts[field.name] ?? "").trim();
    if (!text) continue;
    const value = Number(text);
    if (fits(value, field)) parameters[field.name] = value;
    else wrong[field.name] = limitsOf(field);
  }
  const stops = (texts.stop ?? "").split("\n").filter(Boolean);
  if (stops.length > MOST_STOPS) wrong.stop = gettext("At most %(count)s, one a line.", { count: MOST_STOPS });
  else if (stops.length) parameters.stop = stops;
  if (texts.thinking) parameters.thinking = { true: true, false: false }[texts.thinking] ?? texts.thinking;
  return { parameters, wrong };
}

/** @param {number} value @param {Field} field */
function fits(value, { min, max, whole }) {
  return value >= min && value <= max && (!whole || Number.isInteger(value));
}

/** @param {Field} field */
function limitsOf({ min, max, whole }) {
  const limits = { min: min.toLocaleString("en"), max: max.toLocaleString("en") };
  return whole
    ? gettext("A whole number from %(min)s to %(max)s.", limits)
    : gettext("A number from %(min)s to %(max)s.", limits);
}

/** Whether anything differs from what models do by themselves. @param {Page.Plan} plan */
export function isPlain({ system_prompt, parameters }) {
  return !system_prompt && Object.values(parameters).every((value) => value === null);
}
