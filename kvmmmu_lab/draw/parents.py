# SPDX-License-Identifier: GPL-2.0-only
"""The picture of a shadow page's parents: chain by chain, and the entries above it."""

from __future__ import annotations

from ..mmu.arena import FIRST_SHADOW
from ..mmu.machine import Machine
from ..mmu.parents import CHAIN_ENTRIES, ParentChains
from ..mmu.pool import NUM_PAGES, ShadowPage
from ..read.paths import Step, key_of
from . import rows as row
from .draft import LIMIT, Draft
from .scene import Entry, Marks, Scene

YOURS = "kept by your parents part"


def parent_chains_scene(vm: Machine, page_id: int, marks: Marks | None = None, limit: int | None = None) -> Scene:
    """A shadow page, its parents chain by chain, and the entries above it. ``limit``: how many tables."""
    draft, most, page = Draft(vm, marks), LIMIT if limit is None else limit, vm.pool.pages[page_id]
    key = f"s:{page_id}"
    draft.box(key, "shadow", 0, 0, f"shadow L{page.level} #{page_id}", row.role_words(page))
    kept, own = _chains(vm, page)
    before, sptes = key, list[int]()
    for number, chain in enumerate(kept[: max(1, most // 2)]):
        box = f"c:{page_id}:{number}"
        title, words, empty = f"chain {number + 1}", (f"{len(chain)} of {CHAIN_ENTRIES} places",), CHAIN_ENTRIES - len(chain)
        if own or not isinstance(page.parents, list):
            title, words, empty = (YOURS if own else "kept directly"), ("one parent needs no chain",), 0
            words = (row.plural(len(chain), "parent"),) if own else words
        places: list[int | None] = [*chain[: 2 * LIMIT], *[None] * empty]
        rest = f"{len(chain) - 2 * LIMIT} more" if len(chain) > 2 * LIMIT else ""
        draft.box(box, "rmap", 1, number, title, words, [_place(draft, box, at, spte) for at, spte in enumerate(places)], rest)
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


def _place(draft: Draft, box: str, at: int, spte: int | None) -> Entry:
    key = f"{box}:{at}"
    return Entry(key, str(at), "", "empty" if spte is None else _named(draft.vm, spte), draft.mark(key))


def _named(vm: Machine, spte: int) -> str:
    key = key_of(vm, spte << 3)
    return f"slot {key[2:]}" if key.startswith("r:") else row.ref(spte)


def _above(draft: Draft, sptes: list[int], most: int) -> list[str]:
    """The entries that are parents, each in its page, and a dashed line to each from its place."""
    vm = draft.vm
    at = {place.target: place.key for key in draft.tables if key[0] == "c" for place in draft.entries[key]}
    ids = list(dict.fromkeys((spte >> 9) - FIRST_SHADOW for spte in sptes))
    ids = [id for id in ids if 0 <= id < NUM_PAGES]
    shown = ids[: max(1, most - len(draft.tables))]
    rows_of = dict.fromkeys(shown, 0)
    for spte in sptes:
        id = (spte >> 9) - FIRST_SHADOW
        if id in rows_of and rows_of[id] < LIMIT:
            rows_of[id] += 1
            level, word = vm.pool.pages[id].level, vm.memory.words[spte]
            draft.step(shown.index(id), Step(f"s:{id}", level, id, spte & 511, word), "shadow", 2)
            draft.edge(at[row.ref(spte)], f"s:{id}:{spte & 511}", "parent")
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
