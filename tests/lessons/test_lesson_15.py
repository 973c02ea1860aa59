# SPDX-License-Identifier: GPL-2.0-only
"""Lesson 15 says what the engine counts on the recordings, for every seed."""

import functools
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from kvmmmu_lab.data import open_trace, traces
from kvmmmu_lab.data.trace import ACCESS, PAGE_FAULT, TABLE_WRITE
from kvmmmu_lab.lessons import lesson_15 as lesson
from kvmmmu_lab.mmu import Vm
from kvmmmu_lab.museum import exhibit
from kvmmmu_lab.replay.mechanisms import WITHOUT, no_pre_write
from kvmmmu_lab.replay.timeline import EXITS, FILLED, TRAPPED, TRUE, timeline
from kvmmmu_lab.replay.trace_replay import TraceReplay
from kvmmmu_lab.replay.wrong_accesses import wrong_accesses

from .cells import happened

SEEDS = [0, 1, 5, 7, 12, 99, -3, 2**40]
NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "15_real_boots.py"


@pytest.fixture(params=SEEDS, ids=str)
def study(request):
    return lesson.Study(request.param)


def said():
    """The lesson's text in one line."""
    return re.sub(r"\s*\n# ?", " ", NOTEBOOK.read_text("utf-8"))


def test_the_contents_are_those_of_the_recording(study):
    counts, trace = study.contents.counts, open_trace(study.name)
    assert sum(counts.values()) == len(trace.type) == 20_000
    assert counts["access to a page"] == np.count_nonzero(trace.type == ACCESS)
    assert counts["write to a page table"] == np.count_nonzero(trace.type == TABLE_WRITE)
    assert f"{counts['access to a page']:,}" in str(study.contents)


def test_the_questions_from_top_to_bottom(study):
    line, last = timeline(study.name), study.events - 1
    total = sum(int(line.exits[kind][last]) for kind in EXITS)
    assert happened(lesson.exits(study)) == f"{total:,}"
    assert study.exits[FILLED] > total / 2, "most exits fill the shadow"
    assert happened(lesson.own_faults(study)) == "fewer than 15"
    assert study.exits[TRUE] == np.count_nonzero(line.trace.type[: study.events] == PAGE_FAULT)
    gone, still = study.left_over()
    assert 0 < still < gone
    assert happened(lesson.left_over(study)) == ("half of them or more" if 2 * still >= gone else "fewer than half of them")
    assert happened(lesson.trapped(study)) == str(study.trapped) in study.says_writes and study.trapped < study.writes / 5
    assert happened(lesson.used_again(study)) == "in more than half of the cases"
    accesses = np.count_nonzero(line.trace.type[: study.events] == ACCESS)
    assert 0 < int(happened(lesson.unprotected(study))) < accesses / 100, "few accesses go wrong"
    first, *kinds = study.says_wrong.splitlines()
    assert first == f"In {study!r}, {happened(lesson.unprotected(study))} accesses go wrong."
    assert sum(int(kind.split()[0]) for kind in kinds) == int(happened(lesson.unprotected(study)))
    assert all("the first: event" in kind for kind in kinds) and study.says_exits.startswith(f"In {study!r}:")
    assert happened(lesson.unnoticed(study)) == 0


@pytest.mark.parametrize("name", traces())
def test_what_the_counts_include_and_what_they_do_not(name):
    line, trace = timeline(name), open_trace(name)
    floods = {(flood.event, flood.gfn) for flood in line.floods}
    assert all((life.end, life.gfn) in floods for life in line.shadows if life.end is not None), "only a flood ends a shadow"
    tables = {life: [s.begin for s in line.shadows if s.gfn == life.gfn] for life in line.lives if life.begin >= line.start}
    assert all(life.begin not in begins for life, begins in tables.items()), "a new table is shadowed later"
    steps = np.diff(line.exits[TRAPPED], prepend=0)
    others = np.flatnonzero((steps > 0) & (trace.type != TABLE_WRITE)).tolist()
    assert len(others) == line.total[TRAPPED] - line.emulated[-1]
    for event in others:
        gfn = int(trace.b[event]) >> 12
        assert not any(life.gfn == gfn and life.covers(event) for life in line.lives), "it is a frame that is left over"
    study = lesson.Study(next(seed for seed in range(99) if lesson.Study(seed).name == name))
    assert 0 <= study.written_since() < study.left_over()[1]
    question = lesson.left_over(study)
    happened(question)
    said = f"But {study.written_since()} of these {study.left_over()[1]} frames have been written since"
    assert (said in question.more) == (study.written_since() > 0)


@pytest.mark.parametrize("name", traces())
def test_what_goes_wrong_is_a_wrong_frame_or_a_write_that_is_stuck(name):
    found, trace = wrong_accesses(name, "write-protection", "native"), open_trace(name)
    assert all(access.got == lesson.STUCK or access.got.startswith("ok at gpa") for access in found)
    stuck = [access.event for access in found if access.got == lesson.STUCK]
    assert stuck and all(trace.type[event] == ACCESS and trace.flag[event] & 3 == 1 for event in stuck)
    assert found[0].event - timeline(name).start > 200
    missing = {way: wrong_accesses(name, "prewrite", way) for way in ("native", "emulated")}
    assert missing["native"] == missing["emulated"]
    assert (len(found) < len(missing["native"])) == (name == "lin32_20k")


def test_the_replay_hands_over_what_was_written_before_a_frame_became_a_table_again():
    name = "lin32_20k"
    replay = functools.partial(TraceReplay, open_trace(name), "native", lambda *a: None)
    parts = WITHOUT["write-protection"][1]
    whole = replay(functools.partial(Vm, **parts))
    whole.run()
    blind = replay(functools.partial(Vm, **parts, pre_write=no_pre_write))
    blind.run()
    assert whole.wrong == 49 < blind.wrong == 64 == len(wrong_accesses(name, "prewrite", "native"))


def test_about_one_event_in_ten_is_an_exit(study):
    assert 0.07 < sum(study.exits.values()) / study.events < 0.13


def test_no_seed_chooses_more_than_a_recording_has():
    chosen = [lesson.Study(seed) for seed in range(200)]
    assert {study.name for study in chosen} == set(traces())
    assert all(lesson.LEAST <= study.events <= 20_000 for study in chosen)


def test_the_film_shows_a_shadow_page_that_is_zapped_at_the_third_write():
    happening = lesson.Happening("fault-around in lin32")
    assert happening.gpa >> 12 == 0x1CB2 and "gfn `0x1cb2`" in said() and "two shadow pages" in said()
    assert sum(page.gfn == 0x1CB2 for page in happening.vm.pool.active) == 2
    vm, zapped = happening.vm, happening.vm.stats.zapped
    happening.writes(2)
    assert vm.stats.zapped == zapped and vm.pool.lookup(0x1CB2) is not None
    happening.writes(1)
    assert vm.stats.zapped > zapped and vm.pool.lookup(0x1CB2) is None


@pytest.mark.parametrize("name", ["exit in lin64", "fork in lin32", "exit in lin32", "copy on write in lin32"])
def test_the_moments_that_the_text_names(name):
    assert re.search(name.replace(" ", r'[\s#]+"?'), NOTEBOOK.read_text("utf-8")) or f'"{name}"' in said()
    happening = lesson.Happening(name)
    traps = happening.vm.stats.exits
    happening.writes(3)
    assert happening.vm.stats.exits > traps
    assert not happening.replay.wrong


def test_the_bug_and_the_later_change_on_the_recordings():
    assert exhibit("flood_counts_forever").run().silent
    more = 0
    for name in traces():
        counts = lesson.flood_counts(name)
        (floods, exits), (fewer, others) = counts["2007"], counts["later"]
        assert fewer < floods
        assert abs(others - exits) < exits / 20, "they hardly change"
        more += others > exits
    assert more >= 1, "in some recordings there are more"


def test_the_table_of_writes_and_traps():
    for line in lesson.writes_and_traps().splitlines():
        name, trapped, _, writes, *_ = line.replace(",", "").split()
        trapped, writes = int(trapped), int(writes)
        assert writes == np.count_nonzero(open_trace(name).type == TABLE_WRITE) and trapped < writes / 10


@pytest.mark.parametrize("name", ["lin32_20k", "lin64_20k"])
def test_in_a_run_three_writes_trap_at_most(name):
    found = lesson.runs(name)
    assert {2, 3, 4} <= set(found)
    assert all(trapped == min(number, 3) for run in found.values() for _, number, trapped in run)


def test_check_questions_have_different_answers():
    answers = {
        name: Counter(check(seed).measured().happened for seed in range(30)) for name, check in lesson.LESSON.checks.items()
    }
    assert set(answers["kind_of_exit"]) == set(EXITS)
    assert set(answers["is_shadowed"]) == set(lesson.STATES)
    assert set(answers["what_a_replay_notices"]) == set(lesson.WAYS)
    assert set(answers["run_of_writes"]) == {2, 3}
