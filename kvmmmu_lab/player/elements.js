// SPDX-License-Identifier: GPL-2.0-only
// Helpers for all parts of the player: elements, icons, texts.

/** Make an element: attributes (null leaves one out; `on...` listens), then children; strings become text. */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  first: "M4 3.5v9M12.5 3.5v9L6 8z",
  back: "M11 3.5v9L4.5 8z",
  play: "M5 3v10l8-5z",
  pause: "M4.5 3h2.4v10H4.5zM9.1 3h2.4v10H9.1z",
  forward: "M5 3.5v9L11.5 8z",
  last: "M3.5 3.5v9L10 8zM12 3.5v9",
  over: "M2.5 9.5C3.5 3 11 2.5 12.5 8M13.5 4.5 12.7 8.6 9 7.2M6.5 12h3",
  out: "M8 10V3M4.8 6 8 2.8 11.2 6M4 13h8",
  previous: "M10 3.5 5.5 8 10 12.5",
  next: "M6 3.5 10.5 8 6 12.5",
  run: "M2.5 4v8l5-4zM8 4v8l5-4zM14 3.5v9",
  close: "M4 4l8 8M12 4l-8 8",
  full: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  list: "M2.5 4h1M6 4h7.5M2.5 8h1M6 8h7.5M2.5 12h1M6 12h7.5",
  keys: "M5.5 6a2.5 2.5 0 1 1 3.6 2.2C8.300 8.700 8 9.200 8 10.200M8 12.700v.3",
};

/** Make the icon of a button from one path. */
export function icon(name) {
  const [svg, path] = [document.createElementNS(SVG, "svg"), document.createElementNS(SVG, "path")];
  for (const [key, value] of [["viewBox", "0 0 16 16"], ["aria-hidden", "true"], ["class", `kp-icon kp-icon-${name}`]])
    svg.setAttribute(key, value);
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Make an element that only groups others: its class, then its children. */
export const div = (name, ...children) => make("div", { class: name }, ...children);
export const span = (name, ...children) => make("span", { class: name }, ...children);

/** Make a button with an icon. Screen readers announce the label; the tooltip also names the key. */
export function button(name, label, act, key = "") {
  const title = key ? `${label} (${key})` : label;
  return press({ class: `kp-button kp-${name}`, "aria-label": label, title, onclick: act }, icon(name));
}

/** Make a button that only arrow keys and clicks reach: a film is a single tab stop. */
export function press(attributes, ...children) {
  return make("button", { type: "button", tabindex: "-1", ...attributes }, ...children);
}

/** Make a menu: [value, words] of each choice. */
export function menu(attributes, choices) {
  const options = choices.map(([value, words]) => make("option", { value }, words));
  return make("select", { tabindex: "-1", ...attributes }, ...options);
}

/** Mark a button that does nothing now. It keeps the focus, and with it the keys; a disabled button would lose them. */
export function enable(element, enabled) {
  element.setAttribute("aria-disabled", String(!enabled));
}

/** Set a text if it differs. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Make a card that explains an error. */
export function card(title, rows) {
  const lines = rows.map((row) => make("div", { dir: "auto" }, row));
  return make("div", { class: "kp-card", role: "alert" }, make("strong", {}, title), ...lines);
}

/** Return the name of a part in sentences: "s:248:457" is #248:457, "g:61c9:3" is 0x61c9:3. */
export function spelled(key) {
  const [kind, number, ...rest] = key.split(":");
  if (number === undefined) return key;
  const head = kind === "s" ? `#${number}` : `0x${number}`;
  return rest.length || kind === "s" ? [head, ...rest].join(":") : `${kind === "f" ? "frame" : "gfn"} ${head}`;
}

export const clamp = (number, least, most) => Math.min(Math.max(Math.round(number) || 0, least), most);

/** Return the values, each once. */
export const unique = (values) => [...new Set(values)];
