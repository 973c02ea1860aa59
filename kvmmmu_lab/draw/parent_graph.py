# SPDX-License-Identifier: GPL-2.0-only
"""The picture of shadow pages and their parents: which entries link to each page, and the way back to them.

Unlike `shadow_tables`, it also draws the pages that no entry links to. They are in use all the same, until they are evicted.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..inspect.keys import key_of, shadow_page
from ..mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_SHADOW
from ..mmu.pool import NUM_PAGES, ShadowPage
from ..mmu.shadow import page_of
from .scene import Marks, Scene
from .scene_builder import LIMIT, SceneBuilder, more, plural, used_entries

ROWS, LEAVES = 6, 2
"""Maximum number of rows of a page that links to others, and of a page of level 1."""


def parent_graph_scene(
    vm: Machine,
    page_id: int | None = None,
    marks: Marks | None = None,
    limit: int | None = None,
    keep: Collection[int] = (),
) -> Scene:
    """Return the shadow pages of the guest's present mode, with the links between them and the ways back.

    ``page_id``: only this page, and the pages above and below it. ``limit``: the maximum number of pages. ``keep``: the ids of
    pages that are drawn first, because a film has drawn them before.
    """
    builder, most = SceneBuilder(vm, marks), LIMIT if limit is None else limit
    pages = _pages(vm) if page_id is None else _family(vm, vm.pool.pages[page_id])
    pages.sort(key=lambda page: page.id not in keep)
    drawn = sorted(pages[:most], key=lambda page: -page.id)
    for page in drawn:
        _draw(builder, page, {other.id for other in drawn})
    builder.parents()
    notes = []
    if len(drawn) < len(pages):
        notes.append(f"{len(drawn)} of {len(pages)} pages are drawn; limit={more(most, len(pages))} draws more")
    orphans = [page for page in drawn if not page.root_count and not list(vm.parents.sptes(page)) and page in vm.pool.active]
    if orphans:
        names = ", ".join(f"#{page.id}" for page in orphans)
        notes.append(f"no entry links to {names}; in the hash {'it' if len(orphans) == 1 else 'they'} can still be found")
    about = "The shadow pages" if page_id is None else f"The shadow pages above and below #{page_id}"
    return builder.scene(f"{about}: links down, and ways back to the parents", notes)


def _pages(vm: Machine) -> list[ShadowPage]:
    """Return the pages in use of the present mode: the roots first, and then level by level."""
    pages = [page for page in vm.pool.active if page.glevels == vm.root_level]
    return sorted(pages, key=lambda page: (-page.level, not page.root_count, -page.id))


def _family(vm: Machine, page: ShadowPage) -> list[ShadowPage]:
    """Return a page, and those above and below it, the nearest first."""
    family, above, below = {page: None}, [page], [page]
    while above or below:
        above = [vm.pool.pages[id] for one in above for id in _above(vm, one)]
        below = [vm.pool.pages[id] for one in below for id in _below(vm, one)]
        family |= dict.fromkeys([*above, *below])
    return list(family)


def _above(vm: Machine, page: ShadowPage) -> list[int]:
    """Return the ids of the pages whose entries link to a page."""
    ids = dict.fromkeys(page_of(spte) for spte in vm.parents.sptes(page))
    return [id for id in ids if 0 <= id < NUM_PAGES]


def _below(vm: Machine, page: ShadowPage) -> list[int]:
    """Return the ids of the pages to which a page links."""
    if page.level == 1:
        return []
    children = [_child(value) for _, value in used_entries(vm, shadow_page(page.id))]
    return list(dict.fromkeys(child for child in children if child is not None))


def _child(value: int) -> int | None:
    """Return the id of the shadow page to which an entry leads, or None."""
    id = ((value & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW
    return id if value & PRESENT and 0 <= id < NUM_PAGES else None


def _draw(builder: SceneBuilder, page: ShadowPage, there: set[int]) -> None:
    """Add a page with its first rows, and the edges to those pages that are ``there``."""
    vm, key = builder.vm, shadow_page(page.id)
    builder.table(key, "shadow", page.level, NUM_PAGES - page.id, page.id)
    parents = len(list(vm.parents.sptes(page)))
    count = plural(parents, "parent") if parents else "no parent"
    table = builder.tables[key]
    builder.tables[key] = replace(table, words=(*table.words, count))
    entries = used_entries(vm, key)
    linked = [(index, value) for index, value in entries if page.level > 1 and _child(value) in there]
    rows = linked[:ROWS] if page.level > 1 else entries[:LEAVES]
    for index, value in rows:
        builder.row(key, page.level, index, value)
    for index, value in rows if page.level > 1 else ():
        child = _child(value)
        if child is not None:
            builder.edge(key_of(vm, (page.spte + index) << 3), shadow_page(child), "shadow")
