// SPDX-License-Identifier: GPL-2.0-only
//
// The player of films: one module without dependencies, inlined in HTML pages and loaded by the widget.
//
//     const handle = mount(element, film, { step: 3, theme: "auto", fill: false, onstep: (number) => ..., onpick: ({ key, step }) => ... });
//     handle.seek(4); handle.step; handle.play(); handle.pause(); handle.pick(key); handle.destroy();
//     const off = handle.on("step", (number) => ...);     // also "pick", "play" and "pause"
//
// A film is data: for each chapter one drawing, in which everything has its place from the start, and steps. A step describes
// in words what happened, and has the *appearances* that differ from the step before: by key, the class and the texts of
// a part of the drawing. Stepping sets these and touches nothing else; nothing is laid out again.
// All texts of a film are inserted as text. Only its drawings are markup, and the kit makes those.

import { card, clamp, div, make, say, spelled, unique } from "./elements.js";
import { Stage, bring } from "./stage.js";
import { Focus, shown } from "./focus.js";
import { followHeight, followTheme, keepWhenRun, land } from "./host.js";
import { freshId, keepKeys, tabOn } from "./notebook.js";
import { Caption, Controls, Details, Keys, Source, StepList } from "./panels.js";

const VERSION = 2; // of the data, as in page.py
export const TEXT = 11; // pixels: the size of the text of a drawing at scale 1, below which no picture is shrunk
const READABLE = 13; // pixels: the size that its text should have
const LARGEST = { pane: 18, fill: 0.03 }; // sizes beyond which a picture isn't enlarged to fit: pixels; a share of the screen
const SIDE = { least: 290, most: 380, share: 0.26 }; // width of the list of steps
// pixels: a film's height, what a notebook shows around it, its picture, and what is around a form
const PANE = { least: 440, around: 200, picture: 240, gap: 8 };
const PACE = { least: 1300, letter: 38 }; // milliseconds that a step is shown while playing: time to read it

/** Show a film inside an element. destroy() restores what was in the element. */
export function mount(element, film, options = {}) {
  const trouble = unreadable(film);
  return trouble ? refuse(element, trouble) : new Player(element, film, options).handle;
}

const REST = 1000; // milliseconds without a step until the current step is sent to the kernel

/** For anywidget: follows the traits `film` and `step`, sends each click as a message, and the step once the film rests. */
export default {
  render({ model, el }) {
    let reported = null; // the step that this view last sent: it comes back as a change, and may no longer be shown
    const report = rested((step) => {
      if (step === model.get("step")) return;
      reported = step;
      model.send({ event: "step", step, seeks: model.get("seeks") });
    }, REST);
    const show = () =>
      mount(el, model.get("film"), {
        step: model.get("step"),
        theme: model.get("theme"),
        source: model.get("source"),
        onstep: report,
        onpick: (picked) => model.send({ event: "pick", ...picked }),
      });
    let handle = show();
    const follow = () => model.get("step") !== reported && handle.seek(model.get("step"));
    const obey = () => {
      reported = null;
      follow();
    };
    const change = () => {
      report.cancel();
      handle.destroy();
      handle = show();
    };
    const followed = { "change:step": follow, "change:seeks": obey, "change:film": change };
    for (const [event, call] of Object.entries(followed)) model.on(event, call);
    return () => {
      report.cancel();
      for (const [event, call] of Object.entries(followed)) model.off(event, call);
      handle.destroy();
    };
  },
};

/** Return a function that calls `call` with its last arguments, `pause` milliseconds after it was last called. */
function rested(call, pause) {
  let timer = null;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...values), pause);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

/** Return why a film can't be shown, or an empty text. */
export function unreadable(film) {
  if (film?.format !== "kvmmmu-lab film") return "This is not a kvmmmu-lab film.";
  if (film.version !== VERSION)
    return `This film has format version ${film.version}; this player plays version ${VERSION}. `
      + (film.version > VERSION ? "A newer kvmmmu-lab plays it." : "Make the film again with this kvmmmu-lab.");
  return film.chapters?.some((chapter) => chapter.steps.length) ? "" : "This film has no steps.";
}

/** Show a card instead of a player. The content of the element stays: a still picture is better than none. */
export function refuse(element, trouble, kind = "") {
  const root = make("div", { class: `kvmmmu-player ${kind}` }, card("This film can't be played", [trouble]));
  const stop = followTheme(root, "auto");
  element.prepend(root);
  const destroy = () => {
    stop();
    root.remove();
  };
  const nothing = () => {};
  return { step: 0, seek: nothing, play: nothing, pause: nothing, pick: nothing, on: () => nothing, destroy };
}

const NATIVE = () => {}; // for a key that the browser handles, and that must not reach the notebook

/** Connects the parts: holds the current step, moves to others, and notifies listeners. */
export class Player {
  constructor(element, film, options) {
    this.film = film;
    this.options = options;
    this.id = freshId("player");
    const ofChapter = (chapter, place) => chapter.steps.map((step, local) => ({ ...step, chapter: place, local }));
    this.steps = film.chapters.flatMap(ofChapter).map((step, number) => ({ ...step, number }));
    this.last = this.steps.length - 1;
    this.at = clamp(options.step ?? 0, 0, this.last);
    this.furthest = this.at; // the last step that was shown
    this.reached = this.at; // the last step that the lists tell about
    this.listed = false; // whether the list of steps is open
    this.wished = null; // whether it should be; null until someone says so
    this.size = "fit";
    this.names = new Map(this.steps.flatMap((step) => step.changes.map(({ key, name }) => [key, name])));
    for (const { names } of film.chapters) for (const [key, name] of Object.entries(names ?? {})) this.names.set(key, name);
    this.stages = [];
    this.listeners = new Map();
    this.speed = 1;
    this.tag = "";
    this.timer = null;
    this.build(element);
    this.stopAt("");
    this.show();
    this.fit();
    this.handle = this.interface();
  }

  build(element) {
    this.controls = new Controls(this);
    this.list = new StepList(this);
    this.details = new Details(this);
    this.source = new Source(this);
    this.keys = new Keys(this);
    this.picture = make("div", { class: "kp-picture", role: "group", "aria-label": "Picture" });
    this.side = div("kp-side", this.list.root, this.details.root);
    const style = make("style", {}, this.film.css ?? "");
    this.root = make("div", { class: "kvmmmu-player", id: this.id, tabindex: "-1", role: "group", dir: "ltr",
      "aria-label": `Film: ${this.film.title}` }, style, ...this.arranged());
    this.root.classList.toggle("kp-fill", Boolean(this.options.fill));
    this.focus = this.focusing();
    const held = new WeakRef(this); // the window's listener may not keep a film alive
    this.unkeep = keepKeys(this.root, (event) => held.deref()?.taken(event));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    tabOn(this.root);
    this.picture.addEventListener("click", (event) => this.onClick(event));
    this.picture.addEventListener("focusin", (event) => this.onFocus(event));
    this.picture.addEventListener("focusout", () => this.stage.frame("focus", null));
    this.root.addEventListener("fullscreenchange", () => this.onFullScreen());
    this.before = [...element.childNodes];
    element.replaceChildren(this.root);
    this.unfollow = [
      followTheme(this.root, this.options.theme), followHeight(this.root, () => this.fit()), keepWhenRun(this.root),
    ];
    this.sizes = new ResizeObserver(() => this.resized() && this.fit());
    this.sizes.observe(this.root);
    // JupyterLab attaches a widget later, and outside the pane no observer hears of its size
    for (const pause of [0, 200]) setTimeout(() => this.width === undefined && this.fit(), pause);
  }

  /** Make the caption and the box around the picture, and return what the film consists of, from top to bottom. */
  arranged() {
    this.caption = new Caption(this);
    this.view = div("kp-view", this.picture, this.side, this.keys.root);
    return [this.caption.root, this.view, this.source.root, this.controls.root];
  }

  focusing() {
    const regions = [this.picture, this.list.list, this.details.root, this.source.root, this.keys.root];
    return new Focus(this.root, this.controls.slider, regions, ".kp-side, select");
  }

  interface() {
    const player = this;
    return {
      get step() { return player.at; },
      seek: (number) => player.seek(number),
      play: () => player.play(),
      pause: () => player.pause(),
      pick: (key) => player.pick(key),
      on: (name, call) => player.on(name, call),
      destroy: () => player.destroy(),
    };
  }

  // Moving

  /** Show a step, or the nearest existing one. */
  seek(number) {
    const target = clamp(number, 0, this.last);
    if (target === this.at) return;
    this.at = target;
    this.furthest = Math.max(this.furthest, target);
    this.reached = Math.max(this.reached, target);
    this.show();
    this.emit("step", target);
  }

  /** Like `seek`, but on a user's request; it also pauses. */
  go(number) {
    this.pause();
    this.seek(number);
  }

  /** Return the next or previous step that isn't inside this one. */
  over(direction) {
    const { chapter, depth } = this.steps[this.at];
    return this.find((step) => step.chapter !== chapter || step.depth <= depth, direction);
  }

  /** Return the next step of the caller. */
  out() {
    const { chapter, depth } = this.steps[this.at];
    return this.find((step) => step.chapter !== chapter || step.depth < depth, 1);
  }

  find(fits, direction) {
    let number = this.at + direction;
    while (number > 0 && number < this.last && !fits(this.steps[number])) number += direction;
    return number;
  }

  goChapter(direction) {
    const target = this.steps.find((step) => step.chapter === this.steps[this.at].chapter + direction);
    if (target) this.go(target.number);
  }

  // Playing

  play() {
    if (this.timer !== null) return;
    if (this.at === this.last) this.seek(0);
    this.caption.live.setAttribute("aria-live", "off"); // a screen reader would read every step aloud
    this.controls.playing(true);
    this.wait();
    this.emit("play", this.at);
  }

  pause() {
    if (this.timer === null) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.caption.live.setAttribute("aria-live", "polite");
    this.controls.playing(false);
    this.emit("pause", this.at);
  }

  toggle() {
    if (this.timer === null) this.play();
    else this.pause();
  }

  hurry(speed) {
    this.speed = speed;
    if (this.timer === null) return;
    clearTimeout(this.timer);
    this.wait();
  }

  wait() {
    const pace = Math.max(PACE.least, PACE.letter * this.steps[this.at].words.length);
    this.timer = setTimeout(() => {
      this.seek(this.at + 1);
      const stop = this.at === this.last || this.stops(this.steps[this.at]);
      if (stop) this.pause();
      else if (this.timer !== null) this.wait();
    }, pace / this.speed);
  }

  stopAt(tag) {
    this.tag = tag;
    this.list.items.forEach((item, number) => item.classList.toggle("kp-stops", this.stops(this.steps[number])));
  }

  stops(step) {
    return this.tag !== "" && step.tags.includes(this.tag);
  }

  /** Go to the next step at which playing would stop. */
  run() {
    const target = this.steps.find((step) => step.number > this.at && this.stops(step));
    if (target) this.go(target.number);
    else say(this.list.status, this.tag ? "There is no later one." : "First choose when to stop.");
  }

  // Showing

  show() {
    const step = this.steps[this.at];
    const stage = this.stageOf(step.chapter);
    if (this.stage !== stage) this.enter(stage);
    stage.seek(step.local);
    for (const part of [this.caption, this.controls, this.list, this.details, this.source]) part.show(step);
    this.follow();
  }

  stageOf(place) {
    return (this.stages[place] ??= new Stage(this.film.chapters[place]));
  }

  /** Parse the drawings of the chapters next to this one while the player is idle. */
  prepare() {
    const here = this.stages.indexOf(this.stage);
    const beside = [here + 1, here - 1].find((place) => this.film.chapters[place] && !this.stages[place]);
    clearTimeout(this.preparing);
    if (beside !== undefined) this.preparing = setTimeout(() => (this.stageOf(beside), this.prepare()), 60);
  }

  enter(stage) {
    this.stage = stage;
    stage.resize(this.scale ?? 1);
    this.picture.replaceChildren(stage.svg);
    this.prepare();
    stage.frame("picked", this.details.key);
  }

  /** Bring what the step is about into view: once before the next repaint, however many steps there were. */
  follow() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      const step = this.steps[this.at];
      const keys = unique([...step.changes.map((change) => change.key), ...step.about]);
      const groups = keys.map((key) => this.stage.parts.get(key)?.group).filter(Boolean);
      const boxes = () => groups.map((group) => group.getBoundingClientRect()); // they move as the picture scrolls
      bring(this.picture, boxes());
      bring(this.picture, boxes().slice(0, 1));
      const item = this.list.nearest();
      if (item) bring(this.list.list, [item.getBoundingClientRect()]);
    });
  }

  /** Return which operation a step is, without what came of it. */
  operation(step) {
    return step.operation ?? (step.tags.length ? this.film.tags?.[step.tags[0]] : "") ?? "";
  }

  // Room

  /** Fit the film into the pane: place the list, choose the scale, and reserve the height of the largest drawing. */
  fit() {
    const { root } = this;
    const width = root.clientWidth;
    if (!width) return;
    if (this.width === undefined) this.appear();
    const drawings = this.film.chapters.map((_, place) => this.stageOf(place));
    const [widest, highest] = ["width", "height"].map((name) => Math.max(...drawings.map((stage) => stage[name])));
    const fill = root.classList.contains("kp-fill");
    const side = Math.round(clamp(SIDE.share * width, SIDE.least, SIDE.most));
    this.width = width;
    this.listed = this.wished ?? width - side >= (widest * READABLE) / TEXT;
    const beside = this.listed && width - side >= widest;
    root.classList.toggle("kp-listed", this.listed);
    root.classList.toggle("kp-beside", beside);
    root.style.setProperty("--side", `${Math.min(side, width)}px`);
    this.controls.list.setAttribute("aria-expanded", String(this.listed));
    const around = root.getBoundingClientRect().height - this.view.getBoundingClientRect().height;
    this.under = this.above();
    const pane = this.under === null ? innerHeight - PANE.around : this.pane.clientHeight - this.under - PANE.gap;
    const most = (fill ? root.clientHeight : Math.max(PANE.least, pane)) - Math.ceil(around);
    const room = width - (beside ? side : 0);
    const largest = (fill ? LARGEST.fill * innerHeight : LARGEST.pane) / TEXT;
    const best = Math.max(1, Math.min(room / widest, most / highest, largest));
    this.scale = this.size === "fit" ? best : Number(this.size);
    this.view.style.height = fill ? "" : `${Math.min(most, Math.max(PANE.picture, Math.ceil(highest * best)))}px`;
    this.stage?.resize(this.scale);
    this.follow();
  }

  /** Whether the room has changed since `fit`. */
  resized() {
    return this.root.clientWidth !== this.width || this.above() !== this.under;
  }

  /** It is on the screen for the first time. A film in a lab's form makes room for what is above it there. */
  appear() {
    this.form = this.root.closest(".kvmmmu-form");
    this.pane = this.root.closest(".jp-WindowedPanel-outer, .jp-Notebook");
    if (this.form) this.sizes.observe(this.form);
    land(this.root);
  }

  /** The height of what is above the film in its form, with which it should be in view; null outside of a form. */
  above() {
    if (!this.form || !this.pane) return null;
    return Math.round(this.root.getBoundingClientRect().top - this.form.getBoundingClientRect().top);
  }

  resize(size) {
    this.size = size;
    this.fit();
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen().catch(() => {}); // a frame may forbid it
  }

  onFullScreen() {
    const full = document.fullscreenElement === this.root;
    this.root.classList.toggle("kp-fullscreen", full);
    this.root.classList.toggle("kp-fill", full || Boolean(this.options.fill));
    this.fit();
  }

  /** Open or close the list of steps. It stands beside the picture, or over it where there is no room. */
  openList(open) {
    this.wished = open;
    if (open) this.pick(null);
    else if (this.side.contains(document.activeElement)) this.focus.go(this.controls.slider);
    this.fit();
  }

  // Selecting

  onClick(event) {
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (key && (!key.includes("|") || this.names.has(key))) this.pick(key);
  }

  onFocus(event) {
    const key = event.target.dataset.key;
    if (key && event.target.matches(":focus-visible")) this.stage.frame("focus", key);
  }

  /** Show the details of a part and notify listeners; null closes them. They take the place of the list, or are over it. */
  pick(key) {
    const part = key === null ? null : this.stage.parts.get(key);
    this.root.classList.toggle("kp-picked", Boolean(part));
    if (!part) {
      const inside = this.details.root.contains(document.activeElement);
      const { group } = this.stage.parts.get(this.details.key) ?? {};
      this.details.close();
      this.stage.frame("picked", null);
      if (inside) this.focus.go(group ?? this.controls.slider);
      return;
    }
    const [box, view] = [part.group, this.view].map((one) => one.getBoundingClientRect());
    this.root.classList.toggle("kp-left", box.left + box.width / 2 > view.left + view.width / 2);
    this.details.open(key);
    this.stage.frame("picked", key);
    this.emit("pick", { key, step: this.at });
  }

  /** Return the steps of the whole film that change a part, or that have a story of it. */
  history(key) {
    const ofChapter = (_, place) => {
      const first = this.steps.find((step) => step.chapter === place)?.number;
      return this.stageOf(place).history(key).map((local) => first + local);
    };
    const told = this.steps.filter((step) => step.story?.[key]).map((step) => step.number);
    return unique([...this.film.chapters.flatMap(ofChapter), ...told]).sort((one, other) => one - other);
  }

  nameOf(key) {
    const [table, row] = [key.slice(0, key.lastIndexOf(":")), key.slice(key.lastIndexOf(":") + 1)];
    return this.names.get(key) ?? (this.names.has(table) ? `entry ${row} of ${this.names.get(table)}` : spelled(key));
  }

  // Keys. The film takes only those that `actionOf` knows, only without modifiers, and only while it has the focus. All
  // others go where they would go without a film: a notebook has its own shortcuts.

  onKey(event) {
    const act = event.defaultPrevented ? null : this.taken(event);
    if (!act) return;
    event.stopPropagation();
    if (act === NATIVE) return;
    event.preventDefault();
    act();
  }

  /** Return what a key event does in the film: a function, NATIVE for what the browser does, null for nothing. */
  taken(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return null;
    const types = target === this.list.search;
    if (event.shiftKey && !types && key !== "?" && key !== "/") return null;
    return types ? this.searchAction(event) : this.actionOf(key, target);
  }

  /** Return what a key without modifiers does where the focus is; see `taken`. */
  actionOf(key, target) {
    if (key === "Escape") return this.closing();
    if (key === "?") return () => this.keys.toggle();
    if (key === "/") return () => this.openSearch();
    if (target === this.keys.root && (key === "ArrowUp" || key === "ArrowDown")) return NATIVE;
    if (target.matches("select") && [" ", "Home", "End", "ArrowUp", "ArrowDown"].includes(key)) return NATIVE;
    if (key === " ") {
      if (target.matches("button")) return NATIVE;
      return target.dataset.key ? () => this.pick(target.dataset.key) : () => this.toggle();
    }
    if (key === "Home") return () => this.go(0);
    if (key === "End") return () => this.go(this.last);
    return key.startsWith("Arrow") ? () => this.arrow(key, target) : null;
  }

  /** Keys of the search field: it keeps those for writing. */
  searchAction({ key, shiftKey }) {
    const { search } = this.list;
    if (key === "Escape") return search.value ? () => this.list.clear() : this.closing();
    if (key === "Enter") return shiftKey ? null : () => this.list.jump(1);
    if (shiftKey) return key.length === 1 || key.startsWith("Arrow") ? NATIVE : null;
    if (key === "ArrowDown") return () => this.focus.go(this.list.list);
    const atEnd = search.selectionStart === search.value.length;
    if (key === "ArrowRight" && atEnd) return () => this.arrow(key, search);
    return key === "Tab" || (key.length > 1 && !["Home", "End", "ArrowLeft", "ArrowRight", "ArrowUp", "Backspace", "Delete"].includes(key)) ? null : NATIVE;
  }

  /** Return how to close the panel that is open; null if there is none. */
  closing() {
    if (this.keys.open) return () => this.keys.toggle();
    if (this.details.key !== null) return () => this.pick(null);
    return this.list.only || this.list.search.value ? () => this.list.clear() : null;
  }

  /** Open the list and go to its search field. */
  openSearch() {
    this.pick(null);
    if (!this.listed) this.openList(true);
    this.focus.go(this.list.search);
  }

  /** What an arrow key does: it steps, or moves the focus within the part of the film that has it. */
  arrow(key, target) {
    const { focus, controls, list, details } = this;
    const across = key === "ArrowLeft" || key === "ArrowRight";
    const direction = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
    const slider = controls.slider;
    if (target.dataset.key) this.arrowInPicture(key, target);
    else if (details.root.contains(target)) {
      const { group } = this.stage.parts.get(details.key) ?? {};
      if (key === "ArrowLeft") focus.go(group ?? slider);
      else if (!across) focus.along(shown(details.root, "button"), target, direction);
    } else if (target === list.list) {
      if (across) focus.go(direction < 0 ? slider : shown(list.head, "select, button")[0]);
      else this.go(list.beside(direction));
    } else if (list.head.contains(target)) {
      if (across) focus.along(shown(list.head, "input, select, button"), target, direction);
      else focus.go(direction < 0 ? list.search : list.list);
    } else if (controls.root.contains(target) && target !== slider) {
      if (across) focus.along(shown(controls.root, "button, select"), target, direction);
      else if (direction < 0) focus.go(slider);
      else if (this.listed) focus.go(list.list);
    } else if (across) this.go(this.at + direction);
    else if (direction > 0) focus.go(controls.buttons.play);
    else this.enterPicture();
  }

  /** Move the focus into the picture: to what is selected, or what the step is about, or the first part. */
  enterPicture() {
    const step = this.steps[this.at];
    const there = (key) => this.stage.parts.get(key)?.group.getAttribute("aria-hidden") === "false";
    const key = [this.details.key, ...step.about, ...this.stage.parts.keys()].find(there);
    if (key) this.focusPart(key);
  }

  arrowInPicture(key, target) {
    const next = this.stage.neighbour(target.dataset.key, key);
    if (next) this.focusPart(next);
    else if (key === "ArrowDown") this.focus.go(this.controls.slider);
    else if (key === "ArrowRight") this.focus.go(shown(this.details.root, "button")[0]);
  }

  focusPart(key) {
    const { group } = this.stage.parts.get(key);
    this.focus.go(group);
    bring(this.picture, [group.getBoundingClientRect()]);
  }

  // Listeners

  on(name, call) {
    if (!this.listeners.has(name)) this.listeners.set(name, new Set());
    this.listeners.get(name).add(call);
    return () => this.listeners.get(name).delete(call);
  }

  emit(name, value) {
    this.options[`on${name}`]?.(value);
    for (const call of this.listeners.get(name) ?? []) call(value);
  }

  destroy() {
    clearTimeout(this.timer);
    this.timer = null;
    cancelAnimationFrame(this.frame);
    clearTimeout(this.preparing);
    for (const stop of [...this.unfollow, this.unkeep]) stop();
    this.listeners.clear();
    this.options = {};
    this.root.replaceWith(...this.before);
  }
}
