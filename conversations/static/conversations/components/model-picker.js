import { html, live, nothing } from "../../vendor/lit.js";
import { contextLength } from "../format.js";
import { abilitiesOf, groupsOf, MOST, shortName, toggled } from "../picking.js";
import { gettext, ngettext } from "../words.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";
import { placeBeside } from "./placing.js";

/**
 * Which model answers next, or which two to four, side by side: a button that opens a list with a field to search in.
 * https://www.w3.org/WAI/ARIA/apg/patterns/combobox/: the field keeps the focus, arrow keys walk through the list.
 */
export class ModelPicker extends PageElement {
  static properties = {
    models: { attribute: false },
    chosen: { attribute: false },
    beside: { attribute: false },
    onChoose: { attribute: false },
    onLook: { attribute: false },
    open: { state: true },
    comparing: { state: true },
    words: { state: true },
    active: { state: true },
  };

  constructor() {
    super();
    /** @type {Wire.Models | null} */
    this.models = null;
    this.chosen = "";
    /** @type {string[]} */
    this.beside = [];
    /** @type {(models: string[]) => void} the first leads */
    this.onChoose = () => undefined;
    /** Called when somebody is about to choose. @type {() => void} */
    this.onLook = () => undefined;
    this.open = false;
    this.comparing = false;
    this.words = "";
    /** @type {string} the model that Enter takes */
    this.active = "";
  }

  get all() {
    return [this.chosen, ...this.beside.filter((one) => one !== this.chosen)].filter(Boolean);
  }

  render() {
    const known = this.models?.results.find((model) => model.name === this.chosen);
    const alone = this.all.length < 2;
    return html`
      <button
        class="model-button"
        type="button"
        data-testid="model-button"
        data-value=${this.chosen}
        aria-haspopup="dialog"
        aria-expanded=${this.open ? "true" : "false"}
        @click=${this.toggle}
      >
        <span class="visually-hidden">${alone ? gettext("Model") : gettext("Models")}: </span>
        <span class="model-name">${this.label(known)}</span>
        ${icons.chevron}
      </button>
      ${known && alone ? hints(known) : nothing}
      <div class="picker" popover="auto" role="dialog" aria-label=${gettext("Models")} @toggle=${this.toggled}>
        ${this.open ? this.content() : nothing}
      </div>
    `;
  }

  /** @param {Wire.Model | undefined} known */
  label(known) {
    const { chosen, all } = this;
    if (!chosen) return this.models ? gettext("No model") : gettext("Reading the models…");
    if (all.length > 1) {
      return ngettext("%(model)s and %(count)s more", "%(model)s and %(count)s more", all.length - 1, {
        model: shortName(chosen),
      });
    }
    if (!known && this.models) return gettext("%(model)s (not there now)", { model: chosen });
    return known?.parameter_size ? `${chosen} · ${known.parameter_size}` : chosen;
  }

  content() {
    const groups = groupsOf(this.models, this.words);
    const active = this.options(groups).findIndex((option) => option.value === this.active);
    let index = 0;
    return html`
      <div class="picker-head">
        <input
          type="search"
          role="combobox"
          aria-expanded="true"
          aria-autocomplete="list"
          aria-controls="model-options"
          aria-activedescendant=${active < 0 ? nothing : `model-option-${active}`}
          aria-label=${gettext("Search the models")}
          placeholder=${gettext("Search the models")}
          autocomplete="off"
          spellcheck="false"
          data-testid="model-search"
          .value=${live(this.words)}
          @input=${this.search}
          @keydown=${this.walk}
        />
        <label class="switch">
          <input type="checkbox" role="switch" data-testid="compare" .checked=${live(this.comparing)}
            @change=${this.compare} />
          <span>${gettext("Side by side")}</span>
        </label>
      </div>
      <div id="model-options" class="picker-list" role="listbox" aria-label=${gettext("Models")}
        aria-multiselectable=${this.comparing ? "true" : nothing}>
        ${groups.map(
          (group) => html`<div role="group" aria-label=${group.label}>
            <p class="picker-group" aria-hidden="true">${group.label}${group.why ? html`<span>${group.why}</span>` : nothing}</p>
            ${group.options.map((option) => this.option(option, option.away ? -1 : index++))}
          </div>`,
        )}
        ${groups.length ? nothing : html`<p class="picker-none">${gettext("No model is called so.")}</p>`}
      </div>
      ${this.comparing
        ? html`<p class="picker-foot" role="status">
            ${gettext("%(count)s of %(most)s chosen: each answers the next question.", { count: this.all.length, most: MOST })}
          </p>`
        : nothing}
    `;
  }

  /** @param {import("../picking.js").Option} option @param {number} index among those that can be chosen */
  option(option, index) {
    const { value, note, facts, away } = option;
    const taken = this.comparing ? this.all.includes(value) : value === this.chosen;
    const full = this.comparing && !taken && this.all.length >= MOST;
    return html`<div
      id=${away ? nothing : `model-option-${index}`}
      class="picker-option ${value === this.active ? "is-active" : ""}"
      role="option"
      data-value=${value}
      aria-selected=${taken ? "true" : "false"}
      aria-disabled=${away || full ? "true" : nothing}
      @click=${() => this.take(value, away || full)}
      @pointermove=${() => this.point(value, away)}
    >
      <span class="picker-mark" aria-hidden="true">${taken ? icons.check : nothing}</span>
      <span class="picker-name">${shortName(value)} ${note ? html`<span class="picker-note">${note}</span>` : nothing}</span>
      ${facts.length ? html`<span class="picker-facts">${facts.join(" · ")}</span>` : nothing}
    </div>`;
  }

  /** Those that can be chosen. @param {import("../picking.js").Group[]} groups */
  options(groups) {
    return groups.flatMap((group) => group.options).filter((option) => !option.away);
  }

  /** @returns {HTMLElement} */
  get picker() {
    return /** @type {HTMLElement} */ (this.querySelector(".picker"));
  }

  get button() {
    return /** @type {HTMLElement} */ (this.querySelector(".model-button"));
  }

  async toggle() {
    if (this.open) return this.picker.hidePopover();
    this.onLook();
    this.open = true;
    this.words = "";
    this.active = this.chosen;
    this.comparing = this.all.length > 1;
    await this.updateComplete;
    this.picker.showPopover();
    placeBeside(this.picker, this.button);
    this.querySelector("input")?.focus();
    this.showActive();
  }

  /** @param {ToggleEvent} event */
  toggled({ newState }) {
    if (newState === "open" || !this.open) return;
    this.open = false;
    if (this.picker.contains(document.activeElement) || document.activeElement === document.body) this.button.focus();
  }

  /** @param {InputEvent} event */
  async search({ target }) {
    if (!(target instanceof HTMLInputElement)) return;
    this.words = target.value;
    this.active = this.options(groupsOf(this.models, this.words))[0]?.value ?? "";
    await this.showActive();
  }

  /** @param {KeyboardEvent} event */
  walk(event) {
    if (event.isComposing) return;
    const options = this.options(groupsOf(this.models, this.words));
    const at = options.findIndex((option) => option.value === this.active);
    const last = options.length - 1;
    const to = { ArrowDown: at === last ? 0 : at + 1, ArrowUp: at <= 0 ? last : at - 1, PageDown: Math.min(at + 8, last), PageUp: Math.max(at - 8, 0) }[event.key];
    // A field to search in would first empty itself.
    if (event.key === "Escape") this.picker.hidePopover();
    if (event.key === "Enter") {
      event.preventDefault();
      if (this.active) this.take(this.active, false);
    }
    if (to === undefined) return;
    event.preventDefault();
    this.active = options[to]?.value ?? "";
    void this.showActive();
  }

  async showActive() {
    await this.updateComplete;
    this.querySelector(".picker-option.is-active")?.scrollIntoView({ block: "nearest" });
  }

  /** @param {string} value @param {boolean} away */
  point(value, away) {
    if (!away) this.active = value;
  }

  /** @param {string} value @param {boolean} not whether it cannot be chosen */
  take(value, not) {
    if (not) return;
    if (this.comparing) return this.onChoose(toggled(this.all, value));
    this.onChoose([value]);
    this.picker.hidePopover();
  }

  /** @param {Event} event */
  compare({ target }) {
    this.comparing = target instanceof HTMLInputElement && target.checked;
    if (!this.comparing && this.beside.length) this.onChoose([this.chosen]);
    this.querySelector("input")?.focus();
  }
}

/** @param {Wire.Model} model */
function hints(model) {
  if (model.demonstration) {
    return html`<p class="model-hints"><span class="hint is-demo">${gettext("Demonstration, not a language model")}</span></p>`;
  }
  const words = [
    ...abilitiesOf(model),
    ...(model.context_length ? [contextLength(model.context_length)] : []),
    ...(model.loaded ? [gettext("loaded")] : []),
  ];
  if (!words.length) return nothing;
  return html`<p class="model-hints">${words.map((word) => html`<span class="hint">${word}</span>`)}</p>`;
}

customElements.define("model-picker", ModelPicker);
