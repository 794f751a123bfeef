import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { FIELDS, isPlain, read, THINKING, written } = await load("conversations/parameters.js");

describe("what is written", () => {
  it("is read as numbers, words and lists, and an empty text is left to the model", () => {
    const texts = { temperature: " 0.7 ", top_k: "40", seed: "", thinking: "low", stop: "END\n\nSTOP" };
    const parameters = { temperature: 0.7, top_k: 40, thinking: "low", stop: ["END", "STOP"] };
    assert.deepEqual(read(texts), { parameters, wrong: {} });
    assert.deepEqual(read({ thinking: "false" }).parameters, { thinking: false });
    assert.deepEqual(read({}), { parameters: {}, wrong: {} });
  });

  it("is written again as it was read", () => {
    for (const stop of [undefined, "END", ["a", "b"]]) {
      const parameters = { temperature: 0, thinking: true, keep_alive: -1, stop };
      const [again] = [read(written(parameters)).parameters];
      assert.deepEqual(again, { temperature: 0, keep_alive: -1, ...(stop ? { stop: [stop].flat() } : {}), thinking: true });
    }
    assert.deepEqual(read(written({ temperature: null })).parameters, {});
  });

  it("says of each that cannot be what it may be", () => {
    const { parameters, wrong } = read({ temperature: "2.1", top_k: "1.5", seed: "one", context_length: "255", stop: "a\nb\nc\nd\ne" });
    assert.deepEqual(parameters, {});
    assert.equal(wrong.temperature, "A number from 0 to 2.");
    assert.equal(wrong.top_k, "A whole number from 0 to 1,000,000.");
    assert.equal(wrong.context_length, "A whole number from 256 to 10,000,000.");
    assert.deepEqual(Object.keys(wrong), ["temperature", "top_k", "seed", "context_length", "stop"]);
    assert.deepEqual(read({ temperature: "2", context_length: "256" }).wrong, {});
  });
});

it("everything that the server takes can be written", () => {
  const server = readFileSync(new URL("../../../streaming/protocol/parameters.py", import.meta.url), "utf8");
  const names = [...server.matchAll(/^    (\w+): .* = None$/gm)].map(([, name]) => name);
  assert.deepEqual([...FIELDS.map((field) => field.name), "stop", "thinking"].sort(), names.sort());
  for (const [value] of THINKING.slice(3)) assert.ok(server.includes(`"${value}"`), value);
});

it("a thread is plain where nothing is set", () => {
  assert.equal(isPlain({ system_prompt: "", parameters: {} }), true);
  assert.equal(isPlain({ system_prompt: "", parameters: { seed: null } }), true);
  assert.equal(isPlain({ system_prompt: "", parameters: { seed: 0 } }), false);
  assert.equal(isPlain({ system_prompt: "Be brief.", parameters: {} }), false);
});
