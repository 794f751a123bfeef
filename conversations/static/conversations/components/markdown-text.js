import { finishedLength, openFence } from "../blocks.js";
import { useCode, wrapAll } from "../code_tools.js";
import { GrowingCode, LONG } from "../growing_code.js";
import { parser, render } from "../markdown.js";
import { readSettings } from "../preferences.js";
import { Smoothing, wholeLetters } from "../smoothing.js";
import * as tex from "../tex.js";
import "./mermaid-diagram.js";

/** After it was drawn the open block rests for so many times as long, but never longer than a reader would notice. */
const REST = 3;
const LONGEST_REST = 60;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * Untrusted Markdown, rendered while it grows: finished blocks stay as they are, only the open one is made anew.
 * Set `text` and `open`; it renders itself, at most once a frame.
 */
export class MarkdownText extends HTMLElement {
  #text = "";
  /** What of it stands there. */
  #shown = "";
  #open = false;
  #smoothing = new Smoothing();
  #done = 0;
  #checked = 0;
  /** @type {import("../markdown.js").Environment} */
  #environment = {};
  #definitions = 0;
  /** @type {GrowingCode | null} */
  #code = null;
  #scheduled = false;
  #notBefore = 0;
  /** @type {HTMLElement} */
  #tail = document.createElement("div");

  connectedCallback() {
    if (this.#tail.parentNode !== this) {
      this.#tail.className = "open-block";
      this.append(this.#tail);
      this.addEventListener("click", useCode);
    }
    this.#schedule();
  }

  get text() {
    return this.#text;
  }

  set text(text) {
    if (text === this.#text) return;
    if (!text.startsWith(this.#text)) this.#reset();
    this.#text = text;
    if (this.#open) this.#smoothing.came(text.length, performance.now());
    this.#schedule();
  }

  /** How much of the text stands there by now; a benchmark watches it. */
  get shown() {
    return this.#shown.length;
  }

  get open() {
    return this.#open;
  }

  set open(open) {
    if (open === this.#open) return;
    this.#open = open;
    this.#smoothing = new Smoothing();
    this.classList.toggle("is-growing", open);
    // The last words must not come after what is said below them.
    if (!open && this.isConnected) this.#draw();
  }

  #schedule() {
    if (this.#scheduled || !this.isConnected) return;
    this.#scheduled = true;
    // A text that stands is there at once, so that the page keeps its height when a thread opens.
    if (!this.#open) return this.#draw();
    const wait = this.#notBefore - performance.now();
    if (wait > 0) setTimeout(() => this.#draw(), wait);
    else requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#scheduled = false;
    const begun = performance.now();
    this.#shown = this.#text.slice(0, this.#lengthAt(begun));
    // Of code whose fence is open nothing is finished.
    if (this.#shown.lastIndexOf("\n") > this.#checked && !this.#openCode()) this.#settle();
    this.#drawTail();
    const definitions = Object.keys(this.#environment.references ?? {}).length;
    if (definitions !== this.#definitions) this.#again(definitions);
    if (this.#environment.awaitsMath) this.#setMath();
    this.dispatchEvent(new Event("text-drawn", { bubbles: true }));
    const ended = performance.now();
    this.#notBefore = ended + Math.min((ended - begun) * REST, LONGEST_REST);
    if (this.#shown !== this.#text) this.#schedule();
  }

  /** What stands there does not go away again, and what is whole is there at once. @param {number} now */
  #lengthAt(now) {
    if (!this.#open || STILL.matches) return this.#text.length;
    return wholeLetters(this.#text, Math.max(this.#shown.length, this.#smoothing.shownAt(now)));
  }

  /** The open block. Code of hundreds of lines would take longer with every one of them. */
  #drawTail() {
    const text = this.#shown.slice(this.#done);
    const code = this.#openCode();
    if (!code) {
      this.#code = null;
      this.#tail.replaceChildren(render(text, this.#environment));
      return;
    }
    if (this.#code?.fence !== code.fence) {
      this.#code = new GrowingCode(code.fence, code.begins);
      this.#tail.replaceChildren(this.#code.fragment);
    }
    this.#code.show(text);
  }

  #openCode() {
    const long = this.#open && this.#shown.length - this.#done > LONG;
    return long ? openFence(this.#shown.slice(this.#done)) : null;
  }

  /** Moves what is finished out of the open block. */
  #settle() {
    this.#checked = this.#shown.lastIndexOf("\n");
    const finished = finishedLength(parser, this.#shown.slice(this.#done), this.#environment);
    if (!finished) return;
    const block = this.#shown.slice(this.#done, this.#done + finished);
    this.#tail.before(render(block, this.#environment));
    this.#done += finished;
    this.#code = null;
  }

  /** A link definition has come, which earlier text may have used already. @param {number} definitions */
  #again(definitions) {
    this.#definitions = definitions;
    this.replaceChildren(render(this.#shown.slice(0, this.#done), this.#environment), this.#tail);
    this.#tail.replaceChildren(render(this.#shown.slice(this.#done), this.#environment));
  }

  /** There is a formula, and nothing yet that could set it. */
  #setMath() {
    this.#environment.awaitsMath = false;
    tex.atHand().then(
      () => this.#again(this.#definitions),
      () => {}, // its source stands there, and can be read
    );
  }

  #reset() {
    this.#shown = "";
    this.#smoothing = new Smoothing();
    this.#done = 0;
    this.#checked = 0;
    this.#environment = {};
    this.#definitions = 0;
    this.#code = null;
    this.replaceChildren(this.#tail);
  }
}

wrapAll(readSettings().wrapCode);
customElements.define("markdown-text", MarkdownText);
