# SPDX-License-Identifier: GPL-2.0-only
"""Guest tables and shadow tables side by side, focused on some addresses: from a live VM to a scene."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from ..errors import InputError
from ..mmu.bits import (
    NONPAGING,
    ROOT_64,
    WRITABLE,
    canonical,
)
from ..mmu.machine import Machine
from ..read.paths import PDPT, ROOTS, Path, frame_key, guest_entry, guest_path, key_of, shadow_path
from . import rows as row
from .scene import Edge, Entry, Marks, Scene, Table
from .scene import rows as in_order

EXTRA_ROWS = 6
"""So many marked entries of a table are drawn; of a page that is emptied, the last ones."""

EXTRA_TABLES = 4
"""So many shadow pages that changed are drawn although no address in focus passes through them."""


def hierarchy_scene(vm: Machine, gvas: Iterable[int], marks: Marks | None = None) -> Scene:
    """What the paths of ``gvas`` look like now, in the guest's tables and in the shadow, with the frames they reach.

    The entries on those paths, and marked ones, are there; the others are counted. `check_gva` says which addresses
    can be.
    """
    chosen = list(gvas)
    maker = _Maker(vm, marks or Marks())
    for rank, gva in enumerate(chosen):
        maker.add(rank, guest_path(vm, gva), "guest")
        maker.add(rank, shadow_path(vm, gva), "shadow")
    maker.add_changed(len(chosen))
    return maker.scene(chosen)


def check_gva(vm: Machine, gva: int) -> None:
    """Raise InputError unless gva is an address that the guest can have in its mode."""
    if isinstance(gva, bool) or not isinstance(gva, int):
        raise InputError("gva", gva, "an address, as a whole number")
    if not possible_gva(vm, gva):
        wide = vm.root_level == ROOT_64
        raise InputError(
            "gva", gva, "a canonical address (bits 48..63 like bit 47)" if wide else "an address below 2**32"
        )


def possible_gva(vm: Machine, gva: int) -> bool:
    """Whether the guest can have an address in the mode that it is in now."""
    return canonical(gva) == gva if vm.root_level == ROOT_64 else 0 <= gva < 1 << 32


class _Maker:
    """Collects tables, their entries and the edges between them."""

    def __init__(self, vm: Machine, marks: Marks) -> None:
        self.vm, self.marks = vm, marks
        self.tables: dict[str, Table] = {}
        self.entries: dict[str, list[Entry]] = {}
        self.edges: dict[Edge, None] = {}

    def add(self, rank: int, path: Path, kind: str) -> None:
        """The tables of one path, the edges along it, and the frame at its end."""
        for step, then in zip_longest(path.steps, path.steps[1:]):
            self.table(step.table, kind, step.level, rank, step.number)
            self.entries[step.table].append(self.entry(step.table, step.level, step.index, step.entry))
            if then is not None:
                self.edges[Edge(step.key, then.table, kind)] = None
        if not path.steps or (path.hfn is None and (kind == "shadow" or path.gfn is None)):
            return
        frame, last = self.frame(rank, path.hfn, path.gfn), path.steps[-1]
        protected = kind == "shadow" and not last.entry & WRITABLE
        self.edges[Edge(last.key, frame, "readonly" if protected else kind)] = None

    def table(self, key: str, kind: str, level: int, rank: int, number: int) -> None:
        """A table, once; with the entries of it that are marked."""
        if key in self.tables:
            return
        title, words = row.heading(self.vm, key, kind, level, number)
        self.tables[key] = Table(key, kind, level, rank, title, words, mark=self.marks.of.get(key, ""))
        self.entries[key] = []
        marked = [name.rpartition(":")[2] for name in self.marks.of if name.rpartition(":")[0] == key]
        for index in map(int, marked[-EXTRA_ROWS:]):
            self.entries[key].append(self.entry(key, level, index, self.read(kind, number, index)))

    def read(self, kind: str, number: int, index: int) -> int:
        """An entry as it stands in memory."""
        return guest_entry(self.vm, number, index) if kind == "guest" else row.shadow_entry(self.vm, number, index)

    def entry(self, table: str, level: int, index: int, value: int) -> Entry:
        """One row. An entry that is gone shows what it was."""
        key = f"{table}:{index}"
        mark = self.marks.of.get(key, "")
        if mark == "dead":
            value = self.marks.was.get(key, value)
        guest = table.startswith("g")
        make = row.guest_row if guest else row.shadow_row
        return make(self.vm, key, level, index, value, mark)

    def frame(self, rank: int, hfn: int | None, gfn: int | None) -> str:
        """A memory frame with its reverse map; returns its key. Without memory, the guest frame number that leads nowhere."""
        key = f"f:{gfn:x}" if hfn is None else frame_key(self.vm, hfn)
        title, words = row.frame_heading(self.vm, gfn, hfn)
        if key not in self.tables:
            self.tables[key] = Table(key, "frame", 0, rank, title, words)
            self.entries[key] = []
            if hfn is not None:
                self.entries[key].append(
                    row.rmap_row(self.vm, f"{key}:rmap", hfn, self.marks.of.get(f"{key}:rmap", ""))
                )
        return key

    def add_changed(self, rank: int) -> None:
        """Shadow pages that changed off the paths, the first few; a moment must show what it is about."""
        strong = [key for key, mark in self.marks.of.items() if mark != "read" and key.startswith("s:")]
        missing = list(dict.fromkeys(":".join(key.split(":")[:2]) for key in strong))
        for key in [key for key in missing if key not in self.tables][:EXTRA_TABLES]:
            page = self.vm.pool.pages[int(key[2:])]
            self.table(key, "shadow", page.level, rank, page.id)

    def scene(self, gvas: list[int]) -> Scene:
        """Everything together: rests counted, correspondences and reverse maps drawn in."""
        vm = self.vm
        tables = []
        for table in self.tables.values():
            entries = in_order(self.entries[table.key])
            tables.append(row.complete(vm, table, entries))
        self._correspondences()
        self._reverse_maps({entry.key for table in tables for entry in table.entries if entry.mark != "dead"})
        drawn = sum(key.startswith("s:") for key in self.tables)
        notes = [f"{drawn} of {len(vm.pool.active)} shadow pages in use are drawn"]
        if vm.root_level == NONPAGING:
            notes.append("the guest doesn't page: it has no tables, and a gva is a gpa")
        addresses = ", ".join(f"{gva:#x}" for gva in gvas) or "no address"
        title = f"{row.MODES[vm.root_level]} guest: the path of {addresses}"
        return Scene(title, tuple(tables), tuple(self.edges), tuple(notes))

    def _correspondences(self) -> None:
        """From each guest table to the pages that shadow it."""
        for key in self.tables:
            if key.startswith("s:"):
                page = self.vm.pool.pages[int(key[2:])]
                guest = f"g:{page.gfn:x}"
                if guest in self.tables and not page.metaphysical and page in self.vm.pool.active:
                    self.edges[Edge(guest, key, "shadows")] = None
        if PDPT in self.tables and ROOTS in self.tables:
            self.edges[Edge(PDPT, ROOTS, "shadows")] = None

    def _reverse_maps(self, drawn: set[str]) -> None:
        """From each frame back to the drawn entries through which it can be written."""
        for key in self.tables:
            if key.startswith("f:"):
                hfn = self.vm.memory.frames[int(key[2:], 16)]
                for spte in self.vm.rmap.sptes(hfn) if hfn is not None else ():
                    target = key_of(self.vm, spte << 3)
                    if target in drawn:
                        self.edges[Edge(f"{key}:rmap", target, "rmap")] = None
