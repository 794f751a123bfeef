import { html, repeat } from "../../vendor/lit.js";
import { dayGroup } from "../format.js";
import { placeOf, windowOf } from "../windowing.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";
import "./thread-row.js";

/**
 * The threads in groups by day, inside something that scrolls. Of thousands only those around the sight are in the page.
 */
export class ThreadGroups extends PageElement {
  static properties = {
    items: { attribute: false },
    current: { attribute: false },
    live: { attribute: false },
    home: { attribute: false },
    ready: { attribute: false },
  };

  constructor() {
    super();
    /** @type {Wire.Thread[]} */
    this.items = [];
    /** @type {string | null} */
    this.current = null;
    /** Whether the current one answers. */
    this.live = false;
    /** What the address of a thread begins with. */
    this.home = "";
    /** Whether the list has been read. */
    this.ready = false;
    /** @type {string | null} the one that was brought into sight last */
    this.shown = null;
    /** @type {[string, Wire.Thread[]][]} */
    this.groups = [];
    /** What was measured last; before that, a guess that is large enough. @type {import("../windowing.js").Sight} */
    this.sight = { top: 0, height: 0, head: 32, row: 36 };
    /** @type {HTMLElement | null} */
    this.scroller = null;
    this.measure = this.measure.bind(this);
    this.sizes = new ResizeObserver(this.measure);
  }

  connectedCallback() {
    super.connectedCallback();
    this.scroller = this.closest(".thread-list");
    this.scroller?.addEventListener("scroll", this.measure, { passive: true });
    this.sizes.observe(this); // its rows grow with the size of the text
    if (this.scroller) this.sizes.observe(this.scroller);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.scroller?.removeEventListener("scroll", this.measure);
    this.sizes.disconnect();
  }

  /** @param {Map<PropertyKey, unknown>} changes */
  willUpdate(changes) {
    if (changes.has("items")) this.groups = groupsOf(this.items, new Date());
  }

  render() {
    const parts = windowOf(this.counts, this.sight);
    return this.groups.map(([name, members], number) => {
      const { from, to } = parts[number];
      return html`<section>
        <h2>${name}</h2>
        <ul>
          ${gap(from)}
          ${repeat(
            members.slice(from, to),
            (thread) => thread.id,
            (thread, index) => html`<li aria-setsize=${members.length} aria-posinset=${from + index + 1}>
              ${this.row(thread)}
            </li>`,
          )}
          ${gap(members.length - to)}
        </ul>
      </section>`;
    });
  }

  /** @param {Wire.Thread} thread */
  row(thread) {
    const current = thread.id === this.current;
    return html`<thread-row
      .thread=${thread}
      .href=${this.home + thread.id}
      .current=${current}
      .answering=${current ? this.live : thread.active_runs.length > 0}
    ></thread-row>`;
  }

  get counts() {
    return this.groups.map(([, members]) => members.length);
  }

  updated() {
    this.keepPlaces();
    this.measure();
    if (!this.ready || this.shown === this.current) return;
    this.shown = this.current;
    this.showCurrent();
  }

  /** Those that are not there keep their room. The policy of the page allows no style in the markup.
   * @private */
  keepPlaces() {
    for (const gap of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll(".list-gap"))) {
      gap.style.blockSize = `${Number(gap.dataset.rows) * this.sight.row}px`;
    }
  }

  /** @private */
  measure() {
    const { scroller } = this;
    const row = /** @type {HTMLElement | null} */ (this.querySelector("li:not(.list-gap)"))?.offsetHeight;
    const head = this.querySelector("h2")?.offsetHeight;
    if (!scroller || !row || !head) return;
    const before = windowOf(this.counts, this.sight);
    const grown = row !== this.sight.row;
    const top = scroller.scrollTop - (this.offsetTop - scroller.offsetTop);
    this.sight = { top, height: scroller.clientHeight, head, row };
    if (grown || JSON.stringify(before) !== JSON.stringify(windowOf(this.counts, this.sight))) this.requestUpdate();
  }

  /** A thread that was opened in another way than from its row comes into sight, once. @private */
  showCurrent() {
    const section = this.groups.findIndex(([, members]) => members.some((thread) => thread.id === this.current));
    if (section < 0 || !this.scroller) return;
    const index = this.groups[section][1].findIndex((thread) => thread.id === this.current);
    const { top, height, row } = this.sight;
    const place = placeOf(this.counts, section, index, this.sight);
    if (place < top) this.scroller.scrollTop += place - top;
    else if (place + row > top + height) this.scroller.scrollTop += place + row - top - height;
  }
}

/** The room of so many rows that are not there. @param {number} rows */
function gap(rows) {
  return html`<li class="list-gap" role="presentation" data-rows=${rows} ?hidden=${rows === 0}></li>`;
}

/** @param {Wire.Thread[]} threads newest first @param {Date} now @returns {[string, Wire.Thread[]][]} */
function groupsOf(threads, now) {
  /** @type {Map<string, Wire.Thread[]>} */
  const found = new Map();
  for (const thread of threads) {
    const name = thread.pinned ? gettext("Pinned") : dayGroup(thread.updated_at, now);
    const members = found.get(name);
    if (members) members.push(thread);
    else found.set(name, [thread]);
  }
  return [...found];
}

customElements.define("thread-groups", ThreadGroups);
