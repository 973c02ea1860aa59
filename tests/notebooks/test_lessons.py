# SPDX-License-Identifier: GPL-2.0-only
"""Lessons: each notebook is what its source says, is mostly prose, and runs from top to bottom without anybody there."""

import ast
import functools
import re
from pathlib import Path

import jupytext
import nbformat
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("*.py"))
DRAWING = ("matplotlib", "graphviz", "svg", "digraph", "plot", "ipywidgets", "html", "display")


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def source(request):
    return request.param


@pytest.fixture
def notebook(source):
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def code_cells(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def code_lines(text):
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def test_there_are_lessons():
    assert LESSONS[0].stem == "00_first_fault"
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == {path.stem for path in LESSONS}


def test_the_notebook_is_built_from_its_source(source, notebook):
    """To build it: ``jupytext --to ipynb --update notebooks/NAME.py``."""

    def cells(book):
        return [(cell.cell_type, cell.source, cell.metadata.get("slideshow")) for cell in book.cells]

    assert cells(notebook) == cells(jupytext.read(source))


def test_the_notebook_is_clean_and_starts_its_kernel(notebook):
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None


def test_it_is_mostly_prose(notebook):
    prose = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    words = re.findall(r"[A-Za-z]+", re.sub(r"<!--.*?-->|`[^`]*`", "", prose, flags=re.DOTALL))
    assert len(words) >= 10 * sum(len(code_lines(text)) for text in code_cells(notebook))


def test_cells_are_short_import_from_one_package_and_draw_nothing_themselves(notebook):
    for text in code_cells(notebook):
        assert len(code_lines(text)) <= 15
        assert not [word for word in DRAWING if word in text.lower()]
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] == "kvmmmu_lab" for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] == "kvmmmu_lab"


@pytest.fixture(scope="module")
def ran():
    """Each notebook with its outputs, by name; run when it is first asked for."""
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")

    @functools.cache
    def run(name):
        book = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        return nbclient.NotebookClient(book, timeout=60, kernel_name="python3").execute()

    return run


def outputs(book):
    return [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]


def test_it_runs_unattended(source, ran):
    found = outputs(ran(source.stem))
    assert not [output for output in found if output.output_type in ("error", "stream")]
    pages = [output.data["text/html"] for output in found if "text/html" in output.get("data", {})]
    # what remains in a saved notebook without a kernel: pictures, or their text form, and the words
    assert len([page for page in pages if "data:image/svg+xml;base64," in page or "<pre" in page]) >= 5
    assert not [page for page in pages if re.search(r"src=.https?:|@import|url\(http", page)]


def test_lesson_0_ends_as_it_says(ran):
    text = "\n".join(output.data.get("text/plain", "") for output in outputs(ran("00_first_fault")))
    assert "It was: 3" in text and "It was: 1" in text
    assert "gpa=0x29af000" in text, "the stale access gets to the old frame"
    assert "Zap: the shadow entry #248:454, which led to gfn 0x29af, dies." in text
    assert "#248:454 is made from the guest's entry: PWUAD.NX gfn 0x29ae" in text
