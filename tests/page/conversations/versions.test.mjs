import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { columnsOf, exchanged, isAbove, isElsewhere, placeChanged, placed, placeOf, withListed } = await load("conversations/versions.js");

const message = (id, parent = null, role = "user", more = {}) => ({ id, parent_id: parent, role, content: id, ...more });
const answer = (id, parent, more) => message(id, parent, "assistant", more);
const ids = (items) => items.map((item) => item.id).join(" ");
const nothing = { messages: [], alongside: {}, versions: {} };
const shown = placed(placed(nothing, message("q"), 0), answer("a", "q"), 0);
const run = (id, more) => ({ id, assistant_message_id: id.slice(1), created_at: "1", lane: 0, ...more });
const byId = (runs) => Object.fromEntries(runs.map((one) => [one.id, one]));

describe("a message of a run", () => {
  it("belongs to the branch, and is counted among its versions", () => {
    assert.equal(ids(shown.messages), "q a");
    assert.deepEqual(shown.versions, { "": ["q"], q: ["a"] });
  });

  it("of another lane stands beside it, and grows there", () => {
    const two = placed(shown, answer("b", "q"), 1);
    assert.equal(two.messages, shown.messages);
    assert.deepEqual(Object.keys(two.alongside), ["b"]);
    assert.deepEqual(two.versions.q, ["a", "b"]);
    const grown = answer("b", "q", { content: "more" });
    assert.equal(placed(two, grown, 1).alongside.b, grown);
  });

  it("makes nothing new where it is known as it is", () => {
    const two = placed(shown, answer("b", "q"), 1);
    const again = placed(two, two.alongside.b, 1);
    assert.equal(again.alongside, two.alongside);
    assert.equal(again.versions, two.versions);
  });

  it("of another lane that was chosen to go on from grows in the branch", () => {
    const two = placed(shown, answer("b", "q"), 1);
    const chosen = { ...two, ...exchanged(two, "b") };
    const grown = answer("b", "q", { content: "more" });
    assert.equal(placed(chosen, grown, 1).messages.at(-1), grown);
    assert.equal(placed(chosen, answer("a", "q", { content: "x" }), 0).alongside.a.content, "x");
  });

  it("that is a question told by a run of another lane belongs to the branch", () => {
    assert.equal(ids(placed(nothing, message("q"), 2).messages), "q");
  });
});

describe("the place among the versions", () => {
  const versions = withListed({}, [message("q"), answer("b", "q", { versions: ["a", "b", "c"] })]);

  it("is counted from 1 and knows its neighbours", () => {
    assert.deepEqual(placeOf(versions, answer("b", "q")), { at: 2, of: 3, before: "a", after: "c" });
    assert.deepEqual(placeOf(versions, answer("a", "q")), { at: 1, of: 3, before: null, after: "b" });
    assert.deepEqual(placeOf(versions, answer("c", "q")), { at: 3, of: 3, before: "b", after: null });
  });

  it("of one of which nothing else is known is the only one", () => {
    assert.deepEqual(placeOf({}, answer("x", "y")), { at: 1, of: 1, before: null, after: null });
    assert.equal(placeOf(versions, message("q")).of, 1);
  });
});

describe("the columns", () => {
  const runs = byId([run("rb", { lane: 1 }), run("ra"), run("rc", { created_at: "2" })]);
  const beside = { b: answer("b", "q"), c: answer("c", "q") };
  const messages = [message("q"), answer("a", "q")];

  it("are the answers that were asked for at one moment, by lane", () => {
    assert.equal(ids(columnsOf({ messages, alongside: beside, runs })), "a b");
    assert.equal(ids(columnsOf({ messages: [messages[0], beside.b], alongside: { a: messages[1] }, runs })), "a b");
  });

  it("are none where the answer was asked for alone, or something was said after it", () => {
    assert.deepEqual(columnsOf({ messages: [messages[0], beside.c], alongside: { a: messages[1] }, runs }), []);
    assert.deepEqual(columnsOf({ messages: [...messages, message("r", "a")], alongside: beside, runs }), []);
    assert.deepEqual(columnsOf({ messages: [], alongside: {}, runs }), []);
  });

  it("keep an answer that was gone on with in its place", () => {
    const more = byId([...Object.values(runs), { ...run("rb", { created_at: "9" }), id: "rb2" }]);
    assert.equal(ids(columnsOf({ messages: [messages[0], beside.b], alongside: { a: messages[1] }, runs: more })), "a b");
  });
});

describe("a run", () => {
  const page = { results: [message("q"), answer("a", "q")], runs: [run("ra")] };
  const thread = (more) => ({ head: "a", active_runs: ["ra", "rz"], ...more });

  it("writes elsewhere where the page is the thread's newest and has nothing of it", () => {
    assert.equal(isElsewhere(thread(), page, "rz"), true);
    assert.equal(isElsewhere(thread(), page, "ra"), false);
  });

  it("that may have begun between the two is not elsewhere", () => {
    assert.equal(isElsewhere(thread({ head: "z" }), page, "rz"), false);
    assert.equal(isElsewhere(thread({ active_runs: ["ra"] }), page, "rz"), false);
  });

  it("asks above what is loaded where its question has no place in it", () => {
    const { messages } = shown;
    assert.equal(isAbove({ messages, older: "cursor" }, [message("p", "gone")]), true);
    assert.equal(isAbove({ messages, older: "cursor" }, [message("p")]), true);
    assert.equal(isAbove({ messages, older: null }, [message("p")]), false);
    assert.equal(isAbove({ messages, older: "cursor" }, [message("p", "a")]), false);
    assert.equal(isAbove({ messages, older: "cursor" }, [message("q")]), false);
    assert.equal(isAbove({ messages, older: "cursor" }, [answer("x", "gone")]), true);
    assert.equal(isAbove({ messages, older: "cursor" }, [answer("x", "q")]), false);
    assert.equal(isAbove({ messages: [], older: null }, [message("p", "gone")]), false);
  });
});

describe("the place among versions", () => {
  it("has changed where any of it has, and not because it is told anew", () => {
    const place = { at: 2, of: 3, before: "a", after: "c" };
    assert.equal(placeChanged({ ...place }, place), false);
    for (const other of [{ at: 1 }, { of: 4 }, { before: "x" }, { after: null }]) {
      assert.equal(placeChanged({ ...place, ...other }, place), true);
    }
    assert.equal(placeChanged(place, null), true);
    assert.equal(placeChanged(null, undefined), false);
  });
});
