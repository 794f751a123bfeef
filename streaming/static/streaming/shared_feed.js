/**
 * One connection for the feeds of all tabs: the tab that holds the lock has it and tells the others. When it goes, for
 * whatever reason, the next one takes over from where it is itself.
 *
 * What a tab has missed meanwhile (it was frozen, or joined late) it learns from the number that the holder tells with
 * every sign of life: then it must load again, which is said by a `feed.reset` as the server would.
 *
 * @typedef {import("./sse.js").Listener} Listener
 * @typedef {import("./sse.js").Connection} Connection
 * @typedef {(_: unknown, listener: Listener) => Connection} OpenFeed
 * @typedef {{hello?: true, last?: number, envelope?: Wire.FeedEnvelope}} Word
 */

const SIGN_OF_LIFE_EVERY = 5_000;

/**
 * @param {string} name of the lock and the channel: one for each user
 * @param {OpenFeed} open
 * @param {Pick<LockManager, "request"> | undefined} [locks]
 * @param {typeof BroadcastChannel | undefined} [Channel]
 * @returns {OpenFeed}
 */
export function sharedFeed(name, open, locks = globalThis.navigator?.locks, Channel = globalThis.BroadcastChannel) {
  if (!locks || !Channel) return open;
  const silent = { holder: false };
  return (_, listener) => new Share(name, open, locks, Channel, listener, silent);
}

/** This tab's part in it, from one connecting to the next. */
class Share {
  /**
   * @param {string} name @param {OpenFeed} open @param {Pick<LockManager, "request">} locks
   * @param {typeof BroadcastChannel} Channel @param {Listener} listener
   * @param {{holder: boolean}} silent whether this tab has found the holder silent: then the lock is taken from it
   */
  constructor(name, open, locks, Channel, listener, silent) {
    this.open = open;
    this.listener = listener;
    this.silent = silent;
    this.over = false;
    this.spokeAt = -Infinity;
    /** @type {Connection | null} */
    this.connection = null;
    this.release = () => undefined;
    this.channel = new Channel(name);
    this.channel.onmessage = ({ data }) => this.hear(data);
    const steal = silent.holder;
    silent.holder = false;
    locks.request(name, { steal }, () => this.hold()).catch(() => this.end({ kind: "ended" }));
    this.say({ hello: true });
  }

  /** @param {boolean} stalled */
  close(stalled) {
    if (this.over) return;
    this.silent.holder = stalled && this.connection === null;
    this.leave();
  }

  /** The lock is ours, until the promise is kept. @private @returns {Promise<void> | undefined} */
  hold() {
    if (this.over) return undefined;
    const kept = new Promise((resolve) => {
      this.release = /** @type {() => undefined} */ (resolve);
    });
    const { listener } = this;
    this.connection = this.open(null, {
      ...listener,
      opened: () => {
        listener.opened();
        this.say({ last: listener.cursor() });
      },
      heard: () => {
        listener.heard();
        const now = performance.now();
        if (now - this.spokeAt < SIGN_OF_LIFE_EVERY) return;
        this.spokeAt = now;
        this.say({ last: listener.cursor() });
      },
      envelope: (envelope) => {
        listener.envelope(envelope);
        this.say({ envelope });
      },
      closed: (ending) => this.end(ending),
    });
    return /** @type {Promise<void>} */ (kept);
  }

  /** @private @param {Word} word */
  hear({ hello, last, envelope }) {
    if (this.over) return;
    const { listener } = this;
    if (hello) {
      if (this.connection) this.say({ last: listener.cursor() });
      return;
    }
    if (this.connection) return; // what another one says who does not know yet that the lock was taken from it
    listener.opened();
    listener.heard();
    if (envelope) listener.envelope(envelope);
    else if (last !== undefined && last > listener.cursor()) {
      listener.envelope({ event: "feed.reset", feed: last, data: { head: last, reason: "missed" } });
    }
  }

  /** @private @param {import("./session.js").Ending} ending */
  end(ending) {
    if (this.over) return;
    this.leave();
    this.listener.closed(ending);
  }

  /** @private */
  leave() {
    this.over = true;
    this.channel.close();
    this.connection?.close(false);
    this.release();
  }

  /** @private @param {Word} word */
  say(word) {
    if (!this.over) this.channel.postMessage(word);
  }
}
