# SPDX-License-Identifier: GPL-2.0-only
"""What can be seen of a machine with a part under test in it: free of host addresses, and of how a part keeps what it keeps.

========= ==============================================================================================
result    what the step returned; guest faults, #GPs and root loads that it caused
rmap      by gfn, the entries in its reverse map
frames    the gfns that the reverse map says it has a map for
parents   by shadow page, the entries that point to it
sptes     the entries of shadow pages that aren't 0 (`inspect.dump`)
pages     shadow pages in use, newest first: id, gfn, role, root count, slot bits
mmu, hash, dirty  see `inspect.dump`
free      free shadow pages, the next one first, down to where they lie as in the beginning; how many these are
guest     the guest's tables: entries that aren't 0
flushes   how often the TLB was flushed
order     flushes and changes of shadow entries, in their order
door      entries of guest tables and shadow pages that changed through `Memory.put` and its like, as they are now
form      how the part keeps it: descriptors or chains as lists, or None where it doesn't say
first     by shadow page with parents, what `first` answers: "a parent", or what else
chains    by shadow page, how a parents part keeps them (its ``chains(page)``), and free chains; None where it doesn't say
========= ==============================================================================================
"""

from __future__ import annotations

import operator
import zlib
from collections.abc import Iterator
from typing import Any

from ..inspect import dump
from ..mmu import Vm
from ..mmu import events as ev
from ..mmu.bits import BASE_MASK, PAGE_SHIFT, PAGE_SIZE, PRESENT, WRITABLE
from ..mmu.memory import FIRST_GUEST, FIRST_SHADOW
from ..mmu.parents import ParentChains
from ..mmu.pool import NUM_PAGES
from ..mmu.rmap import ReverseMap
from .sandbox.protocol import plain

EMPTY = bytes(PAGE_SIZE)
FEW = 32
"""Of a whole engine, all reverse maps are looked at while there are so few, later those that may have changed."""

Seen = dict[str, Any]


class Looks:
    """What can be seen of ``vm``. ``tables``: the guest's tables; ``top``: its levels; ``events``: those of the latest step;
    ``before``: flushes, root loads and #GPs before it."""

    vm: Vm
    tables: list[int]
    top: int
    events: list[tuple]
    before: tuple[int, int, int]
    known: set[int]
    """Host frames whose reverse maps are looked at."""
    touched: set[int]
    """Ids of the shadow pages in which something can stand, if nobody wrote past the door."""
    used: list[int]
    """Of these, the ones in which something stands."""
    whole: bool
    entries: dict[int, tuple[bytes, list[Any]]]
    """By shadow page: its words at the last look, and what was seen in them."""

    def use(self, vm: Vm) -> None:
        """Look at this machine, a new one, from now on."""
        self.vm, self.known, self.touched, self.entries = vm, set(), set(), {}
        self.changes = vm.memory.changes

    def see(self, looks: tuple[str, ...], hashed: bool = False, whole: bool = True) -> Seen:
        """What these ``looks`` show now. ``hashed``: short digests, for long scenarios. ``whole``: also shadow pages that
        nobody took or changed, as far as one knows, which takes longer."""
        self.used = self._used(whole)
        self.whole = whole
        seen = {look: getattr(self, f"_see_{look}")(hashed) for look in looks if look != "result"}
        if hashed:
            return {look: zlib.crc32(repr(value).encode()) for look, value in seen.items()}
        return seen

    def _used(self, whole: bool) -> list[int]:
        """Ids of the shadow pages in which something stands."""
        pages = self.vm.memory.pages
        self.touched.update([page.id for page in self.vm.pool.active])
        for event in self.events:
            if event[0].change and FIRST_SHADOW <= event[1] >> PAGE_SHIFT < FIRST_GUEST:
                self.touched.add((event[1] >> PAGE_SHIFT) - FIRST_SHADOW)
        if whole:
            found = pages[FIRST_SHADOW:FIRST_GUEST].max(axis=1).nonzero()[0].tolist()
        else:
            found = [id for id in sorted(self.touched) if pages[FIRST_SHADOW + id].tobytes() != EMPTY]
        self.touched = set(found)
        return found

    def _see_rmap(self, hashed: bool) -> Any:
        vm = self.vm
        self.known |= {(entry & BASE_MASK) >> PAGE_SHIFT for entry in self._leaves()} | self._frames()
        asked = self.known if not hashed or len(self.known) <= FEW else self._changed()
        return self._by_gfn({hfn: refs for hfn in asked if (refs := _refs(vm.rmap.sptes(hfn)))})

    def _changed(self) -> set[int]:
        """The frames of all entries of shadow pages that changed in this step, before and after."""
        changes = [event for event in self.events if event[0].change and event[1] >> PAGE_SHIFT < FIRST_GUEST]
        hfns = {(entry & BASE_MASK) >> PAGE_SHIFT for event in changes for entry in event[3:5]}
        return {hfn for hfn in hfns if hfn >= FIRST_GUEST}

    def _frames(self) -> set[int]:
        given = self.vm.rmap.frames()
        try:
            return {operator.index(hfn) for hfn in given}
        except (TypeError, ValueError):
            raise TypeError(f"frames() has to give numbers of host frames, one after the other; it gives {given!r}") from None

    def _leaves(self) -> list[int]:
        """All entries of shadow pages that can write a frame."""
        words = self.vm.memory.pages[[FIRST_SHADOW + id for id in self.used]].reshape(-1)
        found = words[words & (PRESENT | WRITABLE) == PRESENT | WRITABLE]
        return [entry for entry in found.tolist() if entry & BASE_MASK >= FIRST_GUEST << PAGE_SHIFT]

    def _by_gfn(self, by_hfn: dict[int, Any]) -> Any:
        gfns = self.vm.memory.gfns
        return sorted([gfns[hfn] if gfns[hfn] is not None else -hfn, value] for hfn, value in by_hfn.items())

    def _see_frames(self, hashed: bool) -> Any:
        return [gfn for gfn, _ in self._by_gfn(dict.fromkeys(self._frames(), 0))]

    def _see_parents(self, hashed: bool) -> Any:
        vm = self.vm
        used = [page for page in vm.pool.pages if page in vm.pool.active]
        return [[page.id, refs] for page in used if (refs := _refs(vm.parents.sptes(page)))]

    def _see_first(self, hashed: bool) -> Any:
        parents, found = self.vm.parents, []
        for page in self.vm.pool.pages:
            if page in self.vm.pool.active:
                first, refs = parents.first(page), list(parents.sptes(page))
                if first is not None or refs:
                    known = any(first == spte for spte in refs)
                    found.append([page.id, "a parent" if known else plain(first)])
        return found

    def _see_chains(self, hashed: bool) -> Any:
        vm = self.vm
        tell = getattr(vm.parents, "chains", None)
        if tell is None and not isinstance(vm.parents, ParentChains):
            return None
        kept = [[page.id, _form(tell(page) if tell else page.parents)] for page in vm.pool.pages if page in vm.pool.active]
        return [[row for row in kept if row[1] is not None], vm.caches.pte_chain.free]

    def _see_sptes(self, hashed: bool) -> Any:
        words = self.vm.memory.pages
        if hashed:
            return [[id, zlib.crc32(words[FIRST_SHADOW + id])] for id in self.used]
        if self.changes != self.vm.memory.changes:
            self.changes, self.entries = self.vm.memory.changes, {}
        return [[id, self._entries(id, words[FIRST_SHADOW + id].tobytes())] for id in self.used]

    def _entries(self, id: int, words: bytes) -> list[Any]:
        """The entries of a shadow page, which mostly are what they were."""
        known = self.entries.get(id)
        if known is None or known[0] != words:
            known = self.entries[id] = words, dump.page_entries(self.vm, id)
        return known[1]

    def _see_pages(self, hashed: bool) -> Any:
        pages = reversed(self.vm.pool.active)
        return [[page.id, page.gfn, page.role, page.root_count, page.slot_bitmap] for page in pages]

    def _see_mmu(self, hashed: bool) -> Any:
        return dump.mmu_part(self.vm)

    def _see_hash(self, hashed: bool) -> Any:
        pool = self.vm.pool
        if self.whole:
            return dump.hash_part(self.vm)
        places = sorted({page.gfn % NUM_PAGES for page in pool.active})
        return [[place, [page.id for page in pool.buckets[place]]] for place in places if pool.buckets[place]]

    def _see_dirty(self, hashed: bool) -> Any:
        return dump.dirty_part(self.vm)

    def _see_free(self, hashed: bool) -> Any:
        free, pages = self.vm.pool.free, self.vm.pool.pages
        unused = len(free)
        if free != pages[:unused]:
            unused = next(at for at, (page, there) in enumerate(zip(free, pages, strict=False)) if page is not there)
        return [[page.id for page in reversed(free[unused:])], unused]

    def _see_guest(self, hashed: bool) -> Any:
        memory = self.vm.memory
        touched = {event[1] >> PAGE_SHIFT for event in self.events if event[0].change}
        tables = {memory.frames[gfn] for gfn in self.tables} | {hfn for hfn in touched if hfn >= FIRST_GUEST}
        hfns = sorted(hfn for hfn in tables if hfn is not None)
        if hashed:
            return [[memory.gfns[hfn], zlib.crc32(memory.pages[hfn].tobytes())] for hfn in hfns]
        size = "<u4" if self.top == 2 else "<u8"
        pages = [(memory.gfns[hfn], memory.pages[hfn].view(size)) for hfn in hfns]
        return [[gfn, [[i, int(page[i])] for i in page.nonzero()[0].tolist()]] for gfn, page in pages]

    def _see_flushes(self, hashed: bool) -> Any:
        return self.vm.stats.tlb_flushes - self.before[0]

    def _see_order(self, hashed: bool) -> Any:
        return list(self._order())

    def _order(self) -> Iterator[str]:
        for event in self.events:
            if event[0] is ev.FLUSH:
                yield "flush"
            elif event[0].change and FIRST_SHADOW <= event[1] >> PAGE_SHIFT < FIRST_SHADOW + NUM_PAGES:
                old, new = event[3:5]
                yield "empty" if not new else "W goes" if new == old & ~WRITABLE else "set"

    def _see_door(self, hashed: bool) -> Any:
        """[page, is it a shadow page, index, entry]; a change that somebody made past the door isn't there."""
        old, new = dict[int, int](), dict[int, int]()
        for event in self.events:
            if event[0].change:
                _, hpa, size, before, after = event
                for at in range(size):
                    old.setdefault(hpa + at, before >> 8 * at & 255)
                    new[hpa + at] = after >> 8 * at & 255
        changed = [at for at in new if new[at] != old[at]]
        return sorted(map(list, {self._entry_at(at) for at in changed if at >> PAGE_SHIFT >= FIRST_SHADOW}))

    def _entry_at(self, hpa: int) -> tuple[Any, ...]:
        memory, hfn = self.vm.memory, hpa >> PAGE_SHIFT
        if hfn < FIRST_GUEST:
            return hfn - FIRST_SHADOW, True, (hpa & 0xFFF) // 8, memory.words[hpa // 8]
        size, words = (4, memory.halves) if self.top == 2 else (8, memory.words)
        return memory.gfns[hfn], False, (hpa & 0xFFF) // size, words[hpa // size]

    def _see_form(self, hashed: bool) -> Any:
        """Descriptors by gfn and free descriptors, as far as the part tells."""
        vm = self.vm
        tell = getattr(vm.rmap, "descriptors", None)
        own = vm.rmap if type(vm.rmap) is ReverseMap else None
        if tell is None and own is None:
            return None
        kept = {hfn: _form(own.heads.get(hfn) if own else tell(hfn)) for hfn in self._frames()}  # type: ignore[misc]
        return [self._by_gfn(kept), vm.caches.rmap_desc.free]


def _refs(sptes: Any) -> list[int]:
    given = sptes
    try:
        given = list(sptes)
        return sorted(operator.index(spte) - dump.FIRST_REF for spte in given)
    except (TypeError, ValueError):
        raise TypeError(f"sptes() has to give whole numbers, one after the other, as in a list; it gives {given!r}") from None


def _form(kept: Any) -> Any:
    if kept is None or isinstance(kept, int):
        return kept if kept is None else kept - dump.FIRST_REF
    try:
        return [[int(spte) - dump.FIRST_REF for spte in row] for row in kept]
    except (TypeError, ValueError):
        raise TypeError(f"it has to be an spte, or a list of lists of sptes; it is {kept!r}") from None
