# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of the roots: what leads to them, their pins, and which pages are kept without a pin."""

import pytest

from kvmmmu_lab import HostCrash, Vm
from kvmmmu_lab.draw.pictures import Picture, root_slots
from kvmmmu_lab.draw.room import SLIDE
from kvmmmu_lab.draw.root_slots import is_root_page, root_slots_scene
from kvmmmu_lab.draw.scene import check, scene_data, scene_of
from kvmmmu_lab.labs.guests import Builder
from kvmmmu_lab.labs.watch import watch_roots
from kvmmmu_lab.mmu.bits import CR0_PG

from ..mmu.guests import PAGED, everything
from .scenes import edges, rows, sound


def two_programs(mode):
    """A guest with two root tables, which has used both; the second is in use."""
    guest = Builder(mode)
    guest.map(0x40000000)
    vm = guest.start()
    vm.access(0x40000000)
    other = guest.frame()
    if mode == "pae":
        for index in range(4):
            vm.poke(other << 12 | 8 * index, guest.frame() << 12 | 1)
    vm.load_cr3(other << 12)
    return guest, vm, other


def pins(scene):
    return {index: sign for index, sign, _ in rows(scene, "l:roots")}


@pytest.mark.parametrize("mode", PAGED)
def test_the_roots_in_use_are_pinned_and_the_others_kept(mode):
    _, vm, _ = two_programs(mode)
    before = everything(vm)
    scene = root_slots_scene(vm)
    sound(scene)
    check(scene)
    assert everything(vm) == before
    four = 1 if mode == "64" else 4
    assert sorted(pins(scene).values()) == ["○"] * (1 + four) + ["●"] * four and pins(scene)["4 x"] == "○"
    roots = [page for page in vm.pool.active if is_root_page(page) and page.glevels]
    assert all(page.root_count == (pins(scene)[f"#{page.id}"] == "●") for page in roots)
    leads = edges(scene, "shadow")
    assert len(leads) == four
    assert all(
        scene.entry(target).flags == "●" and scene.entry(source).target == scene.entry(target).index for source, target in leads
    )


def test_what_the_guests_registers_select():
    _, vm, other = two_programs("64")
    assert rows(root_slots_scene(vm), "l:cr3") == [("", "", f"gfn {other:#x}")]
    _, vm, _ = two_programs("pae")
    scene = root_slots_scene(vm)
    assert len(rows(scene, "g:pdpt")) == len(rows(scene, "r")) == 4 and edges(scene, "shadows") == {("g:pdpt", "r")}
    scene = root_slots_scene(Vm())
    assert scene.table("l:cr3").words == ("no paging", "0x0 is not used yet") and not edges(scene, "shadows")
    assert [target for _, _, target in rows(scene, "l:roots")] == [f"no paging gfn 0x0 GB {n}" for n in range(4)]


def test_pdptes_that_are_not_present_have_no_root():
    _, vm, other = two_programs("pae")
    vm.emulate_write_gpa(other << 12 | 8, 0, 8)
    vm.load_cr3(other << 12)
    scene = root_slots_scene(vm)
    sound(scene)
    assert rows(scene, "g:pdpt")[1] == ("1", "", "not present") and rows(scene, "r")[1] == ("1", "", "none")


def test_two_slots_with_one_page_pin_it_twice():
    guest, vm, other = two_programs("pae")
    for index in range(4):
        vm.poke(other << 12 | 8 * index, guest.root + 1 << 12 | 1)
    vm.load_cr3(other << 12)
    scene = root_slots_scene(vm)
    assert "●●●●" in pins(scene).values() and scene.notes[0].startswith("1 root page is pinned")


def test_the_rest_of_the_pool_is_counted():
    _, vm, _ = two_programs("64")
    scene = root_slots_scene(vm)
    listed = {index: int(target.split()[0]) for index, _, target in rows(scene, "l:pool")}
    assert sum(listed.values()) + 3 + len(pins(scene)) == 256 and list(listed) == ["L3", "L2", "L1", "free"]


def test_too_many_roots_are_folded_and_pinned_ones_stay():
    guest, vm, _ = two_programs("32")
    for _ in range(4):
        vm.load_cr3(guest.frame() << 12)
    scene = root_slots_scene(vm)
    sound(scene)
    assert len(rows(scene, "l:roots")) == 13 and scene.table("l:roots").rest == "12 more"
    assert scene.notes[1] == "12 of 24 are drawn; limit=24 draws more"
    assert list(pins(scene).values()).count("●") == 4
    assert len(rows(root_slots(vm, limit=40).scene, "l:roots")) == 25
    assert Picture(scene).fitted(SLIDE).scale >= 1
    assert scene_data(scene_of(scene_data(scene))) == scene_data(scene)


def test_a_film_of_a_load_of_cr3_shows_the_pins_move():
    guest, vm, _ = two_programs("64")
    film = watch_roots(lambda: vm.load_cr3(guest.root << 12), vm)
    steps = film.chapters[0]
    words = [step.words for step in steps]
    assert any("is no longer pinned: its root count is now 0. The page stays in the pool" in line for line in words)
    assert any("is pinned as a root: its root count is now 1." in line for line in words)
    moved = [step for step in steps if any(entry for table, entry in step.scene.marked() if table.key == "l:roots")]
    assert len(moved) == 2
    assert pins(steps[0].scene) != pins(steps[-1].scene)


def test_modes_can_change_in_a_film():
    _, vm, _ = two_programs("64")
    film = watch_roots(lambda: vm.load_cr0(vm.cpu.cr0 & ~CR0_PG), vm)
    assert film.chapters[0][-1].scene.title.startswith("guest without paging")


def test_a_crashed_host_can_be_drawn():
    vm = Vm()
    vm.load_cr3(0x7F000000)
    with pytest.raises(HostCrash):
        vm.load_cr0(0x80000011)
    sound(root_slots_scene(vm))
