# SPDX-License-Identifier: GPL-2.0-only
"""The picture of memory slots, dirty logs and aliases."""

from kvmmmu_lab import Vm
from kvmmmu_lab.draw.memory_slots import memory_slots_scene

from ..mmu.guests import everything
from .scenes import edges, rows, sound


def test_slots_aliases_and_logs():
    vm = Vm([(0, 0x60, True), (0x400, 0x100)])
    for gfn in (3, 4, 5, 9):
        vm.access(gfn << 12, write=True)
    vm.set_alias(1, 0x800, 0x10, 0x40)
    before = everything(vm)
    scene = memory_slots_scene(vm)
    sound(scene)
    assert everything(vm) == before
    assert scene.table("m:0").words == (
        "gfn 0x0..0x5f",
        "96 pages, 384 KB",
        "in host frames 0x200..0x25f",
        "dirty log: 4 pages written",
    )
    assert rows(scene, "m:0") == [("dirty", "", "gfn 0x3..0x5"), ("dirty", "", "gfn 0x9")]
    assert scene.table("m:1").words[1::2] == ("256 pages, 1 MB", "no dirty log")
    assert scene.table("m:a1").words == ("gfn 0x800..0x80f", "is gfn 0x40..0x4f")
    assert edges(scene, "link") == {("m:a1", "m:0")}


def test_many_ranges_are_folded():
    vm = Vm([(0x100, 0x80, True)])
    for page in range(0, 0x80, 2):
        vm.access(0x100 + page << 12, write=True)
    scene = memory_slots_scene(vm)
    assert len(rows(scene, "m:0")) == 12
    assert scene.table("m:0").rest == "52 more ranges"
    assert scene.notes == ("of slot 0, 12 of 64 dirty ranges are drawn; limit=40 draws more",)
    assert len(rows(memory_slots_scene(vm, limit=64), "m:0")) == 64


def test_a_deleted_slot_is_not_drawn():
    vm = Vm([(0, 0x10), (0x100, 0x10)])
    vm.set_slot(1, 0x100, 0)
    assert [table.key for table in memory_slots_scene(vm).tables] == ["m:0"]
