import { html, nothing } from "../../vendor/lit.js";
import { copyFrom } from "../clipboard.js";
import { sends } from "../keys.js";
import { readDraft, readSettings, saveDraft } from "../preferences.js";
import { placeChanged } from "../versions.js";
import { gettext } from "../words.js";
import { filesOf } from "./attached-files.js";
import { PageElement } from "./element.js";
import { iconAct } from "./icon-act.js";
import { icons } from "./icons.js";
import "./version-arrows.js";

/** What a person asked. It can be copied, deleted, and asked anew in other words, which makes another version of it. */
export class QuestionMessage extends PageElement {
  static properties = {
    message: { attribute: false },
    place: { attribute: false, hasChanged: placeChanged },
    busy: { attribute: false },
    conversation: { attribute: false },
    editing: { state: true },
  };

  constructor() {
    super();
    /** @type {Wire.Message | null} */
    this.message = null;
    /** @type {ReturnType<typeof import("../versions.js").placeOf> | null} */
    this.place = null;
    /** Whether an answer is being written in the thread. */
    this.busy = false;
    /** @type {import("../conversation.js").Conversation | null} */
    this.conversation = null;
    this.editing = false;
    this.written = "";
  }

  /** What was being written when the page was left is still being written. */
  firstUpdated() {
    if (this.message && readDraft(this.draft)) this.edit(false);
  }

  get draft() {
    return `edit.${this.message?.id}`;
  }

  get field() {
    return this.querySelector("textarea");
  }

  updated() {
    const { field } = this;
    if (!field) return;
    if (field.value !== this.written) field.value = this.written;
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + 2}px`;
  }

  render() {
    const { message } = this;
    if (!message) return nothing;
    return html`
      <h2 class="visually-hidden">${gettext("You")}</h2>
      ${filesOf(message.attachments)}
      ${this.editing ? this.form() : html`<p class="question">${message.content ?? "…"}</p>${this.foot(message)}`}
    `;
  }

  /** @param {Wire.Message} message */
  foot(message) {
    return html`<div class="question-foot">
      <div class="question-acts">
        ${iconAct("copy-question", gettext("Copy the question"), icons.copy, false, this.copy)}
        ${iconAct("edit-button", gettext("Edit"), icons.pencil, this.busy || message.content === null, () => this.edit(true))}
        ${iconAct("delete-message", gettext("Delete the question"), icons.bin, this.busy, this.askToDelete)}
      </div>
      <version-arrows .place=${this.place}></version-arrows>
    </div>`;
  }

  form() {
    return html`<form class="question-form" @submit=${this.submit}>
      <label class="visually-hidden" for=${this.draft}>${gettext("The question in other words")}</label>
      <textarea
        id=${this.draft}
        data-testid="edit-input"
        rows="2"
        maxlength="400000"
        autocomplete="off"
        aria-describedby=${`${this.draft}.note`}
        @input=${this.input}
        @keydown=${this.keydown}
      ></textarea>
      <div class="question-form-foot">
        <p id=${`${this.draft}.note`}>${gettext("The question and its answers are kept as another version.")}</p>
        <button class="button is-small is-quiet" type="button" @click=${this.leave}>${gettext("Cancel")}</button>
        <button class="button is-small is-main" type="submit" data-testid="ask-again" ?disabled=${this.busy}>
          ${gettext("Send")}
        </button>
      </div>
    </form>`;
  }

  /** @param {boolean} focus */
  async edit(focus) {
    this.written = readDraft(this.draft) || (this.message?.content ?? "");
    this.editing = true;
    await this.updateComplete;
    const { field } = this;
    if (!focus || !field) return;
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }

  /** @param {InputEvent} event */
  input({ target }) {
    if (!(target instanceof HTMLTextAreaElement)) return;
    this.written = target.value;
    saveDraft(this.draft, target.value);
    this.requestUpdate();
  }

  /** @param {KeyboardEvent} event */
  keydown(event) {
    if (event.key === "Escape" && !event.isComposing) {
      event.stopPropagation();
      this.leave();
    }
    if (!sends(event, readSettings().sendKey)) return;
    event.preventDefault();
    this.send();
  }

  /** @param {SubmitEvent} event */
  submit(event) {
    event.preventDefault();
    this.send();
  }

  send() {
    const { message, written } = this;
    if (!message || this.busy || !written.trim()) return;
    this.editing = false;
    saveDraft(this.draft, "");
    this.conversation?.edit(message, written);
    document.getElementById("chat-input")?.focus();
  }

  /** Back to what it was, and to its button. */
  async leave() {
    saveDraft(this.draft, "");
    this.editing = false;
    await this.updateComplete;
    const button = this.querySelector("[data-testid=edit-button]");
    if (button instanceof HTMLElement) button.focus();
  }

  /** @param {MouseEvent} click */
  copy({ currentTarget }) {
    if (!(currentTarget instanceof HTMLElement)) return;
    copyFrom(this.message?.content ?? "", currentTarget, currentTarget.querySelector("span") ?? currentTarget);
  }

  askToDelete() {
    this.dispatchEvent(new CustomEvent("message-delete", { bubbles: true, detail: { message: this.message } }));
  }
}

customElements.define("question-message", QuestionMessage);
