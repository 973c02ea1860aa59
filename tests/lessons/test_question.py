# SPDX-License-Identifier: GPL-2.0-only
"""A question of a lesson: asked, something happens, and the answer appears once a choice was made."""

import pytest

from kvmmmu_lab import LabError
from kvmmmu_lab.labs import small_guest
from kvmmmu_lab.lessons.lesson import Lesson
from kvmmmu_lab.lessons.question import CHOOSE, DONT_KNOW, Answer, Ask, Passage
from kvmmmu_lab.player.cell_output import UNATTENDED
from kvmmmu_lab.progress import Progress

LESSON = Lesson(99, "What?", 1)


@LESSON.question
def faults(vm):
    """The faults of an access."""
    before = vm.stats.exits
    yield Ask("How many faults?", [0, 1, 2], on=vm)
    yield Answer(vm.stats.exits - before, "the entry was missing.", more="Then *it* was made.<!-- slide: It was made. -->")


@LESSON.question
def said():
    """What the cell said."""
    word = yield Ask("What will it say?", ["yes", "no"])
    yield Answer(word, "it always does.")


@pytest.fixture
def vm():
    return small_guest("64", 0x1000).vm


def access(vm):
    vm.poke(0x14010, 0x15067)
    vm.access(0x2000, user=True)


def test_the_answer_is_measured_and_appears_with_its_reason_after_a_choice(vm):
    question = faults(vm)
    question.guess(0)
    access(vm)
    shown = str(question.reveal())
    assert shown == "You said: 0. It was: 1.\nWhy: the entry was missing.\n\nThen *it* was made."
    assert Progress().predictions["99/faults"] == {"choice": "0", "right": False, "late": False}


def test_without_a_choice_nothing_is_told(vm):
    question = faults(vm)
    access(vm)
    waiting = question.reveal()
    assert not waiting.open and "missing" not in str(waiting.parts()) and "1" not in str(waiting.parts()[0]["text/plain"])
    assert str(waiting).startswith(CHOOSE)
    assert Progress().predictions == {}
    question.guess(DONT_KNOW)
    assert str(waiting).startswith("It was: 1. (You made no guess this time.)\nWhy: ")
    assert Progress().predictions["99/faults"] == {"choice": None, "right": False, "late": False}


def test_what_waits_for_a_choice_hears_of_it_once(vm):
    question, heard = faults(vm), []
    access(vm)
    question.reveal()
    question.wait(lambda: heard.append(question.answer))
    question.guess(None)
    assert heard == []
    question.guess(1)
    question.guess(2)
    assert heard == [1]


def test_the_first_choice_counts_and_another_one_is_marked(vm):
    question = faults(vm)
    question.guess(2)
    question.guess(0)
    access(vm)
    reveal = question.reveal()
    assert str(reveal).startswith("You said: 0.")
    question.guess(1)
    assert question.note == "Your first answer counts: 0. This one was chosen after the answer was shown."
    assert str(reveal).startswith("You said: 0.") and str(question.reveal()).startswith("You said: 0.")
    question.guess(0)
    assert question.note == ""
    assert Progress().predictions["99/faults"]["choice"] == "0"


def test_the_answer_stays_what_it_was_if_the_machine_goes_on(vm):
    question = faults(vm)
    question.guess(1)
    access(vm)
    assert question.reveal().outcome.happened == 1
    vm.access(0x3000, user=True)
    assert question.reveal().outcome.happened == 1


def test_a_cell_that_was_left_out_is_noticed(vm):
    question = faults(vm)
    question.guess(1)
    with pytest.raises(LabError, match="nothing has happened since the question"):
        question.reveal()
    access(vm)
    assert question.reveal().outcome.right


def test_a_question_can_be_given_what_happened():
    question = said()
    question.guess("yes")
    assert question.reveal("yes").outcome.right


def test_a_page_that_nobody_runs_shows_the_answer(vm, monkeypatch):
    monkeypatch.setenv(UNATTENDED, "1")
    question = faults(vm)
    access(vm)
    assert str(question.reveal()).startswith("It was: 1.")
    assert Progress().predictions == {}
    assert DONT_KNOW not in question.still()


def test_a_choice_after_the_next_cell_is_late(vm):
    get_ipython = pytest.importorskip("IPython").InteractiveShell.instance
    shell = get_ipython()
    shell.user_ns.update(faults=faults, vm=vm, access=access)
    try:
        shell.run_cell("first = faults(vm)", store_history=True)
        shell.run_cell("access(vm)", store_history=True)
        shell.run_cell("first.guess(1); first.reveal()", store_history=True)
        assert Progress().predictions["99/faults"] == {"choice": "1", "right": True, "late": True}
        Progress().reset()
        shell.user_ns["vm"] = small_guest("64", 0x1000).vm
        shell.run_cell("second = faults(vm); second.guess(0)", store_history=True)
        shell.run_cell("vm.access(0x1000, write=True); vm.stats.exits += 1", store_history=True)
        shell.run_cell("second.guess(1); second.reveal()", store_history=True)
        assert Progress().predictions["99/faults"] == {"choice": "0", "right": False, "late": False}, "what was chosen before"
        Progress().reset()
        shell.user_ns["vm"] = small_guest("64", 0x1000).vm
        shell.run_cell("third = faults(vm)", store_history=True)
        shell.run_cell("vm.stats.exits += 1; third.reveal()", store_history=True)
        shell.run_cell("third.guess(1); third.reveal()", store_history=True)
        assert not Progress().predictions["99/faults"]["late"], "nothing was shown before"
    finally:
        type(shell).clear_instance()


def test_the_widget_shows_the_answer_when_the_choice_is_confirmed(vm):
    pytest.importorskip("anywidget")
    question, heard = faults(vm), []
    group = question.widget
    assert group.labels == ["0", "1", "2", DONT_KNOW] and group.index is None
    access(vm)
    question.reveal()
    question.wait(lambda: heard.append(question.answer))
    group.index = 0  # the arrow keys pass this one
    group.index = 1
    assert heard == []
    group.settled = 1
    assert heard == [1]


def test_asked_again_on_the_same_machine_it_is_the_same_question(vm):
    """A click on a choice makes its cell the active one, so Shift+Enter runs the cell again: the choice must stay."""
    question = faults(vm)
    question.guess(1)
    assert faults(vm) is question
    access(vm)
    question.reveal()
    assert faults(vm) is question and question.reveal().outcome.right
    other = small_guest("64", 0x1000).vm
    assert faults(other) is not question and faults(other).answer is None


def test_a_cell_that_asks_again_is_not_the_cell_that_shows_the_answer(vm):
    shell = pytest.importorskip("IPython").InteractiveShell.instance()
    shell.user_ns.update(faults=faults, vm=vm, access=access)
    try:
        shell.run_cell("one = faults(vm)", store_history=True)
        shell.run_cell("one = faults(vm); one.guess(0)", store_history=True)
        shell.run_cell("one = faults(vm); one.guess(1)", store_history=True)
        shell.run_cell("access(vm)", store_history=True)
        shell.run_cell("one.reveal()", store_history=True)
        shell.run_cell("one.reveal().parts()", store_history=True)
        assert Progress().predictions["99/faults"] == {"choice": "1", "right": True, "late": False}
    finally:
        type(shell).clear_instance()


def test_a_link_in_an_output_differs_from_the_text_around_it_not_only_in_colour():
    passage = Passage("See [the\nchange](https://example.org/a), *[a title](https://example.org/b)* and [lesson 6](06.ipynb).")
    assert passage.text.count("*[the\nchange](https://example.org/a)*") == passage.text.count("*[a title]") == 1
    assert "**[" not in passage.text and " [lesson 6](06.ipynb)" in passage.text
