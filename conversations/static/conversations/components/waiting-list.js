import { html, nothing, repeat } from "../../vendor/lit.js";
import { gettext } from "../words.js";
import { filesOf } from "./attached-files.js";
import { PageElement } from "./element.js";

/** What has been written while the answer is: it waits on the server, and may be changed and withdrawn until its turn. */
export class WaitingList extends PageElement {
  static properties = {
    waiting: { attribute: false },
    adding: { attribute: false },
    queue: { attribute: false },
    editing: { state: true },
    acting: { state: true },
  };

  constructor() {
    super();
    /** @type {Wire.Run[]} */
    this.waiting = [];
    /** @type {Page.Adding[]} on their way to the server, or refused */
    this.adding = [];
    /** @type {import("../queue.js").Queue | null} */
    this.queue = null;
    /** @type {string | null} the run whose text is being changed */
    this.editing = null;
    /** @type {string | null} the run of which something is asked from the server */
    this.acting = null;
    this.written = "";
    /** @type {{id: string, index: number} | null} what was withdrawn here, and had the focus */
    this.leaving = null;
  }

  willUpdate() {
    if (!this.editing || this.waiting.some((run) => run.id === this.editing)) return;
    // Its turn came, or it was withdrawn elsewhere, while it was being changed here.
    if (!this.acting) this.queue?.handBack(this.written);
    this.editing = null;
  }

  updated() {
    const { leaving } = this;
    if (!leaving || this.waiting.some((run) => run.id === leaving.id)) return;
    this.leaving = null;
    const others = this.querySelectorAll("[data-testid=withdraw-button]");
    this.focusOn(others[Math.min(leaving.index, others.length - 1)] ?? document.getElementById("chat-input"));
  }

  render() {
    const { waiting, adding } = this;
    if (!waiting.length && !adding.length) return nothing;
    return html`<section class="waiting" aria-label=${gettext("Waiting messages")}>
      <p class="waiting-note">${gettext("Waiting until the answer is done")}</p>
      <ol>
        ${repeat(
          waiting,
          (run) => run.id,
          (run, index) => html`<li class="waiting-message" data-testid="waiting-message">
            ${this.editing === run.id ? this.form(run, index) : this.card(run, index)}
          </li>`,
        )}
        ${repeat(adding, ({ key }) => key, (one) => this.onItsWay(one))}
      </ol>
    </section>`;
  }

  /** @param {Wire.Run} run @param {number} index */
  card(run, index) {
    const name = html`<span class="visually-hidden"> ${gettext("waiting message %(number)s", { number: index + 1 })}</span>`;
    const still = this.acting === run.id;
    return html`${filesOf(run.request?.attachments)}
      <p class="waiting-text">${run.request?.content}</p>
      <div class="waiting-acts">
        <button class="button is-small is-quiet" type="button" data-testid="edit-waiting-button" ?disabled=${still}
          @click=${() => this.edit(run)}>${gettext("Edit")}${name}</button>
        <button class="button is-small is-quiet" type="button" data-testid="withdraw-button" ?disabled=${still}
          @click=${() => this.withdraw(run, index)}>${gettext("Withdraw")}${name}</button>
      </div>`;
  }

  /** @param {Wire.Run} run @param {number} index */
  form(run, index) {
    const still = this.acting === run.id;
    return html`<form @submit=${(/** @type {SubmitEvent} */ event) => this.submit(event, run)}>
      <label class="visually-hidden" for="waiting-input">
        ${gettext("Waiting message %(number)s", { number: index + 1 })}
      </label>
      <textarea
        id="waiting-input"
        data-testid="waiting-input"
        rows="2"
        maxlength="400000"
        autocomplete="off"
        aria-describedby="waiting-keys"
        ?disabled=${still}
        @input=${this.input}
        @keydown=${(/** @type {KeyboardEvent} */ event) => this.keydown(event, run)}
      ></textarea>
      <span id="waiting-keys" class="visually-hidden">${gettext("Enter saves, Escape leaves it as it was.")}</span>
      <div class="waiting-acts">
        <button class="button is-small is-main" type="submit" data-testid="save-waiting-button" ?disabled=${still}>
          ${gettext("Save")}
        </button>
        <button class="button is-small is-quiet" type="button" ?disabled=${still} @click=${() => this.leave(run)}>
          ${gettext("Cancel")}
        </button>
      </div>
    </form>`;
  }

  /** @param {Page.Adding} adding */
  onItsWay(adding) {
    const { status, content, error } = adding;
    if (status !== "failed") {
      const words = status === "lost" ? gettext("Connection lost. Sending again…") : gettext("Sending…");
      return html`<li class="waiting-message is-pending">
        ${filesOf(adding.attachments)}
        <p class="waiting-text">${content}</p>
        <p class="waiting-note">${words}</p>
      </li>`;
    }
    return html`<li class="waiting-message is-refused">
      <p class="waiting-text">${content}</p>
      <div class="error-status" role="alert">
        <p>${error?.message ?? gettext("The message could not be sent.")}</p>
        <button class="button is-small" type="button" @click=${() => this.queue?.deliver(adding)}>
          ${gettext("Retry")}
        </button>
        <button class="button is-small is-quiet" type="button" @click=${() => this.queue?.discard(adding)}>
          ${gettext("Discard")}
        </button>
      </div>
    </li>`;
  }

  /** @param {Wire.Run} run */
  async edit(run) {
    this.editing = run.id;
    this.written = run.request?.content ?? "";
    await this.updateComplete;
    const field = this.querySelector("textarea");
    if (!field) return;
    field.value = this.written;
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }

  /** @param {InputEvent} event */
  input(event) {
    if (event.target instanceof HTMLTextAreaElement) this.written = event.target.value;
  }

  /** @param {KeyboardEvent} event @param {Wire.Run} run */
  keydown(event, run) {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      this.leave(run);
    }
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    this.save(run);
  }

  /** @param {SubmitEvent} event @param {Wire.Run} run */
  submit(event, run) {
    event.preventDefault();
    this.save(run);
  }

  /** @param {Wire.Run} run */
  async save(run) {
    const { written, queue } = this;
    if (!written.trim() || !queue || this.acting) return;
    if (written === run.request?.content) return this.leave(run);
    this.acting = run.id;
    const done = await queue.change(run, written);
    this.acting = null;
    if (done) await this.leave(run);
  }

  /** Back to the card, and to its button. @param {Wire.Run} run */
  async leave(run) {
    this.editing = null;
    await this.updateComplete;
    const at = this.waiting.findIndex((one) => one.id === run.id);
    this.focusOn(this.querySelectorAll("[data-testid=edit-waiting-button]")[at]);
  }

  /** @param {Wire.Run} run @param {number} index */
  async withdraw(run, index) {
    if (this.acting) return;
    this.acting = run.id;
    this.leaving = { id: run.id, index };
    if (!(await this.queue?.withdraw(run))) this.leaving = null;
    this.acting = null;
  }

  /** @param {Element | null | undefined} element */
  focusOn(element) {
    if (element instanceof HTMLElement) element.focus();
  }
}

customElements.define("waiting-list", WaitingList);
