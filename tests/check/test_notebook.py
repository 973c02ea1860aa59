# SPDX-License-Identifier: GPL-2.0-only
"""Objects from a notebook: they go along with all that they use, as they are, and a failure names the cell and the line."""

import functools
import inspect
import threading
import weakref
from dataclasses import replace
from types import MappingProxyType

import pytest

from kvmmmu_lab import open_guest
from kvmmmu_lab.check import check, hint
from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.notebook import NotTaken, names_of, pickled
from kvmmmu_lab.check.report import hint_command
from kvmmmu_lab.check.sandbox.forkserver import ForkServer
from kvmmmu_lab.errors import InputError
from kvmmmu_lab.host_platform import described
from kvmmmu_lab.mmu.bits import MODES
from kvmmmu_lab.progress import Progress

from ..exercises.checking import EXERCISES

EXERCISE = replace(EXERCISES["01_split"], rules=EXERCISES["01_split"].rules[:-1])
"""Without the rule that draws random scenarios, which takes longer than the others together."""

# This module stands for one that a learner wrote beside a notebook: it is taken along by value


@pytest.fixture(scope="module")
def server():
    with ForkServer() as shared:
        yield shared


def quadrant(gva, level):
    return gva >> 21 & 1 if level == 1 else gva >> 30 & 3


def said(split, server):
    """The report on these objects, without line breaks."""
    report = Judge(EXERCISE, pickled({"split": split, "quadrant": quadrant}), server).report()
    return " ".join(str(report).split())


LATEST = {"offset": 0xFFF}
LOCK, WEAK, READ_ONLY = threading.RLock(), weakref.WeakValueDictionary(), MappingProxyType({"nine": 511})


@functools.lru_cache(maxsize=7)
def power(n):
    return 1 if n == 0 else 2 * power(n - 1)


def right(gva, mode):
    assert MODES is __import__("kvmmmu_lab.mmu.bits").mmu.bits.MODES, "a table of the kit goes by name"
    with LOCK:
        nine, low = READ_ONLY["nine"], gva & LATEST["offset"]
    assert power(9) == nine + 1 and power.cache_parameters()["maxsize"] == 7 and not WEAK
    if mode == "64":
        return gva >> 39 & nine, gva >> 30 & nine, gva >> 21 & nine, gva >> 12 & nine, low
    return (gva >> 30 & 3, gva >> 21 & nine, gva >> 12 & nine, low) if mode == "pae" else (gva >> 22, gva >> 12 & 1023, low)


def test_objects_go_along_as_they_are_now(server, monkeypatch):
    assert "9 of 9" in said(right, server)
    monkeypatch.setitem(LATEST, "offset", 1)
    assert "it returns (0, 0, 0, 0, 1); it should return (0, 0, 0, 0, 291)" in said(right, server)


def test_the_judge_never_loads_the_pickle(monkeypatch, server):
    for loads in ("pickle.loads", "pickle.load", "pickle.Unpickler", "kvmmmu_lab.check.sandbox.loading.unpickle"):
        monkeypatch.setattr(loads, None)
    assert "9 of 9" in said(right, server)


class Hostile:
    """An object that starts a process when it is unpickled."""

    def __reduce__(self):
        import os

        return os.system, ("true",)

    def __call__(self, *_):
        return 0


def test_what_a_pickle_executes_is_under_the_limits_of_a_submission(server):
    report = said(Hostile(), server)
    assert "0 of 9 points" in report
    assert not server.no_wall or "our code tried to start another process (os.system)" in report


def fails(gva, mode):
    def inner():
        return [][gva]

    return inner()


def test_a_failure_names_the_file_and_line(server):
    line = fails.__code__.co_firstlineno + 2
    assert f"raises IndexError in inner(), test_notebook.py, line {line} (return [][gva])" in said(fails, server)


GENERATOR = {"deep": [1, (n for n in range(3))]}
GUEST = []


def generates(gva, mode):
    return GENERATOR


def has_a_guest(gva, mode):
    return GUEST[0].access(gva)


def test_what_cannot_be_taken_along_is_named_before_the_check():
    with pytest.raises(NotTaken, match=r"split uses GENERATOR\['deep'\]\[1\], a generator, which can't be taken along"):
        pickled({"split": generates, "quadrant": quadrant})


def test_a_machine_is_too_large_to_be_taken_along():
    GUEST.append(open_guest("lin32_A").vm())
    with pytest.raises(NotTaken, match=r"split uses GUEST\[0\]\.memory.*KVMMMU_LAB_OBJECTS sets another limit"):
        pickled({"split": has_a_guest, "quadrant": quadrant})
    GUEST.clear()


def test_objects_are_told_apart_by_their_names_or_places():
    def split(gva, mode):
        """One of the two has the name that is wanted."""

    wanted = ["split", "quadrant"]
    assert names_of((quadrant, split), wanted) == names_of((quadrant, lambda gva, mode: ()), wanted) == ["quadrant", "split"]
    assert names_of((lambda gva, mode: (), functools.partial(quadrant)), wanted) == wanted
    assert names_of((split, split), wanted) == wanted


def test_check_names_what_it_needs():
    with pytest.raises(InputError, match="one of .*rmap_add"):
        check("nothing")
    with pytest.raises(InputError, match=r"check\('rmap_add', ReverseMap\)"):
        check("rmap_add")
    with pytest.raises(InputError, match="a class or a function"):
        check("rmap_add", 5)


@pytest.mark.slow
def test_the_points_of_what_a_notebook_defines_are_kept_and_those_of_a_file_are_not(tmp_path):
    (tmp_path / "mine.py").write_text(f"def split(gva, mode): return ()\n{inspect.getsource(quadrant)}")
    assert check("split", str(tmp_path / "mine.py")).points and Progress().get("split", "last") == 0
    report = check("split", lambda gva, mode: (), quadrant)
    assert 0 < report.points == Progress().get("split", "best") == Progress().get("split", "last")


def test_a_hint_is_printed_in_a_notebook(capsys):
    hint("split")
    hint("split")
    said = capsys.readouterr().out
    assert "Hint 1 of 3" in said and "Hint 2 of 3" in said and Progress().get("split", "hints") == 2


def test_a_report_says_where_the_hints_are(monkeypatch):
    assert hint_command(EXERCISE) == "For a hint: kvmmmu-lab hint split"
    monkeypatch.setattr("kvmmmu_lab.check.report.HERE", described("emscripten"))
    assert hint_command(EXERCISE) == 'For a hint: from kvmmmu_lab.check import hint; hint("split")'
