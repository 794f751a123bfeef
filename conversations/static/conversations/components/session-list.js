import { html, nothing } from "../../vendor/lit.js";
import { failureFrom } from "../api.js";
import { dateTime } from "../format.js";
import { browserOf } from "../user_agent.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";

/** Where this person is signed in, and signing out there. */
export class SessionList extends PageElement {
  static properties = { api: { attribute: false }, sessions: { state: true }, failure: { state: true }, working: { state: true } };

  constructor() {
    super();
    /** @type {import("../api.js").Api | null} */
    this.api = null;
    /** @type {Wire.BrowserSession[] | null} */
    this.sessions = null;
    /** @type {Wire.Failure | null} */
    this.failure = null;
    this.working = false;
  }

  firstUpdated() {
    this.perform(async () => {});
  }

  render() {
    const { sessions, failure } = this;
    const others = sessions?.some((session) => !session.current);
    return html`<section class="panel">
      <h2>${gettext("Where I am signed in")}</h2>
      <p class="help">${gettext("Signing out elsewhere ends what is open there at once.")}</p>
      ${failure ? html`<p class="error-status" role="alert">${failure.message}</p>` : nothing}
      ${sessions?.length
        ? html`<ul class="rows" data-testid="sessions">${sessions.map((session) => this.row(session))}</ul>`
        : nothing}
      ${others
        ? html`<div class="actions">
            <button class="button" type="button" data-testid="end-others" ?disabled=${this.working}
              @click=${() => this.perform((api) => api.delete("/sessions"))}>
              ${gettext("Sign out everywhere else")}
            </button>
          </div>`
        : nothing}
    </section>`;
  }

  /** @param {Wire.BrowserSession} session */
  row(session) {
    const facts = { time: dateTime(session.created_at), address: session.ip };
    const name = browserOf(session.user_agent);
    return html`<li>
      <div>
        <strong>${name}</strong>
        <p class="help">${gettext("Signed in %(time)s from %(address)s", facts)}</p>
      </div>
      ${session.current
        ? html`<span class="help">${gettext("This one")}</span>`
        : html`<button class="button is-small is-danger" type="button" ?disabled=${this.working}
            @click=${() => this.perform((api) => api.delete(`/sessions/${session.id}`))}>
            ${gettext("Sign out")}<span class="visually-hidden"> ${name}, ${facts.time}</span>
          </button>`}
    </li>`;
  }

  /** Does it, and reads the list afresh. @param {(api: import("../api.js").Api) => Promise<unknown>} act */
  async perform(act) {
    const { api } = this;
    if (!api) return;
    this.working = true;
    this.failure = null;
    try {
      await act(api);
      this.sessions = (await api.get("/sessions")).results;
    } catch (fault) {
      this.failure = failureFrom(fault);
    } finally {
      this.working = false;
    }
  }
}

customElements.define("session-list", SessionList);
