// SPDX-License-Identifier: GPL-2.0-only
//
// Composition: content that does not fit on its slide becomes a little smaller, or flows on to further slides.
//
//   compose(root)   Compose the slides in `root` that are not composed yet. Return [{cell, words}]: what looks questionable.
//   refit(section)  Make the content of a composed slide a little smaller if it overflows: fonts differ between machines.
//
// A slide is divided in three steps. `breaksIn` collects the places at which the content of a slide can be divided, each with
// a position and a cost: between elements, list items, rows, lines, sentences and words. `best` chooses the places with the
// least total cost for which each part fits. `divide` moves what follows a place to a new slide. All lengths are in px of a
// slide that is 720 px high.

{
const SLIDE = 720;
const SHRINK = [0.96, 0.92, 0.88, 0.85];  // a slide that fits after this much shrinking is not divided
const LEAST = { "--prose-size": 22, "--printed-size": 16, "--code-size": 16, "--table-size": 18 };
const LEAST_PICTURE = 0.45 * SLIDE;
const ENLARGED = 2, VISIBLE = 120;  // a picture is shown at up to twice its own size, or this high
const DRAWN = 2.4;  // a drawing of the kit, whose text has 11 px, is shown at up to 2.4 times its size
const LEAST_FORMULA = 18;
const STRIP = 3, LEAST_STRIP = 0.5;  // a picture that is this much higher than wide, or wider than high, and shown at less than this size
const TOLERANCE = 1.5;
const GAP = 16;  // between elements

// Costs. A further slide costs as much as an empty one and a bit; NEVER is for what is divided only if nothing else is possible.
const ONE_SLIDE = 100, EMPTY = 60, WIDOW = 60, TORN = 300, NEVER = 2000, TOO_HIGH = 1e6;

const ATOMS = "img, svg, video, audio, canvas, iframe, object, hr, input, select, button, mjx-container, .math, .atom, .film, .kvmmmu-picture";
const MEDIA = "img, svg, video, canvas, iframe";
const HEADINGS = "h1, h2, h3, h4, h5, h6, dt, summary, caption";
const APART = ["title", "section", "hands-on"];  // slides with a layout of their own
const MEASURING = `
  .composing { display: block !important; visibility: hidden !important; position: absolute !important; inset: 0 !important; transform: none !important; }
  .composing .slide-body { justify-content: flex-start !important; overflow: visible !important; }
  .composing .slide-body > *, .composing .part > * { flex: none !important; }
  .composing .element.picture, .composing .parts { min-height: 0 !important; }
  .composing .part { justify-content: flex-start !important; }
  .composing .fragment { visibility: inherit !important; opacity: 1 !important; }
`;

// ---- Measuring

/** Run `work` while `section` is laid out as if it were shown, with its content at the top. */
function laidOut(section, work) {
  section.classList.add("composing");
  try {
    return work();
  } finally {
    section.classList.remove("composing");
    if (!section.classList.length) section.removeAttribute("class");
  }
}

const content = (section) => section.querySelector(".slide-content");
const body = (section) => section.querySelector(".slide-body");
const unit = (section) => content(section).clientHeight / SLIDE || 1;
const shown = (node) => node.nodeType === Node.ELEMENT_NODE && !node.matches("aside, script, style, template, .film-step") && node.getClientRects().length > 0 && getComputedStyle(node).position !== "absolute";
const parts = (box) => [...box.children].filter(shown);

/** Return the box into which the content of a slide has to fit, in px of the slide. */
function room(section) {
  const box = body(section), style = getComputedStyle(box), whole = getComputedStyle(content(section));
  const sum = (of, ...names) => names.reduce((total, name) => total + parseFloat(of[name]), 0);
  const others = [...content(section).children].filter((one) => one !== box && shown(one));
  const taken = others.reduce((total, one) => total + one.getBoundingClientRect().height + sum(getComputedStyle(one), "marginTop", "marginBottom"), 0)
    + sum(whole, "paddingTop", "paddingBottom") + sum(style, "marginTop", "marginBottom", "paddingTop", "paddingBottom");
  return {
    height: (content(section).clientHeight - taken) / unit(section),
    width: (box.clientWidth - sum(style, "paddingLeft", "paddingRight")) / unit(section),
  };
}

/** Return the height of what is in `box`. */
function height(box, section) {
  const rects = parts(box).map((one) => one.getBoundingClientRect());
  if (!rects.length) return 0;
  return (Math.max(...rects.map((one) => one.bottom)) - Math.min(...rects.map((one) => one.top))) / unit(section);
}

/** Return the height of a slide's content. Boxes beside each other each have their own height. */
function need(section) {
  const columns = [...body(section).querySelectorAll(".part")];
  return Math.max(height(body(section), section), ...columns.map((one) => height(one, section)));
}

const fits = (section, most = room(section).height) => need(section) <= most + TOLERANCE;
const cell = (node) => Number((node.closest?.("[data-cell]") ?? node.querySelector?.("[data-cell]"))?.dataset.cell ?? 0);

// ---- Sizes

/** Make the text of a slide smaller by a factor, but not smaller than `LEAST`. */
function scale(section, factor) {
  const box = content(section), style = getComputedStyle(box);
  for (const [name, least] of Object.entries(LEAST)) {
    box.style.removeProperty(name);
    const size = parseFloat(style.getPropertyValue(name)), smallest = (100 * least) / SLIDE;
    if (factor < 1 && size > smallest) box.style.setProperty(name, `${Math.max(smallest, size * factor).toFixed(3)}cqh`);
  }
  if (!box.getAttribute("style")) box.removeAttribute("style");
}

/** Return the media of an element that shows one picture and no text, or null. A picture for the other theme isn't shown. */
function picture(node) {
  if (node.matches(MEDIA)) return node;
  const found = [...node.querySelectorAll(MEDIA)].filter((one) => one.getClientRects().length && !one.parentElement.closest("svg, mjx-container, .math") && !one.closest("mjx-container"));
  return found.length === 1 && !text(node, found[0]) && !node.querySelector("table, mjx-container, .math") ? found[0] : null;
}

/** Return the text of `node` outside `except`. */
function text(node, except) {
  if (node === except) return "";
  if (node.nodeType === Node.TEXT_NODE) return node.data.trim();
  if (node.nodeType === Node.ELEMENT_NODE && node.matches("script, style, template, mjx-assistive-mml")) return "";
  return [...node.childNodes].map((one) => text(one, except)).join("");
}

/** Return the factor by which a picture may be enlarged. */
const enlarged = (own, media) => Math.max(media.closest(".kvmmmu-picture") ? DRAWN : ENLARGED, VISIBLE / own.height);

/** Return the size of a picture's own, in px. */
function ownSize(media) {
  const given = (name) => {
    const value = media.getAttribute(name) ?? "", number = parseFloat(value);
    return /%$/.test(value.trim()) ? (name === "width" ? (number / 100) * inner(media.parentElement) : NaN) : number * (/pt$/.test(value) ? 4 / 3 : 1);
  };
  if (media.localName === "svg") {
    const view = media.viewBox.baseVal, ratio = view?.width ? view.height / view.width : 0.5;
    const width = /%/.test(media.getAttribute("width") ?? "%") ? view?.width || 300 : given("width");
    return { width, height: /%/.test(media.getAttribute("height") ?? "%") ? width * ratio : given("height") };
  }
  const width = media.naturalWidth || media.videoWidth || given("width") || media.width || 300;
  const height = media.naturalHeight || media.videoHeight || given("height") || media.height || 150;
  return given("width") && given("width") !== width ? { width: given("width"), height: (given("width") * height) / width } : { width, height };
}

/** Return the pictures of a slide that are large enough to be scaled: {box, media, wanted, least}, heights in px. */
function pictures(section) {
  const { width, height: most } = room(section), found = [];
  const add = (box, media, fills) => {
    const own = ownSize(media), wide = Math.min(width, box.parentElement.clientWidth / unit(section) || width);
    const factor = Math.min(wide / own.width, most / own.height, fills ? enlarged(own, media) : media.parentElement.matches(".diagram") ? 1.5 : 1);
    const wanted = own.height * factor;
    found.push({ box, media, fills, own, wanted, least: Math.min(wanted, LEAST_PICTURE) });
  };
  for (const element of body(section).querySelectorAll(".element")) {
    if (!shown(element)) continue;
    const whole = element.matches(".picture") ? picture(element) : null;
    if (whole) {
      for (let one = whole.parentElement; one !== element && element.contains(one); one = one.parentElement) one.classList.add("stretched");
      add(element, whole, true);
    }
    else for (const media of element.querySelectorAll(MEDIA)) {
      const inside = media.parentElement.closest("svg, mjx-container, .math, .kvmmmu-player");
      if (!inside && shown(media) && media.getBoundingClientRect().height / unit(section) > 0.15 * SLIDE) add(media, media, false);
    }
  }
  return found;
}

/** Give a picture a height. A picture that fills its slide has one only while the slide is measured. */
function setHeight(one, px) {
  const value = `${((100 * px) / SLIDE).toFixed(2)}cqh`;
  if (one.fills) one.box.style.height = value;
  else Object.assign(one.media.style, { height: value, width: "auto", maxWidth: "100%", objectFit: "contain" });
}

/** Give each picture of a slide as much height as there is. Text does not shrink for it. */
function growPictures(section) {
  const all = pictures(section);
  for (const one of all) setHeight(one, one.least);
  let left = room(section).height - need(section);
  for (const one of all) {
    const more = Math.max(0, Math.min(one.wanted - one.least, left));
    setHeight(one, one.least + more);
    left -= more;
  }
  return all;
}

/** Let the style sheet stretch the pictures that fill their slide over the room that is left, in proportion if there are several. */
function releasePictures(all) {
  for (const { box, media, fills, own, least } of all) {
    if (!fills) continue;
    box.style.minHeight = `${((100 * least) / SLIDE).toFixed(2)}cqh`;
    const several = all.some((one) => one.fills && one.box !== box && one.box.parentElement === box.parentElement);
    if (several) box.style.flexGrow = parseFloat(box.style.height).toFixed(1);
    box.style.removeProperty("height");
    const limit = (px) => `min(100%, ${((100 * enlarged(own, media) * px) / SLIDE).toFixed(1)}cqh)`;
    for (let one = media.parentElement; box.contains(one) && one !== box; one = one.parentElement) Object.assign(one.style, { width: "100%", height: "100%" });
    // A picture for the other theme stands beside it.
    const themes = media === box ? [media] : media.parentElement.querySelectorAll(`:scope > ${media.localName}`);
    for (const one of themes) Object.assign(one.style, { maxWidth: limit(own.width), maxHeight: limit(own.height) });
  }
}

// ---- Places at which a slide can be divided

/**
 * Return the places in `box` at which it can be divided: {node, offset} as for a Range, `end` and `start` (the position of the
 * end of what comes before and of the start of what follows), `cost`, `head` (the height of what the next slide repeats).
 */
function breaksIn(box, section) {
  const one = unit(section), top = box.getBoundingClientRect().top, most = room(section).height, found = [];
  const place = (rect) => ({ top: (rect.top - top) / one, bottom: (rect.bottom - top) / one });

  const add = (node, offset, before, after, cost, head, force = false) => {
    found.push({ node, offset, end: before.bottom, start: after.top, cost, head, force });
  };

  /** Blocks below each other, and text between them. */
  function blocks(node, cost, head) {
    const items = itemsOf(node);
    items.forEach((item, number) => {
      const previous = items[number - 1];
      if (previous) add(node, item.offset, place(previous.rect), place(item.rect), cost + between(previous, item), head, item.film || previous.film);
      const torn = cost + (place(item.rect).bottom - place(item.rect).top <= most ? 15 : 0);
      if (item.nodes) sentences(item.nodes, torn, head);
      else inside(item.node, torn, head);
    });
  }

  /** What is in a block. */
  function inside(node, cost, head) {
    if (node.matches(ATOMS) || node.matches(".parts")) return;
    if (picture(node)) return;
    if (node.localName === "pre") lines(node, cost + 5, head);
    else if (node.localName === "table") rows(node, cost + 5, head);
    else if (node.localName === "tr") return;
    else blocks(node, cost, head);
  }

  /** The cost of a place between two blocks. */
  function between(previous, next) {
    if (previous.film || next.film) return 0;
    const [a, b] = [previous.node, next.node];
    if (a?.matches(HEADINGS) || b?.matches("figcaption, dd")) return NEVER;
    if (a?.matches("li") || b?.matches("li")) return 6;
    if (b?.matches("ul, ol") && previous.nodes) return 30;
    if (a?.matches(".math") && b?.matches(".math")) return 8;
    if (b?.matches(".math, mjx-container")) return 30;
    if (a?.matches(".math, mjx-container")) return 20;
    if (/[:：]\s*$/.test(a?.textContent ?? "")) return 40;
    if (!b?.matches(".element")) return 3;
    return a?.matches(".element.code") && !b.matches(".code, .prose") && a.dataset.cell === b.dataset.cell ? WIDOW : 0;
  }

  function lines(pre, cost, head) {
    const pieces = texts(pre), whole = pre.textContent, range = document.createRange(), box = place(pre.getBoundingClientRect());
    const starts = [...whole.trimEnd().matchAll(/\n/g)].map((found) => found.index + 1);
    const rects = starts.map((from) => {
      range.setStart(...locate(pieces, from));
      range.setEnd(...locate(pieces, from + 1));
      return range.getClientRects()[0];
    });
    const size = parseFloat(getComputedStyle(pre).lineHeight) / one || 24;
    const tops = [box.top, ...rects.map((rect) => rect && place(rect).top), box.bottom];
    const bounds = [0, ...starts, whole.length];
    let last = box.top;
    [...starts, whole.length].forEach((start, number) => {
      if (tops[number + 1] - tops[number] > most / 2) wrappedLines(pieces, bounds[number], bounds[number + 1], cost + 60, head);
      if (number === starts.length) return;
      const line = rects[number] ? place(rects[number]).top : last + size;
      const [before, after] = [whole.slice(0, start), whole.slice(start)];
      const blank = /\n[ \t]*\n$/.test(before), indented = /^[ \t]|^[)\]}]/.test(after);
      const few = number === 0 || number === starts.length - 1 ? 20 : 0;
      add(...outermost(...locate(pieces, start), pre), { bottom: line }, { top: line }, cost + few + (blank ? 3 : indented ? 20 : 10), head);
      last = line;
    });
  }

  /** A line that takes more than half of a slide: at the beginning of each of the lines in which it is shown. */
  function wrappedLines(pieces, from, to, cost, head) {
    const range = document.createRange();
    let last = null;
    for (let position = from; position < to; position += 1) {
      const [node, offset] = locate(pieces, position);
      range.setStart(node, offset);
      range.setEnd(node, Math.min(offset + 1, node.data.length));
      const rect = range.getClientRects()[0];
      if (!rect) continue;
      const { top } = place(rect);
      if (last !== null && top > last + 2) add(node, offset, { bottom: top }, { top }, cost, head);
      last = Math.max(top, last ?? top);
    }
  }

  function rows(table, cost, head) {
    const repeated = headOf(table), group = bodyRows(table);
    const more = repeated.reduce((sum, row) => sum + row.getBoundingClientRect().height / one, 0);
    let spanned = 0;  // rows that a cell above reaches into
    group.forEach((row, number) => {
      if (number) {
        const parent = row.parentElement, offset = [...parent.childNodes].indexOf(row);
        const few = number === 1 || number === group.length - 1 ? 15 : 0;
        add(parent, offset, place(group[number - 1].getBoundingClientRect()), place(row.getBoundingClientRect()), cost + few + (spanned > 0 ? 50 : 0), head + more);
      }
      const box = place(row.getBoundingClientRect());
      if (box.bottom - box.top + more > most) blocks(tallestCell(row), cost + 40, head + more);
      spanned = Math.max(spanned - 1, ...[...row.cells].map((one) => one.rowSpan - 1));
    });
  }

  /** Text: between sentences, and at the beginning of each line. */
  function sentences(nodes, cost, head) {
    const range = document.createRange();
    const pieces = nodes.flatMap((node) => texts(node, (one) => !one.parentElement.closest("mjx-container, .math, svg, button, select")));
    const whole = pieces.map((one) => one.data).join("");
    if (whole.trim().length < 60) return;
    range.setStartBefore(nodes[0]);
    range.setEndAfter(nodes[nodes.length - 1]);
    const run = place(range.getBoundingClientRect());
    const size = parseFloat(getComputedStyle(nodes[0].parentElement).lineHeight) / one || 30;
    if (run.bottom - run.top < 2.5 * size) return;
    const begins = new Map();  // position in `whole` -> whether a sentence begins there
    for (const { index, isWordLike } of new Intl.Segmenter(undefined, { granularity: "word" }).segment(whole)) if (isWordLike !== false || !/^[\s\p{P}]/u.test(whole[index])) begins.set(index, false);
    for (const { index } of new Intl.Segmenter(undefined, { granularity: "sentence" }).segment(whole)) begins.set(index, true);
    let line = null, end = null;
    for (const position of [...begins.keys()].sort((a, b) => a - b)) {
      const spot = locate(pieces, position);
      range.setStart(...spot);
      range.setEnd(spot[0], spot[1] + 1);
      const rect = range.getClientRects()[0];
      if (!rect) continue;
      const here = place(rect), middle = (here.top + here.bottom) / 2;
      const newLine = line === null || middle > line + size / 2;
      if (position && (begins.get(position) || newLine)) {
        const [above, below] = [here.top - run.top, run.bottom - here.top];
        const few = above < 1.5 * size || below < 1.5 * size ? 40 : 0;
        // A sentence in the middle of a line: the line ends the first part, and what is left begins a line of its own.
        const [end, start] = newLine ? [middle - size / 2, middle - size / 2] : [middle + size / 2, middle - size / 2];
        add(...spot, { bottom: end }, { top: start }, cost + few + (begins.get(position) ? 25 : 70), head);
      }
      if (newLine) line = middle;
      end = here.bottom;
    }
    return end;
  }

  blocks(box, 0, 0);
  keepTogether(found, box, most, place);
  return found;
}

/** Return the blocks and the runs of text in `node`: {node | nodes, offset, rect, film}. */
function itemsOf(node) {
  const items = [], range = document.createRange();
  let run = null;
  [...node.childNodes].forEach((child, offset) => {
    const block = child.nodeType === Node.ELEMENT_NODE && !/^(inline|contents|none)/.test(getComputedStyle(child).display);
    if (child.nodeType === Node.ELEMENT_NODE && !shown(child) && !child.textContent.trim()) return;
    if (block) {
      run = null;
      if (!shown(child)) return;
      items.push({ node: child, offset, rect: child.getBoundingClientRect(), film: child.matches(".film") });
    } else if (run || (child.nodeType === Node.TEXT_NODE && child.data.trim()) || (child.nodeType === Node.ELEMENT_NODE && shown(child))) {
      if (!run) items.push((run = { nodes: [], offset }));
      run.nodes.push(child);
    }
  });
  for (const item of items) {
    if (!item.nodes) continue;
    range.setStartBefore(item.nodes[0]);
    range.setEndAfter(item.nodes[item.nodes.length - 1]);
    item.rect = range.getBoundingClientRect();
  }
  return items;
}

/** Raise the cost of places inside what belongs together and fits on one slide: code and its output, a fragment and what it follows. */
function keepTogether(found, box, most, place) {
  const elements = parts(box);
  const groups = [];
  elements.forEach((one, number) => {
    const last = groups[groups.length - 1], previous = elements[number - 1];
    const output = previous && !one.matches(".code, .prose") && one.dataset.cell && one.dataset.cell === previous.dataset.cell;
    const belongs = previous && !previous.matches(".film") && !one.matches(".film") && (output || one.matches(".fragment") || previous.matches(".element") && previous.lastElementChild?.matches(HEADINGS));
    if (belongs) last.push(one);
    else groups.push([one]);
  });
  for (const group of groups.filter((one) => one.length > 1)) {
    // As many of the group as fit on one slide stay together; the next ones begin a group of their own.
    for (let first = 0; first < group.length - 1; ) {
      let last = first;
      while (last + 1 < group.length && place(group[last + 1].getBoundingClientRect()).bottom - place(group[first].getBoundingClientRect()).top <= most) last += 1;
      if (last > first) {
        const [from, to] = [place(group[first].getBoundingClientRect()).top, place(group[last].getBoundingClientRect()).bottom];
        for (const one of found) if (one.start > from + 1 && one.end < to - 1) one.cost += TORN;
      }
      first = Math.max(last, first + 1);
    }
  }
}

/** Return the place outside the elements in `box` that begin at a place. */
function outermost(node, offset, box) {
  while (offset === 0 && node !== box) [node, offset] = [node.parentNode, [...node.parentNode.childNodes].indexOf(node)];
  return [node, offset];
}

/** Return the texts in `node`, in order. */
function texts(node, accept = () => true) {
  if (node.nodeType === Node.TEXT_NODE) return [node];
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT, (one) => (accept(one) ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_REJECT)), found = [];
  for (let one = walker.nextNode(); one; one = walker.nextNode()) found.push(one);
  return found;
}

/** Return [text node, offset] of a position in the joined text of `pieces`. */
function locate(pieces, position) {
  for (const piece of pieces) {
    if (position < piece.data.length) return [piece, position];
    position -= piece.data.length;
  }
  const last = pieces[pieces.length - 1];
  return [last, last.data.length];
}

/** Return the cell of a row whose content takes most height. */
function tallestCell(row) {
  const range = document.createRange();
  const high = (cell) => (range.selectNodeContents(cell), range.getBoundingClientRect().height);
  return [...row.cells].reduce((most, cell) => (high(cell) > high(most) ? cell : most));
}

/** Return the rows that each part of a table repeats: those of its head, or a first row of header cells. */
function headOf(table) {
  if (table.tHead) return [...table.tHead.rows];
  const first = table.rows[0];
  return first && table.rows.length > 1 && [...first.cells].every((one) => one.localName === "th") ? [first] : [];
}

const bodyRows = (table) => [...table.rows].filter((row) => !headOf(table).includes(row));

// ---- Choice

/** Return those of the places at which a slide is divided, so that each part fits into `most` and the total cost is least. */
function best(found, total, most) {
  const places = [{ start: total.top, cost: 0, head: 0 }, ...found, { end: total.bottom, cost: 0, head: 0, last: true }];
  const least = [0], from = [0];
  for (let to = 1; to < places.length; to += 1) {
    least[to] = Infinity;
    for (let first = to - 1; first >= 0; first -= 1) {
      const high = places[to].end - places[first].start + places[first].head;
      if (high > most + TOLERANCE && least[to] < TOO_HIGH) break;
      const slack = Math.max(0, 1 - high / most);
      const cost = least[first] + ONE_SLIDE + EMPTY * slack * slack + places[to].cost + (slack > 0.85 ? WIDOW : 0)
        + (high > most + TOLERANCE ? TOO_HIGH * (high / most) : 0);
      if (cost < least[to]) [least[to], from[to]] = [cost, first];
      if (places[first].force) break;
    }
  }
  const chosen = [];
  for (let at = from[places.length - 1]; at > 0; at = from[at]) chosen.unshift(places[at]);
  return chosen;
}

// ---- Dividing

/** Move what follows a place in the body of a slide to a new slide after it; return the new slide. */
function divide(section, { node, offset }) {
  const box = body(section), chain = [];
  for (let one = node.nodeType === Node.TEXT_NODE ? node.parentNode : node; one !== box; one = one.parentNode) chain.unshift(one);
  const range = document.createRange();
  range.setStart(node, offset);
  range.setEnd(box, box.childNodes.length);
  const rest = range.extractContents();

  const next = section.cloneNode(false);
  next.removeAttribute("id");
  next.classList.add("continued");
  for (const kind of APART) if (next.classList.contains(kind)) next.classList.replace(kind, "prose");
  for (const part of section.children) {
    if (!part.matches(".slide-content")) {
      next.append(withoutIds(part.cloneNode(true)));
      continue;
    }
    const holder = part.cloneNode(false);
    for (const one of part.children) holder.append(one === box ? box.cloneNode(false) : withoutIds(one.cloneNode(true)));
    next.append(holder);
    const title = next.classList.contains("prose") && holder.querySelector(".slide-title h1");
    if (title) title.outerHTML = `<h2>${title.innerHTML}</h2>`;
  }
  body(next).append(rest);
  section.after(next);
  const copies = [body(next)];
  for (const _ of chain) copies.push(copies[copies.length - 1].firstElementChild);
  chain.forEach((original, number) => {
    const copy = copies[number + 1];
    copy.removeAttribute("id");
    copy.dataset.rest = ""; // on paper, it is joined with what it is the rest of
    mend(original, copy, chain);
  });
  return next;
}

/** Repeat or correct what a divided element needs in its second part: the number of an item, the head of a table. */
function mend(original, copy, chain) {
  if (original.localName === "ol") {
    const items = [...original.children].filter((one) => one.localName === "li");
    const step = original.reversed ? -1 : 1;
    let number = original.hasAttribute("start") ? original.start : original.reversed ? items.length + copy.children.length : 1;
    items.forEach((item, index) => {
      if (item.hasAttribute("value")) number = item.value;
      else if (index) number += step;
    });
    const torn = chain.includes(items[items.length - 1]);
    if (original.reversed && !original.hasAttribute("start")) original.start = items.length + copy.children.length - (torn ? 1 : 0);
    copy.start = torn ? number : number + step;
  } else if (original.localName === "li") {
    copy.style.listStyleType = "none";
    copy.removeAttribute("value");
  } else if (original.localName === "tr") {
    mendRow(original, copy);
  } else if (original.localName === "table") {
    for (const one of original.querySelectorAll(":scope > colgroup, :scope > thead")) copy.insertBefore(withoutIds(one.cloneNode(true)), [...copy.children].find((child) => child.localName === "tbody") ?? null);
    if (!original.tHead) copy.tBodies[0].prepend(...headOf(original).map((row) => Object.assign(withoutIds(row.cloneNode(true)), { className: `${row.className} repeated`.trim() })));
    // A cell of the head that reaches into the rows below it doesn't do so where the head is repeated.
    [...copy.querySelectorAll(":scope > tbody > .repeated")].forEach((row, number, head) => {
      for (const one of row.cells) one.rowSpan = Math.min(one.rowSpan || head.length, head.length - number);
    });
    mendSpans(original, copy);
  }
}

/** Of a row that is divided within a cell, keep the other cells in the first part; the second part has empty ones. */
function mendRow(original, copy) {
  const torn = original.cells.length - 1, following = [...copy.cells].slice(1);
  const empty = (cell) => Object.assign(withoutIds(cell.cloneNode(false)), { className: `${cell.className} repeated`.trim() });
  copy.prepend(...[...original.cells].slice(0, torn).map(empty));
  for (const cell of following) {
    cell.replaceWith(empty(cell));
    original.append(cell);
  }
}

/** Continue cells that reach over several rows in the second part of a table. */
function mendSpans(original, copy) {
  const rows = bodyRows(original), next = bodyRows(copy)[0];
  rows.forEach((row, number) => {
    for (const one of row.cells) {
      const inside = rows.length - number;
      if (one.rowSpan <= inside || !next) continue;
      const rest = withoutIds(one.cloneNode(true));
      rest.rowSpan = one.rowSpan - inside;
      one.rowSpan = inside;
      next.insertBefore(rest, next.cells[one.cellIndex] ?? null);
    }
  });
}

function withoutIds(copy) {
  const own = new Map();
  let count = 0;
  for (const one of [copy, ...copy.querySelectorAll("[id]")]) {
    if (!one.id) continue;
    if (copy.querySelector(`[href="#${CSS.escape(one.id)}"], [*|href="#${CSS.escape(one.id)}"]`)) {
      let fresh;
      do fresh = `${one.id}-${(count += 1)}`; while (document.getElementById(fresh));
      own.set(one.id, fresh);
      one.id = fresh;
    } else one.removeAttribute("id");
  }
  for (const use of copy.querySelectorAll("use")) {
    for (const name of ["href", "xlink:href"]) {
      const fresh = own.get(use.getAttribute(name)?.slice(1));
      if (fresh) use.setAttribute(name, `#${fresh}`);
    }
  }
  return copy;
}

// ---- What is too wide

const MARKER = 0.65, WIDEST_NUMERAL = 5;  // the width of a digit in em; characters of a Roman numeral

/** Give the markers of a numbered list the room that the longest of them needs. */
function fitMarkers(list) {
  const items = [...list.children].filter((one) => one.localName === "li");
  const first = list.hasAttribute("start") ? list.start : list.reversed ? items.length : 1;
  const values = [first, first + (list.reversed ? -1 : 1) * (items.length - 1), ...items.filter((one) => one.hasAttribute("value")).map((one) => one.value)];
  const numeral = /roman/.test(getComputedStyle(list).listStyleType) && items.length > 1;
  const length = Math.max(...values.map((one) => String(one).length), numeral ? WIDEST_NUMERAL : 1);
  if (length > 1) list.style.paddingInlineStart = `${(MARKER * (length + 1) + 0.1).toFixed(2)}em`;
}

/** Make wide tables and formulas fit the width of the slide. */
function fitWidths(section, report) {
  for (const list of body(section).querySelectorAll("ol:not([data-rest])")) fitMarkers(list);
  for (const table of body(section).querySelectorAll("table")) {
    if (!table.parentElement.closest("table, svg, .kvmmmu-player")) fitTable(table, section, report);
  }
  for (const formula of body(section).querySelectorAll("mjx-container, .atom")) fitFormula(formula, section, report);
}

const inner = (node) => {
  const style = getComputedStyle(node);
  return node.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
};
const tooWide = (table) => table.getBoundingClientRect().width > inner(table.parentElement) + 1;

/** A wide table: smaller text, then several tables with the first column repeated. */
function fitTable(table, section, report) {
  if (!tooWide(table)) return;
  const size = parseFloat(getComputedStyle(table).fontSize) / unit(section);
  if (size > LEAST["--table-size"]) {
    table.style.fontSize = `${((100 * LEAST["--table-size"]) / SLIDE).toFixed(3)}cqh`;
    if (!tooWide(table)) {
      const fitting = inner(table.parentElement) / table.getBoundingClientRect().width;
      table.style.fontSize = `${((100 * Math.min(size, LEAST["--table-size"] * Math.max(1, fitting))) / SLIDE).toFixed(3)}cqh`;
      if (tooWide(table)) table.style.fontSize = `${((100 * LEAST["--table-size"]) / SLIDE).toFixed(3)}cqh`;
      return;
    }
  }
  const grid = gridOf(table), count = Math.max(...grid.map((row) => row.length));
  const widths = columnWidths(table, grid, count), most = inner(table.parentElement);
  const fixed = count > 2 && widths[0] < 0.5 * most ? 1 : 0;
  const groups = [];
  let first = fixed, width = widths[0] * fixed;
  for (let column = fixed; column < count; column += 1) {
    if (column > first && width + widths[column] > most) {
      groups.push([first, column]);
      [first, width] = [column, widths[0] * fixed];
    }
    width += widths[column];
  }
  groups.push([first, count]);
  let last = table;
  const copies = groups.map(([from, to]) => columnsOf(table, grid, fixed, from, to));
  for (const copy of copies) {
    last.after(copy);
    last = copy;
  }
  table.remove();
  copies[0].id = table.id;
  if (!copies[0].id) copies[0].removeAttribute("id");
  for (const copy of copies) {
    if (!tooWide(copy)) continue;
    copy.style.overflowWrap = "anywhere";
    report(copy, "a table has a column that is wider than the slide; its words are broken");
  }
}

/** Return the cells of a table by row and column: a cell that spans several places appears in each. */
function gridOf(table) {
  const grid = [...table.rows].map(() => []);
  [...table.rows].forEach((row, y) => {
    let x = 0;
    for (const one of row.cells) {
      while (grid[y][x]) x += 1;
      for (let down = 0; down < (one.rowSpan || table.rows.length) && grid[y + down]; down += 1) {
        for (let right = 0; right < one.colSpan; right += 1) grid[y + down][x + right] = one;
      }
    }
  });
  return grid;
}

function columnWidths(table, grid, count) {
  const widths = Array(count).fill(0);
  grid.forEach((row) => row.forEach((one, column) => {
    if (one && one.colSpan === 1) widths[column] = Math.max(widths[column], one.getBoundingClientRect().width);
  }));
  return widths.map((width) => width || table.getBoundingClientRect().width / count);
}

/** Return a copy of a table with its first `fixed` columns and those from `from` to before `to`. */
function columnsOf(table, grid, fixed, from, to) {
  const copy = withoutIds(table.cloneNode(true));
  copy.querySelectorAll("colgroup").forEach((one) => one.remove());
  [...copy.rows].forEach((row, y) => {
    const own = [...table.rows[y].cells], copies = [...row.cells];
    own.forEach((one, number) => {
      const columns = grid[y].flatMap((cell, column) => (cell === one ? [column] : []));
      const kept = columns.filter((column) => column < fixed || (column >= from && column < to)).length;
      if (kept) copies[number].colSpan = kept;
      else copies[number].remove();
    });
  });
  if (from > fixed) copy.querySelector("caption")?.remove();
  return copy;
}

/** A wide formula becomes smaller. */
function fitFormula(formula, section, report) {
  const svg = formula.querySelector(":scope > svg") ?? formula;
  const box = formula.closest("td, th, li, dd, blockquote, .part, .rich, .element") ?? formula.parentElement;
  const most = inner(box), size = () => parseFloat(getComputedStyle(formula).fontSize) / unit(section);
  svg.style.maxWidth = "none";  // a style sheet may make an SVG as narrow as the slide without a word
  let share = 100;
  // The unit ex is rounded to pixels, so that a formula may not become as small as its text.
  for (let round = 0; round < 4 && svg.getBoundingClientRect().width > most + 1; round += 1) {
    share *= (0.995 * most) / svg.getBoundingClientRect().width;
    formula.style.fontSize = `${share.toFixed(1)}%`;
  }
  svg.style.removeProperty("max-width");
  if (!svg.getAttribute("style")) svg.removeAttribute("style");
  if (share < 100 && size() < LEAST_FORMULA) report(formula, `a formula is so wide that it is shown at ${Math.round(share)} % of its size`);
}

// ---- Slides

/** Put parts that stand beside each other below each other. What appeared as one fragment appears as several. */
function unwrap(holder) {
  const elements = [...holder.querySelectorAll(":scope > .part")].flatMap((part) => [...part.childNodes]);
  if (holder.matches(".fragment")) for (const one of elements) one.classList?.add("fragment");
  if (holder.matches(".slide-body")) holder.replaceChildren(...[...holder.childNodes].flatMap((one) => (one.matches?.(".part") ? [...one.childNodes] : [one])));
  else holder.replaceWith(...elements);
}

/** Put the picture of some code below the code instead of beside it if it is then larger, and reads better. */
function choosePlace(section) {
  const { width, height: most } = room(section);
  for (const pair of body(section).querySelectorAll(".code-and-picture")) {
    const [code, place] = pair.querySelectorAll(":scope > .part"), elements = [...place.querySelectorAll(":scope > .element")];
    const media = elements.length === 1 ? picture(elements[0]) : null;
    if (!media) continue;
    const own = ownSize(media), lines = height(code, section);
    const factor = (wide, high) => Math.min(wide / own.width, high / own.height, enlarged(own, media));
    const rest = parts(body(section)).filter((one) => one !== pair).reduce((sum, one) => sum + one.getBoundingClientRect().height / unit(section) + GAP, 0);
    const beside = factor(place.clientWidth / unit(section), most - rest);
    const below = factor(width, most - rest - lines - GAP);
    if (below > 1.15 * beside || (below > 0.9 * beside && [...code.querySelectorAll("pre")].some(linesWrap))) unwrap(pair);
  }
  if (!body(section).querySelector(".part")) section.classList.remove("beside");
}

/** Return whether a line of code needs more than one line on the slide. */
function linesWrap(pre) {
  const style = getComputedStyle(pre), count = pre.textContent.trimEnd().split("\n").length;
  return pre.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom) > (count + 0.6) * parseFloat(style.lineHeight);
}

/** If what stands beside each other does not fit, it is put below each other. */
function stack(section) {
  const columns = [...body(section).querySelectorAll(".part")];
  if (columns.length < 2) return;
  const all = growPictures(section);
  const overflows = columns.some((one) => height(one, section) > room(section).height + TOLERANCE);
  releasePictures(all);
  if (!overflows) return;
  for (const one of new Set(columns.map((column) => column.parentElement))) unwrap(one);
  section.classList.remove("beside");
}

/** Compose one slide. Return the slides that it becomes. */
function composeSlide(section, report) {
  const most = () => room(section).height;
  for (const element of body(section).querySelectorAll(".element.picture, .element.prose")) {
    if (!shown(element)) continue;
    const media = picture(element), table = element.querySelector("table");
    if (!media) element.classList.replace("picture", table ? "table" : "prose");
    else if (!media.matches("img[width], img[height]") && ownSize(media).height > 0.15 * SLIDE) element.classList.replace("prose", "picture");
  }
  fitWidths(section, report);
  choosePlace(section);
  const all = growPictures(section);
  if (!fits(section) && !all.length) {
    const factor = SHRINK.find((one) => (scale(section, one), fits(section)));
    if (!factor) scale(section, 1);
  }
  if (!fits(section)) stack(section);
  const alone = parts(body(section)).some((one) => one.matches(".film")) && parts(body(section)).length > 1;
  if (fits(section) && !alone) return finish(section, report);

  for (const one of pictures(section)) setHeight(one, one.least);
  for (const film of body(section).querySelectorAll(".film")) film.style.height = `${(100 * most()) / SLIDE}cqh`;
  const box = body(section), top = box.getBoundingClientRect().top, one = unit(section);
  const rects = parts(box).map((part) => part.getBoundingClientRect());
  const total = { top: (rects[0].top - top) / one, bottom: (rects[rects.length - 1].bottom - top) / one };
  const chosen = best(breaksIn(box, section), total, most());
  const slides = [section];
  for (const place of chosen.reverse()) slides.splice(1, 0, divide(section, place));
  for (const film of slides.flatMap((slide) => [...body(slide).querySelectorAll(".film")])) film.style.removeProperty("height");
  if (slides.length === 1) {
    force(section, report);
    return finish(section, report);
  }
  return slides.flatMap((slide) => laidOut(slide, () => {
    growPictures(slide);
    if (fits(slide)) return finish(slide, report);
    return composeSlide(slide, report);
  }));
}

/** Make a slide fit that can't be divided. */
function force(section, report) {
  for (const factor of [...SHRINK, 0.8, 0.7, 0.6]) {
    scale(section, factor);
    growPictures(section);
    if (fits(section)) return;
  }
  const factor = room(section).height / need(section);
  for (const one of parts(body(section))) one.style.zoom = factor.toFixed(3);
  report(body(section), `something can't be divided and is too large for a slide; it is shown at ${Math.round(100 * factor)} % of its size`);
}

function finish(section, report) {
  const all = growPictures(section);
  for (const one of all) {
    const size = smallestText(one, section);
    if (size && size < 11) report(one.box, `the text of a picture is ${size.toFixed(0)} px high on a slide of 720 px`);
    const { width, height } = one.own, share = Math.min(one.media.getBoundingClientRect().height / unit(section) / height, room(section).width / width);
    const strip = width < height / STRIP ? "high and narrow" : height < width / STRIP ? "wide and low" : "";
    if (strip && share < LEAST_STRIP) report(one.box, `a picture of ${Math.round(width)} x ${Math.round(height)} pixels is ${strip}; it is shown at ${Math.round(100 * share)} % of its size, so its text may be too small`);
  }
  const special = APART.some((kind) => section.classList.contains(kind)) || all.length || body(section).querySelector(".film");
  section.classList.toggle("sparse", !special && need(section) < 0.4 * room(section).height);
  releasePictures(all);
  section.dataset.composed = "";
  return [section];
}

/** Return the size of the smallest text in an SVG, or 0 if there is none or it can't be found. */
function smallestText({ media }, section) {
  if (media.localName !== "svg") return 0;
  const sizes = [...media.querySelectorAll("text")].map((one) => {
    const matrix = one.getScreenCTM();
    return one.textContent.trim() && matrix ? (parseFloat(getComputedStyle(one).fontSize) * Math.hypot(matrix.a, matrix.b)) / unit(section) : Infinity;
  });
  return sizes.length ? Math.min(...sizes) : 0;
}

function compose(root) {
  const found = [], known = new Set();
  const report = (node, words) => {
    const key = `${cell(node)} ${words}`;
    if (!known.has(key)) found.push({ cell: cell(node), words });
    known.add(key);
  };
  const style = document.createElement("style");
  style.textContent = MEASURING;
  document.head.append(style);
  try {
    for (const section of [...root.querySelectorAll("section")]) {
      if (section.dataset.composed !== undefined || !body(section) || section.querySelector("section")) continue;
      try {
        laidOut(section, () => composeSlide(section, report));
      } catch (error) { // content that is not foreseen: it stays, and may not fit
        report(body(section), `a slide could not be composed (${error.message}); look at it`);
      }
    }
  } finally {
    style.remove();
  }
  return found;
}

/** Shrink a slide that is shown if it overflows a little, as it may with other fonts. */
function refit(section) {
  const box = section && body(section);
  if (!box?.clientHeight || box.querySelector(".film")) return;
  const overflows = () => box.scrollHeight > box.clientHeight + 1;
  if (!overflows()) return;
  SHRINK.find((factor) => (scale(section, factor), !overflows()));
}

window.compose = compose;
window.refit = refit;
}
