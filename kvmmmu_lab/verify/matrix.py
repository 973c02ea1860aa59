# SPDX-License-Identifier: GPL-2.0-only
"""Exhaustive permission matrices: each combination of entry bits and access, executed on a processor.

A row's index is the vector of its inputs. It is run afresh, and after each of four first accesses (where that is
allowed).
The 2007 code differs from the processor in a closed list of classes, told apart by predicates over the inputs:

RS  reserved bits: unknown to the code; left out, counted by outcome
F   fetch bit: reported also with EFER.NX off
O   order of checks: rights are checked before the level below is looked at, so bit 0 of the code is set
A   accessed bit on a fault: stays clear in an entry that denies, and below
N   warm NX: NX of upper levels isn't in the shadow, so after a first access a fetch is granted
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.arrays import read_arrays
from ..errors import DataError
from ..mmu import Vm
from ..mmu.bits import (
    ACCESSED,
    CR0_WP,
    CR4_PSE,
    DIRTY,
    EFER_NX,
    LARGE,
    MODES,
    NX,
    PRESENT,
    USER,
    WRITABLE,
)
from ..mmu.cpu import access
from .report import Report

NARROW_PTE = (PRESENT, WRITABLE, USER, ACCESSED, DIRTY)
BITS = {
    "32": (NARROW_PTE, (*NARROW_PTE, LARGE), ()),
    "pae": ((*NARROW_PTE, NX, 1 << 51), (*NARROW_PTE, LARGE, NX, 1 << 51), ()),
    "64": ((*NARROW_PTE, NX, 1 << 51), (*NARROW_PTE, LARGE, NX, 1 << 51), (WRITABLE, USER)),
}
"""Bits of PTE, PDE and PDPTE in the order of the index; after them user, write, fetch, CR0.WP, and CR4.PSE or
EFER.NXE."""

FIRSTS = {
    "supervisor read": (False, False),
    "supervisor write": (True, False),
    "user read": (False, True),
    "user write": (True, True),
}
COUNTS = {
    "32": {"executed": 37248, "F": 9680, "O": 2304, "F and O": 768, "A": 3072},
    "pae": {"executed": 77616, "RS": 60480, "F": 504, "O": 448, "F and O": 32, "A": 3568}
    | {f"N after {first}": n for first, n in zip(FIRSTS, (640, 352, 256, 64), strict=True)},
}
"""How many rows there are of each class; a file with others isn't the matrix."""

PAGE_TABLE, DIRECTORY, PDPT, PML4, FRAME, LARGE_FRAME = 4, 3, 2, 1, 0x50, 0x400
INDEX = 1
"""Index of the entry in each table, below the first root slot."""


@dataclass(frozen=True)
class Row:
    """The inputs of one row, as entries and switches, and what the processor did."""

    index: int
    pte: int
    pde: int
    pdpte: int
    user: bool
    write: bool
    fetch: bool
    wp: bool
    option: bool
    result: int

    @classmethod
    def of(cls, mode: str, index: int, result: int) -> Row:
        """Take an index apart."""
        at, entries = 0, []
        for names in BITS[mode]:
            entries.append(sum(bit for i, bit in enumerate(names) if index >> at + i & 1))
            at += len(names)
        pte, pde, pdpte = entries
        user, write, fetch, wp, option = (bool(index >> at + i & 1) for i in range(5))
        return cls(index, pte, pde, pdpte, user, write, fetch, wp, option, result)


class Classes:
    """The predicates of the closed list, for one row."""

    def __init__(self, mode: str, row: Row) -> None:
        r, d, p = row, row.pde, row.pte
        self.row = row
        self.nxe = r.option and mode != "32"
        self.big = bool(d & LARGE) and (mode != "32" or r.option)
        self.upper = r.pdpte if mode == "64" else WRITABLE | USER
        reserved = 1 << 51 | (0 if self.nxe or mode == "32" else NX)
        present = bool(d & PRESENT)
        below = present and not self.big
        self.rs = present and bool(d & reserved or (below and p & PRESENT and p & reserved))
        denied_above = self.denied(self.upper)
        self.o = not self.rs and (
            (not present and denied_above) or (below and not p & PRESENT and (denied_above or self.denied(d)))
        )
        fault = bool(r.result & 1)
        self.f = not self.rs and fault and r.fetch and not self.nxe
        self.a = not self.rs and fault and below and not d & ACCESSED and (denied_above or self.denied(d))
        rights = p & d & self.upper
        self.n = (
            not self.rs
            and below
            and bool(p & PRESENT and r.fetch and self.nxe and d & NX and not p & NX)
            and not (r.user and not rights & USER)
        )
        self.n_but_supervisor_write = r.user and not r.wp and not rights & WRITABLE

    def denied(self, entry: int) -> bool:
        """Whether one entry denies the access by its rights or NX."""
        r = self.row
        return bool(
            (r.write and not entry & WRITABLE and (r.user or r.wp))
            or (r.user and not entry & USER)
            or (r.fetch and self.nxe and entry & NX)
        )

    def warm_nx(self, first: str) -> bool:
        """Whether the row, after this first access, is one of class N."""
        return self.n and not (first == "supervisor write" and self.n_but_supervisor_write)


class Bench:
    """A VM whose tables are set up for one row at a time."""

    def __init__(self, mode: str, make_vm: Callable[..., Vm]) -> None:
        self.mode, self.vm = mode, make_vm([(0, 2048)])
        self.settings: tuple[bool, bool] | None = None
        self.allowed: dict[tuple[int | bool, ...], list[str]] = {}
        self.narrow = mode == "32"
        size = 4 if self.narrow else 8
        self.pte_at, self.pde_at = PAGE_TABLE * 4096 + INDEX * size, DIRECTORY * 4096 + INDEX * size
        self.gva = INDEX << (22 if self.narrow else 21) | INDEX << 12
        self.size = size

    def prepare(self, row: Row, large: bool) -> None:
        """Registers and entries of a row, and empty shadow tables. ``large``: the PDE maps a large page."""
        vm, size = self.vm, self.size
        pde = row.pde | ((LARGE_FRAME if large else PAGE_TABLE) << 12)
        vm.poke(self.pte_at, row.pte | FRAME << 12, size)
        vm.poke(self.pde_at, pde, size)
        if self.mode == "64":
            vm.poke(PML4 << 12, PDPT << 12 | PRESENT | WRITABLE | USER)
            vm.poke(PDPT << 12, DIRECTORY << 12 | PRESENT | row.pdpte)
        elif self.mode == "pae":
            vm.poke(PDPT << 12, DIRECTORY << 12 | PRESENT)
        settings = (row.wp, row.option)
        if settings != self.settings:
            self.settings = settings
            mode = MODES[self.mode]
            cr0 = mode.cr0 | row.wp * CR0_WP
            if self.narrow:
                vm.set_registers(cr0, DIRECTORY << 12, row.option * CR4_PSE, 0)
            elif self.mode == "pae":
                vm.set_registers(cr0, PDPT << 12, mode.cr4, row.option * EFER_NX)
            else:
                vm.set_registers(cr0, PML4 << 12, mode.cr4, mode.efer | row.option * EFER_NX)
        vm.zap_all()

    def allowed_firsts(self, row: Row, large: bool) -> list[str]:
        """Which of the four first accesses the engine grants with this row's entries and settings."""
        key = (row.pte, row.pde, row.pdpte, row.wp, row.option)
        if key not in self.allowed:
            self.allowed[key] = []
            for first, kind in FIRSTS.items():
                self.prepare(row, large)
                if self.access(*kind, False) is None:
                    self.allowed[key].append(first)
        return self.allowed[key]

    def access(self, write: bool, user: bool, fetch: bool) -> int | None:
        """One access: None if it was granted, else the guest's error code; -1 for anything else."""
        self.vm.injected.clear()
        got = access(self.vm, self.gva, write, user, fetch, None, 1)
        if got.outcome == "inject" and self.vm.injected[-1][0] == self.gva:
            return got.error
        return None if got.outcome in ("ok", "mmio") else -1

    def entry(self, at: int) -> int:
        """An entry as it stands in guest memory."""
        return self.vm.peek(at, self.size)


def verify_matrix(path: Path, report: Report, make_vm: Callable[..., Vm] = Vm) -> None:
    """Run every executed row of a matrix, afresh and warm."""
    arrays = read_arrays(path, {"mode": ("U", 0), "result": ("u2", 1)})
    mode, result = str(arrays["mode"]), arrays["result"]
    width = sum(len(names) for names in BITS[mode]) + 5 if mode in BITS else None
    if width is None or len(result) != 1 << width:
        raise DataError(str(path), f"mode {mode!r}, {len(result)} rows", "mode 32, pae or 64 with 2**16, 2**20 or 2**22 rows")
    report.facts["matrix"] = f"mode {mode}, {len(result):,} combinations"
    bench = Bench(mode, make_vm)
    skipped = np.flatnonzero((result & 0x8000 == 0) & (result != 0)) if mode in COUNTS else ()
    for index in list(skipped)[:10]:
        report.differ(f"row {index:#x}", "result of a row that wasn't executed", 0, int(result[index]))
    executed = np.flatnonzero(result & 0x8000)
    for switches in range(4):  # the upper two bits of the index are register settings: few changes of them
        for index in executed[executed >> width - 2 == switches].tolist():
            row = Row.of(mode, index, int(result[index]))
            _row(bench, row, Classes(mode, row), report)
    counts = report.apart | {"executed": report.compared.get("executed", 0)}
    for name, n in COUNTS.get(mode, {}).items():
        report.check("the matrix", f"rows of class {name}" if name != "executed" else "executed rows", n, counts.get(name, 0))


def _apart(report: Report, name: str) -> None:
    report.apart[name] = report.apart.get(name, 0) + 1


def _row(bench: Bench, row: Row, classes: Classes, report: Report) -> None:
    report.count("executed")
    where = f"row {row.index:#x} ({_words(row)})"
    truth = row.result >> 1 & 31 | (row.result >> 4 & 1) if row.result & 1 else None
    bench.prepare(row, classes.big)
    got = bench.access(row.write, row.user, row.fetch)
    unused = 0x6000 if row.result & 1 else 0x703E  # an error code and CR2 come with a fault only
    report.check(where, "bits that are never set", 0, row.result & (unused if bench.mode == "64" else unused | 0xC00))
    if truth is not None:
        kind = row.write << 1 | row.user << 2 | (row.fetch and classes.nxe) << 4
        report.check(where, "write, user and fetch in the error code", kind, truth & 0x16)
    if classes.rs:
        _apart(report, "RS")
        _apart(report, "RS granted" if got is None else "RS with another fault")
        report.check(where, "a reserved bit is a fault with RSVD", True, truth is not None and bool(truth & 8))
        return
    if truth is not None:
        report.check(where, "CR2", 1, row.result >> 12 & 1)
        report.check(where, "present bit of a fault below a missing entry", False, classes.o and bool(truth & 1))
        truth |= classes.f << 4 | classes.o
        if classes.f or classes.o:
            _apart(report, "F and O" if classes.f and classes.o else "F" if classes.f else "O")
    report.check(where, "fresh access", _code(truth), _code(got))
    _accessed_and_dirty(bench, row, classes, report, where, truth is not None)
    for first in bench.allowed_firsts(row, classes.big):
        bench.prepare(row, classes.big)
        bench.access(*FIRSTS[first], False)
        report.count("warm accesses")
        expected = truth
        if classes.warm_nx(first):
            _apart(report, f"N after {first}")
            expected = None
        got = bench.access(row.write, row.user, row.fetch)
        report.check(where, f"access after a {first}", _code(expected), _code(got))


def _accessed_and_dirty(bench: Bench, row: Row, classes: Classes, report: Report, where: str, fault: bool) -> None:
    pte, pde = bench.entry(bench.pte_at), bench.entry(bench.pde_at)
    truth = [row.result >> bit & 1 for bit in (6, 7, 8, 9)]
    if classes.a:
        _apart(report, "A")
        report.check(where, "PDE.A of the processor", 1, truth[2])
        truth[2] = 0
    got = [pte >> 5 & 1, pte >> 6 & 1, pde >> 5 & 1, pde >> 6 & 1]
    report.check(where, "PTE.A, PTE.D, PDE.A, PDE.D after the access", truth, got)
    if bench.mode == "64" and not fault:
        got = [bench.entry(table << 12) >> 5 & 1 for table in (PDPT, PML4)]
        report.check(where, "PDPTE.A, PML4E.A after the access", [row.result >> bit & 1 for bit in (10, 11)], got)


def _code(code: int | None) -> str:
    return "granted" if code is None else "no end" if code < 0 else f"fault, error code {code:#x}"


def _words(row: Row) -> str:
    kind = "write" if row.write else "fetch" if row.fetch else "read"
    who = "user" if row.user else "supervisor"
    return f"{who} {kind}, PTE {row.pte:#x}, PDE {row.pde:#x}, WP {row.wp:d}, PSE/NXE {row.option:d}"
