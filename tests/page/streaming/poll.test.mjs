import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { pollTransport } = await load("streaming/poll.js");
const { apply, emptyState } = await load("streaming/snapshot.js");

const MESSAGE = { id: "a", role: "assistant", status: "completed", content: "one two", parts: [], thinking: "" };
const ended = (events, head) => ({
  run: { id: "r", thread_id: "t", status: "completed" }, head, messages: [MESSAGE], steps: [], events,
});

/** A reader who has come to event `last` and asks; a test answers. Resolves with how it ended, and what was told. */
function polled(last, ...views) {
  const told = [];
  let state = { ...emptyState(), last };
  const fetcher = async () => {
    assert.ok(views.length, "asked once more than there is to know");
    const view = views.shift();
    return { ok: true, status: 200, headers: new Headers(), json: async () => view };
  };
  return new Promise((resolve) => {
    const listener = {
      cursor: () => state.last,
      opened: () => undefined,
      heard: () => undefined,
      envelope: (envelope) => {
        told.push(envelope.event);
        ({ state } = apply(state, envelope));
      },
      closed: (ending) => resolve({ ending, told, state }),
    };
    const tabs = { turn: (signal, work) => work(25) };
    pollTransport("/api/v1", tabs, fetcher)({ runId: "r", snapshot: false }, listener);
  });
}

describe("a reader who polls", () => {
  it("is told what follows, one by one", async () => {
    const data = { run: { id: "r", status: "completed" } };
    const { ending, told } = await polled(8, ended([{ event: "thread.run.completed", id: 9, data }], 9));
    assert.deepEqual([ending, told], [{ kind: "over" }, ["thread.run.completed"]]);
  });

  it("takes the state where what follows is not there any more", async () => {
    const { ending, told, state } = await polled(2, ended([], 9));
    assert.deepEqual([ending, told], [{ kind: "over" }, ["thread.run.snapshot"]]);
    assert.equal(state.messages[0].content, "one two");
  });

  it("takes the state where there is less than it has", async () => {
    const { told, state } = await polled(12, ended([], 9));
    assert.deepEqual([told, state.last], [["thread.run.snapshot"], 9]);
  });

  it("is told nothing where there is nothing new", async () => {
    const waiting = { ...ended([], 2), run: { id: "r", thread_id: "t", status: "in_progress" } };
    const { told } = await polled(2, waiting, ended([], 9));
    assert.deepEqual(told, ["thread.run.snapshot"]);
  });

  it("looks at once, whatever other tabs wait for", async () => {
    const asked = [];
    const fetcher = async (url) => {
      asked.push(url);
      return { ok: true, status: 200, headers: new Headers(), json: async () => ended([], 9) };
    };
    const busy = { turn: () => new Promise(() => undefined) };
    let state = { ...emptyState(), last: 2 };
    await new Promise((closed) => {
      const envelope = (one) => ({ state } = apply(state, one));
      const listener = { cursor: () => state.last, opened() {}, heard() {}, envelope, closed };
      pollTransport("/api/v1", busy, fetcher)({ runId: "r", snapshot: false }, listener);
    });
    assert.deepEqual(asked, ["/api/v1/runs/r?wait=0&after=2"]);
  });
});
