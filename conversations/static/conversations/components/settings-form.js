import { html } from "../../vendor/lit.js";
import { readSettings, saveSettings } from "../preferences.js";
import { PageElement } from "./element.js";

/** @type {[Page.TransportChoice, string][]} */
const TRANSPORTS = [
  ["automatic", "Automatic"],
  ["websocket", "WebSocket"],
  ["sse", "Server-Sent Events"],
  ["poll", "Long poll"],
];
/** @type {[Page.Theme, string][]} */
const THEMES = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

/** How answers come and how the page looks; kept in this browser, in force at once. */
export class SettingsForm extends PageElement {
  static properties = { settings: { state: true } };

  constructor() {
    super();
    this.settings = readSettings();
  }

  render() {
    const { settings } = this;
    return html`
      <section class="panel">
        <h2>Answers</h2>
        <label class="switch">
          <input
            type="checkbox"
            role="switch"
            aria-describedby="streaming-help"
            .checked=${settings.streaming}
            @change=${(/** @type {any} */ event) => this.save({ streaming: event.target.checked })}
          />
          <span>Enable Streaming</span>
        </label>
        <p id="streaming-help" class="help">
          With streaming, an answer appears while it is written. Without, it appears at once when it is whole.
        </p>
        <label class="setting">
          <span>Connection</span>
          <select
            .value=${settings.transport}
            ?disabled=${!settings.streaming}
            aria-describedby="transport-help"
            @change=${(/** @type {any} */ event) => this.save({ transport: event.target.value })}
          >
            ${TRANSPORTS.map(
              ([value, name]) => html`<option value=${value} ?selected=${value === settings.transport}>${name}</option>`,
            )}
          </select>
        </label>
        <p id="transport-help" class="help">
          Automatic takes a WebSocket, and where a network breaks that, Server-Sent Events or a long poll.
        </p>
      </section>
      <section class="panel">
        <h2>Appearance</h2>
        <fieldset class="choices">
          <legend>Theme</legend>
          ${THEMES.map(
            ([value, name]) => html`<label>
              <input
                type="radio"
                name="theme"
                value=${value}
                .checked=${value === settings.theme}
                @change=${() => this.save({ theme: value })}
              />
              <span>${name}</span>
            </label>`,
          )}
        </fieldset>
      </section>
    `;
  }

  /** @param {Partial<Page.Settings>} patch */
  save(patch) {
    saveSettings(patch);
    this.settings = readSettings();
    const { theme } = this.settings;
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }
}

customElements.define("settings-form", SettingsForm);
