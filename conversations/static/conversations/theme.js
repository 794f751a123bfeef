// A classic script in the head: the theme must stand before the first paint, or a dark page would flash white.
(() => {
  try {
    const { theme } = JSON.parse(localStorage.getItem("chat.settings") || "{}");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // No storage, no choice: the system's theme it is.
  }
})();
