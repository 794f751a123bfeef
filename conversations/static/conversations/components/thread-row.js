import { html, nothing } from "../../vendor/lit.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";

/** One thread of the list: opened by its link, renamed in place, deleted after a question. */
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
    const title = thread.title || "New thread";
    return html`<div class="thread-row ${this.current ? "is-current" : ""}">
      ${this.editing ? this.field(thread) : this.link(title)}
      ${this.editing
        ? nothing
        : html`<span class="thread-acts">
            <button class="icon-button" type="button" title="Rename" @click=${this.edit}>
              ${icons.pencil}<span class="visually-hidden">Rename ${title}</span>
            </button>
            <button class="icon-button" type="button" title="Delete" @click=${() => this.tell("thread-delete")}>
              ${icons.bin}<span class="visually-hidden">Delete ${title}</span>
            </button>
          </span>`}
    </div>`;
  }

  /** @param {string} title */
  link(title) {
    return html`<a href=${this.href} title=${title} aria-current=${this.current ? "page" : nothing}>
      <span class="thread-title">${title}</span>
      ${this.answering ? html`<span class="pulse"><span class="visually-hidden">is answering</span></span>` : nothing}
    </a>`;
  }

  /** @param {Wire.Thread} thread */
  field(thread) {
    return html`<input
      class="thread-rename"
      type="text"
      aria-label="Title"
      maxlength="200"
      .value=${thread.title}
      @keydown=${this.keydown}
      @blur=${this.save}
    />`;
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

customElements.define("thread-row", ThreadRow);
