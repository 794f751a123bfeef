/**
 * The user's feed, as this page follows it: over the tab's socket, or over one stream for all tabs. Where neither will do
 * (long poll was chosen), the list is read again now and then.
 */

import { Follower } from "../streaming/follower.js";
import { Session } from "../streaming/session.js";
import { sharedFeed } from "../streaming/shared_feed.js";
import { sseFeed } from "../streaming/sse.js";

/** So long a hidden page keeps its socket for the feed: a server has only so many of them for a user. */
const HIDDEN_FOR = 60_000;
const READ_EVERY = 15_000;

/**
 * @typedef {import("../streaming/session.js").Transport} Transport
 * @typedef {{last: number, terminal: false, news: Wire.FeedEnvelope | null}} FeedState
 */

export class Feed {
  /**
   * @param {object} parts
   * @param {string} parts.api
   * @param {string} parts.username
   * @param {import("./runs.js").Runs} parts.runs
   * @param {(envelope: Wire.FeedEnvelope) => void} parts.onEvent
   * @param {(fed: boolean) => void} parts.onFed whether what changes is told here
   * @param {() => void} parts.onSignedOut
   * @param {() => void} parts.onStale the list must be read again, since nothing is told here
   */
  constructor({ api, username, runs, onEvent, onFed, onSignedOut, onStale }) {
    this.runs = runs;
    this.onEvent = onEvent;
    this.onFed = onFed;
    this.onSignedOut = onSignedOut;
    const sse = sharedFeed(`chat.feed.${username}`, sseFeed(api));
    this.transports = { websocket: runs.socket.subscribeFeed.bind(runs.socket), sse, poll: sse };
    /** @type {Follower<FeedState> | null} */
    this.follower = null;
    this.fed = false;
    this.hiding = 0;
    document.addEventListener("visibilitychange", () => this.seen());
    document.addEventListener("resume", () => this.follower?.wake());
    addEventListener("online", () => this.follower?.wake());
    setInterval(() => {
      if (!this.fed && !document.hidden) onStale();
    }, READ_EVERY);
  }

  /** Goes on from a number of the feed, unless it is followed already. @param {number} last */
  start(last) {
    const order = this.order();
    if (this.follower || !order.length) return;
    const session = new Session({ transports: order, memory: this.runs.memory, random: Math.random });
    /** @type {Wire.FeedEnvelope | null} */
    let told = null;
    const follower = new Follower({
      runId: "",
      state: /** @type {FeedState} */ ({ last, terminal: false, news: null }),
      fold,
      session,
      transports: this.transports,
      onChange: ({ news }) => {
        this.tell(follower.connected);
        if (news && news !== told) this.onEvent((told = news));
      },
      onEnd: (reason) => {
        this.follower = null;
        this.tell(false);
        if (reason === "signed_out") this.onSignedOut();
      },
    });
    this.follower = follower;
    follower.start();
  }

  /** @private */
  stop() {
    const { follower } = this;
    this.follower = null;
    follower?.stop();
    this.tell(false);
    this.runs.socket.rest();
  }

  /** @private */
  seen() {
    clearTimeout(this.hiding);
    if (!document.hidden) return this.follower?.wake();
    this.hiding = setTimeout(() => {
      if (this.follower?.session.transport === "websocket") this.stop();
    }, HIDDEN_FOR);
  }

  /** @private @param {boolean} fed */
  tell(fed) {
    if (this.fed === fed) return;
    this.fed = fed;
    this.onFed(fed);
  }

  /** @private @returns {Transport[]} */
  order() {
    const choice = this.runs.choice();
    if (choice === "automatic") return ["websocket", "sse"];
    return choice === "poll" ? [] : [choice];
  }
}

/** @param {FeedState} state @param {Wire.FeedEnvelope} envelope
 * @returns {{state: FeedState, outcome: import("../streaming/snapshot.js").Outcome}} */
function fold(state, envelope) {
  if (envelope.feed === undefined) return { state, outcome: "hint" };
  if (envelope.feed <= state.last && envelope.event !== "feed.reset") return { state, outcome: "repeat" };
  // What is missing before it, the list of threads notices.
  return { state: { last: envelope.feed, terminal: false, news: envelope }, outcome: "applied" };
}
