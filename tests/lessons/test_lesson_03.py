# SPDX-License-Identifier: GPL-2.0-only
"""Lesson 3: what its cells print, and that its questions have one answer for any seed."""

import pytest

from kvmmmu_lab.inspect.paths import guest_path, shadow_path
from kvmmmu_lab.lessons import lesson_03 as lesson

from .cells import in_order, said, seeds

NAME = "03_lazy_filling"
SEEDS = [0, 7, 99, -4]


def test_it_ends_as_it_says(monkeypatch):
    in_order(
        said(NAME, monkeypatch),
        "walk the guest, walk_addr()",
        "0x29a68940e000    83   154    74    14",
        "The spte #248:14 is made from the guest's entry",
        "It was: 2. (You",
        "It was: it takes 0 pages, and the guest gets a page fault.",
        "User code reads            0x29a68940e000   guest's entry: PWUAD..",
        "6 accesses, 5 faults of the processor",
        "It was: 3. (You",
        "Line by line: a hidden fault, a true fault, no fault, a true fault, a hidden fault, a true fault.",
        "gets its W",
        "pages that the program reads         785",
        "faults of the processor              785",
        "faults that the guest got              0",
        "guest tables, with the root          110",
        "their entries that aren't empty    9,514",
        "shadow pages of these tables           9",
        "their entries that aren't empty      793",
        "It was: it faults again and again, and never succeeds.",
        "[]",
    )


@pytest.mark.parametrize("seed", seeds(*SEEDS))
def test_other_seeds_give_other_numbers_and_the_same_lesson(seed, monkeypatch):
    in_order(
        said(NAME, monkeypatch, seed),
        "Three of them have had a shadow page since the first address.",
        "It was: it takes 0 pages, and the guest gets a page fault.",
        "It was: it faults again and again, and never succeeds.",
        "[]",
    )


@pytest.mark.parametrize("name", list(lesson.LESSON.checks))
def test_a_check_question_has_different_answers(name):
    assert len({lesson.LESSON.checks[name](seed).measured().happened for seed in range(40)}) >= 2


def test_a_program_uses_two_regions_and_four_tables_at_most():
    answers = set()
    for seed in range(60):
        at = lesson.program(seed)
        assert len({gva >> 30 for gva in at.gvas}) == 2 and len({gva >> 39 for gva in (*at.gvas, at.absent)}) == 1
        assert at.absent >> 30 not in {gva >> 30 for gva in at.gvas}
        steps = guest_path(at.vm, at.absent).steps
        assert len(steps) == 4 and not steps[-1].entry & 1
        free = len(at.vm.pool.free)
        at.read(*at.gvas)
        answers.add(taken := free - len(at.vm.pool.free))
        tables = {step.table for gva in at.gvas for step in guest_path(at.vm, gva).steps}
        assert taken == len(tables) - 1, "the root exists"
        at.read(at.absent)
        assert free - len(at.vm.pool.free) == taken and at.vm.injected
    assert answers == {5, 6, 7}


def test_the_first_fault_takes_three_pages_and_makes_four_entries():
    at = lesson.program(7)
    before, free = lesson.sptes(at.vm), len(at.vm.pool.free)
    at.read(at.gvas[0])
    assert free - len(at.vm.pool.free) == 3 and len(lesson.sptes(at.vm) - before) == 4


def test_a_real_guest_has_a_link_to_each_page_below_the_root():
    """793 entries, 785 of them sptes: the text says that the others are the links to eight pages."""
    linux = lesson.read_all("lin64_A")
    counts = [count for _, count in linux.tables().counts]
    assert counts == [110, 9514, 9, 785 + 8] and linux.results.faults == 785


def test_the_walk_to_an_absent_page_changes_nothing():
    """All accessed bits on the path are set already, as the answer says."""
    for seed in SEEDS:
        at = lesson.program(seed)
        at.read(*at.gvas)
        before = at.vm.memory.pages.copy()
        at.read(at.absent)
        assert (at.vm.memory.pages == before).all()


def test_the_requests_are_told_as_they_are_made():
    """Whether the guest's own flags allow each access decides whether the guest gets a fault."""
    for seed in range(60):
        at, refused = lesson.program(seed), 0
        for request in at.requests:
            need = {"P"} | ({"W"} if request.write else set()) | ({"U"} if request.user else set())
            refused += not need <= set(request.guest_flags)
        assert at.run().given == refused
        assert str(at.requests[0]) in repr(at.requests)


def test_the_shared_table_has_one_shadow_page_and_the_other_order_opens_it():
    for seed in SEEDS:
        both = lesson.shared_table(seed)
        both.vm.access(both.writable, write=True)
        both.vm.access(both.readonly)
        assert both.vm.access(both.readonly, write=True).outcome == "ok", "the hole that the text mentions"
        ends = {shadow_path(both.vm, gva).steps[-1].table for gva in (both.writable, both.readonly)}
        assert len(ends) == 1 and both.vm.audit() == []
        both = lesson.shared_table(seed)
        assert both.vm.access(both.readonly, write=True).outcome == "inject", "as it should be"


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("not dirty", "ok"), ("read-only page", "inject"), ("device", "mmio"), ("its own page table", "emul")],
)
def test_the_kinds_of_page_that_the_text_names(kind, outcome):
    vm, gva = lesson.one_page(kind)
    assert vm.access(gva, write=True).outcome == outcome
