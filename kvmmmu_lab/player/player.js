// SPDX-License-Identifier: GPL-2.0-only
//
// The player of films: one module without dependencies, inlined in HTML pages and loaded by the widget.
//
//     const handle = mount(element, film, { step: 3, theme: "auto", onstep: (number) => ..., onpick: ({ key, step }) => ... });
//     handle.seek(4); handle.step; handle.play(); handle.pause(); handle.pick(key); handle.destroy();
//     const off = handle.on("step", (number) => ...);     // also "pick", "play" and "pause"
//
// A film is data: for each chapter one drawing, in which everything has its place from the start, and steps. A step describes
// in words what happened, and has the *appearances* that differ from the step before: by key, the class and the texts of
// a part of the drawing. Stepping sets these and touches nothing else; nothing is laid out again.
// All texts of a film are inserted as text. Only its drawings are markup, and the kit makes those.

import { card, clamp, div, enable, make, say, spelled, unique } from "./elements.js";
import { Caption, Controls, Details, StepList } from "./panels.js";
import { Stage, bring } from "./stage.js";

const VERSION = 2; // of the data, as in page.py
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
    const report = rested((number) => {
      model.set("step", number);
      model.save_changes();
    }, REST);
    const show = () =>
      mount(el, model.get("film"), {
        step: model.get("step"),
        theme: model.get("theme"),
        onstep: report,
        onpick: (picked) => model.send({ event: "pick", ...picked }),
      });
    let handle = show();
    const follow = () => handle.seek(model.get("step"));
    const receive = (message) => message.event === "seek" && handle.seek(message.step);
    const change = () => {
      report.cancel();
      handle.destroy();
      handle = show();
    };
    model.on("change:step", follow);
    model.on("change:film", change);
    model.on("msg:custom", receive);
    return () => {
      report.cancel();
      model.off("change:step", follow);
      model.off("change:film", change);
      model.off("msg:custom", receive);
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
function unreadable(film) {
  if (film?.format !== "kvmmmu-lab film") return "This is not a kvmmmu-lab film.";
  if (film.version !== VERSION)
    return `This film has format version ${film.version}; this player plays version ${VERSION}. `
      + (film.version > VERSION ? "A newer kvmmmu-lab plays it." : "Make the film again with this kvmmmu-lab.");
  return film.chapters?.some((chapter) => chapter.steps.length) ? "" : "This film has no steps.";
}

/** Show a card instead of a player. The content of the element stays: a still picture is better than none. */
function refuse(element, trouble) {
  const root = make("div", { class: "kvmmmu-player" }, card("This film can't be played", [trouble]));
  const stop = followTheme(root, "auto");
  element.prepend(root);
  const destroy = () => {
    stop();
    root.remove();
  };
  const nothing = () => {};
  return { step: 0, seek: nothing, play: nothing, pause: nothing, pick: nothing, on: () => nothing, destroy };
}

/** Keep the theme classes of a root up to date: from JupyterLab's theme, or else the system's. Returns a function to stop. */
function followTheme(element, wanted) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const held = new WeakRef(element); // a notebook drops outputs without notice; nothing here may keep them alive
  const update = () => {
    const root = held.deref();
    if (!root) return stop();
    const jupyter = document.body.dataset.jpThemeLight;
    const auto = wanted !== "light" && wanted !== "dark";
    const dark = auto ? (jupyter ? jupyter === "false" : system.matches) : wanted === "dark";
    root.classList.toggle("kvmmmu-dark", dark);
    root.classList.toggle("kp-jupyter", auto && Boolean(jupyter));
  };
  const observer = new MutationObserver(update);
  const stop = () => {
    observer.disconnect();
    system.removeEventListener("change", update);
  };
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  system.addEventListener("change", update);
  update();
  return stop;
}

let players = 0;

/** Connects the parts: holds the current step, moves to others, and notifies listeners. */
class Player {
  constructor(element, film, options) {
    this.film = film;
    this.options = options;
    this.id = `kvmmmu-player-${(players += 1)}`;
    const ofChapter = (chapter, place) => chapter.steps.map((step, local) => ({ ...step, chapter: place, local }));
    this.steps = film.chapters.flatMap(ofChapter).map((step, number) => ({ ...step, number }));
    this.last = this.steps.length - 1;
    this.at = clamp(options.step ?? 0, 0, this.last);
    this.names = new Map(this.steps.flatMap((step) => step.changes.map(({ key, name }) => [key, name])));
    this.stages = [];
    this.listeners = new Map();
    this.speed = 1;
    this.tag = "";
    this.timer = null;
    this.build(element);
    this.stopAt("");
    this.show();
    this.handle = this.interface();
  }

  build(element) {
    this.caption = new Caption(this);
    this.controls = new Controls(this);
    this.list = new StepList(this);
    this.details = new Details(this);
    this.picture = make("div", { class: "kp-picture", tabindex: "0", role: "region",
      "aria-label": "Picture. Enter selects what this step is about; Shift and an arrow key move from part to part" });
    const main = div("kp-main", this.caption.root, this.picture, this.controls.root);
    const side = div("kp-side", div("kp-inner", this.list.root, this.details.root));
    const style = make("style", {}, this.film.css ?? "");
    this.root = make("div", { class: "kvmmmu-player", id: this.id, tabindex: "-1", role: "group", dir: "ltr",
      "aria-label": `Film: ${this.film.title}`, "data-lm-suppress-shortcuts": "true" },
    style, div("kp-body", main, side));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    this.picture.addEventListener("click", (event) => this.onClick(event));
    this.picture.addEventListener("focusin", (event) => this.onFocus(event));
    this.picture.addEventListener("focusout", () => this.stage.frame("focus", null));
    this.before = [...element.childNodes];
    element.replaceChildren(this.root);
    this.unfollow = followTheme(this.root, this.options.theme);
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
    if (this.controls.run) enable(this.controls.run, tag !== "");
  }

  stops(step) {
    return this.tag !== "" && step.tags.includes(this.tag);
  }

  /** Go to the next step at which playing would stop. */
  run() {
    const target = this.steps.find((step) => step.number > this.at && this.stops(step));
    if (target) this.go(target.number);
    else say(this.controls.status, this.tag ? "There is no later one." : "First choose when to stop.");
  }

  // Showing

  show() {
    const step = this.steps[this.at];
    const stage = this.stageOf(step.chapter);
    if (this.stage !== stage) this.enter(stage);
    stage.seek(step.local);
    for (const part of [this.caption, this.controls, this.list, this.details]) part.show(step);
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
      const boxes = groups.map((group) => group.getBoundingClientRect());
      bring(this.picture, boxes.slice(0, 1));
      bring(this.picture, boxes);
      const item = this.list.nearest();
      if (item) bring(this.list.list, [item.getBoundingClientRect()]);
    });
  }

  // Selecting

  onClick(event) {
    const group = event.target.closest("[data-key]");
    if (group && !group.dataset.key.includes("|")) this.pick(group.dataset.key);
  }

  onFocus(event) {
    const key = event.target.dataset.key;
    if (key && event.target.matches(":focus-visible")) this.stage.frame("focus", key);
  }

  /** Show the details of a part and notify listeners; null closes them. */
  pick(key) {
    if (key === null || !this.stage.parts.has(key)) {
      const inside = this.details.root.contains(document.activeElement);
      this.details.close();
      this.stage.frame("picked", null);
      if (inside) this.picture.focus({ preventScroll: true });
      return;
    }
    this.details.open(key);
    this.stage.frame("picked", key);
    this.follow(); // the details take space from the list
    this.details.root.scrollIntoView({ block: "nearest", behavior: "instant" }); // the details must be visible
    this.emit("pick", { key, step: this.at });
  }

  /** Return the steps of the whole film that change a part. */
  history(key) {
    const ofChapter = (_, place) => {
      const first = this.steps.find((step) => step.chapter === place)?.number;
      return this.stageOf(place).history(key).map((local) => first + local);
    };
    return this.film.chapters.flatMap(ofChapter);
  }

  nameOf(key) {
    return this.names.get(key) ?? spelled(key);
  }

  // Keys, while the focus is inside the player. They don't propagate: a notebook has its own shortcuts.

  onKey(event) {
    event.stopPropagation();
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target === this.list.search) this.onSearchKey(event);
    else if (target.matches("select") || (target.matches("input") && event.key !== "/")) return;
    else if (this.picture.contains(target) && this.onPictureKey(event)) event.preventDefault();
    else if (!event.shiftKey || event.key === "/") this.onPlayerKey(event);
  }

  onSearchKey(event) {
    if (event.key === "Enter") this.list.jump(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      this.list.search.value = "";
      this.list.filter();
      this.list.list.focus({ preventScroll: true });
    } else return;
    event.preventDefault();
  }

  /** Handle a key of the picture; returns whether it was one. */
  onPictureKey({ key, shiftKey, target }) {
    const step = this.steps[this.at];
    const chosen = target.dataset.key ?? this.details.key ?? [...step.about, ...this.stage.parts.keys()][0];
    if (!this.stage.parts.has(chosen)) return false;
    const move = shiftKey && key.startsWith("Arrow");
    if (!move && key !== "Enter" && !(key === " " && target.dataset.key)) return false;
    const next = move && target.dataset.key ? this.stage.neighbour(chosen, key) : chosen;
    const { group } = this.stage.parts.get(next);
    group.focus({ preventScroll: true });
    bring(this.picture, [group.getBoundingClientRect()]);
    if (!move) this.pick(next);
    return true;
  }

  onPlayerKey(event) {
    const onButton = event.target.closest("button") && (event.key === " " || event.key === "Enter");
    const act = onButton ? null : this.keys(event.target)[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  keys(target) {
    const inList = target === this.list.list;
    return {
      ArrowLeft: () => this.go(this.at - 1),
      ArrowRight: () => this.go(this.at + 1),
      ArrowUp: () => this.go(inList ? this.list.beside(-1) : this.over(-1)),
      ArrowDown: () => this.go(inList ? this.list.beside(1) : this.over(1)),
      Home: () => this.go(0),
      End: () => this.go(this.last),
      ...(this.film.chapters.length > 1 && { PageUp: () => this.goChapter(-1), PageDown: () => this.goChapter(1) }),
      " ": () => this.toggle(),
      o: () => this.go(this.out()),
      n: () => this.run(),
      "/": () => this.list.search.focus({ preventScroll: true }),
      Escape: () => this.pick(null),
    };
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
    this.unfollow();
    this.listeners.clear();
    this.options = {};
    this.root.replaceWith(...this.before);
  }
}
