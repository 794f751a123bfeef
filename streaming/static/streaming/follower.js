/**
 * Follows one run to its end, or the feed: drives a session, a transport and a fold, and tells what has changed. The thin
 * I/O around the pure parts.
 */

/**
 * @typedef {import("./session.js").Session} Session
 * @typedef {(request: import("./sse.js").Request, listener: import("./sse.js").Listener) =>
 *   import("./sse.js").Connection} Open
 * @typedef {import("./session.js").Finish["reason"]} Reason
 */

/** @template {{last: number, terminal: boolean}} State */
export class Follower {
  /**
   * @param {object} options
   * @param {string} options.runId empty for the feed
   * @param {State} options.state before the first event
   * @param {(state: State, envelope: any) => {state: State, outcome: import("./snapshot.js").Outcome}} options.fold
   * @param {Session} options.session
   * @param {Record<import("./session.js").Transport, Open>} options.transports
   * @param {(state: State) => void} options.onChange after each event, and whenever the connection changes
   * @param {(reason: Reason, state: State) => void} options.onEnd once, last
   */
  constructor({ runId, state, fold, session, transports, onChange, onEnd }) {
    this.runId = runId;
    this.state = state;
    this.fold = fold;
    this.session = session;
    this.transports = transports;
    this.onChange = onChange;
    this.onEnd = onEnd;
    /** @type {import("./sse.js").Connection | null} */
    this.connection = null;
    this.timer = 0;
    this.timerAt = Infinity;
    // A listener of a connection that was given up must not be heard any more.
    this.generation = 0;
  }

  /** Whether events are coming in, or could. */
  get connected() {
    return this.session.phase === "live";
  }

  start() {
    this.perform(this.session.start(performance.now()));
  }

  /** The run's events already come in on the socket: `adopt` hands them to this listener.
   * @param {(listener: import("./sse.js").Listener) => import("./sse.js").Connection} adopt */
  adopt(adopt) {
    this.session.adopt(performance.now());
    this.generation += 1;
    this.connection = adopt(this.listener(this.generation));
    this.arm();
  }

  wake() {
    this.perform(this.session.wake(performance.now()));
  }

  hide() {
    this.perform(this.session.hide());
  }

  stop() {
    this.perform(this.session.stop());
  }

  /** @private @param {import("./session.js").Action[]} actions */
  perform(actions) {
    for (const action of actions) {
      if (action.do === "close") this.close(action.stalled);
      else if (action.do === "open") this.open(action);
      else this.onEnd(action.reason, this.state);
    }
    this.arm();
  }

  /** @private @param {import("./session.js").Open} action */
  open(action) {
    this.generation += 1;
    const request = { runId: this.runId, snapshot: action.snapshot };
    this.connection = this.transports[action.transport](request, this.listener(this.generation));
  }

  /** @private @param {boolean} stalled */
  close(stalled) {
    const { connection } = this;
    this.connection = null;
    this.generation += 1;
    connection?.close(stalled);
  }

  /** @private @param {number} generation @returns {import("./sse.js").Listener} */
  listener(generation) {
    const current = () => generation === this.generation;
    return {
      cursor: () => this.state.last,
      opened: () => {
        if (!current()) return;
        this.session.opened(performance.now());
        this.changed();
        this.arm();
      },
      heard: () => {
        if (current()) this.session.heard(performance.now());
      },
      retry: (milliseconds) => {
        if (current()) this.session.retry(milliseconds);
      },
      envelope: (envelope) => {
        if (current()) this.take(envelope);
      },
      closed: (ending) => {
        if (!current()) return;
        this.connection = null;
        this.perform(this.session.closed(ending, performance.now()));
        this.changed();
      },
    };
  }

  /** @private @param {any} envelope */
  take(envelope) {
    const { state, outcome } = this.fold(this.state, envelope);
    this.state = state;
    if (outcome === "applied" || outcome === "hint") this.onChange(state);
    this.perform(this.session.event(outcome, state.terminal, performance.now()));
  }

  /** One timer for the session's deadline; it is not set anew at every token, but looks again when it rings.
   * @private */
  arm() {
    const { deadline, phase } = this.session;
    if (phase === "finished") return clearTimeout(this.timer);
    if (deadline >= this.timerAt) return;
    clearTimeout(this.timer);
    this.timerAt = deadline;
    this.timer = setTimeout(() => this.ring(), Math.max(0, deadline - performance.now()));
  }

  /** @private */
  ring() {
    this.timerAt = Infinity;
    if (this.session.phase === "finished") return;
    this.perform(this.session.tick(performance.now()));
    this.changed();
  }

  /** The connection has; the state has not. After the end there is nothing to tell. @private */
  changed() {
    if (this.session.phase !== "finished") this.onChange(this.state);
  }
}
