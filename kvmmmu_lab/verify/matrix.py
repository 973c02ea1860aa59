# SPDX-License-Identifier: GPL-2.0-only
"""Verify permission matrices: every combination of entry bits and kinds of access, executed by a processor.

The index of a row consists of the bits of its inputs. The access of a row is executed with empty shadow tables (a *cold*
access). It is executed again after each of four possible first accesses that the engine grants (a *warm* access). The 2007
code is known to differ from the processor in these classes of rows, and in no others:

RS  Reserved bits. The code doesn't check them. These rows are not compared, only counted by outcome.
F   Fetch bit. The code sets this bit of the error code even if EFER.NXE is off.
O   Order of checks. The code checks the rights of an entry before it reads the next level. If the entry there is missing,
    it therefore sets bit 0 (P) of the error code, which the processor leaves clear.
A   Accessed bit. The code doesn't set it in the entry that denies an access, nor in the entries below.
N   NX on a warm access. The shadow tables lack the NX bits of upper levels, so a fetch is granted after a first access.

Each class has a predicate, which determines whether a row belongs to the class. The predicates are used to check the
engine, and therefore don't use it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.arrays import read_arrays
from ..errors import DataError
from ..mmu import Vm
from ..mmu.bits import ACCESSED, CR0_WP, CR4_PSE, DIRTY, EFER_NX, LARGE, MODES, NX, PRESENT, USER, WRITABLE
from ..mmu.cpu import access
from .report import FileReport

RESERVED = 1 << 51
"""An address bit that the recorded processor doesn't implement."""

NARROW_PTE = (PRESENT, WRITABLE, USER, ACCESSED, DIRTY)
BITS = {
    "32": (NARROW_PTE, (*NARROW_PTE, LARGE), ()),
    "pae": ((*NARROW_PTE, NX, RESERVED), (*NARROW_PTE, LARGE, NX, RESERVED), ()),
    "64": ((*NARROW_PTE, NX, RESERVED), (*NARROW_PTE, LARGE, NX, RESERVED), (WRITABLE, USER)),
}
"""Maps a mode to the entry bits that a row's index encodes, starting at bit 0: those of the PTE, the PDE and the PDPTE. The
five highest bits of the index are user, write, fetch, CR0.WP, and CR4.PSE (mode "32") or EFER.NXE (other modes)."""

FIRST_ACCESSES = {
    "supervisor read": (False, False),
    "supervisor write": (True, False),
    "user read": (False, True),
    "user write": (True, True),
}
"""Maps the name of a first access to (write, user)."""

COUNTS = {
    "32": {"executed": 37248, "F": 9680, "O": 2304, "F and O": 768, "A": 3072},
    "pae": {"executed": 77616, "RS": 60480, "F": 504, "O": 448, "F and O": 32, "A": 3568}
    | {f"N after {first}": n for first, n in zip(FIRST_ACCESSES, (640, 352, 256, 64), strict=True)},
}
"""Maps a mode to the number of rows in each class. A file with other numbers isn't the complete matrix."""

PAGE_TABLE, DIRECTORY, PDPT, PML4, FRAME, LARGE_FRAME = 4, 3, 2, 1, 0x50, 0x400
"""The gfns of the tables and of the pages that they map."""

INDEX = 1
"""The index of the tested entry in the page table and in the page directory. At higher levels, entry 0 is used."""


@dataclass(frozen=True)
class MatrixRow:
    """The inputs of one row, as entries and flags, and ``result``, which encodes what the processor did.

    Bits of the result: 0 page fault, 1-5 its error code (P, W, U, RSVD, I/D), 6 PTE.A, 7 PTE.D, 8 PDE.A, 9 PDE.D,
    10 PDPTE.A, 11 PML4E.A, 12 CR2 is the address of the access, 15 executed. With RSVD, the processor left P clear,
    although the architecture sets it.
    """

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
    def of(cls, mode: str, index: int, result: int) -> MatrixRow:
        """Decode the index of a row."""
        at, entries = 0, []
        for names in BITS[mode]:
            entries.append(sum(bit for i, bit in enumerate(names) if index >> at + i & 1))
            at += len(names)
        pte, pde, pdpte = entries
        user, write, fetch, wp, option = (bool(index >> at + i & 1) for i in range(5))
        return cls(index, pte, pde, pdpte, user, write, fetch, wp, option, result)


class RowClasses:
    """The classes of a row. Each of ``rs``, ``f``, ``o``, ``a`` and ``n`` is true if the row belongs to that class."""

    def __init__(self, mode: str, row: MatrixRow) -> None:
        r, d, p = row, row.pde, row.pte
        self.row = row
        self.nxe = r.option and mode != "32"
        self.big = bool(d & LARGE) and (mode != "32" or r.option)
        self.upper = r.pdpte if mode == "64" else WRITABLE | USER
        reserved = RESERVED | (0 if self.nxe or mode == "32" else NX)
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
        self.supervisor_write_clears_user = r.user and not r.wp and not rights & WRITABLE

    def denied(self, entry: int) -> bool:
        """Return whether the rights or the NX of an entry deny the access."""
        r = self.row
        return bool(
            (r.write and not entry & WRITABLE and (r.user or r.wp))
            or (r.user and not entry & USER)
            or (r.fetch and self.nxe and entry & NX)
        )

    def warm_nx(self, first: str) -> bool:
        """Return whether the row belongs to class N when it follows the access ``first``."""
        return self.n and not (first == "supervisor write" and self.supervisor_write_clears_user)


class MatrixGuest:
    """A guest whose tables are set up for one row at a time."""

    def __init__(self, mode: str, make_vm: Callable[..., Vm]) -> None:
        self.mode, self.vm = MODES[mode], make_vm([(0, 2048)])
        self.settings: tuple[bool, bool] | None = None
        self.allowed: dict[tuple[int | bool, ...], list[str]] = {}
        format = self.mode.format
        self.size = format.size
        self.pte_at, self.pde_at = PAGE_TABLE * 4096 + INDEX * self.size, DIRECTORY * 4096 + INDEX * self.size
        self.gva = INDEX * format.large_size | INDEX << 12

    def prepare(self, row: MatrixRow, large: bool) -> None:
        """Write a row's entries, set its registers, and empty the shadow tables. ``large``: the PDE maps a large page."""
        vm, size = self.vm, self.size
        pde = row.pde | ((LARGE_FRAME if large else PAGE_TABLE) << 12)
        vm.poke(self.pte_at, row.pte | FRAME << 12, size)
        vm.poke(self.pde_at, pde, size)
        if self.mode.levels == 4:
            vm.poke(PML4 << 12, PDPT << 12 | PRESENT | WRITABLE | USER)
            vm.poke(PDPT << 12, DIRECTORY << 12 | PRESENT | row.pdpte)
        elif self.mode.levels == 3:
            vm.poke(PDPT << 12, DIRECTORY << 12 | PRESENT)
        settings = (row.wp, row.option)
        if settings != self.settings:
            self.settings = settings
            root = {2: DIRECTORY, 3: PDPT, 4: PML4}[self.mode.levels]
            pse, nxe = (row.option * CR4_PSE, 0) if size == 4 else (0, row.option * EFER_NX)
            mode = self.mode
            vm.set_registers(mode.cr0 | row.wp * CR0_WP, root << 12, mode.cr4 | pse, mode.efer | nxe)
        vm.zap_all()

    def allowed_first_accesses(self, row: MatrixRow, large: bool) -> list[str]:
        """Return the first accesses that the engine grants with this row's entries and registers."""
        key = (row.pte, row.pde, row.pdpte, row.wp, row.option)
        if key not in self.allowed:
            self.allowed[key] = []
            for first, kind in FIRST_ACCESSES.items():
                self.prepare(row, large)
                if self.access(*kind, False) is None:
                    self.allowed[key].append(first)
        return self.allowed[key]

    def access(self, write: bool, user: bool, fetch: bool) -> int | None:
        """Access the test page. Return None if access is granted, the error code of a page fault, or -1 for another outcome."""
        self.vm.injected.clear()
        got = access(self.vm, self.gva, write, user, fetch, None, 1)
        if got.outcome == "inject" and self.vm.injected[-1][0] == self.gva:
            return got.error
        return None if got.outcome in ("ok", "mmio") else -1

    def entry(self, at: int) -> int:
        """Read an entry from guest memory."""
        return self.vm.peek(at, self.size)


def verify_matrix(path: Path, report: FileReport, make_vm: Callable[..., Vm] = Vm) -> None:
    """Execute each row that the processor executed, with cold and warm accesses, and compare the results."""
    arrays = read_arrays(path, {"mode": ("U", 0), "result": ("u2", 1)})
    mode, result = str(arrays["mode"]), arrays["result"]
    width = sum(len(names) for names in BITS[mode]) + 5 if mode in BITS else None
    if width is None or len(result) != 1 << width:
        raise DataError(str(path), f"mode {mode!r}, {len(result)} rows", "mode 32, pae or 64 with 2**16, 2**20 or 2**22 rows")
    report.facts["matrix"] = f"mode {mode}, {len(result):,} combinations"
    guest = MatrixGuest(mode, make_vm)
    skipped = np.flatnonzero((result & 0x8000 == 0) & (result != 0)) if mode in COUNTS else ()
    for index in list(skipped)[:10]:
        report.differ(f"row {index:#x}", "result of a row that wasn't executed", 0, int(result[index]))
    executed = np.flatnonzero(result & 0x8000)
    for register_bits in range(4):  # group rows by the two highest bits, so that registers change rarely
        for index in executed[executed >> width - 2 == register_bits].tolist():
            row = MatrixRow.of(mode, index, int(result[index]))
            _compare_row(guest, row, RowClasses(mode, row), report)
    counts = report.apart | {"executed": report.compared.get("executed", 0)}
    for name, n in COUNTS.get(mode, {}).items():
        report.check("the matrix", f"rows of class {name}" if name != "executed" else "executed rows", n, counts.get(name, 0))


def _compare_row(guest: MatrixGuest, row: MatrixRow, classes: RowClasses, report: FileReport) -> None:
    report.count("executed")
    where = f"row {row.index:#x} ({_inputs(row)})"
    truth = row.result >> 1 & 31 | (row.result >> 4 & 1) if row.result & 1 else None  # P must be set with RSVD
    guest.prepare(row, classes.big)
    got = guest.access(row.write, row.user, row.fetch)
    unused = 0x6000 if row.result & 1 else 0x703E  # only a fault has an error code and a CR2
    report.check(where, "bits that are never set", 0, row.result & (unused if guest.mode.levels == 4 else unused | 0xC00))
    if truth is not None:
        kind = row.write << 1 | row.user << 2 | (row.fetch and classes.nxe) << 4
        report.check(where, "write, user and fetch in the error code", kind, truth & 0x16)
    if classes.rs:
        report.count_apart("RS")
        report.count_apart("RS granted" if got is None else "RS with another fault")
        report.check(where, "a reserved bit causes a fault with RSVD", True, truth is not None and bool(truth & 8))
        return
    if truth is not None:
        report.check(where, "CR2", 1, row.result >> 12 & 1)
        report.check(where, "P in the error code of a fault at a missing entry", False, classes.o and bool(truth & 1))
        truth |= classes.f << 4 | classes.o
        if classes.f or classes.o:
            report.count_apart("F and O" if classes.f and classes.o else "F" if classes.f else "O")
    report.check(where, "cold access", _outcome(truth), _outcome(got))
    _accessed_and_dirty(guest, row, classes, report, where, truth is not None)
    for first in guest.allowed_first_accesses(row, classes.big):
        guest.prepare(row, classes.big)
        guest.access(*FIRST_ACCESSES[first], False)
        report.count("warm accesses")
        expected = truth
        if classes.warm_nx(first):
            report.count_apart(f"N after {first}")
            expected = None
        got = guest.access(row.write, row.user, row.fetch)
        report.check(where, f"access after a {first}", _outcome(expected), _outcome(got))


def _accessed_and_dirty(
    guest: MatrixGuest, row: MatrixRow, classes: RowClasses, report: FileReport, where: str, fault: bool
) -> None:
    pte, pde = guest.entry(guest.pte_at), guest.entry(guest.pde_at)
    truth = [row.result >> bit & 1 for bit in (6, 7, 8, 9)]
    if classes.a:
        report.count_apart("A")
        report.check(where, "PDE.A of the processor", 1, truth[2])
        truth[2] = 0
    got = [pte >> 5 & 1, pte >> 6 & 1, pde >> 5 & 1, pde >> 6 & 1]
    report.check(where, "PTE.A, PTE.D, PDE.A, PDE.D after the access", truth, got)
    if guest.mode.levels == 4 and not fault:
        got = [guest.entry(table << 12) >> 5 & 1 for table in (PDPT, PML4)]
        report.check(where, "PDPTE.A, PML4E.A after the access", [row.result >> bit & 1 for bit in (10, 11)], got)


def _outcome(code: int | None) -> str:
    return "granted" if code is None else "another outcome" if code < 0 else f"fault, error code {code:#x}"


def _inputs(row: MatrixRow) -> str:
    kind = "write" if row.write else "fetch" if row.fetch else "read"
    who = "user" if row.user else "supervisor"
    return f"{who} {kind}, PTE {row.pte:#x}, PDE {row.pde:#x}, WP {row.wp:d}, PSE/NXE {row.option:d}"
