# SPDX-License-Identifier: GPL-2.0-only
"""Widgets in the live course: each lab is used, and a prediction is recorded."""

import re

import pytest

from kvmmmu_lab.labs import LABS

from ..browser.test_labs import BUTTONS
from .live_lab import LiveLab, text_of
from .static_server import serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lab(browser, whole_site):
    """The start page, in which each test runs cells of its own."""
    with serving(whole_site) as server:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        lab = LiveLab(context, server.address).open("notebooks/start.ipynb")
        assert text_of(lab.run("from kvmmmu_lab import labs")) == ""
        yield lab
        context.close()


@pytest.fixture(autouse=True)
def nobody_else_is_asked(lab):
    yield
    assert lab.elsewhere == []


def show(lab, code):
    """Run a cell that shows a widget; return the place of its output on the page."""
    outputs = lab.run(code)
    assert "error" not in {one["output_type"] for one in outputs}, text_of(outputs)
    lab.page.evaluate("jupyterapp.shell.currentWidget.content.widgets.at(-1).node.dataset.kvmmmuTest = 'last'")
    for other in lab.page.locator("[data-kvmmmu-test]").all()[:-1]:
        other.evaluate("(node) => delete node.dataset.kvmmmuTest")
    shown = lab.page.locator("[data-kvmmmu-test]")
    shown.scroll_into_view_if_needed()
    shown.locator(".jupyter-widgets").first.wait_for()
    return shown


@pytest.mark.parametrize("name", [one.__name__ for one in LABS if one.__name__ in BUTTONS])
def test_a_lab_is_used(lab, name):
    """Its button runs something, and a film with more than one step shows it."""
    shown = show(lab, f"labs.{name}()")
    shown.get_by_role("button", name=BUTTONS[name], exact=True).click()
    player = shown.locator(".jupyter-widgets .kvmmmu-player")
    player.wait_for()
    assert player.locator("svg").count() > 0
    assert re.search(r"Step \d+ of ([2-9]|\d\d)", player.inner_text())


def test_the_entry_decoder_decodes_what_is_typed(lab):
    shown = show(lab, "decoder = labs.entry_decoder(); decoder")
    field = shown.locator("input[type=text]").first
    field.fill("0x7063")
    field.press("Tab")  # leaves the field
    assert "7063" in text_of(lab.run("hex(decoder.value)"))


def test_a_prediction_is_recorded_where_it_is_kept(lab):
    lab.run("from kvmmmu_lab.lessons import lesson_00 as lesson; from kvmmmu_lab import open_guest")
    shown = show(lab, "guest = open_guest('lin64_A'); vm = guest.vm(); guess = lesson.filled(vm, 0x400000); guess")
    choice = shown.locator("input[type=radio]").first
    choice.check()
    lab.run("vm.access(0x400000, user=True); guess.reveal()")
    kept = lab.run("from kvmmmu_lab.progress import Progress; print(Progress().path.as_posix(), len(Progress().predictions))")
    assert text_of(kept).split() == ["/drive/.kvmmmu-lab/progress.json", "1"]
