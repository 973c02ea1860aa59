# SPDX-License-Identifier: GPL-2.0-only
"""The drawing of a failing case: the expected machine and the submission's, on one stage, from the scenes in a mark."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

from ...draw.render import RenderError
from ...draw.scene import Scene, scene_of, union
from ...draw.svg import Drawing, legend_of
from ...draw.text import alternative, to_text
from ...errors import InputError
from ...printable import escaped_html, one_line

LEGEND, ONLY_HERE = "* differs from the other side", "double border: only on this side"
NO_ARROW = "a shadow entry without an arrow is not in the map"
LINES = "* differs from the other side, + only on this side"

WIDTHS = (320, 440, 600, 800)
"""The widths, in CSS pixels, of a place in which a drawing is said to scroll: for each there is a class in the style sheet."""


@functools.lru_cache(maxsize=512)
def drawn(picture: str) -> tuple[str, str] | None:
    """Both drawings as HTML, or as text if no renderer can draw them; None if ``picture``, a mark's, is no picture.

    They need the style sheet of drawings. Many learners make the same mistake, so drawings are kept.
    """
    try:
        expected, got = (scene_of(_shown(each)) for each in json.loads(picture))
        drawing = Drawing(union([expected, got]))
        return _one(drawing, expected), _one(drawing, got)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, InputError):
        return None


def _shown(value: Any) -> Any:
    """The data of a scene with all texts as they may be shown."""
    if isinstance(value, dict):
        return {name: _shown(item) for name, item in value.items()}
    return [_shown(item) for item in value] if isinstance(value, list) else one_line(value) if isinstance(value, str) else value


def _legend(scene: Scene) -> list[str]:
    """What the marks in a drawing mean."""
    words = [LEGEND] * bool(legend_of(scene)) + [ONLY_HERE] * any(table.mark == "new" for table in scene.tables)
    kinds, reached = {table.kind for table in scene.tables}, {edge.target for edge in scene.edges}
    rows = (entry.key for table in scene.tables if table.kind == "shadow" for entry in table.entries)
    words += [NO_ARROW] * ("rmap" in kinds and any(key not in reached for key in rows))
    return [" · ".join(words)] if words else []


def _one(drawing: Drawing, scene: Scene) -> str:
    try:
        name = alternative(scene).replace("in this step: ", "different from the other side: ")
        svg = drawing.bare(drawing.appearances(scene), name, [*scene.notes, *_legend(scene)])
    except RenderError:
        return f"<pre>{escaped_html(to_text(scene))}</pre>"
    width = re.search(r'<svg [^>]*?\bwidth="(\d+)', svg)
    least = next((each for each in WIDTHS if width is not None and int(width[1]) <= each), WIDTHS[-1])
    scrolls = f'<p class="scrolls w{least}" aria-hidden="true">Scroll sideways to see all of it →</p>'
    return f'{scrolls}<div class="drawing" tabindex="0" role="group" aria-label="Drawing">{svg}</div>'
