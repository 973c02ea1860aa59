# SPDX-License-Identifier: GPL-2.0-only
"""What happens along a trace, counted event by event: exits, page tables, shadow pages, writes to page tables.

All counts are of the engine in a native replay, in which only what is write-protected traps.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import open_trace
from ..data.trace import ADOPTED, DROPPED, PAGE_FAULT, TABLE_WRITE, Trace
from ..errors import LabError
from ..mmu import Vm
from ..mmu import events as ev
from .trace_replay import TraceReplay

FILLED, TRAPPED, TRUE, DEVICE = "shadow filled", "table write trapped", "true fault", "device access"
EXITS = (FILLED, TRAPPED, TRUE, DEVICE)
"""Why a page fault left the guest: the host made or widened a shadow entry; the guest wrote a write-protected page table; the
fault is the guest's own; there is no memory at the address, so the host emulated the access. The first two are hidden faults:
the guest never learns of them."""


@dataclass(frozen=True)
class Lifetime:
    """A frame and the events between which something was true of it. ``end`` is None if it still was at the end."""

    gfn: int
    begin: int
    end: int | None = None

    def covers(self, event: int) -> bool:
        """Whether it was true just before an event."""
        return self.begin < event and (self.end is None or event <= self.end)


@dataclass(frozen=True)
class Flood:
    """A shadowed table that was written three times in a row, so that its shadow pages were zapped."""

    event: int
    gfn: int
    pages: int


@dataclass(frozen=True, eq=False)
class Timeline:
    """The counts of one replay. Arrays have one value per event: the count after it.

    ``exits`` has a running count for each of `EXITS`. ``tables``: the frames that are page tables now; ``pages``: the shadow
    pages in use; ``writes``: the guest's writes to page tables so far; ``emulated``: those that the host emulated so far;
    ``zapped``: the shadow pages zapped so far. ``lives``: when each frame was a page table, ``shadows``: when it was shadowed.
    ``start``: the number of leading events, which describe the tables that existed when the recording began.
    """

    trace: Trace
    start: int
    exits: dict[str, np.ndarray]
    tables: np.ndarray
    pages: np.ndarray
    writes: np.ndarray
    emulated: np.ndarray
    zapped: np.ndarray
    lives: tuple[Lifetime, ...]
    shadows: tuple[Lifetime, ...]
    floods: tuple[Flood, ...]
    vm: Vm
    """The machine at the end."""

    @property
    def total(self) -> dict[str, int]:
        """The exits of the whole replay, by reason."""
        return {kind: int(counts[-1]) for kind, counts in self.exits.items()}


class _Counter:
    """Collects the counts of one event from the steps that the engine reports."""

    def __init__(self) -> None:
        self.floods: list[tuple[int, int]] = []
        self.stores = 0

    def __call__(self, event: tuple[Any, ...]) -> None:
        kind = event[0]
        if kind is ev.FLOODED:
            self.floods.append(event[1:3])
        elif kind is ev.EMULATED_WRITE:
            self.stores += 1


def count(trace: Trace, **parts: Any) -> Timeline:
    """Replay a trace, and count. ``parts`` are passed to its VM. Raises LabError if the engine differs from the trace."""

    def differ(where: str, what: str, expected: Any, got: Any) -> None:
        raise LabError(f"{where}: {what}: {expected} expected, {got} found")

    replay = TraceReplay(trace, "native", differ, functools.partial(Vm, **parts))
    replay.start()
    vm, types, counter = replay.vm, trace.type.tolist(), _Counter()
    vm.emit = counter
    n, start = len(types), replay.at
    exits = {kind: np.zeros(n, int) for kind in EXITS}
    tables, pages, writes, emulated, zapped = (np.zeros(n, int) for _ in range(5))
    floods, shadowed, shadows = list[Flood](), dict[int, int](), list[Lifetime]()
    tables[:start] = len(replay.live)
    for event in range(start, n):
        stats = vm.stats
        before = stats.exits, stats.fixed, stats.zapped
        counter.stores = 0
        counter.floods.clear()
        replay.to(event + 1)
        left, fixed, dead = stats.exits - before[0], stats.fixed - before[1], stats.zapped - before[2]
        if left:
            true = int(types[event] == PAGE_FAULT)
            trapped = min(fixed, int(bool(counter.stores)) * int(types[event] != ADOPTED))
            exits[TRUE][event], exits[TRAPPED][event] = true, trapped
            exits[FILLED][event], exits[DEVICE][event] = fixed - trapped, left - fixed - true
        tables[event], pages[event], zapped[event] = len(replay.live), len(vm.pool.active), dead
        if types[event] == TABLE_WRITE:
            writes[event], emulated[event] = 1, int(bool(counter.stores))
        floods += [Flood(event, gfn, dead) for gfn, _ in counter.floods if dead]
        if left or dead:
            now = {page.gfn for page in vm.pool.active if not page.metaphysical}
            shadows += [Lifetime(gfn, shadowed.pop(gfn), event) for gfn in [gfn for gfn in shadowed if gfn not in now]]
            shadowed |= {gfn: event for gfn in now if gfn not in shadowed}
    shadows += [Lifetime(gfn, begin) for gfn, begin in shadowed.items()]
    vm.emit = None
    sums = {kind: np.cumsum(counts) for kind, counts in exits.items()}
    writes, emulated, zapped = np.cumsum(writes), np.cumsum(emulated), np.cumsum(zapped)
    found = lives_of(trace), tuple(shadows), tuple(floods)
    return Timeline(trace, start, sums, tables, pages, writes, emulated, zapped, *found, vm)


def lives_of(trace: Trace) -> tuple[Lifetime, ...]:
    """Return when each frame was a page table, in the order in which they became one. A frame can be one several times."""
    found, open_ = list[Lifetime](), dict[int, int]()
    for event in np.flatnonzero((trace.type == ADOPTED) | (trace.type == DROPPED)).tolist():
        gfn = int(trace.a[event])
        if trace.type[event] == ADOPTED:
            open_.setdefault(gfn, event)
        elif gfn in open_:
            found.append(Lifetime(gfn, open_.pop(gfn), event))
    found += [Lifetime(gfn, begin) for gfn, begin in open_.items()]
    return tuple(sorted(found, key=lambda life: life.begin))


@functools.cache
def timeline(name: str) -> Timeline:
    """Return the timeline of a trace that comes with the kit. Raises InputError for an unknown name."""
    return count(open_trace(name))


def shadowed_again(line: Timeline, flood: Flood) -> bool:
    """Whether the table of a flood was shadowed once more later, before it ceased to be a page table: the guest used it."""
    ends = [life.end for life in line.lives if life.gfn == flood.gfn and life.covers(flood.event)]
    begins = [life.begin for life in line.shadows if life.gfn == flood.gfn and life.begin > flood.event]
    return any(end is None or begin <= end for end in ends for begin in begins)
