import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { ChatSocket, SocketLost, SocketRefused } = await load("streaming/websocket.js");

/** The browser's side of a socket, with a test in the server's place. */
class Wire {
  static last;

  constructor(url, protocol) {
    Wire.last = this;
    this.url = url;
    this.protocol = protocol;
    this.sent = [];
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closing = true;
  }

  say(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  end(code) {
    this.onclose({ code });
  }
}

function listener() {
  const heard = { envelopes: [], endings: [], opened: 0 };
  return {
    ...heard,
    heard: () => undefined,
    retry: () => undefined,
    cursor: () => 7,
    opened() {
      this.openings = (this.openings ?? 0) + 1;
    },
    envelope(envelope) {
      this.envelopes.push(envelope);
    },
    closed(ending) {
      this.endings.push(ending.kind);
    },
  };
}

const READY = { event: "session.ready", data: { protocol: "chat.v1" } };
const event = (id) => ({ event: "thread.message.delta", id, data: { run_id: "r", content: "x" } });
let socket;

beforeEach(() => {
  socket = new ChatSocket("ws://chat.example/ws/v1", Wire);
});
afterEach(() => socket.drop());

function subscribed(reader = listener()) {
  socket.subscribe({ runId: "r", snapshot: false }, reader);
  Wire.last.say(READY);
  return reader;
}

describe("a subscription", () => {
  it("waits for the session to be ready, then names its cursor", () => {
    socket.subscribe({ runId: "r", snapshot: false }, listener());
    assert.equal(Wire.last.protocol, "chat.v1");
    assert.deepEqual(Wire.last.sent, []);
    Wire.last.say(READY);
    assert.deepEqual(Wire.last.sent, [{ event: "subscribe", req: "1", data: { run_id: "r", after: 7 } }]);
  });

  it("asks for a snapshot where it needs one", () => {
    socket.subscribe({ runId: "r", snapshot: true }, listener());
    Wire.last.say(READY);
    assert.equal(Wire.last.sent[0].data.snapshot, true);
  });

  it("is open with its ack and gets its own run's events", () => {
    const reader = subscribed();
    Wire.last.say({ event: "ack", req: "1", data: { status: "in_progress", head: 9, mode: "replay" } });
    Wire.last.say(event(8));
    Wire.last.say({ ...event(9), data: { run_id: "another" } });
    assert.equal(reader.openings, 1);
    assert.deepEqual(reader.envelopes.map((one) => one.id), [8]);
  });

  it("is over where the run has ended and nothing follows", () => {
    const reader = subscribed();
    Wire.last.say({ event: "ack", req: "1", data: { status: "completed", head: 7, mode: "ended" } });
    assert.deepEqual(reader.endings, ["over"]);
  });

  it("is gone where the server refuses it", async () => {
    const reader = subscribed();
    Wire.last.say({ event: "error", req: "1", data: { code: "not_found", message: "No." } });
    await Promise.resolve();
    await Promise.resolve();
    assert.deepEqual(reader.endings, ["gone"]);
  });

  it("hears nothing more after it was closed", () => {
    const reader = listener();
    const connection = socket.subscribe({ runId: "r", snapshot: false }, reader);
    Wire.last.say(READY);
    connection.close(false);
    Wire.last.say(event(8));
    assert.deepEqual(reader.envelopes, []);
    assert.equal(Wire.last.sent.at(-1).event, "unsubscribe");
  });

  it("tells the server now and then how far it has come", () => {
    const acks = () => Wire.last.sent.filter((frame) => frame.event === "flow.ack");
    subscribed();
    for (let id = 8; id < 8 + 250; id += 1) Wire.last.say(event(id));
    assert.deepEqual(acks().map((frame) => frame.data), [{ run_id: "r", id: 107 }, { run_id: "r", id: 207 }]);
    assert.ok(acks().every((frame) => frame.req === undefined));
    Wire.last.say({ ...event(258), data: { run_id: "r", content: "x".repeat(300_000) } });
    assert.deepEqual(acks().at(-1).data, { run_id: "r", id: 258 });
  });

  it("that was silent too long takes the whole socket with it", () => {
    const other = listener();
    const connection = socket.subscribe({ runId: "r", snapshot: false }, listener());
    socket.subscribe({ runId: "s", snapshot: false }, other);
    Wire.last.say(READY);
    connection.close(true);
    assert.ok(Wire.last.closing);
    assert.deepEqual(other.endings, ["dropped"]);
  });
});

describe("the feed", () => {
  const news = (feed) => ({ event: "thread.deleted", feed, data: { thread_id: "t", run_id: "r" } });

  it("is asked for from its own cursor and never taken for a run's events", () => {
    const run = subscribed();
    const feed = listener();
    const connection = socket.subscribeFeed(null, feed);
    assert.deepEqual(Wire.last.sent.at(-1), { event: "subscribe", req: "2", data: { feed: true, after: 7 } });
    Wire.last.say({ event: "ack", req: "2", data: { head: 9 } });
    Wire.last.say(news(8));
    assert.deepEqual([feed.openings, feed.envelopes.map((one) => one.feed), run.envelopes], [1, [8], []]);
    connection.close(false);
    assert.deepEqual(Wire.last.sent.at(-1).data, { feed: true });
    Wire.last.say(news(9));
    assert.equal(feed.envelopes.length, 1);
  });

  it("ends with the socket, which may rest when nothing is left", () => {
    const feed = listener();
    socket.subscribeFeed(null, feed);
    Wire.last.say(READY);
    Wire.last.say({ event: "ack", req: "1", data: { head: 9 } });
    socket.rest();
    assert.ok(!Wire.last.closing);
    Wire.last.end(4012);
    assert.deepEqual(feed.endings, ["restart"]);
    socket.connect();
    socket.rest();
    assert.ok(Wire.last.closing);
  });
});

describe("a send", () => {
  it("hands over to its reader before the next frame is looked at", () => {
    const reader = listener();
    socket.request("message.send", {}, (ack) => socket.adopt(ack.run_id, reader)).catch(() => undefined);
    Wire.last.say(READY);
    Wire.last.say({ event: "ack", req: "1", data: { run_id: "r", head: 3 } });
    Wire.last.say(event(1));
    assert.deepEqual(reader.envelopes.map((one) => one.id), [1]);
  });

  it("is refused with the server's own error", async () => {
    const sent = socket.request("message.send", {});
    Wire.last.say(READY);
    Wire.last.say({ event: "error", req: "1", data: { code: "thread_busy", message: "Busy." } });
    await assert.rejects(sent, (fault) => fault instanceof SocketRefused && fault.failure.code === "thread_busy");
  });

  it("is lost with the socket", async () => {
    const sent = socket.request("message.send", {});
    Wire.last.say(READY);
    Wire.last.end(1006);
    await assert.rejects(sent, SocketLost);
  });
});

describe("a close code", () => {
  const meanings = {
    4001: "ended", 4012: "restart", 1012: "restart", 1001: "restart", 1006: "dropped", 4002: "dropped", 4004: "dropped",
    4029: "busy", 4401: "signed_out", 4403: "refused", 4406: "refused",
  };
  for (const [code, kind] of Object.entries(meanings)) {
    it(`${code} means "${kind}"`, () => {
      const reader = subscribed();
      Wire.last.end(Number(code));
      assert.deepEqual(reader.endings, [kind]);
    });
  }

  it("before the session was ready means that the socket cannot be opened", () => {
    const reader = listener();
    socket.subscribe({ runId: "r", snapshot: false }, reader);
    Wire.last.end(1006);
    assert.deepEqual(reader.endings, ["unreachable"]);
  });

  it("leaves room for a new socket", () => {
    subscribed();
    const first = Wire.last;
    first.end(4012);
    const reader = subscribed();
    assert.notEqual(Wire.last, first);
    first.say(event(8));
    first.end(1006);
    assert.deepEqual(reader.envelopes, []);
    assert.deepEqual(reader.endings, []);
  });
});
