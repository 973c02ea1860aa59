// SPDX-License-Identifier: GPL-2.0-only
//
// The search of the site: headings, texts, code, outputs, and the steps of films. See search.py for the data.

const MOST_PAGES = 12;
const MOST_RESULTS = 4; // of a page, until more are asked for
const EXCERPT = { before: 50, after: 120 }; // letters
const WEIGHTS = { title: 8, heading: 5, text: 1.2, step: 1.1, film: 0.6, picture: 0.9, output: 0.9, code: 0.8 };
const HITS = { whole: 4, start: 2, inside: 1 }; // a word of the query is a whole word of the text, begins one, or is inside one
const CONTEXT = 0.25; // what a hit in the title of the page or section counts for a passage

const LETTER = /[\p{L}\p{N}_]/u;

/** Return the words of a query, in lower case. */
const wordsOf = (query) => query.toLowerCase().split(/\s+/).filter(Boolean);

/** Return how well a word is found in a text, both in lower case, and where: [0, -1] if it isn't. */
function hitOf(text, word) {
  let best = [0, -1];
  for (let at = text.indexOf(word); at >= 0 && best[0] < HITS.whole; at = text.indexOf(word, at + 1)) {
    const end = at + word.length;
    const starts = !LETTER.test(word[0]) || !at || !LETTER.test(text[at - 1]);
    // "#248:454" has "#248" in it, but is another word
    const ends = end === text.length || !(LETTER.test(text[end]) || (text[end] === ":" && LETTER.test(text[end + 1] ?? " ")));
    const worth = starts ? (ends ? HITS.whole : HITS.start) : HITS.inside;
    if (worth > best[0]) best = [worth, at];
  }
  return best;
}

/** Prepare the index: pages with their passages, also in lower case. */
function searchable(rows) {
  return rows.map(([path, name, title, headings, passages]) => {
    const films = passages.filter(([kind]) => kind === "film");
    const lower = headings.map((heading) => heading.toLowerCase());
    const titled = { kind: "title", id: "", heading: "", text: title, lower: title.toLowerCase(), context: "" };
    const others = passages.map(([kind, id, at, text]) => ({ kind, id, heading: headings[at], text, lower: text.toLowerCase(),
      context: `${lower[at]} ${titled.lower} ${name.toLowerCase()}`, films: films.filter((film) => film[2] === at).map((film) => film[1]) }));
    return { path, name, title, passages: [titled, ...others] };
  });
}

/** Return the passages of a page that have all words, the best first. Part of the words may be in the title or heading. */
function passagesWith(page, words) {
  const phrase = words.join(" ");
  const found = [];
  for (const passage of page.passages) {
    let score = 0;
    let own = 0;
    let at = -1;
    const missing = words.some((word) => {
      const [worth, place] = hitOf(passage.lower, word);
      if (worth) {
        own += worth;
        if (at < 0 || worth === HITS.whole) at = at < 0 ? place : at;
      } else {
        const [near] = passage.context ? hitOf(passage.context, word) : [0];
        score += near * CONTEXT;
        return !near;
      }
      return false;
    });
    if (missing || !own) continue;
    const together = words.length > 1 ? passage.lower.indexOf(phrase) : -1;
    if (together >= 0) at = together;
    score += own * WEIGHTS[passage.kind] * (together >= 0 ? 1.5 : 1);
    found.push({ ...passage, score: score / words.length, at });
  }
  return found.sort((one, other) => other.score - one.score);
}

/** Return the pages with passages that have all words of a query, the best first. */
function pagesWith(pages, query) {
  const words = wordsOf(query);
  if (!words.length) return [];
  const found = pages.map((page) => ({ ...page, found: passagesWith(page, words) })).filter((page) => page.found.length);
  return found.sort((one, other) => other.found[0].score - one.found[0].score);
}

/** Return where a passage is: "Lesson 0, Watch one fault, step 7 of the film". */
function whereOf(page, { kind, id, heading, films }) {
  const place = [page.name];
  if (heading && kind !== "heading") place.push(heading);
  const [, film, step] = id.match(/^(film-\d+)(?:-step-(\d+))?$/) ?? [];
  if (film) {
    const which = films.length > 1 ? `film ${films.indexOf(film) + 1}` : "the film";
    place.push(step === undefined ? which : `step ${step} of ${which}`);
  } else if (["code", "output", "picture"].includes(kind)) place.push(kind);
  return place.join(", ");
}

/** Return the part of a text around a place, with the words of the query marked. */
function excerptOf(text, at, words) {
  const from = at > EXCERPT.before ? text.indexOf(" ", at - EXCERPT.before) + 1 : 0;
  const to = text.length > at + EXCERPT.after ? Math.max(text.lastIndexOf(" ", at + EXCERPT.after), at + words[0].length) : text.length;
  const span = document.createElement("span");
  span.className = "excerpt";
  let end = from;
  span.append(from ? "\u2026" : "");
  for (const [start, stop] of placesOf(text, words)) {
    if (start < end || stop > to) continue;
    const mark = document.createElement("mark");
    mark.textContent = text.slice(start, stop);
    span.append(text.slice(end, start), mark);
    end = stop;
  }
  span.append(text.slice(end, to), to < text.length ? "\u2026" : "");
  return span;
}

/** Return where the words occur in a text, in order: [start, end] pairs. Whole words, if a word occurs as one. */
function placesOf(text, words) {
  const lower = text.toLowerCase();
  const found = words.flatMap((word) => {
    const every = [];
    for (let at = lower.indexOf(word); at >= 0; at = lower.indexOf(word, at + word.length)) every.push([at, at + word.length]);
    return every;
  });
  return found.sort(([one], [other]) => one - other);
}

/** The search field with its list of results. */
class Search {
  constructor(field, list, status, up) {
    Object.assign(this, { field, list, status, up });
    field.addEventListener("input", () => this.search());
    field.addEventListener("click", () => this.search());
    for (const part of [field, list]) part.addEventListener("keydown", (event) => this.onKey(event));
    document.addEventListener("keydown", (event) => this.onSlash(event));
    document.addEventListener("pointerdown", ({ target }) => list.contains(target) || target === field || this.close());
    document.addEventListener("focusin", ({ target }) => list.contains(target) || target === field || this.close());
  }

  /** Load the index. It is a script, because a page opened as a file can't fetch data. */
  load() {
    return (this.loaded ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${this.up}search.js`;
      script.onload = () => resolve(searchable(window.kvmmmuIndex));
      script.onerror = () => ((this.loaded = undefined), reject(new Error("no index")));
      document.head.append(script);
    }));
  }

  async search() {
    const query = this.field.value.trim();
    if (!query) return this.close();
    try {
      const index = await this.load();
      if (this.field.value.trim() === query) this.show(query, pagesWith(index, query));
    } catch {
      this.open(this.say("The search index, search.js, can't be loaded."));
    }
  }

  show(query, pages) {
    const count = pages.reduce((sum, page) => sum + page.found.length, 0);
    const plural = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
    const words = wordsOf(query);
    const left = pages.length > MOST_PAGES ? `. The best ${MOST_PAGES} pages are shown` : "";
    const said = count ? `${plural(count, "result")} on ${plural(pages.length, "page")}${left}` : `Nothing contains ${query}`;
    this.open(this.say(said), ...pages.slice(0, MOST_PAGES).map((page, number) => this.group(page, number, words, query)));
  }

  /** Return the results of a page. */
  group(page, number, words, query) {
    const root = document.createElement("section");
    const title = document.createElement("p");
    title.id = `found-${number}`;
    title.className = "found-page";
    title.textContent = page.title;
    const list = document.createElement("ul");
    list.setAttribute("aria-labelledby", title.id);
    const items = (from, to) => page.found.slice(from, to).map((passage) => this.item(page, passage, words, query));
    list.append(...items(0, MOST_RESULTS));
    root.append(title, list);
    const rest = page.found.length - MOST_RESULTS;
    if (rest > 0) {
      const more = document.createElement("button");
      more.type = "button";
      more.textContent = `${rest} more on this page`;
      more.addEventListener("click", () => {
        const others = items(MOST_RESULTS);
        list.append(...others);
        more.remove();
        others[0].firstChild.focus();
      });
      root.append(more);
    }
    return root;
  }

  item(page, passage, words, query) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `${this.up}${page.path}?find=${encodeURIComponent(query)}${passage.id ? `#${encodeURIComponent(passage.id)}` : ""}`;
    const where = document.createElement("span");
    where.className = "where";
    where.textContent = whereOf(page, passage);
    link.append(where, excerptOf(passage.text, Math.max(0, passage.at), words));
    item.append(link);
    return item;
  }

  /** Show a text above the results, and announce it. */
  say(words) {
    clearTimeout(this.later); // a screen reader would read every count while somebody types
    this.later = setTimeout(() => (this.status.textContent = words), 400);
    const line = document.createElement("p");
    line.className = "found-count";
    line.textContent = words;
    return line;
  }

  open(...parts) {
    this.list.replaceChildren(...parts);
    this.list.hidden = false;
    this.list.scrollTop = 0;
  }

  close() {
    clearTimeout(this.later);
    this.status.textContent = "";
    this.list.hidden = true;
  }

  onKey(event) {
    const results = [...this.list.querySelectorAll("a, button")];
    const at = results.indexOf(document.activeElement);
    if (event.key === "Escape") {
      if (this.list.hidden) this.field.value = "";
      this.field.focus();
      this.close();
    } else if (event.key === "Enter" && at < 0) results[0]?.click();
    else if (event.key === "ArrowDown" && this.list.hidden) this.search();
    else if (event.key === "ArrowDown") results[at + 1]?.focus();
    else if (event.key === "ArrowUp" && at >= 0) (results[at - 1] ?? this.field).focus();
    else return;
    if (event.key !== "Enter" || at < 0) event.preventDefault();
  }

  onSlash(event) {
    if (event.key !== "/" || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    this.field.focus();
    this.field.select();
  }
}
