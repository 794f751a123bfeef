import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { useDocument } from "../support/dom.mjs";
import { load } from "../support/modules.mjs";

const window = useDocument();
await load("conversations/components/tool-card.js");
const { Conversation } = await load("conversations/conversation.js");

const step = { id: "s", index: 0, step: "tool_calls", status: "in_progress", name: "journal", arguments: { line: "a" } };
const approval = { approval_id: "p", step_id: "s", tool: "journal", arguments: { line: "a\u200b" }, expires_at: "" };

/** A card on the page, and what was decided with it. */
async function card({ taken = true, ...properties } = {}) {
  const decided = [];
  const conversation = {
    decide: async (...act) => {
      decided.push(act);
      return taken;
    },
  };
  const element = Object.assign(document.createElement("tool-card"), { step, runId: "r", conversation, ...properties });
  document.body.append(element);
  await drawn(element);
  return { element, decided, button: (which) => element.querySelector(`[data-testid="${which}-button"]`) };
}

/** After everything that was going to be drawn has been. */
async function drawn(element) {
  for (let round = 0; round < 4; round += 1) {
    await element.updateComplete;
    await element.querySelector("approval-question")?.updateComplete;
  }
}

describe("a tool that waits for an approval", () => {
  beforeEach(() => window.document.body.replaceChildren());

  it("shows the exact arguments and two answers", async () => {
    const { element } = await card({ approval });
    assert.equal(element.querySelector(".approval pre").textContent, '{\n  "line": "a\\u200b"\n}');
    assert.deepEqual([...element.querySelectorAll(".approval button")].map((one) => one.textContent.trim()), ["Approve", "Deny"]);
    assert.equal(element.querySelector(".tool-outcome").textContent, "waits for you");
  });

  it("is answered once, for the run and the approval that it shows", async () => {
    const { element, decided, button } = await card({ approval });
    button("deny").click();
    button("approve").click();
    await drawn(element);
    assert.deepEqual(decided, [["r", approval, "deny"]]);
    assert.ok(button("approve").disabled && button("deny").disabled);
    assert.equal(element.querySelector(".approval-answers [role=status]").textContent, "Denied.");
  });

  it("may be answered again where the server did not take the answer", async () => {
    const { element, decided, button } = await card({ approval, taken: false });
    button("approve").click();
    await drawn(element);
    assert.equal(button("approve").disabled, false);
    assert.equal(decided.length, 1);
  });

  it("asks nothing once the run has gone on", async () => {
    const { element } = await card({ approval });
    element.approval = undefined;
    await drawn(element);
    assert.equal(element.querySelector(".approval"), null);
    assert.equal(element.querySelector(".tool-outcome").textContent, "running");
  });

  it("cannot be folded away unread", async () => {
    const { element } = await card({ approval });
    element.querySelector(".step-head").click();
    await drawn(element);
    assert.ok(element.querySelector(".approval pre"));
    assert.equal(element.querySelector(".step-head").getAttribute("aria-expanded"), "true");
  });
});

describe("a decision", () => {
  const made = (post) => {
    const updates = [];
    const store = { state: {}, update: (change) => updates.push(change) };
    return { updates, conversation: new Conversation({ store, api: { post }, runs: {}, threads: {}, onThread: () => {} }) };
  };

  it("goes to its approval", async () => {
    const posts = [];
    const { conversation } = made(async (...call) => posts.push(call));
    assert.equal(await conversation.decide("r", approval, "approve"), true);
    assert.deepEqual(posts, [["/runs/r/approvals/p", { decision: "approve" }]]);
  });

  it("that is refused is told as a problem", async (test) => {
    test.mock.method(console, "error", () => {});
    const { conversation, updates } = made(async () => Promise.reject(new Error("refused")));
    assert.equal(await conversation.decide("r", approval, "deny"), false);
    assert.equal(updates[0].problem.retryable, true);
  });
});
