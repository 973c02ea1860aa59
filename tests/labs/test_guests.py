# SPDX-License-Identifier: GPL-2.0-only
"""A second processor between two steps of the host."""

import pytest

from kvmmmu_lab import InputError
from kvmmmu_lab.labs import neighbour, rmap_lab

NEAR, TABLE = 0x1000, 0x40000000


@pytest.fixture
def lab():
    lab = rmap_lab()
    lab.map()
    return lab


def test_it_keeps_what_it_saw_between_flush_and_protection(lab):
    """2007: mmu.c:436 flushes before line 437 takes W away."""
    vm = lab.machine
    neighbour(vm, NEAR)
    film = lab.protect().film
    said = [step.words for step in film.steps]
    flush = said.index("The TLB is flushed: the processor forgets its translations.")
    assert "forgets #248:1" in said[flush - 1] and "loses its W" in said[flush + 2]
    assert said[flush + 1].endswith("#248:1) and reaches gfn 0x11.")
    assert vm.access(NEAR, write=True, value=0, size=8).outcome == "ok" and vm.stats.entries_zapped == 0


def test_a_flush_after_the_protection_helps(lab):
    vm = lab.machine
    neighbour(vm, NEAR)
    lab.protect()
    vm.flush_tlb()
    assert vm.access(NEAR, write=True, value=0, size=8).outcome == "emul" and vm.stats.entries_zapped == 1


def test_without_it_the_same_write_is_noticed(lab):
    lab.protect()
    assert lab.machine.access(NEAR, write=True, value=0, size=8).outcome == "emul"


def test_it_needs_an_address(lab):
    with pytest.raises(InputError, match="gva"):
        neighbour(lab.machine, 1 << 70)
