import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { factsOf, groupsOf, shortName, toggled } = await load("conversations/picking.js");

const model = (name, more = {}) => ({
  name,
  provider: name.split("/")[0],
  model: name.split("/")[1],
  capabilities: [],
  alias_of: null,
  ...more,
});
const well = (name) => ({ name, ok: true, message: "" });
const away = (name, ...models) => ({ name, ok: false, message: "It is away.", models });
const told = (groups) => groups.map((group) => [group.label, group.options.map((option) => option.value)]);

describe("what is offered", () => {
  it("is nothing before it is known", () => assert.deepEqual(groupsOf(null), []));

  it("stands under its server's name, in the server's order", () => {
    const results = [model("b/x"), model("a/y"), model("b/z"), model("demo/demo", { demonstration: true })];
    const groups = groupsOf({ results, default: "b/x", servers: [well("b"), well("a"), well("demo")] });
    assert.deepEqual(told(groups), [["b", ["b/x", "b/z"]], ["a", ["a/y"]], ["demo", ["demo/demo"]]]);
    assert.equal(groups[2].options[0].note, "demonstration");
  });

  it("begins with aliases, which say what they mean", () => {
    const alias = model("fast", { provider: "a", model: "y", alias_of: "a/y" });
    const groups = groupsOf({ results: [model("a/y"), alias], default: "a/y", servers: [well("a")] });
    assert.deepEqual(told(groups), [["Aliases", ["fast"]], ["a", ["a/y"]]]);
    assert.equal(groups[0].options[0].note, "→ a/y");
  });

  it("ends with what is away, which cannot be chosen, and says why", () => {
    const servers = [away("office", "office/x", "office/y"), well("a"), away("attic")];
    const groups = groupsOf({ results: [model("a/y")], default: "a/y", servers });
    assert.deepEqual(told(groups), [["a", ["a/y"]], ["office (away)", ["office/x", "office/y"]], ["attic (away)", []]]);
    assert.deepEqual(groups.map((group) => group.why), ["", "It is away.", "It is away."]);
    assert.deepEqual(groups[1].options.map((option) => option.away), [true, true]);
  });

  it("is what has every word that is sought, in its name, its server's or what it can do", () => {
    const results = [model("a/qwen3", { capabilities: ["vision"] }), model("a/llama"), model("b/qwen2")];
    const models = { results, default: "a/llama", servers: [well("a"), well("b"), away("c")] };
    assert.deepEqual(told(groupsOf(models, "QWEN")), [["a", ["a/qwen3"]], ["b", ["b/qwen2"]]]);
    assert.deepEqual(told(groupsOf(models, " qwen  images ")), [["a", ["a/qwen3"]]]);
    assert.deepEqual(groupsOf(models, "mistral"), []);
  });
});

it("what is known of a model is what its server says", () => {
  assert.deepEqual(factsOf(model("a/x")), []);
  const rich = model("a/x", {
    parameter_size: "8B", size_bytes: 5_200_000_000, context_length: 40_960, capabilities: ["tools", "thinking", "completion"], loaded: true,
  });
  assert.deepEqual(factsOf(rich), ["8B", "5.2 GB", "40k context", "thinking", "tools", "loaded"]);
  assert.deepEqual(factsOf(model("demo/demo", { demonstration: true })), ["not a language model"]);
});

describe("who is asked", () => {
  it("is one more or one less, and the next leads when the first is taken out", () => {
    assert.deepEqual(toggled(["a"], "b"), ["a", "b"]);
    assert.deepEqual(toggled(["a", "b"], "a"), ["b"]);
  });

  it("is never nobody, and never more than four", () => {
    assert.deepEqual(toggled(["a"], "a"), ["a"]);
    assert.deepEqual(toggled(["a", "b", "c", "d"], "e"), ["a", "b", "c", "d"]);
  });
});

it("a name is short where its server stands above it", () => {
  assert.equal(shortName("ollama/library/qwen3:8b"), "library/qwen3:8b");
  assert.equal(shortName("fast"), "fast");
});
