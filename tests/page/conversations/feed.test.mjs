import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { useDocument } from "../support/dom.mjs";
import { load } from "../support/modules.mjs";

const window = useDocument();
globalThis.addEventListener ??= window.addEventListener.bind(window);
const { Feed } = await load("conversations/feed.js");
const { newMemory } = await load("streaming/session.js");

const news = (feed) => ({ event: "thread.deleted", feed, data: { thread_id: "t" } });
let feed;
let socket;
let heard;

beforeEach(() => {
  look(false);
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
});
afterEach(() => mock.timers.reset());

function follow(choice) {
  // Pages of other tests still listen to the document: each counts for itself.
  const said = { events: [], fed: [], stale: 0, signedOut: 0 };
  const own = {
    opened: [],
    rests: 0,
    closed: 0,
    subscribeFeed: (_, listener) => {
      own.opened.push(listener);
      return { close: () => (own.closed += 1) };
    },
    rest: () => (own.rests += 1),
  };
  [heard, socket] = [said, own];
  feed = new Feed({
    api: "/api/v1",
    username: "ada",
    runs: { socket: own, memory: newMemory(), choice: () => choice },
    onEvent: (envelope) => said.events.push(envelope.feed),
    onFed: (fed) => said.fed.push(fed),
    onSignedOut: () => (said.signedOut += 1),
    onStale: () => (said.stale += 1),
  });
}

function look(hidden) {
  Object.defineProperty(window.document, "hidden", { value: hidden, configurable: true });
  window.document.dispatchEvent(new window.Event("visibilitychange"));
}

describe("the page's feed", () => {
  it("is the list read now and then where no stream was chosen", () => {
    follow("poll");
    feed.start(4);
    for (let passed = 0; passed < 31; passed += 1) mock.timers.tick(1_000);
    assert.deepEqual([socket.opened.length, heard.stale], [0, 2]);
  });

  it("goes on from the list's number and tells each event once", () => {
    follow("websocket");
    feed.start(4);
    feed.start(9);
    const [listener] = socket.opened;
    assert.deepEqual([socket.opened.length, listener.cursor()], [1, 4]);
    listener.opened();
    for (const number of [5, 5, 6]) listener.envelope(news(number));
    listener.heard();
    assert.deepEqual([heard.events, heard.fed, listener.cursor()], [[5, 6], [true], 6]);
  });

  it("tells a reset though its number is not new, and goes on from there", () => {
    follow("websocket");
    feed.start(9);
    const [listener] = socket.opened;
    listener.envelope({ event: "feed.reset", feed: 3, data: { head: 3 } });
    assert.deepEqual([heard.events, listener.cursor()], [[3], 3]);
  });

  it("says that it is not fed while the connection is away", () => {
    follow("websocket");
    feed.start(4);
    socket.opened[0].opened();
    socket.opened[0].closed({ kind: "dropped" });
    assert.deepEqual(heard.fed, [true, false]);
    mock.timers.tick(15_000);
    assert.ok(heard.stale > 0);
  });

  it("ends where the session has ended", () => {
    follow("websocket");
    feed.start(4);
    socket.opened[0].closed({ kind: "signed_out" });
    assert.equal(heard.signedOut, 1);
  });

  it("gives its socket up after a minute in the background, and not before", () => {
    follow("websocket");
    feed.start(4);
    socket.opened[0].opened();
    look(true);
    mock.timers.tick(59_000);
    look(false);
    mock.timers.tick(59_000);
    assert.equal(socket.closed, 0);
    look(true);
    mock.timers.tick(61_000);
    assert.deepEqual([socket.closed, socket.rests, heard.fed], [1, 1, [true, false]]);
    look(false);
    feed.start(7);
    assert.equal(socket.opened[1].cursor(), 7);
  });
});
