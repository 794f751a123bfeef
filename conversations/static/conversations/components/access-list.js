import { html, nothing } from "../../vendor/lit.js";
import { failureFrom } from "../api.js";
import { dateTime } from "../format.js";
import { around, gettext } from "../words.js";
import { PageElement } from "./element.js";

/** Who of the staff opened this person's transcripts, when, and the reason they gave. */
export class AccessList extends PageElement {
  static properties = {
    api: { attribute: false },
    records: { state: true },
    next: { state: true },
    failure: { state: true },
  };

  constructor() {
    super();
    /** @type {import("../api.js").Api | null} */
    this.api = null;
    /** @type {Wire.AccessRecord[] | null} */
    this.records = null;
    /** @type {string | null} */
    this.next = null;
    /** @type {Wire.Failure | null} */
    this.failure = null;
  }

  firstUpdated() {
    this.load();
  }

  render() {
    return html`<section class="panel">
      <h2>${gettext("Who opened my transcripts")}</h2>
      <p class="help">${gettext("Staff must give a reason to read what you wrote here. Each time is recorded for good.")}</p>
      ${this.failure ? html`<p class="error-status" role="alert">${this.failure.message}</p>` : nothing}
      ${this.records?.length === 0 ? html`<p class="empty">${gettext("Nobody has opened any of them.")}</p>` : nothing}
      ${this.records?.length ? html`<ul class="rows">${this.records.map(row)}</ul>` : nothing}
      ${this.next
        ? html`<button class="button is-small" type="button" @click=${this.load}>${gettext("Show more")}</button>`
        : nothing}
    </section>`;
  }

  async load() {
    try {
      const page = await this.api?.get(`/access-records${this.next ? `?cursor=${encodeURIComponent(this.next)}` : ""}`);
      this.records = [...(this.records ?? []), ...page.results];
      this.next = page.next;
    } catch (fault) {
      this.failure = failureFrom(fault);
    }
  }
}

/** @param {Wire.AccessRecord} record */
function row(record) {
  const staff = html`<strong>${record.staff}</strong>`;
  const title = record.thread_title || gettext("New thread");
  return html`<li>
    <div>
      ${around(gettext("%(staff)s opened “%(title)s”"), { staff, title })}
      <p class="help">${dateTime(record.at)}</p>
      <p>${record.reason}</p>
    </div>
  </li>`;
}

customElements.define("access-list", AccessList);
