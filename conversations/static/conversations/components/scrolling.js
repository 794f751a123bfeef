/**
 * Keeps the newest text in sight while it comes, until the reader scrolls up; keeps the place when older messages
 * are put in above.
 */

const NEAR = 64;
const TOP = 320;

export class FollowsTheEnd {
  /** @param {{onAway: (away: boolean) => void, onTop: () => void}} listener */
  constructor(listener) {
    this.listener = listener;
    /** @type {HTMLElement | null} */
    this.scroller = null;
    this.following = true;
    this.away = false;
    this.lastTop = 0;
    this.thread = "";
    this.first = "";
    /** @type {number | null} */
    this.heldFromEnd = null;
    this.sizes = new ResizeObserver(() => this.grown());
  }

  /** @param {HTMLElement} scroller @param {HTMLElement} column */
  attach(scroller, column) {
    this.scroller = scroller;
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.sizes.observe(column);
    this.sizes.observe(scroller);
  }

  detach() {
    this.sizes.disconnect();
  }

  /** Before a render: what is about to change. @param {string} thread @param {string} first the oldest message */
  before(thread, first) {
    const { scroller } = this;
    if (thread !== this.thread) {
      this.following = true;
    } else if (scroller && first !== this.first && this.first && !this.following) {
      this.heldFromEnd = scroller.scrollHeight - scroller.scrollTop;
    }
    this.thread = thread;
    this.first = first;
  }

  after() {
    if (this.heldFromEnd !== null && this.scroller) {
      this.scroller.scrollTop = this.scroller.scrollHeight - this.heldFromEnd;
    }
    this.heldFromEnd = null;
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
    if (this.following) scroller.scrollTop = scroller.scrollHeight;
    // What does not fill the screen cannot be scrolled to its top.
    if (scroller.clientHeight > 0 && scroller.scrollHeight <= scroller.clientHeight) this.listener.onTop();
    this.tell();
  }

  /** @private */
  scrolled() {
    const { scroller } = this;
    if (!scroller) return;
    const top = scroller.scrollTop;
    if (this.fromEnd < NEAR) this.following = true;
    else if (top < this.lastTop) this.following = false;
    this.lastTop = top;
    if (top < TOP && !this.following) this.listener.onTop();
    this.tell();
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
