# SPDX-License-Identifier: GPL-2.0-only
"""The lines of text in a file, with their numbers, also of the texts in a notebook's JSON; and texts that two files share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from .stubs import code_rows

Lines = Sequence[tuple[int, str]]
"""Lines of text with their numbers in a file."""

STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
"""Matches a string of JSON."""

RUN, LONG_RUN = 3, 5
"""How many lines of a solution, one after the other, are no accident; and how many in the engine, which does the same."""

GIVEN = ("class ", "def ", "self.vm = ", "raise ")
"""How the lines begin that a stub gives."""

LEAST = 20
"""The average number of characters of such lines."""


def text_lines(name: str, content: bytes) -> Lines:
    """The lines of a text file, or of the texts in a notebook; none of a binary file."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return []
    if "\0" in text:
        return []
    if not name.endswith((".ipynb", ".json", ".jsonl")):
        return list(enumerate(text.splitlines(), 1))
    return [(number, part) for number, line in enumerate(text.splitlines(), 1) for part in _strings(line)]


def _strings(line: str) -> Iterator[str]:
    for found in STRING.findall(line):
        try:
            yield from json.loads(found, strict=False).splitlines()
        except ValueError:
            continue


def code_lines(lines: Lines) -> Lines:
    """The lines that say something: without blank lines, comments and imports, and without their indentation."""
    shown = ((number, " ".join(line.split())) for number, line in lines)
    return [(number, line) for number, line in shown if line and not line.startswith(("#", "import ", "from ", '"""'))]


class Solutions:
    """The text of right solutions, which nobody may find in the kit, without the lines that ``stubs`` give."""

    def __init__(self, texts: Iterable[tuple[str, str]], stubs: Iterable[str]) -> None:
        self.given = {line for stub in stubs for _, line in code_lines(code_rows(stub)) if line.startswith(GIVEN)}
        self.runs: dict[int, dict[tuple[str, ...], str]] = {RUN: {}, LONG_RUN: {}}
        for name, text in texts:
            own = self._own(code_rows(text))
            for length, known in self.runs.items():
                for run, number in _runs(own, min(length, max(len(own), 1))):
                    if run:
                        known.setdefault(run, f"{name}:{number}")

    def _own(self, lines: Lines) -> Lines:
        """The lines of code that no stub gives."""
        return [(number, line) for number, line in code_lines(lines) if line not in self.given]

    def found(self, lines: Lines, *, engine: bool = False) -> Iterator[tuple[int, str]]:
        """Yield the number of each line at which a solution's text begins, and where it is in the solution."""
        known, own, end = self.runs[LONG_RUN if engine else RUN], self._own(lines), -1
        for length in sorted({len(run) for run in known}, reverse=True):
            for at, (run, number) in enumerate(_runs(own, length)):
                if run in known and at > end:
                    yield number, known[run]
                if run in known:
                    end = at + length


def _runs(lines: Lines, length: int) -> list[tuple[tuple[str, ...], int]]:
    """All runs of so many lines, each with the number of its first line. A run of short lines is empty, and matches nothing."""
    texts = [line for _, line in lines]
    runs = (tuple(texts[at : at + length]) for at in range(len(texts) - length + 1))
    return [(run if sum(map(len, run)) >= LEAST * length else (), lines[at][0]) for at, run in enumerate(runs)]
