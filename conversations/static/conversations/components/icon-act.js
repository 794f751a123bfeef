import { html } from "../../vendor/lit.js";

/**
 * A button that shows an icon and says its name.
 *
 * @param {string} name by which it is found @param {string} label @param {unknown} icon @param {boolean} disabled
 * @param {(event: MouseEvent) => void} act
 */
export function iconAct(name, label, icon, disabled, act) {
  return html`<button class="icon-button" type="button" title=${label} data-testid=${name} ?disabled=${disabled}
    @click=${act}>
    ${icon}<span class="visually-hidden">${label}</span>
  </button>`;
}
