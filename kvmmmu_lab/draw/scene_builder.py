# SPDX-License-Identifier: GPL-2.0-only
"""Builds a scene from a machine: `SceneBuilder` collects tables, rows and edges, and gives them their titles and texts.

The functions after the class make the texts of a picture: the title and the lines of a table, the flags and the
target of an entry, and the number of entries that are not drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import zip_longest

import numpy as np

from ..inspect.entries import flags, guest_target, shadow_target, spell, withheld
from ..inspect.keys import (
    FRAME,
    GUEST,
    HOST_FRAME,
    PDPT,
    ROOT,
    ROOTS,
    SHADOW,
    Key,
    frame_key,
    guest_frame,
    guest_table,
    key_of,
    shadow_page,
)
from ..inspect.names import LEVELS, entry_name
from ..inspect.paths import Path, PathEntry, guest_entry, maps_large
from ..mmu.bits import BASE_MASK, INVALID_PAGE, NONPAGING, PAGE_SHIFT, PRESENT, ROOT_32, ROOT_PAE, WRITABLE, guest_format
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_SHADOW, PAE_ROOT
from ..mmu.pool import ShadowPage
from .scene import Edge, Entry, Marks, Scene, Table
from .scene import rows as in_order

ACCESS = ("kernel, reads", "kernel, writes", "user, reads", "user, writes")
"""The access rights of a guest's large page, indexed by the access bits in the role of the shadow page for its pieces."""

LIMIT = 12
"""Number of tables drawn by default: as many as a reader can take in at once."""

EXTRA_ROWS = 6
"""Maximum number of marked entries drawn in a table in addition to those on a path; the last ones are chosen."""

EXTRA_TABLES = 4
"""Maximum number of shadow pages drawn because they changed, although no path passes through them."""


class SceneBuilder:
    """Collects the tables, entries and edges of a scene. Each item is added once; adding it again has no effect.

    ``rank`` and ``column`` give the position of a table (see `scene.Table`).
    """

    def __init__(self, vm: Machine, marks: Marks | None) -> None:
        self.vm, self.marks = vm, marks or Marks()
        self.tables: dict[Key, Table] = {}
        self.entries: dict[Key, list[Entry]] = {}
        self.edges: dict[Edge, None] = {}
        self.on_path: dict[Key, None] = {}
        """The entries on the paths that were added."""
        self.counted: set[Key] = set()
        """Tables that show how many other entries they have: "37 more, 473 empty"."""
        self.marked: dict[Key, list[int]] = {}
        """The indexes of marked entries, by table."""
        for key in map(Key, self.marks.of):
            if (row := key.row).isdigit():
                self.marked.setdefault(key.table, []).append(int(row))

    def mark(self, key: str) -> str:
        """Return the mark of a key: "changed", "read", "dead", "new" or ""."""
        return self.marks.of.get(key, "")

    def edge(self, source: str, target: str, kind: str) -> None:
        """Add an edge between two keys."""
        self.edges[Edge(source, target, kind)] = None

    # Guest tables, shadow pages and frames

    def path(self, rank: int, path: Path, kind: str, rmap: bool = True) -> None:
        """Add the tables of a path, the edges along it, and the frame at its end. ``rmap``: whether to show its reverse map."""
        for step, then in zip_longest(path.steps, path.steps[1:]):
            self.step(rank, step, kind)
            self.on_path[step.key] = None
            if then is not None:
                self.edge(step.key, then.table, kind)
        if not path.steps or (path.hfn is None and (kind == "shadow" or path.gfn is None)):
            return
        frame, last = self.frame(rank, path.hfn, path.gfn, rmap), path.steps[-1]
        protected = kind == "shadow" and not last.entry & WRITABLE
        self.edge(last.key, frame, "readonly" if protected else kind)

    def step(self, rank: int, step: PathEntry, kind: str, column: int | None = None) -> None:
        """Add one entry and its table."""
        self.table(step.table, kind, step.level, rank, step.number, column)
        self.row(step.table, step.level, step.index, step.entry)

    def table(self, key: Key, kind: str, level: int, rank: int, number: int, column: int | None = None) -> None:
        """Add a guest table or shadow page, with its marked entries. ``number``: its gfn, or the id of the page."""
        if key in self.tables:
            return
        title, words = heading(self.vm, key, kind, level, number)
        at = level if column is None else column
        self.tables[key] = Table(key, kind, at, rank, title, words, mark=self.mark(key))
        self.entries[key] = []
        self.counted.add(key)
        for index in self.marked.get(key, [])[-EXTRA_ROWS:]:
            guest = kind == "guest"
            value = guest_entry(self.vm, number, index) if guest else shadow_entry(self.vm, number, index)
            self.row(key, level, index, value)

    def row(self, table: Key, level: int, index: int, value: int) -> None:
        """Add one row of a guest table or shadow page. The row of a cleared entry shows its old value."""
        key = table.entry(index)
        mark = self.mark(key)
        if mark == "dead":
            value = self.marks.was.get(key, value)
        make = guest_row if table.kind == GUEST else shadow_row
        made = make(self.vm, key, level, index, value, mark)
        self.entries[table].append(replace(made, says=f"cleared in this step; it was: {made.says}") if mark == "dead" else made)

    def frame(self, rank: int, hfn: int | None, gfn: int | None, rmap: bool = True) -> Key:
        """Add a frame, with its reverse map as a row, and return its key. ``hfn`` is None for a gfn without memory."""
        if hfn is not None:
            key = frame_key(self.vm, hfn)
        else:
            assert gfn is not None
            key = guest_frame(gfn)
        if key not in self.tables:
            title, words = frame_heading(self.vm, gfn, hfn)
            self.tables[key] = Table(key, "frame", 0, rank, title, words, mark=self.mark(key))
            self.entries[key] = []
            self.counted.add(key)
            if hfn is not None and rmap:
                rmap_key = key.entry("rmap")
                self.entries[key].append(rmap_row(self.vm, rmap_key, hfn, self.mark(rmap_key)))
        return key

    def changed(self, rank: int) -> None:
        """Add shadow pages that changed although no path passes through them; at most `EXTRA_TABLES`."""
        strong = [Key(key).table for key, mark in self.marks.of.items() if mark != "read"]
        missing = [key for key in dict.fromkeys(strong) if key.kind == SHADOW and key not in self.tables]
        for key in missing[:EXTRA_TABLES]:
            page = self.vm.pool.pages[key.page]
            self.table(key, "shadow", page.level, rank, page.id)

    def pages(self, rank: int, ids: Iterable[int]) -> None:
        """Add the shadow pages with these ids that are in use."""
        for page in (self.vm.pool.pages[id] for id in ids):
            if page in self.vm.pool.active:
                self.table(shadow_page(page.id), "shadow", page.level, rank, page.id)

    # Other tables

    def box(
        self,
        key: Key,
        kind: str,
        column: int,
        rank: int,
        title: str,
        words: tuple[str, ...] = (),
        entries: list[Entry] | None = None,
        rest: str = "",
    ) -> None:
        """Add a table with the given title and rows."""
        self.tables[key] = Table(key, kind, column, rank, title, words, (), rest, self.mark(key))
        self.entries[key] = entries or []

    # Edges between the tables added so far, and the resulting scene

    def correspondences(self) -> None:
        """Add the edges from each guest table to the pages that shadow it."""
        pool = self.vm.pool
        for key in self.tables:
            if key.kind == SHADOW:
                page = pool.pages[key.page]
                guest = guest_table(page.gfn)
                if guest in self.tables and not page.metaphysical and page in pool.active:
                    self.edge(guest, key, "shadows")
        if PDPT in self.tables and ROOTS in self.tables:
            self.edge(PDPT, ROOTS, "shadows")

    def drawn(self) -> set[str]:
        """Return the keys of the rows added so far, without those that are marked "dead"."""
        return {entry.key for entries in self.entries.values() for entry in entries if entry.mark != "dead"}

    def reverse_maps(self) -> None:
        """Add the edges from each frame back to the drawn entries through which it can be written."""
        drawn = self.drawn()
        for key in [key for key in self.tables if key.kind in (FRAME, HOST_FRAME)]:
            hfn = key.hfn if key.kind == HOST_FRAME else self.vm.memory.frames[key.gfn]
            for spte in self.vm.rmap.sptes(hfn) if hfn is not None else ():
                target = key_of(self.vm, spte << 3)
                if target in drawn:
                    self.edge(key.entry("rmap"), target, "rmap")

    def parents(self) -> None:
        """Add the edges from each shadow page back to the drawn entries that lead to it."""
        drawn = self.drawn()
        for key in [key for key in self.tables if key.kind == SHADOW]:
            for spte in self.vm.parents.sptes(self.vm.pool.pages[key.page]):
                target = key_of(self.vm, spte << 3)
                if target in drawn:
                    self.edge(key, target, "parent")

    def scene(self, title: str, notes: list[str]) -> Scene:
        """Return the scene. Guest tables and shadow pages count the entries that aren't drawn."""
        tables = []
        for table in self.tables.values():
            entries = in_order(self.entries[Key(table.key)])
            counted = table.key in self.counted
            tables.append(complete(self.vm, table, entries) if counted else replace(table, entries=entries))
        return Scene(title, tuple(tables), tuple(self.edges), tuple(notes), tuple(self.on_path))


def more(limit: int, there: int) -> int:
    """Return a larger limit to suggest: about three times ``limit``, but at most the number of items, ``there``."""
    return min(there, 3 * limit + 4)


def large_page(glevels: int) -> str:
    """Return the size of a large page: 4 MB with 4-byte entries, else 2 MB."""
    return f"{guest_format(glevels).large_size >> 20} MB"


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: "1 page", "2 pages"."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def shadow_entry(vm: Machine, id: int, index: int) -> int:
    """Return an entry of shadow page ``id``, or a root slot if ``id`` is the frame of the root slots."""
    return vm.memory.words[(PAE_ROOT if id == PAE_ROOT else FIRST_SHADOW + id) << 9 | index]


def guest_row(vm: Machine, key: str, level: int, index: int, value: int, mark: str) -> Entry:
    """Return the row of a guest entry. A large page has a short target ("2 MB 0x600"), which ``says`` explains."""
    target, says = guest_target(vm, level, value), spell(value)
    if value & PRESENT and maps_large(vm, level, value):
        size, gfn = large_page(vm.root_level), target.split()[-1]
        target, says = f"{size} {gfn}", f"{says}; a {size} page at gfn {gfn}"
    return Entry(key, str(index), flags(value), target, mark, says)


def shadow_row(vm: Machine, key: str, level: int, index: int, value: int, mark: str) -> Entry:
    """Return the row of a shadow entry or root slot."""
    if value == INVALID_PAGE:
        return Entry(key, str(index), flags(0), "none", mark, "no root")
    kept = withheld(level, value)
    return Entry(key, str(index), flags(value, kept), shadow_target(vm, value), mark, spell(value, kept & ~value))


def rmap_row(vm: Machine, key: str, hfn: int, mark: str) -> Entry:
    """Return the row of a frame's reverse map: how many entries can write the frame, and the first of them."""
    names = [entry_name(spte) for spte in vm.rmap.sptes(hfn)]
    count = plural(len(names), "entry", "entries") if names else "empty"
    says = f"writable through {', '.join(names)}" if names else "no shadow entry can write this frame"
    return Entry(key, "rmap", count, names[0] if names else "no writer", mark, says)


def heading(vm: Machine, key: str, kind: str, level: int, number: int) -> tuple[str, tuple[str, ...]]:
    """Return the title and lines of a guest table, a shadow page or the root slots."""
    if key == PDPT:
        return LEVELS[3], (f"CR3 {vm.cpu.cr3:#x}", "held in registers")
    if key == ROOTS:
        return "root slots", ("one for each GB",)
    if kind == "guest":
        root = vm.root_level != ROOT_PAE and number == vm.cpu.cr3 >> PAGE_SHIFT
        return LEVELS[level], (f"gfn {number:#x}{' = CR3' if root else ''}",)
    return page_heading(vm.pool.pages[number])


def page_heading(page: ShadowPage) -> tuple[str, tuple[str, ...]]:
    """Return the title and lines of a shadow page."""
    words = [f"of gfn {page.gfn:#x}"]
    root = " · root" * bool(page.root_count)
    if page.metaphysical:
        words[0] += root
        words += ["no guest table:", f"pieces of a {large_page(page.glevels)} page"]
        if page.glevels == NONPAGING:
            words[-1] = "the guest isn't paging"
    elif page.glevels == ROOT_32:
        words.append(f"quadrant {page.quadrant}{root}")
    else:
        words[0] += root
    return f"shadow L{page.level} #{page.id}", tuple(words)


def role_words(page: ShadowPage) -> tuple[str, ...]:
    """Return lines that state the gfn of a page and every part of its role."""
    mode = f"{page.glevels} guest levels" if page.glevels else "guest isn't paging"
    words = [f"of gfn {page.gfn:#x}", f"level {page.level}, {mode}"]
    if page.glevels <= ROOT_32:
        words.append(f"quadrant {page.quadrant}")
    if page.metaphysical:
        words.append("metaphysical: no table")
        if page.glevels:
            words.append(f"large page: {ACCESS[page.access]}")
    if page.root_count:
        words.append(f"root, used {page.root_count} times" if page.root_count > 1 else "root, in use")
    return tuple(words)


def frame_heading(vm: Machine, gfn: int | None, hfn: int | None) -> tuple[str, tuple[str, ...]]:
    """Return the title and lines of a frame, or of a gfn without memory."""
    if hfn is None:
        return f"gfn {gfn:#x}", ("no memory: a device",)
    gfn = vm.memory.gfns[hfn]
    if gfn is None:
        return f"host frame {hfn:#x}", ("no longer in a slot",)
    if vm.pool.lookup(gfn) is None:
        return f"frame gfn {gfn:#x}", ("data page",)
    return f"frame gfn {gfn:#x}", (f"{'writable' if _has_writer(vm, hfn) else 'write-protected'} table",)


def _has_writer(vm: Machine, hfn: int) -> bool:
    """Return whether a shadow entry allows writing to a frame. The reverse map isn't asked: it may be wrong."""
    mask, wanted = np.uint64(BASE_MASK | PRESENT | WRITABLE), np.uint64(hfn << PAGE_SHIFT | PRESENT | WRITABLE)
    leaves = (vm.memory.pages[FIRST_SHADOW + page.id] for page in vm.pool.active if page.level == 1)
    return any((entries & mask == wanted).any() for entries in leaves)


def complete(vm: Machine, table: Table, entries: tuple[Entry, ...]) -> Table:
    """Return the table with these entries and a count of its others: "37 more, 473 empty"."""
    if table.kind == "frame":
        others = int(entries[0].flags.split()[0]) - 1 if entries and entries[0].flags[0].isdigit() else 0
        return replace(table, entries=entries, rest=f"and {others} more" if others else "")
    row = all_entries(vm, Key(table.key))
    used = int(np.count_nonzero(row if table.kind == "shadow" else row & row.dtype.type(PRESENT)))
    drawn = [entry for entry in entries if entry.mark != "dead"]
    full = sum(1 for entry in drawn if entry.target not in ("empty", "not present", "none"))
    more, empty = max(0, used - full), len(row) - used - (len(entries) - full)
    rest = ", ".join([f"{more} more"] * bool(more) + [f"{empty} empty"] * bool(empty))
    return replace(table, entries=entries, rest=rest)


def used_entries(vm: Machine, key: Key) -> list[tuple[int, int]]:
    """Return the used entries as (index, value): those present in a guest table, or those not 0 in a shadow page."""
    row = all_entries(vm, key)
    used = np.flatnonzero(row if key.kind in (ROOT, SHADOW) else row & row.dtype.type(PRESENT))
    return list(zip(used.tolist(), row[used].tolist(), strict=True))


def all_entries(vm: Machine, key: Key) -> np.ndarray:
    """Return the words of a table as an array. Root slots without a root are 0."""
    if key == PDPT:
        return np.array(vm.cpu.pdptrs, dtype="u8")
    if key == ROOTS:
        slots = vm.memory.pages[PAE_ROOT][:4]
        return np.where(slots == np.uint64(INVALID_PAGE), np.uint64(0), slots)
    if key.kind == SHADOW:
        return vm.memory.pages[FIRST_SHADOW + key.page]
    memory = vm.memory
    hfn = memory.frames[key.gfn]
    page = np.zeros(512, "u8") if hfn is None else memory.pages[hfn]
    return page.view("u4") if guest_format(vm.root_level).size == 4 else page
