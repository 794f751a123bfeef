/** The runs that this page follows, and the one socket that they share. */

import { Follower } from "../streaming/follower.js";
import { pollTransport } from "../streaming/poll.js";
import { newMemory, Session } from "../streaming/session.js";
import { apply, emptyState } from "../streaming/snapshot.js";
import { sseTransport } from "../streaming/sse.js";
import { Tabs, wherePossible } from "../streaming/tabs.js";
import { ChatSocket, SocketRefused } from "../streaming/websocket.js";
import { ApiError } from "./api.js";

/** A frame may be 64 KiB; a longer message goes by POST. */
const MOST_IN_A_FRAME = 60 * 1024;
/** So long the socket may take until the message goes by POST instead. */
const SOCKET_WITHIN = 8_000;

/**
 * @typedef {import("../streaming/session.js").Transport} Transport
 * @typedef {import("../streaming/snapshot.js").RunState} RunState
 * @typedef {object} Watcher
 * @property {(state: RunState, connected: boolean) => void} onChange
 * @property {(reason: import("../streaming/session.js").Finish["reason"], state: RunState) => void} onEnd
 */

export class Runs {
  /** @param {string} api @param {string} socketUrl @param {() => Page.TransportChoice} choice */
  constructor(api, socketUrl, choice) {
    this.choice = choice;
    this.memory = newMemory();
    this.socket = new ChatSocket(socketUrl);
    const tabs = new Tabs();
    const poll = pollTransport(api, tabs);
    this.transports = {
      websocket: this.socket.subscribe.bind(this.socket),
      sse: wherePossible(tabs, sseTransport(api), poll),
      poll,
    };
    /** @type {Map<string, Follower<RunState>>} */
    this.followers = new Map();
    document.addEventListener("visibilitychange", () => this.each(document.hidden ? "hide" : "wake"));
    document.addEventListener("resume", () => this.each("wake"));
    addEventListener("online", () => {
      this.memory.broken.clear();
      this.each("wake");
    });
  }

  /** @param {string} runId @param {Watcher} watcher */
  follow(runId, watcher) {
    if (this.followers.has(runId)) return;
    this.follower(runId, watcher).start();
  }

  /** Whether a message would go by the socket. @param {object} body */
  sendsBySocket(body) {
    const [first] = this.order();
    return first === "websocket" && !this.memory.broken.has(first) && JSON.stringify(body).length < MOST_IN_A_FRAME;
  }

  /**
   * Sends on the socket and follows the run from its first event. Rejects with ApiError where the server refuses,
   * with another error where the socket is lost: then nobody knows, and the same key must be used again.
   *
   * @param {object} body
   * @param {(runId: string) => Watcher} watcherOf
   * @returns {Promise<void>}
   */
  async send(body, watcherOf) {
    const timer = setTimeout(() => this.socket.drop(), SOCKET_WITHIN);
    try {
      await this.socket.request("message.send", { ...body, subscribe: true }, (ack) => this.adopt(ack, watcherOf));
    } catch (fault) {
      if (fault instanceof SocketRefused) throw new ApiError(409, fault.failure);
      throw fault;
    } finally {
      clearTimeout(timer);
    }
  }

  stopAll() {
    for (const follower of this.followers.values()) follower.stop();
    this.followers.clear();
  }

  /** @private @param {{run_id: string, runs?: Wire.Run[]}} ack @param {(runId: string) => Watcher} watcherOf */
  adopt({ run_id, runs }, watcherOf) {
    for (const runId of runs?.map((run) => run.id) ?? [run_id]) {
      if (this.followers.has(runId)) continue;
      const follower = this.follower(runId, watcherOf(runId));
      follower.adopt((listener) => this.socket.adopt(runId, listener));
    }
  }

  /** @private @param {string} runId @param {Watcher} watcher */
  follower(runId, watcher) {
    const session = new Session({ transports: this.order(), memory: this.memory, random: Math.random });
    const follower = new Follower({
      runId,
      state: emptyState(),
      fold: apply,
      session,
      transports: this.transports,
      onChange: (state) => watcher.onChange(state, follower.connected),
      onEnd: (reason, state) => {
        this.followers.delete(runId);
        watcher.onEnd(reason, state);
      },
    });
    this.followers.set(runId, follower);
    return follower;
  }

  /** @private @returns {Transport[]} */
  order() {
    const choice = this.choice();
    return choice === "automatic" ? ["websocket", "sse", "poll"] : [choice];
  }

  /** @private @param {"wake" | "hide"} act */
  each(act) {
    for (const follower of this.followers.values()) follower[act]();
  }
}
