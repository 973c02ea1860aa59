# SPDX-License-Identifier: GPL-2.0-only
"""Replaced parts in a recording: nobody knows how they keep what they keep, so they are looked at when they were called.

While it records, a `Watched` part stands in the place of each replaced one, and notes which frame's map, or which page's
parents, a call is about. What `sptes` says of these is kept. A part that fails when it is looked at is taken to have
nothing: to be recorded must not kill a machine that runs without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..mmu.bits import BASE_MASK, PAGE_SHIFT
from ..mmu.machine import Machine
from ..mmu.parents import ParentChains
from ..mmu.pool import ShadowPage
from ..mmu.rmap import ReverseMap

OWN = {"rmaps": ("rmap", ReverseMap), "parents": ("parents", ParentChains)}
"""By what is kept: the part that keeps it, and the kernel's own, whose moves a recording can make again."""


def replaced(vm: Machine) -> tuple[str, ...]:
    """Which parts aren't the kernel's own; one that is derived from it may keep anything."""
    return tuple(name for name, (part, own) in OWN.items() if type(getattr(vm, part)) is not own)


def look(vm: Machine, name: str, number: int) -> list[int]:
    """What a replaced part says of one frame, or of one page."""
    try:
        return list(vm.rmap.sptes(number) if name == "rmaps" else vm.parents.sptes(vm.pool.pages[number]))
    except Exception:
        return []


def look_at_all(vm: Machine, name: str) -> dict[int, list[int]]:
    """The same of all."""
    try:
        numbers = vm.rmap.frames() if name == "rmaps" else range(len(vm.pool.pages))
        return {number: found for number in numbers if (found := look(vm, name, number))}
    except Exception:
        return {}


class Calls:
    """Which frames and pages calls of replaced parts are about, until somebody looked after their end."""

    def __init__(self) -> None:
        self.about: dict[tuple[str, int], None] = {}
        self.open = 0

    def around(self, call: Callable[..., Any], name: str, number: int | None, *arguments: Any) -> Any:
        """Make a call that is about ``number``."""
        if number is not None:
            self.about[name, number] = None
        self.open += 1
        try:
            return call(*arguments)
        finally:
            self.open -= 1


class WatchedMap:
    """Stands for a replaced reverse map."""

    def __init__(self, vm: Machine, calls: Calls) -> None:
        self._vm, self._calls, self.part = vm, calls, vm.rmap

    def __getattr__(self, name: str) -> Any:
        return getattr(self.part, name)

    def add(self, spte: int) -> None:
        """See `machine.ReverseMapPart`."""
        return self._calls.around(self.part.add, "rmaps", self._frame(spte), spte)

    def remove(self, spte: int) -> None:
        """See `machine.ReverseMapPart`."""
        return self._calls.around(self.part.remove, "rmaps", self._frame(spte), spte)

    def write_protect(self, gfn: int) -> None:
        """See `machine.ReverseMapPart`."""
        return self._calls.around(self.part.write_protect, "rmaps", self._vm.memory.frames[gfn], gfn)

    def _frame(self, spte: int) -> int:
        return (self._vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT


class WatchedParents:
    """Stands for replaced parents."""

    def __init__(self, vm: Machine, calls: Calls) -> None:
        self._calls, self.part = calls, vm.parents

    def __getattr__(self, name: str) -> Any:
        return getattr(self.part, name)

    def add(self, page: ShadowPage, spte: int) -> None:
        """See `machine.ParentsPart`."""
        return self._calls.around(self.part.add, "parents", page.id, page, spte)

    def remove(self, page: ShadowPage, spte: int) -> None:
        """See `machine.ParentsPart`."""
        return self._calls.around(self.part.remove, "parents", page.id, page, spte)


def watch_parts(vm: Machine, names: tuple[str, ...]) -> tuple[Calls, Callable[[], None]]:
    """Put watched parts in the place of the replaced ones; the calls they note, and what puts the parts back."""
    calls, before = Calls(), (vm.rmap, vm.parents)
    if "rmaps" in names:
        vm.rmap = WatchedMap(vm, calls)
    if "parents" in names:
        vm.parents = WatchedParents(vm, calls)

    def back() -> None:
        vm.rmap, vm.parents = before

    return calls, back


class SeenMap:
    """A replaced reverse map in a moment of a recording: what it said of each frame."""

    def __init__(self) -> None:
        self.lists: dict[int, list[int]] = {}

    def sptes(self, hfn: int) -> list[int]:
        """The entries that it had for a frame."""
        return self.lists.get(hfn, [])

    def frames(self) -> list[int]:
        """The frames for which it had any."""
        return list(self.lists)


class SeenParents:
    """Replaced parents in a moment of a recording: what they said of each page."""

    def __init__(self) -> None:
        self.lists: dict[int, list[int]] = {}

    def sptes(self, page: ShadowPage) -> list[int]:
        """The parents that they had for a page."""
        return self.lists.get(page.id, [])

    def first(self, page: ShadowPage) -> int | None:
        """One of them."""
        return next(iter(self.sptes(page)), None)
