# SPDX-License-Identifier: GPL-2.0-only
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmmmu_lab import HostCrash, Vm
from kvmmmu_lab.inspect.dump import pages_part

from .guests import FIRST


class Bench:
    """A shadow page and its parents, which are given as references."""

    def __init__(self):
        self.vm = Vm([(0, 0x100)])
        self.vm.reset_context()  # fills the caches
        self.page = self.vm.pool.take(0x10, 4 | 1 << 4)

    def add(self, *refs):
        for ref in refs:
            self.vm.parents.add(self.page, FIRST + ref)

    def remove(self, *refs):
        for ref in refs:
            self.vm.parents.remove(self.page, FIRST + ref)

    @property
    def shown(self):
        """(multimapped, chains)"""
        (shown,) = [
            (multimapped, chains) for _, gfn, _, _, multimapped, _, chains in pages_part(self.vm) if gfn == 0x10
        ]
        return shown


@pytest.fixture
def bench():
    return Bench()


def test_the_forms_none_one_and_many(bench):
    assert bench.shown == (0, [])
    bench.add(1)
    assert bench.shown == (0, [[1]])
    bench.add(2)
    assert bench.shown == (1, [[1, 2]])


def test_a_chain_has_five_places_and_the_newest_chain_is_in_front(bench):
    bench.add(*range(1, 12))
    assert bench.shown == (1, [[11], [6, 7, 8, 9, 10], [1, 2, 3, 4, 5]])


def test_the_parents_behind_a_removed_one_move_up(bench):
    bench.add(1, 2, 3)
    bench.remove(1)
    assert bench.shown == (1, [[2, 3]])


def test_a_new_parent_goes_to_the_first_chain_with_room(bench):
    bench.add(*range(1, 8))
    bench.remove(3)
    bench.add(8, 9, 10, 11)
    assert bench.shown == (1, [[6, 7, 8, 9, 10], [1, 2, 4, 5, 11]])


def test_a_page_is_multimapped_until_its_last_chain_is_gone(bench):
    bench.add(1, 2)
    bench.remove(1)
    assert bench.shown == (1, [[2]])
    bench.remove(2)
    assert bench.shown == (0, [])


def test_zapping_removes_the_first_parent_of_the_newest_chain(bench):
    first = lambda: bench.vm.parents.first(bench.page)  # noqa: E731
    assert first() is None
    bench.add(1)
    assert first() == FIRST + 1
    bench.add(2, 3, 4, 5, 6)
    assert first() == FIRST + 6


@pytest.mark.parametrize(
    "there, source",
    [([], "mmu.c:537"), ([7], "mmu.c:537"), ([7, 8], "mmu.c:564")],
    ids=["none", "another", "in no chain"],
)
def test_removing_a_parent_that_is_not_there_is_a_bug(bench, there, source):
    bench.add(*there)
    with pytest.raises(HostCrash) as crash:
        bench.remove(1)
    assert (crash.value.kind, crash.value.function, crash.value.source) == ("BUG", "mmu_page_remove_parent_pte", source)


@given(st.lists(st.integers(0, 13), max_size=40))
def test_the_parents_are_those_that_were_added_and_not_removed(toggles):
    """Laws: the multiset of parents; chains of 1..5; as many chains in use as were taken from the cache."""
    bench = Bench()
    full, there = bench.vm.caches.pte_chain.free, set()
    for ref in toggles:
        if ref in there:
            bench.remove(ref)
        else:
            bench.add(ref)
        there ^= {ref}
        multimapped, chains = bench.shown
        assert Counter(sum(chains, [])) == Counter(there)
        assert Counter(bench.vm.parents.sptes(bench.page)) == Counter(FIRST + ref for ref in there)
        assert all(1 <= len(chain) <= 5 for chain in chains)
        assert bench.vm.caches.pte_chain.free == full - (len(chains) if multimapped else 0)
