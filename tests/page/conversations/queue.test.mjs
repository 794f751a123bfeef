import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { load } from "../support/modules.mjs";

globalThis.requestAnimationFrame ??= (draw) => setTimeout(draw, 0);
const { ApiError } = await load("conversations/api.js");
const { Queue } = await load("conversations/queue.js");
const { readDraft, saveDraft } = await load("conversations/preferences.js");
const { Store, initialState } = await load("conversations/store.js");

const run = (id, content, more = {}) => ({ id, thread_id: "t", status: "queued", waiting: true, request: { content, model: "" }, ...more });
const updated = (...waiting) => ({ event: "thread.queue.updated", feed: 1, data: { thread_id: "t", waiting } });
const created = (one) => ({ event: "thread.run.created", feed: 2, data: { thread_id: "t", run: one } });
const begun = (id) => ({ ...run(id, ""), waiting: false, request: null, user_message_id: `q-${id}` });
const refusal = (code) => new ApiError(409, { code, message: "No." });
let server;
let queue;
let followed;
let handedBack;
const state = () => queue.store.state;
const texts = () => state().waiting.map((one) => one.request.content);
const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

/** A server whose answers the test gives, one by one, in the order of the questions. */
beforeEach(() => {
  const ask = (path, body) => new Promise((answer, refuse) => server.asked.push({ path, body, answer, refuse }));
  server = { asked: [], postOnce: ask, patch: ask, post: ask };
  followed = [];
  const store = new Store({ ...initialState({ model: "" }), threadId: "t" });
  handedBack = [];
  const files = { handBack: (_, given) => handedBack.push(given) };
  queue = new Queue({ store, api: server, files, onBegun: (_, runId) => followed.push(runId) });
  saveDraft("t", "");
});

describe("the queue", () => {
  it("is as it was read, unless something newer was told meanwhile", () => {
    queue.show([run("a", "one")], 0);
    assert.deepEqual(texts(), ["one"]);
    queue.heard(updated(run("a", "one"), run("b", "two")));
    queue.show([run("a", "one")], 0);
    assert.deepEqual(texts(), ["one", "two"]);
  });

  it("gives what begins its place among the messages at once, and what was withdrawn none", () => {
    queue.heard(updated(run("a", "one"), run("b", "two")));
    queue.heard(updated(run("b", "two")));
    assert.deepEqual(state().messages, []);
    queue.heard(created(begun("a")));
    queue.heard(created(begun("a")));
    queue.heard(created(begun("unknown")));
    assert.deepEqual(state().messages.map(({ id, content }) => [id, content]), [["q-a", "one"]]);
  });

  it("sends one after the other, and shows nothing twice", async () => {
    queue.add("t", "one", [], "m");
    queue.add("t", "two", [], "");
    await settled();
    assert.deepEqual(server.asked.map(({ body }) => body), [{ content: "one", if_busy: "enqueue", model: "m" }]);
    queue.heard(updated(run("a", "one")));
    assert.deepEqual([texts(), state().adding.map((one) => one.content)], [["one"], ["two"]]);
    server.asked[0].answer({ run: run("a", "one") });
    await settled();
    server.asked[1].answer({ run: run("b", "two") });
    await settled();
    assert.deepEqual([texts(), state().adding], [["one", "two"], []]);
    queue.heard(updated(run("b", "two")));
    queue.added(run("a", "one"));
    assert.deepEqual(texts(), ["two"]);
  });

  it("follows what had not to wait after all", async () => {
    queue.add("t", "one", [], "");
    await settled();
    server.asked[0].answer({ run: { ...run("a", ""), waiting: false, request: null } });
    await settled();
    assert.deepEqual([followed, texts(), state().adding], [["a"], [], []]);
  });

  it("keeps what was refused, under its key, until it is sent again or given back", async () => {
    queue.add("t", "one", [], "");
    await settled();
    server.asked[0].refuse(refusal("queue_full"));
    await settled();
    const [refused] = state().adding;
    assert.deepEqual([refused.status, refused.error.code], ["failed", "queue_full"]);
    queue.deliver(refused);
    assert.deepEqual(state().adding.map(({ key, status }) => [key, status]), [[refused.key, "sending"]]);
    queue.discard(refused);
    assert.deepEqual([state().adding, readDraft("t"), state().handedBack], [[], "one", 1]);
  });
});

describe("what waits", () => {
  beforeEach(() => queue.heard(updated(run("a", "one"), run("b", "two"))));

  it("is changed in its place", async () => {
    const done = queue.change(run("a", "one"), "other");
    server.asked[0].answer({ run: run("a", "other") });
    assert.equal(await done, true);
    assert.deepEqual([server.asked[0].path, texts()], ["/runs/a", ["other", "two"]]);
  });

  it("loses nothing that was written when it has begun before", async () => {
    const done = queue.change(run("a", "one"), "other");
    server.asked[0].refuse(refusal("not_waiting"));
    assert.equal(await done, false);
    assert.deepEqual([readDraft("t"), state().problem.code], ["other", "not_waiting"]);
  });

  it("is withdrawn into the message field, where that is empty", async () => {
    for (const id of ["a", "b"]) {
      const done = queue.withdraw(state().waiting[0]);
      server.asked.shift().answer({ run: { ...run(id, ""), status: "cancelled", waiting: false, user_message_id: null } });
      await done;
    }
    assert.deepEqual([texts(), readDraft("t"), state().handedBack], [[], "one", 1]);
  });

  it("is not given back where it had begun and was stopped", async () => {
    const done = queue.withdraw(run("a", "one"));
    server.asked[0].answer({ run: begun("a") });
    await done;
    assert.equal(readDraft("t"), "");
  });
});
