# SPDX-License-Identifier: GPL-2.0-only
"""A picture of a large page, and of memory without paging: one entry at the top, and 4 KiB pieces that are mapped one by one.

The guest has one entry, or none if it isn't paging. The host has shadow pages of level 1 that shadow no table, and makes an
entry there for each piece that the guest has used. The large page is one grey box, with a row for each piece that is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from ..inspect.keys import Key, large_page, shadow_page
from ..inspect.paths import PathEntry, guest_entry, guest_path, made_from, maps_large, shadow_path
from ..mmu.bits import BASE_MASK, NONPAGING, PAGE_SHIFT, PRESENT, WRITABLE, guest_format, mode_of_levels
from ..mmu.machine import Machine
from ..mmu.pool import ShadowPage
from ..mmu.shadow import page_of
from .page_tables import NOT_PAGING, hierarchy_scene
from .scene import Entry, Marks, Scene
from .scene_builder import ACCESS, SceneBuilder, more, plural, used_entries
from .scene_builder import large_page as size_of

PIECES = 6
"""Number of used entries of a shadow page that are drawn by default, beside those of the given addresses."""

MOST_PARENTS = 4
"""Maximum number of entries that lead to a shadow page and are drawn."""

ORPHAN = "no entry leads here"


class Span(NamedTuple):
    """A large page, or 2 MB of memory of a guest that isn't paging: its first gfn and the number of its pieces."""

    gfn: int
    pieces: int


def span_of(vm: Machine, gva: int) -> Span | None:
    """Return the large page to which the guest maps gva, or None if it maps gva otherwise, or not at all."""
    if vm.root_level == NONPAGING:
        return Span(gva >> PAGE_SHIFT & ~511, 512)
    path = guest_path(vm, gva)
    last = path.steps[-1]
    if path.gfn is None or not maps_large(vm, last.level, last.entry):
        return None
    count = 1 << guest_format(vm.root_level).index_bits
    return Span(path.gfn & -count, count)


def large_page_scene(vm: Machine, gvas: Iterable[int], marks: Marks | None = None, limit: int | None = None) -> Scene:
    """Return the large page to which the first of ``gvas`` is mapped, with everything that maps it.

    This includes shadow pages of its pieces that no entry leads to at the moment, but which a look-up would find. The other
    addresses add the entries on their paths, if they are in the same large page. ``limit``: the number of used entries of a
    shadow page that are drawn. If the first address is in no large page, its path is drawn, and a note says so.
    """
    chosen, most = list(gvas), PIECES if limit is None else limit
    span = span_of(vm, chosen[0]) if chosen else None
    if span is None:
        scene = hierarchy_scene(vm, chosen, marks)
        why = f"the guest doesn't map {chosen[0]:#x} with a large page" if chosen else "no address is given"
        return replace(scene, notes=(*scene.notes, why))
    return _LargePage(vm, marks, span, most).scene([gva for gva in chosen if span_of(vm, gva) == span])


def fan_out(*gvas: int, limit: int | None = None) -> Callable[[Machine, Marks], Scene]:
    """Return what draws a large page in each step of a film: ``watch(operation, vm, draw=fan_out(gva))``.

    For the arguments, see `large_page_scene`. Addresses aren't checked here.
    """
    return lambda vm, marks: large_page_scene(vm, gvas, marks, limit)


class _LargePage:
    """Draws one large page."""

    def __init__(self, vm: Machine, marks: Marks | None, span: Span, most: int) -> None:
        self.vm, self.span, self.most = vm, span, most
        self.builder = SceneBuilder(vm, marks)
        self.box = large_page(span.gfn)
        self.rows: dict[int, Entry] = {}
        """The rows of the pieces, by number."""

    def scene(self, gvas: list[int]) -> Scene:
        """Return the scene. ``gvas``: addresses in this large page."""
        vm, builder = self.vm, self.builder
        for rank, gva in enumerate(gvas):
            self._guest(rank, gva)
            self._path(rank, gva)
        pages = self._pages()
        left = [self._page(len(gvas) + rank, page) for rank, page in enumerate(pages)]
        self._leaves()
        self._memory(gvas)
        builder.correspondences()
        mode = mode_of_levels(vm.root_level).guest
        notes = [NOT_PAGING] if vm.root_level == NONPAGING else []
        if any(left):
            notes.append(f"{sum(left)} used entries aren't drawn; limit={more(self.most, self.most + max(left))} draws more")
        where = f"gfn {self.span.gfn:#x}"
        if vm.root_level == NONPAGING:
            return builder.scene(f"{mode}: the 2 MB of memory at {where}, mapped in pieces of 4 KiB", notes)
        return builder.scene(f"{mode}: the {size_of(vm.root_level)} page at {where}, shadowed in pieces of 4 KiB", notes)

    def _guest(self, rank: int, gva: int) -> None:
        """Add the guest's entry that maps the large page."""
        steps = guest_path(self.vm, gva).steps
        if steps:
            self.builder.step(rank, steps[-1], "guest", 2)
            self.builder.on_path[steps[-1].key] = None
            self.builder.edge(steps[-1].key, self.box, "guest")

    def _path(self, rank: int, gva: int) -> None:
        """Add the entries of the two lowest shadow levels, and the root slot if the guest isn't paging."""
        builder, top = self.builder, 3 if self.vm.root_level == NONPAGING else 2
        steps = [step for step in shadow_path(self.vm, gva).steps if step.level <= top]
        for step in steps:
            builder.step(rank, step, "shadow")
            builder.on_path[step.key] = None
        for step, then in pairwise(steps):
            builder.edge(step.key, then.table, "shadow")

    def _pages(self) -> list[ShadowPage]:
        """Return the shadow pages of the pieces, in use in the present mode: those that entries lead to, and the others."""
        vm, first, end = self.vm, self.span.gfn, self.span.gfn + self.span.pieces
        return [
            page
            for page in vm.pool.active
            if page.metaphysical and page.level == 1 and page.glevels == vm.root_level and first <= page.gfn < end
        ]

    def _page(self, rank: int, page: ShadowPage) -> int:
        """Add a shadow page of pieces and the entries that lead to it. Returns how many used entries are left out."""
        vm, builder, key = self.vm, self.builder, shadow_page(page.id)
        builder.table(key, "shadow", 1, rank, page.id)
        parents = list(vm.parents.sptes(page))
        builder.tables[key] = replace(builder.tables[key], words=self._words(page, bool(parents)))
        for spte in parents[:MOST_PARENTS]:
            above = vm.pool.pages[page_of(spte)]
            entry = PathEntry(shadow_page(above.id), 2, above.id, spte & 511, vm.memory.words[spte])
            builder.step(rank, entry, "shadow")
            builder.edge(entry.key, key, "shadow")
            made = made_from(vm, above, spte & 511)
            if made is not None:
                self._made_from(rank, *made)
        used = used_entries(vm, key)
        there = {row.key for row in builder.entries[key]}
        others = [(index, value) for index, value in used if key.entry(index) not in there]
        for index, value in others[: self.most]:
            builder.row(key, 1, index, value)
        return max(0, len(others) - self.most)

    def _made_from(self, rank: int, gfn: int, index: int) -> None:
        """Add the guest's entry from which a link to a page of pieces was made, if it still maps this large page."""
        vm, value = self.vm, guest_entry(self.vm, gfn, index)
        entry = PathEntry(Key(f"g:{gfn:x}"), 2, gfn, index, value)
        self.builder.step(rank, entry, "guest", 2)
        target = (value & guest_format(vm.root_level).base) >> PAGE_SHIFT
        if value & PRESENT and maps_large(vm, 2, value) and target & -self.span.pieces == self.span.gfn:
            self.builder.edge(entry.key, self.box, "guest")

    def _words(self, page: ShadowPage, linked: bool) -> tuple[str, ...]:
        """Return the lines of a page of pieces: its gfn, and the rights in its role."""
        half = f" · {('first', 'second')[page.quadrant & 1]} 2 MB" if self.span.pieces > 512 else ""
        words = [f"of gfn {page.gfn:#x}{half}", "no guest table"]
        words += [f"role: {ACCESS[page.access]}"] * bool(page.glevels) + [ORPHAN] * (not linked)
        return tuple(words)

    def _leaves(self) -> None:
        """Add the edges from the drawn level-1 entries to their pieces."""
        vm, builder = self.vm, self.builder
        for key in [key for key in builder.tables if key.kind == "s" and vm.pool.pages[key.page].level == 1]:
            page = vm.pool.pages[key.page]
            half = page.quadrant & 1 if self.span.pieces > 512 else 0
            for row in builder.entries[key]:
                index = int(Key(row.key).row)
                value = vm.memory.words[key.entry(index).spte]
                self._piece(half << 9 | index)
                if value & PRESENT and row.mark != "dead":
                    builder.edge(row.key, self._target(value), "shadow" if value & WRITABLE else "readonly")

    def _target(self, value: int) -> Key:
        """Return the key of what a level-1 entry leads to: a piece, or a frame elsewhere."""
        hfn = (value & BASE_MASK) >> PAGE_SHIFT
        gfn = self.vm.memory.gfns[hfn]
        if gfn is None or not self.span.gfn <= gfn < self.span.gfn + self.span.pieces:
            return self.builder.frame(1, hfn, gfn)
        return self._piece(gfn - self.span.gfn)

    def _piece(self, number: int) -> Key:
        """Add the row of a piece, and return its key."""
        key, gfn = self.box.entry(number), self.span.gfn + number
        mark = self.builder.mark(f"f:{gfn:x}:rmap")
        self.rows[number] = Entry(key, str(number), "", f"gfn {gfn:#x}", mark, f"piece {number}: gfn {gfn:#x}")
        return key

    def _memory(self, gvas: list[int]) -> None:
        """Add the box of the large page."""
        size, (first, count) = PAGE_SHIFT + self.span.pieces.bit_length() - 1, self.span
        for gva in gvas:
            self.builder.on_path[self._piece(gva >> PAGE_SHIFT & count - 1)] = None
        title = f"{1 << size - 20} MB of memory" if self.vm.root_level == NONPAGING else f"{1 << size - 20} MB page"
        words = (f"gfn {first:#x} to {first + count - 1:#x}", f"{count} pieces of 4 KiB")
        if self.vm.memory.frames[first] is None:
            words = (words[0], "no memory: a device")
        rest = f"{plural(count - len(self.rows), 'more piece')}" if len(self.rows) < count else ""
        self.builder.box(self.box, "frame", 0, 0, title, words, list(self.rows.values()), rest)
