# SPDX-License-Identifier: GPL-2.0-only
"""Text of a notebook as pages show it: readable, and written in the direction of its language."""

from __future__ import annotations

import html
import re
import unicodedata

from ..printable import escaped_html, printable

MARKS = "\u00ad\u061c\u200b\u200e\u200f\u2060\ufeff"
"""Invisible characters that editors and web pages leave in a text: soft hyphens, marks of direction, zero-width spaces. They
change no character's place, as overrides of the direction would."""

_MARKS = re.compile(f"([{MARKS}]+)")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]")
_BLOCK = re.compile(r"<(p|h[1-6]|td|th|dt|dd|figcaption|caption|summary|div)\b(?![^>]*\bdir=)")
_LIST = re.compile(r"<(ul|ol|table|blockquote|dl)\b([^>]*)>")
_TAG = re.compile(r"<[^>]*>")


def readable(text: str) -> str:
    """Return ``text`` like `printable`, but with the invisible `MARKS`; line ends become line feeds."""
    text = re.sub("\r\n?|[\v\f\x85]", "\n", text)
    parts = _MARKS.split(text)
    parts[::2] = map(printable, parts[::2])
    return "".join(parts).replace("\ufeff", "")


def readable_html(text: str) -> str:
    """Return ``text`` like `readable`, escaped for HTML."""
    parts = _MARKS.split(text)
    parts[::2] = map(escaped_html, parts[::2])
    return "".join(parts).replace("\ufeff", "")


def is_right_to_left(text: str) -> bool:
    """Return whether the first letter of a text belongs to a script that is written from right to left."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False


def with_directions(markup: str) -> str:
    """Give the blocks of HTML the direction of their text, if any of it is written from right to left.

    Blocks get ``dir="auto"``. Lists, tables and quotations get the direction of their first letter, so that their bullets,
    columns and rules are on the right side.
    """
    if not _RIGHT_TO_LEFT.search(markup):
        return markup

    def with_direction(found: re.Match[str]) -> str:
        if "dir=" in found[2]:
            return found[0]
        text = html.unescape(_TAG.sub("", markup[found.end() : found.end() + 2000]))
        return f'<{found[1]}{found[2]} dir="{"rtl" if is_right_to_left(text) else "ltr"}">'

    return _BLOCK.sub(r'<\1 dir="auto"', _LIST.sub(with_direction, markup))
