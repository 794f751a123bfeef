/** The entry of the page of settings. */

import { Api } from "./api.js";
import { readBoot } from "./boot.js";
import "./components/settings-app.js";

const element = /** @type {import("./components/settings-app.js").SettingsApp | null} */ (
  document.querySelector("settings-app")
);
if (element) {
  const boot = readBoot();
  element.api = new Api(boot.urls.api, boot.csrf);
  element.boot = boot;
}
