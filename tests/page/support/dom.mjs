/** A document without a browser, for modules that build elements. */

import { JSDOM } from "jsdom";

export function useDocument() {
  const { window } = new JSDOM("<!doctype html><body></body>", { url: "http://chat.example/" });
  Object.assign(globalThis, {
    window,
    document: window.document,
    HTMLElement: window.HTMLElement,
    Element: window.Element,
    customElements: window.customElements,
    location: window.location,
  });
  return window;
}
