import { html, nothing } from "../../vendor/lit.js";
import { failureFrom } from "../api.js";
import { copyFrom } from "../clipboard.js";
import { dateTime } from "../format.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";

/** The tokens by which programs act for this person: made, shown once, revoked. */
export class TokenList extends PageElement {
  static properties = {
    api: { attribute: false },
    tokens: { state: true },
    fresh: { state: true },
    failure: { state: true },
    working: { state: true },
  };

  constructor() {
    super();
    /** @type {import("../api.js").Api | null} */
    this.api = null;
    /** @type {Wire.Token[] | null} */
    this.tokens = null;
    /** @type {Wire.Token | null} */
    this.fresh = null;
    /** @type {Wire.Failure | null} */
    this.failure = null;
    this.working = false;
  }

  firstUpdated() {
    this.perform(async (api) => {
      this.tokens = (await api.get("/tokens")).results;
    });
  }

  render() {
    return html`<section class="panel">
      <h2>${gettext("API tokens")}</h2>
      <p class="help">${gettext("A program that sends one of these acts as you. Give each program its own.")}</p>
      ${this.failure ? html`<p class="error-status" role="alert">${this.failure.message}</p>` : nothing}
      ${this.fresh ? this.once(this.fresh) : nothing}
      ${this.tokens?.length ? html`<ul class="rows">${this.tokens.map((token) => this.row(token))}</ul>` : nothing}
      ${this.tokens?.length === 0 ? html`<p class="empty">${gettext("There is no token yet.")}</p>` : nothing}
      <form class="inline-form" @submit=${this.create}>
        <label class="setting">
          <span>${gettext("Name of the new token")}</span>
          <input type="text" name="name" required maxlength="100" autocomplete="off"
            placeholder=${gettext("For example: backup script")} />
        </label>
        <button class="button is-main" type="submit" ?disabled=${this.working}>${gettext("Create")}</button>
      </form>
    </section>`;
  }

  /** @param {Wire.Token} token */
  once(token) {
    return html`<div class="note fresh-token" role="status">
      <p>${gettext("This is the token “%(name)s”. Copy it now; it is not shown again.", { name: token.name })}</p>
      <code>${token.token}</code>
      <div class="actions">
        <button class="button is-small" type="button" @click=${this.copy}>${gettext("Copy")}</button>
        <button class="button is-small is-quiet" type="button" @click=${() => (this.fresh = null)}>
          ${gettext("Done")}
        </button>
      </div>
    </div>`;
  }

  /** @param {Wire.Token} token */
  row(token) {
    return html`<li>
      <div>
        <strong>${token.name || gettext("Without a name")}</strong>
        ${token.prefix ? html`<code>${token.prefix}…</code>` : nothing}
        <p class="help">${times(token).join(", ")}</p>
      </div>
      <button class="button is-small is-danger" type="button" ?disabled=${this.working} @click=${() => this.revoke(token)}>
        ${gettext("Revoke")}<span class="visually-hidden"> ${token.name}</span></button>
    </li>`;
  }

  /** @param {SubmitEvent} event */
  create(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const name = String(new FormData(form).get("name") ?? "").trim();
    if (!name) return;
    this.perform(async (api) => {
      const { token, ...kept } = await api.post("/tokens", { name });
      this.fresh = { ...kept, token };
      this.tokens = [kept, ...(this.tokens ?? [])];
      form.reset();
    });
  }

  /** @param {Wire.Token} token */
  async revoke(token) {
    const dialog = /** @type {import("./confirm-dialog.js").ConfirmDialog | null} */ (
      document.querySelector("confirm-dialog")
    );
    const sure = await dialog?.ask({
      heading: gettext("Revoke this token?"),
      sentence: gettext("Programs that use “%(name)s” will be refused from now on.", { name: token.name }),
      verb: gettext("Revoke"),
    });
    if (!sure) return;
    this.perform(async (api) => {
      await api.delete(`/tokens/${token.id}`);
      this.tokens = (this.tokens ?? []).filter((one) => one.id !== token.id);
      if (this.fresh?.id === token.id) this.fresh = null;
    });
  }

  /** @param {MouseEvent} click */
  copy(click) {
    if (click.currentTarget instanceof HTMLElement) copyFrom(this.fresh?.token ?? "", click.currentTarget);
  }

  /** @param {(api: import("../api.js").Api) => Promise<void>} act */
  async perform(act) {
    if (!this.api) return;
    this.working = true;
    this.failure = null;
    try {
      await act(this.api);
    } catch (fault) {
      this.failure = failureFrom(fault);
    }
    this.working = false;
  }
}

/** @param {Wire.Token} token */
function times({ created_at: created, last_used_at: used, expires_at: expires }) {
  return [
    gettext("Created %(time)s", { time: dateTime(created) }),
    used ? gettext("last used %(time)s", { time: dateTime(used) }) : gettext("never used"),
    ...(expires ? [gettext("valid until %(time)s", { time: dateTime(expires) })] : []),
  ];
}

customElements.define("token-list", TokenList);
