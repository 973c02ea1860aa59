# SPDX-License-Identifier: GPL-2.0-only
"""Moments of the recordings that come with the kit, by name: what a real guest was just about to do there.

>>> moment("fork in lin64").next_write.size
1
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..data import open_trace
from ..data.trace import PAGE_FAULT, TABLE_WRITE, Trace
from ..errors import InputError
from ..mmu import Vm
from ..mmu.bits import PFERR_FETCH, PFERR_USER, PFERR_WRITE
from .trace_replay import TraceReplay

EVENTS = {
    "start of lin32": ("lin32_20k", 60),
    "fault-around in lin32": ("lin32_20k", 381),
    "exit in lin32": ("lin32_20k", 6191),
    "fork in lin32": ("lin32_20k", 9290),
    "copy on write in lin32": ("lin32_20k", 9595),
    "start of linpae": ("linpae_20k", 84),
    "fault-around in linpae": ("linpae_20k", 745),
    "copy on write in linpae": ("linpae_20k", 1203),
    "exit in linpae": ("linpae_20k", 4409),
    "start of lin64": ("lin64_20k", 176),
    "fault-around in lin64": ("lin64_20k", 549),
    "exit in lin64": ("lin64_20k", 3102),
    "copy on write in lin64": ("lin64_20k", 5901),
    "fork in lin64": ("lin64_20k", 19700),
}
"""Maps the name of a moment to its trace and to the event that comes next."""

SAYS = {
    "start": "the recording begins, and the shadow is empty",
    "fault-around": "after one fault of the guest, its kernel fills 16 entries of a page table in a row",
    "fork": "a process forks: the guest's kernel takes the right to write from its pages, entry by entry",
    "copy on write": "a process writes to a page that the guest's kernel must copy first",
    "exit": "a process ends: the guest's kernel clears its page tables, entry by entry",
}
"""What the first words of a moment's name mean."""


class TableWrite(NamedTuple):
    """A write of the guest to one of its page tables."""

    gpa: int
    value: int
    size: int


class GuestAccess(NamedTuple):
    """An access of the guest."""

    gva: int
    write: bool
    user: bool
    fetch: bool


@dataclass(frozen=True, eq=False)
class TraceMoment:
    """A moment of a recording: just before ``event``. ``says``: what the guest is about to do."""

    name: str
    trace: Trace
    event: int

    @property
    def says(self) -> str:
        """What happens next, as a clause."""
        return SAYS[self.name.partition(" in ")[0].partition(" of ")[0]]

    def replay(self, **parts: Any) -> TraceReplay:
        """Return a native replay that has stopped at this moment. ``parts`` are passed to its VM.

        Parts of your own may cause differences from the recording; they don't stop the replay.
        """
        replay = TraceReplay(self.trace, "native", lambda *difference: None, functools.partial(Vm, **parts))
        replay.start()
        replay.to(self.event)
        return replay

    @property
    def next_access(self) -> GuestAccess:
        """The guest's next access, which is the event itself. A page fault is the access that its error code describes."""
        gva, b, flag = (int(column[self.event]) for column in (self.trace.a, self.trace.b, self.trace.flag))
        if self.trace.type[self.event] == PAGE_FAULT:
            return GuestAccess(gva, bool(b & PFERR_WRITE), bool(b & PFERR_USER), bool(b & PFERR_FETCH))
        return GuestAccess(gva, flag & 3 == 1, bool(flag & 4), flag & 3 == 2)

    @property
    def next_write(self) -> TableWrite:
        """The guest's next write to a page table."""
        event = self.event + int((self.trace.type[self.event :] == TABLE_WRITE).argmax())
        size = int(self.trace.flag[event])
        return TableWrite(int(self.trace.a[event]), int(self.trace.b[event]) & (1 << 8 * size) - 1, size)


def moments() -> list[str]:
    """The names that `moment` accepts."""
    return list(EVENTS)


def moment(name: str) -> TraceMoment:
    """Return a moment of a recording. Raises InputError for an unknown name."""
    if name not in EVENTS:
        raise InputError("preset", name, f"one of {', '.join(EVENTS)}")
    trace, event = EVENTS[name]
    return TraceMoment(name, open_trace(trace), event)
