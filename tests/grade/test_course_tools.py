# SPDX-License-Identifier: GPL-2.0-only
"""What a release makes for GitHub and Gradescope is what these services document, and it grades."""

import argparse
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from kvmmmu_lab import cli, exercises
from kvmmmu_lab.cli import main
from kvmmmu_lab.course_settings import read
from kvmmmu_lab.errors import InputError
from kvmmmu_lab.grade.release import WORKFLOW, Release

from ..exercises import solutions
from ..exercises.checking import ROOT
from ..share import one_in
from .views.test_tool_formats import check_gradescope

COURSE = 'exercises = ["split", "rmap_add"]\nseed = 7\n[points.split]\noffset = 3\n[grading]\nseed = 99\n'
RIGHT = solutions.right("01_split")["shifts"].source
WRONG = next(iter(solutions.wrong("01_split").values())).source
pytestmark = pytest.mark.skipif(os.name == "nt", reason="both services run Linux")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    path = tmp_path_factory.mktemp("course") / "mine.toml"
    path.write_text(COURSE, "utf-8")
    return path


@pytest.fixture(scope="module")
def kit(course, tmp_path_factory):
    out = tmp_path_factory.mktemp("release") / "KIT"
    Release(read(course), "school/kvmmmu-kit").write(out)
    return out


def program(path, kit):
    """A program ``kvmmmu-lab`` that runs a kit as if it were installed there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{kit}" PYTHONDONTWRITEBYTECODE=1 exec "{sys.executable}" -m kvmmmu_lab "$@"\n')
    path.chmod(0o755)


# Gradescope


@pytest.fixture(scope="module")
def autograder_zip(course, tmp_path_factory):
    path = tmp_path_factory.mktemp("zip") / "autograder.zip"
    assert main(["release", "--gradescope", str(path), "--course", str(course)]) == 0
    return path


@pytest.fixture
def autograder(autograder_zip, tmp_path):
    """The tree that Gradescope makes: /autograder, with source, submission and results."""
    tree = tmp_path / "autograder"
    for name in ("submission", "results"):
        (tree / name).mkdir(parents=True)
    with zipfile.ZipFile(autograder_zip) as archive:
        archive.extractall(tree / "source")
        for entry in archive.infolist():
            (tree / "source" / entry.filename).chmod(entry.external_attr >> 16 & 0o777)
    shutil.copy(tree / "source" / "run_autograder", tree)  # as Gradescope does
    program(tree / "source" / ".venv" / "bin" / "kvmmmu-lab", tree / "source" / "kit")
    (tree / "submission_metadata.json").write_text("{}")
    return tree


def graded(tree, check=True):
    done = subprocess.run(
        [tree / "run_autograder"], env={**os.environ, "AUTOGRADER": str(tree)}, cwd="/", capture_output=True, text=True
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return json.loads((tree / "results" / "results.json").read_bytes()) if check else done


def test_the_zip_has_what_gradescope_looks_for(autograder_zip):
    with zipfile.ZipFile(autograder_zip) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
        assert {"setup.sh", "run_autograder", "requirements.txt", "course.toml", "kit/pyproject.toml"} <= modes.keys()
        assert {name for name, mode in modes.items() if stat.S_IMODE(mode) & 0o111} == {"setup.sh", "run_autograder"}
        for name in ("setup.sh", "run_autograder"):
            text = archive.read(name)
            assert text.startswith(b"#!/usr/bin/env bash\n") and b"\r" not in text
            checked = subprocess.run(["bash", "-n"], input=text, capture_output=True)
            assert checked.returncode == 0, checked.stderr
        assert "[grading]" in archive.read("course.toml").decode()
        assert "grading" not in archive.read("kit/exercises/course.toml").decode()


@pytest.mark.parametrize("place", one_in(3, ["", "exercises/01_split/", "my work/01_split/"]))
def test_a_right_submission_gets_all_points(autograder, place):
    (autograder / "submission" / place).mkdir(parents=True, exist_ok=True)
    (autograder / "submission" / place / "split.py").write_text(RIGHT, "utf-8")
    found = graded(autograder)
    check_gradescope(found)
    tests = [test for test in found["tests"] if test["name"].startswith("split: ")]
    assert {test["status"] for test in tests} == {"passed"} and found["score"] == sum(test["max_score"] for test in tests)
    assert found["extra_data"]["seed"] == 99  # that of the grader
    assert next(test["max_score"] for test in tests) == 3
    assert [test["tags"] for test in found["tests"] if test["name"].startswith("rmap_add")] == [["not handed in"]]


@pytest.mark.slow
def test_a_wrong_submission_is_told_why(autograder):
    (autograder / "submission" / "split.py").write_text(WRONG, "utf-8")
    found = graded(autograder)
    check_gradescope(found)
    failed = [test for test in found["tests"] if test["status"] == "failed" and test["name"].startswith("split")]
    assert failed and "kvmmmu-lab hint split" in failed[0]["output"] and len(failed[0]["output"].splitlines()) > 3


@pytest.mark.slow
def test_an_empty_submission_and_one_with_links_have_results(autograder):
    check_gradescope(graded(autograder))
    (autograder / "submission" / "split.py").symlink_to(autograder / "source" / "course.toml")
    found = graded(autograder)
    check_gradescope(found)
    assert found["score"] == 0 and "seed = 99" not in json.dumps(found)


@pytest.mark.slow
def test_a_submission_finds_neither_the_course_nor_the_results(autograder):
    reads = "def leak(path):\n    try:\n        return open(path).read()\n    except Exception as why:\n        return why\n"
    paths = [autograder / "source" / "course.toml", autograder / "results"]
    says = "".join(f"print('found', leak({str(path)!r}))\n" for path in paths)
    writes = f"try:\n    open({str(autograder / 'results' / 'results.json')!r}, 'w').write('x')\nexcept Exception: pass\n"
    (autograder / "submission" / "split.py").write_text(f"{reads}{says}{writes}{RIGHT}", "utf-8")
    found = graded(autograder)
    check_gradescope(found)
    assert "found" in found["output"] and "seed = 99" not in json.dumps(found)


def test_if_the_grader_fails_there_are_no_results(autograder):
    (autograder / "source" / "course.toml").write_text("seeds = 7\n")
    done = graded(autograder, check=False)
    assert done.returncode != 0 and "seeds is not a key of a course" in done.stderr
    assert os.listdir(autograder / "results") == []


def test_an_autograder_that_is_there_is_kept(course, tmp_path, capsys):
    (tmp_path / "a.zip").write_bytes(b"mine")
    assert main(["release", "--gradescope", str(tmp_path / "a.zip"), "--course", str(course)]) == 1
    assert "expected a new file" in capsys.readouterr().err and (tmp_path / "a.zip").read_bytes() == b"mine"


@pytest.mark.slow
@pytest.mark.whole
def test_setup_installs_the_kit_that_grades(autograder):
    """The real setup.sh, with an apt-get that does nothing."""
    shutil.rmtree(autograder / "source" / ".venv")
    tools = autograder / "tools"
    tools.mkdir()
    (tools / "apt-get").write_text("#!/bin/sh\nexit 0\n")
    (tools / "apt-get").chmod(0o755)
    environment = {**os.environ, "AUTOGRADER": str(autograder), "PATH": f"{tools}:{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    subprocess.run(["bash", autograder / "source" / "setup.sh"], env=environment, cwd="/", check=True)
    (autograder / "submission" / "split.py").write_text(RIGHT, "utf-8")
    found = graded(autograder)
    check_gradescope(found)
    assert found["score"] > 0


# GitHub


@pytest.fixture
def workflow(kit):
    return yaml.safe_load((kit / WORKFLOW).read_text("utf-8"))


def steps_of(workflow):
    (job,) = workflow["jobs"].values()
    return job["steps"]


def schema_says(path):
    pytest.importorskip("check_jsonschema", reason="has the schema of workflows; comes with the extra `test`")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_the_workflow_is_what_githubs_schema_asks_for(kit, tmp_path):
    done = schema_says(kit / WORKFLOW)
    assert done.returncode == 0, done.stdout
    text = (kit / WORKFLOW).read_text("utf-8")
    for right, wrong in (("runs-on:", "run-on:"), ("  push:", "  pushed:"), ("uses: actions/checkout@v4", "use: x")):
        assert right in text
        (tmp_path / "wrong.yml").write_text(text.replace(right, wrong, 1), "utf-8")
        assert schema_says(tmp_path / "wrong.yml").returncode == 1


def test_the_workflow_grades_with_the_instructors_kit_and_may_do_nothing_else(workflow):
    assert workflow[True] == {"push": None, "workflow_dispatch": None}  # YAML 1.1 takes `on` for true
    assert workflow["permissions"] == {"contents": "read"}
    assert all({"name", "uses"} & step.keys() and len({"run", "uses"} & step.keys()) == 1 for step in steps_of(workflow))
    checkouts = [step["with"] for step in steps_of(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    assert [one.get("repository") for one in checkouts] == [None, "school/kvmmmu-kit"]
    assert not any(one["persist-credentials"] for one in checkouts)
    # what a pusher chooses, such as the name of a branch, must not become part of a script
    assert not [step for step in steps_of(workflow) if "${{" in step.get("run", "")]
    for step in steps_of(workflow):
        assert not set(re.findall(r"\$\{\{ *([\w.]+) *\}\}", json.dumps(step))) - {"github.event.repository.name"}


@pytest.mark.slow
def test_the_steps_of_the_workflow_grade_a_push(kit, workflow, tmp_path):
    """What the steps run, where the actions would have put the repositories."""
    shutil.copytree(kit, tmp_path / "kit")
    repository = tmp_path / "submissions" / "kit-of-ada"  # made from the kit as a template
    shutil.copytree(kit, repository)
    (repository / "exercises" / "01_split" / "split.py").write_text(WRONG, "utf-8")
    checker = repository / "exercises" / "01_split" / "test_split.py"
    checker.write_text("EXERCISE = None\n", "utf-8")  # a learner's checkers don't count
    program(tmp_path / "bin" / "kvmmmu-lab", tmp_path / "kit")
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    environment["GITHUB_STEP_SUMMARY"] = str(tmp_path / "s.md")
    scripts = {step["name"]: step for step in steps_of(workflow) if "run" in step}
    assert "./kit[lab]" in scripts.pop("Install the kit, and the wall around submissions")["run"]
    for step in scripts.values():
        command = [sys.executable, "-c", step["run"]] if step.get("shell") == "python" else ["bash", "-ec", step["run"]]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    summary = (tmp_path / "s.md").read_text("utf-8").splitlines()
    assert summary[:2] == ["| exercise | points | extra | status |", "| --- | --- | --- | --- |"]
    rows = {row.split("|")[1].strip(): row for row in summary[2:] if row.startswith("|")}
    assert rows.keys() == {"split", "rmap_add"}
    assert "of 12 |" in rows["split"] and "failed" in rows["split"] and "not attempted" in rows["rmap_add"]
    (kept,) = (step for step in steps_of(workflow) if step.get("uses", "").startswith("actions/upload-artifact@"))
    assert (tmp_path / kept["with"]["path"] / "index.html").is_file()


def test_the_readme_says_that_a_push_is_graded(kit, course):
    assert ".github/workflows/grade.yml" in (kit / "README.md").read_text("utf-8")
    without = Release(read(course))
    assert WORKFLOW not in without.files and b"GitHub" not in without.files["README.md"]


@pytest.mark.parametrize("name", ["kit", "a/b/c", "a/b c", "-a/b", "a/b\nrun: x", "a/${{ secrets.X }}"])
def test_only_the_name_of_a_repository_is_put_into_the_workflow(name, course):
    with pytest.raises(InputError, match="the repository of the kit"):
        Release(read(course), name)


# nbgrader


@pytest.mark.slow
def test_what_nbgrader_has_collected_is_graded(kit, tmp_path):
    """nbgrader's submitted/STUDENT/ASSIGNMENT/, with the exercise's notebook; see the instructors' page."""
    folder = tmp_path / "nbgrader" / "submitted" / "ada" / "01_split"
    folder.mkdir(parents=True)
    book = json.loads((ROOT / "exercises" / "01_split" / "split.ipynb").read_text("utf-8"))
    for cell in book["cells"]:
        if "solution" in cell["metadata"].get("tags", ()):
            cell["source"] = RIGHT.splitlines(keepends=True)
    (folder / "split.ipynb").write_text(json.dumps(book), "utf-8")
    (folder / "timestamp.txt").write_text("2026-11-29 10:00:00 UTC")
    program(tmp_path / "bin" / "kvmmmu-lab", kit)
    command = [tmp_path / "bin" / "kvmmmu-lab", "grade", folder.parents[2], "--out", tmp_path / "report", "--exercise", "split"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr
    assert (Path(tmp_path) / "report" / "learners").is_dir()


# The instructors' page

PAGE = (ROOT / ".github" / "INSTRUCTORS.md").read_text("utf-8")


def test_the_course_on_the_instructors_page_is_one(tmp_path):
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "course.toml").write_text(text, "utf-8")
    settings = read(tmp_path / "course.toml", grading=True)
    exercises.check_settings(settings, ROOT)
    assert (settings.exercises, settings.seed, settings.timeout) == (("split", "rmap_add"), 20261129, 30.0)


def test_the_commands_on_the_instructors_page_can_be_typed():
    lines = re.findall(r"^    kvmmmu-lab ([^>\n]*)", PAGE, re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        assert cli._parser().parse_args(line.split()).run
    for option in set(re.findall(r"`(--[\w-]+)", PAGE)) - {"--help"}:
        assert option in {one for action in release_options() for one in action.option_strings}, option


def release_options():
    commands = next(action for action in cli._parser()._actions if isinstance(action, argparse._SubParsersAction))
    return commands.choices["release"]._actions
