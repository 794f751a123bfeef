import { html, nothing } from "../../vendor/lit.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";

/**
 * "2 / 3": which version of a message is shown, and the ways to the others. Nothing where there is only one. What is
 * pressed goes up as `version-show`.
 */
export class VersionArrows extends PageElement {
  static properties = { place: { attribute: false } };

  constructor() {
    super();
    /** @type {ReturnType<typeof import("../versions.js").placeOf> | null} */
    this.place = null;
  }

  render() {
    const { place } = this;
    if (!place || place.of < 2) return nothing;
    const { at, of } = place;
    return html`<div class="versions" role="group" aria-label=${gettext("Version %(at)s of %(of)s", { at, of })}>
      ${this.arrow(place.before, false, gettext("Previous version"))}
      <span aria-hidden="true">${at} / ${of}</span>
      ${this.arrow(place.after, true, gettext("Next version"))}
    </div>`;
  }

  /** @param {string | null} messageId @param {boolean} forward @param {string} label */
  arrow(messageId, forward, label) {
    return html`<button
      class="icon-button ${forward ? "" : "is-backward"}"
      type="button"
      title=${label}
      data-testid=${forward ? "next-version" : "previous-version"}
      ?disabled=${messageId === null}
      @click=${() => this.show(String(messageId), forward)}
    >
      ${icons.chevron}<span class="visually-hidden">${label}</span>
    </button>`;
  }

  /** @param {string} messageId @param {boolean} forward */
  show(messageId, forward) {
    this.dispatchEvent(new CustomEvent("version-show", { bubbles: true, detail: { messageId, forward } }));
  }
}

customElements.define("version-arrows", VersionArrows);
