/**
 * What a reader can do about an error, by its stable code: in words where its own sentence does not say it already, and
 * whether it may help to ask again, at once or when somebody has mended it. Pure; a test holds the two tables to the
 * server's error tree.
 */

import { about } from "./format.js";
import { gettext } from "./words.js";

/** @typedef {{words: string | null, again: boolean}} Remedy */

const SAID = null;

/** Of a run. @type {Record<string, Remedy>} */
const OF_RUNS = {
  internal_error: { words: gettext("Ask again. If it happens again, tell an administrator the number below."), again: true },
  unavailable: { words: SAID, again: true },
  draining: { words: SAID, again: true },
  storage_busy: { words: SAID, again: true },
  storage_full: { words: SAID, again: true },
  model_unknown: { words: SAID, again: false },
  model_missing: { words: SAID, again: true },
  context_exceeded: { words: SAID, again: false },
  upstream_unreachable: { words: SAID, again: true },
  upstream_tls: { words: SAID, again: true },
  upstream_key: { words: SAID, again: true },
  upstream_busy: { words: SAID, again: true },
  upstream_timeout: { words: gettext("It may still be loading the model. Ask again, or choose a smaller model."), again: true },
  upstream_stalled: { words: gettext("Ask again. If it stops again, choose a smaller model."), again: true },
  upstream_dropped: { words: gettext("What came is kept. Ask again."), again: true },
  upstream_truncated: { words: gettext("What came is kept. Ask again."), again: true },
  upstream_failed: { words: gettext("Ask again in a moment, or choose another model."), again: true },
  upstream_error: { words: gettext("Ask again, or choose another model."), again: true },
  upstream_protocol: { words: gettext("An administrator has to check its address."), again: true },
  upstream_refused: { words: gettext("It will refuse the same again. Ask in another way, or choose another model."), again: false },
  streaming_refused: { words: gettext("An administrator can allow answers that come as a whole."), again: true },
};

/** Of a step: the model is told, and the run goes on, so there is nothing to ask again. @type {Record<string, string | null>} */
const OF_STEPS = {
  tool_failed: gettext("The model was told, and may find another way."),
  tool_unknown: gettext("The model was told, and may find another way."),
  arguments_invalid: gettext("The model was told, and may call it anew."),
  tool_timeout: gettext("The model was told. A smaller task may be done in time."),
  max_steps: gettext("Ask the model to go on in another message."),
  repeat_limit: gettext("Ask in another way, or choose another model."),
  denied: SAID,
  not_run: SAID,
  outcome_unknown: gettext("Look whether it took effect before you ask for it again."),
};

/** @type {Remedy} of what a newer server may say */
const UNKNOWN = { words: null, again: true };

/** @param {Wire.Failure | null | undefined} error of a run @returns {Remedy} */
export function remedyOf(error) {
  const { words, again } = OF_RUNS[error?.code ?? ""] ?? UNKNOWN;
  const wait = error?.retry_after_ms ? gettext("Wait %(time)s.", { time: about(error.retry_after_ms) }) : null;
  return { words: [words, wait].filter(Boolean).join(" ") || null, again: again || Boolean(error?.retryable) };
}

/** @param {Wire.Failure} error of a step @returns {string | null} */
export function stepRemedyOf(error) {
  return OF_STEPS[error.code] ?? null;
}
