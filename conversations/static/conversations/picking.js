/** What the list of models offers, and which of them are chosen. Pure. */

import { bytes, contextLength } from "./format.js";
import { gettext } from "./words.js";

/** One question goes to as many models at once. */
export const MOST = 4;

/**
 * `note` is what stands beside the name, `facts` what is known of the model, `away` that it cannot be asked now.
 * @typedef {{value: string, note: string, facts: string[], away: boolean}} Option
 * @typedef {{label: string, why: string, options: Option[]}} Group `why` it is away, in the server's words
 */

/**
 * By server, in the order in which it is shown: first other names of models, then the models, at last those of servers
 * that are away.
 *
 * @param {Wire.Models | null} models
 * @param {string} [words] only what has each of them somewhere
 * @returns {Group[]}
 */
export function groupsOf(models, words = "") {
  if (!models) return [];
  /** @type {Map<string, Group>} */
  const groups = new Map();
  const group = (/** @type {string} */ label, why = "") => {
    if (!groups.has(label)) groups.set(label, { label, why, options: [] });
    return /** @type {Group} */ (groups.get(label));
  };
  const { results, servers } = models;
  for (const one of results.filter((each) => each.alias_of)) group(gettext("Aliases")).options.push(optionOf(one));
  for (const one of results.filter((each) => !each.alias_of)) group(one.provider).options.push(optionOf(one));
  for (const server of servers.filter((each) => !each.ok)) {
    const label = gettext("%(server)s (away)", { server: server.name });
    const away = (server.models ?? []).map((value) => ({ value, note: "", facts: [], away: true }));
    group(label, server.message ?? "").options.push(...away);
  }
  const sought = words.toLowerCase().split(/\s+/).filter(Boolean);
  if (!sought.length) return [...groups.values()];
  return [...groups.values()]
    .map((one) => ({ ...one, options: one.options.filter((option) => has(one, option, sought)) }))
    .filter((one) => one.options.length);
}

/** @param {Group} group @param {Option} option @param {string[]} sought */
function has({ label }, { value, note, facts }, sought) {
  const text = [label, value, note, ...facts].join(" ").toLowerCase();
  return sought.every((word) => text.includes(word));
}

/** @param {Wire.Model} model @returns {Option} */
function optionOf(model) {
  const note = model.alias_of ? `→ ${model.alias_of}` : model.demonstration ? gettext("demonstration") : "";
  return { value: model.name, note, facts: factsOf(model), away: false };
}

/** What is known of a model, as far as its server says. @param {Wire.Model} model */
export function factsOf(model) {
  if (model.demonstration) return [gettext("not a language model")];
  return [
    ...(model.parameter_size ? [model.parameter_size] : []),
    ...(model.size_bytes ? [bytes(model.size_bytes)] : []),
    ...(model.context_length ? [contextLength(model.context_length)] : []),
    ...abilitiesOf(model),
    ...(model.loaded ? [gettext("loaded")] : []),
  ];
}

/** @param {Wire.Model} model */
export function abilitiesOf({ capabilities }) {
  /** @type {Record<string, string>} */
  const words = { thinking: gettext("thinking"), tools: gettext("tools"), vision: gettext("images") };
  return Object.keys(words).filter((one) => capabilities.includes(one)).map((one) => words[one]);
}

/**
 * One more model is asked, or one less: never none, and never more than may be. The first leads.
 *
 * @param {string[]} chosen
 * @param {string} name
 */
export function toggled(chosen, name) {
  if (!chosen.includes(name)) return chosen.length < MOST ? [...chosen, name] : chosen;
  return chosen.length > 1 ? chosen.filter((one) => one !== name) : chosen;
}

/** Without the name of its server, which stands above it. @param {string} name */
export function shortName(name) {
  return name.slice(name.indexOf("/") + 1);
}
