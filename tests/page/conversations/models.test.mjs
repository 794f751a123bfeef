import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { useDocument } from "../support/dom.mjs";
import { load } from "../support/modules.mjs";

const { document } = useDocument();
const { chosenModel, Models, modelGroups } = await load("conversations/models.js");

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

describe("the list of models", () => {
  const { BroadcastChannel } = globalThis;
  before(() => {
    Object.defineProperty(document, "hidden", { value: false });
    globalThis.BroadcastChannel = class extends EventTarget {}; // an open one of Node's keeps the process alive
  });
  after(() => Object.assign(globalThis, { BroadcastChannel }));

  it("is read again soon after an answer has failed, however many do", async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    let asked = 0;
    const state = { models: null };
    const store = { state, update: (change) => Object.assign(state, change) };
    const api = { get: async () => (asked++, { results: [], default: "", servers: [well("a")] }) };
    const models = new Models(store, api);
    await models.load();
    models.doubted();
    context.mock.timers.tick(4_000);
    models.doubted();
    assert.equal(asked, 1);
    context.mock.timers.tick(2_000);
    assert.equal(asked, 2);
  });
});
