# SPDX-License-Identifier: GPL-2.0-only
"""Line highlights: a talk goes through code in steps, and each step highlights some lines.

The steps are written as in reveal.js and Quarto: ``1-2|4|6-8`` highlights the first two lines, then line 4, then three more;
``all`` highlights everything.
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import InputError

COMMENT = re.compile(
    r"\s*#\|?[ \t]*(?:highlight|code-line-numbers)[ \t]*[:=][ \t]*[\"']?([\d|,\s-]+|all.*?)[\"']?[ \t]*(?:\n|$)"
)
"""Matches a comment such as ``# highlight: 1-2|4`` at the beginning of a cell."""

TAG = re.compile(r"highlight[:=](.+)")
STEP = re.compile(r"\s*(?:all|\d{1,5}(?:\s*-\s*\d{1,5})?(?:\s*,\s*\d{1,5}(?:\s*-\s*\d{1,5})?)*)?\s*")


def line_highlights(cell: Any) -> tuple[str, list[str]]:
    """Return the source of a code cell, and its steps; none if it has no line highlights.

    They are in the cell's metadata (``highlight``), in a tag (``highlight=1-2|4``), or in a comment in the first line, which
    isn't part of the source that is returned. Raises InputError if the steps can't be read.
    """
    source = cell.source.strip("\n").rstrip()
    written = cell.metadata.get("highlight")
    comment = COMMENT.match(source)
    if comment is not None:
        source = source[comment.end() :].lstrip("\n")
        written = written or comment[1]
    for tag in cell.metadata.get("tags", ()):
        found = TAG.fullmatch(tag)
        written = written or (found and found[1])
    if not written:
        return source, []
    steps = str(written).split("|")
    if not all(STEP.fullmatch(step) for step in steps):
        raise InputError("highlight", str(written), "line numbers, such as 1-2|4|6-8")
    return source, ["".join(step.split()) for step in steps]


def with_highlights(markup: str, steps: list[str]) -> str:
    """Return code as HTML with an element for each line; the script of the deck highlights them.

    ``markup`` is the HTML of the code, with its lines in one ``pre``. Each line has the numbers of its steps, counted from 1,
    in the attribute ``data-steps``.
    """
    found = re.fullmatch(r"(.*<pre>)(.*?)\n?(</pre>.*)", markup, re.DOTALL)
    if found is None or not steps:
        return markup
    before, code, after = found.groups()
    lines = code.split("\n")
    chosen = [_lines(step, len(lines)) for step in steps]
    rows = []
    for number, line in enumerate(lines, 1):
        at = " ".join(str(step) for step, numbers in enumerate(chosen, 1) if number in numbers)
        rows.append(f'<span class="code-line" data-steps="{at}">{line}\n</span>')
    return f"{before}{''.join(rows)}{after}"


def _lines(step: str, total: int) -> set[int]:
    """Return the numbers of the lines of a step such as ``1-2,5``."""
    if step in ("", "all"):
        return set(range(1, total + 1))
    found = set[int]()
    for piece in step.split(","):
        first, _, last = piece.partition("-")
        found |= set(range(int(first), min(int(last or first), total) + 1))
    return found
