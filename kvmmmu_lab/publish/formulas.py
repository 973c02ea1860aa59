# SPDX-License-Identifier: GPL-2.0-only
r"""Formulas in Markdown and HTML, found where JupyterLab finds them.

A formula is ``$...$``, ``$$...$$``, ``\\(...\\)``, ``\\[...\\]``, a LaTeX environment or ``\eqref{...}``, outside code.
Markdown must not see its content: there, ``_`` and ``*`` have another meaning. So `Formulas` replaces each formula with a
placeholder, and then the placeholders in the HTML with elements that contain the TeX, which `typesetting` typesets.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..printable import escaped_html

BEGINNING = '<span class="math"'
"""The beginning of a formula's markup."""

TOKEN = re.compile(
    r"""
    (?P<code> ^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)*(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^[ \t>]*(?P=fence)[`~]*[ \t]*$|\Z)
            | (?<!`)(?P<ticks>`+)(?!`)(?:(?!\n[ \t]*\n).)*?(?<!`)(?P=ticks)(?!`)
            | <!--.*?--> )
    | (?P<environment> \\begin\{(?P<name>[a-zA-Z]+\*?)\} )
    | (?P<reference> \\(?:eq)?ref\{[^{}]+\} )
    | (?P<open> \\{1,2}[(\[] | \$\$? )
    | \\.
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)

CLOSE = {"(": ")", "[": "]"}

PRICE = re.compile(r"\s*\d[\d.,]*\s+[^$\\^_{}=]*[A-Za-z]{2,}[^$\\^_{}=]*\$")
"""Matches what follows a dollar sign that begins a price, up to the next dollar sign: a number, and words."""

BLANK_LINE = re.compile(r"\n[ \t]*\n")
TEX = re.compile(r"\\[a-zA-Z]|[\^_=]")
"""Matches what hardly occurs outside formulas. In Markdown, a single backslash before a bracket may also be just an escape."""

PLACEHOLDER = re.compile("\ue0f0(\\d+)\ue0f1")
LITERAL = re.compile(r"<(pre|code|textarea|title)\b.*?</\1>|<[^<>]*\ue0f0[^<>]*>", re.DOTALL)
"""Matches parts of HTML in which a formula is shown as its source."""

SKIPPED = re.compile(r"<(pre|code|script|style|svg|textarea|math)\b.*?</\1\s*>|<!--.*?-->|<[^<>]*>", re.DOTALL | re.IGNORECASE)
"""Matches parts of HTML in which there are no formulas."""


@dataclass(frozen=True)
class Formula:
    """A formula in a text: where it is, its TeX, its source with the delimiters, and whether it stands on a line of its own."""

    start: int
    end: int
    tex: str
    source: str
    display: bool

    @property
    def html(self) -> str:
        """The element that contains the formula's TeX."""
        return formula_html(self.tex, display=self.display)


def formula_html(tex: str, *, display: bool) -> str:
    """Return the markup of a formula: an element that contains its TeX."""
    return f'{BEGINNING} data-display="{str(display).lower()}">{escaped_html(tex.strip())}</span>'


def formulas(text: str) -> Iterator[Formula]:
    """Yield the formulas in a Markdown text."""
    position = 0
    while (found := TOKEN.search(text, position)) is not None:
        end = None
        if found["reference"]:
            end, tex = found.end(), found[0]
        elif found["environment"]:
            begin, end = found.start(), _environment_end(text, found["name"], found.end())
            tex = text[begin:end]
        elif found["open"]:
            begin, delimiter = found.end(), found["open"]
            stop = _closing(text, begin, delimiter)
            end, tex = (None, "") if stop is None else (stop + len(delimiter), text[begin:stop])
        if end is None:
            position = found.start() + 1 if found["open"] == "$$" else found.end()
            continue
        display = found["environment"] is not None or found["open"] in ("$$", "\\[", "\\\\[")
        if re.search(r"^[ \t]*>[^\n]*\Z", text[: found.start()].rpartition("\n")[2]):  # in a quotation
            tex = re.sub(r"\n[ \t]*>[ \t]?", "\n", tex)
        yield Formula(found.start(), end, tex, text[found.start() : end], display)
        position = end


def _environment_end(text: str, name: str, position: int) -> int | None:
    """Return the end of an environment that begins before ``position``, or None if it has no end."""
    depth = 1
    for found in re.compile(rf"\\(begin|end)\{{{re.escape(name)}\}}").finditer(text, position):
        depth += 1 if found[1] == "begin" else -1
        if not depth:
            return found.end()
    return None


def _closing(text: str, begin: int, delimiter: str) -> int | None:
    """Return the position of the delimiter that closes a formula, or None if it is no formula."""
    if delimiter == "$":
        return None if PRICE.match(text, begin) else _closing_dollar(text, begin)
    close = delimiter if delimiter == "$$" else delimiter[:-1] + CLOSE[delimiter[-1]]
    stop = text.find(close, begin)
    while close == "$$" and stop > 0 and text[stop - 1] == "\\":
        stop = text.find(close, stop + 1)
    if stop < 0 or not text[begin:stop].strip():
        return None
    is_escape = delimiter in ("\\(", "\\[") and (BLANK_LINE.search(text, begin, stop) or not TEX.search(text, begin, stop))
    return None if is_escape else stop


def _closing_dollar(text: str, begin: int) -> int | None:
    """Return the position of the dollar sign that closes a formula in a line. One before a number begins a price."""
    blank = BLANK_LINE.search(text, begin)
    depth, last, limit = 0, None, blank.start() if blank else len(text)
    for found in re.compile(r"\\.|[{}]|\$+", re.DOTALL).finditer(text, begin, limit):
        if found[0] in "{}":
            depth += 1 if found[0] == "{" else -1
        elif found[0] == "$" and found.start() > begin:
            is_price = text[found.start() - 1].isspace() and text[found.end() : found.end() + 1].isdigit()
            if not is_price and depth <= 0:
                if text.count("`", begin, found.start()) % 2 and text.count("`", found.start(), limit) % 2:
                    return None  # it is in code that begins after the first dollar sign
                return found.start() if text[begin : found.start()].strip() else None
            last = None if is_price else last or found.start()
        elif found[0].startswith("$") and depth <= 0:
            break
    return last  # a formula whose braces don't match: MathJax names the mistake


class Formulas:
    """The formulas of a text while it is converted to HTML."""

    def __init__(self) -> None:
        self._found = list[Formula]()

    def extract(self, text: str) -> str:
        """Return a text with placeholders for its formulas."""
        parts, position = list[str](), 0
        for formula in formulas(text) if "$" in text or "\\" in text else ():
            parts += [text[position : formula.start], f"\ue0f0{len(self._found)}\ue0f1"]
            position = formula.end
            self._found.append(formula)
        return "".join([*parts, text[position:]])

    def insert(self, markup: str) -> str:
        """Replace the placeholders in HTML with the formulas; in code and in attributes, with their sources."""
        if not self._found:
            return markup
        markup = LITERAL.sub(lambda part: self._replaced(part[0], lambda formula: escaped_html(formula.source)), markup)
        return self._replaced(markup, lambda formula: formula.html)

    def _replaced(self, text: str, show: Callable[[Formula], str]) -> str:
        return PLACEHOLDER.sub(lambda place: show(self._found[int(place[1])]), text)


def with_formulas(markup: str) -> str:
    """Mark the formulas in the texts of HTML, as MathJax finds them in the outputs of cells."""
    if "$" not in markup and "\\" not in markup:
        return markup
    parts, position = list[str](), 0
    for skipped in SKIPPED.finditer(markup):
        parts += [_text_with_formulas(markup[position : skipped.start()]), skipped[0]]
        position = skipped.end()
    return "".join([*parts, _text_with_formulas(markup[position:])])


def _text_with_formulas(text: str) -> str:
    """Mark the formulas in a text of HTML."""
    parts, position = list[str](), 0
    for formula in formulas(text):
        parts += [text[position : formula.start], formula_html(html.unescape(formula.tex), display=formula.display)]
        position = formula.end
    return "".join([*parts, text[position:]])
