# SPDX-License-Identifier: GPL-2.0-only
"""Sizes of tables and texts. The kit estimates them, so that the drawing doesn't depend on how a renderer measures text.

Rows use a fixed-width font whose characters are 0.6 times the font size wide. The widths for the sans-serif font are rough
and generous, since browsers substitute different fonts.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from math import ceil
from typing import NamedTuple

from .scene import Entry, Scene, Table
from .theme import plain

SIZE, TITLE_SIZE = 11, 12
"""Font sizes in pixels, for text (the smallest readable size) and for the titles of tables."""

LETTER = 0.6 * SIZE
"""Width of a character of a row, in pixels."""


class Heights(NamedTuple):
    """Heights in pixels of the bar behind a title, a line below it, a row, and the space below the last row."""

    bar: int
    line: int
    row: int
    foot: int


USUAL, DENSE = Heights(20, 15, 17, 3), Heights(17, 13, 15, 2)
BAR, LINE = USUAL.bar, USUAL.line

PAD, BESIDE_SIGN, BETWEEN = 4, 2, 5
"""Distances in pixels: from border to text, on either side of a row's sign, and from flags to target."""

FLAGS, LONGEST_CELLS, WIDEST = 7, (12, 20, 34), 230
"""Minimum characters for flags; maximum characters for index, flags and target; maximum width of other lines in pixels."""

FLAGGED = ("guest", "shadow", "frame")

_BY_WIDTH = {
    0.25: "'ijl|",
    0.33: " !,-./:;I[\\]ftr()`·",
    0.42: '*{}^"',
    0.53: "JLcksvxyz_",
    0.76: "ACDGHKNOQRUVw",
    0.95: "MWm%@",
}
_WIDTHS = {letter: width for width, letters in _BY_WIDTH.items() for letter in letters}


class Column(NamedTuple):
    """The width of the tables in a column: characters of the index, the flags and the target, and the total in pixels."""

    digits: int
    flags: int
    target: int
    width: int

    @property
    def places(self) -> tuple[float, float, float, float]:
        """The x coordinates in a row: the end of the index, the middle of the sign, the starts of flags and target."""
        index = PAD + self.digits * LETTER
        flags = index + 2 * BESIDE_SIGN + LETTER
        return index, index + BESIDE_SIGN + LETTER / 2, flags, flags + self.flags * LETTER + BETWEEN * bool(self.flags)


TEXT = Column(0, 0, 0, 0)
"""The column that places a row that is a text (see `is_text`)."""


@functools.lru_cache(4096)  # cached because the steps of a film share most of their texts
def text_width(text: str, size: float = SIZE, bold: bool = False) -> float:
    """Return the approximate width of a text in the sans-serif font, in pixels."""
    letters = sum(_WIDTHS.get(letter, 0.6 if letter.isascii() else 1.0) for letter in text)
    return letters * size * (1.07 if bold else 1)


def cut(text: str, room: float, size: float = SIZE, bold: bool = False) -> str:
    """Return the text; if it is wider than ``room`` pixels, it is cut and ends with "..."."""
    words = plain(text, 200)
    if text_width(words, size, bold) <= room:
        return words
    while words and text_width(words + "...", size, bold) > room:
        words = words[:-1]
    return words + "..."


def wrap(text: str, room: float) -> list[str]:
    """Return the text in lines of at most ``room`` pixels. A single word that is wider is cut."""
    lines = [""]
    for word in plain(text, 2000).split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return [cut(line, room) for line in lines if line]


def columns(stage: Scene, beside: Mapping[str, float] | None = None, widest: float = WIDEST) -> dict[int, Column]:
    """Return the width of each column of a stage, by its number, from left to right. For the arguments, see `column`."""
    numbers = sorted({table.column for table in stage.tables}, reverse=True)
    parts = {number: [table for table in stage.tables if table.column == number] for number in numbers}
    split = beside or {}
    return {number: joint(column(t, split.get(t.key), widest) for t in tables) for number, tables in parts.items()}


def column(table: Table, beside: float | None = None, widest: float = WIDEST) -> Column:
    """Return the width of a table and of its cells. ``widest``: maximum width of lines that aren't rows, in pixels.

    ``beside``: the width of the title's part, if the first line is beside the title.
    """
    rows = [cells(entry) for entry in table.entries if not is_text(entry)]
    most = [max((len(row[k]) for row in rows), default=0) for k in range(3)]
    index, flags, target = (min(chars, limit) for chars, limit in zip(most, LONGEST_CELLS, strict=True))
    flags = max(flags, FLAGS) if table.kind in FLAGGED and rows else flags
    texts = (_row_width(0, len(plain(entry.flags)), 0) for entry in table.entries if is_text(entry))
    return Column(index, flags, target, ceil(max(_words_width(table, beside, widest), *texts, 0)))


def is_text(entry: Entry) -> bool:
    """Return whether a row is a text instead of an entry: it has only flags, which begin at the left and may be longer."""
    return not entry.index and not entry.target


def joint(tables: Iterable[Column]) -> Column:
    """Return the width of a column that has these tables."""
    parts = tuple(zip(*tables, strict=True))
    index, flags, target, width = map(max, parts)
    return Column(index, flags, target, ceil(max(_row_width(index, flags, target) if target or index else 0, width)))


def cells(entry: Entry) -> tuple[str, str, str]:
    """Return the index, flags and target of a row, shortened for a drawing: a gfn is a bare number."""
    return plain(entry.index), plain(entry.flags), plain(entry.short_target)


def height(table: Table, heights: Heights = USUAL, beside: bool = False) -> int:
    """Return the height of a table in pixels. ``beside``: whether its first line is beside the title."""
    return rows_top(table, heights, beside) + heights.row * len(table.entries) + heights.line * bool(table.rest) + heights.foot


def rows_top(table: Table, heights: Heights = USUAL, beside: bool = False) -> int:
    """Return the distance from the top of a table to its first row, in pixels."""
    lines = len(table.words) - beside
    return heights.bar + heights.line * lines + bool(lines)


def title_width(title: str) -> float:
    """Return the width of the part of a bar that holds a title with a line beside it, in pixels."""
    return text_width(plain(title, 200), TITLE_SIZE, bold=True) + 2 * PAD


def _row_width(index: int, flags: int, target: int) -> float:
    return 2 * PAD + (index + 1 + flags + target) * LETTER + 2 * BESIDE_SIGN + BETWEEN * bool(flags)


def _words_width(table: Table, beside: float | None, widest: float) -> float:
    widths = [text_width(plain(line, 200)) for line in (*table.words, table.rest)]
    if beside is None:
        widths.append(text_width(plain(table.title, 200), TITLE_SIZE, bold=True))
    else:
        widths[0] += beside
    return min(max(widths), widest) + 2 * PAD
