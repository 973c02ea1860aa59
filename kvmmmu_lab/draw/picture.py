# SPDX-License-Identifier: GPL-2.0-only
"""`Picture`: a scene that shows itself wherever it is displayed, as a drawing or as text."""

from __future__ import annotations

import functools
import html
import os
from pathlib import Path
from typing import Any

from ..errors import InputError
from .render import RenderError
from .scene import Scene
from .svg import Drawing, data_url
from .text import alternative, to_text

SWITCH = """body[data-jp-theme-light="false"] .kvmmmu-picture > img.dark { display: inline !important; }
body[data-jp-theme-light="false"] .kvmmmu-picture > img.light { display: none; }"""
"""Where JupyterLab says that it is dark, the dark image shows and the light one doesn't."""


class Picture:
    """A drawing of a scene, made when it is first looked at.

    ``stage``, the `union` of many scenes, keeps things in place from one picture to the next; a ``drawing`` of such a
    stage, shared by many pictures, is laid out only once. Where nothing can draw, the text form shows, and says why.
    """

    def __init__(self, scene: Scene, stage: Scene | None = None, *, drawing: Drawing | None = None) -> None:
        self.scene = scene
        self.drawing = drawing or Drawing(stage or scene)

    @functools.cached_property
    def svg(self) -> str:
        """The picture as SVG. Raises `RenderError` if there is nothing to draw with."""
        return self.drawing.svg(self.scene, alternative(self.scene))

    @functools.cached_property
    def html(self) -> str:
        """The picture for a page: an image that needs no script, or else the text. JupyterLab's dark theme has a dark one.

        An image in a ``data:`` address also survives in notebooks that aren't trusted, where bare SVG is torn apart, and
        rules are taken out: there the light one shows. It never shrinks, since its text is as small as can be; where there
        is too little room it scrolls.
        """
        name = alternative(self.scene)
        try:
            light, dark = (self.drawing.svg(self.scene, name, night) for night in (False, True))
        except RenderError as error:
            text = html.escape(f"{self}\n\n(Shown as text: {error})")
            return f'<pre class="kvmmmu-text" style="line-height:1.25;overflow-x:auto">{text}</pre>'
        return (
            '<div class="kvmmmu-picture" style="overflow-x:auto">'
            f"{_image(light, name, 'light', '')}{_image(dark, name, 'dark', 'display:none;')}<style>{SWITCH}</style></div>"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file, .svg or .txt. Raises InputError for another ending, or one that can't be written."""
        file = Path(path)
        if file.suffix not in (".svg", ".txt"):
            raise InputError("path", str(path), "a file whose name ends in .svg or .txt")
        text = self.svg if file.suffix == ".svg" else str(self)
        try:
            file.write_text(text + "\n", "utf-8")
        except OSError as error:
            raise InputError("path", str(path), f"a file that can be written ({error.strerror})") from error

    def __str__(self) -> str:
        return to_text(self.scene)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": str(self)}


def _image(svg: str, name: str, theme: str, hidden: str) -> str:
    style = f"{hidden}max-width:none;border-radius:6px"
    return f'<img class="{theme}" alt="{html.escape(name)}" style="{style}" src="{data_url(svg)}">'
