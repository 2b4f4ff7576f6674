// @ts-check
/**
 * The theme: the system's until the user chooses another, which is stored in this browser. A classic script, so that it
 * runs before the first paint.
 */
(() => {
  const NAME = "streaming-endpoint-theme";
  const root = document.documentElement;
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

  function remembered() {
    try {
      const theme = localStorage.getItem(NAME);
      return theme === "light" || theme === "dark" ? theme : null;
    } catch {
      return null;
    }
  }

  /** @param {string} theme */
  function remember(theme) {
    try {
      if (theme === (systemIsDark.matches ? "dark" : "light")) localStorage.removeItem(NAME);
      else localStorage.setItem(NAME, theme);
    } catch {
      // Storage is blocked: the choice is kept until the page is reloaded.
    }
  }

  function current() {
    return root.dataset["theme"] ?? (systemIsDark.matches ? "dark" : "light");
  }

  function label() {
    const button = document.getElementById("theme-button");
    if (button === null) return;
    const text = `Switch to the ${current() === "dark" ? "light" : "dark"} theme`;
    button.setAttribute("aria-label", text);
    button.title = text;
  }

  const chosen = remembered();
  if (chosen !== null) root.dataset["theme"] = chosen;
  systemIsDark.addEventListener("change", label);
  document.addEventListener("DOMContentLoaded", () => {
    label();
    document.getElementById("theme-button")?.addEventListener("click", () => {
      root.dataset["theme"] = current() === "dark" ? "light" : "dark";
      remember(root.dataset["theme"]);
      label();
    });
  });
})();
