/** A tool at work, in words: how it ended, and what it was given. Pure. */

import { gettext } from "./words.js";

/** @type {Record<Wire.Step["status"], string>} */
const OUTCOMES = {
  in_progress: gettext("running"),
  completed: gettext("done"),
  failed: gettext("failed"),
  cancelled: gettext("stopped"),
};

/** The errors of calls that never began. */
const NOT_RUN = new Set(["not_run", "max_steps", "repeat_limit"]);

/** @param {Wire.Step} step */
export function outcomeOf({ status, error }) {
  if (error?.code === "denied") return gettext("not allowed");
  return NOT_RUN.has(error?.code ?? "") ? gettext("not run") : OUTCOMES[status];
}

/** An argument longer than this is folded: a screen has twenty lines for the whole card. */
const LINES = 8;
const CHARACTERS = 400;

/**
 * @typedef {object} Argument
 * @property {string} name
 * @property {string} text a text as it is, anything else as JSON
 * @property {string | null} beginning what is shown of a long one while it is folded
 */

/** @param {Wire.Step["arguments"]} given @returns {Argument[]} */
export function argumentsOf(given) {
  return Object.entries(given ?? {}).map(([name, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
    return { name, text, beginning: beginningOf(text) };
  });
}

/** @param {string} text */
function beginningOf(text) {
  const lines = text.split("\n", LINES + 1);
  if (lines.length <= LINES && text.length <= CHARACTERS) return null;
  const some = lines.slice(0, LINES).join("\n").slice(0, CHARACTERS);
  // Half of a pair of units is no character.
  return `${some.replace(/[\ud800-\udbff]$/, "")}…`;
}
