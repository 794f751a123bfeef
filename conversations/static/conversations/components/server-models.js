import { html, nothing, repeat } from "../../vendor/lit.js";
import { bytes, contextLength } from "../format.js";
import { gettext } from "../words.js";
import { PageElement } from "./element.js";

/** As model servers name them; one that is new stands there as it came. @type {Record<string, string>} */
const CAPABILITIES = {
  tools: gettext("tools"),
  thinking: gettext("thinking"),
  vision: gettext("vision"),
  insert: gettext("insert"),
  embedding: gettext("embedding"),
};

/** The models of one server. Of an Ollama they can be loaded, unloaded and deleted. */
export class ServerModels extends PageElement {
  static properties = {
    server: { attribute: false },
    models: { attribute: false },
    acts: { attribute: false },
    admin: { attribute: false },
  };

  constructor() {
    super();
    /** @type {Wire.ModelServer | null} */
    this.server = null;
    /** @type {Wire.Model[]} */
    this.models = [];
    /** @type {Map<string, string>} */
    this.acts = new Map();
    /** @type {import("../model_admin.js").ModelAdmin | null} */
    this.admin = null;
  }

  render() {
    const { server, models } = this;
    if (!server) return nothing;
    return html`<section class="panel" aria-label=${gettext("Models of %(server)s", { server: server.name })}>
      <h2>${server.name}</h2>
      ${server.ok ? nothing : html`<p class="note note-warning">${server.message}</p>`}
      ${server.ok && !models.length ? html`<p class="empty">${gettext("There is no model yet.")}</p>` : nothing}
      ${models.length
        ? html`<ul class="rows models">${repeat(models, (model) => model.name, (model) => this.row(model, server.kind === "ollama"))}</ul>`
        : nothing}
    </section>`;
  }

  /** @param {Wire.Model} model @param {boolean} managed */
  row(model, managed) {
    const act = this.acts.get(model.name);
    return html`<li data-testid="model">
      <div>
        <strong>${model.model}</strong>
        ${model.loaded ? html`<span class="hint is-loaded">${gettext("in memory")}</span>` : nothing}
        <p class="help">${facts(model).join(" · ")}</p>
      </div>
      ${managed ? html`<div class="actions">${act ? html`<span class="help">${act}</span>` : this.buttons(model)}</div>` : nothing}
    </li>`;
  }

  /** @param {Wire.Model} model */
  buttons(model) {
    const named = html`<span class="visually-hidden"> ${model.model}</span>`;
    return html`
      ${model.loaded
        ? html`<button class="button is-small" type="button" @click=${() => this.unload(model)}>${gettext("Unload")}${named}</button>`
        : html`<button class="button is-small" type="button" @click=${() => this.admin?.load(model.name)}>${gettext("Load")}${named}</button>`}
      <button class="button is-small is-danger" type="button" @click=${() => this.deleteModel(model)}>${gettext("Delete")}${named}</button>
    `;
  }

  /** @param {Wire.Model} model */
  async unload(model) {
    const sure = await asked({
      heading: gettext("Take this model out of memory?"),
      sentence: gettext(
        "Answers that %(model)s is writing are finished first. The next question has to load it again.", { model: model.model },
      ),
      verb: gettext("Unload"),
    });
    if (sure) await this.admin?.unload(model.name);
  }

  /** @param {Wire.Model} model */
  async deleteModel(model) {
    const values = { model: model.model, size: bytes(model.size_bytes ?? 0), server: model.provider };
    const sure = await asked({
      heading: gettext("Delete this model?"),
      sentence: model.size_bytes
        ? gettext("%(model)s and its %(size)s will be gone from the disk of %(server)s, for everybody. It can be pulled again.", values)
        : gettext("%(model)s will be gone from the disk of %(server)s, for everybody. It can be pulled again.", values),
      verb: gettext("Delete"),
    });
    if (sure) await this.admin?.remove(model.name);
  }
}

/** @param {{heading: string, sentence: string, verb: string}} question */
async function asked(question) {
  const dialog = /** @type {import("./confirm-dialog.js").ConfirmDialog | null} */ (
    document.querySelector("confirm-dialog")
  );
  return (await dialog?.ask(question)) ?? false;
}

/** @param {Wire.Model} model @returns {string[]} */
function facts(model) {
  return [
    ...(model.size_bytes ? [bytes(model.size_bytes)] : []),
    ...(model.parameter_size ? [gettext("%(size)s parameters", { size: model.parameter_size })] : []),
    ...(model.context_length ? [contextLength(model.context_length)] : []),
    ...model.capabilities.filter((one) => one !== "completion").map((one) => CAPABILITIES[one] ?? one),
  ];
}

customElements.define("server-models", ServerModels);
