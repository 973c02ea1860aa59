# SPDX-License-Identifier: GPL-2.0-only
"""Films in the real JupyterLab: alive, steered from Python, saved and opened again, and in a notebook that isn't trusted."""

import json
import subprocess
import sys

import nbformat
import pytest

from ..player import films
from .lab import RUN, Lab

pytestmark = pytest.mark.slow

CELLS = (
    "import json\nfrom IPython.display import HTML\nfrom kvmmmu_lab.player.page import film_html\n"
    "from kvmmmu_lab.player.widget import film_widget\nfilm = json.load(open('film.json'))\nHTML(film_html(film))",
    "widget = film_widget(film)\nwidget",
    "widget.step = 3",
)


def write(folder, name, cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / name)
    (folder / "film.json").write_text(json.dumps(films.small()), "utf-8")


def test_a_film_in_a_living_notebook(lab_page, server, folder):
    page = lab_page
    write(folder, "film.ipynb", CELLS)
    lab = Lab(page, server, "film.ipynb")
    lab.run_all()
    page.wait_for_function("document.querySelectorAll('.kvmmmu-player').length === 2")
    html, widget = lab.player(0), lab.player(1)
    page.wait_for_function("document.querySelectorAll('.kp-count')[1].textContent === 'Step 3 of 9'")

    # clicks and the film's own keys reach the player; text goes into its search field
    before = lab.sources()
    for player in (html, widget):
        player.locator(".kp-last").click()
        player.locator(".kp-first").click()
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
            page.keyboard.press(key)
        assert player.locator(".kp-count").inner_text() == "Step 1 of 9"
        page.keyboard.press("/")
        page.keyboard.type("ddab 1")
        assert player.locator(".kp-search").input_value() == "ddab 1"
        page.keyboard.press("Escape")
    assert lab.sources() == before

    # the player tells Python, and Python the player
    widget.locator(".kp-slider").focus()
    page.keyboard.press("Home")
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(1500)
    assert lab.run("print(widget.step, widget.picked)") == "7 None"
    page.keyboard.press("Home")
    assert lab.run("widget.seek(7); print(widget.step)") == "7", "the kernel had not heard of the step yet"
    page.wait_for_function("document.querySelectorAll('.kp-count')[1].textContent === 'Step 7 of 9'")
    assert lab.run("heard = []; widget.on_pick(heard.append); widget.step = 8; print('done')") == "done"
    page.wait_for_function("document.querySelectorAll('.kp-count')[1].textContent === 'Step 8 of 9'")

    # also when the kernel was busy while the player moved, and its report crosses the kernel's word
    widget.locator(".kp-first").click()
    assert widget.locator(".kp-count").inner_text() != "Step 8 of 9"
    assert lab.run("import time; time.sleep(3); widget.step = 6; print('moved')") == "moved"
    page.wait_for_function("document.querySelectorAll('.kp-count')[1].textContent === 'Step 6 of 9'")
    page.wait_for_timeout(1500)
    assert lab.run("print(widget.step); widget.step = 8") == "6"
    page.wait_for_function("document.querySelectorAll('.kp-count')[1].textContent === 'Step 8 of 9'")
    for _ in range(2):
        widget.locator('[data-key="s:252:5"] .target').click()
        page.wait_for_timeout(500)  # what was picked is brought into view: the next click has to find it at rest
    picked = {"key": "s:252:5", "step": 8}
    assert lab.run("print(widget.picked, len(heard))") == f"{picked} 2"

    # fits beside the prompt, and follows the theme
    assert html.locator(".kp-picture").evaluate("(picture) => picture.scrollWidth <= picture.clientWidth")
    assert html.locator(".kp-picture").evaluate("(picture) => picture.clientWidth") >= 826
    page.evaluate(f"{RUN}('apputils:change-theme', {{ theme: 'JupyterLab Dark' }})")
    page.wait_for_function("document.querySelectorAll('.kvmmmu-player.kvmmmu-dark').length === 2")
    page.evaluate(f"{RUN}('apputils:change-theme', {{ theme: 'JupyterLab Light' }})")
    page.wait_for_function("document.querySelectorAll('.kvmmmu-player.kvmmmu-dark').length === 0")

    # saved with its output, from which it plays when it is opened again
    page.evaluate(f"{RUN}('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    outputs = nbformat.read(folder / "film.ipynb", as_version=4).cells[0].outputs
    assert 'script type="module"' in outputs[0].data["text/html"]


STATE = """(() => { const { content } = jupyterapp.shell.currentWidget;
    return [content.mode, content.activeCellIndex, content.widgets.length]; })()"""


def test_with_a_film_focused_the_notebooks_keys_do_what_they_do_elsewhere(lab_page, server, folder):
    page = lab_page
    page.set_viewport_size({"width": 1280, "height": 800})
    write(folder, "keys.ipynb", (CELLS[0], "print('x')", "print('y')", *["'more'\n" * 20] * 3))
    lab = Lab(page, server, "keys.ipynb")
    page.locator(".jp-Cell").first.click()
    page.keyboard.press("Shift+Enter")
    count = lab.player(0).locator(".kp-count")
    count.wait_for()
    page.wait_for_timeout(1500)
    inside = """() => { const [pane, film] = [".jp-WindowedPanel-outer", ".kvmmmu-player"]
        .map((name) => document.querySelector(name).getBoundingClientRect());
        return pane.top <= film.top && film.bottom <= pane.bottom; }"""
    assert page.evaluate(inside), "the film that was just made is in view"

    def focus():
        lab.player(0).locator(".kp-words").click()
        page.keyboard.press("ArrowRight")

    cells = page.evaluate(STATE)[2]
    focus()
    page.keyboard.press("Escape")
    assert page.evaluate(STATE) == ["command", 0, cells]
    focus()
    page.keyboard.press("b")  # a cell below, as from any output
    page.wait_for_function(f"{STATE}[2] === {cells + 1}")
    page.keyboard.press("d")
    page.keyboard.press("d")
    page.wait_for_function(f"{STATE}[2] === {cells}")
    focus()
    ran = page.evaluate("jupyterapp.shell.currentWidget.content.widgets[0].model.executionCount")
    page.keyboard.press("Shift+Enter")
    page.wait_for_function(f"jupyterapp.shell.currentWidget.content.widgets[0].model.executionCount > {ran}")
    assert page.evaluate(STATE) == ["command", 1, cells]


def copy_without_kernel(folder, ran, name, environment, trusted):
    """JupyterLab asks for the kernel of a notebook that names neither a kernel nor a language; `Lab` chooses none."""
    notebook = nbformat.read(folder / ran, as_version=4)
    notebook.metadata.clear()
    notebook.cells.append(nbformat.v4.new_markdown_cell(name))  # trust goes by content: no copy is like another
    nbformat.write(notebook, folder / name)
    if trusted:
        subprocess.run([sys.executable, "-m", "jupyter", "trust", str(folder / name)], env=environment, check=True)


@pytest.fixture(scope="module")
def ran(folder, environment):
    """A notebook with its output, made without a browser, for the tests that only open it."""
    name = "ran.ipynb"
    write(folder, name, CELLS[:1])
    program = "import sys, nbformat; from nbclient import NotebookClient; n = nbformat.read(sys.argv[1], 4);"
    program += "NotebookClient(n).execute(); nbformat.write(n, sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, name], cwd=folder, env=environment, check=True)
    return name


def test_opened_again_without_a_kernel_it_plays(lab_page, server, folder, ran, environment):
    page = lab_page
    copy_without_kernel(folder, ran, "trusted.ipynb", environment, trusted=True)
    lab = Lab(page, server, "trusted.ipynb", kernel=False)
    player = lab.player(0)
    player.locator(".kp-forward").click()
    page.keyboard.press("ArrowRight")
    assert player.locator(".kp-count").inner_text() == "Step 2 of 9"
    assert page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session") is None


def test_in_a_notebook_that_is_not_trusted_the_still_and_the_steps_show(lab_page, server, folder, ran, environment):
    page = lab_page
    copy_without_kernel(folder, ran, "foreign.ipynb", environment, trusted=False)
    Lab(page, server, "foreign.ipynb", kernel=False)
    still = page.locator(".jp-OutputArea-output img")
    still.wait_for()
    assert still.evaluate("(image) => image.complete && image.naturalWidth > 300")
    assert page.locator(".kvmmmu-player").count() == 0
    page.locator(".jp-OutputArea-output summary").click()
    assert page.locator(".jp-OutputArea-output li").count() == 10


def test_a_picture_follows_the_theme_and_survives_without_trust(lab_page, server, folder, environment):
    page, one = lab_page, ".kvmmmu-picture img:visible"
    cells = ["from kvmmmu_lab.draw.example import example\nexample()"]
    write(folder, "picture.ipynb", cells)
    lab = Lab(page, server, "picture.ipynb")
    lab.run_all()
    page.locator(one).wait_for()
    for theme, name in (("JupyterLab Dark", "dark"), ("JupyterLab Light", "light")):
        page.evaluate(f"{RUN}('apputils:change-theme', {{ theme: '{theme}' }})")
        shown = "(name) => document.querySelector('.kvmmmu-picture img.' + name).getClientRects().length"
        page.wait_for_function(shown, arg=name)
        assert page.locator(one).count() == 1
    page.evaluate(f"{RUN}('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    copy_without_kernel(folder, "picture.ipynb", "untrusted.ipynb", environment, trusted=False)
    Lab(page, server, "untrusted.ipynb", kernel=False)
    page.locator(".jp-OutputArea-output img:visible").wait_for()
    assert page.locator(".jp-OutputArea-output img:visible").count() == 1


def test_exported_as_html_it_plays_from_a_file(lab_page, folder, ran, environment):
    page = lab_page
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--template", "basic", str(folder / ran)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    page.context.unroute_all()
    page.goto((folder / ran).with_suffix(".html").as_uri())
    page.locator(".kp-forward").click()
    page.keyboard.press("ArrowRight")
    assert page.locator(".kp-count").inner_text() == "Step 2 of 9"
