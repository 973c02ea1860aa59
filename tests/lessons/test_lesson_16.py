# SPDX-License-Identifier: GPL-2.0-only
"""Lesson 16 counts: references of nested walks, exits of the recordings, and what a nested guest costs its host."""

from collections import Counter

import numpy as np
import pytest

from kvmmmu_lab.data import open_trace, traces
from kvmmmu_lab.labs.nested_film import nested_walk
from kvmmmu_lab.lessons import lesson_16 as lesson
from kvmmmu_lab.museum import exhibit
from kvmmmu_lab.replay.first_touches import first_touches
from kvmmmu_lab.replay.timeline import timeline

from .cells import happened

SEEDS = [0, 1, 5, 7, 12, 99, -3, 2**40]


@pytest.fixture(params=SEEDS, ids=str)
def seed(request):
    return request.param


def test_the_published_numbers_are_those_of_the_kits_walk(seed):
    question = lesson.references(seed)
    assert happened(question, nested_walk(4, 4, seed)) == 24
    assert "read\n35 entries" in question.more and "5 and 5: 35" in question.more
    assert all(len(nested_walk(levels, 0, seed).references) == levels for levels in (2, 3, 4, 5)), "without a host there are n"
    assert len(nested_walk(4, 4, seed, large=True).references) == 24 - 5, "each column loses a cell"


def test_other_levels_follow_the_formula(seed):
    n, m = lesson.shape(seed)
    assert happened(lesson.other_levels(seed)) == n * (m + 1) + m


def test_a_shadow_needs_four_references(seed):
    assert happened(lesson.shadow_references(), lesson.shadowed_guest(seed).read()) == 4


@pytest.mark.parametrize("name", traces())
def test_exits_with_nested_paging(name):
    found = lesson.nested_exits(name)
    assert found["shadow"] == timeline(name).vm.stats.exits
    assert found["nested, 2 MB"] < 100 < found["shadow"] / 2 < found["nested, 4 KiB"] < found["shadow"]
    assert happened(lesson.exits(name)) == f"{found['nested, 4 KiB']:,}"
    touches, devices = first_touches(name), lesson.recorded_device_accesses(name)
    why = lesson.exits(name).reveal().outcome.why
    assert f"{touches.frames[-1]:,} frames are used for the first time, and there are {devices} recorded" in why
    assert f"for {touches.large[-1]} large pages, and again for the {devices} accesses to devices" in why
    assert touches.large[-1] <= 64, "a guest with 128 MB has 64 large pages"
    assert (np.diff(touches.frames) >= 0).all() and (touches.large <= touches.frames).all()
    frames = open_trace(name).meta["mem_bytes"] >> 12
    assert frames == 64 * 512 and touches.frames[-1] < frames


def test_the_first_check_has_other_levels_than_the_prediction():
    for seed in range(40):
        n, m = lesson.shape(seed)
        assert f"{n} levels, the host's {m}." not in lesson.count_references(seed).question


def test_every_seed_has_a_recording(seed):
    assert lesson.recording(seed) in traces()


def test_a_nested_guest_makes_the_host_shadow(seed):
    inner = lesson.NestedGuest(seed)
    vm = inner.vm
    inner.use()
    assert vm.stats.exits == 1 and not vm.stats.entries_zapped
    before = vm.access(inner.pages[0]).gpa
    inner.move()
    assert vm.stats.exits == 2 and vm.stats.entries_zapped == 1
    assert vm.access(inner.pages[0]).gpa != before


def test_the_bug_that_came_back_is_not_noticed_by_any_audit():
    run = exhibit("shared_pt_escalation").run()
    assert run.silent and "write" in str(run.outcome)
    assert "CVE-2021-38198" in exhibit("shared_pt_escalation").note


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6])
def test_what_a_changed_entry_costs(number):
    """Up to three writes in a row trap; after a flood, one more fault makes the frame writable. Each use then faults once."""
    writes = min(number, 4)
    assert lesson._changes_with_shadow_paging(number, False) == writes
    assert lesson._changes_with_shadow_paging(number, True) == writes + number
    nested = lesson._changes_with_nested_paging
    assert [nested(7, number, used, fresh) for used in (False, True) for fresh in (False, True)] == [0, 0, 0, number]


def test_the_question_about_changed_entries_does_not_always_have_the_same_claim():
    """The seed chooses the situation, and with it which of the choices is right."""
    questions = [lesson.a_changed_entry(seed) for seed in range(60)]
    for one in questions:
        happened, situation = one.measured().happened, one.question
        assert happened in one.choices
        assert not ("nested" in situation and "all been used before" in situation and happened)
    places = {one.choices.index(one.measured().happened) for one in questions}
    assert len(places) >= 4


def test_check_questions_have_different_answers():
    answers = {name: Counter() for name in lesson.LESSON.checks}
    for name, check in lesson.LESSON.checks.items():
        for number in range(30):
            question = check(number)
            answers[name][question.measured().happened] += 1
            assert question.measured().happened in question.choices
    assert all(len(found) >= 2 for found in answers.values())
    assert {0, 2, 4, 6} <= set(answers["a_changed_entry"])
    assert len(answers["which_reference"]) > 8
