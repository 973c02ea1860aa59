# SPDX-License-Identifier: GPL-2.0-only
"""A whole lesson by keyboard alone, in both notebook applications and both browsers: where the focus lands after each key."""

import shutil
from pathlib import Path

import pytest

from .conftest import missing
from .firefox import NAMES, find_firefox, firefox
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
    const film = [...node.querySelectorAll(".kvmmmu-player")].find((one) => one.getClientRects().length);
    const { top, height } = film.getBoundingClientRect();
    return { below: Math.round(top - pane.top), height: Math.round(height), pane: Math.round(pane.height) }; }"""
"""How far below the top of the pane the first film of a cell begins, how high it is, and how high the pane."""


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


@pytest.fixture
def lesson(way, request, tmp_path, environment):
    """A function that opens a lesson with the focus on its first cell."""
    engine, _, application = way.partition("-")
    pytest.importorskip({"lab": "jupyterlab"}.get(application, application))
    folder = tmp_path / "books"
    folder.mkdir()

    def opened(page, server, name):
        shutil.copy(NOTEBOOKS / name, folder / name)
        lab = Lab(page, server, name, application=application)
        page.evaluate(f"{RUN}('notebook:enter-command-mode')")
        return lab

    with serve(folder, environment, application) as server:
        if engine == "firefox":
            program = find_firefox()
            if not program:
                missing(f"Firefox: one of {', '.join(NAMES)}")
            with firefox(program, **SIZE) as page:
                yield lambda name: opened(page, server, name)
                ours = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:")
                assert not [address for address in page.requests if not address.startswith(ours)]
        else:
            page = request.getfixturevalue("lab_page")
            page.set_viewport_size(SIZE)
            yield lambda name: opened(page, server, name)


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
        """Press Shift+Tab until the focus is in a film or question of a cell: a few times at most."""
        for _ in range(6):
            focus = self.press("Shift+Tab")
            if (focus["place"], focus["cell"]) == (place, cell):
                return focus
        raise AssertionError(f"Shift+Tab does not lead to the {place} of cell {cell}:\n{self.story()}")


def test_a_whole_lesson_by_keyboard_alone(lesson, way):
    lab = lesson("00_first_fault.ipynb")
    page, learner = lab.page, Learner(lab.page)
    films = questions = 0
    for cell in range(page.evaluate("jupyterapp.shell.currentWidget.content.widgets.length") - 1):
        assert learner.run() == cell
        assert learner.at() == {**learner.at(), "cell": cell + 1, "place": "cell"}, learner.story()
        inside = None
        if page.evaluate(QUESTIONS, cell):
            questions += 1
            inside = "question"
            learner.back_to(inside, cell)
            learner.stays(inside, cell, "ArrowDown", "ArrowDown", "ArrowUp")
        if page.evaluate(FILMS, cell):
            films += 1
            inside = "film"
            seen = page.evaluate(IN_VIEW, cell)
            assert seen["below"] >= 0 and seen["below"] + seen["height"] <= seen["pane"], f"{way}, cell {cell}: {seen}"
            learner.back_to(inside, cell)
            learner.stays(inside, cell, "ArrowRight", "ArrowRight", "ArrowLeft", "End", "Home", "?", "?")
        if inside:
            assert learner.press("Tab") == {**learner.at(), "cell": cell + 1, "place": "cell"}, learner.story()
    assert films >= 3 and questions >= 2, (films, questions)
    print(learner.story())
