/** The entry of the chat's page. */

import { readBoot } from "./boot.js";
import "./components/chat-app.js";
import { ChatPage } from "./page.js";

const element = /** @type {import("./components/chat-app.js").ChatApp | null} */ (document.querySelector("chat-app"));
if (element) {
  const page = new ChatPage(readBoot());
  element.page = page;
  page.store.subscribe(() => element.requestUpdate());
  page.start();
}
