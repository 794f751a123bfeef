import { html, nothing, repeat } from "../../vendor/lit.js";
import { dateTime } from "../format.js";
import { isOpen, percent, pullParts } from "../pull_progress.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";

const ENDED_SHOWN = 5;

/** The pulls under way with their bars, and what became of the last ones. */
export class PullList extends PageElement {
  static properties = { pulls: { attribute: false }, admin: { attribute: false } };

  constructor() {
    super();
    /** @type {Wire.Pull[]} */
    this.pulls = [];
    /** @type {import("../model_admin.js").ModelAdmin | null} */
    this.admin = null;
  }

  render() {
    const under = this.pulls.filter(isOpen);
    const ended = this.pulls.filter((pull) => !isOpen(pull)).slice(0, ENDED_SHOWN);
    if (!under.length && !ended.length) return nothing;
    return html`<ul class="rows pulls" aria-label=${gettext("Pulls")}>
      ${repeat([...under, ...ended], (pull) => pull.id, (pull) => this.row(pull))}
    </ul>`;
  }

  /** @param {Wire.Pull} pull */
  row(pull) {
    const open = isOpen(pull);
    return html`<li class="pull is-${pull.status}" data-testid="pull">
      <div>
        <strong>${pull.model}</strong>
        ${open ? this.bar(pull) : nothing}
        <p class="help pull-facts">${pullParts(pull, this.admin?.speed(pull) ?? null).join(" · ")}</p>
        ${pull.error ? html`<p class="pull-error">${pull.error.message}</p>` : nothing}
        <p class="help">${origin(pull).join(" · ")}</p>
      </div>
      ${this.button(pull)}
    </li>`;
  }

  /** One button, whatever it says, so that who has pressed it stays where they are. @param {Wire.Pull} pull */
  button(pull) {
    const open = isOpen(pull);
    if (!open && (pull.status === "done" || this.underWay(pull))) return nothing;
    const press = () => {
      if (open) this.admin?.cancel(pull);
      else this.admin?.pull(pull.server, pull.model);
    };
    return html`<button class="button is-small" type="button" aria-disabled=${pull.cancelling} @click=${press}>
      ${open ? gettext("Cancel") : gettext("Pull again")}<span class="visually-hidden">: ${pull.model}</span></button>`;
  }

  /** A bar of which nothing is known yet has no value, and moves by itself. @param {Wire.Pull} pull */
  bar(pull) {
    const done = percent(pull);
    const label = gettext("%(model)s, pulled", { model: pull.model });
    if (pull.status === "queued") return nothing;
    return done === null
      ? html`<progress aria-label=${label}></progress>`
      : html`<progress aria-label=${label} max="100" value=${done}></progress>`;
  }

  /** @param {Wire.Pull} pull */
  underWay(pull) {
    return this.pulls.some((one) => isOpen(one) && one.server === pull.server && one.model === pull.model);
  }
}

/** @param {Wire.Pull} pull */
function origin({ by, server, created_at: asked, finished_at: ended }) {
  return [server, ...(by ? [gettext("by %(name)s", { name: by })] : []), dateTime(ended ?? asked)];
}

customElements.define("pull-list", PullList);
