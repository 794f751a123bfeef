import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { refreshed, withItems, withMessage, withOlder } = await load("conversations/branch.js");

const message = (id, parent = null, more = {}) => ({ id, parent_id: parent, role: "user", content: id, ...more });
const ids = (items) => items.map((item) => item.id).join(" ");

describe("a message that arrives", () => {
  const shown = [message("q1"), message("a1", "q1"), message("q2", "a1"), message("a2", "q2")];

  it("stands at the end", () => {
    assert.equal(ids(withMessage(shown, message("q3", "a2"))), "q1 a1 q2 a2 q3");
  });

  it("takes the place of itself", () => {
    const newer = message("a1", "q1", { content: "more" });
    assert.equal(withMessage(shown, newer)[1], newer);
    assert.equal(withMessage(shown, shown[1]), shown);
  });

  it("beside another replaces what came after their parent", () => {
    assert.equal(ids(withMessage(shown, message("b1", "q1"))), "q1 b1");
    assert.equal(ids(withMessage(shown, message("b2", "q2"))), "q1 a1 q2 b2");
  });

  it("that a snapshot left the text of out keeps the text that is known", () => {
    const known = [{ id: "q", content: "what?" }];
    assert.equal(withMessage(known, { id: "q", content: null }), known);
  });

  it("whose parent is not loaded stands at the end", () => {
    assert.equal(ids(withMessage(shown, message("x", "elsewhere"))), "q1 a1 q2 a2 x");
  });
});

it("items that are known already make no new object", () => {
  const step = { id: "s" };
  const known = { s: step };
  assert.equal(withItems(known, [step]), known);
  assert.deepEqual(withItems(known, [{ id: "t" }]), { s: step, t: { id: "t" } });
});

it("an older page stands before, without what is there already", () => {
  assert.equal(ids(withOlder([message("c")], [message("a"), message("b"), message("c")])), "a b c");
});

describe("a list that is read afresh", () => {
  const thread = (id, at) => ({ id, updated_at: at });

  it("keeps what was paged in below", () => {
    const shown = [thread("c", "3"), thread("b", "2"), thread("a", "1")];
    assert.equal(ids(refreshed(shown, [thread("d", "4"), thread("b", "2")], false)), "d b a");
  });

  it("loses what is gone", () => {
    assert.equal(ids(refreshed([thread("c", "3"), thread("b", "2")], [thread("b", "2")], true)), "b");
  });
});

it("another first question begins the branch anew, and one of unknown descent follows", () => {
  const shown = [message("q"), message("a", "q")];
  assert.equal(ids(withMessage(shown, message("r", null))), "r");
  assert.equal(ids(withMessage(shown, { id: "s" })), "q a s");
});
