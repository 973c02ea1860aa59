// SPDX-License-Identifier: GPL-2.0-only
//
// A page of the course. Films are mounted when they are about to scroll into view; the search index is loaded on first use.

const body = document.body;
const films = [...document.querySelectorAll(".film-data")];

/** Mount a film. */
function mountFilm(place) {
  if (place.classList.contains("mounted")) return;
  place.classList.add("mounted");
  mount(place, JSON.parse(films[Number(place.dataset.film)].textContent), { theme: "auto" });
}

const places = [...document.querySelectorAll(".film")];
const near = new IntersectionObserver((seen) => seen.forEach((one) => one.isIntersecting && mountFilm(one.target)), { rootMargin: "1200px" });
places.forEach((place) => near.observe(place));
addEventListener("beforeprint", () => places.forEach(mountFilm));

document.querySelector("#theme").addEventListener("click", () => {
  body.dataset.jpThemeLight = String(body.dataset.jpThemeLight !== "true");
});

/* Search */
const search = document.querySelector("#search");
const found = document.querySelector("#found");

/** Load the search index. It is a script, because a page opened as a file cannot fetch data. */
const index = () => (index.promise ??= new Promise((resolve, reject) => {
  const script = document.createElement("script");
  script.src = `${body.dataset.up}search.js`;
  script.onload = () => resolve(window.kvmmmuIndex);
  script.onerror = reject;
  document.head.append(script);
}));

/** Return up to eight pages that contain all words of a query, those with one in the title first, each with an excerpt. */
function pagesWith(rows, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const hits = rows.filter(([, title, text]) => words.every((word) => `${title} ${text}`.toLowerCase().includes(word)));
  const titled = ([, title]) => words.some((word) => title.toLowerCase().includes(word));
  return hits.sort((a, b) => titled(b) - titled(a)).slice(0, 8).map(([path, title, text]) => {
    const at = Math.max(0, text.toLowerCase().indexOf(words[0]));
    return { path, title, excerpt: `${at > 40 ? "\u2026" : ""}${text.slice(Math.max(0, at - 40), at + 90)}\u2026` };
  });
}

search.addEventListener("input", async () => {
  const query = search.value.trim();
  found.hidden = !query;
  if (!query) return;
  const hits = pagesWith(await index(), query);
  found.replaceChildren(...hits.map(({ path, title, excerpt }) => {
    const link = document.createElement("a");
    link.href = body.dataset.up + path;
    const strong = document.createElement("strong");
    strong.textContent = title;
    link.append(strong, document.createElement("br"), excerpt);
    return link;
  }));
  if (!hits.length) found.textContent = "No page contains all these words.";
});
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter") found.querySelector("a")?.click();
  if (event.key === "Escape") (search.value = "", found.hidden = true);
});
body.classList.add("ready");
