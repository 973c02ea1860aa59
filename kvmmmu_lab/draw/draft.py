# SPDX-License-Identifier: GPL-2.0-only
"""A scene in the making: tables, their rows and edges are added one by one, each once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import zip_longest

from ..mmu.bits import WRITABLE
from ..mmu.machine import Machine
from ..read.paths import PDPT, ROOTS, Path, Step, frame_key, guest_entry, key_of
from . import rows as row
from .scene import Edge, Entry, Marks, Scene, Table
from .scene import rows as in_order

LIMIT = 12
"""So many tables are drawn unless more are asked for: what a reader takes in at once."""

EXTRA_ROWS = 6
"""So many marked entries of a table are drawn; of a page that is emptied, the last ones."""

EXTRA_TABLES = 4
"""So many shadow pages that changed are drawn although nothing in focus passes through them."""


def more(limit: int, there: int) -> int:
    """A limit to suggest: enough for a good deal more, or for all there is."""
    return min(there, 3 * limit + 4)


class Draft:
    """Collects tables, their entries and the edges between them."""

    def __init__(self, vm: Machine, marks: Marks | None) -> None:
        self.vm, self.marks = vm, marks or Marks()
        self.tables: dict[str, Table] = {}
        self.entries: dict[str, list[Entry]] = {}
        self.edges: dict[Edge, None] = {}
        self.counted: set[str] = set()
        """Tables of which the entries that aren't drawn are counted."""

    def mark(self, key: str) -> str:
        """What the moment says of a thing."""
        return self.marks.of.get(key, "")

    def edge(self, source: str, target: str, kind: str) -> None:
        """An arrow, once."""
        self.edges[Edge(source, target, kind)] = None

    # Tables of guest and shadow

    def path(self, rank: int, path: Path, kind: str, rmap: bool = True) -> None:
        """The tables of one path, the edges along it, and the frame at its end."""
        for step, then in zip_longest(path.steps, path.steps[1:]):
            self.step(rank, step, kind)
            if then is not None:
                self.edge(step.key, then.table, kind)
        if not path.steps or (path.hfn is None and (kind == "shadow" or path.gfn is None)):
            return
        frame, last = self.frame(rank, path.hfn, path.gfn, rmap), path.steps[-1]
        protected = kind == "shadow" and not last.entry & WRITABLE
        self.edge(last.key, frame, "readonly" if protected else kind)

    def step(self, rank: int, step: Step, kind: str, column: int | None = None) -> None:
        """One entry, and its table."""
        self.table(step.table, kind, step.level, rank, step.number, column)
        self.row(step.table, step.level, step.index, step.entry)

    def table(self, key: str, kind: str, level: int, rank: int, number: int, column: int | None = None) -> None:
        """A table of the guest or the shadow, once; with the entries of it that are marked."""
        if key in self.tables:
            return
        title, words = row.heading(self.vm, key, kind, level, number)
        at = level if column is None else column
        self.tables[key] = Table(key, kind, at, rank, title, words, mark=self.mark(key))
        self.entries[key] = []
        self.counted.add(key)
        marked = [name.rpartition(":")[2] for name in self.marks.of if name.rpartition(":")[0] == key]
        for index in map(int, marked[-EXTRA_ROWS:]):
            guest = kind == "guest"
            value = guest_entry(self.vm, number, index) if guest else row.shadow_entry(self.vm, number, index)
            self.row(key, level, index, value)

    def row(self, table: str, level: int, index: int, value: int) -> None:
        """One row of such a table. An entry that is gone shows what it was."""
        key = f"{table}:{index}"
        mark = self.mark(key)
        if mark == "dead":
            value = self.marks.was.get(key, value)
        make = row.guest_row if table.startswith("g") else row.shadow_row
        made = make(self.vm, key, level, index, value, mark)
        self.entries[table].append(replace(made, says=f"gone with this step; it was: {made.says}") if mark == "dead" else made)

    def frame(self, rank: int, hfn: int | None, gfn: int | None, rmap: bool = True) -> str:
        """A memory frame, with its reverse map in a row; returns its key. Without memory: the gfn that leads nowhere."""
        key = f"f:{gfn:x}" if hfn is None else frame_key(self.vm, hfn)
        if key not in self.tables:
            title, words = row.frame_heading(self.vm, gfn, hfn)
            self.tables[key] = Table(key, "frame", 0, rank, title, words, mark=self.mark(key))
            self.entries[key] = []
            self.counted.add(key)
            if hfn is not None and rmap:
                self.entries[key].append(row.rmap_row(self.vm, f"{key}:rmap", hfn, self.mark(f"{key}:rmap")))
        return key

    def changed(self, rank: int) -> None:
        """Shadow pages that changed elsewhere, the first few; a moment must show what it is about."""
        strong = [key for key, mark in self.marks.of.items() if mark != "read" and key.startswith("s:")]
        missing = list(dict.fromkeys(":".join(key.split(":")[:2]) for key in strong))
        for key in [key for key in missing if key not in self.tables][:EXTRA_TABLES]:
            page = self.vm.pool.pages[int(key[2:])]
            self.table(key, "shadow", page.level, rank, page.id)

    def pages(self, rank: int, ids: Iterable[int]) -> None:
        """These shadow pages, as far as they are in use."""
        for page in (self.vm.pool.pages[id] for id in ids):
            if page in self.vm.pool.active:
                self.table(f"s:{page.id}", "shadow", page.level, rank, page.id)

    # Anything else

    def box(
        self,
        key: str,
        kind: str,
        column: int,
        rank: int,
        title: str,
        words: tuple[str, ...] = (),
        entries: list[Entry] | None = None,
        rest: str = "",
    ) -> None:
        """A table of rows of its own."""
        self.tables[key] = Table(key, kind, column, rank, title, words, (), rest, self.mark(key))
        self.entries[key] = entries or []

    # All of it

    def correspondences(self) -> None:
        """From each guest table to the pages that shadow it."""
        for key in self.tables:
            if key.startswith("s:"):
                page = self.vm.pool.pages[int(key[2:])]
                guest = f"g:{page.gfn:x}"
                if guest in self.tables and not page.metaphysical and page in self.vm.pool.active:
                    self.edge(guest, key, "shadows")
        if PDPT in self.tables and ROOTS in self.tables:
            self.edge(PDPT, ROOTS, "shadows")

    def drawn(self) -> set[str]:
        """Keys of the rows that are there, but for those that are gone."""
        return {entry.key for entries in self.entries.values() for entry in entries if entry.mark != "dead"}

    def reverse_maps(self) -> None:
        """From each frame back to the drawn entries through which it can be written."""
        drawn = self.drawn()
        for key in [key for key in self.tables if key.startswith(("f:", "h:"))]:
            number = int(key[2:], 16)
            hfn = number if key.startswith("h:") else self.vm.memory.frames[number]
            for spte in self.vm.rmap.sptes(hfn) if hfn is not None else ():
                target = key_of(self.vm, spte << 3)
                if target in drawn:
                    self.edge(f"{key}:rmap", target, "rmap")

    def parents(self) -> None:
        """From each shadow page back to the drawn entries above it."""
        drawn = self.drawn()
        for key in [key for key in self.tables if key.startswith("s:")]:
            for spte in self.vm.parents.sptes(self.vm.pool.pages[int(key[2:])]):
                target = key_of(self.vm, spte << 3)
                if target in drawn:
                    self.edge(key, target, "parent")

    def scene(self, title: str, notes: list[str]) -> Scene:
        """Everything together; in tables of guest and shadow, what isn't drawn is counted."""
        tables = []
        for table in self.tables.values():
            entries = in_order(self.entries[table.key])
            counted = table.key in self.counted
            tables.append(row.complete(self.vm, table, entries) if counted else replace(table, entries=entries))
        return Scene(title, tuple(tables), tuple(self.edges), tuple(notes))
