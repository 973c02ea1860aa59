// SPDX-License-Identifier: GPL-2.0-only
//
// Typesetting: formulas, diagrams and charts become SVG. The kit runs this script when it exports a page. Without a browser at
// that time, the page runs it when it is opened. The libraries that a page needs come after this script.
//
//   typeset(root)   Typeset what is in `root`. Return a promise of [{cell, words}]: what could not be typeset.
//
// A formula keeps its source in the attribute data-tex, and a diagram in data-source.

// MathJax reads this when it starts. It doesn't look for delimiters: the Markdown renderer knows where formulas are, and that a
// price is none. Each formula contains its own glyphs, so that it can be moved or repeated.
window.MathJax = {
  startup: { typeset: false },
  tex: { packages: { "[-]": ["noerrors"] }, tags: "ams" },
  svg: { fontCache: "local" },
  options: { enableMenu: false, renderActions: { find: [10, (list) => addFormulas(list), ""] } },
};

const cellOf = (node) => Number((node.closest("[data-cell]") ?? node.closest("section")?.querySelector("[data-cell]"))?.dataset.cell ?? 0);

/** Return the beginning of a source as one line. */
const quoted = (source) => {
  const line = source.trim().replace(/\s+/g, " ");
  return line.length > 60 ? `${line.slice(0, 57)}...` : line;
};

const MOST_ROWS = 11, ROWS = 8;

/** Divide the TeX of aligned formulas with many rows, which may not fit on a slide, into several. */
function dividedByRows(tex) {
  const [, name, first, inner] = /^\s*\\begin\{((?:align|gather|eqnarray|flalign|aligned|gathered)\*?)\}(\s*\[[tcb]\])?(.*)\\end\{\1\}\s*$/s.exec(tex) ?? [];
  if (!name) return [tex];
  const rows = [""];
  let depth = 0;
  for (const [token] of inner.matchAll(/\\(?:begin|end)\b|\\\\(?:\s*\[[^\]&]*\d(?:pt|em|ex|mm|cm|in)\])?|\\.|[{}]|[^\\{}]+/gs)) {
    if (token === "{" || token === "\\begin") depth += 1;
    if (token === "}" || token === "\\end") depth -= 1;
    if (token.startsWith("\\\\") && depth === 0) rows.push("");
    else rows[rows.length - 1] += token;
  }
  if (!rows[rows.length - 1].trim()) rows.pop();
  if (rows.length <= MOST_ROWS) return [tex];
  const count = Math.ceil(rows.length / ROWS), each = Math.ceil(rows.length / count);
  return Array.from({ length: count }, (_, part) => `\\begin{${name}}${first ?? ""}${rows.slice(part * each, (part + 1) * each).join("\\\\")}\\end{${name}}`);
}

const WIDEST = 52, LINE = 38;  // em: a wider formula is broken into lines of about this width
const X_HEIGHT = 0.442;  // of MathJax's fonts, in em

/** Return the width of a formula's SVG in em. One with a number is as wide as its place, and has a least width. */
const widthOf = (svg) => parseFloat(svg.style.minWidth) * X_HEIGHT || svg.viewBox.baseVal.width / 1000;

/** Break the TeX of one long line before operators into `count` lines. Return null if it has rows of its own, or no operators. */
function brokenIntoLines(tex, count) {
  const [, before, name, inside] = /^\s*(?:(\\displaystyle)\b|\\begin\{(equation\*?|displaymath)\})?(.*?)(?:\\end\{\2\})?\s*$/s.exec(tex);
  const labels = (inside.match(/\\(?:label|tag\*?)\s*\{[^{}]*\}|\\(?:nonumber|notag)\b/g) ?? []).join("");
  const line = inside.replace(/\\(?:label|tag\*?)\s*\{[^{}]*\}|\\(?:nonumber|notag)\b/g, "");
  for (const brackets of ["([", ""]) {
    const pieces = [{ tex: "", size: 0 }];
    let depth = 0, last = "";
    for (const [token] of line.matchAll(/\\(?:[A-Za-z]+|.)|\s+|[^\\]/gs)) {
      if (/^(?:\{|\\left|\\begin)$/.test(token) || (brackets && /^[(\[]$/.test(token))) depth += 1;
      if (/^(?:\}|\\right|\\end)$/.test(token) || (brackets && /^[)\]]$/.test(token))) depth -= 1;
      if (depth === 0 && /^(?:&|\\\\|\\cr)$/.test(token)) return null;
      const operator = /^(?:[-+=<>]|\\(?:pm|mp|leq?|geq?|approx|equiv|sim|to|Rightarrow|Leftrightarrow|cup|cap|land|lor|oplus))$/.test(token);
      if (depth === 0 && operator && last && !/^(?:[-+=<>(\[^_,]|\\(?:left|cdot|times|leq?|geq?))$/.test(last)) pieces.push({ tex: "", size: 0 });
      const piece = pieces[pieces.length - 1];
      piece.tex += token;
      if (/^(?:[^\s{}^_&]|\\[A-Za-z]+)$/.test(token)) piece.size += 1;
      if (token.trim()) last = token;
    }
    if (depth !== 0 || pieces.length < 2) continue;
    const whole = pieces.reduce((sum, piece) => sum + piece.size, 0), lines = [""];
    let size = 0;
    for (const piece of pieces) {
      if (size && size + piece.size / 2 > (whole / count) * lines.length) lines.push("");
      lines[lines.length - 1] += piece.tex;
      size += piece.size;
    }
    const aligned = `\\begin{aligned}${lines.map((one, number) => `&${number ? "\\quad{}" : (before ?? "")}${one.trim()}`).join("\\\\")}\\end{aligned}`;
    return name ? `\\begin{${name}}${aligned}${labels}\\end{${name}}` : aligned + labels;
  }
  return null;
}

/** Keep a formula and the punctuation after it on one line. */
function keepPunctuation(span) {
  const [mark] = /^[.,;:!?)\]\u2019\u201d]+/.exec(span.nextSibling?.nodeType === Node.TEXT_NODE ? span.nextSibling.data : "") ?? [];
  if (!mark || span.dataset.display === "true") return;
  const group = document.createElement("span");
  group.className = "with-punctuation";
  span.nextSibling.data = span.nextSibling.data.slice(mark.length);
  span.replaceWith(group);
  group.append(span, mark);
}

/** Add the formulas of the page to MathJax's list, in the order of the page: definitions and numbers hold for what follows. */
function addFormulas(list) {
  for (const span of document.querySelectorAll(".math:not([data-tex])")) {
    span.dataset.tex = span.textContent;
    const formula = new list.options.MathItem(span.dataset.tex, list.inputJax[0], span.dataset.display === "true");
    const place = document.createTextNode("");
    span.replaceChildren(place);
    formula.start = { node: place, delim: "", n: 0 };
    formula.end = { node: place, delim: "", n: 0 };
    list.math.push(formula);
  }
}

async function typesetFormulas(root) {
  const notices = [];
  if (!root.querySelector(".math:not([data-tex])") || !MathJax.startup?.promise) return notices;
  await MathJax.startup.promise;
  const written = new Map();  // formula that is broken into lines -> its TeX as the author wrote it
  const typesetAll = () => {
    for (const span of root.querySelectorAll('.math[data-display="true"]:not([data-tex])')) {
      const parts = dividedByRows(span.textContent);
      if (parts.length === 1) continue;
      const spans = parts.map((tex) => Object.assign(span.cloneNode(false), { textContent: tex }));
      if (written.has(span)) written.set(spans[0], written.get(span));
      span.replaceWith(...spans);
    }
    formulas = [...root.querySelectorAll(".math:not([data-tex])")];
    return MathJax.typesetPromise();
  };
  let formulas;
  await typesetAll();
  for (const span of formulas) {
    const svg = span.querySelector("svg"), width = svg && !span.querySelector("[data-mjx-error]") ? widthOf(svg) : 0;
    const broken = width > WIDEST ? brokenIntoLines(span.dataset.tex, Math.ceil(width / LINE)) : null;
    if (broken) written.set(span, [span.dataset.tex, broken]);
  }
  if (written.size) {
    // Numbers and definitions depend on the order: all formulas are set once more.
    MathJax.typesetClear();
    MathJax.texReset();
    for (const span of formulas) {
      span.textContent = written.get(span)?.[1] ?? span.dataset.tex;
      delete span.dataset.tex;
    }
    await typesetAll();
    for (const [span, [tex]] of written) if (span.isConnected) span.dataset.tex = tex;
  }
  for (const span of formulas) {
    const { tex } = span.dataset;
    const error = span.querySelector("[data-mjx-error]")?.dataset.mjxError;
    if (error || !span.querySelector("svg")) {
      const code = document.createElement("code");
      code.textContent = tex.trim();
      span.replaceChildren(code);
      span.classList.add("untypeset");
      notices.push({ cell: cellOf(span), words: `the formula ${quoted(tex)} is shown as its source: ${error ?? "MathJax gave no result"}` });
      continue;
    }
    keepPunctuation(span);
    for (const link of span.querySelectorAll("a")) if (/^\s*javascript:/i.test(link.getAttribute("href") ?? "")) link.removeAttribute("href");
    const unknown = new Set([...span.querySelectorAll('mjx-assistive-mml mtext[mathcolor="red"]')].map((one) => one.textContent));
    if (unknown.size) notices.push({ cell: cellOf(span), words: `the formula ${quoted(tex)} uses ${[...unknown].join(", ")}, which is not defined` });
  }
  return notices;
}

/** Replace an element with an SVG that has a text alternative. */
function replaceWithSvg(place, kind, svg, words) {
  const box = document.createElement("div");
  box.className = kind;
  box.innerHTML = svg;
  const drawing = box.querySelector("svg");
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", words);
  place.replaceWith(box);
  return box;
}

async function typesetDiagrams(root) {
  const notices = [];
  if (typeof window.mermaid?.render !== "function") return notices;
  mermaid.initialize({ startOnLoad: false, theme: "neutral", securityLevel: "strict", htmlLabels: false, flowchart: { useMaxWidth: false, htmlLabels: false } });
  for (const [number, pre] of [...root.querySelectorAll("pre.mermaid")].entries()) {
    const source = pre.textContent.trim();
    try {
      const { svg } = await mermaid.render(`mermaid-${number}`, source);
      const box = replaceWithSvg(pre, "diagram", svg, `Diagram: ${quoted(source)}`);
      box.dataset.source = source;
      const drawing = box.querySelector("svg"), { width, height } = drawing.viewBox.baseVal;
      Object.assign(drawing.style, { maxWidth: "" });
      drawing.setAttribute("width", width);
      drawing.setAttribute("height", height);
    } catch (error) {
      document.querySelector(`#dmermaid-${number}`)?.remove();
      notices.push({ cell: cellOf(pre), words: `the Mermaid diagram ${quoted(source)} is shown as its source: ${quoted(String(error.message ?? error))}` });
    }
  }
  return notices;
}

async function typesetCharts(root) {
  const notices = [];
  if (typeof window.Plotly?.toImage !== "function") return notices;
  for (const place of root.querySelectorAll(".plotly[data-figure]")) {
    try {
      const { data, layout = {} } = JSON.parse(place.dataset.figure);
      const size = { width: layout.width ?? 700, height: layout.height ?? 420 };
      const address = await Plotly.toImage({ data, layout: { ...layout, autosize: false, ...size } }, { format: "svg", ...size });
      const image = new Image();
      image.src = address;
      const title = typeof layout.title === "string" ? layout.title : layout.title?.text;
      image.alt = title ? `Chart: ${title}` : `Chart: ${[...new Set(data.map((trace) => trace.name ?? trace.type ?? "scatter"))].join(", ")}`;
      place.replaceChildren(image);
      delete place.dataset.figure;
    } catch (error) {
      notices.push({ cell: cellOf(place), words: `an interactive chart (Plotly) is left out: ${quoted(String(error.message ?? error))}` });
    }
  }
  return notices;
}

/** Wait for what has to be there before anything can be measured. */
async function loaded(root) {
  await document.fonts.ready;
  await Promise.all([...root.querySelectorAll("img")].map((image) => image.decode().catch(() => null)));
}

async function typeset(root) {
  const notices = [...await typesetFormulas(root), ...await typesetDiagrams(root), ...await typesetCharts(root)];
  await loaded(root);
  return notices;
}

window.typeset = typeset;
