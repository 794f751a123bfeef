import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { apply, asSnapshot, codePoints, emptyState, messagesOf } = await load("streaming/snapshot.js");

const TRANSCRIPTS = new URL("../../transcripts/", import.meta.url);
const transcripts = readdirSync(TRANSCRIPTS)
  .filter((name) => name.endsWith(".json"))
  .map((name) => ({ name, ...JSON.parse(readFileSync(new URL(name, TRANSCRIPTS), "utf8")) }));

/** What a snapshot would say of the state. */
const shown = (state) => ({ run: state.run, messages: messagesOf(state), steps: state.steps, approvals: state.approvals, as_of: state.last });
const told = ({ run, messages, steps, approvals = [], as_of }) => ({ run, messages, steps, approvals, as_of });
const fold = (events, state = emptyState()) => events.reduce((sum, event) => apply(sum, event).state, state);

const run = (status = "in_progress") => ({ id: "r", thread_id: "t", status });
const data = (more = {}) => ({ run_id: "r", thread_id: "t", ...more });
const answer = (more = {}) => ({ id: "a", thread_id: "t", role: "assistant", status: "in_progress", content: "", parts: [], ...more });
const created = { event: "thread.run.created", id: 1, data: data({ run: run("queued") }) };
const begun = { event: "thread.message.created", id: 2, data: data({ message: answer() }) };
const delta = (id, content) => ({ event: "thread.message.delta", id, data: { run_id: "r", content } });

for (const transcript of transcripts) {
  describe(`the recorded transcript ${transcript.name}`, () => {
    it("folds to the server's own states", () => {
      let state = emptyState();
      let compared = 0;
      for (const event of transcript.events) {
        state = apply(state, event).state;
        const snapshot = transcript.snapshots[event.id];
        if (snapshot) assert.deepEqual(shown(state), told(snapshot));
        compared += snapshot ? 1 : 0;
      }
      assert.ok(compared > 3);
      assert.ok(state.terminal);
      assert.equal(state.unknown, 0);
    });

    it("goes on from every snapshot to the same end", () => {
      const end = shown(fold(transcript.events));
      for (const [id, snapshot] of Object.entries(transcript.snapshots)) {
        const resumed = apply(emptyState(), { event: "thread.run.snapshot", id: Number(id), data: snapshot }).state;
        assert.deepEqual(shown(fold(transcript.events.slice(Number(id)), resumed)), end);
      }
    });

    it("is the same when every event comes twice", () => {
      const twice = transcript.events.flatMap((event) => [event, event]);
      assert.deepEqual(shown(fold(twice)), shown(fold(transcript.events)));
    });
  });
}

describe("the client rules", () => {
  it("drop a repeat", () => {
    const state = fold([created, begun, delta(3, "Hi")]);
    assert.deepEqual(apply(state, delta(3, "Hi")), { state, outcome: "repeat" });
    assert.equal(apply(state, delta(2, "Hi")).outcome, "repeat");
  });

  it("change nothing on a gap", () => {
    const state = fold([created, begun]);
    assert.deepEqual(apply(state, delta(4, "!")), { state, outcome: "gap" });
  });

  it("count an unknown event with an id, and go on", () => {
    const state = fold([created, { event: "thread.run.sparkle", id: 2, data: data() }]);
    assert.equal(state.unknown, 1);
    assert.equal(state.last, 2);
  });

  it("take no notice of an unknown hint", () => {
    const { state, outcome } = apply(fold([created]), { event: "thread.run.sparkle", data: data() });
    assert.equal(outcome, "hint");
    assert.equal(state.unknown, 0);
    assert.equal(state.last, 1);
  });

  it("apply nothing after the end", () => {
    const end = { event: "thread.run.completed", id: 2, data: data({ run: run("completed") }) };
    const state = fold([created, end]);
    assert.equal(apply(state, delta(3, "late")).state, state);
  });

  it("let a snapshot replace everything, and continue behind it", () => {
    const message = answer({ content: "Hello", parts: [{ text: [0, 5] }] });
    const snapshot = asSnapshot({ run: run(), head: 40, messages: [message], steps: [] });
    const state = fold([created, begun, delta(3, "Hx"), snapshot, delta(41, "!")]);
    assert.equal(state.messages[0].content, "Hello!");
    assert.deepEqual(state.messages[0].parts, [{ text: [0, 6] }]);
    assert.equal(state.last, 41);
  });
});

describe("hints", () => {
  const queued = { event: "thread.run.queued", data: data({ position: 3, estimate_ms: null }) };
  const loading = { event: "thread.run.status", data: data({ phase: "loading_model", progress: 0.4 }) };

  it("are kept until the next numbered event", () => {
    assert.deepEqual(fold([created, queued]).hint, { kind: "queued", position: 3, estimateMs: null });
    const estimated = { event: "thread.run.queued", data: data({ position: 1, estimate_ms: 4000 }) };
    assert.deepEqual(fold([created, estimated]).hint, { kind: "queued", position: 1, estimateMs: 4000 });
    assert.deepEqual(fold([created, loading]).hint, { kind: "status", phase: "loading_model", progress: 0.4 });
    assert.equal(fold([created, loading, begun]).hint, null);
  });
});

describe("an answer's parts", () => {
  const step = { id: "s", index: 0, step: "tool_calls", status: "in_progress", name: "clock" };
  const stepped = (id) => ({ event: "thread.run.step.created", id, data: data({ step }) });

  it("count code points, not UTF-16 units", () => {
    assert.equal(codePoints("a🎉b"), 3);
    assert.equal(codePoints("\ud83c"), 1);
    assert.deepEqual(fold([created, begun, delta(3, "🎉🎉"), delta(4, "x")]).messages[0].parts, [{ text: [0, 3] }]);
  });

  it("keep the order of text and steps", () => {
    const state = fold([created, begun, delta(3, "ab"), stepped(4), delta(5, "c")]);
    assert.deepEqual(state.messages[0].parts, [{ text: [0, 2] }, { step_id: "s" }, { text: [2, 3] }]);
  });

  it("begin with what a continued answer already had", () => {
    const continued = { ...begun, data: data({ message: answer({ content: "old " }) }) };
    const [message] = fold([created, continued, delta(3, "new")]).messages;
    assert.equal(message.content, "old new");
    assert.deepEqual(message.parts, [{ text: [0, 7] }]);
  });
});

describe("a step in progress", () => {
  const piece = (id, more) => ({ event: "thread.run.step.in_progress", id, data: { run_id: "r", step_id: "s", ...more } });
  const start = (kind) => ({
    event: "thread.run.step.created", id: 3, data: data({ step: { id: "s", index: 0, step: kind, status: "in_progress" } }),
  });

  it("appends thinking, and replaces a tool's sentence", () => {
    const thinking = fold([created, begun, start("reasoning"), piece(4, { details: "I " }), piece(5, { details: "am" })]);
    assert.equal(thinking.steps[0].details, "I am");
    assert.equal(messagesOf(thinking)[0].thinking, "I am");
    const tool = fold([created, begun, start("tool_calls"), piece(4, { details: "Using…" }), piece(5, { details: "Still…" })]);
    assert.equal(tool.steps[0].details, "Still…");
  });

  it("appends a tool's output", () => {
    const state = fold([created, begun, start("tool_calls"), piece(4, { output: "1\n" }), piece(5, { output: "2\n" })]);
    assert.equal(state.steps[0].output, "1\n2\n");
  });
});

describe("how far a tool is", () => {
  const step = (status) => ({ id: "s", index: 0, step: "tool_calls", status });
  const started = { event: "thread.run.step.created", id: 3, data: data({ step: step("in_progress") }) };
  const far = (id, progress) => ({
    event: "thread.run.step.in_progress", id, data: { run_id: "r", step_id: "s", progress },
  });

  it("is what it said last, until it has ended", () => {
    const state = fold([created, begun, started, far(4, 0.25), far(5, 0.5)]);
    assert.deepEqual(state.progress, { s: 0.5 });
    const quiet = { event: "thread.run.step.in_progress", id: 6, data: { run_id: "r", step_id: "s", output: "x" } };
    assert.deepEqual(fold([quiet], state).progress, { s: 0.5 });
    const done = { event: "thread.run.step.completed", id: 6, data: data({ step: step("completed") }) };
    assert.deepEqual(fold([done], state).progress, {});
  });
});

describe("a run that asks a person", () => {
  const step = { id: "s", index: 0, step: "tool_calls", status: "in_progress", name: "journal", arguments: { line: "a" } };
  const approval = { approval_id: "p", step_id: "s", tool: "journal", arguments: { line: "a" }, expires_at: "" };
  const asked = [
    created, begun,
    { event: "thread.run.step.created", id: 3, data: data({ step }) },
    { event: "thread.run.requires_action", id: 4, data: data({ approvals: [approval] }) },
  ];
  const going = { event: "thread.run.in_progress", id: 5, data: data({ attempt: 1, run: run() }) };

  it("shows what it asks until it goes on or ends", () => {
    const state = fold(asked);
    assert.deepEqual([state.run.status, state.approvals], ["requires_action", [approval]]);
    assert.deepEqual(fold([going], state).approvals, []);
    const cancelled = { event: "thread.run.cancelled", id: 5, data: data({ run: run("cancelled") }) };
    assert.deepEqual(fold([cancelled], state).approvals, []);
  });

  it("asks those who come late, by snapshot and by its plain resource", () => {
    const view = { run: run("requires_action"), head: 4, messages: [answer()], steps: [step] };
    assert.deepEqual(fold([asSnapshot({ ...view, approvals: [approval] })]).approvals, [approval]);
    assert.deepEqual(fold([asSnapshot(view)]).approvals, []);
  });

  it("shows the arguments that were approved, once they are others", () => {
    const begins = { run_id: "r", step_id: "s", step: "tool_calls", details: "Using…", arguments: { line: "b" } };
    const state = fold([...asked, going, { event: "thread.run.step.in_progress", id: 6, data: begins }]);
    assert.deepEqual(state.steps[0].arguments, { line: "b" });
    assert.deepEqual(step.arguments, { line: "a" });
  });
});

it("apply leaves the state before it as it was", () => {
  const before = fold([created, begun, delta(3, "a")]);
  const copy = structuredClone(before);
  apply(before, delta(4, "b"));
  assert.deepEqual(before, copy);
});
