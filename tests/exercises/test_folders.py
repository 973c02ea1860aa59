# SPDX-License-Identifier: GPL-2.0-only
"""The folder of an exercise contains the task, the stub, three hints, and a notebook that asks for the same and runs."""

import ast
import re

import nbformat
import pytest

from kvmmmu_lab.check.hints import hints
from kvmmmu_lab.workspace import prepare

from ..share import one_in
from . import solutions
from .checking import EXERCISES

NAMES = pytest.mark.parametrize("name", EXERCISES)


def notebook(name):
    exercise = EXERCISES[name]
    return nbformat.read(exercise.folder / f"{exercise.name}.ipynb", as_version=4)


def code(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


def tagged(book):
    return [cell for cell in code(book) if "solution" in cell.metadata.get("tags", ())]


def body(source):
    """The statements of a source, without comments, layout and the docstring of the module."""
    tree = ast.parse(source)
    nodes = [node for node in tree.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    return [ast.unparse(node) for node in nodes]


@NAMES
def test_the_readme_names_the_rules_their_points_and_the_commands(name):
    exercise = EXERCISES[name]
    text = (exercise.folder / "README.md").read_text("utf-8")
    for command in (f"kvmmmu-lab check {exercise.name}", f"kvmmmu-lab hint {exercise.name}", f"pytest exercises/{name}"):
        assert command in text
    assert text.startswith(f"# {exercise.heading}\n")
    points = [int(found) for found in re.findall(r"\| *(\d+) *\|", text)]
    assert sum(points) >= exercise.points, "a table with the points of each rule"


@NAMES
def test_the_task_and_the_notebook_say_where_to_write(name):
    exercise = EXERCISES[name]
    task = " ".join((exercise.folder / "README.md").read_text("utf-8").split())
    file = task.index(f"`{exercise.name}.py`")
    assert file < task.index(f"in the notebook `{exercise.name}.ipynb` instead, in the cell tagged `solution`") < file + 1000
    assert "`kvmmmu-lab check` takes the file, or the notebook if you have changed only the notebook." in task
    book = notebook(name)
    before = book.cells[book.cells.index(tagged(book)[0]) - 1].source
    assert "Write your solution in the next cell" in before and f"`{exercise.name}.py`" in before


@NAMES
def test_the_table_of_all_exercises_says_what_to_write(name):
    exercise = EXERCISES[name]
    table = (exercise.folder.parent / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| \[(\d+)\]\((\w+)/README\.md\) \| (.*?) \|", table, re.M)
    assert (exercise.number, name, exercise.about) in rows
    assert re.fullmatch(r"[A-Z][^.?!]*\.", exercise.about), "one sentence"


@NAMES
def test_there_are_about_ten_points_and_every_rule_is_a_sentence(name):
    exercise = EXERCISES[name]
    assert 8 <= exercise.points <= 14
    assert len({rule.name for rule in exercise.rules}) == len(exercise.rules)
    for rule in exercise.rules:
        assert rule.says[0].isupper() and rule.says.endswith(".") and len(rule.says) <= 120
        assert rule.cases or rule.drawn or rule.engine


@NAMES
def test_three_hints_and_no_code_in_them(name):
    found = hints(EXERCISES[name])
    assert len(found) == 3 and all(found)
    assert not any("```" in hint or "def " in hint for hint in found)


@NAMES
def test_the_notebook_is_clean_and_asks_for_the_same_as_the_file(name):
    book, exercise = notebook(name), EXERCISES[name]
    nbformat.validate(book)
    assert book.metadata.kernelspec.name == "python3"
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code(book))
    assert body("\n".join(cell.source for cell in tagged(book))) == body(exercise.file.read_text("utf-8"))
    assert f'check("{exercise.name}"' in code(book)[-1].source
    prose = [cell.source for cell in book.cells if cell.cell_type == "markdown"]
    assert [line for text in prose for line in text.splitlines() if line.startswith("# ")] == [f"# {exercise.heading}"]
    assert "[README.md](README.md)" in prose[1], "JupyterLab opens it as a preview"
    before = [cell for cell in code(book) if cell not in tagged(book)][:-1]
    assert before, "a picture before solving"


def owners(name):
    """The functions and classes that the file has to define."""
    return {defined.partition(".")[0] for defined in EXERCISES[name].defines}


def text_of(cell):
    return "".join(output.get("data", {}).get("text/plain", "") + output.get("text", "") for output in cell.outputs)


@pytest.mark.slow
@pytest.mark.parametrize("name", one_in(10, EXERCISES))
def test_the_notebook_runs_unattended_while_nothing_is_written(name, run_notebook):
    done = run_notebook(notebook(name), EXERCISES[name].folder)
    assert not [output for cell in code(done) for output in cell.outputs if output.output_type == "error"]
    assert "(not attempted)" in text_of(code(done)[-1])
    pages = [output.get("data", {}).get("text/html", "") for cell in code(done) for output in cell.outputs]
    assert [page for page in pages if "data:image/svg+xml;base64," in page], "a picture"


@pytest.mark.slow
@NAMES
def test_a_right_solution_in_the_notebook_passes(name, run_notebook):
    book = notebook(name)
    # the first one made of functions and classes: an object that a call returns can't be taken out of a notebook
    texts = [solution.source for solution in solutions.right(name).values()]
    source = next(text for text in texts if all(re.search(rf"^(class|def) {owner}\b", text, re.M) for owner in owners(name)))
    first, *rest = tagged(book)
    first.source = source
    for cell in rest:
        cell.source = ""
    done = run_notebook(book, EXERCISES[name].folder)
    assert "(passed)" in text_of(code(done)[-1]), text_of(code(done)[-1])


def test_the_working_folder_contains_all_files_of_each_exercise(tmp_path):
    prepare(tmp_path / "mine")
    for name, exercise in EXERCISES.items():
        there = {path.name for path in (tmp_path / "mine" / "exercises" / name).iterdir()}
        assert {"README.md", "hints.md", f"{exercise.name}.py", f"test_{exercise.name}.py", f"{exercise.name}.ipynb"} <= there
