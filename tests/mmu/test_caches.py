# SPDX-License-Identifier: GPL-2.0-only
import pytest

from kvmmmu_lab import HostCrash
from kvmmmu_lab.inspect.dump import state
from kvmmmu_lab.mmu.caches import CAPACITY, Caches

from .guests import Guest


def topped_up(**free):
    caches = Caches()
    for name, n in free.items():
        getattr(caches, name).free = n
    caches.top_up(None)
    return caches.pte_chain.free, caches.rmap_desc.free


def test_the_caches_of_a_new_vcpu_are_empty_and_a_top_up_fills_both():
    assert (Caches().pte_chain.free, Caches().rmap_desc.free) == (0, 0)
    assert topped_up() == (CAPACITY, CAPACITY) == (20, 20)


@pytest.mark.parametrize("chains, descriptors, after", [(4, 1, (4, 1)), (3, 1, (20, 1)), (4, 0, (4, 20))])
def test_only_a_cache_below_its_minimum_is_filled(chains, descriptors, after):
    assert topped_up(pte_chain=chains, rmap_desc=descriptors) == after


def test_taking_from_an_empty_cache_is_a_bug():
    with pytest.raises(HostCrash, match="rmap descriptors is empty") as crash:
        Caches().rmap_desc.take()
    assert (crash.value.kind, crash.value.source) == ("BUG", "mmu.c:268")


def test_an_object_given_back_beyond_the_capacity_is_freed():
    cache = Caches().pte_chain
    for _ in range(CAPACITY + 5):
        cache.give()
    assert cache.free == CAPACITY


def test_a_fault_tops_up_first_and_then_takes_objects():
    """The second writable mapping of a frame makes a descriptor; the second parent of a page makes a chain."""
    guest = Guest("64")
    gfn = guest.map(0x1000)
    guest.map(0x2000, gfn)
    guest.map(0x200000, table=guest.table_gfn(0x1000))
    guest.vm.access(0x1000, write=True)
    assert state(guest.vm)["caches"] == [20, 20]
    guest.vm.access(0x2000, write=True)
    assert state(guest.vm)["caches"] == [20, 19]
    guest.vm.access(0x201000)
    assert state(guest.vm)["caches"] == [19, 19]


def test_zap_all_empties_the_caches_and_a_reset_fills_them():
    guest = Guest("64")
    guest.vm.zap_all()
    assert state(guest.vm)["caches"] == [0, 0]
    guest.vm.reset_context()
    assert state(guest.vm)["caches"] == [20, 20]
