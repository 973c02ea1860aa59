# SPDX-License-Identifier: GPL-2.0-only
"""The output of a notebook cell: a widget while a kernel runs, a still picture otherwise.

Widgets are closed when their cell runs again; otherwise the kernel would keep them forever.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

_alive: dict[str, tuple[str, list[Any]]] = {}
"""For each notebook cell: the id of its last run that showed widgets, and those widgets."""

_numbers = itertools.count(1)


def has_kernel() -> bool:
    """Return whether this code runs in a notebook's kernel, so that widgets work."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


def held(widget: Any) -> list[Any]:
    """Return a widget and all widgets inside it."""
    return [widget, *(one for child in getattr(widget, "children", ()) for one in held(child))]


def close_all(widget: Any, keep: Iterable[Any] = ()) -> None:
    """Close a widget and all widgets inside it, except those in ``keep``, with their layouts and styles.

    (Closing a box closes neither its children nor its layout.)
    """
    kept = {id(one) for one in keep}
    for one in held(widget):
        if id(one) not in kept:
            for part in (getattr(one, "layout", None), getattr(one, "style", None), one):
                if part is not None:
                    part.unobserve_all()
                    part.close()


def close_previous(shown: Any) -> None:
    """Close the widgets that an earlier run of this notebook cell showed, and remember ``shown`` for the next run.

    A widget that is shown again, here or in another cell, stays open.
    """
    from IPython import get_ipython

    parent = get_ipython().get_parent()
    cell, run = parent.get("metadata", {}).get("cellId", ""), parent.get("header", {}).get("msg_id", "")
    previous, mine = _alive.get(cell, (run, []))
    if previous != run:
        others = [box for other, (_, boxes) in _alive.items() if other != cell for box in boxes]
        for old in mine:
            close_all(old, [one for box in (*others, shown) for one in held(box)])
        mine = []
    if cell and not any(old is shown for old in mine):
        _alive[cell] = run, [*mine, shown]


def show_both(bundle: dict[str, str], widget: Any, rerun: str) -> None:
    """Show a still picture (``bundle``, with text/html) and a widget that hides the picture while it is open.

    A notebook that is opened without a kernel then shows the still picture; with a kernel, it shows the widget.
    ``rerun``: a sentence that explains how to get the widget back.
    """
    import ipywidgets as widgets
    from IPython.display import display

    name = f"kvmmmu-still-{id(widget):x}-{next(_numbers)}"
    hider = widgets.HTML(f"<style>.{name} {{ display: none; }}</style>", layout={"display": "none"})
    box = widgets.VBox([hider, widget])
    close_previous(box)
    display({**bundle, "text/html": f'<div class="{name}">{bundle["text/html"]}</div>'}, raw=True)
    display((box._repr_mimebundle_() or {}) | {"text/plain": rerun}, raw=True)
