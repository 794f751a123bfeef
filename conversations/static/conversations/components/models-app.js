import { html, nothing } from "../../vendor/lit.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";
import { mark } from "./icons.js";
import "./confirm-dialog.js";
import "./pull-form.js";
import "./pull-list.js";
import "./server-models.js";

/** The page of models, for who manages them. */
export class ModelsApp extends PageElement {
  static properties = { boot: { attribute: false }, admin: { attribute: false } };

  constructor() {
    super();
    /** @type {Page.Boot | null} */
    this.boot = null;
    /** @type {import("../model_admin.js").ModelAdmin | null} */
    this.admin = null;
  }

  render() {
    const { boot, admin } = this;
    if (!boot || !admin) return nothing;
    const servers = admin.models?.servers.filter((server) => server.kind !== "demo") ?? [];
    const pulling = servers.filter((server) => server.kind === "ollama");
    return html`
      <header class="settings-head">
        <a class="wordmark" href=${boot.urls.home}>${mark}<span>chatserver</span></a>
        <a class="button is-quiet" href=${boot.urls.home}>${gettext("Back to the chat")}</a>
      </header>
      <main class="settings">
        <h1>${gettext("Models")}</h1>
        ${admin.failure ? html`<p class="error-status" role="alert">${admin.failure.message}</p>` : nothing}
        <section class="panel">
          <h2>${gettext("Pull a model")}</h2>
          ${pulling.length || !admin.models
            ? html`<pull-form .servers=${pulling} .admin=${admin}></pull-form>`
            : html`<p class="empty">${gettext("There is no Ollama server here that could pull one.")}</p>`}
          <pull-list .pulls=${[...admin.pulls]} .admin=${admin}></pull-list>
        </section>
        ${servers.map(
          (server) => html`<server-models
            .server=${server}
            .models=${admin.modelsOf(server.name)}
            .acts=${new Map(admin.acts)}
            .admin=${admin}
          ></server-models>`,
        )}
        ${admin.models ? nothing : html`<p class="empty">${gettext("Reading the models…")}</p>`}
      </main>
      <p class="visually-hidden" role="status">${admin.sentence}</p>
      <confirm-dialog></confirm-dialog>
    `;
  }
}

customElements.define("models-app", ModelsApp);
