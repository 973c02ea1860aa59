# SPDX-License-Identifier: GPL-2.0-only
"""Turn the cells of a notebook into slides.

Jupyter's slideshow metadata determine where a slide begins; in a notebook without such metadata, headings do. In both cases
headings of level 1 to 3 and thematic breaks (``---``) inside a cell begin a slide, too. A slide contains everything that the
notebook shows there, however long it is: a script divides it between several slides in the browser. Authors can shorten a text
with a comment, ``<!-- slide: ... -->``; the speaker notes then contain the whole text. Headings and thematic breaks in the
comment begin slides like those in the text. A cell whose slideshow metadata have a ``title`` begins a slide with this title.
"""

from __future__ import annotations

import html
import re
import textwrap
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import InputError
from ..player.page import FilmOutput
from ..printable import escaped_html
from .anchors import Anchors, plain_text
from .cell_renderer import CellRenderer
from .editions import NOTEBOOK_ONLY
from .html import markdown_html
from .line_highlights import line_highlights, with_highlights
from .links import Links
from .metadata import Metadata, front_matter_cell
from .notices import Notices
from .outputs import ANSWER, NAVIGATION, QUESTION, code_html
from .section import Block, BlockReader, Section, sections
from .summary import summary, truncated, word_count

# Cell tags, in addition to `QUESTION` and `ANSWER`. Tags of Jupyter Book and nbconvert have their usual meaning.

NO_SLIDE = frozenset({"remove-cell", "remove_cell", "hide-cell", "hide_cell", "no-slide", NAVIGATION})
"""The cell is not on any slide."""

NO_INPUT = frozenset({"remove-input", "remove_input", "hide-input", "hide_input"})
"""The cell's code is not on any slide."""

NO_OUTPUT = frozenset({"remove-output", "remove_output", "hide-output", "hide_output"})
"""The cell's output is not on any slide."""

HANDS_ON = frozenset({"try-it", "task", "check", "solution", "exercise"})
"""The learner works with the cell in the notebook. Consecutive cells of this kind become one hands-on slide."""

SHOW_INPUT = "show-input"
"""The cell's code is on a slide before its film. Without this tag, the code that makes a film is folded on the film's slide."""

INCREMENTAL = "incremental"
"""The items of the cell's lists appear one after another."""

MAX_PRINTED_LINES, PRINTED_WIDTH = 15, 110
"""The maximum number of lines of printed text in a condensed deck, and the number of characters in a line."""

MAX_LEAD = 60
"""The maximum number of words that stand below the title on a title or section slide."""

LINK_IN_DECK = re.compile(r'href="#([^"]+)"')


@dataclass
class SlideElement:
    """An element of a slide. ``kind`` is "prose", "code", "parts", "subtitle", "byline" or the kind of a `RenderedOutput`.

    ``cell`` is the number of the element's cell in the notebook, counted from 1. ``folded``: whether the element shows only
    when the audience asks for it. The ``parts`` of an element of the kind "parts" stand beside each other; ``widths`` are their
    widths in percent, 0 where the width isn't given.
    """

    kind: str
    html: str = ""
    film: FilmOutput | None = None
    cell: int = 0
    fragment: bool = False
    folded: bool = False
    parts: list[list[SlideElement]] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)

    @property
    def code_and_picture(self) -> bool:
        """Whether the parts are code, perhaps with what it prints, and the pictures that it makes."""
        kinds = [[element.kind for element in part] for part in self.parts]
        return len(kinds) == 2 and kinds[0][0] == "code" and set(kinds[1]) == {"picture"}


@dataclass
class Slide:
    """One slide. ``title`` is HTML; ``level`` is the level of its heading, 0 if there is none before it in the notebook.

    ``continued``: whether the slide repeats a title. ``kind`` is one of "title", "section", "closing", "question", "answer",
    "film", "picture", "beside", "prose" and "hands-on". ``anchor`` is the id to which links lead.
    """

    title: str = ""
    level: int = 2
    continued: bool = False
    elements: list[SlideElement] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kind: str = ""
    anchor: str = ""

    @property
    def films(self) -> list[FilmOutput]:
        """The films on the slide."""
        return [element.film for element in self.elements if element.film is not None]


def slides(
    notebook: Any,
    path: Path,
    *,
    metadata: Metadata | None = None,
    code: bool = True,
    condense: bool = False,
    links: Links | None = None,
    notices: Notices | None = None,
) -> list[Slide]:
    """Return the slides of ``notebook``, whose file is ``path``.

    ``metadata``: what the title slide shows. ``code``: whether to show code. ``condense``: whether to summarise long texts.
    ``links`` are the other decks of the export. ``notices`` takes notices about what is left out.
    """
    metadata, notices = metadata or Metadata(), Notices() if notices is None else notices
    renderer = CellRenderer(notebook, path.parent, notices, links)
    writer = _SlideWriter(renderer, path, metadata.title, code, condense)
    found = _with_title_slide(writer.write(skip=front_matter_cell(notebook)), metadata)
    for number, slide in enumerate(found):
        slide.kind = slide.kind or _kind(slide, last=number == len(found) - 1)
        slide.elements = [_with_links(element, writer.anchors) for element in slide.elements]
    return found


def heading_anchors(notebook: Any) -> Anchors:
    """Return the anchors in the deck of a notebook: those of the headings that begin slides."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    titles = [section.title for cell in cells for section in sections(cell.source) if section.title]
    return Anchors(plain_text(title_html(markdown_html(f"## {title}"))) for title in titles)


class _SlideWriter:
    """Puts the cells of a notebook on slides, one after another."""

    def __init__(self, renderer: CellRenderer, path: Path, title: str, code: bool, condense: bool) -> None:
        self.renderer, self.path, self.cells = renderer, path, renderer.cells
        self.first_title, self.show_code, self.condense = escaped_html(title or file_title(path)), code, condense
        self.slides = list[Slide]()
        self.has_slide_types = any(_slide_type(cell) in ("slide", "subslide", "fragment") for cell in self.cells)
        self.blocks = BlockReader()
        self.columns: SlideElement | None = None
        self.cell: Any = None
        self.number = 0
        self.hands_on = False
        self.anchors = Anchors()

    def write(self, skip: int = 0) -> list[Slide]:
        """Add all cells except the one with the number ``skip``, and return the slides."""
        for number, cell in enumerate(self.cells, 1):
            self.number, self.cell = number, cell
            kind, tags = _slide_type(cell), set(cell.metadata.get("tags", ()))
            if kind == "skip" or tags & NO_SLIDE or number == skip or not cell.source.strip():
                continue
            if NOTEBOOK_ONLY in tags and not tags & HANDS_ON:  # hands-on cells become a slide that points to the notebook
                continue
            if kind == "notes":
                self.current().notes.append(code_html(cell.source) if cell.cell_type == "code" else self.prose(cell.source))
            elif tags & HANDS_ON:
                self.add_hands_on()
                continue
            elif cell.cell_type == "code":
                self.add_code(kind, tags)
            elif cell.cell_type == "raw":
                raw = self.renderer.raw(number)
                if raw is not None:
                    self.put(self.element(raw.kind, raw.html))
            else:
                self.add_text(kind, tags)
            self.hands_on = False
        self.end_columns()
        self.drop_empty_continuation()
        return self.slides

    # Slides

    def current(self) -> Slide:
        """Return the slide that is being filled."""
        return self.slides[-1] if self.slides else self.begin(Slide(self.first_title, level=0))

    def begin(self, slide: Slide) -> Slide:
        """Add a slide. It replaces a slide that only continues another one and has no elements yet."""
        self.end_columns()
        self.drop_empty_continuation()
        self.slides.append(slide)
        return slide

    def drop_empty_continuation(self) -> None:
        """Remove the latest slide if it only continues another one and has no elements; keep its notes."""
        if self.slides and self.current().continued and not self.current().elements:
            dropped = self.slides.pop()
            self.current().notes += dropped.notes

    def continue_slide(self) -> Slide:
        """Begin a slide that repeats the title of the latest slide that is not hands-on."""
        if self.slides and self.current().continued and not self.current().elements:
            return self.current()
        latest = next((slide for slide in reversed(self.slides) if slide.kind != "hands-on" and slide.level), None)
        if latest is None:
            return self.begin(Slide(self.first_title, level=0, continued=bool(self.slides)))
        return self.begin(Slide(latest.title, latest.level, continued=True))

    def put(self, *elements: SlideElement) -> None:
        """Put elements in the open column or on the current slide. A film has a slide of its own."""
        film = next((element.film for element in elements if element.film), None)
        if film is not None:
            self.end_columns()
        if self.columns is not None:
            self.columns.parts[-1] += elements
            return
        slide = self.current()
        if slide.kind == "hands-on" or slide.films or (film is not None and slide.elements):
            slide = self.continue_slide()
        if film is not None and not slide.level:
            slide.title, slide.continued = escaped_html(str(film.data["title"])), False
        slide.elements += elements

    def element(self, kind: str, markup: str, film: FilmOutput | None = None) -> SlideElement:
        """Return an element of the current cell."""
        return SlideElement(kind, markup, film, self.number, fragment=film is None and _slide_type(self.cell) == "fragment")

    # Columns

    def begin_columns(self) -> None:
        """Open the first of several columns."""
        self.end_columns()
        columns = SlideElement("parts", cell=self.number, parts=[[]], widths=[0])
        self.put(columns)
        self.columns = columns

    def begin_column(self, width: int) -> None:
        """Open the next column; ``width`` is its width in percent, or 0. It has no effect outside of columns."""
        if self.columns is not None:
            if self.columns.parts[-1]:
                self.columns.parts.append([])
                self.columns.widths.append(0)
            self.columns.widths[-1] = width

    def end_columns(self) -> None:
        """Close the columns. If only one has elements, it becomes an ordinary part of the slide."""
        if self.columns is None:
            return
        columns, self.columns = self.columns, None
        filled = [number for number, part in enumerate(columns.parts) if part]
        columns.parts = [columns.parts[number] for number in filled]
        columns.widths = [columns.widths[number] for number in filled]
        if len(filled) < 2:
            elements = self.slides[-1].elements
            at = next(number for number, element in enumerate(elements) if element is columns)
            elements[at : at + 1] = columns.parts[0] if filled else []

    # Cells

    def add_text(self, kind: str | None, tags: set[str]) -> None:
        """Add the sections of a Markdown cell. A section with a heading, or after a thematic break, begins a slide."""
        begins = kind in ("slide", "subslide")
        source = self.renderer.text(self.number)
        for number, section in enumerate(sections(source, in_columns=self.columns is not None and not begins)):
            first = number == 0
            if first and self.own_title():
                section = replace(section, title=self.own_title(), level=section.level or 2)
            elif first and section.title and kind == "fragment":
                section = replace(section, title="", level=0, body=f"### {section.title}\n\n{section.body}")
            self.add_section(section, begins=first and begins, incremental=INCREMENTAL in tags)

    def add_section(self, section: Section, *, begins: bool = False, incremental: bool = False) -> None:
        """Add a section, or its replacement if it has one; the speaker notes then contain the section."""
        for number, part in enumerate(section.shown):
            if part.title:
                self.begin(Slide(self.title(part.title), part.level, anchor=self.new_anchor(section.title or part.title)))
            elif part.rule or (begins and number == 0):
                self.continue_slide()
            replaced = part.replacement is not None
            for block in self.blocks.read(part.replacement if part.replacement is not None else part.body):
                block = replace(block, incremental=block.incremental or incremental)
                self.add_block(block, summarise=self.condense and not replaced)
            if part.body and replaced:
                texts = [block.text for block in BlockReader().read(part.body) if block.text]
                self.current().notes.append(self.prose("\n\n".join(texts)))

    def add_block(self, block: Block, *, summarise: bool) -> None:
        """Add a block of a section: a text, or a summary of it, or the beginning or end of a column."""
        if block.kind == "columns":
            self.begin_columns()
        elif block.kind == "column":
            self.begin_column(block.width)
        elif block.kind == "end columns":
            self.end_columns()
        elif block.kind == "notes":
            self.current().notes.append(self.prose(block.text))
        else:
            shown = self.condensed(block.text) if summarise else block.text
            markup = self.prose(shown)
            if markup.strip():
                element = self.element("prose", _incremental(markup) if block.incremental else markup)
                element.fragment = element.fragment or block.fragment
                self.put(element)
            if word_count(shown) < word_count(block.text):
                self.current().notes.append(self.prose(block.text))

    def condensed(self, text: str) -> str:
        """Return a summary of a text, with a notice if it is shorter."""
        short = truncated(summary(text))
        if word_count(short) < word_count(text):
            self.renderer.notices.add(self.number, "the text is condensed; the speaker notes contain all of it")
        return short

    def add_code(self, kind: str | None, tags: set[str]) -> None:
        """Add the code and the outputs of a code cell, except what its tags hide."""
        if self.own_title():
            self.begin(Slide(self.title(self.own_title()), anchor=self.new_anchor(self.own_title())))
        elif kind in ("slide", "subslide") or any(element.kind == QUESTION for element in self.current().elements):
            self.continue_slide()  # after a question, so that the audience can answer before it sees what happens
        code = [self.code()] if self.show_code and not tags & {*NO_INPUT, QUESTION, ANSWER} else []
        shown = list[SlideElement]()
        for output in [] if tags & NO_OUTPUT else self.renderer.outputs(self.number):
            if output.kind == "prose":
                self.put_code(code, shown, tags)
                code, shown = [], []
                for section in sections(output.markdown):
                    self.add_section(section, incremental=INCREMENTAL in tags)
                continue
            markup = _truncated_print(output.html) if output.kind == "text" and self.condense else output.html
            if markup != output.html:
                self.renderer.notices.add(self.number, "printed text is cut")
            shown.append(self.element(output.kind, markup, output.film))
        self.put_code(code, shown, tags)

    def put_code(self, code: list[SlideElement], shown: list[SlideElement], tags: set[str]) -> None:
        """Put code and its outputs on slides: code that only makes films is folded on the slide of the first film."""
        if shown and SHOW_INPUT not in tags and all(element.film for element in shown):
            for element in code:
                element.folded = True
            self.put(*code, shown[0])
            code, shown = [], shown[1:]
        pictures = [element for element in shown if element.kind == "picture"]
        texts = [element for element in shown if element.kind == "text"]
        if code and pictures and [*texts, *pictures] == shown and self.columns is None:
            parts = [[*code, *texts], pictures]
            beside = SlideElement("parts", cell=self.number, fragment=code[0].fragment, parts=parts, widths=[0, 0])
            for element in (*code, *shown):
                element.fragment = False
            self.put(beside)
        else:
            for element in (*code, *shown):
                self.put(element)

    def code(self) -> SlideElement:
        """Return the code of the current cell, with its line highlights."""
        try:
            source, steps = line_highlights(self.cell)
        except InputError as error:
            self.renderer.notices.add(self.number, f"no lines are highlighted: {error}")
            source, steps = self.cell.source.strip(), []
        return self.element("code", with_highlights(code_html(source), steps))

    def add_hands_on(self) -> None:
        """Add a hands-on slide, unless the previous cell has added one. Consecutive hands-on cells share a slide."""
        if self.hands_on:
            return
        self.hands_on = True
        self.end_columns()
        has_title = bool(self.slides and not self.current().elements and not self.current().continued)
        slide = self.current() if has_title else self.begin(Slide("Try it"))
        slide.kind = "hands-on"
        name = escaped_html(self.path.name)
        slide.elements.append(self.element("prose", f"<p>Your turn, in <code>{name}</code>:</p>"))
        slide.elements.append(self.element("code", code_html("kvmmmu-lab lab")))

    # Texts

    def own_title(self) -> str:
        """Return the slide's title in the metadata of the current cell (``"slideshow": {"title": "..."}``), as Markdown."""
        return str(self.cell.metadata.get("slideshow", {}).get("title") or "")

    def prose(self, text: str) -> str:
        """Convert Markdown of the current cell to HTML."""
        return self.renderer.prose(self.number, text)

    def title(self, text: str) -> str:
        """Convert a heading to HTML, without links."""
        return title_html(self.prose(f"## {text}"))

    def new_anchor(self, title: str) -> str:
        """Return the id of the next slide with a heading."""
        found = self.anchors.add(plain_text(self.title(title)))
        return "" if found.isdigit() else found  # in an address, digits are the number of a slide


# All slides of a deck


def _with_title_slide(found: list[Slide], metadata: Metadata) -> list[Slide]:
    """Make the first slide the title slide if its heading is of level 1, otherwise add one if the metadata say enough."""
    if not found:
        return found
    first = found[0]
    own = first.level == 1 and metadata.title in ("", plain_text(first.title))
    if not own and not (metadata.title or metadata.byline):
        return found
    if own:
        title = first
        if not _is_lead(first):
            found = [
                replace(first, kind="title", elements=[], notes=[]),
                replace(first, continued=True, anchor=""),
                *found[1:],
            ]
            title = found[0]
    else:
        title = Slide(escaped_html(metadata.title) or first.title, level=1)
        found = [title, *found]
    title.kind = "title"
    subtitle = [SlideElement("subtitle", f"<p>{escaped_html(metadata.subtitle)}</p>")] if metadata.subtitle else []
    lines = "".join(f"<p>{escaped_html(line)}</p>" for line in metadata.byline)
    byline = [SlideElement("byline", lines)] if lines else []
    title.elements = [*subtitle, *title.elements, *byline]
    return found


def _kind(slide: Slide, *, last: bool) -> str:
    """Return the kind of a slide, from what is on it."""
    kinds = [element.kind for element in slide.elements]
    if not kinds or (slide.level == 1 and not slide.continued and _is_lead(slide)):
        return "section"
    if "film" in kinds:
        return "film"
    if "parts" in kinds:
        return "beside"
    for kind in (QUESTION, ANSWER, "picture"):
        if kind in kinds:
            return kind
    return "closing" if last and set(kinds) == {"prose"} else "prose"


def _is_lead(slide: Slide) -> bool:
    """Whether a slide has only a short text, which can stand below a title in large letters."""
    text = " ".join(plain_text(element.html) for element in slide.elements)
    return all(element.kind == "prose" for element in slide.elements) and len(text.split()) <= MAX_LEAD


# HTML and cells


def title_html(markup: str) -> str:
    """Return the content of the heading in HTML, without links."""
    found = re.search(r"<h2[^>]*>(.*)</h2>", markup, re.DOTALL)
    return re.sub(r"</?a\b[^>]*>", "", found[1] if found else markup)


def file_title(path: Path) -> str:
    """Return a title for a notebook that has none: the name of its file as words."""
    words = re.sub(r"[_\-\s]+", " ", path.stem).strip()
    return words[:1].upper() + words[1:] or path.stem


def _with_links(element: SlideElement, anchors: Anchors) -> SlideElement:
    """Return an element whose links to headings of the same notebook lead to their slides."""

    def redirect(found: re.Match[str]) -> str:
        target = anchors.find(html.unescape(found[1]))
        return found[0] if target is None else f'href="#/{escaped_html(quote(target))}"'

    parts = [[_with_links(inner, anchors) for inner in part] for part in element.parts]
    return replace(element, html=LINK_IN_DECK.sub(redirect, element.html), parts=parts)


def _incremental(markup: str) -> str:
    """Make each item of the outermost lists in HTML a fragment."""
    depth = 0

    def item(found: re.Match[str]) -> str:
        nonlocal depth
        if found[2] == "li":
            return found[0] if found[1] or depth > 1 else f'<li class="fragment"{found[3]}>'
        depth += -1 if found[1] else 1
        return found[0]

    return re.sub(r"<(/?)(ul|ol|li)\b([^>]*)>", item, markup)


def _slide_type(cell: Any) -> str | None:
    found: str | None = cell.metadata.get("slideshow", {}).get("slide_type")
    return found


def _truncated_print(markup: str) -> str:
    """Truncate printed text to what can be read on a slide."""
    if not markup.startswith("<pre"):
        return markup
    printed = html.unescape(re.sub(r"<[^>]*>", "", markup))
    rows = [row for line in printed.split("\n") for row in textwrap.wrap(line, PRINTED_WIDTH, drop_whitespace=False) or [""]]
    if len(rows) <= MAX_PRINTED_LINES:
        return markup
    kept = "\n".join(rows[: MAX_PRINTED_LINES - 1])
    return f"<pre>{escaped_html(kept)}\n... ({len(rows) - MAX_PRINTED_LINES + 1} more lines)</pre>"
