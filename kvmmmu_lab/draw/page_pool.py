# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of the pool of shadow pages: the hash table, the free list, the active list, and the object caches."""

from __future__ import annotations

from itertools import pairwise

from ..inspect.keys import HASH, Key, shadow_page
from ..mmu.caches import CAPACITY
from ..mmu.machine import Machine
from ..mmu.pool import NUM_PAGES, ShadowPage
from .scene import Entry, Marks, Scene
from .scene_builder import LIMIT, SceneBuilder, more, plural, role_words

FREE, ACTIVE, CACHES = Key("l:free"), Key("l:active"), Key("l:caches")
"""The boxes of `pool_scene`."""

IN_A_ROW = 3
"""Maximum number of pages of a bucket that are drawn side by side."""

LAST = 999
"""Index in the key of the last row of a list folded in the middle: rows at its end keep their keys when the list grows."""


def hash_table_scene(vm: Machine, gfn: int | None = None, marks: Marks | None = None, limit: int | None = None) -> Scene:
    """Return the hash buckets in use, each with its pages in order. With ``gfn``: only its bucket, and the result of a lookup.

    ``limit``: the maximum number of pages.
    """
    builder, most = SceneBuilder(vm, marks), LIMIT - 1 if limit is None else limit
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
    rows = [_bucket(builder, number) for number in buckets]
    builder.box(HASH, "list", width, 0, "hash", (f"{len(used)} of {NUM_PAGES} buckets used",), rows, rest)
    for rank, (number, pages) in enumerate(buckets.items()):
        _chain(builder, number, pages, width, rank, gfn)
    drawn, total = sum(map(len, buckets.values())), sum(len(vm.pool.buckets[number]) for number in wanted)
    notes = [] if drawn == total else [f"{drawn} of {total} pages are drawn; {_how_to_see_more(gfn, most, total, buckets)}"]
    if gfn is None:
        return builder.scene("The hash of shadow pages: bucket gfn % 256, newest page first", notes)
    answer = f"finds #{found.id}" if found else "finds nothing: gfn isn't shadowed as a page table"
    title = f"The hash bucket of gfn {gfn:#x}: a lookup {answer}"
    return builder.scene(title, [f"gfn {gfn:#x} % {NUM_PAGES} is bucket {gfn % NUM_PAGES:#x}", *notes])


def _how_to_see_more(gfn: int | None, most: int, total: int, buckets: dict[int, list[ShadowPage]]) -> str:
    if gfn is None and sum(map(len, buckets.values())) < most:
        return "hash_table(vm, gfn) draws one whole bucket"
    return f"limit={more(most, total)} draws more"


def _bucket(builder: SceneBuilder, number: int) -> Entry:
    pages = builder.vm.pool.buckets[number]
    names = " → ".join(f"#{page.id}" for page in pages[:3]) + " ..." * (len(pages) > 3)
    says = f"bucket {number:#x} has {plural(len(pages), 'page')}"
    key = HASH.entry(number)
    return Entry(key, f"{number:#x}", "", names or "empty", builder.mark(key), says)


def _chain(builder: SceneBuilder, number: int, pages: list[ShadowPage], width: int, rank: int, gfn: int | None) -> None:
    """Add the pages of a bucket, from left to right, line by line."""
    found = None if gfn is None else builder.vm.pool.lookup(gfn)
    for at, page in enumerate(pages):
        words = role_words(page)
        if gfn is not None:
            words += (f"{at + 1}. {_lookup_result(page, found, gfn)}",)
        column = width - 1 - at % width
        builder.box(shadow_page(page.id), "shadow", column, rank + at // width, f"shadow L{page.level} #{page.id}", words)
    keys = [HASH.entry(number), *(shadow_page(page.id) for page in pages)]
    for before, after in pairwise(keys):
        builder.edge(before, after, "link")


def _lookup_result(page: ShadowPage, found: ShadowPage | None, gfn: int) -> str:
    """Return the reason why a lookup takes a page or skips it."""
    if page is found:
        return "the lookup takes this one"
    if page.gfn != gfn:
        return "skipped: another gfn"
    return "skipped: no table" if page.metaphysical else "not reached"


def pool_scene(vm: Machine, marks: Marks | None = None, limit: int | None = None) -> Scene:
    """Return the free list, the active list and the object caches. ``limit``: the maximum number of rows per list."""
    builder, most = SceneBuilder(vm, marks), LIMIT if limit is None else limit
    free, active = list(reversed(vm.pool.free)), list(vm.pool.active)
    free_rows = _folded(builder, FREE, free, most)
    active_rows = _folded(builder, ACTIVE, active, most)
    words = (plural(len(active), "page"), "oldest first: evicted first")
    builder.box(ACTIVE, "list", 2, 0, "active list", words, active_rows)
    builder.box(FREE, "list", 1, 0, "free list", (plural(len(free), "page"), "the first is taken next"), free_rows)
    caches = [
        Entry(CACHES.entry(at), "", "", f"{cache.free:2} {cache.name}", builder.mark(CACHES.entry(at)), f"of {CAPACITY}")
        for at, cache in enumerate((vm.caches.pte_chain, vm.caches.rmap_desc))
    ]
    builder.box(CACHES, "list", 0, 0, "object caches", (f"up to {CAPACITY} of each",), caches)
    longest = max(len(free), len(active))
    notes = [f"lists are folded in the middle; limit={more(most, longest)} draws more"] if longest > most else []
    roots = [f"#{page.id}" for page in active if page.root_count]
    if roots:
        notes.append(f"in use as root: {', '.join(roots)}; eviction empties a root but can't free it")
    return builder.scene(f"The pool: {len(free)} of {NUM_PAGES} shadow pages are free", notes)


def _folded(builder: SceneBuilder, key: Key, pages: list[ShadowPage], most: int) -> list[Entry]:
    """Return the rows of a list. For a long list: those at both ends, and a row that counts the others."""
    count = len(pages)
    if count <= most:
        return [_member(builder, key, at, at, page) for at, page in enumerate(pages)]
    head, tail = most - most // 2, most // 2
    rows = [_member(builder, key, at, at, page) for at, page in enumerate(pages[:head])]
    rows.append(Entry(key.entry(LAST - tail), "...", "", f"{count - most} more"))
    first = count - tail
    return rows + [_member(builder, key, LAST - tail + 1 + at, first + at, pages[first + at]) for at in range(tail)]


def _member(builder: SceneBuilder, key: Key, place: int, at: int, page: ShadowPage) -> Entry:
    mark = builder.mark(shadow_page(page.id))
    mark = "changed" if mark == "new" else mark
    own = key.entry(place)
    if key == FREE:
        return Entry(own, str(at + 1), "", f"#{page.id}", mark)
    target = f"#{page.id} of gfn {page.gfn:#x}" + " · root" * bool(page.root_count)
    return Entry(own, str(at + 1), f"L{page.level}", target, mark, ", ".join(role_words(page)))
