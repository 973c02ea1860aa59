// SPDX-License-Identifier: GPL-2.0-only
//
// Contents: a dialog that lists all slides, and finds words in them, also in the captions of films and in the notes. M opens
// it, and so does Ctrl+Shift+F. reveal.js's own search plug-in isn't used: it takes what is typed as a regular expression,
// searches style sheets and hidden text, and removes all emphasis from the slides when it closes.

const MAX_FOUND = 60; // entries in the list of what is found

/** Return an element with attributes and children. */
function create(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const field = create("input", { type: "search", placeholder: "Find in the slides", "aria-label": "Find in the slides", autocomplete: "off", spellcheck: "false" });
const entries = create("ol", { "aria-label": "Slides" });
const summary = create("p", { role: "status" });
const shut = create("button", { type: "button", class: "contents-close", "aria-label": "Close" }, "\u00d7");
const dialog = create("dialog", { class: "contents", "aria-label": "Contents" }, create("header", {}, field, shut), summary, entries);
document.body.append(dialog);

const oneLine = (text) => text.replace(/\s+/g, " ").trim();
const titleOf = (slide) => oneLine(slide.querySelector(".slide-title")?.textContent ?? "") || "Untitled";

/** Return the text of an element as it is read, without what is there for a machine. */
function textOf(element) {
  const pieces = [];
  const read = (node) => {
    if (node.nodeType === Node.TEXT_NODE) pieces.push(node.data);
    else if (node.nodeType !== Node.ELEMENT_NODE || node.matches("script, style, .kvmmmu-player, .film-step, .code-step")) return;
    else {
      node.childNodes.forEach(read);
      if (node.matches("p, li, tr, pre, div, td, th, br")) pieces.push(" ");
    }
  };
  read(element);
  return oneLine(pieces.join(""));
}

/** Return all texts of a slide: {text, fragment}, where `fragment` is the index of the step of a film, or undefined. */
function textsOf(slide) {
  const found = [{ text: titleOf(slide) }, ...[...slide.querySelectorAll(".slide-body > *")].map((element) => ({ text: textOf(element) }))];
  for (const place of filmsOf(slide)) {
    const marks = marksOf(place);
    stepsOf(place).forEach(({ words }, step) => found.push({ text: words, fragment: step ? indexOf(marks[step - 1]) : -1 }));
  }
  for (const note of slide.querySelectorAll("aside.notes:not(.film-note)")) found.push({ text: textOf(note), inNotes: true });
  return found;
}

let texts; // of all slides, once somebody searches
const plain = (text) => text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");

/** Return a piece of a text around the first of some words, with the word marked. */
function excerpt(text, words) {
  const low = text.toLowerCase();
  const [at, word] = words.map((one) => [low.indexOf(one.toLowerCase()), one]).filter(([place]) => place >= 0).sort(([one], [other]) => one - other)[0] ?? [0, ""];
  const from = Math.max(0, text.lastIndexOf(" ", Math.max(0, at - 40)));
  const piece = create("small", {}, from ? "\u2026" : "", text.slice(from, at), create("mark", {}, text.slice(at, at + word.length)), text.slice(at + word.length, at + 90));
  if (text.length > at + 90) piece.append("\u2026");
  return piece;
}

/** Close the dialog. Until the next frame the browser would leave the keys to its field, and nothing else would hear them. */
function closeContents() {
  dialog.close();
  if (dialog.contains(document.activeElement)) document.activeElement.blur();
}

function goTo(slide, fragment) {
  closeContents();
  const { h, v } = deck.getIndices(slide);
  deck.slide(h, v, fragment);
}

function entry(slide, { fragment, more } = {}) {
  const number = create("span", { class: "contents-number" }, String(slides().indexOf(slide) + 1));
  const button = create("button", { type: "button" }, number, create("span", {}, titleOf(slide), ...(more ? [more] : [])));
  if (slide === deck.getCurrentSlide() && !more) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => goTo(slide, fragment));
  return create("li", { class: slide.matches(".title, .section") ? "contents-section" : "" }, button);
}

/** List all slides, or those with the words that are typed. */
function list() {
  const words = field.value.trim().split(/\s+/).filter(Boolean);
  if (!words.length) {
    entries.replaceChildren(...slides().filter((slide) => !slide.matches(".continued")).map((slide) => entry(slide)));
    summary.textContent = "";
    return;
  }
  texts ??= slides().map((slide) => [slide, textsOf(slide)]);
  const wanted = words.map(plain);
  const found = texts.flatMap(([slide, all]) => all.filter(({ text }) => wanted.every((word) => plain(text).includes(word))).map((one) => [slide, one]));
  entries.replaceChildren(...found.slice(0, MAX_FOUND).map(([slide, { text, fragment, inNotes }]) => {
    const more = text === titleOf(slide) ? undefined : excerpt(text, words);
    if (inNotes) more?.prepend("Notes: ");
    return entry(slide, { fragment, more });
  }));
  summary.textContent = found.length > MAX_FOUND ? `${found.length} places; the first ${MAX_FOUND} are listed` : found.length ? `${found.length} ${found.length === 1 ? "place" : "places"}` : "Nothing found";
}

function openContents(search) {
  if (dialog.open) return closeContents();
  field.value = "";
  list();
  dialog.showModal();
  const here = entries.querySelector("[aria-current]") ?? entries.querySelector("button");
  (search ? field : here)?.focus();
  here?.scrollIntoView({ block: "center" });
}

/** The arrow keys move through the list; a letter continues the search. */
dialog.addEventListener("keydown", (event) => {
  event.stopPropagation(); // the deck stays where it is
  if (event.key === "Escape") {
    event.preventDefault(); // in a search field, it would only clear what is typed
    closeContents();
  }
  const buttons = [...entries.querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  const move = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (move !== undefined && (at >= 0 || event.key.startsWith("Arrow"))) {
    event.preventDefault();
    (move < 0 ? field : buttons[Math.min(move, buttons.length - 1)])?.focus();
  } else if (event.key === "Enter" && event.target === field) buttons[0]?.click();
  else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey && event.target !== field) field.focus();
});
dialog.addEventListener("click", (event) => event.target === dialog && closeContents());
shut.addEventListener("click", closeContents);
field.addEventListener("input", list);
document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "f" || !event.shiftKey || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  if (!dialog.open) openContents(true);
});
deck.addKeyBinding({ keyCode: 77, key: "M", description: "Contents" }, () => openContents(false));
deck.registerKeyboardShortcut("CTRL + Shift + F", "Find in the slides");
