/** The models that can be chosen. While a model server is not well, it is asked about again until it is. */

import { failureFrom } from "./api.js";

const AGAIN_AFTER = 10_000;

export class Models {
  /** @param {import("./store.js").Store} store @param {import("./api.js").Api} api */
  constructor(store, api) {
    this.store = store;
    this.api = api;
    this.timer = 0;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.unwell) this.load();
    });
  }

  get unwell() {
    const { models } = this.store.state;
    return models === null || models.servers.some((server) => !server.ok);
  }

  async load() {
    clearTimeout(this.timer);
    try {
      this.store.update({ models: await this.api.get("/models") });
    } catch (fault) {
      failureFrom(fault);
    }
    // A hidden tab asks when it is looked at again.
    this.timer = setTimeout(() => {
      if (!document.hidden && this.unwell) this.load();
    }, AGAIN_AFTER);
  }
}

/**
 * The model that the next message goes to. Pure.
 *
 * @param {Page.State} state
 * @returns {string}
 */
export function chosenModel({ models, model, thread }) {
  if (thread?.model) return thread.model;
  const known = models?.results.some((one) => one.name === model);
  if (model && (known || models === null)) return model;
  return models?.default || models?.results[0]?.name || "";
}
