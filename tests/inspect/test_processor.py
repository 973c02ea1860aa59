# SPDX-License-Identifier: GPL-2.0-only
"""What a processor would say agrees with what a processor said: the recorded permission matrices."""

from pathlib import Path

import numpy as np
import pytest

from kvmmmu_lab import Vm
from kvmmmu_lab.inspect.processor import processor_error
from kvmmmu_lab.inspect.refusal import Request
from kvmmmu_lab.labs.guests import Builder
from kvmmmu_lab.mmu.bits import CR0_WP, EFER_NX, NX, PRESENT, USER, WRITABLE
from kvmmmu_lab.verify.matrix import MatrixGuest, MatrixRow, RowClasses

MATRICES = Path(__file__).parents[1] / "data" / "access"


def answers(mode, step):
    """Yield for every ``step``-th executed row: its classes, the processor's error code (or None), and ours."""
    with np.load(MATRICES / f"access{mode}.npz") as arrays:
        result = arrays["result"]
    guest = MatrixGuest(mode, Vm)
    for index in np.flatnonzero(result & 0x8000)[::step].tolist():
        row = MatrixRow.of(mode, index, int(result[index]))
        classes = RowClasses(mode, row)
        guest.prepare(row, classes.big)
        truth = row.result >> 1 & 31 | (row.result >> 4 & 1) if row.result & 1 else None
        yield classes, truth, processor_error(guest.vm, Request(guest.gva, row.write, row.user, row.fetch))


@pytest.mark.parametrize("mode, step", [("32", 7), ("pae", 11)])
def test_it_is_what_a_processor_said(mode, step):
    reserved = 0
    for classes, truth, ours in answers(mode, step):
        assert ours == truth, classes.row
        reserved += classes.rs
    assert reserved > 1000 or mode == "32"


def test_it_differs_from_the_walk_of_2007_in_the_known_classes_only():
    seen = set()
    for classes, truth, _ in answers("pae", 29):
        if not classes.rs and truth is not None:
            seen |= {name for name in "fo" if getattr(classes, name)}
    assert seen == {"f", "o"}


@pytest.mark.parametrize("mode", ["64", "pae", "32"])
def test_registers_and_missing_tables(mode):
    guest = Builder(mode)
    guest.map(0x40001000, flags=PRESENT | (NX if mode != "32" else 0))
    vm = guest.start()

    def error(gva=0x40001000, **access):
        return processor_error(vm, Request(gva, **access))

    assert error() is None and error(write=True) == 3 and error(user=True) == 5
    assert error(0x80001000, write=True) == 2
    assert error(fetch=True) == (None if mode == "32" else 0x11)
    vm.set_registers(vm.cpu.cr0 & ~CR0_WP, vm.cpu.cr3, vm.cpu.cr4, vm.cpu.efer & ~EFER_NX)
    assert error(write=True) == (None if mode == "32" else 11), "NX is a reserved bit without EFER.NX"
    guest.map(0x40002000, flags=PRESENT | WRITABLE | USER)
    assert error(0x40002000, fetch=True, user=True) is None and error(0x40003000, fetch=True) == 0
