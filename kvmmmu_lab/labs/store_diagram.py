# SPDX-License-Identifier: GPL-2.0-only
"""A guest's store to a page table as a beam: from the bytes, by arithmetic, to the shadow entries that it hits."""

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
from ..mmu.prewrite import FLOOD, shadow_range
from ..mmu.shadow import entries_with, page_of
from .watch import Watch, watch

MOST, PASSED = 6, 2
"""So many entries are drawn of a page all of which goes; and so many pages of the bucket that are passed by."""

STEPS, BYTES = Key("a"), Key("g")
SHADOW, WAY, GUEST = 1, 2, 3
"""Columns, counted from the right; 0 is for what the entries lead to."""


def store_beam(vm: Machine, gpa: int, size: int) -> Picture:
    """Which shadow entries a store of ``size`` bytes at ``gpa`` would hit, and by which arithmetic. Nothing is stored.

    Drawn are the pages in the hash bucket of the written gfn; those that aren't of its page table say why they are passed by.
    Raises InputError for what isn't inside one page of memory.
    """
    return Picture(Beam(vm, gpa, size).scene(vm, Marks()))


def watch_store(vm: Vm, gpa: int, value: int, size: int = 8) -> Watch:
    """The host carries out a store of the guest's, as after a write fault; a film with the beam for a picture."""
    beam = Beam(vm, gpa, size)
    return watch(lambda: vm.emulate_write_gpa(gpa, value, size), vm, draw=beam.scene)


class Beam:
    """A store that is about to happen. What it concerns is noted now, so that all steps of a film show the same."""

    def __init__(self, vm: Machine, gpa: int, size: int) -> None:
        self.size = checks.size(size)
        checks.ram(vm, gpa, self.size)
        self.gfn, self.offset, self.entry = gpa >> PAGE_SHIFT, gpa % PAGE_SIZE, guest_format(vm.root_level).size
        self.row = vm.last_pt_write_count + 1 if self.gfn == vm.last_pt_write_gfn else 1
        bucket = vm.pool.bucket(self.gfn)
        self.pages = [page for page in bucket if self.is_of(page)]
        self.pages.sort(key=lambda page: (-page.level, page.role))
        passed = [page for page in bucket if page not in self.pages]
        self.bucket, self.left = [*self.pages, *passed[:PASSED]], len(passed[PASSED:])
        self.level = self.pages[0].level if self.pages else 1
        self.hit = {page.id: self._hit(vm, page) for page in self.pages}
        self.headings = {page.id: scene_builder.page_heading(page) for page in self.bucket}
        sptes = [spte for hit in self.hit.values() for spte in hit]
        self.behind = {spte: vm.memory.words[spte] for spte in sptes if vm.memory.words[spte] & PRESENT}

    def is_of(self, page: ShadowPage) -> bool:
        """Whether a page of the bucket shadows the written table."""
        return page.gfn == self.gfn and not page.metaphysical

    @property
    def written(self) -> range:
        """The guest entries of which bytes are written."""
        return range(self.offset // self.entry, (self.offset + self.size - 1) // self.entry + 1)

    @property
    def whole(self) -> bool:
        """Whether all of each page goes."""
        return len(self.written) > 1 or self.row >= FLOOD

    def _hit(self, vm: Machine, page: ShadowPage) -> list[int]:
        if self.whole:
            return entries_with(vm, page)[:MOST]
        first, count = shadow_range(page, self.offset)
        return list(range(first, first + count))

    # The picture

    def scene(self, vm: Machine, marks: Marks) -> Scene:
        """The beam at one step of the store."""
        draft = SceneBuilder(vm, marks)
        self._guest(draft)
        self._way(draft)
        for rank, page in enumerate(self.bucket):
            self._page(draft, rank, page)
        self._behind(draft)
        notes = [] if self.pages else [f"gfn {self.gfn:#x} isn't shadowed as a page table: nothing is hit"]
        notes += [f"{scene_builder.plural(self.left, 'page')} more in the bucket: passed by"] * bool(self.left)
        last = self.offset + self.size - 1
        scene = draft.scene(f"A store to bytes {self.offset:#x} to {last:#x} of gfn {self.gfn:#x}", notes)
        return replace(scene, tables=tuple(self._told(vm, table) for table in scene.tables))

    def _guest(self, draft: SceneBuilder) -> None:
        """The written entries of the guest's table, and those beside them and behind the other entries that are hit."""
        last = PAGE_SIZE // self.entry - 1
        near = {index for at in self.written for index in (at - 1, at, at + 1) if 0 <= index <= last}
        for spte in self.behind:
            made = made_from(draft.vm, draft.vm.pool.pages[page_of(spte)], spte & 511)
            near |= {made[1]} if made is not None and made[0] == self.gfn else set()
        shown = [self._entry(draft, index) for index in sorted(near)]
        words = (f"gfn {self.gfn:#x}", f"{last + 1} entries of {self.entry} bytes")
        names = {scene_builder.LEVELS[page.level] for page in self.pages}
        title = f"the guest's {names.pop() if len(names) == 1 else 'table' if names else 'page'}"
        draft.box(BYTES, "list", GUEST, 0, title, words, shown)

    def _entry(self, draft: SceneBuilder, index: int) -> Entry:
        first, value = index * self.entry, guest_entry(draft.vm, self.gfn, index)
        key = guest_table(self.gfn).entry(index)
        target = f"{flags(value)} {guest_target(draft.vm, self.level, value)}" if value else "empty"
        mark = draft.mark(key) or ("read" if index in self.written else "")
        says = f"bytes {first:#x} to {first + self.entry - 1:#x}"
        return Entry(key, str(index), f"at {first:#x}", target.replace("gfn ", ""), mark, says)

    def _way(self, draft: SceneBuilder) -> None:
        """The arithmetic, line by line."""
        found = [Entry(STEPS.entry(at), name, "", value) for at, (name, value) in enumerate(self._steps())]
        draft.box(STEPS, "list", WAY, 0, "which entry?", (f"write {self.row} in a row to this gfn",), found)
        for index in self.written:
            draft.edge(guest_table(self.gfn).entry(index), found[0].key, "link")
        for id, hit in self.hit.items():
            for target in [shadow_page(id)] if self.whole else map(spte_key, hit):
                draft.edge(found[-1].key, target, "link")

    def _steps(self) -> list[tuple[str, str]]:
        offset = self.offset
        if self.whole:
            two = [("entries", f"{self.written[0]} and {self.written[-1]}")] if len(self.written) > 1 else []
            return [("offset", f"{offset:#x}"), *two, ("so", "all of the page")]
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
        pair = f" and {offset // 8 + 1}" if any(len(hit) > 1 for hit in self.hit.values()) else ""
        return [*steps, ("/ 8", f"entry {offset // 8}{pair}")]

    def _page(self, draft: SceneBuilder, rank: int, page: ShadowPage) -> None:
        """A page of the bucket, with the entries of it that are hit."""
        key, vm = shadow_page(page.id), draft.vm
        if page not in self.pages:
            title, words = self.headings[page.id]
            why = "another gfn" if page.gfn != self.gfn else "no page table"
            draft.box(key, "shadow", SHADOW, rank, title, (*words, f"passed by: {why}"))
            return
        draft.table(key, "shadow", page.level, rank, page.id, SHADOW)
        title, words = self.headings[page.id]
        there = vm.pool.pages[page.id] in vm.pool.active
        draft.tables[key] = replace(draft.tables[key], title=title, words=words if there else (*words, "given back"))
        for spte in self.hit[page.id]:
            draft.row(key, page.level, spte & 511, vm.memory.words[spte])

    def _told(self, vm: Machine, table: Table) -> Table:
        """A page of the written table, each entry with the guest's entry that it is, or would be, made from."""
        page = next((page for page in self.pages if shadow_page(page.id) == table.key), None)
        if page is None:
            return table
        made = [(entry, made_from(vm, page, entry.order)) for entry in table.entries]
        told = [replace(entry, target=f"{entry.target} (from {of[1]})" if of else entry.target) for entry, of in made]
        return replace(table, entries=tuple(told))

    def _behind(self, draft: SceneBuilder) -> None:
        """What the entries lead to, or led to: frames with their reverse maps, shadow pages with their parents."""
        for rank, (spte, value) in enumerate(self.behind.items()):
            page, hfn = draft.vm.pool.pages[page_of(spte)], (value & BASE_MASK) >> PAGE_SHIFT
            if page.level > 1:
                target = self._child(draft, rank, hfn - FIRST_SHADOW)
            else:
                target = draft.frame(rank, hfn, draft.vm.memory.gfns[hfn])
            if draft.vm.memory.words[spte] & PRESENT:
                draft.edge(spte_key(spte), target, "shadow")
        draft.reverse_maps()

    @staticmethod
    def _child(draft: SceneBuilder, rank: int, id: int) -> Key:
        """The shadow page below an entry, with the number of its parents; returns its key."""
        key, page = shadow_page(id), draft.vm.pool.pages[id]
        if key not in draft.tables:
            draft.table(key, "shadow", page.level, rank, id, 0)
            parents = len(list(draft.vm.parents.sptes(page)))
            words = scene_builder.plural(parents, "parent") if parents else "no parent"
            draft.tables[key] = replace(draft.tables[key], words=(*draft.tables[key].words, words))
        return key
