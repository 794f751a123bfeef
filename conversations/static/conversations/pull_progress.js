/** What can honestly be said of a pull: how far, how fast, how much longer, and what is worth speaking aloud. Pure. */

import { about, bytes } from "./format.js";
import { gettext } from "./words.js";

const WINDOW = 10_000;
const LEAST = 2_000;
// Nothing came for so long: what was measured before says nothing about what comes.
const STILL = 5_000;

/** The speed of one pull over the last ten seconds. */
export class Pace {
  constructor() {
    /** @type {{at: number, completed: number}[]} */
    this.seen = [];
    this.movedAt = 0;
  }

  /** @param {number} completed @param {number} now in milliseconds */
  see(completed, now) {
    const last = this.seen.at(-1);
    // Ollama tells what was there already as if it had just come, and a try that begins anew tells less at first.
    if (!last || completed < last.completed || last.completed === 0) this.seen = [];
    if (!last || completed !== last.completed) this.movedAt = now;
    this.seen.push({ at: now, completed });
    while (this.seen.length > 2 && now - this.seen[0].at > WINDOW) this.seen.shift();
  }

  /** Bytes a second; null where too little was seen, 0 where nothing moves. @param {number} now */
  speed(now) {
    const first = this.seen[0];
    const last = this.seen.at(-1);
    if (!first || !last) return null;
    if (now - this.movedAt >= STILL) return 0;
    const time = last.at - first.at;
    return time < LEAST ? null : ((last.completed - first.completed) / time) * 1000;
  }
}

/**
 * What stands beside a pull's bar.
 *
 * @param {Wire.Pull} pull
 * @param {number | null} speed
 * @returns {string[]}
 */
export function pullParts({ status, cancelling, message, completed, total, cancelled_by: by }, speed) {
  if (status === "queued") return [gettext("Waits for the pull before it")];
  if (status === "done") return total ? [gettext("Pulled"), bytes(total)] : [gettext("Pulled")];
  if (status === "cancelled") {
    return [by ? gettext("Cancelled by %(name)s", { name: by }) : gettext("Cancelled"), ...fetched(completed)];
  }
  if (status === "failed") return [gettext("Failed"), ...fetched(completed)];
  if (cancelling) return [gettext("Stopping…")];
  if (!total) return [sentence(message) || gettext("Asking the model server…")];
  if (completed >= total) return [bytes(total), sentence(message) || gettext("Checking what came…")];
  const parts = [gettext("%(part)s of %(whole)s", { part: bytes(completed), whole: bytes(total) })];
  if (speed === 0) parts.push(gettext("nothing comes at the moment"));
  if (speed) {
    const time = about(((total - completed) / speed) * 1000);
    parts.push(gettext("%(size)s/s", { size: bytes(speed) }), gettext("%(time)s left", { time }));
  }
  return parts;
}

/** @param {Wire.Pull} pull @returns {number | null} null where nothing is known */
export function percent({ completed, total, status }) {
  if (status === "done") return 100;
  return total ? Math.min(99, Math.floor((completed / total) * 100)) : null;
}

/**
 * What a screen reader is told when a pull has become `after`: at quarters and at its end, never each second.
 *
 * @param {Wire.Pull | undefined} before
 * @param {Wire.Pull} after
 * @returns {string} empty where there is nothing to say
 */
export function spoken(before, after) {
  const { model, status, error } = after;
  if (!before) return "";
  if (status !== before.status) {
    if (status === "done") return gettext("%(model)s is there: 100 %.", { model });
    if (status === "failed") return `${gettext("%(model)s could not be pulled.", { model })} ${error?.message ?? ""}`.trim();
    if (status === "cancelled") return gettext("The pull of %(model)s was cancelled.", { model });
    if (status === "pulling" && before.status === "queued") return gettext("%(model)s is being pulled.", { model });
  }
  const quarter = Math.floor((percent(after) ?? 0) / 25);
  return quarter > Math.floor((percent(before) ?? 0) / 25) ? `${model}: ${quarter * 25} %.` : "";
}

/** @param {Wire.Pull} pull */
export function isOpen({ status }) {
  return status === "queued" || status === "pulling";
}

/** @param {number} completed */
function fetched(completed) {
  return completed ? [gettext("%(size)s fetched", { size: bytes(completed) })] : [];
}

/** @param {string} words */
function sentence(words) {
  return words ? words[0].toUpperCase() + words.slice(1) : "";
}
