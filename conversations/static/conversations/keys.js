/** Which keys send what is being written. Pure. */

/**
 * @param {Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "metaKey" | "isComposing">} event
 * @param {Page.Settings["sendKey"]} sendKey
 */
export function sends({ key, shiftKey, ctrlKey, metaKey, isComposing }, sendKey) {
  // While an input method composes a word, Enter belongs to it.
  if (key !== "Enter" || shiftKey || isComposing) return false;
  return sendKey === "enter" || ctrlKey || metaKey;
}
