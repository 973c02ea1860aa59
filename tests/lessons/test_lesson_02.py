# SPDX-License-Identifier: GPL-2.0-only
"""Lesson 2: what its cells print, and that its questions have one answer for any seed."""

import pytest

from kvmmmu_lab.inspect.processor import processor_error
from kvmmmu_lab.inspect.refusal import Request
from kvmmmu_lab.lessons import lesson_02 as lesson
from kvmmmu_lab.mmu.bits import ACCESSED, DIRTY, NX, PRESENT, USER, WRITABLE

from .cells import in_order, said, seeds

NAME = "02_guest_walk"
SEEDS = [0, 7, 99, -4]


def test_it_ends_as_it_says(monkeypatch):
    in_order(
        said(NAME, monkeypatch),
        "64-bit guest: the walk for a write by user code at 0x7e5fa33a4a3a",
        "result, gpa 0x11a3a",
        "It was: error code 0x5.",
        "PML4: A=0, PDPT: A=0, PD: A=0, PT: A=0 D=0",
        "It was: in PML4 and PDPT.",
        "a processor would say error code 0x4",
        "It was: the guest gets 0x5, a processor would report 0x4.",
        "It was: the guest gets 0x15, a processor would report 0x5.",
        "result, error code 0x3",
        "'PML4: A=0, PDPT: A=0, PD: A=0, PT: A=0 D=0', 'PML4: A=1, PDPT: A=1, PD: A=1, PT: A=1 D=0'",
        "user code reads: 1 fault; PML4: A=1, PDPT: A=1, PD: A=1, PT: A=1 D=0",
        "user code reads: 0 faults; PML4: A=1, PDPT: A=1, PD: A=1, PT: A=0 D=0",
        "PT: A=0 D=0",
        "user code reads: 1 fault; PML4: A=1, PDPT: A=1, PD: A=1, PT: A=1 D=0",
        "The host sets the dirty bit in entry 420 of the guest table in gfn 0x14",
        "user code writes: 0 faults; PML4: A=1, PDPT: A=1, PD: A=1, PT: A=1 D=1",
        "The access succeeds, although the PD entry (level 2, index 0) has NX",
        "Audits: all three are silent.",
    )


@pytest.mark.parametrize("seed", seeds(*SEEDS))
def test_other_seeds_give_other_numbers_and_the_same_lesson(seed, monkeypatch):
    code = 7 if lesson.access_of(seed)["write"] else 5
    above = {3: "in PML4", 2: "in PML4 and PDPT", 1: "in PML4, PDPT and PD"}[lesson.level_of(seed)]
    in_order(
        said(NAME, monkeypatch, seed),
        f"It was: error code {code:#x}.",
        f"It was: {above}.",
        "It was: the guest gets 0x5, a processor would report 0x4.",
        "It was: the guest gets 0x15, a processor would report 0x5.",
        "user code reads: 0 faults; PML4: A=1, PDPT: A=1, PD: A=1, PT: A=0 D=0",
        "user code writes: 0 faults",
    )


def test_the_seed_chooses_the_access_and_the_level():
    assert {lesson.access_of(seed)["write"] for seed in range(20)} == {False, True}
    assert {lesson.level_of(seed) for seed in range(20)} == {1, 2, 3}


def test_nobody_has_used_the_page():
    for seed in range(20):
        here = lesson.page(seed)
        assert all(here.entry(level) & ~0xFFFFF000 == PRESENT | WRITABLE | USER for level in (1, 2, 3, 4))
        assert here.flags() == "PML4: A=0, PDPT: A=0, PD: A=0, PT: A=0 D=0" and not here.entry() & (ACCESSED | DIRTY)


@pytest.mark.parametrize("wp", [False, True])
def test_wp_and_the_kernel(wp):
    """The text says: if CR0.WP is clear, the kernel may write to every page that is present, and only user code needs W."""
    for user, error in ((False, 3 if wp else None), (True, 7)):
        here = lesson.page(1, clear={1: WRITABLE}, wp=wp)
        assert here.vm.access(here.gva, write=True, user=user).error == error
    missing = lesson.page(1, clear={2: PRESENT}, wp=wp)
    assert missing.vm.access(missing.gva, write=True).error == 2, "a write by the kernel to a page that is not there"


def test_nx_and_reserved_bits():
    """The text says: EFER.NX on: NX forbids fetches. Off: a processor reports a reserved bit, and the code of 2007 nothing."""
    on, off = lesson.page(1, add={2: NX}), lesson.page(1, add={2: NX}, nx=False)
    assert on.vm.access(on.gva, user=True, fetch=True).error == 0x15
    assert processor_error(off.vm, Request(off.gva, user=True, fetch=True)) == 0x4 | 0x8 | 0x1
    assert off.vm.access(off.gva, user=True, fetch=True).outcome == "ok"
