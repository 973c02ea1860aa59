# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of one guest frame: its reverse map, descriptor by descriptor, and all shadow entries that lead to it."""

from __future__ import annotations

import numpy as np

from ..inspect.keys import (
    CHAIN,
    DESCRIPTOR,
    ROOT,
    Key,
    guest_table,
    key_of,
    parent_chain,
    rmap_descriptor,
    shadow_page,
    spte_key,
)
from ..inspect.names import entry_name
from ..inspect.paths import PathEntry, guest_entry, made_from, maps_large
from ..mmu.bits import BASE_MASK, IO_MARK, PAGE_SHIFT, PRESENT, WRITABLE, guest_format
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_SHADOW
from ..mmu.parents import CHAIN_ENTRIES, ParentChains
from ..mmu.pool import NUM_PAGES, ShadowPage
from ..mmu.rmap import RMAP_EXT, ReverseMap
from . import scene_builder as row
from .scene import Entry, Marks, Scene
from .scene_builder import LIMIT, Draft, more

# FOLDED IN: draw.parents: The picture of a shadow page's parents: chain by chain, and the entries above it.


YOUR_PARENTS = "kept by your parents part"


def parent_chains_scene(vm: Machine, page_id: int, marks: Marks | None = None, limit: int | None = None) -> Scene:
    """A shadow page, its parents chain by chain, and the entries above it. ``limit``: how many tables."""
    draft, most, page = Draft(vm, marks), LIMIT if limit is None else limit, vm.pool.pages[page_id]
    key = shadow_page(page_id)
    draft.box(key, "shadow", 0, 0, f"shadow L{page.level} #{page_id}", row.role_words(page))
    kept, own = _chains(vm, page)
    before, sptes = key, list[int]()
    for number, chain in enumerate(kept[: max(1, most // 2)]):
        box = parent_chain(page_id, number)
        title, words, empty = f"chain {number + 1}", (f"{len(chain)} of {CHAIN_ENTRIES} places",), CHAIN_ENTRIES - len(chain)
        if own or not isinstance(page.parents, list):
            title, words, empty = (YOUR_PARENTS if own else "kept directly"), ("one parent needs no chain",), 0
            words = (row.plural(len(chain), "parent"),) if own else words
        places: list[int | None] = [*chain[: 2 * LIMIT], *[None] * empty]
        rest = f"{len(chain) - 2 * LIMIT} more" if len(chain) > 2 * LIMIT else ""
        entries = [_parent_place(draft, box, at, spte) for at, spte in enumerate(places)]
        draft.box(box, "rmap", 1, number, title, words, entries, rest)
        draft.edge(before, box, "link")
        before = box
        sptes += chain[: 2 * LIMIT]
    notes = _above(draft, sptes, most)
    if len(kept) > max(1, most // 2):
        notes.append(f"{max(1, most // 2)} of {len(kept)} chains are drawn; limit={2 * len(kept) + 2} draws all")
    return draft.scene(f"The parents of shadow page #{page_id}: the entries that lead to it", _state(vm, page, kept) + notes)


def _chains(vm: Machine, page: ShadowPage) -> tuple[list[list[int]], bool]:
    """The lists in which the parents are kept, and whether a part of the user's keeps them."""
    if not isinstance(vm.parents, ParentChains):
        sptes = list(vm.parents.sptes(page))
        return [sptes] if sptes else [], True
    parents = page.parents
    return [] if parents is None else [[parents]] if isinstance(parents, int) else parents, False


def _parent_place(draft: Draft, box: Key, at: int, spte: int | None) -> Entry:
    key = box.entry(at)
    return Entry(key, str(at), "", "empty" if spte is None else _named(draft.vm, spte), draft.mark(key))


def _named(vm: Machine, spte: int) -> str:
    key = key_of(vm, spte << 3)
    return f"slot {key.row}" if key.kind == ROOT else entry_name(spte)


def _above(draft: Draft, sptes: list[int], most: int) -> list[str]:
    """The entries that are parents, each in its page, and a dashed line to each from its place."""
    vm = draft.vm
    at = {place.target: place.key for key in draft.tables if key.kind == CHAIN for place in draft.entries[key]}
    ids = list(dict.fromkeys((spte >> 9) - FIRST_SHADOW for spte in sptes))
    ids = [id for id in ids if 0 <= id < NUM_PAGES]
    shown = ids[: max(1, most - len(draft.tables))]
    rows_of = dict.fromkeys(shown, 0)
    for spte in sptes:
        id = (spte >> 9) - FIRST_SHADOW
        if id in rows_of and rows_of[id] < LIMIT:
            rows_of[id] += 1
            level, word = vm.pool.pages[id].level, vm.memory.words[spte]
            draft.step(shown.index(id), PathEntry(shadow_page(id), level, id, spte & 511, word), "shadow", 2)
            draft.edge(at[entry_name(spte)], spte_key(spte), "parent")
    if len(shown) < len(ids):
        return [f"{len(shown)} of {len(ids)} pages above are drawn; limit={len(draft.tables) + len(ids)} draws all"]
    return []


def _state(vm: Machine, page: ShadowPage, kept: list[list[int]]) -> list[str]:
    """What the number of parents means."""
    notes = []
    if page not in vm.pool.active:
        notes.append(f"#{page.id} is free: what it says is left over")
    count = sum(map(len, kept))
    notes.append(f"{row.plural(count, 'entry leads', 'entries lead')} to #{page.id}" if count else "no entry leads here")
    if page.root_count:
        notes.append(f"it is a root, used {row.plural(page.root_count, 'time')}: that is counted, not kept as a parent")
    elif not count:
        notes.append("it stays in the hash, to be found again, until it is evicted")
    return notes


YOUR_RMAP = "kept by your reverse map"
DIRECT = ("one entry needs", "no descriptor")


def reverse_map_scene(vm: Machine, gfn: int, marks: Marks | None = None, limit: int | None = None) -> Scene:
    """A frame, its reverse map as it is kept, and each entry in it. ``limit``: how many tables."""
    draft, most = Draft(vm, marks), LIMIT if limit is None else limit
    hfn = vm.memory.frames[gfn]
    frame = draft.frame(0, hfn, gfn)
    title = f"The reverse map of gfn {gfn:#x}: the shadow entries that can write it"
    if hfn is None:
        return draft.scene(title, ["no memory is there, so no entry is present and there is no reverse map"])
    sptes = _descriptors(draft, frame, hfn, max(1, most // 2))
    notes = _entries(draft, sptes, most - len(draft.tables))
    drawn, kept = sum(key.kind == DESCRIPTOR for key in draft.tables), _kept(vm, hfn)
    if drawn < len(kept):
        notes.append(f"{drawn} of {len(kept)} descriptors are drawn; limit={2 * (len(kept) + 1)} draws all")
    return draft.scene(title, _alias(vm, gfn) + _form(vm, hfn) + notes)


def _kept(vm: Machine, hfn: int) -> list[list[int]]:
    """The lists in which a frame's map is kept; for one entry kept directly, or in a map of another kind, one list."""
    if isinstance(vm.rmap, ReverseMap):
        head = vm.rmap.heads.get(hfn)
        return [] if head is None else [[head]] if isinstance(head, int) else head
    sptes = list(vm.rmap.sptes(hfn))
    return [sptes] if sptes else []


def _form(vm: Machine, hfn: int) -> list[str]:
    """In which of its forms the map is, in words."""
    kept = _kept(vm, hfn)
    if not kept:
        return ["the reverse map is empty: no shadow entry can write this frame"]
    if not isinstance(vm.rmap, ReverseMap):
        return [f"{row.plural(len(kept[0]), 'entry', 'entries')}, in a reverse map that replaces the kernel's"]
    if isinstance(vm.rmap.heads[hfn], int):
        return ["the direct form: the one entry stands where otherwise the first descriptor would"]
    free = sum(RMAP_EXT - len(descriptor) for descriptor in kept)
    return [f"{row.plural(len(kept), 'descriptor')} of four places, {free or 'none'} of them free"]


def _alias(vm: Machine, gfn: int) -> list[str]:
    real = vm.memory.unalias(gfn)
    return [] if real == gfn else [f"gfn {gfn:#x} is another name (an alias) of gfn {real:#x}"]


def _descriptors(draft: Draft, frame: Key, hfn: int, most: int) -> list[int]:
    """The boxes of places, chained from the frame on; returns the entries in them."""
    vm, found, before = draft.vm, list[int](), frame.entry("rmap")
    own = not isinstance(vm.rmap, ReverseMap)
    direct = not own and isinstance(vm.rmap.heads.get(hfn), int)  # type: ignore[attr-defined]  # the kernel's own
    for number, descriptor in enumerate(_kept(vm, hfn)[:most]):
        key = rmap_descriptor(frame, number)
        places: list[int | None] = [*descriptor]
        title = f"descriptor {number + 1}"
        words: tuple[str, ...] = (f"{len(descriptor)} of {RMAP_EXT} places",)
        if own:
            title, words = YOUR_RMAP, (row.plural(len(descriptor), "entry", "entries"),)
        elif direct:
            title, words = "kept directly", DIRECT
        else:
            places += [None] * (RMAP_EXT - len(descriptor))
        shown = places if len(places) <= 2 * LIMIT else places[:LIMIT]
        rows = [_rmap_place(draft, key.entry(at), spte) for at, spte in enumerate(shown)]
        rest = f"{len(places) - len(shown)} more" if len(shown) < len(places) else ""
        draft.box(key, "rmap", 1, number, title, words, rows, rest)
        draft.edge(before, key, "link")
        before = key
        found += [spte for spte in shown if spte is not None]
    return found


def _rmap_place(draft: Draft, key: Key, spte: int | None) -> Entry:
    says = "empty" if spte is None else f"shadow entry {entry_name(spte)}"
    return Entry(key, key.row, "", "empty" if spte is None else entry_name(spte), draft.mark(key), says)


def _entries(draft: Draft, sptes: list[int], most: int) -> list[str]:
    """The entries in the map, each in its page, and a dashed line to each from its place."""
    pages = list(dict.fromkeys(id for spte in sptes if 0 <= (id := _page_of(spte)) < NUM_PAGES))
    shown = pages[: max(1, most)]
    at = {place.target: place.key for key in draft.tables if key.kind == DESCRIPTOR for place in draft.entries[key]}
    for spte in sptes:
        if _page_of(spte) in shown:
            _shadow_entry(draft, spte, shown.index(_page_of(spte)), 2)
            draft.edge(at[entry_name(spte)], key_of(draft.vm, spte << 3), "rmap")
    if len(shown) < len(pages):
        total = len(draft.tables) - len(shown) + len(pages)
        return [f"{len(shown)} of {len(pages)} shadow pages are drawn; limit={more(LIMIT, 2 * total)} draws more"]
    return []


def _page_of(spte: int) -> int:
    return (spte >> 9) - FIRST_SHADOW


def _shadow_entry(draft: Draft, spte: int, rank: int, column: int) -> Key:
    """One entry of a shadow page; the page's others are counted. Returns its key."""
    page = draft.vm.pool.pages[_page_of(spte)]
    entry = PathEntry(shadow_page(page.id), page.level, page.id, spte & 511, draft.vm.memory.words[spte])
    draft.step(rank, entry, "shadow", column)
    return entry.key


# Who maps a frame


def leading_to(vm: Machine, gfn: int) -> list[int]:
    """All level-1 entries of shadow pages in use that lead to gfn, by page and index; without memory, I/O entries."""
    hfn = vm.memory.frames[gfn]
    pages = [page.id for page in vm.pool.active if page.level == 1]
    entries = vm.memory.pages[FIRST_SHADOW : FIRST_SHADOW + NUM_PAGES]
    flags, wanted = (PRESENT | IO_MARK, IO_MARK) if hfn is None else (PRESENT, PRESENT)
    mask = np.uint64(BASE_MASK | flags)
    match = np.uint64((gfn if hfn is None else hfn) << PAGE_SHIFT & BASE_MASK | wanted)
    hits = ((id, np.flatnonzero(entries[id] & mask == match).tolist()) for id in sorted(pages))
    return [FIRST_SHADOW + id << 9 | index for id, indexes in hits for index in indexes]


def who_maps_scene(vm: Machine, gfn: int, marks: Marks | None = None, limit: int | None = None) -> Scene:
    """All shadow entries that lead to a frame, and the guest entries that they were made from.

    The reverse map knows the writable ones; the others are found by looking at every entry. ``limit``: how many tables.
    """
    draft, most = Draft(vm, marks), LIMIT if limit is None else limit
    hfn = vm.memory.frames[gfn]
    frame = draft.frame(0, hfn, gfn)
    known = set() if hfn is None else set(vm.rmap.sptes(hfn))
    found = sorted(leading_to(vm, gfn), key=lambda spte: (spte not in known, spte))
    shown = 0
    for rank, spte in enumerate(found):
        if len(draft.tables) >= most and not _there(draft, spte):
            continue
        shown += 1
        key = _shadow_entry(draft, spte, rank, 1)
        readonly = hfn is not None and not vm.memory.words[spte] & WRITABLE
        draft.edge(key, frame, "readonly" if readonly else "shadow")
        if spte in known:
            draft.edge(frame.entry("rmap"), key, "rmap")
        _guest_entry(draft, spte, rank, frame, gfn)
    draft.correspondences()
    notes = [] if shown == len(found) else [f"{shown} of {len(found)} entries are drawn; limit={3 * most} draws more"]
    title = f"Who maps gfn {gfn:#x}: shadow entries, and the guest's entries that they were made from"
    return draft.scene(title, _alias(vm, gfn) + _known(vm, found, known, hfn) + _itself(vm, gfn) + notes)


def _there(draft: Draft, spte: int) -> bool:
    return spte_key(spte).table in draft.tables


def _guest_entry(draft: Draft, spte: int, rank: int, frame: Key, gfn: int) -> None:
    """The guest entry behind a shadow entry, if it is known; it may have changed and lead elsewhere."""
    vm = draft.vm
    page = vm.pool.pages[_page_of(spte)]
    source = made_from(vm, page, spte & 511)
    if source is None:
        return
    table, index = source
    level, entry = 2 if page.metaphysical else 1, guest_entry(vm, table, index)
    behind = PathEntry(guest_table(table), level, table, index, entry)
    draft.step(rank, behind, "guest", level)
    if entry & PRESENT and gfn in _mapped(vm, level, entry):
        draft.edge(behind.key, frame, "guest")


def _mapped(vm: Machine, level: int, entry: int) -> range:
    """The gfns that a guest entry maps."""
    form = guest_format(vm.root_level)
    first, count = (entry & form.base) >> PAGE_SHIFT, 1 << form.index_bits
    return range(first & -count, (first & -count) + count) if maps_large(vm, level, entry) else range(first, first + 1)


def _known(vm: Machine, found: list[int], known: set[int], hfn: int | None) -> list[str]:
    """What the reverse map knows of these entries, and what not."""
    if hfn is None:
        count = row.plural(len(found), "shadow entry says", "shadow entries say")
        return [f"no memory is there; {count} so (I/O)"]
    writable = [spte for spte in found if vm.memory.words[spte] & WRITABLE]
    readonly, unknown = len(found) - len(writable), len(set(writable) - known)
    can = row.plural(len(writable), "shadow entry", "shadow entries") if writable else "no shadow entry"
    notes = [f"{can} can write it, {readonly or 'none'} can only read"]
    left = sorted(known & set(found) - set(writable))
    if readonly > len(left):
        notes.append("the reverse map doesn't know those that only read; they were found by looking at every entry")
    if left:
        notes.append(f"the reverse map still names {', '.join(map(entry_name, left[:4]))}, which can't write any more")
    if unknown:
        notes.append(f"{unknown} can write and the reverse map doesn't know: the frame can't be protected from it")
    if wrong := sorted(known - set(found)):
        notes.append(f"the reverse map names {', '.join(map(entry_name, wrong[:4]))}, which leads elsewhere")
    return notes


def _itself(vm: Machine, gfn: int) -> list[str]:
    """Whether the frame is a page table with a shadow."""
    real = vm.memory.unalias(gfn)
    pages = [page for page in vm.pool.bucket(real) if page.gfn == real and not page.metaphysical]
    if not pages:
        return []
    names = ", ".join(f"#{page.id} (level {page.level})" for page in pages)
    return [f"the frame is itself a page table, shadowed by {names}: no entry should write it"]
