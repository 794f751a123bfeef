import { html, nothing } from "../../vendor/lit.js";
import { sends } from "../keys.js";
import { chosenModel } from "../models.js";
import { readDraft, saveDraft } from "../preferences.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";
import "./attached-files.js";
import "./model-picker.js";

const DRAGGING = /** @type {const} */ (["dragover", "dragleave", "drop"]);

/** Where people write. What is not sent yet is kept as this thread's draft. */
export class ChatComposer extends PageElement {
  static properties = {
    state: { attribute: false },
    busy: { attribute: false },
    queues: { attribute: false },
    conversation: { attribute: false },
    text: { state: true },
    waits: { state: true },
    dropping: { state: true },
  };

  constructor() {
    super();
    /** @type {Page.State | null} */
    this.state = null;
    this.busy = false;
    /** Whether what is sent while an answer is written waits its turn. */
    this.queues = false;
    /** @type {import("../conversation.js").Conversation | null} */
    this.conversation = null;
    /** Called when somebody is about to choose a model. @type {() => void} */
    this.onLook = () => undefined;
    this.text = "";
    /** @type {string | null | undefined} the thread whose draft this is */
    this.thread = undefined;
    this.failed = false;
    this.handedBack = 0;
    /** Whether the message is sent as soon as its files are there. */
    this.waits = false;
    /** Whether files are being dragged over the page. */
    this.dropping = false;
    /** @type {string | null} the text that it is as high as */
    this.fitted = null;
    this.fittedWidth = 0;
    this.dragged = this.dragged.bind(this);
  }

  connectedCallback() {
    super.connectedCallback();
    // Wherever on the page they are dropped: else the browser would leave it for the file.
    for (const event of DRAGGING) addEventListener(event, this.dragged);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    for (const event of DRAGGING) removeEventListener(event, this.dragged);
  }

  get files() {
    return this.conversation?.files ?? null;
  }

  /** Whether fingers write here: the key on the screen's keyboard makes a new line, and the button sends. */
  get fingers() {
    return matchMedia("(pointer: coarse)").matches;
  }

  get field() {
    return /** @type {HTMLTextAreaElement | null} */ (this.querySelector("textarea"));
  }

  willUpdate() {
    const { state } = this;
    if (!state) return;
    if (state.threadId !== this.thread) {
      if (this.thread !== null) this.waits = false;
      // The first message gave this thread its address; what is being written meanwhile stays.
      if (this.thread === null && this.text) saveDraft(state.threadId, this.text);
      this.thread = state.threadId;
      this.text = readDraft(state.threadId);
    }
    const failed = state.pending?.status === "failed" && state.pending.threadId === state.threadId;
    if (this.failed && !failed && !this.text) this.text = readDraft(state.threadId);
    this.failed = failed;
    if (this.handedBack !== state.handedBack && !this.text) this.text = readDraft(state.threadId);
    this.handedBack = state.handedBack;
  }

  firstUpdated() {
    this.takeFocus();
  }

  updated() {
    const { field } = this;
    if (!field) return;
    if (field.value !== this.text) field.value = this.text;
    this.fit(field);
    if (!this.waits || this.files?.underWay) return;
    this.waits = false;
    if (!this.files?.refused) this.send();
  }

  /** As high as its text. Only where that has changed: to measure it lays the whole page out.
   * @param {HTMLTextAreaElement} field */
  fit(field) {
    if (field.value === this.fitted && field.clientWidth === this.fittedWidth) return;
    this.fitted = field.value;
    this.fittedWidth = field.clientWidth;
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  }

  render() {
    const { state } = this;
    const models = state?.models ?? null;
    const attached = state?.attached ?? [];
    return html`<form class="composer ${this.dropping ? "is-dropping" : ""}" @submit=${this.submit}>
      <attached-files .attached=${attached} .waits=${this.waits} .files=${this.files}></attached-files>
      <label class="visually-hidden" for="chat-input">${gettext("Message")}</label>
      <textarea
        id="chat-input"
        data-testid="chat-input"
        rows="1"
        placeholder=${attached.length ? gettext("Ask something about it") : gettext("Write a message")}
        autocomplete="off"
        maxlength="400000"
        aria-describedby="composer-keys"
        @input=${this.input}
        @keydown=${this.keydown}
        @paste=${this.paste}
      ></textarea>
      <span id="composer-keys" class="visually-hidden">${this.keys()}</span>
      <div class="composer-foot">
        <input class="visually-hidden" type="file" multiple tabindex="-1" aria-hidden="true" data-testid="file-input"
          @change=${this.picked} />
        <button class="icon-button" type="button" title=${gettext("Attach files")} data-testid="attach-button" @click=${this.pick}>
          ${icons.clip}<span class="visually-hidden">${gettext("Attach files")}</span>
        </button>
        <model-picker
          .models=${models}
          .chosen=${state ? chosenModel(state) : ""}
          .beside=${state?.beside ?? []}
          .onChoose=${(/** @type {string[]} */ chosen) => this.conversation?.chooseModels(chosen)}
          .onLook=${this.onLook}
        ></model-picker>
        ${this.busy ? this.stopButton() : nothing}
        ${!this.busy || (this.queues && this.text.trim()) ? this.sendButton() : nothing}
      </div>
    </form>`;
  }

  keys() {
    if (this.fingers) return gettext("The button beside it sends.");
    return this.state?.settings.sendKey === "modifier-enter"
      ? gettext("Control or Command and Enter sends, Enter begins a new line.")
      : gettext("Enter sends, Shift and Enter begins a new line.");
  }

  sendButton() {
    return html`<button class="round-button" type="submit" data-testid="send-button"
      ?disabled=${!this.text.trim() || this.waits}>
      ${icons.send}<span class="visually-hidden">${this.busy ? gettext("Send when the answer is done") : gettext("Send")}</span>
    </button>`;
  }

  stopButton() {
    const stopping = this.state?.live?.stopping ?? false;
    return html`<button
      class="round-button is-stop"
      type="button"
      data-testid="cancel-button"
      ?disabled=${stopping}
      @click=${() => this.conversation?.stop()}
    >
      ${icons.stop}<span class="visually-hidden">${gettext("Stop")}</span>
    </button>`;
  }

  /** @param {InputEvent} event */
  input(event) {
    if (event.target instanceof HTMLTextAreaElement) this.write(event.target.value);
  }

  /** @param {KeyboardEvent} event */
  keydown(event) {
    if (event.key === "ArrowUp" && !this.text && !event.altKey) {
      this.dispatchEvent(new Event("edit-last-question", { bubbles: true }));
    }
    if (!sends(event, this.state?.settings.sendKey ?? "enter") || this.fingers) return;
    event.preventDefault();
    this.send();
  }

  pick() {
    const input = this.querySelector("input[type=file]");
    if (input instanceof HTMLInputElement) input.click();
  }

  /** @param {Event} event */
  picked({ target }) {
    if (!(target instanceof HTMLInputElement)) return;
    this.files?.add(target.files ?? []);
    target.value = ""; // the same file may be picked again
    this.takeFocus();
  }

  /** Pictures, and files that were copied; where there is text beside a picture of it, the text is meant.
   * @param {ClipboardEvent} event */
  paste(event) {
    const data = event.clipboardData;
    if (!data?.files.length || data.types.includes("text/plain")) return;
    event.preventDefault();
    this.files?.add(data.files);
  }

  /** @param {DragEvent} event */
  dragged(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    this.dropping = event.type === "dragover";
    if (event.type === "drop") this.files?.add(event.dataTransfer.files);
  }

  /** @param {SubmitEvent} event */
  submit(event) {
    event.preventDefault();
    this.send();
  }

  send() {
    const { text } = this;
    if ((this.busy && !this.queues) || !text.trim()) return;
    if (this.files?.underWay) {
      this.waits = true;
      return;
    }
    this.waits = false;
    this.write("");
    this.conversation?.send(text);
    this.takeFocus();
  }

  /** Not where a finger writes: the keyboard on the screen would cover the answer. */
  takeFocus() {
    if (this.fingers) this.field?.blur();
    else this.field?.focus();
  }

  /** @param {string} text */
  write(text) {
    this.text = text;
    saveDraft(this.thread ?? null, text);
  }
}

customElements.define("chat-composer", ChatComposer);
