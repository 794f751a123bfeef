import { html } from "../../vendor/lit.js";

/** Drawn on a grid of 24; their strokes take the colour of the text around them. */
export const icons = {
  plus: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 5v14M5 12h14" /></svg>`,
  menu: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M4 7h16M4 12h10M4 17h16" /></svg>`,
  close: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M6 6l12 12M18 6L6 18" /></svg>`,
  pencil: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M4 20l1-4L16.5 4.5a2.1 2.1 0 0 1 3 3L8 19l-4 1zM14 7l3 3" />
  </svg>`,
  bin: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M5 7h14M10 4h4M7 7l1 13h8l1-13M10.5 11v5.5M13.5 11v5.5" />
  </svg>`,
  gear: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M4 7h9M19 7h1M4 17h1M11 17h9" /><circle cx="16" cy="7" r="2.6" /><circle cx="8" cy="17" r="2.6" />
  </svg>`,
  shield: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M12 3.5l7 2.6v5.3c0 4.3-2.9 7.4-7 9.1-4.1-1.7-7-4.8-7-9.1V6.1zM9 12l2.2 2.2L15.2 10" />
  </svg>`,
  leave: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M10 4H5v16h5M9 12h11M16 8l4 4-4 4" />
  </svg>`,
  send: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 20V4M5 11l7-7 7 7" /></svg>`,
  stop: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <rect class="icon-solid" x="6.5" y="6.5" width="11" height="11" rx="2" />
  </svg>`,
  down: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 5v14M6 13l6 6 6-6" /></svg>`,
  again: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M19.5 12a7.5 7.5 0 1 1-2.2-5.3L20 9.3M20 4v5.3h-5.3" />
  </svg>`,
  copy: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <rect x="9" y="9" width="11" height="11" rx="2" /><path d="M15 5.5A1.5 1.5 0 0 0 13.5 4h-8A1.5 1.5 0 0 0 4 5.5v8A1.5 1.5 0 0 0 5.5 15" />
  </svg>`,
  info: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <circle cx="12" cy="12" r="8.5" /><path d="M12 11v5M12 7.8v.2" />
  </svg>`,
  clip: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M19.5 11.5l-7.8 7.8a4.6 4.6 0 0 1-6.5-6.5l8.3-8.3a3.1 3.1 0 0 1 4.4 4.4l-8.3 8.3a1.6 1.6 0 0 1-2.2-2.2l7.3-7.3" />
  </svg>`,
  file: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M6.5 3.5h7l4.5 4.5v12.5h-11.5zM13 3.5V8.5h5M9.5 13h5.5M9.5 16.5h5.5" />
  </svg>`,
  more: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <circle class="icon-solid" cx="5.5" cy="12" r="1.6" /><circle class="icon-solid" cx="12" cy="12" r="1.6" />
    <circle class="icon-solid" cx="18.5" cy="12" r="1.6" />
  </svg>`,
  check: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M5 12.5l4.5 4.5L19 7.5" /></svg>`,
  pin: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M9 4h6l-1 6 3.5 3.5h-11L10 10zM12 13.5V20" />
  </svg>`,
  box: html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M4 5h16v4H4zM5.5 9v10h13V9M10 12.5h4" />
  </svg>`,
  chevron: html`<svg class="icon chevron" viewBox="0 0 24 24" aria-hidden="true"><path d="M9 6l6 6-6 6" /></svg>`,
};

/** The product's sign: a thread with two knots, and lines of talk beside it. */
export const mark = html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
  <path d="M8 4v24" /><circle class="mark-knot" cx="8" cy="9" r="3.5" /><circle class="mark-knot" cx="8" cy="23" r="3.5" />
  <path d="M16 9h10M16 16h7M16 23h10" />
</svg>`;
