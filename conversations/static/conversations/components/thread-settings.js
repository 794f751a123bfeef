import { html, live, nothing } from "../../vendor/lit.js";
import { FIELDS, read, THINKING, written } from "../parameters.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";

const LONGEST_PROMPT = 32_000;

/** What a thread tells every model, and how it is to answer. `edit` opens the form; what is refused stands in it. */
export class ThreadSettings extends PageElement {
  static properties = { texts: { state: true }, prompt: { state: true }, wrong: { state: true }, refusal: { state: true }, saving: { state: true } };

  constructor() {
    super();
    /** @type {import("../parameters.js").Written} */
    this.texts = {};
    this.prompt = "";
    /** @type {Record<string, string>} */
    this.wrong = {};
    /** @type {Wire.Failure | null} */
    this.refusal = null;
    this.saving = false;
    /** @type {(plan: Page.Plan) => Promise<Wire.Failure | null>} */
    this.save = async () => null;
  }

  render() {
    return html`<dialog class="thread-settings" aria-labelledby="thread-settings-title">
      <form @submit=${this.submit} novalidate>
        <h2 id="thread-settings-title">${gettext("Settings of this thread")}</h2>
        <label class="field">
          <span>${gettext("System prompt")}</span>
          <textarea
            rows="4"
            maxlength=${LONGEST_PROMPT}
            data-testid="system-prompt"
            placeholder=${gettext("What every model in this thread is told first")}
            .value=${live(this.prompt)}
            @input=${(/** @type {any} */ event) => (this.prompt = event.target.value)}
          ></textarea>
        </label>
        <label class="field">
          <span>${gettext("Thinking")}</span>
          <select data-name="thinking" @change=${this.input}>
            ${THINKING.map(
              ([value, name]) => html`<option value=${value} ?selected=${value === (this.texts.thinking ?? "")}>${name}</option>`,
            )}
          </select>
        </label>
        <div class="field-grid">${FIELDS.map((field) => this.number(field))}</div>
        ${this.field("stop", gettext("Stop words"), gettext("one a line: the answer ends before them"), html`<textarea
          rows="2"
          data-name="stop"
          aria-describedby="help-stop"
          aria-invalid=${this.wrong.stop ? "true" : "false"}
          .value=${live(this.texts.stop ?? "")}
          @input=${this.input}
        ></textarea>`)}
        ${this.refusal ? html`<p class="note note-error" role="alert">${this.refusal.message}</p>` : nothing}
        <div class="actions">
          <button class="button is-quiet" type="button" @click=${this.reset}>${gettext("Empty all")}</button>
          <button class="button" type="button" @click=${() => this.dialog.close()}>${gettext("Cancel")}</button>
          <button class="button is-main" type="submit" data-testid="save-settings" ?disabled=${this.saving}>
            ${gettext("Save")}
          </button>
        </div>
      </form>
    </dialog>`;
  }

  /** @param {import("../parameters.js").Field} field */
  number({ name, label, help, whole }) {
    return this.field(name, label, help, html`<input
      type="text"
      inputmode=${whole ? "numeric" : "decimal"}
      autocomplete="off"
      data-name=${name}
      aria-describedby=${`help-${name}`}
      aria-invalid=${this.wrong[name] ? "true" : "false"}
      placeholder=${gettext("the model's own")}
      .value=${live(this.texts[name] ?? "")}
      @input=${this.input}
    />`);
  }

  /** @param {string} name @param {string} label @param {string} help @param {unknown} input */
  field(name, label, help, input) {
    const wrong = this.wrong[name];
    return html`<label class="field">
      <span>${label}</span>
      ${input}
      <span id=${`help-${name}`} class=${wrong ? "field-error" : "help"}>${wrong ?? help}</span>
    </label>`;
  }

  get dialog() {
    return /** @type {HTMLDialogElement} */ (this.querySelector("dialog"));
  }

  /** @param {Page.Plan} plan @param {(plan: Page.Plan) => Promise<Wire.Failure | null>} save */
  async edit(plan, save) {
    this.save = save;
    this.prompt = plan.system_prompt;
    this.texts = written(plan.parameters);
    this.wrong = {};
    this.refusal = null;
    await this.updateComplete;
    this.dialog.showModal();
  }

  /** @param {Event} event */
  input({ target }) {
    const input = /** @type {HTMLInputElement} */ (target);
    const { name = "" } = input.dataset;
    this.texts = { ...this.texts, [name]: input.value };
    // What was wrong is looked at again while it is mended; what is being written is not called wrong yet.
    if (this.wrong[name]) this.wrong = { ...this.wrong, [name]: read(this.texts).wrong[name] };
  }

  reset() {
    this.prompt = "";
    this.texts = {};
    this.wrong = {};
  }

  /** @param {SubmitEvent} event */
  async submit(event) {
    event.preventDefault();
    const { parameters, wrong } = read(this.texts);
    this.wrong = wrong;
    const [first] = Object.keys(wrong);
    if (first) {
      const field = this.querySelector(`[data-name=${first}]`);
      if (field instanceof HTMLElement) field.focus();
      return;
    }
    this.saving = true;
    this.refusal = await this.save({ system_prompt: this.prompt, parameters });
    this.saving = false;
    if (!this.refusal) this.dialog.close();
  }
}

customElements.define("thread-settings", ThreadSettings);
