# SPDX-License-Identifier: GPL-2.0-only
r"""Printed text as a terminal shows it, in HTML.

``\r``, ``\b``, tabs, and the escape sequences that move the cursor or erase are obeyed, so that only the last state of a
progress bar remains. Colours become classes with the names that nbconvert uses, such as ``ansi-red-fg``; `content.css` has
their rules, which are readable in both themes. All other control sequences are removed.

(The well-known emulator, pyte, is under a licence that doesn't go together with the kit's.)
"""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from .readable import readable_html

TOKEN = re.compile(
    r"(?P<control>[\n\r\b\t\v\f])"
    r"|(?:\x1b\[|\x9b)(?P<parameters>[0-9;:?<=>!]*)[ -/]*(?P<command>[@-~])"
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)|\x1b[ -/]*[0-~]|[\x00-\x06\x07\x0e\x0f]"  # titles, links; other sequences; bells
    r"|(?P<text>[^\n\r\b\t\v\f\x1b\x9b\x00-\x07\x0e\x0f]+)",
    re.DOTALL,
)
SEQUENCES = re.compile(r"[\r\b\x1b\x9b\v\f\x00-\x07\x0e\x0f]")
"""Matches what a text for a terminal contains besides characters to show, line feeds and tabs."""

TAB = 8

COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")

MAX_COLUMN = 10_000
MAX_JUMP = 1000
"""The maximum number of lines that a sequence moves the cursor, so that a few characters can't make a huge page."""


@dataclass(frozen=True)
class Style:
    """How characters look. ``foreground`` and ``background`` are names of colours, or empty."""

    foreground: str = ""
    background: str = ""
    bold: bool = False
    italic: bool = False
    underline: bool = False
    inverse: bool = False

    @property
    def classes(self) -> str:
        """The names of the classes, separated by spaces."""
        names = [f"ansi-{self.foreground}-fg"] * bool(self.foreground) + [f"ansi-{self.background}-bg"] * bool(self.background)
        for name in ("bold", "italic", "underline", "inverse"):
            names += [f"ansi-{name}"] * bool(getattr(self, name))
        return " ".join(names)


PLAIN = Style()


class Terminal:
    """A terminal without an edge: lines never wrap, and nothing scrolls away."""

    def __init__(self) -> None:
        self.lines: list[list[tuple[str, Style]]] = [[]]
        self.row = self.column = 0
        self.style = PLAIN

    def write(self, text: str) -> None:
        """Print a text."""
        for token in TOKEN.finditer(text):
            if token["text"]:
                self._put(token["text"])
            elif token["control"]:
                self._control(token["control"])
            elif token["command"]:
                self._command(token["command"], token["parameters"])

    def _put(self, text: str) -> None:
        line, end = self.lines[self.row], self.column + len(text)
        if self.column > len(line):
            line += [(" ", PLAIN)] * (self.column - len(line))
        line[self.column : end] = [(character, self.style) for character in text]
        self.column = end

    def _control(self, control: str) -> None:
        if control == "\r":
            self.column = 0
        elif control == "\b":
            self.column = max(0, self.column - 1)
        elif control == "\t":
            stop = (self.column // TAB + 1) * TAB
            if self.column >= len(self.lines[self.row]):
                self._put(" " * (stop - self.column))
            self.column = stop
        else:
            self._down(1)
            self.column = 0

    def _down(self, lines: int) -> None:
        self.row += lines
        self.lines += [[] for _ in range(self.row + 1 - len(self.lines))]

    def _command(self, command: str, parameters: str) -> None:
        if command == "m":
            codes = [one or "0" for one in re.split("[;:]", parameters)]
            self.style = _styled(self.style, [int(one) for one in codes if one.isdecimal()])
            return
        first = parameters.partition(";")[0]
        number = int(first) if first.isdecimal() else 0
        steps, line = min(max(1, number), MAX_JUMP), self.lines[self.row]
        if command in "AF":
            self.row = max(0, self.row - steps)
        elif command in "BE":
            self._down(steps)
        elif command == "C":
            self.column = min(self.column + steps, MAX_COLUMN)
        elif command == "D":
            self.column = max(0, self.column - steps)
        elif command == "G":
            self.column = min(max(1, number), MAX_COLUMN) - 1
        elif command == "H":  # the top of a screen, which isn't known here
            self.column = 0
        elif command == "K":
            self._erase(line, number)
        elif command == "J":
            self._erase(line, number)
            for other in self.lines[self.row + 1 :] if number == 0 else self.lines if number > 1 else self.lines[: self.row]:
                other.clear()
        elif command == "P":
            del line[self.column : self.column + steps]
        if command in "EF":
            self.column = 0

    def _erase(self, line: list[tuple[str, Style]], part: int) -> None:
        """Erase a part of a line: 0 the rest, 1 up to the cursor, 2 all."""
        if part == 0:
            del line[self.column :]
        elif part == 1:
            line[: self.column + 1] = [(" ", PLAIN)] * min(self.column + 1, len(line))
        else:
            line.clear()


def terminal_lines(text: str, most: int) -> list[str]:
    """Return the lines of a printed text as HTML for a ``pre``. Of a line, at most ``most`` characters are shown."""
    if not SEQUENCES.search(text):
        return [readable_html(_cut(line, most)) for line in text.expandtabs(TAB).split("\n")]
    terminal = Terminal()
    terminal.write(text.replace("\r\n", "\n"))
    return [_line_html(line, most) for line in terminal.lines]


def _cut(line: str, most: int) -> str:
    return line if len(line) <= most else line[:most] + _rest(len(line) - most)


def _rest(characters: int) -> str:
    return f" ... ({characters:,} more characters are left out)"


def _line_html(line: list[tuple[str, Style]], most: int) -> str:
    parts = []
    for style, characters in groupby(line[:most], lambda one: one[1]):
        text = readable_html("".join(character for character, _ in characters))
        parts.append(f'<span class="{style.classes}">{text}</span>' if style.classes else text)
    return "".join(parts).rstrip(" ") + (_rest(len(line) - most) if len(line) > most else "")


def _styled(style: Style, codes: list[int]) -> Style:
    """Apply the parameters of an SGR sequence to a style."""
    rest = iter(codes or [0])
    for code in rest:
        if code == 0:
            style = PLAIN
        elif code in (1, 22):
            style = replace(style, bold=code == 1)
        elif code in (3, 23):
            style = replace(style, italic=code == 3)
        elif code in (4, 24):
            style = replace(style, underline=code == 4)
        elif code in (7, 27):
            style = replace(style, inverse=code == 7)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            style = replace(style, foreground=COLOURS[code % 10] + "-intense" * (code >= 90))
        elif 40 <= code <= 47 or 100 <= code <= 107:
            style = replace(style, background=COLOURS[code % 10] + "-intense" * (code >= 100))
        elif code in (38, 48):
            name = _extended(rest)
            style = replace(style, foreground=name) if code == 38 else replace(style, background=name)
        elif code == 39:
            style = replace(style, foreground="")
        elif code == 49:
            style = replace(style, background="")
    return style


def _extended(codes: Iterator[int]) -> str:
    """Return the nearest of the named colours to one of 256 colours (``5;n``) or to any colour (``2;r;g;b``)."""
    kind = next(codes, 0)
    if kind == 2:
        return _nearest(next(codes, 0), next(codes, 0), next(codes, 0))
    number = next(codes, 0)
    if number < 16:
        return COLOURS[number % 8] + "-intense" * (number >= 8)
    if number >= 232:
        return _nearest(*[8 + 10 * (number - 232)] * 3)
    steps = (0, 95, 135, 175, 215, 255)
    return _nearest(steps[(number - 16) // 36 % 6], steps[(number - 16) // 6 % 6], steps[(number - 16) % 6])


def _nearest(red: int, green: int, blue: int) -> str:
    """Return the named colour of the same hue: each of those can be read in both themes."""
    hue, lightness, saturation = colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
    if saturation < 0.2 or not 0.05 < lightness < 0.95:
        return "black" if lightness < 0.35 else "white" if lightness > 0.75 else "black-intense"
    hues = ("red", "yellow", "green", "cyan", "blue", "magenta")
    return hues[round(hue * 6) % 6]
