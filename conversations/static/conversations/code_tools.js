/** What can be done with a block of code: wrap its lines, save it as a file, copy it. */

import { copyFrom } from "./clipboard.js";
import { readSettings, saveSettings } from "./preferences.js";
import { gettext } from "./words.js";

/** Of the languages whose name is not how their files end. */
const ENDINGS = new Map(
  Object.entries({
    bash: "sh", shell: "sh", sh: "sh", zsh: "sh", console: "sh", "c++": "cpp", csharp: "cs", "c#": "cs", javascript: "js",
    jsx: "jsx", kotlin: "kt", latex: "tex", markdown: "md", perl: "pl", powershell: "ps1", python: "py", python3: "py",
    ruby: "rb", rust: "rs", typescript: "ts", yaml: "yml", haskell: "hs", julia: "jl", matlab: "m", text: "txt",
    plaintext: "txt", scala: "scala", golang: "go", "objective-c": "m", svg: "svg", vue: "vue", elixir: "ex", clojure: "clj",
  }),
);
/** Files that have a name and no ending. */
const NAMES = new Map(Object.entries({ dockerfile: "Dockerfile", makefile: "Makefile" }));

/**
 * A file's name for code in a language. Pure.
 *
 * @param {string} language as the model wrote it
 */
export function fileName(language) {
  const word = language.toLowerCase();
  const named = NAMES.get(word);
  if (named) return named;
  const ending = ENDINGS.get(word) ?? (/^[a-z0-9]{1,10}$/.test(word) ? word : "txt");
  return `code.${ending}`;
}

/**
 * The line above a block: what it is written in, and what can be done with it.
 *
 * @param {string} language
 */
export function codeHead(language) {
  const head = document.createElement("div");
  head.className = "code-head";
  const label = document.createElement("span");
  label.textContent = language || gettext("text");
  const wrap = button("code-wrap", gettext("Wrap"));
  wrap.setAttribute("aria-pressed", String(readSettings().wrapCode));
  head.append(label, wrap, button("code-save", gettext("Download")), button("code-copy", gettext("Copy")));
  return head;
}

/** @param {string} name @param {string} text */
function button(name, text) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = `code-tool ${name}`;
  made.textContent = text;
  return made;
}

/** For the element that blocks are in: they are made anew while they grow, and it stays. @param {MouseEvent} click */
export function useCode(click) {
  const tool = click.target instanceof Element ? click.target.closest(".code-tool") : null;
  const block = tool?.closest(".code-block");
  const code = block?.querySelector("code")?.textContent;
  if (!(tool instanceof HTMLElement) || !block || code == null) return;
  if (tool.classList.contains("code-copy")) copyFrom(code, tool);
  else if (tool.classList.contains("code-save")) save(code, fileName(block.getAttribute("data-language") ?? ""));
  else wrapAll(!readSettings().wrapCode);
}

/** One way for all code, and remembered: whoever reads on a phone does not choose for every block. @param {boolean} wraps */
export function wrapAll(wraps) {
  if (wraps !== readSettings().wrapCode) saveSettings({ wrapCode: wraps });
  document.documentElement.classList.toggle("wraps-code", wraps);
  for (const tool of document.querySelectorAll(".code-wrap")) tool.setAttribute("aria-pressed", String(wraps));
}

/** @param {string} text @param {string} name */
function save(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
