import { html, nothing, repeat } from "../../vendor/lit.js";
import { dayGroup } from "../format.js";
import { PageElement } from "./element.js";
import { icons, mark } from "./icons.js";
import "./thread-row.js";

/** The list of threads, newest first, and the ways to the rest of the product. */
export class ThreadSidebar extends PageElement {
  static properties = {
    threads: { attribute: false },
    current: { attribute: false },
    live: { attribute: false },
    boot: { attribute: false },
    csrf: { attribute: false },
    onMore: { attribute: false },
    onRetry: { attribute: false },
  };

  constructor() {
    super();
    /** @type {Page.ThreadList} */
    this.threads = { items: [], next: null, status: "loading" };
    /** @type {string | null} */
    this.current = null;
    this.live = false;
    /** @type {Page.Boot | null} */
    this.boot = null;
    /** @type {() => string} */
    this.csrf = () => "";
    /** @type {() => void} */
    this.onMore = () => undefined;
    /** @type {() => void} */
    this.onRetry = () => undefined;
    this.sight = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) this.onMore();
    });
  }

  updated() {
    this.sight.disconnect();
    const end = this.querySelector(".list-end");
    if (end) this.sight.observe(end);
  }

  render() {
    const { boot } = this;
    if (!boot) return nothing;
    return html`
      <div class="sidebar-head">
        <a class="wordmark" href=${boot.urls.home}>${mark}<span>chatserver</span></a>
        <button class="icon-button only-narrow" type="button" @click=${this.close}>
          ${icons.close}<span class="visually-hidden">Close the list</span>
        </button>
      </div>
      <a class="button new-thread" href=${boot.urls.home} data-testid="new-thread">${icons.plus}New thread</a>
      <nav class="thread-list" aria-label="Threads" data-testid="thread-list">${this.list(boot)}</nav>
      <div class="sidebar-foot">
        <span class="who" title=${boot.username}>${boot.username}</span>
        ${this.administration(boot)}
        <a class="icon-button" href=${boot.urls.settings} title="Settings" data-testid="settings-button">
          ${icons.gear}<span class="visually-hidden">Settings</span>
        </a>
        <form method="post" action=${boot.urls.logout}>
          <input type="hidden" name="csrfmiddlewaretoken" .value=${this.csrf()} />
          <button class="icon-button" type="submit" title="Sign out">
            ${icons.leave}<span class="visually-hidden">Sign out</span>
          </button>
        </form>
      </div>
    `;
  }

  /** For the staff. @param {Page.Boot} boot */
  administration(boot) {
    if (boot.urls.admin === null) return nothing;
    return html`<a class="icon-button" href=${boot.urls.admin} title="Administration">
      ${icons.shield}<span class="visually-hidden">Administration</span>
    </a>`;
  }

  /** @param {Page.Boot} boot */
  list(boot) {
    const { items, next, status } = this.threads;
    if (status === "failed") {
      return html`<p class="list-note">
        The threads cannot be read.
        <button class="button is-small" type="button" @click=${() => this.onRetry()}>Retry</button>
      </p>`;
    }
    if (status === "ready" && !items.length) {
      return html`<p class="list-note">Your threads will stand here.</p>`;
    }
    return html`
      ${groups(items, new Date()).map(
        ([name, members]) => html`<section>
          <h2>${name}</h2>
          <ul>
            ${repeat(members, (thread) => thread.id, (thread) => html`<li>${this.row(thread, boot)}</li>`)}
          </ul>
        </section>`,
      )}
      ${next ? html`<p class="list-note list-end">Reading more…</p>` : nothing}
    `;
  }

  /** @param {Wire.Thread} thread @param {Page.Boot} boot */
  row(thread, boot) {
    const current = thread.id === this.current;
    return html`<thread-row
      .thread=${thread}
      .href=${boot.urls.threads + thread.id}
      .current=${current}
      .answering=${current ? this.live : thread.active_runs.length > 0}
    ></thread-row>`;
  }

  close() {
    this.dispatchEvent(new CustomEvent("sidebar-close", { bubbles: true }));
  }
}

/** @param {Wire.Thread[]} threads newest first @param {Date} now @returns {[string, Wire.Thread[]][]} */
function groups(threads, now) {
  /** @type {Map<string, Wire.Thread[]>} */
  const found = new Map();
  for (const thread of threads) {
    const name = thread.pinned ? "Pinned" : dayGroup(thread.updated_at, now);
    found.set(name, [...(found.get(name) ?? []), thread]);
  }
  return [...found];
}

customElements.define("thread-sidebar", ThreadSidebar);
