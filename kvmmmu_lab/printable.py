# SPDX-License-Identifier: GPL-2.0-only
r"""Text from outside (answers, names, source lines, file contents) as it may be printed or put on a page.

Control characters become visible escape sequences, so that a terminal, a page or a reader's eye obeys none of them::

    >>> print(printable("a\x1b[2Jb"))
    a\x1b[2Jb

Everything that the kit prints passes `PrintableStream` in the commands, and `printable` or `escaped_html` elsewhere.
"""

from __future__ import annotations

import contextlib
import html
import re
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any, TextIO

PRINTED = re.compile(r"[\n -~]*")
"""Matches text that is printed as it is, so that most text is done with at once."""

JOINERS = "\u200c\u200d"
"""Format characters that Persian, Hindi and emoji need inside words; they change nothing outside."""

CONTROLS = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""The Unicode categories of characters that control something: C0, C1 and DEL; bidi and other formats; lone surrogates; the
separators of lines and of paragraphs."""


def printable(text: str) -> str:
    """Return ``text`` with visible escape sequences for control characters. Line feeds stay; tabs become spaces."""
    if PRINTED.fullmatch(text):
        return text
    return "".join(map(_shown, text.expandtabs(8)))


def _shown(character: str) -> str:
    if character == "\n" or character in JOINERS or unicodedata.category(character) not in CONTROLS:
        return character
    return character.encode("unicode_escape").decode()


def one_line(text: str) -> str:
    r"""Return ``text`` like `printable`, in one line: line feeds become ``\n``."""
    return printable(text).replace("\n", "\\n")


def shortened(text: str, most: int) -> str:
    """Return ``text``, without its middle if it has more than ``most`` characters: the beginning and the end tell most."""
    if len(text) <= most:
        return text
    end = (most - 3) // 2
    return f"{text[: most - 3 - end]}...{text[len(text) - end :]}"


def escaped_html(text: str, *, quote: bool = True) -> str:
    """Return text from outside as HTML: in an element or, with ``quote``, in a quoted attribute."""
    return html.escape(printable(text), quote=quote)


class PrintableStream:
    """A text stream that prints control characters as `printable` shows them. Everything else is that of ``stream``."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write a text, and return its length."""
        self.stream.write(printable(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def control(self, sequence: str) -> None:
        """Write an escape sequence of the kit's own, which a terminal obeys."""
        self.stream.write(sequence)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def printable_streams() -> Iterator[None]:
    """Print only printable text to standard output and standard error, from here to the end of the block."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(PrintableStream, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


@contextlib.contextmanager
def plain_streams() -> Iterator[None]:
    """Inside `printable_streams`, let another program print as it likes: it has colours of its own."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (getattr(stream, "stream", stream) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
