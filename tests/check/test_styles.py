# SPDX-License-Identifier: GPL-2.0-only
"""The same right code has full points as a file, as a notebook and as objects from a notebook, in any style of Python."""

import json
import subprocess
import sys

import pytest

from kvmmmu_lab.check.sandbox.forkserver import ForkServer
from kvmmmu_lab.check.submission import read

from ..exercises.checking import EXERCISES, RIGHT, judge
from ..exercises.solutions import FOLDERS
from ..share import one_in
from .styles import FILE_ONLY, STYLES

FEW = ["closures", "caches, partials and decorators", "dataclasses", "asyncio", "a helper module"]
"""The styles that are tried each time; the others are slow tests."""

ALL = [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in STYLES]


@pytest.fixture(scope="module")
def server():
    with ForkServer() as shared:
        yield shared


def cells(source):
    """The cells of a source, in which ``# %%`` begins a cell."""
    return source.split("\n# %%\n")


def book(*sources):
    """A notebook's JSON, with these cells tagged ``solution``."""
    rest = {"cell_type": "code", "metadata": {"tags": ["solution"]}, "outputs": [], "execution_count": None}
    code = [{**rest, "source": text} for text in sources]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": code})


def write(folder, files):
    """Write files by relative name, and the notebook that corresponds to mine.py."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (folder / "mine.ipynb").write_text(book(*cells(files["mine.py"])), "utf-8")
    return folder


@pytest.mark.parametrize("form", one_in(2, ["mine.py", "mine.ipynb"]))
@pytest.mark.parametrize("name", ALL)
def test_a_style_as_a_file_and_as_a_notebook(name, form, server, tmp_path):
    if name in FILE_ONLY and form == "mine.ipynb":
        pytest.skip("a kernel can't run it")
    exercise, files = STYLES[name]
    report = judge(FOLDERS[exercise], write(tmp_path, files) / form, server)
    assert report.passed, str(report)


IN_A_NOTEBOOK = """
import json, os, sys
from IPython.core.interactiveshell import InteractiveShell
from kvmmmu_lab import exercises, workspace
from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.notebook import pickled
from kvmmmu_lab.check.sandbox.forkserver import ForkServer

sys.path.insert(0, "")
shell, done, loaded, start = InteractiveShell.instance(), {}, set(sys.modules), os.getcwd()
with ForkServer() as server:
    for name, (folder, wanted, exercise, cells) in json.load(sys.stdin).items():
        os.chdir(folder)
        shell.reset()
        for name_of_module in set(sys.modules) - loaded:
            file = getattr(sys.modules[name_of_module], "__file__", None) or ""
            if "site-packages" not in file and (os.sep + "tmp" in file or "pytest" in file):
                del sys.modules[name_of_module]
        for cell in cells:
            result = shell.run_cell(cell, store_history=True, silent=False)
            result.raise_error()
        given = pickled({name: shell.user_ns[name] for name in wanted})
        report = Judge(exercises.find(exercise, workspace.course_root()), given, server).report()
        done[name] = [report.passed, str(report)]
        shell.compile.flags = 0
os.chdir(start)
open("done.json", "w").write(json.dumps(done))
"""


def in_a_notebook(folder, submissions):
    """The reports on the objects that cells define, by name: whether they have full points, and their text.

    ``submissions``: by name, the folder of a notebook, the names of the objects, the exercise and the cells.
    """
    command = [sys.executable, "-c", IN_A_NOTEBOOK]
    done = subprocess.run(command, cwd=folder, input=json.dumps(submissions), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads((folder / "done.json").read_text())


def wanted(exercise):
    return list(dict.fromkeys(name.partition(".")[0] for name in EXERCISES[FOLDERS[exercise]].defines))


OTHERS = [name for name in STYLES if name not in FEW and name not in FILE_ONLY]


@pytest.mark.slow
@pytest.mark.parametrize("names", [FEW, pytest.param(OTHERS, marks=pytest.mark.whole)])
def test_a_style_as_objects_from_a_notebook(names, tmp_path):
    given = {}
    for number, name in enumerate(names):
        exercise, files = STYLES[name]
        folder = write(tmp_path / str(number), files)
        given[name] = str(folder), wanted(exercise), exercise, cells(files["mine.py"])
    wrong = {name: text for name, (passed, text) in in_a_notebook(tmp_path, given).items() if not passed}
    assert not wrong, "\n\n".join(f"{name}: {text}" for name, text in wrong.items())


@pytest.mark.slow
@pytest.mark.parametrize("share", one_in(2, [8, 1], rest=pytest.mark.whole))
def test_right_solutions_as_objects_from_a_notebook(share, tmp_path):
    given = {str(one): (str(tmp_path), wanted(one.exercise[3:]), one.exercise[3:], [one.source]) for one in RIGHT[::share]}
    wrong = {name: text for name, (passed, text) in in_a_notebook(tmp_path, given).items() if not passed}
    assert len(given) > 40 / share and not wrong, "\n\n".join(f"{name}: {text}" for name, text in wrong.items())


@pytest.mark.slow
@pytest.mark.parametrize("solution", RIGHT, ids=str)
def test_all_right_solutions_as_a_notebook(solution, server, tmp_path):
    (tmp_path / "mine.ipynb").write_text(book(solution.source), "utf-8")
    assert read(tmp_path / "mine.ipynb").source == solution.source
    assert judge(solution.exercise, tmp_path / "mine.ipynb", server).passed
