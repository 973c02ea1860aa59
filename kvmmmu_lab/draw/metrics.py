# SPDX-License-Identifier: GPL-2.0-only
"""Sizes of tables and texts. The kit estimates them, so that the drawing doesn't depend on how a renderer measures text.

Rows use a fixed-width font whose characters are 0.6 times the font size wide. The widths for the sans-serif font are rough
and generous, since browsers substitute different fonts.
"""

from __future__ import annotations

import functools
from math import ceil
from typing import NamedTuple

from .scene import Entry, Scene, Table
from .theme import plain

SIZE, TITLE_SIZE = 11, 12
"""Font sizes in pixels, for text (the smallest readable size) and for the titles of tables."""

LETTER = 0.6 * SIZE
"""Width of a character of a row, in pixels."""

BAR, LINE, ROW, FOOT = 20, 15, 17, 3
"""Heights in pixels of the bar behind a title, a line below it, a row, and the space below the last row."""

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


def columns(stage: Scene) -> dict[int, Column]:
    """Return the width of each column of a stage, by its number."""
    found = {}
    for number in sorted({table.column for table in stage.tables}, reverse=True):
        tables = [table for table in stage.tables if table.column == number]
        rows = [cells(entry) for table in tables for entry in table.entries]
        most = [max((len(row[k]) for row in rows), default=0) for k in range(3)]
        index, flags, target = (min(chars, limit) for chars, limit in zip(most, LONGEST_CELLS, strict=True))
        flags = max(flags, FLAGS) if any(table.kind in FLAGGED and table.entries for table in tables) else flags
        width = max(_row_width(index, flags, target) if rows else 0, *map(_words_width, tables))
        found[number] = Column(index, flags, target, ceil(width))
    return found


def cells(entry: Entry) -> tuple[str, str, str]:
    """Return the index, flags and target of a row, shortened for a drawing: a gfn is a bare number."""
    return plain(entry.index), plain(entry.flags), plain(entry.target).removeprefix("gfn ").replace(" MB ", "M ")


def height(table: Table) -> int:
    """Return the height of a table in pixels."""
    return rows_top(table) + ROW * len(table.entries) + LINE * bool(table.rest) + FOOT


def rows_top(table: Table) -> int:
    """Return the distance from the top of a table to its first row, in pixels."""
    return BAR + LINE * len(table.words) + bool(table.words)


def _row_width(index: int, flags: int, target: int) -> float:
    return 2 * PAD + (index + 1 + flags + target) * LETTER + 2 * BESIDE_SIGN + BETWEEN * bool(flags)


def _words_width(table: Table) -> float:
    lines = [text_width(plain(line, 200)) for line in (*table.words, table.rest)]
    return min(max(text_width(plain(table.title, 200), TITLE_SIZE, bold=True), *lines), WIDEST) + 2 * PAD
