# SPDX-License-Identifier: GPL-2.0-only
"""A picture of the roots: what the guest's registers select, the root or the root slots, and the pool with the pins of roots.

A *pin* is the root count of a shadow page: as long as it isn't 0, the page is in use as a root and isn't freed. Each page that
was made as a root has a row; the other pages of the pool are counted.
"""

from __future__ import annotations

from collections import Counter

from ..inspect.keys import PDPT, ROOTS, Key, shadow_page
from ..mmu.bits import BASE_MASK, INVALID_PAGE, NONPAGING, PAGE_SHIFT, PRESENT, ROOT_32, ROOT_64, ROOT_PAE, mode_of_levels
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_SHADOW, PAE_ROOT
from ..mmu.pool import NUM_PAGES, ShadowPage
from ..mmu.shadow import entries_with
from .scene import Entry, Marks, Scene
from .scene_builder import LIMIT, SceneBuilder, more, plural, shadow_entry

CR3, TOP, PAGES, POOL = Key("l:cr3"), Key("l:root"), Key("l:roots"), Key("l:pool")
"""The boxes of this picture: the guest's CR3, the root of a shadow of four levels, the pages that are or were roots, and the
rest of the pool."""

PINNED, KEPT = "●", "○"
"""The signs of a page that is in use as a root, and of one that isn't."""

MODES = {NONPAGING: "no paging", ROOT_32: "32-bit", ROOT_PAE: "PAE", ROOT_64: "64-bit"}


def root_slots_scene(vm: Machine, marks: Marks | None = None, limit: int | None = None) -> Scene:
    """Return the roots in use and the shadow pages that were roots. ``limit``: the maximum number of these pages.

    Pinned pages are drawn first, then those that were made last. Pages that were roots in another mode share a row.
    """
    builder, most = SceneBuilder(vm, marks), LIMIT if limit is None else limit
    every = [page for page in reversed(vm.pool.active) if is_root_page(page)]
    single = [page for page in every if page.root_count or page.glevels == vm.root_level]
    drawn = sorted(single, key=lambda page: not page.root_count)[:most]
    _guest(builder)
    slots = _slots(builder)
    lines = (f"{PINNED} pinned: in use, never freed", f"{KEPT} kept: found again by its name")
    rows = _other_modes([page for page in every if page not in single]) + [_page(builder, page) for page in drawn]
    rest = f"{len(single) - len(drawn)} more" if len(drawn) < len(single) else ""
    builder.box(PAGES, "shadow", 1, 0, "root pages", lines, rows, rest)
    _leads(builder, slots, {page.id for page in drawn})
    _rest(builder)
    pinned = sum(bool(page.root_count) for page in every)
    words = plural(pinned, "root page is", "root pages are") if pinned else "no root page is"
    notes = [f"{words} pinned, {len(every) - pinned} kept"]
    if rest:
        notes.append(f"{len(drawn)} of {len(single)} are drawn; limit={more(most, len(single))} draws more")
    return builder.scene(f"{mode_of_levels(vm.root_level).guest}: the roots, and the pool with their pins", notes)


def is_root_page(page: ShadowPage) -> bool:
    """Return whether a page has the level of a root in the mode for which it was made."""
    return page.level == (ROOT_64 if page.glevels == ROOT_64 else ROOT_32)


def _other_modes(pages: list[ShadowPage]) -> list[Entry]:
    """Return a row for each other mode, which counts the pages that were made as its roots."""
    counts = Counter(page.glevels for page in pages)
    return [
        Entry(
            PAGES.entry(number),
            f"{counts[mode]} x",
            KEPT,
            MODES[mode],
            "",
            f"{plural(counts[mode], 'root page')}, {MODES[mode]}",
        )
        for number, mode in enumerate(MODES, -len(MODES))
        if counts[mode]
    ]


def _page(builder: SceneBuilder, page: ShadowPage) -> Entry:
    """Return the row of a page that is or was a root."""
    part = f" q{page.quadrant}" if page.glevels == ROOT_32 else f" GB {page.quadrant}" if page.glevels == NONPAGING else ""
    used = plural(len(entries_with(builder.vm, page)), "entry", "entries")
    pins = f"pinned {page.root_count} times" if page.root_count > 1 else "pinned" if page.root_count else "not pinned"
    says = f"shadow page #{page.id} of gfn {page.gfn:#x}, level {page.level}, {MODES[page.glevels]}{part}: {pins}, {used}"
    sign = PINNED * page.root_count if page.root_count else KEPT
    key = PAGES.entry(NUM_PAGES - page.id)
    return Entry(
        key, f"#{page.id}", sign, f"{MODES[page.glevels]} gfn {page.gfn:#x}{part}", builder.mark(shadow_page(page.id)), says
    )


def _guest(builder: SceneBuilder) -> None:
    """Add what the guest's registers select: nothing, a table, or four PDPTEs."""
    vm = builder.vm
    mode, cr3 = MODES[vm.root_level], vm.cpu.cr3
    if vm.root_level == ROOT_PAE:
        rows = []
        for index, value in enumerate(vm.cpu.pdptrs):
            target = f"gfn {(value & BASE_MASK) >> PAGE_SHIFT:#x}" if value & PRESENT else "not present"
            rows.append(Entry(PDPT.entry(index), str(index), "", target, builder.mark(PDPT.entry(index)), f"PDPTE {index}"))
        builder.box(PDPT, "guest", 2, 0, "the guest's PDPT", (f"CR3 {cr3:#x}, {mode}",), rows)
        return
    if vm.root_level == NONPAGING:
        builder.box(CR3, "guest", 2, 0, "the guest's CR3", (mode, f"{cr3:#x} is not used yet"))
        return
    row = Entry(CR3.entry(0), "", "", f"gfn {cr3 >> PAGE_SHIFT:#x}", "", f"the root table is in gfn {cr3 >> PAGE_SHIFT:#x}")
    builder.box(CR3, "guest", 2, 0, "the guest's CR3", (mode,), [row])


def _slots(builder: SceneBuilder) -> list[Entry]:
    """Add what the processor's own CR3 leads to: the root, or the four root slots. Returns the rows."""
    vm = builder.vm
    if vm.shadow_root_level == ROOT_64:
        target = "none" if vm.root == INVALID_PAGE else f"#{(vm.root >> PAGE_SHIFT) - FIRST_SHADOW}"
        rows = [Entry(TOP.entry(0), "", "", target, "", "the root of the shadow tables")]
        builder.box(TOP, "shadow", 2, 0, "root", ("the processor's CR3",), rows)
        return rows
    rows = []
    for index in range(4):
        value = shadow_entry(vm, PAE_ROOT, index)
        there = value != INVALID_PAGE and value & PRESENT
        target = f"#{((value & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW}" if there else "none"
        rows.append(Entry(ROOTS.entry(index), str(index), "", target, builder.mark(ROOTS.entry(index)), f"for GB {index}"))
    builder.box(ROOTS, "shadow", 2, 0, "root slots", ("one for each GB",), rows)
    return rows


def _leads(builder: SceneBuilder, slots: list[Entry], drawn: set[int]) -> None:
    """Add the edges from the root or the root slots to their pages, and from the guest's root to them."""
    for slot in slots:
        if slot.target.startswith("#") and int(slot.target[1:]) in drawn:
            builder.edge(slot.key, PAGES.entry(NUM_PAGES - int(slot.target[1:])), "shadow")
    guest, top = (next(key for key in pair if key in builder.tables) for pair in ((PDPT, CR3), (ROOTS, TOP)))
    if builder.vm.root_level != NONPAGING:
        builder.edge(guest, top, "shadows")


def _rest(builder: SceneBuilder) -> None:
    """Add the box that counts the other shadow pages, and the free ones."""
    pool = builder.vm.pool
    others = [page for page in pool.active if not is_root_page(page)]
    counts = Counter(page.level for page in others)
    changed = {page.level for page in others if builder.mark(shadow_page(page.id)) in ("new", "changed", "dead")}
    rows = [
        Entry(POOL.entry(4 - level), f"L{level}", "", plural(counts[level], "page"), "changed" * (level in changed))
        for level in (3, 2, 1)
        if counts[level]
    ]
    rows.append(Entry(POOL.entry(9), "free", "", plural(len(pool.free), "page")))
    builder.box(POOL, "list", 0, 0, "rest of the pool", (f"of {NUM_PAGES} shadow pages",), rows)
