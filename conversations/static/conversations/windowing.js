/** Which rows of a long list stand in the page: those in sight and some around them; the others only keep their place. Pure. */

/** So many rows above and below the sight are there already, for whoever scrolls and for the Tab key. */
const AROUND = 30;

/**
 * In pixels: what is in sight begins at `top` and is `height` tall; each section has a `head` and rows of one height, `row`.
 *
 * @typedef {{top: number, height: number, head: number, row: number}} Sight
 */

/**
 * Of each section the first row that is there, and the first that is not any more.
 *
 * @param {number[]} counts rows of each section @param {Sight} sight @returns {{from: number, to: number}[]}
 */
export function windowOf(counts, { top, height, head, row }) {
  let begin = 0;
  return counts.map((count) => {
    const first = begin + head;
    begin = first + count * row;
    const from = Math.floor((top - first) / row) - AROUND;
    const to = Math.ceil((top + height - first) / row) + AROUND;
    return { from: within(from, count), to: within(to, count) };
  });
}

/** Where a row begins. @param {number[]} counts @param {number} section @param {number} index @param {Sight} sight */
export function placeOf(counts, section, index, { head, row }) {
  const above = counts.slice(0, section).reduce((sum, count) => sum + head + count * row, 0);
  return above + head + index * row;
}

/** @param {number} index @param {number} count */
function within(index, count) {
  return Math.min(Math.max(index, 0), count);
}
