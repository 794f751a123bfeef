import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { about, beganAt, contextLength, dayGroup, duration, usageParts, exactly } = await load("conversations/format.js");

it("a duration is as exact as it is short", () => {
  const said = [0, 420, 1_250, 9_940, 12_400, 61_000, 3_600_000].map(duration);
  assert.deepEqual(said, ["< 0.01 s", "0.42 s", "1.3 s", "9.9 s", "12 s", "1 min 1 s", "60 min 0 s"]);
});

it("what is only known roughly says so", () => {
  const said = [200, 3_000, 45_000, 60_000, 90_000, 1_020_000].map(about);
  assert.deepEqual(said, ["about 1 s", "about 3 s", "about 45 s", "about 1 min", "about 1 min 30 s", "about 17 min"]);
});

describe("what an answer cost", () => {
  it("is first token, speed and tokens", () => {
    const timing = { first_token_ms: 420, tokens_per_second: 38.04 };
    const usage = { prompt_tokens: 1200, completion_tokens: 1 };
    assert.deepEqual(usageParts({ timing, usage }), [
      "First token 0.42 s", "38.0 tokens/s", "1 token", "1,200 in the prompt",
    ]);
  });

  it("says so where the model server does not count", () => {
    const run = { timing: { first_token_ms: 420 }, usage: { prompt_tokens: null, completion_tokens: null }, finished_at: "x" };
    assert.deepEqual(usageParts(run), ["First token 0.42 s", "tokens not counted"]);
    assert.deepEqual(usageParts({ ...run, finished_at: null }), ["First token 0.42 s"]);
    assert.deepEqual(usageParts({ ...run, usage: { prompt_tokens: 7 } }), ["First token 0.42 s", "7 in the prompt"]);
  });

  it("is only what the model server says", () => {
    assert.deepEqual(usageParts({ timing: null, usage: { prompt_tokens: null, completion_tokens: null } }), []);
    assert.deepEqual(usageParts({}), []);
  });
});

it("a thread stands under the day of its last change", () => {
  const now = new Date(2026, 5, 15, 12, 0);
  const group = (...date) => dayGroup(new Date(...date).toISOString(), now);
  assert.equal(group(2026, 5, 15, 0, 1), "Today");
  assert.equal(group(2026, 5, 14, 23, 59), "Yesterday");
  assert.equal(group(2026, 5, 9), "Last seven days");
  assert.equal(group(2026, 4, 1), "May 2026");
});

it("a window is counted in thousands", () => {
  assert.equal(contextLength(40_960), "40k context");
  assert.equal(contextLength(512), "512 context");
});

it("what is to be agreed to hides nothing", () => {
  assert.equal(exactly({ a: "b c" }), '{\n  "a": "b c"\n}');
  assert.equal(exactly("\u202etxt.exe\u200b\n\u00a0"), '"\\u202etxt.exe\\u200b\\n\\u00a0"');
  assert.equal(JSON.parse(exactly("\u2028é🎉\ufeff")), "\u2028é🎉\ufeff");
});

it("what goes on began when the server says, unless that cannot be", () => {
  const now = Date.parse("2026-06-01T12:00:00Z");
  assert.equal(beganAt("2026-06-01T11:59:00Z", now), now - 60_000);
  assert.equal(beganAt("2026-06-01T12:00:01Z", now), now);
  assert.equal(beganAt("2026-05-01T12:00:00Z", now), now);
  assert.equal(beganAt(null, now), now);
});
