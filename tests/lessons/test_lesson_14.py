# SPDX-License-Identifier: GPL-2.0-only
"""Lesson 14 says what the engine does, for every seed."""

import pytest

from kvmmmu_lab.lessons import lesson_14 as lesson
from kvmmmu_lab.mmu.bits import WRITABLE
from kvmmmu_lab.museum import exhibit

from .cells import happened, in_order, said

SEEDS = [0, 1, 7, 12, 99, -3, 2**40]


@pytest.fixture(params=SEEDS, ids=str)
def seed(request):
    return request.param


def test_one_round_of_the_log(seed):
    logged = lesson.Logged(seed)
    vm = logged.vm
    assert 4 <= len(logged.written) < len(logged.pages) and set(logged.writes) < set(logged.written)
    logged.turn_on()
    leaves = [vm.memory.words[spte] for page in vm.pool.active if page.level == 1 for spte in range(page.spte, page.spte + 512)]
    assert not any(entry & WRITABLE for entry in leaves) and vm.audit() == [] and logged.log() == []
    question = lesson.write_faults(logged)
    faults = logged.write(*logged.writes)
    assert happened(question, faults) == faults == len(set(logged.writes))
    assert len(logged.log()) == faults
    assert logged.write(logged.writes[0]) == 1 and logged.write(logged.writes[0]) == 0
    assert len(logged.log()) == 1 and logged.log() == []

    vm.zap_all()
    question = lesson.in_the_log(logged)
    logged.read()
    found = logged.log()
    assert happened(question, found) == len(found) == len(logged.written)


def test_a_reader_is_in_the_log_and_has_changed_nothing(seed):
    reader = lesson.Logged(seed)
    reader.turn_on()
    reader.vm.zap_all()
    before = lesson.contents(reader.vm)
    reader.read()
    assert lesson.contents(reader.vm) == before and len(before) == 0x100
    assert len(reader.log()) == len(reader.written)


EXPECTED = {
    "": set(),
    "OneForEachFrame": {"rmap"},
    "NeverProtects": {"wp"},
    "zaps_nothing": {"map"},
    "open_to_all": set(),
    "tables_stay_writable": {"wp"},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_which_audit_notices_a_mistake(seed, name):
    suspect = lesson.Suspect(seed, name)
    assert suspect.vm.audit() == []
    suspect.work()
    assert {complaint.audit for complaint in suspect.vm.audit()} == EXPECTED[name]


def test_the_mistakes_are_described():
    assert set(lesson.MISTAKES) == set(lesson.REASONS) == set(EXPECTED) - {""}
    assert {name for group in lesson.NOTICED for name in group} == {name for name, audits in EXPECTED.items() if audits}


def test_two_suspects_and_a_write_that_is_forbidden(seed):
    first, second = lesson.suspects(seed)
    found = []
    for suspect, ask in ((first, lesson.first_suspect), (second, lesson.second_suspect)):
        question = ask(suspect)
        suspect.work()
        found.append(happened(question))
    assert len(set(found)) == 2 and lesson.NONE not in found

    two = lesson.two_ways(seed)
    question = lesson.forbidden_write(two)
    outcome = two.vm.access(two.read_only, user=True, write=True)
    assert outcome.outcome == "ok" and outcome.faults == 0 and happened(question, outcome) == lesson.NONE
    assert exhibit("shared_pt_escalation").run().silent


def test_the_deleted_slot(seed):
    deleted = lesson.Logged(seed)
    deleted.delete_slot()
    assert deleted.write(deleted.written[0]) == 0
    complaints = deleted.vm.audit()
    assert [complaint.audit for complaint in complaints] == ["rmap"] + ["map"] * len(deleted.pages)
    assert complaints[0].facts == (0, len(deleted.written))
    run = exhibit("slot_delete_use_after_free")
    assert set(run.run().audits) == {"rmap", "map"} and run.run(fixed=True).silent


def test_check_questions_have_different_answers():
    answers = {name: {check(seed).measured().happened for seed in range(16)} for name, check in lesson.LESSON.checks.items()}
    assert all(len(found) >= 3 for found in answers.values())
    for name in ("printed_numbers", "deleted_slot"):
        check = lesson.LESSON.checks[name]
        assert len({(asked := check(seed)).choices.index(asked.measured().happened) for seed in range(16)}) >= 3


def test_it_ends_as_it_says(monkeypatch):
    in_order(
        said("14_audit", monkeypatch),
        "The program has written pages 0, 1, 6 and 8, and has only read pages 2, 3, 4, 5 and 7.",
        "dirty log: 0 pages written",
        "It was: 2.",
        "dirty log: 2 pages written",
        "#248:9 loses its W, so that the host sees the next write.",
        "The dirty log of slot 1 is cleared.",
        "The TLB is flushed",
        "gfn 0x4ca is marked as written in the dirty log of its slot.",
        "Entry #248:9 gets its W",
        "It was: 4.",
        "4 pages in the log; contents unchanged: True",
        "4 = 4, first audit: silent",
        "[]",
        "3 ≠ 4, first audit: a complaint",
        "It was: none of them.",
        "The access reached memory that no longer belongs to the guest: a bug of KVM 2.6.22.",
        "rmap: 0 references in reverse maps, 4 writable entries",
        "map: 9",
    )
