# SPDX-License-Identifier: GPL-2.0-only
"""Proxies for replaced parts. A recording doesn't know how a replaced part works, so it reads the part's contents after each
call.

During recording, a proxy (`WatchedMap`, `WatchedParents`) takes the place of each replaced part and notes which frame or page
a call concerns. The tape then records the part's ``sptes`` of that frame or page. If ``sptes`` raises an exception, the
result counts as empty: recording must not stop a machine that would run otherwise. In a moment of the recording, `SeenMap`
and `SeenParents` return the recorded sptes.
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
"""For each name of samples, the part that is sampled, and the kernel's own class for it, whose moves a recording can replay."""


def replaced(vm: Machine) -> tuple[str, ...]:
    """The names of the samples to record for replaced parts: "rmaps" if the reverse map is replaced, "parents" if the parent
    chains are. A class derived from the kernel's own counts as a replacement, too, since it may store anything."""
    return tuple(name for name, (part, own) in OWN.items() if type(getattr(vm, part)) is not own)


def look(vm: Machine, name: str, number: int) -> list[int]:
    """The sptes of one frame, or the parents of one page, as a replaced part returns them; empty if it raises an exception."""
    try:
        return list(vm.rmap.sptes(number) if name == "rmaps" else vm.parents.sptes(vm.pool.pages[number]))
    except Exception:
        return []


def look_at_all(vm: Machine, name: str) -> dict[int, list[int]]:
    """Like `look`, but for every frame or page that has sptes."""
    try:
        numbers = vm.rmap.frames() if name == "rmaps" else range(len(vm.pool.pages))
        return {number: found for number in numbers if (found := look(vm, name, number))}
    except Exception:
        return {}


class Calls:
    """Notes about calls of replaced parts. ``about``: the frames and pages that recent calls concern, until these are recorded.
    ``open``: the number of calls that are running."""

    def __init__(self) -> None:
        self.about: dict[tuple[str, int], None] = {}
        self.open = 0

    def around(self, call: Callable[..., Any], name: str, number: int | None, *arguments: Any) -> Any:
        """Run ``call``, and note the number of the frame or page that it concerns, unless ``number`` is None."""
        if number is not None:
            self.about[name, number] = None
        self.open += 1
        try:
            return call(*arguments)
        finally:
            self.open -= 1


class WatchedMap:
    """A proxy that takes the place of a replaced reverse map."""

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
    """A proxy that takes the place of replaced parent chains."""

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
    """Put a proxy in the place of each part that ``names`` lists. Returns the `Calls` that the proxies fill, and a function
    that removes the proxies."""
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
        """The sptes of a frame."""
        return self.lists.get(hfn, [])

    def frames(self) -> list[int]:
        """The frames that have sptes."""
        return list(self.lists)


class SeenParents:
    """Replaced parent chains in a moment of a recording."""

    def __init__(self) -> None:
        self.lists: dict[int, list[int]] = {}

    def sptes(self, page: ShadowPage) -> list[int]:
        """The parents of a page."""
        return self.lists.get(page.id, [])

    def first(self, page: ShadowPage) -> int | None:
        """One parent of a page; None if it has none."""
        return next(iter(self.sptes(page)), None)
