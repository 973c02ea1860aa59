// SPDX-License-Identifier: GPL-2.0-only
// The panels around the drawing: caption, controls, list of steps, details, lines of source, keys.

import { SVG, button, card, div, enable, icon, make, menu, press, say, span, spelled, unique } from "./elements.js";

const SPEEDS = [0.5, 1, 2, 4, 8];
const SIZES = [["fit", "Fit"], ["1", "100 %"], ["1.5", "150 %"], ["2", "200 %"]];
const MOST_LISTED = 3; // changes in the caption, which reserves their lines, so that the picture stays in place

export const SIGNS = { changed: "*", read: ">", dead: "x", new: "+" };
const LINES = ["readonly", "shadows", "rmap", "parent", "link"]; // kinds that are edges
const SWATCHES = {
  edge: '<path class="line" d="M2 8H26"></path><path class="head" d="M32 8L25 5v6Z"></path>',
  row: '<rect class="back" x="0.5" y="0.5" width="33" height="15" rx="2"></rect><text class="sign" x="7" y="12"></text>'
    + '<text class="flags" x="13" y="12">PW</text>',
  table: '<rect class="second" x="0.5" y="0.5" width="33" height="15" rx="4"></rect>'
    + '<rect class="paper" x="3.5" y="3.5" width="27" height="9" rx="2"></rect><path class="bar" d="M3.5 8V4.5h27V8z"></path>',
};

/** Make a sample of the elements with this class: an edge, a row or a table. */
export function swatch(kind) {
  const names = kind.split(" ");
  const mark = names.find((name) => name in SIGNS);
  const shape = Object.keys(SWATCHES).find((name) => names.includes(name))
    ?? (LINES.includes(kind) ? "edge" : mark && mark !== "new" ? "row" : "table");
  const svg = document.createElementNS(SVG, "svg");
  const attributes = { class: "kvmmmu-drawing kp-swatch", viewBox: "0 0 34 16", "aria-hidden": "true" };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  svg.innerHTML = `<g>${SWATCHES[shape]}</g>`;
  svg.firstChild.setAttribute("class", unique([shape, ...names]).join(" "));
  const sign = svg.querySelector(".sign");
  if (sign) sign.textContent = SIGNS[mark] ?? "";
  return svg;
}

/** The caption: what just happened, then which entries changed, and the function that did it. */
export class Caption {
  constructor(player) {
    const { film, steps } = player;
    this.player = player;
    this.place = span("kp-place");
    this.words = make("div", { class: "kp-words", dir: "auto" });
    this.changes = div("kp-changes");
    const most = Math.max(...steps.map((step) => step.changes.length));
    const lines = Math.min(most, MOST_LISTED) + (most > MOST_LISTED);
    this.live = make("div", { class: "kp-live", "aria-live": "polite", "aria-atomic": "true" }, this.words, this.changes);
    // the title is often the words of the first step
    const own = film.title !== steps[1]?.words;
    const title = make("span", { class: "kp-title kp-film", dir: "auto", title: film.title, hidden: own ? null : "" }, film.title);
    this.chapter = make("span", { class: "kp-title", dir: "auto" });
    this.titles = make("div", { class: "kp-titles", hidden: own || film.chapters.length > 1 ? null : "" }, title, this.chapter);
    this.root = div("kp-caption", this.titles, this.live, this.place);
    this.root.style.setProperty("--lines", Math.max(1, lines) + 2 * Boolean(film.card));
  }

  show(step) {
    const { film, steps } = this.player;
    const chapter = film.chapters[step.chapter];
    say(this.place, step.place);
    this.place.title = step.place;
    say(this.chapter, film.chapters.length > 1 && chapter.title !== film.title ? chapter.title : "");
    this.chapter.title = chapter.title;
    this.chapter.classList.toggle("kp-said", step.words.startsWith(chapter.title)); // the words below are the same
    const ended = film.card && step.number === steps.length - 1;
    if (ended) this.words.replaceChildren(card(film.card.title, film.card.rows));
    else say(this.words, step.words);
    if (step.changes.length || this.changes.firstChild) this.changes.replaceChildren(...this.listed(step.changes));
  }

  /** Return the changes as lines; not all 512 of a page that is emptied. */
  listed(changes) {
    const lines = changes.slice(0, MOST_LISTED).map((change) => this.change(change));
    const left = changes.length - lines.length;
    return left ? [...lines, div("kp-bits kp-rest", `and ${left} more`)] : lines;
  }

  change({ key, name, old, new: now, bits }) {
    const pick = () => this.player.pick(key);
    const values = { class: "kp-values", title: `${old} → ${now}` }; // long texts are cut, and shown whole in a tooltip
    return div("kp-change",
      press({ class: "kp-name", title: name, onclick: pick }, name),
      make("span", values, span("kp-old", old), " → ", span("kp-new", now)),
      make("span", { class: "kp-bits", dir: "auto", title: bits }, bits));
  }
}

/** One row: buttons, the slider, which has the focus when a film is entered, and how the film is shown. */
export class Controls {
  constructor(player) {
    this.player = player;
    const go = (target) => () => player.go(target());
    this.buttons = {
      first: button("first", "First step", go(() => 0), "Home"),
      back: button("back", "One step back", go(() => player.at - 1), "Left arrow"),
      play: button("play", "Play", () => player.toggle(), "Space"),
      forward: button("forward", "Next step", go(() => player.at + 1), "Right arrow"),
      last: button("last", "Last step", go(() => player.last), "End"),
      over: button("over", "Step over: skip the steps inside this one", go(() => player.over(1))),
      out: button("out", "Step out: go to where this function returns", go(() => player.out())),
    };
    this.buttons.play.append(icon("pause"));
    this.count = span("kp-count");
    const { first, back, play, forward, last, over, out } = this.buttons;
    const group = (name, ...buttons) => make("div", { class: "kp-group", role: "group", "aria-label": name }, ...buttons);
    this.root = div("kp-controls",
      group("Steps", first, back, play, forward, last), this.sliding(), this.count, ...this.chapters(group),
      group("Calls", over, out), group("View", ...this.view()));
  }

  /** Make the slider. It isn't an <input>, which would also take the keys Page up and Page down. */
  sliding() {
    const { player } = this;
    const range = { role: "slider", "aria-label": "Step", "aria-valuemin": 0, "aria-valuemax": player.last };
    this.slider = make("div", { class: "kp-slider", ...range });
    const seek = ({ clientX }) => {
      const { left, width } = this.slider.getBoundingClientRect();
      player.go(player.last * Math.min(1, Math.max(0, (clientX - left - 7) / (width - 14))));
    };
    this.slider.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.slider.setPointerCapture(event.pointerId);
      seek(event);
    });
    this.slider.addEventListener("pointermove", (event) => this.slider.hasPointerCapture(event.pointerId) && seek(event));
    return this.slider;
  }

  chapters(group) {
    const { player } = this;
    if (player.film.chapters.length === 1) return [];
    this.previous = button("previous", "Previous chapter", () => player.goChapter(-1));
    this.next = button("next", "Next chapter", () => player.goChapter(1));
    this.chapter = span("kp-chapter");
    return [group("Chapters", this.previous, this.chapter, this.next)];
  }

  /** Speed, size, full screen, list of steps, keys. */
  view() {
    const { player } = this;
    const speeds = SPEEDS.map((speed) => [speed, `${speed === 0.5 ? "½" : speed}×`]);
    const speed = menu({ class: "kp-select", "aria-label": "Speed", title: "Speed" }, speeds);
    speed.value = "1";
    speed.addEventListener("change", () => player.hurry(Number(speed.value)));
    this.size = menu({ class: "kp-select kp-size", "aria-label": "Size", title: "Size of the picture" }, SIZES);
    this.size.addEventListener("change", () => player.resize(this.size.value));
    const full = button("full", "Full screen", () => player.fullScreen());
    full.hidden = !document.fullscreenEnabled;
    const label = { class: "kp-button kp-steps-button", title: "The list of steps", "aria-expanded": "false" };
    this.list = press({ ...label, onclick: () => player.openList(!player.listed) }, icon("list"), "Steps");
    this.keys = button("keys", "Keys and signs", () => player.keys.toggle(), "?");
    const lines = { class: "kp-button kp-source-button", title: "The lines of the kernel's source", "aria-expanded": "true" };
    this.source = press({ ...lines, onclick: () => player.source.toggle() }, "Source");
    const source = Object.keys(player.options.source ?? {}).length ? [this.source] : [];
    return [speed, this.size, full, this.list, ...source, this.keys];
  }

  show(step) {
    const { player, buttons, slider } = this;
    const [atStart, atEnd] = [step.number === 0, step.number === player.last];
    for (const name of ["first", "back"]) enable(buttons[name], !atStart);
    for (const name of ["forward", "last", "over", "out"]) enable(buttons[name], !atEnd);
    say(this.count, `Step ${step.number} of ${player.last}`);
    slider.style.setProperty("--done", step.number / (player.last || 1));
    slider.setAttribute("aria-valuenow", step.number);
    slider.setAttribute("aria-valuetext", `Step ${step.number} of ${player.last}: ${step.words}`);
    if (!this.chapter) return;
    const chapters = player.film.chapters.length;
    say(this.chapter, `Chapter ${step.chapter + 1} of ${chapters}`);
    enable(this.previous, step.chapter > 0);
    enable(this.next, step.chapter < chapters - 1);
  }

  playing(now) {
    const { play } = this.buttons;
    play.classList.toggle("kp-on", now);
    play.setAttribute("aria-label", now ? "Pause" : "Play");
    play.title = `${now ? "Pause" : "Play"} (Space)`;
  }
}

/**
 * All steps, indented by call depth, with a search. One step is current. Steps that were not reached yet show only which
 * operation they are, not what came of it.
 */
export class StepList {
  constructor(player) {
    this.player = player;
    this.current = null;
    this.only = null;
    this.told = -1; // the last step whose words the list shows
    const name = { placeholder: "Search steps", "aria-label": "Search steps", tabindex: "-1" };
    const title = "Words, a function, or an entry such as #248:457 (/). Enter goes to the next match";
    this.search = make("input", { type: "search", class: "kp-search", ...name, title, spellcheck: "false" });
    this.search.addEventListener("input", () => this.filter());
    this.count = make("span", { class: "kp-matches", role: "status" });
    this.earlier = button("previous", "Previous match", () => this.jump(-1));
    this.later = button("next", "Next match", () => this.jump(1), "Enter");
    this.found = make("div", { class: "kp-found", hidden: "" }, this.count, this.earlier, this.later);
    this.chip = press({ class: "kp-chip", hidden: "", onclick: () => this.keepOnly(null) });
    this.spoil = press({ class: "kp-button kp-all", "aria-pressed": "false", title: "Show the words of steps that you have not reached yet",
      onclick: () => this.tellAll(this.spoil.getAttribute("aria-pressed") !== "true") }, "Show all");
    this.items = player.steps.map((step) => this.item(step));
    this.folds = player.film.chapters.flatMap((chapter, place) => (chapter.folds ?? []).map((fold) => this.fold(fold, place)));
    this.list = make("div", { class: "kp-list", role: "listbox", "aria-label": "All steps" }, ...this.grouped());
    this.list.addEventListener("click", (event) => {
      const item = event.target.closest(".kp-item, .kp-fold");
      const fold = this.folds.find((one) => one.line === item);
      if (fold) this.showFold(fold, (fold.opened = true));
      else if (item) player.go(this.items.indexOf(item));
    });
    this.head = div("kp-finds", div("kp-find", this.search, this.found, this.spoil), this.stops(), this.chip);
    this.root = div("kp-steps", this.head, this.list);
    this.matches = player.steps.map(() => true);
  }

  item(step) {
    const { id } = this.player;
    const item = make("div", { class: "kp-item kp-unseen", role: "option", id: `${id}-${step.number}`, "aria-selected": "false" },
      span("kp-number", String(step.number)), make("span", { class: "kp-text", dir: "auto" }, this.player.operation(step)));
    item.style.setProperty("--depth", Math.min(step.depth, 12));
    return item;
  }

  /** Make the line that stands for a run of steps like earlier ones. A click opens it, and so does stepping into it. */
  fold({ first, last, words }, chapter) {
    const before = this.player.steps.find((step) => step.chapter === chapter).number;
    const [from, to] = [before + first, before + last];
    const line = make("div", { class: "kp-fold", role: "option", "aria-selected": "false", title: "Show these steps" },
      span("kp-number", `${from}\u2013${to}`), make("span", { class: "kp-text", dir: "auto" }));
    line.style.setProperty("--depth", Math.min(this.player.steps[from].depth, 12));
    return { from, to, words, line, opened: false };
  }

  showFold(fold, open) {
    fold.line.hidden = open;
    const seen = fold.to <= this.player.reached;
    fold.line.classList.toggle("kp-unseen", !seen);
    say(fold.line.lastChild, seen ? fold.words : fold.words.split(":")[0]);
    for (let number = fold.from; number <= fold.to; number += 1) this.items[number].classList.toggle("kp-folded", !open);
  }

  showFolds() {
    const { at } = this.player;
    for (const fold of this.folds) this.showFold(fold, fold.opened || !this.found.hidden || (fold.from <= at && at <= fold.to));
  }

  grouped() {
    const { chapters } = this.player.film;
    const lines = this.items.flatMap((item, number) => {
      const fold = this.folds.find((one) => one.from === number);
      return (fold ? [fold.line, item] : [item]).map((line) => [this.player.steps[number].chapter, line]);
    });
    if (chapters.length === 1) return lines.map(([, line]) => line);
    return chapters.map((chapter, place) => make("div", { role: "group", "aria-label": chapter.title },
      make("div", { class: "kp-heading", "aria-hidden": "true", dir: "auto" }, chapter.title),
      ...lines.filter(([of]) => of === place).map(([, line]) => line)));
  }

  /** The menu of steps at which to stop, if the film has any. */
  stops() {
    const { player } = this;
    const tags = Object.entries(player.film.tags ?? {});
    this.status = make("span", { class: "kp-status", role: "status" });
    if (!tags.length) return this.status;
    this.stop = menu({ class: "kp-select kp-stop" }, [["", "never"], ...tags]);
    this.stop.addEventListener("change", () => player.stopAt(this.stop.value));
    const title = "Go to the next of these steps";
    this.run = press({ class: "kp-button kp-run", title, onclick: () => player.run() }, icon("run"), "Run to next");
    return div("kp-find", make("label", { class: "kp-label" }, "Stop when ", this.stop), this.run, this.status);
  }

  show(step) {
    this.current?.setAttribute("aria-selected", "false");
    this.current = this.items[step.number];
    this.current.setAttribute("aria-selected", "true");
    this.list.setAttribute("aria-activedescendant", this.current.id);
    this.tell(this.player.reached);
    this.showFolds();
    say(this.status, "");
    if (!this.found.hidden) this.sayMatches();
  }

  /** Show the words of all steps up to this one. */
  tell(last) {
    for (let number = this.told + 1; number <= last; number += 1) this.tellOne(number, true);
    this.told = Math.max(this.told, last);
  }

  tellOne(number, seen) {
    const [item, step] = [this.items[number], this.player.steps[number]];
    item.classList.toggle("kp-unseen", !seen);
    say(item.lastChild, seen ? step.words : this.player.operation(step));
  }

  /** Show the words of all steps, or again only of those that were reached. */
  tellAll(all) {
    const { player } = this;
    this.spoil.setAttribute("aria-pressed", String(all));
    player.reached = all ? player.last : player.furthest;
    player.steps.forEach((step, number) => this.tellOne(number, number <= player.reached));
    this.told = player.reached;
    player.show();
  }

  /** Return the text that a search covers: words, place, and all names of what the step is about. */
  haystack(step) {
    const changes = step.changes.flatMap(({ name, old, new: now, bits }) => [name, old, now, bits]);
    const keys = [...step.about, ...step.changes.map((change) => change.key)];
    return [step.words, step.place, ...changes, ...keys, ...keys.map(spelled)].join("\n").toLowerCase();
  }

  /** List only the steps that match the search and change the chosen part. */
  filter() {
    const wanted = this.search.value.trim().toLowerCase();
    const { steps } = this.player;
    this.texts ??= steps.map((step) => this.haystack(step));
    const fits = (number) => this.texts[number].includes(wanted) && (!this.only || this.only.has(number));
    this.matches = steps.map((_, number) => fits(number));
    this.items.forEach((item, number) => (item.hidden = !this.matches[number]));
    this.found.hidden = !wanted && !this.only;
    this.showFolds();
    this.sayMatches();
    this.player.follow();
  }

  /** List all steps again. */
  clear() {
    this.search.value = "";
    this.keepOnly(null);
    if (this.root.contains(document.activeElement)) this.player.focus.go(this.list);
  }

  sayMatches() {
    const numbers = this.numbers();
    const place = numbers.indexOf(this.player.at);
    const found = place < 0 ? `${numbers.length} found` : `${place + 1} of ${numbers.length}`;
    say(this.count, numbers.length ? found : "no match");
    for (const element of [this.earlier, this.later]) enable(element, numbers.length > 0);
  }

  numbers() {
    return this.matches.flatMap((match, number) => (match ? [number] : []));
  }

  /** Go to the next or the previous match; the first follows the last. */
  jump(direction) {
    const numbers = this.numbers();
    const { at } = this.player;
    const ahead = direction > 0 ? numbers.find((number) => number > at) : numbers.findLast((number) => number < at);
    const target = ahead ?? numbers.at(direction > 0 ? 0 : -1);
    if (target !== undefined) this.player.go(target);
  }

  /** Return the match before or after this step, or this step if there is none. */
  beside(direction) {
    const { at } = this.player;
    const numbers = this.numbers();
    return (direction > 0 ? numbers.find((number) => number > at) : numbers.findLast((number) => number < at)) ?? at;
  }

  /** Return the item to keep in view: the current one, or the last listed one before it. */
  nearest() {
    const place = this.matches.lastIndexOf(true, this.player.at);
    return this.items[place < 0 ? this.matches.indexOf(true) : place];
  }

  /** List only the steps that change one part; null lists all again. */
  keepOnly(numbers, name = "") {
    this.only = numbers && new Set(numbers);
    this.chip.hidden = !numbers;
    this.chip.replaceChildren(`Only steps about ${name}`, icon("close"));
    this.chip.title = "Show all steps";
    this.filter();
  }
}

/** The details of the selected table or row, and its history. */
export class Details {
  constructor(player) {
    this.player = player;
    this.key = null;
    this.root = make("div", { class: "kp-details", hidden: "", role: "group" });
  }

  open(key) {
    const { player } = this;
    const name = player.nameOf(key);
    this.key = key;
    this.root.hidden = false;
    this.root.scrollTop = 0;
    this.root.setAttribute("aria-label", `About ${name}`);
    this.says = make("div", { class: "kp-says", dir: "auto" });
    this.texts = div("kp-texts");
    const numbers = player.history(key);
    this.past = numbers.map((number) => this.entry(number));
    const narrow = () => {
      player.list.keepOnly(numbers, name);
      player.pick(null);
      player.openList(true);
    };
    const only = press({ class: "kp-button kp-only", onclick: narrow }, "List only these");
    const count = numbers.length === 1 ? "one step" : `${numbers.length} steps`;
    const title = numbers.length ? `Its history, in ${count}` : "Nothing happens to it.";
    const close = button("close", "Close", () => player.pick(null), "Esc");
    this.root.replaceChildren(
      div("kp-head", make("strong", { dir: "auto" }, name), close),
      this.says, this.texts, div("kp-past", title, ...(numbers.length ? [only] : [])), ...this.past);
    this.show();
  }

  entry(number) {
    const text = make("span", { class: "kp-text", dir: "auto" });
    const jump = () => this.player.go(number);
    return press({ class: "kp-jump", "data-step": number, onclick: jump }, span("kp-number", String(number)), text);
  }

  show() {
    if (this.root.hidden) return;
    const { player } = this;
    const part = player.stage.parts.get(this.key);
    const [title, ...texts] = part ? this.spoken(part) : ["It isn't in this chapter."];
    say(this.says, title);
    this.texts.replaceChildren(...texts.map((text) => make("span", { dir: "auto" }, text)));
    for (const entry of this.past) {
      const step = player.steps[Number(entry.dataset.step)];
      if (step.number === player.at) entry.setAttribute("aria-current", "step");
      else entry.removeAttribute("aria-current");
      this.tell(entry, step, step.number <= player.reached);
    }
  }

  /** A step that was not reached yet shows only which operation it is. */
  tell(entry, step, seen) {
    if (entry.dataset.seen === String(seen)) return;
    entry.dataset.seen = String(seen);
    entry.classList.toggle("kp-unseen", !seen);
    const change = seen && step.changes.find((one) => one.key === this.key);
    const values = change ? [span("kp-values", `${change.old} → ${change.new}`)] : [];
    const clause = step.story?.[this.key];
    const words = clause ? `${clause[0].toUpperCase()}${clause.slice(1)}.` : step.words;
    entry.lastChild.replaceChildren(seen ? words : this.player.operation(step), ...values);
  }

  /** Return a part's title, then its texts that aren't empty. A table's title has all of its texts already. */
  spoken({ group, texts }) {
    const title = texts.find((text) => text.tagName === "title")?.textContent ?? "";
    const others = texts.filter((text) => text.tagName !== "title").map((text) => text.textContent.trim());
    return [title, ...(group.querySelector("[data-key]") ? [] : others.filter(Boolean))];
  }

  close() {
    this.key = null;
    this.root.hidden = true;
    this.root.replaceChildren();
  }
}

/** The lines of the kernel's source that a step is about, by its reference; a learner's own copy gives them. */
export class Source {
  constructor(player) {
    this.player = player;
    this.lines = player.options.source ?? {};
    this.some = Object.keys(this.lines).length > 0;
    this.open = this.some;
    this.reference = null;
    this.root = make("pre", { class: "kp-source", hidden: "", role: "group", "aria-label": "Lines of source", dir: "ltr" });
  }

  show({ reference }) {
    this.root.hidden = !this.open;
    if (!this.some || reference === this.reference) return;
    this.reference = reference;
    const lines = this.lines[reference] ?? [];
    const shown = lines.flatMap(([number, text, own], at) => {
      const line = div(own === false ? "kp-line kp-around" : "kp-line", span("kp-number", String(number)), span("kp-code", text));
      return at && number > lines[at - 1][0] + 1 ? [div("kp-line kp-around", span("kp-number", "…")), line] : [line];
    });
    this.root.replaceChildren(...(shown.length ? shown : [div("kp-line kp-around", "No lines of your copy belong to this step.")]));
    this.root.scrollTop = 0;
  }

  toggle() {
    this.open = !this.open;
    this.root.hidden = !this.open;
    this.player.controls.source.setAttribute("aria-expanded", String(this.open));
    this.player.fit();
  }
}

const KEYS = [
  ["← →", "one step back, one step forward"],
  ["Home End", "first step, last step"],
  ["Space", "play or pause"],
  ["↑", "into the picture: the arrow keys go from entry to entry, Space shows the history of one, → at the edge enters it"],
  ["↓", "to the buttons: ← → go from one to the next, Space presses; ↓ again: the list of steps"],
  ["/", "search the steps; Enter goes to the next match"],
  ["?", "show or hide this"],
  ["Tab", "leave the film"],
];

/** A small panel over the picture: all keys, and what the signs in the picture mean. */
export class Keys {
  constructor(player) {
    const rows = KEYS.flatMap(([key, words]) => [make("dt", {}, ...key.split(" ").map((one) => make("kbd", {}, one))), make("dd", {}, words)]);
    const sample = ([kind, words]) => make("div", { class: "kp-sample", role: "listitem" }, swatch(kind), words);
    const legend = make("div", { class: "kp-legend", role: "list", "aria-label": "Legend" }, ...(player.film.legend ?? []).map(sample));
    this.player = player;
    this.root = make("div", { class: "kp-help", hidden: "", role: "group", "aria-label": "Keys and signs" },
      make("dl", {}, ...rows), legend);
    this.root.addEventListener("click", () => this.toggle());
  }

  get open() {
    return !this.root.hidden;
  }

  /** Open or close it. Where there is too little room it has the focus, so that the arrow keys scroll it. */
  toggle() {
    const { root, player: { controls, focus } } = this;
    const focused = root === document.activeElement;
    root.hidden = !root.hidden;
    controls.keys.setAttribute("aria-expanded", String(this.open));
    if (this.open && root.scrollHeight > root.clientHeight) focus.go(root);
    else if (focused) focus.go(controls.slider);
  }
}
