# SPDX-License-Identifier: GPL-2.0-only
"""Measure the grader beside other ones, on one small assignment: ``python -m tests.grade.beside_others [--learners N]``.

The assignment is the exercise that splits an address. ``kvmmmu-lab grade`` judges it with its own rules; nbgrader's
``autograde`` and a plain pytest run per submission try the same functions on a few hundred addresses. nbgrader is installed
into a temporary environment; without a network it is left out. The others run submissions with all rights of the instructor.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from ..exercises.checking import ROOT
from .class_of_1000 import sources, write_class
from .handing_in import SPLIT
from .measured import Measured, measure

NBGRADER = ("nbgrader>=0.9", "ipykernel")
ASSIGNMENT = "split"
COUNT = 100
"""How many addresses are tried in each mode."""

LEVELS = {"64": (39, 30, 21, 12), "pae": (30, 21, 12), "32": (22, 12)}
WIDTH = {"64": 9, "pae": 9, "32": 10}


def cases(mode):
    """Addresses, with what ``split`` has to return for them."""
    chance, found = random.Random(mode), []
    for _ in range(COUNT):
        gva = chance.getrandbits(64 if mode == "64" else 32)
        found.append((gva, (*((gva >> shift) % (1 << WIDTH[mode]) for shift in LEVELS[mode]), gva % 4096)))
    return found


def asserts():
    """The checks, as source by name."""
    found = {
        f"split_{mode}": f"for gva, right in {cases(mode)}:\n    assert tuple(split(gva, {mode!r})) == right\n"
        for mode in LEVELS
    }
    quadrants = [(gva, level, gva >> 12 + 9 * level & (1 << level) - 1) for gva, _ in cases("32") for level in (1, 2)]
    return found | {"quadrant": f"for gva, level, right in {quadrants}:\n    assert quadrant(gva, level) == right\n"}


def by_kit(folder, count):
    """What ``kvmmmu-lab grade`` costs."""
    given = write_class(folder / "class", SPLIT, count)
    command = [sys.executable, "-m", "kvmmmu_lab", "grade", given, "--out", folder / "report", "--exercise", SPLIT]
    return measure([*command, "--jobs", 2], cwd=ROOT)


def by_pytest(folder, count):
    """What one pytest run per submission costs, one after the other."""
    tests = "from split import quadrant, split\n\n\n" + "\n\n".join(
        f"def test_{name}():\n" + "".join(f"    {line}\n" for line in source.splitlines()) for name, source in asserts().items()
    )
    found = []
    for path in sorted(write_class(folder / "class", SPLIT, count).iterdir()):
        (path / "test_split.py").write_text(tests, "utf-8")
        found.append(
            measure([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", path, path], cwd=path)
        )
    return total(found)


def total(found):
    """The costs of commands that ran one after the other."""
    seconds, processor = sum(one.seconds for one in found), sum(one.processor for one in found)
    return Measured(seconds, processor, max(one.memory for one in found), max(one.status for one in found), found[-1].said)


def by_nbgrader(folder, count):
    """What ``nbgrader autograde`` costs, or why it can't be measured."""
    python = folder / "venv" / "bin" / "python"
    try:
        for command in ([sys.executable, "-m", "venv", folder / "venv"], [python, "-m", "pip", "install", "-q", *NBGRADER]):
            subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        return f"it can't be installed: {error.stderr.strip().splitlines()[-1:]}"
    course = folder / "course"
    write_book(course / "source" / ASSIGNMENT, "raise NotImplementedError\n")
    (course / "nbgrader_config.py").write_text(f"c = get_config()\nc.CourseDirectory.root = {str(course)!r}\n", "utf-8")
    nbgrader = [python, "-m", "nbgrader"]
    env = os.environ | {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}  # it starts alembic and a kernel
    made = measure([*nbgrader, "generate_assignment", ASSIGNMENT, "--create"], cwd=course, env=env)
    if made.status:
        return f"it can't make the assignment: {made.said[-500:]}"
    for number, source in enumerate(sources(SPLIT, count)):
        text = source.decode("utf-8", "replace")
        write_book(course / "submitted" / f"learner{number:05}" / ASSIGNMENT, text)
    cost = measure([*nbgrader, "autograde", ASSIGNMENT], cwd=course, env=env)
    graded = len(list((course / "autograded").glob("*/*/*.ipynb")))
    return cost if graded == count else f"it graded {graded} of {count}: {cost.said[-500:]}"


def write_book(folder, solution):
    """Write the assignment as a notebook, with this source in the cell for the solution."""
    cells = [
        cell("solution", f"### BEGIN SOLUTION\n{solution}\n### END SOLUTION" if folder.parent.name == "source" else solution)
    ]
    cells += [cell(name, source, points=2) for name, source in asserts().items()]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    folder.mkdir(parents=True)
    book = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / f"{ASSIGNMENT}.ipynb").write_text(json.dumps(book), "utf-8")


def cell(name, source, points=0):
    """A code cell: that of the solution, or one with checks that give points."""
    about = {"grade_id": name, "grade": bool(points), "locked": bool(points), "solution": not points, "task": False}
    about |= {"schema_version": 3} | ({"points": points} if points else {})
    metadata = {"nbgrader": about}
    return {"cell_type": "code", "id": name, "metadata": metadata, "source": source, "outputs": [], "execution_count": None}


def main():
    """Measure all graders, and print what a submission costs with each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learners", type=int, default=30)
    count = parser.parse_args().learners
    for name, grader in (("kvmmmu-lab grade", by_kit), ("pytest", by_pytest), ("nbgrader autograde", by_nbgrader)):
        with tempfile.TemporaryDirectory(prefix="beside-others-") as folder:
            cost = grader(Path(folder), count)
            print(f"{name}: {cost if isinstance(cost, str) else cost.each(count)}", flush=True)


if __name__ == "__main__":
    main()
