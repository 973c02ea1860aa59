# SPDX-License-Identifier: GPL-2.0-only
"""A check question: made from a seed, graded at once, and asked again with other numbers."""

import random

import pytest

from kvmmmu_lab import InputError
from kvmmmu_lab.labs import rmap_lab
from kvmmmu_lab.lessons.check_question import ANOTHER, paragraphs
from kvmmmu_lab.lessons.course import all_lessons, course
from kvmmmu_lab.lessons.lesson import Lesson
from kvmmmu_lab.lessons.question import DONT_KNOW, Answer, Ask
from kvmmmu_lab.player.cell_output import UNATTENDED
from kvmmmu_lab.progress import Progress

LESSON = Lesson(99, "What?", 1)
SEEDS = (0, 1, 7, 12345)


@LESSON.check
def entries(seed):
    """The entries of a map after some mappings."""
    count = random.Random(seed).randint(1, 5)
    lab = rmap_lab()
    yield Ask(f"The frame is mapped {count} times. How many entries has its map?", [1, 2, 3, 4, 5])
    for _ in range(count):
        lab.map()
    yield Answer(
        sum(map(len, lab.places())), "each mapping is <recorded>.", more="The *map* has\n`entries`.<!-- slide: No. -->"
    )


def right(seed):
    return random.Random(seed).randint(1, 5)


def wrong(seed):
    return right(seed) % 5 + 1


def test_a_choice_is_graded_at_once_and_recorded():
    check = entries(7)
    assert check.outcome is None and check.verdict_html() == "" and "recorded" not in str(check)
    check.guess(right(7))
    assert check.outcome.right
    assert f"You said: {right(7)}. It was: {right(7)}. Right!\nWhy: each mapping" in str(check)
    assert str(check).endswith(f"The *map* has\n`entries`.\n{ANOTHER}")
    assert Progress().predictions == {"99/entries": {"choice": str(right(7)), "right": True, "late": False}}


def test_another_one_has_other_numbers_and_can_still_be_answered_rightly():
    check = entries(1)
    check.guess(wrong(1))
    assert not check.outcome.right and not Progress().predictions["99/entries"]["right"]
    first = check.question
    check.another()
    assert check.seed == 2 and check.outcome is None and check.answer is None and check.question != first
    check.guess(right(2))
    assert Progress().predictions["99/entries"]["right"]
    check.another()
    check.guess(wrong(3))
    assert Progress().predictions["99/entries"]["right"], "once it was right, it stays right"


def test_only_the_first_choice_is_graded():
    check = entries(5)
    check.guess(wrong(5))
    check.guess(right(5))
    assert check.outcome.answer == wrong(5) and not Progress().predictions["99/entries"]["right"]
    assert check.note == f"Your first answer counts: {wrong(5)}. Try another one."


def test_not_knowing_shows_the_answer():
    check = entries(6)
    check.guess(DONT_KNOW)
    assert f"It was: {right(6)}. (You made no guess this time.)" in str(check)
    assert Progress().predictions["99/entries"] == {"choice": None, "right": False, "late": False}


def test_the_same_seed_is_the_same_question():
    check = entries(8)
    check.guess(right(8))
    assert entries(8) is check and entries(8).outcome.right
    assert entries(9) is not check


@pytest.mark.parametrize("seed", ["7", 1.5, None, True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(InputError, match="seed"):
        entries(seed)


def test_without_a_kernel_the_answer_is_folded(monkeypatch):
    still = entries(11).still()
    assert f"<details><summary>Answer</summary><p>{right(11)}.</p><p>Why: each mapping is &lt;recorded&gt;.</p>" in still
    assert "The <em>map</em> has <code>entries</code>." in still and "slide" not in still
    assert DONT_KNOW not in still and Progress().predictions == {}
    monkeypatch.setattr("kvmmmu_lab.lessons.check_question.has_kernel", lambda: True)
    assert "recorded" not in entries(12).still(), "a learner has not chosen yet"
    monkeypatch.setenv(UNATTENDED, "1")
    assert "<summary>Answer</summary>" in entries(12).still()


def test_the_widget_shows_the_verdict_and_asks_again():
    pytest.importorskip("anywidget")
    check = entries(20)
    group, verdict, another = check.widget.children
    assert group.question == check.question and group.labels[-1] == DONT_KNOW and "Why" not in verdict.value
    group.index = 0
    group.index = wrong(20) - 1
    assert "Why" not in verdict.value, "the arrow keys pass the choices between"
    group.settled = group.index
    assert f"It was: {right(20)}." in verdict.value and 'role="status"' in verdict.value
    another.click()
    assert check.seed == 21 and group.question == check.question
    assert group.index is None and group.settled is None and "Why" not in verdict.value


def test_paragraphs_are_html():
    assert paragraphs("") == ""
    assert paragraphs("a < `b`\n\n**c**").count("<p") == 2 and "&lt; <code>b</code>" in paragraphs("a < `b`\n\n**c**")


def test_a_lesson_is_done_when_its_check_questions_are_answered():
    lesson = Lesson(98, "What?", 1)
    lesson.check(lambda seed: entries.__wrapped__(seed))
    state = type(course().lessons[0])(lesson, 0, 0)
    assert not state.done and state.words == "not yet"
    state.checked = 1
    assert state.done and state.words.endswith("; 0 of 1 check questions")


CHECKS = [pytest.param(ask, id=f"{lesson.number}-{name}") for lesson in all_lessons() for name, ask in lesson.checks.items()]


MANY_SEEDS = pytest.param(range(-20, 100), marks=[pytest.mark.slow, pytest.mark.whole])


@pytest.mark.parametrize("ask", CHECKS)
@pytest.mark.parametrize("seeds", [SEEDS, MANY_SEEDS], ids=["some", "many"])
def test_a_check_question_of_a_lesson_works_for_any_seed(ask, seeds):
    for seed in seeds:
        check = ask(seed)
        answer = check.measured()
        *choices, last = check.choices
        assert last == DONT_KNOW and len(choices) >= 2
        assert len(set(map(str, choices))) == len(choices), "each choice once"
        assert answer.happened in choices and str(answer.happened) in map(str, choices)
        assert len(answer.why.split()) >= 4 and answer.why.endswith(".")


@pytest.mark.parametrize("ask", CHECKS)
def test_a_check_question_of_a_lesson_has_other_numbers_with_another_seed(ask):
    asked = {(check.question, *map(str, check.choices)) for check in map(ask, range(6))}
    assert len(asked) >= 2


@pytest.mark.parametrize("ask", CHECKS)
def test_the_same_seed_asks_the_same(ask):
    first, again = ask(7), ask.__wrapped__(7)
    asked = next(again)
    assert (first.question, first.choices[:-1]) == (asked.words, list(asked.choices))
    assert first.measured().happened == again.send(()).happened
