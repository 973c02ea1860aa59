# SPDX-License-Identifier: GPL-2.0-only
"""The other lessons, and an exercise's notebook, as a learner meets them in JupyterLab."""

import shutil
from pathlib import Path

import nbformat
import pytest

from ..check.samples import WRONG
from ..share import one_in
from .lab import Lab
from .test_lesson_0 import CUT_OFF

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted(path for path in (ROOT / "notebooks").glob("[0-9]*.ipynb") if not path.name.startswith("00"))
IDLE = "jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"
DONE = """jupyterapp.shell.currentWidget.content.model.sharedModel.cells
    .every((cell) => cell.cell_type !== 'code' || cell.execution_count)"""


def opened(page, server, folder, path):
    shutil.copy(path, folder / path.name)
    lab = Lab(page, server, path.name)
    lab.run_all()
    page.wait_for_function(DONE, timeout=90_000)
    page.wait_for_function(IDLE)
    return lab


def cut_off(lab):
    """What scrolls sideways, over the whole notebook."""
    found = []
    lab.page.set_viewport_size({"width": 1024, "height": 2600})
    for number in range(0, lab.sources(), 4):
        lab.page.evaluate(f"jupyterapp.shell.currentWidget.content.scrollToItem({number})")
        lab.page.wait_for_timeout(100)
        found += lab.page.evaluate(CUT_OFF)
    return sorted(set(found))


@pytest.mark.parametrize("path", one_in(20, LESSONS, lambda path: path.stem, pytest.mark.whole))
def test_a_lesson_runs_and_nothing_is_cut_off(lab_page, server, folder, path):
    lab = opened(lab_page, server, folder, path)
    assert lab_page.locator(".jp-OutputArea-output[data-mime-type*=error]").count() == 0
    assert lab_page.locator(".kvmmmu-player:visible").count() >= 1
    assert cut_off(lab) == []


def test_a_wrong_solution_is_shown_beside_what_should_be(lab_page, server, folder):
    source = ROOT / "exercises" / "04_rmap_add" / "rmap_add.ipynb"
    book = nbformat.read(source, as_version=4)
    for cell in book.cells:
        if "solution" in cell.metadata.get("tags", ()):
            cell.source = WRONG.strip()
    nbformat.write(book, folder / source.name)
    lab = Lab(lab_page, server, source.name)
    lab.run_all()
    lab_page.wait_for_function(DONE, timeout=90_000)
    lab_page.evaluate(f"jupyterapp.shell.currentWidget.content.scrollToItem({lab.sources() - 1})")
    shown = lab_page.locator(".jp-OutputArea-output", has_text="has lost spte #7:15")
    shown.wait_for(timeout=20_000)
    assert shown.locator("img.light").count() == 2, "what should be, and what is"
    assert "kvmmmu-lab hint rmap_add" in shown.inner_text()
    assert cut_off(lab) == []
