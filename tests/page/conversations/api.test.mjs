import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { load } from "../support/modules.mjs";

const { Api, ApiError, newKey } = await load("conversations/api.js");

globalThis.document = { cookie: "other=1; csrf=from-the-cookie" };

function api(...answers) {
  const asked = [];
  const fetcher = async (url, init) => {
    asked.push({ url, ...init });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { api: new Api("/api/v1", { cookie: "csrf", token: "from-the-page" }, fetcher), asked };
}

const json = (value, status = 200) => new Response(JSON.stringify(value), { status });
const refusal = (status, code, more = {}) => json({ error: { code, message: "No.", retryable: false, ...more } }, status);
const LOST = new TypeError("network");

describe("a call", () => {
  it("sends JSON with the token of the cookie", async () => {
    const { api: one, asked } = api(json({ id: "t" }, 201));
    assert.deepEqual(await one.post("/threads", { title: "x" }), { id: "t" });
    assert.equal(asked[0].url, "/api/v1/threads");
    assert.equal(asked[0].headers["X-CSRFToken"], "from-the-cookie");
    assert.equal(asked[0].headers["Content-Type"], "application/json");
    assert.equal(asked[0].body, '{"title":"x"}');
  });

  it("sends no token where it only reads", async () => {
    const { api: one, asked } = api(json({}));
    await one.get("/threads");
    assert.equal(asked[0].headers["X-CSRFToken"], undefined);
  });

  it("has nothing to give for an answer without a body", async () => {
    const { api: one } = api(new Response(null, { status: 204 }));
    assert.equal(await one.delete("/threads/t"), null);
  });

  it("fails with the server's own error", async () => {
    const { api: one } = api(refusal(409, "thread_busy"));
    await assert.rejects(one.get("/x"), (fault) => fault instanceof ApiError && fault.failure.code === "thread_busy");
  });

  it("fails with a sentence for an answer that is no JSON", async () => {
    const { api: one } = api(new Response("<html>", { status: 502 }));
    await assert.rejects(one.get("/x"), (fault) => fault.status === 502 && fault.failure.message.includes("502"));
  });

  it("whose answer is lost says so", async () => {
    const { api: one } = api(LOST);
    await assert.rejects(one.get("/x"), (fault) => fault.lost && fault.failure.code === "network");
  });
});

describe("a send that must happen once", () => {
  const quickly = async (act) => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const done = act();
    for (let turn = 0; turn < 200; turn += 1) {
      await Promise.resolve();
      mock.timers.tick(1000);
    }
    mock.timers.reset();
    return done;
  };

  it("goes out again with the same key when its answer was lost", async () => {
    const { api: one, asked } = api(LOST, LOST, json({ run: { id: "r" } }, 202));
    let lost = 0;
    const answer = await quickly(() => one.postOnce("/x", { content: "hi" }, "key", () => (lost += 1)));
    assert.equal(answer.run.id, "r");
    assert.equal(lost, 2);
    assert.deepEqual(new Set(asked.map((call) => call.headers["Idempotency-Key"])), new Set(["key"]));
    assert.equal(new Set(asked.map((call) => call.body)).size, 1);
  });

  it("waits out a restart", async () => {
    const { api: one, asked } = api(refusal(503, "draining", { retryable: true, retry_after_ms: 100 }), json({}));
    await quickly(() => one.postOnce("/x", {}, "key", () => undefined));
    assert.equal(asked.length, 2);
  });

  it("goes out again where a proxy answers in place of the server", async () => {
    for (const status of [502, 503, 504]) {
      const { api: one, asked } = api(new Response("<html>", { status }), json({}));
      await quickly(() => one.postOnce("/x", {}, "key", () => undefined));
      assert.equal(asked.length, 2, String(status));
    }
  });

  it("is not sent again where the server itself says that the model server failed", async () => {
    const { api: one, asked } = api(refusal(502, "upstream_error", { retryable: true }));
    await assert.rejects(one.postOnce("/x", {}, "key", () => undefined), ApiError);
    assert.equal(asked.length, 1);
  });

  it("is not sent again when it was refused", async () => {
    const { api: one, asked } = api(refusal(409, "thread_busy", { retryable: true }));
    await assert.rejects(one.postOnce("/x", {}, "key", () => undefined), ApiError);
    assert.equal(asked.length, 1);
  });

  it("gives up after five tries", async () => {
    const { api: one, asked } = api(LOST, LOST, LOST, LOST, LOST, json({}));
    const tried = quickly(() => one.postOnce("/x", {}, "key", () => undefined).catch((fault) => fault));
    assert.ok((await tried).lost);
    assert.equal(asked.length, 5);
  });
});

describe("a send that takes as long as an answer", () => {
  it("says where its answer was lost, and asks once", async () => {
    for (const answer of [LOST, new Response("", { status: 504 })]) {
      const { api: one, asked } = api(answer);
      assert.equal(await one.postLong("/x", {}, "key"), null);
      assert.equal(asked.length, 1);
    }
  });

  it("fails where it was refused", async () => {
    const { api: one } = api(refusal(409, "thread_busy"));
    await assert.rejects(one.postLong("/x", {}, "key"), ApiError);
  });
});

it("no two keys are the same", () => {
  assert.equal(new Set(Array.from({ length: 100 }, newKey)).size, 100);
  assert.match(newKey(), /^[0-9a-f]{32}$/);
});
