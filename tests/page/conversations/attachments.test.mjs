import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { load } from "../support/modules.mjs";

globalThis.requestAnimationFrame ??= (draw) => setTimeout(draw, 0);
const { ApiError } = await load("conversations/api.js");
const { Attachments } = await load("conversations/attachments.js");
const { bytes } = await load("conversations/format.js");
const { readDraftFiles, saveDraftFiles } = await load("conversations/preferences.js");
const { named, stillThere } = await load("conversations/queue.js");
const { Store, initialState } = await load("conversations/store.js");

const file = (name, size = 5) => ({ name, size });
const kept = (id, name = `${id}.txt`) => ({ id, name, type: "text/plain", size: 5, kind: "text" });
const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
let asked;
let removed;
let files;
const all = () => files.all.map(({ name, status, error }) => [name, status, error]);

/** A server whose answers the test gives. */
beforeEach(() => {
  asked = [];
  removed = [];
  const api = {
    upload: (path, sent, options) =>
      new Promise((answer, refuse) => asked.push({ path, sent, answer, refuse, ...options })),
    delete: async (path) => removed.push(path),
  };
  const limits = { attachments: 3, attachment_bytes: 1000 };
  files = new Attachments({ store: new Store(initialState({ model: "" })), api, limits });
  for (const thread of [null, "t", "u"]) saveDraftFiles(thread, []);
  files.show("t");
});

describe("files beside what is written", () => {
  it("are sent one after the other, each under a key of its own, and say how far they are", async () => {
    files.add([file("a.txt"), file("b.txt")]);
    await settled();
    assert.deepEqual([asked.length, files.underWay], [1, true]);
    asked[0].progressed(0.5);
    assert.deepEqual(files.all.map((one) => one.progress), [0.5, 0]);
    asked[0].answer(kept("1", "a.txt"));
    await settled();
    asked[1].answer(kept("2", "b.txt"));
    await settled();
    assert.notEqual(asked[0].key, asked[1].key);
    assert.deepEqual([all(), files.underWay], [[["a.txt", "ready", null], ["b.txt", "ready", null]], false]);
  });

  it("say in words why one is refused, here or by the server, and the others go on", async () => {
    files.add([file("big", 1001), file("empty", 0), file("zip"), file("ok")]);
    await settled();
    asked[0].refuse(new ApiError(415, { code: "unsupported_type", message: "Not taken.", retryable: false }));
    await settled();
    asked[1].answer(kept("1", "ok"));
    await settled();
    assert.deepEqual(all(), [
      ["big", "refused", "Larger than 1.0 kB."],
      ["empty", "refused", "This file is empty."],
      ["zip", "refused", "Not taken."],
      ["ok", "ready", null],
    ]);
    assert.equal(files.refused, true);
  });

  it("are so many at most", async () => {
    files.add(["a", "b", "c", "d"].map((name) => file(name)));
    assert.deepEqual(all()[3], ["d", "refused", "A message has at most 3 files."]);
  });

  it("go with the question that is sent, once", async () => {
    files.add([file("a.txt")]);
    await settled();
    asked[0].answer(kept("1"));
    await settled();
    assert.deepEqual([files.take(), files.all, readDraftFiles("t")], [[kept("1")], [], []]);
    assert.deepEqual([named([kept("1")]), named([])], [{ attachments: ["1"] }, {}]);
  });

  it("are stopped, or removed from the server, with their card", async () => {
    files.add([file("a.txt"), file("b.txt")]);
    await settled();
    files.remove(files.all[0]);
    assert.equal(asked[0].stop.aborted, true);
    asked[0].refuse(new ApiError(0, { code: "network", message: "", retryable: true }));
    await settled();
    asked[1].answer(kept("2"));
    await settled();
    files.remove(files.all[0]);
    assert.deepEqual([files.all, removed], [[], ["/attachments/2"]]);
  });

  it("stay with the draft of their thread", async () => {
    files.add([file("a.txt")]);
    await settled();
    asked[0].answer(kept("1"));
    await settled();
    files.show("u");
    assert.deepEqual(files.all, []);
    files.show("t");
    assert.deepEqual(files.take(), [kept("1")]);
  });

  it("stay where they are when the first message gives the thread its address", async () => {
    files.show(null);
    files.add([file("a.txt")]);
    files.moved("u");
    await settled();
    asked[0].answer(kept("1"));
    await settled();
    assert.deepEqual([readDraftFiles(null), readDraftFiles("u")], [[], [kept("1")]]);
  });

  it("come back with a question that was not sent, unless others are attached, and without those that are gone", () => {
    const error = { code: "attachment_unknown", message: "", retryable: false, details: { ids: ["1"] } };
    files.handBack("t", stillThere([kept("1"), kept("2")], error));
    files.handBack("t", [kept("3")]);
    assert.deepEqual(files.take(), [kept("2")]);
    files.handBack("u", [kept("4")]);
    assert.deepEqual(readDraftFiles("u"), [kept("4")]);
  });
});

describe("a size", () => {
  it("is told as people read it", () => {
    assert.deepEqual([1, 900, 2048, 1024 * 1023, 10 * 1024 * 1024, 1.5 * 1024 ** 2].map(bytes), [
      "1 byte", "900 bytes", "2.0 kB", "1.0 MB", "10.5 MB", "1.6 MB",
    ]);
  });
});
