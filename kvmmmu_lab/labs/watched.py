# SPDX-License-Identifier: GPL-2.0-only
"""`watch`: run one operation and look at it step by step, forward and back."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Iterable
from typing import Any

from ..draw.picture import Picture
from ..draw.scene import union
from ..errors import HostCrash
from ..mmu.machine import Machine
from .steps import Recording, record

MISSING = "To step through this with buttons, install ipywidgets: pip install ipywidgets"


def watch(operation: Callable[[], Any], vm: Machine, focus: Iterable[int] = (), *, detail: bool = False) -> Watch:
    """Run ``operation``, for instance ``lambda: vm.access(gva)``, and return its steps, to be stepped through.

    ``focus``: addresses whose paths are drawn from the start; those that the operation touches are added. ``detail``:
    every single event is a step. What goes wrong in the model (a crash of the host, an address that can't be) becomes
    a readable card; nothing stays attached to ``vm``. Raises InputError for a focus that isn't an address, or when
    ``vm`` has a sink already.
    """
    return Watch(record(operation, vm, focus, detail))


class Watch:
    """A watched operation. Show it in a notebook to step through it; ``print`` lists its steps.

    ``steps``, ``result`` (what the operation returned) and ``error`` (what ended it, or None) are there to be asked;
    ``picture(k)`` is the state at step k.
    """

    def __init__(self, recording: Recording) -> None:
        self.steps, self.result, self.error = recording.steps, recording.result, recording.error
        stage = union([step.scene for step in self.steps])
        self._pictures = [Picture(step.scene, stage) for step in self.steps]

    def picture(self, number: int) -> Picture:
        """The picture at a step, 0 being the state before. All of them share one layout, so that nothing jumps."""
        return self._pictures[number]

    @functools.cached_property
    def widget(self) -> Any:
        """The stepper. Raises ImportError without ipywidgets."""
        from .stepper import stepper

        return stepper(self)

    def caption(self, number: int) -> str:
        """What happened at a step, as HTML; a crash as a card."""
        step, last = self.steps[number], len(self.steps) - 1
        if self.error is not None and number == last:
            return card(self.error)
        place = f"Step {number} of {last}" + (f" · {step.place}" if step.place else "")
        return (
            f'<div style="font-size:12px;line-height:1.5;opacity:.75">{html.escape(place)}</div>'
            f'<div style="font-size:15px;line-height:1.4;min-height:2.8em">{html.escape(step.words)}</div>'
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The last picture over the list of all steps: what remains where no widget can be."""
        rows = "".join(f"<li>{html.escape(str(step))}</li>" for step in self.steps[1:])
        last = len(self.steps) - 1
        listed = f"<details><summary>All {last} steps</summary><ol>{rows}</ol></details>"
        shown = f"{self.picture(last).html}{self.caption(last)}{listed}"
        return {"text/html": f"<div>{shown}</div>", "text/plain": str(self)}

    def _ipython_display_(self) -> None:
        """Both: the still picture for a notebook without a kernel, and the stepper, which hides it where it is alive."""
        from IPython.display import display

        bundle = self._repr_mimebundle_()
        if not _has_kernel():
            display(bundle, raw=True)
            return
        try:
            widget = self.widget
        except ImportError:
            display({**bundle, "text/html": bundle["text/html"] + f"<p>{MISSING}</p>"}, raw=True)
            return
        _close_previous(widget)
        still = f"kvmmmu-still-{id(self):x}"
        bundle["text/html"] = bundle["text/html"].replace("<div>", f'<div class="{still}">', 1)
        widget.hide_still(still)
        display(bundle, raw=True)
        alive = widget.box._repr_mimebundle_() | {"text/plain": "(Run this cell to step through it.)"}
        display(alive, raw=True)

    def __str__(self) -> str:
        lines = [f"{number:3}  {'  ' * step.depth}{step}" for number, step in enumerate(self.steps) if number]
        return "\n".join(
            [*lines, "", f"At the end: {self.error or self.result}", "", str(self.picture(len(self.steps) - 1))]
        )

    __repr__ = __str__


def card(error: Exception) -> str:
    """An error as a card to be read, instead of a traceback."""
    head, rows = "This can't be done", [f"{error}."]
    if isinstance(error, HostCrash):
        head = "The host would have crashed"
        kind = {
            "BUG": "a consistency check failed",
            "oops": "a wild pointer was followed",
            "hang": "a loop never ended",
        }
        rows = [
            f"{error.kind}, {kind.get(error.kind, 'the end')}: {error.what}.",
            f"It happened in {error.function}(), {error.source}. This VM is dead now; build a new one.",
        ]
    text = "".join(f"<div>{html.escape(row)}</div>" for row in rows)
    return (
        '<div role="alert" style="border:1px solid #B3261E;border-left-width:6px;border-radius:4px;padding:8px 12px;'
        f'background:#FDF1F0;color:#1F2933"><strong>{html.escape(head)}</strong>{text}</div>'
    )


_alive: dict[str, tuple[str, list[Any]]] = {}
"""By notebook cell: the run that made its steppers, and these. A kernel keeps widgets for ever unless they are closed."""


def _close_previous(widget: Any) -> None:
    """Close the steppers that an earlier run of this notebook cell left behind."""
    from IPython import get_ipython

    parent = get_ipython().get_parent()
    cell, run = parent.get("metadata", {}).get("cellId", ""), parent.get("header", {}).get("msg_id", "")
    previous, shown = _alive.get(cell, (run, []))
    if previous != run:
        for old in shown:
            old.close()
        shown = []
    if cell:
        _alive[cell] = run, [*shown, widget]


def _has_kernel() -> bool:
    """Whether a notebook's kernel runs this, so that widgets have somebody to talk to."""
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
