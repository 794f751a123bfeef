import { html, live, nothing } from "../../vendor/lit.js";
import { contextLength } from "../format.js";
import { modelGroups } from "../models.js";
import { PageElement } from "./element.js";

/** Which model answers next: by server, with what it can do; the demonstration says that it is one. */
export class ModelSelect extends PageElement {
  static properties = { models: { attribute: false }, value: { attribute: false }, onChoose: { attribute: false }, onLook: { attribute: false } };

  constructor() {
    super();
    /** @type {Wire.Models | null} */
    this.models = null;
    this.value = "";
    /** @type {(model: string) => void} */
    this.onChoose = () => undefined;
    /** Called when somebody is about to choose. @type {() => void} */
    this.onLook = () => undefined;
  }

  render() {
    const models = this.models?.results ?? [];
    const chosen = models.find((model) => model.name === this.value);
    return html`
      <label class="model-select">
        <span class="visually-hidden">Model</span>
        <select data-testid="model-select" .value=${live(this.value)} @change=${this.choose} @focus=${this.onLook}>
          ${modelGroups(this.models).map(
            ({ label, options }) => html`<optgroup label=${label}>${options.map((one) => this.option(one))}</optgroup>`,
          )}
          ${chosen ? nothing : missing(this.value, this.models !== null)}
        </select>
      </label>
      ${chosen ? hints(chosen) : nothing}
    `;
  }

  /** @param {{value: string, text: string, away: boolean}} one */
  option({ value, text, away }) {
    // One that is away and chosen is shown as what is missing.
    if (away && value === this.value) return nothing;
    return html`<option value=${value} ?selected=${value === this.value} ?disabled=${away}>${text}</option>`;
  }

  /** @param {Event} event */
  choose(event) {
    if (event.target instanceof HTMLSelectElement) this.onChoose(event.target.value);
  }
}

/** @param {string} value @param {boolean} known */
function missing(value, known) {
  if (!value) return html`<option value="" selected>${known ? "No model" : "Reading the models…"}</option>`;
  return html`<option value=${value} selected>${known ? `${value} (not there now)` : value}</option>`;
}

/** @param {Wire.Model} model */
function hints(model) {
  if (model.demonstration) {
    return html`<p class="model-hints"><span class="hint is-demo">Demonstration, not a language model</span></p>`;
  }
  const words = [
    ...["thinking", "tools", "vision"].filter((one) => model.capabilities.includes(one)),
    ...(model.context_length ? [contextLength(model.context_length)] : []),
    ...(model.loaded ? ["loaded"] : []),
  ];
  if (!words.length) return nothing;
  return html`<p class="model-hints">${words.map((word) => html`<span class="hint">${word}</span>`)}</p>`;
}

customElements.define("model-select", ModelSelect);
