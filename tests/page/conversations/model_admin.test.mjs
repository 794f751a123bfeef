import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { useDocument } from "../support/dom.mjs";
import { load } from "../support/modules.mjs";

useDocument();
const { ApiError } = await load("conversations/api.js");
const { ModelAdmin } = await load("conversations/model_admin.js");

const pull = (more = {}) => ({ id: "p", server: "ollama", model: "m:1", status: "pulling", completed: 1, total: 4, error: null, ...more });
let asked;
let answers;
let told;
let admin;
const real = { setTimeout: globalThis.setTimeout, BroadcastChannel: globalThis.BroadcastChannel };

/** A server whose answers the test gives by path; what is waited for never comes by itself. */
beforeEach(() => {
  asked = [];
  told = [];
  answers = { "/models?all=1": { results: [], servers: [], default: null }, "/model-pulls": { results: [] } };
  const answer = async (method, path, body) => {
    asked.push([method, path, body]);
    const found = answers[path];
    const value = typeof found === "function" ? found() : found;
    if (value instanceof Error) throw value;
    return value ?? {};
  };
  const api = {
    get: (path) => answer("GET", path),
    post: (path, body) => answer("POST", path, body),
    delete: (path) => answer("DELETE", path),
    call: (method, path) => answer(method, path),
  };
  globalThis.setTimeout = () => 0;
  globalThis.BroadcastChannel = class {
    postMessage(message) {
      told.push(message);
    }
    close() {}
  };
  admin = new ModelAdmin(api, () => {});
});

afterEach(() => Object.assign(globalThis, real));

describe("the page of models", () => {
  it("lists a model once, whatever other names it has", async () => {
    const model = { name: "ollama/m:1", provider: "ollama", model: "m:1", alias_of: null };
    const results = [model, { ...model, name: "fast", alias_of: "ollama/m:1" }, { ...model, name: "lab/m:1", provider: "lab" }];
    assert.deepEqual(admin.modelsOf("ollama"), []);
    answers["/models?all=1"] = { results, servers: [], default: null };
    await admin.list();
    assert.deepEqual(admin.modelsOf("ollama"), [model]);
  });

  it("takes a name that is refused as a failure, and keeps the field", async () => {
    answers["/model-pulls"] = new ApiError(400, { code: "invalid_request", message: "No such registry." });
    assert.equal(await admin.pull("ollama", "x/y/z"), false);
    assert.equal(admin.failure.message, "No such registry.");
  });

  it("reads the models anew, and tells the other tabs, when a pull has come to its end", async () => {
    admin.take([pull({ status: "done" })]); // as it was when the page was opened
    assert.deepEqual([asked, told], [[], []]);
    admin.take([pull({ status: "done" }), pull({ id: "q" })]);
    admin.take([pull({ status: "done" }), pull({ id: "q", status: "done" })]);
    assert.deepEqual([asked, told], [[["GET", "/models?all=1", undefined]], ["changed"]]);
    assert.equal(admin.sentence, "m:1 is there: 100 %.");
  });

  it("keeps the pace of what is at work only", () => {
    admin.take([pull({ completed: 1 })], 0);
    admin.take([pull({ completed: 2001 })], 2_000);
    assert.equal(admin.paces.get("p").speed(2_000), 1_000);
    admin.take([pull({ status: "cancelled" })], 3_000);
    assert.equal(admin.paces.size, 0);
  });

  it("waits for a load that takes long by asking again", async () => {
    const loads = [{ loaded: false }, { loaded: false }, { loaded: true }];
    answers["/models/load"] = () => loads.shift();
    await admin.load("ollama/m:1");
    assert.equal(asked.filter(([, path]) => path === "/models/load").length, 3);
    assert.equal(admin.sentence, "ollama/m:1 is loaded.");
    assert.equal(admin.acts.size, 0);
  });

  it("does one thing at a time to a model, and says what failed", async () => {
    answers["/models/unload"] = new ApiError(502, { code: "model_missing", message: "It is not there." });
    await Promise.all([admin.unload("ollama/m:1"), admin.unload("ollama/m:1")]);
    assert.equal(asked.filter(([, path]) => path === "/models/unload").length, 1);
    assert.deepEqual([admin.failure.message, admin.acts.size, told], ["It is not there.", 0, []]);
  });

  it("names what it deletes by the parts of its address", async () => {
    await admin.remove("ollama/hf.co/a/b:Q4?");
    assert.deepEqual(asked[0].slice(0, 2), ["DELETE", "/models/ollama/hf.co/a/b%3AQ4%3F"]);
  });
});
