# SPDX-License-Identifier: GPL-2.0-only
"""The record keeps each mark whole, as it was put, and exactly one for each learner and exercise."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import pytest

from kvmmmu_lab.errors import DataError
from kvmmmu_lab.grade.mark import NOT_JUDGED, NOT_READABLE, Mark, RuleMark
from kvmmmu_lab.grade.record import ExerciseInfo, Info, Record, RecordError

RULES = (
    RuleMark("first", "The first.", "passed", 1, 1),
    RuleMark(
        "second", "The second.", "failed", 0, 2, extra=True, message="it lacks <b>", where="in a boot", guest="a PAE guest",
        steps=("one", "two"), expected=("* a",), got=("b",), kind="differs", behaviour="it lacks N", seconds=0.25,
    ),
)  # fmt: skip
MARK = Mark(
    "ada", "rmap_add", "0" * 64, "failed", 1, 3, file="rmap_add.py", place="ada/rmap_add.py", rules=RULES, notes=("a note",),
    printed="printed\n", print_count=8, picture="[]" * 1000, isolation="wall", seed=7, stamp="stamp", versions="kit 1",
    seconds=0.5,
)  # fmt: skip
NAMES = ["ada", "", "a\nb", "<script>", "\u202egnp", "a\0b", "caf\udce9", "\ud800", "é" * 300, "'; DROP TABLE marks; --"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "record.sqlite"


def test_marks_come_back_as_they_were_put_in_order_whatever_the_names_are(path):
    marks = [replace(MARK, learner=name, exercise=exercise, place=name) for name in NAMES for exercise in ("b", "a")]
    with Record(path, write=True) as record:
        for mark in random.Random(0).sample(marks, len(marks)):
            record.put(mark)
    wanted = sorted(marks, key=lambda mark: (mark.learner.encode("utf-8", "surrogatepass"), mark.exercise))
    with Record(path) as record:
        assert list(record.marks()) == wanted
        assert list(record.marks(NAMES[2])) == [mark for mark in wanted if mark.learner == NAMES[2]]
        assert list(record.learners()) == [mark.learner for mark in wanted[::2]]
        assert record.mark("caf\udce9", "a") in wanted and record.mark("ada", "c") is None
        assert record.count() == len(marks)
    assert os.listdir(path.parent) == [path.name]


def test_a_mark_takes_the_place_of_the_earlier_one_with_all_its_rules(path):
    with Record(path, write=True) as record:
        record.put(MARK)
        record.put(replace(MARK, status=NOT_READABLE, rules=RULES[:1]))
        assert [mark.rules for mark in record.marks()] == [RULES[:1]]
    assert sqlite3.connect(path).execute("SELECT count(*) FROM rules").fetchone() == (1,)


def test_work_is_finished_if_neither_the_files_nor_what_marks_depend_on_has_changed(path):
    with Record(path, write=True) as record:
        record.put(MARK)
        assert record.finished("ada", "rmap_add", MARK.digest, MARK.stamp)
        assert not record.finished("ada", "rmap_add", MARK.digest, "another")
        assert not record.finished("ada", "rmap_add", "1" * 64, MARK.stamp)
        assert not record.finished("bob", "rmap_add", MARK.digest, MARK.stamp)
        record.put(replace(MARK, status=NOT_JUDGED))
        assert not record.finished("ada", "rmap_add", MARK.digest, MARK.stamp)


def test_a_twin_has_the_same_files_and_a_mark_that_does_not_depend_on_time(path):
    with Record(path, write=True) as record:
        assert record.twin("rmap_add", MARK.digest, MARK.stamp) is None
        record.put(replace(MARK, status="crashed", rules=(replace(RULES[0], status="timed out"),)))
        assert record.twin("rmap_add", MARK.digest, MARK.stamp) is None
        record.put(MARK)
        assert record.twin("rmap_add", MARK.digest, MARK.stamp, now=True) == MARK
        assert record.twin("rmap_add", MARK.digest, "another") is None
    with Record(path, write=True) as record:
        assert record.twin("rmap_add", MARK.digest, MARK.stamp, now=True) is None
        assert record.twin("rmap_add", MARK.digest, MARK.stamp) == MARK


def test_learners_who_vanished_stay_apart(path):
    with Record(path, write=True) as record:
        for learner, exercise in (("ada", "rmap_add"), ("bob", "rmap_add"), ("bob", "walk")):
            record.put(replace(MARK, learner=learner, exercise=exercise))
        record.saw("ada", "rmap_add")
        record.saw("ada", "rmap_add")
        record.saw_all(["rmap_add"])
        assert [(mark.learner, mark.exercise) for mark in record.marks()] == [("ada", "rmap_add"), ("bob", "walk")]
        assert [mark.learner for mark in record.marks(vanished=True)] == ["bob"]
    with Record(path, write=True) as record:
        record.saw("bob", "rmap_add")
        record.saw_all(["rmap_add"])
        assert [(mark.learner, mark.exercise) for mark in record.marks()] == [("bob", "rmap_add"), ("bob", "walk")]


def test_what_is_known_about_the_run(path):
    exercises = (ExerciseInfo("rmap_add", "04", "Reverse maps, add", 10, 2),)
    info = Info("A course", 7, exercises, ("nothing",), "kit 1", "2026-11-29 19:30:00")
    with Record(path, write=True) as record:
        assert record.info() == Info()
        record.set_info(info)
        record.change_info(ended="2026-11-29 19:40:00")
    with Record(path) as record:
        assert record.info() == replace(info, ended="2026-11-29 19:40:00")


def test_while_one_process_writes_another_can_neither_write_nor_read(path):
    program = f"""
        from pathlib import Path
        from kvmmmu_lab.grade.record import Record
        record = Record(Path({str(path)!r}), write=True)
        print("open", flush=True)
        input()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "open\n"
        for write in (True, False):
            with pytest.raises(RecordError, match=r"another process is writing .*record\.sqlite; wait until it has ended"):
                Record(path, write=write)
        process.kill()
    with Record(path, write=True) as record:
        record.put(MARK)


def test_what_was_put_is_there_and_whole_after_a_kill(path):
    program = f"""
        import sys
        from pathlib import Path
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from test_record import MARK, Record, replace
        record = Record(Path({str(path)!r}), write=True)
        for number in range(100_000):
            record.put(replace(MARK, learner=str(number)))
            print(number, flush=True)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        last = int(process.stdout.read().split()[-1])
    with Record(path) as record:
        marks = list(record.marks())
    assert {str(number) for number in range(last + 1)} <= {mark.learner for mark in marks}
    assert all(mark == replace(MARK, learner=mark.learner) for mark in marks)


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit on the size of files here")
def test_without_room_there_is_one_sentence_and_what_was_put_is_kept(path):
    program = f"""
        import resource, sys
        from pathlib import Path
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from test_record import MARK, Record, replace
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        with Record(Path({str(path)!r}), write=True) as record:
            for number in range(100_000):
                record.put(replace(MARK, learner=str(number)))
                print(number, flush=True)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert "RecordError" in done.stderr.splitlines()[-1], done.stderr
    assert "what was finished is kept" in done.stderr.splitlines()[-1]
    last = int(done.stdout.split()[-1])
    with Record(path) as record:
        assert {mark.learner for mark in record.marks()} == {str(number) for number in range(last + 1)}


def test_a_file_that_is_no_record_is_refused_and_stays_as_it_is(path, tmp_path):
    path.write_bytes(b"no database, but long enough to be looked at" * 100)
    with pytest.raises(DataError, match="damaged, or no record"):
        Record(path, write=True)
    assert path.read_bytes().startswith(b"no database")
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE mine (a)")
    before = other.read_bytes()
    with pytest.raises(DataError, match="another file of SQLite"):
        Record(other, write=True)
    assert other.read_bytes() == before
    database.execute("PRAGMA user_version = 9")
    database.execute(f"PRAGMA application_id = {0x6B6D6D75}")
    database.close()
    with pytest.raises(DataError, match=r"a record of version 9; expected a record of version 2; choose another folder"):
        Record(other, write=True)


@pytest.mark.parametrize("done", ["", "PRAGMA journal_mode = WAL"])
def test_a_record_of_a_run_that_was_killed_before_it_began_is_no_record_and_the_next_run_begins_it(path, done):
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(done)
    path.touch()
    with pytest.raises(DataError, match="a record that was never begun; expected a record of version 2"):
        Record(path)
    with Record(path, write=True) as record:
        assert record.run == 1


def test_only_a_regular_file_is_opened(path, tmp_path):
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "pipe")
    for name, found in (("link", "a symbolic link"), ("pipe", "a named pipe")):
        with pytest.raises(DataError, match=found):
            Record(tmp_path / name, write=True)
    with pytest.raises(DataError, match="No such file"):
        Record(path)
