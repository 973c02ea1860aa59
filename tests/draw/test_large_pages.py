# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of a large page and of memory without paging: one guest entry, and the pieces that are mapped one by one."""

import pytest

from kvmmmu_lab import InputError, Vm
from kvmmmu_lab.draw.large_pages import large_page_scene, span_of
from kvmmmu_lab.draw.pictures import Picture, large_page
from kvmmmu_lab.draw.room import SLIDE
from kvmmmu_lab.draw.scene import Marks, check, scene_data, scene_of
from kvmmmu_lab.labs.guests import FULL, Builder
from kvmmmu_lab.labs.watch import watch_large_page
from kvmmmu_lab.mmu.bits import CR0_PG, LARGE, WRITABLE

from ..mmu.guests import everything
from .scenes import edges, rows, sound

BASE, GFN = 0x40000000, 0x400
LARGE_MODES = ["64", "pae", "32 pse"]


def used(mode, *offsets, **access):
    """A guest with a large page that has written to these pieces of it."""
    guest = Builder(mode)
    guest.map(BASE, GFN, large=True)
    vm = guest.start()
    for offset in offsets:
        vm.access(BASE + (offset << 12), write=True, **access)
    return guest, vm


@pytest.mark.parametrize("mode", LARGE_MODES)
def test_one_entry_of_the_guest_and_one_of_the_shadow_for_each_piece(mode):
    _, vm = used(mode, 0, 5, 291)
    before = everything(vm)
    scene = large_page_scene(vm, [BASE])
    sound(scene)
    check(scene)
    assert everything(vm) == before
    (guest,) = scene.of("guest")
    assert [row.target for row in guest.entries] == [f"{4 if mode == '32 pse' else 2} MB 0x400"]
    page = next(table for table in scene.of("shadow") if table.column == 1)
    assert [row.target for row in page.entries] == ["gfn 0x400", "gfn 0x405", "gfn 0x523"]
    assert rows(scene, "p:400") == [("0", "", "gfn 0x400"), ("5", "", "gfn 0x405"), ("291", "", "gfn 0x523")]
    assert edges(scene, "guest") == {(guest.entries[0].key, "p:400")}
    assert (f"{page.key}:291", "p:400:291") in edges(scene, "shadow")
    assert page.words == (f"of gfn 0x400{' · first 2 MB' * (mode == '32 pse')}", "no guest table", "role: user, writes")


def test_the_two_halves_of_4_mb_have_a_page_each():
    _, vm = used("32 pse", 5, 512 + 5)
    scene = large_page_scene(vm, [BASE])
    sound(scene)
    halves = [table for table in scene.of("shadow") if table.column == 1]
    assert [table.words[0] for table in halves] == ["of gfn 0x400 · first 2 MB", "of gfn 0x400 · second 2 MB"]
    assert {target for _, target in edges(scene, "shadow")} == {*(table.key for table in halves), "p:400:5", "p:400:517"}
    assert scene.table("p:400").words == ("gfn 0x400 to 0x7ff", "1024 pieces of 4 KiB")
    assert scene.table("p:400").rest == "1021 more pieces"


def test_a_piece_without_an_entry_is_drawn_for_its_address():
    _, vm = used("64", 5)
    scene = large_page_scene(vm, [BASE + 0x9000])
    assert [row.target for row in scene.of("shadow")[1].entries] == ["gfn 0x405", "empty"]
    assert [row for row, _, _ in rows(scene, "p:400")] == ["5", "9"]
    assert "p:400:9" in scene.path


def test_a_clean_large_page_is_read_only_piece_by_piece():
    guest = Builder("64")
    guest.map(BASE, GFN, FULL & ~0x40, large=True)
    vm = guest.start()
    vm.access(BASE)
    scene = large_page_scene(vm, [BASE])
    assert len(edges(scene, "readonly")) == 1
    assert scene.of("shadow")[1].entries[0].flags == "PwUA..."


def test_two_entries_of_one_frame_meet_in_one_page_if_their_rights_are_equal():
    guest, vm = used("64", 1)
    guest.map(BASE + 0x200000, GFN, large=True)
    guest.map(BASE + 0x400000, GFN, FULL & ~WRITABLE, large=True)
    vm.access(BASE + 0x203000)
    vm.access(BASE + 0x405000)
    scene = large_page_scene(vm, [BASE])
    sound(scene)
    same, other = (table for table in scene.of("shadow") if table.column == 1)
    assert (same.words[2], other.words[2]) == ("role: user, writes", "role: user, reads")
    links = sorted((source.split(":")[2], target) for source, target in edges(scene, "shadow") if target[0] == "s")
    assert links == [("0", same.key), ("1", same.key), ("2", other.key)]
    assert len(edges(scene, "guest")) == 3


def test_a_page_without_a_parent_is_drawn():
    guest, vm = used("64", 5)
    vm.emulate_write_gpa(guest.entry_gpa(BASE, 2), GFN << 12 | FULL | LARGE, 8)
    scene = large_page_scene(vm, [BASE])
    sound(scene)
    assert scene.of("shadow")[1].words[-1] == "no entry leads here"
    assert scene.of("shadow")[0].entries[0].target == "empty"


def test_without_paging_there_is_no_guest_table():
    vm = Vm([(0, 0x400)])
    vm.access(0x5000)
    vm.access(0x207000, write=True)
    scene = large_page_scene(vm, [0x5000])
    sound(scene)
    assert scene.title == "guest without paging: the 2 MB of memory at gfn 0x0, mapped in pieces of 4 KiB"
    assert not scene.of("guest")
    assert [table.column for table in scene.of("shadow")] == [3, 2, 1]
    assert rows(scene, "p:0") == [("5", "", "gfn 0x5")]
    assert rows(large_page_scene(vm, [0x207000]), "p:200") == [("7", "", "gfn 0x207")]


def test_where_there_is_no_large_page_the_picture_says_so():
    guest = Builder("32")
    guest.map(0x1000)
    vm = guest.start()
    scene = large_page_scene(vm, [0x1000])
    assert scene.notes[-1] == "the guest doesn't map 0x1000 with a large page" and scene.of("guest")
    assert span_of(vm, 0x1000) is span_of(vm, 0x80000000) is None
    with pytest.raises(InputError, match="at least one address"):
        large_page(vm)


def test_a_device_has_no_pieces():
    guest = Builder("64")
    guest.map(BASE, 0xFEE00, large=True)
    vm = guest.start()
    vm.access(BASE + 0x3000)
    scene = large_page_scene(vm, [BASE + 0x3000])
    sound(scene)
    assert scene.table("p:fee00").words == ("gfn 0xfee00 to 0xfefff", "no memory: a device")


def test_many_pieces_are_folded_and_fit_on_a_slide():
    _, vm = used("64", *range(100))
    scene = large_page_scene(vm, [BASE + 0x50000])
    sound(scene)
    assert len(scene.table("p:400").entries) == 7
    assert scene.notes == ("93 used entries aren't drawn; limit=22 draws more",)
    assert len(large_page(vm, BASE, limit=22).scene.table("p:400").entries) == 23
    picture = Picture(scene)
    assert picture.fitted(SLIDE).scale >= 1
    assert scene_data(scene_of(scene_data(scene))) == scene_data(scene)
    assert "data-scene" in picture.html


def test_a_film_of_a_fault_marks_the_entry_and_the_piece():
    _, vm = used("64", 5)
    film = watch_large_page(lambda: vm.access(BASE + 0x7000, write=True), vm, BASE + 0x7000)
    scenes = [step.scene for chapter in film.chapters for step in chapter]
    marked = {(entry or table).key for scene in scenes for table, entry in scene.marked()}
    assert "p:400:7" in marked and any(key.startswith("s:") and key.endswith(":7") for key in marked)
    assert [row.target for row in scenes[-1].of("shadow")[1].entries] == ["gfn 0x405", "gfn 0x407"]


def test_paging_can_be_turned_off_in_a_film():
    _, vm = used("64", 5)
    film = watch_large_page(lambda: vm.load_cr0(vm.cpu.cr0 & ~CR0_PG), vm, BASE)
    assert film.chapters[0][-1].scene.title.startswith("guest without paging")


def test_marks_of_a_reverse_map_reach_the_piece():
    _, vm = used("64", 5)
    assert large_page_scene(vm, [BASE], Marks({"f:405:rmap": "changed"})).entry("p:400:5").mark == "changed"
