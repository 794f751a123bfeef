/**
 * What the tabs of one browser share. It opens six HTTP/1.1 connections to a server, for all tabs together: one holds
 * the feed, three may stream runs, one is for long polls, and one stays free for everything else.
 *
 * The means are Web Locks, which a tab lets go of however it ends. Where there are none (plain HTTP), each tab is alone.
 *
 * @typedef {Pick<LockManager, "request" | "query">} Locks
 */

const STREAMS = ["chat.stream.1", "chat.stream.2", "chat.stream.3"];
const POLL = "chat.poll";
const TAB = "chat.tab";
/** Seconds that a poll waits for news: alone, and where others wait for their turn. */
const ALONE = 25;
const AMONG_OTHERS = 2;

export class Tabs {
  /** @param {Locks | undefined} [locks] */
  constructor(locks = globalThis.navigator?.locks) {
    this.locks = locks;
    // Held for as long as the tab lives: this is how tabs are counted.
    locks?.request(TAB, { mode: "shared" }, () => new Promise(() => undefined)).catch(() => undefined);
  }

  /**
   * A place for a stream, until the returned function is called; null where all are taken.
   *
   * @returns {Promise<(() => void) | null>}
   */
  async place() {
    if (!this.locks) return () => undefined;
    for (const name of STREAMS) {
      const leave = await held(this.locks, name);
      if (leave) return leave;
    }
    return null;
  }

  /**
   * Does one poll, which is told how many seconds it may wait; where there are other tabs, one at a time.
   *
   * @template Answer
   * @param {AbortSignal} signal
   * @param {(seconds: number) => Promise<Answer>} poll
   * @returns {Promise<Answer | null>} null where it was given up before its turn came
   */
  async turn(signal, poll) {
    if (!this.locks || (await this.count()) < 2) return poll(ALONE);
    try {
      return await this.locks.request(POLL, { signal }, () => poll(AMONG_OTHERS));
    } catch (fault) {
      if (signal.aborted) return null;
      throw fault;
    }
  }

  /** @private */
  async count() {
    const { held: all = [] } = (await this.locks?.query()) ?? {};
    return all.filter((lock) => lock.name === TAB).length;
  }
}

/** @param {Locks} locks @param {string} name @returns {Promise<(() => void) | null>} */
function held(locks, name) {
  return new Promise((resolve) => {
    locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(null);
        return new Promise((leave) => resolve(() => leave(undefined)));
      })
      .catch(() => resolve(null));
  });
}

/**
 * A run by a stream where there is a place for it, else by polling.
 *
 * @typedef {import("./follower.js").Open} Open
 * @param {Tabs} tabs @param {Open} stream @param {Open} poll @returns {Open}
 */
export function wherePossible(tabs, stream, poll) {
  return (request, listener) => {
    let leave = () => undefined;
    let closed = false;
    /** @type {import("./sse.js").Connection | null} */
    let connection = null;
    const end = () => {
      closed = true;
      leave();
    };
    const told = {
      ...listener,
      closed: (/** @type {import("./session.js").Ending} */ ending) => {
        end();
        listener.closed(ending);
      },
    };
    tabs.place().then((place) => {
      leave = /** @type {() => undefined} */ (place ?? leave);
      if (closed) leave();
      else connection = (place ? stream : poll)(request, told);
    });
    return {
      close: (stalled) => {
        end();
        connection?.close(stalled);
      },
    };
  };
}
