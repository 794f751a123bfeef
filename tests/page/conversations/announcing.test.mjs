import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { Announcer, Listener } = await load("conversations/announcing.js");
const { emptyState } = await load("streaming/snapshot.js");

const run = (status, more = {}) => ({ id: "r", thread_id: "t", status, model: "m", ...more });
const live = (state = {}, more = {}) => ({
  runId: "r", connected: true, stopping: false, aside: false, state: { ...emptyState(), run: run("in_progress"), ...state }, ...more,
});
const page = (lives = [], more = {}) => ({ threadId: "t", lives, runs: {}, messages: [], waiting: [], ...more });
const step = (kind, more = {}) => ({ id: kind, index: 0, step: kind, status: "in_progress", ...more });
const writing = { answerId: "a", answerLength: 1, messages: [{ id: "a", status: "in_progress" }] };
const over = (status, more = {}, content = "one two, three") =>
  page([], { runs: { r: run(status, more) }, messages: [{ id: "a", run_id: "r", content }] });
const notice = { code: "shortened", message: "Less was read." };
/** What each of the states brings, as texts. */
const heard = (...states) => {
  const listener = new Listener();
  return states.map((state) => listener.hear(state).map((one) => one.text));
};

describe("a screen reader hears", () => {
  it("each phase once, and not each token", () => {
    const thinking = page([live({ steps: [step("reasoning")] })]);
    const tool = page([live({ steps: [step("tool_calls", { name: "clock" })] })]);
    const text = page([live(writing)]);
    const more = page([live({ ...writing, answerLength: 99 })]);
    assert.deepEqual(heard(page([live()]), thinking, thinking, tool, text, more, over("completed")), [
      [], ["The model is thinking."], [], ["The tool clock is used."], ["The answer is being written."], [], ["Answer finished. 3 words."],
    ]);
  });

  it("how it ended, and why it failed", () => {
    const end = (...how) => heard(page([live()]), over(...how))[1];
    assert.deepEqual(end("cancelled", {}, "one"), ["Answer stopped. 1 word."]);
    assert.deepEqual(end("incomplete", {}, ""), ["Answer ended early."]);
    assert.deepEqual(end("expired", {}, ""), ["Answer ended early."]);
    assert.deepEqual(end("failed", { error: { code: "x", message: "It is away." } }, ""), ["The answer failed: It is away."]);
    assert.deepEqual(end("completed", {}, "你好世界"), ["Answer finished. 2 words."]);
  });

  it("an end that was not told when it is known", () => {
    const unknown = page([], { runs: { r: run("in_progress") } });
    assert.deepEqual(heard(page([live()]), unknown, over("completed"), over("completed")), [[], [], ["Answer finished. 3 words."], []]);
  });

  it("the place in the line once", () => {
    const line = (position) => page([live({ run: run("queued"), hint: { kind: "queued", position, estimateMs: null } })]);
    assert.deepEqual(heard(line(3), line(2)), [["Waiting — number 3 in line."], []]);
  });

  it("every approval that is asked for", () => {
    const asks = (approval_id) => page([live({ approvals: [{ approval_id, tool: "journal" }] })]);
    const text = ["The tool journal waits for your approval."];
    assert.deepEqual(heard(asks("1"), asks("1"), asks("2")), [text, [], text]);
    assert.equal(new Listener().hear(asks("1"))[0].passing, false);
  });

  it("what the model was not given, once", () => {
    const begun = page([live({ ...writing, run: run("in_progress", { notices: [notice] }) })]);
    assert.deepEqual(heard(begun, over("completed", { notices: [notice] })), [
      ["The answer is being written.", "Less was read."], ["Answer finished. 3 words."],
    ]);
  });

  it("of several at once only that they begin, and which has ended", () => {
    const both = [live(writing), live(writing, { runId: "q" })];
    const one = page([both[1]], { runs: { r: run("completed") } });
    const none = page([], { runs: { r: run("completed"), q: run("cancelled", { model: "n" }) } });
    assert.deepEqual(heard(page(both), page(both), one, none), [
      ["Several answers are being written."], [], ["m: Answer finished."], ["Answer stopped."],
    ]);
    const thinks = page([live({ steps: [step("reasoning")] }, { runId: "q" })], { runs: { r: run("completed") } });
    assert.deepEqual(heard(page(both), thinks)[1], ["The model is thinking.", "m: Answer finished."]);
  });

  it("nothing of an answer in another version, nor of a thread that was left", () => {
    assert.deepEqual(heard(page([live(writing, { aside: true })])), [[]]);
    assert.deepEqual(heard(page([live(writing)]), { ...over("completed"), threadId: "other" })[1], []);
    assert.deepEqual(heard({ ...page([live(writing)]), threadId: null }, over("completed"))[1], ["Answer finished. 3 words."]);
  });

  it("that a message waits", () => {
    const queued = page([live()], { waiting: [run("queued")] });
    assert.deepEqual(heard(page([live()]), queued, queued), [[], ["A message waits until the answer is done."], []]);
    assert.deepEqual(heard(page([], { waiting: [run("queued")] })), [[]]);
  });
});

describe("what comes too soon", () => {
  const passing = (text) => ({ text, passing: true });
  const lasting = (text) => ({ text, passing: false });

  it("waits, and is not said when it has passed by then", () => {
    const announcer = new Announcer();
    announcer.hear([passing("one")]);
    assert.equal(announcer.take(0), "one");
    announcer.hear([passing("two")]);
    assert.deepEqual([announcer.take(3999), announcer.wait(1000)], [null, 3000]);
    announcer.hear([passing("three")]);
    assert.equal(announcer.take(4000), "three");
    assert.deepEqual([announcer.take(9000), announcer.wait(9000)], [null, null]);
  });

  it("is all said where it lasts", () => {
    const announcer = new Announcer();
    announcer.hear([lasting("one")]);
    announcer.take(0);
    announcer.hear([passing("two"), lasting("three")]);
    announcer.hear([]);
    announcer.hear([lasting("four")]);
    assert.equal(announcer.take(5000), "three four");
  });

  it("is not said of one answer when the next has ended, too", () => {
    const announcer = new Announcer();
    announcer.hear([lasting("one")]);
    announcer.take(0);
    announcer.hear([{ ...lasting("First."), about: "the end" }]);
    announcer.hear([passing("Writing."), lasting("less")]);
    announcer.hear([{ ...lasting("Second."), about: "the end" }]);
    assert.equal(announcer.take(5000), "less Second.");
  });
});
