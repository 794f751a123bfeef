/** The models of the servers, for who manages them: lists, pulls under way, and what is done to them. */

import { failureFrom } from "./api.js";
import { announceModels } from "./models.js";
import { isOpen, Pace, spoken } from "./pull_progress.js";
import { gettext } from "./words.js";

const WHILE_OPEN = 1_000;
const ELSE = 15_000;
// Another process of the server may list a model so much later.
const LISTED_WITHIN = 6_000;

export class ModelAdmin {
  /** @param {import("./api.js").Api} api @param {() => void} onChange */
  constructor(api, onChange) {
    this.api = api;
    this.onChange = onChange;
    /** @type {Wire.Models | null} */
    this.models = null;
    /** @type {Wire.Pull[]} */
    this.pulls = [];
    /** @type {Wire.Failure | null} */
    this.failure = null;
    /** What is being done to a model, by its full name. @type {Map<string, string>} */
    this.acts = new Map();
    /** @type {Map<string, Pace>} */
    this.paces = new Map();
    this.sentence = "";
    this.read = false; // the list of pulls, once
    this.timer = 0;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.look();
    });
  }

  start() {
    return Promise.all([this.list(), this.look()]);
  }

  async list() {
    try {
      this.models = await this.api.get("/models?all=1");
    } catch (fault) {
      this.failure = failureFrom(fault);
    }
    this.onChange();
  }

  /** The models of a server, each once: an alias is another name of one of them. @param {string} server */
  modelsOf(server) {
    return this.models?.results.filter((model) => model.provider === server && !model.alias_of) ?? [];
  }

  /** How far the pulls are, again and again while somebody looks. */
  async look() {
    clearTimeout(this.timer);
    try {
      this.take((await this.api.get("/model-pulls")).results);
    } catch (fault) {
      // The next look may go well; a page that cries each second helps nobody.
      if (!this.read) this.failure = failureFrom(fault);
    }
    this.onChange();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!document.hidden) this.look();
    }, this.pulls.some(isOpen) ? WHILE_OPEN : ELSE);
  }

  /** @param {Wire.Pull[]} pulls @param {number} [now] */
  take(pulls, now = performance.now()) {
    const before = new Map(this.pulls.map((pull) => [pull.id, pull]));
    for (const pull of pulls) {
      const was = before.get(pull.id);
      this.sentence = spoken(was, pull) || this.sentence;
      if (pull.status === "pulling") this.pace(pull).see(pull.completed, now);
      else this.paces.delete(pull.id);
      if (this.read && pull.status === "done" && was?.status !== "done") this.changed();
    }
    this.pulls = pulls;
    this.read = true;
  }

  /** @param {Wire.Pull} pull @returns {number | null} */
  speed(pull) {
    return this.paces.get(pull.id)?.speed(performance.now()) ?? null;
  }

  /** @param {string} server @param {string} model @returns {Promise<boolean>} whether it was taken */
  async pull(server, model) {
    const asked = await this.perform(() => this.api.post("/model-pulls", { server, model }));
    if (asked) await this.look();
    return asked;
  }

  /** @param {Wire.Pull} pull */
  async cancel(pull) {
    await this.perform(() => this.api.call("POST", `/model-pulls/${pull.id}/cancel`));
    await this.look();
  }

  /** @param {string} name */
  async load(name) {
    await this.act(name, gettext("Loading…"), async () => {
      // Each answer that says "not yet" is asked after again: the same load goes on meanwhile.
      while (!(await this.api.post("/models/load", { model: name })).loaded);
      this.sentence = gettext("%(model)s is loaded.", { model: name });
    });
  }

  /** @param {string} name */
  async unload(name) {
    await this.act(name, gettext("Unloading…"), async () => {
      await this.api.post("/models/unload", { model: name });
      this.sentence = gettext("%(model)s is not in memory any more.", { model: name });
    });
  }

  /** @param {string} name */
  async remove(name) {
    await this.act(name, gettext("Deleting…"), async () => {
      await this.api.delete(`/models/${name.split("/").map(encodeURIComponent).join("/")}`);
      this.sentence = gettext("%(model)s is deleted.", { model: name });
    });
  }

  /** @private @param {string} name @param {string} words @param {() => Promise<void>} work */
  async act(name, words, work) {
    if (this.acts.has(name)) return;
    this.acts.set(name, words);
    const done = await this.perform(work);
    if (done) await this.changed();
    this.acts.delete(name);
    this.onChange();
  }

  /** Models have come or gone: here, and in this browser's other tabs. @private */
  async changed() {
    announceModels();
    setTimeout(() => {
      announceModels();
      this.list();
    }, LISTED_WITHIN);
    await this.list();
  }

  /** @private @param {() => Promise<unknown>} work @returns {Promise<boolean>} whether it went well */
  async perform(work) {
    this.failure = null;
    this.onChange();
    try {
      await work();
      return true;
    } catch (fault) {
      this.failure = failureFrom(fault);
      return false;
    } finally {
      this.onChange();
    }
  }

  /** @private @param {Wire.Pull} pull */
  pace(pull) {
    const known = this.paces.get(pull.id) ?? new Pace();
    this.paces.set(pull.id, known);
    return known;
  }
}
