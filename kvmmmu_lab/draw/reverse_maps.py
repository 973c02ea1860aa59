# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of back references: the reverse map of a frame, the parents of a shadow page, and all entries that map a frame.

Reverse maps and parents are stored in the same way: a single reference directly, and several references in a chain of
boxes with a fixed number of places (4 in a descriptor, 5 in a box of a parent chain). The pictures show the boxes, with a
dashed line from each place to the entry that it names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from ..inspect.keys import ROOT, Key, guest_table, key_of, parent_chain, rmap_descriptor, shadow_page, spte_key
from ..inspect.names import entry_name
from ..inspect.paths import PathEntry, guest_entry, made_from, maps_large
from ..mmu.bits import BASE_MASK, IO_MARK, PAGE_SHIFT, PRESENT, WRITABLE, guest_format
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_SHADOW
from ..mmu.parents import CHAIN_ENTRIES, ParentChains
from ..mmu.pool import NUM_PAGES, ShadowPage
from ..mmu.rmap import RMAP_EXT, ReverseMap
from .scene import Entry, Marks, Scene
from .scene_builder import LIMIT, SceneBuilder, more, plural, role_words

YOUR_RMAP = "kept by your reverse map"
YOUR_PARENTS = "kept by your parents part"

FEWEST_ROWS = 4
"""Number of entries of a shadow page that `who_maps_scene` draws even if the frame is mapped by many pages."""


@dataclass(frozen=True)
class BackReference:
    """How a picture presents one kind of back reference: the titles and texts of its boxes."""

    box: str
    places: int
    one: str
    many: str
    direct: tuple[str, ...]
    """Lines of the box if a single reference is stored directly."""

    own: str
    """Title of the box if the user's own part stores the references in an unknown form."""


RMAP = BackReference("descriptor", RMAP_EXT, "entry", "entries", ("one entry needs no descriptor",), YOUR_RMAP)
PARENTS = BackReference("chain", CHAIN_ENTRIES, "parent", "parents", ("one parent needs no chain",), YOUR_PARENTS)


def reverse_map_scene(
    vm: Machine, gfn: int, marks: Marks | None = None, limit: int | None = None, also: Iterable[int] = ()
) -> Scene:
    """Return a frame, its reverse map as it is stored, and the entries in it. ``limit``: the maximum number of tables.

    ``also``: sptes to draw, without an arrow, if they are not in the map.
    """
    builder, most = SceneBuilder(vm, marks), LIMIT if limit is None else limit
    hfn = vm.memory.frames[gfn]
    frame = builder.frame(0, hfn, gfn)
    title = f"The reverse map of gfn {gfn:#x}: the shadow entries that can write it"
    if hfn is None:
        return builder.scene(title, ["there is no memory here, so no entry is present and there is no reverse map"])
    kept, form = _reverse_map(vm, hfn)
    drawn = kept[: max(1, most // 2)]
    boxes = [rmap_descriptor(frame, number) for number in range(len(drawn))]
    places = _chain(builder, frame.entry("rmap"), RMAP, boxes, drawn, form)
    shown, pages = _entries(builder, places, "rmap", most - len(builder.tables), also=also)
    notes = _alias_note(vm, gfn) + _rmap_form_note(kept, form)
    if shown < pages:
        total = len(builder.tables) - shown + pages
        notes.append(f"{shown} of {pages} shadow pages are drawn; limit={more(LIMIT, 2 * total)} draws more")
    if len(drawn) < len(kept):
        notes.append(f"{len(drawn)} of {len(kept)} descriptors are drawn; limit={2 * (len(kept) + 1)} draws all")
    return builder.scene(title, notes)


def parent_chains_scene(
    vm: Machine, page_id: int, marks: Marks | None = None, limit: int | None = None, also: Iterable[int] = ()
) -> Scene:
    """Return a shadow page, its parents chain by chain, and the entries above it. ``limit``: the maximum number of tables.

    ``also``: sptes to draw, without an arrow, if they are no parents.
    """
    builder, most, page = SceneBuilder(vm, marks), LIMIT if limit is None else limit, vm.pool.pages[page_id]
    key = shadow_page(page_id)
    builder.box(key, "shadow", 0, 0, f"shadow L{page.level} #{page_id}", role_words(page))
    kept, form = _parents(vm, page)
    drawn = kept[: max(1, most // 2)]
    boxes = [parent_chain(page_id, number) for number in range(len(drawn))]
    places = _chain(builder, key, PARENTS, boxes, drawn, form)
    shown, pages = _entries(builder, places, "parent", most - len(builder.tables), rows=LIMIT, also=also)
    notes = _parents_notes(vm, page, kept)
    if shown < pages:
        total = len(builder.tables) - shown + pages
        notes.append(f"{shown} of {pages} pages above are drawn; limit={total} draws all")
    if len(drawn) < len(kept):
        notes.append(f"{len(drawn)} of {len(kept)} chains are drawn; limit={2 * len(kept) + 2} draws all")
    return builder.scene(f"The parents of shadow page #{page_id}: the entries that lead to it", notes)


def who_maps_scene(vm: Machine, gfn: int, marks: Marks | None = None, limit: int | None = None) -> Scene:
    """Return all shadow entries that lead to a frame, and the guest entries from which they were derived.

    The reverse map contains only the writable ones; a search of all shadow entries finds the others. ``limit``: the maximum
    number of tables; about twice as many entries are drawn, spread over the tables.
    """
    builder, most = SceneBuilder(vm, marks), LIMIT if limit is None else limit
    hfn = vm.memory.frames[gfn]
    frame = builder.frame(0, hfn, gfn)
    known = set() if hfn is None else set(vm.rmap.sptes(hfn))
    found = sorted(leading_to(vm, gfn), key=lambda spte: (spte not in known, spte))
    ranks = {spte: rank for rank, spte in enumerate(found)}
    rows = max(FEWEST_ROWS, 2 * most // max(1, len({_page_of(spte) for spte in found})))
    drawn: Counter[Key] = Counter()
    for spte in _in_turn(found, known):
        table = spte_key(spte).table
        if drawn[table] >= rows or (len(builder.tables) >= most and table not in builder.tables):
            continue
        drawn[table] += 1
        key = _shadow_entry(builder, spte, ranks[spte], 1)
        readonly = hfn is not None and not vm.memory.words[spte] & WRITABLE
        builder.edge(key, frame, "readonly" if readonly else "shadow")
        if spte in known:
            builder.edge(frame.entry("rmap"), key, "rmap")
        _guest_entry(builder, spte, ranks[spte], frame, gfn)
    builder.correspondences()
    shown = drawn.total()
    notes = [] if shown == len(found) else [f"{shown} of {len(found)} entries are drawn; limit={3 * most} draws more"]
    title = f"Who maps gfn {gfn:#x}: shadow entries, and the guest's entries that they were made from"
    return builder.scene(
        title, _alias_note(vm, gfn) + _rmap_comparison(vm, found, known, hfn) + _page_table_note(vm, gfn) + notes
    )


def _in_turn(found: list[int], known: set[int]) -> list[int]:
    """Return the entries with those in the reverse map and the others in turn, so that a picture of some shows both kinds."""
    inside, outside = [spte for spte in found if spte in known], [spte for spte in found if spte not in known]
    return [spte for pair in zip_longest(inside, outside) for spte in pair if spte is not None]


# How references are stored, and the boxes for them


def _reverse_map(vm: Machine, hfn: int) -> tuple[list[list[int]], str]:
    """Return a frame's reverse map as lists of sptes, and its form: "chained", "direct", or "own" for a user's own part."""
    if not isinstance(vm.rmap, ReverseMap):
        sptes = list(vm.rmap.sptes(hfn))
        return [sptes] if sptes else [], "own"
    head = vm.rmap.heads.get(hfn)
    if isinstance(head, int):
        return [[head]], "direct"
    return head or [], "chained"


def _parents(vm: Machine, page: ShadowPage) -> tuple[list[list[int]], str]:
    """Like `_reverse_map`, for the parents of a page."""
    if not isinstance(vm.parents, ParentChains):
        sptes = list(vm.parents.sptes(page))
        return [sptes] if sptes else [], "own"
    if isinstance(page.parents, int):
        return [[page.parents]], "direct"
    return page.parents or [], "chained"


def _chain(
    builder: SceneBuilder, source: Key, kind: BackReference, boxes: list[Key], kept: list[list[int]], form: str
) -> dict[int, str]:
    """Add the boxes, each linked to the previous one, and return the key of each spte's place."""
    found: dict[int, str] = {}
    for number, (box, sptes) in enumerate(zip(boxes, kept, strict=True)):
        places: list[int | None] = [*sptes]
        words: tuple[str, ...]
        if form == "own":
            title, words = kind.own, (plural(len(sptes), kind.one, kind.many),)
        elif form == "direct":
            title, words = "kept directly", kind.direct
        else:
            title, words = f"{kind.box} {number + 1}", (f"{len(sptes)} of {kind.places} places",)
            places += [None] * (kind.places - len(sptes))
        shown = places if len(places) <= 2 * LIMIT else places[:LIMIT]
        rest = f"{len(places) - len(shown)} more" if len(shown) < len(places) else ""
        rows = [_place(builder, box.entry(at), spte) for at, spte in enumerate(shown)]
        builder.box(box, "rmap", 1, number, title, words, rows, rest)
        builder.edge(source, box, "link")
        source = box
        found |= {spte: row.key for spte, row in zip(shown, rows, strict=True) if spte is not None}
    return found


def _place(builder: SceneBuilder, key: Key, spte: int | None) -> Entry:
    """Return the row of one place of a box."""
    mark = builder.mark(key)
    if spte is None:
        return Entry(key, key.row, "", "empty", mark, "empty")
    entry = key_of(builder.vm, spte << 3)
    name = f"slot {entry.row}" if entry.kind == ROOT else entry_name(spte)
    return Entry(key, key.row, "", name, mark, f"shadow entry {name}")


def _entries(
    builder: SceneBuilder,
    places: dict[int, str],
    kind: str,
    most: int,
    rows: int | None = None,
    also: Iterable[int] = (),
) -> tuple[int, int]:
    """Add the entries that the places name, each in its page, with an edge from its place.

    ``most``: the maximum number of pages. ``rows``: the maximum number of entries per page. ``also``: entries that no place
    names. Returns how many pages were added, and how many there are.
    """
    everything = sorted({*places, *also}) if also else list(places)
    pages = list(dict.fromkeys(id for spte in everything if 0 <= (id := _page_of(spte)) < NUM_PAGES))
    left = dict.fromkeys(pages[: max(1, most)], len(everything) if rows is None else rows)
    order = list(left)
    for spte in everything:
        id = _page_of(spte)
        if left.get(id):
            left[id] -= 1
            entry = _shadow_entry(builder, spte, order.index(id), 2)
            if spte in places:
                builder.edge(places[spte], entry, kind)
    return len(left), len(pages)


def _page_of(spte: int) -> int:
    return (spte >> 9) - FIRST_SHADOW


def _shadow_entry(builder: SceneBuilder, spte: int, rank: int, column: int) -> Key:
    """Add one entry of a shadow page, and a count of the page's other entries. Returns the entry's key."""
    page = builder.vm.pool.pages[_page_of(spte)]
    entry = PathEntry(shadow_page(page.id), page.level, page.id, spte & 511, builder.vm.memory.words[spte])
    builder.step(rank, entry, "shadow", column)
    return entry.key


def _rmap_form_note(kept: list[list[int]], form: str) -> list[str]:
    """Return a note on how the reverse map is stored."""
    if not kept:
        return ["the reverse map is empty: no shadow entry can write this frame"]
    if form == "own":
        return [f"{plural(len(kept[0]), 'entry', 'entries')}, in a reverse map that replaces the kernel's"]
    if form == "direct":
        return ["the direct form: the only entry is kept in place of the pointer to the first descriptor"]
    free = sum(RMAP_EXT - len(descriptor) for descriptor in kept)
    return [f"{plural(len(kept), 'descriptor')} of four places, {free or 'none'} of them free"]


def _parents_notes(vm: Machine, page: ShadowPage, kept: list[list[int]]) -> list[str]:
    """Return notes that explain the number of parents."""
    notes = []
    if page not in vm.pool.active:
        notes.append(f"#{page.id} is free: its contents are left over from its last use")
    count = sum(map(len, kept))
    notes.append(f"{plural(count, 'entry leads', 'entries lead')} to #{page.id}" if count else "no entry leads here")
    if page.root_count:
        notes.append(f"it is a root, used {plural(page.root_count, 'time')}: such use is counted, not kept as a parent")
    elif not count:
        notes.append("it stays in the hash, where a lookup can find it again, until it is evicted")
    return notes


# Who maps a frame


def leading_to(vm: Machine, gfn: int) -> list[int]:
    """Return all level-1 entries of shadow pages in use that lead to gfn, sorted. Without memory, they are I/O entries."""
    hfn = vm.memory.frames[gfn]
    pages = [page.id for page in vm.pool.active if page.level == 1]
    entries = vm.memory.pages[FIRST_SHADOW : FIRST_SHADOW + NUM_PAGES]
    flags, wanted = (PRESENT | IO_MARK, IO_MARK) if hfn is None else (PRESENT, PRESENT)
    mask = np.uint64(BASE_MASK | flags)
    match = np.uint64((gfn if hfn is None else hfn) << PAGE_SHIFT & BASE_MASK | wanted)
    hits = ((id, np.flatnonzero(entries[id] & mask == match).tolist()) for id in sorted(pages))
    return [FIRST_SHADOW + id << 9 | index for id, indexes in hits for index in indexes]


def _guest_entry(builder: SceneBuilder, spte: int, rank: int, frame: Key, gfn: int) -> None:
    """Add the guest entry from which a shadow entry was derived, if it is known. It may lead elsewhere by now."""
    vm = builder.vm
    page = vm.pool.pages[_page_of(spte)]
    made = made_from(vm, page, spte & 511)
    if made is None:
        return
    table, index = made
    level, entry = 2 if page.metaphysical else 1, guest_entry(vm, table, index)
    source = PathEntry(guest_table(table), level, table, index, entry)
    builder.step(rank, source, "guest", level)
    if entry & PRESENT and gfn in _mapped(vm, level, entry):
        builder.edge(source.key, frame, "guest")


def _mapped(vm: Machine, level: int, entry: int) -> range:
    """Return the gfns that a guest entry maps."""
    form = guest_format(vm.root_level)
    first, count = (entry & form.base) >> PAGE_SHIFT, 1 << form.index_bits
    return range(first & -count, (first & -count) + count) if maps_large(vm, level, entry) else range(first, first + 1)


def _rmap_comparison(vm: Machine, found: list[int], known: set[int], hfn: int | None) -> list[str]:
    """Return notes that compare the entries found with the reverse map."""
    if hfn is None:
        count = plural(len(found), "shadow entry says", "shadow entries say")
        return [f"there is no memory here; {count} so (I/O)"]
    writable = [spte for spte in found if vm.memory.words[spte] & WRITABLE]
    readonly, unknown = len(found) - len(writable), len(set(writable) - known)
    can = plural(len(writable), "shadow entry", "shadow entries") if writable else "no shadow entry"
    notes = [f"{can} can write it, {readonly or 'none'} can only read"]
    left = sorted(known & set(found) - set(writable))
    if readonly > len(left):
        notes.append("the reverse map doesn't contain those that can only read; a search of all entries found them")
    if left:
        notes.append(f"the reverse map still names {', '.join(map(entry_name, left[:4]))}, which can no longer write")
    if unknown:
        missing = plural(unknown, "entry", "entries")
        notes.append(f"the reverse map lacks {missing} that can write: the frame can't be protected")
    if wrong := sorted(known - set(found)):
        notes.append(f"the reverse map names {', '.join(map(entry_name, wrong[:4]))}, which leads elsewhere")
    return notes


def _page_table_note(vm: Machine, gfn: int) -> list[str]:
    """Return a note if the frame is a shadowed page table."""
    real = vm.memory.unalias(gfn)
    pages = [page for page in vm.pool.bucket(real) if page.gfn == real and not page.metaphysical]
    if not pages:
        return []
    names = ", ".join(f"#{page.id} (level {page.level})" for page in pages)
    return [f"the frame is itself a page table, shadowed by {names}: no entry should write it"]


def _alias_note(vm: Machine, gfn: int) -> list[str]:
    real = vm.memory.unalias(gfn)
    return [] if real == gfn else [f"gfn {gfn:#x} is another name (an alias) of gfn {real:#x}"]
