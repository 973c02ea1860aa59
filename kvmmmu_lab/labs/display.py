# SPDX-License-Identifier: GPL-2.0-only
"""What shows itself in a notebook's cell: widgets where a kernel is, a still where none is; and what goes into a form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..draw.pictures import Picture
from ..draw.render import RenderError
from ..draw.scene import Scene
from ..errors import HostCrash, LabError
from ..mmu.machine import Machine
from ..player.cell_output import card, card_of, has_kernel, html_of, show_both
from .watch import Watch

MISSING = "To use this with buttons and menus, install ipywidgets: pip install ipywidgets"


def player_of(film: Watch) -> Any:
    """The widget that plays a film, as a part of a form; its text where nothing can draw. Raises ImportError."""
    import ipywidgets as widgets

    try:
        return film.widget
    except RenderError:
        return widgets.HTML(film.html)


def without_limits(scene: Scene) -> Scene:
    """A scene whose notes suggest no ``limit=``: a form has no place to type one."""
    return replace(scene, notes=tuple(note.partition("; limit=")[0] for note in scene.notes))


def picture(name: str, vm: Machine, *arguments: Any) -> Picture:
    """The picture of this name in `draw.pictures`, as a form shows it."""
    from ..draw import pictures  # slow to load, and not every lab needs it

    return Picture(without_limits(getattr(pictures, name)(vm, *arguments).scene))


def error_html(error: Exception, after: str = "") -> str:
    """Whatever went wrong as a card to be read. What isn't raised on purpose is a mistake of the kit's own.

    ``after``: what to do after a crash of the host, where the card's own words ("build a new one") don't suit.
    """
    said = card_of(error)
    if isinstance(error, HostCrash) and after and said is not None:
        rows = [said["rows"][0], f"It happened in {error.function}(), {error.source}. This VM is dead now. {after}"]
        return html_of(said["title"], rows)
    if isinstance(error, LabError):
        return card(error)
    words = f"{type(error).__name__}: {error}"
    return html_of("The kit itself made a mistake here", [words, "Please report it, with what you did."])


class Shown:
    """What shows itself in a cell: its ``widget`` where somebody can use it, else a still of its state."""

    @property
    def widget(self) -> Any:
        """What to display where a kernel is; always the same one. Raises ImportError without ipywidgets."""
        raise NotImplementedError

    def still(self) -> str:
        """The state as HTML without widgets."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.still(), "text/plain": str(self)}

    def _ipython_display_(self) -> None:
        """Both: the still for a notebook without a kernel, and the widget, which hides the still where it is alive."""
        from IPython.display import display

        bundle = self._repr_mimebundle_()
        try:
            widget = self.widget if has_kernel() else None
        except ImportError:
            widget, bundle["text/html"] = None, f"{bundle['text/html']}<p>{MISSING}</p>"
        if widget is None:
            display(bundle, raw=True)
        else:
            show_both(bundle, widget, "(Run this cell to use it.)")
