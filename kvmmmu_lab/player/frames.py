# SPDX-License-Identifier: GPL-2.0-only
"""From a recording to the scenes of a film: which steps it shows, and what is drawn at each.

Each operation is a scene; single steps in a row, such as pokes, go together with what follows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..draw.arguments import possible_gva
from ..draw.page_tables import hierarchy_scene
from ..draw.scene import Marks, Scene
from ..errors import HostCrash, LabError
from ..inspect.keys import SHADOW, Key, key_of
from ..inspect.names import Names
from ..mmu import events as ev
from ..mmu.machine import Machine
from ..recording.narration import mark_of, narration, sentence, tags_of
from ..recording.recording import Change, Recording

# FOLDED IN: film.cuts: From steps to what is shown: a *cut* is a stretch of steps that a film shows as one.
#
# A first look has a cut for each step that means something by itself; a detailed one for every event. Several steps of the
# same kind in a row, such as the four reads of a walk, are one cut.


@dataclass
class Cut:
    """Steps shown as one. ``step``: the last of them, whose state is shown; ``steps`` and their ``events``: those told."""

    step: int
    words: str
    kind: ev.Kind
    depth: int
    events: list[tuple] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    @property
    def tags(self) -> list[str]:
        """All that its events are about."""
        return list(dict.fromkeys(tag for event in self.events for tag in tags_of(event)))


def cuts(recording: Recording, first: int, last: int, detail: bool = False) -> list[Cut]:
    """The cuts of steps ``first`` to ``last``."""
    found: list[Cut] = []
    run: Cut | None = None
    for number in range(first, last + 1):
        event = recording.raw(number)
        kind, names = event[0], Names(recording.at(number))
        if kind is ev.END:
            opened = _opened(recording, number)
            end = narration(opened).ending
            if words := end(names, event[1]) if end else "":
                found.append(Cut(number, words, opened, recording.depth(number)))
                run = None
        elif run is not None and kind is run.kind and narration(kind).run is not None:
            run.step = number
            run.events.append(event)
            run.steps.append(number)
            run.words = sentence(names, run.events, _around(recording, number))
        elif detail or narration(kind).main:
            words = sentence(names, [event], _around(recording, number))
            run = Cut(number, words, kind, recording.depth(number), [event], [number])
            found.append(run)
    return found


def _around(recording: Recording, number: int) -> tuple | None:
    parent = recording.parent(number)
    return None if parent is None else recording.raw(parent)


def _opened(recording: Recording, number: int) -> ev.Kind:
    around = _around(recording, number)
    return ev.END if around is None else around[0]


def changes(recording: Recording, cut: Cut) -> list[Change]:
    """What memory a cut changed."""
    return [change for number in cut.steps for change in recording.changes(number)]


# FOLDED IN: player.marks: What a step is about, as marks in a picture: the entry that it read or changed, the page,
# the reverse map.


def marks_of(vm: Machine, events: Iterable[tuple]) -> Marks:
    """The marks of some events; ``vm`` is the machine after the last of them."""
    marks = Marks()
    for event in events:
        _note(vm, event, marks)
    return marks


def _note(vm: Machine, event: tuple, marks: Marks) -> None:
    if event[0].change:
        _, hpa, _, old, new = event
        key = key_of(vm, hpa)
        marks.note(key, "dead" if not new and key.kind == SHADOW else "changed")
        marks.was[key] = old
    elif (mark := mark_of(vm, event)) is not None:
        marks.note(*mark)


BEFORE = "Before it begins."
"""The words of a film's step 0."""

MOST_STEPS = 400
"""More than anybody watches; what comes later is left out, and the last step says so."""

MOST_PATHS = 4
"""So many addresses are drawn; those that an operation touches are added as long as there is room."""

Draw = Callable[[Machine, Marks], Scene]
"""Draws the machine at one step, with the marks of that step."""


@dataclass(frozen=True)
class FilmStep:
    """One step of a film. ``recorded``: the step of the recording whose state its ``scene`` shows."""

    words: str
    scene: Scene
    recorded: int
    depth: int = 0
    function: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    changes: tuple[dict[str, str], ...] = ()

    @property
    def place(self) -> str:
        """Function and lines, as far as there are any."""
        return ", ".join(filter(None, (self.function and f"{self.function}()", self.source)))

    def __str__(self) -> str:
        return f"{self.words}  [{self.place}]" if self.place else self.words


class Camera:
    """Takes a recording's steps as scenes."""

    def __init__(self, recording: Recording, gvas: Iterable[int], draw: Draw | None, detail: bool) -> None:
        self.recording, self.gvas, self.draw, self.detail = recording, list(gvas), draw, detail
        self.focus = self.gvas
        self.pages: dict[int, None] = {}
        self.scenes: list[list[FilmStep]] = []

    def shoot(self) -> list[list[FilmStep]]:
        """All scenes; the first begins with the state before anything happened."""
        recording, room = self.recording, MOST_STEPS
        for first, last in stretches(recording):
            told = cuts(recording, first, last, self.detail)
            if not told and self.scenes:
                continue
            self.scenes.append(self._scene(first, told[:room]))
            room -= len(told)
            if room < 0 or (room == 0 and last < len(recording) - 1):
                self._cut_off(last)
                break
        if isinstance(recording.error, LabError) and not isinstance(recording.error, HostCrash):
            self._append(f"This can't be done: {recording.error}.")
        return self.scenes

    def _scene(self, first: int, told: list[Cut]) -> list[FilmStep]:
        self.focus, self.pages = [*self.gvas], {}
        for event in (event for cut in told for event in cut.events):
            if narration(event[0]).path and event[1] not in self.focus:
                self.focus += [event[1]][: max(0, MOST_PATHS - len(self.focus))]
        before = [] if self.scenes else [FilmStep(BEFORE, self._shown(first - 1, Marks()), first - 1)]
        return before + [self._step(cut) for cut in told]

    def _step(self, cut: Cut) -> FilmStep:
        shown = self._shown(cut.step, marks_of(self.recording.at(cut.step), cut.events))
        changed = tuple(_change(change) for change in changes(self.recording, cut))
        return FilmStep(cut.words, shown, cut.step, cut.depth, cut.kind.function, cut.kind.source, tuple(cut.tags), changed)

    def _shown(self, number: int, marks: Marks) -> Scene:
        """The picture at a step. The guest may have changed its mode, and then not have all the addresses any more.

        A page that was drawn stays as long as it is in use: a new one has no parent yet, a zapped one's child none any more.
        """
        vm = self.recording.at(number)
        if self.draw is not None:
            return self.draw(vm, marks)
        scene = hierarchy_scene(vm, [gva for gva in self.focus if possible_gva(vm, gva)], marks, self.pages)
        keys = [Key(table.key) for table in scene.of("shadow")]
        self.pages |= {key.page: None for key in keys if key.kind == SHADOW}
        return scene

    def _cut_off(self, last: int) -> None:
        left = sum(1 for first, _ in self.recording.operations() if first > last)
        more = f" and {left} more operations" if left else ""
        self._append(f"What follows{more} isn't shown: a film has at most {MOST_STEPS} steps.")

    def _append(self, words: str) -> None:
        """One more step that shows what the last one did, without its marks."""
        number = self.scenes[-1][-1].recorded
        self.scenes[-1].append(FilmStep(words, self._shown(number, Marks()), number))


def stretches(recording: Recording) -> list[tuple[int, int]]:
    """First and last step of what becomes a scene."""
    found: list[tuple[int, int]] = []
    begin = 1
    for first, last in recording.operations():
        if last > first:
            found.append((begin, last))
            begin = last + 1
    if begin < len(recording) or not found:
        found.append((begin, len(recording) - 1))
    return found


def _change(change: Change) -> dict[str, str]:
    return {
        "key": change.key,
        "name": change.name,
        "old": f"{change.old:#x}",
        "new": f"{change.new:#x}",
        "bits": change.bits,
    }

