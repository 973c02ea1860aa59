# SPDX-License-Identifier: GPL-2.0-only
"""`Displayable`: an object that a notebook shows as a widget while a kernel runs, and as HTML or text otherwise."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from ..player.cell_output import has_kernel, show_both

MISSING = "To use this with buttons and menus, install ipywidgets: pip install ipywidgets"


def load_widgets() -> ModuleType:
    """The module `labs.widgets`. Raises ImportError without ipywidgets."""
    from . import widgets  # not before a widget is needed: a terminal needs none, and ipywidgets is slow to import

    return widgets


class Displayable:
    """An object with a ``widget`` for a live notebook and a `still` for everything else."""

    @functools.cached_property
    def widget(self) -> Any:
        """The widget: the same one at each call, or None if there is none. Raises ImportError without ipywidgets."""
        return self.make_widget(load_widgets())

    def make_widget(self, ui: Any) -> Any:
        """Make the widget with the functions of `labs.widgets`, which is ``ui``."""
        raise NotImplementedError

    def still(self) -> str:
        """The present state as HTML without widgets."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.still(), "text/plain": str(self)}

    def _ipython_display_(self) -> None:
        """Show both: the still for a notebook that is opened without a kernel, and the widget, which hides it while alive."""
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
