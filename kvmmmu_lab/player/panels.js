// SPDX-License-Identifier: GPL-2.0-only
// The panels around the drawing: caption, controls, list of steps, details.

import { SVG, button, card, div, enable, icon, make, say, span, spelled, unique } from "./elements.js";

const SPEEDS = [0.5, 1, 2, 4, 8];
const MOST_LISTED = 30;
const MOST_CHANGES = 3; // lines that the caption reserves, so that the picture stays in place

const SIGNS = { changed: "*", read: ">", dead: "x", new: "+" };
const LINES = ["readonly", "shadows", "rmap", "parent", "link"]; // kinds that are edges
const SWATCHES = {
  edge: '<path class="line" d="M2 8H26"></path><path class="head" d="M32 8L25 5v6Z"></path>',
  row: '<rect class="back" x="0.5" y="0.5" width="33" height="15" rx="2"></rect><text class="sign" x="7" y="12"></text>'
    + '<text class="flags" x="13" y="12">PW</text>',
  table: '<rect class="second" x="0.5" y="0.5" width="33" height="15" rx="4"></rect>'
    + '<rect class="paper" x="3.5" y="3.5" width="27" height="9" rx="2"></rect><path class="bar" d="M3.5 8V4.5h27V8z"></path>',
};

/** Make a sample of the elements with this class: an edge, a row or a table. */
function swatch(kind) {
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

/** The caption: what just happened, where, and which entries changed. */
export class Caption {
  constructor(player) {
    this.player = player;
    this.count = span("kp-count");
    this.place = span("kp-place");
    this.words = make("div", { class: "kp-words", dir: "auto" });
    this.changes = div("kp-changes");
    const most = Math.max(...player.steps.map((step) => step.changes.length));
    this.live = make("div", { class: "kp-live", "aria-live": "polite", "aria-atomic": "true" }, this.words, this.changes);
    this.live.style.setProperty("--lines", Math.min(most, MOST_CHANGES));
    this.chapter = make("span", { class: "kp-title", dir: "auto" });
    const title = make("span", { class: "kp-title kp-film", dir: "auto", title: player.film.title }, player.film.title);
    const where = div("kp-where", this.count, this.place, span("kp-titles", title, this.chapter));
    this.root = div("kp-caption", where, this.live);
  }

  show(step) {
    const { film, steps, last } = this.player;
    const chapter = film.chapters[step.chapter];
    say(this.count, `Step ${step.number} of ${last}`);
    say(this.place, step.place);
    this.place.title = step.place;
    say(this.chapter, film.chapters.length > 1 && chapter.title !== film.title ? chapter.title : "");
    this.chapter.title = chapter.title;
    const ended = film.card && step.number === steps.length - 1;
    if (ended) this.words.replaceChildren(card(film.card.title, film.card.rows));
    else say(this.words, step.words);
    if (step.changes.length || this.changes.firstChild) this.changes.replaceChildren(...this.listed(step.changes));
  }

  /** Return the changes as lines; not all 512 of a page that is emptied. */
  listed(changes) {
    const lines = changes.slice(0, MOST_LISTED).map((change) => this.change(change));
    const left = changes.length - lines.length;
    return left ? [...lines, div("kp-bits", `and ${left} more`)] : lines;
  }

  change({ key, name, old, new: now, bits }) {
    const pick = () => this.player.pick(key);
    return make("div", { class: "kp-change" },
      make("button", { type: "button", class: "kp-name", title: `Show details of ${name}`, onclick: pick }, name),
      span("kp-values", span("kp-old", old), " → ", span("kp-new", now)),
      make("span", { class: "kp-bits", dir: "auto" }, bits));
  }
}

/** Buttons, slider, and the choice of steps at which to stop. */
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
      over: button("over", "Step over: skip the steps inside this one", go(() => player.over(1)), "Down arrow"),
      out: button("out", "Step out: go to where this function returns", go(() => player.out()), "O"),
    };
    this.buttons.play.append(icon("pause"));
    const range = { type: "range", min: 0, max: player.last, step: 1 };
    this.slider = make("input", { ...range, class: "kp-slider", "aria-label": "Step" });
    this.slider.addEventListener("input", () => player.go(Number(this.slider.value)));
    const { first, back, play, forward, last, over, out } = this.buttons;
    const group = (name, ...buttons) => make("div", { class: "kp-group", role: "group", "aria-label": name }, ...buttons);
    const bar = make("div", { class: "kp-bar" },
      group("Steps", first, back, play, forward, last), group("Calls", over, out), this.slider, this.speed());
    this.root = div("kp-controls", bar, div("kp-bar", ...this.more()), this.legend());
  }

  speed() {
    const choices = SPEEDS.map((speed) => make("option", { value: speed }, `${speed === 0.5 ? "½" : speed}×`));
    const select = make("select", { class: "kp-select", "aria-label": "Speed", title: "Speed" }, ...choices);
    select.value = "1";
    select.addEventListener("change", () => this.player.hurry(Number(select.value)));
    return select;
  }

  /** Chapters if there are several, and the menu of steps at which to stop if the film has any. */
  more() {
    const { player } = this;
    const tags = Object.entries(player.film.tags ?? {});
    const rows = [];
    if (player.film.chapters.length > 1) {
      this.previous = button("previous", "Previous chapter", () => player.goChapter(-1), "Page up");
      this.next = button("next", "Next chapter", () => player.goChapter(1), "Page down");
      this.chapter = span("kp-chapter");
      const group = { class: "kp-group", role: "group", "aria-label": "Chapters" };
      rows.push(make("div", group, this.previous, this.chapter, this.next));
    }
    this.status = make("span", { class: "kp-status", role: "status" });
    if (!tags.length) return [...rows, this.status];
    const choices = [["", "never"], ...tags].map(([tag, words]) => make("option", { value: tag }, words));
    this.stop = make("select", { class: "kp-select kp-stop" }, ...choices);
    this.stop.addEventListener("change", () => player.stopAt(this.stop.value));
    this.run = make("button", { type: "button", class: "kp-button kp-run", title: "Go to the next of these steps (N)" },
      icon("run"), "Run to next");
    this.run.addEventListener("click", () => player.run());
    return [...rows, make("label", { class: "kp-label" }, "Stop when ", this.stop), this.run, this.status];
  }

  legend() {
    const sample = ([kind, words]) => make("div", { class: "kp-sample", role: "listitem" }, swatch(kind), words);
    const entries = (this.player.film.legend ?? []).map(sample);
    return make("div", { class: "kp-legend", role: "list", "aria-label": "Legend" }, ...entries);
  }

  show(step) {
    const { player, buttons, slider } = this;
    const [atStart, atEnd] = [step.number === 0, step.number === player.last];
    for (const name of ["first", "back"]) enable(buttons[name], !atStart);
    for (const name of ["forward", "last", "over", "out"]) enable(buttons[name], !atEnd);
    slider.value = step.number;
    slider.style.setProperty("--done", `${(100 * step.number) / (player.last || 1)}%`);
    slider.setAttribute("aria-valuetext", `Step ${step.number} of ${player.last}: ${step.words}`);
    if (this.status) say(this.status, "");
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

/** All steps, indented by call depth, with a search. One step is current. */
export class StepList {
  constructor(player) {
    this.player = player;
    this.current = null;
    this.only = null;
    const name = { placeholder: "Search steps", "aria-label": "Search steps" };
    const title = "Words, a function, or an entry such as #248:457 (/). Enter goes to the next match";
    this.search = make("input", { type: "search", class: "kp-search", ...name, title, spellcheck: "false" });
    this.search.addEventListener("input", () => this.filter());
    this.count = make("span", { class: "kp-matches", role: "status" });
    this.earlier = button("previous", "Previous match", () => this.jump(-1), "Shift+Enter");
    this.later = button("next", "Next match", () => this.jump(1), "Enter");
    this.found = make("div", { class: "kp-found", hidden: "" }, this.count, this.earlier, this.later);
    this.chip = make("button", { type: "button", class: "kp-chip", hidden: "", onclick: () => this.keepOnly(null) });
    this.items = player.steps.map((step) => this.item(step));
    const list = { class: "kp-list", role: "listbox", tabindex: "0", "aria-label": "All steps" };
    this.list = make("div", list, ...this.grouped());
    this.list.addEventListener("click", (event) => {
      const item = event.target.closest(".kp-item");
      if (item) player.go(this.items.indexOf(item));
    });
    this.root = make("div", { class: "kp-steps" },
      div("kp-find", this.search, this.found), this.chip, this.list);
    this.matches = player.steps.map(() => true);
  }

  item(step) {
    const { id } = this.player;
    const item = make("div", { class: "kp-item", role: "option", id: `${id}-${step.number}`, "aria-selected": "false" },
      span("kp-number", String(step.number)), make("span", { class: "kp-text", dir: "auto" }, step.words));
    item.style.setProperty("--depth", Math.min(step.depth, 12));
    return item;
  }

  grouped() {
    const { chapters } = this.player.film;
    if (chapters.length === 1) return this.items;
    return chapters.map((chapter, place) => make("div", { role: "group", "aria-label": chapter.title },
      make("div", { class: "kp-heading", "aria-hidden": "true", dir: "auto" }, chapter.title),
      ...this.items.filter((item, number) => this.player.steps[number].chapter === place)));
  }

  show(step) {
    this.current?.setAttribute("aria-selected", "false");
    this.current = this.items[step.number];
    this.current.setAttribute("aria-selected", "true");
    this.list.setAttribute("aria-activedescendant", this.current.id);
    if (!this.found.hidden) this.sayMatches();
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
    this.sayMatches();
    this.player.follow();
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
    this.chip.replaceChildren(`Only steps that change ${name}`, icon("close"));
    this.chip.title = "Show all steps";
    this.filter();
  }
}

/** The details of the selected table or row, and its history. */
export class Details {
  constructor(player) {
    this.player = player;
    this.key = null;
    this.root = make("div", { class: "kp-details", hidden: "", tabindex: "-1", role: "region" });
  }

  open(key) {
    const { player } = this;
    const name = player.nameOf(key);
    this.key = key;
    this.root.hidden = false;
    this.root.setAttribute("aria-label", `About ${name}`);
    this.says = make("div", { class: "kp-says", dir: "auto" });
    this.texts = div("kp-texts");
    const numbers = player.history(key);
    this.past = numbers.map((number) => this.entry(number, key));
    const narrow = () => player.list.keepOnly(numbers, name);
    const only = make("button", { type: "button", class: "kp-button kp-only", onclick: narrow },
      "List only these");
    const count = numbers.length === 1 ? "one step" : `${numbers.length} steps`;
    const title = numbers.length ? `Changes in ${count}` : "No step changes it.";
    const close = button("close", "Close", () => player.pick(null), "Esc");
    this.root.replaceChildren(
      div("kp-head", make("strong", { dir: "auto" }, name), close),
      this.says, this.texts, div("kp-past", title, ...(numbers.length ? [only] : [])), ...this.past);
    this.show();
  }

  entry(number, key) {
    const step = this.player.steps[number];
    const change = step.changes.find((one) => one.key === key);
    const values = change ? [span("kp-values", `${change.old} → ${change.new}`)] : [];
    const jump = () => this.player.go(number);
    return make("button", { type: "button", class: "kp-jump", "data-step": number, onclick: jump },
      span("kp-number", String(number)), make("span", { class: "kp-text", dir: "auto" }, step.words, ...values));
  }

  show() {
    if (this.root.hidden) return;
    const part = this.player.stage.parts.get(this.key);
    const [title, ...texts] = part ? this.spoken(part) : ["It isn't in this chapter."];
    say(this.says, title);
    this.texts.replaceChildren(...texts.map((text) => make("span", { dir: "auto" }, text)));
    for (const entry of this.past) {
      if (Number(entry.dataset.step) === this.player.at) entry.setAttribute("aria-current", "step");
      else entry.removeAttribute("aria-current");
    }
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
