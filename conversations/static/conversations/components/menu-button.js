import { html, nothing } from "../../vendor/lit.js";
import { PageElement } from "./element.js";
import { placeBeside } from "./placing.js";

/**
 * @typedef {{heading: string}} Heading above the choices that follow
 * @typedef {object} Choice
 * @property {string} name what `onChoose` is called with
 * @property {unknown} text
 * @property {unknown} [icon]
 * @property {boolean} [danger]
 * @property {boolean} [disabled]
 */

/**
 * A button that opens a menu: https://www.w3.org/WAI/ARIA/apg/patterns/menu-button/. Arrow keys walk through it, letters
 * find, Escape and whatever happens outside close it, and the button has the focus again.
 */
export class MenuButton extends PageElement {
  static properties = {
    label: { attribute: false },
    icon: { attribute: false },
    choices: { attribute: false },
    disabled: { attribute: false },
    onChoose: { attribute: false },
    open: { state: true },
  };

  constructor() {
    super();
    /** What the button does, for those who do not see it. */
    this.label = "";
    /** @type {unknown} */
    this.icon = nothing;
    /** Asked when the menu opens. @type {() => (Choice | Heading)[]} */
    this.choices = () => [];
    this.disabled = false;
    /** @type {(name: string) => void} */
    this.onChoose = () => undefined;
    this.open = false;
  }

  render() {
    return html`
      <button
        class="icon-button"
        type="button"
        title=${this.label}
        aria-haspopup="menu"
        aria-expanded=${this.open ? "true" : "false"}
        ?disabled=${this.disabled}
        @click=${this.toggle}
        @keydown=${this.opens}
      >
        ${this.icon}<span class="visually-hidden">${this.label}</span>
      </button>
      <div class="menu" popover="auto" role="menu" aria-label=${this.label} @toggle=${this.toggled}
        @keydown=${this.walk}>
        ${this.open ? this.content() : nothing}
      </div>
    `;
  }

  content() {
    const choices = this.choices();
    const first = choices.findIndex((one) => "name" in one);
    return choices.map((one, index) =>
      "heading" in one
        ? html`<p class="menu-heading" role="presentation">${one.heading}</p>`
        : this.item(one, index === first),
    );
  }

  /** @param {Choice} choice @param {boolean} first what the keyboard comes to */
  item({ name, text, icon, danger, disabled }, first) {
    return html`<button
      class="menu-item ${danger ? "is-danger" : ""}"
      type="button"
      role="menuitem"
      tabindex=${first ? "0" : "-1"}
      aria-disabled=${disabled ? "true" : nothing}
      @click=${() => this.choose(name, disabled)}
    >
      ${icon ?? nothing}<span>${text}</span>
    </button>`;
  }

  /** @returns {HTMLElement} */
  get menu() {
    return /** @type {HTMLElement} */ (this.querySelector(".menu"));
  }

  get items() {
    return /** @type {HTMLElement[]} */ ([...this.querySelectorAll(".menu-item")]);
  }

  get button() {
    return /** @type {HTMLElement} */ (this.querySelector(".icon-button"));
  }

  async toggle() {
    if (this.open) return this.menu.hidePopover();
    await this.show();
    this.items[0]?.focus();
  }

  async show() {
    this.open = true;
    await this.updateComplete;
    this.menu.showPopover();
    placeBeside(this.menu, this.button);
  }

  /** @param {ToggleEvent} event */
  toggled({ newState }) {
    if (newState === "open" || !this.open) return;
    this.open = false;
    if (this.menu.contains(document.activeElement) || document.activeElement === document.body) this.button.focus();
  }

  /** @param {KeyboardEvent} event */
  async opens(event) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    if (!this.open) await this.show();
    this.items.at(event.key === "ArrowUp" ? -1 : 0)?.focus();
  }

  /** @param {KeyboardEvent} event */
  walk(event) {
    const { items } = this;
    const at = items.findIndex((item) => item === document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key] ?? this.found(event, at);
    if (event.key === "Escape" || event.key === "Tab") {
      // The focus goes back first: what is hidden would lose it, and Tab goes on from the button.
      this.button.focus();
      this.menu.hidePopover();
      event.stopPropagation();
    }
    if (to === null) return;
    event.preventDefault();
    items.at(to % items.length)?.focus();
  }

  /** The next item that begins with a letter. @param {KeyboardEvent} event @param {number} at */
  found({ key, ctrlKey, metaKey, altKey }, at) {
    if (key.length !== 1 || key === " " || ctrlKey || metaKey || altKey) return null;
    const { items } = this;
    const round = items.map((_, index) => (at + 1 + index) % items.length);
    const begins = (/** @type {number} */ index) => items[index].innerText.trim().toLowerCase().startsWith(key.toLowerCase());
    return round.find(begins) ?? null;
  }

  /** @param {string} name @param {boolean} [disabled] */
  choose(name, disabled = false) {
    if (disabled) return;
    this.button.focus();
    this.menu.hidePopover();
    this.onChoose(name);
  }
}

customElements.define("menu-button", MenuButton);
