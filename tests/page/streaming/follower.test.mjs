import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { Follower } = await load("streaming/follower.js");
const { Session, newMemory } = await load("streaming/session.js");
const { apply, emptyState } = await load("streaming/snapshot.js");
const { sseTransport } = await load("streaming/sse.js");
const { pollTransport } = await load("streaming/poll.js");

const run = (status) => ({ id: "r", thread_id: "t", status });
const envelope = (id, event, data) => ({ event, id, data: { run_id: "r", ...data } });
const EVENTS = [
  envelope(1, "thread.run.created", { run: run("queued") }),
  envelope(2, "thread.message.created", { message: { id: "a", role: "assistant", status: "in_progress", content: "", parts: [] } }),
  envelope(3, "thread.message.delta", { content: "Hel" }),
  envelope(4, "thread.message.delta", { content: "lo" }),
  envelope(5, "thread.run.completed", { run: run("completed") }),
];
const sse = (events) => `: open\nretry: 1\n\n${events.map((one) => `data: ${JSON.stringify(one)}\n\n`).join("")}`;
const stream = (text) => new Response(text, { headers: { "Content-Type": "text/event-stream; charset=utf-8" } });
const json = (value) => new Response(JSON.stringify(value), { headers: { "Content-Type": "application/json" } });

/** Follows the run over a network that answers each request with the next of the answers. */
function follow(transport, answers) {
  const asked = [];
  const fetcher = async (url) => {
    asked.push(String(url));
    const answer = answers.shift();
    if (!answer) throw new TypeError("no network");
    return answer();
  };
  return new Promise((resolve) => {
    const follower = new Follower({
      runId: "r",
      state: emptyState(),
      fold: apply,
      session: new Session({ transports: [transport], memory: newMemory(), random: () => -0.9 }),
      transports: { sse: sseTransport("/api/v1", fetcher), poll: pollTransport("/api/v1", { turn: (_signal, poll) => poll(25) }, fetcher), websocket: assert.fail },
      onChange: () => undefined,
      onEnd: (reason, state) => resolve({ reason, state, asked }),
    });
    follower.start();
  });
}

describe("a run is followed by events", () => {
  it("to its end", async () => {
    const { reason, state, asked } = await follow("sse", [() => stream(sse(EVENTS))]);
    assert.equal(reason, "terminal");
    assert.equal(state.messages[0].content, "Hello");
    assert.deepEqual(asked, ["/api/v1/runs/r/events?after=0"]);
  });

  it("across a loss, from the last event that it has", async () => {
    const { state, asked } = await follow("sse", [
      () => stream(sse(EVENTS.slice(0, 3))),
      () => stream(sse(EVENTS.slice(3))),
    ]);
    assert.equal(state.messages[0].content, "Hello");
    assert.deepEqual(asked, ["/api/v1/runs/r/events?after=0", "/api/v1/runs/r/events?after=3"]);
  });

  it("over a gap by a snapshot", async () => {
    const message = { ...EVENTS[1].data.message, content: "Hel", parts: [{ text: [0, 3] }] };
    const snapshot = envelope(3, "thread.run.snapshot", { run: run("in_progress"), messages: [message], steps: [], as_of: 3 });
    const { state, asked } = await follow("sse", [
      () => stream(sse([EVENTS[0], EVENTS[3]])),
      () => stream(sse([snapshot, ...EVENTS.slice(3)])),
    ]);
    assert.equal(state.messages[0].content, "Hello");
    assert.equal(asked[1], "/api/v1/runs/r/events?after=1&snapshot=1");
  });

  it("until the server says that there is nothing more", async () => {
    const { reason } = await follow("sse", [() => new Response(null, { status: 204 })]);
    assert.equal(reason, "over");
  });

  it("until the run is gone, or the person signed out", async () => {
    assert.equal((await follow("sse", [() => new Response("", { status: 404 })])).reason, "gone");
    assert.equal((await follow("sse", [() => new Response("", { status: 401 })])).reason, "signed_out");
  });
});

describe("a run is followed by long poll", () => {
  const view = (status, events) => ({ run: run(status), head: 5, messages: [], steps: [], events });

  it("to its end", async () => {
    const { reason, state, asked } = await follow("poll", [
      () => json(view("in_progress", EVENTS.slice(0, 3))),
      () => json(view("completed", EVENTS.slice(3))),
    ]);
    assert.equal(reason, "terminal");
    assert.equal(state.messages[0].content, "Hello");
    assert.deepEqual(asked, ["/api/v1/runs/r?wait=0&after=0", "/api/v1/runs/r?wait=25&after=3"]);
  });

  it("by its state where its log is gone", async () => {
    const message = { ...EVENTS[1].data.message, status: "completed", content: "Hello" };
    const { reason, state } = await follow("poll", [() => json({ ...view("completed", null), messages: [message] })]);
    assert.equal(reason, "terminal");
    assert.equal(state.messages[0].content, "Hello");
  });
});

it("a connection that was given up is not heard any more", () => {
  const listeners = [];
  const open = (_request, listener) => {
    listeners.push(listener);
    return { close: () => undefined };
  };
  const changes = [];
  const follower = new Follower({
    runId: "r",
    state: emptyState(),
    fold: apply,
    session: new Session({ transports: ["sse"], memory: newMemory(), random: () => 0 }),
    transports: { sse: open, poll: open, websocket: open },
    onChange: (state) => changes.push(state.last),
    onEnd: () => changes.push("end"),
  });
  follower.start();
  listeners[0].opened();
  listeners[0].envelope(EVENTS[0]);
  listeners[0].envelope(EVENTS[2]);
  assert.equal(listeners.length, 2);
  changes.length = 0;
  listeners[0].envelope(EVENTS[1]);
  listeners[0].closed({ kind: "gone" });
  assert.deepEqual(changes, []);
  follower.stop();
});
