// SPDX-License-Identifier: GPL-2.0-only
//
// The handout: what a deck prints. Before the browser prints, the slides are copied into pages that flow, with films as
// storyboards and everything visible; afterwards they are removed. So the browser's own command prints the same as `--pdf`.

const PAGE = 1030; // CSS pixels: the width of the page's content, see paper.css
const COLUMN = 498; // CSS pixels: the width of a column
const LONG = 420; // CSS pixels: what is higher may be continued in another column or on another page
const HIGHEST = { drawing: HIGH, image: 450 }; // CSS pixels: a page is 706 high; the text of an image can't be measured
const BESIDE_CODE = 620; // CSS pixels: a picture that is wider stands below its code
const LEAST_TEXT = 12.8; // CSS pixels: 9.6 pt, which are 9 pt if A4 is scaled to Letter
const SHORT = 160; // CSS pixels: what is lower shouldn't be alone on a page
const COLUMN_LETTERS = 60; // the number of letters of code in a column's line

/** Return the title of a slide, or null. */
const headingOf = (section) => section.querySelector(".slide-title :is(h1, h2, h3), .slide-content > :is(h1, h2, h3)");

/** Return the elements of a slide below its title. */
function elementsOf(section) {
  const body = section.querySelector(".slide-body") ?? section.querySelector(".slide-content") ?? section;
  return [...body.children].filter((part) => !part.matches("h1, h2, h3, header, footer, .slide-title, .slide-footer, aside.notes, .film-step"));
}

/** Copy an element for paper: open, complete, without sizes and states of the screen. */
function onPaper(element) {
  const copy = element.cloneNode(true);
  const parts = [copy, ...copy.querySelectorAll("*")];
  for (const part of parts) {
    part.classList.remove("fragment", "visible", "current-fragment");
    for (const name of ["tabindex", "aria-hidden", "hidden"]) if (!part.closest("svg, mjx-container")) part.removeAttribute(name);
    for (const name of [...(part.style ?? [])])
      if (name === "zoom" || /cq|vh|vw/.test(part.style.getPropertyValue(name)) || part.matches("mjx-container, .atom")) part.style.removeProperty(name);
    if (part.matches("details")) part.open = true;
    if (part.matches("script, .film-step, button")) part.remove();
  }
  return copy;
}

/** Join the rest of an element, which was divided between slides, to what is before it: a list, a table, code, a sentence. */
function join(before, rest) {
  for (const part of [...rest.childNodes]) {
    if (part.matches?.("thead, colgroup, .repeated")) continue;
    const last = part.matches?.("td, th") ? before.cells[part.cellIndex] : before.lastElementChild;
    if (last && part.dataset && "rest" in part.dataset) join(last, part);
    else before.append(part);
  }
}

/** Size a picture so that its text can be read, and return the width that it would need. */
function sizePicture(original, copy, width) {
  if (copy.closest("mjx-container, p, li, td")) return 0;
  const drawn = copy.matches("svg") || original.src?.startsWith("data:image/svg");
  const { width: across, height: down } = original.viewBox?.baseVal ?? { width: original.naturalWidth, height: original.naturalHeight };
  const most = ((drawn ? HIGHEST.drawing : HIGHEST.image) * across) / down || width;
  const wanted = Math.min(readableWidth(original), most);
  if (wanted) Object.assign(copy.style, { width: `${Math.min(wanted, width)}px`, height: "auto" });
  return wanted;
}

/** A slide on paper: with its continuations, which need no title there. */
class Sheet {
  constructor(section, number) {
    this.numbers = [number];
    this.root = make("article", { class: `sheet ${[...section.classList].filter((name) => !/^(past|present|future|stack)$/.test(name)).join(" ")}` });
    this.root.dir = "auto";
    for (const name of ["dir", "lang"]) if (section.hasAttribute(name)) this.root.setAttribute(name, section.getAttribute(name));
    this.root.id = section.id || `slide-${number}`;
    this.title = headingOf(section);
    this.body = div("sheet-body");
    this.notes = make("aside", { class: "notes" });
    this.originals = [];
    this.heights = new Map(); // of the slide and its elements in a column; measured once, since that takes long
    if (this.title) this.root.append(onPaper(this.title));
    this.root.append(this.body);
    this.add(section);
  }

  add(section) {
    for (const element of elementsOf(section)) {
      const copy = onPaper(element);
      const before = this.originals.at(-1)?.[1];
      if (before && "rest" in copy.dataset) join(before, copy);
      else {
        this.body.append(copy);
        this.originals.push([element, copy]);
      }
    }
    if (document.body.dataset.notes === "print" && this.numbers.length === 1) // a continuation repeats the notes
      for (const note of section.querySelectorAll(":scope > aside.notes:not(.film-note)")) this.notes.append(...onPaper(note).childNodes);
  }

  /** Complete the slide, which is in the document now, as narrow as a column: films, pictures, and what is too wide. */
  finish(films) {
    const wide = this.originals.filter(([element, copy]) => this.complete(element, copy, films)).map(([, copy]) => copy);
    this.wide = wide.length > 0;
    for (const part of [this.root, ...this.originals.map(([, copy]) => copy)]) this.heights.set(part, part.offsetHeight);
    for (const [part, height] of this.heights) part.classList.toggle("long", height > LONG);
    const [first, last] = [this.numbers[0], this.numbers.at(-1)];
    this.root.prepend(make("small", { class: "sheet-number" }, first === last ? `${first}` : `${first}\u2013${last}`));
    if (this.notes.childNodes.length) this.root.append(this.notes);
    for (const part of this.root.querySelectorAll(":not(svg, svg *, mjx-container)")) // a wide formula is small to fit
      if (parseFloat(getComputedStyle(part).fontSize) < LEAST_TEXT) part.style.fontSize = `${LEAST_TEXT}px`;
    this.root.classList.toggle("wide", this.wide);
    this.root.classList.toggle("noted", this.notes.childNodes.length > 0);
    this.wideParts = wide;
  }

  /** Put films and sized pictures into an element; return whether a column is too narrow for it. */
  complete(element, copy, films) {
    const inside = (root, selector) => [root, ...root.querySelectorAll(selector)].filter((part) => part.matches(selector));
    const places = inside(copy, ".film[data-film]");
    for (const place of places) printFilm(place, films[Number(place.dataset.film)], PAGE);
    const pictures = (root) => inside(root, "img, svg").filter((one) => !one.closest(".film, mjx-container, svg svg"));
    const copies = pictures(copy);
    const widths = pictures(element).map((picture, at) => (copies[at] ? sizePicture(picture, copies[at], PAGE) : 0));
    const lines = inside(copy, "pre").flatMap((pre) => pre.textContent.split("\n")).map((line) => line.length);
    for (const table of inside(copy, "table")) table.classList.toggle("too-wide", table.scrollWidth > PAGE);
    for (const formula of inside(copy, "mjx-container")) fitFormula(formula);
    const tables = inside(copy, "table, mjx-container, .formula").map((part) => part.scrollWidth);
    for (const pair of inside(copy, ".parts")) pair.classList.toggle("side", !places.length && Math.max(0, ...widths) <= BESIDE_CODE);
    return places.length > 0 || Math.max(0, ...lines) > COLUMN_LETTERS || Math.max(0, ...widths, ...tables) > COLUMN;
  }

  /** Lay a slide out over the whole width of the page: what fits into a column goes into two columns, if there is much of it. */
  spread() {
    let run = null;
    for (const [, copy] of this.originals) {
      if (this.wideParts.includes(copy)) {
        run = null;
        continue;
      }
      if (!run) copy.before((run = div("few")));
      run.append(copy);
    }
    if (this.root.matches(".noted:not(.wide)")) return; // the notes are beside it
    for (const few of this.body.querySelectorAll(":scope > .few"))
      if ([...few.children].reduce((sum, part) => sum + this.heights.get(part), 0) > 0.6 * LONG) few.className = "run";
  }
}

/** Make a formula that is wider than the page smaller: a browser would print the whole page smaller. */
function fitFormula(formula) {
  const drawing = formula.querySelector("svg");
  if (!drawing) return;
  drawing.style.maxWidth = "none";
  let share = 100;
  for (let round = 0; round < 4 && drawing.getBoundingClientRect().width > PAGE; round += 1) {
    share *= (0.97 * PAGE) / drawing.getBoundingClientRect().width;
    formula.style.fontSize = `${share.toFixed(1)}%`;
  }
  drawing.style.removeProperty("max-width");
}

/** Return the slides of the deck for paper: each with its continuations. */
function sheetsOf(sections) {
  const sheets = [];
  sections.forEach((section, at) => {
    const before = sheets.at(-1);
    const title = headingOf(section);
    const continued = section.matches(".continued") || title?.matches(".continued");
    if (!before || !continued || title?.textContent !== before.title?.textContent) return sheets.push(new Sheet(section, at + 1));
    before.numbers.push(at + 1);
    before.add(section);
  });
  return sheets;
}

/** Group slides: those that fit into a column, in runs of two columns; the others over the whole width. */
function runsOf(sheets) {
  const groups = [];
  for (const sheet of sheets) {
    const whole = sheet.wide || sheet.root.matches(".title, .section") || sheet.notes.childNodes.length > 0;
    if (whole || groups.at(-1)?.whole !== false) groups.push({ whole, sheets: [] });
    groups.at(-1).sheets.push(sheet);
  }
  return groups.map(({ whole, sheets: found }) => {
    const alone = whole || found.length === 1;
    if (alone) found.forEach((sheet) => sheet.spread());
    return div(alone ? "whole" : "run", ...found.map(({ root }) => root));
  });
}

/** Keep the last slide, if it is short, on a page with what is before it: no page has only a line or two. */
function keepTogether(sheet, before) {
  if (!before || sheet.heights.get(sheet.root) > SHORT) return;
  const parts = [...before.root.querySelectorAll(".board, .sheet-body > *, :is(.few, .run) > *")];
  const unit = before.root.matches(".long") ? parts.at(-1) : before.root;
  if (!unit) return;
  const tail = div("tail");
  unit.before(tail);
  const rest = [unit];
  while (unit.matches(".board") && rest.at(-1).nextSibling) rest.push(rest.at(-1).nextSibling);
  tail.append(...rest, sheet.root);
}

/** Lead links to slides to their places in the handout, and let links to files of this machine be plain text. */
function relink(root) {
  for (const link of root.querySelectorAll("a[href]")) {
    const address = link.getAttribute("href");
    const [, slide] = address.match(/^#\/(.+)$/) ?? [];
    if (slide) link.setAttribute("href", `#${/^\d+/.test(slide) ? `slide-${parseInt(slide, 10) + 1}` : slide}`);
    else if (!/^(https?:|mailto:|#)/.test(address)) link.removeAttribute("href");
  }
}

/** Make the handout and put it before everything else: its ids come first then. */
function makeHandout(films) {
  const sections = [...document.querySelectorAll(".slides section")].filter((section) => !section.querySelector("section"));
  const sheets = sheetsOf(sections);
  const root = make("main", { class: "handout" }, footOf([document.title, document.querySelector(".slide-footer span")?.textContent].filter(Boolean).join(" \u00b7 ")));
  document.body.prepend(root);
  root.append(...sheets.map((sheet) => sheet.root));
  for (const sheet of sheets) sheet.finish(films);
  root.append(...runsOf(sheets));
  keepTogether(...sheets.slice(-2).reverse());
  relink(root);
  return root;
}

/** Print a handout instead of the slides, on light paper. `films`: the data of the films. */
function printHandout(films) {
  let handout = null;
  let light = null;
  addEventListener("beforeprint", () => {
    handout?.remove();
    light ??= document.body.dataset.jpThemeLight;
    document.body.dataset.jpThemeLight = "true";
    handout = makeHandout(films);
  });
  addEventListener("afterprint", () => {
    handout?.remove();
    document.body.dataset.jpThemeLight = light;
    handout = light = null;
  });
}

// reveal.js has a print view of its own, which decks of other tools need: an address that asks for it prints the handout, too
if (/[?&]print-pdf/i.test(location.search)) history.replaceState(null, "", location.href.replace(/[?&]print-pdf[^&#]*/i, ""));
