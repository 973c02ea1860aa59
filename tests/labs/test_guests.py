# SPDX-License-Identifier: GPL-2.0-only
"""Guests built by hand, and a second processor that runs between two steps of the host."""

import pytest

from kvmmmu_lab import InputError
from kvmmmu_lab.labs import neighbour, rmap_lab, small_guest

NEAR, TABLE = 0x1000, 0x40000000


@pytest.mark.parametrize("mode", ["64", "pae", "32", "32 pse"])
def test_a_small_guest_has_touched_what_it_maps(mode):
    small = small_guest(mode, 0x1000, 0x5000)
    assert [small.vm.access(gva, user=True).faults for gva in (0x1000, 0x5000)] == [0, 0]
    assert small.vm.access(0x2000).outcome == "inject"
    small.map(0x2000)
    assert small.vm.access(0x2000).faults == 1
    assert small.vm.audit() == []


def test_a_small_guest_takes_your_parts():
    seen = []
    small = small_guest("64", 0x1000, pre_write=lambda vm, gpa, size: seen.append((gpa, size)))
    small.edit(0x1000, 0)
    assert seen == [(small.entry_gpa(0x1000), 8)]


@pytest.fixture
def lab():
    lab = rmap_lab()
    lab.map()
    return lab


def test_a_neighbour_keeps_what_it_read_between_flush_and_protection(lab):
    """In 2.6.22, mmu.c:436 flushes before line 437 clears W."""
    vm = lab.machine
    neighbour(vm, NEAR)
    film = lab.protect().film
    said = [step.words for step in film.steps]
    flush = said.index("The TLB is flushed: the processor forgets its translations.")
    assert "drops #248:1" in said[flush - 1] and "loses its W" in said[flush + 2]
    assert said[flush + 1].startswith("Meanwhile the guest's other processor walks the shadow tables (")
    assert said[flush + 1].endswith("#248:1) and reaches gfn 0x11.")
    assert [words for words in said if words.startswith("Meanwhile")] == [said[flush + 1]], "the others are of the first one"
    assert vm.access(NEAR, write=True, value=0, size=8).outcome == "ok" and vm.stats.entries_zapped == 0


def test_a_flush_after_the_protection_helps(lab):
    vm = lab.machine
    neighbour(vm, NEAR)
    lab.protect()
    vm.flush_tlb()
    assert vm.access(NEAR, write=True, value=0, size=8).outcome == "emul" and vm.stats.entries_zapped == 1


def test_without_a_neighbour_the_same_write_is_noticed(lab):
    lab.protect()
    assert lab.machine.access(NEAR, write=True, value=0, size=8).outcome == "emul"


def test_a_neighbour_needs_an_address(lab):
    with pytest.raises(InputError, match="gva"):
        neighbour(lab.machine, 1 << 70)
