import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Locks, settled } from "../support/browser_means.mjs";
import { load } from "../support/modules.mjs";

const { Tabs, wherePossible } = await load("streaming/tabs.js");
const never = new AbortController().signal;

describe("places for streams", () => {
  it("are three for all tabs, and are given back", async () => {
    const locks = new Locks();
    const [one, other] = [new Tabs(locks), new Tabs(locks)];
    const places = [await one.place(), await other.place(), await other.place()];
    assert.ok(places.every(Boolean));
    assert.equal(await one.place(), null);
    places[1]();
    await settled();
    assert.ok(await one.place());
  });

  it("are free where a browser has no locks", async () => {
    const alone = new Tabs(undefined);
    for (let count = 0; count < 9; count += 1) assert.ok(await alone.place());
  });
});

describe("a poll", () => {
  it("of the only tab waits long", async () => {
    assert.equal(await new Tabs(new Locks()).turn(never, async (seconds) => seconds), 25);
  });

  it("among others waits for its turn, and then not long", async () => {
    const locks = new Locks();
    const [one, other] = [new Tabs(locks), new Tabs(locks)];
    await settled();
    const told = [];
    let answer;
    const first = one.turn(never, (seconds) => {
      told.push(["first", seconds]);
      return new Promise((resolve) => (answer = resolve));
    });
    const second = other.turn(never, async (seconds) => told.push(["second", seconds]));
    await settled();
    assert.deepEqual(told, [["first", 2]]);
    answer();
    await Promise.all([first, second]);
    assert.deepEqual(told, [["first", 2], ["second", 2]]);
  });

  it("that is given up before its turn does nothing", async () => {
    const locks = new Locks();
    const [one, other] = [new Tabs(locks), new Tabs(locks)];
    await settled();
    one.turn(never, () => new Promise(() => undefined));
    const abort = new AbortController();
    const given = other.turn(abort.signal, assert.fail);
    await settled();
    abort.abort();
    assert.equal(await given, null);
  });
});

describe("a run", () => {
  function runs() {
    const opened = [];
    const open = (how) => (_request, listener) => {
      const one = { how, listener, closed: false };
      opened.push(one);
      return { close: () => (one.closed = true) };
    };
    const endings = [];
    const listener = { closed: (ending) => endings.push(ending.kind) };
    const transport = wherePossible(new Tabs(new Locks()), open("stream"), open("poll"));
    return { opened, endings, follow: () => transport({ runId: "r", snapshot: false }, listener) };
  }

  it("beyond the third is polled, until a stream has ended", async () => {
    const { opened, endings, follow } = runs();
    const connections = [follow(), follow(), follow(), follow()];
    await settled();
    assert.deepEqual(opened.map((one) => one.how).sort(), ["poll", "stream", "stream", "stream"]);
    connections[opened.findIndex((one) => one.how === "stream")].close(false);
    opened.filter((one) => one.how === "stream")[1].listener.closed({ kind: "dropped" });
    await settled();
    follow();
    follow();
    follow();
    await settled();
    assert.deepEqual(opened.slice(4).map((one) => one.how).sort(), ["poll", "stream", "stream"]);
    assert.deepEqual([opened.filter((one) => one.closed).length, endings], [1, ["dropped"]]);
  });

  it("that is given up before it had a place takes none", async () => {
    const { opened, follow } = runs();
    for (let count = 0; count < 5; count += 1) follow().close(false);
    await settled();
    assert.deepEqual(opened, []);
    for (let count = 0; count < 3; count += 1) follow();
    await settled();
    assert.deepEqual(opened.map((one) => one.how), ["stream", "stream", "stream"]);
  });
});
