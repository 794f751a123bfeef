/** What the server wrote into the page for its modules. @returns {Page.Boot} */
export function readBoot() {
  return JSON.parse(document.getElementById("boot")?.textContent ?? "{}");
}

/** The socket's address beside this page's. @param {Page.Boot} boot */
export function socketUrl(boot) {
  return new URL(boot.urls.socket, location.href.replace(/^http/, "ws")).href;
}
