# SPDX-License-Identifier: GPL-2.0-only
"""The picture of the first audit: what it counts, and which entries have no counterpart."""

import pytest

from kvmmmu_lab.draw.audit_counters import audit_counters_scene
from kvmmmu_lab.draw.scene import Marks
from kvmmmu_lab.labs import Builder, audit_counters, watch_counters
from kvmmmu_lab.mmu.audit import audit_rmap
from kvmmmu_lab.mmu.bits import MODES, WRITABLE
from kvmmmu_lab.mmu.rmap import ReverseMap

from .scenes import busy, edges, rows, sound


class OddOnly(ReverseMap):
    """A reverse map that forgets the entries with an even index."""

    def add(self, spte):
        if spte & 1:
            super().add(spte)


def three(mode="64", **parts):
    """Return a guest with three writable entries, two of which lead to one frame."""
    guest = Builder(mode, **parts)
    gfn = guest.map(0x1000)
    guest.map(0x2000, gfn)
    guest.map(0x3000)
    guest.map(0x4000)
    vm = guest.start()
    for gva in (0x1000, 0x2000, 0x3000):
        vm.access(gva, write=True)
    return vm


@pytest.mark.parametrize("mode", [name for name, mode in MODES.items() if mode.levels])
def test_both_sides_of_a_sound_machine(mode):
    scene = audit_counters_scene(three(mode))
    sound(scene)
    assert scene.table("l:maps").title == "3 references" and scene.table("l:entries").title == "3 writable entries"
    assert scene.table("l:verdict").title == "3 = 3"
    assert [target for _, _, target in rows(scene, "l:maps")] == ["2 entries", "1 entry"]
    assert len(edges(scene, "rmap")) == 3


def test_without_paging():
    guest = Builder()
    guest.vm.access(0x5000, write=True)
    scene = audit_counters_scene(guest.vm)
    sound(scene)
    assert scene.table("l:verdict").title == "1 = 1"


def test_an_entry_in_no_map_and_a_map_of_an_entry_that_is_not_writable():
    vm = three(rmap=OddOnly)
    scene = audit_counters_scene(vm)
    assert scene.table("l:verdict").title == "2 ≠ 3" and scene.table("l:verdict").words == ("first audit: a complaint",)
    (wrong,) = (target for _, _, target in rows(scene, "l:entries") if "no map" in target)
    assert wrong.endswith(", in no map")
    third = next(spte for hfn in vm.rmap.frames() for spte in vm.rmap.sptes(hfn) if len(list(vm.rmap.sptes(hfn))) == 1)
    vm.memory.words[third] &= ~WRITABLE
    scene = audit_counters_scene(vm)
    assert ", not writable" in "".join(target for _, _, target in rows(scene, "l:entries"))
    assert scene.table("l:verdict").title.startswith("2 = 2"), "two errors that cancel out"
    assert list(audit_rmap(vm)) == []


def test_frames_that_are_in_no_slot_are_not_counted():
    guest = Builder()
    guest.map(0x1000, 0x400)
    vm = guest.start()
    vm.access(0x1000, write=True)
    vm.set_slot(1, 0x400, 0)
    scene = audit_counters_scene(vm)
    sound(scene)
    assert scene.table("l:verdict").title == "0 ≠ 1"
    assert [target for _, _, target in rows(scene, "l:maps")] == ["1 entry: not counted"]


@pytest.mark.parametrize("limit", [None, 1, 5, 400])
def test_what_has_no_counterpart_is_drawn_first(limit):
    vm = busy(accesses=200)
    spte = next(spte for hfn in vm.rmap.frames() for spte in vm.rmap.sptes(hfn))
    vm.rmap.remove(spte)
    scene = audit_counters_scene(vm, limit=limit)
    sound(scene)
    assert any("in no map" in target for _, _, target in rows(scene, "l:entries"))
    assert max(len(rows(scene, "l:maps")), len(rows(scene, "l:entries"))) <= (limit or 12)
    (complaint,) = audit_rmap(vm)
    assert scene.table("l:verdict").title == "{} ≠ {}".format(*complaint.facts)


def test_a_film_counts_at_each_step():
    vm = three(rmap=OddOnly)
    film = watch_counters(lambda: vm.access(0x4000, write=True), vm)
    assert [film.steps[at].scene.table("l:verdict").title for at in (0, -1)] == ["2 ≠ 3", "2 ≠ 4"]
    assert any(entry.mark == "changed" for step in film.steps for entry in step.scene.table("l:entries").entries)


def test_a_changed_map_is_marked():
    vm = three()
    gfn = next(vm.memory.gfns[hfn] for hfn in sorted(vm.rmap.frames()))
    scene = audit_counters_scene(vm, Marks({f"f:{gfn:x}:rmap": "changed"}))
    assert scene.table("l:maps").entries[0].mark == "changed"
    assert audit_counters(vm).scene == audit_counters_scene(vm)
