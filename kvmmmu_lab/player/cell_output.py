# SPDX-License-Identifier: GPL-2.0-only
"""Outputs of a notebook's cell: alive where a kernel is, a still where none is, closed when the cell runs again."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import HostCrash, LabError

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


def held(widget: Any) -> list[Any]:
    """A widget with all that it holds."""
    return [widget, *(one for child in getattr(widget, "children", ()) for one in held(child))]


def close_all(widget: Any, keep: Iterable[Any] = ()) -> None:
    """Close a widget with all that it holds: a box takes along neither its children nor their layouts and styles."""
    kept = {id(one) for one in keep}
    for one in held(widget):
        if id(one) not in kept:
            for part in (getattr(one, "layout", None), getattr(one, "style", None), one):
                if part is not None:
                    part.unobserve_all()
                    part.close()


def close_previous(shown: Any) -> None:
    """Close what an earlier run of this notebook cell left behind, and keep ``shown`` to be closed by the next.

    What is shown again, here or in another cell, stays alive.
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


# FOLDED IN: player.card: An error as a card to be read, instead of a traceback.


ENDS = {"BUG": "a consistency check failed", "oops": "a wild pointer was followed", "hang": "a loop never ended"}


def card_of(error: Exception | None) -> dict[str, Any] | None:
    """Title and rows of the card for an error; None for none. An error may bring its own: ``error.card``, (title, rows)."""
    if error is None:
        return None
    title, rows = getattr(error, "card", None) or _told(error)
    return {"title": title, "rows": list(rows)}


def _told(error: Exception) -> tuple[str, list[str]]:
    if isinstance(error, HostCrash):
        return "The host would have crashed", [
            f"{error.kind}, {ENDS.get(error.kind, 'the end')}: {error.what}.",
            f"It happened in {error.function}(), {error.source}. This VM is dead now; build a new one.",
        ]
    if isinstance(error, LabError):
        return "This can't be done", [f"{error}."]
    return f"A part of the machine failed: {getattr(error, 'name', type(error).__name__)}", [f"{error}."]


def card(error: Exception) -> str:
    """The card as HTML."""
    said = card_of(error)
    assert said is not None
    return html_of(said["title"], said["rows"])


def html_of(title: str, rows: Sequence[str]) -> str:
    """Any card as HTML."""
    text = "".join(f"<div>{html.escape(row)}</div>" for row in rows)
    return (
        '<div role="alert" style="border:1px solid #B3261E;border-left-width:6px;border-radius:4px;padding:8px 12px;'
        f'background:#FDF1F0;color:#1F2933"><strong>{html.escape(title)}</strong>{text}</div>'
    )

