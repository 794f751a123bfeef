/**
 * Server-Sent Events as they come, in any slices: lines end with CR, LF or CRLF, also where a slice cuts a CRLF.
 *
 * @typedef {object} Listener
 * @property {(event: {event: string, data: string, id: string}) => void} onEvent
 * @property {(milliseconds: number) => void} [onRetry]
 */

export class SseParser {
  /** @param {Listener} listener @param {number} limit of characters in one event: what grows has an end */
  constructor(listener, limit = 8 * 1024 * 1024) {
    this.listener = listener;
    this.limit = limit;
    this.rest = "";
    this.begun = false;
    this.afterCarriageReturn = false;
    this.id = "";
    this.name = "";
    /** @type {string[]} */
    this.data = [];
    this.size = 0;
  }

  /** @param {string} text the next slice, already decoded. Throws RangeError where an event grows beyond the limit */
  push(text) {
    let slice = text;
    if (!this.begun && slice) {
      this.begun = true;
      if (slice.charCodeAt(0) === 0xfeff) slice = slice.slice(1);
    }
    if (this.afterCarriageReturn && slice.startsWith("\n")) slice = slice.slice(1);
    if (text) this.afterCarriageReturn = text.endsWith("\r");
    const lines = (this.rest + slice).split(/\r\n|\r|\n/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) this.line(line);
    this.bound(this.rest.length);
  }

  /** @private @param {string} line */
  line(line) {
    if (line === "") return this.dispatch();
    if (line.startsWith(":")) return;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line.startsWith(" ", colon + 1) ? colon + 2 : colon + 1);
    if (field === "data") {
      this.data.push(value);
      this.size += value.length;
      this.bound(0);
    } else if (field === "event") {
      this.name = value;
    } else if (field === "id" && !value.includes("\0")) {
      this.id = value;
    } else if (field === "retry" && /^\d+$/.test(value)) {
      this.listener.onRetry?.(Number(value));
    }
  }

  /** @private @param {number} more */
  bound(more) {
    if (this.size + more > this.limit) throw new RangeError("an event is longer than this reader accepts");
  }

  /** @private */
  dispatch() {
    const { data, name } = this;
    this.data = [];
    this.size = 0;
    this.name = "";
    if (data.length) this.listener.onEvent({ event: name || "message", data: data.join("\n"), id: this.id });
  }
}
