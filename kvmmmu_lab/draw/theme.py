# SPDX-License-Identifier: GPL-2.0-only
"""The one visual language of all pictures: kinds, marks and their signs, and the stylesheet that gives them colours.

All appearance is in ``drawing.css`` and nowhere else: a palette that colour-blind readers can tell apart, light and
dark. Colour never stands alone: guest tables are blue *and* on top, a change is yellow *and* bold, what dies is
struck through, what is new has two borders.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

KINDS = ("guest", "shadow", "frame", "rmap", "list")
"""Of tables; also the order in which those of one column stand, from top to bottom."""

EDGES = ("guest", "shadow", "readonly", "shadows", "rmap", "parent", "link")
"""Kinds of edges."""

SIGNS = {"": "", "changed": "*", "read": ">", "dead": "x", "new": "+"}
"""By mark: what a marked row says besides its colour."""

BOXES = {
    "guest": ("Guest tables", "in guest memory; the guest writes them, the processor never reads them"),
    "shadow": ("Shadow tables", "in host memory; what the processor walks"),
}
"""The kinds that get a box around all their tables; its title, and what it says in brackets."""

LONGEST = 60
"""A longer label is cut: it would push all tables apart."""

_BLOCK = re.compile(r"[^{}]*\{([^{}]*)\}\s*")
_COLOUR = re.compile(r"--([\w-]+):\s*(#[0-9A-Fa-f]{6})")


def plain(text: object, longest: int = LONGEST) -> str:
    """Text fit for a label: no characters that XML forbids, not too long."""
    words = re.sub(r"[^\x20-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", str(text))
    return words if len(words) <= longest else words[: longest - 3] + "..."


@functools.cache
def stylesheet() -> str:
    """``drawing.css``: light colours, dark ones inside ``.kvmmmu-dark``, and the rules that use them."""
    return Path(__file__).with_name("drawing.css").read_text("utf-8")


@functools.cache
def colours(dark: bool = False) -> dict[str, str]:
    """The colours of one theme by name, as the stylesheet has them: "guest" is "#0072B2"."""
    light, night = (dict(found) for found in map(_COLOUR.findall, _BLOCK.findall(stylesheet())) if found)
    return {**light, **night} if dark else light


@functools.cache
def still_style(dark: bool = False) -> str:
    """The stylesheet of a picture that stands alone: one theme, with every colour in its place, as plain viewers need it."""
    rules = re.sub(r"/\*.*?\*/\s*", "", stylesheet(), flags=re.DOTALL)
    rules = _BLOCK.sub(lambda block: "" if _COLOUR.search(block[1]) else block[0], rules)
    return re.sub(r"var\(--([\w-]+)\)", lambda name: colours(dark)[name[1]], rules)
