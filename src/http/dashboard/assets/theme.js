// Light, dark, or as the system says; the choice is kept in this browser.

import { byId } from "./dom.js";

const NEXT = { auto: "light", light: "dark", dark: "auto" };
const WORDS = { auto: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" };

function show() {
  const theme = document.documentElement.dataset.theme ?? "auto";
  byId("theme-icon").setAttribute("href", `#i-theme-${theme}`);
  byId("theme").setAttribute("aria-label", WORDS[theme]);
  byId("theme").title = WORDS[theme];
}

/** Makes the button work. */
export function startTheme() {
  show();
  byId("theme").addEventListener("click", () => {
    const next = NEXT[document.documentElement.dataset.theme ?? "auto"];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      if (next === "auto") localStorage.removeItem("theme");
      else localStorage.setItem("theme", next);
    } catch { /* No storage: it holds until the page is closed. */ }
    show();
  });
}
