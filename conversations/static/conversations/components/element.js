import { LitElement } from "../../vendor/lit.js";

/** A component in the light DOM: the page's style sheets and other people's tests reach into it. */
export class PageElement extends LitElement {
  /** @override @returns {any} */
  createRenderRoot() {
    return this;
  }
}
