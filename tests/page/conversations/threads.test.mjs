import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { load } from "../support/modules.mjs";

globalThis.requestAnimationFrame ??= (draw) => setTimeout(draw, 0);
const { Store, initialState } = await load("conversations/store.js");
const { Threads } = await load("conversations/threads.js");

const thread = (id, at, more = {}) => ({ id, title: id, model: "", active_runs: [], created_at: at, updated_at: at, ...more });
const page = (feed_cursor, results, next = null) => ({ results, next, feed_cursor });
const updated = (feed, one) => ({ event: "thread.updated", feed, data: { thread: one } });
let server;
let threads;
const titles = () => threads.store.state.threads.items.map((one) => one.title);

/** A server whose answers the test gives, one by one, in the order of the questions. */
beforeEach(() => {
  const ask = (path) => new Promise((answer) => server.asked.push({ path, answer }));
  server = { asked: [], get: ask, patch: ask, delete: ask };
  threads = new Threads(new Store(initialState({ model: "" })), server);
});

const answer = async (value) => {
  server.asked.shift().answer(value);
  await new Promise((resolve) => setTimeout(resolve, 0));
};

describe("the list", () => {
  it("is kept up by the feed", async () => {
    threads.refresh();
    await answer(page(3, [thread("a", "2026-01")]));
    threads.take(updated(4, thread("b", "2026-02")));
    threads.take(updated(4, thread("again", "2026-03")));
    threads.take({ event: "thread.deleted", feed: 5, data: { thread_id: "a" } });
    assert.deepEqual(titles(), ["b"]);
  });

  it("has what was told while it was read, and not twice", async () => {
    threads.refresh();
    threads.take(updated(4, thread("a", "2026-01", { title: "known" })));
    threads.take(updated(5, thread("a", "2026-01", { title: "newer" })));
    await answer(page(4, [thread("a", "2026-01", { title: "known" })]));
    assert.deepEqual([titles(), threads.list.last], [["newer"], 5]);
  });

  it("is read again after a gap and after a reset", async () => {
    threads.refresh();
    await answer(page(3, [thread("a", "2026-01")]));
    for (const event of [updated(7, thread("b", "2026-02")), { event: "feed.reset", feed: 9, data: { head: 9 } }]) {
      assert.ok(threads.take(event));
      await answer(page(event.feed, [thread(`at ${event.feed}`, "2026-01")]));
      assert.deepEqual(titles(), [`at ${event.feed}`]);
    }
    assert.equal(server.asked.length, 0);
  });

  it("is read once more where it was asked for in the middle of a reading", async () => {
    threads.refresh();
    threads.refresh();
    threads.refresh();
    await answer(page(3, []));
    await answer(page(4, [thread("a", "2026-01")]));
    assert.deepEqual([titles(), server.asked.length], [["a"], 0]);
  });

  it("does not let an older page take back what was told while it was read", async () => {
    threads.refresh();
    await answer(page(3, [thread("b", "2026-02")], "more"));
    threads.more();
    threads.take(updated(4, thread("a", "2026-01", { title: "newer" })));
    await answer(page(3, [thread("a", "2026-01", { title: "older" })]));
    assert.deepEqual(titles(), ["b", "newer"]);
  });

  it("is not read again for what the feed tells", () => {
    threads.fed = true;
    threads.stale();
    assert.equal(server.asked.length, 0);
    threads.fed = false;
    threads.stale();
    assert.equal(server.asked.length, 1);
  });

  it("does not let the answer to a change take back what was changed after it elsewhere", async () => {
    threads.fed = true;
    threads.refresh();
    await answer(page(3, [thread("a", "2026-01")]));
    threads.rename(thread("a", "2026-01"), "mine");
    assert.deepEqual(titles(), ["mine"]);
    threads.take(updated(4, thread("a", "2026-01", { title: "mine" })));
    threads.take(updated(5, thread("a", "2026-01", { title: "theirs" })));
    await answer(thread("a", "2026-01", { title: "mine" }));
    assert.deepEqual(titles(), ["theirs"]);
  });
});
