# SPDX-License-Identifier: GPL-2.0-only
"""The course: what was done, what is next, the start page, the links between lessons, and the command ``progress``."""

import inspect
import json
import re
import sys
import time

import nbformat
import pytest

from kvmmmu_lab import workspace
from kvmmmu_lab.cli import main
from kvmmmu_lab.lessons import course
from kvmmmu_lab.lessons.course import FOR, all_lessons, exercise_navigation, fill_start_page, navigation
from kvmmmu_lab.progress import Progress

pytest.importorskip("hypothesis")
LESSONS = all_lessons()


def answer(lesson, right=True, late=False):
    for name in lesson.questions:
        Progress().predicted(lesson.key(name), "a", right=right, late=late)
    for name in lesson.checks:
        Progress().checked(lesson.key(name), "a", right=right)


def test_it_begins_with_the_first_lesson():
    found = course()
    assert found.next.lesson is LESSONS[0] and found.markdown.startswith("**Begin here: [Lesson 0")
    assert all(one.words == "not yet" for one in found.lessons)


def test_it_goes_on_with_what_is_not_done():
    answer(LESSONS[0], right=False)
    assert course().next.lesson is LESSONS[1] and course().lessons[0].done
    answer(LESSONS[1])
    found = course()
    assert found.next.exercise.name == LESSONS[1].exercises[0]
    assert found.markdown.startswith("**Next: [Exercise 01")
    count = len(LESSONS[1].questions)
    words = f"{count} of {count} predictions, {count} right at first choice"
    assert found.lessons[1].words.partition(";")[0] == words
    for name in LESSONS[1].exercises:
        Progress().points(name, 10)
    assert course().next.lesson is LESSONS[2]


def test_a_late_answer_is_not_right_at_first_choice():
    answer(LESSONS[0], late=True)
    assert course().lessons[0].done and course().lessons[0].right == 0


def test_everything_can_be_done():
    for lesson in LESSONS:
        answer(lesson)
    for one in course().exercises:
        Progress().points(one.exercise.name, one.exercise.points)
    assert course().next is None and "You have done it all." in str(course())
    assert "**You have done it all.**" in course().markdown


def test_its_links_lead_to_notebooks():
    links = re.findall(r"\]\(([^)]+)\)", course().markdown)
    folder = workspace.course_root() / "notebooks"
    assert len(links) == 1 + len(LESSONS) + len(course().exercises)
    assert all((folder / link).resolve().is_file() for link in links)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.notebook.stem)
def test_a_lesson_links_to_its_neighbours_at_the_top_and_at_the_end(lesson):
    cells = nbformat.read(lesson.notebook, as_version=4).cells
    assert [cell.source for cell in cells if "navigation" in cell.metadata.get("tags", ())] == [navigation(lesson)] * 2
    assert cells[0].source == cells[-1].source == navigation(lesson)
    for link in re.findall(r"\]\(([^)]+)\)", navigation(lesson)):
        assert (lesson.notebook.parent / link).is_file()


@pytest.mark.parametrize("exercise", [state.exercise for state in course().exercises], ids=lambda exercise: exercise.name)
def test_the_notebook_of_an_exercise_links_to_the_start_page_and_to_its_lesson(exercise):
    first, *others = nbformat.read(exercise.folder / f"{exercise.name}.ipynb", as_version=4).cells
    assert first.source == exercise_navigation(exercise) and first.metadata.tags == ["navigation"]
    assert not [cell for cell in others if "navigation" in cell.metadata.get("tags", ())]
    links = re.findall(r"\]\(([^)]+)\)", first.source)
    assert len(links) == 2 and all((exercise.folder / link).is_file() for link in links)


def test_each_exercise_after_a_lesson_is_said_to_be():
    """The table in exercises/README.md and the lessons agree on which exercise follows which lesson."""
    readme = (workspace.course_root() / "exercises" / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| \[\d\d\]\(\d\d_(\w+)/README\.md\) \|.*\| \[(\d+)\]", readme, re.MULTILINE)
    assert dict(rows) == {name: str(lesson.number) for lesson in LESSONS for name in lesson.exercises}


def test_the_start_page_shows_the_present_state(tmp_path):
    workspace.prepare(tmp_path)
    answer(LESSONS[0])
    fill_start_page(tmp_path)
    book = nbformat.read(tmp_path / workspace.START, as_version=4)
    nbformat.validate(book)
    (cell,) = (cell for cell in book.cells if FOR in cell.metadata.get("tags", ()))
    assert "**Next: [Lesson 1" in cell.outputs[0].data["text/markdown"]
    assert not workspace.prepare(tmp_path).kept, "an output is no edit"


@pytest.mark.parametrize("text", [None, "{", '{"cells": []}', '{"cells": [{}]}', "[]"])
def test_a_start_page_that_is_missing_or_changed_is_left_alone(tmp_path, text):
    path = tmp_path / workspace.START
    path.parent.mkdir()
    if text is not None:
        path.write_text(text)
    fill_start_page(tmp_path)
    assert (path.read_text() if path.exists() else None) == text


def test_the_page_follows_the_progress(monkeypatch):
    module = sys.modules[fill_start_page.__module__]
    monkeypatch.setattr(module, "FOLLOW_SECONDS", 0.01)
    heard = []
    module._follow(lambda: heard.append(1))
    answer(LESSONS[0])
    for _ in range(200):
        if heard:
            break
        time.sleep(0.02)
    module._follow(lambda: None)
    assert heard


def test_the_command_prints_the_course(capsys):
    answer(LESSONS[0])
    assert main(["progress"]) == 0
    said = capsys.readouterr().out
    assert "✓ Lesson 0: The first fault" in said and "> Lesson 1: Two maps, one walker" in said
    assert said.endswith("Next: Lesson 1: Two maps, one walker\n")
    assert main(["progress", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["next"] == "Lesson 1: Two maps, one walker" and data["lessons"][0]["answered"] == len(LESSONS[0].questions)
    assert [one["best"] for one in data["exercises"]] == [0] * 10


def test_reset_asks_first(capsys, monkeypatch):
    answer(LESSONS[0])
    assert main(["progress", "--reset"]) == 1
    assert "--reset --yes" in capsys.readouterr().err and Progress().predictions
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert main(["progress", "--reset"]) == 1 and Progress().predictions
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert main(["progress", "--reset"]) == 0 and not Progress().predictions
    answer(LESSONS[0])
    assert main(["progress", "--reset", "--yes"]) == 0 and not Progress().predictions


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.notebook.stem)
def test_a_lesson_mentions_only_lessons_of_the_course(lesson):
    """Lessons 0 to 16: one that isn't written yet may be mentioned."""
    module = sys.modules[f"kvmmmu_lab.lessons.lesson_{lesson.number:02}"]
    texts = [cell.source for cell in nbformat.read(lesson.notebook, as_version=4).cells] + [inspect.getsource(module)]
    mentioned = {int(number) for text in texts for number in re.findall(r"\b[Ll]esson\s+(?:#\s*)?(\d+)", text)}
    assert mentioned <= set(range(17))
