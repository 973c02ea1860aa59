# SPDX-License-Identifier: GPL-2.0-only
"""The museum in the real JupyterLab: a card, the table, and the lab, which is in one view and runs an exhibit."""

import shutil
from pathlib import Path

import nbformat
import pytest

from .lab import RUN, Lab
from .test_labs import BESIDE_FILES, MARK, WIDER

pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "museum.ipynb"


@pytest.fixture(scope="module")
def notebook(browser, server, folder):
    """A notebook in which each test runs a cell of its own."""
    empty = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("from kvmmmu_lab import museum")])
    empty.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(empty, folder / "museum_cells.ipynb")
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    yield Lab(context.new_page(), server, "museum_cells.ipynb")
    context.close()


def show(notebook, code, width, theme, wait):
    page = notebook.page
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate(f"{RUN}('apputils:change-theme', {{ theme: 'JupyterLab {theme}' }})")
    notebook.run(f"print('ran')\nfrom kvmmmu_lab.museum import exhibit, exhibits, museum_lab\n{code}")
    page.evaluate(MARK)
    page.locator(f".the-lab {wait}").first.wait_for()
    return page


def run(page):
    button = page.locator(".the-lab").get_by_role("button", name="Run", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    page.locator(".the-lab .kvmmmu-player").wait_for()
    page.wait_for_timeout(1500)
    assert button.evaluate("(button) => button === document.activeElement"), "the focus is lost"


@pytest.mark.parametrize(("code", "wait"), [("exhibit('shared_pt_escalation')", "table"), ("exhibits()", "table")])
@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_cards_and_the_table_fit(notebook, code, wait, theme):
    page = show(notebook, code, 1024, theme, wait)
    wide = [one for one in page.evaluate(WIDER) if "kvmmmu" not in one[0]]
    assert not wide, wide


def test_the_lab_is_in_one_view_and_shows_what_went_wrong(notebook):
    page = show(notebook, "exhibit('slot_move_stale').lab()", 1280, "Light", ".jupyter-widgets")
    page.locator(".the-lab").get_by_label("What happens?").select_option("a wrong result")
    run(page)
    verdict = page.locator(".the-lab [role=status]").first.inner_text()
    assert "reaches gpa 0x800000" in verdict and "you said a wrong result" in verdict
    pane = page.locator(".jp-WindowedPanel-outer").first.bounding_box()["height"]
    top = page.locator(".the-lab").bounding_box()["y"]
    box = page.locator(".the-lab .kvmmmu-player").first.bounding_box()
    assert box["y"] + box["height"] - top <= pane
    page.locator(".the-lab").get_by_role("button", name="fixed", exact=True).click()
    run(page)
    assert "nothing goes wrong" in page.locator(".the-lab [role=status]").first.inner_text()


@pytest.mark.parametrize("width", [BESIDE_FILES, 1024])
def test_the_lab_doesnt_scroll_sideways(notebook, width):
    page = show(notebook, "museum_lab('shared_pt_livelock')", width, "Light", ".jupyter-widgets")
    for _ in range(2):
        assert {wide[0].split()[0] for wide in page.evaluate(WIDER)} <= {"kvmmmu-picture", "kp-picture", "kvmmmu-code"}
        run(page)


def test_the_page_of_the_museum(lab_page, server, folder):
    """All cells run; the table, the card, two films and the lab are there."""
    shutil.copy(NOTEBOOK, folder / NOTEBOOK.name)
    lab = Lab(lab_page, server, NOTEBOOK.name)
    lab.run_all()
    lab_page.locator(".jp-OutputArea-output .jupyter-widgets").last.wait_for()
    lab_page.wait_for_timeout(3000)
    cells = lab_page.evaluate("jupyterapp.shell.currentWidget.content.widgets.map((one) => one.model.toJSON())")
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert sum("slot_move_stale" in str(output) for output in outputs) >= 4
    assert lab_page.evaluate("jupyterapp.shell.currentWidget.content.node.querySelectorAll('.kvmmmu-player').length") >= 1
