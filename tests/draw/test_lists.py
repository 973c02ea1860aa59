# SPDX-License-Identifier: GPL-2.0-only
"""Parents, the hash, the pool, the memory slots."""

import pytest

from kvmmmu_lab import Vm
from kvmmmu_lab.draw.memory_slots import memory_slots_scene
from kvmmmu_lab.draw.page_pool import hash_table_scene, pool_scene
from kvmmmu_lab.draw.reverse_maps import parent_chains_scene
from kvmmmu_lab.draw.scene import Marks, union
from kvmmmu_lab.mmu.parents import ParentChains

from ..mmu.guests import ALL, D, Guest
from .scenes import HEAP, busy, edges, everything, rows, sound


def with_parents(count, **options):
    """A guest of which so many entries lead to one page table; the id of that table's shadow page."""
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
        "it is a root, used 1 time: that is counted, not kept as a parent",
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
    class Mine:
        def __init__(self, vm):
            self.kept = ParentChains(vm)
            self.add, self.remove, self.first, self.sptes = (
                getattr(self.kept, name) for name in ("add", "remove", "first", "sptes")
            )

    vm, id = with_parents(7, parents=Mine)
    (box,) = parent_chains_scene(vm, id).of("rmap")
    assert (box.title, box.words, len(box.entries)) == ("kept by your parents part", ("7 parents",), 7)


# The hash


def test_buckets_in_use_and_their_pages():
    vm = busy("lin32_A", 20)
    scene = hash_table_scene(vm)
    sound(scene)
    assert scene.table("b").words[0].endswith("of 256 buckets used")
    # four quadrants of one directory are in one bucket, three of them side by side
    chain = [page.id for page in vm.pool.buckets[0x6E]][:3]
    assert [(f"b:{0x6E}", f"s:{chain[0]}"), (f"s:{chain[0]}", f"s:{chain[1]}")] == sorted(
        edge for edge in edges(scene, "link") if edge[0] in (f"b:{0x6E}", f"s:{chain[0]}")
    )
    columns = [scene.table(key).column for key in ("b", *(f"s:{id}" for id in chain))]
    assert columns == [3, 2, 1, 0]


def test_a_lookup_passes_by_what_is_not_its_own():
    vm = busy("lin32_A", 20)
    scene = hash_table_scene(vm, 0x1C6E)
    sound(scene)
    first = vm.pool.lookup(0x1C6E)
    assert scene.title.endswith(f"a lookup finds #{first.id}")
    assert len(scene.of("shadow")) == len(vm.pool.buckets[0x6E])
    assert scene.table(f"s:{first.id}").words[-1] == "1. the lookup takes this one"
    none = hash_table_scene(vm, 0x1C6E + 0x100)
    assert "finds nothing" in none.title
    assert {table.words[-1][3:] for table in none.of("shadow")} == {"passed by: another gfn"}


def test_metaphysical_pages_are_passed_by():
    vm = Vm()
    scene = hash_table_scene(vm, 0)
    assert [entry.target for entry in scene.table("b").entries] == ["#252 → #253 → #254 ..."]
    assert {table.words[-1][3:] for table in scene.of("shadow")} == {"passed by: no table"}
    assert "metaphysical: no table" in scene.of("shadow")[0].words


def test_roles_in_words():
    vm = busy()
    vm.access(HEAP, user=True)
    page = vm.pool.lookup(0x61C9)
    words = hash_table_scene(vm, 0x61C9).table(f"s:{page.id}").words
    assert words[:2] == ("of gfn 0x61c9", "level 1, 4 guest levels")


def test_an_empty_bucket():
    scene = hash_table_scene(Vm(), 5)
    assert rows(scene, "b") == [("0x5", "", "empty")]


def test_the_hash_is_folded():
    vm = busy()
    scene = hash_table_scene(vm)
    assert len(scene.tables) <= 12
    assert scene.notes == (f"11 of {len(vm.pool.active)} pages are drawn; limit=35 draws more",)
    assert len(hash_table_scene(vm, limit=3).of("shadow")) == 3


# The pool


def test_lists_in_order():
    vm = busy("linpae_A", 20)
    scene = pool_scene(vm)
    sound(scene)
    assert rows(scene, "l:free")[0] == ("1", "", f"#{vm.pool.free[-1].id}")
    oldest = next(iter(vm.pool.active))
    assert rows(scene, "l:active")[0][2].startswith(f"#{oldest.id} of gfn")
    newest = next(reversed(vm.pool.active))
    assert rows(scene, "l:active")[-1][2].startswith(f"#{newest.id} of gfn")
    assert "· root" in "".join(target for _, _, target in rows(scene, "l:active"))
    assert rows(scene, "l:caches") == [
        ("", "", f"{vm.caches.pte_chain.free:2} pte chains"),
        ("", "", f"{vm.caches.rmap_desc.free:2} rmap descriptors"),
    ]


@pytest.mark.parametrize("limit", [1, 2, 5, 12, 300])
def test_both_ends_of_a_list_stay(limit):
    vm = busy(accesses=100)
    scene = pool_scene(vm, limit=limit)
    sound(scene)
    for key, there in (("l:free", vm.pool.free), ("l:active", vm.pool.active)):
        listed = rows(scene, key)
        folded = [target for index, _, target in listed if index == "..."]
        assert folded == ([f"{len(there) - limit} more"] if limit < len(there) else [])
        assert len(listed) - len(folded) == min(limit, len(there))


def test_the_newest_row_keeps_its_key_when_the_list_grows():
    vm = busy(accesses=100)
    early = pool_scene(vm)
    vm.access(HEAP, user=True)
    late = pool_scene(vm, Marks({f"s:{next(reversed(vm.pool.active)).id}": "new"}))
    assert early.table("l:active").entries[-1].key == late.table("l:active").entries[-1].key
    assert late.table("l:active").entries[-1].mark == "changed"
    assert len(union([early, late]).table("l:active").entries) == 13


def test_an_empty_pool():
    vm = busy(accesses=5)
    vm.destroy()
    scene = pool_scene(vm)
    assert scene.title == "The pool: 256 of 256 shadow pages are free"
    assert rows(scene, "l:active") == []


# Memory slots


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
