import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { Smoothing, SPREAD, wholeLetters } = await load("conversations/smoothing.js");

/** What is shown at each frame of a text that comes in `pieces` of [moment, length of all]. */
function watched(pieces, { frame = 16, until = 2_000 } = {}) {
  const smoothing = new Smoothing();
  const coming = [...pieces];
  const frames = [];
  for (let now = 0; now <= until; now += frame) {
    while (coming.length && coming[0][0] <= now) smoothing.came(coming[0][1], coming.shift()[0]);
    frames.push({ now, shown: smoothing.shownAt(now) });
  }
  return frames;
}

const steps = (frames) => frames.slice(1).map(({ shown }, index) => shown - frames[index].shown);

const BURSTS = Array.from({ length: 30 }, (_, index) => [10 + index * 50, 10 + index * 60]);
const WILD = [[3, 2], [9, 40], [10, 400], [200, 401], [201, 900], [640, 5_000], [655, 5_001], [1_400, 5_040]];

describe("a text that comes in bursts", () => {
  it("is there at once with the first that comes", () => {
    assert.equal(watched([[16, 500]]).find(({ now }) => now === 16).shown, 500);
  });

  it("flows: no frame shows a whole burst", () => {
    const shown = steps(watched(BURSTS, { until: 1_450 })).slice(4);
    assert.ok(Math.max(...shown) < 35, `a frame showed ${Math.max(...shown)} of bursts of 60`);
    assert.ok(Math.min(...shown) > 4, "it never stands while something waits");
  });

  for (const [name, pieces] of Object.entries({ bursts: BURSTS, wild: WILD })) {
    for (const frame of [7, 16, 45, 130]) {
      it(`is never further behind than it may be: ${name}, a frame each ${frame} ms`, () => {
        for (const { now, shown } of watched(pieces, { frame })) {
          const must = Math.max(0, ...pieces.filter(([at]) => at + SPREAD <= now).map(([, length]) => length));
          const can = Math.max(0, ...pieces.filter(([at]) => at <= now).map(([, length]) => length));
          assert.ok(shown >= must, `at ${now} there are ${shown} of ${must}`);
          assert.ok(shown <= can, `at ${now} there are ${shown}, and ${can} came`);
        }
      });
    }
  }

  it("never takes anything back, and shows all in the end", () => {
    const frames = watched(WILD);
    assert.ok(steps(frames).every((step) => step >= 0));
    assert.equal(frames.at(-1).shown, 5_040);
  });

  it("begins anew with another text", () => {
    const smoothing = new Smoothing();
    smoothing.came(100, 0);
    smoothing.came(20, 50);
    assert.equal(smoothing.shownAt(50), 20);
  });
});

describe("letters", () => {
  it("are whole", () => {
    assert.equal(wholeLetters("a🙂b", 2), 3);
    assert.equal(wholeLetters("a🙂b", 1), 1);
    assert.equal(wholeLetters("a🙂b", 3), 3);
    assert.equal(wholeLetters("", 0), 0);
  });
});
