// SPDX-License-Identifier: GPL-2.0-only
//
// A film on a slide: it is shown, not operated. The drawing has the full width, one large caption is below it, then a legend and
// a line of progress. The list of steps and the controls lie over the drawing, and appear when the pointer moves, when they have
// the focus, or on request. The keys are the deck's: the film takes only those of a field or a list that has the focus.
//
//     const handle = mountSlide(element, film, { step: 3, heading: "The title of the slide", onstep: (number) => ... });
//     handle.openPanels();     // or closes them, if they are open; the rest is as in player.js
//
// Sizes are in em: 1em is 16 pixels on a slide that is 720 pixels high, and grows with it (slide.css).

import { div, make, say, span, spelled, unique } from "./elements.js";
import { SIGNS, swatch } from "./panels.js";
import { Player, TEXT, refuse, unreadable } from "./player.js";

// Sizes of text in pixels of 720: no text is smaller, and that of a drawing isn't larger. The lines of a caption, beyond which it is
// set smaller; the letters of a title that is set larger. The milliseconds that the panels stay when the pointer rests.
const SLIDE = { least: 16, largest: 26, lines: 3, title: 55, awake: 2500 };

/** Show a film inside an element of a slide. destroy() restores what was in the element. */
export function mountSlide(element, film, options = {}) {
  const trouble = unreadable(film);
  return trouble ? refuse(element, trouble, "kp-slide") : new SlidePlayer(element, film, options).handle;
}

class SlidePlayer extends Player {
  arranged() {
    this.caption = new SlideCaption(this);
    this.foot = new Foot(this);
    this.panels = div("kp-panels", this.side, this.controls.root);
    this.view = div("kp-view", this.picture, this.panels);
    return [this.view, this.caption.root, this.foot.root, this.foot.line];
  }

  build(element) {
    super.build(element);
    const { root, controls, panels } = this;
    root.classList.add("kp-slide");
    root.removeAttribute("tabindex");
    for (const one of panels.querySelectorAll("[tabindex]")) one.setAttribute("tabindex", "0");
    for (const one of [controls.slider, this.list.list, this.picture]) one.setAttribute("tabindex", "0");
    for (const one of [...panels.querySelectorAll(".kp-full"), controls.keys]) one.hidden = true; // the deck has both
    for (const event of ["pointermove", "pointerdown"]) root.addEventListener(event, () => this.wake());
    // a click leaves the focus, and with it the keys, where they are
    this.view.addEventListener("mousedown", (event) => event.target.closest("input, select") || event.preventDefault());
    root.addEventListener("change", ({ target }) => target.matches(":focus-visible") || target.blur());
    root.addEventListener("keyup", (event) => event.key === " " && event.target !== this.list.search && event.preventDefault());
  }

  focusing() {
    return { go: (element) => element?.focus({ preventScroll: true }), along: () => {} };
  }

  interface() {
    const moved = (number) => {
      if (number === this.at) return;
      this.rest();
      this.go(number);
    };
    return Object.assign(super.interface(), { seek: moved, openPanels: (open) => this.openPanels(open) });
  }

  show() {
    super.show();
    this.foot.show(this.steps[this.at]);
  }

  // Panels

  /** Show the panels for a while. */
  wake() {
    this.root.classList.add("kp-awake");
    clearTimeout(this.falling);
    this.falling = setTimeout(() => (this.panels.querySelector(":hover") ? this.wake() : this.root.classList.remove("kp-awake")), SLIDE.awake);
  }

  /** The audience goes on: the panels vanish, except those that a key has opened. */
  rest() {
    clearTimeout(this.falling);
    this.root.classList.remove("kp-awake");
    if (this.details.key !== null) this.pick(null);
  }

  /** Open the list and the controls until they are closed in the same way, or close them. */
  openPanels(open = !this.root.classList.contains("kp-open")) {
    this.root.classList.toggle("kp-open", open);
    if (!open) this.rest();
    this.openList(open);
    if (open) this.focus.go(this.list.list);
  }

  openList(open) {
    this.wished = open;
    if (open) this.pick(null);
    else this.release();
    this.fit();
  }

  pick(key) {
    if (key === null && this.details.root.contains(document.activeElement)) this.release();
    super.pick(key);
  }

  /** Give the focus, and with it all keys, back to the deck. */
  release() {
    if (this.panels.contains(document.activeElement)) document.activeElement.blur();
  }

  // Keys

  taken(event) {
    const { key, target, shiftKey } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || !this.view.contains(target)) return null;
    const { list } = this;
    if (target === list.search) {
      if (key === "PageDown" || key === "PageUp") this.release(); // a clicker sends them
      return key === "Escape" && !list.search.value ? () => this.openPanels(false) : this.searchAction(event);
    }
    if (shiftKey) return null;
    if (key === "Escape" && this.panels.contains(target)) return this.closing() ?? (() => this.openPanels(false));
    if (key === "Enter" && target === this.picture) return () => this.enterPicture();
    if (key === "Enter" && target.dataset.key) return () => this.pick(target.dataset.key);
    if (key !== "ArrowUp" && key !== "ArrowDown") return null;
    if (target.matches("select")) return () => this.choose(target, key === "ArrowUp" ? -1 : 1);
    return target === list.list ? () => this.go(list.beside(key === "ArrowUp" ? -1 : 1)) : null;
  }

  choose(menu, direction) {
    const place = menu.selectedIndex + direction;
    if (place < 0 || place >= menu.options.length) return;
    menu.selectedIndex = place;
    menu.dispatchEvent(new Event("change", { bubbles: true }));
  }

  // Room

  /** Reserve the height of the longest caption, and draw as large as the rest allows. Captions are smaller if it is too little. */
  fit() {
    const { root } = this;
    if (!root.clientWidth || !root.clientHeight) return;
    [this.width, this.height] = [root.clientWidth, root.clientHeight];
    this.em = parseFloat(getComputedStyle(root).fontSize);
    this.listed = this.wished ?? false;
    root.classList.toggle("kp-listed", this.listed);
    this.controls.list.setAttribute("aria-expanded", String(this.listed));
    this.foot.reserve();
    this.caption.reserve();
    const highest = Math.max(...this.film.chapters.map(({ svg }) => Number(/ viewBox="\S+ \S+ \S+ (\S+?)"/.exec(svg)?.[1] ?? 0)));
    if (highest * (this.em / TEXT) > this.picture.clientHeight) this.caption.reserve(true);
    this.scaleTo(this.stage);
    this.follow();
  }

  resized() {
    return this.root.clientWidth !== this.width || this.root.clientHeight !== this.height;
  }

  /** Draw a chapter: its text is never smaller than 1em. If it is larger than the room, it scrolls. */
  scaleTo(stage) {
    const least = this.em / TEXT;
    const fits = Math.min(this.picture.clientWidth / stage.width, this.picture.clientHeight / stage.height);
    const best = Math.max(least, Math.min(fits, (least * SLIDE.largest) / SLIDE.least));
    stage.resize(this.size === "fit" ? best : Number(this.size) * least);
  }

  enter(stage) {
    super.enter(stage);
    if (this.em) this.scaleTo(stage);
  }

  destroy() {
    clearTimeout(this.falling);
    super.destroy();
  }
}

/** The words of a step, with what it changes marked in them; at step 0, the title of the film and its question. */
class SlideCaption {
  constructor(player) {
    this.player = player;
    this.live = make("div", { class: "kp-live", "aria-live": "polite", "aria-atomic": "true" });
    this.root = div("kp-caption", this.live);
  }

  show(step) {
    this.live.replaceChildren(...this.content(step));
  }

  content(step) {
    const { film, last } = this.player;
    const line = (name, ...parts) => make("div", { class: name, dir: "auto" }, ...parts);
    if (step.number === 0) return this.opening().map(([name, text]) => line(name, text));
    if (film.card && step.number === last)
      return [line("kp-words kp-alarm", make("strong", {}, `${film.card.title}. `), film.card.rows.join(" "))];
    return [line("kp-words", ...this.marked(step))];
  }

  /** The title of the film, unless the slide has it already, and the question. Without a title, it is what the question is about. */
  opening() {
    const { film, options, steps } = this.player;
    const question = film.question ?? "What happens?";
    const own = film.title !== steps[1]?.words; // without a title of its own, a film is called by its first step
    const split = own ? null : /^(.+?): (.+)$/.exec(question);
    const [subject, asked] = split?.slice(1) ?? [own || film.title.length <= SLIDE.title ? film.title : "", question];
    const lines = [["kp-words", `${asked[0].toUpperCase()}${asked.slice(1)}`]];
    if (!subject || (own && plain(subject) === plain(options.heading ?? ""))) return lines;
    const size = subject.length <= SLIDE.title ? "kp-opening" : "kp-words kp-subject";
    return [[size, subject.replace(/\.$/, "")], ...lines];
  }

  /** Return the words of a step as text and marks: what changes, is new, or is removed is marked where it is first named. */
  marked({ words, chapter, local, changes }) {
    const { player } = this;
    const touched = player.stageOf(chapter).touched[local];
    const named = changes.map(({ key, name }) => [key, name]);
    const names = [...named, ...[...touched].flatMap((key) => [[key, player.nameOf(key)], [key, spelled(key)]])];
    const parts = [];
    const places = new Map(); // of a key: the first and longest name of it
    for (const [key, name] of names) {
      const found = name && new RegExp(`(?<![\\w#:])${escaped(name.replace(/^the /, ""))}(?![\\w:])`, "i").exec(words);
      const [from, to] = found ? [found.index, found.index + found[0].length] : [0, 0];
      const known = places.get(key);
      if (found && (!known || to - from > known[1] - known[0])) places.set(key, [from, to]);
    }
    let at = 0;
    for (const [from, to] of [...places.values()].sort(([one], [other]) => one - other)) {
      if (from < at) continue;
      parts.push(words.slice(at, from), make("mark", { class: "kp-mark" }, words.slice(from, to)));
      at = to;
    }
    return [...parts, words.slice(at)];
  }

  /** Reserve the height that the longest caption needs, so that nothing jumps. Long ones are set smaller, or all on request. */
  reserve(small = false) {
    const { root, player } = this;
    const probe = div("kp-probe", ...player.steps.map((step) => div("kp-live", ...this.content(step))));
    root.append(probe);
    const highest = () => Math.max(...[...probe.children].map((one) => one.getBoundingClientRect().height));
    root.classList.toggle("kp-small", small);
    const line = parseFloat(getComputedStyle(probe.querySelector(".kp-words")).lineHeight);
    if (!small) root.classList.toggle("kp-small", highest() > (SLIDE.lines + 0.5) * line);
    this.live.style.minHeight = `${Math.ceil((100 * highest()) / player.em) / 100}em`;
    probe.remove();
  }
}

const placeOf = ({ place }) => place.replace(/\(\)/g, "");
const plain = (text) => text.trim().replace(/[.:]$/, "").toLowerCase();
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** In small type: what the signs in this film mean, the function, and the step; then the line of progress. */
class Foot {
  constructor(player) {
    this.player = player;
    const legend = make("div", { class: "kp-legend", role: "list", "aria-label": "Legend" });
    legend.append(...(player.film.legend ?? []).filter(([kind]) => this.occurs(kind)).map(([kind, words]) => this.sample(kind, words)));
    this.place = span("kp-place");
    this.count = span("kp-count");
    this.root = div("kp-foot", legend, div("kp-where", this.place, this.count));
    this.done = div("kp-done");
    this.line = div("kp-line-of-progress", this.done);
  }

  /** Return whether a part of the film ever looks like this. */
  occurs(kind) {
    this.looks ??= this.player.film.chapters.flatMap(({ svg, steps }) => [
      ...[...svg.matchAll(/ class="([^"]*)"/g)].map(([, names]) => names),
      ...steps.flatMap((step) => Object.values(step.set).map(([names]) => names)),
    ]).map((names) => new Set(names.split(" "))).filter((names) => !names.has("absent"));
    return this.looks.some((names) => kind.split(" ").every((name) => names.has(name)));
  }

  /** Reserve a second line if the longest text needs it. */
  reserve() {
    const { root, place, count, player } = this;
    root.style.minHeight = "";
    say(count, this.countOf(player.steps.at(-1)));
    const heights = unique(player.steps.map(placeOf)).map((text) => (say(place, text), root.getBoundingClientRect().height));
    root.style.minHeight = `${Math.ceil((100 * Math.max(...heights)) / parseFloat(getComputedStyle(root).fontSize)) / 100}em`;
    this.show(player.steps[player.at]);
  }

  sample(kind, words) {
    const mark = kind.split(" ").find((name) => name in SIGNS);
    const shown = mark ? [span(`kp-sign kp-sign-${mark}`, mark === "read" ? `${SIGNS.read} ${words}` : words)] : [swatch(kind), words];
    return make("span", { class: "kp-sample", role: "listitem" }, ...shown);
  }

  countOf({ chapter, number }) {
    const { film, last } = this.player;
    return `${film.chapters.length > 1 ? `chapter ${chapter + 1} of ${film.chapters.length} · ` : ""}step ${number} of ${last}`;
  }

  show(step) {
    say(this.place, placeOf(step));
    this.place.title = step.place;
    say(this.count, this.countOf(step));
    this.done.style.width = `${(100 * step.number) / (this.player.last || 1)}%`;
  }
}
