// SPDX-License-Identifier: GPL-2.0-only
//
// What the current slide of a deck looks like from a chair: text and its size, what is drawn, what is cut or overlaps.
// Sizes are in pixels of a screen 720 pixels high, whatever the size of the window.

(() => {
  const SHOWN = { checkOpacity: true, checkVisibilityCSS: true };
  const HIDDEN = "mjx-assistive-mml, script, style, template, noscript, .slide-footer, aside.notes, title, desc";
  const unit = () => innerHeight / 720;
  const pictures = new WeakMap(); // image: size of its smallest text at scale 1

  const slides = () => [...document.querySelectorAll(".slides section")].filter((one) => !one.querySelector("section"));
  const current = () => window.kvmmmu.deck.getCurrentSlide();

  /** Whether an element is made invisible for the eye but not for a screen reader. */
  function forTheEarOnly(element) {
    const style = getComputedStyle(element);
    return /rect\(0|rect\(1px/.test(style.clip) || /inset\(50%|inset\(100%/.test(style.clipPath) || (style.position === "absolute" && element.offsetWidth <= 1 && element.offsetHeight <= 1);
  }

  /** The factor by which the transforms and view boxes around an element enlarge it. */
  function scale(element) {
    if (element instanceof SVGElement) {
      const m = (element.closest("text") ?? element).getScreenCTM?.();
      return m ? Math.sqrt(Math.abs(m.a * m.d - m.b * m.c)) : 1;
    }
    const ratio = element.offsetHeight > 8 ? element.getBoundingClientRect().height / element.offsetHeight : 1;
    return Math.abs(ratio - 1) < 0.08 ? 1 : ratio; // offsetHeight is a rounded number
  }

  /** What a text is: the words of the report. */
  function kind(element) {
    if (element.closest(".film, .picture") && element.closest("svg")) return "drawing";
    if (element.closest(".kp-legend")) return "legend";
    if (element.closest(".kp-words, .kp-caption")) return element.closest("small, .kp-source, .kp-detail") ? "film" : "caption";
    if (element.closest(".film")) return "film";
    if (element.closest("h1, h2, .slide-title")) return "title";
    if (element.closest("table")) return "table";
    if (element.closest("pre")) return "code";
    if (element.closest("code, kbd, samp, sub, sup, small")) return "small";
    return "prose";
  }

  /** Text below an element: [{ element, kind, size, boxes, words }], only what can be seen. */
  function texts(root) {
    const found = [], seen = new Map();
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (!node.data.trim()) continue;
      const element = node.parentElement;
      if (!seen.has(element)) {
        let visible = element.checkVisibility(SHOWN) && !element.closest(HIDDEN);
        for (let one = element; visible && one !== root && one instanceof HTMLElement; one = one.parentElement) visible = !forTheEarOnly(one);
        seen.set(element, visible && { kind: kind(element), size: (parseFloat(getComputedStyle(element).fontSize) * scale(element)) / unit() });
      }
      const about = seen.get(element);
      if (!about) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const boxes = [...range.getClientRects()].filter((box) => box.width > 0.5 && box.height > 0.5);
      if (boxes.length) found.push({ element, ...about, boxes, words: node.data.trim().slice(0, 40) });
    }
    return found;
  }

  /** Formulas that MathJax drew: 1000 units of their view boxes are one em. */
  function formulas(root) {
    return [...root.querySelectorAll("mjx-container > svg")].filter((svg) => svg.checkVisibility(SHOWN)).map((svg) => {
      const box = svg.getBoundingClientRect();
      return { element: svg, kind: "formula", size: (box.width / svg.viewBox.baseVal.width) * 1000 / unit(), boxes: [box], words: "formula" };
    });
  }

  /** The smallest text in an SVG picture that is an image, at scale 1. */
  function textInImage(image) {
    if (!pictures.has(image)) {
      let least = Infinity;
      if (image.src.startsWith("data:image/svg+xml")) {
        const data = image.src.slice(image.src.indexOf(",") + 1);
        const bytes = /;base64/.test(image.src.slice(0, 80)) ? atob(data) : unescape(data);
        const source = new TextDecoder().decode(Uint8Array.from(bytes, (letter) => letter.charCodeAt(0)));
        const place = document.createElement("div");
        place.style.cssText = `position:fixed;left:-99999px;top:0;width:${image.naturalWidth}px`;
        document.body.append(place);
        place.attachShadow({ mode: "open" }).innerHTML = source.slice(source.indexOf("<svg"));
        for (const text of place.shadowRoot.querySelectorAll("text, foreignObject *")) {
          if (!text.textContent.trim() || !text.checkVisibility(SHOWN)) continue;
          least = Math.min(least, parseFloat(getComputedStyle(text).fontSize) * scale(text));
        }
        place.remove();
      }
      pictures.set(image, least);
    }
    return pictures.get(image);
  }

  /** The box that an image takes inside its element (object-fit: contain). */
  function imageBox(image) {
    const box = image.getBoundingClientRect();
    if (!image.naturalWidth || getComputedStyle(image).objectFit !== "contain") return box;
    const least = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
    const [width, height] = [image.naturalWidth * least, image.naturalHeight * least];
    return new DOMRect(box.left + (box.width - width) / 2, box.top + (box.height - height) / 2, width, height);
  }

  const union = (boxes) => boxes.length && {
    left: Math.min(...boxes.map((one) => one.left)), top: Math.min(...boxes.map((one) => one.top)),
    right: Math.max(...boxes.map((one) => one.right)), bottom: Math.max(...boxes.map((one) => one.bottom)),
  };

  /** Whether a part of a drawing leaves ink. */
  function inked(shape) {
    if (!shape.checkVisibility(SHOWN) || shape.closest("defs, clipPath, mask, marker, symbol")) return false;
    const style = getComputedStyle(shape);
    return /text|image|use/i.test(shape.tagName) || (style.fill !== "none" && style.fillOpacity !== "0") || style.stroke !== "none";
  }

  /** The boxes of what is drawn by films and pictures. */
  function drawings(root) {
    const found = [];
    for (const place of root.querySelectorAll(".film, .picture, .prose img")) {
      if (!place.checkVisibility(SHOWN)) continue;
      const images = (place.matches("img") ? [place] : [...place.querySelectorAll("img, canvas, video")]).filter((one) => one.checkVisibility(SHOWN));
      const shapes = [...place.querySelectorAll("svg")].filter((svg) => !svg.parentElement.closest("svg") && !svg.closest(".kp-legend, .kp-controls, button, mjx-container"))
        .flatMap((svg) => [...svg.querySelectorAll("path, rect, line, polyline, polygon, circle, ellipse, text, image, use")]).filter(inked);
      const boxes = [
        ...images.map((one) => (one.matches("img") ? imageBox(one) : one.getBoundingClientRect())),
        ...shapes.map((one) => one.getBoundingClientRect()),
      ].filter((box) => box.width + box.height > 1);
      if (boxes.length) found.push({ place, box: union(boxes), images });
    }
    return found;
  }

  const within = (box) => ({ left: Math.max(0, box.left), top: Math.max(0, box.top), right: Math.min(innerWidth, box.right), bottom: Math.min(innerHeight, box.bottom) });
  const area = (box) => Math.max(0, box.right - box.left) * Math.max(0, box.bottom - box.top);
  const name = (element) => `${element.tagName.toLowerCase()}${element.classList?.length ? "." + [...element.classList].join(".") : ""}`;

  /** What hangs out of the slide or of a box that clips it. */
  function cut(parts, root) {
    const found = [], clips = new Map();
    const clip = (element) => {
      if (!element || element === document.documentElement) return { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
      if (clips.has(element)) return clips.get(element);
      const style = getComputedStyle(element);
      let box = clip(style.position === "absolute" ? element.offsetParent : element.parentElement);
      if (style.overflowX !== "visible" || style.overflowY !== "visible" || element === root) {
        const own = element.getBoundingClientRect();
        if (!(element instanceof SVGElement) || element.matches("svg")) box = { left: Math.max(box.left, own.left), top: Math.max(box.top, own.top), right: Math.min(box.right, own.right), bottom: Math.min(box.bottom, own.bottom) };
      }
      clips.set(element, box);
      return box;
    };
    for (const { element, boxes, words } of parts) {
      const edge = clip(element);
      const slack = 3 * unit();
      if (boxes.some((box) => box.left < edge.left - slack || box.right > edge.right + slack || box.top < edge.top - slack || box.bottom > edge.bottom + slack))
        found.push(`${name(element)} "${words}"`);
    }
    return found;
  }

  /** Pairs that cover each other: lines of text, and the boxes of a slide. */
  function overlapping(parts, root) {
    const found = [], lines = [];
    for (const part of parts)
      for (const box of part.boxes) {
        const third = box.height * 0.3; // the boxes of two lines may touch; their letters don't
        lines.push({ part, left: box.left + 1, right: box.right - 1, top: box.top + third, bottom: box.bottom - third });
      }
    lines.sort((a, b) => a.top - b.top);
    for (let n = 0; n < lines.length; n += 1)
      for (let k = n + 1; k < lines.length && lines[k].top < lines[n].bottom; k += 1) {
        const [a, b] = [lines[n], lines[k]];
        if (a.part !== b.part && a.left < b.right && b.left < a.right && !a.part.element.contains(b.part.element) && !b.part.element.contains(a.part.element))
          found.push(`"${a.part.words}" and "${b.part.words}"`);
      }
    const boxes = [...root.querySelectorAll(".element, .slide-title, .slide-footer")].filter((one) => one.checkVisibility(SHOWN) && one.getBoundingClientRect().height > 1);
    boxes.forEach((one, n) => boxes.slice(n + 1).forEach((other) => {
      const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
      const slack = 3 * unit();
      if (!one.contains(other) && Math.min(a.right, b.right) - Math.max(a.left, b.left) > slack && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > slack)
        found.push(`${name(one)} and ${name(other)}`);
    }));
    return found;
  }

  /** Where the deck is: a text that differs after each press that did something. */
  function place() {
    const slide = current();
    const films = [...slide.querySelectorAll(".film[data-film]")].map((one) => window.kvmmmu.players?.get(one)?.step ?? slide.querySelectorAll(".film-step.visible").length);
    return [slides().indexOf(slide), slide.querySelectorAll(".fragment.visible").length, ...films].join(".");
  }

  function look() {
    const slide = current();
    const root = slide.querySelector(".slide-content") ?? slide;
    const parts = [...texts(root), ...formulas(root)];
    const drawn = drawings(root);
    const images = drawn.flatMap(({ images }) => images).filter((one) => one.matches("img"));
    const sizes = {};
    const note = (kind, size, words) => { if (!(size >= (sizes[kind]?.[0] ?? Infinity))) sizes[kind] = [Math.round(size * 100) / 100, words]; };
    for (const { kind, size, words } of parts) note(kind, size, words);
    for (const image of images) {
      const least = textInImage(image);
      if (least < Infinity) note("drawing", (least * imageBox(image).width) / image.naturalWidth / unit(), "text in an image");
    }
    const graphics = drawn.map(({ place, box }) => ({ element: place, boxes: [box], words: "drawing" }));
    const content = [...parts.flatMap(({ boxes }) => boxes), ...drawn.map(({ box }) => box)];
    const title = [...slide.querySelectorAll("h1, h2, h3")].find((one) => one.checkVisibility(SHOWN) && one.textContent.trim() && !one.closest("aside"));
    return {
      place: place(),
      slide: slides().indexOf(slide),
      kind: [...slide.classList].filter((one) => !["slide", "present", "past", "future", "visible"].includes(one)).join(" "),
      title: title?.innerText.trim() ?? "",
      sizes,
      drawn: drawn.length ? area(within(union(drawn.map(({ box }) => box)))) / (innerWidth * innerHeight) : null,
      end: content.length ? union(content).bottom / innerHeight : 0,
      cut: cut([...parts, ...graphics], root),
      overlapping: overlapping(parts, root),
      steps: [...slide.querySelectorAll(".film[data-film]")].map((one) => [Number(one.dataset.film), window.kvmmmu.players?.get(one)?.step ?? slide.querySelectorAll(".film-step.visible").length]),
    };
  }

  /** How many slides and steps there are. */
  function whole() {
    const films = [...document.querySelectorAll(".film-data")].map((data) => JSON.parse(data.textContent).chapters.reduce((sum, { steps }) => sum + steps.length, 0));
    return { slides: slides().length, films };
  }

  /** What the current slide says: [{ title, text, notes, pictures, cells }]; formulas as their TeX in ⟦⟧, numbers of items as "1." */
  function read(slide = current()) {
    const root = slide.querySelector(".slide-content") ?? slide;
    const words = [], pictures = [], cells = new Set();
    const picture = (element, found) => {
      pictures.push(found);
      const cell = element.closest("[data-cell]");
      if (cell) cells.add(Number(cell.dataset.cell));
    };
    const walk = (node) => {
      if (node.nodeType === Node.TEXT_NODE) {
        if (node.data.trim() && node.parentElement.checkVisibility(SHOWN)) words.push(node.data);
        return;
      }
      if (node.nodeType !== Node.ELEMENT_NODE || node.matches(HIDDEN) || node.matches(".film-step")) return;
      if (node.matches(".slide-title") && slide.classList.contains("continued")) return;
      const tex = node.dataset?.tex ?? node.getAttribute?.("data-latex") ?? node.getAttribute?.("alttext");
      if (tex !== null && tex !== undefined) {
        if (node.checkVisibility(SHOWN)) words.push(`⟦${tex}⟧`);
        return;
      }
      if (node.matches("svg")) return picture(node, ["svg", [...node.querySelectorAll("text")].map((one) => one.textContent).join("")]);
      if (node.matches("img, video, audio, iframe")) {
        const source = node.currentSrc || node.src || node.querySelector("source")?.src || "";
        if (node.checkVisibility(SHOWN)) picture(node, ["source", source]);
        return;
      }
      if (node.matches("ol > li") && getComputedStyle(node).listStyleType !== "none") {
        let number = node.parentElement.start;
        for (const item of node.parentElement.children) {
          if (item.hasAttribute("value")) number = item.value;
          if (item === node) break;
          number += 1;
        }
        words.push(` ${number}.`);
      }
      node.childNodes.forEach(walk);
    };
    walk(root);
    const notes = [...slide.querySelectorAll("aside.notes")].map((one) => one.textContent).join("\n");
    return { text: words.join(""), notes, pictures, cells: [...cells] };
  }

  /* From a key to the frame after it. */
  const waits = [];
  addEventListener("keydown", (event) => {
    const begin = event.timeStamp;
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => waits.push(performance.now() - begin);
      port2.postMessage(null);
    });
  }, true);
  const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

  /** All fragments of the current slide have faded in. */
  const still = () => {
    const ends = current().getAnimations({ subtree: true }).filter((one) => one.playState === "running" && one.effect.getComputedTiming().endTime < Infinity);
    return Promise.allSettled(ends.map((one) => one.finished)).then(() => null);
  };

  window.measures = { look, read, whole, waits, still, settled: () => painted().then(look) };
})();
