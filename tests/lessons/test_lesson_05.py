# SPDX-License-Identifier: GPL-2.0-only
"""Lesson 5: what its cells print, that its numbers hold for any seed, and the facts in its text."""

import pytest

from kvmmmu_lab import open_guest
from kvmmmu_lab.lessons import lesson_05 as lesson
from kvmmmu_lab.mmu.pool import make_role

from .cells import in_order, said, seeds

NAME = "05_naming"
SEEDS = [0, 1, 2, 3, 11, -4, 10**12]


def test_it_ends_as_it_says(monkeypatch):
    in_order(
        said(NAME, monkeypatch),
        "hash and role     A hash table finds a shadow page by its gfn and its role.",
        "It was: 1.",
        "shadow L1 #248, role 0x14",
        "It was: 0x24.",
        "skipped: another gfn",
        "has this name: reused",
        "It was: 2.",
        "The hash bucket of gfn 0x10: its pages and their names",
        "It was: 4.",
        "role 0x322",
        "It was: 3.",
        "It was: 6.",
        "It was: 5.",
        "shadow L1 #247, role 0x50014, 1. in the bucket",
        "14 guest tables have 23 shadow pages: 7 have 1, 6 have 2, 1 has 4",
        "4 new pages for the root, and 0 for 4179 accesses",
        "It was: the byte is written.",
        "[]",
    )


@pytest.mark.parametrize("seed", seeds(*SEEDS))
def test_it_holds_for_other_seeds(seed, monkeypatch):
    in_order(said(NAME, monkeypatch, seed), "14 guest tables have 23 shadow pages", "It was: the byte is written.", "[]")


@pytest.mark.parametrize("seed", range(60))
def test_two_paths_part_once_and_share_the_page_table(seed):
    case = lesson.two_paths(seed)
    assert case.vm.access(case.first).outcome == "ok"
    free = len(case.vm.pool.free)
    assert case.vm.access(case.second).outcome == "ok"
    parts = next(level for level in (4, 3, 2) if (case.first ^ case.second) >> (3 + 9 * level) & 511)
    assert free - len(case.vm.pool.free) == parts - 2
    assert len(lesson.pages_of(case.vm, case.table)) == 1


@pytest.mark.parametrize("seed", range(60))
def test_the_next_page_is_the_only_one(seed):
    case = lesson.next_page(seed)
    free = len(case.vm.pool.free)
    assert case.vm.access(case.gva).outcome == "ok" and free - len(case.vm.pool.free) == 1
    assert lesson.newest(case.vm).level == case.level


def test_the_answers_differ_with_the_seed():
    found = {name: set() for name in ("paths", "lookup", "levels", "halves", "directory", "directories")}
    for seed in range(40):
        case = lesson.full_bucket(seed)
        assert len(case.vm.pool.bucket(case.wanted.gfn)) == 3
        found["lookup"].add(case.vm.pool.bucket(case.wanted.gfn).index(case.wanted) + 1)
        case = lesson.self_map(seed)
        assert case.vm.access(case.gva).outcome == "ok"
        found["levels"].add(len(lesson.pages_of(case.vm, case.root)))
        assert len(lesson.pages_of(case.vm, case.root)) == case.times + 1
        case = lesson.touched(seed)
        free = len(case.guest.vm.pool.free)
        assert all(case.guest.vm.access(gva).outcome == "ok" for gva in case.gvas)
        found["halves"].add(free - len(case.guest.vm.pool.free))
        for name, window in (("directory", lesson.window_32(seed)), ("directories", lesson.window_pae(seed))):
            assert all(window.vm.access(gva).outcome == "ok" for gva in window.gvas)
            found[name].add(len(lesson.pages_of(window.vm, *window.tables)))
        case = lesson.two_paths(seed)
        case.vm.access(case.first)
        free = len(case.vm.pool.free)
        case.vm.access(case.second)
        found["paths"].add(free - len(case.vm.pool.free))
    assert found == {
        "paths": {0, 1, 2},
        "lookup": {1, 2, 3},
        "levels": {2, 3, 4},
        "halves": {2, 3, 4},
        "directory": {5, 6},
        "directories": {5, 6, 7},
    }


@pytest.mark.parametrize("times, pages", [(1, 2), (2, 3), (3, 4), (4, 4)])
def test_what_the_reader_may_change(times, pages):
    case = lesson.self_map(11, times)
    assert case.vm.access(case.gva).outcome == "ok"
    assert len(lesson.pages_of(case.vm, case.root)) == pages


@pytest.mark.parametrize("name, new", [("lin32_A", 4), ("linpae_A", 3), ("lin64_A", 1)])
def test_another_process_needs_a_root_only(name, new):
    real = open_guest(name)
    vm = real.vm()
    kernel = [gva for gva in real.tlb_gva.tolist() if gva >= (1 << 47 if name == "lin64_A" else 0xC0000000)]
    for gva in kernel:
        vm.access(gva)
    used = len(vm.pool.active)
    vm.load_cr3(int(real.roots[1]))
    for gva in kernel:
        vm.access(gva)
    assert len(vm.pool.active) - used == new


def test_the_quadrant_is_what_the_table_says():
    for gva in (0, 0x200000, 0x40000000, 0xC0600000, 0xFFFFF000):
        assert make_role(2, 1, gva, False, 0) >> 8 & 3 == gva >> 21 & 1
        assert make_role(2, 2, gva, False, 0) >> 8 & 3 == gva >> 30


@pytest.mark.parametrize("seed", SEEDS)
def test_the_pages_of_a_pml4_that_an_address_selects_one_to_four_times(seed):
    cases = [lesson.self_map(seed, times) for times in (1, 2, 3, 4)]
    for case in cases:
        case.vm.access(case.gva)
    assert [len(lesson.pages_of(case.vm, case.root)) for case in cases] == [2, 3, 4, 4]


@pytest.mark.parametrize("seed", SEEDS)
def test_two_entries_with_different_rights_need_two_pages_for_a_large_page(seed):
    pages = [page for page in lesson.large_page(seed).pool.bucket(lesson.LARGE) if page.gfn]
    assert [(page.gfn, page.level, page.metaphysical) for page in pages] == [(lesson.LARGE, 1, True)] * 2
    assert [page.role >> 17 & 3 for page in pages] == [2, 3]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_other_order_of_the_paths_is_a_loop(seed):
    case = lesson.weak_path(seed)
    case.vm.access(case.weak, user=True)
    assert case.vm.access(case.strong, user=True, write=True).outcome == "stuck"
