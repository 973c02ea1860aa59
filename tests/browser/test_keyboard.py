# SPDX-License-Identifier: GPL-2.0-only
"""Whole lessons by keyboard alone, in both notebook applications and both browsers: where the focus lands after each key."""

import functools
import shutil
from contextlib import ExitStack
from pathlib import Path

import nbformat
import pytest

from .conftest import firefox_program
from .firefox import firefox
from .lab import RUN, Lab, serve

pytestmark = pytest.mark.slow

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
WAYS = ("chromium-lab", "chromium-notebook", "firefox-lab", "firefox-notebook")
SIZE = {"width": 1280, "height": 800}

FOCUS = """() => {
    const focused = document.activeElement, cells = jupyterapp.shell.currentWidget.content.widgets;
    const film = focused.closest(".kvmmmu-player"), question = focused.closest("[role=radiogroup], fieldset, .widget-radio");
    return { cell: cells.findIndex((cell) => cell.node.contains(focused)),
        place: film ? "film" : question ? "question" : focused.classList.contains("jp-Cell") ? "cell" : focused.tagName,
        words: (focused.getAttribute("aria-label") ?? focused.textContent).trim().slice(0, 50) };
}"""
"""Where the focus is: the number of the cell, what in it ("film", "question", "cell" or another element), and its words."""

IDLE = "jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"
RAN = f"""(number) => {{ const cell = jupyterapp.shell.currentWidget.content.widgets[number].model;
    return {IDLE} && (cell.type !== "code" || cell.executionCount > 0); }}"""
HOLDS = """(number) => {{
    const outputs = jupyterapp.shell.currentWidget.content.widgets[number].node.querySelectorAll("{selector}");
    return [...outputs].filter((one) => one.getClientRects().length).length; }}"""
FILMS = HOLDS.format(selector=".jp-OutputArea .kvmmmu-player")
QUESTIONS = HOLDS.format(selector=".jp-OutputArea [role=radiogroup], .jp-OutputArea fieldset, .jp-OutputArea .widget-radio")

IN_VIEW = """(number) => {
    const pane = document.querySelector(".jp-WindowedPanel-outer").getBoundingClientRect();
    const node = jupyterapp.shell.currentWidget.content.widgets[number].node;
    const films = [...node.querySelectorAll(".kvmmmu-player")].filter((one) => one.getClientRects().length);
    return films.map((film) => film.getBoundingClientRect()).map(({ top, height }) =>
        ({ below: Math.round(top - pane.top), height: Math.round(height), pane: Math.round(pane.height) })); }"""
"""For each film of a cell: how far below the top of the pane it begins, how high it is, and how high the pane."""


def walks():
    """All notebooks in all ways. Without `pytest -m whole`: one notebook.

    The others are made of the same films and questions; `test_barriers` uses each of these.
    """
    few = {(10, 2)}
    for number, path in enumerate(sorted(NOTEBOOKS.glob("*.ipynb"))):
        for way_number, way in enumerate(WAYS):
            marks = () if (number, way_number) in few else pytest.mark.whole
            yield pytest.param(path.name, way, id=f"{path.stem}-{way}", marks=marks)


@pytest.fixture(scope="module")
def servers(folder, environment):
    """A function that returns the address of an application; each is started once."""
    with ExitStack() as running:
        yield functools.cache(lambda application: running.enter_context(serve(folder, environment, application)))


@pytest.fixture
def lesson(request, servers, folder):
    """A function that opens a lesson in one of the ways, with the focus on its first cell."""
    with ExitStack() as running:

        def opened(name, way):
            engine, _, application = way.partition("-")
            pytest.importorskip({"lab": "jupyterlab"}.get(application, application))
            if engine == "firefox":
                page = running.enter_context(firefox(firefox_program(), **SIZE))
                running.callback(asks_no_network, page)
            else:
                page = request.getfixturevalue("lab_page")
                page.set_viewport_size(SIZE)
            shutil.copy(NOTEBOOKS / name, folder / name)
            lab = Lab(page, servers(application), name, application=application)
            page.evaluate(f"{RUN}('notebook:enter-command-mode')")
            return lab

        yield opened


def asks_no_network(page):
    ours = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:")
    assert not [address for address in page.requests if not address.startswith(ours)]


class Learner:
    """Somebody with a keyboard and without a mouse. ``log``: each key, and where the focus was after it."""

    def __init__(self, page):
        self.page, self.log = page, []

    def press(self, key, rest=60):
        self.page.keyboard.press(key)
        self.page.wait_for_timeout(rest)
        focus = self.page.evaluate(FOCUS)
        self.log.append((key, focus))
        return focus

    def at(self):
        return self.page.evaluate(FOCUS)

    def run(self):
        """Run the cell in which the focus is, as everywhere: Shift+Enter. Return its number."""
        number = self.at()["cell"]
        self.press("Shift+Enter")
        self.page.wait_for_function(RAN, arg=number, timeout=60_000)
        self.page.wait_for_timeout(1300 if self.page.evaluate(FILMS, number) else 200)  # a film settles in the pane
        return number

    def story(self):
        return "\n".join(f"{key}: {focus['place']} of cell {focus['cell']}: {focus['words']}" for key, focus in self.log)

    def stays(self, place, cell, *keys):
        """Press keys that a film or a question takes; the focus stays in it."""
        for key in keys:
            focus = self.press(key)
            assert (focus["place"], focus["cell"]) == (place, cell), self.story()

    def back_to(self, place, cell):
        """Go back into a film or question from the cell after it: with Shift+Tab, once."""
        focus = self.press("Shift+Tab")
        assert (focus["place"], focus["cell"]) == (place, cell), self.story()


@pytest.mark.parametrize(("name", "way"), list(walks()))
def test_a_whole_lesson_by_keyboard_alone(lesson, name, way):
    page = lesson(name, way).page
    tags = [cell.metadata.get("tags", ()) for cell in nbformat.read(NOTEBOOKS / name, 4).cells]
    learner, films, questions = Learner(page), 0, 0
    for cell in range(page.evaluate("jupyterapp.shell.currentWidget.content.widgets.length") - 1):
        assert learner.run() == cell
        assert learner.at() == {**learner.at(), "cell": cell + 1, "place": "cell"}, learner.story()
        inside = None
        if page.evaluate(QUESTIONS, cell):
            questions += 1
            inside = "question"
            if "check" in tags[cell]:
                learner.back_to("BUTTON", cell)  # "Another one" comes after the choices
            learner.back_to(inside, cell)
            learner.stays(inside, cell, "ArrowDown", "ArrowDown", "ArrowUp")
        if page.evaluate(FILMS, cell):
            films += 1
            inside = "film"
            seen = page.evaluate(IN_VIEW, cell)
            assert seen[0]["below"] >= 0 and seen[0]["below"] + seen[0]["height"] <= seen[0]["pane"], (cell, seen)
            assert all(film["height"] <= film["pane"] for film in seen), (cell, seen)
            learner.back_to(inside, cell)
            learner.stays(inside, cell, "ArrowRight", "ArrowRight", "ArrowLeft", "End", "Home", "?", "?")
        if "check" in tags[cell]:
            learner.stays("BUTTON", cell, "Tab")
        if inside:
            assert learner.press("Tab") == {**learner.at(), "cell": cell + 1, "place": "cell"}, learner.story()
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    print(learner.story())
    asked = [one for one in tags if "question" in one or "check" in one]
    assert questions == len(asked) and (films or not asked), (films, questions)
