import assert from "node:assert/strict";
import { test } from "node:test";
import { firstRunOf } from "../../../conversations/static/conversations/first_run.js";

const none = { items: [], status: "ready", archived: false };
const demo = { name: "demo/demo", demonstration: true };
const real = { name: "ollama/llama3.2", demonstration: false };
const ollama = { name: "ollama", kind: "ollama", ok: true };
const models = (/** @type {object[]} */ results, servers = [ollama]) =>
  /** @type {any} */ ({ results, servers, default: null });

test("nothing is said before the models are known", () => {
  assert.equal(firstRunOf(null, none), null);
});

test("a demonstration is no model", () => {
  const away = [{ ...ollama, ok: false }];
  assert.deepEqual(firstRunOf(models([demo], away), none), { kind: "missing", reached: false, demonstration: true });
  assert.deepEqual(firstRunOf(models([], away), none), { kind: "missing", reached: false, demonstration: false });
});

test("another name of the demonstration is none either", () => {
  const alias = { name: "fast", alias_of: "demo/demo", demonstration: false };
  assert.equal(firstRunOf(models([demo, alias]), none)?.kind, "missing");
});

test("an Ollama that answers and has no model is a step further; another kind of server is not", () => {
  assert.deepEqual(firstRunOf(models([demo]), none), { kind: "missing", reached: true, demonstration: true });
  const other = models([demo], [{ name: "openai", kind: "openai", ok: true }]);
  assert.deepEqual(firstRunOf(other, none), { kind: "missing", reached: false, demonstration: true });
});

test("what is missing is said to whoever has threads, too", () => {
  const some = /** @type {any} */ ({ ...none, items: [{ id: "1" }] });
  assert.equal(firstRunOf(models([demo]), some)?.kind, "missing");
});

test("what was found is said until there is a thread, and not before that is known", () => {
  assert.deepEqual(firstRunOf(models([demo, real]), none), { kind: "found", count: 1 });
  assert.equal(firstRunOf(models([real]), /** @type {any} */ ({ ...none, items: [{ id: "1" }] })), null);
  assert.equal(firstRunOf(models([real]), { ...none, status: "loading" }), null);
  assert.equal(firstRunOf(models([real]), { ...none, archived: true }), null);
});
