# SPDX-License-Identifier: GPL-2.0-only
"""One operation, recorded as steps: for each, what happened in words, where in the kernel, and the state at that moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..draw.hierarchy import check_gva, hierarchy_scene, possible_gva
from ..draw.scene import Marks, Scene
from ..errors import HostCrash, InputError, LabError
from ..mmu import events as ev
from ..mmu.machine import Machine
from ..read.names import Names
from ..read.paths import frame_key, key_of
from ..film.words import ENDINGS, JOINED, MAIN, sentence

LONGEST = 400
"""More steps than anybody reads; what comes later isn't kept, and the last step says so."""

READS = (ev.HARDWARE_READ, ev.GUEST_READ, ev.SHADOW_READ)

MOST_PATHS = 4
"""So many addresses are drawn; those that the operation touches are added as long as there is room."""


@dataclass(frozen=True)
class Step:
    """One step: ``words`` say what happened, ``function`` and ``source`` where in the kernel; ``scene`` is the state then.

    ``depth``: how many operations it is inside of.
    """

    words: str
    function: str
    source: str
    depth: int
    scene: Scene

    @property
    def place(self) -> str:
        """Function and lines, as far as there are any."""
        return ", ".join(filter(None, (self.function and f"{self.function}()", self.source)))

    def __str__(self) -> str:
        return f"{self.words}  [{self.place}]" if self.place else self.words


class Recorder:
    """A sink that keeps steps. Scenes are taken when an event comes: that is the only time when the state is right."""

    def __init__(self, vm: Machine, focus: Iterable[int], detail: bool) -> None:
        self.vm, self.focus, self.detail = vm, list(focus), detail
        self.names = Names(vm)
        self.steps: list[Step] = []
        self.run: list[tuple] = []
        self.marks = Marks()
        self.opened: list[tuple] = []

    def __call__(self, event: tuple) -> None:
        """Take one event."""
        kind = event[0]
        if kind is ev.ACCESS or kind is ev.PAGE_FAULT or kind is ev.NONPAGING_FAULT:
            self._look_at(event[1])
        if kind is ev.END:
            self._end(event[1])
            return
        joins = bool(self.run) and kind in JOINED and self.run[-1][0] is kind
        depth = len(self.opened)
        if kind.opens:
            self.opened.append(event)
        if not (self.detail or kind in MAIN or kind in READS):
            return
        if kind is ev.SHADOW_READ and not self.detail:
            return
        if not joins:
            self.run, self.marks = [], Marks()
        self.run.append(event)
        note(self.vm, event, self.marks)
        if joins:
            self.steps.pop()
        self._add(sentence(self.names, self.run), kind, depth)

    def _look_at(self, gva: int) -> None:
        if gva not in self.focus and len(self.focus) < MOST_PATHS:
            self.focus.append(gva)

    def scene(self) -> Scene:
        """The state now. The guest may have changed its mode, and then not have all the addresses any more."""
        return hierarchy_scene(self.vm, [gva for gva in self.focus if possible_gva(self.vm, gva)], self.marks)

    def _end(self, result: Any) -> None:
        kind = self.opened.pop()[0] if self.opened else ev.END
        words = ENDINGS[kind](result) if kind in ENDINGS else ""
        if words:
            self.run, self.marks = [], Marks()
            self._add(words, kind, len(self.opened))

    def _add(self, words: str, kind: ev.Kind, depth: int) -> None:
        if len(self.steps) < LONGEST:
            self.steps.append(Step(words, kind.function, kind.source, depth, self.scene()))
        elif len(self.steps) == LONGEST:
            self.steps.append(Step(f"What follows is not kept: {LONGEST} steps are enough.", "", "", 0, self.scene()))


def note(vm: Machine, event: tuple, marks: Marks) -> None:
    """Mark what an event is about: the entry that it read or changed, the page, the reverse map."""
    kind, *operands = event
    of = dict(zip(kind.operands, operands, strict=True))
    if kind is ev.GUEST_READ:
        table = f"g:{of['gfn']:x}"
        marks.note(f"{table}:{of['index']}", "read")
    elif kind in READS:
        marks.note(key_of(vm, of["hpa"] if "hpa" in of else of["spte"] << 3), "read")
    elif "hpa" in of and "new" in of:
        key = key_of(vm, of["hpa"])
        gone = not of["new"] and key.startswith("s:")
        marks.note(key, "dead" if gone else "changed")
        marks.was[key] = of["old"]
    elif kind is ev.ALLOC_PAGE:
        marks.note(f"s:{of['page']}", "new")
    elif kind in (ev.ZAP_PAGE, ev.FREE_PAGE):
        marks.note(f"s:{of['page']}", "dead")
    elif kind in (ev.RMAP_ADD, ev.RMAP_REMOVE):
        marks.note(f"{frame_key(vm, of['hfn'])}:rmap", "changed")


@dataclass(frozen=True)
class Recording:
    """An operation's steps, its result, and the error that ended it, if one did."""

    steps: tuple[Step, ...]
    result: Any
    error: LabError | None


def record(operation: Callable[[], Any], vm: Machine, focus: Iterable[int] = (), detail: bool = False) -> Recording:
    """Run ``operation`` on ``vm`` and keep its steps.

    ``focus``: addresses whose paths are drawn from the start; those that the operation touches come by themselves. An
    error that the kit itself raises is kept; the sink is gone again whatever happens. Raises InputError.
    """
    if not callable(operation):
        raise InputError("operation", operation, "something to call: watch(lambda: vm.access(...), vm)")
    chosen = list(focus)
    for gva in chosen:
        check_gva(vm, gva)
    recorder = Recorder(vm, chosen, detail)
    before = Step("Before it begins.", "", "", 0, recorder.scene())
    detach = vm.attach(recorder)
    result, error = None, None
    try:
        result = operation()
    except LabError as raised:
        error = raised
    finally:
        detach()
    steps = [before, *recorder.steps]
    if error is not None and not isinstance(error, HostCrash):
        steps.append(Step(f"This can't be done: {error}.", "", "", 0, recorder.scene()))
    return Recording(tuple(steps), result, error)
