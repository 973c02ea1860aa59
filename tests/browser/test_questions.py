# SPDX-License-Identifier: GPL-2.0-only
"""Questions of a lesson in JupyterLab: chosen with keys or the mouse, and answered only then."""

import json
import shutil
from pathlib import Path

import pytest

from .lab import Lab

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CELLS = "jupyterapp.shell.currentWidget.content"
IDLE = "jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"


@pytest.fixture
def lesson(lab_page, server, folder):
    path = ROOT / "notebooks" / "10_pre_write_32.ipynb"
    shutil.copy(path, folder / path.name)
    return Lab(lab_page, server, path.name)


def run_to(lab, source):
    """Run cells with Shift+Enter, up to and including the one with this source."""
    lab.page.evaluate(f"{CELLS}.activeCellIndex = 0; {CELLS}.node.focus()")
    run_on_to(lab, source)


def active(lab):
    return lab.page.evaluate(f"{CELLS}.activeCell.model.sharedModel.source")


def run_on_to(lab, source):
    for _ in range(lab.sources()):
        before = active(lab)
        lab.page.keyboard.press("Shift+Enter")
        lab.page.wait_for_timeout(150)
        lab.page.wait_for_function(IDLE)
        if source in before:
            lab.page.wait_for_timeout(300)
            return
    raise AssertionError(f"no cell with {source}")


def group(lab, number=0):
    return lab.page.get_by_role("radiogroup").nth(number)


def focused(lab):
    return lab.page.evaluate("document.activeElement.closest('label')?.textContent ?? document.activeElement.tagName")


def test_a_question_is_answered_with_the_keyboard_alone(lesson):
    run_to(lesson, "lesson.index(")
    question = group(lesson)
    assert question.get_attribute("aria-labelledby")
    assert lesson.page.get_by_role("radiogroup", name="4 bytes at offset 0x494: which spte dies?").count() == 1
    asked_in = active(lesson)
    question.get_by_role("radio").first.focus()
    lesson.page.keyboard.press("Space")
    lesson.page.keyboard.press("ArrowDown")
    assert focused(lesson) == "number 293", "the arrow moves the choice"
    question_cell = active(lesson)
    assert question_cell != asked_in and "lesson.index(" in question_cell, "and not the notebook"
    assert question.get_by_role("radio", name="number 293").is_checked()
    lesson.page.keyboard.press("Tab")
    assert focused(lesson) not in ("number 293", "number 146", "none"), "one Tab leaves"
    lesson.page.keyboard.press("Shift+Tab")
    lesson.page.keyboard.press("Shift+Tab")
    question.get_by_role("radio", name="number 293").focus()
    run_on_to(lesson, "guess_index.reveal()")  # Shift+Enter works as everywhere, and running the cell again keeps the choice
    assert group(lesson).get_by_role("radio", name="number 293").is_checked()
    said = lesson.page.locator(".kvmmmu-answer:visible")
    assert "✓ You said: number 293. It was: number 293. Right!" in said.first.inner_text()


def test_an_answer_waits_for_a_choice_and_appears_with_it(lesson, folder):
    run_to(lesson, "guess_index.reveal()")
    waiting = lesson.page.locator(".kvmmmu-waiting:visible")
    assert waiting.count() == 1 and lesson.page.locator(".kvmmmu-answer:visible").count() == 0
    radios = group(lesson).get_by_role("radio")
    radios.first.focus()
    lesson.page.keyboard.press("ArrowDown")
    lesson.page.keyboard.press("ArrowDown")
    lesson.page.wait_for_timeout(500)
    assert waiting.count() == 1, "the arrow keys only pass the choices between"
    lesson.page.keyboard.press("Space")
    said = lesson.page.locator(".kvmmmu-answer:visible")
    said.wait_for()
    assert said.inner_text().startswith("✗ You said: number 294. It was: number 293.") and waiting.count() == 0
    group(lesson).get_by_text("number 293").click()
    status = group(lesson).get_by_role("status")
    status.wait_for()
    assert status.inner_text() == "Your first answer counts: number 294. This one was chosen after the answer was shown."
    assert said.inner_text().startswith("✗ You said: number 294.")
    lesson.page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    lesson.page.wait_for_timeout(1000)
    saved = json.loads((folder / "10_pre_write_32.ipynb").read_text("utf-8"))
    (cell,) = (cell for cell in saved["cells"] if "guess_index.reveal()" in "".join(cell["source"]))
    assert "You said: number 294" in json.dumps(cell["outputs"]), "what was predicted is still there when it opens again"


def test_after_a_reload_a_choice_reaches_the_answer_and_the_file(lesson, server, folder):
    """JupyterLab then no longer knows the display ids with which the kernel replaces outputs."""
    page, name = lesson.page, "10_pre_write_32.ipynb"
    run_to(lesson, "guess_index.reveal()")
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    Lab(page, server, name)
    group(lesson).get_by_text("number 293").click()
    page.locator(".kvmmmu-answer:visible", has_text="You said: number 293. It was: number 293. Right!").wait_for()
    assert page.locator(".kvmmmu-waiting").count() == 0
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    cells = json.loads((folder / name).read_text("utf-8"))["cells"]
    asked, answered = (
        json.dumps(next(cell["outputs"] for cell in cells if line in "".join(cell["source"])), ensure_ascii=False)
        for line in ("guess_index = ", "guess_index.reveal()")
    )
    assert "<b>number 293</b> ← your prediction" in asked
    assert "You said: number 293" in answered and "First choose an answer" not in answered


CHECK = "lesson.table_entry("


def test_a_check_question_is_graded_at_once_and_asked_again(lesson, folder):
    run_to(lesson, CHECK)
    page, question = lesson.page, lesson.page.get_by_role("radiogroup", name="stores one byte at offset").first
    asked = question.inner_text()
    verdict = page.locator(".kvmmmu-answer:visible", has_text="It was: quadrant")
    assert verdict.count() == 0
    question.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(500)
    assert verdict.count() == 0, "the arrow keys only pass the choices between"
    page.keyboard.press("Space")
    verdict.first.wait_for()
    page.get_by_role("button", name="Another one").first.click()
    gone = "asked => ![...document.querySelectorAll('fieldset')].some(one => one.innerText === asked)"
    page.wait_for_function(gone, arg=asked)
    verdict.first.wait_for(state="hidden")  # it is a widget of its own, which changes after the question
    assert question.get_by_role("radio", checked=True).count() == 0
    question.get_by_text("I don't know").click()
    verdict.first.wait_for()
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    cells = json.loads((folder / "10_pre_write_32.ipynb").read_text("utf-8"))["cells"]
    assert "It was: quadrant" in json.dumps(next(cell["outputs"] for cell in cells if CHECK in "".join(cell["source"])))
