# SPDX-License-Identifier: GPL-2.0-only
"""Lesson 0 as a learner meets it: run from top to bottom in JupyterLab, stepped through, clicked on."""

import re
import shutil
from pathlib import Path

import pytest

from .lab import RUN, Lab

pytestmark = pytest.mark.slow

LESSON = Path(__file__).resolve().parents[2] / "notebooks" / "00_first_fault.ipynb"

COUNTS = "[...document.querySelectorAll('.kp-count')]"

ALIVE = """from ipywidgets.widgets.widget import _instances
print(sum(type(one).__name__ == "FilmWidget" for one in _instances.values()))"""

CUT_OFF = """() => [...document.querySelectorAll(".jp-OutputArea-output")]
    .filter((one) => one.getClientRects().length && one.scrollWidth > one.clientWidth + 1)
    .map((one) => one.textContent.slice(0, 60))"""


@pytest.fixture
def lesson(lab_page, server, folder):
    shutil.copy(LESSON, folder / LESSON.name)
    lab = Lab(lab_page, server, LESSON.name)
    lab.run_all()
    lab_page.wait_for_function("document.querySelectorAll('.jupyter-widgets .kvmmmu-player').length === 3", timeout=90_000)
    return lab


def widgets(lab):
    """The films that Python hears from; their stills are hidden while they live."""
    return lab.page.locator(".jupyter-widgets .kvmmmu-player:visible")


def test_the_dying_entry_is_found_by_stepping_and_python_hears_of_the_click(lesson):
    fault, write = widgets(lesson).nth(0), widgets(lesson).nth(1)
    assert lesson.page.locator(".kvmmmu-player:visible").count() == 3, "one film a cell, not two"

    # the first fault, by keys: in 16 steps from nothing to a filled shadow
    fault.locator(".kp-picture").focus()
    shown = [fault.locator(".kp-words").inner_text()]
    for _ in range(15):
        lesson.page.keyboard.press("ArrowRight")
        shown.append(fault.locator(".kp-words").inner_text())
    assert shown[0] == "Before the first step." and shown[-1].startswith("The access succeeds.")
    assert sum("is taken from the pool" in words for words in shown) == 3
    assert fault.locator(".table.shadow[data-key]:not(.absent)").count() == 4

    # the write: run to the step in which an entry is zapped, and click on it
    steps = write.get_by_role("button", name="Steps", exact=True)
    steps.click()
    write.locator(".kp-stop").select_option("zap")
    write.locator(".kp-run").click()
    steps.click()
    assert re.match(r"The shadow entry #248:454, .* is zapped", write.locator(".kp-words").inner_text())
    dead = write.locator(".row.dead[data-key]")
    assert dead.count() == 1 and dead.get_attribute("data-key") == "s:248:454"
    dead.locator(".target").click()
    assert "#248:454" in write.locator(".kp-details").inner_text()
    said = lesson.run("print(write.picked)")
    assert said.startswith("You clicked on #248:454.") and re.search(r"map of gfn 0x29af at step \d+; it is zapped", said)
    assert lesson.run("write.widget.step = 1; print(write.widget.step)") == "1"
    lesson.page.wait_for_function(f"{COUNTS}.some((one) => one.textContent.startsWith('Step 1 of'))")


def test_a_search_finds_the_reverse_map(lesson):
    fault = widgets(lesson).nth(0)
    fault.locator(".kp-words").click()
    lesson.page.keyboard.press("/")
    lesson.page.keyboard.type("reverse map")
    lesson.page.keyboard.press("Enter")
    assert "reverse map of gfn" in fault.locator(".kp-words").inner_text()
    assert fault.locator(".row.changed[data-key]").get_attribute("data-key").endswith(":rmap")


def test_nothing_is_cut_off(lesson):
    page = lesson.page
    cells = page.evaluate("jupyterapp.shell.currentWidget.content.widgets.length")
    for theme, dark in (("JupyterLab Dark", "true"), ("JupyterLab Light", "false")):
        page.evaluate(f"{RUN}('apputils:change-theme', {{ theme: '{theme}' }})")
        page.wait_for_function(f"(document.querySelectorAll('.kvmmmu-player.kvmmmu-dark').length > 0) === {dark}")
        for width in (1024, 1600):
            page.set_viewport_size({"width": width, "height": 2600})
            for number in range(0, cells, 4):  # JupyterLab renders what is in view
                page.evaluate(f"jupyterapp.shell.currentWidget.content.scrollToItem({number})")
                page.wait_for_timeout(100)
                assert page.evaluate(CUT_OFF) == [], (theme, width)


def test_run_again_it_leaves_one_film_a_cell(lesson):
    lesson.run_all()
    lesson.page.wait_for_timeout(1000)
    lesson.page.wait_for_function("jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'")
    assert lesson.page.locator(".kvmmmu-player:visible").count() == 3
    assert lesson.run(ALIVE) == "3"
