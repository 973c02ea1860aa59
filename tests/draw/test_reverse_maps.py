# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of a reverse map as it is stored, of all entries that map a frame, and of the parents of a shadow page."""

import re
import time

import pytest

from kvmmmu_lab import Vm, open_guest
from kvmmmu_lab.draw.pictures import Picture
from kvmmmu_lab.draw.reverse_maps import parent_chains_scene, reverse_map_scene, who_maps_scene
from kvmmmu_lab.draw.scene import Marks
from kvmmmu_lab.labs.guests import FULL, Builder
from kvmmmu_lab.mmu.bits import WRITABLE
from kvmmmu_lab.mmu.parents import ParentChains
from kvmmmu_lab.mmu.rmap import ReverseMap

from ..mmu.guests import ALL, PAGED, PE, PG, D, Guest, P, U, everything
from .scenes import HEAP, SELF, busy, edges, rows, sound


class Mine:
    """A reverse map that doesn't show how it stores its entries."""

    def __init__(self, vm):
        self.kept = ReverseMap(vm)
        self.add, self.remove, self.write_protect = self.kept.add, self.kept.remove, self.kept.write_protect

    def sptes(self, hfn):
        return iter(set(self.kept.sptes(hfn)))

    def frames(self):
        return iter(self.kept.frames())


def shared(count, mode="64", **options):
    """Return a VM whose guest maps one frame ``count`` times and wrote through each mapping, and the frame."""
    guest = Guest(mode, **options)
    frame = guest.frame()
    for number in range(count):
        guest.map(0x400000 + (number << 12), frame, ALL | D)
        guest.vm.access(0x400000 + (number << 12), write=True)
    return guest.vm, frame


def places(scene):
    return [[entry.target for entry in table.entries] for table in scene.of("rmap")]


@pytest.mark.parametrize("mode", PAGED)
def test_descriptors_have_four_places(mode):
    vm, frame = shared(6, mode)
    before = everything(vm)
    scene = reverse_map_scene(vm, frame)
    sound(scene)
    assert everything(vm) == before
    page = scene.of("shadow")[0].key[2:]
    assert places(scene) == [[f"#{page}:{n}" for n in range(4)], [f"#{page}:4", f"#{page}:5", "empty", "empty"]]
    assert [table.words for table in scene.of("rmap")] == [("4 of 4 places",), ("2 of 4 places",)]
    first, second = f"d:{frame:x}:0", f"d:{frame:x}:1"
    assert edges(scene, "link") == {(f"f:{frame:x}:rmap", first), (first, second)}
    assert (f"{second}:1", f"s:{page}:5") in edges(scene, "rmap")
    assert len(scene.table(f"s:{page}").entries) == 6 and scene.table(f"s:{page}").rest == "506 empty"
    assert scene.notes == ("2 descriptors of four places, 2 of them free",)


def test_one_entry_is_kept_directly():
    vm, frame = shared(1)
    scene = reverse_map_scene(vm, frame)
    (box,) = scene.of("rmap")
    assert (box.title, box.words, len(box.entries)) == ("kept directly", ("one entry needs no descriptor",), 1)
    assert scene.notes[0].startswith("the direct form")


def test_a_map_that_shrank_keeps_its_descriptor():
    vm, frame = shared(2)
    vm.rmap.remove(vm.rmap.sptes(vm.memory.frames[frame])[0])
    (box,) = reverse_map_scene(vm, frame).of("rmap")
    assert (box.title, [entry.target for entry in box.entries][1:]) == ("descriptor 1", ["empty"] * 3)


def test_an_empty_map_has_no_box():
    vm = busy(accesses=20)
    vm.access(HEAP, user=True)
    scene = reverse_map_scene(vm, 0x61C9)
    assert not scene.of("rmap")
    assert scene.table("f:61c9").words == ("write-protected table",)
    assert scene.notes == ("the reverse map is empty: no shadow entry can write this frame",)


def test_a_table_is_called_writable_as_long_as_an_entry_can_write_it():
    """The reverse map doesn't decide: write protection takes an entry out of its map first, and clears its W later."""
    vm = open_guest("lin64_A").vm()
    vm.access(0xFFFF8880061C9000)  # the kernel's mapping of the heap's page table
    (spte,) = vm.rmap.sptes(vm.memory.frames[0x61C9])
    vm.rmap.remove(spte)
    entry, vm.memory.words[spte] = vm.memory.words[spte], 0
    vm.access(HEAP, user=True)
    vm.memory.words[spte] = entry
    assert not vm.rmap.sptes(vm.memory.frames[0x61C9])
    assert who_maps_scene(vm, 0x61C9).table("f:61c9").words == ("writable table",)
    vm.rmap.add(spte)
    vm.memory.words[spte] = 0
    assert vm.rmap.sptes(vm.memory.frames[0x61C9])
    assert who_maps_scene(vm, 0x61C9).table("f:61c9").words == ("write-protected table",)


def test_a_replaced_reverse_map_is_one_box():
    vm, frame = shared(6, rmap=Mine)
    scene = reverse_map_scene(vm, frame)
    sound(scene)
    (box,) = scene.of("rmap")
    assert (box.title, box.words, len(box.entries)) == ("kept by your reverse map", ("6 entries",), 6)
    assert len(edges(scene, "rmap")) == 6


def test_long_maps_are_cut_and_say_so():
    vm, frame = shared(120)
    scene = reverse_map_scene(vm, frame)
    sound(scene)
    assert len(scene.tables) <= 12
    assert "6 of 30 descriptors are drawn; limit=62 draws all" in scene.notes
    assert len(reverse_map_scene(vm, frame, limit=62).of("rmap")) == 30


def test_where_no_memory_is():
    vm = Vm()
    scene = reverse_map_scene(vm, 0xFEE00)
    assert [table.words for table in scene.tables] == [("no memory: a device",)]
    assert scene.notes == ("there is no memory here, so no entry is present and there is no reverse map",)


def test_an_alias_is_said():
    vm = Vm([(0, 0x40)])
    vm.set_alias(0, 0x100, 4, 0x10)
    vm.access(0x101000, write=True)
    for scene in (reverse_map_scene(vm, 0x101), who_maps_scene(vm, 0x101)):
        assert scene.notes[0] == "gfn 0x101 is another name (an alias) of gfn 0x11"
        assert scene.table("f:11") is not None


def test_marks_reach_places_and_entries():
    vm, frame = shared(2)
    place = f"d:{frame:x}:0:1"
    scene = reverse_map_scene(vm, frame, Marks({place: "changed", f"f:{frame:x}:rmap": "changed"}))
    assert [entry.key for _, entry in scene.marked()] == [f"f:{frame:x}:rmap", place]


# Who maps


@pytest.mark.parametrize("mode", PAGED)
def test_who_maps_finds_what_the_reverse_map_does_not_know(mode):
    guest = Guest(mode)
    frame = guest.map(0x400000, flags=ALL | D)
    guest.map(0x800000 if mode != "32" else 0x801000, frame, P | U)
    guest.vm.access(0x400000, write=True)
    guest.vm.access(0x800000 if mode != "32" else 0x801000)
    scene = who_maps_scene(guest.vm, frame)
    sound(scene)
    assert (len(edges(scene, "shadow")), len(edges(scene, "readonly")), len(edges(scene, "rmap"))) == (1, 1, 1)
    assert len(edges(scene, "guest")) == 2  # both guest entries are found, and still lead to the frame
    assert scene.notes[0] == "1 shadow entry can write it, 1 can only read"
    assert "the reverse map doesn't contain those that can only read" in scene.notes[1]


def test_who_maps_says_that_a_map_names_what_can_only_read():
    """`fix_read_pf` in KVM 2.6.22 clears W, but leaves the entry in the reverse map."""
    guest = Guest("64", cr0=PG | PE)
    frame = guest.map(0x1000, flags=P | U)
    guest.vm.access(0x1000, write=True)
    guest.vm.access(0x1000, user=True)
    notes = who_maps_scene(guest.vm, frame).notes
    assert notes[0] == "no shadow entry can write it, 1 can only read"
    assert notes[1].startswith("the reverse map still names #") and notes[1].endswith("which can no longer write")
    assert not any("doesn't contain" in note or "lacks" in note for note in notes)


def test_a_table_is_mapped_by_a_large_page_that_may_not_write():
    vm = busy(accesses=20)
    vm.access(HEAP, user=True)
    vm.access(SELF)
    scene = who_maps_scene(vm, 0x61C9)
    assert rows(scene, "g:4402") == [("48", "PW.ADGNX", "2 MB 0x6000")]
    assert edges(scene, "guest") == {("g:4402:48", "f:61c9")}
    ((entry, _),) = edges(scene, "readonly")
    assert scene.entry(entry).flags == "Pw.ADGNX"
    assert scene.notes[0] == "no shadow entry can write it, 1 can only read"
    assert scene.notes[-1].startswith("the frame is itself a page table, shadowed by #")


def test_quadrants_lead_to_the_guests_own_index():
    guest = Guest("32")
    frame = guest.map(0x300000, flags=ALL | D)  # entry 768 of a page table is entry 256 of its second quadrant
    guest.vm.access(0x300000, write=True)
    scene = who_maps_scene(guest.vm, frame)
    assert [entry.index for table in scene.of("guest") for entry in table.entries] == ["768"]
    assert [entry.index for table in scene.of("shadow") for entry in table.entries] == ["256"]


def test_a_stale_shadow_has_no_guest_edge():
    guest = Guest("64")
    frame = guest.map(0x400000, flags=ALL | D)
    guest.vm.access(0x400000, write=True)
    guest.vm.poke(guest.entry_gpa(0x400000), 0x77067)
    scene = who_maps_scene(guest.vm, frame)
    assert edges(scene, "shadow") and not edges(scene, "guest")
    assert [entry.target for table in scene.of("guest") for entry in table.entries] == ["gfn 0x77"]


def test_io_entries_map_a_device():
    guest = Guest("64")
    guest.map(0x400000, 0xFEE00, ALL | D)
    guest.vm.access(0x400000)
    scene = who_maps_scene(guest.vm, 0xFEE00)
    assert len(edges(scene, "shadow")) == 1
    assert scene.notes == ("there is no memory here; 1 shadow entry says so (I/O)",)


def test_too_many_entries_are_folded():
    guest = Guest("64", slots=((0, 0x400),))
    frame = guest.frame()
    for number in range(30):
        guest.map(0x400000 + (number << 21), frame, ALL | D)
        guest.vm.access(0x400000 + (number << 21), write=True)
    scene = who_maps_scene(guest.vm, frame)
    sound(scene)
    assert len(scene.tables) <= 13
    assert scene.notes[-1] == "6 of 30 entries are drawn; limit=36 draws more"


def mapped_often(count, apart, readonly):
    """A guest that maps one frame ``count`` times, ``apart`` pages from each other, each tenth time read-only if so."""
    guest = Builder("64", frames=0x1000)
    gvas = [0x40000000 + (number * apart << 12) for number in range(count)]
    protected = {gva for gva in gvas[::10] if readonly}
    frame = guest.frame()
    for gva in gvas:
        guest.map(gva, frame, FULL & ~WRITABLE if gva in protected else FULL)
    vm = guest.start()
    for gva in gvas:
        vm.access(gva, write=gva not in protected)
    return vm, frame


@pytest.mark.parametrize(
    ("count", "apart", "readonly"),
    [
        (30, 1, False),
        (3000, 1, False),
        (3000, 1, True),
        (600, 30, True),
        pytest.param(20_000, 1, False, marks=pytest.mark.slow),
    ],
)
def test_a_frame_that_is_mapped_very_often_fits_a_picture(count, apart, readonly):
    vm, frame = mapped_often(count, apart, readonly)
    begin = time.process_time()
    picture = Picture(who_maps_scene(vm, frame))
    text = str(picture)
    assert time.process_time() - begin < 0.5
    sound(picture.scene)
    assert len(picture.svg) < 200_000 and len(text.splitlines()) < 100
    assert re.fullmatch(rf"2[0-9] of {count} entries are drawn; limit=36 draws more", picture.scene.notes[-1])
    if readonly:  # some of each kind are drawn
        assert len(edges(picture.scene, "readonly")) >= 2 and len(edges(picture.scene, "rmap")) >= 2
    drawn = [len(who_maps_scene(vm, frame, limit=limit).edges) for limit in (12, 36)]
    assert drawn[0] < drawn[1], "the advice holds"


def test_without_paging_nothing_of_the_guest_is_behind_an_entry():
    vm = Vm()
    vm.access(0x5000, write=True)
    scene = who_maps_scene(vm, 5)
    assert not scene.of("guest") and len(edges(scene, "shadow")) == 1


# Parents


def with_parents(count, **options):
    """Return a VM with ``count`` guest entries that lead to one page table, and the id of that table's shadow page."""
    guest = Guest("64", slots=((0, 0x400),), **options)
    frame = guest.map(0x400000, flags=ALL | D)
    table = guest.table_gfn(0x400000)
    for number in range(count):
        guest.map(0x400000 + (number << 21), frame, ALL | D, table=table)
        guest.vm.access(0x400000 + (number << 21))
    return guest.vm, guest.vm.pool.lookup(table).id


def test_chains_have_five_places():
    vm, id = with_parents(7)
    before = everything(vm)
    scene = parent_chains_scene(vm, id)
    sound(scene)
    assert everything(vm) == before
    targets = [[entry.target for entry in table.entries] for table in scene.of("rmap")]
    above = vm.pool.pages[id].parents[0][0] >> 9
    above = f"#{above - 256}"
    # the newest chain comes first
    assert targets == [
        [f"{above}:7", f"{above}:8", "empty", "empty", "empty"],
        [f"{above}:{n}" for n in (2, 3, 4, 5, 6)],
    ]
    assert edges(scene, "link") == {(f"s:{id}", f"c:{id}:0"), (f"c:{id}:0", f"c:{id}:1")}
    assert (f"c:{id}:0:1", f"s:{above[1:]}:8") in edges(scene, "parent")
    assert scene.notes == (f"7 entries lead to #{id}",)


def test_one_parent_needs_no_chain():
    vm, id = with_parents(1)
    (box,) = parent_chains_scene(vm, id).of("rmap")
    assert (box.title, len(box.entries)) == ("kept directly", 1)


def test_a_root_has_none():
    vm = busy(accesses=5)
    root = vm.pool.lookup(vm.cpu.cr3 >> 12)
    scene = parent_chains_scene(vm, root.id)
    assert scene.table(f"s:{root.id}").words == ("of gfn 0x61a6", "level 4, 4 guest levels", "root, in use")
    assert scene.notes == (
        "no entry leads here",
        "it is a root, used 1 time: such use is counted, not kept as a parent",
    )


def test_a_page_without_parents_waits_in_the_hash():
    vm, id = with_parents(1)
    (parent,) = vm.parents.sptes(vm.pool.pages[id])
    vm.parents.remove(vm.pool.pages[id], parent)
    assert parent_chains_scene(vm, id).notes[1] == "it stays in the hash, where a lookup can find it again, until it is evicted"


def test_a_freed_page_can_still_be_part_of_a_film():
    vm, id = with_parents(1)
    vm.zap_all()
    scene = parent_chains_scene(vm, id, Marks({f"s:{id}": "dead"}))
    assert scene.table(f"s:{id}").mark == "dead"


def test_your_own_parents_part_is_one_box():
    class OwnParents:
        def __init__(self, vm):
            self.kept = ParentChains(vm)
            self.add, self.remove, self.first, self.sptes = (
                getattr(self.kept, name) for name in ("add", "remove", "first", "sptes")
            )

    vm, id = with_parents(7, parents=OwnParents)
    (box,) = parent_chains_scene(vm, id).of("rmap")
    assert (box.title, box.words, len(box.entries)) == ("kept by your parents part", ("7 parents",), 7)
