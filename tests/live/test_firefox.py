# SPDX-License-Identifier: GPL-2.0-only
"""Lesson 0 live in the installed Firefox, from opening it to its last cell."""

import pytest

from ..browser.conftest import firefox_program
from ..browser.firefox import firefox
from .live_lab import KEPT, PATIENCE, PROGRESS
from .static_server import serving

pytestmark = [pytest.mark.slow, pytest.mark.whole]

CELLS = """[...jupyterapp.shell.currentWidget.content.model.cells].filter((cell) => cell.type === "code")"""


def run_lesson_0(page, server):
    page.goto(f"{server.address}/live/lab/index.html?path=notebooks/00_first_fault.ipynb")
    over = f"{PROGRESS} && ({PROGRESS}.hidden || {PROGRESS}.textContent.includes('again'))"
    try:
        page.wait_for_function(over, timeout=PATIENCE)
    except TimeoutError:
        pytest.fail(f"after {PATIENCE / 1000:.0f} s the page says: {page.evaluate(f'{PROGRESS}?.textContent')}")
    assert page.evaluate(f"{PROGRESS}.hidden"), page.evaluate(f"{PROGRESS}.textContent")
    page.evaluate("void jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")  # those of an earlier visit
    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    failed = f"{CELLS}.flatMap((cell) => cell.outputs.toJSON()).filter((one) => one.output_type === 'error')"
    page.wait_for_function(f"{CELLS}.every((cell) => cell.executionCount) || {failed}.length", timeout=PATIENCE)
    assert page.evaluate(f"{failed}.map((one) => one.evalue)") == []
    page.wait_for_function("document.querySelectorAll('.jp-OutputArea svg').length", timeout=PATIENCE)


def test_lesson_0_runs_whole_in_firefox(whole_site):
    with serving(whole_site) as server, firefox(firefox_program()) as page:
        run_lesson_0(page, server)
        page.evaluate(f"void ({KEPT})().then((kept) => (window.kept = kept))")
        while not page.evaluate("window.kept"):
            page.wait_for_timeout(1000)
            page.evaluate(f"void ({KEPT})().then((kept) => (window.kept = kept))")
        run_lesson_0(page, server)  # with the Python that is kept
