# SPDX-License-Identifier: GPL-2.0-only
"""Every limit can be set with an environment variable, and the message about one that struck names its value and variable."""

import json
import sys
import time

import pytest

from kvmmmu_lab.check.deadline import Deadline
from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.report import PASSED, TIMED_OUT
from kvmmmu_lab.check.sandbox.forkserver import ForkServer
from kvmmmu_lab.check.sandbox.limits import LIMITS
from kvmmmu_lab.check.submission import Submission, read
from kvmmmu_lab.cli import main
from kvmmmu_lab.errors import LabError, OutOfTime

from ..exercises.checking import EXERCISES
from .samples import RIGHT, before

EXERCISE = EXERCISES["04_rmap_add"]

STRIKES = {
    "KVMMMU_LAB_TIME": (0.1, "for _ in range(10**12): pass", "the limit is 0.1 seconds; KVMMMU_LAB_TIME=0.4 allows four times"),
    "KVMMMU_LAB_MEMORY": (64, "self.hog = bytearray(1 << 27)", "64 MiB; the environment variable KVMMMU_LAB_MEMORY"),
    "KVMMMU_LAB_OUTPUT": (0.1, "while True: print('x' * 1000)", "0.1 MiB; the environment variable KVMMMU_LAB_OUTPUT"),
    "KVMMMU_LAB_ANSWER": (0.001, "self.lists = {31: range(5000)}", "0.001 MiB; the environment variable KVMMMU_LAB_ANSWER "),
    "KVMMMU_LAB_FILE": (0.5, "open('big', 'wb').write(bytes(1 << 20))", "0.5 MiB; the environment variable KVMMMU_LAB_FILE "),
    "KVMMMU_LAB_OPEN": (20, "self.open = [open('a', 'a') for _ in range(30)]", "20 open files; the environment variable"),
}
BEHIND_A_WALL = {
    "KVMMMU_LAB_SPACE": (0.5, "[open(f'{n}', 'wb').write(bytes(1 << 20)) for n in range(10)]", "of 0.5 MiB in all"),
    "KVMMMU_LAB_FILES": (50, "[open(f'{n}', 'wb').close() for n in range(60)]", "allows 50 files"),
    "KVMMMU_LAB_THREADS": (
        5,
        "import threading, time; [threading.Thread(target=time.sleep, args=(9,), daemon=True).start() for _ in range(9)]",
        "5 threads; the environment variable KVMMMU_LAB_THREADS",
    ),
}


@pytest.fixture(scope="module")
def server():
    with ForkServer() as shared:
        yield shared


@pytest.mark.parametrize("variable", [*STRIKES, *BEHIND_A_WALL])
def test_a_limit_that_struck_is_named_with_its_value_and_its_variable(server, monkeypatch, variable):
    if variable in BEHIND_A_WALL and server.no_wall:
        pytest.skip(server.no_wall)
    value, statement, words = (STRIKES | BEHIND_A_WALL)[variable]
    monkeypatch.setenv(variable, str(value))
    with Judge(EXERCISE, Submission(before(statement), "mine.py"), server) as judge:
        verdict = judge.rule(EXERCISE.rules[0])
    said = verdict.failure.sentence
    assert verdict.status != PASSED and words in said and variable in said, said


@pytest.mark.slow
def test_a_check_ends_in_time_with_a_verdict_on_each_rule(server, monkeypatch):
    """Here each scenario takes 0.3 s of the 1 s that it may take."""
    monkeypatch.setenv("KVMMMU_LAB_CHECK", "2")
    begin = time.monotonic()
    report = Judge(EXERCISE, Submission(before("import time; time.sleep(0.3)"), "mine.py"), server).report()
    assert time.monotonic() - begin < 4
    assert len(report.verdicts) == len(EXERCISE.rules) and report.status == TIMED_OUT
    said = " ".join(str(report).split())
    assert "The check as a whole took longer than 2 seconds" in said and "variable KVMMMU_LAB_CHECK sets" in said, said


def test_the_time_of_a_check_is_that_of_one_with_whole_traces_or_for_a_debugger():
    assert Deadline(full=True).seconds == 4 * Deadline().seconds
    assert not Deadline(inline=True).passed and Deadline(inline=True).left > 1e9


def test_after_its_end_a_check_reads_nothing(tmp_path):
    path, over = tmp_path / "mine.py", Deadline()
    path.write_text(RIGHT + "open('data')")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").touch()
    over.stop()
    with pytest.raises(OutOfTime, match="KVMMMU_LAB_CHECK"):
        read(path, over)


@pytest.mark.parametrize(("name", "count"), [("KVMMMU_LAB_HELPER_FILES", 3), ("KVMMMU_LAB_HELPERS", 4)])
def test_a_folder_with_too_many_files_is_not_taken_along(tmp_path, monkeypatch, name, count):
    path = tmp_path / "mine.py"
    path.write_text(RIGHT + "open('data')")
    (tmp_path / "data").mkdir()
    for number in range(count):
        (tmp_path / "data" / f"{number}").write_bytes(bytes(500_000))
    monkeypatch.setenv(name, "1")
    (said,) = [note for note in read(path).notes if name in note][:1]
    assert "is not taken along" in said and "1 " in said


def test_folders_without_end_are_not_searched(tmp_path, monkeypatch):
    monkeypatch.setattr("kvmmmu_lab.check.helper_files.LOOKED_AT", 20)
    path = tmp_path / "mine.py"
    path.write_text("import tools\nopen('data')\n")
    for number in range(30):
        (tmp_path / "data" / f"{number}" / "inner").mkdir(parents=True)
    assert read(path).notes == ("the folder data is not taken along: it has more than 20 files and folders to look at",)


def test_a_cell_with_more_commands_than_ipython_takes_is_read_in_time(tmp_path):
    """IPython reads a cell once more for each command in it, and gives up after 500."""
    cell = {"cell_type": "code", "metadata": {"tags": ["solution"]}, "source": "%x\n" * 20_000, "outputs": []}
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    soon = Deadline()
    soon.end = time.monotonic() + 1
    with pytest.raises(LabError, match="reading your code"):
        read(path, soon)
    assert time.monotonic() < soon.end + 3


def test_the_command_lists_all_limits(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["check", "--limits"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(f"{limit.variable} " in said and limit.on in said for limit in LIMITS)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "many"])
def test_a_limit_that_makes_no_sense_is_refused_before_the_check(monkeypatch, capsys, value):
    monkeypatch.setenv("KVMMMU_LAB_CHECK", value)
    assert main(["check", "rmap_add", sys.executable]) == 1
    assert "KVMMMU_LAB_CHECK is" in capsys.readouterr().err
