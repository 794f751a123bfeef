import { html, nothing } from "../../vendor/lit.js";
import { PageElement } from "./element.js";

/** One sentence with the remedy for each model server that is not well; it goes by itself when the server is. */
export class ServerNotice extends PageElement {
  static properties = { models: { attribute: false } };

  constructor() {
    super();
    /** @type {Wire.Models | null} */
    this.models = null;
  }

  render() {
    const unwell = this.models?.servers.filter((server) => !server.ok) ?? [];
    if (!unwell.length) return nothing;
    return html`<div class="note note-warning server-notice" role="status">
      ${unwell.map((server) => html`<p>${marked(server.message || `The model server ${server.name} cannot be reached.`)}</p>`)}
    </div>`;
  }
}

/** A command between backticks is shown as one. @param {string} sentence */
function marked(sentence) {
  return sentence.split("`").map((piece, index) => (index % 2 ? html`<code>${piece}</code>` : piece));
}

customElements.define("server-notice", ServerNotice);
