# SPDX-License-Identifier: GPL-2.0-only
"""Lesson 4: what its cells print, and that its questions have one answer for any seed."""

import pytest

from kvmmmu_lab.inspect.paths import guest_path, shadow_path
from kvmmmu_lab.lessons import lesson_04 as lesson
from kvmmmu_lab.mmu.bits import DIRTY, IO_MARK, NX, PRESENT, SHADOW_USER, SHADOW_WRITABLE, USER, WRITABLE

from .cells import in_order, said, seeds

NAME = "04_permissions"
SEEDS = [0, 7, 99, -4]


def test_it_ends_as_it_says(monkeypatch):
    in_order(
        said(NAME, monkeypatch),
        "level 3  PDPT  entry 185  P.UA...",
        "spte, #248:56",
        "The spte #248:56 is made from the guest's entry",
        "It was: U; marked: U. (You",
        "gets its W",
        "The host sets the dirty bit",
        "It was: none for the first, one for the second. (You",
        "outcome='mmio'",
        "It was: 4. (You",
        "1. the",
        "gets U back, because user code reads here",
        "pages that the program has read            785",
        "sptes with all flags of the guest's entry  785",
        "of these, not dirty                      0",
        "guest     spte      marks",
        "not dirty, then written PWUAD..   PWUA...   WU",
        "It was: it succeeds, and there is no fault. (You",
        "the guest gets a page fault",
    )


@pytest.mark.parametrize("seed", seeds(*SEEDS))
def test_other_seeds_give_other_numbers_and_the_same_lesson(seed, monkeypatch):
    in_order(
        said(NAME, monkeypatch, seed),
        "It was: none for the first, one for the second. (You",
        "It was: it succeeds, and there is no fault. (You",
        "the guest gets a page fault",
    )


@pytest.mark.parametrize("name", list(lesson.LESSON.checks))
def test_a_check_question_has_different_answers(name):
    assert len({lesson.LESSON.checks[name](seed).measured().happened for seed in range(40)}) >= 4


def test_the_rule_of_the_table_holds_for_every_page():
    """What is allowed, marked and withheld, computed here again from the guest's entries."""
    for seed in range(60):
        page = lesson.with_rights(seed)
        page.vm.access(page.gva)
        *above, last = (step.entry for step in guest_path(page.vm, page.gva).steps)
        allowed = last & WRITABLE | last & USER
        for entry in above:
            allowed &= entry
        spte = page.entry()
        assert bool(spte & SHADOW_WRITABLE) == bool(allowed & WRITABLE)
        assert bool(spte & SHADOW_USER) == bool(spte & USER) == bool(allowed & USER)
        assert bool(spte & WRITABLE) == bool(allowed & WRITABLE and last & DIRTY)
        assert allowed != WRITABLE | USER, "one entry refuses something"


def test_five_of_nine_kinds_of_page_differ():
    rows = [line.rsplit(None, 3)[1:] for line in lesson.tried(7).lines[1:]]
    assert len(rows) == 9 and sum(guest != spte for guest, spte, _ in rows) == 5
    assert sorted(lesson.tried(8).lines) == sorted(lesson.tried(7).lines)


def test_nx_of_an_upper_entry_is_lost():
    guest = lesson.Builder("64")
    guest.map(0x1000)
    guest.vm.poke(gpa := guest.entry_gpa(0x1000, 2), guest.vm.peek(gpa, 8) | NX)
    vm = guest.start()
    assert vm.access(0x1000, fetch=True).outcome == "inject", "as long as there is no spte"
    vm.access(0x1000)
    assert not any(step.entry & NX for step in shadow_path(vm, 0x1000).steps)
    assert vm.access(0x1000, fetch=True).outcome == "ok"


def test_a_kernel_page_is_easy_to_write_with_wp_clear():
    """W is given at the write, mW stays clear, and no U has to be taken away."""
    guest = lesson.Builder("64")
    guest.map(0x1000, flags=PRESENT)
    vm = guest.start()
    vm.load_cr0(vm.cpu.cr0 & ~lesson.CR0_WP)
    vm.access(0x1000)
    page = lesson.OnePage(vm, 0x1000)
    assert not page.entry() & (WRITABLE | SHADOW_WRITABLE)
    assert vm.access(0x1000, write=True).faults == 1
    assert page.entry() & WRITABLE and not page.entry() & SHADOW_WRITABLE


def test_the_reverse_map_keeps_an_spte_that_loses_w():
    """What the text says of the end of the film."""
    old = lesson.old_kernel(7)
    for who in (lesson.KERNEL, lesson.PROGRAM, lesson.KERNEL):
        old.one(who)
    [complaint] = old.vm.audit()
    assert complaint.facts == (2, 1), "two entries in the reverse map, one writable spte"


def test_the_spte_of_a_device_is_marked_and_not_present():
    device = lesson.Device(3)
    assert [access.outcome for access in device.read(3)] == ["mmio"] * 3
    spte = lesson.OnePage(device.vm, device.gva).entry()
    assert spte & IO_MARK and not spte & PRESENT


def test_with_wp_clear_each_change_costs_a_fault():
    for seed in range(40):
        old = lesson.old_kernel(seed)
        assert sum(access.faults for access in old.run()) == 1 + lesson.changes(old.accesses) >= 3


def test_the_old_spte_survives_the_load_of_cr0_and_no_audit_notices():
    for seed in SEEDS:
        page = lesson.read_only_page(seed)
        assert page.write().outcome == "ok"
        page.set_wp()
        assert (page.write().outcome, page.vm.audit()) == ("ok", [])
        page.vm.zap_all()
        assert page.write().outcome == "inject", "as it should be"


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("upper level read-only", "inject"), ("supervisor page", "ok"), ("its own page table", "emul"), ("device", "mmio")],
)
def test_the_kinds_of_page_that_the_text_names(kind, outcome):
    page = lesson.kind_of_page(kind)
    assert page.vm.access(page.gva, write=True).outcome == outcome
    spte = page.entry()
    bits = bool(spte & PRESENT), bool(spte & WRITABLE), bool(spte & SHADOW_WRITABLE), bool(spte & USER)
    made = {"supervisor page": (1, 1, 1, 0), "its own page table": (1, 0, 1, 1), "device": (0, 1, 1, 1)}
    assert bits == made.get(kind, (0, 0, 0, 0))
