# SPDX-License-Identifier: GPL-2.0-only
"""A run judges what is not finished, and records one mark for each learner and exercise."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from kvmmmu_lab.course_settings import CourseSettings
from kvmmmu_lab.errors import InputError
from kvmmmu_lab.grade.grading_run import GradingRun
from kvmmmu_lab.grade.mark import NOT_HANDED_IN, NOT_READABLE
from kvmmmu_lab.grade.progress_line import ProgressLine, duration
from kvmmmu_lab.grade.record import Record
from kvmmmu_lab.grade.serial import Serial

from ..exercises.checking import ROOT
from .handing_in import SPLIT, solved, timeless

RIGHT, WRONG, OTHER = (given.files["split.py"] for given in solved(SPLIT, wrong=2, right=1))
COMMAND = [sys.executable, "-m", "kvmmmu_lab", "grade"]


@pytest.fixture
def submissions(tmp_path):
    folder = tmp_path / "submissions"
    for learner, content in (("ada", RIGHT), ("bob", WRONG), ("cleo", b"\xff\xfe")):
        hand_in(folder, learner, content)
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "report"


def hand_in(folder, learner, content):
    (folder / learner).mkdir(parents=True, exist_ok=True)
    (folder / learner / "split.py").write_bytes(content)


def grade(submissions, out, settings=None, **options):
    """Grade one exercise in this process."""
    return GradingRun(submissions, out, settings or CourseSettings(), Serial, **{"names": ["split"]} | options).grade()


def marks(out, **options):
    with Record(out / "record.sqlite") as record:
        return {(mark.learner, mark.exercise): mark for mark in record.marks(**options)}


def statuses(out):
    return {learner: mark.status for (learner, _), mark in marks(out).items()}


def test_every_hand_in_has_a_mark(submissions, out):
    summary = grade(submissions, out)
    assert statuses(out) == {"ada": "passed", "bob": "failed", "cleo": NOT_READABLE}
    assert (summary.judged, summary.copied, summary.kept, summary.learners) == (3, 0, 0, 3)
    assert summary.complete and "3 marks of 3 learners: 3 judged now" in str(summary) and "1 not readable" in str(summary)
    assert json.loads(json.dumps(summary.as_data()))["statuses"] == {"failed": 1, "not readable": 1, "passed": 1}
    with Record(out / "record.sqlite") as record:
        info = record.info()
    assert [(one.name, one.number) for one in info.exercises] == [("split", "01")] and info.begun <= info.ended


@pytest.mark.slow
def test_what_is_finished_is_not_done_twice_unless_it_changed_or_is_regraded(submissions, out):
    grade(submissions, out)
    before = marks(out)
    assert grade(submissions, out).kept == 3 and marks(out) == before
    hand_in(submissions, "bob", OTHER)
    summary = grade(submissions, out)
    assert (summary.judged, summary.kept) == (1, 2) and marks(out)["bob", "split"].digest != before["bob", "split"].digest
    assert grade(submissions, out, CourseSettings(seed=1)).judged == 3
    again = grade(submissions, out, CourseSettings(seed=1), regrade=True)
    assert (again.judged, again.kept) == (3, 0)


@pytest.mark.slow
def test_identical_hand_ins_are_judged_once_and_have_the_mark_that_they_would_have_had(submissions, out, tmp_path):
    hand_in(submissions, "dora", WRONG)
    hand_in(submissions, "eve", WRONG)
    summary = grade(submissions, out)
    assert (summary.judged, summary.copied) == (3, 2)
    found = marks(out)
    assert found["eve", "split"].place != found["bob", "split"].place and found["eve", "split"].seconds == 0
    alone = tmp_path / "alone"
    hand_in(alone, "eve", WRONG)
    grade(alone, tmp_path / "other")
    assert timeless(marks(tmp_path / "other")["eve", "split"]) == timeless(found["eve", "split"])
    assert (grade(submissions, out, regrade=True).judged, marks(out).keys()) == (3, found.keys())


@pytest.mark.slow
def test_learners_who_vanished_stay_apart(submissions, out):
    grade(submissions, out)
    shutil.rmtree(submissions / "ada")
    summary = grade(submissions, out)
    assert summary.vanished == 1 and list(statuses(out)) == ["bob", "cleo"]
    assert list(marks(out, vanished=True)) == [("ada", "split")]


@pytest.mark.slow
def test_only_some_learners_and_exercises(submissions, out):
    assert grade(submissions, out, only=["bob"]).judged == 1
    assert list(statuses(out)) == ["bob"]
    assert grade(submissions, out, only=["ada", "bob"]).kept == 1
    grade(submissions, out, names=["walk"])
    assert marks(out)["ada", "walk"].status == NOT_HANDED_IN
    with Record(out / "record.sqlite") as record:
        assert [(one.number, one.points > 0) for one in record.info().exercises] == [("01", True), ("02", True)]
    with pytest.raises(InputError, match="exercise is 'fly'; expected one of split, walk"):
        grade(submissions, out, names=["fly"])


@pytest.mark.slow
def test_the_views_are_made_of_the_record_also_if_a_run_is_interrupted(submissions, out):
    seen = []

    def views(marks, info, folder):
        seen.append([mark.learner for mark in marks()])

    class Interrupted(Serial):
        def marks(self, hand_ins):
            yield next(iter(super().marks(hand_ins)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        GradingRun(submissions, out, CourseSettings(), Interrupted, views, names=["split"]).grade()
    GradingRun(submissions, out, CourseSettings(), Serial, views, names=["split"]).grade()
    assert seen == [["ada"], ["ada", "bob", "cleo"]]


@pytest.mark.parametrize("where", ["", "sub", "../submissions"])
def test_the_report_must_not_lie_among_the_submissions(submissions, where):
    with pytest.raises(InputError, match="out is .* expected a folder outside"):
        grade(submissions, submissions / where)


def test_neither_folder_may_hold_what_submissions_have_to_see(submissions, out):
    with pytest.raises(InputError, match="SUBMISSIONS is .* expected a folder without"):
        grade(ROOT, out)
    with pytest.raises(InputError, match=r"out is .* expected a folder without .* submissions have to see"):
        grade(submissions, ROOT)


# The command


def run(submissions, out, *options, **more):
    arguments = [*COMMAND, str(submissions), "--out", str(out), "--exercise", "split", *options]
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False, **more)


@contextmanager
def running(submissions, out, *options):
    """The command in a session of its own, killed at the end of the block."""
    arguments = [*COMMAND, str(submissions), "--out", str(out), "--exercise", "split", *options]
    with subprocess.Popen(
        arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_the_command_says_what_it_did_and_where_to_look(submissions, out):
    done = run(submissions, out, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "3 marks of 3 learners: 3 judged now" and lines[-1] == f"The class: {out / 'index.html'}"
    done = run(submissions, out, "--json")
    assert (done.returncode, json.loads(done.stdout)["kept"]) == (0, 3)
    done = run(submissions, out, "--seed", "5", "--timeout", "30", "--only", "ada")
    assert done.returncode == 0 and marks(out)["ada", "split"].seed == 5
    assert {"index.html", "marks.csv", "marks.jsonl", "junit.xml", "gradescope", "learners"} <= set(os.listdir(out))
    assert "ada" in (out / "index.html").read_text("utf-8") and len(os.listdir(out / "learners")) == 3
    assert not [name for name in os.listdir(out) if "journal" in name or "wal" in name]


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_goes_on_where_it_was(signum, submissions, out, nothing_ignored):
    hand_in(submissions, "zoe", b"while True:\n    pass\n")
    with running(submissions, out, "--jobs", "1") as process:
        wait_for_mark(out, b"cleo")
        process.send_signal(signum)
        said = process.communicate(timeout=30)[1]
    assert process.returncode == (130 if signum == signal.SIGINT else 128 + signum)
    assert "Traceback" not in said and ("goes on where it was" in said) == (signum == signal.SIGINT)
    assert list(statuses(out)) == ["ada", "bob", "cleo"]
    summary = grade(submissions, out)
    assert (summary.judged, summary.kept) == (1, 3)


def wait_for_mark(out, learner):
    """Wait until the journal of the record, which nobody else can open meanwhile, has a mark of this learner."""
    journal, end = out / "record.sqlite-wal", time.monotonic() + 60
    while not (journal.exists() and learner in journal.read_bytes()) and time.monotonic() < end:
        time.sleep(0.05)


@pytest.mark.slow
def test_two_graders_do_not_write_one_record(submissions, out):
    hand_in(submissions, "zoe", b"while True:\n    pass\n")
    with running(submissions, out) as process:
        wait_for_mark(out, b"cleo")
        done = run(submissions, out)
        assert process.poll() is None
    assert done.returncode == 1
    assert done.stderr.startswith("kvmmmu-lab: another process is writing") and len(done.stderr.splitlines()) == 1


def test_a_report_that_can_not_be_written_is_one_sentence(submissions, tmp_path):
    (tmp_path / "file").touch()
    done = run(submissions, tmp_path / "file" / "report")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "can't be written (Not a directory)" in done.stderr
    (tmp_path / "report" / "record.sqlite").mkdir(parents=True)
    done = run(submissions, tmp_path / "report")
    assert done.returncode == 2 and "a folder; expected a regular file" in done.stderr


@contextmanager
def small_file_system(folder, *options):
    """A file system of 256 KiB; skipped where this user may not mount one."""
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(submissions, count):
    """Many hand-ins, each with a wrong solution."""
    for number in range(count):
        hand_in(submissions, f"learner{number:03}", WRONG + b"\n# %d\n" % number)


@pytest.mark.slow
def test_a_read_only_file_system_is_one_sentence_and_what_was_finished_is_kept(submissions, tmp_path):
    with small_file_system(tmp_path / "small") as folder:
        assert run(submissions, folder / "report", "--only", "ada").returncode == 0
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        for report in ("report", "other"):
            done = run(submissions, folder / report)
            assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
            assert "can't be written (" in done.stderr and "choose another folder with --out" in done.stderr
        assert list(statuses(folder / "report")) == ["ada"]


@pytest.mark.slow
def test_a_full_disk_is_one_sentence_and_what_was_finished_is_kept(submissions, tmp_path):
    fill(submissions, 40)
    with small_file_system(tmp_path / "small") as folder:
        (folder / "other").write_bytes(b"-" * 80_000)
        done = run(submissions, folder / "report")
        _stopped(done, folder / "report", 43)
        kept = timeless_marks(folder / "report")
        (folder / "other").unlink()
        subprocess.run(["mount", "-o", "remount,size=8m", str(folder)], check=True)
        assert run(submissions, folder / "report").returncode == 0
        found = timeless_marks(folder / "report")
    assert len(found) == 43 and {key: found[key] for key in kept} == kept


@pytest.mark.slow
def test_so_is_a_limit_on_the_size_of_files(submissions, out):
    fill(submissions, 40)
    done = run(submissions, out, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000)))
    _stopped(done, out, 43)
    assert run(submissions, out).returncode == 0 and len(marks(out)) == 43


def timeless_marks(out):
    return {key: timeless(mark) for key, mark in marks(out).items()}


def _stopped(done, out, most):
    assert done.returncode == 1, done.stderr
    said = [line for line in done.stderr.splitlines() if " per second" not in line]
    assert len(said) == 1 and "what was finished is kept" in said[0], done.stderr
    assert 0 < len(marks(out)) < most


# The progress


class Terminal:
    def __init__(self, terminal):
        self.terminal, self.text = terminal, ""

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize("terminal", [False, True])
def test_the_progress_says_how_far_how_fast_how_long_and_what_went_wrong(terminal, submissions, out, monkeypatch):
    grade(submissions, out)
    found = list(marks(out).values())
    monkeypatch.setattr("kvmmmu_lab.grade.progress_line.EVERY", 0)
    monkeypatch.setattr("kvmmmu_lab.grade.progress_line.OFTEN", 0)
    monkeypatch.setenv("COLUMNS", "200")
    stream = Terminal(terminal)
    with ProgressLine(1000, stream) as line:
        line.skip()
        for mark in found:
            time.sleep(0.01)
            line.tell(replace(mark, learner=f"{mark.learner}\n\x1b[2J"))
    last = [text for text in stream.text.replace("\r\x1b[K", "\n").splitlines() if text][-1]
    assert last.startswith("4 of 1,000, ") and " per second, " in last
    assert " left; last trouble: cleo\\n\\x1b[2J, split: not readable: no such text" in last
    assert stream.text.endswith("\r\x1b[K") == terminal and ("\n" in stream.text) == (not terminal)


def test_times_in_words():
    assert [duration(seconds) for seconds in (0.2, 59, 61, 7300)] == ["1 s", "59 s", "1 min 1 s", "2 h 1 min"]


@pytest.mark.slow
def test_the_command_takes_points_seed_and_exercises_from_a_course(submissions, out, tmp_path):
    course = tmp_path / "course.toml"
    course.write_text('title = "OS"\nexercises = ["split"]\nseed = 3\npoints.split.64 = 9\n[grading]\nseed = 4\n', "utf-8")
    done = run(submissions, out, "--course", str(course))
    assert done.returncode == 0, done.stderr
    found = marks(out)
    assert {exercise for _, exercise in found} == {"split"} and {mark.seed for mark in found.values()} == {4}
    assert {mark.of for mark in found.values()} == {10 + 7}
    course.write_text("points.split.65 = 9\n", "utf-8")
    done = run(submissions, out, "--course", str(course))
    assert done.returncode == 2 and "points.split is '65'; expected a rule of this exercise: offset, 64" in done.stderr
