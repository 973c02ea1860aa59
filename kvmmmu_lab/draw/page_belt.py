# SPDX-License-Identifier: GPL-2.0-only
"""The pool as a belt: new pages enter at its head, eviction takes the page at its tail, a root in use goes back to the head."""

from __future__ import annotations

from ..inspect.keys import Key, shadow_page
from ..mmu.machine import Machine
from ..mmu.pool import MIN_FREE, NUM_PAGES, REFILL, ShadowPage
from ..mmu.shadow import entries_with
from .page_pool import FREE
from .scene import Entry, Marks, Scene
from .scene_builder import SceneBuilder, plural, role_words

HEAD, BETWEEN, TAIL = Key("l:head"), Key("l:between"), Key("l:tail")
"""The boxes of the belt, from left to right. The box of free pages has the key `page_pool.FREE`."""

AT_AN_END = 6
"""The number of pages that are drawn at each end of the belt."""

FREE_ROWS = 4
"""The number of free pages that are drawn."""


def page_belt_scene(vm: Machine, marks: Marks | None = None, limit: int | None = None) -> Scene:
    """Return the free pages and both ends of the active list, as a belt. ``limit``: the number of pages drawn at each end.

    Rows stand for places, not for pages, so that pages move through them in a film. The place of the page that eviction takes
    next is 1.
    """
    builder, most = SceneBuilder(vm, marks), AT_AN_END if limit is None else limit
    free, belt = list(reversed(vm.pool.free)), list(vm.pool.active)
    last = min(most, (len(belt) + 1) // 2)
    tail, head = belt[:last], belt[max(last, len(belt) - most) :]
    hidden = len(belt) - len(tail) - len(head)
    builder.box(
        FREE,
        "list",
        3,
        0,
        "free pages",
        (plural(len(free), "page"), "the first is taken next"),
        [Entry(FREE.entry(at), "", "", f"#{page.id}", _mark(builder, page)) for at, page in enumerate(free[:FREE_ROWS])],
        f"{len(free) - FREE_ROWS} more" if len(free) > FREE_ROWS else "",
    )
    places = {page: place for place, page in enumerate(belt, 1)}
    rows = [_row(builder, HEAD.entry(at), places[page], page) for at, page in enumerate(reversed(head))]
    builder.box(HEAD, "list", 2, 0, "head", ("a new page enters here",), rows)
    between = (plural(hidden, "page"),) if hidden else ("no page",)
    builder.box(BETWEEN, "list", 1, 0, "in between", between)
    rows = [_row(builder, TAIL.entry(most - places[page]), places[page], page) for page in reversed(tail)]
    builder.box(TAIL, "list", 0, 0, "tail", ("place 1 is evicted first",), rows)
    _arrows(builder, free, head, tail, most)
    roots = [f"#{page.id} at place {places[page]}" for page in belt if page.root_count]
    notes = [f"in use as root: {', '.join(roots)}; eviction empties a root and moves it to the head"] if roots else []
    notes.append(f"a fault that finds fewer than {MIN_FREE} free pages zaps from the tail until {REFILL} are free")
    on_it = f"{len(belt)} of {NUM_PAGES} shadow pages {'is' if len(belt) == 1 else 'are'} on it"
    return builder.scene(f"The pool as a belt: {on_it}", notes)


def _mark(builder: SceneBuilder, page: ShadowPage) -> str:
    """Return the mark of a page's row. The row itself is never new: it had another page in it. A page is changed, too, if one
    of its entries is marked."""
    key = shadow_page(page.id)
    mark = builder.mark(key)
    if mark == "dead" and page in builder.vm.pool.active:
        return mark
    return "changed" if mark in ("new", "dead", "changed") or builder.marked.get(key) else mark


def _row(builder: SceneBuilder, key: Key, place: int, page: ShadowPage) -> Entry:
    used = plural(len(entries_with(builder.vm, page)), "entry", "entries")
    root = " · root" * bool(page.root_count)
    says = ", ".join((*role_words(page), f"{used} in use"))
    return Entry(key, str(place), f"L{page.level}", f"#{page.id}: {used}{root}", _mark(builder, page), says)


def _arrows(builder: SceneBuilder, free: list[ShadowPage], head: list[ShadowPage], tail: list[ShadowPage], most: int) -> None:
    """Add the way of a page: from the free pages to the head, along the belt, and from the tail back to the free pages."""
    top = FREE.entry(0) if free else FREE
    if free:
        builder.edge(top, HEAD.entry(0) if head else HEAD, "link")
    builder.edge(HEAD, BETWEEN, "link")
    builder.edge(BETWEEN, TAIL, "link")
    if tail:
        builder.edge(TAIL.entry(most - 1), top, "link")
    for place, page in enumerate(tail, 1):
        if page.root_count:
            builder.edge(TAIL.entry(most - place), HEAD, "parent")
