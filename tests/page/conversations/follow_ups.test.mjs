import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { followUpsOf, suggestedBy } = await load("conversations/follow_ups.js");
const { initialState } = await load("conversations/store.js");

const question = { id: "q", role: "user", status: "completed", content: "Why?" };
const answer = { id: "a", role: "assistant", status: "completed", content: "Because.", follow_ups: ["How?"] };
const state = (more = {}) => ({ ...initialState({ model: "" }), threadId: "t", messages: [question, answer], ...more });
const updated = { event: "message.updated", feed: 1, data: { thread_id: "t", message_id: "a", follow_ups: ["When?"] } };

describe("follow-ups", () => {
  it("stand below the last answer, as they were read or were told since", () => {
    assert.deepEqual(followUpsOf(state(), false), ["How?"]);
    assert.deepEqual(followUpsOf(state({ suggested: suggestedBy(null, updated) }), false), ["When?"]);
    assert.deepEqual(followUpsOf(state({ suggested: { messageId: "another", questions: ["Who?"] } }), false), ["How?"]);
  });

  it("are there too where the feed was before the run that brings the answer", () => {
    const { follow_ups: _, ...brought } = answer;
    const suggested = suggestedBy(null, updated);
    assert.deepEqual(followUpsOf(state({ messages: [question], suggested }), false), []);
    assert.deepEqual(followUpsOf(state({ messages: [question, brought], suggested }), false), ["When?"]);
  });

  const pending = { threadId: "t", content: "And?", status: "failed" };
  for (const [when, shown, busy] of [
    ["an answer is on its way", state(), true],
    ["it is still being written", state({ messages: [question, { ...answer, status: "in_progress" }] }), false],
    ["a question stands last", state({ messages: [question, answer, { ...question, id: "q2" }] }), false],
    ["a send is on its way or was refused", state({ pending }), false],
    ["a send waits", state({ waiting: [{ id: "r" }] }), false],
    ["a send is about to wait", state({ adding: [pending] }), false],
    ["there is nothing", state({ messages: [] }), false],
    ["nothing was suggested", state({ messages: [question, { ...answer, follow_ups: undefined }] }), false],
  ]) {
    it(`are gone when ${when}`, () => assert.deepEqual(followUpsOf(shown, busy), []));
  }

  it("stay where a send goes on in another thread", () => {
    assert.deepEqual(followUpsOf(state({ pending: { ...pending, threadId: "u" } }), false), ["How?"]);
  });

  it("are forgotten when a run begins, and by nothing else", () => {
    const suggested = suggestedBy(null, updated);
    assert.equal(suggestedBy(suggested, { event: "thread.updated", feed: 2, data: {} }), suggested);
    assert.equal(suggestedBy(suggested, { event: "thread.run.created", feed: 2, data: {} }), null);
  });
});
