// SPDX-License-Identifier: GPL-2.0-only
//
// A deck: reveal.js shows the slides, the player the films in them. A film is made when its slide, or the one before, shows.
// Arrow keys move a film while it has the focus (the player keeps its keys to itself), and else the deck; Escape goes back.

const body = document.body;
const films = [...document.querySelectorAll(".film-data")].map((data) => () => JSON.parse(data.textContent));
const players = new Map();

/* Theme: what the deck was exported for, or what the system says; "d" changes it. Films and pictures go by this attribute. */
const system = matchMedia("(prefers-color-scheme: dark)");
const dark = (on) => (body.dataset.jpThemeLight = String(!on));
if (body.dataset.theme === "auto") {
  dark(system.matches);
  system.addEventListener("change", () => dark(system.matches));
}

/** Draw a small picture large, but not as large as the slide: its letters would shout. */
function limit(picture) {
  const [width, height] = [picture.naturalWidth ?? picture.width.baseVal.value, picture.naturalHeight ?? picture.height.baseVal.value];
  const most = (2 * innerHeight) / 720;
  if (width) Object.assign(picture.style, { maxWidth: `min(100%, ${width * most}px)`, maxHeight: `min(100%, ${height * most}px)` });
}

/** Make the films of a slide. */
function wake(slide) {
  for (const place of slide?.querySelectorAll(".film:not(.awake)") ?? []) {
    place.classList.add("awake");
    players.set(place, mount(place, films[Number(place.dataset.film)](), { theme: "auto" }));
    const view = place.querySelector(".kp-picture");
    const all = () => view.querySelectorAll(":scope > svg").forEach(limit);
    new MutationObserver(all).observe(view, { childList: true });
    all();
  }
}

/** Make what stands on a slide smaller until all of it is there. */
function fit(slide) {
  const sheet = slide?.querySelector(".sheet");
  if (!sheet || !sheet.clientHeight) return;
  sheet.querySelectorAll(".picture img, .picture svg, .kp-picture > svg").forEach(limit);
  for (let size = 1; size > 0.5; size -= 0.05) {
    sheet.style.setProperty("--size", size.toFixed(2));
    if (sheet.scrollHeight <= sheet.clientHeight + 1 && sheet.scrollWidth <= sheet.clientWidth + 1) return;
  }
  sheet.classList.add("scrolls"); // a reader can still get at it
}

const deck = new Reveal({
  hash: true, progress: true, controls: true, controlsLayout: "edges", slideNumber: "c/t", center: false, transition: "none",
  backgroundTransition: "none", width: "100%", height: "100%", margin: 0, minScale: 1, maxScale: 1, plugins: [RevealNotes],
  keyboardCondition: () => !document.activeElement?.closest(".kvmmmu-player"),
});

const slides = () => [...document.querySelectorAll(".slides > section > section")];
function arrive() {
  const here = deck.getCurrentSlide();
  const next = slides()[slides().indexOf(here) + 1];
  wake(here);
  fit(here);
  setTimeout(() => wake(next), 0);
}

deck.initialize().then(() => {
  arrive();
  deck.on("slidechanged", () => {
    for (const player of players.values()) player.pause();
    if (document.activeElement?.closest(".kvmmmu-player")) document.activeElement.blur();
    arrive();
  });
  deck.on("resize", () => fit(deck.getCurrentSlide()));
  deck.on("overviewshown", () => slides().forEach((slide) => (wake(slide), fit(slide))));
  deck.addKeyBinding({ keyCode: 68, key: "D", description: "Dark or light" }, () => dark(body.dataset.jpThemeLight === "true"));
  body.classList.add("ready");
});

/* Escape leaves a film, once nothing in it is picked. */
document.addEventListener("keydown", (event) => {
  const film = event.target.closest?.(".film");
  if (event.key !== "Escape" || !film || event.target.matches("input") || film.querySelector(".kp-details:not([hidden]) .kp-head")) return;
  event.target.blur();
  event.stopPropagation();
}, true);

window.kvmmmu = { deck, players, wake, fit, slides };
