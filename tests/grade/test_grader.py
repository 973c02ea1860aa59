# SPDX-License-Identifier: GPL-2.0-only
"""Whatever a hand-in is, the grader gives it a mark that says what is wrong, and nothing of this machine."""

import json
import os
import tempfile
from dataclasses import replace

import pytest

from kvmmmu_lab.check.sandbox.forkserver import ForkServer
from kvmmmu_lab.course_settings import CourseSettings
from kvmmmu_lab.grade import grader as grader_module
from kvmmmu_lab.grade.grader import Grader
from kvmmmu_lab.grade.hand_in import HandIn
from kvmmmu_lab.grade.mark import NOT_HANDED_IN, NOT_JUDGED, NOT_READABLE, WALL
from kvmmmu_lab.grade.scheduler import Task

from ..exercises import solutions
from ..exercises.checking import ROOT
from .handing_in import RMAP_ADD, SPLIT, hand_in, solved, timeless

RIGHT = next(iter(solutions.right(RMAP_ADD).values())).source
STUB = (ROOT / "exercises" / RMAP_ADD / "rmap_add.py").read_text("utf-8")
BOOK = json.loads((ROOT / "exercises" / RMAP_ADD / "rmap_add.ipynb").read_bytes())


def book(source):
    """The exercise's notebook with this solution in it."""
    cells = [dict(cell) for cell in BOOK["cells"]]
    for cell in cells:
        if "solution" in cell["metadata"].get("tags", ()):
            cell["source"] = source
    return json.dumps(BOOK | {"cells": cells}).encode()


@pytest.fixture(scope="module")
def server():
    with ForkServer() as shared:
        yield shared


@pytest.fixture(scope="module")
def grader(server):
    with Grader(Task(CourseSettings()), server) as shared:
        yield shared


def test_a_right_solution_has_full_points_whether_it_is_a_file_or_a_notebook(grader, server):
    file = grader.mark(hand_in("ada", RIGHT, place="ada/rmap_add.py"))
    assert (file.status, file.points, file.of, file.place) == ("passed", 10, 10, "ada/rmap_add.py")
    assert file.isolation == (server.no_wall or WALL) and file.seconds > 0
    notebook = grader.mark(HandIn("bob", "rmap_add", {"rmap_add.ipynb": book(RIGHT)}, "rmap_add.ipynb"))
    assert (notebook.status, notebook.points) == ("passed", 10)


def test_of_a_file_and_a_notebook_the_one_that_was_changed_counts(grader):
    files = {"rmap_add.py": STUB.encode(), "rmap_add.ipynb": book(RIGHT)}
    mark = grader.mark(HandIn("ada", "rmap_add", files, "rmap_add.py", "rmap_add.ipynb"))
    assert (mark.status, mark.file) == ("passed", "rmap_add.ipynb")
    mark = grader.mark(HandIn("ada", "rmap_add", files | {"rmap_add.py": RIGHT.encode()}, "rmap_add.py", "rmap_add.ipynb"))
    assert (mark.status, mark.file) == ("passed", "rmap_add.py")


def test_helper_modules_go_along(grader):
    mark = grader.mark(replace(hand_in("ada", "from deep.own import *\n"), files={
        "rmap_add.py": b"from deep.own import *\n", "deep/__init__.py": b"", "deep/own.py": RIGHT.encode(),
    }))  # fmt: skip
    assert mark.status == "passed", mark
    assert any("taken along: deep/" in note for note in mark.notes)


def test_only_the_failure_to_fix_first_is_explained_in_full(grader):
    source = "class ReverseMap:\n    def __init__(self, vm): pass\n    def add(self, spte): pass\n"
    source += "    def sptes(self, hfn): return []\n    def frames(self): return []\n"
    mark = grader.mark(hand_in("ada", source))
    first, *others = [rule for rule in mark.rules if rule.status != "passed" and not rule.extra]
    assert (first.rule, len(first.steps)) == ("first", 1) and first.expected and first.got and mark.picture
    assert len(others) > 3 and all(rule.message and not rule.steps for rule in others)


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        (HandIn("ada", "rmap_add", problem="a link to another folder"), NOT_READABLE, "a link to another folder"),
        (HandIn("ada", "rmap_add"), NOT_HANDED_IN, ""),
        (hand_in("ada", b"\xff\xfe\xfa"), NOT_READABLE, "no such text"),
        (hand_in("ada", "class ReverseMap"), "crashed", "SyntaxError"),
        (HandIn("ada", "rmap_add", {"rmap_add.ipynb": b'{"cells": ['}, "rmap_add.ipynb"), NOT_READABLE, "not JSON"),
        (HandIn("ada", "rmap_add", {"rmap_add.ipynb": b'{"cells": 7}'}, "rmap_add.ipynb"), NOT_READABLE, ""),
        (HandIn("ada", "rmap_add", {"rmap_add.txt": b""}, "rmap_add.txt"), NOT_READABLE, "a file of another kind"),
        (HandIn("ada", "rmap_add", {"rmap_add.py": b"x = 1\n" * 400_000}, "rmap_add.py"), NOT_READABLE, "bytes of code"),
        (HandIn("ada", "rmap_add", {"../x.py": b""}, "../x.py"), NOT_READABLE, "another folder"),
        (HandIn("ada", "rmap_add", {"b.py": b""}, "rmap_add.py"), NOT_READABLE, "no such file"),
        (hand_in("ada", "x = " + "(" * 200_000), "crashed", ""),
        (hand_in("ada", "x = " + "-" * 100_000 + "1"), "crashed", ""),
    ],
)
def test_what_can_not_be_judged_has_a_mark_with_a_reason(grader, given, status, words):
    mark = grader.mark(given)
    assert (mark.status, mark.points, mark.of, mark.digest) == (status, 0, 10, given.digest)
    assert words in mark.problem + " ".join(rule.message for rule in mark.rules)
    assert bool(mark.problem) == (status == NOT_READABLE)
    assert tempfile.gettempdir() not in str(mark)


def test_an_exception_in_the_grader_is_a_mark_too(grader, monkeypatch):
    def fails(*_):
        raise RecursionError("too deep")

    monkeypatch.setattr(grader_module, "read", fails)
    mark = grader.mark(hand_in("ada", RIGHT))
    assert (mark.status, mark.problem) == (NOT_JUDGED, "RecursionError: too deep")


def test_no_file_of_a_hand_in_stays_behind(grader):
    grader.mark(hand_in("ada", RIGHT))
    assert os.listdir(grader.staging) == []


@pytest.mark.slow
def test_the_points_of_the_course_count(server):
    given = solved(SPLIT, wrong=0, right=1)[0]
    with Grader(Task(CourseSettings()), server) as usual:
        before = usual.mark(given)
    rule = before.rules[0]
    settings = CourseSettings(points={"split": {rule.rule: rule.of + 5}}, extra={"split": (before.rules[1].rule,)})
    with Grader(Task(settings), server) as changed:
        after = changed.mark(given)
    assert (after.points, after.of) == (before.of + 5 - before.rules[1].of,) * 2
    assert after.extra == before.rules[1].of and after.stamp != before.stamp


def test_what_a_mark_depends_on_is_in_its_stamp(grader, monkeypatch):
    exercise = grader.exercise("split")
    every = [CourseSettings(seed=seed, timeout=timeout) for seed in (0, 1) for timeout in (0, 9)]
    stamps = {grader_module.stamp_of(exercise, settings) for settings in every}
    monkeypatch.setenv("KVMMMU_LAB_TIME", "4")
    assert len(stamps | {grader_module.stamp_of(exercise, CourseSettings())}) == 5


@pytest.mark.slow
def test_the_time_for_a_check_is_that_of_the_course(server):
    endless = "while True:\n    pass\n"
    with Grader(Task(CourseSettings(timeout=1.5)), server) as grader:
        mark = grader.mark(hand_in("ada", endless))
    assert mark.status == "timed out" and mark.seconds < 8
    assert "1.5 seconds" in mark.rules[0].message


@pytest.mark.slow
def test_the_same_hand_in_has_the_same_mark(grader):
    for given in solved(wrong=4, right=1):
        assert timeless(grader.mark(given)) == timeless(grader.mark(given))
