# SPDX-License-Identifier: GPL-2.0-only
"""Lesson 13 says what the engine does, for every seed."""

import pytest

from kvmmmu_lab import HostCrash
from kvmmmu_lab.lessons import lesson_13 as lesson
from kvmmmu_lab.mmu.caches import CAPACITY, Caches
from kvmmmu_lab.mmu.pool import MIN_FREE, NUM_PAGES, REFILL

from .cells import in_order, said

SEEDS = [0, 1, 7, 12, 99, -3, 2**40]


@pytest.fixture(params=SEEDS, ids=str)
def seed(request):
    return request.param


def ended(question, *result):
    """Return the answer to a question, by its words, and its reason."""
    outcome = question.reveal(*result).outcome
    assert outcome.happened in question.choices
    return outcome


def test_the_numbers_of_the_text():
    assert (NUM_PAGES, MIN_FREE, REFILL, CAPACITY) == (256, 5, 25, 20)
    caches = Caches()
    assert (caches.pte_chain.least, caches.rmap_desc.least) == (4, 1)


def test_the_lesson_from_top_to_bottom(seed):
    program = lesson.Program(seed)
    vm, free = program.vm, len(program.vm.pool.free)
    assert program.done >= lesson.FIRST and free + len(vm.pool.active) == NUM_PAGES
    oldest = list(vm.pool.active)[:8]
    assert [page.level for page in oldest[:7]] == [2, 2, 2, 2, 4, 3, 2] and oldest[4].root_count
    question = lesson.first_to_evict(program)
    number = program.read_on()
    assert ended(question, number).happened == f"read {number}" == f"read {free - 3}"

    program = lesson.Program(seed)
    program.read(number - 1)
    vm = program.vm
    assert len(vm.pool.free) == 4 and vm.stats.evicted == 0 and program.place(0) in range(8, 14)
    question = lesson.free_after(program)
    program.read()
    outcome = ended(question)
    assert outcome.happened == 22 and vm.stats.evicted == 21
    assert "22 pages were zapped, and 21 of them were freed (4 + 21 = 25)" in question.more

    question = lesson.faults_again(program)
    zapped = vm.stats.zapped
    faults = program.read_again()
    assert ended(question, faults).happened == faults == program.done - 1
    assert vm.stats.zapped == zapped and "only **15 pages**" in question.more

    busy, idle = lesson.two_regions(program, seed)
    assert 1 <= program.place(busy) <= 20 and 50 <= program.place(idle) <= 150
    assert sum(program.faults(busy) for _ in range(100)) == 0, "the reads are done by the processor alone"
    question = lesson.still_there(program, busy, idle)
    program.read_on()
    counts = [program.faults(busy), program.faults(idle)]
    assert ended(question, counts).happened == f"only region {idle}" and counts == [1, 0]

    vm.zap_all()
    assert len(vm.pool.active) == 1 and (vm.caches.pte_chain.free, vm.caches.rmap_desc.free) == (0, 0)


def test_objects_of_the_caches(seed):
    machine, addresses = lesson.many_addresses(seed)
    assert (machine.caches.pte_chain.free, machine.caches.rmap_desc.free) == (CAPACITY, CAPACITY)
    question = lesson.descriptors_left(machine, addresses)
    for gva in addresses:
        machine.access(gva, write=True)
    assert ended(question).happened == CAPACITY - -(-len(addresses) // 4)


def test_use_makes_no_difference(seed):
    fresh = lesson.Program(seed)
    fresh.read_until(4)
    first = [region for region in range(fresh.done) if fresh.place(region) <= 22]
    for region in first:
        fresh.faults(region)
    fresh.read()
    assert not any(fresh.place(region) for region in first)
    assert all(fresh.place(region) for region in range(len(first), fresh.done))


@pytest.mark.parametrize("free", [2, 3, 4, 5, 9])
def test_another_number_of_free_pages(seed, free):
    program = lesson.short_of_pages(seed, free)
    assert len(program.vm.pool.free) == free and program.vm.stats.evicted == 0
    program.read()
    assert program.vm.stats.evicted == (REFILL - free if free < MIN_FREE else 0)


@pytest.mark.parametrize("free", [2, 3])
def test_the_bug_and_the_audits(seed, free):
    program = lesson.short_of_pages(seed, free, evicted=True)
    assert len(program.vm.pool.free) == free and program.vm.audit() == []
    with pytest.raises(HostCrash) as crash:
        lesson.paging_off(program.vm)
    assert (crash.value.kind, crash.value.function, crash.value.source) == ("oops", "mmu_alloc_roots", "mmu.c:881")


def test_with_four_free_pages_the_guest_may_turn_paging_off(seed):
    program = lesson.short_of_pages(seed, 4, evicted=True)
    assert lesson.paging_off(program.vm) and len(program.vm.pool.free) == 0


def test_check_questions_have_different_answers():
    answers = {name: {check(seed).measured().happened for seed in range(12)} for name, check in lesson.LESSON.checks.items()}
    assert all(len(found) >= 3 for found in answers.values())
    assert answers["needs_roots"] == set(lesson.OUTCOMES)


def test_it_ends_as_it_says(monkeypatch):
    in_order(
        said("13_pool", monkeypatch),
        "A program that has read 57 regions. 191 of 256 shadow pages are free.",
        "65 of 256 shadow pages are on it",
        "It was: read 188.",
        "252 of 256 shadow pages are on it",
        "Only 4 shadow pages are free: the oldest are zapped.",
        "#251 is a root in use, so it isn't freed: it is emptied, and moves to the head of the active list.",
        "It was: 22.",
        "It was: 244.",
        "It was: only region 82.",
        "20 rmap descriptors",
        "13 rmap descriptors",
        "It was: 13.",
        "1 of 256 shadow pages is on it",
        "place 12 before the eviction, place 0 after it",
        "The host would have crashed (oops) here",
        "pool_exhaust_reset_oops",
    )
