# SPDX-License-Identifier: GPL-2.0-only
"""Turn the cells of a notebook into slides.

Jupyter's slideshow metadata determine where a slide begins; in a notebook without such metadata, headings do. A slide
with a film or a picture contains little else. What doesn't fit on a slide goes on another one with the same title. A slide
shows a summary of a long text; the speaker notes contain the whole text.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..player.page import FilmOutput
from ..printable import escaped_html
from .html import markdown_html
from .outputs import ANSWER, NAVIGATION, QUESTION, RenderedOutput, code_html, rendered_outputs
from .summary import blocks, slide_comment, split_heading, summary, truncated, word_count

# Cell tags, in addition to `QUESTION` and `ANSWER`. Tags of Jupyter Book and nbconvert have their usual meaning.

NO_SLIDE = frozenset({"remove-cell", "remove_cell", "no-slide", NAVIGATION})
"""The cell is not on any slide."""

NO_INPUT = frozenset({"remove-input", "remove_input", "hide-input"})
"""The cell's code is not on any slide."""

NO_OUTPUT = frozenset({"remove-output", "remove_output", "hide-output"})
"""The cell's output is not on any slide."""

HANDS_ON = frozenset({"try-it", "task", "check", "solution", "exercise"})
"""The learner works with the cell in the notebook. Consecutive cells of this kind become one hands-on slide."""

# Sizes

SLIDE_LINES = 18.0
"""The height of a slide below its title, in lines of prose. All heights are measured in this unit."""

HEIGHTS = {"film": 13.0, "picture": 11.0}

MAX_PRINTED_LINES, PRINTED_WIDTH = 15, 110
"""The maximum number of lines of printed text on a slide, and the number of characters in a line."""

MAX_CODE_LINES = 17
PROSE_WIDTH = 84
"""The number of characters in a line of prose."""


@dataclass
class SlideElement:
    """An element of a slide. ``kind`` is "prose", "code" or the kind of a `RenderedOutput`; ``lines`` is the height."""

    kind: str
    html: str = ""
    film: FilmOutput | None = None
    lines: float = 0.0
    fragment: bool = False


@dataclass
class Slide:
    """One slide. ``level`` is the level of its heading; ``continued``: whether it repeats an earlier slide's title.

    ``kind`` is "hands-on" for a slide that asks the audience to work in the notebook, otherwise empty.
    """

    title: str = ""
    level: int = 2
    continued: bool = False
    elements: list[SlideElement] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kind: str = ""

    @property
    def lines(self) -> float:
        """The total height of the elements."""
        return sum(element.lines for element in self.elements)

    @property
    def films(self) -> list[FilmOutput]:
        """The films on the slide."""
        return [element.film for element in self.elements if element.film is not None]


def slides(notebook: Any, path: Path, *, code: bool = True, links: Mapping[str, str] | None = None) -> list[list[Slide]]:
    """Return the slides of ``notebook`` as columns, one for each section. ``path`` is the notebook's file.

    ``code``: whether to show code. ``links`` maps the names of other notebooks to the addresses of their decks.
    """
    return _SlideWriter(notebook, path, code, links or {}).write()


class _SlideWriter:
    """Puts the cells of a notebook on slides, one after another."""

    def __init__(self, notebook: Any, path: Path, code: bool, links: Mapping[str, str]) -> None:
        self.cells, self.path, self.show_code, self.links = notebook.cells, path, code, links
        self.columns: list[list[Slide]] = []
        self.has_slide_types = any(_slide_type(cell) in ("slide", "subslide", "fragment") for cell in self.cells)
        self.hands_on = False

    def write(self) -> list[list[Slide]]:
        """Add all cells, and return the columns of slides."""
        for cell in self.cells:
            kind, tags = _slide_type(cell), set(cell.metadata.get("tags", ()))
            if kind == "skip" or tags & NO_SLIDE or not cell.source.strip():
                continue
            if kind == "notes":
                self.current().notes.append(self.prose(cell, cell.source))
            elif tags & HANDS_ON:
                self.add_hands_on()
                continue
            elif cell.cell_type == "code":
                self.add_code(cell, kind, tags)
            else:
                self.add_text(cell, kind)
            self.hands_on = False
        return [[slide for slide in column if slide.elements or slide.title] for column in self.columns if column]

    # Slides

    def current(self) -> Slide:
        """Return the slide that is being filled."""
        return self.columns[-1][-1] if self.columns else self.begin(Slide(), new_column=True)

    def begin(self, slide: Slide, *, new_column: bool = False) -> Slide:
        """Add a slide to the last column, or begin a new column with it."""
        if new_column or not self.columns:
            self.columns.append([])
        self.columns[-1].append(slide)
        return slide

    def continue_slide(self) -> Slide:
        """Add a slide that repeats the title of the latest slide, if possible of the latest one that is not hands-on."""
        titles = [slide.title for slide in reversed(self.columns[-1]) if slide.kind != "hands-on"] if self.columns else []
        title = next(iter(titles), self.current().title)
        return self.begin(Slide(title, continued=bool(title)))

    def put(self, element: SlideElement) -> None:
        """Put an element on the current slide, or on a new one if there is no room."""
        slide = self.current()
        busy = any(one.kind in HEIGHTS for one in slide.elements) or slide.kind == "hands-on"
        if slide.elements and (busy or slide.lines + element.lines > SLIDE_LINES):
            slide, element.fragment = self.continue_slide(), False
        slide.elements.append(element)

    # Cells

    def add_text(self, cell: Any, kind: str | None) -> None:
        """Add a Markdown cell's heading and its slide comment or a summary. Add text that is not shown in full to the notes."""
        title, level, body = split_heading(cell.source)
        if not title and not body:
            return
        new_column = kind == "slide" or (not self.has_slide_types and 0 < level <= 2)
        new_slide = new_column or kind == "subslide" or (not self.has_slide_types and level == 3)
        if new_slide or (title and self.current().elements):
            same = self.current().title if self.columns and not title else ""
            self.begin(Slide(_title_html(title) or same, level or 2, continued=bool(same)), new_column=new_column)
        elif title:
            self.current().title, self.current().level = _title_html(title), level
        self.add_prose(cell, cell.source, kind)

    def add_prose(self, cell: Any, source: str, kind: str | None) -> None:
        """Add a text's slide comment, or a summary without the heading. Text that is not shown in full goes to the notes."""
        _, _, body = split_heading(source)
        comment = slide_comment(source)
        shown = truncated(summary(body)) if comment is None else comment
        if shown:
            lines = sum(max(1.0, len(line) / PROSE_WIDTH) for line in _unwrapped_lines(shown))
            self.put(SlideElement("prose", self.prose(cell, shown), lines=lines * 1.25, fragment=kind == "fragment"))
        if comment is not None or word_count(shown) < word_count(body):
            self.current().notes.append(self.prose(cell, body))

    def add_code(self, cell: Any, kind: str | None, tags: set[str]) -> None:
        """Add the code and the outputs of a code cell, except what its tags hide."""
        if kind in ("slide", "subslide"):
            title = self.current().title if kind == "subslide" and self.columns else ""
            self.begin(Slide(title, continued=bool(title)), new_column=kind == "slide")
        outputs = [] if tags & NO_OUTPUT else list(rendered_outputs(cell, self.path.parent))
        if any(element.kind == QUESTION for element in self.current().elements):
            self.continue_slide()  # so that the audience can answer before it sees what happens
        if self.show_code and not tags & {*NO_INPUT, QUESTION, ANSWER}:
            tallest = max((HEIGHTS.get(output.kind, 0.0) for output in outputs), default=0.0)
            self.put_code(cell.source.strip(), tallest, fragment=kind == "fragment")
        for output in outputs:
            if output.kind == "prose":
                self.add_prose(cell, output.markdown, "fragment")
                continue
            markup = _truncated_print(output.html) if output.kind == "text" else output.html
            lines = _height(replace(output, html=markup))
            self.put(SlideElement(output.kind, markup, output.film, lines, kind == "fragment"))

    def put_code(self, source: str, tallest: float, fragment: bool) -> None:
        """Put code on slides. If possible, leave room below it for an output that is ``tallest`` lines high."""
        *before, source = _pieces(source)
        for piece in before:
            if self.current().elements:
                self.continue_slide()
            self.put(SlideElement("code", code_html(piece), lines=SLIDE_LINES))
        lines = 0.4 + 0.95 * len(source.splitlines())
        room = SLIDE_LINES + 1 - self.current().lines - lines
        if tallest > room and not self.current().films:
            tallest = 0.0  # the code stays with the text; its output goes on the next slide
        if self.current().elements and tallest > room:
            self.continue_slide()
        self.put(SlideElement("code", code_html(source), lines=lines, fragment=fragment))

    def add_hands_on(self) -> None:
        """Add a hands-on slide, unless the previous cell has added one. Consecutive hands-on cells share a slide."""
        if self.hands_on:
            return
        self.hands_on = True
        has_title = bool(self.columns and not self.current().elements and self.current().title)
        slide = self.current() if has_title else self.begin(Slide("Try it"))
        slide.kind = "hands-on"
        name = escaped_html(self.path.name)
        slide.elements.append(SlideElement("prose", f"<p>Your turn, in <code>{name}</code>:</p>", lines=2))
        slide.elements.append(SlideElement("code", code_html("kvmmmu-lab lab"), lines=2))

    def prose(self, cell: Any, text: str) -> str:
        """Convert a cell's Markdown to HTML, with links to the other decks."""
        return markdown_html(text, self.path.parent, cell.get("attachments"), lambda link: self.links.get(Path(link).name))


def _slide_type(cell: Any) -> str | None:
    found: str | None = cell.metadata.get("slideshow", {}).get("slide_type")
    return found


def _pieces(source: str) -> list[str]:
    """Split code into pieces that fit on a slide, at empty lines if possible."""
    lines, found = source.splitlines(), list[str]()
    while len(lines) > MAX_CODE_LINES:
        empty = [number for number in range(MAX_CODE_LINES // 2, MAX_CODE_LINES) if not lines[number].strip()]
        end = empty[-1] if empty else MAX_CODE_LINES
        found.append("\n".join(lines[:end]))
        lines = lines[end:]
    return [*found, "\n".join(lines).strip("\n")]


def _truncated_print(markup: str) -> str:
    """Truncate printed text to what can be read on a slide."""
    if not markup.startswith("<pre>"):
        return markup
    printed = html.unescape(markup.removeprefix("<pre>").removesuffix("</pre>"))
    rows = [row for line in printed.split("\n") for row in textwrap.wrap(line, PRINTED_WIDTH, drop_whitespace=False) or [""]]
    if len(rows) <= MAX_PRINTED_LINES:
        return markup
    kept = "\n".join(rows[: MAX_PRINTED_LINES - 1])
    return f"<pre>{escaped_html(kept)}\n... ({len(rows) - MAX_PRINTED_LINES + 1} more lines)</pre>"


def _height(output: RenderedOutput) -> float:
    """Estimate the height of an output, in lines of prose."""
    if output.kind in HEIGHTS:
        return HEIGHTS[output.kind]
    shown = re.sub(r"<(style|script)\b.*?</\1>\s*", "", output.html, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", "", re.sub(r"</(?:p|li)>", "\n", shown)).strip()
    if output.kind in (QUESTION, ANSWER):
        return 0.6 + 1.5 * len(text.splitlines())
    return 0.6 + 0.85 * sum(max(1.0, len(line) / 100) for line in text.splitlines() or [""])


def _title_html(title: str) -> str:
    """Convert a heading to HTML, with code, bold and italics but without links."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", title)
    text = escaped_html(text, quote=False)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    return re.sub(r"\*\*([^*]+)\*\*|\*([^*]+)\*", lambda found: f"<em>{found[1] or found[2]}</em>", text)


def _unwrapped_lines(text: str) -> Iterator[str]:
    """Yield the lines of a text, with each paragraph as one long line."""
    for block in blocks(text):
        if re.match(r"^ *(?:[-*+]|\d+[.)]|\||```)", block):
            yield from block.splitlines()
        else:
            yield " ".join(block.split())
        yield ""
