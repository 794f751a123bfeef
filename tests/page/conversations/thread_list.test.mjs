import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { apply, changed, listOf, withPage } = await load("conversations/thread_list.js");

const FILE = new URL("../../transcripts/feed/threads.json", import.meta.url);
const { before, steps } = JSON.parse(readFileSync(FILE, "utf8"));
const events = steps.flatMap((step) => step.events);
const ids = (list) => list.items.map((thread) => thread.id);

const thread = (id, at, more = {}) => ({ id, title: id, model: "", active_runs: [], created_at: at, updated_at: at, ...more });
const page = (threads, next = null, feed_cursor = 0) => ({ results: threads, next, feed_cursor });
const told = (feed, event, data) => ({ event, feed, data });
const updated = (feed, one) => told(feed, "thread.updated", { thread: one });
const THREE = [thread("c", "2026-03"), thread("b", "2026-02"), thread("a", "2026-01")];

describe("the recorded transcript", () => {
  it("folds to the server's own lists", () => {
    let list = listOf(before);
    for (const step of steps) {
      for (const event of step.events) {
        const { list: next, outcome } = apply(list, event);
        assert.equal(outcome, "applied");
        list = next;
      }
      assert.deepEqual(list.items, step.list, step.after);
    }
    assert.ok(steps.length > 10);
  });

  it("is the same when every event comes twice", () => {
    const twice = events.flatMap((event) => [event, event]);
    const folded = twice.reduce((list, event) => apply(list, event).list, listOf(before));
    assert.deepEqual(folded.items, steps.at(-1).list);
  });

  it("does no harm to a list that was read later than its cursor", () => {
    for (const step of steps) {
      const folded = events.reduce(changed, listOf(page(step.list)));
      assert.deepEqual(folded.items, steps.at(-1).list, step.after);
    }
  });

  it("never changes a list that somebody still shows", () => {
    const list = listOf(before);
    const copy = structuredClone(list);
    events.reduce((sum, event) => apply(sum, event).list, list);
    assert.deepEqual(list, copy);
  });
});

describe("an event", () => {
  it("that was applied before is dropped, and after a gap nothing is", () => {
    const list = listOf(page(THREE, null, 7));
    const late = updated(7, thread("a", "2026-09"));
    assert.deepEqual(apply(list, late), { list, outcome: "repeat" });
    assert.deepEqual(apply(list, { ...late, feed: 9 }), { list, outcome: "gap" });
    assert.deepEqual(apply(list, told(12, "feed.reset", { head: 12 })), { list, outcome: "reset" });
  });

  it("with a name that is not known here counts all the same", () => {
    const { list, outcome } = apply(listOf(page(THREE)), told(1, "folder.created", { folder: {} }));
    assert.deepEqual([list.last, outcome, ids(list)], [1, "applied", ["c", "b", "a"]]);
  });
});

describe("a list of which only the top was read", () => {
  const top = listOf(page(THREE.slice(0, 2), "more"));

  it("leaves out what stands below, and takes in what comes up", () => {
    const renamed = apply(top, updated(1, thread("a", "2026-01", { title: "new" }))).list;
    assert.deepEqual(ids(renamed), ["c", "b"]);
    const moved = apply(renamed, updated(2, thread("a", "2026-04"))).list;
    assert.deepEqual(ids(moved), ["a", "c", "b"]);
  });

  it("keeps its floor though the thread that stood there has moved up", () => {
    const moved = apply(top, updated(1, thread("b", "2026-05"))).list;
    assert.deepEqual(ids(apply(moved, updated(2, thread("a", "2026-01", { title: "new" }))).list), ["b", "c"]);
    assert.deepEqual(ids(withPage(moved, page([THREE[2]]))), ["b", "c", "a"]);
  });

  it("says that it lacks a thread which the end of a run has moved up", () => {
    const end = (feed, at) => told(feed, "thread.run.completed", { thread_id: "a", run: { id: "r", finished_at: at } });
    assert.equal(apply(top, end(1, "2026-06")).outcome, "lacking");
    assert.equal(apply(top, end(1, "2026-01-02")).outcome, "applied");
    assert.equal(apply(listOf(page(THREE.slice(0, 2))), end(1, "2026-06")).outcome, "applied");
  });
});

it("threads of one moment stand in the order of their ids, as the server has them", () => {
  const list = ["a", "c", "b"].reduce((sum, id, at) => apply(sum, updated(at + 1, thread(id, "2026-01"))).list, listOf(page([])));
  assert.deepEqual(ids(list), ["c", "b", "a"]);
});
