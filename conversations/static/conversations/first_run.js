/** What somebody who opens the chat for the first time needs to be told: what was found, or what is missing. Pure. */

/**
 * `found`: there are so many models, and nothing was said yet. `missing`: there is no language model; `reached` whether an
 * Ollama answers that has none, `demonstration` whether something answers meanwhile.
 *
 * @typedef {{kind: "found", count: number}
 *   | {kind: "missing", reached: boolean, demonstration: boolean}} FirstRun
 *
 * @param {Wire.Models | null} models
 * @param {Pick<Page.ThreadList, "items" | "status" | "archived">} threads
 * @returns {FirstRun | null} null where nothing needs to be said, or nothing is known yet
 */
export function firstRunOf(models, { items, status, archived }) {
  if (!models) return null;
  const real = models.results.filter((model) => !model.demonstration && !model.alias_of);
  if (!real.length) {
    return {
      kind: "missing",
      reached: models.servers.some((server) => server.ok && server.kind === "ollama"),
      demonstration: models.results.some((model) => model.demonstration),
    };
  }
  if (status !== "ready" || archived || items.length) return null;
  return { kind: "found", count: real.length };
}
