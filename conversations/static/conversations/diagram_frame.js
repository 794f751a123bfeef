/**
 * Draws one diagram in a frame that has no origin (see the decision about diagrams). It is told a source by the page
 * around it and by nobody else, and says a size, or what is wrong. A classic script: a frame without an origin may not
 * fetch modules.
 */
(() => {
  /** Smaller than this part of itself a diagram cannot be read, and is scrolled instead. */
  const SMALLEST = 0.6;
  const stage = /** @type {HTMLElement} */ (document.getElementById("stage"));
  const page = new URL(location.href).origin;
  let [turn, width, height] = [0, 0, 0];
  let full = false;

  addEventListener("message", ({ source, origin, data }) => {
    if (source !== parent || origin !== page) return;
    if (data.kind === "draw") draw(data);
    if (data.kind === "size") {
      full = data.full;
      scale();
    }
  });
  addEventListener("resize", scale);
  // Nothing in a diagram leads anywhere, whatever its source says.
  addEventListener("click", (click) => click.preventDefault(), true);
  say({ kind: "ready" });

  /** @param {{turn: number, source: string, longest: number, dark: boolean}} wish */
  async function draw({ turn: wanted, source, longest, dark }) {
    turn = wanted;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    try {
      mermaid.initialize(configuration(longest, dark));
      const { svg } = await mermaid.render("diagram", source);
      if (turn !== wanted) return;
      stage.replaceChildren(...new DOMParser().parseFromString(svg, "text/html").body.childNodes);
      measure();
      scale();
      say({ kind: "drawn", turn, width, height });
    } catch (fault) {
      say({ kind: "failed", turn: wanted, reason: String(fault instanceof Error ? fault.message : fault).slice(0, 300) });
    }
  }

  /** @param {number} longest @param {boolean} dark */
  function configuration(longest, dark) {
    return {
      startOnLoad: false,
      securityLevel: "strict",
      htmlLabels: false,
      flowchart: { htmlLabels: false },
      class: { htmlLabels: false },
      maxTextSize: longest,
      maxEdges: 300,
      suppressErrorRendering: true,
      logLevel: "fatal",
      // What a source may not choose for itself, beside what the library never lets it.
      secure: [
        "secure", "securityLevel", "startOnLoad", "maxTextSize", "maxEdges", "suppressErrorRendering", "htmlLabels",
        "dompurifyConfig", "theme", "themeCSS", "themeVariables", "darkMode", "fontFamily", "altFontFamily", "logLevel",
      ],
      theme: "base",
      darkMode: dark,
      fontFamily: getComputedStyle(document.body).fontFamily,
      themeVariables: {
        darkMode: dark,
        background: colour("--raised"),
        primaryColor: colour("--accent-soft"),
        primaryBorderColor: colour("--accent"),
        primaryTextColor: colour("--ink"),
        secondaryColor: colour("--sunken"),
        secondaryBorderColor: colour("--line-strong"),
        secondaryTextColor: colour("--ink"),
        tertiaryColor: colour("--paper"),
        tertiaryBorderColor: colour("--line"),
        tertiaryTextColor: colour("--ink"),
        lineColor: colour("--ink-soft"),
        textColor: colour("--ink"),
        noteBkgColor: colour("--warning-soft"),
        noteTextColor: colour("--ink"),
        noteBorderColor: colour("--warning"),
        errorBkgColor: colour("--danger-soft"),
        errorTextColor: colour("--danger"),
        fontSize: "14px",
      },
    };
  }

  /** A token of the page's as a colour that can be calculated with. @param {string} token */
  function colour(token) {
    stage.style.color = `var(${token})`;
    const found = getComputedStyle(stage).color;
    stage.style.color = "";
    return found;
  }

  /** Its own size is in its view box; what it says of its width is for pages that it fills. */
  function measure() {
    const svg = stage.querySelector("svg");
    const box = svg?.viewBox.baseVal;
    [width, height] = box?.width ? [box.width, box.height] : [stage.clientWidth, stage.clientHeight];
    svg?.style.removeProperty("max-width");
  }

  /** As large as it is, or as the frame lets it be. */
  function scale() {
    const svg = stage.querySelector("svg");
    if (!svg || !width) return;
    const { paddingLeft, paddingTop } = getComputedStyle(stage);
    const room = [stage.clientWidth - 2 * parseFloat(paddingLeft), stage.clientHeight - 2 * parseFloat(paddingTop)];
    const part = full ? 1 : Math.max(SMALLEST, Math.min(1, room[0] / width, room[1] / height));
    svg.setAttribute("width", String(width * part));
    svg.setAttribute("height", String(height * part));
  }

  /** @param {object} words */
  function say(words) {
    parent.postMessage(words, page);
  }
})();
