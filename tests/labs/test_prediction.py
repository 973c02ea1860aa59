# SPDX-License-Identifier: GPL-2.0-only
"""Predictions, and their comparison with what happened."""

import re
import sys
from types import SimpleNamespace

import pytest

from kvmmmu_lab import InputError
from kvmmmu_lab.labs import predict
from kvmmmu_lab.labs.prediction import AGAIN, HOW_TO_ANSWER


def test_a_guess_is_compared_with_what_happened():
    guess = predict("How many?", [0, 1, 3])
    assert guess.answer is None
    assert guess.compare(3).right is None
    assert "no guess" in str(guess.compare(3))
    guess.answer = 1
    assert guess.compare(3).right is False and "You said: 1. It was: 3." in str(guess.compare(3))
    assert guess.compare(1).right is True and "Right!" in str(guess.compare(1))


def test_nothing_is_selected_at_first():
    pytest.importorskip("anywidget")
    guess = predict("How <many>?", [0, 1, 3])
    group = guess.widget
    assert group.question == "How <many>?" and group.labels == ["0", "1", "3"]
    assert group.index is None
    group.index = 2
    assert guess.compare(3).right


def test_only_a_choice_can_be_guessed():
    guess = predict("How many?", [0, 1, "more"])
    guess.guess(1)
    for wrong in (2, "1", True, False, [1]):
        with pytest.raises(InputError, match="answer"):
            guess.guess(wrong)
    assert guess.answer == 1
    guess.guess("more")
    assert guess.compare("more").right
    guess.guess(None)
    assert guess.answer is None


def test_a_letter_stands_for_its_choice_unless_it_is_one():
    guess = predict("Which?", ["stays", "dies", "A"])
    for letter, choice in (("B", "dies"), ("C", "A"), ("A", "A")):
        guess.guess(letter)
        assert guess.answer == choice
    with pytest.raises(InputError):
        guess.guess("D")


def test_buttons_follow_a_guess_made_without_them():
    pytest.importorskip("anywidget")
    guess = predict("How many?", [0, 1, 3])
    group = guess.widget
    guess.guess(1)
    assert group.index == 1
    guess.guess(3)
    assert group.index == 2
    guess.ask_again([4, 5])
    assert group.index is None and guess.answer is None and group.labels == ["4", "5"]
    group.index = 1
    assert guess.answer == 5


def test_another_guess_after_the_comparison_says_that_it_isnt_judged():
    pytest.importorskip("anywidget")
    guess = predict("How many?", [0, 1, 3])
    group = guess.widget
    group.index = 1
    assert not group.note
    guess.compare(3)
    assert not group.note
    group.index = 2
    assert group.note == AGAIN
    group.index = 1
    assert not group.note, "this one was judged"
    guess.guess(0)
    assert group.note == AGAIN
    guess.compare(3)
    assert not group.note
    guess.guess(1)
    guess.ask_again()
    assert not group.note


def test_what_happened_can_be_put_in_other_words():
    guess = predict("How many?", [0, "more"])
    guess.guess("more")
    outcome = guess.compare("more", "7 (more than 5)")
    assert outcome.right and "It was: 7 (more than 5)." in str(outcome)


def test_a_reason_is_always_shown_and_replaces_the_question():
    guess = predict("How many?", [0, 1])
    said = ["It was: 1. (You made no guess this time.)", "You said: 0. It was: 1.", "You said: 1. It was: 1. Right!"]
    for answer, verdict in zip((None, 0, 1), said, strict=True):
        guess.guess(answer)
        outcome = guess.compare(1, why="W & nothing else")
        assert str(outcome) == f"{verdict}\nWhy: W & nothing else"
        shown = outcome._repr_mimebundle_()
        assert "Why: W &amp; nothing else" in shown["text/html"] and shown["text/plain"] == str(outcome)
    assert "Why" not in str(guess.compare(1)) and "Why" not in guess.compare(1)._repr_mimebundle_()["text/html"]


def test_as_text(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    bundle = predict("How <many>?", [0, 1])._repr_mimebundle_()
    assert bundle["text/plain"] == f"How <many>?\n  A. 0\n  B. 1\n{HOW_TO_ANSWER}"
    assert "&lt;many&gt;" in bundle["text/html"] and "<li>1</li>" in bundle["text/html"]


def test_the_answer_is_marked():
    guess = predict("How many?", [0, 1])
    guess.guess(1)
    assert "your prediction" in guess.still() and str(guess).endswith("Your answer: 1")


@pytest.mark.parametrize("choices", ["yes", [], [1]])
def test_a_question_needs_a_choice(choices):
    with pytest.raises(InputError, match="choices"):
        predict("?", choices)


def test_a_notebook_saves_what_was_predicted(monkeypatch):
    pytest.importorskip("anywidget")
    shell = SimpleNamespace(kernel=True, get_parent=lambda: {}, user_ns={})
    saved = []
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: None)
    monkeypatch.setattr("IPython.display.update_display", lambda bundle, **_: saved.append(bundle["text/html"]))
    guess = predict("How many?", [0, 1, 3])
    guess._ipython_display_()
    guess.widget.index = 1
    guess.guess(3)
    guess.ask_again()
    marked = [re.findall(r"<b>(\d)</b>", still) for still in saved]
    assert marked == [["1"], ["3"], []]
