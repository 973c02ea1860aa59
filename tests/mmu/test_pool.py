# SPDX-License-Identifier: GPL-2.0-only
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmmmu_lab import HostCrash, Vm
from kvmmmu_lab.mmu.pool import METAPHYSICAL, NUM_PAGES, Pool, make_role

TABLE = 4 | 1 << 4  # 64-bit guest, level 1


def test_pages_are_taken_from_the_last_one_down():
    pool = Pool()
    assert [pool.take(gfn, TABLE).id for gfn in range(3)] == [255, 254, 253]


def test_the_page_that_was_freed_last_is_taken_next():
    pool = Pool()
    first, second = pool.take(1, TABLE), pool.take(2, TABLE)
    pool.give(first)
    pool.give(second)
    assert pool.take(3, TABLE) is second
    assert pool.take(4, TABLE) is first


def test_taking_from_an_empty_pool_returns_none():
    pool = Pool()
    assert None not in [pool.take(gfn, TABLE) for gfn in range(NUM_PAGES)]
    assert pool.take(0, TABLE) is None


def test_a_page_that_is_taken_again_has_a_new_header():
    pool = Pool()
    page = pool.take(1, TABLE)
    page.slot_bitmap, page.parents = 3, 77
    pool.give(page)
    again = pool.take(2, TABLE | 2 << 4)
    assert again is page
    assert (again.gfn, again.level, again.slot_bitmap, again.parents, again.root_count) == (2, 3, 0, None, 0)


def test_a_bucket_holds_the_gfns_that_are_equal_modulo_256_newest_first():
    pool = Pool()
    old, other, new = (pool.take(gfn, TABLE) for gfn in (0x105, 0x106, 0x205))
    assert list(pool.bucket(5)) == [new, old] == list(pool.bucket(0x305))
    assert list(pool.bucket(6)) == [other]


def test_lookup_finds_the_newest_shadow_of_a_table_and_no_metaphysical_page():
    pool = Pool()
    pool.take(5, TABLE | METAPHYSICAL)
    assert pool.lookup(5) is None
    table = pool.take(5, TABLE)
    pool.take(5, TABLE | METAPHYSICAL)
    assert pool.lookup(5) is table
    directory = pool.take(5, 4 | 2 << 4)
    assert pool.lookup(5) is directory
    assert pool.lookup(0x105) is None, "same bucket, another gfn"


def test_the_active_list_runs_from_the_oldest_to_the_newest_page_and_a_rotated_page_is_the_newest():
    pool = Pool()
    pages = [pool.take(gfn, TABLE) for gfn in range(3)]
    assert list(pool.active) == pages
    pool.rotate(pages[0])
    assert list(pool.active) == [pages[1], pages[2], pages[0]]


def test_an_address_in_a_shadow_page_has_a_header_and_any_other_crashes_the_host():
    pool = Pool()
    assert pool.header(pool.pages[7].hpa + 0x123, "f", "s") is pool.pages[7]
    for hpa in (0, 512 << 12):
        with pytest.raises(HostCrash) as crash:
            pool.header(hpa, "audit_mappings_page", "mmu.c:1404")
        assert (crash.value.kind, crash.value.function, crash.value.source) == (
            "oops",
            "audit_mappings_page",
            "mmu.c:1404",
        )


@given(st.sampled_from([0, 2, 3, 4]), st.integers(1, 4), st.integers(0, 2**32 - 1), st.booleans(), st.integers(0, 3))
def test_the_fields_of_a_role(root_level, level, gva, metaphysical, access):
    page = Pool().take(1, make_role(root_level, level, gva, metaphysical, access))
    assert (page.glevels, page.level, page.metaphysical, page.access) == (root_level, level, metaphysical, access)
    assert page.role < 1 << 19
    assert root_level <= 2 or page.quadrant == 0, "quadrants are for guests of at most two levels"


@pytest.mark.parametrize(
    "root_level, level, gva, quadrant",
    [
        (2, 1, 0x1FFFFF, 0),
        (2, 1, 0x200000, 1),
        (2, 1, 0x400000, 0),
        (2, 2, 0x3FFFFFFF, 0),
        (2, 2, 0xC0000000, 3),
        (0, 2, 0x80000000, 2),
    ],
)
def test_quadrants(root_level, level, gva, quadrant):
    assert make_role(root_level, level, gva, False, 0) >> 8 == quadrant


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 300)), max_size=60))
def test_every_page_is_free_or_active_and_every_active_one_is_in_its_bucket_once(steps):
    pool = Pool()
    for take, n in steps:
        if take:
            pool.take(n, TABLE)
        elif pool.active:
            pool.give(list(pool.active)[n % len(pool.active)])
        assert sorted([*(page.id for page in pool.free), *(page.id for page in pool.active)]) == list(range(NUM_PAGES))
        hashed = [page for index in range(NUM_PAGES) for page in pool.bucket(index)]
        assert sorted(page.id for page in hashed) == sorted(page.id for page in pool.active)
        assert all(page in pool.bucket(page.gfn) for page in pool.active)


def test_the_repr_of_a_page():
    vm = Vm([(0, 16)])
    assert repr(next(iter(vm.pool.active))) == (
        "<shadow L2 #255 of gfn 0x0, 0 guest levels, quadrant 0, metaphysical, root x1>"
    )
