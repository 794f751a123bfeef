import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { keysOf, neighbour, SHORTCUTS, shortcutFor } = await load("conversations/shortcuts.js");

const press = (key, more = {}) => ({
  key, code: "", ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, isComposing: false, ...more,
});

describe("what is pressed", () => {
  it("is found by all its keys", () => {
    assert.equal(shortcutFor(press("O", { ctrlKey: true, shiftKey: true }), true), "new-thread");
    assert.equal(shortcutFor(press("o", { metaKey: true, shiftKey: true }), false), "new-thread");
    assert.equal(shortcutFor(press("o", { ctrlKey: true }), false), null);
    assert.equal(shortcutFor(press("ArrowUp", { altKey: true }), true), "previous-thread");
    assert.equal(shortcutFor(press("ArrowDown", { altKey: true }), true), "next-thread");
    assert.equal(shortcutFor(press("ArrowDown"), false), null);
    assert.equal(shortcutFor(press("Escape", { shiftKey: true }), false), "write");
    assert.equal(shortcutFor(press("Escape"), false), null);
    assert.equal(shortcutFor(press(".", { ctrlKey: true }), true), "stop");
  });

  it("is a sign wherever the keyboard has it", () => {
    assert.equal(shortcutFor(press("?", { shiftKey: true }), false), "sheet");
    assert.equal(shortcutFor(press("/", { ctrlKey: true, shiftKey: true }), true), "sheet");
  });

  it("is a letter where somebody writes, or composes a word", () => {
    assert.equal(shortcutFor(press("?", { shiftKey: true }), true), null);
    assert.equal(shortcutFor(press("O", { ctrlKey: true, shiftKey: true, isComposing: true }), true), null);
  });

  it("means one thing only", () => {
    const keys = SHORTCUTS.map((one) => keysOf(one, false).join("+"));
    assert.equal(new Set(keys).size, keys.length);
  });
});

it("keys are called as they are on the keyboard", () => {
  const [first, above] = SHORTCUTS;
  assert.deepEqual(keysOf(first, false), ["Ctrl", "Shift", "O"]);
  assert.deepEqual(keysOf(first, true), ["⌘", "⇧", "O"]);
  assert.deepEqual(keysOf(above, false), ["Alt", "↑"]);
});

it("the list is walked up and down to its ends", () => {
  const threads = [{ id: "a" }, { id: "b" }];
  assert.equal(neighbour(threads, "a", 1).id, "b");
  assert.equal(neighbour(threads, "b", 1), null);
  assert.equal(neighbour(threads, "a", -1), null);
  assert.equal(neighbour(threads, null, 1).id, "a");
  assert.equal(neighbour(threads, null, -1), null);
  assert.equal(neighbour([], null, 1), null);
});
