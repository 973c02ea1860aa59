# SPDX-License-Identifier: GPL-2.0-only
"""A lab in a notebook's cell: a form where a kernel is, a still where none is; and what goes into a form."""

from __future__ import annotations

import html
from typing import Any

from ..draw.picture import Picture
from ..draw.render import RenderError
from ..errors import LabError
from ..mmu.machine import Machine
from ..player.card import card
from ..player.cells import has_kernel, show_both
from .own import PartError
from .watched import Watch

MISSING = "To use this lab with buttons, install ipywidgets: pip install ipywidgets"


def player_of(film: Watch) -> Any:
    """The widget that plays a film, as a part of a form; its text where nothing can draw. Raises ImportError."""
    import ipywidgets as widgets

    try:
        return film.widget
    except RenderError:
        return widgets.HTML(film.html)


def close_film(watch: Watch | None) -> None:
    """Let the widgets of a film go, if they were ever made."""
    if watch is not None and "widget" in vars(watch):
        watch.widget.close()


def picture(name: str, vm: Machine, *arguments: Any) -> Picture:
    """The picture of this name in `draw.pictures`."""
    from ..draw import pictures  # slow to load, and not every lab needs it

    made: Picture = getattr(pictures, name)(vm, *arguments)
    return made


def card_of(error: Exception) -> str:
    """Whatever went wrong as a card to be read."""
    if isinstance(error, PartError):
        return box("Your own part stopped here", [f"{error}.", "This VM is dead now; build a new one."])
    if isinstance(error, LabError):
        return card(error)
    words = f"{type(error).__name__}: {error}"
    return box("The kit itself made a mistake here", [words, "Please report it, with what you did."])


def box(head: str, rows: list[str]) -> str:
    """A card in the look of `player.card`."""
    text = "".join(f"<div>{html.escape(row)}</div>" for row in rows)
    return (
        '<div role="alert" style="border:1px solid #B3261E;border-left-width:6px;border-radius:4px;padding:8px 12px;'
        f'background:#FDF1F0;color:#1F2933"><strong>{html.escape(head)}</strong>{text}</div>'
    )


class Shown:
    """What shows itself in a cell: a form where somebody can use it, else a still of its state. The form is in ``form``."""

    @property
    def form(self) -> Any:
        """The form, with ``box`` (the widget) and ``close()``. Raises ImportError without ipywidgets."""
        raise NotImplementedError

    def still(self) -> str:
        """The state as HTML without widgets."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.still(), "text/plain": str(self)}

    def _ipython_display_(self) -> None:
        """Both: the still for a notebook without a kernel, and the form, which hides the still where it is alive."""
        from IPython.display import display

        bundle = self._repr_mimebundle_()
        try:
            form = self.form if has_kernel() else None
        except ImportError:
            form, bundle["text/html"] = None, f"{bundle['text/html']}<p>{MISSING}</p>"
        if form is None:
            display(bundle, raw=True)
        else:
            show_both(bundle, form.box, "(Run this cell to use it.)")
