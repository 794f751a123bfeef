import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { useDocument } from "../support/dom.mjs";
import { load } from "../support/modules.mjs";

const { document } = useDocument();
const { chosenModel, Models } = await load("conversations/models.js");

const model = (name, more = {}) => ({
  name,
  provider: name.split("/")[0],
  model: name.split("/")[1],
  capabilities: [],
  alias_of: null,
  ...more,
});
const well = (name) => ({ name, ok: true, message: "" });

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
