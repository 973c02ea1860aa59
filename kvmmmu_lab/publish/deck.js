// SPDX-License-Identifier: GPL-2.0-only
//
// A deck: reveal.js shows the slides, and the player shows the films in them. A film is mounted when its slide or the
// slide before it is shown. The arrow keys control the film that has the focus, otherwise the deck; Escape leaves the film.

const body = document.body;
const films = [...document.querySelectorAll(".film-data")].map((data) => () => JSON.parse(data.textContent));
const players = new Map();

/* Theme: the one chosen at export, or the system's. The key D switches it. Films and pictures follow data-jp-theme-light. */
const system = matchMedia("(prefers-color-scheme: dark)");
const setDark = (on) => (body.dataset.jpThemeLight = String(!on));
if (body.dataset.theme === "auto") {
  setDark(system.matches);
  system.addEventListener("change", () => setDark(system.matches));
}

/** Limit a picture to twice its size on a screen 720 pixels high, so that its text does not get too large. */
function limit(picture) {
  const [width, height] = [picture.naturalWidth ?? picture.width.baseVal.value, picture.naturalHeight ?? picture.height.baseVal.value];
  const most = (2 * innerHeight) / 720;
  if (width) Object.assign(picture.style, { maxWidth: `min(100%, ${width * most}px)`, maxHeight: `min(100%, ${height * most}px)` });
}

/** Mount the films of a slide. */
function mountFilms(slide) {
  for (const place of slide?.querySelectorAll(".film:not(.mounted)") ?? []) {
    place.classList.add("mounted");
    players.set(place, mount(place, films[Number(place.dataset.film)](), { theme: "auto", fill: true }));
  }
}

/** Shrink the content of a slide until all of it fits. */
function fit(slide) {
  const content = slide?.querySelector(".slide-content");
  if (!content || !content.clientHeight) return;
  content.querySelectorAll(".picture img, .picture svg").forEach(limit);
  for (let size = 1; size > 0.5; size -= 0.05) {
    content.style.setProperty("--size", size.toFixed(2));
    if (content.scrollHeight <= content.clientHeight + 1 && content.scrollWidth <= content.clientWidth + 1) return;
  }
  content.classList.add("scrolls"); // too long even at half size
}

const deck = new Reveal({
  hash: true, progress: true, controls: true, controlsLayout: "edges", slideNumber: "c/t", center: false, transition: "none",
  backgroundTransition: "none", width: "100%", height: "100%", margin: 0, minScale: 1, maxScale: 1, plugins: [RevealNotes],
  keyboardCondition: () => !document.activeElement?.closest(".kvmmmu-player"),
});

const slides = () => [...document.querySelectorAll(".slides > section > section")];
function showCurrent() {
  const here = deck.getCurrentSlide();
  const next = slides()[slides().indexOf(here) + 1];
  mountFilms(here);
  fit(here);
  setTimeout(() => mountFilms(next), 0);
}

deck.initialize().then(() => {
  showCurrent();
  deck.on("slidechanged", () => {
    for (const player of players.values()) player.pause();
    if (document.activeElement?.closest(".kvmmmu-player")) document.activeElement.blur();
    showCurrent();
  });
  deck.on("resize", () => fit(deck.getCurrentSlide()));
  deck.on("overviewshown", () => slides().forEach((slide) => (mountFilms(slide), fit(slide))));
  deck.addKeyBinding({ keyCode: 68, key: "D", description: "Switch between light and dark" }, () => setDark(body.dataset.jpThemeLight === "true"));
  body.classList.add("ready");
});

/* Escape leaves a film. If a panel of the film is open, the player handles the key, and closes the panel. */
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || !event.target.closest?.(".film")) return;
  event.stopImmediatePropagation(); // reveal.js would show the overview
  event.target.blur();
});

window.kvmmmu = { deck, players, slides };
