import { html, nothing } from "../../vendor/lit.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";
import { icons, mark } from "./icons.js";
import "./thread-groups.js";

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
    onArchive: { attribute: false },
  };

  constructor() {
    super();
    /** @type {Page.ThreadList} */
    this.threads = { items: [], next: null, status: "loading", archived: false };
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
    /** @type {(archived: boolean) => void} */
    this.onArchive = () => undefined;
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
          ${icons.close}<span class="visually-hidden">${gettext("Close the list")}</span>
        </button>
      </div>
      <a class="button new-thread" href=${boot.urls.home} data-testid="new-thread">${icons.plus}${gettext("New thread")}</a>
      <nav class="thread-list" aria-label=${this.threads.archived ? gettext("Archive") : gettext("Threads")}
        data-testid="thread-list">
        ${this.threads.archived ? html`<h2 class="list-title">${gettext("Archive")}</h2>` : nothing} ${this.list(boot)}
      </nav>
      <div class="sidebar-foot">
        <span class="who" title=${boot.username}>${boot.username}</span>
        ${this.archive()} ${this.administration(boot)}
        <a class="icon-button" href=${boot.urls.settings} title=${gettext("Settings")} data-testid="settings-button">
          ${icons.gear}<span class="visually-hidden">${gettext("Settings")}</span>
        </a>
        <form method="post" action=${boot.urls.logout}>
          <input type="hidden" name="csrfmiddlewaretoken" .value=${this.csrf()} />
          <button class="icon-button" type="submit" title=${gettext("Sign out")}>
            ${icons.leave}<span class="visually-hidden">${gettext("Sign out")}</span>
          </button>
        </form>
      </div>
    `;
  }

  archive() {
    const { archived } = this.threads;
    const label = archived ? gettext("Back to the threads") : gettext("Archive");
    return html`<button class="icon-button" type="button" title=${label} aria-pressed=${archived ? "true" : "false"}
      data-testid="archive-button" @click=${() => this.onArchive(!archived)}>
      ${icons.box}<span class="visually-hidden">${label}</span>
    </button>`;
  }

  /** For the staff. @param {Page.Boot} boot */
  administration(boot) {
    if (boot.urls.admin === null) return nothing;
    return html`<a class="icon-button" href=${boot.urls.admin} title=${gettext("Administration")}>
      ${icons.shield}<span class="visually-hidden">${gettext("Administration")}</span>
    </a>`;
  }

  /** @param {Page.Boot} boot */
  list(boot) {
    const { items, next, status } = this.threads;
    if (status === "failed") {
      return html`<p class="list-note">
        ${gettext("The threads cannot be read.")}
        <button class="button is-small" type="button" @click=${() => this.onRetry()}>${gettext("Retry")}</button>
      </p>`;
    }
    if (status === "ready" && !items.length) {
      const note = this.threads.archived ? gettext("The archive is empty.") : gettext("Your threads will stand here.");
      return html`<p class="list-note">${note}</p>`;
    }
    return html`
      <thread-groups
        .items=${items}
        .current=${this.current}
        .live=${this.live}
        .home=${boot.urls.threads}
        .ready=${status === "ready"}
      ></thread-groups>
      ${next ? html`<p class="list-note list-end">${gettext("Reading more…")}</p>` : nothing}
    `;
  }

  close() {
    this.dispatchEvent(new CustomEvent("sidebar-close", { bubbles: true }));
  }
}

customElements.define("thread-sidebar", ThreadSidebar);
