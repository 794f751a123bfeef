import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { SseParser } = await load("streaming/sse_parser.js");

function read(slices, limit) {
  const events = [];
  const retries = [];
  const parser = new SseParser({ onEvent: (event) => events.push(event), onRetry: (ms) => retries.push(ms) }, limit);
  for (const slice of slices) parser.push(slice);
  return { events, retries };
}

const STREAM =
  ": open\nretry: 2000\n\n" +
  'id: 1\nevent: thread.run.created\ndata: {"a":"ü🎉"}\n\n' +
  'id: 2\r\nevent: error\r\ndata: {"b":2}\r\n\r\n' +
  "data: one\rdata:two\r\r" +
  ": heartbeat\n\n" +
  "data\n\n";
const EVENTS = [
  { event: "thread.run.created", data: '{"a":"ü🎉"}', id: "1" },
  { event: "error", data: '{"b":2}', id: "2" },
  { event: "message", data: "one\ntwo", id: "2" },
  { event: "message", data: "", id: "2" },
];

describe("a stream of events", () => {
  it("is read whole", () => {
    assert.deepEqual(read([STREAM]), { events: EVENTS, retries: [2000] });
  });

  it("is read character by character", () => {
    assert.deepEqual(read(STREAM.split("")), { events: EVENTS, retries: [2000] });
  });

  it("is read when cut at any one place", () => {
    for (let at = 0; at <= STREAM.length; at += 1) {
      assert.deepEqual(read([STREAM.slice(0, at), STREAM.slice(at)]).events, EVENTS, `cut at ${at}`);
    }
  });

  it("is read when cut at any one place, with an empty slice between", () => {
    for (let at = 0; at <= STREAM.length; at += 1) {
      assert.deepEqual(read([STREAM.slice(0, at), "", STREAM.slice(at)]).events, EVENTS, `cut at ${at}`);
    }
  });

  it("gives no event without the empty line that ends it", () => {
    assert.deepEqual(read(["data: half\n"]).events, []);
  });

  it("skips a byte order mark at its beginning only", () => {
    assert.equal(read(["\ufeffdata: x\n\n"]).events[0].data, "x");
    assert.deepEqual(read(["data: x\n\n\ufeffdata: y\n\n"]).events.length, 1);
  });

  it("takes one space after the colon and leaves the next", () => {
    assert.equal(read(["data:  x\n\n"]).events[0].data, " x");
  });

  it("forgets an event's name with the event", () => {
    assert.equal(read(["event: a\n\ndata: x\n\n"]).events[0].event, "message");
  });

  it("does not take an id with NUL, nor a retry that is not a number", () => {
    const { events, retries } = read(["id: 1\0\nretry: soon\ndata: x\n\n"]);
    assert.equal(events[0].id, "");
    assert.deepEqual(retries, []);
  });

  it("ends at an event that is too long", () => {
    assert.throws(() => read(["data: " + "x".repeat(200)], 100), RangeError);
    assert.throws(() => read(["data: " + "x".repeat(60) + "\ndata: " + "x".repeat(60)], 100), RangeError);
  });
});
