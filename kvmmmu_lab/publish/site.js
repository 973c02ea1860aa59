// SPDX-License-Identifier: GPL-2.0-only
//
// A page of the course. Films are mounted when they are about to scroll into view. An address may lead to a step of a film
// (#film-2-step-7), and may name words that are highlighted (?find=gfn).

if (typeof typeset === "function") await typeset(document.querySelector("main"));  // formulas, if the export had no browser

const body = document.body;
const data = [...document.querySelectorAll(".film-data")];
const PAPER_WIDTH = 1030; // CSS pixels: the width of the page's content, see site.css
const COLUMN_WIDTH = 498; // CSS pixels
const filmOf = (place) => JSON.parse(data[Number(place.dataset.film)].textContent);

/* Films */
const handles = new Map();

/** Mount a film, and return its handle. */
function mountFilm(place) {
  if (!handles.has(place)) {
    place.classList.add("mounted");
    handles.set(place, mount(place, filmOf(place), { theme: "auto" }));
  }
  return handles.get(place);
}

const places = [...document.querySelectorAll(".film")];
const near = new IntersectionObserver((seen) => seen.forEach((one) => one.isIntersecting && mountFilm(one.target)), { rootMargin: "1200px" });
places.forEach((place) => near.observe(place));

/* What scrolls can be reached with the keyboard */
for (const formula of document.querySelectorAll("mjx-container[display]")) if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
for (const link of document.querySelectorAll("mjx-container [aria-hidden] a")) link.setAttribute("tabindex", "-1"); // not read aloud

/* Theme */
const theme = document.querySelector("#theme");
theme.value = window.kvmmmuTheme.chosen;
theme.addEventListener("change", () => window.kvmmmuTheme.choose(theme.value));
for (const type of ["click", "auxclick"])
  document.addEventListener(type, ({ target }) => target.closest?.("a") && window.kvmmmuTheme.carry(target.closest("a")), true);

/* Contents */
const contents = document.querySelector(".contents");
const links = [...(contents?.querySelectorAll("a") ?? [])];
const headings = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));
const WIDE = matchMedia("(min-width: 900px)");

/** Mark the section that is being read: the last one whose heading is in the upper third of the window, or above. */
function markSection() {
  const passed = headings.filter((heading) => heading.getBoundingClientRect().top < innerHeight / 3).length;
  const ended = scrollY > 0 && scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
  const current = ended && headings.at(-1).getBoundingClientRect().top < innerHeight ? links.length - 1 : passed - 1;
  links.forEach((link, number) => {
    if (number === current) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
  const box = WIDE.matches && links[current]?.getBoundingClientRect();
  const pane = contents.getBoundingClientRect();
  if (box && (box.top < pane.top || box.bottom > pane.bottom)) contents.scrollTop += box.top - pane.top - pane.height / 2;
}

if (links.length) {
  let waiting = false;
  const later = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => ((waiting = false), markSection()));
  };
  for (const type of ["scroll", "resize"]) addEventListener(type, later, { passive: true });
  WIDE.addEventListener("change", () => (contents.querySelector("details").open = WIDE.matches));
  links.forEach((link) => link.addEventListener("click", () => WIDE.matches || (contents.querySelector("details").open = false)));
  markSection();
}

/* Going to a place */
const words = () => wordsOf(new URLSearchParams(location.search).get("find") ?? "");

/** Highlight the words of a search, in the whole page and in the captions of its films. */
function highlight() {
  if (!("highlights" in CSS)) return;
  CSS.highlights.delete("found");
  const wanted = words();
  if (!wanted.length) return;
  const ranges = [];
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    if (text.parentElement.closest("svg, script, style, .kp-side, .kp-controls")) continue;
    for (const [start, end] of placesOf(text.data, wanted)) {
      const range = new Range();
      range.setStart(text, start);
      range.setEnd(text, end);
      ranges.push(range);
    }
  }
  CSS.highlights.set("found", new Highlight(...ranges));
}

/** Return the smallest part of a place that has all words of the search: of a block, or of the section below a heading. */
function partWith(place, wanted) {
  const parts = [place];
  if (/^H[1-6]$/.test(place.tagName))
    for (let next = place.nextElementSibling; next && !/^H[1-6]$/.test(next.tagName); next = next.nextElementSibling) parts.push(next);
  const inner = parts.flatMap((part) => [part, ...part.querySelectorAll("p, li, tr, pre, dd, h1, h2, h3, h4")]);
  const fits = inner.filter((part) => wanted.every((word) => part.textContent.toLowerCase().includes(word)));
  const smallest = fits.find((part) => !fits.some((other) => other !== part && part.contains(other)));
  return (wanted.length && smallest) || place;
}

/** Go to the place that the address names. Films that are mounted meanwhile move it, so look again until something is done. */
function arrive() {
  highlight();
  const id = decodeURIComponent(location.hash.slice(1));
  const [, film, step] = id.match(/^(.+)-step-(\d+)$/) ?? [];
  const place = document.getElementById(film ?? id);
  if (!place) return;
  for (const fold of [place.closest("details"), ...place.querySelectorAll("details")]) if (fold && !contents?.contains(fold)) fold.open = true;
  if (place.matches(".film")) {
    const handle = mountFilm(place);
    if (step !== undefined) handle.seek(Number(step));
    handle.on("step", () => requestAnimationFrame(highlight));
    highlight();
  }
  const part = partWith(place, words());
  const done = new AbortController();
  for (const act of ["keydown", "pointerdown", "wheel", "touchmove"])
    addEventListener(act, () => done.abort(), { capture: true, passive: true, once: true, signal: done.signal });
  const block = part === place ? "start" : "center";
  for (const pause of [0, 60, 250, 700])
    setTimeout(() => done.signal.aborted || part.scrollIntoView({ block, behavior: "instant" }), pause);
  setTimeout(() => done.abort(), 750);
}

/* Search */
const found = document.querySelector("#found");
const search = new Search(document.querySelector("#search"), found, document.querySelector("#count"), body.dataset.up);
found.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || link.pathname !== location.pathname || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault(); // the result is on this page
  search.close();
  history.pushState(null, "", link.href);
  if (location.hash) arrive();
  else (scrollTo(0, 0), highlight());
});
addEventListener("popstate", highlight);
addEventListener("hashchange", () => (search.close(), arrive()));

/* Paper */
const undo = []; // what to do after print

/** Return the least width of each column of a table on paper, in CSS pixels. */
function columnWidths(table) {
  const probe = document.createElement("div");
  probe.className = "paper-probe";
  const copy = table.cloneNode(true);
  copy.classList.add("paper-table");
  probe.append(copy);
  table.parentElement.append(probe);
  const longest = [...copy.rows].reduce((one, other) => (other.cells.length > one.length ? [...other.cells] : one), []);
  const widths = longest.map((cell) => cell.getBoundingClientRect().width);
  probe.remove();
  return widths;
}

/** Divide the columns of a table between tables that fit on paper; all begin with the first column. */
function columnGroups(widths) {
  const groups = [[0]];
  let used = widths[0];
  for (let column = 1; column < widths.length; column += 1) {
    if (used + widths[column] > PAPER_WIDTH && groups.at(-1).length > 1) {
      groups.push([0]);
      used = widths[0];
    }
    groups.at(-1).push(column);
    used += widths[column];
  }
  return groups;
}

/** Prepare a table for print: it is as wide as both columns of the page, or divided, if it doesn't fit. Returns how to undo it. */
function printTable(table) {
  const widths = columnWidths(table);
  const width = widths.reduce((sum, one) => sum + one, 0);
  const added = ["paper-table", ...(width > COLUMN_WIDTH ? ["wide"] : [])].filter((name) => !table.classList.contains(name));
  const parts = [];
  if (width > PAPER_WIDTH) {
    if ([...table.querySelectorAll("th, td")].some((cell) => cell.colSpan > 1 || cell.rowSpan > 1)) added.push("squeezed");
    else {
      for (const columns of columnGroups(widths)) {
        const part = table.cloneNode(true);
        part.classList.add("paper-table", "wide", "on-paper");
        for (const row of part.rows) [...row.cells].forEach((cell, column) => columns.includes(column) || cell.remove());
        parts.push(part);
      }
      table.after(...parts);
      added.push("off-paper");
    }
  }
  table.classList.add(...added);
  return () => {
    table.classList.remove(...added);
    parts.forEach((part) => part.remove());
  };
}

/** Make the page whole for print: light, everything open, films as storyboards, pictures large enough to be read. */
function toPaper() {
  if (undo.length) return;
  window.kvmmmuTheme.print(true);
  undo.push(() => window.kvmmmuTheme.print(false));
  const added = [footOf(document.title)];
  document.head.append(added[0]);
  for (const place of places) {
    const board = document.createElement("div");
    board.className = "on-paper";
    place.after(board);
    printFilm(board, filmOf(place), PAPER_WIDTH);
    added.push(board);
  }
  undo.push(() => added.forEach((part) => part.remove()));
  for (const fold of document.querySelectorAll("main details:not([open])")) {
    fold.open = true;
    undo.push(() => (fold.open = false));
  }
  for (const table of document.querySelectorAll("main table")) if (!table.closest(".on-paper")) undo.push(printTable(table));
  for (const picture of document.querySelectorAll(".picture :is(img, svg)")) {
    const { width, height } = picture.style;
    const wanted = readableWidth(picture);
    if (wanted) Object.assign(picture.style, { width: `${Math.min(wanted, PAPER_WIDTH)}px`, height: "auto" });
    undo.push(() => Object.assign(picture.style, { width, height }));
  }
}

/** Undo `toPaper`. */
function toScreen() {
  for (const step of undo.splice(0)) step();
}

addEventListener("beforeprint", toPaper);
addEventListener("afterprint", toScreen);
matchMedia("print").addEventListener("change", ({ matches }) => (matches ? toPaper() : toScreen()));

if (location.hash || location.search) arrive();
body.classList.add("ready");
