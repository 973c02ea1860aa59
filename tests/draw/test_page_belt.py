# SPDX-License-Identifier: GPL-2.0-only
"""The pool as a belt: which pages it draws, in which places, and how they move in a film."""

import pytest

from kvmmmu_lab import Vm
from kvmmmu_lab.draw.page_belt import AT_AN_END, page_belt_scene
from kvmmmu_lab.draw.scene import Marks
from kvmmmu_lab.labs import Builder, belt, watch_belt
from kvmmmu_lab.mmu.bits import MODES
from kvmmmu_lab.mmu.pool import MIN_FREE, REFILL

from .scenes import busy, edges, rows, sound


def full(mode="64", regions=300):
    """Return a guest whose pool has fewer than 5 free pages, and the next region of 2 MB that it hasn't touched."""
    guest = Builder(mode, 0x300)
    data = guest.frame()
    for region in range(regions):
        guest.map(region << 21, data)
    vm, region = guest.start(), 0
    while len(vm.pool.free) >= MIN_FREE:
        vm.access(region << 21)
        region += 1
    return vm, region


@pytest.mark.parametrize("limit", [None, 1, 3, 40, 300])
def test_both_ends_of_the_belt_are_drawn(limit):
    vm = busy(accesses=100)
    scene = page_belt_scene(vm, limit=limit)
    sound(scene)
    active, most = list(vm.pool.active), limit or AT_AN_END
    drawn = [*rows(scene, "l:tail")[::-1], *rows(scene, "l:head")[::-1]]
    ids = [int(target[1:].partition(":")[0]) for _, _, target in drawn]
    if len(active) > 2 * most:
        assert ids == [page.id for page in (*active[:most], *active[-most:])]
        assert scene.table("l:between").words == (f"{len(active) - 2 * most} pages",)
    else:
        assert ids == [page.id for page in active] and scene.table("l:between").words == ("no page",)
    assert [int(place) for place, _, _ in drawn] == [active.index(vm.pool.pages[id]) + 1 for id in ids]


@pytest.mark.parametrize("mode", [name for name, mode in MODES.items() if mode.levels])
def test_every_mode_and_the_ways_of_a_page(mode):
    vm, _ = full(mode)
    scene = page_belt_scene(vm)
    sound(scene)
    along = {("l:free:0", "l:head:0"), ("l:head", "l:between"), ("l:between", "l:tail"), ("l:tail:5", "l:free:0")}
    assert edges(scene, "link") == along
    tail = list(vm.pool.active)[:AT_AN_END]
    assert len(edges(scene, "parent")) == sum(bool(page.root_count) for page in tail) > 0
    assert all(target == "l:head" for _, target in edges(scene, "parent"))
    assert "in use as root" in scene.notes[0]


def test_a_guest_without_paging_and_an_empty_pool():
    vm = Vm()
    scene = page_belt_scene(vm)
    sound(scene)
    assert [target for _, _, target in rows(scene, "l:tail")] == ["#254: 0 entries · root", "#255: 0 entries · root"]
    vm.destroy()
    empty = page_belt_scene(vm)
    sound(empty)
    assert empty.title.startswith("The pool as a belt: 0 of 256") and rows(empty, "l:tail") == rows(empty, "l:head") == []


def test_a_film_moves_the_pages_and_marks_them():
    vm, region = full()
    root = next(page for page in vm.pool.active if page.root_count)
    film = watch_belt(lambda: vm.access(region << 21), vm)
    turned = next(step for step in film.steps if "moves to the head" in step.words)
    first = turned.scene.table("l:head").entries[0]
    assert first.target == f"#{root.id}: 0 entries · root" and first.mark == "changed"
    zapped = [step for step in film.steps if step.words.endswith("are cleared.") and "is zapped" in step.words]
    assert len(zapped) == REFILL - MIN_FREE + 2  # from 4 free pages to 25, and the root, which doesn't count
    assert all(step.scene.table("l:tail").entries[-1].mark == "dead" for step in zapped)
    assert f"{REFILL} pages" in {step.scene.table("l:free").words[0] for step in film.steps}


def test_a_mark_of_an_entry_marks_its_page():
    vm = busy(accesses=20)
    newest = next(reversed(vm.pool.active))
    scene = page_belt_scene(vm, Marks({f"s:{newest.id}:5": "dead"}))
    assert scene.table("l:head").entries[0].mark == "changed"


def test_belt_draws_the_scene():
    vm = busy(accesses=20)
    assert belt(vm).scene == page_belt_scene(vm)
