import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { driftOf, followsAfter, followsWhenAsked, marksAt, movedBy } = await load("conversations/place.js");

/** An element of boxes one below the other: a number is the height of one, a list has more boxes in it. */
function boxOf(content) {
  const children = Array.isArray(content) ? content.map(boxOf) : [];
  const box = {
    children,
    isConnected: true,
    top: 0,
    height: 0,
    getBoundingClientRect: () => ({ top: box.top, bottom: box.top + box.height }),
    place(top) {
      box.top = top;
      if (!Array.isArray(content)) box.height = box.isConnected ? content : 0;
      else box.height = children.reduce((height, child) => height + child.place(top + height), 0);
      return box.height;
    },
    becomes(height) {
      content = height;
    },
  };
  return box;
}

function pageOf(content, scrolled) {
  const page = boxOf(content);
  page.place(-scrolled);
  return page;
}

const offsets = (marks) => marks.map(({ offset }) => offset);

describe("the place", () => {
  it("is known by the smallest that is read, what it is in, and the first that begins below", () => {
    const page = pageOf([100, [40, 60, 80], 300], 150);
    assert.deepEqual(offsets(marksAt(page.children, 0)), [-10, -50, 50]);
    assert.deepEqual(marksAt(page.children, 0).map(({ element }) => element), [page.children[1].children[1], page.children[1], page.children[1].children[2]]);
  });

  it("is what begins just at the edge", () => {
    const page = pageOf([100, 50], 100);
    assert.deepEqual(marksAt(page.children, 0), [{ element: page.children[1], offset: 0 }]);
  });

  it("is nowhere in what is empty", () => {
    assert.deepEqual(marksAt([], 0), []);
    assert.equal(movedBy([], 0), null);
  });

  it("has moved by what was put in above", () => {
    const page = pageOf([100, 100, 100], 150);
    const marks = marksAt(page.children, 0);
    page.children[0].becomes(340);
    page.place(-150);
    assert.equal(movedBy(marks, 0), 240);
  });

  it("has not moved by what grew below, or where it is read itself", () => {
    const page = pageOf([100, 100, 100], 150);
    const marks = marksAt(page.children, 0);
    page.children[1].becomes(500);
    page.children[2].becomes(500);
    page.place(-150);
    assert.equal(movedBy(marks, 0), 0);
  });

  it("is held by the next when what was read is folded, or gone", () => {
    for (const change of [(box) => box.becomes(20), (box) => (box.isConnected = false)]) {
      const page = pageOf([100, [20, 400], 300, 300], 450);
      const marks = marksAt(page.children, 0);
      change(page.children[1].children[1]);
      page.place(-450);
      const before = page.children[2].top;
      assert.equal(movedBy(marks, 0), before - 70);
    }
  });
});

describe("a scroll", () => {
  it("leads where it was meant to, though the text above has grown in the same moment", () => {
    assert.equal(driftOf(50 + 300, { top: 950, lastTop: 1_000, fromEnd: 400 }), 300);
    assert.equal(driftOf(-50, { top: 1_050, lastTop: 1_000, fromEnd: 400 }), 0);
    assert.equal(driftOf(-50.3, { top: 1_050, lastTop: 1_000, fromEnd: 400 }), 0);
  });

  it("was none where the end came up because the text became short", () => {
    assert.equal(driftOf(-900, { top: 700, lastTop: 1_000, fromEnd: 0 }), -900);
  });

  it("is left alone where nothing is known of what was read", () => {
    assert.equal(driftOf(null, { top: 950, lastTop: 1_000, fromEnd: 400 }), 0);
  });
});

describe("the end is followed", () => {
  const scroll = (top, lastTop, fromEnd) => ({ top, lastTop, fromEnd });

  it("no longer after the very first pixel upwards", () => {
    assert.equal(followsAfter(true, scroll(999, 1_000, 1)), false);
    assert.equal(followsAfter(true, scroll(900, 1_000, 100)), false);
  });

  it("where the text became shorter", () => {
    assert.equal(followsAfter(true, scroll(900, 1_000, 0)), true);
    assert.equal(followsAfter(false, scroll(900, 1_000, 0)), false);
  });

  it("again when somebody comes down to it", () => {
    assert.equal(followsAfter(false, scroll(1_000, 900, 63)), true);
    assert.equal(followsAfter(false, scroll(1_000, 900, 64)), false);
    assert.equal(followsAfter(false, scroll(900, 900, 10)), false);
    assert.equal(followsAfter(true, scroll(1_000, 900, 500)), true);
  });

  it("until a wheel, a key or a finger turns upwards, and again when one turns down at the end", () => {
    assert.equal(followsWhenAsked(true, -1, 0), false);
    assert.equal(followsWhenAsked(true, 0, 0), true);
    assert.equal(followsWhenAsked(false, 3, 10), true);
    assert.equal(followsWhenAsked(false, 3, 100), false);
    assert.equal(followsWhenAsked(false, 0, 0), false);
  });
});
