/** Numbers and times as people read them. Pure. */

import { gettext, language, ngettext } from "./words.js";

/** @param {number} milliseconds */
export function duration(milliseconds) {
  if (milliseconds < 10) return "< 0.01 s";
  if (milliseconds < 950) return `${(milliseconds / 1000).toFixed(2)} s`;
  if (milliseconds < 9_950) return `${(milliseconds / 1000).toFixed(1)} s`;
  return seconds(Math.round(milliseconds / 1000));
}

/** @param {number} count whole ones */
export function seconds(count) {
  return count < 60 ? `${count} s` : `${Math.floor(count / 60)} min ${count % 60} s`;
}

/** When something began that goes on now: as the server says, unless the clocks disagree so far that it cannot be.
 * @param {string | null | undefined} time @param {number} now */
export function beganAt(time, now) {
  const began = time ? new Date(time).getTime() : now;
  return began <= now && now - began < DAY ? began : now;
}

/** A time that is only known roughly. @param {number} milliseconds */
export function about(milliseconds) {
  const whole = Math.max(1, Math.round(milliseconds / 1000));
  const parts = [];
  if (whole >= 60) parts.push(`${Math.floor(whole / 60)} min`);
  if (whole % 60) parts.push(`${whole % 60} s`);
  return gettext("about %(time)s", { time: parts.join(" ") });
}

/** First token, speed and tokens, as far as the model server says them; where it does not count, that is said.
 * @param {Wire.Run} run @returns {string[]} */
export function usageParts(run) {
  const { timing, usage } = run;
  const [first, speed] = [timing?.first_token_ms, timing?.tokens_per_second];
  const [said, read] = [usage?.completion_tokens, usage?.prompt_tokens];
  const parts = [];
  if (first != null) parts.push(gettext("First token %(time)s", { time: duration(first) }));
  if (speed != null) parts.push(gettext("%(speed)s tokens/s", { speed: decimal(speed) }));
  if (said != null) parts.push(ngettext("%(count)s token", "%(count)s tokens", said));
  if (read != null) parts.push(gettext("%(tokens)s in the prompt", { tokens: read.toLocaleString(language) }));
  if (first != null && said == null && read == null && run.finished_at) parts.push(gettext("tokens not counted"));
  return parts;
}

/** @param {number} value */
function decimal(value) {
  return value.toLocaleString(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

const UNITS = ["kB", "MB", "GB", "TB"];

/** Bytes as disks and networks count them. @param {number} count */
export function bytes(count) {
  if (count < 1000) return ngettext("%(count)s byte", "%(count)s bytes", count);
  let value = count / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 99.95 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** @param {number} tokens */
export function contextLength(tokens) {
  return gettext("%(tokens)s context", { tokens: tokens >= 1000 ? `${Math.round(tokens / 1024)}k` : tokens });
}

const DAY = 86_400_000;

/** The heading under which a thread stands in the list.
 * @param {string} time @param {Date} now */
export function dayGroup(time, now) {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const moment = new Date(time).getTime();
  if (moment >= midnight) return gettext("Today");
  if (moment >= midnight - DAY) return gettext("Yesterday");
  if (moment >= midnight - 7 * DAY) return gettext("Last seven days");
  return new Date(time).toLocaleDateString(language, { month: "long", year: "numeric" });
}

/** @param {string | null | undefined} time */
export function dateTime(time) {
  if (!time) return "";
  return new Date(time).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
}

// Characters that a reader would not see, or would see in another place than where they stand.
const UNSEEN = /[\u007f-\u00a0\u00ad\u061c\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb]/g;

/** A value as JSON in which nothing hides: what somebody is to agree to must be all there.
 * @param {unknown} value */
export function exactly(value) {
  const escaped = (/** @type {string} */ unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value, null, 2).replace(UNSEEN, escaped);
}
