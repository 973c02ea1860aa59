# SPDX-License-Identifier: GPL-2.0-only
"""A notebook that was run, saved, and is opened again without its kernel shows what it showed, and no error."""

import nbformat
import pytest

from .lab import RUN, Lab

pytestmark = pytest.mark.slow

CELLS = (
    "from kvmmmu_lab import labs, open_guest\nvm = open_guest('lin64_A').vm()\n"
    "film = labs.watch(lambda: vm.access(0x343C6000), vm)\nfilm",
    "labs.predict('How many faults?', [0, 1, 3])",
    "labs.entry_decoder()",
    "film",
)
LIVE, STILL = ".lm-Panel.jp-OutputArea-output .jupyter-widgets:visible", '[class^="kvmmmu-still-"]:visible'
RERUN = ".kvmmmu-rerun:visible"


@pytest.fixture(scope="module")
def saved(browser, server, folder):
    """A notebook that was run twice and saved both times; its outputs after each run, before and after a prediction."""
    cells = [nbformat.v4.new_code_cell(cell, id=f"cell-{number}") for number, cell in enumerate(CELLS)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "saved.ipynb")
    page = browser.new_page(viewport={"width": 1024, "height": 4000})
    page.set_default_timeout(60_000)
    lab = Lab(page, server, "saved.ipynb")

    def run_and_save():
        lab.run_all()
        ready = "(live) => document.querySelectorAll(live).length === 2"
        page.wait_for_function(ready, arg=".jupyter-widgets .kvmmmu-player")
        return save()

    def save():
        page.evaluate(f"{RUN}('docmanager:save')")
        page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
        return [cell.outputs for cell in nbformat.read(folder / "saved.ipynb", as_version=4).cells]

    runs = [run_and_save(), run_and_save()]
    assert page.locator(STILL).count() == 0, "a kernel runs: the widgets replace the stills"
    assert page.locator(RERUN).count() == 0
    page.locator("input[type=radio]:visible").nth(1).check()
    page.locator(".kvmmmu-question li b").wait_for(state="attached")
    assert page.evaluate("document.activeElement.matches('input[type=radio]')"), "saving it doesn't move the focus"
    runs.append(save())
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.close()
    return runs


def without_counts(outputs):
    return [{**output, "execution_count": None} for cell in outputs for output in cell]


def test_a_second_run_saves_the_same_outputs(saved):
    first, second, _ = saved
    assert without_counts(first) == without_counts(second)


def test_opened_again_without_its_kernel_it_shows_films_and_predictions_and_no_error(saved, lab_page, server):
    page = lab_page
    page.set_viewport_size({"width": 1024, "height": 4000})
    Lab(page, server, "saved.ipynb")
    page.locator(".kvmmmu-player").nth(1).wait_for()
    page.wait_for_timeout(3000)  # JupyterLab looks for the model of a widget for two seconds
    text = page.locator("body").text_content()
    for words in ("model not found", "Error displaying widget", "Loading widget"):
        assert words not in text
    assert page.locator(STILL).count() == len(CELLS) and page.locator(LIVE).count() == 0
    page.locator(RERUN).nth(1).wait_for()
    said = "Saved from an earlier run. To use it, run the cells above, then this one."
    assert page.locator(RERUN).all_inner_texts() == [said] * 2, "films play without a kernel; the others need one"
    assert page.locator(".kvmmmu-question li:has(b)").inner_text().startswith("1")
    page.locator(".kvmmmu-player").first.locator(".kp-forward").click()
    counts = page.locator(".kp-count").all_inner_texts()
    assert counts[0].startswith("Step 1") and counts[1].startswith("Step 0"), "two outputs of one film play apart"


def test_in_a_notebook_that_is_not_trusted_it_shows_pictures_and_predictions(saved, lab_page, server, folder):
    notebook = nbformat.read(folder / "saved.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("from somewhere else"))  # trust goes by content
    nbformat.write(notebook, folder / "stranger.ipynb")
    Lab(lab_page, server, "stranger.ipynb")
    lab_page.locator(".jp-OutputArea-output img").first.wait_for()
    lab_page.wait_for_timeout(3000)
    text = lab_page.locator(".jp-Notebook").inner_text()
    assert "not found" not in text and "Loading" not in text
    assert lab_page.locator(".kvmmmu-question li:has(b)").inner_text().startswith("1")


VS_CODE = """() => { const { body } = document;
    delete body.dataset.jpThemeLight;
    body.classList.add("vscode-dark");
    body.style.cssText = "--vscode-editor-background: rgb(30, 30, 30); --vscode-editor-foreground: rgb(212, 212, 212)";
    const colours = (where) => [...document.querySelectorAll(where)].map((one) => getComputedStyle(one).color);
    return colours(".widget-label, .jupyter-button:not(.mod-info), .widget-text input"); }"""


def test_widgets_follow_vs_code_and_when_the_kernel_restarts_the_stills_come_back(lab_page, server, folder, saved):
    page = lab_page
    page.set_viewport_size({"width": 1024, "height": 4000})
    lab = Lab(page, server, "saved.ipynb")
    lab.run_all()
    page.wait_for_function("document.querySelectorAll('.jupyter-widgets .kvmmmu-player').length === 2")
    assert set(page.evaluate(VS_CODE)) == {"rgb(212, 212, 212)"}, "widgets have the colours of VS Code, in a page like its"
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart().then(() => null)")
    page.locator(STILL).nth(len(CELLS) - 1).wait_for()
    assert page.locator(LIVE).count() == 0, "a widget without its kernel doesn't react, so it isn't shown"


def test_the_run_button_of_the_toolbar_runs_the_next_cell_while_a_film_has_the_focus(lab_page, server, folder):
    cells = [nbformat.v4.new_code_cell(cell) for cell in (CELLS[0], "print('next')")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "run.ipynb")
    page = lab_page
    Lab(page, server, "run.ipynb")
    page.locator(".jp-Cell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    page.locator(".jupyter-widgets .kvmmmu-player .kp-forward").click()
    page.locator('[data-command="notebook:run-cell-and-select-next"]').first.click()
    counts = "jupyterapp.shell.currentWidget.content.widgets.map((cell) => cell.model.executionCount)"
    page.wait_for_function(f"{counts}[1] === 2")
    assert page.evaluate(counts)[:2] == [1, 2], "the film's own cell isn't run again"
    assert page.locator(".kp-count:visible").inner_text().startswith("Step 1 of 15")
