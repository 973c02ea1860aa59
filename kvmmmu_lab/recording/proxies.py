# SPDX-License-Identifier: GPL-2.0-only
"""Replaced parts in a recording: how they work isn't known, so a recording asks them for their contents after each call.

While it records, a proxy (`WatchedMap`, `WatchedParents`) takes the place of each replaced part and notes which frame or
page a call is about. The tape keeps what the part's ``sptes`` then answers for it. If ``sptes`` raises, the part counts as
empty: recording must not stop a machine that runs without it. In a moment of the recording, `SeenMap` and `SeenParents`
give the answers.
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
"""By what is kept: the part that keeps it, and the kernel's own class, whose moves a recording can repeat."""


def replaced(vm: Machine) -> tuple[str, ...]:
    """What is kept by parts that aren't the kernel's own. One of a derived class isn't: it may keep anything."""
    return tuple(name for name, (part, own) in OWN.items() if type(getattr(vm, part)) is not own)


def look(vm: Machine, name: str, number: int) -> list[int]:
    """Ask a replaced part for the sptes of one frame, or the parents of one page."""
    try:
        return list(vm.rmap.sptes(number) if name == "rmaps" else vm.parents.sptes(vm.pool.pages[number]))
    except Exception:
        return []


def look_at_all(vm: Machine, name: str) -> dict[int, list[int]]:
    """Like `look`, for every frame or page that has any."""
    try:
        numbers = vm.rmap.frames() if name == "rmaps" else range(len(vm.pool.pages))
        return {number: found for number in numbers if (found := look(vm, name, number))}
    except Exception:
        return {}


class Calls:
    """The frames and pages that calls of replaced parts are about: ``about``, until they were looked at after the calls;
    ``open``: how many calls are running."""

    def __init__(self) -> None:
        self.about: dict[tuple[str, int], None] = {}
        self.open = 0

    def around(self, call: Callable[..., Any], name: str, number: int | None, *arguments: Any) -> Any:
        """Make a call that is about frame or page ``number``, or about none."""
        if number is not None:
            self.about[name, number] = None
        self.open += 1
        try:
            return call(*arguments)
        finally:
            self.open -= 1


class WatchedMap:
    """Takes the place of a replaced reverse map."""

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
    """Takes the place of a replaced parents part."""

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
    """Put proxies in the place of the parts that keep ``names``. Returns the calls that they note, and a function that puts
    the parts back."""
    calls, before = Calls(), (vm.rmap, vm.parents)
    if "rmaps" in names:
        vm.rmap = WatchedMap(vm, calls)
    if "parents" in names:
        vm.parents = WatchedParents(vm, calls)

    def back() -> None:
        vm.rmap, vm.parents = before

    return calls, back


class SeenMap:
    """A replaced reverse map in a moment of a recording."""

    def __init__(self) -> None:
        self.lists: dict[int, list[int]] = {}

    def sptes(self, hfn: int) -> list[int]:
        """The sptes that it had for a frame."""
        return self.lists.get(hfn, [])

    def frames(self) -> list[int]:
        """The frames for which it had any."""
        return list(self.lists)


class SeenParents:
    """A replaced parents part in a moment of a recording."""

    def __init__(self) -> None:
        self.lists: dict[int, list[int]] = {}

    def sptes(self, page: ShadowPage) -> list[int]:
        """The parents that it had for a page."""
        return self.lists.get(page.id, [])

    def first(self, page: ShadowPage) -> int | None:
        """One of them; None if there are none."""
        return next(iter(self.sptes(page)), None)
