# SPDX-License-Identifier: GPL-2.0-only
"""A film as a widget: Python sets the step and sees it, and learns what was clicked on.

The widget toolkit comes with the extra ``lab``; without it this module imports all the same, and says so when asked
for a widget.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import InputError
from .page import script, style

MISSING = "To play a film as a widget, install anywidget: pip install anywidget (or the kit with its extra: kvmmmu-lab[lab])"

Picked = dict[str, Any]
"""What was clicked on, and when: its ``key``, such as "s:248:457", and the ``step`` that showed."""


def film_widget(film: Mapping[str, Any], step: int = 0, theme: str = "auto") -> Any:
    """A widget that plays this film, a `FilmWidget`. Raises ImportError without anywidget, InputError for another film."""
    if film.get("format") != "kvmmmu-lab film":
        raise InputError("film", film.get("format"), "a film: format is 'kvmmmu-lab film'")
    return widget_class()(film=dict(film), step=step, theme=theme)


@functools.cache
def widget_class() -> Any:
    """The class of the widgets, made when it is first asked for. Raises ImportError without anywidget."""
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise ImportError(MISSING) from error

    class FilmWidget(anywidget.AnyWidget):
        """A film that plays in a notebook.

        ``recording`` is what plays, ``step`` the number of the step that shows, over all scenes, or showed when the player last
        rested for a second: stepping asks the kernel nothing. `seek` goes to a step.
        ``picked`` is what was clicked on last, {"key": ..., "step": ...}, or None; see `on_pick`.
        """

        _esm = script()
        _css = style()
        film = traitlets.Dict().tag(sync=True)
        step = traitlets.Int(0).tag(sync=True)
        theme = traitlets.Enum(("auto", "light", "dark"), "auto").tag(sync=True)
        picked = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)

        def __init__(self, **traits: Any) -> None:
            self._callbacks: list[Callable[[Picked], object]] = []
            super().__init__(**traits)
            self.on_msg(self._hear)

        def seek(self, step: int) -> None:
            """Go to a step, or to the nearest that there is; also if the player went on meanwhile."""
            self.step = step
            self.send({"event": "seek", "step": self.step})

        def on_pick(self, callback: Callable[[Picked], object]) -> Callable[[], None]:
            """Call back with what was clicked on, at each click, also on the same thing again. Returns what ends that."""
            self._callbacks.append(callback)
            return functools.partial(self._callbacks.remove, callback)

        @traitlets.validate("step")
        def _nearest(self, proposal: Any) -> int:
            """The nearest step that there is."""
            steps = sum(len(scene["steps"]) for scene in self.film.get("scenes", ()))
            return min(max(proposal["value"], 0), max(steps - 1, 0))

        def _hear(self, _: Any, content: Any, buffers: Any) -> None:
            """Take a message from the browser; whatever isn't a click as the player sends it is ignored."""
            if not isinstance(content, dict) or content.get("event") != "pick":
                return
            key, step = content.get("key"), content.get("step")
            if isinstance(key, str) and isinstance(step, int):
                self.picked = {"key": key, "step": step}
                for callback in list(self._callbacks):
                    callback(dict(self.picked))

    return FilmWidget


def __getattr__(name: str) -> Any:
    """`FilmWidget`, the class, for who asks for it by name."""
    if name == "FilmWidget":
        return widget_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
