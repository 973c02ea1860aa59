# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of guest tables and shadow tables: the paths of some addresses, whole trees, or the walk of one address.

A whole tree is rarely drawn completely: `Limits` sets how many levels, tables and rows are drawn. Tables are chosen from
each level in turn, so that even a few tables show every level. Within a level, tables that are reached through lower
indexes come first. The paths of the given addresses are always complete, whatever the limits. If addresses but no limits
are given, only the paths are drawn. The notes of a scene state how much is not drawn because of a limit.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ..inspect.keys import GUEST, ROOT, ROOTS, SHADOW, Key, guest_table, shadow_page
from ..inspect.names import LEVELS, key_name
from ..inspect.paths import Branch, Path, guest_path, guest_tree, maps_large, shadow_path, shadow_tree
from ..mmu.bits import NONPAGING, PAGE_SHIFT, PAGE_SIZE, PRESENT, ROOT_64, ROOT_PAE, guest_format, mode_of_levels
from ..mmu.machine import Machine
from .scene import Entry, Marks, Scene
from .scene_builder import LIMIT, SceneBuilder, more, plural, used_entries

NOT_PAGING = "the guest isn't paging: it has no tables, and a gva is a gpa"
NO_ROOT = "there is no root: the shadow is empty"

FOLD = 4
"""Number of rows of a table that are drawn by default. The first row that leads to a drawn table is always drawn."""

KERNEL_READ = "a read by the kernel"
GUEST_FAULT = f"{KERNEL_READ} gives the guest #PF, error code 0x0 (not present)"
SHADOW_FAULT = "an access faults, and the host takes over"


@dataclass(frozen=True)
class Limits:
    """How much of a tree to draw: the number of levels, of tables, and of rows per table. None stands for the default."""

    depth: int | None = None
    limit: int | None = None
    fold: int | None = None

    def tables(self, focus: bool) -> int:
        """Return how many tables to draw. ``focus``: addresses were given; by default, only their paths are drawn."""
        return (0 if focus else LIMIT) if self.limit is None else self.limit

    def rows(self, focus: bool) -> int:
        """Return how many rows of a table to draw. ``focus``: as in `tables`."""
        return (0 if focus else FOLD) if self.fold is None else self.fold


def hierarchy_scene(vm: Machine, gvas: Iterable[int], marks: Marks | None = None, pages: Iterable[int] = ()) -> Scene:
    """Return the paths of ``gvas`` in the guest's tables and in the shadow tables, and the frames that they reach.

    Entries on those paths and marked entries are drawn; the others are counted. The first address comes first on both
    sides, from top to bottom, so that the two sides of a path are easy to compare, and drawing and text have the same
    order. ``pages``: ids of shadow pages to draw, if they are in use, even if no path leads there. Addresses are not
    checked here (see `check_gva`).
    """
    chosen = list(gvas)
    builder = SceneBuilder(vm, marks)
    for rank, gva in enumerate(chosen):
        builder.path(rank, guest_path(vm, gva), "guest")
        builder.path(rank, shadow_path(vm, gva), "shadow")
    builder.changed(len(chosen))
    builder.pages(len(chosen), pages)
    builder.correspondences()
    builder.reverse_maps()
    shadows = sum(key.kind == SHADOW for key in builder.tables)
    notes = [f"{shadows} of {len(vm.pool.active)} shadow pages in use are drawn"]
    if vm.root_level == NONPAGING:
        notes.append(NOT_PAGING)
    addresses = ", ".join(f"{gva:#x}" for gva in chosen) or "no address"
    return builder.scene(f"{mode_of_levels(vm.root_level).guest}: the path of {addresses}", notes)


def guest_tables_scene(vm: Machine, gvas: Iterable[int] = (), marks: Marks | None = None, limits: Limits = Limits()) -> Scene:
    """Return the guest's page tables alone, with the frames that ``gvas`` reach."""
    side = Side(SceneBuilder(vm, marks), "guest", list(gvas))
    _one_side(side, limits)
    notes = [NOT_PAGING] if vm.root_level == NONPAGING else []
    notes += _count_notes([(side, "guest table")], limits, bool(side.gvas)) if side.tree else []
    notes += _fold_note(side.builder, limits, side.gvas)
    return side.builder.scene(_title(vm, "the guest's page tables", side.gvas), notes)


def shadow_tables_scene(vm: Machine, gvas: Iterable[int] = (), marks: Marks | None = None, limits: Limits = Limits()) -> Scene:
    """Return the shadow tables alone, with the parents of each page, and the frames that ``gvas`` reach."""
    side = Side(SceneBuilder(vm, marks), "shadow", list(gvas))
    _one_side(side, limits)
    side.builder.changed(len(side.gvas) + len(side.chosen))
    side.builder.parents()
    notes = _count_notes([(side, "shadow page")], limits, bool(side.gvas)) if side.tree else [NO_ROOT]
    notes += _unreached_note(vm, side.tree) + _fold_note(side.builder, limits, side.gvas)
    return side.builder.scene(_title(vm, "the shadow tables", side.gvas), notes)


def overview_scene(vm: Machine, gvas: Iterable[int] = (), marks: Marks | None = None, limits: Limits = Limits()) -> Scene:
    """Return both trees from their roots. Guest tables whose shadow page is drawn come first."""
    builder, chosen = SceneBuilder(vm, marks), list(gvas)
    guest, shadow = Side(builder, "guest", chosen), Side(builder, "shadow", chosen)
    most = limits.tables(bool(chosen))
    shadow.choose(max(1, most // 2) if guest.tree else most, limits.depth)
    for _ in range(2):  # each side may use the part of the limit that the other leaves
        guest.choose(most - len(shadow.chosen), limits.depth, _shadowed(vm, shadow.chosen))
        shadow.choose(most - len(guest.chosen), limits.depth)
    for side in (guest, shadow):
        side.draw(limits.rows(bool(chosen)), frames=True)
    builder.changed(len(chosen) + len(builder.tables))
    builder.correspondences()
    builder.reverse_maps()
    notes = [NOT_PAGING] if vm.root_level == NONPAGING else []
    notes += _count_notes([(guest, "guest table"), (shadow, "shadow page")], limits, bool(chosen))
    notes += _unreached_note(vm, shadow.tree) + _fold_note(builder, limits, chosen)
    return builder.scene(_title(vm, "guest tables and shadow tables", chosen), notes)


def walk_scene(vm: Machine, gva: int, marks: Marks | None = None) -> Scene:
    """Return both walks of gva: at the left the fields of the address, then the entries that they select.

    The title lines and the notes state where each walk ends if the kernel reads from the address. A field is marked "read" if
    the entry that it selects is.
    """
    builder, guest, shadow = SceneBuilder(vm, marks), guest_path(vm, gva), shadow_path(vm, gva)
    builder.path(0, guest, "guest")
    builder.path(0, shadow, "shadow")
    column = max(vm.root_level, vm.shadow_root_level) + 1
    results = _guest_result(vm, gva, guest), _shadow_result(vm, gva, shadow)
    for rank, (side, path, result) in enumerate((("guest", guest, results[0]), ("shadow", shadow, results[1]))):
        key = Key(f"w:{side}")
        fields = guest_fields(vm, guest) if side == "guest" else shadow_fields(vm)
        used = {step.level for step in path.steps if builder.mark(step.key) == "read"}
        rows = [_field(key, gva, *field, "read" if field[3] in used else "") for field in fields]
        builder.box(key, "list", column, rank, "fields of the gva", (f"{side}: {result[0]}",), rows)
        _selections(builder, key, gva, path)
    builder.correspondences()
    builder.reverse_maps()
    sides = f"guest tables, gva {gva:#x}", "shadow tables"
    notes = [f"{side}: {said}" for side, (_, said) in zip(sides, results, strict=True)]
    return builder.scene(f"{mode_of_levels(vm.root_level).guest}: the walk of {gva:#x}", notes)


# Choosing the tables of a tree


def choose(
    tree: dict[Key, Branch], limit: int, depth: int | None = None, given: Iterable[Key] = (), prefer: Collection[Key] = ()
) -> list[Key]:
    """Return the keys of the tables to draw, sorted as in the tree: those ``given``, and others up to ``limit`` in total.

    A table is taken only after one that leads to it. Within a level, those in ``prefer`` come first.
    """
    chosen: dict[Key, None] = {}
    waiting = [deque(list(tree)[:1])]

    def take(key: Key, at: int) -> None:
        chosen[key] = None
        if at + 1 == len(waiting):
            waiting.append(deque())
        below = [to for _, to in tree[key].links if to not in chosen]
        waiting[at + 1].extendleft(reversed([to for to in below if to in prefer]))
        waiting[at + 1].extend(to for to in below if to not in prefer)

    wanted = [key for key in given if key in tree]
    distance = _distances(tree) if wanted else {}
    for key in wanted:
        if key not in chosen:
            take(key, distance[key]) if distance[key] < len(waiting) else chosen.setdefault(key)
    taken = True
    while taken and len(chosen) < limit:
        taken, at = False, 0
        while at < len(waiting) and at != depth and len(chosen) < limit:  # take() may append to waiting
            while waiting[at] and waiting[at][0] in chosen:
                waiting[at].popleft()
            if waiting[at]:
                take(waiting[at].popleft(), at)
                taken = True
            at += 1
    return [key for key in tree if key in chosen]


def _distances(tree: dict[Key, Branch]) -> dict[Key, int]:
    """Return the distance of each table from the root."""
    found = dict.fromkeys(list(tree)[:1], 0)
    for key, branch in tree.items():  # breadth first: a table comes after the one that leads to it
        for _, to in branch.links:
            found.setdefault(to, found[key] + 1)
    return found


class Side:
    """One of the two trees, the guest's or the shadow's, and the choice of its tables for a scene."""

    def __init__(self, builder: SceneBuilder, kind: str, gvas: list[int]) -> None:
        self.builder, self.kind, self.gvas = builder, kind, gvas
        guest = kind == "guest"
        self.tree = (guest_tree if guest else shadow_tree)(builder.vm)
        self.paths: list[Path] = [(guest_path if guest else shadow_path)(builder.vm, gva) for gva in gvas]
        self.given = [step.table for path in self.paths for step in path.steps]
        self.chosen: list[Key] = []

    @property
    def total(self) -> int:
        """The number of tables in the tree."""
        return sum(key != ROOTS for key in self.tree)

    @property
    def count(self) -> int:
        """The number of tables that are drawn."""
        return sum(key != ROOTS for key in self.chosen)

    @functools.cached_property
    def levels(self) -> int:
        """The number of levels of the whole tree."""
        return max(_distances(self.tree).values(), default=-1) + 1

    def choose(self, limit: int, depth: int | None, prefer: Collection[Key] = ()) -> None:
        """Choose the tables to draw with the function `choose`."""
        self.chosen = choose(self.tree, limit, depth, self.given, prefer)

    def draw(self, fold: int, frames: bool) -> None:
        """Add the chosen tables with their rows to the scene, paths first. ``frames``: whether to show reverse maps."""
        builder = self.builder
        for rank, path in enumerate(self.paths):
            builder.path(rank, path, self.kind, rmap=frames)
        there = set(self.chosen)
        for rank, key in enumerate(self.chosen):
            branch = self.tree[key]
            builder.table(key, self.kind, branch.level, len(self.paths) + rank, branch.number)
            links = {index: to for index, to in branch.links if to in there}
            first = {to: index for index, to in reversed(links.items())}
            free = fold - len(first)
            for index, value in used_entries(builder.vm, key):
                leads = index in links and first[links[index]] == index
                if leads or free > 0:
                    builder.row(key, branch.level, index, value)
                    free -= not leads
                    if index in links:
                        builder.edge(key.entry(index), links[index], self.kind)

    def depth_note(self, depth: int | None) -> list[str]:
        """Return a note on what ``depth`` left out, if anything."""
        levels = self.levels
        if depth is None or depth >= levels:
            return []
        return [f"{depth} of {levels} {self.kind} levels are drawn; depth={depth + 1} draws the next"]


def _one_side(side: Side, limits: Limits) -> None:
    focus = bool(side.gvas)
    side.choose(limits.tables(focus), limits.depth)
    side.draw(limits.rows(focus), frames=False)


def _shadowed(vm: Machine, keys: Iterable[Key]) -> set[Key]:
    """Return the keys of the guest tables that these shadow pages shadow."""
    pages = [vm.pool.pages[key.page] for key in keys if key.kind == SHADOW]
    return {guest_table(page.gfn) for page in pages if not page.metaphysical}


def _title(vm: Machine, what: str, gvas: list[int]) -> str:
    about = f"on the path of {', '.join(f'{gva:#x}' for gva in gvas)}" if gvas else "from the root down"
    return f"{mode_of_levels(vm.root_level).guest}: {what}, {about}"


def _count_notes(sides: list[tuple[Side, str]], limits: Limits, focus: bool) -> list[str]:
    """Return notes that state how many tables are drawn, what ``depth`` left out, and how to see more."""
    notes = [note for side, _ in sides for note in side.depth_note(limits.depth)]
    there = sum(side.total for side, _ in sides)
    if sum(side.count for side, _ in sides) < there:
        parts = [f"{side.count} of {plural(side.total, name)}" for side, name in sides if side.tree]
        most = max(limits.tables(focus), sum(side.count for side, _ in sides))
        tail = f"; limit={more(most, there)} draws more" if not notes else ""
        notes.insert(0, f"{' and '.join(parts)} are drawn{tail}")
    return notes


def _unreached_note(vm: Machine, tree: dict[Key, Branch]) -> list[str]:
    """Return a note with the number of pages in use that this root doesn't lead to.

    They belong to other address spaces, or their parents were zapped.
    """
    count = sum(shadow_page(page.id) not in tree for page in vm.pool.active)
    if not count:
        return []
    pages = plural(count, "other page in use is", "other pages in use are")
    return [f"{pages} not reachable from this root; pool(vm) lists all"]


def _fold_note(builder: SceneBuilder, limits: Limits, gvas: list[int]) -> list[str]:
    """Return a note on what ``fold`` left out. If addresses are given, rows outside their paths are left out on purpose."""
    most = limits.rows(bool(gvas))
    if gvas and limits.fold is None:
        return []
    for key, entries in builder.entries.items():
        if key.kind in (GUEST, ROOT, SHADOW) and len(used_entries(builder.vm, key)) > len({entry.key for entry in entries}):
            return [f"about {most} rows of each table are drawn; fold={4 * most or FOLD} draws more"]
    return []


# The fields of an address


def guest_fields(vm: Machine, path: Path) -> list[tuple[int, int, str, int]]:
    """Return the fields of an address in the guest's tables as (lowest bit, number of bits, name, level).

    Level 0 stands for the offset in the page, and level -1 for the gfn in a guest with paging off.
    """
    if vm.root_level == NONPAGING:
        return [(12, 20, "gfn", -1), (0, 12, "offset", 0)]
    bits, last = guest_format(vm.root_level).index_bits, path.steps[-1] if path.steps else None
    large = last is not None and last.entry & PRESENT and maps_large(vm, last.level, last.entry)
    names = {**LEVELS, 3: "PDPT"}
    levels = range(vm.root_level, 1 if large else 0, -1)
    widths = {level: 2 if level == 3 and vm.root_level == ROOT_PAE else bits for level in levels}
    fields = [(PAGE_SHIFT + bits * (level - 1), widths[level], names[level], level) for level in levels]
    return [*fields, (0, PAGE_SHIFT + bits * bool(large), "offset", 0)]


def shadow_fields(vm: Machine) -> list[tuple[int, int, str, int]]:
    """Return the fields of an address in the shadow tables: 9 bits per level, except 2 for the top one of three levels."""
    top = [(39, 9, "L4", 4), (30, 9, "L3", 3)] if vm.root_level == ROOT_64 else [(30, 2, "root", 3)]
    return [*top, (21, 9, "L2", 2), (12, 9, "L1", 1), (0, 12, "offset", 0)]


def _field(table: Key, gva: int, low: int, bits: int, name: str, level: int, mark: str) -> Entry:
    key, value = table.entry(63 - low), gva >> low & (1 << bits) - 1
    text = f"{value:#x}" if level < 1 else str(value)
    says = f"bits {low} to {low + bits - 1}: {value:#x}"
    return Entry(key, f"{low + bits - 1}-{low}", name, text, mark, says)


def _selections(builder: SceneBuilder, table: Key, gva: int, path: Path) -> None:
    """Add an edge from each field to the entry that it selects."""
    vm = builder.vm
    guest = table == "w:guest"
    fields = guest_fields(vm, path) if guest else shadow_fields(vm)
    low = {level: low for low, _, _, level in fields}
    for step in path.steps:
        if step.level in low:
            builder.edge(table.entry(63 - low[step.level]), step.key, "link")


def _guest_result(vm: Machine, gva: int, path: Path) -> tuple[str, str]:
    """Return where the guest's walk ends, as a title line and as a note."""
    if path.gfn is None:
        last = path.steps[-1]
        where = f"entry {last.index} of the {LEVELS[last.level]}"
        return f"ends in the {LEVELS[last.level]}: #PF", f"{where} isn't present; {GUEST_FAULT}"
    gpa = path.gfn << PAGE_SHIFT | gva & PAGE_SIZE - 1
    device = "; there is no memory, so the access is emulated" if path.hfn is None else ""
    said = f"{NOT_PAGING}" if vm.root_level == NONPAGING else f"gpa {gpa:#x}"
    return f"gpa {gpa:#x}", said + device


def _shadow_result(vm: Machine, gva: int, path: Path) -> tuple[str, str]:
    """Return where the processor's walk of the shadow tables ends, as a title line and as a note."""
    if not path.steps:
        return "no root", "there is no root"
    if path.hfn is None:
        last = path.steps[-1]
        where = "entry " * (last.table != ROOTS) + key_name(last.key)
        what = "says that there is no memory" if last.level == 1 and last.entry else "isn't present"
        return f"ends at L{last.level}: fault", f"{where} {what}; {SHADOW_FAULT}"
    hpa = path.hfn << PAGE_SHIFT | gva & PAGE_SIZE - 1
    gfn = vm.memory.gfns[path.hfn]
    whose = "no longer a guest frame" if gfn is None else f"gpa {gfn << PAGE_SHIFT | gva & PAGE_SIZE - 1:#x}"
    return f"hpa {hpa:#x}", f"hpa {hpa:#x}, which is {whose}; {KERNEL_READ} does not fault"
