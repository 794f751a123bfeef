import assert from "node:assert/strict";
import { it } from "node:test";
import { load } from "../support/modules.mjs";

const { remedyOf, stepRemedyOf } = await load("conversations/remedies.js");

it("an error says what can be done, unless its own sentence does", () => {
  assert.match(remedyOf({ code: "upstream_timeout", message: "" }).words, /smaller model/);
  assert.equal(remedyOf({ code: "upstream_unreachable", message: "" }).words, null);
});

it("asking again is offered only where it may help", () => {
  const again = (code, more = {}) => remedyOf({ code, message: "", ...more }).again;
  assert.deepEqual(["upstream_stalled", "upstream_key", "context_exceeded", "model_unknown", "upstream_refused"].map((code) => again(code)), [
    true, true, false, false, false,
  ]);
  assert.equal(again("upstream_refused", { retryable: true }), true);
});

it("one that names a time is to be waited for", () => {
  assert.equal(remedyOf({ code: "upstream_busy", message: "", retry_after_ms: 7000 }).words, "Wait about 7 s.");
  assert.match(remedyOf({ code: "upstream_failed", message: "", retry_after_ms: 7000 }).words, /^Ask again .+\. Wait about 7 s\.$/);
});

it("one that is not known here may be asked again", () => {
  assert.deepEqual([remedyOf({ code: "quite_new", message: "" }), remedyOf(null)], [{ words: null, again: true }, { words: null, again: true }]);
});

it("a step's error says what becomes of it", () => {
  assert.match(stepRemedyOf({ code: "outcome_unknown", message: "" }), /took effect/);
  assert.equal(stepRemedyOf({ code: "denied", message: "" }), null);
  assert.equal(stepRemedyOf({ code: "quite_new", message: "" }), null);
});
