/** The entry of the page of models. */

import { Api } from "./api.js";
import { readBoot } from "./boot.js";
import "./components/models-app.js";
import { ModelAdmin } from "./model_admin.js";

const element = /** @type {import("./components/models-app.js").ModelsApp | null} */ (
  document.querySelector("models-app")
);
if (element) {
  const boot = readBoot();
  element.boot = boot;
  element.admin = new ModelAdmin(new Api(boot.urls.api, boot.csrf), () => element.requestUpdate());
  element.admin.start();
}
