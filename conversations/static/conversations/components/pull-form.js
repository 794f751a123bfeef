import { html, nothing } from "../../vendor/lit.js";
import { around, gettext } from "../words.js";
import { PageElement } from "./element.js";

const EXAMPLES = {
  command: html`<code>ollama pull</code>`,
  name: html`<code>qwen3:8b</code>`,
  address: html`<code>hf.co/user/repository:Q4_K_M</code>`,
};

/** Asks for the name of a model to pull, and for the server where there are several. */
export class PullForm extends PageElement {
  static properties = { servers: { attribute: false }, admin: { attribute: false }, working: { state: true } };

  constructor() {
    super();
    /** @type {Wire.ModelServer[]} */
    this.servers = [];
    /** @type {import("../model_admin.js").ModelAdmin | null} */
    this.admin = null;
    this.working = false;
  }

  render() {
    const { servers } = this;
    return html`<form class="inline-form" @submit=${this.submit}>
        ${servers.length > 1
          ? html`<label class="setting pull-server">
              <span>${gettext("Server")}</span>
              <select name="server">
                ${servers.map((server) => html`<option value=${server.name}>${server.name}</option>`)}
              </select>
            </label>`
          : nothing}
        <label class="setting">
          <span>${gettext("Name of the model")}</span>
          <input
            type="text"
            name="model"
            required
            ?disabled=${!servers.length}
            maxlength="200"
            placeholder="llama3.2"
            autocomplete="off"
            autocapitalize="off"
            spellcheck="false"
            aria-describedby="pull-help"
            data-testid="pull-name"
          />
        </label>
        <button class="button is-main" type="submit" data-testid="pull-button" ?disabled=${this.working || !servers.length}>
          ${gettext("Pull")}
        </button>
      </form>
      <p id="pull-help" class="help">
        ${around(gettext("As for %(command)s: %(name)s, or from Hugging Face %(address)s. It goes on when you leave this page."), EXAMPLES)}
      </p>`;
  }

  /** @param {SubmitEvent} event */
  async submit(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const fields = new FormData(form);
    const model = String(fields.get("model") ?? "").trim();
    const server = String(fields.get("server") ?? this.servers[0]?.name ?? "");
    if (!model || !this.admin) return;
    this.working = true;
    if (await this.admin.pull(server, model)) form.reset();
    this.working = false;
  }
}

customElements.define("pull-form", PullForm);
