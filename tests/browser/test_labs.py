# SPDX-License-Identifier: GPL-2.0-only
"""Labs in the real JupyterLab: in one view, not wider than it, and usable by keyboard alone."""

import nbformat
import pytest

from kvmmmu_lab.labs import LABS

from ..share import one_in
from .lab import RUN, Lab

pytestmark = pytest.mark.slow

BUTTONS = {"fault_lab": "Go", "write_lab": "Write", "rmap_lab": "Map once more", "pool_lab": "Touch the next region"}
"""For each lab, the button that runs something; the entry decoder shows its result at once."""

MARK = """() => {
  const cell = jupyterapp.shell.currentWidget.content.widgets.at(-1).node;
  document.querySelectorAll(".the-lab").forEach((one) => one.classList.remove("the-lab"));
  const output = [...cell.querySelectorAll(".jp-OutputArea-output")].at(-1);
  output.classList.add("the-lab");
  output.scrollIntoView({ block: "start" }); }"""

BESIDE_FILES = 772
"""The width of a window that gives a notebook as much room as one of 1,024 pixels with the list of files."""

WIDER = """() => [...document.querySelectorAll(".the-lab, .the-lab *, .jp-Notebook, .jp-WindowedPanel-outer")]
  .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === "auto" && one.clientWidth)
  .map((one) => [one.className, one.scrollWidth, one.clientWidth])"""


@pytest.fixture(scope="module")
def notebook(browser, server, folder):
    """A notebook in which each test runs a cell of its own."""
    empty = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("from kvmmmu_lab import labs")])
    empty.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(empty, folder / "labs.ipynb")
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    yield Lab(context.new_page(), server, "labs.ipynb")
    context.close()


def show(notebook, name, width, theme):
    page = notebook.page
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate(f"{RUN}('apputils:change-theme', {{ theme: 'JupyterLab {theme}' }})")
    notebook.run(f"print('ran')\nfrom kvmmmu_lab import labs\nlabs.{name}()")
    page.evaluate(MARK)
    page.locator(".the-lab .jupyter-widgets").first.wait_for()
    return page


def press(page, name):
    button = page.locator(".the-lab").get_by_role("button", name=BUTTONS[name], exact=True)
    button.focus()
    page.keyboard.press("Enter")
    page.locator(".the-lab .kvmmmu-player").wait_for()
    page.wait_for_timeout(1500)
    assert button.evaluate("(button) => button === document.activeElement"), "the focus is lost"


@pytest.mark.parametrize(("width", "theme"), [(1280, "Light"), (1024, "Dark")])
@pytest.mark.parametrize("name", one_in(3, [lab.__name__ for lab in LABS], rest=pytest.mark.whole))
def test_a_lab_doesnt_scroll_sideways(notebook, name, width, theme):
    page = show(notebook, name, width, theme)
    for _ in range(2):
        assert not page.evaluate(WIDER)
        if name in BUTTONS:
            press(page, name)


@pytest.mark.parametrize("name", one_in(3, BUTTONS, rest=pytest.mark.whole))
def test_beside_the_list_of_files_only_pictures_scroll_sideways(notebook, name):
    page = show(notebook, name, BESIDE_FILES, "Light")
    for _ in range(2):
        assert {wide[0].split()[0] for wide in page.evaluate(WIDER)} <= {"kvmmmu-picture", "kp-picture"}
        press(page, name)


@pytest.mark.parametrize("name", [lab.__name__ for lab in LABS])
def test_a_lab_is_in_one_view(notebook, name):
    """Its controls, the verdict, and the film with its whole drawing, or the picture."""
    page = show(notebook, name, 1280, "Light")
    if name in BUTTONS:
        press(page, name)
    pane = page.locator(".jp-WindowedPanel-outer").first.bounding_box()["height"]
    last = ".kvmmmu-player" if name in BUTTONS else ".jupyter-widgets"
    top = page.locator(".the-lab").bounding_box()["y"]
    box = page.locator(f".the-lab {last}").first.bounding_box()
    assert box["y"] + box["height"] - top <= pane
    hidden = "(drawing) => drawing.scrollHeight - drawing.clientHeight"
    assert all(drawing.evaluate(hidden) <= 0 for drawing in page.locator(".the-lab .jupyter-widgets .kp-picture").all())
