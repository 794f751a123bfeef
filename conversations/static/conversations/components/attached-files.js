import { html, nothing, repeat } from "../../vendor/lit.js";
import { bytes } from "../format.js";
import { gettext, ngettext } from "../words.js";
import { PageElement } from "./element.js";
import { icons } from "./icons.js";

/** The files that go with what is being written: how far each is, why one is refused, and how to be rid of it. */
export class AttachedFiles extends PageElement {
  static properties = { attached: { attribute: false }, waits: { attribute: false }, files: { attribute: false } };

  constructor() {
    super();
    /** @type {Page.Attached[]} */
    this.attached = [];
    /** Whether the message is to be sent as soon as they are there. */
    this.waits = false;
    /** @type {import("../attachments.js").Attachments | null} */
    this.files = null;
    this.shown = 0;
  }

  /** The newest is seen, above all why it is refused, which makes it higher; where one was taken away nothing moves. */
  updated() {
    const list = this.querySelector("ul");
    if (list && this.attached.length >= this.shown) list.scrollTop = list.scrollHeight;
    this.shown = this.attached.length;
  }

  render() {
    if (!this.attached.length) return nothing;
    return html`<ul class="attached" aria-label=${gettext("Attached files")}>
        ${repeat(this.attached, ({ key }) => key, (one) => this.one(one))}
      </ul>
      <p class="attached-note" role="status">${this.waits ? gettext("Sending when the files are there…") : nothing}</p>`;
  }

  /** @param {Page.Attached} one */
  one(one) {
    return html`<li class="file-chip is-${one.status}" data-testid="attached-file">
      ${one.file?.kind === "image" ? thumbnail(one.file) : html`<span class="file-sign">${icons.file}</span>`}
      <span class="file-name" title=${one.name}>${one.name}</span>
      ${this.state(one)}
      <button class="icon-button is-small" type="button" @click=${() => this.files?.remove(one)}>
        ${icons.close}<span class="visually-hidden">${gettext("Remove %(name)s", { name: one.name })}</span>
      </button>
    </li>`;
  }

  /** @param {Page.Attached} one */
  state({ status, progress, error, size, file }) {
    if (status === "refused") return html`<span class="file-note" role="alert">${error}</span>`;
    if (status === "ready") return html`<span class="file-note">${file ? facts(file) : bytes(size)}</span>`;
    // When all of it has been sent, the server looks at it.
    const words = progress < 1 ? `${Math.floor(progress * 100)} %` : gettext("Reading…");
    return html`<span class="file-note">${words}</span>
      <progress class="file-progress" max="1" .value=${progress} aria-label=${gettext("Sent")}></progress>`;
  }
}

/** What a message has: pictures to look at, everything else to save. @param {Wire.Attachment[] | undefined} attachments */
export function filesOf(attachments) {
  if (!attachments?.length) return nothing;
  return html`<ul class="message-files" aria-label=${gettext("Files")}>
    ${attachments.map((file) => html`<li>${file.kind === "image" ? picture(file) : document_(file)}</li>`)}
  </ul>`;
}

/** @param {Wire.Attachment} file */
function picture(file) {
  return html`<a class="file-picture" href=${address(file)} target="_blank" rel="noopener" title=${file.name}>
    <img src=${address(file)} alt=${file.name} loading="lazy" width=${file.width ?? nothing} height=${file.height ?? nothing} />
  </a>`;
}

/** @param {Wire.Attachment} file */
function document_(file) {
  return html`<a class="file-chip" href=${address(file)} download=${file.name}>
    <span class="file-sign">${icons.file}</span><span class="file-name">${file.name}</span>
    <span class="file-note">${facts(file)}</span>
  </a>`;
}

/** @param {Wire.Attachment} file */
function thumbnail(file) {
  return html`<img class="file-thumbnail" src=${address(file)} alt="" />`;
}

/** @param {Wire.Attachment} file */
function facts(file) {
  const pages = file.pages ? [ngettext("%(count)s page", "%(count)s pages", file.pages)] : [];
  return [...pages, bytes(file.size)].join(", ");
}

/** @param {Wire.Attachment} file */
function address(file) {
  return `/api/v1/attachments/${file.id}/content`;
}

customElements.define("attached-files", AttachedFiles);
