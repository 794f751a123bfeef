import assert from "node:assert/strict";
import { it } from "node:test";
import { load } from "../support/modules.mjs";

const { sends } = await load("conversations/keys.js");

const enter = { key: "Enter", shiftKey: false, ctrlKey: false, metaKey: false, isComposing: false };

it("Enter sends where it shall, and not while a word is composed or with Shift", () => {
  assert.equal(sends(enter, "enter"), true);
  assert.equal(sends({ ...enter, isComposing: true }, "enter"), false);
  assert.equal(sends({ ...enter, shiftKey: true }, "enter"), false);
  assert.equal(sends({ ...enter, key: "a" }, "enter"), false);
});

it("else Control or Command must be held", () => {
  assert.equal(sends(enter, "modifier-enter"), false);
  assert.equal(sends({ ...enter, ctrlKey: true }, "modifier-enter"), true);
  assert.equal(sends({ ...enter, metaKey: true }, "modifier-enter"), true);
  assert.equal(sends({ ...enter, metaKey: true, shiftKey: true }, "modifier-enter"), false);
});
