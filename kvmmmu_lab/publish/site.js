// SPDX-License-Identifier: GPL-2.0-only
//
// A page of the course: films are made when they come near, the search looks through an index that is fetched when it is needed.

const body = document.body;
const films = [...document.querySelectorAll(".film-data")];

/** Make a film. */
function wake(place) {
  if (place.classList.contains("awake")) return;
  place.classList.add("awake");
  mount(place, JSON.parse(films[Number(place.dataset.film)].textContent), { theme: "auto" });
}

const places = [...document.querySelectorAll(".film")];
const near = new IntersectionObserver((seen) => seen.forEach((one) => one.isIntersecting && wake(one.target)), { rootMargin: "1200px" });
places.forEach((place) => near.observe(place));
addEventListener("beforeprint", () => places.forEach(wake));

document.querySelector("#theme").addEventListener("click", () => {
  body.dataset.jpThemeLight = String(body.dataset.jpThemeLight !== "true");
});

/* Search */
const search = document.querySelector("#search");
const found = document.querySelector("#found");

/** The index, a script beside the pages: from a folder nothing else can be loaded. */
const index = () => (index.promise ??= new Promise((resolve, reject) => {
  const script = document.createElement("script");
  script.src = `${body.dataset.up}search.js`;
  script.onload = () => resolve(window.kvmmmuIndex);
  script.onerror = reject;
  document.head.append(script);
}));

/** Pages that have all words, those with them in the title first, each with a piece of its text. */
function look(rows, asked) {
  const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  const hits = rows.filter(([, title, text]) => words.every((word) => `${title} ${text}`.toLowerCase().includes(word)));
  const titled = ([, title]) => words.some((word) => title.toLowerCase().includes(word));
  return hits.sort((a, b) => titled(b) - titled(a)).slice(0, 8).map(([path, title, text]) => {
    const at = Math.max(0, text.toLowerCase().indexOf(words[0]));
    return { path, title, piece: `${at > 40 ? "\u2026" : ""}${text.slice(Math.max(0, at - 40), at + 90)}\u2026` };
  });
}

search.addEventListener("input", async () => {
  const asked = search.value.trim();
  found.hidden = !asked;
  if (!asked) return;
  const hits = look(await index(), asked);
  found.replaceChildren(...hits.map(({ path, title, piece }) => {
    const link = document.createElement("a");
    link.href = body.dataset.up + path;
    const strong = document.createElement("strong");
    strong.textContent = title;
    link.append(strong, document.createElement("br"), piece);
    return link;
  }));
  if (!hits.length) found.textContent = "Nothing has all these words.";
});
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter") found.querySelector("a")?.click();
  if (event.key === "Escape") (search.value = "", found.hidden = true);
});
body.classList.add("ready");
