# SPDX-License-Identifier: GPL-2.0-only
"""A film as a widget: Python can set and read the step, and is notified of clicks.

Widgets need anywidget, which comes with the extra ``lab``. This module can be imported without it; creating a widget then
raises ImportError.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import InputError
from .page import script, style

MISSING = "To play a film as a widget, install anywidget: pip install anywidget (or the kit with its extra: kvmmmu-lab[lab])"

Picked = dict[str, Any]
"""What was clicked on: its ``key``, such as "s:248:457", and the ``step`` that was shown."""


def film_widget(film: Mapping[str, Any], step: int = 0, theme: str = "auto", source: Mapping[str, Any] | None = None) -> Any:
    """Return a `FilmWidget` that plays a film. Raises ImportError without anywidget, InputError for data that isn't a film."""
    if film.get("format") != "kvmmmu-lab film":
        raise InputError("film", film.get("format"), "a film: format is 'kvmmmu-lab film'")
    return widget_class()(film=dict(film), step=step, theme=theme, source=dict(source or {}))


@functools.cache
def widget_class() -> Any:
    """Return the widget class, which is created at the first call. Raises ImportError without anywidget."""
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise ImportError(MISSING) from error

    class FilmWidget(anywidget.AnyWidget):
        """A film that plays in a notebook.

        ``film`` is the data of the film. ``step`` is the step that is shown, counted over the whole film; the kernel
        receives it once the player has rested for a second. Setting it moves the player, also if its report is under way.
        `seek` does so even to the step that the kernel last received. ``seeks`` counts how often the kernel moved the player.
        ``picked`` is the last thing clicked on, ``{"key": ..., "step": ...}``, or None; see `on_pick`. ``source``: the lines
        of the kernel's source for each reference.
        """

        _esm = script()
        _css = style()
        film = traitlets.Dict().tag(sync=True)
        step = traitlets.Int(0).tag(sync=True)
        seeks = traitlets.Int(0).tag(sync=True)
        source = traitlets.Dict().tag(sync=True)
        theme = traitlets.Enum(("auto", "light", "dark"), "auto").tag(sync=True)
        picked = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)

        def __init__(self, **traits: Any) -> None:
            self._callbacks: list[Callable[[Picked], object]] = []
            self._reported: int | None = traits.get("step")  # what the browser shows, as far as it said so
            super().__init__(**traits)
            self.on_msg(self._receive)

        def seek(self, step: int) -> None:
            """Go to a step, or to the nearest existing one, even if the player has moved on since ``step`` was last updated."""
            self._reported = None
            before = self.seeks
            self.step = step
            if self.seeks == before:  # the same step, of which no observer hears
                self.seeks += 1

        def on_pick(self, callback: Callable[[Picked], object]) -> Callable[[], None]:
            """Call ``callback`` with the `Picked` of each click. Returns a function that removes the callback."""
            self._callbacks.append(callback)
            return functools.partial(self._callbacks.remove, callback)

        @traitlets.validate("step")
        def _nearest(self, proposal: Any) -> int:
            """Return the nearest existing step."""
            steps = sum(len(chapter["steps"]) for chapter in self.film.get("chapters", ()))
            return min(max(proposal["value"], 0), max(steps - 1, 0))

        @traitlets.observe("step")
        def _count(self, _: Any) -> None:
            """Count a step that the kernel chose."""
            if self.step != self._reported:
                self._reported = None
                self.seeks += 1

        def _receive(self, _: Any, content: Any, buffers: Any) -> None:
            """Handle a message from the browser: a step, or a click. Anything not in the player's format is ignored.

            A step is a message and no change of the trait: the two would change each other's when they cross. One that the
            browser reported before the kernel last moved the player (``seeks``) is out of date.
            """
            if not isinstance(content, dict) or not isinstance(step := content.get("step"), int):
                return
            if content.get("event") == "step" and content.get("seeks") == self.seeks:
                self._reported = step
                self.step = step
            if content.get("event") == "pick" and isinstance(key := content.get("key"), str):
                self.picked = {"key": key, "step": step}
                for callback in list(self._callbacks):
                    callback(dict(self.picked))

    return FilmWidget


def __getattr__(name: str) -> Any:
    """Return the class `FilmWidget`, so that it can be imported by name."""
    if name == "FilmWidget":
        return widget_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
