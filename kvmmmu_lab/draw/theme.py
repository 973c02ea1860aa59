# SPDX-License-Identifier: GPL-2.0-only
"""The one visual language of all pictures: colours, faces, and how text gets into a label.

Colours come from a palette that colour-blind readers can tell apart, and never stand alone: guest tables are
blue *and* on top, a change is yellow *and* bold, what dies is struck through. Six digits each: old renderers
know no shorter form. All text has a contrast of at least 4.5:1 on what is behind it.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple


class Tone(NamedTuple):
    """The colours of one kind of thing: lines and title, the strip under the title, the box around all of them."""

    ink: str
    tint: str
    box: str


TONES = {
    "guest": Tone("#0072B2", "#E8F3FA", "#C9DFEE"),
    "shadow": Tone("#B35900", "#FBEFE2", "#EBD3B8"),
    "frame": Tone("#4D4D4D", "#F2F2F2", "#D9D9D9"),
    "rmap": Tone("#8E4585", "#F7EDF5", "#DFC6DB"),
    "list": Tone("#3F4B59", "#F1F3F5", "#D5DAE0"),
}
RMAP = "#8E4585"
TEXT = "#1F2933"
QUIET = "#5F6B7A"
RULE = "#D9DEE3"
GHOST = "#CBD2D9"
CHANGED = "#FFF3B0"
PAPER = "#FFFFFF"

SANS = "Helvetica"
MONO = "Courier New"
"""Faces that every renderer has metrics for; `STYLE` puts better ones of the same widths in their place."""

STYLE = """text { font-family: Helvetica, Arial, "Liberation Sans", sans-serif; }
text[font-family^="Courier"] { font-family: "Courier New", "Liberation Mono", "DejaVu Sans Mono", monospace; }
a { cursor: default; }"""

TITLE_SIZE, ENTRY_SIZE, WORDS_SIZE = 9.0, 8.75, 8.25
"""In points; a point is 4/3 pixels on screen, so the smallest text has 11. Two paths of four levels fit 840 pixels."""

LONGEST = 60
"""A longer label is cut: it would push all tables apart."""


def plain(text: object, longest: int = LONGEST) -> str:
    """Text fit for a label: no characters that XML forbids, not too long."""
    words = re.sub(
        r"[^\x20-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", str(text)
    )
    return words if len(words) <= longest else words[: longest - 3] + "..."


def label(text: object) -> str:
    """Text as part of a label in DOT's HTML: whatever it holds stays text, also a backslash, which DOT makes much of."""
    return html.escape(plain(text)).replace("\\", "\\\\")
