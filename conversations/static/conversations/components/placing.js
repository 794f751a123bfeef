/** Where something stands that opens from a button, above the page. */

const GAP = 4;

/**
 * Below the button, or above it where there is more room, and no higher than that; its edge on the button's.
 *
 * @param {HTMLElement} popover that is shown already
 * @param {HTMLElement} button
 */
export function placeBeside(popover, button) {
  const at = button.getBoundingClientRect();
  popover.style.maxHeight = "";
  const { width, height } = popover.getBoundingClientRect();
  const above = at.top - 2 * GAP;
  const below = innerHeight - at.bottom - 2 * GAP;
  const upward = height > below && above > below;
  const fits = Math.min(height, upward ? above : below);
  if (fits < height) popover.style.maxHeight = `${fits}px`;
  popover.style.top = `${upward ? at.top - GAP - fits : at.bottom + GAP}px`;
  const leftward = Math.min(at.right, innerWidth - GAP) - width;
  popover.style.left = `${Math.max(GAP, at.left + width < innerWidth ? at.left : leftward)}px`;
}
