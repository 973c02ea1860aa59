# SPDX-License-Identifier: GPL-2.0-only
"""`Chart`: a plot that shows itself in a notebook, in the kit's colours, light and dark, or as a table of its numbers."""

from __future__ import annotations

import functools
import io
import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..draw.pictures import images
from ..draw.theme import colours
from ..errors import InputError, LabError
from ..printable import escaped_html

WIDTH, TEXT = 760, 13
"""The usual width of a plot and the size of its text, in pixels. On a slide it is 1.5 times as large."""

MISSING = "plots need Matplotlib; install it with: pip install 'kvmmmu-lab[plots]'"

FACE = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
"""The typeface of the kit's pictures. Matplotlib measures with its own, which is wider, so all text has room."""

Plot = Callable[[Any, dict[str, str]], None]
"""Draws into a Matplotlib figure, with the colours of a theme by name ("guest", "shadow", "text", ...)."""


class Chart:
    """A plot with its numbers. ``title`` says what it shows, ``alternative`` what can be seen in it.

    ``head`` and ``rows`` are the numbers as a table; ``plot`` draws them; ``note`` is a sentence below the table;
    ``height`` and ``width`` are in pixels.
    """

    def __init__(
        self,
        title: str,
        alternative: str,
        head: Sequence[str],
        rows: Sequence[Sequence[Any]],
        plot: Plot,
        height: int = 380,
        note: str = "",
        width: int = WIDTH,
    ) -> None:
        self.title, self.alternative, self.note, self.height, self._plot = title, alternative, note, height, plot
        self.width = width
        self.head, self.rows = tuple(head), [tuple(row) for row in rows]

    @functools.cached_property
    def svg(self) -> str:
        """The plot as SVG. Raises LabError without Matplotlib."""
        return self._drawn(dark=False)

    @functools.cached_property
    def dark_svg(self) -> str:
        """The plot as SVG for a dark page. Raises LabError without Matplotlib."""
        return self._drawn(dark=True)

    @functools.cached_property
    def html(self) -> str:
        """The plot as HTML: an image for each theme, as `draw.pictures.Picture.html`; without Matplotlib, its numbers."""
        try:
            light, dark = self.svg, self.dark_svg
        except LabError as error:
            text = escaped_html(f"{self}\n\n(Shown as text: {error})")
            return f'<pre class="kvmmmu-text" style="line-height:1.25;overflow-x:auto">{text}</pre>'
        return images(light, dark, f"{self.title}. {self.alternative}", shrinks=True)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the plot to a file: .svg or .txt. Raises InputError for another name or a file that can't be written."""
        file = Path(path)
        if file.suffix not in (".svg", ".txt"):
            raise InputError("path", str(path), "a file whose name ends in .svg or .txt")
        text = self.svg if file.suffix == ".svg" else str(self)
        try:
            file.write_text(text.rstrip("\n") + "\n", "utf-8")
        except OSError as error:
            raise InputError("path", str(path), f"a file that can be written ({error.strerror})") from error

    def _drawn(self, dark: bool) -> str:
        figure_class, context = _matplotlib()
        palette = colours(dark)
        with context(_style(palette)):
            figure = figure_class(figsize=(self.width / 72, self.height / 72), dpi=72, layout="constrained")
            self._plot(figure, palette)
            out = io.StringIO()
            figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        return _for_the_kit(out.getvalue(), f"{self.title}. {self.alternative}")

    def __str__(self) -> str:
        texts = [self.head, *(tuple(_number(value) for value in row) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        lines = [
            "  ".join(
                text.rjust(width) if at else text.ljust(width) for at, (text, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in texts
        ]
        rule = "  ".join("-" * width for width in widths)
        return "\n".join(
            [self.title, "", lines[0].rstrip(), rule, *(line.rstrip() for line in lines[1:])]
            + ["", self.note] * bool(self.note)
        )

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": str(self)}


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


@functools.cache
def _matplotlib() -> tuple[Any, Any]:
    """Load Matplotlib: the class of figures, and the function that sets parameters for a while. Raises LabError without it."""
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)  # the first import builds a cache of fonts, and says so
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise LabError(MISSING) from None
    finally:
        log.setLevel(level)
    return Figure, rc_context


def _style(palette: dict[str, str]) -> dict[str, Any]:
    """Return the parameters of Matplotlib for a theme: the kit's colours, quiet axes, and text that stays text."""
    quiet = {name: palette["quiet"] for name in ("xtick.color", "ytick.color", "axes.labelcolor")}
    return {
        **quiet,
        "svg.fonttype": "none",
        "svg.hashsalt": "kvmmmu-lab",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": TEXT,
        "axes.titlesize": TEXT,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlecolor": palette["text"],
        "axes.labelsize": TEXT,
        "xtick.labelsize": TEXT,
        "ytick.labelsize": TEXT,
        "legend.fontsize": TEXT,
        "legend.frameon": False,
        "text.color": palette["text"],
        "figure.facecolor": palette["stage"],
        "savefig.facecolor": palette["stage"],
        "axes.facecolor": palette["stage"],
        "axes.edgecolor": palette["quiet"],
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": palette["rule"],
        "hatch.linewidth": 1.0,
        "lines.linewidth": 2.0,
    }


_FONT = re.compile(r"'DejaVu Sans', sans-serif|'DejaVu Sans'|DejaVu Sans")


def _for_the_kit(svg: str, name: str) -> str:
    """Return an SVG of Matplotlib in pixels, with the kit's typeface and a name, and without what comes before it."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(width|height)="([\d.]+)pt"', r'\1="\2"', svg, count=2)
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = _FONT.sub(FACE, svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escaped_html(name)}" ', 1)
