// SPDX-License-Identifier: GPL-2.0-only
//
// Speaker notes of a slide with a film, which reveal.js shows in its speaker view: the step that is shown and the next one, then
// what the author wrote, or else what the film shows, the text around it, and its key steps.

/** Make a paragraph that begins with bold words. */
const noted = (name, text) => make("p", {}, make("strong", {}, name), ` ${text}`);

/** The note of one film, an element of its slide. */
class FilmNote {
  constructor(place, film) {
    const slide = place.closest("section");
    const written = slide.querySelector(":scope > aside.notes");
    this.film = film;
    this.steps = film.chapters.flatMap(({ steps }) => steps);
    this.step = div("");
    const root = make("aside", { class: "notes film-note" }, this.step);
    if (!written) root.append(...this.about(), ...around(slide));
    slide.insertBefore(root, written);
  }

  /** Show the captions of a step and of the next one. */
  show(number) {
    const last = this.steps.length - 1;
    const next = number < last ? this.wordsOf(number + 1) : "the film has ended.";
    this.step.replaceChildren(noted(`Step ${number} of ${last}:`, this.wordsOf(number)), noted("Next:", next));
  }

  /** Return the caption of a step. Step 0 has the film's question, and maybe a remark. */
  wordsOf(number) {
    const { words } = this.steps[number];
    return number || !this.film.question ? words : `${this.film.question} ${words.replace("Before the first step.", "")}`.trim();
  }

  /** Return what the film shows, and its key steps. */
  about() {
    const items = keySteps(this.film).filter(Boolean).map((number) => make("li", { value: number }, this.steps[number].words));
    return [noted("The film:", this.film.title), noted("Key steps:", `${items.length} of ${this.steps.length - 1}`), make("ol", {}, ...items)];
  }
}

/** Return the texts beside the film: those on its slide, and on the slides before and after it that have the same title. */
function around(slide) {
  const titleOf = (one) => one?.querySelector(".slide-title")?.textContent.trim();
  const beside = (other) => (other && titleOf(other) === titleOf(slide) ? [...other.querySelectorAll(".element.prose")] : []);
  const [before, here, after] = [slide.previousElementSibling, slide, slide.nextElementSibling].map(beside);
  const texts = [["Before the film:", before.slice(-1)], ["With the film:", here], ["After the film:", after.slice(0, 1)]];
  return texts.flatMap(([name, found]) => found.length
    ? [noted(name, ""), ...found.map((one) => make("div", { dir: "auto" }, ...[...one.childNodes].map((part) => part.cloneNode(true))))] : []);
}
