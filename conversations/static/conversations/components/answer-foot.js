import { html, nothing } from "../../vendor/lit.js";
import { copyFrom } from "../clipboard.js";
import { usageParts } from "../format.js";
import { groupsOf } from "../picking.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";
import { iconAct } from "./icon-act.js";
import { icons } from "./icons.js";
import "./menu-button.js";
import "./version-arrows.js";

/** Below an answer: what can be done with it, its other versions, and what it cost. */
export class AnswerFoot extends PageElement {
  static properties = {
    message: { attribute: false },
    run: { attribute: false },
    speed: { attribute: false },
    place: { attribute: false },
    busy: { attribute: false },
    conversation: { attribute: false },
  };

  constructor() {
    super();
    /** @type {Wire.Message | null} */
    this.message = null;
    /** @type {Wire.Run | undefined} */
    this.run = undefined;
    /** Whether first-token time, speed and tokens are shown. */
    this.speed = true;
    /** @type {ReturnType<typeof import("../versions.js").placeOf> | null} */
    this.place = null;
    this.busy = false;
    /** @type {import("../conversation.js").Conversation | null} */
    this.conversation = null;
  }

  render() {
    const { message, run } = this;
    if (!message) return nothing;
    return html`<footer class="answer-foot">
      <version-arrows .place=${this.place}></version-arrows>
      ${message.content ? iconAct("copy-answer", gettext("Copy the answer"), icons.copy, false, this.copy) : nothing}
      ${run?.status === "failed"
        ? nothing
        : iconAct("regenerate-button", gettext("Regenerate"), icons.again, this.busy, () => this.again())}
      <menu-button
        .label=${gettext("More about this answer")}
        .icon=${icons.more}
        .choices=${() => this.choices()}
        .onChoose=${(/** @type {string} */ name) => this.chosen(name)}
      ></menu-button>
      ${this.usage(message, run)}
    </footer>`;
  }

  /** @param {Wire.Message} message @param {Wire.Run | undefined} run */
  usage(message, run) {
    const parts = [...(message.model ? [message.model] : []), ...(run && this.speed ? usageParts(run) : [])];
    return parts.length ? html`<p class="usage">${parts.map((part) => html`<span>${part}</span>`)}</p>` : nothing;
  }

  /** @returns {ReturnType<import("./menu-button.js").MenuButton["choices"]>} */
  choices() {
    const { busy } = this;
    const models = groupsOf(this.conversation?.store.state.models ?? null).flatMap((group) => group.options);
    const there = models.filter((model) => !model.away);
    return [
      { name: "delete", text: gettext("Delete the answer"), icon: icons.bin, danger: true, disabled: busy },
      ...(there.length ? [{ heading: gettext("Answer again with") }] : []),
      ...there.map(({ value }) => ({ name: `model:${value}`, text: value, icon: icons.again, disabled: busy })),
    ];
  }

  /** @param {string} name */
  chosen(name) {
    if (name.startsWith("model:")) return this.again(name.slice("model:".length));
    this.dispatchEvent(new CustomEvent("message-delete", { bubbles: true, detail: { message: this.message } }));
  }

  /** @param {string} [model] */
  again(model) {
    if (this.message) this.conversation?.regenerate(this.message, model);
  }

  /** @param {MouseEvent} click */
  copy({ currentTarget }) {
    if (!(currentTarget instanceof HTMLElement)) return;
    copyFrom(this.message?.content ?? "", currentTarget, currentTarget.querySelector("span") ?? currentTarget);
  }
}

customElements.define("answer-foot", AnswerFoot);
