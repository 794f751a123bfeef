import { FewAtOnce, LONGEST, answerOf, fittingHeight, reservedHeight } from "../diagrams.js";
import { gettext } from "../words.js";

/** A text that grows is rendered anew many times a second; what is gone by then was not worth a frame. */
const SETTLED_AFTER = 250;
/** The library has to come over the network first, on a slow one, too. */
const LOADED_WITHIN = 20_000;
const DRAWN_WITHIN = 8_000;
/** Each frame is a page with a library of its own in memory. */
const MOST_FRAMES = 10;
const MOST_REMEMBERED = 200;

/** @type {FewAtOnce<MermaidDiagram>} */
const places = new FewAtOnce(MOST_FRAMES);
/** @type {Map<string, number>} heights of boxes by source: what is rendered anew does not begin with a guess */
const heights = new Map();
/** @type {Set<MermaidDiagram>} */
const shown = new Set();
const dark = matchMedia("(prefers-color-scheme: dark)");
const sight = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const diagram = /** @type {MermaidDiagram} */ (target);
      if (isIntersecting) places.near(diagram);
      else places.far(diagram);
    }
  },
  // The second is for boxes that scroll within the page, where a browser knows it.
  /** @type {IntersectionObserverInit} */ ({ rootMargin: "400px 0px", scrollMargin: "400px 0px" }),
);

/**
 * A block of code that is a diagram, around its source: drawn when the reader comes near, in a frame that can reach
 * nothing. What comes from there is a size, or a text, and nothing that could be an element.
 */
export class MermaidDiagram extends HTMLElement {
  /** @type {HTMLIFrameElement | null} */
  #frame = null;
  #loaded = false;
  #turn = 0;
  #failed = false;
  #wantsSource = false;
  #full = false;
  #natural = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #patience;
  #switch = tool();
  #size = tool();
  #note = document.createElement("p");

  connectedCallback() {
    if (!this.#switch.isConnected) this.#furnish();
    shown.add(this);
    addEventListener("message", this);
    this.#patience = setTimeout(() => sight.observe(this), SETTLED_AFTER);
  }

  disconnectedCallback() {
    sight.unobserve(this);
    shown.delete(this);
    removeEventListener("message", this);
    this.leave();
    places.gone(this);
  }

  get source() {
    return this.querySelector("code")?.textContent ?? "";
  }

  /** There is a place for its frame. */
  enter() {
    if (this.#failed) return places.gone(this);
    if (this.source.length > LONGEST) return this.#fail(gettext("This diagram is too long to be drawn."));
    this.#frame = document.createElement("iframe");
    this.#frame.className = "diagram-frame";
    this.#frame.title = gettext("Diagram");
    this.#frame.setAttribute("sandbox", "allow-scripts");
    this.#frame.referrerPolicy = "no-referrer";
    this.#frame.src = "/diagram";
    this.querySelector(".code-block")?.append(this.#frame);
    this.#waitFor(LOADED_WITHIN);
  }

  /** Another needs the place. */
  leave() {
    clearTimeout(this.#patience);
    this.#frame?.remove();
    this.#frame = null;
    this.#loaded = false;
    this.#show();
  }

  /** @param {MessageEvent} message */
  handleEvent({ source, origin, data }) {
    // Nobody else speaks for the frame; its origin is none.
    if (!this.#frame || source !== this.#frame.contentWindow || origin !== "null") return;
    const answer = answerOf(data);
    if (answer?.kind === "ready" && !this.#loaded) {
      this.#loaded = true;
      return this.draw();
    }
    if (!answer || answer.kind === "ready" || answer.turn !== this.#turn) return;
    clearTimeout(this.#patience);
    if (answer.kind === "failed") {
      this.#fail(gettext("This could not be drawn as a diagram: %(reason)s", { reason: answer.reason }));
    } else {
      this.#drawn(answer.height);
    }
  }

  /** In the colours that the page has now. */
  draw() {
    if (!this.#loaded) return;
    this.#turn += 1;
    this.#waitFor(DRAWN_WITHIN);
    this.#tell({ kind: "draw", turn: this.#turn, source: this.source, longest: LONGEST, dark: isDark() });
  }

  #furnish() {
    this.setAttribute("role", "figure");
    this.setAttribute("aria-label", gettext("Diagram"));
    this.#switch.textContent = gettext("Source");
    this.#switch.addEventListener("click", () => {
      this.#wantsSource = !this.#wantsSource;
      this.#show();
    });
    this.#size.textContent = gettext("Full size");
    this.#size.addEventListener("click", () => this.#resize());
    this.#note.className = "diagram-note";
    this.#note.hidden = true;
    this.querySelector(".code-wrap")?.before(this.#switch, this.#size);
    this.querySelector("pre")?.before(this.#note);
    this.#setHeight(heights.get(this.source) ?? reservedHeight(this.source));
    this.#show();
  }

  /** @param {number} height */
  #drawn(height) {
    this.#natural = height;
    this.#frame?.classList.add("is-drawn");
    // Below the reader's eyes the room may change; before them nothing moves, and the drawing fits itself in.
    if (!this.#full && this.getBoundingClientRect().top > innerHeight) this.#setHeight(fittingHeight(height));
    if (heights.size >= MOST_REMEMBERED) heights.clear();
    heights.set(this.source, parseFloat(this.style.getPropertyValue("--diagram-height")));
    this.#show();
  }

  /** @param {string} sentence */
  #fail(sentence) {
    this.#failed = true;
    this.#note.textContent = sentence;
    this.#note.hidden = false;
    sight.unobserve(this);
    this.leave();
    places.gone(this);
  }

  #resize() {
    this.#full = !this.#full;
    const usual = heights.get(this.source) ?? reservedHeight(this.source);
    const most = Math.max(usual, Math.round(innerHeight * 0.8));
    this.#setHeight(this.#full ? Math.min(Math.max(usual, this.#natural + 80), most) : usual);
    this.#tell({ kind: "size", full: this.#full });
    this.#show();
  }

  #show() {
    const drawn = this.#frame?.classList.contains("is-drawn") ?? false;
    const draws = drawn && !this.#wantsSource;
    this.classList.toggle("shows-diagram", draws);
    this.#switch.hidden = !drawn;
    this.#switch.setAttribute("aria-pressed", String(this.#wantsSource));
    this.#size.hidden = !draws;
    this.#size.setAttribute("aria-pressed", String(this.#full));
    if (this.#frame && drawn) this.#frame.hidden = !draws;
    const text = this.querySelector("pre");
    if (text) text.hidden = draws;
  }

  /** @param {number} height in pixels */
  #setHeight(height) {
    this.style.setProperty("--diagram-height", `${height}px`);
  }

  /** @param {number} time in milliseconds */
  #waitFor(time) {
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => this.#fail(gettext("This took too long to be drawn as a diagram.")), time);
  }

  /** Its origin is none, so that it cannot be named; what is said is the answer's own text. @param {object} words */
  #tell(words) {
    this.#frame?.contentWindow?.postMessage(words, "*");
  }
}

function tool() {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "diagram-tool";
  return made;
}

function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme === "dark" || (theme !== "light" && dark.matches);
}

function drawAll() {
  for (const diagram of shown) diagram.draw();
}

dark.addEventListener("change", drawAll);
new MutationObserver(drawAll).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
customElements.define("mermaid-diagram", MermaidDiagram);
