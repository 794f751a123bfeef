/** Where the reader is: what stays where it stands when something above it changes, and whether the end is followed. Pure. */

/** So near to the end somebody who goes down wants to be at the end. */
export const NEAR = 64;

/**
 * Whether the end is followed after a scroll. The very first bit upwards means that somebody reads; but that a text
 * became shorter, so that there is less to scroll, means nothing.
 *
 * @param {boolean} following
 * @param {{top: number, lastTop: number, fromEnd: number}} scroll
 */
export function followsAfter(following, { top, lastTop, fromEnd }) {
  if (top < lastTop) return following && fromEnd < 1;
  return following || (top > lastTop && fromEnd < NEAR);
}

/**
 * Whether the end is followed after a wheel, a key or a finger, which speak before anything has moved, and at the end
 * move nothing.
 *
 * @param {boolean} following
 * @param {number} direction above 0 downwards
 * @param {number} fromEnd
 */
export function followsWhenAsked(following, direction, fromEnd) {
  if (direction < 0) return false;
  return following || (direction > 0 && fromEnd < NEAR);
}

/**
 * @typedef {{top: number, bottom: number}} Box
 * @typedef {Node & {children: ArrayLike<Boxed>, getBoundingClientRect: () => Box}} Boxed
 * @typedef {{element: Boxed, offset: number}} Mark an element, and how far below the upper edge it begins
 */

/**
 * By what the place is known, the best first: what is read at the upper edge, as small as it is, down to the
 * first that begins below the edge, which is there even when the others have been folded away.
 *
 * @param {ArrayLike<Boxed>} boxes one below the other @param {number} edge where the upper edge is @param {number} deepest
 * @returns {Mark[]}
 */
export function marksAt(boxes, edge, deepest = 6) {
  /** @type {Mark[]} */
  const across = [];
  /** @type {Mark | null} */
  let below = null;
  let within = boxes;
  for (let depth = 0; depth < deepest; depth += 1) {
    const at = firstEndingBelow(within, edge);
    const [found, next] = [within[at], within[at + 1]];
    if (!found) break;
    const { top } = found.getBoundingClientRect();
    if (next) below = markOf(next, edge);
    if (top >= edge) {
      below = { element: found, offset: top - edge };
      break;
    }
    across.unshift({ element: found, offset: top - edge });
    within = found.children;
  }
  return below ? [...across, below] : across;
}

/** @param {Boxed} element @param {number} edge @returns {Mark} */
const markOf = (element, edge) => ({ element, offset: element.getBoundingClientRect().top - edge });

/** Boxes stand one below the other, so half of them need not be asked. @param {ArrayLike<Boxed>} boxes @param {number} edge */
function firstEndingBelow(boxes, edge) {
  let [low, high] = [0, boxes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (boxes[middle].getBoundingClientRect().bottom > edge) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * How far what is read has moved down since the marks were made; null where nothing is left of it.
 *
 * @param {Mark[]} marks @param {number} edge
 */
export function movedBy(marks, edge) {
  for (const { element, offset } of marks) {
    if (!element.isConnected) continue;
    const { top, bottom } = element.getBoundingClientRect();
    // What was folded up cannot be read where it was.
    if (bottom > top && offset + bottom - top > 0) return top - edge - offset;
  }
  return null;
}

/**
 * What to scroll by so that a scroll has led where it was meant to, when the text has changed in the same moment. Where
 * it became so short that the end came up, nobody meant to scroll at all.
 *
 * @param {number | null} moved of what is read, as above
 * @param {{top: number, lastTop: number, fromEnd: number}} scroll
 */
export function driftOf(moved, { top, lastTop, fromEnd }) {
  if (moved === null) return 0;
  if (top < lastTop && fromEnd < 1) return moved;
  const drift = moved - (lastTop - top);
  return Math.abs(drift) > 0.5 ? drift : 0;
}
