import { gettext } from "./words.js";

/**
 * Copies text, and says so on the button for a moment. Plain HTTP has no clipboard of its own; there the old way does.
 *
 * @param {string} text
 * @param {HTMLElement} button
 * @param {HTMLElement} [label] whose text says it; the button itself where there is no other
 */
export async function copyFrom(text, button, label = button) {
  const done = await copied(text);
  if (button.dataset.said) return;
  const before = label.textContent;
  button.dataset.said = "yes";
  label.textContent = done ? gettext("Copied") : gettext("Not allowed");
  setTimeout(() => {
    label.textContent = before;
    delete button.dataset.said;
  }, 1600);
}

/** @param {string} text */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedBySelection(text);
  }
}

/** @param {string} text */
function copiedBySelection(text) {
  const field = document.createElement("textarea");
  field.className = "visually-hidden";
  field.value = text;
  document.body.append(field);
  field.select();
  try {
    return document.execCommand("copy");
  } finally {
    field.remove();
  }
}
