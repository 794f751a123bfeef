import { html, nothing } from "../../vendor/lit.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";

/** One sentence with the remedy for each model server that is not well, or has no model yet; it goes by itself when that
 * is mended. */
export class ServerNotice extends PageElement {
  static properties = { models: { attribute: false }, manage: { attribute: false } };

  constructor() {
    super();
    /** @type {Wire.Models | null} */
    this.models = null;
    /** Where this person manages models, if they may. @type {string | null} */
    this.manage = null;
  }

  render() {
    const unwell = this.models?.servers.filter((server) => !server.ok) ?? [];
    const empty = this.models?.servers.filter((server) => server.ok && server.kind === "ollama" && !this.has(server)) ?? [];
    if (!unwell.length && !empty.length) return nothing;
    return html`<div class="note note-warning server-notice" role="status">
      ${unwell.map((server) => html`<p>${marked(server.message || away(server))}</p>`)}
      ${empty.map((server) => this.pullOne(server))}
    </div>`;
  }

  /** @param {Wire.ModelServer} server */
  has(server) {
    return this.models?.results.some((model) => model.provider === server.name);
  }

  /** @param {Wire.ModelServer} server */
  pullOne(server) {
    const none = gettext("The model server %(name)s has no model yet.", { name: server.name });
    if (!this.manage) return html`<p>${none} ${gettext("An administrator has to pull one.")}</p>`;
    return html`<p>${none} <a href=${this.manage}>${gettext("Pull one")}</a></p>`;
  }
}

/** @param {Wire.ModelServer} server */
function away({ name }) {
  return gettext("The model server %(name)s cannot be reached.", { name });
}

/** A command between backticks is shown as one. @param {string} sentence */
function marked(sentence) {
  return sentence.split("`").map((piece, index) => (index % 2 ? html`<code>${piece}</code>` : piece));
}

customElements.define("server-notice", ServerNotice);
