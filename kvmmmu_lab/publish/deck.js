// SPDX-License-Identifier: GPL-2.0-only
//
// A deck: reveal.js shows the slides, and the player shows the films in them. Each step of a film is a fragment of its slide, an
// empty element after the film, so that one key walks through everything, and address, progress and speaker view follow.

const body = document.body;
const stage = document.querySelector(".slides");
if (typeof typeset === "function") await typeset(stage); // only in a deck that was exported without a browser
compose(stage);

const films = [...document.querySelectorAll(".film-data")].map((data) => JSON.parse(data.textContent));
const [players, notes] = [new Map(), new Map()]; // by the film's element

/* Theme: the one chosen at export, or the system's. The key D switches it. Films and pictures follow data-jp-theme-light. */
const system = matchMedia("(prefers-color-scheme: dark)");
const setDark = (on) => (body.dataset.jpThemeLight = String(!on));
if (body.dataset.theme === "auto") {
  setDark(system.matches);
  system.addEventListener("change", () => setDark(system.matches));
}

const slides = () => [...document.querySelectorAll(".slides > section")];
const filmsOf = (slide) => [...slide.querySelectorAll(".element.film[data-film]")];
const stepsOf = (place) => films[Number(place.dataset.film)].chapters.flatMap((chapter) => chapter.steps);
const marksOf = (place) => [...place.parentElement.querySelectorAll(`.film-step[data-film="${place.dataset.film}"]`)];

/** Add an empty fragment for each step but the first, and notes for the speaker. */
function addSteps(place) {
  const film = films[Number(place.dataset.film)];
  place.after(...stepsOf(place).slice(1).map(() => make("span", { class: "fragment film-step", "data-film": place.dataset.film })));
  notes.set(place, new FilmNote(place, film));
  notes.get(place).show(0);
}

/** The step that a film shows: that of its last visible fragment. */
const stepOf = (place) => marksOf(place).filter((mark) => mark.classList.contains("visible")).length;

/** Mount a film, or let it follow its fragments. */
function follow(place) {
  const step = stepOf(place);
  if (players.has(place)) players.get(place).seek(step);
  else {
    const heading = place.closest("section").querySelector(".slide-title")?.textContent ?? "";
    players.set(place, mountSlide(place, films[Number(place.dataset.film)], { step, heading, onstep: (number) => lead(place, number) }));
    for (const panels of place.querySelectorAll(".kp-panels")) panels.dataset.preventSwipe = "";
  }
  notes.get(place).show(step);
}

/** Make the title of a film's slide smaller if it would take two lines. */
function shortenTitle(slide) {
  const title = slide.querySelector(".slide-title h2");
  slide.classList.remove("long-title");
  if (title?.clientHeight > 1.8 * parseFloat(getComputedStyle(title).fontSize)) slide.classList.add("long-title");
}

/** The film has moved by itself, since it plays or somebody uses its panels: its fragments follow. */
function lead(place, number) {
  const marks = marksOf(place);
  if (deck.getCurrentSlide() !== place.closest("section") || stepOf(place) === number) return;
  deck.navigateFragment(number ? indexOf(marks[number - 1]) : indexOf(marks[0]) - 1);
}
const indexOf = (mark) => Number(mark.dataset.fragmentIndex);

document.querySelectorAll(".slides .element.film[data-film]").forEach(addSteps);

/* The speaker view opens the slide in a frame, by an address without the fragment, and the frame would lead the talk back to the
   first step. It gets the whole state a moment later anyway. */
if (/[?&]receiver\b/.test(location.search)) history.replaceState(null, "", location.pathname + location.search);

const deck = new Reveal({
  hash: true, progress: true, controls: true, controlsLayout: "edges", slideNumber: "c/t", center: false, transition: "none",
  backgroundTransition: "none", width: "100%", height: "100%", margin: 0, minScale: 1, maxScale: 1, plugins: [RevealNotes],
  navigationMode: "linear", scrollActivationWidth: null, // on a phone, too, slides are shown one after another
});

const idle = window.requestIdleCallback ?? ((act) => setTimeout(act, 50));
function showCurrent() {
  const here = deck.getCurrentSlide();
  if (filmsOf(here).length) shortenTitle(here);
  filmsOf(here).forEach(follow);
  refit(here);
  idle(() => [here.nextElementSibling, here.previousElementSibling].forEach((slide) => slide && filmsOf(slide).forEach((place) =>
    idle(() => players.has(place) || follow(place)))));
}

/** Go to what follows the film, without the rest of its steps. */
function jump() {
  const slide = deck.getCurrentSlide();
  const place = filmsOf(slide).find((one) => stepOf(one) < stepsOf(one).length - 1) ?? filmsOf(slide).at(-1);
  if (!place) return;
  const after = indexOf(marksOf(place).at(-1)) + 1;
  const some = [...slide.querySelectorAll(".fragment:not(.visible)")].some((one) => indexOf(one) >= after);
  if (some) deck.navigateFragment(after);
  else deck.next({ skipFragments: true });
}

const onFilm = (act) => () => filmsOf(deck.getCurrentSlide()).slice(0, 1).forEach((place) => act(players.get(place)));
const KEYS = [
  ["J", "Jump over the rest of the film", jump],
  ["L", "Show or hide the film's steps and controls", onFilm((player) => player.openPanels())],
  ["D", "Switch between light and dark", () => setDark(body.dataset.jpThemeLight === "true")],
];

/** reveal.js lists J and L among the keys for the next slide. */
function correctHelp() {
  for (const cell of document.querySelectorAll(".r-overlay-help-content td:first-child"))
    if (/\bN\b.*\bL\b.*\bJ\b/.test(cell.textContent)) cell.textContent = "\u2192  ,  \u2193  ,  SPACE  ,  N  ,  PAGE DOWN";
    else if (/\bP\b.*\bH\b.*\bK\b/.test(cell.textContent)) cell.textContent = "\u2190  ,  \u2191  ,  Shift SPACE  ,  P  ,  PAGE UP";
}

/** Show the arrows while the pointer moves. A talk that is given with keys needs none, and they lie over wide drawings. */
const POINTING = 2500;  // ms
let resting;
function point() {
  body.classList.add("pointing");
  clearTimeout(resting);
  resting = setTimeout(() => body.classList.remove("pointing"), POINTING);
}
for (const kind of ["pointermove", "pointerdown"]) document.addEventListener(kind, point, { passive: true });

deck.initialize().then(() => {
  point();
  showCurrent();
  deck.on("slidechanged", () => {
    for (const player of players.values()) player.pause();
    if (document.activeElement?.closest(".kvmmmu-player")) document.activeElement.blur();
    showCurrent();
  });
  for (const moved of ["fragmentshown", "fragmenthidden"]) deck.on(moved, () => filmsOf(deck.getCurrentSlide()).forEach(follow));
  deck.on("overviewshown", () => slides().flatMap(filmsOf).forEach((place) => players.has(place) || follow(place)));
  deck.on("showhelp", correctHelp);
  for (const [key, description, act] of KEYS) deck.addKeyBinding({ keyCode: key.charCodeAt(0), key, description }, act);
  body.classList.add("ready");
});

printHandout(films);

window.kvmmmu = { deck, players, slides };
