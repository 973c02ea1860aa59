# SPDX-License-Identifier: GPL-2.0-only
"""The visual language of all pictures: kinds, marks and their signs, and the stylesheet that gives them colours.

Only ``drawing.css`` defines how things look, with a light and a dark palette that colour-blind readers can tell
apart. Colour is never the only sign: guest tables are blue *and* on top, a change is yellow *and* bold, a dead entry is
struck through, a new table has a double border.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

KINDS = ("guest", "shadow", "frame", "rmap", "stored", "list")
"""Kinds of tables, in their order within a column, from top to bottom."""

TONES = {"stored": "guest"}
"""Kinds that have the colours of another kind."""

EDGES = ("guest", "shadow", "readonly", "shadows", "rmap", "parent", "link")
"""Kinds of edges."""

SIGNS = {"": "", "changed": "*", "read": ">", "dead": "x", "new": "+"}
"""The sign of a row with each mark."""

MEANINGS = {"changed": "changed", "dead": "gone", "read": "read", "new": "new"}
"""The meaning of each mark, in the order of the legend."""

BOXES = {
    "guest": ("Guest tables", "in guest memory; the guest writes them, the processor never reads them"),
    "shadow": ("Shadow tables", "in host memory; what the processor walks"),
}
"""The kinds with a box around all their tables: the title of the box, and a description in brackets."""

LONGEST = 60
"""Maximum length of a label, in characters. A longer one would push the tables apart."""

DARK_BODY = (
    ':is(body[data-jp-theme-light="false"], body:not([data-jp-theme-light]):is(.vscode-dark, '
    '[data-vscode-theme-kind="vscode-dark"], .vscode-high-contrast:not(.vscode-high-contrast-light), '
    '[data-vscode-theme-kind="vscode-high-contrast"]))'
)
"""Selects the body of JupyterLab and of VS Code in a dark theme. ``player/host.js`` knows the same for scripts."""

_FORBIDDEN = re.compile(r"[^\x20-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]")
_BLOCK = re.compile(r"[^{}]*\{([^{}]*)\}\s*")
_COLOUR = re.compile(r"--([\w-]+):\s*(#[0-9A-Fa-f]{6})")


def plain(text: object, longest: int = LONGEST) -> str:
    """Return text for a label: at most ``longest`` characters, without those that XML forbids."""
    words = _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", str(text))
    return words if len(words) <= longest else words[: longest - 3] + "..."


@functools.cache
def stylesheet() -> str:
    """Return ``drawing.css``: light colours, dark colours inside ``.kvmmmu-dark``, and the rules that use them."""
    return Path(__file__).with_name("drawing.css").read_text("utf-8")


@functools.cache
def colours(dark: bool = False) -> dict[str, str]:
    """Return the colours of one theme in the stylesheet, by name: {"guest": "#0072B2", ...}."""
    light, night = (dict(found) for found in map(_COLOUR.findall, _BLOCK.findall(stylesheet())) if found)
    return {**light, **night} if dark else light


@functools.cache
def still_style(dark: bool = False) -> str:
    """Return the stylesheet of a standalone picture: one theme, without CSS variables, which simple viewers don't support."""
    rules = re.sub(r"/\*.*?\*/\s*", "", stylesheet(), flags=re.DOTALL)
    rules = _BLOCK.sub(lambda block: "" if _COLOUR.search(block[1]) else block[0], rules)
    return re.sub(r"var\(--([\w-]+)\)", lambda name: colours(dark)[name[1]], rules)
