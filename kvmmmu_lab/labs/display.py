# SPDX-License-Identifier: GPL-2.0-only
"""`Displayable`: an object that a notebook shows as a widget while a kernel runs, and as HTML or text otherwise."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from ..player.cell_output import CellOutput, has_kernel

MISSING = "To use this with buttons and menus, install ipywidgets: pip install ipywidgets"

RERUN = "Saved from an earlier run. To use it, run the cells above, then this one."


def load_widgets() -> ModuleType:
    """Import and return the module `labs.widgets`. Raises ImportError if ipywidgets isn't installed."""
    from . import widgets  # only when a widget is needed: a terminal needs none, and ipywidgets is slow to import

    return widgets


class Displayable:
    """Base class of objects with a ``widget`` for a notebook with a kernel, and a `still` for everything else.

    A subclass calls `save_still` after each change of its state, so that a notebook that is opened again without a kernel
    shows the state in which the object was left.
    """

    @functools.cached_property
    def widget(self) -> Any:
        """The widget, or None if there is none. Raises ImportError if ipywidgets isn't installed."""
        return self.make_widget(load_widgets())

    def make_widget(self, ui: Any) -> Any:
        """Create the widget with ``ui``, the module `labs.widgets`."""
        raise NotImplementedError

    def still(self) -> str:
        """Return the current state as HTML without widgets."""
        raise NotImplementedError

    @functools.cached_property
    def _output(self) -> CellOutput:
        return CellOutput(RERUN, explain=True)

    def save_still(self) -> None:
        """Replace what the notebook has saved of this object by its current `still`. If no cell shows a widget, do nothing."""
        if "_output" in vars(self):
            self._output.update(self._repr_mimebundle_())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.still(), "text/plain": str(self)}

    def _ipython_display_(self) -> None:
        """Display the HTML of `still`, for a notebook without a kernel, and the widget, which replaces the HTML while open."""
        bundle = self._repr_mimebundle_()
        try:
            widget = self.widget if has_kernel() else None
        except ImportError:
            widget, bundle["text/html"] = None, f"{bundle['text/html']}<p>{MISSING}</p>"
        self._output.show(bundle, widget)
