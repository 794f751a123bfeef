/** A transcript in the administration: its answers as Markdown, by the page's own renderer. Without it they stay text. */

import "./components/markdown-text.js";

for (const plain of document.querySelectorAll("[data-markdown]")) {
  const rendered = /** @type {import("./components/markdown-text.js").MarkdownText} */ (
    document.createElement("markdown-text")
  );
  rendered.className = "transcript-markdown";
  rendered.text = plain.textContent ?? "";
  plain.replaceWith(rendered);
}

openTarget();
addEventListener("hashchange", openTarget);

/** A link to a run leads into a folded part, which must open to be seen. */
function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (!(target instanceof HTMLDetailsElement)) return;
  target.open = true;
  target.scrollIntoView();
}
