/** How much of a growing text is shown at each moment, so that it flows where it comes in bursts. Pure. */

/** What has come is shown after so many milliseconds at the latest. */
export const SPREAD = 60;

export class Smoothing {
  /** @type {{length: number, due: number}[]} what has come and is not shown, oldest first */
  #waiting = [];
  #shown = 0;
  #at = 0;

  /** The first that comes is there at once. @param {number} length of all that has come @param {number} now */
  came(length, now) {
    if (length < this.#shown) this.#shown = 0;
    if (this.#shown === 0) {
      this.#waiting = [];
      this.#shown = length;
    } else if (length > (this.#waiting.at(-1)?.length ?? this.#shown)) {
      if (this.#waiting.length === 0) this.#at = now;
      this.#waiting.push({ length, due: now + SPREAD });
    }
  }

  /** How much is shown now: as fast as all that waits needs to be there in time. @param {number} now */
  shownAt(now) {
    const passed = now - this.#at;
    const speed = Math.max(0, ...this.#waiting.map(({ length, due }) => (length - this.#shown) / Math.max(due - this.#at, 1)));
    const arrived = this.#waiting.at(-1)?.length ?? this.#shown;
    this.#shown = Math.min(arrived, this.#shown + speed * passed);
    this.#at = now;
    this.#waiting = this.#waiting.filter(({ length }) => length > this.#shown);
    return Math.floor(this.#shown);
  }
}

/** Never half of a letter that takes two places. @param {string} text @param {number} length */
export function wholeLetters(text, length) {
  const last = text.charCodeAt(length - 1);
  return last >= 0xd800 && last < 0xdc00 ? length + 1 : length;
}
