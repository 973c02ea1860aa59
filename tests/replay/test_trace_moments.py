# SPDX-License-Identifier: GPL-2.0-only
"""Each named moment of a recording is what its name says, and a replay stops there."""

import numpy as np
import pytest

from kvmmmu_lab import InputError
from kvmmmu_lab.data.trace import ACCESS, PAGE_FAULT, TABLE_WRITE
from kvmmmu_lab.mmu.bits import MODES, WRITABLE
from kvmmmu_lab.replay.trace_moments import SAYS, moment, moments


def writes(found):
    """Yield the writes to one table up to the next fault: the entry before, and the bytes before and after."""
    trace, replay = found.trace, found.replay()
    faults = np.flatnonzero(trace.type == PAGE_FAULT)
    end = next((fault for fault in faults.tolist() if fault > found.event), len(trace.type))
    size, table = MODES[trace.mode].format.size, found.next_write.gpa >> 12
    for event in np.flatnonzero(trace.type == TABLE_WRITE).tolist():
        if event < found.event:
            continue
        if event > end:
            return
        gpa, width = int(trace.a[event]), int(trace.flag[event])
        if gpa >> 12 != table:
            return
        replay.to(event)
        entry = replay.vm.peek(gpa & -size, size)
        new = int(trace.b[event]) & (1 << 8 * width) - 1
        yield entry, entry >> 8 * (gpa % size) & (1 << 8 * width) - 1, new


@pytest.mark.parametrize("name", moments())
def test_each_moment_is_an_access_and_its_name_has_words(name):
    found = moment(name)
    assert found.trace.type[found.event] in (ACCESS, PAGE_FAULT)
    assert found.says == SAYS[name.split(" in ")[0].split(" of ")[0]]
    replay = found.replay()
    assert (replay.at, replay.wrong) == (found.event, 0)
    assert name.startswith("start") == (not replay.vm.stats.exits)


@pytest.mark.parametrize("name", [name for name in moments() if name.startswith("fork")])
def test_at_a_fork_the_right_to_write_is_taken_from_entries_one_by_one(name):
    found = list(writes(moment(name)))
    assert len(found) >= 3
    assert all(old ^ new == WRITABLE and old & WRITABLE for _, old, new in found)


@pytest.mark.parametrize("name", [name for name in moments() if name.startswith("exit")])
def test_at_an_exit_entries_are_cleared_one_by_one(name):
    found = list(writes(moment(name)))
    assert len(found) > 100
    assert all(new == 0 for _, _, new in found)


@pytest.mark.parametrize("name", [name for name in moments() if name.startswith("fault-around")])
def test_a_fault_around_is_one_fault_and_sixteen_new_entries(name):
    found = moment(name)
    assert found.trace.type[found.event] == PAGE_FAULT
    assert sum(new & 1 for entry, _, new in writes(found) if not entry & 1) == 16


@pytest.mark.parametrize("name", [name for name in moments() if name.startswith("copy")])
def test_a_copy_on_write_is_a_fault_of_a_user_write_on_a_present_page(name):
    found = moment(name)
    assert int(found.trace.b[found.event]) == 7
    assert found.next_access[1:] == (True, True, False)


def test_the_table_of_every_moment_but_the_starts_is_shadowed():
    for name in moments():
        found = moment(name)
        shadowed = found.replay().vm.pool.lookup(found.next_write.gpa >> 12) is not None
        assert shadowed == (not name.startswith("start")), name


def test_an_unknown_moment_is_refused():
    with pytest.raises(InputError, match="fork in lin64"):
        moment("lunch in lin64")
