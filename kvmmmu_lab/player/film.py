# SPDX-License-Identifier: GPL-2.0-only
"""`Film`: a recording as a film; `Reel`: any steps as a film. A film is data; the player only displays the data.

Each operation is a *chapter*. All elements that its steps show are laid out once, in one drawing; a step changes classes
and texts in that drawing. The data can be written as JSON::

    format, version, title, question, css, legend, tags, card
    chapters  [{title, svg, stage, names, folds: [{first, last, words}],
                steps: [{words, operation, place, reference, depth, tags, about, set, changes, story}]}]

``stage`` is the scene with all that the chapter shows (see `scene.scene_data`): with it the chapter can be laid out again.
``question`` is what a slide asks at step 0. ``set`` maps keys to the appearances (see `draw.svg`) that differ from those of
the step before. ``about`` lists the marked keys, and ``changes`` the changed entries with their old and new values.
``operation`` is what the list of steps shows until the step is reached. ``story`` maps keys to what the step means for them,
as a clause: "it is read by the host". ``reference`` names lines of the kernel's source, such as "mmu.c:315-346". ``names``
has the name of each table, edge, and row whose name isn't "entry N of" its table. ``folds`` are runs of steps, counted
within the chapter, that a list shows as one line. ``card`` is the error that ended the film, or None.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..draw.arguments import check_gva
from ..draw.pictures import Picture
from ..draw.render import RenderError
from ..draw.scene import Scene, edges_of, scene_data, union
from ..draw.svg import Appearance, Drawing, edge_name
from ..draw.text import alternative, to_text
from ..draw.theme import MEANINGS, stylesheet
from ..errors import InputError
from ..inspect.keys import Key
from ..inspect.names import key_name
from ..kernel_source import Line, excerpts
from ..printable import escaped_html
from ..recording.narration import TAGS
from ..recording.recording import Recording
from . import cell_output
from .error_card import card_of
from .film_steps import BEFORE, Draw, FilmBuilder, FilmStep, Fold, Kinds, folds, question_of
from .gif import gif
from .page import FORMAT, VERSION, film_html, film_page

LEGEND = (
    *((mark, MEANINGS[mark]) for mark in ("new", "changed", "read", "dead")),
    ("readonly", "read only"),
    ("edge rmap", "reverse map"),
    ("edge parent", "parent"),
    ("shadows", "is shadowed by"),
)
"""Classes and their meanings. The player shows a sample beside each."""


def film(
    recording: Recording,
    *gvas: int,
    draw: Draw | None = None,
    detail: bool = False,
    title: str = "",
    seen: Iterable[str] = (),
    question: str = "",
    only: Kinds | None = None,
) -> Film:
    """Make a film of a recording that shows the paths of these addresses, and of those that the recording touches.

    ``draw``: a function that returns other scenes, such as ``lambda vm, marks: reverse_map_scene(vm, gfn, marks=marks)``.
    ``detail``: whether every event becomes a step. ``only``: the kinds of events that become steps; by default all. ``seen``:
    what the viewer has seen before (``patterns`` of an earlier film); the list of steps folds it. ``question``: what a slide
    asks at step 0, by default what the first operation does to the shadow tables. Raises InputError for an impossible address.
    """
    if not isinstance(recording, Recording):
        raise InputError("recording", recording, "the recording from `with record(vm) as recording`")
    start = recording.at(0)
    for gva in gvas:
        check_gva(start, gva)
    return Film(recording, gvas, draw, detail, title, seen, question, only)


class Reel:
    """Steps with pictures, in chapters, as a film that can be played; `Film` makes them from a recording. ``print`` lists the
    steps, and folds those that are like earlier ones, as the player does; ``print(film.text(every=True))`` lists them all.

    ``steps``: all steps. ``picture(k)``: the picture at a step. ``widget``: a player that Python can control and query.
    ``picked``: what was clicked on. ``data``: the input of the player. ``save("fault.html")``, or .svg, .dot, .gif, .json.
    """

    def __init__(
        self,
        chapters: list[list[FilmStep]],
        title: str = "",
        question: str = "",
        *,
        seen: Iterable[str] = (),
        detail: bool = False,
        error: Exception | None = None,
    ) -> None:
        if not isinstance(question, str):
            raise InputError("question", question, "a text, such as 'What does this write change?'")
        self.chapters, self.error = chapters, error
        self.steps = [step for chapter in self.chapters for step in chapter]
        self.patterns = set(seen)
        """The patterns of all steps that this film and earlier ones have shown."""
        self.folds: list[list[Fold]] = [[] if detail else folds(chapter, self.patterns) for chapter in self.chapters]
        """The folds of each chapter. A film of every detail has none."""
        self.routine = {step.pattern for step in self.steps if step.routine}
        """The patterns of the steps that lead to what the film is about. A later film need not show them again."""
        self.title = title or (self.steps[1].words if len(self.steps) > 1 else "Nothing happened")
        self.question = question

    @functools.cached_property
    def drawings(self) -> list[Drawing]:
        """One drawing for each chapter."""
        return [Drawing(union([step.scene for step in steps])) for steps in self.chapters]

    @functools.cached_property
    def data(self) -> dict[str, Any]:
        """The film as data for the player. Raises `RenderError` if no renderer can draw it."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "title": self.title,
            "question": self.question,
            "css": stylesheet(),
            "legend": [list(line) for line in LEGEND],
            "tags": {tag: words for tag, words in TAGS.items() if any(tag in step.tags for step in self.steps)},
            "card": card_of(self.error),
            "chapters": [_chapter_data(*one) for one in zip(self.chapters, self.drawings, self.folds, strict=True)],
        }

    @functools.cached_property
    def source(self) -> dict[str, list[Line]]:
        """The lines of the kernel's source that the steps are about, from the registered copy; empty without one.

        They are shown to this learner, in the player and in saved pages, and aren't part of ``data``.
        """
        return excerpts(step.source for step in self.steps)

    def picture(self, step: int) -> Picture:
        """Return the picture at a step; step 0 is the state before anything happened. A chapter's pictures share a layout."""
        if isinstance(step, bool) or not isinstance(step, int) or not -len(self.steps) <= step < len(self.steps):
            raise InputError("step", step, f"a step of this film: 0 to {len(self.steps) - 1}")
        left = step % len(self.steps)
        for steps, drawing in zip(self.chapters, self.drawings, strict=True):
            if left < len(steps):
                return Picture(steps[left].scene, drawing=drawing)
            left -= len(steps)
        raise AssertionError(step)

    @functools.cached_property
    def widget(self) -> Any:
        """A widget that plays this film: set or read ``widget.step``; ``widget.picked`` is what was clicked on.

        Raises ImportError without anywidget, RenderError if no renderer can draw it.
        """
        from .widget import film_widget

        return film_widget(self.data, source=self.source)

    @property
    def picked(self) -> Selection | NoSelection:
        """The last thing clicked on in the widget, with its history in this film. It is false if nothing was clicked on."""
        picked = self.widget.picked if "widget" in vars(self) else None
        return selection_of(self.steps, picked["key"], picked["step"]) if picked else NoSelection()

    @property
    def _still(self) -> str:
        """The last picture as SVG for an image. Raises `RenderError` if no renderer can draw it."""
        scene = self.steps[-1].scene
        return self.drawings[-1].image(scene, alternative(scene))

    @functools.cached_property
    def html(self) -> str:
        """The film as the output of a cell. It needs no kernel or network; without scripts, it shows its last picture."""
        try:
            return film_html(self.data, self._still, source=self.source)
        except RenderError as error:
            text = escaped_html(f"{self}\n\n(Shown as text: {error})")
            return f'<pre class="kvmmmu-text" style="line-height:1.25;overflow-x:auto">{text}</pre>'

    def save(self, path: str | Path, *, step: int = -1) -> Path:
        """Save the film to a file and return its path. The file's suffix selects the format:

        - .html: a page that plays the film; it needs no network
        - .svg: the picture at ``step``
        - .dot: the same picture in the DOT language, with all labels and marks, for use with Graphviz:
          ``film.save("x.dot", step=7)``, then ``dot -Tpdf x.dot``
        - .gif: all steps as an animated GIF
        - .json: the data that the player plays

        ``step`` counts over the whole film from 0, the state before anything happened; -1 is the last. Raises InputError for
        another suffix, a step that doesn't exist, or a file that can't be written; RenderError if no renderer can draw it (a
        .dot needs no renderer); LabError for a .gif without Pillow or a browser.
        """
        path = Path(path)
        kinds: dict[str, Callable[[], str | bytes]] = {
            ".html": lambda: film_page(self.data, self._still, source=self.source),
            ".svg": lambda: self.picture(step).svg,
            ".dot": lambda: self.picture(step).dot,
            ".gif": lambda: gif(self.data),
            ".json": lambda: json.dumps(self.data),
        }
        if path.suffix not in kinds:
            raise InputError("path", str(path), f"a name that ends in {', '.join(kinds)}")
        content = kinds[path.suffix]()
        try:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        except OSError as error:
            raise InputError("path", str(path), f"a file that can be written ({error.strerror})") from None
        return path

    def _ipython_display_(self) -> None:
        """Show the HTML, replaced by the widget while a kernel runs."""
        try:
            widget = self.widget if cell_output.has_kernel() else None
        except (ImportError, RenderError):
            widget = None
        cell_output.CellOutput("(Run this cell to steer the film from Python.)").show(self._repr_mimebundle_(), widget)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": str(self)}

    def text(self, every: bool = False) -> str:
        """Return the steps and the last picture as text. ``every``: don't fold the steps that are like earlier ones."""
        lines, first = list[str](), 0
        for chapter, folded in zip(self.chapters, self.folds, strict=True):
            lines += _lines(first, chapter, [] if every else folded)
            first += len(chapter)
        if not every and any(self.folds):
            lines += ["", EVERY]
        ending = [f"It ended with: {self.error}"] if self.error else []
        return "\n".join([self.title, "", *lines, *ending, "", to_text(self.steps[-1].scene)])

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return str(self)


class Film(Reel):
    """A film of a recording. Show it in a notebook to play it (see `Reel`)."""

    def __init__(
        self,
        recording: Recording,
        gvas: Iterable[int],
        draw: Draw | None,
        detail: bool,
        title: str,
        seen: Iterable[str] = (),
        question: str = "",
        only: Kinds | None = None,
    ) -> None:
        if not isinstance(question, str):
            raise InputError("question", question, "a text, such as 'What does this write change?'")
        self.recording = recording
        chapters = FilmBuilder(recording, gvas, draw, detail, only).build()
        question = question or question_of(recording)
        super().__init__(chapters, title, question, seen=seen, detail=detail, error=recording.error)


EVERY = "To print all steps: print(film.text(every=True))"
"""What follows a list with folds."""


def _lines(first: int, chapter: Sequence[FilmStep], folded: Sequence[Fold]) -> list[str]:
    """Return the lines of a chapter's list, one for each step or fold. ``first``: the number of the chapter's first step."""
    lines, at, folds_at = [], 0, {fold.first: fold for fold in folded}
    while at < len(chapter):
        step, fold = chapter[at], folds_at.get(at)
        number, words = (f"{first + at}", str(step)) if fold is None else (f"{first + at}-{first + fold.last}", fold.words)
        if step.words != BEFORE:
            lines.append(f"{number:>3}  {'  ' * step.depth}{words}")
        at = at + 1 if fold is None else fold.last + 1
    return lines


SENTENCE = re.compile(r"(?<=\.) (?=[A-Z])")
"""Between two sentences. A chapter is called by the first one, since a line has no room for more."""


def _chapter_data(steps: list[FilmStep], drawing: Drawing, folded: list[Fold]) -> dict[str, Any]:
    before: dict[str, Appearance] = {}
    data = []
    for step in steps:
        now = drawing.appearances(step.scene)
        data.append(
            {
                "words": step.words,
                "operation": step.operation,
                "place": step.place,
                "reference": step.source,
                "depth": step.depth,
                "tags": list(step.tags),
                "about": [(entry or table).key for table, entry in step.scene.marked()],
                "set": {key: value for key, value in now.items() if before.get(key) != value} if before else {},
                "changes": list(step.changes),
                "story": step.story,
            }
        )
        before = now
    svg = drawing.bare_svg(steps[0].scene, alternative(steps[0].scene))
    first = 1 if steps[0].operation == BEFORE and len(steps) > 1 else 0  # only the first chapter may begin with BEFORE
    return {
        "title": SENTENCE.split(steps[first].words)[0],
        "svg": svg,
        "stage": scene_data(drawing.stage),
        "names": _names(drawing.stage),
        "folds": [asdict(fold) for fold in folded],
        "steps": data,
    }


def _names(stage: Scene) -> dict[str, str]:
    """Return the names of everything on a stage, without rows that are called "entry N of" their table."""
    every, plain = dict[str, str](), set[str]()
    for table in stage.tables:
        every[table.key] = name = _name(table.key, table.title)
        for entry in table.entries:
            number = Key(entry.key).row
            row = f"entry {number} of {name}" if number else f"“{entry.index}” in “{name}”"
            every[entry.key] = _name(entry.key, row)
            plain |= {entry.key} if every[entry.key] == row else set()
    edges = {key: edge_name(edge, every) for key, edge in edges_of(stage).items()}
    return edges | {key: name for key, name in every.items() if key not in plain}


def _name(key: str, otherwise: str) -> str:
    """Return the name of what a key stands for in the machine, or another one for a key that only the picture has."""
    name = key_name(Key(key))
    return otherwise if name == key else name


# What was clicked on


@dataclass(frozen=True)
class Selection:
    """A part of a film that was clicked on: its ``key``, its ``name``, and the ``step`` that was shown.

    ``history``: for each mark ("new", "changed", "read", "dead"), the steps that have it. ``story``: what happens to it, as
    clauses, each with its steps.
    """

    key: str
    name: str
    step: int
    history: dict[str, list[int]]
    story: dict[str, list[int]] = field(default_factory=dict)

    @property
    def dies(self) -> bool:
        """Whether a step of the film removes the table or entry."""
        return "dead" in self.history

    def __str__(self) -> str:
        told = "; ".join(f"{clause} at {_steps(steps)}" for clause, steps in self.story.items())
        return f"You clicked on {self.name}. In this film {told or 'it stays as it is'}."

    __repr__ = __str__


def _steps(numbers: Sequence[int]) -> str:
    """Return "step 3", or "steps 3, 5 and 9"."""
    first = ", ".join(map(str, numbers[:-1]))
    return f"steps {first} and {numbers[-1]}" if first else f"step {numbers[-1]}"


class NoSelection:
    """The value of `Film.picked` before anything was clicked on."""

    key = name = None
    dies = False

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "Nothing was clicked on yet: click on a table or an entry in the film, then run this cell again."


def selection_of(steps: Sequence[FilmStep], key: str, step: int) -> Selection:
    """Return the selection of ``key`` at a step, with its history in these steps."""
    history, story = dict[str, list[int]](), dict[str, list[int]]()
    names = _names(union([shown.scene for shown in steps]))
    for number, shown in enumerate(steps):
        for table, entry in shown.scene.marked():
            if (entry or table).key == key:
                history.setdefault((entry or table).mark, []).append(number)
        if clause := shown.story.get(Key(key)):
            story.setdefault(clause, []).append(number)
    row = Key(key)
    name = names.get(key) or (f"entry {row.row} of {names.get(row.table, row.table)}" if row.row else key)
    return Selection(key, name, step, history, story)
