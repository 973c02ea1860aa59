// SPDX-License-Identifier: GPL-2.0-only
// The drawing of one chapter: the appearance of its parts, what changes it, and frames around them.

import { SVG } from "./elements.js";
import { freshId } from "./notebook.js";

const MARKS = { changed: "changed", read: "read", dead: "gone", new: "new" };

/** Parse a drawing and make its ids unique: two drawings on a page may come from the same film. */
function parse(markup) {
  const holder = document.createElement("template");
  holder.innerHTML = markup;
  const svg = holder.content.querySelector("svg");
  const prefix = `${freshId("drawing")}-`;
  const ids = new Set([...svg.querySelectorAll("[id]")].map((part) => part.id));
  for (const part of [svg, ...svg.querySelectorAll("*")])
    for (const attribute of part.attributes) {
      if (attribute.name === "id" && ids.has(attribute.value)) attribute.value = prefix + attribute.value;
      else if (attribute.value.includes("#"))
        attribute.value = attribute.value.replace(/^#(.+)|url\(#([^)]+)\)/g, (all, whole, inner) =>
          ids.has(whole ?? inner) ? (whole ? `#${prefix}${whole}` : `url(#${prefix}${inner})`) : all);
    }
  svg.setAttribute("role", "group"); // its parts can be selected, so it is not a single image
  return svg;
}

/** Hide an absent part from screen readers too. */
function hide(group) {
  group.setAttribute("aria-hidden", String(group.classList.contains("absent")));
}

/** A chapter's drawing and the appearance of its parts. */
export class Stage {
  constructor(chapter) {
    this.svg = parse(chapter.svg);
    const { width, height } = this.svg.viewBox.baseVal;
    Object.assign(this, { width, height });
    this.parts = new Map();
    for (const group of this.svg.querySelectorAll("[data-key]")) this.adopt(group);
    for (const key of this.parts.keys()) this.label(key);
    this.at = 0;
    this.trace(chapter.steps);
  }

  /** Register a part: its texts and its appearance. Edges, which have a bar in their key, can't be selected. */
  adopt(group) {
    const texts = [...group.querySelectorAll(":scope > title, :scope > text")];
    const appearance = [group.getAttribute("class") ?? "", ...texts.map((text) => text.textContent)];
    this.parts.set(group.dataset.key, { group, texts, appearance });
    if (group.dataset.key.includes("|")) return this.widen(group);
    group.setAttribute("tabindex", "-1");
    // screen readers ignore what is inside a button, so a table with rows is a group
    group.setAttribute("role", group.querySelector("[data-key]") ? "group" : "button");
    hide(group);
  }

  /** Give an arrow a wide, invisible line, which a pointer hits more easily. */
  widen(group) {
    const line = group.querySelector(":scope > .line")?.cloneNode();
    line?.setAttribute("class", "kp-hit");
    group.append(...(line ? [line] : []));
  }

  /** Name a part for screen readers: an entry with its table, index, flags, target and mark. */
  label(key) {
    const { group } = this.parts.get(key);
    if (!group.hasAttribute("role")) return;
    const name = this.nameOf(key);
    if (name !== group.getAttribute("aria-label")) group.setAttribute("aria-label", name);
  }

  /** Return the name of a table (its title, then its words), or of an entry. */
  nameOf(key) {
    const { group, texts } = this.parts.get(key);
    const read = (name) => texts.find((text) => text.matches(name))?.textContent.trim() ?? "";
    const table = group.parentElement.closest("[data-key]")?.dataset.key;
    const mark = [...group.classList].map((name) => MARKS[name]).filter(Boolean);
    if (group.classList.contains("absent")) return "";
    if (!table) return [read("title"), ...mark].join(", ");
    const above = this.parts.get(table).texts.filter((text) => text.matches(".heading, .words"));
    const [index, title, target] = [read(".index"), read("title"), read(".target")];
    const place = `${/^\d+$/.test(index) ? `entry ${index}` : index} of ${above.slice(0, 2).map((text) => text.textContent).join(" ")}`;
    const leads = target && !title.includes(target) ? [target] : [];
    return [`${place}: ${title}`, ...leads, ...mark].join(", ");
  }

  /** Draw at a scale: 1 is the size that the drawing was laid out for. */
  resize(scale) {
    this.svg.style.width = `${Math.floor(this.width * scale)}px`;
    this.svg.style.height = `${Math.floor(this.height * scale)}px`;
  }

  /** Compute the appearances for going back, and which parts each step changes (being read is not a change). */
  trace(steps) {
    const current = new Map([...this.parts].map(([key, part]) => [key, part.appearance]));
    this.forward = steps.map((step) => new Map(Object.entries(step.set)));
    this.backward = [];
    this.touched = [];
    steps.forEach((step, number) => {
      const changes = [...this.forward[number]].filter(([key]) => current.has(key));
      this.backward.push(new Map(changes.map(([key]) => [key, current.get(key)])));
      for (const [key, appearance] of changes) current.set(key, appearance);
      const changed = step.about.filter((key) => !current.get(key)?.[0].split(" ").includes("read"));
      this.touched.push(new Set([...changed, ...step.changes.map((change) => change.key)]));
    });
  }

  /** Go to a step: set only the appearances that differ. */
  seek(step) {
    const different = new Map();
    for (let number = this.at + 1; number <= step; number += 1)
      for (const [key, appearance] of this.forward[number]) different.set(key, appearance);
    for (let number = this.at; number > step; number -= 1)
      for (const [key, appearance] of this.backward[number]) different.set(key, appearance);
    this.at = step;
    for (const [key, appearance] of different) this.putOn(key, appearance);
  }

  putOn(key, appearance) {
    const part = this.parts.get(key);
    if (!part || part.appearance === appearance) return;
    if (part.appearance[0] !== appearance[0]) part.group.setAttribute("class", appearance[0]);
    part.texts.forEach((text, place) => {
      const now = appearance[place + 1] ?? "";
      if (part.appearance[place + 1] !== now) text.textContent = now;
    });
    part.appearance = appearance;
    if (!part.group.hasAttribute("role")) return;
    hide(part.group);
    this.label(key);
    for (const row of part.group.querySelectorAll("[data-key]")) this.label(row.dataset.key); // they name their table
  }

  /** Return the steps, counted within the chapter, that change a part, or one of the rows of a table. */
  history(key) {
    const concerns = (one) => one === key || one.startsWith(`${key}:`);
    return this.touched.flatMap((keys, number) => ([...keys].some(concerns) ? [number] : []));
  }

  /** Draw a frame around a part, or remove it if there is no such part. */
  frame(kind, key) {
    this.svg.querySelector(`.kp-frame-${kind}`)?.remove();
    const group = this.parts.get(key)?.group;
    if (!group) return;
    const [box, frame] = [group.getBBox(), document.createElementNS(SVG, "rect")];
    const size = { x: box.x - 2, y: box.y - 2, width: box.width + 4, height: box.height + 4, rx: 4 };
    for (const [name, value] of Object.entries(size)) frame.setAttribute(name, value);
    frame.setAttribute("class", `kp-frame kp-frame-${kind}`);
    if (group.hasAttribute("transform")) frame.setAttribute("transform", group.getAttribute("transform"));
    group.after(frame);
  }

  /** Return the nearest part that can be selected, from one of them in the direction of an arrow key; null if there is none. */
  neighbour(key, arrow) {
    const across = arrow === "ArrowLeft" || arrow === "ArrowRight";
    const sign = arrow === "ArrowLeft" || arrow === "ArrowUp" ? -1 : 1;
    const centre = ({ group }) => {
      const box = group.getBoundingClientRect();
      return [box.left + box.width / 2, box.top + Math.min(box.height / 2, 12)];
    };
    const [x, y] = centre(this.parts.get(key));
    const away = (part) => {
      const [dx, dy] = centre(part).map((place, axis) => place - (axis ? y : x));
      const [along, beside] = across ? [dx * sign, dy] : [dy * sign, dx];
      return along > 2 ? along + 3 * Math.abs(beside) : Infinity;
    };
    const there = ({ group }) => group.getAttribute("aria-hidden") === "false";
    const others = [...this.parts].filter(([other, part]) => other !== key && there(part));
    const [, found] = others.reduce(
      (best, [other, part]) => (away(part) < best[0] ? [away(part), other] : best), [Infinity, null]);
    return found;
  }
}

/** Scroll a box, and nothing around it, until these rectangles are visible, if they fit. */
export function bring(scroller, boxes) {
  if (!boxes.length) return;
  const view = scroller.getBoundingClientRect();
  const span = (low, high, from, size) => {
    const [first, end] = [Math.min(...boxes.map((box) => box[low])), Math.max(...boxes.map((box) => box[high]))];
    const margin = Math.max(0, Math.min(12, (size - (end - first)) / 2));
    if (end - first > size) return 0;
    return Math.min(0, first - margin - from) || Math.max(0, end + margin - from - size);
  };
  const left = span("left", "right", view.left + scroller.clientLeft, scroller.clientWidth);
  const top = span("top", "bottom", view.top + scroller.clientTop, scroller.clientHeight);
  if (left || top) scroller.scrollBy({ left, top, behavior: "instant" });
}
