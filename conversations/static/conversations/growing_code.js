/** Code that grows: so many lines at a time are coloured and then left alone, and only the last lines are made anew. */

import { render } from "./markdown.js";

/** Below this it is not worth it; and what is coloured in pieces is a little wrong until the fence is closed. */
export const LONG = 4_000;
const AT_ONCE = 40;

export class GrowingCode {
  /** @param {string} fence its first line @param {number} begins where the code begins in the text */
  constructor(fence, begins) {
    this.fence = fence;
    this.settled = begins;
    this.fragment = render(`${fence}\n`, {});
    const code = this.fragment.querySelector("code");
    this.open = piece();
    code?.replaceChildren(this.open);
  }

  /** @param {string} text the whole block, of which the code may have grown at the end */
  show(text) {
    for (let end = this.nextCut(text); end > 0; end = this.nextCut(text)) {
      // What stands stays where it is, and what follows begins below: nothing moves.
      this.open.replaceChildren(...this.coloured(text.slice(this.settled, end)));
      this.settled = end;
      const next = piece();
      this.open.after(next);
      this.open = next;
    }
    this.open.replaceChildren(...this.coloured(text.slice(this.settled)));
  }

  /** Where the next lines end that are whole; 0 where there are not enough of them. @private @param {string} text */
  nextCut(text) {
    let end = this.settled;
    for (let lines = 0; lines < AT_ONCE; lines += 1) {
      end = text.indexOf("\n", end) + 1;
      if (end === 0) return 0;
    }
    return end;
  }

  /** By the one way into the document. @private @param {string} code */
  coloured(code) {
    const whole = code.endsWith("\n") ? code : `${code}\n`;
    const rendered = render(`${this.fence}\n${whole}${this.marks}`, {}).querySelector("code");
    // The end of a line that has not come is not shown.
    if (whole !== code) cutLast(rendered);
    return [...(rendered?.childNodes ?? [])];
  }

  /** @private */
  get marks() {
    return /^(`+|~+)/.exec(this.fence)?.[0] ?? "";
  }
}

/** Lines that are laid out by themselves: in one flow the browser would look at all of them again for each that comes. */
function piece() {
  const element = document.createElement("span");
  element.className = "code-piece";
  return element;
}

/** Without its last character. @param {Node | null} element */
function cutLast(element) {
  let last = element;
  while (last?.lastChild) last = last.lastChild;
  if (last && last !== element) last.textContent = (last.textContent ?? "").slice(0, -1);
}
