/** An answer in the order in which it came: text, and the steps between. Pure. */

/** @typedef {{kind: "text", text: string} | {kind: "steps", steps: Wire.Step[]}} Segment */

const SURROGATE = /[\ud800-\udbff]/;

/**
 * @param {Wire.Message} message
 * @param {Record<string, Wire.Step>} steps
 * @returns {Segment[]} neighbouring steps as one segment
 */
export function segmentsOf(message, steps) {
  /** @type {Segment[]} */
  const segments = [];
  const slice = slicer(message.content ?? "");
  let told = 0;
  for (const part of message.parts ?? []) {
    if ("text" in part) {
      segments.push({ kind: "text", text: slice(part.text[0], part.text[1]) });
      told = Math.max(told, part.text[1]);
      continue;
    }
    const step = steps[part.step_id];
    const last = segments.at(-1);
    if (step && last?.kind === "steps") last.steps.push(step);
    else if (step) segments.push({ kind: "steps", steps: [step] });
  }
  const rest = slice(told, Infinity);
  if (rest) segments.push({ kind: "text", text: rest });
  return segments;
}

/**
 * Slices by code points, as the wire counts; most text has none beyond the basic plane and is sliced as it is.
 *
 * @param {string} text
 * @returns {(start: number, end: number) => string}
 */
function slicer(text) {
  if (!SURROGATE.test(text)) return (start, end) => text.slice(start, end);
  const points = Array.from(text);
  return (start, end) => points.slice(start, end).join("");
}
