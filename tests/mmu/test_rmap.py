# SPDX-License-Identifier: GPL-2.0-only
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmmmu_lab import HostCrash, Vm
from kvmmmu_lab.inspect.dump import rmap_part

from .guests import FIRST, PE, PG, Guest, P, U, W, leaf


@pytest.fixture
def vm():
    return bench()


def bench():
    vm = Vm([(0, 0x100)])
    vm.reset_context()  # fills the caches
    return vm


def entry(vm, ref, gfn=1, flags=P | W):
    """Write a shadow entry that leads to gfn, bypassing the engine."""
    vm.memory.words[FIRST + ref] = vm.memory.frames[gfn] << 12 | flags
    return FIRST + ref


def add(vm, *refs, gfn=1):
    for ref in refs:
        vm.rmap.add(entry(vm, ref, gfn))


def remove(vm, *refs):
    for ref in refs:
        vm.rmap.remove(FIRST + ref)
        vm.memory.words[FIRST + ref] = 0


def shown(vm):
    """The reverse map of gfn 1, as in state(): (0: direct, 1: descriptors; lists), or None."""
    part = rmap_part(vm)
    assert [gfn for gfn, *_ in part] in ([], [1])
    return tuple(part[0][1:]) if part else None


def test_the_forms_none_one_and_many(vm):
    assert shown(vm) is None
    add(vm, 10)
    assert shown(vm) == (0, [[10]]), "one entry needs no descriptor"
    add(vm, 11)
    assert shown(vm) == (1, [[10, 11]]), "two need one"


def test_a_descriptor_has_four_places(vm):
    add(vm, 1, 2, 3, 4, 5)
    assert shown(vm) == (1, [[1, 2, 3, 4], [5]])


def test_a_new_entry_goes_to_the_first_descriptor_with_room(vm):
    add(vm, 1, 2, 3, 4, 5)
    remove(vm, 2)
    add(vm, 6)
    assert shown(vm) == (1, [[1, 4, 3, 6], [5]])


def test_the_last_entry_of_the_same_descriptor_fills_the_hole(vm):
    add(vm, 1, 2, 3, 4, 5)
    remove(vm, 1)
    assert shown(vm) == (1, [[4, 2, 3], [5]]), "not 5, which is in another descriptor"


def test_an_empty_descriptor_is_dropped_at_either_end(vm):
    add(vm, *range(1, 10))
    remove(vm, 5, 6, 7, 8)
    assert shown(vm) == (1, [[1, 2, 3, 4], [9]])
    remove(vm, 1, 2, 3, 4)
    assert shown(vm) == (1, [[9]])


def test_a_map_that_shrinks_to_one_entry_keeps_its_descriptor(vm):
    add(vm, 1, 2)
    remove(vm, 1)
    assert shown(vm) == (1, [[2]])
    remove(vm, 2)
    assert shown(vm) is None


@pytest.mark.parametrize("flags", [P, W, 0, P | U])
def test_only_present_and_writable_entries_count(vm, flags):
    vm.rmap.add(entry(vm, 1, flags=flags))
    assert shown(vm) is None
    vm.rmap.remove(FIRST + 1)  # removing an entry that doesn't count is allowed


def test_a_second_descriptor_is_taken_from_the_cache_and_given_back(vm):
    full = vm.caches.rmap_desc.free
    add(vm, 1)
    assert vm.caches.rmap_desc.free == full
    add(vm, 2, 3, 4, 5)
    assert vm.caches.rmap_desc.free == full - 2
    remove(vm, 5)
    assert vm.caches.rmap_desc.free == full - 1


@pytest.mark.parametrize(
    "there, source",
    [([], "mmu.c:384"), ([7], "mmu.c:390"), ([7, 8], "mmu.c:408")],
    ids=["no map at all", "another entry, direct", "in no descriptor"],
)
def test_removing_an_entry_that_is_not_there_is_a_bug(vm, there, source):
    add(vm, *there)
    entry(vm, 1)
    with pytest.raises(HostCrash) as crash:
        vm.rmap.remove(FIRST + 1)
    assert (crash.value.kind, crash.value.function, crash.value.source) == ("BUG", "rmap_remove", source)


def test_write_protection_removes_every_entry_and_flushes_for_each(vm):
    add(vm, *range(1, 7))
    flushes = vm.stats.tlb_flushes
    vm.rmap.write_protect(1)
    assert shown(vm) is None
    assert vm.stats.tlb_flushes == flushes + 6
    assert {vm.memory.words[FIRST + ref] & (P | W) for ref in range(1, 7)} == {P}


def test_only_the_frame_that_becomes_a_table_is_write_protected(vm):
    add(vm, 1)
    add(vm, 2, gfn=2)
    vm.rmap.write_protect(2)
    assert shown(vm) == (0, [[1]])


def test_protecting_a_frame_without_memory_is_a_bug(vm):
    with pytest.raises(HostCrash, match=r"mmu\.c:420"):
        vm.rmap.write_protect(0x5000)


@pytest.mark.parametrize("flags", [P, W], ids=["not writable", "not present"])
def test_an_entry_in_the_map_that_is_not_present_and_writable_is_a_bug(vm, flags):
    add(vm, 1)
    entry(vm, 1, flags=flags)
    with pytest.raises(HostCrash, match=r"mmu\.c:430-433"):
        vm.rmap.write_protect(1)


def test_an_entry_in_the_map_that_leads_elsewhere_is_a_bug(vm):
    add(vm, 1)
    entry(vm, 1, gfn=2)
    with pytest.raises(HostCrash, match=r"mmu\.c:430-433"):
        vm.rmap.write_protect(1)


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(0, 9)), max_size=40))
def test_the_map_has_the_entries_that_were_added_and_not_removed(toggles):
    """Laws: the multiset of entries; descriptors of 1..4; as many descriptors in use as were taken from the cache."""
    vm = bench()
    full, there = vm.caches.rmap_desc.free, set()
    for gfn, index in toggles:
        ref = gfn * 100 + index
        if ref in there:
            remove(vm, ref)
        else:
            add(vm, ref, gfn=gfn)
        there ^= {ref}
        shown = {gfn: (kind, lists) for gfn, kind, lists in rmap_part(vm)}
        for gfn in (1, 2):
            kind, lists = shown.get(gfn, (0, []))
            assert Counter(sum(lists, [])) == Counter(ref for ref in there if ref // 100 == gfn)
            assert all(1 <= len(row) <= 4 for row in lists)
            assert kind or len(lists) <= 1
        used = sum(len(lists) for kind, lists in shown.values() if kind)
        assert vm.caches.rmap_desc.free == full - used


def test_2007_wp0_rmap_leak_then_bug():
    """CR0.WP clear, a kernel write, then a user read of a read-only user page: fix_read_pf clears the writable bit but
    doesn't update the reverse map. When that frame becomes a page table, the host crashes."""
    guest = Guest("64", cr0=PG | PE)
    vm, gva = guest.vm, 0x1000
    gfn = guest.map(gva, flags=P | U)
    assert vm.access(gva, write=True).outcome == "ok"
    assert vm.access(gva, user=True).outcome == "ok"
    flags, *_ = leaf(vm)
    assert not flags & W and rmap_part(vm)[0][0] == gfn, "the entry is read-only, and still in the map"
    guest.map(0x40000000, table=gfn, gfn=None)
    with pytest.raises(HostCrash) as crash:
        vm.access(0x40000000)
    assert (crash.value.kind, crash.value.function) == ("BUG", "rmap_write_protect")
