import { html, nothing } from "../../vendor/lit.js";
import { copyFrom } from "../clipboard.js";
import { gettext, ngettext } from "../words.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";
import "./server-notice.js";

const START = "ollama serve";
const PULL = "ollama pull llama3.2";
const ELSEWHERE = "OLLAMA_BASE_URL=http://192.168.1.20:11434 make run";
const OTHERS = "OPENAI_BASE_URL=http://127.0.0.1:8080/v1 make run";

/** Before the first message: that models were found, or step by step what is to be done, in reach of the one who can. */
export class FirstRun extends PageElement {
  static properties = { what: { attribute: false }, models: { attribute: false }, urls: { attribute: false } };

  constructor() {
    super();
    /** @type {import("../first_run.js").FirstRun | null} */
    this.what = null;
    /** @type {Wire.Models | null} */
    this.models = null;
    /** @type {Page.Boot["urls"] | null} */
    this.urls = null;
  }

  render() {
    const { what, urls } = this;
    if (!what || !urls) return nothing;
    if (what.kind === "found") {
      const found = ngettext("%(count)s model is there.", "%(count)s models are there.", what.count);
      return html`<p class="first-run-found" role="status">${icons.check}<span>${found}</span></p>`;
    }
    return html`<section class="first-run" aria-label=${gettext("How to get a model")}>
      ${urls.admin === null ? this.waiting() : this.steps(what, urls)}
      ${what.demonstration
        ? html`<p class="first-run-foot">${gettext("Until then the demonstration answers: everything can be tried with it.")}</p>`
        : nothing}
    </section>`;
  }

  /** Somebody else has to do it. */
  waiting() {
    return html`<p>${gettext("There is no language model here yet. Whoever runs this server has to start one.")}</p>
      ${this.notice()}`;
  }

  /** @param {{reached: boolean}} what @param {Page.Boot["urls"]} urls */
  steps({ reached }, urls) {
    return html`
      <ol class="first-run-steps">
        <li class=${reached ? "is-done" : nothing}>
          <p>${reached ? gettext("Ollama is there.") : gettext("Start Ollama on the machine of this server.")}</p>
          ${reached ? nothing : html`${this.notice()} ${command(START)}`}
          ${reached
            ? nothing
            : html`<p class="first-run-note">
                ${gettext("Not installed yet?")}
                <a href="https://ollama.com/download" target="_blank" rel="noreferrer">ollama.com/download</a>
              </p>`}
        </li>
        <li>
          <p>${gettext("Get a model, for example this one.")}</p>
          ${reached ? this.notice() : nothing} ${command(PULL)}
        </li>
        <li>
          <p><span class="pulse" aria-hidden="true"></span>
            ${gettext("It appears here by itself, within seconds. Nothing needs to be restarted.")}</p>
        </li>
      </ol>
      <details class="first-run-others">
        <summary>${gettext("Ollama on another machine, or another kind of server")}</summary>
        <p>${gettext("Say where it is when this server is started:")}</p>
        ${command(ELSEWHERE)} ${command(OTHERS)}
        <p>${gettext("Or name it while the server runs:")} <a href=${urls.admin}>${gettext("Administration")}</a></p>
      </details>
    `;
  }

  notice() {
    return html`<server-notice .models=${this.models} .manage=${this.urls?.models ?? null}></server-notice>`;
  }
}

/** Something to type in a terminal, with a button that copies it. @param {string} text */
function command(text) {
  const copy = (/** @type {MouseEvent} */ { currentTarget }) => {
    const button = /** @type {HTMLElement} */ (currentTarget);
    copyFrom(text, button, /** @type {HTMLElement} */ (button.querySelector("span")));
  };
  return html`<div class="first-run-command">
    <code tabindex="0">${text}</code>
    <button class="button is-small is-quiet" type="button" @click=${copy}><span>${gettext("Copy")}</span></button>
  </div>`;
}

customElements.define("first-run", FirstRun);
