# SPDX-License-Identifier: GPL-2.0-only
"""Outputs of a notebook's cell: alive where a kernel is, a still where none is, closed when the cell runs again."""

from __future__ import annotations

import itertools
from typing import Any

_alive: dict[str, tuple[str, list[Any]]] = {}
"""By notebook cell: the run that showed something, and what. A kernel keeps widgets for ever unless they are closed."""

_numbers = itertools.count(1)


def has_kernel() -> bool:
    """Whether a notebook's kernel runs this, so that widgets have somebody to talk to."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


def close_all(widget: Any) -> None:
    """Close a widget with all that it holds: a box doesn't take its children along."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    widget.unobserve_all()
    widget.close()


def close_previous(shown: Any) -> None:
    """Close what an earlier run of this notebook cell left behind, and keep ``shown`` to be closed by the next."""
    from IPython import get_ipython

    parent = get_ipython().get_parent()
    cell, run = parent.get("metadata", {}).get("cellId", ""), parent.get("header", {}).get("msg_id", "")
    previous, kept = _alive.get(cell, (run, []))
    if previous != run:
        for old in kept:
            close_all(old)
        kept = []
    if cell and not any(old is shown for old in kept):
        _alive[cell] = run, [*kept, shown]


def show_both(bundle: dict[str, str], widget: Any, rerun: str) -> None:
    """Show a still (``bundle``, with text/html) and a widget that hides it for as long as it is alive.

    So a notebook that is opened without a kernel has the still, and one with a kernel has the widget. ``rerun``: what to do
    to get the widget back, in words.
    """
    import ipywidgets as widgets
    from IPython.display import display

    name = f"kvmmmu-still-{id(widget):x}-{next(_numbers)}"
    hider = widgets.HTML(f"<style>.{name} {{ display: none; }}</style>", layout={"display": "none"})
    box = widgets.VBox([hider, widget])
    close_previous(box)
    display({**bundle, "text/html": f'<div class="{name}">{bundle["text/html"]}</div>'}, raw=True)
    display((box._repr_mimebundle_() or {}) | {"text/plain": rerun}, raw=True)
