/**
 * One WebSocket a tab, `chat.v1`, for all runs that the page follows and for sending. It connects when it is first
 * needed; coming back after a loss is the sessions' business, each with its own cursor.
 *
 * @typedef {import("./sse.js").Listener} Listener
 * @typedef {import("./sse.js").Connection} Connection
 * @typedef {import("./session.js").Ending} Ending
 * @typedef {{resolve: (data: any) => void, reject: (fault: Error) => void, onAck?: (data: any) => void}} Pending
 */

const PROTOCOL = "chat.v1";
// Among the keys of subscriptions, which are ids of runs.
const FEED = "feed";
const PING_EVERY = 25_000;
// The server sends at most 1,000 events or 2 MiB beyond what was acknowledged: a reader who keeps up must never use that up.
const ACK_EVENTS = 100;
const ACK_SIZE = 256 * 1024;
/** What the server's close codes mean for a reader. @type {Record<number, Ending["kind"]>} */
const CLOSE_CODES = {
  4001: "ended",
  4012: "restart",
  1001: "restart",
  1012: "restart",
  4029: "busy",
  4400: "refused",
  4401: "signed_out",
  4403: "refused",
  4406: "refused",
};

/** The server's answer to a frame was an error; `failure` says which. */
export class SocketRefused extends Error {
  /** @param {Wire.Failure} failure */
  constructor(failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** The socket was lost, or never there, before the answer to a frame. */
export class SocketLost extends Error {}

export class ChatSocket {
  /** @param {string} url @param {typeof WebSocket} [Socket] */
  constructor(url, Socket = WebSocket) {
    this.url = url;
    this.Socket = Socket;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.ready = false;
    this.number = 0;
    /** @type {Map<string, Pending>} */
    this.pending = new Map();
    /** @type {(() => void)[]} */
    this.waiting = [];
    /** @type {Map<string, Subscription>} */
    this.subscriptions = new Map();
    this.pinger = 0;
  }

  /** Opens the socket where it is not open yet. */
  connect() {
    if (this.socket) return;
    const socket = new this.Socket(this.url, PROTOCOL);
    this.socket = socket;
    socket.onmessage = (message) => {
      if (this.socket === socket) this.frame(String(message.data));
    };
    socket.onclose = (close) => this.lost(socket, close.code);
  }

  /** Closes without waiting for the other side: a silent peer would not answer the farewell either. */
  drop() {
    const { socket } = this;
    socket?.close();
    if (socket) this.lost(socket, 1006);
  }

  /**
   * Sends a frame when the session is ready. `onAck` runs before any later frame is looked at, so that whoever
   * subscribes by this frame misses nothing. Rejects with SocketRefused or SocketLost.
   *
   * @param {string} event
   * @param {Record<string, unknown>} data
   * @param {(data: any) => void} [onAck]
   * @returns {Promise<any>}
   */
  request(event, data, onAck) {
    return new Promise((resolve, reject) => {
      this.number += 1;
      const req = String(this.number);
      this.pending.set(req, { resolve, reject, onAck });
      this.connect();
      this.whenReady(() => this.socket?.send(JSON.stringify({ event, req, data })));
    });
  }

  /** @param {import("./sse.js").Request} request @param {Listener} listener @returns {Connection} */
  subscribe(request, listener) {
    const subscription = this.adopt(request.runId, listener);
    const data = { run_id: request.runId, after: listener.cursor(), ...(request.snapshot ? { snapshot: true } : {}) };
    const onAck = (/** @type {any} */ ack) => {
      listener.opened();
      if (ack.mode === "ended") subscription.end({ kind: "over" });
    };
    this.request("subscribe", data, onAck).catch((fault) => subscription.end(endingOf(fault)));
    return subscription;
  }

  /** Hands the events of a run that the server already sends (a send with `subscribe`) to a listener.
   * @param {string} runId @param {Listener} listener @returns {Subscription} */
  adopt(runId, listener) {
    const subscription = new Subscription(this, runId, listener);
    this.subscriptions.set(runId, subscription);
    return subscription;
  }

  /** The user's feed, on the same terms. @param {unknown} _ @param {Listener} listener @returns {Connection} */
  subscribeFeed(_, listener) {
    const subscription = this.adopt(FEED, listener);
    const asked = this.request("subscribe", { feed: true, after: listener.cursor() }, () => listener.opened());
    asked.catch((fault) => subscription.end(endingOf(fault)));
    return subscription;
  }

  /** Closes where nothing is followed and nothing asked. A server has only so many sockets for a user. */
  rest() {
    if (this.subscriptions.size === 0 && this.pending.size === 0) this.drop();
  }

  /** Sends a frame that has no reply. @param {string} event @param {Record<string, unknown>} data */
  say(event, data) {
    if (this.ready) this.socket?.send(JSON.stringify({ event, data }));
  }

  /** @private @param {() => void} act */
  whenReady(act) {
    if (this.ready) act();
    else this.waiting.push(act);
  }

  /** @private @param {string} text */
  frame(text) {
    const frame = JSON.parse(text);
    for (const subscription of this.subscriptions.values()) subscription.listener.heard();
    if (frame.req !== undefined) return this.reply(frame);
    if (frame.event === "session.ready") return this.begin();
    this.subscriptions.get(frame.feed === undefined ? frame.data?.run_id : FEED)?.take(frame, text.length);
  }

  /** @private */
  begin() {
    this.ready = true;
    for (const act of this.waiting.splice(0)) act();
    this.pinger = setInterval(() => {
      this.request("ping", { t: Date.now() }).catch(() => undefined);
    }, PING_EVERY);
  }

  /** @private @param {{event: string, req: string, data: any}} frame */
  reply(frame) {
    const pending = this.pending.get(frame.req);
    this.pending.delete(frame.req);
    if (!pending) return;
    if (frame.event === "error") return pending.reject(new SocketRefused(frame.data));
    pending.onAck?.(frame.data);
    pending.resolve(frame.data);
  }

  /** @private @param {WebSocket} socket @param {number} code */
  lost(socket, code) {
    if (this.socket !== socket) return;
    const kind = CLOSE_CODES[code] ?? (this.ready ? "dropped" : "unreachable");
    clearInterval(this.pinger);
    this.socket = null;
    this.ready = false;
    this.waiting.length = 0;
    const pending = [...this.pending.values()];
    const subscriptions = [...this.subscriptions.values()];
    this.pending.clear();
    for (const subscription of subscriptions) subscription.end({ kind });
    for (const one of pending) one.reject(new SocketLost(`the socket closed with ${code}`));
  }
}

/** One run's events on the socket, or the feed's. */
class Subscription {
  /** @param {ChatSocket} socket @param {string} runId @param {Listener} listener */
  constructor(socket, runId, listener) {
    this.socket = socket;
    this.runId = runId;
    this.listener = listener;
    this.over = false;
    this.unacknowledged = { events: 0, size: 0 };
  }

  /** @param {Wire.Envelope} envelope @param {number} size */
  take(envelope, size) {
    if (this.over) return;
    this.listener.envelope(envelope);
    if (envelope.id !== undefined) this.acknowledge(envelope.id, size);
  }

  /** @private */
  get named() {
    return this.runId === FEED ? { feed: true } : { run_id: this.runId };
  }

  /** Tells the server, now and then, how far this reader has come. @private @param {number} id @param {number} size */
  acknowledge(id, size) {
    const waiting = this.unacknowledged;
    waiting.events += 1;
    waiting.size += size;
    if (this.over || (waiting.events < ACK_EVENTS && waiting.size < ACK_SIZE)) return;
    this.unacknowledged = { events: 0, size: 0 };
    this.socket.say("flow.ack", { run_id: this.runId, id });
  }

  /** The reader leaves. A connection that was silent too long is dropped whole. @param {boolean} stalled */
  close(stalled) {
    if (this.over) return;
    this.forget();
    if (stalled) this.socket.drop();
    else if (this.socket.ready) this.socket.request("unsubscribe", this.named).catch(() => undefined);
  }

  /** The server, or the network, has ended it. @param {Ending} ending */
  end(ending) {
    if (this.over) return;
    this.forget();
    this.listener.closed(ending);
  }

  /** @private */
  forget() {
    this.over = true;
    if (this.socket.subscriptions.get(this.runId) === this) this.socket.subscriptions.delete(this.runId);
  }
}

/** @param {unknown} fault @returns {Ending} */
function endingOf(fault) {
  if (!(fault instanceof SocketRefused)) return { kind: "dropped" };
  const { code, retry_after_ms } = fault.failure;
  if (code === "not_authenticated") return { kind: "signed_out" };
  if (code === "not_found" || code === "forbidden") return { kind: "gone" };
  if (code === "invalid_request") return { kind: "bad_cursor" };
  return { kind: "busy", retryAfter: retry_after_ms ?? 0 };
}
