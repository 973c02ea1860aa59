// SPDX-License-Identifier: GPL-2.0-only
//
// The pen: C shows a sheet over the slide, on which pointer, finger or stylus draw. Each slide keeps its own lines, in its own
// measure, so that they stay in their place when the window changes. The deck's keys go on working. The one plug-in for this
// in a Python package, chalkboard in rise, is for reveal.js 3.

const INK_COLOURS = [["Blue", "#0072b2"], ["Orange", "#d55e00"], ["Purple", "#8e4585"], ["Grey", "#7a7a7a"]];
const SVG_NAME = "http://www.w3.org/2000/svg";
const INK_WIDTH = 4; // of 720

let colour = INK_COLOURS[1][1];
let line = null; // the one that is being drawn: {path, points}

const button = (words, act, attributes = {}) => {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: words });
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.addEventListener("click", act);
  return made;
};
const colours = INK_COLOURS.map(([name, value]) => button("", () => choose(value), { class: "pen-colour", "aria-label": name, title: name, style: `--colour: ${value}` }));
const tools = Object.assign(document.createElement("div"), { className: "pen-tools" });
tools.setAttribute("role", "toolbar");
tools.setAttribute("aria-label", "Pen");
tools.append(...colours, button("Undo", undo, { title: "Undo (Ctrl+Z)" }), button("Clear", clear, { title: "Clear (Delete)" }), button("Close", () => draw(false), { title: "Close (C)" }));

function choose(value) {
  colour = value;
  colours.forEach((one, number) => one.setAttribute("aria-pressed", String(INK_COLOURS[number][1] === value)));
}

/** Return the sheet with the lines of a slide; make it if there is none. */
function sheetOf(slide) {
  const content = slide.querySelector(".slide-content");
  const made = content.querySelector(":scope > .ink");
  if (made) return made;
  const sheet = document.createElementNS(SVG_NAME, "svg");
  sheet.setAttribute("class", "ink");
  sheet.setAttribute("viewBox", "0 0 1280 720");
  sheet.setAttribute("aria-hidden", "true");
  sheet.dataset.preventSwipe = "";
  for (const [kind, act] of [["pointerdown", start], ["pointermove", extend], ["pointerup", end], ["pointercancel", end]]) sheet.addEventListener(kind, act);
  content.append(sheet);
  return sheet;
}

/** Return where a pointer is, in px of a slide of 1280 x 720. */
function place(event) {
  const box = event.currentTarget.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * 1280, ((event.clientY - box.top) / box.height) * 720].map((one) => one.toFixed(1));
}

/** Return the points as a smooth line: a curve through the middles between them. */
function curve(points) {
  const middle = ([a, b], [c, d]) => `${((Number(a) + Number(c)) / 2).toFixed(1)} ${((Number(b) + Number(d)) / 2).toFixed(1)}`;
  const [first] = points;
  if (points.length === 1) return `M${first.join(" ")}l0.1 0`;
  return `M${first.join(" ")}${points.slice(1).map((point, at) => `Q${points[at].join(" ")} ${middle(points[at], point)}`).join("")}L${points.at(-1).join(" ")}`;
}

function start(event) {
  if (event.button) return;
  event.preventDefault();
  const path = document.createElementNS(SVG_NAME, "path");
  path.setAttribute("style", `fill: none; stroke: ${colour}; stroke-width: ${INK_WIDTH}; stroke-linecap: round; stroke-linejoin: round`);
  line = { path, points: [] };
  event.currentTarget.append(path);
  event.currentTarget.setPointerCapture(event.pointerId);
  extend(event);
}

function extend(event) {
  if (!line) return;
  line.points.push(place(event));
  line.path.setAttribute("d", curve(line.points));
}

function end() {
  line = null;
}

function undo() {
  deck.getCurrentSlide().querySelector(".ink")?.lastElementChild?.remove();
}

function clear() {
  deck.getCurrentSlide().querySelector(".ink")?.replaceChildren();
}

/** Take up the pen, or put it away; what is drawn stays. */
function draw(on) {
  document.body.classList.toggle("drawing", on);
  if (on) {
    sheetOf(deck.getCurrentSlide());
    document.body.append(tools);
  } else tools.remove();
}
const drawing = () => document.body.classList.contains("drawing");

document.addEventListener("keydown", (event) => {
  if (!drawing()) return;
  const undoes = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey);
  if (!undoes && !["Escape", "Delete"].includes(event.key)) return;
  event.preventDefault();
  event.stopImmediatePropagation(); // Escape is also reveal.js's key for the overview
  if (undoes) undo();
  else if (event.key === "Delete") clear();
  else draw(false);
}, true);

choose(colour);
deck.on("slidechanged", () => drawing() && sheetOf(deck.getCurrentSlide()));
deck.addKeyBinding({ keyCode: 67, key: "C", description: "Draw on the slide" }, () => draw(!drawing()));
