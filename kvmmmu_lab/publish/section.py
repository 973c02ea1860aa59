# SPDX-License-Identifier: GPL-2.0-only
"""Split the Markdown of a cell into sections: headings and thematic breaks (``---``) begin a section.

The text is read as JupyterLab reads it: code and formulas contain no headings, and a comment is not shown. Some comments are
directives, which tell a slide how to show what follows: see `DIRECTIVE`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .directives import without_directives

MAX_LEVEL = 3
"""Headings of a higher level than this begin no section; they stay in the text."""

MAX_LEVEL_IN_COLUMNS = 2
"""The same between ``columns`` and ``end columns``: a column may have a heading of level 3."""

BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
SLIDE_COMMENT = re.compile(r"<!--\s*slide:(.*?)-->", re.DOTALL)
DIRECTIVE = re.compile(r"<!--\s*(columns|column(?:\s+(?P<width>\d{1,2})\s*%)?|end columns|(?:end )?incremental)\s*-->")
"""``<!-- columns -->`` begins the first of several columns, ``<!-- column -->`` or ``<!-- column 40% -->`` the next, and
``<!-- end columns -->`` ends them. After ``<!-- incremental -->``, lists appear item by item."""

FENCE_CLASSES = {
    "columns": "columns",
    "column": "column",
    "incremental": "incremental",
    "notes": "notes",
    "fragment": "fragment",
}
HEADING_ATTRIBUTES = re.compile(r"[ \t]+\{[ \t]*[.#][\w-]+[^{}]*\}$")
"""Pandoc's attributes of a heading, such as ``{.smaller}`` or ``{#name}``. No deck shows them."""

PAUSE = re.compile(r"^ {0,3}\. \. \.[ \t]*$")
"""Pandoc's pause: what follows in the section appears later."""

FENCED_DIV = re.compile(r"^ {0,3}:{3,}[ \t]*(?:\{(?P<attributes>[^}]*)\}|(?P<word>[\w-]+))?[ \t]*:*[ \t]*$")
"""Pandoc's fenced divs: ``::: {.columns}``, ``::: {.column width="40%"}``, ``::: {.incremental}``, ``::: {.notes}`` and
``:::``, which ends the latest one."""

_ONE = r"(?:(?!\n[ \t]*\n).)+?"
"""Matches text without an empty line, which neither inline code nor a formula contains."""

CODE_OR_FORMULA = re.compile(
    r"(?P<code>^ {0,3}(?P<fence>```+|~~~+)[^\n]*\n.*?(?:^ {0,3}(?P=fence)[`~]*[ \t]*$|\Z)"
    rf"|(?<!`)(?P<ticks>`+)(?!`){_ONE}(?<!`)(?P=ticks)(?!`))"
    r"|(?P<comment><!--.*?-->)"
    rf"|(?P<formula>\$\${_ONE}\$\$|\\\\\[{_ONE}\\\\\]|\\begin\{{(?P<name>[a-z]+\*?)\}}{_ONE}\\end\{{(?P=name)\}})",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Section:
    """A section of a cell. ``title`` is the Markdown of its heading, ``level`` the heading's level (0: no heading).

    ``body`` is the rest without comments. ``replacement`` is the text of a comment ``<!-- slide: ... -->``, which slides show
    instead of the body; None if there is none. ``rule``: whether the section begins with a thematic break.
    """

    title: str = ""
    level: int = 0
    body: str = ""
    replacement: str | None = None
    rule: bool = False

    @property
    def shown(self) -> list[Section]:
        """The sections that slides show: the section itself, or those of its replacement.

        The first section of a replacement keeps this section's body, and also its title unless it has a title of its own.
        """
        if self.replacement is None:
            return [self]
        first, *others = sections(self.replacement) or [Section()]
        title, level = (first.title, first.level) if first.title else (self.title, self.level)
        first = Section(title, level, self.body, first.body, self.rule or first.rule)
        return [first, *(Section(one.title, one.level, "", one.body, one.rule) for one in others)]

    @property
    def empty(self) -> bool:
        """Whether the section shows nothing."""
        return not self.title and not self.body and self.replacement is None


def sections(text: str, *, in_columns: bool = False) -> list[Section]:
    """Split the Markdown of a cell into sections. Comments before the first text belong to the first section.

    A section is empty only if the cell ends with a thematic break, or shows nothing. ``in_columns``: whether an earlier cell
    has begun columns.
    """
    text, comments = _without_comments(without_directives(text))
    lines = text.splitlines()
    tokens = _tokens(text)
    starts = [(0, 0, 0, "", False), *_starts(tokens, lines, _lines_in_columns(lines, tokens, in_columns))]
    found = list[Section]()
    waiting = list[str]()
    for number, (first, begin, level, title, rule) in enumerate(starts):
        end = starts[number + 1][0] if number + 1 < len(starts) else len(lines)
        body = BLANK_LINES.sub("", "\n".join(lines[begin:end])).rstrip()
        waiting += [comment for line, comment in comments if first <= line < end or (end == len(lines) and line >= end)]
        last = number + 1 == len(starts)
        if not title and not body and not (last and (rule or waiting or not found)):
            continue
        found.append(Section(title, level, body, "\n\n".join(waiting) if waiting else None, rule))
        waiting = []
    return found


def split_heading(text: str) -> tuple[str, int, str]:
    """Split a text without its comments into the heading that it begins with, the heading's level (0: none) and the rest."""
    text = COMMENT.sub("", text).strip()
    tokens = _tokens(text)
    start = next(iter(_starts(tokens, text.splitlines(), set(), 6)), None)
    if start is None or start[0] or not start[2]:
        return "", 0, text
    return start[3], start[2], "\n".join(text.splitlines()[start[1] :]).strip()


def _without_comments(text: str) -> tuple[str, list[tuple[int, str]]]:
    """Replace the comments of a text with empty lines, except directives. Return the text, and the line and the text of each
    comment ``slide:``."""
    found = list[tuple[int, str]]()

    def blank(match: re.Match[str]) -> str:
        if match["comment"] is None:
            return match[0]
        slide = SLIDE_COMMENT.fullmatch(match[0])
        if slide is not None:
            found.append((text.count("\n", 0, match.start()), slide[1].strip()))
        return match[0] if DIRECTIVE.fullmatch(match[0]) else re.sub(r"[^\n]", " ", match[0])

    return CODE_OR_FORMULA.sub(blank, text), found


def _tokens(text: str) -> list[Any]:
    """Return the Markdown tokens of a text without formulas."""
    masked = CODE_OR_FORMULA.sub(lambda found: re.sub(r"[^\n]", "x", found[0]) if found["formula"] else found[0], text)
    tokens: list[Any] = _parser().parse(masked)
    return tokens


@functools.cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")


def _starts(
    tokens: list[Any], lines: list[str], in_columns: set[int], max_level: int = MAX_LEVEL
) -> list[tuple[int, int, int, str, bool]]:
    """Return where sections begin: first line, first line of the body, level, title, and whether it is a thematic break.

    ``in_columns`` are the numbers of the lines in columns.
    """
    found = list[tuple[int, int, int, str, bool]]()
    for token in tokens:
        if token.level or token.map is None:
            continue
        first, end = token.map
        if token.type == "hr":
            found.append((first, end, 0, "", True))
        elif token.type == "heading_open" and int(token.tag[1]) <= (MAX_LEVEL_IN_COLUMNS if first in in_columns else max_level):
            underlined = token.markup in ("=", "-")
            title = " ".join(line.strip() for line in lines[first : end - underlined])
            title = title if underlined else re.sub(r"^#+\s*|\s+#+$", "", title)
            title = HEADING_ATTRIBUTES.sub("", title)
            found.append((first, end, int(token.tag[1]), title, False))
    return found


# Directives


@dataclass(frozen=True)
class Block:
    """A part of a section. ``kind`` is "text", "notes", "columns", "column" or "end columns".

    ``width`` is the width of a column in percent, 0 if it isn't given. ``incremental``: whether lists appear item by item.
    ``fragment``: whether the text appears later than what is before it.
    """

    kind: str
    text: str = ""
    width: int = 0
    incremental: bool = False
    fragment: bool = False


class BlockReader:
    """Reads the directives in the sections of a notebook. Fenced divs may begin in one cell and end in another."""

    def __init__(self) -> None:
        self._open = list[str]()
        """The kinds of the fenced divs that are open; an empty text for one that isn't a directive."""

    def read(self, body: str) -> list[Block]:
        """Split the body of a section into blocks."""
        found, lines = list[Block](), list[str]()
        incremental = paused = False

        def flush() -> None:
            text = BLANK_LINES.sub("", "\n".join(lines)).rstrip()
            lines.clear()
            if text:
                kind = "notes" if "notes" in self._open else "text"
                shows_items = incremental or "incremental" in self._open
                found.append(Block(kind, text, incremental=shows_items, fragment=paused or "fragment" in self._open))

        in_code = _code_lines(body)
        for number, line in enumerate(body.splitlines()):
            comment, fence = DIRECTIVE.fullmatch(line.strip()), FENCED_DIV.match(line)
            if number not in in_code and PAUSE.match(line):
                flush()
                paused = True
            elif number in in_code or (comment is None and fence is None):
                lines.append(line)
            elif comment is not None:
                flush()
                kind = comment[1].split()[0] if comment["width"] else comment[1]
                if kind.endswith("incremental"):
                    incremental = not kind.startswith("end")
                else:
                    found.append(Block(kind, width=int(comment["width"] or 0)))
            elif fence is not None and not self._read_fence(fence, flush, found):
                lines.append(line)
        flush()
        return found

    def _read_fence(self, fence: re.Match[str], flush: Callable[[], None], found: list[Block]) -> bool:
        """Open or close a fenced div. Return whether it is a directive; other fences stay in the text."""
        if fence["attributes"] is None and fence["word"] is None:
            if not self._open:
                return False
            if self._open[-1]:
                flush()
            kind = self._open.pop()
            if kind == "columns":
                found.append(Block("end columns"))
            return bool(kind)
        classes = re.findall(r"\.([\w-]+)", fence["attributes"] or "") or [fence["word"] or ""]
        kind = next((FENCE_CLASSES[name] for name in classes if name in FENCE_CLASSES), "")
        if kind:
            flush()
        if kind in ("columns", "column"):
            width = re.search(r"width\s*=\s*[\"']?(\d{1,2})(?:\.\d+)?%", fence["attributes"] or "")
            found.append(Block(kind, width=int(width[1]) if width else 0))
        self._open.append(kind)
        return bool(kind)


def _lines_in_columns(lines: list[str], tokens: list[Any], inside: bool) -> set[int]:
    """Return the numbers of the lines between ``columns`` and ``end columns``. ``inside``: whether columns are open before."""
    if not inside and not any("columns" in line for line in lines):
        return set()
    reader, found = BlockReader(), set[int]()
    code = {line for token in tokens if token.type in ("fence", "code_block") for line in range(*token.map)}
    for number, line in enumerate(lines):
        blocks = [] if number in code else reader.read(line)
        kinds = [block.kind for block in blocks]
        inside = "columns" in kinds or (inside and "end columns" not in kinds)
        if inside:
            found.add(number)
    return found


def _code_lines(text: str) -> set[int]:
    """Return the numbers of the lines that are code."""
    return {line for token in _tokens(text) if token.type in ("fence", "code_block") for line in range(*token.map)}
