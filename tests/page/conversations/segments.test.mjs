import assert from "node:assert/strict";
import { it } from "node:test";
import { load } from "../support/modules.mjs";

const { segmentsOf } = await load("conversations/segments.js");

const steps = { s: { id: "s" }, t: { id: "t" } };
const text = (value) => ({ kind: "text", text: value });

it("text and steps stand in the order of the parts, neighbouring steps together", () => {
  const parts = [{ step_id: "s" }, { step_id: "t" }, { text: [0, 3] }, { step_id: "s" }, { text: [3, 5] }];
  assert.deepEqual(segmentsOf({ content: "abcde", parts }, steps), [
    { kind: "steps", steps: [steps.s, steps.t] }, text("abc"), { kind: "steps", steps: [steps.s] }, text("de"),
  ]);
});

it("ranges count code points", () => {
  const parts = [{ text: [0, 2] }, { step_id: "s" }, { text: [2, 4] }];
  const [before, , after] = segmentsOf({ content: "🎉a🎉b", parts }, steps);
  assert.deepEqual([before, after], [text("🎉a"), text("🎉b")]);
});

it("content that no part names is shown all the same", () => {
  assert.deepEqual(segmentsOf({ content: "all" }, {}), [text("all")]);
  assert.deepEqual(segmentsOf({ content: "abcd", parts: [{ text: [0, 2] }] }, {}), [text("ab"), text("cd")]);
});

it("a step that is not known is left out", () => {
  assert.deepEqual(segmentsOf({ content: "", parts: [{ step_id: "x" }] }, steps), []);
});
