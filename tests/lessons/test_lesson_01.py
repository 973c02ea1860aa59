# SPDX-License-Identifier: GPL-2.0-only
"""Lesson 1: what its cells print, and that its questions have one answer for any seed."""

import random

import pytest

from kvmmmu_lab.inspect.paths import guest_path, shadow_path
from kvmmmu_lab.lessons import lesson_01 as lesson
from kvmmmu_lab.mmu.bits import MODES

from .cells import in_order, said, seeds

NAME = "01_two_maps"
SEEDS = [0, 7, 99, -4]


def test_it_ends_as_it_says(monkeypatch):
    in_order(
        said(NAME, monkeypatch),
        "slot 0, gfn 0x0..0xff, 256 pages, 1 MB, in host frames 0x200..0x2ff",
        "slot 1, gfn 0x400..0x7ff, 1024 pages, 4 MB, in host frames 0x300..0x6ff",
        "ends at L4: fault",
        "It was: hpa 0x38df6b.",
        "alias 0, gfn 0xa0..0xbf, is gfn 0x420..0x43f",
        "0x323123",
        "It was: entry 413 of the PD, entry 890 of the PT.",
        "It was: the processor 5 shadow and 0 guest entries, the host 4 guest entries.",
        "PAE guest: the walk of",
        "root slots, one for each GB",
        "It was: the old frame at the first address, the new frame at the second.",
        "It was: gfn 0x492, as the spte says.",
        "guest tables: 9,514 entries; for this address, gfn 0x29af",
        "shadow pages: 4 entries; for this address, hfn 0x2b4f",
        "slot of this gfn: begins at gfn 0x100 and hfn 0x2a0",
        "Memory slot 1 is set to 1024 pages starting at gfn 0x900.",
        "It was: the same byte of the host's memory as before the move.",
        "map: gva 0x47cac571c000 reaches gfn 0x98d; the guest's tables map it to nothing",
        "outcome='mmio'",
    )


@pytest.mark.parametrize("seed", seeds(*SEEDS))
def test_other_seeds_give_other_numbers_and_the_same_lesson(seed, monkeypatch):
    in_order(
        said(NAME, monkeypatch, seed),
        "5 shadow and 0 guest entries, the host 4 guest entries. (You",
        "It was: the old frame at the first address, the new frame at the second.",
        "as the spte says. (You",
        "the same byte of the host's memory as before the move. (You",
        "; the guest's tables map it to nothing",
        "outcome='mmio'",
    )


@pytest.mark.parametrize("mode", [name for name in MODES if MODES[name].levels])
def test_both_addresses_of_a_place_use_the_same_tables(mode):
    for seed in range(40):
        here = lesson.place(seed, mode)
        paths = [guest_path(here.vm, gva) for gva in (here.gva, here.neighbour)]
        assert [step.table for step in paths[0].steps] == [step.table for step in paths[1].steps]
        gfns = {paths[0].gfn, paths[1].gfn, here.spare, here.other}
        assert len(gfns) == 4 and all(lesson.SLOT < gfn < lesson.SLOT + 0x400 for gfn in gfns)
        assert not any(step.entry for step in shadow_path(here.vm, here.gva).steps[1:])


def test_the_splits_of_a_narrow_address_differ():
    for seed in range(60):
        gva = lesson.narrow(seed).gva
        assert len(set(lesson.splits(gva))) == 4
        steps = guest_path(lesson.narrow(seed).vm, gva).steps
        assert [step.index for step in steps] == list(lesson.splits(gva)[0])


def test_the_split_that_the_text_shows():
    gva = random.Random(1).randrange(1 << 47)
    assert MODES["64"].format.index(gva, 2) == gva >> 21 & 511


@pytest.mark.parametrize("name", list(lesson.LESSON.checks))
def test_the_same_claim_is_not_right_for_every_seed(name):
    """A reader who asks for another one has to think again: the place of the right choice and its reason vary."""
    asked = [lesson.LESSON.checks[name](seed).measured() for seed in range(40)]
    assert len({answer.happened for answer in asked}) >= 2


def test_an_alias_counts_for_some_seeds_and_not_for_others():
    whys = {lesson.LESSON.checks["through_an_alias"](seed).measured().why.split(",")[0] for seed in range(40)}
    assert any("the alias leads to" in why for why in whys) and any("is not in the alias" in why for why in whys)


def test_a_new_page_table_counts_only_for_an_address_without_an_spte():
    reached = {}
    for seed in range(40):
        check = lesson.LESSON.checks["table_replaced"](seed)
        read = next(words for words in lesson.READ_BEFORE if f"program reads {words}." in check.question)
        reached.setdefault(read, set()).add([*check.choices].index(check.measured().happened))
    assert reached == {"this page": {0}, "another page that the same page table maps": {1}, "nothing": {1}}
