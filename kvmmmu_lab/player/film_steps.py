# SPDX-License-Identifier: GPL-2.0-only
"""The steps of a film: the part of a recording that each step shows, its words and its picture.

A film has a chapter for each operation; operations of a single step, such as pokes, belong to the chapter of the next
operation. A chapter has a step for each event that is meaningful by itself, or, in a detailed film, for every event.
Several events of the same kind in a row, such as the four reads of a walk, are one step.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ..draw.arguments import possible_gva
from ..draw.page_tables import hierarchy_scene
from ..draw.scene import Marks, Scene, edges_of
from ..errors import HostCrash, LabError
from ..inspect.keys import BUCKET, CHAIN, DESCRIPTOR, FLOW, MEMORY, SHADOW, Key, key_of
from ..inspect.names import Names
from ..mmu import events as ev
from ..mmu.machine import Machine
from ..recording.narration import RETURN, closing, counted, mark_of, narration, operation, question, sentence, tags_of
from ..recording.recording import Change, Recording
from ..recording.story import Parts, Story

BEFORE = "Before the first step."
"""The words of step 0 of a film."""

NOTHING = "Nothing happened. Why?"
"""The question of a film without events."""

PRESENT = "{} already in the shadow. The film has {} steps."
"""What step 0 adds if no access of the film faults: otherwise, someone who runs a cell again misses the steps of a fault."""

FAULTS = {ev.PAGE_FAULT, ev.NONPAGING_FAULT}

MOST_STEPS = 400
"""Maximum number of steps of a film. The last step states what is left out."""

MOST_PATHS = 4
"""Maximum number of addresses drawn: those that were requested, then those that an operation touches."""

Draw = Callable[[Machine, Marks], Scene]
"""Draws the machine at one step, with the marks of that step."""

Kinds = Collection[ev.Kind]
"""Kinds of events: those that a film shows, if it leaves out the others."""


@dataclass(frozen=True)
class FilmStep:
    """One step of a film. ``recorded``: the number of the recorded step whose state its ``scene`` shows.

    ``changes``: each changed entry with its old and new value. ``story``: what the step means for the things that it concerns
    (see `recording.story`). ``noun``: what the words of a `Fold` call the step; empty for a step that is never folded.
    ``operation``: what the step does, without the outcome. ``routine``: whether later films fold it (see `Narration`).
    """

    words: str
    scene: Scene
    recorded: int
    depth: int = 0
    function: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    changes: tuple[dict[str, str], ...] = ()
    story: Parts = field(default_factory=dict)
    noun: str = ""
    operation: str = ""
    routine: bool = False

    @property
    def pattern(self) -> str:
        """The words without numbers and names. Steps of the same pattern say nothing new."""
        return _LIST.sub("(#)", _NUMBER.sub("#", self.words))

    @property
    def place(self) -> str:
        """The kernel function and its source lines, as far as they are known."""
        return ", ".join(filter(None, (self.function and f"{self.function}()", self.source)))

    def __str__(self) -> str:
        return f"{self.words}  [{self.place}]" if self.place else self.words


_NUMBER = re.compile(r"#?\b(?:0x[0-9a-f]+|\d+)(?::\d+)*\b")
_LIST = re.compile(r"\(#(?:, #)*\)")


@dataclass(frozen=True)
class Fold:
    """Steps ``first`` to ``last`` of a chapter, which a list shows as one line: they repeat what the viewer has seen before."""

    first: int
    last: int
    words: str


LEAST_FOLDED = 2
"""Minimum number of steps of a fold."""


def folds(steps: Sequence[FilmStep], seen: set[str]) -> list[Fold]:
    """Return the folds of a chapter. ``seen``: the patterns of the steps that the viewer has seen, to which this chapter's are
    added.

    A run of steps is folded if each has a noun and says nothing new.
    """
    found: list[Fold] = []
    run: list[int] = []

    def close() -> None:
        if len(run) >= LEAST_FOLDED:
            nouns = counted(steps[at].noun for at in run)
            found.append(Fold(run[0], run[-1], f"{len(run)} steps like earlier ones: {nouns}."))
        run.clear()

    for at, step in enumerate(steps):
        if step.noun and step.pattern in seen:
            run.append(at)
        else:
            close()
        seen.add(step.pattern)
    close()
    return found


class FilmBuilder:
    """Turns a recording into the chapters of a film."""

    def __init__(
        self, recording: Recording, gvas: Iterable[int], draw: Draw | None, detail: bool, only: Kinds | None = None
    ) -> None:
        self.recording, self.gvas, self.draw, self.detail, self.only = recording, list(gvas), draw, detail, only
        self.focus = self.gvas
        """Addresses that the current chapter draws."""
        self.pages: dict[int, None] = {}
        """Shadow pages that the current chapter has drawn."""
        self.left_out: set[int] = set()
        """Shadow pages that a step of the current chapter has not drawn, although they are in use."""
        self.story = Story()
        self.kinds: set[ev.Kind] = set()
        """The kinds of all events that have a step."""
        self.accessed: set[int] = set()
        """The addresses that the processor accesses."""
        self.chapters: list[list[FilmStep]] = []

    def build(self) -> list[list[FilmStep]]:
        """Return all chapters. The first begins with the state before anything happened."""
        recording, room = self.recording, MOST_STEPS
        for first, last in chapter_ranges(recording):
            groups = step_groups(recording, first, last, self.detail, self.only)
            if not groups and self.chapters:
                continue
            self.chapters.append(self._chapter(first, groups[:room]))
            room -= len(groups)
            if room < 0 or (room == 0 and last < len(recording) - 1):
                self._append_omission(last)
                break
        if isinstance(recording.error, LabError) and not isinstance(recording.error, HostCrash):
            self._append(f"This can't be done: {recording.error}.")
        knows_of_faults = self.only is None or FAULTS & set(self.only)
        if self.accessed and knows_of_faults and not self.kinds & FAULTS and recording.error is None and room >= 0:
            self._say_present()
        return self.chapters

    def _say_present(self) -> None:
        before = self.chapters[0][0]
        those = "This address was" if len(self.accessed) == 1 else "These addresses were"
        words = PRESENT.format(those, sum(map(len, self.chapters)) - 1)
        self.chapters[0][0] = replace(before, words=f"{BEFORE} {words}")

    def _chapter(self, first: int, groups: list[StepGroup]) -> list[FilmStep]:
        """Return the steps of a chapter. A page is drawn as long as it is in use, also before a step is about it."""
        self.focus, self.pages, self.left_out = [*self.gvas], {}, set()
        for event in (event for group in groups for event in group.events):
            self.kinds.add(event[0])
            if event[0] is ev.ACCESS:
                self.accessed.add(event[1])
            if narration(event[0]).path and event[1] not in self.focus:
                self.focus += [event[1]][: max(0, MOST_PATHS - len(self.focus))]
        story = copy.copy(self.story)
        steps = self._steps(first, groups)
        if self.left_out & self.pages.keys():  # only now is it known what the chapter is about
            self.story = story
            steps = self._steps(first, groups)
        return steps

    def _steps(self, first: int, groups: list[StepGroup]) -> list[FilmStep]:
        steps = []
        if not self.chapters:
            steps.append(FilmStep(BEFORE, self._scene(first - 1, Marks()), first - 1, operation=BEFORE))
        for group in groups:
            steps.append(self._step(group, steps[-1].scene if steps else None))
        return steps

    def _step(self, group: StepGroup, before: Scene | None) -> FilmStep:
        """Return the step of a group. ``before``: the scene of the step before it in the chapter."""
        vm = self.recording.at(group.last)
        parts = {key: part for event in group.events for key, part in self.story.parts(vm, event).items()}
        marks = marks_of(vm, group.events)
        marks.running = self._running(group)
        scene = self._scene(group.last, marks)
        changes = tuple(_as_data(change) for number in group.steps for change in self.recording.changes(number))
        story = {**_differences(before or scene, scene), **_marked(scene), **_changed(changes), **parts}
        kind = group.kind
        place = group.depth, kind.function, kind.source
        does = operation(kind, ends=not group.events)
        routine = narration(kind).routine
        return FilmStep(group.words, scene, group.last, *place, group.tags, changes, story, group.noun, does, routine)

    def _running(self, group: StepGroup) -> tuple[str, ...]:
        """Return what runs at a step, innermost first (see `Marks`)."""
        around = [event[0].name for event in self.recording.enclosing(group.last)]
        if group.events:
            return (group.kind.name, *around)
        ended = self.recording.ended(group.last)
        return (ev.END.name, str(ended.result) if ended else "", *around)

    def _scene(self, number: int, marks: Marks) -> Scene:
        """Return the picture at a recorded step. Addresses that are invalid in the guest's mode at that step are left out.

        A page that the chapter has drawn is in the picture while it is in use, even without a parent: a new page has no
        parent yet, and a child of a zapped page has lost its parent.
        """
        vm = self.recording.at(number)
        if self.draw is not None:
            return self.draw(vm, marks)
        scene = hierarchy_scene(vm, [gva for gva in self.focus if possible_gva(vm, gva)], marks, self.pages)
        drawn = [key.page for key in map(Key, (table.key for table in scene.of("shadow"))) if key.kind == SHADOW]
        self.pages |= dict.fromkeys(drawn)
        self.left_out |= {page.id for page in vm.pool.active}.difference(drawn)
        return scene

    def _append_omission(self, last: int) -> None:
        left = sum(1 for first, _ in self.recording.operations() if first > last)
        more = f" and {left} more operations" if left else ""
        self._append(f"What follows{more} isn't shown: a film has at most {MOST_STEPS} steps.")

    def _append(self, words: str) -> None:
        """Add a step that shows the state of the last one, without its marks."""
        number = self.chapters[-1][-1].recorded
        self.chapters[-1].append(FilmStep(words, self._scene(number, Marks()), number, operation="The last step"))


def chapter_ranges(recording: Recording) -> list[tuple[int, int]]:
    """Return the first and the last recorded step of each chapter."""
    found: list[tuple[int, int]] = []
    begin = 1
    for first, last in recording.operations():
        if last > first:
            found.append((begin, last))
            begin = last + 1
    if begin < len(recording) or not found:
        found.append((begin, len(recording) - 1))
    return found


def question_of(recording: Recording) -> str:
    """Return the question that a film of a recording answers, about the first operation with several steps if there is one."""
    steps = [first for first, last in recording.operations() if last > first]
    number = steps[0] if steps else 1
    if number >= len(recording):
        return NOTHING
    return question(Names(recording.at(number)), recording.raw(number))


# The story of a step: what it means for the parts of the picture

MARKED = {"new": "it is new", "changed": "it changes", "dead": "it is removed", "read": "it is read"}
"""What each mark means."""

RUNS = "it runs"
"""What the mark of a part of a flow chart means."""

APPEARS, VANISHES, CHANGES = "it appears", "it is removed", "it changes"

STORED = (DESCRIPTOR, CHAIN, MEMORY, BUCKET)
"""The kinds of tables whose rows change without a mark or a change of memory."""


def _differences(before: Scene, scene: Scene) -> Parts:
    """Return the arrows, descriptors and other boxes of data structures that differ from the scene before."""
    old, new = _drawn(before), _drawn(scene)
    # In the order of the scenes, not of a set, which differs from run to run
    parts = {key: APPEARS if key in new else VANISHES for key in old | new if (key in old) != (key in new)}
    return parts | {key: CHANGES for key in old if key in new and old[key] != new[key]}


def _drawn(scene: Scene) -> dict[Key, object]:
    """Return what a scene shows of each arrow, and of each row of a `STORED` table."""
    found: dict[Key, object] = {Key(key): None for key in edges_of(scene)}
    for table in scene.tables:
        if Key(table.key).kind in STORED:
            found |= {Key(table.key): None, **{Key(row.key): (row.flags, row.target) for row in table.entries}}
    return found


def _marked(scene: Scene) -> Parts:
    marked = [entry or table for table, entry in scene.marked()]
    return {(key := Key(one.key)): RUNS if key.kind == FLOW else MARKED[one.mark] for one in marked}


def _changed(changes: Iterable[dict[str, str]]) -> Parts:
    return {Key(change["key"]): CHANGES if int(change["new"], 16) else "it is cleared" for change in changes}


# Groups of recorded steps that become one step of a film


@dataclass
class StepGroup:
    """Recorded steps that a film shows as one. ``last``: the step whose state is shown. ``steps``: the step of each event."""

    last: int
    words: str
    kind: ev.Kind
    depth: int
    events: list[tuple] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    @property
    def noun(self) -> str:
        """The noun of the step. A group without events is the end of an operation."""
        noun = narration(self.kind).noun
        return noun if self.events else noun and RETURN

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the events, without duplicates."""
        return tuple(dict.fromkeys(tag for event in self.events for tag in tags_of(event)))


def step_groups(
    recording: Recording, first: int, last: int, detail: bool = False, only: Kinds | None = None
) -> list[StepGroup]:
    """Return the groups of the recorded steps ``first`` to ``last``. ``detail``: a group for every event.

    ``only``: the kinds of events that get a group; by default all.
    """
    found: list[StepGroup] = []
    run: StepGroup | None = None
    for number in range(first, last + 1):
        event = recording.raw(number)
        kind, names = event[0], Names(recording.at(number))
        if kind is ev.END:
            ended = recording.ended(number)
            if ended is not None and (only is None or ended.kind in only) and (words := closing(ended)):
                found.append(StepGroup(number, words, ended.kind, recording.depth(number)))
                run = None
        elif run is not None and kind is run.kind and narration(kind).run is not None:
            run.last = number
            run.events.append(event)
            run.steps.append(number)
            run.words = sentence(names, run.events, recording.enclosing(number))
        elif (detail or narration(kind).main) and (only is None or kind in only):
            words = sentence(names, [event], recording.enclosing(number))
            run = StepGroup(number, words, kind, recording.depth(number), [event], [number])
            found.append(run)
    return found


def _as_data(change: Change) -> dict[str, str]:
    return {
        "key": change.key,
        "name": change.name,
        "old": f"{change.old:#x}",
        "new": f"{change.new:#x}",
        "bits": change.bits,
    }


# Marks of a step


def marks_of(vm: Machine, events: Iterable[tuple]) -> Marks:
    """Return the marks of some events; ``vm`` is the machine after the last of them."""
    marks = Marks()
    for event in events:
        _add_mark(vm, event, marks)
    return marks


def _add_mark(vm: Machine, event: tuple, marks: Marks) -> None:
    if event[0].change:
        _, hpa, _, old, new = event
        key = key_of(vm, hpa)
        marks.note(key, "dead" if not new and key.kind == SHADOW else "changed")
        marks.was[key] = old
    elif (mark := mark_of(vm, event)) is not None:
        marks.note(*mark)
