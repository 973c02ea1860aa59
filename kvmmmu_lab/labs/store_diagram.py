# SPDX-License-Identifier: GPL-2.0-only
"""`store_diagram`: a store to a page table, the shadow entries that it zaps, and how their indices follow from its offset."""

from __future__ import annotations

from dataclasses import replace

from ..draw import scene_builder
from ..draw.pictures import Picture
from ..draw.scene import Entry, Marks, Scene, Table
from ..draw.scene_builder import SceneBuilder
from ..inspect.entries import flags, guest_target
from ..inspect.keys import Key, guest_table, shadow_page, spte_key
from ..inspect.paths import guest_entry, made_from
from ..mmu import Vm, checks
from ..mmu.bits import BASE_MASK, PAGE_SHIFT, PAGE_SIZE, PRESENT, ROOT_32, guest_format
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_SHADOW
from ..mmu.pool import ShadowPage
from ..mmu.prewrite import FLOOD, crosses_entries, shadow_pages, shadow_range
from ..mmu.shadow import entries_with, page_of
from .watch import Watch, watch

MOST, SKIPPED = 6, 2
"""The maximum number of entries drawn for a page that is zapped as a whole, and of skipped pages drawn for the bucket."""

STEPS, BYTES = Key("a"), Key("g")
SHADOW, ARITHMETIC, GUEST = 1, 2, 3
"""Columns, counted from the right; column 0 contains the targets of the entries."""


def store_diagram(vm: Machine, gpa: int, size: int) -> Picture:
    """Draw which shadow entries a store of ``size`` bytes at ``gpa`` zaps, and how they are computed. Nothing is stored.

    The picture contains the pages in the hash bucket of the gfn; for those that don't shadow the written table, it gives the
    reason why they are skipped. Raises InputError if the bytes aren't inside one page of memory.
    """
    return Picture(StoreDiagram(vm, gpa, size).scene(vm, Marks()))


def watch_store(vm: Vm, gpa: int, value: int, size: int = 8) -> Watch:
    """Emulate a store by the guest, as the host does after a write fault. Each step of the film is a `store_diagram`."""
    diagram = StoreDiagram(vm, gpa, size)
    return watch(lambda: vm.emulate_write_gpa(gpa, value, size), vm, draw=diagram.scene)


class StoreDiagram:
    """The diagram of a store. Its pages and entries are chosen before the store, and stay the same at each step of a film."""

    def __init__(self, vm: Machine, gpa: int, size: int) -> None:
        checks.ram(vm, gpa, checks.size(size))
        self.write = write = PteWrite(vm, gpa >> PAGE_SHIFT, gpa % PAGE_SIZE, size)
        self.pages = sorted(write.pages, key=lambda page: (-page.level, page.role))
        skipped = [page for page in vm.pool.bucket(write.gfn) if page not in self.pages]
        self.bucket, self.undrawn = [*self.pages, *skipped[:SKIPPED]], len(skipped[SKIPPED:])
        self.level = self.pages[0].level if self.pages else 1
        self.zapped = {page.id: self._zapped(vm, page) for page in self.pages}
        self.headings = {page.id: scene_builder.page_heading(page) for page in self.bucket}
        sptes = [spte for zapped in self.zapped.values() for spte in zapped]
        self.values = {spte: vm.memory.words[spte] for spte in sptes if vm.memory.words[spte] & PRESENT}

    def _zapped(self, vm: Machine, page: ShadowPage) -> list[int]:
        """Return the zapped entries of a page that are drawn: at most `MOST` if the whole page is zapped."""
        return entries_with(vm, page)[:MOST] if self.write.whole_page else list(self.write.sptes(page))

    def scene(self, vm: Machine, marks: Marks) -> Scene:
        """Return the diagram at one step of the store."""
        draft = SceneBuilder(vm, marks)
        self._draw_guest_table(draft)
        self._draw_arithmetic(draft)
        for rank, page in enumerate(self.bucket):
            self._draw_shadow_page(draft, rank, page)
        self._draw_targets(draft)
        gfn, first, last = self.write.gfn, self.write.offset, self.write.offset + self.write.size - 1
        notes = [] if self.pages else [f"gfn {gfn:#x} isn't shadowed as a page table, so nothing is zapped"]
        notes += [f"skipped: {scene_builder.plural(self.undrawn, 'more page')} in the bucket"] * bool(self.undrawn)
        stored = f"byte {first:#x}" if first == last else f"bytes {first:#x} to {last:#x}"
        scene = draft.scene(f"A store to {stored} of gfn {gfn:#x}", notes)
        return replace(scene, tables=tuple(self._with_origins(vm, table) for table in scene.tables))

    def _draw_guest_table(self, draft: SceneBuilder) -> None:
        """Draw the written entries, their neighbours, and the entries from which other zapped entries were made."""
        write = self.write
        last = PAGE_SIZE // write.entry_size - 1
        near = {index for at in write.indices for index in (at - 1, at, at + 1) if 0 <= index <= last}
        for spte in self.values:
            origin = made_from(draft.vm, draft.vm.pool.pages[page_of(spte)], spte & 511)
            near |= {origin[1]} if origin is not None and origin[0] == write.gfn else set()
        entries = f"{last + 1} entries of {write.entry_size} bytes"
        words = (f"gfn {write.gfn:#x}", entries if self.pages else "not shadowed as a table")
        names = {scene_builder.LEVELS[page.level] for page in self.pages}
        title = f"the guest's {names.pop() if len(names) == 1 else 'table' if names else 'page'}"
        rows = [self._guest_entry(draft, index) for index in sorted(near)]
        draft.box(BYTES, "stored" if self.pages else "list", GUEST, 0, title, words, rows)

    def _guest_entry(self, draft: SceneBuilder, index: int) -> Entry:
        gfn, size = self.write.gfn, self.write.entry_size
        first, value = index * size, guest_entry(draft.vm, gfn, index)
        key = guest_table(gfn).entry(index)
        target = f"{flags(value)} {guest_target(draft.vm, self.level, value)}" if value else "empty"
        written = [guest_table(gfn).entry(at) for at in self.write.indices] if index in self.write.indices else [key]
        mark = next(filter(None, map(draft.mark, written)), "read" if index in self.write.indices else "")
        return Entry(
            key, str(index), f"at {first:#x}", target.replace("gfn ", ""), mark, f"bytes {first:#x} to {first + size - 1:#x}"
        )

    def _draw_arithmetic(self, draft: SceneBuilder) -> None:
        """Draw the arithmetic from the written entries to the zapped ones, line by line."""
        write = self.write
        rows = [Entry(STEPS.entry(at), name, "", value) for at, (name, value) in enumerate(self._arithmetic())]
        draft.box(STEPS, "list", ARITHMETIC, 0, "which entry?", (f"write {write.in_a_row} in a row to this gfn",), rows)
        for index in write.indices:
            draft.edge(guest_table(write.gfn).entry(index), rows[0].key, "link")
        for id, zapped in self.zapped.items():
            for target in [shadow_page(id)] if write.whole_page else map(spte_key, zapped):
                draft.edge(rows[-1].key, target, "link")

    def _arithmetic(self) -> list[tuple[str, str]]:
        """Return the steps from the offset to the index in the shadow pages, as (operation, result) pairs."""
        offset, indices = self.write.offset, self.write.indices
        if not self.pages:
            return [("offset", f"{offset:#x}"), ("so", "no entry")]
        if self.write.whole_page:
            two = [("entries", f"{indices[0]} and {indices[-1]}")] * self.write.misaligned
            return [("offset", f"{offset:#x}"), *two, ("so", "the whole page")]
        steps = [("offset", f"{offset:#x}")]
        if any(page.glevels == ROOT_32 for page in self.pages):
            offset *= 2
            steps.append(("x 2", f"{offset:#x}"))
            if self.level == 2:
                offset &= ~7
                steps.append(("& ~7", f"{offset:#x}"))
                offset *= 2
                steps.append(("x 2", f"{offset:#x}"))
            offset %= PAGE_SIZE
            steps.append(("& 0xfff", f"{offset:#x}"))
        pair = f" and {offset // 8 + 1}" if any(len(zapped) > 1 for zapped in self.zapped.values()) else ""
        return [*steps, ("/ 8", f"entry {offset // 8}{pair}")]

    def _draw_shadow_page(self, draft: SceneBuilder, rank: int, page: ShadowPage) -> None:
        """Draw a page of the bucket with those of its entries that are zapped."""
        key, vm = shadow_page(page.id), draft.vm
        title, words = self.headings[page.id]
        if page not in self.pages:
            reason = "another gfn" if page.gfn != self.write.gfn else "no guest table"
            draft.box(key, "shadow", SHADOW, rank, title, (*words, f"skipped: {reason}"))
            return
        draft.table(key, "shadow", page.level, rank, page.id, SHADOW)
        in_use = vm.pool.pages[page.id] in vm.pool.active
        draft.tables[key] = replace(draft.tables[key], title=title, words=words if in_use else (*words, "freed"))
        for spte in self.zapped[page.id]:
            draft.row(key, page.level, spte & 511, vm.memory.words[spte])

    def _with_origins(self, vm: Machine, table: Table) -> Table:
        """Add to each entry of a shadow page the index of the guest entry from which KVM makes it."""
        page = next((page for page in self.pages if shadow_page(page.id) == table.key), None)
        if page is None:
            return table
        origins = [(entry, made_from(vm, page, entry.order)) for entry in table.entries]
        rows = [replace(entry, target=f"{entry.target} (from {of[1]})" if of else entry.target) for entry, of in origins]
        return replace(table, entries=tuple(rows))

    def _draw_targets(self, draft: SceneBuilder) -> None:
        """Draw the targets of the zapped entries: frames with their reverse maps, shadow pages with their number of parents."""
        for rank, (spte, value) in enumerate(self.values.items()):
            page, hfn = draft.vm.pool.pages[page_of(spte)], (value & BASE_MASK) >> PAGE_SHIFT
            if page.level > 1:
                target = self._draw_child(draft, rank, hfn - FIRST_SHADOW)
            else:
                target = draft.frame(rank, hfn, draft.vm.memory.gfns[hfn])
            if draft.vm.memory.words[spte] & PRESENT:
                draft.edge(spte_key(spte), target, "shadow")
        draft.reverse_maps()

    @staticmethod
    def _draw_child(draft: SceneBuilder, rank: int, id: int) -> Key:
        """Draw the shadow page below an entry, and return its key."""
        key, page = shadow_page(id), draft.vm.pool.pages[id]
        if key not in draft.tables:
            draft.table(key, "shadow", page.level, rank, id, 0)
            parents = len(list(draft.vm.parents.sptes(page)))
            words = scene_builder.plural(parents, "parent") if parents else "no parent"
            draft.tables[key] = replace(draft.tables[key], words=(*draft.tables[key].words, words))
        return key


# The write itself


class PteWrite:
    """A write of ``size`` bytes at ``offset`` of the guest table in ``gfn``, and the entries that it zaps (mmu.c:1140-1212).

    ``entry_size``: the size of a guest entry in bytes; ``pages``: the table's shadow pages; ``in_a_row``: the number of
    consecutive writes to this gfn, including this one.
    """

    def __init__(self, vm: Machine, gfn: int, offset: int, size: int) -> None:
        self.gfn, self.offset, self.size = gfn, offset, size
        self.entry_size = guest_format(vm.root_level).size
        self.pages = sorted(shadow_pages(vm, gfn), key=lambda page: page.role)
        self.in_a_row = vm.last_pt_write_count + 1 if gfn == vm.last_pt_write_gfn else 1

    @property
    def indices(self) -> range:
        """The indices of the guest entries that are written, wholly or in part."""
        return range(self.offset // self.entry_size, (self.offset + self.size - 1) // self.entry_size + 1)

    @property
    def misaligned(self) -> bool:
        """Whether the write crosses the boundary between two entries."""
        return crosses_entries(self.entry_size, self.offset, self.size)

    @property
    def whole_page(self) -> bool:
        """Whether the write zaps the table's shadow pages as a whole."""
        return self.misaligned or self.in_a_row >= FLOOD

    def sptes(self, page: ShadowPage) -> range:
        """Return the entries of a shadow page that the write zaps if it doesn't zap the whole page."""
        first, count = shadow_range(page, self.offset)
        return range(first, first + count)
