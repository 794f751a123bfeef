import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { endingOf, saidAfter, statusOf } = await load("conversations/status.js");
const { emptyState } = await load("streaming/snapshot.js");

const run = (status, more = {}) => ({ id: "r", thread_id: "t", status, ...more });
const live = (state = {}, more = {}) => ({
  runId: "r", connected: true, stopping: false, state: { ...emptyState(), last: 3, run: run("in_progress"), ...state }, ...more,
});
const step = (kind, name) => ({ id: "s", index: 0, step: kind, status: "in_progress", name });
const inLine = (position, estimateMs = null) => ({ kind: "queued", position, estimateMs });
const said = (one, pending = null, streaming = true) => statusOf(pending, one, streaming)?.text;

describe("the status line says", () => {
  const cases = [
    ["Queued…", live({ run: run("queued") })],
    ["Waiting — number 3 in line, about 20 s", live({ run: run("queued"), hint: inLine(3, 20_000) })],
    ["Waiting — number 1,022 in line", live({ run: run("queued"), hint: inLine(1022) })],
    ["Waiting — next in line, about 1 min 30 s", live({ run: run("queued"), hint: inLine(1, 90_000) })],
    ["Waiting — next in line", live({ run: run("requires_action"), hint: inLine(1) })],
    ["Waiting for the model…", live({ run: run("in_progress"), hint: inLine(1) })],
    ["Stopping…", live({ run: run("queued"), hint: inLine(2) }, { stopping: true })],
    ["Loading the model…", live({ hint: { kind: "status", phase: "loading_model", progress: null } })],
    ["Waiting for the database…", live({ hint: { kind: "status", phase: "waiting_for_storage", progress: null } })],
    ["Waiting for the model…", live()],
    ["Going on after an interruption…", live({ run: run("in_progress", { attempt: 2 }) })],
    ["Using a tool…", live({ steps: [step("tool_calls", null)] })],
    ["Thinking…", live({ steps: [step("reasoning")] })],
    ["Using calculator…", live({ steps: [step("tool_calls", "calculator")] })],
    ["Writing…", live({ answerId: "a", messages: [{ id: "a", parts: [{ text: [0, 1] }] }] })],
    ["Stopping…", live({}, { stopping: true })],
    ["Stopping…", live({ run: run("cancelling") })],
    ["Waiting for your approval…", live({ run: run("requires_action") })],
    ["Connection lost. Reconnecting…", live({}, { connected: false })],
    ["Connecting…", live({ last: 0 }, { connected: false })],
  ];
  for (const [text, one] of cases) it(`"${text}"`, () => assert.equal(said(one), text));

  it("what a send waits for", () => {
    assert.equal(said(null, { status: "sending" }), "Sending…");
    assert.equal(said(null, { status: "sending" }, false), "Waiting for the whole answer…");
    assert.equal(said(null, { status: "lost" }), "Connection lost. Sending again…");
    assert.equal(said(null, { status: "failed" }), undefined);
  });

  it("nothing when nothing is going on", () => assert.equal(statusOf(null, null, true), null));

  it("since when, where the server has told it", () => {
    const since = (state) => statusOf(null, live(state), true).since;
    const started = run("in_progress", { started_at: "10:00", created_at: "09:00" });
    assert.equal(since({ run: started }), "10:00");
    assert.equal(since({ run: { ...started, status: "queued" }, hint: inLine(2) }), "09:00");
    assert.equal(since({ run: started, steps: [{ ...step("reasoning"), started_at: "11:00" }] }), "11:00");
    // After a tool it waits anew, and nobody says since when.
    assert.equal(since({ run: started, steps: [{ ...step("tool_calls", "x"), status: "completed" }] }), null);
    assert.equal(since({ run: started, answerLength: 1 }), null);
  });

  it("that it still waits, when that takes long", () => {
    const waits = statusOf(null, live(), true);
    assert.deepEqual([9_999, 10_000].map((waited) => saidAfter(waits, waited)), ["Waiting for the model…", "Still waiting for the model…"]);
    assert.equal(saidAfter(statusOf(null, live({}, { stopping: true }), true), 60_000), "Stopping…");
  });

  it("how far a model is loaded", () => {
    assert.equal(statusOf(null, live({ hint: { kind: "status", phase: "loading_model", progress: 0.4 } }), true).progress, 0.4);
  });
});

describe("an answer that is not whole says why", () => {
  const cut = { status: "incomplete", content: "x" };

  it("from its run", () => {
    assert.match(endingOf(cut, run("cancelled")), /^Stopped/);
    const why = (reason) => endingOf(cut, run("incomplete", { reason }));
    assert.match(why("max_tokens"), /length limit/);
    assert.match(why("content_filter"), /content filter/);
    assert.match(why("max_steps"), /any more tool calls/);
    assert.match(why("repeat_limit"), /again and again/);
    assert.match(why("token_budget"), /tokens/);
    assert.match(why("interrupted"), /interrupted/);
    assert.equal(why(null), "The answer ended early.");
    assert.equal(endingOf(cut, undefined), "The answer ended early.");
    assert.match(endingOf(cut, run("expired")), /ran out/);
  });

  it("unless an error says it better", () => assert.equal(endingOf(cut, run("failed")), null));

  it("also when it is empty", () => {
    assert.match(endingOf({ status: "completed", content: " " }, run("completed")), /without writing/);
  });

  it("and a whole one says nothing", () => {
    assert.equal(endingOf({ status: "completed", content: "x" }, run("completed")), null);
    assert.equal(endingOf({ status: "in_progress", content: "" }, run("in_progress")), null);
    assert.equal(endingOf(cut, run("in_progress")), null, "before the run says why");
  });
});
