import { html, nothing } from "../../vendor/lit.js";
import { around, gettext } from "../words.js";
import { PageElement } from "./element.js";
import { mark } from "./icons.js";
import "./access-list.js";
import "./confirm-dialog.js";
import "./session-list.js";
import "./settings-form.js";
import "./token-list.js";

/** The page of settings. */
export class SettingsApp extends PageElement {
  static properties = { boot: { attribute: false }, api: { attribute: false } };

  constructor() {
    super();
    /** @type {Page.Boot | null} */
    this.boot = null;
    /** @type {import("../api.js").Api | null} */
    this.api = null;
  }

  render() {
    const { boot, api } = this;
    if (!boot) return nothing;
    return html`
      <header class="settings-head">
        <a class="wordmark" href=${boot.urls.home}>${mark}<span>chatserver</span></a>
        <a class="button is-quiet" href=${boot.urls.home}>${gettext("Back to the chat")}</a>
      </header>
      <main class="settings">
        <h1>${gettext("Settings")}</h1>
        <settings-form></settings-form>
        <session-list .api=${api}></session-list>
        <token-list .api=${api}></token-list>
        ${boot.urls.models
          ? html`<section class="panel">
              <h2>${gettext("Models")}</h2>
              <p class="help">${gettext("Pull models, load, unload and delete them, for everybody.")}</p>
              <div class="actions"><a class="button" href=${boot.urls.models}>${gettext("Manage models")}</a></div>
            </section>`
          : nothing}
        <access-list .api=${api}></access-list>
        <section class="panel">
          <h2>${gettext("Account")}</h2>
          <p>${around(gettext("Signed in as %(name)s."), { name: html`<strong>${boot.username}</strong>` })}</p>
          <div class="actions">
            <a class="button" href=${boot.urls.password}>${gettext("Change the password")}</a>
            <a class="button" href=${boot.urls.email}>${gettext("E-mail addresses")}</a>
            <form method="post" action=${boot.urls.logout}>
              <input type="hidden" name="csrfmiddlewaretoken" .value=${api?.token() ?? ""} />
              <button class="button" type="submit">${gettext("Sign out")}</button>
            </form>
          </div>
        </section>
      </main>
      <confirm-dialog></confirm-dialog>
    `;
  }
}

customElements.define("settings-app", SettingsApp);
