/** The models that can be chosen. They are asked about again and again, more often while a model server is not well. */

import { failureFrom } from "./api.js";

const AGAIN_AFTER = 10_000;
const WELL_FOR = 60_000;
// Models come and go while a page is open; whoever looks at the list again sees what is there by then.
const STALE_AFTER = 30_000;
const WANTED_AFTER = 3_000;
// The server asks its model servers every five seconds: by then it knows of one that has let an answer down.
const KNOWN_WITHIN = 6_000;
const CHANNEL = "chatserver-models";

export class Models {
  /** @param {import("./store.js").Store} store @param {import("./api.js").Api} api */
  constructor(store, api) {
    this.store = store;
    this.api = api;
    this.timer = 0;
    this.due = false;
    this.doubtful = false;
    this.loadedAt = -Infinity;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && (this.due || this.stale(STALE_AFTER))) this.load();
    });
    new BroadcastChannel(CHANNEL).addEventListener("message", () => this.load());
  }

  /** Somebody is about to choose. */
  wanted() {
    if (this.stale(WANTED_AFTER)) this.load();
  }

  /** An answer has failed; whether its model server is away can be read soon. */
  doubted() {
    // One after the other must not put it off for ever.
    if (this.unwell || this.doubtful) return;
    this.doubtful = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.again(), KNOWN_WITHIN);
  }

  /** @private @param {number} milliseconds */
  stale(milliseconds) {
    return performance.now() - this.loadedAt > milliseconds;
  }

  get unwell() {
    const { models } = this.store.state;
    return models === null || models.servers.some((server) => !server.ok);
  }

  /** A hidden tab asks when it is looked at again. */
  again() {
    this.due = document.hidden;
    if (!this.due) this.load();
  }

  async load() {
    clearTimeout(this.timer);
    this.due = false;
    this.doubtful = false;
    this.loadedAt = performance.now();
    try {
      this.store.update({ models: await this.api.get("/models") });
    } catch (fault) {
      failureFrom(fault);
    }
    this.timer = setTimeout(() => this.again(), this.unwell ? AGAIN_AFTER : WELL_FOR);
  }
}

/** Tell the other tabs of this browser that models have come or gone. */
export function announceModels() {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage("changed");
  channel.close();
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
