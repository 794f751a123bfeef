/** What the keyboard does on the page: one table for the keys and for the sheet that tells of them. Pure. */

import { gettext } from "./words.js";

/**
 * `mod` stands for Control, on Apple's keyboards for Command. `typing`: also while somebody writes in a field.
 *
 * @typedef {{name: string, key: string, mod?: boolean, shift?: boolean, alt?: boolean, typing: boolean, label: string}} Shortcut
 * @typedef {Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey" | "isComposing">} Pressed
 */

/** @type {Shortcut[]} */
export const SHORTCUTS = [
  { name: "new-thread", key: "o", mod: true, shift: true, typing: true, label: gettext("New thread") },
  { name: "previous-thread", key: "ArrowUp", alt: true, typing: true, label: gettext("The thread above in the list") },
  { name: "next-thread", key: "ArrowDown", alt: true, typing: true, label: gettext("The thread below in the list") },
  { name: "write", key: "Escape", shift: true, typing: true, label: gettext("To the message field") },
  { name: "models", key: ";", mod: true, typing: true, label: gettext("Choose the model") },
  { name: "stop", key: ".", mod: true, typing: true, label: gettext("Stop the answer") },
  { name: "sheet", key: "/", mod: true, typing: true, label: gettext("Show this sheet") },
  { name: "sheet", key: "?", typing: false, label: gettext("Show this sheet") },
];

/** What is told of, besides: these belong to the fields that they are pressed in. @type {[string[], string][]} */
export const IN_FIELDS = [
  [["↑"], gettext("In the empty message field: the last question in other words")],
  [[gettext("Shift"), gettext("Enter")], gettext("In the message field: a new line")],
  [[gettext("Esc")], gettext("Leaves what has opened, or what is being changed")],
];

/**
 * @param {Pressed} pressed
 * @param {boolean} typing whether it was pressed in a field
 * @returns {string | null} the name of what is to be done
 */
export function shortcutFor(pressed, typing) {
  if (pressed.isComposing) return null;
  return SHORTCUTS.find((one) => (one.typing || !typing) && isPressed(one, pressed))?.name ?? null;
}

/** @param {Shortcut} shortcut @param {Pressed} pressed */
function isPressed({ key, mod = false, shift = false, alt = false }, pressed) {
  if (pressed.key.toLowerCase() !== key.toLowerCase()) return false;
  // A sign is where its keyboard has it, with Shift or without.
  const sign = key.length === 1 && key.toLowerCase() === key.toUpperCase();
  return mod === (pressed.ctrlKey || pressed.metaKey) && alt === pressed.altKey && (sign || shift === pressed.shiftKey);
}

/** The keys as they are written on them. @param {Shortcut} shortcut @param {boolean} apple */
export function keysOf({ key, mod, shift, alt }, apple) {
  const names = { ArrowUp: "↑", ArrowDown: "↓", Escape: gettext("Esc") };
  return [
    ...(mod ? [apple ? "⌘" : gettext("Ctrl")] : []),
    ...(alt ? [apple ? "⌥" : gettext("Alt")] : []),
    ...(shift ? [apple ? "⇧" : gettext("Shift")] : []),
    names[/** @type {keyof typeof names} */ (key)] ?? key.toUpperCase(),
  ];
}

/** The thread above or below another in the list; null at its ends.
 * @param {Wire.Thread[]} threads @param {string | null} current @param {number} step */
export function neighbour(threads, current, step) {
  const at = threads.findIndex((thread) => thread.id === current);
  if (at < 0) return step > 0 ? (threads[0] ?? null) : null;
  return threads[at + step] ?? null;
}
