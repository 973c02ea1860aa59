# SPDX-License-Identifier: GPL-2.0-only
"""A notebook's cells become slides: one idea each, as far as one can tell.

The usual slideshow metadata say where slides begin; without any, headings do. A film or a picture has a slide with little
else on it. Where a slide would be too full, the next one goes on under the same title. Of a long text the gist shows, or
what its author put into ``<!-- slide: ... -->``, and all of it is in the speaker's notes.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..player.page import FilmParts
from .condense import beside_question, clipped, gist, marked, parted, parts, words
from .html import prose_html
from .outputs import Shown, code_html, shown

OUT = {"remove-cell", "remove_cell", "no-slide"}
"""Tags of cells that stay out."""

LEARNERS = {"try-it", "task", "check", "solution", "exercise"}
"""Tags of cells for who sits at the keyboard: of each row of them, one slide says so."""

NO_INPUT, NO_OUTPUT = {"remove-input", "remove_input", "hide-input"}, {"remove-output", "remove_output", "hide-output"}

ROOM = 18.0
"""Lines of a slide below its title."""

NEEDS = {"film": 13.0, "picture": 11.0}
PRINTED, ROW = 15, 110
"""Lines of printed text, and the characters of each."""

LONGEST = 17
"""Lines of code."""

LINE = 84
"""Characters of prose in a line."""


@dataclass
class Part:
    """A piece of a slide. ``kind``: "prose", "code", or that of an `outputs.Shown`."""

    kind: str
    html: str = ""
    film: FilmParts | None = None
    lines: float = 0.0
    fragment: bool = False


@dataclass
class Sheet:
    """One slide. ``level`` is that of its heading."""

    title: str = ""
    level: int = 2
    again: bool = False
    parts: list[Part] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kind: str = ""

    @property
    def lines(self) -> float:
        """How full it is."""
        return sum(part.lines for part in self.parts)

    @property
    def films(self) -> list[Part]:
        """Its films."""
        return [part for part in self.parts if part.film is not None]


class Cutter:
    """Cuts a notebook into slides. ``code``: whether code shows; ``links``: by name of a notebook, where links to it lead."""

    def __init__(self, found: Any, path: Path, *, code: bool = True, links: Mapping[str, str] | None = None) -> None:
        self.found, self.path, self.code, self.links = found, path, code, links or {}
        self.columns: list[list[Sheet]] = []
        kinds = (cell.metadata.get("slideshow", {}).get("slide_type") for cell in found.cells)
        self.planned = any(kind in ("slide", "subslide", "fragment") for kind in kinds)
        self.trying = False

    def cut(self) -> list[list[Sheet]]:
        """Columns of slides."""
        for cell in self.found.cells:
            kind = cell.metadata.get("slideshow", {}).get("slide_type")
            tags = set(cell.metadata.get("tags", ()))
            if kind == "skip" or tags & OUT or not cell.source.strip():
                continue
            if kind == "notes":
                self._sheet().notes.append(self._prose(cell, cell.source))
            elif tags & LEARNERS:
                self._try()
                continue
            elif cell.cell_type == "code":
                self._code(cell, kind, tags)
            else:
                self._text(cell, kind)
            self.trying = False
        return [[sheet for sheet in column if sheet.parts or sheet.title] for column in self.columns if column]

    # Where it goes

    def _sheet(self) -> Sheet:
        """The one that is being filled."""
        return self.columns[-1][-1] if self.columns else self._begin(Sheet(), True)

    def _begin(self, sheet: Sheet, column: bool) -> Sheet:
        if column or not self.columns:
            self.columns.append([sheet])
        else:
            self.columns[-1].append(sheet)
        return sheet

    def _more(self) -> Sheet:
        """One more slide under the same title, which isn't "Try it"."""
        titles = [sheet.title for sheet in reversed(self.columns[-1]) if sheet.kind != "try"] if self.columns else []
        title = next(iter(titles), self._sheet().title)
        return self._begin(Sheet(title, again=bool(title)), False)

    def _put(self, part: Part) -> None:
        """Onto the slide if there is room."""
        sheet = self._sheet()
        full = sheet.lines + part.lines > ROOM or any(one.kind in NEEDS for one in sheet.parts) or sheet.kind == "try"
        if full and sheet.parts:
            sheet, part.fragment = self._more(), False
        sheet.parts.append(part)

    # What comes

    def _text(self, cell: Any, kind: str | None) -> None:
        title, level, body = parted(cell.source)
        if not title and not body:
            return
        column = kind == "slide" or (not self.planned and 0 < level <= 2)
        if column or kind == "subslide" or (not self.planned and level == 3) or (title and self._sheet().parts):
            same = self._sheet().title if self.columns and not title else ""
            self._begin(Sheet(_plain(title) or same, level or 2, again=bool(same)), column)
        elif title:
            self._sheet().title, self._sheet().level = _plain(title), level
        said = marked(cell.source)
        short = clipped(gist(body)) if said is None else said
        if short:
            wide = sum(max(1.0, len(line) / LINE) for line in _joined(short))
            self._put(Part("prose", self._prose(cell, short), lines=wide * 1.25, fragment=kind == "fragment"))
        if said is not None or words(short) < words(body):
            self._sheet().notes.append(self._prose(cell, body))

    def _code(self, cell: Any, kind: str | None, tags: set[str]) -> None:
        if kind in ("slide", "subslide"):
            title = self._sheet().title if kind == "subslide" and self.columns else ""
            self._begin(Sheet(title, again=bool(title)), kind == "slide")
        things = [] if tags & NO_OUTPUT else list(shown(cell, self.path.parent))
        source = beside_question(cell.source) if any(thing.kind == "question" for thing in things) else cell.source.strip()
        answers = any(thing.kind == "answer" for thing in things)
        if any(part.kind == "question" for part in self._sheet().parts):
            self._more()  # first think, then look
        if source and self.code and not tags & NO_INPUT and not answers:
            *before, source = _pieces(source)
            for piece in before:
                if self._sheet().parts:
                    self._more()
                self._put(Part("code", code_html(piece), lines=ROOM))
            lines = 0.4 + 0.95 * len(source.splitlines())
            big = max((NEEDS.get(thing.kind, 0.0) for thing in things), default=0.0)
            fits = self._sheet().lines + lines + big <= ROOM + 1
            if big and not fits and not self._sheet().films:
                big = 0.0  # the code stays with the text, what it shows comes next
            if self._sheet().parts and self._sheet().lines + lines + big > ROOM + 1:
                self._more()
            self._put(Part("code", code_html(source), lines=lines, fragment=kind == "fragment"))
        for thing in things:
            shorter = replace(thing, html=_shorter(thing.html)) if thing.kind == "text" else thing
            self._put(Part(thing.kind, shorter.html, thing.film, _height(shorter), kind == "fragment"))

    def _prose(self, cell: Any, text: str) -> str:
        return prose_html(text, self.path.parent, cell.get("attachments"), lambda to: self.links.get(Path(to).name))

    def _try(self) -> None:
        """A slide that sends the audience to the keyboard; one for each row of such cells."""
        if self.trying:
            return
        self.trying = True
        title = self._sheet().title if self.columns and not self._sheet().parts else ""
        sheet = self._sheet() if title else self._begin(Sheet("Try it"), False)
        sheet.kind = "try"
        name = html.escape(self.path.name)
        sheet.parts.append(Part("prose", f"<p>Now at the keyboard, in <code>{name}</code>:</p>", lines=2))
        sheet.parts.append(Part("code", code_html("kvmmmu-lab lab"), lines=2))


def _pieces(source: str) -> list[str]:
    """A cell's code in pieces that fit on a slide, cut at empty lines where there are any."""
    lines, found = source.splitlines(), list[str]()
    while len(lines) > LONGEST:
        ends = [number for number in range(LONGEST // 2, LONGEST) if not lines[number].strip()]
        end = ends[-1] if ends else LONGEST
        found.append("\n".join(lines[:end]))
        lines = lines[end:]
    return [*found, "\n".join(lines).strip("\n")]


def _shorter(text: str) -> str:
    """Printed text, as far as it can be read on a slide."""
    if not text.startswith("<pre>"):
        return text
    printed = html.unescape(text.removeprefix("<pre>").removesuffix("</pre>"))
    rows = [row for line in printed.split("\n") for row in textwrap.wrap(line, ROW, drop_whitespace=False) or [""]]
    if len(rows) <= PRINTED:
        return text
    kept = "\n".join(rows[: PRINTED - 1])
    return f"<pre>{html.escape(kept)}\n... ({len(rows) - PRINTED + 1} more lines)</pre>"


def _height(thing: Shown) -> float:
    if thing.kind in NEEDS:
        return NEEDS[thing.kind]
    text = re.sub(r"<[^>]+>", "", re.sub(r"</(?:p|li)>", "\n", thing.html))
    if thing.kind in ("question", "answer"):
        return 0.6 + 1.5 * len(text.splitlines())
    return 0.6 + 0.85 * sum(max(1.0, len(line) / 100) for line in text.splitlines() or [""])


def _plain(title: str) -> str:
    """A heading's text, which may have marks in it, as HTML."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", title)
    text = html.escape(text, quote=False)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    return re.sub(r"\*\*([^*]+)\*\*|\*([^*]+)\*", lambda found: f"<em>{found[1] or found[2]}</em>", text)


def _joined(text: str) -> Iterator[str]:
    """The lines of a text as they are set: those of a paragraph run on."""
    for block in parts(text):
        if re.match(r"^ *(?:[-*+]|\d+[.)]|\||```)", block):
            yield from block.splitlines()
        else:
            yield " ".join(block.split())
        yield ""
