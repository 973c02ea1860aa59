# SPDX-License-Identifier: GPL-2.0-only
"""`recording`: a recording as something to be watched. A film is data, and the player and its hosts only show it.

Each operation is a *scene* of the film: the union of what its steps show is laid out once, and a step is a change of
classes and texts in that one drawing. The data is what ``json`` can write::

    format, version, title, css, legend, tags, card
    scenes  [{title, svg, steps: [{words, place, depth, tags, about, set, changes}]}]

``set`` has the looks (see `draw.svg`) that differ from those of the step before, by key; ``about`` the keys that are
marked; ``changes`` each changed entry with its old and new value; ``card`` the error that ended it, or None.
"""

from __future__ import annotations

import functools
import html
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..draw.arguments import check_gva
from ..draw.pictures import Picture
from ..draw.render import RenderError
from ..draw.scene import union
from ..draw.svg import Drawing
from ..draw.text import alternative, to_text
from ..draw.theme import stylesheet
from ..errors import InputError
from ..recording.narration import TAGS
from ..recording.recording import Recording
from .cell_output import card_of
from .frames import BEFORE, Camera, Draw, FilmStep
from .gif import gif
from .page import film_html, film_page

# FOLDED IN: player.picks: What somebody clicked on in a film, and what happens to it there.


HAPPENS = {"new": "comes", "changed": "changes", "dead": "dies", "read": "is read"}


@dataclass(frozen=True)
class Pick:
    """A table or an entry of a film: its ``key``, its ``name`` in words, the ``step`` at which it was clicked on.

    ``history``: by mark ("new", "changed", "read", "dead"), the steps that mark it.
    """

    key: str
    name: str
    step: int
    history: dict[str, list[int]]

    @property
    def dies(self) -> bool:
        """Whether it is gone at the end of some step."""
        return "dead" in self.history

    def __str__(self) -> str:
        told = [
            f"{HAPPENS[mark]} in step{'s' * (len(steps) > 1)} {', '.join(map(str, steps))}"
            for mark, steps in self.history.items()
        ]
        return f"You clicked on {self.name}. In this film it {' and '.join(told) or 'stays as it is'}."

    __repr__ = __str__


class NoPick:
    """Nothing was clicked on yet."""

    key = name = None
    dies = False

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "Nothing was clicked on yet: click on a table or an entry in the film, then run this cell again."


def pick_of(steps: Sequence[FilmStep], key: str, step: int) -> Pick:
    """What is known of ``key`` from the steps of a film."""
    name, history = key, dict[str, list[int]]()
    for number, shown in enumerate(steps):
        for table in shown.scene.tables:
            title, entry = f"{table.title}, {', '.join(table.words)}", shown.scene.entry(key)
            if table.key == key:
                name, mark = title, table.mark
            elif entry is not None and entry in table.entries:
                name, mark = f"entry {entry.index} of {title}", entry.mark
            else:
                continue
            if mark:
                history.setdefault(mark, []).append(number)
    return Pick(key, name, step, history)


FORMAT, VERSION = "kvmmmu-lab film", 1

LEGEND = (
    ("new", "new"),
    ("changed", "changed"),
    ("read", "read"),
    ("dead", "gone"),
    ("readonly", "read only"),
    ("rmap", "reverse map"),
    ("shadows", "is shadowed by"),
)
"""By class: what it says. The player shows a sample of each beside it."""


def film(recording: Recording, *gvas: int, draw: Draw | None = None, detail: bool = False, title: str = "") -> Film:
    """A recording as a film: what happened along the paths of these addresses, and of those that it touches.

    ``draw``: another picture than guest and shadow tables, ``lambda vm, marks: reverse_map_scene(vm, gfn, marks=marks)``.
    ``detail``: every event is a step. Raises InputError for an address that can't be.
    """
    if not isinstance(recording, Recording):
        raise InputError("recording", recording, "what `with record(vm) as recording` gave")
    start = recording.at(0)
    for gva in gvas:
        check_gva(start, gva)
    return Film(recording, gvas, draw, detail, title)


class Film:
    """A film of a recording. Show it in a notebook to play it; ``print`` lists its steps.

    ``steps``; ``picture(k)`` of a step; ``widget``, which Python can steer and ask; ``picked``, what was clicked on;
    ``data``, what the player plays; ``save("fault.html")`` (or .svg, .gif, .json).
    """

    def __init__(self, recording: Recording, gvas: Iterable[int], draw: Draw | None, detail: bool, title: str) -> None:
        self.recording, self.error = recording, recording.error
        self.scenes: list[list[FilmStep]] = Camera(recording, gvas, draw, detail).shoot()
        self.steps = [step for scene in self.scenes for step in scene]
        self.title = title or (self.steps[1].words if len(self.steps) > 1 else "Nothing happened")

    @functools.cached_property
    def drawings(self) -> list[Drawing]:
        """One for each scene of the film."""
        return [Drawing(union([step.scene for step in steps])) for steps in self.scenes]

    @functools.cached_property
    def data(self) -> dict[str, Any]:
        """The film as the player gets it. Raises `RenderError` if nothing here can draw."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "title": self.title,
            "css": stylesheet(),
            "legend": [list(line) for line in LEGEND],
            "tags": {tag: words for tag, words in TAGS.items() if any(tag in step.tags for step in self.steps)},
            "card": card_of(self.error),
            "scenes": [_scene_data(steps, drawing) for steps, drawing in zip(self.scenes, self.drawings, strict=True)],
        }

    # Looking

    def picture(self, step: int) -> Picture:
        """The picture at a step of the film, 0 being the state before. Those of a scene share one layout."""
        if isinstance(step, bool) or not isinstance(step, int) or not -len(self.steps) <= step < len(self.steps):
            raise InputError("step", step, f"a step of this film: 0 to {len(self.steps) - 1}")
        left = step % len(self.steps)
        for steps, drawing in zip(self.scenes, self.drawings, strict=True):
            if left < len(steps):
                return Picture(steps[left].scene, drawing=drawing)
            left -= len(steps)
        raise AssertionError(step)

    @functools.cached_property
    def widget(self) -> Any:
        """A widget that plays this film: ``widget.step`` can be set and seen, ``widget.picked`` is what was clicked on.

        Raises ImportError without anywidget, RenderError if nothing here can draw.
        """
        from .widget import film_widget

        return film_widget(self.data)

    @property
    def picked(self) -> Pick | NoPick:
        """What was clicked on last in the widget, and what happens to it in this film; false if there was nothing yet."""
        picked = self.widget.picked if "widget" in vars(self) else None
        return pick_of(self.steps, picked["key"], picked["step"]) if picked else NoPick()

    @functools.cached_property
    def html(self) -> str:
        """The film as an HTML output: it plays without a kernel and without a network; without scripts, its end shows."""
        try:
            return film_html(self.data, self.picture(-1).svg)
        except RenderError as error:
            said = html.escape(f"{self}\n\n(Shown as text: {error})")
            return f'<pre class="kvmmmu-text" style="line-height:1.25;overflow-x:auto">{said}</pre>'

    def save(self, path: str | Path, *, step: int = -1) -> Path:
        """Save the film to a file and return its path. The ending says what is saved:

        - .html: a page that plays the film; it needs no network
        - .svg: the picture at ``step``
        - .dot: the same picture in the DOT language, with all labels and marks, for your own Graphviz:
          ``film.save("x.dot", step=7)``, then ``dot -Tpdf x.dot``
        - .gif: all steps as a moving picture
        - .json: the data that the player plays

        ``step`` counts over the whole film from 0, the state before anything happened; -1 is the last. Raises InputError for
        another ending, a step that isn't there, or a file that can't be written; RenderError if nothing here can draw (a
        .dot needs no renderer); LabError for a .gif without Pillow or a browser.
        """
        path = Path(path)
        kinds: dict[str, Callable[[], str | bytes]] = {
            ".html": lambda: film_page(self.data, self.picture(-1).svg),
            ".svg": lambda: self.picture(step).svg,
            ".dot": lambda: self.picture(step).dot,
            ".gif": lambda: gif(self.data),
            ".json": lambda: json.dumps(self.data),
        }
        if path.suffix not in kinds:
            raise InputError("path", str(path), f"a name that ends in {', '.join(kinds)}")
        made = kinds[path.suffix]()
        try:
            path.write_bytes(made.encode() if isinstance(made, str) else made)
        except OSError as error:
            raise InputError("path", str(path), f"a file that can be written ({error.strerror})") from None
        return path

    def _ipython_display_(self) -> None:
        """The widget, which Python can steer, where a kernel is; under it, for notebooks without one, the HTML."""
        from IPython.display import display

        from . import cell_output

        bundle = self._repr_mimebundle_()
        try:
            widget = self.widget if cell_output.has_kernel() else None
        except (ImportError, RenderError):
            widget = None
        if widget is None:
            display(bundle, raw=True)
        else:
            cell_output.show_both(bundle, widget, "(Run this cell to steer the film from Python.)")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": str(self)}

    def __str__(self) -> str:
        lines = [f"{number:3}  {'  ' * step.depth}{step}" for number, step in enumerate(self.steps) if number]
        ending = [f"It ended with: {self.error}"] if self.error else []
        return "\n".join([self.title, "", *lines, *ending, "", to_text(self.steps[-1].scene)])

    __repr__ = __str__


def _scene_data(steps: list[FilmStep], drawing: Drawing) -> dict[str, Any]:
    looks: dict[str, list[str]] = {}
    told = []
    for step in steps:
        now = drawing.looks(step.scene)
        told.append(
            {
                "words": step.words,
                "place": step.place,
                "depth": step.depth,
                "tags": list(step.tags),
                "about": [(entry or table).key for table, entry in step.scene.marked()],
                "set": {key: look for key, look in now.items() if looks.get(key) != look} if looks else {},
                "changes": list(step.changes),
            }
        )
        looks = now
    svg = drawing.bare_svg(steps[0].scene, alternative(steps[0].scene))
    begin = 1 if steps[0].words == BEFORE and len(steps) > 1 else 0  # only the first scene has a step before anything
    return {"title": steps[begin].words, "svg": svg, "steps": told}
