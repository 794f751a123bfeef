import { html, nothing } from "../../vendor/lit.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";
import "./menu-button.js";

/** One thread of the list: opened by its link, renamed in place, and what else its menu has. */
export class ThreadRow extends PageElement {
  static properties = {
    thread: { attribute: false },
    href: { attribute: false },
    current: { attribute: false },
    answering: { attribute: false },
    editing: { state: true },
  };

  constructor() {
    super();
    /** @type {Wire.Thread | null} */
    this.thread = null;
    this.href = "";
    this.current = false;
    this.answering = false;
    this.editing = false;
  }

  render() {
    const { thread } = this;
    if (!thread) return nothing;
    const title = thread.title || gettext("New thread");
    return html`<div class="thread-row ${this.current ? "is-current" : ""}">
      ${this.editing ? this.field(thread) : this.link(title)}
      ${this.editing
        ? nothing
        : html`<menu-button
            class="thread-acts"
            .label=${gettext("What can be done with %(title)s", { title })}
            .icon=${icons.more}
            .choices=${() => choices(thread)}
            .onChoose=${(/** @type {string} */ name) => this.chosen(name)}
          ></menu-button>`}
    </div>`;
  }

  /** @param {string} title */
  link(title) {
    return html`<a href=${this.href} title=${title} aria-current=${this.current ? "page" : nothing}>
      <span class="thread-title">${title}</span>
      ${this.answering ? html`<span class="pulse"><span class="visually-hidden">${gettext("is answering")}</span></span>` : nothing}
    </a>`;
  }

  /** @param {Wire.Thread} thread */
  field(thread) {
    return html`<input
      class="thread-rename"
      type="text"
      aria-label=${gettext("Title")}
      maxlength="200"
      .value=${thread.title}
      @keydown=${this.keydown}
      @blur=${this.save}
    />`;
  }

  /** @param {string} name */
  chosen(name) {
    if (name === "thread-rename") this.edit();
    else this.tell(name);
  }

  async edit() {
    this.editing = true;
    await this.updateComplete;
    this.querySelector("input")?.select();
  }

  /** @param {KeyboardEvent} event */
  keydown(event) {
    if (event.key === "Enter" && !event.isComposing) this.finish(true);
    if (event.key === "Escape") this.finish(false);
  }

  save() {
    if (this.editing) this.finish(true, false);
  }

  /** @param {boolean} keep @param {boolean} [refocus] */
  async finish(keep, refocus = true) {
    const title = this.querySelector("input")?.value.trim() ?? "";
    this.editing = false;
    if (keep && title && title !== this.thread?.title) this.tell("thread-rename", title);
    await this.updateComplete;
    if (refocus) this.querySelector("a")?.focus();
  }

  /** @param {string} name @param {string} [title] */
  tell(name, title) {
    this.dispatchEvent(new CustomEvent(name, { bubbles: true, detail: { thread: this.thread, title } }));
  }
}

/** @param {Wire.Thread} thread @returns {import("./menu-button.js").Choice[]} */
function choices({ pinned, archived }) {
  return [
    { name: "thread-rename", text: gettext("Rename"), icon: icons.pencil },
    { name: "thread-pin", text: pinned ? gettext("Unpin") : gettext("Pin"), icon: icons.pin },
    {
      name: "thread-archive",
      text: archived ? gettext("Take out of the archive") : gettext("Archive"),
      icon: icons.box,
    },
    { name: "thread-delete", text: gettext("Delete"), icon: icons.bin, danger: true },
  ];
}

customElements.define("thread-row", ThreadRow);
