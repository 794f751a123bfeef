/**
 * How one run is followed through a bad network: which transport, when to connect, when to wait, when to stop.
 *
 * Pure: no socket, no timer, no clock. Every method takes the time (milliseconds) and returns what is to be done;
 * `deadline` says when `tick` wants to be called next.
 *
 * @typedef {"websocket" | "sse" | "poll"} Transport
 * @typedef {{do: "open", transport: Transport, snapshot: boolean}} Open
 * @typedef {{do: "close", stalled: boolean}} Close
 * @typedef {{do: "finish", reason: "terminal" | "over" | "gone" | "signed_out"}} Finish
 * @typedef {Open | Close | Finish} Action
 *
 * What a transport says when it ends. `over`: the run has ended and there is nothing more. `ended`: a clean end or a
 * planned rotation. `dropped`: it broke after it had opened. `unreachable`: it never opened. `refused`: this
 * transport will not do here. `busy`: come back later. `bad_cursor`: ask for a snapshot.
 * @typedef {object} Ending
 * @property {"over" | "ended" | "restart" | "dropped" | "unreachable" | "refused" | "busy" | "bad_cursor" | "gone" |
 *   "signed_out"} kind
 * @property {number} [retryAfter] milliseconds
 *
 * What a tab has learnt about its network; shared by all its sessions.
 * @typedef {{proven: Set<Transport>, broken: Set<Transport>}} Memory
 */

const LEAST_WAIT = 500;
const MOST_WAIT = 30_000;
const RESTART_SPREAD = 5_000;
// Two heartbeats of 15 s and a little: the client's own ping of 25 s fits in, too.
const SILENCE = 35_000;
const WAKE_SILENCE = 30_000;
/** @type {Record<Transport, number>} */
const OPEN_WITHIN = { websocket: 8_000, sse: 10_000, poll: 40_000 };

/** @returns {Memory} */
export function newMemory() {
  return { proven: new Set(), broken: new Set() };
}

export class Session {
  /**
   * @param {object} options
   * @param {Transport[]} options.transports in the order of preference; never empty
   * @param {Memory} options.memory
   * @param {() => number} options.random in [0, 1)
   */
  constructor({ transports, memory, random }) {
    this.transports = transports;
    this.memory = memory;
    this.random = random;
    const usable = transports.findIndex((transport) => !memory.broken.has(transport));
    this.index = Math.max(usable, 0);
    /** @type {"idle" | "connecting" | "live" | "waiting" | "parked" | "finished"} */
    this.phase = "idle";
    this.failures = 0;
    this.heardAt = 0;
    this.openBy = Infinity;
    this.retryAt = Infinity;
    this.leastWait = 0;
    this.snapshot = false;
    this.badCursors = 0;
    /** @type {Transport[]} */
    this.failed = [];
  }

  get transport() {
    return this.transports[this.index];
  }

  /** When `tick` has something to do, if nothing else happens before. */
  get deadline() {
    if (this.phase === "waiting") return this.retryAt;
    if (this.phase === "connecting") return this.openBy;
    if (this.phase === "live") return this.heardAt + this.patience;
    return Infinity;
  }

  /** A long poll is silent while it waits; the others have heartbeats. */
  get patience() {
    return this.transport === "poll" ? OPEN_WITHIN.poll : SILENCE;
  }

  /** @param {number} now @returns {Action[]} */
  start(now) {
    return this.phase === "idle" ? this.connect(now) : [];
  }

  /** A connection that was made elsewhere (a send on the socket) is this session's first. @param {number} now */
  adopt(now) {
    this.index = Math.max(this.transports.indexOf("websocket"), 0);
    this.phase = "connecting";
    this.opened(now);
  }

  /** The transport carries bytes. @param {number} now */
  opened(now) {
    if (this.phase !== "connecting") return;
    this.phase = "live";
    this.heardAt = now;
    this.memory.proven.add(this.transport);
    this.memory.broken.delete(this.transport);
    for (const transport of this.failed) {
      if (!this.memory.proven.has(transport)) this.memory.broken.add(transport);
    }
    this.failed = [];
  }

  /** Any sign of life. @param {number} now */
  heard(now) {
    this.heardAt = now;
  }

  /** The server's `retry:`. @param {number} milliseconds */
  retry(milliseconds) {
    this.leastWait = Math.min(milliseconds, MOST_WAIT);
  }

  /** @param {import("./snapshot.js").Outcome} outcome @param {boolean} terminal @param {number} now @returns {Action[]} */
  event(outcome, terminal, now) {
    this.heardAt = now;
    if (outcome === "gap") {
      this.snapshot = true;
      return [{ do: "close", stalled: false }, ...this.connect(now)];
    }
    if (outcome === "applied") {
      this.failures = 0;
      this.snapshot = false;
      this.badCursors = 0;
    }
    return terminal ? this.finish("terminal") : [];
  }

  /** The transport has ended by itself. @param {Ending} ending @param {number} now @returns {Action[]} */
  closed(ending, now) {
    if (this.phase !== "connecting" && this.phase !== "live") return [];
    // A socket that has worked here before is given three tries: most likely the server is restarting.
    const hopeful = this.memory.proven.has(this.transport) && this.failures < 3;
    switch (ending.kind) {
      case "over":
      case "gone":
      case "signed_out":
        return this.finish(ending.kind);
      case "bad_cursor":
        this.snapshot = true;
        this.badCursors += 1;
        return this.badCursors > 1 ? this.finish("gone") : this.connect(now);
      case "restart":
        return this.wait(now, this.random() * RESTART_SPREAD);
      case "unreachable":
        if (this.transport === "websocket" && !hopeful) return this.next(now);
        // Not the transport but the server: begin again with the best one when it is back.
        this.index = this.transport === "websocket" ? this.index : 0;
        return this.wait(now, ending.retryAfter);
      case "refused":
        return this.next(now);
      default:
        return this.wait(now, ending.retryAfter);
    }
  }

  /** The deadline has come. @param {number} now @returns {Action[]} */
  tick(now) {
    if (now < this.deadline) return [];
    if (this.phase === "waiting") return this.connect(now);
    if (this.phase !== "connecting" && this.phase !== "live") return [];
    return [{ do: "close", stalled: true }, ...this.next(now)];
  }

  /** The page is visible or online again: do not sit out a wait, and do not trust a connection that is silent.
   * @param {number} now @returns {Action[]} */
  wake(now) {
    if (this.phase === "waiting" || this.phase === "parked") return this.connect(now);
    const silent = this.phase === "live" && this.transport !== "poll" && now - this.heardAt > WAKE_SILENCE;
    return silent ? [{ do: "close", stalled: true }, ...this.connect(now)] : [];
  }

  /** The page is hidden. A browser opens six HTTP/1.1 connections an origin, so that none is kept for nobody.
   * @returns {Action[]} */
  hide() {
    const streaming = this.phase === "connecting" || this.phase === "live";
    if (!streaming || this.transport === "websocket") return [];
    this.phase = "parked";
    return [{ do: "close", stalled: false }];
  }

  /** Nobody reads any more. @returns {Action[]} */
  stop() {
    if (this.phase === "finished") return [];
    this.phase = "finished";
    return [{ do: "close", stalled: false }];
  }

  /** @private @param {number} now @returns {Action[]} */
  connect(now) {
    this.phase = "connecting";
    this.heardAt = now;
    this.retryAt = Infinity;
    this.openBy = now + OPEN_WITHIN[this.transport];
    return [{ do: "open", transport: this.transport, snapshot: this.snapshot }];
  }

  /** The transport will not do: the next one at once, or, after the last, the first after a wait.
   * @private @param {number} now @returns {Action[]} */
  next(now) {
    this.failed.push(this.transport);
    this.index = (this.index + 1) % this.transports.length;
    return this.index === 0 ? this.wait(now) : this.connect(now);
  }

  /** Full jitter, growing, at least what the server asked for.
   * @private @param {number} now @param {number} [asked] @returns {Action[]} */
  wait(now, asked) {
    const ceiling = Math.min(MOST_WAIT, LEAST_WAIT * 2 ** (this.failures + 1));
    const jitter = LEAST_WAIT + this.random() * (ceiling - LEAST_WAIT);
    this.failures = Math.min(this.failures + 1, 16);
    this.phase = "waiting";
    this.retryAt = now + Math.max(jitter, this.leastWait, asked ?? 0);
    return [];
  }

  /** @private @param {Finish["reason"]} reason @returns {Action[]} */
  finish(reason) {
    this.phase = "finished";
    return [{ do: "close", stalled: false }, { do: "finish", reason }];
  }
}
