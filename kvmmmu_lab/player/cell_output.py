# SPDX-License-Identifier: GPL-2.0-only
"""The output of a notebook cell: a widget while a kernel runs, a still picture otherwise.

A `CellOutput` writes two outputs into the notebook. The first is the still: HTML, which is saved and needs no kernel. The
second is the view of the widget. Saved without its kernel, such a view can only report an error, so the still carries a
style and a script (`output.css`, `output.js`) that look at this one view, its next sibling: where there is a widget
connected to a kernel, the still is hidden; where there is none, the view is.

Widgets are closed when their cell runs again; otherwise the kernel would keep them forever.
"""

from __future__ import annotations

import functools
import hashlib
import uuid
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from .page import compact

UNATTENDED = "KVMMMU_LAB_UNATTENDED"
"""If this environment variable is set, answers are shown although nobody has chosen one: for exported pages."""

_alive: dict[str, tuple[str, list[Any]]] = {}
"""For each notebook cell: the id of its last run that showed widgets, and those widgets."""

_names: dict[str, Any] = {}
"""The widgets that are open, by the name of their output."""


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
    """Close the widgets that an earlier run of this notebook cell showed.

    A widget that is shown again, here or in another cell, stays open.
    """
    cell, run = running()
    previous, mine = _alive.get(cell, (run, []))
    if previous != run:
        others = [box for other, (_, boxes) in _alive.items() if other != cell for box in boxes]
        for old in mine:
            close_all(old, [one for box in (*others, shown) for one in held(box)])
        del _alive[cell]


def remember(shown: Any) -> None:
    """Keep a widget in mind that this run of the cell shows, for `close_previous` in the next run."""
    cell, run = running()
    if cell:
        _alive[cell] = run, [*_alive.get(cell, (run, []))[1], shown]


def running() -> tuple[str, str]:
    """Return the ids of the notebook cell that runs and of this run; "" if the front end doesn't give them."""
    from IPython import get_ipython

    shell = get_ipython()
    parent = (shell if hasattr(shell, "get_parent") else shell.kernel).get_parent()  # Pyodide's kernel has it itself
    return parent.get("metadata", {}).get("cellId", ""), parent.get("header", {}).get("msg_id", "")


class ReplaceableOutput:
    """An output of cells that is replaced later, also in the file. ``name`` tells it from the other outputs of its cell."""

    def __init__(self, name: str) -> None:
        self.name, self._bundle = name, dict[str, str]()
        self._display_id = uuid.uuid4().hex  # of a running notebook; no file contains it
        self._cells: dict[str, None] = {}

    def show(self, bundle: Mapping[str, str]) -> None:
        """Display a MIME bundle in the cell that runs."""
        from IPython.display import display

        self._bundle = dict(bundle)
        self._cells[running()[0]] = None
        _replacer()  # from the beginning, so that a page that is reloaded has it
        display(self._bundle, metadata={"kvmmmu_lab": self.name}, raw=True, display_id=self._display_id)

    def replace(self, bundle: Mapping[str, str]) -> None:
        """Replace what is shown in all cells. If nothing is shown, or nothing differs, do nothing."""
        from IPython.display import update_display

        if not self._bundle or self._bundle == bundle:
            return
        self._bundle = dict(bundle)
        update_display(self._bundle, metadata={"kvmmmu_lab": self.name}, raw=True, display_id=self._display_id)
        replacer = _replacer()
        for cell in self._cells if replacer is not None else ():
            replacer.send({"event": "replace", "cell": cell, "name": self.name, "data": self._bundle})


@functools.cache
def _replacer() -> Any:
    """Return the widget that replaces outputs in a page that was reloaded (`saved_output.js`); None without anywidget."""
    try:
        import anywidget
    except ImportError:
        return None

    class OutputReplacer(anywidget.AnyWidget):
        """It has no view."""

        _esm = _text("saved_output.js")

    return OutputReplacer()


class CellOutput:
    """The output of one object: a still, and a widget that replaces it while a kernel runs.

    `show` displays both in the cell that runs. `update` replaces the still in all cells that show it, and so what a
    notebook without a kernel shows of the object; the widget doesn't notice. ``rerun``: a sentence that explains how to
    get the widget back. ``explain``: JupyterLab shows that sentence below a still whose widget has lost its kernel.

    A still looks the same after each run if the object does: its name is made from its content and, if several open widgets
    have that content, a number.
    """

    def __init__(self, rerun: str, explain: bool = False) -> None:
        self.rerun, self.explain, self.name = rerun, explain, ""
        self._shown: ReplaceableOutput | None = None

    def show(self, bundle: Mapping[str, str], widget: Any = None) -> None:
        """Display a still (a MIME bundle with text/html) and, unless it is None, a widget, in the cell that runs."""
        from IPython.display import display

        if widget is None:
            display(dict(bundle), raw=True)
            return
        import ipywidgets as widgets

        close_previous(widget)
        model = _free_name(bundle["text/html"])
        self.name = self.name or f"kvmmmu-still-{model}"
        # JupyterLab knows what to hide from the two outputs; other front ends show them elsewhere
        rules = f".{self.name}:not(.jp-OutputArea *) {{ display: none; }}\n{_text('vscode.css')}"
        box = widgets.VBox([widgets.HTML(f"<style>{rules}</style>", layout={"display": "none"}), widget], model_id=model)
        _names[model] = box
        remember(box)
        self._shown = self._shown or ReplaceableOutput(self.name)
        self._shown.show(self._still(bundle))
        display((box._repr_mimebundle_() or {}) | {"text/plain": self.rerun}, raw=True)

    def update(self, bundle: Mapping[str, str]) -> None:
        """Replace the still wherever it is shown. Without a widget, or without a change, do nothing."""
        if self._shown is not None:
            self._shown.replace(self._still(bundle))

    def _still(self, bundle: Mapping[str, str]) -> dict[str, str]:
        note = f'<p class="kvmmmu-rerun" hidden>{self.rerun}</p>' if self.explain else ""
        markup = f'<div class="{self.name}">{bundle["text/html"]}{note}</div>\n{_watcher()}'
        return {**bundle, "text/html": markup}


def _free_name(content: str) -> str:
    """Return a name made from ``content`` that no open widget has."""
    stem = hashlib.sha256(content.encode()).hexdigest()[:12]
    for old in [name for name, box in _names.items() if box.comm is None]:
        del _names[old]
    number, name = 1, stem
    while name in _names:
        number += 1
        name = f"{stem}-{number}"
    return name


def _watcher() -> str:
    """Return the style and the script that hide the still or the view after it."""
    css, js = (compact(_text(name)) for name in ("output.css", "output.js"))
    return f"<style>\n{css}</style>\n<script>\n{js}</script>"


@functools.cache
def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
