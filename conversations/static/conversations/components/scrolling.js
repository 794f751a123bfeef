/**
 * Keeps the newest text in sight while it comes, until the reader turns upwards; then keeps what is read where it
 * stands, whatever grows or folds around it.
 */

import { driftOf, followsAfter, followsWhenAsked, marksAt, movedBy, NEAR } from "../place.js";

const TOP = 320;
/** @type {Record<string, number>} */
const KEYS = { ArrowUp: -1, PageUp: -1, Home: -1, ArrowDown: 1, PageDown: 1, End: 1 };

export class FollowsTheEnd {
  /** @param {{onAway: (away: boolean) => void, onTop: () => void}} listener */
  constructor(listener) {
    this.listener = listener;
    /** @type {HTMLElement | null} */
    this.scroller = null;
    /** @type {HTMLElement | null} */
    this.column = null;
    this.following = true;
    this.away = false;
    this.lastTop = 0;
    this.thread = "";
    /** @type {import("../place.js").Mark[]} */
    this.marks = [];
    this.sizes = new ResizeObserver(() => this.grown());
  }

  /** @param {HTMLElement} scroller @param {HTMLElement} column */
  attach(scroller, column) {
    this.scroller = scroller;
    this.column = column;
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    scroller.addEventListener("wheel", (event) => this.asked(event.deltaY), { passive: true });
    scroller.addEventListener("keydown", (event) => this.pressed(event));
    this.listenToFingers(scroller);
    this.sizes.observe(column);
    this.sizes.observe(scroller);
  }

  detach() {
    this.sizes.disconnect();
  }

  /** Before a render. @param {string} thread */
  before(thread) {
    if (thread !== this.thread) {
      this.following = true;
      this.marks = [];
    }
    this.thread = thread;
  }

  after() {
    if (!this.following) this.keep();
  }

  toEnd() {
    this.following = true;
    this.grown();
    this.scroller?.focus({ preventScroll: true });
  }

  /** What is in it has another size now, or the scroller has. */
  grown() {
    const { scroller } = this;
    if (!scroller) return;
    if (this.following) {
      scroller.scrollTop = scroller.scrollHeight;
      this.lastTop = scroller.scrollTop;
    } else this.keep();
    // What does not fill the screen cannot be scrolled to its top.
    if (scroller.clientHeight > 0 && scroller.scrollHeight <= scroller.clientHeight) this.listener.onTop();
    this.tell();
  }

  /** What is read stays where it stands. @private */
  keep() {
    const moved = movedBy(this.marks, this.edge);
    // With the same marks, or what is rounded each time would add up.
    if (moved === null) this.mark();
    else this.by(moved);
  }

  /** @private @param {number} distance */
  by(distance) {
    const { scroller } = this;
    if (!scroller) return;
    if (distance) scroller.scrollTop += distance;
    this.lastTop = scroller.scrollTop;
  }

  /** @private */
  mark() {
    this.marks = this.following ? [] : marksAt(this.messages, this.edge);
  }

  /** What is read; that older ones are being fetched stands above them whatever comes. @private */
  get messages() {
    return [...(this.column?.children ?? [])].filter((one) => one.classList.contains("message"));
  }

  /** @private */
  scrolled() {
    const { scroller } = this;
    if (!scroller) return;
    const scroll = { top: scroller.scrollTop, lastTop: this.lastTop, fromEnd: this.fromEnd };
    if (scroll.top === scroll.lastTop) return this.tell(); // what this itself has done
    this.following = followsAfter(this.following, scroll);
    this.by(driftOf(movedBy(this.marks, this.edge), scroll));
    this.mark();
    if (scroller.scrollTop < TOP && !this.following) this.listener.onTop();
    this.tell();
  }

  /** @private @param {number} direction */
  asked(direction) {
    const { scroller } = this;
    if (!scroller || scroller.scrollHeight <= scroller.clientHeight) return;
    this.following = followsWhenAsked(this.following, direction, this.fromEnd);
    this.mark();
    this.tell();
  }

  /** @private @param {KeyboardEvent} event */
  pressed(event) {
    // In a field and in a menu the keys have meanings of their own.
    const own = event.target instanceof Element && event.target.closest("input, textarea, select, [role=menu]");
    if (own || event.defaultPrevented) return;
    this.asked(event.key === " " ? (event.shiftKey ? -1 : 1) : (KEYS[event.key] ?? 0));
  }

  /** A finger draws the text along. @private @param {HTMLElement} scroller */
  listenToFingers(scroller) {
    let last = 0;
    const note = (/** @type {TouchEvent} */ event) => {
      const at = event.touches[0]?.clientY ?? last;
      if (event.type === "touchmove") this.asked(last - at);
      last = at;
    };
    scroller.addEventListener("touchstart", note, { passive: true });
    scroller.addEventListener("touchmove", note, { passive: true });
  }

  /** @private */
  get edge() {
    return this.scroller?.getBoundingClientRect().top ?? 0;
  }

  /** @private */
  get fromEnd() {
    const { scroller } = this;
    return scroller ? scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop : 0;
  }

  /** @private */
  tell() {
    const away = !this.following && this.fromEnd > NEAR;
    if (away !== this.away) this.listener.onAway(away);
    this.away = away;
  }
}
