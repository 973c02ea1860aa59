# SPDX-License-Identifier: GPL-2.0-only
"""Every lesson in the live course, in a browser that can reach nothing else: all cells run, and show what a computer shows."""

import pytest

from ..share import one_in
from .notebooks import EXERCISES, LESSONS, cells_of
from .outputs import same, wrong
from .static_server import serving

pytestmark = pytest.mark.slow

HARMLESS = (
    "Disabling terminals plugin because they are not available on the server",  # JupyterLab's, there is no terminal
    "Failed to load resource: the server responded with a status of 404",  # JupyterLite asks for folders that may not be there
)
"""What JupyterLite says on the console of each page."""


@pytest.fixture(scope="module")
def whole_server(whole_site):
    with serving(whole_site) as server:
        yield server


@pytest.fixture
def lab(new_reader, whole_server):
    """A browser that has never been there. It notes what the page complains about."""
    lab = new_reader(whole_server)
    lab.complaints = []

    def note(message):
        if message.type in ("error", "warning") and not message.text.startswith(HARMLESS):
            lab.complaints.append(message.text)

    lab.page.on("console", note)
    lab.page.on("pageerror", lambda error: lab.complaints.append(str(error)))
    return lab


@pytest.mark.parametrize("notebook", one_in(8, LESSONS, rest=pytest.mark.whole))
def test_a_lesson_runs_in_a_tab_and_shows_the_same_as_on_a_computer(notebook, lab, computer):
    cells = cells_of(notebook)
    lab.open(notebook)
    found = lab.run_all()
    assert wrong(found) == []
    assert same(cells, found, computer.run(cells)) == []
    assert lab.complaints == [] and lab.elsewhere == []


@pytest.mark.whole
def test_the_exercises_run_up_to_their_check(lab):
    for notebook in EXERCISES:
        cells = cells_of(notebook)
        checks = [number for number, code in enumerate(cells) if "check(" in code]
        assert checks, notebook
        lab.open(notebook)
        assert wrong(lab.run_all()[: checks[0]]) == [], notebook
    assert len(EXERCISES) == 10 and lab.elsewhere == []


def test_the_link_to_the_task_of_an_exercise_shows_its_text(lab):
    lab.open("exercises/04_rmap_add/rmap_add.ipynb")
    lab.page.click('.jp-Notebook a:text-is("README.md")')
    assert lab.page.wait_for_selector(".jp-MarkdownViewer h1").inner_text().startswith("Exercise 04: Reverse maps, add")
    assert lab.elsewhere == []
