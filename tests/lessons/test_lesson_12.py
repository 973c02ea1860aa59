# SPDX-License-Identifier: GPL-2.0-only
"""Lesson 12: its questions for several seeds, what it ends up saying, and the facts in its text."""

import re
from collections import Counter

import pytest

from kvmmmu_lab import HostCrash, Vm, record
from kvmmmu_lab.labs import watch_roots
from kvmmmu_lab.labs.guests import Builder
from kvmmmu_lab.lessons import lesson_12 as lesson
from kvmmmu_lab.lessons.check_question import DONT_KNOW
from kvmmmu_lab.mmu.bits import CR0_PE, CR0_PG, CR0_WP, EFER_NX, PRESENT
from kvmmmu_lab.mmu.shadow import zap_page
from kvmmmu_lab.museum import exhibit

from .cells import in_order, said

NAME = "12_roots"
SEEDS = [*range(12), -3, 10**9]


@pytest.mark.parametrize("seed", SEEDS)
def test_questions_offer_what_is_measured(seed):
    guest = lesson.processes(seed)
    guest.vm.load_cr3(guest.roots[1])
    new = lesson.new_pages(guest)
    guest.run()
    assert new.reveal().outcome.happened == 2 + len(guest.user) and new.outcome.happened in new.choices
    guest.vm.load_cr3(guest.roots[2])
    kernel = lesson.kernel_faults(guest)
    faults = [guest.vm.access(gva, write=True).faults for gva in guest.kernel]
    assert kernel.reveal().outcome.happened == 1 == faults[0] == sum(faults)
    again = lesson.back(guest)
    assert guest.run(0) == 0
    assert again.reveal().outcome.happened == 0
    wide, cr3, kinds = lesson.pae_processes(seed)
    assert sum(kinds.values()) == 4
    roots = lesson.pae_roots(wide, kinds)
    wide.load_cr3(cr3)
    assert roots.reveal().outcome.happened == kinds["its own"] and roots.outcome.happened in roots.choices


def test_it_ends_as_it_says(monkeypatch):
    in_order(
        said(NAME, monkeypatch),
        "is no longer pinned: its root count is now 0. The page stays in the pool, with its entries.",
        "([3, 0, 0, 0, 0, 0], [5, 5, 5, 5, 5, 5])",
        "'PG=1, LME=1': '64-bit, 4 guest levels, one root of level 4'",
        "4 root pages are pinned, 8 kept",
        "Access(outcome='ok', gpa=0x400000, faults=0, error=None)",
        "map: gva",
        "It was: the large page, as before.",
        "BUG) in rmap_write_protect",
    )


@pytest.mark.parametrize("seed", [0, 99, -4])
def test_other_seeds_give_other_numbers_and_the_same_lesson(seed, monkeypatch):
    in_order(
        said(NAME, monkeypatch, seed),
        ", 0, 0, 0, 0, 0], [",
        "It was: the large page, as before.",
        "BUG) in rmap_write_protect",
    )


@pytest.mark.parametrize("check", [lesson.pinned, lesson.first_run, lesson.pae_load, lesson.choose_mode])
def test_the_right_choice_of_a_check_question_is_not_always_the_same_one(check):
    asked = [check(seed) for seed in range(12)]
    assert len({question.choices.index(question.measured().happened) for question in asked}) > 1


def test_each_mode_is_right_for_as_many_seeds_as_the_others():
    happened = Counter(lesson.choose_mode(seed).measured().happened for seed in range(12))
    assert set(happened) == set(lesson.choose_mode(0).choices) - {DONT_KNOW} and set(happened.values()) == {3}


def test_only_facts_tell_a_first_run_from_a_later_one():
    """The wording is the same for all seeds; the processes that have run, and the page table, decide."""
    shapes, answers = set(), Counter()
    for seed in range(40):
        check = lesson.first_run(seed)
        facts = re.compile(r"processes 0, (1|2) and 0|(maps none|also maps one)|\d+ (?:user|kernel) pages")
        shapes.add(facts.sub("", check.question))
        other, table = re.search(r"0, (\d) and 0", check.question)[1], "maps none" in check.question
        users = int(re.search(r"(\d) user pages", check.question)[1])
        assert check.measured().happened == (3 + users) * (other == "2") + table
        answers[other, table] += 1
    assert len(shapes) == 1 and set(answers.values()) == {10}


# What the text says


def test_every_guest_begins_with_four_roots_that_stay():
    vm = lesson.processes(7).vm
    assert [(page.glevels, page.root_count) for page in list(vm.pool.active)[:4]] == [(0, 0)] * 4
    assert lesson.root_pages(vm) == 1


def test_the_shared_page_of_level_3_has_three_parents():
    guest = lesson.processes(7)
    for number in (1, 2):
        guest.run(number)
    shared = [page for page in guest.vm.pool.active if page.level == 3 and len(list(guest.vm.parents.sptes(page))) == 3]
    assert len(shared) == 1


def test_the_same_cr3_once_more_moves_the_pin_away_and_back():
    guest = lesson.processes(7)
    used, root = list(guest.vm.pool.active), guest.vm.root
    guest.vm.load_cr3(guest.roots[0])
    assert list(guest.vm.pool.active) == used and guest.vm.root == root and lesson.root_pages(guest.vm) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_without_the_kept_shadow_each_address_faults_at_every_turn(seed):
    guest = lesson.processes(seed)
    assert lesson.switches(seed, throw_away=True) == [len(guest.user) + len(guest.kernel)] * 6
    assert lesson.switches(seed, throw_away=False)[1:] == [0] * 5


def test_a_load_after_which_all_roots_exist_takes_no_page():
    guest = lesson.processes(7)
    for number in (1, 2):
        guest.run(number)
    for number in (0, 1, 2, 0, 0):
        film = watch_roots(lambda number=number: guest.vm.load_cr3(guest.roots[number]), guest.vm)
        said = [step.words for step in film.steps]
        assert not [words for words in said if "is taken from the pool" in words]
        assert sum("is no longer pinned" in words for words in said) == 1
        assert sum("is pinned as a root" in words for words in said) == 1


def test_wp_and_nx_are_not_in_the_name_and_a_load_of_efer_resets_nothing():
    for name in ("wp0_to_wp1_stale_write", "efer_nx_toggle_stale"):
        assert exhibit(name).run().outcome.kind != "right"
    vm = lesson.processes(7).vm
    with record(vm) as recording:
        vm.load_efer(vm.cpu.efer & ~EFER_NX)
    assert not list(recording.where(kind="reset_context")) and len(recording) > 0


def test_the_read_after_pse_was_cleared_reaches_the_new_page_table():
    vm, gva = lesson.pse_guest(7)
    vm.access(gva)
    vm.load_cr4(0)
    assert vm.tlb is None and vm.access(gva).gpa == 0x400000
    assert [complaint.audit for complaint in vm.audit()] == ["map"]
    assert vm.peek(0x400000, 4) & PRESENT


def test_a_pinned_root_is_not_freed():
    guest = lesson.processes(7)
    root = guest.vm.pool.lookup(guest.roots[0] >> 12)
    zap_page(guest.vm, root)
    assert root in guest.vm.pool.active and root.root_count == 1
    guest.run(1)
    zap_page(guest.vm, root)
    assert root not in guest.vm.pool.active


def test_pae_processes_share_the_root_page_of_a_shared_directory():
    vm, cr3, kinds = lesson.pae_processes(7)
    before = {page for page in vm.pool.active if page.root_count}
    vm.load_cr3(cr3)
    now = {page for page in vm.pool.active if page.root_count}
    assert len(before & now) == kinds["shared"] and all(page.gfn != cr3 >> 12 for page in vm.pool.active)


def test_a_pdpte_that_is_not_present_gives_an_empty_slot():
    vm, cr3, kinds = lesson.pae_processes(7)
    assert kinds["not present"]
    vm.load_cr3(cr3)
    assert lesson.root_pages(vm) == 4 - kinds["not present"]


def test_a_change_of_mode_zaps_nothing():
    guest = Builder("64")
    guest.map(0x1000)
    vm = guest.start()
    vm.access(0x1000)
    zapped = vm.stats.zapped
    vm.load_cr0(vm.cpu.cr0 & ~CR0_PG)
    vm.load_cr0(vm.cpu.cr0 | CR0_PG)
    assert vm.stats.zapped == zapped and vm.access(0x1000).faults == 0


def test_a_refused_cr3_is_kept():
    vm = Vm()
    assert not vm.load_cr3(0x7F000000) and vm.cpu.cr3 == 0x7F000000 and vm.stats.gp == 1
    assert vm.audit() == []
    with pytest.raises(HostCrash, match="rmap_write_protect"):
        vm.load_cr0(CR0_PG | CR0_WP | CR0_PE)
    assert exhibit("cr3_gp_but_kept_BUG").run(fixed=True).outcome.kind == "right"
