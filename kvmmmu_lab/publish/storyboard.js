// SPDX-License-Identifier: GPL-2.0-only
//
// A film on paper: the list of all its steps, with pictures of those that change the structure. Decks and pages print it.
// It needs the player's modules before it (Stage, make). Pictures and the foot of a page need none of them.

const MOST_PICTURES = 6;
const PAPER_TEXT = 12.85; // CSS pixels, each 3/4 of a point: the smallest text of a drawing: 9 pt if A4 is scaled to Letter
const BESIDE = 260; // CSS pixels: the least width of a list of steps beside a drawing
const GAP = 24; // CSS pixels: the room between two columns
const HIGH = 640; // CSS pixels: the greatest height of a drawing, and of a drawing with its list of steps above it
const LINE = { letters: 60, height: 18 }; // of a list of steps that is half as wide as the page
const STRUCTURAL = ["absent", "new", "dead"]; // marks; others, such as "read", change at each step

/**
 * Choose at most `most` steps in which a table, an entry or an arrow appears or disappears, or an entry changes: those with
 * the most changes. If nothing changes, choose the last step. Returns their numbers, counted over the film.
 */
function keySteps(film, most = MOST_PICTURES) {
  const weights = film.chapters.flatMap(({ steps }) => steps.map((step) => {
    // "set" is empty in the first step of a chapter, since the chapter's drawing shows that step
    const structural = Object.values(step.set).filter(([marks]) => marks.split(" ").some((mark) => STRUCTURAL.includes(mark)));
    return step.changes.length + structural.length / 4;
  }));
  const changing = [...weights.keys()].filter((number) => weights[number] > 0).sort((a, b) => weights[b] - weights[a] || a - b);
  return changing.length ? changing.slice(0, most).sort((a, b) => a - b) : [weights.length - 1];
}

/** Return "Step 3", or "Steps 3, 5 and 9". */
function stepNames(numbers) {
  const [last, ...before] = [...numbers].reverse();
  return before.length ? `Steps ${before.reverse().join(", ")} and ${last}` : `Step ${last}`;
}

/** Return the drawing of a stage as it is now, as one image: nothing in it can be selected. */
function stillOf(stage, words) {
  const svg = stage.svg.cloneNode(true);
  for (const part of svg.querySelectorAll("title, .kp-hit, .kp-frame, .row.absent, .edge.absent")) part.remove();
  for (const part of svg.querySelectorAll("*"))
    for (const name of ["tabindex", "role", "aria-label", "aria-hidden", "id"]) part.removeAttribute(name);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", words);
  return svg;
}

/** Return the size of the smallest text of a drawing, in its own units. The drawing is in the document. */
function smallestText(svg) {
  const sizes = [...svg.querySelectorAll("text, tspan")].filter((text) => text.textContent.trim())
    .map((text) => parseFloat(getComputedStyle(text).fontSize));
  return Math.min(...sizes, 100);
}

/** Return the size of the smallest text of a drawing in a data address, as far as its style says; 100 if it has none. */
function textInside(address) {
  const [head, data] = (address ?? "").split(/,(.*)/s);
  if (!head.startsWith("data:image/svg")) return 100;
  const svg = head.endsWith(";base64") ? atob(data) : decodeURIComponent(data);
  return Math.min(100, ...[...svg.matchAll(/font(?:-size)?[:=]\s*"?(?:[\w ]*? )?([\d.]+)px/g)].map(([, size]) => Number(size)));
}

/** Return the width, in CSS pixels, at which the text of a picture can be read on paper: its own, or more. 0: it has no size. */
function readableWidth(picture) {
  const box = picture.viewBox?.baseVal;
  const natural = Number(picture.getAttribute("width")) || picture.naturalWidth || box?.width || 0;
  const text = picture.matches("svg") ? smallestText(picture) * (box?.width ? natural / box.width : 1) : textInside(picture.src);
  return text < PAPER_TEXT ? ((natural + 1) * PAPER_TEXT) / text : natural; // 1: naturalWidth may be rounded down
}

/** Return the style of the line at the foot of each page: the title, and the number of the page. */
function footOf(title) {
  const text = title.replace(/["\\]/g, "\\$&").replace(/\s+/g, " ").replace(/</g, "\\3c ");
  const style = document.createElement("style");
  style.textContent = `@page { @bottom-left { content: "${text}"; } @bottom-right { content: counter(page) " / " counter(pages); } }`;
  return style;
}

/** Return the rows of a list of steps, from `first` to before `end`: a run of steps that the player folds is one row. */
function rowsOf(steps, folds, first, end) {
  const rows = [];
  for (let number = first; number < end; number += 1) {
    const fold = folds.find((one) => one.first === number && one.last < end);
    if (fold) rows.push(make("li", { value: number }, `${fold.words} (to step ${fold.last})`));
    else if (number) rows.push(rowOf(steps[number], number));
    number = fold?.last ?? number;
  }
  return rows;
}

const rowOf = ({ words, place }, number) => make("li", { value: number }, words, ...(place ? [" ", make("small", {}, place)] : []));

/** Return the signs of the drawings and their meanings: of those that the pictures have. */
function legendOf(film, root) {
  const signs = (film.legend ?? []).filter(([kind]) => root.querySelector(`.${kind}:not(.absent)`));
  return make("p", { class: "storyboard-legend" }, ...signs.map(([kind, words]) => make("span", {}, swatch(kind), ` ${words}`)));
}

/** Put the storyboard of a film into an element, or a card that says why there is none. */
function printFilm(place, film, width) {
  try {
    storyboard(place, film, width);
  } catch (error) {
    place.replaceChildren(card("This film can't be printed", [String(error)]));
  }
}

/** Make the storyboard of a film, at most `width` pixels wide, and put it into an element of the document. */
function storyboard(place, film, width) {
  const steps = film.chapters.flatMap(({ steps: all }) => all);
  const keys = keySteps(film);
  const head = make("p", { class: "storyboard-head" }, make("strong", {}, film.question ?? film.title), " ",
    make("small", {}, `${stepNames(keys)} of ${steps.length - 1} ${keys.length > 1 ? "are" : "is"} shown.`));
  const root = make("section", { class: "storyboard", "aria-label": `Film: ${film.title}` }, ...styleOnce(film.css), head);
  place.replaceChildren(root);
  let start = 0; // of the chapter
  const folds = [];
  let listed = 0; // the first step that is not in a list yet
  for (const chapter of film.chapters) {
    const stage = new Stage(chapter);
    let text = 0; // measured once for a chapter: each time, the browser computes the style of all that is new
    folds.push(...(chapter.folds ?? []).map(({ first, last, words }) => ({ first: start + first, last: start + last, words })));
    for (const key of keys.filter((number) => number >= start && number < start + chapter.steps.length)) {
      stage.seek(key - start);
      const picture = stillOf(stage, `Step ${key}: ${steps[key].words}`);
      const board = addBoard(root, picture, rowOf(steps[key], key));
      text ||= smallestText(picture);
      layOut(board, picture, rowsOf(steps, folds, listed, key), PAPER_TEXT / text, width);
      listed = key + 1;
    }
    start += chapter.steps.length;
  }
  const after = rowsOf(steps, folds, listed, steps.length);
  if (after.length) root.append(make("ol", { class: "before" }, ...after));
  if (film.card) root.append(make("div", { class: "storyboard-card" }, make("strong", {}, film.card.title), ...film.card.rows.map((row) => div("", row))));
  head.after(legendOf(film, root));
}

/** Return the style element of drawings, unless the document has it: a new one makes the browser compute all styles again. */
function styleOnce(css) {
  const known = [...document.querySelectorAll(".storyboard > style")].some((style) => style.textContent === css);
  return known ? [] : [make("style", {}, css)];
}

/** Add a drawing with the step that it shows. */
function addBoard(root, picture, shown) {
  const board = make("figure", { class: "board" }, make("figcaption", {}, make("ol", {}, shown)), picture);
  root.append(board);
  return board;
}

/** Size a drawing, and put the steps before it beside it or above it. */
function layOut(board, picture, before, readable, width) {
  const [caption, shown] = [board.firstChild, board.querySelector("li")];
  const { width: wide, height: high } = picture.viewBox.baseVal;
  const scale = Math.min(readable, width / wide, HIGH / high);
  Object.assign(picture.style, { width: `${(wide * scale).toFixed(1)}px`, height: `${(high * scale).toFixed(1)}px` });
  const lines = [...before, shown].reduce((sum, row) => sum + Math.ceil(row.textContent.length / LINE.letters), 0);
  const half = wide * scale <= (width - GAP) / 2 && high * scale + lines * LINE.height <= HIGH; // a board isn't divided
  board.classList.add(half ? "half" : width - wide * scale - GAP >= BESIDE ? "beside" : "above");
  if (!before.length) return;
  const list = make("ol", { class: "before" }, ...before);
  if (board.matches(".above")) board.before(list);
  else caption.prepend(list);
}
