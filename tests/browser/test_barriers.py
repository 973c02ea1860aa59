# SPDX-License-Identifier: GPL-2.0-only
"""What axe finds in whole lessons and in all labs in JupyterLab, and in the page of a film: both browsers, both themes."""

import shutil
from pathlib import Path

import nbformat
import pytest

from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import LABS, watch

from .barriers import barriers
from .conftest import firefox_program
from .firefox import firefox
from .lab import RUN, Lab, apart
from .test_labs import BUTTONS
from .test_lessons import DONE, IDLE

pytestmark = pytest.mark.slow

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
BROWSERS = ("chromium", "firefox")
TALL = {"width": 1280, "height": 28_000}
"""A window that shows a whole lesson."""

OURS = ".jp-OutputArea-output"
WIDGET = "application/vnd.jupyter.widget-view+json"
THERE = f"""jupyterapp.shell.currentWidget.content.widgets.flatMap((cell) => cell.model.outputs?.toJSON() ?? [])
    .filter((output) => output.data?.["{WIDGET}"]).length ===
    document.querySelectorAll(".lm-Panel.jp-OutputArea-output > .jupyter-widgets").length"""
"""Whether all widgets are shown."""

CHOOSE = """() => document.querySelectorAll(".kvmmmu-radio-group").forEach((group) =>
    group.querySelectorAll("label")[1].dispatchEvent(new MouseEvent("click", { bubbles: true, detail: 1 })))"""
OPEN = """() => document.querySelectorAll(".kvmmmu-player").forEach((film) => {
    film.querySelector(".kp-last").click();
    film.querySelector(".kp-steps-button[aria-expanded=false]")?.click(); })"""
STORY = """() => document.querySelector(".kp-picture [role=button]")
    .dispatchEvent(new MouseEvent("click", { bubbles: true }))"""
KEYS = """() => document.querySelector(".kp-keys").click()"""
TO_TOP = """() => document.querySelectorAll(".jp-WindowedPanel-outer").forEach((pane) => { pane.scrollTop = 0; })"""
BOTTOM = """() => Math.max(...[...document.querySelectorAll(".jp-Cell")].map((cell) => cell.getBoundingClientRect().bottom))"""
WAITING = ".kvmmmu-waiting"
COUNT = "(selector) => document.querySelectorAll(selector).length"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """JupyterLab keeps the whole notebook in its page, so that all of it can be looked at."""
    return apart(tmp_path_factory.mktemp("home"), windowingMode="none")


@pytest.fixture(scope="module")
def window(request):
    """A tall window of a browser."""
    if request.param == "firefox":
        with firefox(firefox_program(), **TALL) as page:
            yield page
    else:
        context = request.getfixturevalue("browser").new_context(viewport=TALL)
        context.set_default_timeout(60_000)
        yield context.new_page()
        context.close()


@pytest.fixture(scope="module")
def books(folder):
    """The lessons, and a notebook with each lab, before and after something was run in it."""
    for name in LESSONS:
        shutil.copy(NOTEBOOKS / name, folder / name)
    used = "lab = labs.{}()\n[one.click() for one in held(lab.widget) if getattr(one, 'description', '') == '{}']\nlab"
    cells = [f"labs.{lab.__name__}()" for lab in LABS] + [used.format(*names) for names in BUTTONS.items()]
    first = "from kvmmmu_lab import labs\nfrom kvmmmu_lab.player.cell_output import held"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (first, *cells)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "labs.ipynb")


@pytest.fixture(scope="module")
def jupyterlab(window, server, books):
    """A JupyterLab in that window."""
    return Lab(window, server, "labs.ipynb")


def pairs():
    """The labs and lesson 0 in both browsers, each other notebook in one of them. All with Chromium come first."""
    books = ["labs.ipynb", *LESSONS]
    for engine in BROWSERS:
        for number, name in enumerate(books):
            if number < 2 or BROWSERS[number % 2] == engine:
                few = (number, engine) == (0, BROWSERS[0])
                yield pytest.param(engine, name, id=f"{engine}-{name}", marks=() if few else pytest.mark.whole)


@pytest.mark.parametrize(("window", "name"), list(pairs()), indirect=["window"])
def test_a_notebook_has_no_barriers(jupyterlab, name):
    """Run, and then with all questions answered and all films at their ends, with their lists of steps."""
    page, found = jupyterlab.page, []
    jupyterlab.open(name)
    jupyterlab.run_all()
    page.wait_for_function(DONE)
    page.wait_for_function(IDLE)
    page.wait_for_function(THERE)
    page.wait_for_timeout(1000)  # films find their size
    page.evaluate(TO_TOP)
    if page.evaluate(COUNT, WAITING):
        found += barriers(page, WAITING)
        page.evaluate(CHOOSE)
        page.wait_for_function(f"!document.querySelector('{WAITING}')")
    page.evaluate(OPEN)
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.evaluate(f"{RUN}('apputils:change-theme', {{ theme: '{theme}' }})")
        page.wait_for_function(f"document.body.dataset.jpThemeName === '{theme}'")
        page.wait_for_timeout(500)
        page.evaluate(TO_TOP)
        assert page.evaluate(BOTTOM) < TALL["height"]
        found += [(theme, *one) for one in barriers(page, OURS)]
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    assert not found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_of_a_film_has_no_barriers_in_firefox(theme, tmp_path):
    """At rest, with the list of steps, with the story of an entry, and with the keys. (`test_looks` has it for Chromium.)"""
    vm = open_guest("lin64_A").vm()
    file = watch(lambda: vm.access(0x343C6000, user=True), vm, [0x343C6000]).save(tmp_path / "film.html")
    with firefox(firefox_program(), theme=theme) as page:
        page.goto(file.as_uri())
        page.wait_for_function("document.querySelector('.kvmmmu-player')?.clientWidth")
        assert page.evaluate("document.querySelector('.kvmmmu-player').matches('.kvmmmu-dark')") == (theme == "dark")
        found = barriers(page)
        for act in (OPEN, STORY, KEYS):
            page.evaluate(act)
            page.wait_for_timeout(200)
            found += barriers(page)
    assert not found
