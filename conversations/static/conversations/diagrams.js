/**
 * Which blocks of code are diagrams, how much room they get, what their frames may say, and how many of those there
 * may be. Pure but for `asDiagrams`, which puts the element around them that draws them.
 */

/** Beyond this a diagram is no picture for a person, and laying it out would take long. */
export const LONGEST = 20_000;
const [LEAST_HEIGHT, GREATEST_HEIGHT] = [220, 520];
/** What a line of source mostly adds to a diagram that grows downwards, to one that grows sideways, and to all, in pixels. */
const [DOWNWARDS, SIDEWAYS, AROUND] = [60, 16, 140];
const GROWS_SIDEWAYS = /^\s*(?:graph|flowchart)\s+(?:LR|RL)\b|^\s*(?:timeline|gitGraph|pie|mindmap)\b/m;
/** The line with the buttons, and the drawing's margins. */
const FRAME = 64;
/** No size that a frame may claim is larger. */
const LARGEST_SIDE = 20_000;
const LONGEST_REASON = 300;

/**
 * Whether the parser's fence is a diagram that is whole: half of one is another one, or none.
 *
 * @param {{info: string, content: string, map: [number, number] | null}} fence
 */
export function isDiagram({ info, content, map }) {
  if (info.trim().split(/\s+/)[0] !== "mermaid" || !map || !content.trim()) return false;
  // The line that opens it, and the one that closes it where there is one.
  return map[1] - map[0] === content.replace(/\n$/, "").split("\n").length + 2;
}

/** @param {DocumentFragment} fragment rendered and sanitised */
export function asDiagrams(fragment) {
  for (const marked of fragment.querySelectorAll(".drawable")) {
    const diagram = document.createElement("mermaid-diagram");
    diagram.append(...marked.childNodes);
    marked.replaceWith(diagram);
  }
}

/** The height of source and drawing, in pixels, before the drawing is known. @param {string} source */
export function reservedHeight(source) {
  const lines = source.trim().split("\n").length - 1;
  return between(LEAST_HEIGHT, AROUND + lines * (GROWS_SIDEWAYS.test(source) ? SIDEWAYS : DOWNWARDS), GREATEST_HEIGHT);
}

/** The height for a drawing of this height. @param {number} height */
export function fittingHeight(height) {
  return between(LEAST_HEIGHT, FRAME + height, GREATEST_HEIGHT);
}

/**
 * What a frame said, made of nothing but numbers in bounds and a short text; null where it is none of the things that
 * a frame may say.
 *
 * @param {unknown} data
 * @returns {{kind: "ready"} | {kind: "drawn", turn: number, width: number, height: number}
 *   | {kind: "failed", turn: number, reason: string} | null}
 */
export function answerOf(data) {
  if (typeof data !== "object" || data === null) return null;
  const { kind, turn, width, height, reason } = /** @type {Record<string, unknown>} */ (data);
  if (kind === "ready") return { kind };
  if (!Number.isInteger(turn)) return null;
  const number = /** @type {number} */ (turn);
  if (kind === "failed" && typeof reason === "string") {
    // A parser's further lines show where and what it expected, for people who write parsers.
    return { kind, turn: number, reason: reason.slice(0, LONGEST_REASON).split("\n")[0].replace(/:$/, "") };
  }
  if (kind === "drawn" && Number.isFinite(width) && Number.isFinite(height)) {
    return { kind, turn: number, width: side(width), height: side(height) };
  }
  return null;
}

/** @param {unknown} length */
function side(length) {
  return between(1, Math.round(Number(length)), LARGEST_SIDE);
}

/** @param {number} least @param {number} value @param {number} most */
function between(least, value, most) {
  return Math.min(Math.max(least, value), most);
}

/**
 * A place each for a few that are near the reader. One that is far keeps its place until another needs it, and one that
 * finds no place gets the next that becomes free.
 *
 * @template {{enter(): void, leave(): void}} Holder
 */
export class FewAtOnce {
  /** @param {number} most */
  constructor(most) {
    this.most = most;
    /** @type {Map<Holder, boolean>} whether it is near; oldest first */
    this.inside = new Map();
    /** @type {Set<Holder>} */
    this.waiting = new Set();
  }

  /** @param {Holder} holder */
  near(holder) {
    if (this.inside.has(holder)) this.inside.set(holder, true);
    else this.waiting.add(holder);
    this.admit();
  }

  /** @param {Holder} holder */
  far(holder) {
    this.waiting.delete(holder);
    if (this.inside.has(holder)) this.inside.set(holder, false);
    this.admit();
  }

  /** It is gone, or will not need its place again. @param {Holder} holder */
  gone(holder) {
    this.waiting.delete(holder);
    this.inside.delete(holder);
    this.admit();
  }

  /** @private */
  admit() {
    for (const holder of this.waiting) {
      if (this.inside.size >= this.most && !this.dismiss()) return;
      this.waiting.delete(holder);
      this.inside.set(holder, true);
      holder.enter();
    }
  }

  /** @private */
  dismiss() {
    for (const [holder, isNear] of this.inside) {
      if (isNear) continue;
      this.inside.delete(holder);
      holder.leave();
      return true;
    }
    return false;
  }
}
