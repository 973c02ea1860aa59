# SPDX-License-Identifier: GPL-2.0-only
"""The timeline of a recording adds up with the counts of the engine and with the events of the recording."""

import numpy as np
import pytest

from kvmmmu_lab import InputError, LabError
from kvmmmu_lab.data import open_trace, traces
from kvmmmu_lab.data.trace import DROPPED, PAGE_FAULT, TABLE_WRITE
from kvmmmu_lab.replay.mechanisms import NO_FLOODING, WITHOUT
from kvmmmu_lab.replay.timeline import EXITS, TRAPPED, TRUE, count, lives_of, shadowed_again, timeline
from kvmmmu_lab.replay.wrong_accesses import wrong_accesses


@pytest.mark.parametrize("name", traces())
def test_the_counts_add_up(name):
    line, trace = timeline(name), open_trace(name)
    stats = line.vm.stats
    assert list(line.exits) == list(EXITS)
    assert sum(line.total.values()) == stats.exits
    assert line.total[TRUE] == np.count_nonzero(trace.type == PAGE_FAULT)
    assert line.writes[-1] == np.count_nonzero(trace.type == TABLE_WRITE)
    assert line.zapped[-1] == stats.zapped
    assert sum(flood.pages for flood in line.floods) == stats.flood_zaps
    assert line.pages[-1] == len(line.vm.pool.active)
    assert line.emulated[-1] <= line.total[TRAPPED] <= line.writes[-1]
    assert all((np.diff(counts) >= 0).all() for counts in line.exits.values())


@pytest.mark.parametrize("name", traces())
def test_the_lives_of_page_tables_are_those_of_the_recording(name):
    line = timeline(name)
    for event in (line.start, 5_000, 12_345, len(line.trace.type) - 1):
        assert sum(life.begin <= event and (life.end is None or event < life.end) for life in line.lives) == line.tables[event]
    assert sum(life.end is not None for life in line.lives) == np.count_nonzero(line.trace.type == DROPPED)
    assert lives_of(line.trace) == line.lives


@pytest.mark.parametrize("name", traces())
def test_a_shadow_is_of_a_frame_that_is_or_was_a_page_table(name):
    line = timeline(name)
    tables = {life.gfn for life in line.lives}
    assert {life.gfn for life in line.shadows} <= tables
    last = {page.gfn for page in line.vm.pool.active if not page.metaphysical}
    assert {life.gfn for life in line.shadows if life.end is None} == last
    assert any(shadowed_again(line, flood) for flood in line.floods)


def test_without_flooding_nothing_goes_wrong_but_more_writes_trap():
    line = timeline("lin64_20k")
    other = count(line.trace, **NO_FLOODING)
    assert not other.floods
    assert other.total[TRAPPED] > 2 * line.total[TRAPPED]


def test_a_count_stops_at_the_first_difference():
    with pytest.raises(LabError, match="expected"):
        count(open_trace("linpae_20k"), **WITHOUT["prewrite"][1])


@pytest.mark.parametrize("name", traces())
def test_each_way_of_replay_notices_what_it_can(name):
    assert not wrong_accesses(name, None, "native") and not wrong_accesses(name, None, "emulated")
    for without, (way, _) in WITHOUT.items():
        found = wrong_accesses(name, without, way)
        assert len(found) > 20
        assert "expected: " in str(found[0]) and found[0].event > 0
    assert not wrong_accesses(name, "write-protection", "emulated")


@pytest.mark.parametrize(
    "arguments", [("lin64_20k", "paging", "native"), ("lin64_20k", None, "fast"), ("lin63", None, "native")]
)
def test_unknown_names_are_refused(arguments):
    with pytest.raises(InputError):
        wrong_accesses(*arguments)
