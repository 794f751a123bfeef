import { html, live, nothing } from "../../vendor/lit.js";
import { APPLE } from "../apple.js";
import { onSettings, readSettings, saveSettings } from "../preferences.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";

/** @type {[Page.TransportChoice, string][]} */
const TRANSPORTS = [
  ["automatic", gettext("Automatic")],
  ["websocket", "WebSocket"],
  ["sse", "Server-Sent Events"],
  ["poll", gettext("Long poll")],
];
/** @type {[Page.Theme, string][]} */
const THEMES = [
  ["system", gettext("As the system")],
  ["light", gettext("Light")],
  ["dark", gettext("Dark")],
];
/** @type {[Page.TextSize, string][]} */
const SIZES = [
  ["small", gettext("Small")],
  ["normal", gettext("Normal")],
  ["large", gettext("Large")],
  ["largest", gettext("Largest")],
];
/** @type {[Page.Settings["thinking"], string][]} */
const THINKING = [
  ["while", gettext("While it thinks")],
  ["always", gettext("Always")],
  ["never", gettext("When I unfold it")],
];
/** @type {[Page.Settings["sendKey"], string][]} */
const KEYS = [
  ["enter", gettext("Enter")],
  ["modifier-enter", APPLE ? "⌘ Enter" : gettext("Ctrl and Enter")],
];

/** How answers come and how the page looks; kept in this browser, in force at once in all its tabs. */
export class SettingsForm extends PageElement {
  static properties = { settings: { state: true } };

  constructor() {
    super();
    this.settings = readSettings();
    onSettings(() => {
      this.settings = readSettings();
    });
  }

  render() {
    const { settings } = this;
    return html`
      <section class="panel">
        <h2>${gettext("Answers")}</h2>
        ${this.flag("streaming", gettext("Enable Streaming"), "streaming-help")}
        <p id="streaming-help" class="help">
          ${gettext("With streaming, an answer appears while it is written. Without, it appears at once when it is whole.")}
        </p>
        <label class="setting">
          <span>${gettext("Connection")}</span>
          <select
            .value=${settings.transport}
            ?disabled=${!settings.streaming}
            aria-describedby="transport-help"
            @change=${(/** @type {any} */ event) => saveSettings({ transport: event.target.value })}
          >
            ${TRANSPORTS.map(
              ([value, name]) => html`<option value=${value} ?selected=${value === settings.transport}>${name}</option>`,
            )}
          </select>
        </label>
        <p id="transport-help" class="help">
          ${gettext("Automatic takes a WebSocket, and where a network breaks that, Server-Sent Events or a long poll.")}
        </p>
        ${this.choice("thinking", gettext("Show what the model thinks"), THINKING)}
        ${this.flag("speed", gettext("Show speed and tokens under answers"))}
      </section>
      <section class="panel">
        <h2>${gettext("Writing")}</h2>
        ${this.choice("sendKey", gettext("A message is sent by"), KEYS)}
        <p class="help">${gettext("Shift and Enter always begins a new line.")}</p>
      </section>
      <section class="panel">
        <h2>${gettext("Appearance")}</h2>
        ${this.choice("theme", gettext("Theme"), THEMES)} ${this.choice("textSize", gettext("Text size"), SIZES)}
      </section>
    `;
  }

  /** @param {"streaming" | "speed"} name @param {string} label @param {string} [help] the id of what explains it */
  flag(name, label, help) {
    return html`<label class="switch">
      <input
        type="checkbox"
        role="switch"
        aria-describedby=${help ?? nothing}
        .checked=${live(this.settings[name])}
        @change=${(/** @type {any} */ event) => saveSettings({ [name]: event.target.checked })}
      />
      <span>${label}</span>
    </label>`;
  }

  /** @param {"theme" | "textSize" | "thinking" | "sendKey"} name @param {string} legend @param {[string, string][]} choices */
  choice(name, legend, choices) {
    return html`<fieldset class="choices">
      <legend>${legend}</legend>
      ${choices.map(
        ([value, text]) => html`<label>
          <input
            type="radio"
            name=${name}
            value=${value}
            .checked=${live(value === this.settings[name])}
            @change=${() => saveSettings({ [name]: value })}
          />
          <span>${text}</span>
        </label>`,
      )}
    </fieldset>`;
  }
}

customElements.define("settings-form", SettingsForm);
