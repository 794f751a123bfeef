import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { isOpen, Pace, percent, pullParts, spoken } = await load("conversations/pull_progress.js");
const { bytes } = await load("conversations/format.js");

const GB = 1_000_000_000;
const pull = (more = {}) => ({
  id: "p",
  server: "ollama",
  model: "m:1",
  status: "pulling",
  message: "pulling abc",
  completed: GB,
  total: 4 * GB,
  cancelling: false,
  cancelled_by: "",
  error: null,
  ...more,
});

describe("the pace of a pull", () => {
  it("is not known before two seconds were seen", () => {
    const pace = new Pace();
    assert.equal(pace.speed(0), null);
    pace.see(GB, 0);
    pace.see(GB + 10_000_000, 1_000);
    assert.equal(pace.speed(1_000), null);
    pace.see(GB + 20_000_000, 2_000);
    assert.equal(pace.speed(2_000), 10_000_000);
  });

  it("is that of the last ten seconds", () => {
    const pace = new Pace();
    for (let second = 0; second <= 30; second += 1) pace.see(1 + (second < 15 ? second * 100 : 1_500 + (second - 15) * 7), second * 1_000);
    assert.equal(Math.round(pace.speed(30_000)), 7);
  });

  it("says that nothing comes instead of guessing, and is measured anew after that", () => {
    const pace = new Pace();
    pace.see(1_000, 0);
    pace.see(5_000, 2_000);
    for (let at = 3_000; at <= 8_000; at += 1_000) pace.see(5_000, at);
    assert.equal(pace.speed(8_000), 0);
    pace.see(6_000, 9_000);
    assert.ok(pace.speed(9_000) > 0);
  });

  it("does not take what was there already for speed, nor a new beginning for a loss", () => {
    const pace = new Pace();
    pace.see(0, 0);
    pace.see(3 * GB, 1_000);
    pace.see(3 * GB + 1_000, 3_000);
    assert.equal(pace.speed(3_000), 500);
    pace.see(2 * GB, 4_000);
    assert.equal(pace.speed(4_000), null);
  });
});

describe("the words beside a bar", () => {
  const words = (more, speed = null) => pullParts(pull(more), speed).join(" · ");

  it("are bytes, speed and what is left where they are known", () => {
    assert.equal(words({}), "1.0 GB of 4.0 GB");
    assert.equal(words({}, 50_000_000), "1.0 GB of 4.0 GB · 50.0 MB/s · about 1 min left");
    assert.equal(words({}, 0), "1.0 GB of 4.0 GB · nothing comes at the moment");
  });

  it("are the server's own where there are no bytes", () => {
    assert.equal(words({ total: 0, completed: 0, message: "pulling manifest" }), "Pulling manifest");
    assert.equal(words({ total: 0, completed: 0, message: "" }), "Asking the model server…");
    assert.equal(words({ completed: 4 * GB, message: "verifying sha256 digest" }), "4.0 GB · Verifying sha256 digest");
  });

  it("say how it stands or ended", () => {
    assert.equal(words({ status: "queued" }), "Waits for the pull before it");
    assert.equal(words({ cancelling: true }), "Stopping…");
    assert.equal(words({ status: "done" }), "Pulled · 4.0 GB");
    assert.equal(words({ status: "failed" }), "Failed · 1.0 GB fetched");
    assert.equal(words({ status: "cancelled", cancelled_by: "ada", completed: 0 }), "Cancelled by ada");
  });
});

describe("how far a pull is", () => {
  it("is never all before it is done, and nothing where nothing is known", () => {
    assert.equal(percent(pull()), 25);
    assert.equal(percent(pull({ completed: 4 * GB })), 99);
    assert.equal(percent(pull({ completed: 4 * GB, status: "done" })), 100);
    assert.equal(percent(pull({ completed: 0, total: 0 })), null);
  });

  it("is open while it waits or is at work", () => {
    const open = ["queued", "pulling", "done", "failed", "cancelled"].filter((status) => isOpen({ status }));
    assert.deepEqual(open, ["queued", "pulling"]);
  });
});

describe("what is spoken", () => {
  it("is each quarter once, not each second", () => {
    const told = [];
    let before = pull({ completed: 0 });
    for (let part = 1; part <= 400; part += 1) {
      const after = pull({ completed: (part / 400) * 4 * GB });
      const sentence = spoken(before, after);
      if (sentence) told.push(sentence);
      before = after;
    }
    told.push(spoken(before, pull({ completed: 4 * GB, status: "done" })));
    assert.deepEqual(told, ["m:1: 25 %.", "m:1: 50 %.", "m:1: 75 %.", "m:1 is there: 100 %."]);
  });

  it("is nothing about what was so when the page was opened", () => {
    assert.equal(spoken(undefined, pull()), "");
    assert.equal(spoken(pull({ status: "done" }), pull({ status: "done" })), "");
  });

  it("is the beginning of what waited, and every end", () => {
    assert.equal(spoken(pull({ status: "queued", completed: 0 }), pull({ completed: 0 })), "m:1 is being pulled.");
    assert.equal(spoken(pull(), pull({ status: "cancelled" })), "The pull of m:1 was cancelled.");
    const failed = pull({ status: "failed", error: { code: "x", message: "The disk is full." } });
    assert.equal(spoken(pull(), failed), "m:1 could not be pulled. The disk is full.");
  });
});

describe("bytes", () => {
  it("have three digits or so, and the unit that is next", () => {
    const told = [0, 999, 1_000, 99_940, 99_950, 999_499, 999_500, 2_019_377_376, 40e12].map(bytes);
    assert.deepEqual(told, ["0 bytes", "999 bytes", "1.0 kB", "99.9 kB", "100 kB", "999 kB", "1.0 MB", "2.0 GB", "40.0 TB"]);
  });
});
