# SPDX-License-Identifier: GPL-2.0-only
"""A judge's report becomes a mark: plain data, which holds nothing of the checker and is the same each time."""

import json
import pickle
from dataclasses import fields, is_dataclass

import pytest

from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.sandbox.forkserver import ForkServer
from kvmmmu_lab.check.submission import Submission, read
from kvmmmu_lab.draw.scene import scene_of
from kvmmmu_lab.exercises import find
from kvmmmu_lab.grade.hand_in import HandIn
from kvmmmu_lab.grade.marking import NUMBERS, mark_of, rule_mark_of
from kvmmmu_lab.workspace import course_root

from ..exercises.solutions import right, wrong


def marked(source, folder, name="rmap_add"):
    """Return the mark for a source, as the learner "ada" could hand it in."""
    exercise = find(name, course_root())
    file = folder / f"{name}.py"
    file.write_text(source, "utf-8")
    report = Judge(exercise, read(file)).report()
    return mark_of(report, HandIn("ada", name, {file.name: file.read_bytes()}, file.name), stamp="s", versions="v")


@pytest.fixture(scope="module")
def lost(tmp_path_factory):
    return marked(wrong("04_rmap_add")["fifth_overwrites_fourth"].source, tmp_path_factory.mktemp("lost"))


def test_a_right_solution_has_all_points_and_no_failure(tmp_path):
    mark = marked(next(iter(right("04_rmap_add").values())).source, tmp_path)
    assert (mark.status, mark.points) == ("passed", mark.of) and mark.of > 0
    assert not mark.picture and not any(rule.message or rule.steps or rule.kind for rule in mark.rules)
    assert (mark.learner, mark.exercise, mark.file) == ("ada", "rmap_add", "rmap_add.py") and len(mark.digest) == 64


def test_a_failure_is_kept_with_its_steps_both_sides_and_both_scenes(lost):
    rule = next(rule for rule in lost.rules if rule.status == "failed")
    assert "after step 5, add(#7:16): the reverse map of gfn 0x1f" in rule.message.lower()
    assert len(rule.steps) == 5 and rule.kind == "differs"
    lost_one = "the reverse map of gfn ... has lost spte ..., which can write it; the map has 4 of 5 entries"
    assert rule.behaviour == f"{lost_one} [5 calls: add(...), a writable entry (PW)]" and rule.calls == 5
    assert any("#7:15" in line for line in rule.expected) and not any("#7:15" in line for line in rule.got)
    expected, got = map(scene_of, json.loads(lost.picture))
    assert expected.tables and expected != got


def test_what_the_sentence_tells_is_not_told_twice(tmp_path):
    mark = marked(wrong("04_rmap_add")["wrong_at_256_only"].source, tmp_path)
    rule = next(rule for rule in mark.rules if rule.status == "failed")
    assert "after call 256, which is add(#7:267), the reverse map of hfn 0x21f lacks" in rule.message
    assert rule.expected == rule.got == () and rule.steps


@pytest.fixture(scope="module")
def fifth():
    """The failure to fix first of each wrong solution that breaks the rule "fifth", as a grader finds it, by its name."""
    names = [name for name, one in wrong("04_rmap_add").items() if one.breaks == "fifth"]
    exercise, found = find("rmap_add", course_root()), {}
    with ForkServer() as server:
        for name in names:
            report = Judge(exercise, Submission(wrong("04_rmap_add")[name].source, "mine.py"), server, thrifty=True).report()
            found[name] = next(rule_mark_of(verdict) for verdict in report.verdicts if verdict.failure)
    return found


@pytest.mark.slow
def test_unlike_mistakes_in_one_rule_are_unlike_behaviours(fifth):
    assert len({rule.behaviour for rule in fifth.values()}) == len(fifth) > 9, fifth


@pytest.mark.slow
def test_steps_of_many_calls_become_steps_of_few(fifth):
    calls = {name: rule.calls for name, rule in fifth.items()}
    assert (calls["fifth_overwrites_fourth"], calls["three_places"], calls["two_descriptors"]) == (5, 7, 9)
    assert calls["page_255_left_out"] == 1 and calls["two_hundred_frames"] < 300 < calls["a_thousand_frames"] < 1200
    first, last = fifth["three_places"].steps
    assert first.startswith("add(#7:12) to add(#7:17) [6 times") and last.startswith("add(#7:18)")
    assert all(len(rule.steps) <= 5 for rule in fifth.values())


@pytest.mark.slow
def test_who_adds_thousands_of_entries_is_told_which(fifth):
    (step,) = fifth["descriptors_run_out"].steps
    assert step == (
        "add(#247:408) to add(#255:511) [on a new machine: one entry (PW) for each of 2100 frames, then another one for each "
        "in the same order, 2 in all; hfns: 1050 from 0x100000 on, then n * 0x9e3779b97f % 2**40 for n from 1 to 1050]"
    )


def raising(error, lines=0):
    """Return the source of a right solution whose add() raises an error, further below by some lines."""
    source = next(iter(right("04_rmap_add").values())).source
    blank = "\n" * lines
    return f"{source}{blank}\nclass ReverseMap(ReverseMap):\n    def add(self, spte):\n        raise {error}\n"


@pytest.mark.slow
def test_an_exception_is_grouped_by_its_type_and_words_not_by_its_line(tmp_path):
    sources = [raising(f"KeyError({number})", lines=number) for number in (1, 9)]
    marks = [marked(source, tmp_path) for source in sources]
    behaviours = {rule.behaviour for mark in marks for rule in mark.rules if rule.behaviour}
    assert {rule.message for rule in marks[0].rules} != {rule.message for rule in marks[1].rules}
    assert len(behaviours) == 1 and "line" not in next(iter(behaviours)), behaviours


def plain_only(value):
    """Whether a value consists of plain data and the two models."""
    if is_dataclass(value):
        return all(plain_only(getattr(value, each.name)) for each in fields(value))
    return all(map(plain_only, value)) if isinstance(value, tuple) else type(value) in (str, int, bool, float)


def test_a_mark_is_plain_data_and_the_same_after_pickling(lost):
    assert plain_only(lost) and pickle.loads(pickle.dumps(lost)) == lost
    assert lost.isolation


@pytest.mark.slow
def test_what_a_submission_says_is_printable_and_bounded(tmp_path):
    mark = marked(raising(r"ValueError('\x1b[2J\u202e\udc80' + 'x' * 100000)"), tmp_path)
    said = [text for rule in mark.rules for text in (rule.message, rule.behaviour, *rule.steps, *rule.expected, *rule.got)]
    assert any("\\x1b[2J\\u202e\\udc80" in text for text in said)
    assert all(text.isprintable() and len(text) <= 2000 for text in said)


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("gfn 0x1f (hfn 0x21f)", "gfn ... (hfn ...)"),
        ("lacks spte #7:12, #7:13 and 12 more", "lacks spte ... more"),
        ("has 1,100 of 1,101 entries", "has ... of ... entries"),
        ("level 2 of a 64-bit guest, from CR0.WP", "level ... of a 64-bit guest, from CR0.WP"),
        ("rmap_2 and x1f", "rmap_2 and x1f"),
    ],
)
def test_numbers_and_lists_of_them_are_left_out(text, without):
    assert NUMBERS.sub("...", text) == without
