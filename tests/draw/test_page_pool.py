# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of the hash, the free list and the active list."""

import pytest

from kvmmmu_lab import Vm
from kvmmmu_lab.draw.page_pool import hash_table_scene, pool_scene
from kvmmmu_lab.draw.scene import Marks, union

from .scenes import HEAP, busy, edges, rows, sound

# The hash


def test_buckets_in_use_and_their_pages():
    vm = busy("lin32_A", 20)
    scene = hash_table_scene(vm)
    sound(scene)
    assert scene.table("b").words[0].endswith("of 256 buckets used")
    # one bucket contains the four quadrants of a directory; three of them are drawn side by side
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
    assert {table.words[-1][3:] for table in none.of("shadow")} == {"skipped: another gfn"}


def test_metaphysical_pages_are_passed_by():
    vm = Vm()
    scene = hash_table_scene(vm, 0)
    assert [entry.target for entry in scene.table("b").entries] == ["#252 → #253 → #254 ..."]
    assert {table.words[-1][3:] for table in scene.of("shadow")} == {"skipped: no table"}
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
