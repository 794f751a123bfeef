import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { argumentsOf, outcomeOf } = await load("conversations/tools.js");

it("a call says how it ended, and one that never began says that", () => {
  const said = (status, code) => outcomeOf({ status, error: code ? { code, message: "" } : null });
  assert.deepEqual(["in_progress", "completed", "failed", "cancelled"].map((status) => said(status)), ["running", "done", "failed", "stopped"]);
  assert.deepEqual([said("failed", "max_steps"), said("failed", "repeat_limit"), said("cancelled", "not_run")], ["not run", "not run", "not run"]);
  assert.equal(said("failed", "denied"), "not allowed");
  assert.equal(said("cancelled", "outcome_unknown"), "stopped");
  assert.equal(said("failed", "tool_failed"), "failed");
});

describe("what a tool was given", () => {
  it("is a text as it is, and anything else as JSON", () => {
    const shown = argumentsOf({ a: "x y", b: 3, c: { d: [1] }, e: null });
    assert.deepEqual(shown.map((one) => one.text), ["x y", "3", '{\n  "d": [\n    1\n  ]\n}', "null"]);
    assert.ok(shown.every((one) => one.beginning === null));
  });

  it("is nothing where nothing was given", () => assert.deepEqual([argumentsOf(null), argumentsOf({})], [[], []]));

  it("is folded where it is long, or has many lines", () => {
    const beginning = (text) => argumentsOf({ text })[0].beginning;
    assert.equal(beginning("a".repeat(400)), null);
    assert.equal(beginning("a".repeat(401)), `${"a".repeat(400)}…`);
    assert.equal(beginning("a\n".repeat(7)), null);
    assert.equal(beginning("a\n".repeat(8)), `${"a\n".repeat(7)}a…`);
    assert.equal(beginning(`${"a".repeat(399)}🎉 more`), `${"a".repeat(399)}…`);
  });
});
