# SPDX-License-Identifier: GPL-2.0-only
"""Replay a real guest's trace: accesses must reach the recorded frames, and faults must have the recorded error codes.

A trace can be replayed in two ways. In an *emulated* replay, each write to a page table is emulated, so that all these
writes go through pre-write. In a *native* replay, each of these writes goes through the shadow tables and is trapped only
where they are write-protected, so that missing write protection is noticed.

`TraceReplay.run` replays all events; `TraceReplay.start` and `TraceReplay.to` stop at a moment, whose state is in ``vm``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..data.trace import ACCESS, ADOPTED, CR3_LOAD, DROPPED, PAGE_FAULT, ROOT_DIED, TABLE_WRITE, Trace
from ..errors import HostCrash
from ..mmu import Vm
from ..mmu.bits import ALL_ONES, MODES, PAGE_SHIFT, PAGE_SIZE, PFERR_FETCH, PFERR_USER, PFERR_WRITE
from ..mmu.cpu import Access, access, emulated_write, shadow_walk
from ..mmu.registers import load_cr3
from ..mmu.walk import gva_to_gpa

WAYS = ("emulated", "native")

Differ = Callable[[str, str, Any, Any], None]
"""Called for each difference as ``differ(where, what, expected, got)``."""


class TraceReplay:
    """One replay of a trace. ``differ`` is called for every difference; ``counts`` counts what was compared."""

    def __init__(self, trace: Trace, way: str, differ: Differ, make_vm: Callable[..., Vm] = Vm) -> None:
        self.trace, self.way, self.native, self.differ = trace, way, way == "native", differ
        self.vm = make_vm([(0, trace.meta["mem_bytes"] >> PAGE_SHIFT)])
        self.known: set[int] = set()
        """The gfns of all frames that have ever been adopted as page tables."""
        self.live: set[int] = set()
        """The gfns of the frames that are page tables now: they were adopted and have not been dropped since."""
        self.writer: dict[int, tuple[int, bool]] = {}
        """Maps a gfn to the latest write access to that frame: the gva of the page, and whether it was a user access."""
        self.counts = dict.fromkeys(("accesses", "guest page faults", "page-table writes", "CR3 loads", "frames adopted"), 0)
        self.differences: list[tuple[int, str]] = []
        """The event of each difference, and what differs."""
        self.at = 0
        """The next event."""
        self.crashed = False
        self.entry_size = MODES[trace.mode].format.size

    def run(self, audits: int = 0) -> None:
        """Replay all events. ``audits`` is the number of audits, spread evenly over the replay; the last one is at the end.

        A host crash counts as a difference and ends the replay.
        """
        n = len(self.trace.type)
        self.start()
        step = max(1, (n - self.at) // audits) if audits else max(1, n)
        while self.at < n and not self.crashed:
            self.to(self.at + step)
            if audits and not self.crashed:
                complaints = self.vm.audit()
                if complaints:
                    self.report(self.at - 1, "audit", "no complaint", f"{len(complaints)}; the first: {complaints[0]}")

    def start(self) -> None:
        """Load the page tables that existed when the recording began, and set the registers."""
        types, meta = self.trace.type, self.trace.meta
        first = int(np.argmax(~np.isin(types, (ADOPTED, DROPPED, ROOT_DIED)))) if len(types) else 0
        self.events(0, first)
        self.at = first
        try:
            self.vm.set_registers(meta["cr0"], meta["cr3"], meta["cr4"], meta["efer"])
        except HostCrash as crash:
            self._crash(crash)

    def to(self, event: int) -> None:
        """Go on to just before an event. A host crash counts as a difference and ends the replay."""
        end = min(event, len(self.trace.type))
        if self.crashed or end <= self.at:
            return
        try:
            self.events(self.at, end)
            self.at = end
        except HostCrash as crash:
            self._crash(crash)

    def _crash(self, crash: HostCrash) -> None:
        self.crashed = True
        self.report(-1, "host", "no crash", str(crash))

    def report(self, event: int, what: str, expected: Any, got: Any) -> None:
        """Report a difference. ``event`` is the index of the event, or -1 if the difference concerns no particular event."""
        self.differences.append((event, what))
        where = f"{self.way} replay"
        if event >= 0:
            r = self.trace
            row = f"type {r.type[event]}, a {int(r.a[event]):#x}, b {int(r.b[event]):#x}, flag {r.flag[event]}"
            where += f", event {event} ({row})"
        self.differ(where, what, expected, got)

    @property
    def wrong(self) -> int:
        """The number of differences."""
        return len(self.differences)

    def events(self, begin: int, end: int) -> None:
        """Replay the events ``begin`` to ``end - 1``. Almost all of the replay's time is spent in this loop."""
        vm, r = self.vm, self.trace
        stop = min(end + 1, len(r.type))  # the next event may be the write of the last access
        types, flags, a, b = (column[begin:stop].tolist() for column in (r.type, r.flag, r.a, r.b))
        types.append(-1)
        gfns, writer, counts, emit = vm.memory.gfns, self.writer, self.counts, vm.emit
        for i in range(end - begin):
            kind = types[i]
            if kind == ACCESS:
                gva, gpa, flag = a[i], b[i], flags[i]
                write, user = flag & 3 == 1, flag & 4 != 0
                if write:
                    writer[gpa >> PAGE_SHIFT] = gva & -PAGE_SIZE, user
                    if types[i + 1] == TABLE_WRITE and a[i + 1] == gpa:
                        continue
                vm.emit = None  # a walk that succeeds is not reported: most accesses need no help
                hpa = shadow_walk(vm, gva, write, user, flag & 3 == 2)
                vm.emit = emit
                if hpa < 0 or gfns[hpa >> PAGE_SHIFT] != gpa >> PAGE_SHIFT or (gva ^ gpa) & PAGE_SIZE - 1:
                    self.access(begin + i, access(vm, gva, write, user, flag & 3 == 2, None, 1), gpa)
            elif kind == TABLE_WRITE:
                self.table_write(begin + i, a[i], b[i], flags[i], i > 0 and types[i - 1] == ACCESS and b[i - 1] == a[i])
            elif kind == PAGE_FAULT:
                self.page_fault(begin + i, a[i], b[i])
            elif kind == CR3_LOAD:
                counts["CR3 loads"] += 1
                if not load_cr3(vm, a[i]):
                    self.report(begin + i, "CR3 load", "accepted", "#GP")
            elif kind == ADOPTED:
                self.adopt(a[i], r.images[b[i]])
            elif kind == DROPPED:
                if a[i] not in self.live:
                    self.report(begin + i, "frame dropped", "one that was adopted", f"gfn {a[i]:#x}")
                self.live.discard(a[i])
            vm.injected.clear()
        counts["accesses"] += types[: end - begin].count(ACCESS)

    def access(self, event: int, got: Access, gpa: int) -> None:
        """Check an access: it must succeed, and reach the same gpa as on the real processor."""
        if got.outcome not in ("ok", "emul", "mmio") or (got.gpa != gpa and gpa != ALL_ONES):
            self.report(event, "access", "allowed" if gpa == ALL_ONES else f"allowed, at gpa {gpa:#x}", _outcome(got))

    def page_fault(self, event: int, gva: int, error: int) -> None:
        """Replay a guest's page fault: the access that its error code describes must cause a fault with the same error code."""
        self.counts["guest page faults"] += 1
        kind = (bool(error & PFERR_WRITE), bool(error & PFERR_USER), bool(error & PFERR_FETCH))
        got = access(self.vm, gva, *kind, None, 1)
        if got.outcome != "inject" or got.error != error:
            self.report(event, "guest page fault", f"error code {error:#x}", _outcome(got))

    def table_write(self, event: int, gpa: int, value: int, size: int, one_instruction: bool) -> None:
        """Replay a write to a page table. Its gva is on the page of the latest write access to the same frame.

        ``one_instruction``: whether the previous event is that access, as part of the same instruction.
        """
        self.counts["page-table writes"] += 1
        vm = self.vm
        if gpa >> PAGE_SHIFT not in self.live:
            self.report(event, "page-table write", "to a frame that was adopted", f"gfn {gpa >> PAGE_SHIFT:#x}")
        page, user = self.writer.get(gpa >> PAGE_SHIFT, (None, False))
        value &= (1 << 8 * size) - 1
        if page is not None and self.native:
            self.access(event, access(vm, page | gpa & PAGE_SIZE - 1, True, user, False, value, size), gpa)
            return
        if page is not None and one_instruction:
            reached = gva_to_gpa(vm, page | gpa & PAGE_SIZE - 1)
            if reached != gpa:
                self.report(event, "page-table write", f"gpa {gpa:#x}", f"gpa {reached:#x}")
        if not emulated_write(vm, gpa, value, size):
            self.report(event, "page-table write", "stored", "no memory at this gpa, or a write across pages")

    def adopt(self, gfn: int, image: np.ndarray) -> None:
        """Load the contents of a frame that becomes a page table.

        If it was a page table before, write only the entries that have changed since then. The trace contains no events for
        these changes, because the frame was not a page table when they were made.
        """
        self.counts["frames adopted"] += 1
        vm = self.vm
        self.live.add(gfn)
        hfn = vm.memory.frames[gfn]
        if gfn in self.known and hfn is not None:
            kind = f"<u{self.entry_size}"
            old, new = vm.memory.pages[hfn].view(kind).copy(), image.view(kind)
            for index in np.flatnonzero(old != new).tolist():
                emulated_write(vm, gfn * PAGE_SIZE + index * self.entry_size, int(new[index]), self.entry_size)
        else:
            vm.load_page(gfn, image.tobytes())
            self.known.add(gfn)


def _outcome(access: Access) -> str:
    """Describe the outcome of an access."""
    at = "" if access.gpa is None else f" at gpa {access.gpa:#x}"
    return f"{access.outcome}{at}" if access.error is None else f"{access.outcome} with error code {access.error:#x}"
