// A classic script in the head: theme and size must stand before the first paint, or a dark page would flash white. Where
// they are changed, here or in another tab (see preferences.js), they are in force at once.
(() => {
  /** @type {Record<string, string[]>} */
  const CHOICES = { theme: ["light", "dark"], textSize: ["small", "large", "largest"] };

  function apply() {
    /** @type {Record<string, string>} */
    let chosen = {};
    try {
      chosen = JSON.parse(localStorage.getItem("chat.settings") || "{}");
    } catch {
      // No storage, no choice: the system's theme it is.
    }
    for (const [name, values] of Object.entries(CHOICES)) {
      if (values.includes(chosen[name])) document.documentElement.dataset[name] = chosen[name];
      else delete document.documentElement.dataset[name];
    }
  }

  apply();
  addEventListener("chat-settings", apply);
  addEventListener("storage", apply);
})();
