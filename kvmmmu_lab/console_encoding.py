# SPDX-License-Identifier: GPL-2.0-only
"""The encoding of the console: characters that it lacks are replaced by similar ones, so that printing never fails.

A redirected output on Windows, for example, is encoded in cp1252, which has neither check marks nor box-drawing characters.
"""

from __future__ import annotations

import codecs
import sys
import unicodedata

ERRORS = "kvmmmu_lab.similar"
"""The name of the error handler, for `codecs`."""

SIMILAR = {
    "✓": "+", "✗": "x", "…": "...", "·": ".", "•": "*", "×": "x", "→": "->", "←": "<-", "↔": "<->", "↑": "^",
    "↓": "v", "⇒": "=>",
    "–": "-", "—": "-", "−": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "≤": "<=", "≥": ">=", "≠": "!=", "±": "+-",
    "│": "|", "─": "-", "┌": "+", "┐": "+", "└": "+", "┘": "+", "├": "+", "┤": "+", "┬": "+", "┴": "+", "┼": "+",
    "▶": ">", "▸": ">", "◀": "<", "■": "#", "█": "#", "\u00a0": " ",
}  # fmt: skip
"""For characters that the kit prints: similar ones in ASCII."""


def similar(text: str) -> str:
    """``text`` in ASCII: similar characters where there are some, otherwise the base letter, otherwise an escape sequence."""
    return "".join(map(_ascii, text))


def _ascii(character: str) -> str:
    if character.isascii():
        return character
    base = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return SIMILAR.get(character) or base or character.encode("ascii", "backslashreplace").decode()


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return similar(error.object[error.start : error.end]), error.end


def print_anything() -> None:
    """From now on, printing replaces what the console's encoding lacks. Streams that can encode everything stay as they are."""
    codecs.register_error(ERRORS, _replace)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and not str(stream.encoding).lower().startswith("utf"):
            reconfigure(errors=ERRORS)
