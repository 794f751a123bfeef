import assert from "node:assert/strict";
import { test } from "node:test";
import { placeOf, windowOf } from "../../../conversations/static/conversations/windowing.js";

const AROUND = 30;
const sight = { top: 0, height: 360, head: 20, row: 36 };

test("a short list is there whole", () => {
  assert.deepEqual(windowOf([3, 5], sight), [
    { from: 0, to: 3 },
    { from: 0, to: 5 },
  ]);
});

test("of a long one there are the rows in sight and some around them", () => {
  const [part] = windowOf([10_000], { ...sight, top: 20 + 5_000 * 36 });
  assert.deepEqual(part, { from: 5_000 - AROUND, to: 5_010 + AROUND });
});

test("a section far above has none, one far below neither", () => {
  const parts = windowOf([1_000, 1_000, 1_000], { ...sight, top: 20 + 1_000 * 36 + 20 + 500 * 36 });
  assert.deepEqual(parts, [
    { from: 1_000, to: 1_000 },
    { from: 500 - AROUND, to: 510 + AROUND },
    { from: 0, to: 0 },
  ]);
});

test("rows on both sides of a border are there", () => {
  const [above, below] = windowOf([100, 100], { ...sight, top: 20 + 95 * 36 });
  assert.equal(above.from, 95 - AROUND);
  assert.equal(above.to, 100);
  assert.equal(below.from, 0);
  assert.ok(below.to > AROUND && below.to < 50);
});

test("whatever is in sight is there, wherever one is", () => {
  const counts = [7, 0, 400, 1, 90];
  const whole = counts.reduce((sum, count) => sum + sight.head + count * sight.row, 0);
  for (let top = 0; top < whole; top += 13) {
    const parts = windowOf(counts, { ...sight, top });
    counts.forEach((count, section) => {
      for (let index = 0; index < count; index += 1) {
        const place = placeOf(counts, section, index, sight);
        const inSight = place + sight.row > top && place < top + sight.height;
        const there = parts[section].from <= index && index < parts[section].to;
        assert.ok(there || !inSight, `row ${index} of section ${section} at ${top}`);
      }
    });
    const rows = parts.reduce((sum, { from, to }) => sum + to - from, 0);
    assert.ok(rows <= sight.height / sight.row + 2 + 2 * AROUND + counts.length * 2);
  }
});

test("a row begins below all sections before its own", () => {
  assert.equal(placeOf([2, 3], 1, 1, sight), 20 + 2 * 36 + 20 + 36);
});
