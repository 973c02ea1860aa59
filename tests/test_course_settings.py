# SPDX-License-Identifier: GPL-2.0-only
"""The settings of a course are read from one file; what is wrong with it is named by its key; each check uses them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmmmu_lab import exercises, workspace
from kvmmmu_lab.course_settings import MOST_POINTS, MOST_SEED, CourseSettings, as_toml, of_text, read
from kvmmmu_lab.errors import DataError

from .exercises import solutions

ROOT = Path(__file__).resolve().parent.parent
WHOLE = """
title = "Operating systems"
seed = 7
exercises = ["rmap_add", "split"]
[points.rmap_add]
fifth = 5
engine = 0
[extra]
rmap_add = ["random"]
[grading]
seed = 99
timeout = 30
"""


def course(tmp_path, text):
    path = tmp_path / "course.toml"
    path.write_text(text, "utf-8")
    return path


def test_all_keys_are_read(tmp_path):
    found = read(course(tmp_path, WHOLE))
    assert found == CourseSettings(
        "Operating systems",
        7,
        ("rmap_add", "split"),
        {"rmap_add": {"fifth": 5, "engine": 0}},
        {"rmap_add": ("random",)},
    )
    exercises.check_settings(found, ROOT)


def test_what_only_the_grader_uses_comes_first_for_the_grader(tmp_path):
    found = read(course(tmp_path, WHOLE), grading=True)
    assert (found.seed, found.timeout) == (99, 30.0)
    assert read(course(tmp_path, "seed = 7\n[grading]\ntimeout = 1.5"), grading=True).seed == 7


def test_an_empty_file_is_the_usual_course(tmp_path):
    assert read(course(tmp_path, "")) == CourseSettings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds = 7", "seeds is not a key of a course; expected one of title, seed, exercises, points, extra, grading"),
        ("seed = -1", f"seed is -1; expected a whole number from 0 to {MOST_SEED}"),
        ("seed = true", f"seed is True; expected a whole number from 0 to {MOST_SEED}"),
        ('seed = "7"', f"seed is '7'; expected a whole number from 0 to {MOST_SEED}"),
        ("title = 3", "title is 3; expected a line of text, at most 200 characters"),
        ('title = "a\\nb"', "title is 'a\\nb'; expected a line of text, at most 200 characters"),
        ("exercises = []", "exercises is []; expected at least one name; leave out the line for all exercises"),
        ('exercises = "split"', "exercises is 'split'; expected a list of different names"),
        ('exercises = ["split", "split"]', "expected a list of different names"),
        ("points = 3", "points is 3; expected a table [points]"),
        ("points.split = 3", "points.split is 3; expected a table [points.split] with lines such as first = 2"),
        ("points.split.64 = 1.5", f"points.split.64 is 1.5; expected a whole number from 0 to {MOST_POINTS}"),
        ("points.split.64 = 1001", f"points.split.64 is 1001; expected a whole number from 0 to {MOST_POINTS}"),
        ("extra.split = true", "extra.split is True; expected a list of the rules whose points are extra"),
        ("[grading]\nseeds = 1", "grading is {'seeds': 1}; expected a table with seed or timeout, or both"),
        ('[grading]\nseed = ""', "grading.seed is ''; expected a whole number"),
        ("[grading]\ntimeout = -1", "grading.timeout is -1; expected a number of seconds up to 86400, or 0 for the usual time"),
        ("seed = 7\nseed = 8", "not TOML: Cannot overwrite a value"),
        ("seed 7", "not TOML: "),
        ("x = " + "[" * 5000, "not TOML: "),
    ],
)
def test_an_error_names_the_key_what_came_and_what_was_expected(tmp_path, text, message):
    path = course(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read(path)
    assert f"{path.name}: " in str(caught.value) and message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('exercises = ["splits"]', "exercises is 'splits'; expected exercises of the kit: split, walk, spte"),
        ("points.splits.64 = 1", "points is 'splits'; expected exercises of the kit: split"),
        ("points.split.65 = 1", "points.split is '65'; expected a rule of this exercise: offset, 64"),
        ('extra.split = ["form"]', "extra.split is 'form'; expected a rule of this exercise: offset, 64"),
    ],
)
def test_names_are_those_of_the_kit(tmp_path, text, message):
    with pytest.raises(DataError) as caught:
        exercises.check_settings(read(course(tmp_path, text)), ROOT)
    assert message in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "course.toml").write_bytes(b"title = '\xff'")
    with pytest.raises(DataError, match="text in UTF-8"):
        read(tmp_path / "course.toml")


names = st.text(min_size=1, max_size=8)
any_settings = st.builds(
    CourseSettings,
    st.text(max_size=30).filter(lambda text: text.isprintable() and text == text.strip()),
    st.integers(0, MOST_SEED),
    st.lists(names, unique=True, max_size=3).map(tuple),
    st.dictionaries(names, st.dictionaries(names, st.integers(0, MOST_POINTS), max_size=3), max_size=3),
    st.dictionaries(names, st.lists(names, max_size=3).map(tuple), max_size=3),
)


@given(any_settings)
def test_what_is_written_is_read_back(settings):
    assert of_text(as_toml(settings), "") == settings


def test_what_only_the_grader_uses_is_never_written(tmp_path):
    text = as_toml(read(course(tmp_path, f"# a note of mine\n{WHOLE}"), grading=False))
    assert "grading" not in text and "99" not in text and "note" not in text and "seed = 7" in text


# In a course


@pytest.fixture
def root(tmp_path):
    """A course with two exercises and settings of its own."""
    for name in ("01_split", "04_rmap_add"):
        shutil.copytree(ROOT / "exercises" / name, tmp_path / "exercises" / name)
    (tmp_path / "notebooks").mkdir()
    text = 'seed = 7\n[points.rmap_add]\nfifth = 5\nengine = 0\n[extra]\nrmap_add = ["random"]\n'
    (tmp_path / "exercises" / "course.toml").write_text(text, "utf-8")
    return tmp_path


def test_an_exercise_of_a_course_has_its_points_and_seed(root):
    exercise = exercises.find("04", root)
    usual = exercises.find("04", root, CourseSettings())
    points = {rule.name: (rule.points, rule.extra) for rule in exercise.rules}
    assert points["fifth"] == (5, False) and points["engine"] == (0, True)
    assert points["random"] == (1, True) and points["form"] == (2, False)
    assert (usual.points, exercise.points) == (10, 10 + 3 - 1 - 1 + 2)
    assert (usual.seed, exercise.seed) == (0, 7)
    assert exercises.find("split", root).seed == 7


def test_a_wrong_file_of_a_course_is_named(root):
    (root / "exercises" / "course.toml").write_text("points.rmap_add.sixth = 1", "utf-8")
    with pytest.raises(DataError, match=r"course\.toml: points\.rmap_add is 'sixth'"):
        exercises.find("04", root)


PROGRAM = """
import sys
from pathlib import Path
from kvmmmu_lab import cli, workspace
root = Path(sys.argv.pop(1))
workspace.course_root = lambda: root
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_the_command_check_uses_them(root):
    mine = root / "mine.py"
    mine.write_text(solutions.right("04_rmap_add")["pairs"].source, "utf-8")

    def check(*options):
        command = [sys.executable, "-c", PROGRAM, str(root), "check", "rmap_add", str(mine), "--json", *options]
        done = subprocess.run(command, capture_output=True, text=True)
        return json.loads(done.stdout)

    report = check()
    assert report["of"] == 13
    rules = {rule["rule"]: rule["of"] for rule in report["rules"]}
    assert (rules["fifth"], rules["engine"]) == (5, 0)


@pytest.mark.slow
def test_the_plugin_of_pytest_uses_them(root):
    program = PROGRAM.replace("from kvmmmu_lab import cli, workspace", "import pytest\nfrom kvmmmu_lab import workspace")
    program = program.replace("cli.main(sys.argv[1:])", "pytest.main(sys.argv[1:])")
    folder = root / "exercises" / "04_rmap_add"
    (folder / "rmap_add.py").write_text(solutions.right("04_rmap_add")["pairs"].source, "utf-8")
    command = [sys.executable, "-c", program, str(root), str(folder), "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert " of 13 points" in done.stdout and "5/5" in done.stdout, done.stdout + done.stderr


def test_a_notebooks_check_uses_the_seed(root, monkeypatch):
    from kvmmmu_lab.check import notebook

    seen = []

    class Judge:
        def __init__(self, *_, seed, **__):
            seen.append(seed)

        def report(self):
            return None

    monkeypatch.setattr(workspace, "course_root", lambda: root)
    monkeypatch.setattr(notebook, "Judge", Judge)
    mine = root / "mine.py"
    mine.write_text("", "utf-8")
    notebook.check_given("rmap_add", (mine,), full=False, seed=None)
    notebook.check_given("rmap_add", (mine,), full=False, seed=0)
    assert seen == [7, 0]


@pytest.mark.slow
def test_a_rule_that_does_not_count_takes_no_points_and_does_not_fail_the_exercise(root):
    (root / "exercises" / "course.toml").write_text("[points.split]\nupper = 0\nrandom = 0\n64 = 0\n", "utf-8")
    mine = root / "mine.py"
    mine.write_text(next(one for one in solutions.wrong("01_split").values() if one.breaks == "upper").source, "utf-8")
    command = [sys.executable, "-c", PROGRAM, str(root), "check", "split", str(mine)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "(passed)" in done.stdout and "✗ 0/0 extra" in done.stdout
