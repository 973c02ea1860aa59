// SPDX-License-Identifier: GPL-2.0-only
//
// The theme of a page: "light", "dark" or "auto", which follows the system. It is kept for all pages, and set before the page
// is painted. A browser that gives each local file a storage of its own (Firefox) takes it from the address instead.

window.kvmmmuTheme = (() => {
  const KEY = "kvmmmu-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // the browser allows no storage
    }
  };
  const asked = new URLSearchParams(location.search).get("theme");
  let chosen = [asked, stored(), "auto"].find((name) => ["light", "dark", "auto"].includes(name));
  let printing = false;
  const show = () => {
    const light = printing || (chosen === "auto" ? !system.matches : chosen === "light");
    document.body.dataset.jpThemeLight = String(light);
  };
  system.addEventListener("change", show);
  show();
  return {
    get chosen() { return chosen; },
    choose(name) {
      chosen = name;
      try {
        localStorage.setItem(KEY, name);
      } catch { /* it lasts as long as the page */ }
      const here = new URL(location);
      here.searchParams.delete("theme");
      if (asked !== null) history.replaceState(null, "", here);
      show();
    },
    print(on) {
      printing = on;
      show();
    },
    /** Let a link to another local file carry the theme. */
    carry(link) {
      if (chosen === "auto" && asked === null) return;
      if (location.protocol !== "file:" || link.protocol !== "file:" || link.pathname === location.pathname) return;
      const search = new URLSearchParams(link.search);
      search.set("theme", chosen);
      link.search = search;
    },
  };
})();
