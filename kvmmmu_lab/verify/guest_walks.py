# SPDX-License-Identifier: GPL-2.0-only
"""Verify walks of real guests' page tables: each gva must translate to the gpa that the guest's processor found.

Each address is translated twice: by the walker, which reads the guest's tables, and by an access through the shadow
tables.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..data.guest import Guest
from ..mmu import Vm
from ..mmu.bits import (
    BASE_MASK,
    CR0_WP,
    FLAGS,
    LARGE,
    NARROW,
    PAGE_SHIFT,
    PAGE_SIZE,
    PRESENT,
    RIGHTS,
    UNMAPPED_GVA,
    canonical,
    mode_of_registers,
)
from ..mmu.walk import Walk
from .report import FileReport

TLB_FLAGS = ("W", "U", "PWT", "PCD", "A", "D", "PS", "G", "NX")
"""The flags in ``tlb_flags``, beginning with bit 0."""

TLB_BITS = tuple((TLB_FLAGS.index(flag.name), flag.bit) for flag in FLAGS if flag.name in TLB_FLAGS)
"""For each flag, its bit number in ``tlb_flags`` and its bit number in a page-table entry."""

PS = TLB_FLAGS.index("PS")


def verify_guest(path: Path, report: FileReport, make_vm: Callable[..., Vm] = Vm) -> None:
    """Check every probe, every TLB line and both ends of every range, with walks and with accesses."""
    guest = Guest.load(path)
    report.facts["guest"] = f"mode {guest.mode}, {len(guest.gfns)} page-table frames"
    _probes(guest, report)
    if guest.paging:
        _tables(guest, report)
        _tlb_lines(guest, report)
        _ranges(guest, report)


class Leaf(NamedTuple):
    """A leaf entry, which maps ``size`` bytes at ``gva``. Bits 0 (W) and 1 (U) of ``rights`` combine all levels."""

    gva: int
    size: int
    rights: int


class GuestTables:
    """The page tables in the file. ``leaves`` lists the leaf entries that the current root reaches, sorted by gva."""

    def __init__(self, guest: Guest, report: FileReport) -> None:
        self.guest, self.report = guest, report
        self.pages = {gfn: page.tobytes() for gfn, page in zip(guest.gfns.tolist(), guest.pages, strict=True)}
        self.mode = mode_of_registers(guest.meta["cr0"], guest.meta["cr4"], guest.meta["efer"])
        self.frames = guest.meta["mem_bytes"] >> PAGE_SHIFT
        self.seen: set[tuple[int, int]] = set()
        self.leaves: list[Leaf] = []
        for root in guest.roots.tolist()[1:]:
            self._visit(root, self.mode.levels, 0, RIGHTS >> 1, current=False)
        self._visit(guest.meta["cr3"], self.mode.levels, 0, RIGHTS >> 1, current=True)

    @property
    def reached(self) -> set[int]:
        """The gfns of all tables that can be reached from any root."""
        return {(address & BASE_MASK) >> PAGE_SHIFT for _, address in self.seen}

    def _visit(self, address: int, level: int, gva: int, rights: int, current: bool) -> None:
        """Visit the table at ``address`` and those below it. Leaves are collected only below the ``current`` root."""
        if (level, address) in self.seen and not current:
            return
        self.seen.add((level, address))
        gfn, guest, format = (address & BASE_MASK) >> PAGE_SHIFT, self.guest, self.mode.format
        if not self.report.check(f"table gfn {gfn:#x}", "frame in the file", True, gfn in self.pages):
            return
        table = np.frombuffer(self.pages[gfn], dtype=f"<u{format.size}")
        pdpt = level == 3 and guest.mode == "pae"
        if pdpt:  # a PAE PDPT has four entries, which have no W and U bits
            table = table[(address & 0xFE0) // 8 :][:4]
        for index in np.flatnonzero(table & table.dtype.type(PRESENT)).tolist():
            entry = int(table[index])
            at = gva | index << PAGE_SHIFT + format.index_bits * (level - 1)
            allowed = rights if pdpt else rights & entry >> 1
            if level == 1 or (level == 2 and entry & LARGE and self.mode.large_pages):
                if current:
                    size = PAGE_SIZE << format.index_bits * (level - 1)
                    self.leaves.append(Leaf(canonical(at) if guest.mode == "64" else at, size, allowed))
            elif (entry & format.base) >> PAGE_SHIFT < self.frames:
                self._visit(entry & format.base, level - 1, at, allowed, current)


def _tables(guest: Guest, report: FileReport) -> None:
    """Check that the file contains exactly the tables that its roots reach, and lists each leaf entry and each range once."""
    report.check("meta", "root and CR3", guest.meta["cr3"], int(guest.roots[0]))
    tables = GuestTables(guest, report)
    report.check("page tables", "frames that no root reaches", [], sorted(set(tables.pages) - tables.reached))
    report.count("tables", len(tables.pages))
    listed, found = guest.tlb_gva.tolist(), [leaf.gva for leaf in tables.leaves]
    report.check("TLB lines", "number of leaf entries", len(found), len(listed))
    for gva in sorted(set(found) ^ set(listed))[:5]:
        report.differ(f"leaf entry of gva {gva:#x}", "both in the tables and listed", True, False)
    ranges: list[list[int]] = []
    for leaf in tables.leaves:
        if ranges and ranges[-1][1:] == [leaf.gva, leaf.rights]:
            ranges[-1][1] += leaf.size
        else:
            ranges.append([leaf.gva, leaf.gva + leaf.size, leaf.rights])
    wrap = 1 << (64 if guest.mode == "64" else 32)
    columns = (guest.mem_start.tolist(), guest.mem_end.tolist(), guest.mem_flags.tolist())
    listed_ranges = [[start, (end - 1) % wrap + 1, flags] for start, end, flags in zip(*columns, strict=True)]
    report.check("ranges", "number", len(ranges), len(listed_ranges))
    for expected, got in zip(listed_ranges, ranges, strict=False):
        report.check(f"range {expected[0]:#x}", "start, end, rights (bit 0 W, bit 1 U)", expected, got)


def _probes(guest: Guest, report: FileReport) -> None:
    vm, shadowed = guest.vm(), guest.vm()
    for gva, gpa in zip(guest.probe_gva.tolist(), guest.probe_gpa.tolist(), strict=True):
        expected = _hex(gpa)
        report.check(f"probe {gva:#x}", "gpa by the walker", expected, _hex(vm.gva_to_gpa(gva)))
        access = shadowed.access(gva)
        report.check(f"probe {gva:#x}", "gpa through the shadow tables", expected, _hex(access.gpa))
    report.count("probes", len(guest.probe_gva))


def _tlb_lines(guest: Guest, report: FileReport) -> None:
    vm, shadowed = guest.vm(), guest.vm()
    format = vm.cpu.mode.format
    # the recorded tables, since walks set accessed bits in the VM's
    hfns = map(vm.memory.frames.__getitem__, guest.gfns.tolist())
    tables = {hfn: page.view(f"<u{format.size}") for hfn, page in zip(hfns, guest.pages, strict=True)}
    count = PAGE_SIZE // format.size
    for gva, gpa, flags in zip(guest.tlb_gva.tolist(), guest.tlb_gpa.tolist(), guest.tlb_flags.tolist(), strict=True):
        where = f"TLB line {gva:#x}"
        size = format.large_size if flags >> PS & 1 else PAGE_SIZE
        walk: Walk = vm.walk(vm, gva, False, False, False)
        found = UNMAPPED_GVA if walk.error is not None else walk.gfn << PAGE_SHIFT
        # in PAE mode, the recorded gpa includes the NX bit of the entry
        outside = 0xFFF if guest.mode == "pae" else 0xFFF | -1 << (32 if format is NARROW else 52)
        report.check(where, "bits of the gpa outside the frame number", 0, gpa & outside)
        report.check(where, "gpa by the walker", _hex(gpa & BASE_MASK & -size), _hex(found))
        table, index = divmod(walk.entry, count)
        entry = int(tables[table][index]) if table in tables else 0
        got = sum(1 << flag for flag, bit in TLB_BITS if entry >> bit & 1 and (flag != PS or walk.level == 2))
        report.check(where, "flags of the leaf entry", f"{flags:#x}", f"{got if entry & PRESENT else 0:#x}")
        report.check(where, "gpa through the shadow tables", _hex(gpa & BASE_MASK & -size), _hex(shadowed.access(gva).gpa))
    report.count("TLB lines", len(guest.tlb_gva))


def _ranges(guest: Guest, report: FileReport) -> None:
    """Check which reads and writes supervisor and user may make at both ends of each range and just outside it."""
    vm, shadowed = guest.vm(), guest.vm()
    wrap = 1 << (64 if guest.mode == "64" else 32)
    starts, flags = guest.mem_start.tolist(), guest.mem_flags.tolist()
    lasts = [(end - 1) % wrap for end in guest.mem_end.tolist()]
    write_protect = bool(guest.meta["cr0"] & CR0_WP)

    def allowed(gva: int) -> str:
        """Return what the file allows, as four letters: supervisor read, supervisor write, user read, user write."""
        i = bisect_right(starts, gva) - 1
        if i < 0 or gva > lasts[i]:
            return "----"
        writable, user = flags[i] & 1, flags[i] >> 1 & 1
        return f"r{'w' if writable or not write_protect else '-'}{'r' if user else '-'}{'w' if user and writable else '-'}"

    def walked(gva: int) -> str:
        kinds = ((False, False), (True, False), (False, True), (True, True))
        return "".join("-rw"[(1 + w) * (vm.walk(vm, gva, w, u, False).error is None)] for w, u in kinds)

    def accessed(gva: int) -> str:
        kinds = ((False, False), (True, False), (False, True), (True, True))
        outcomes = (shadowed.access(gva, write=w, user=u).outcome for w, u in kinds)
        return "".join("-rw"[(1 + w) * (o in ("ok", "emul", "mmio"))] for (w, _), o in zip(kinds, outcomes, strict=True))

    # Page tables are not accessed here. On a user write to a page table, the 2007 code zaps the shadow pages of that table.
    # If the table is the root in use, the code never stops. Real guests don't make such writes.
    tables = set(guest.gfns.tolist())
    for start, last in zip(starts, lasts, strict=True):
        for gva in {start, last & -PAGE_SIZE, start - PAGE_SIZE, last + 1}:
            if not 0 <= gva < wrap or (wrap >> 32 > 1 and 1 << 47 <= gva < wrap - (1 << 47)):
                continue
            where, expected = f"range end {gva:#x}", allowed(gva)
            report.check(where, "rights by the walker", expected, walked(gva))
            if gva in (start, last & -PAGE_SIZE) and (vm.gva_to_gpa(gva) or 0) >> PAGE_SHIFT not in tables:
                report.check(where, "rights through the shadow tables", expected, accessed(gva))
        report.count("range ends", 2)


def _hex(gpa: int | None) -> str:
    return "unmapped" if gpa in (None, UNMAPPED_GVA) else f"{gpa:#x}"
