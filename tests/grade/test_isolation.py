# SPDX-License-Identifier: GPL-2.0-only
"""No submission sees or changes those of others, their marks, or anything of the instructor: with the wall and without it."""

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from kvmmmu_lab.check.sandbox.forkserver import CAN_FORK
from kvmmmu_lab.course_settings import CourseSettings
from kvmmmu_lab.grade.grading_run import GradingRun
from kvmmmu_lab.grade.mark import WALL
from kvmmmu_lab.grade.record import Record
from kvmmmu_lab.grade.scheduler import Task
from kvmmmu_lab.grade.serial import Serial
from kvmmmu_lab.grade.worker_pool import WorkerPool

from ..exercises.checking import without_bubblewrap
from .handing_in import SPLIT, hand_in, solved

pytestmark = pytest.mark.skipif(not CAN_FORK or os.name != "posix", reason="no processes to keep apart here")
RIGHT = next(iter(solved(SPLIT, wrong=0, right=1))).files["split.py"]
SECRET = "this is the neighbour's secret"

ATTACK = """
def attempt(what, *arguments):
    try:
        return repr(what(*arguments))
    except BaseException as error:
        return f"{{type(error).__name__}}: {{error}}"

def read(path):
    with open(path, "rb") as file:
        return file.read()

def write(path):
    with open(path, "ab") as file:
        file.write(b"changed")

import os
import sys
raise ValueError(attempt({what}, {path!r}))
"""

WAYS = {
    "reads": "read",
    "lists": "os.listdir",
    "scans": "lambda path: [entry.name for entry in os.scandir(path)]",
    "writes": "write",
    "removes": "os.remove",
    "renames": "lambda path: os.rename(path, 'mine')",
    "links": "lambda path: (os.symlink(path, 'mine'), read('mine'))[1]",
    "copies": "lambda path: __import__('shutil').copytree(path, 'mine') and sorted(os.walk('mine'))",
}


@pytest.fixture(params=["wall", "no wall"])
def wall(request):
    """Whether there is a wall."""
    if request.param == "no wall":
        with without_bubblewrap():
            yield False
    elif shutil.which("bwrap") is None:
        pytest.skip("bubblewrap isn't installed")
    else:
        yield True


@contextlib.contextmanager
def visible_folder():
    """A new folder in a place that submissions can see."""
    lib = Path(sys.prefix) / "lib"
    if not os.access(lib, os.W_OK):
        pytest.skip(f"{lib} is not writable")
    with tempfile.TemporaryDirectory(dir=lib) as folder:
        yield Path(folder)


def content(folder):
    """The names and contents of all files in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
def test_what_is_secret_stays_so_even_in_a_place_that_can_be_seen(wall):
    with visible_folder() as folder:
        (folder / "ada").mkdir()
        (folder / "ada" / "split.py").write_text(SECRET)
        (folder / "course.toml").write_text(SECRET)
        paths = [folder / "ada" / "split.py", folder / "ada", folder, folder / "course.toml"]
        marks = {}
        for secret in ((), (str(folder),), (str(folder / "ada"), str(folder / "course.toml"))):
            with Serial(Task(CourseSettings(), secret)) as serial:
                given = [hand_in(way, ATTACK.format(what=WAYS[way], path=str(path)), "split")
                         for path, way in zip(paths, ("reads", "lists", "lists", "reads"), strict=True)]  # fmt: skip
                marks[secret] = [mark.rules[0].message for mark in serial.marks(given)]
        seen, hidden, apart = marks.values()
    assert SECRET in seen[0] and "split.py" in seen[1] and "ada" in seen[2] and SECRET in seen[3]  # the test can fail
    for messages in (hidden, apart):
        assert not any(SECRET in message or "['split.py'" in message for message in messages), messages
    assert "course.toml'" not in hidden[2]


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", [Serial, WorkerPool])
def test_nobody_sees_or_changes_anything_of_others(wall, scheduler, tmp_path):
    submissions, out = tmp_path / "submissions", tmp_path / "report"
    victim = submissions / "victim" / "split.py"
    targets = {"victim": victim, "folder": victim.parent, "all": submissions, "report": out, "record": out / "record.sqlite"}
    learners = {"victim": RIGHT + f"\n# {SECRET}\n".encode(), "zoe": RIGHT}
    for target, path in targets.items():
        for way, what in WAYS.items():
            learners[f"{way} {target}"] = ATTACK.format(what=what, path=str(path)).encode()
    if scheduler is WorkerPool:  # a part is enough to show that workers pass on what is secret
        learners = {name: source for name, source in learners.items() if name.startswith(("victim", "zoe", "reads", "lists"))}
    for learner, source in learners.items():
        (submissions / learner).mkdir(parents=True)
        (submissions / learner / "split.py").write_bytes(source)
    before = content(submissions)
    GradingRun(submissions, out, CourseSettings(), scheduler, names=["split"]).grade()
    assert content(submissions) == before
    with Record(out / "record.sqlite") as record:
        marks = {mark.learner: mark for mark in record.marks()}
    assert marks.keys() == learners.keys() and {mark.isolation == WALL for mark in marks.values()} == {wall}
    assert marks["victim"].status == marks["zoe"].status == "passed"
    for learner, mark in marks.items():
        said = mark.rules[0].message.partition("): ")[2]  # after the line that is running
        assert SECRET not in str(mark) and "'victim'" not in said and "['" not in said and "[(" not in said, mark
        assert learner in ("victim", "zoe") or mark.points == 0
    assert not list(out.glob("*changed*"))


def test_nobody_sees_the_files_of_hand_ins_that_are_judged(wall):
    """Those of others lie in a staging folder, and in the scratch folders of submissions without a wall."""
    with tempfile.TemporaryDirectory(prefix="kvmmmu-lab-") as other, Serial(Task(CourseSettings())) as serial:
        (Path(other) / "helper.py").write_text(SECRET)
        staging = Path(serial.grader.staging)
        (staging / "other").mkdir()
        (staging / "other" / "split.py").write_text(SECRET)
        paths = (f"{other}/helper.py", other, str(staging), str(staging / "other" / "split.py"))
        given = [hand_in(path, ATTACK.format(what=f"lambda path: {WAYS['lists']}(path) if os.path.isdir(path) else read(path)",
                                             path=path), "split") for path in paths]  # fmt: skip
        messages = [mark.rules[0].message for mark in serial.marks(given)]
    assert not any(SECRET in message or "['" in message for message in messages), messages
