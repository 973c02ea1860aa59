# SPDX-License-Identifier: GPL-2.0-only
"""`Picture`: a scene that shows itself wherever it is displayed, as a drawing or as text."""

from __future__ import annotations

import base64
import functools
import html
import itertools
from typing import Any

from ..mmu.machine import Machine
from .dot import to_dot
from .hierarchy import check_gva, hierarchy_scene
from .overlay import finish
from .render import RenderError, render
from .scene import Scene
from .text import alternative, to_text

_numbers = itertools.count(1)


def hierarchy(vm: Machine, *gvas: int) -> Picture:
    """A picture of the guest's tables and, under them, the shadow tables, along the paths of these addresses.

    Looking changes nothing, not even accessed bits. Raises InputError for an address that the guest can't have.
    """
    for gva in gvas:
        check_gva(vm, gva)
    return Picture(hierarchy_scene(vm, gvas))


class Picture:
    """A drawing of a scene, made when it is first looked at.

    ``stage`` (see `dot`) keeps things in place from one picture to the next. Where nothing can draw, the text form
    shows, and says why.
    """

    def __init__(self, scene: Scene, stage: Scene | None = None) -> None:
        self.scene, self.stage = scene, stage
        self.prefix = f"k{next(_numbers)}"

    @functools.cached_property
    def dot(self) -> str:
        """The picture's DOT source."""
        return to_dot(self.scene, self.prefix, self.stage)

    @functools.cached_property
    def svg(self) -> str:
        """The picture as SVG. Raises `RenderError` if there is nothing to draw with."""
        return finish(render(self.dot), self.scene, self.prefix, self.stage, alternative(self.scene))

    @functools.cached_property
    def html(self) -> str:
        """The picture for a page: an image that needs no script, or else the text.

        An image in a ``data:`` address also survives in notebooks that aren't trusted, where bare SVG is torn apart.
        It never shrinks, since its text is as small as can be; where there is too little room it scrolls.
        """
        try:
            svg = self.svg
        except RenderError as error:
            text = html.escape(f"{self}\n\n(Shown as text: {error})")
            return f'<pre class="kvmmmu-text" style="line-height:1.25;overflow-x:auto">{text}</pre>'
        address = base64.b64encode(svg.encode()).decode()
        name = html.escape(alternative(self.scene))
        return (
            '<div class="kvmmmu-picture" style="overflow-x:auto;background:#fff;border-radius:6px">'
            f'<img alt="{name}" style="max-width:none" src="data:image/svg+xml;base64,{address}"></div>'
        )

    def __str__(self) -> str:
        return to_text(self.scene)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": str(self)}
