import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { chosenModel, modelGroups } = await load("conversations/models.js");

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

describe("what is offered", () => {
  it("is nothing before it is known", () => {
    assert.deepEqual(modelGroups(null), []);
  });

  it("stands under its server's name, in the server's order", () => {
    const results = [model("b/x"), model("a/y", { parameter_size: "3B" }), model("b/z"), model("demo/demo", { demonstration: true })];
    const groups = modelGroups({ results, default: "b/x", servers: [well("b"), well("a"), well("demo")] });
    assert.deepEqual(
      groups.map((group) => [group.label, group.options.map((option) => option.text)]),
      [
        ["b", ["b/x", "b/z"]],
        ["a", ["a/y · 3B"]],
        ["demo", ["demo/demo (demonstration)"]],
      ],
    );
  });

  it("begins with aliases, which say what they mean", () => {
    const alias = model("fast", { provider: "a", model: "y", alias_of: "a/y" });
    const groups = modelGroups({ results: [model("a/y"), alias], default: "a/y", servers: [well("a")] });
    assert.deepEqual(groups[0], { label: "Aliases", options: [{ value: "fast", text: "fast → a/y", away: false }] });
    assert.equal(groups[1].label, "a");
  });

  it("ends with what is away, which cannot be chosen", () => {
    const servers = [away("office", "office/x", "office/y"), well("a")];
    const groups = modelGroups({ results: [model("a/y")], default: "a/y", servers });
    assert.deepEqual(
      groups.map((group) => [group.label, group.options.map((option) => option.away)]),
      [
        ["a", [false]],
        ["office (away)", [true, true]],
      ],
    );
  });
});

describe("the model that answers next", () => {
  const models = { results: [model("a/y"), model("fast", { alias_of: "a/y" })], default: "a/y", servers: [] };

  it("may be an alias", () => {
    assert.equal(chosenModel({ models, model: "fast", thread: null }), "fast");
  });

  it("is the default where the chosen one is gone", () => {
    assert.equal(chosenModel({ models, model: "gone", thread: null }), "a/y");
  });
});
