# SPDX-License-Identifier: GPL-2.0-only
"""Lesson 11: its questions for several seeds, what it ends up saying, and the facts in its text."""

import pytest

from kvmmmu_lab.labs import watch_large_page
from kvmmmu_lab.labs.guests import FULL
from kvmmmu_lab.lessons import lesson_11 as lesson
from kvmmmu_lab.mmu.bits import CR0_PG, DIRTY, FLAT, LARGE, NX, PAGE_SHIFT, PS_MARK
from kvmmmu_lab.mmu.shadow import entries_with
from kvmmmu_lab.museum import exhibit

from .cells import in_order, said

NAME = "11_large_pages"
SEEDS = [*range(12), -3, 10**9]


@pytest.mark.parametrize("seed", SEEDS)
def test_questions_offer_what_is_measured(seed):
    guest, page = lesson.large_guest(seed)
    vm = guest.vm
    vm.access(page, user=True, write=True)
    gvas = lesson.touches(seed, page)
    question = lesson.pieces(vm, gvas)
    for gva in gvas:
        vm.access(gva, user=True)
    assert question.reveal().outcome.happened == len({gva >> 12 for gva in gvas}) - 1
    gvas = lesson.aliases(seed, guest, page)
    question = lesson.aliased(vm, gvas)
    for gva in gvas:
        vm.access(gva)
    assert question.reveal().outcome.happened == len(set(lesson.rights_of(guest, gvas).values())) in (2, 3)
    early, visits = lesson.early_guest(seed)
    early.access(0x7000)
    question = lesson.flat(early, visits)
    for gva in visits:
        early.access(gva)
    assert question.reveal().outcome.happened == len({gva >> 21 for gva in visits} - {0})
    assert question.outcome.happened in question.choices


@pytest.mark.parametrize("seed", SEEDS)
def test_paging_off_and_on_again_reuses_everything(seed):
    guest, gvas = lesson.program(seed)
    vm, gpas = guest.vm, lesson.flat_addresses(seed)
    off = lesson.off(vm, gpas)
    vm.load_cr0(vm.cpu.cr0 & ~CR0_PG)
    for gpa in gpas:
        vm.access(gpa)
    assert off.reveal().outcome.happened == len({gpa >> 21 for gpa in gpas}) and off.outcome.happened in off.choices
    on = lesson.on(vm, gvas)
    free = len(vm.pool.free)
    vm.load_cr0(vm.cpu.cr0 | CR0_PG)
    for gva in gvas:
        vm.access(gva, write=True, user=True)
    assert on.reveal().outcome.happened == 0 and len(vm.pool.free) == free


def test_it_ends_as_it_says(monkeypatch):
    in_order(
        said(NAME, monkeypatch),
        "it will map a large page of the guest in 4 KiB pieces, so it has no guest table (metaphysical)",
        "{'faults': 512, 'sptes of level 1': 512, 'shadow entries with PS': 0}",
        "It was: the code runs.",
        "Access(outcome='stuck', gpa=None, faults=8, error=None)",
        "It was: the same fault comes again and again.",
        "([], [])",
    )


@pytest.mark.parametrize("seed", [0, 99, -4])
def test_other_seeds_give_other_numbers_and_the_same_lesson(seed, monkeypatch):
    in_order(
        said(NAME, monkeypatch, seed),
        "{'faults': 512, 'sptes of level 1': 512, 'shadow entries with PS': 0}",
        "It was: the code runs.",
        "It was: the same fault comes again and again.",
    )


@pytest.mark.parametrize("check", [lesson.filled, lesson.flat_map, lesson.and_back])
def test_the_right_choice_of_a_check_question_is_not_always_the_same_one(check):
    asked = [check(seed) for seed in range(12)]
    assert len({question.choices.index(question.measured().happened) for question in asked}) > 1


# What the text says


def test_a_write_to_a_table_while_paging_is_off_is_not_noticed():
    assert exhibit("nonpaging_writes_shadowed_pt").run().outcome.kind != "right"


def test_the_frame_of_a_large_page_is_not_protected_and_the_link_is_marked():
    guest, page = lesson.large_guest(1)
    vm = guest.vm
    vm.access(page)
    (pieces,) = lesson.pieces_pages(vm, lesson.FIRST)
    assert pieces.gfn == lesson.FIRST and vm.pool.lookup(lesson.FIRST) is None
    link = vm.memory.words[vm.parents.first(pieces)]
    assert link & PS_MARK and not link & LARGE
    assert vm.access(page, write=True).faults == 0
    assert vm.emulate_write_gpa(lesson.FIRST << 12, 0, 8) and entries_with(vm, pieces)


def test_a_piece_that_was_used_at_one_address_is_present_at_another():
    guest, page = lesson.large_guest(1)
    for number in (1, 2):
        guest.map(page + (number << 21), lesson.SECOND, FULL, large=True)
    guest.vm.access(page + (1 << 21) + 0x5000), guest.vm.access(page + (2 << 21))
    assert guest.vm.access(page + (2 << 21) + 0x5000).faults == 0


def test_the_piece_after_the_last_is_not_mapped():
    guest, page = lesson.large_guest(7)
    guest.vm.access(page, user=True)
    assert guest.vm.access(page + 511 * 4096, user=True).outcome == "ok"
    assert len(watch_large_page(lambda: guest.vm.access(page, user=True), guest.vm, page).steps) == 1 + 3
    assert len(watch_large_page(lambda: guest.vm.access(page + 300 * 4096, user=True), guest.vm, page).steps) == 1 + 9
    lesson.aliases(7, guest, page)
    after = page + 512 * 4096
    assert len(watch_large_page(lambda: guest.vm.access(after, user=True), guest.vm, page, after).steps) == 1 + 6
    assert guest.vm.access(after, user=True).outcome == "inject"


def test_4_mb_need_two_pages_that_differ_in_the_quadrant():
    guest, page = lesson.large_guest(7, mode="32 pse")
    guest.vm.access(page), guest.vm.access(page + 0x200000)
    assert [found.quadrant for found in lesson.pieces_pages(guest.vm, lesson.FIRST)] == [0, 1]


def test_without_paging_the_roots_have_gfn_0_and_sptes_all_rights():
    vm, _ = lesson.early_guest()
    roots = list(vm.pool.active)
    assert [(page.gfn, page.level, page.quadrant, page.metaphysical) for page in roots] == [(0, 2, n, True) for n in range(4)]
    vm.access(0x207000)
    page = list(vm.pool.active)[-1]
    assert page.gfn == 0x200 and vm.memory.words[page.spte + 7] & 0xFFF == FLAT
    assert not vm.load_cr3(7), "reserved bits"
    before = vm.stats.exits, vm.root
    assert vm.load_cr3(0x3000) and (vm.stats.exits, vm.root) == before
    assert vm.gva_to_gpa(0x7123) == 0x7123
    assert vm.access(0x90000000).outcome == "mmio"


def test_other_pieces_are_fine_after_nx_was_cleared():
    guest, page = lesson.large_guest(7, FULL | NX)
    vm, entry = guest.vm, guest.entry_gpa(page, 2)
    vm.access(page)
    vm.emulate_write_gpa(entry, vm.peek(entry) & ~NX, 8)
    assert vm.access(page, fetch=True).outcome == "stuck" and vm.access(page + 0x1000, fetch=True).outcome == "ok"
    assert vm.audit() == []


@pytest.mark.parametrize("first", [0, 1])
def test_the_first_use_of_a_piece_decides_its_nx_for_both_entries(first):
    guest, page = lesson.large_guest(7)
    vm, gvas = guest.vm, (page + (1 << 21), page + (2 << 21))
    for gva, flags in zip(gvas, (FULL, FULL | NX), strict=True):
        guest.map(gva, lesson.SECOND, flags, large=True)
    vm.access(gvas[first]), vm.access(gvas[1 - first])
    (pieces,) = lesson.pieces_pages(vm, lesson.SECOND)
    assert bool(vm.memory.words[pieces.spte] & NX) == bool(first)
    assert vm.access(gvas[1 - first], fetch=True).outcome == ("stuck" if first else "ok")


def test_the_first_of_the_eight_faults_makes_the_link():
    guest, page = lesson.large_guest(7, FULL | NX)
    vm, entry = guest.vm, guest.entry_gpa(page, 2)
    vm.access(page)
    vm.emulate_write_gpa(entry, vm.peek(entry) & ~NX, 8)
    film = watch_large_page(lambda: vm.access(page, fetch=True), vm, page)
    words = [step.words for step in film.steps]
    assert [index for index, said in enumerate(words) if "found in the hash, with its entries" in said] == [5]
    assert sum("A page fault stops" in said for said in words) == 8


def test_without_paging_even_a_shadowed_table_can_be_written():
    guest, gvas = lesson.program(7)
    vm = guest.vm
    table = guest.entry_gpa(gvas[0], 1) >> PAGE_SHIFT
    assert vm.pool.lookup(table) and not vm.rmap.sptes(vm.memory.frames[table])
    vm.load_cr0(vm.cpu.cr0 & ~CR0_PG)
    assert vm.access(table << PAGE_SHIFT, write=True).outcome == "ok" and vm.pool.lookup(table)
    assert vm.rmap.sptes(vm.memory.frames[table])


def test_d_stays_clear_after_the_guest_cleared_it():
    guest, page = lesson.large_guest(7)
    vm, entry = guest.vm, guest.entry_gpa(page, 2)
    vm.access(page, write=True)
    vm.emulate_write_gpa(entry, vm.peek(entry) & ~DIRTY, 8)
    assert vm.access(page, write=True).outcome == "ok" and not vm.peek(entry) & DIRTY
