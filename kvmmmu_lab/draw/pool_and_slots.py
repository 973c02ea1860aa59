# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of the pool of shadow pages: the hash that finds them, the free list and the active list."""

from __future__ import annotations

from itertools import groupby, pairwise

from ..inspect.keys import HASH, Key, memory_alias, memory_slot, shadow_page
from ..mmu.caches import CAPACITY
from ..mmu.machine import Machine
from ..mmu.memory import Alias, Slot
from ..mmu.pool import NUM_PAGES, ShadowPage
from . import scene_builder as row
from .scene import Entry, Marks, Scene
from .scene_builder import LIMIT, Draft, more

# FOLDED IN: draw.slots: The picture of guest memory: slots, aliases, dirty logs.


def memory_slots_scene(vm: Machine, marks: Marks | None = None, limit: int | None = None) -> Scene:
    """Slots with their dirty logs, and aliases. ``limit``: how many ranges of dirty pages a slot shows."""
    draft, most = Draft(vm, marks), LIMIT if limit is None else limit
    notes = []
    for number, slot in enumerate(vm.memory.slots):
        if slot.npages:
            ranges = _dirty(slot)
            rows = [_range(draft, number, slot, first, count) for first, count in ranges[:most]]
            rest = f"{len(ranges) - most} more ranges" if len(ranges) > most else ""
            if rest:
                way = f"limit={more(most, len(ranges))} draws more"
                notes.append(f"of slot {number}, {most} of {len(ranges)} dirty ranges are drawn; {way}")
            draft.box(memory_slot(number), "list", 0, number, f"slot {number}", _slot_words(slot), rows, rest)
    for number, alias in enumerate(vm.memory.aliases):
        if alias is not None:
            _alias(draft, number, alias)
    used = sum(bool(slot.npages) for slot in vm.memory.slots)
    aliases = sum(alias is not None for alias in vm.memory.aliases)
    title = f"Guest memory: {used} of {len(vm.memory.slots)} slots and {aliases} of {len(vm.memory.aliases)} aliases in use"
    return draft.scene(title, notes)


def _span(base: int, count: int) -> str:
    return f"gfn {base:#x}..{base + count - 1:#x}" if count > 1 else f"gfn {base:#x}"


def _size(npages: int) -> str:
    return f"{npages >> 8} MB" if npages >= 1 << 8 and not npages & 0xFF else f"{npages * 4} KB"


def _slot_words(slot: Slot) -> tuple[str, ...]:
    log = "no dirty log" if slot.log is None else f"dirty log: {row.plural(sum(slot.log), 'page')} written"
    where = f"in host frames {slot.hfn:#x}..{slot.hfn + slot.npages - 1:#x}"
    return _span(slot.base, slot.npages), f"{row.plural(slot.npages, 'page')}, {_size(slot.npages)}", where, log


def _dirty(slot: Slot) -> list[tuple[int, int]]:
    """Runs of written pages, as (first page of the slot, how many)."""
    if slot.log is None:
        return []
    runs = groupby(enumerate(slot.log), key=lambda page: bool(page[1]))
    return [(pages[0][0], len(pages)) for written, group in runs if written and (pages := list(group))]


def _range(draft: Draft, number: int, slot: Slot, first: int, count: int) -> Entry:
    key = memory_slot(number).entry(first)
    return Entry(key, "dirty", "", _span(slot.base + first, count), draft.mark(key), row.plural(count, "page"))


def _alias(draft: Draft, number: int, alias: Alias) -> None:
    words = (_span(alias.base, alias.npages), f"is {_span(alias.target, alias.npages)}")
    draft.box(memory_alias(number), "list", 1, number, f"alias {number}", words)
    slot = draft.vm.memory.slot_of(alias.target)
    if slot is not None:
        draft.edge(memory_alias(number), memory_slot(slot), "link")


FREE, ACTIVE, CACHES = Key("l:free"), Key("l:active"), Key("l:caches")
"""The boxes of `pool_scene`."""

IN_A_ROW = 3
"""So many pages of a bucket stand side by side."""

LAST = 999
"""Place of the last row of a list that is folded in the middle: its end then keeps its place when the list grows."""


def hash_table_scene(vm: Machine, gfn: int | None = None, marks: Marks | None = None, limit: int | None = None) -> Scene:
    """The buckets in use, each with its pages in order; or gfn's bucket alone, and what a lookup finds there.

    ``limit``: how many pages.
    """
    draft, most = Draft(vm, marks), LIMIT - 1 if limit is None else limit
    used = [number for number, bucket in enumerate(vm.pool.buckets) if bucket]
    wanted = used if gfn is None else [gfn % NUM_PAGES]
    found = None if gfn is None else vm.pool.lookup(gfn)
    buckets, left = dict[int, list[ShadowPage]](), most
    for number in wanted:
        pages = vm.pool.buckets[number]
        if left > 0:
            buckets[number] = pages[: left if gfn is not None else min(left, IN_A_ROW)]
            left -= len(buckets[number])
    width = min(IN_A_ROW, max(map(len, buckets.values()), default=0))
    rest = f"{len(wanted) - len(buckets)} more in use" if len(buckets) < len(wanted) else ""
    rows = [_bucket(draft, number) for number in buckets]
    draft.box(HASH, "list", width, 0, "hash", (f"{len(used)} of {NUM_PAGES} buckets used",), rows, rest)
    for rank, (number, pages) in enumerate(buckets.items()):
        _chain(draft, number, pages, width, rank, gfn)
    drawn, total = sum(map(len, buckets.values())), sum(len(vm.pool.buckets[number]) for number in wanted)
    notes = [] if drawn == total else [f"{drawn} of {total} pages are drawn; {_way(gfn, most, total, buckets)}"]
    if gfn is None:
        return draft.scene("The hash of shadow pages: bucket gfn % 256, newest page first", notes)
    answer = f"finds #{found.id}" if found else "finds nothing: gfn isn't shadowed as a page table"
    title = f"The hash bucket of gfn {gfn:#x}: a lookup {answer}"
    return draft.scene(title, [f"gfn {gfn:#x} % {NUM_PAGES} is bucket {gfn % NUM_PAGES:#x}", *notes])


def _way(gfn: int | None, most: int, total: int, buckets: dict[int, list[ShadowPage]]) -> str:
    if gfn is None and sum(map(len, buckets.values())) < most:
        return "hash_table(vm, gfn) draws one bucket whole"
    return f"limit={more(most, total)} draws more"


def _bucket(draft: Draft, number: int) -> Entry:
    pages = draft.vm.pool.buckets[number]
    names = " → ".join(f"#{page.id}" for page in pages[:3]) + " ..." * (len(pages) > 3)
    says = f"bucket {number:#x} has {row.plural(len(pages), 'page')}"
    key = HASH.entry(number)
    return Entry(key, f"{number:#x}", "", names or "empty", draft.mark(key), says)


def _chain(draft: Draft, number: int, pages: list[ShadowPage], width: int, rank: int, gfn: int | None) -> None:
    """The pages of a bucket, from left to right, then on the next line."""
    found = None if gfn is None else draft.vm.pool.lookup(gfn)
    for at, page in enumerate(pages):
        words = row.role_words(page)
        if gfn is not None:
            words += (f"{at + 1}. {_verdict(page, found, gfn)}",)
        column = width - 1 - at % width
        draft.box(shadow_page(page.id), "shadow", column, rank + at // width, f"shadow L{page.level} #{page.id}", words)
    keys = [HASH.entry(number), *(shadow_page(page.id) for page in pages)]
    for before, after in pairwise(keys):
        draft.edge(before, after, "link")


def _verdict(page: ShadowPage, found: ShadowPage | None, gfn: int) -> str:
    """Why a lookup takes a page, or passes it by."""
    if page is found:
        return "the lookup takes this one"
    if page.gfn != gfn:
        return "passed by: another gfn"
    return "passed by: no table" if page.metaphysical else "not asked: comes later"


def pool_scene(vm: Machine, marks: Marks | None = None, limit: int | None = None) -> Scene:
    """The free list, the active list, the object caches. ``limit``: how many rows of a list, from both ends."""
    draft, most = Draft(vm, marks), LIMIT if limit is None else limit
    free, active = list(reversed(vm.pool.free)), list(vm.pool.active)
    free_rows = _folded(draft, FREE, free, most)
    active_rows = _folded(draft, ACTIVE, active, most)
    words = (row.plural(len(active), "page"), "oldest first: evicted first")
    draft.box(ACTIVE, "list", 2, 0, "active list", words, active_rows)
    draft.box(FREE, "list", 1, 0, "free list", (row.plural(len(free), "page"), "the first is taken next"), free_rows)
    caches = [
        Entry(CACHES.entry(at), "", "", f"{cache.free:2} {cache.name}", draft.mark(CACHES.entry(at)), f"of {CAPACITY}")
        for at, cache in enumerate((vm.caches.pte_chain, vm.caches.rmap_desc))
    ]
    draft.box(CACHES, "list", 0, 0, "object caches", (f"up to {CAPACITY} of each",), caches)
    longest = max(len(free), len(active))
    notes = [f"lists are folded in the middle; limit={more(most, longest)} draws more"] if longest > most else []
    roots = [f"#{page.id}" for page in active if page.root_count]
    if roots:
        notes.append(f"in use as roots: {', '.join(roots)}; eviction empties a root, but can't free it")
    return draft.scene(f"The pool: {len(free)} of {NUM_PAGES} shadow pages are free", notes)


def _folded(draft: Draft, key: Key, pages: list[ShadowPage], most: int) -> list[Entry]:
    """A list's rows; of a long one both ends, and how many are between."""
    count = len(pages)
    if count <= most:
        return [_member(draft, key, at, at, page) for at, page in enumerate(pages)]
    head, tail = most - most // 2, most // 2
    rows = [_member(draft, key, at, at, page) for at, page in enumerate(pages[:head])]
    rows.append(Entry(key.entry(LAST - tail), "...", "", f"{count - most} more"))
    first = count - tail
    return rows + [_member(draft, key, LAST - tail + 1 + at, first + at, pages[first + at]) for at in range(tail)]


def _member(draft: Draft, key: Key, place: int, at: int, page: ShadowPage) -> Entry:
    mark = draft.mark(shadow_page(page.id))
    mark = "changed" if mark == "new" else mark
    own = key.entry(place)
    if key == FREE:
        return Entry(own, str(at + 1), "", f"#{page.id}", mark)
    target = f"#{page.id} of gfn {page.gfn:#x}" + " · root" * bool(page.root_count)
    return Entry(own, str(at + 1), f"L{page.level}", target, mark, ", ".join(row.role_words(page)))

