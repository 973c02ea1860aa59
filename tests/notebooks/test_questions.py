# SPDX-License-Identifier: GPL-2.0-only
"""A prediction is made before the answer can be seen: what is on the screen when a reader comes to a question.

All cells of a notebook are on the screen from the start, text and code; outputs only as far as the cells have run.
"""

import ast
import html
import re
from pathlib import Path

import nbformat
import pytest

from kvmmmu_lab.lessons.course import all_lessons
from kvmmmu_lab.lessons.question import DONT_KNOW, without_comments

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = all_lessons()
ALIKE_IN_REASON, ALIKE_IN_TEXT = 6, 8
"""The number of words in a row that may not be both in the notebook and in a reason, or in the text that follows it."""


@pytest.fixture(params=LESSONS, ids=lambda lesson: lesson.notebook.stem)
def lesson(request):
    return request.param


@pytest.fixture
def notebook(lesson):
    return nbformat.read(lesson.notebook, as_version=4)


def tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", ())]


def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def plain(cell):
    return [output.data.get("text/plain", "") for output in cell.outputs if "text/plain" in output.get("data", {})]


def words(text):
    text = re.sub(r"\]\([^)]*\)|<[^>]*>", " ", html.unescape(without_comments(text)))
    return re.findall(r"[\w#:']+", text.replace("*", "").replace("`", "").lower())


def shared(text, other, length):
    """Return the sequences of ``length`` words that are in both texts."""
    first, second = words(text), words(other)
    known = {tuple(second[at : at + length]) for at in range(len(second) - length + 1)}
    return [" ".join(run) for at in range(len(first) - length + 1) if (run := tuple(first[at : at + length])) in known]


def test_every_lesson_has_questions_and_a_notebook():
    assert [lesson.notebook.stem for lesson in LESSONS] == [path.stem for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))]
    assert all(len(lesson.questions) >= 3 for lesson in LESSONS)


def test_each_question_is_asked_once_and_answered_after_what_it_is_about(lesson, notebook):
    asked, open_question = [], None
    for cell in notebook.cells:
        ask = re.search(r"^(guess_\w+) = lesson\.(\w+)\(", cell.source, re.MULTILINE) if cell.cell_type == "code" else None
        reveal = re.search(r"^(guess_\w+)\.reveal\(", cell.source, re.MULTILINE) if cell.cell_type == "code" else None
        if ask:
            assert open_question is None, "the question before is still open"
            assert cell.metadata.tags == ["question"] and ask[1] == f"guess_{ask[2]}"
            open_question, ran = ask[1], 0
            asked.append(ask[2])
        elif reveal:
            assert cell.metadata.tags == ["answer"] and reveal[1] == open_question and ran >= 1
            open_question = None
        elif cell.cell_type == "code":
            ran = True
    assert open_question is None
    assert asked == list(lesson.questions)


def test_check_questions_are_asked_once_each_and_in_order(lesson, notebook):
    asked = [re.fullmatch(r"lesson\.(\w+)\(seed\)", cell.source)[1] for cell in tagged(notebook, "check")]
    assert asked == list(lesson.checks)
    assert all(cell.metadata.tags == ["check", "try-it"] for cell in tagged(notebook, "check"))


def test_the_code_of_a_lesson_compares_nothing_and_gives_no_reason(notebook):
    for source in code(notebook):
        assert not re.search(r"\bwhy\s*=|\.compare\(|\bpredict\(|\bif\b.*\belse\b", source)
    for cell in tagged(notebook, "answer"):
        assert re.fullmatch(r"(lesson\.[A-Z_]+|guess_\w+\.reveal\(\w*\))", cell.source), "nothing but the answer"
    for cell in tagged(notebook, "question"):
        tree = ast.parse(cell.source)
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


@pytest.mark.slow
def test_answers_and_reasons_are_nowhere_in_the_notebook(lesson, notebook, ran):
    """Neither the reason of an answer, nor the text that follows it, nor a summary is in a cell. (The rule that a lesson is
    about, as a quotation, is.)"""
    sources = "\n\n".join(re.sub(r"^> .*$", "", cell.source, flags=re.MULTILINE) for cell in notebook.cells)
    leaks = {}
    for cell in tagged(ran(lesson.notebook.stem), "answer"):
        for text in plain(cell):
            found = shared(text, sources, ALIKE_IN_REASON if "\nWhy: " in text else ALIKE_IN_TEXT)
            if found:
                leaks[cell.source] = found
    assert leaks == {}


@pytest.mark.slow
def test_right_choices_are_not_in_the_text(lesson, notebook, ran):
    """No text or comment of the notebook has the words of the right choice, where these are more than a number or a name."""
    texts = "\n\n".join(cell.source.replace("<!--", "").replace("-->", "") for cell in notebook.cells)
    for cell in tagged(ran(lesson.notebook.stem), "answer"):
        found = re.match(r"It was: (.*?)\. \(You made", "".join(plain(cell)[:1]))
        if found and len(words(found[1])) >= 4:
            assert not shared(found[1], texts, len(words(found[1]))), found[1]


def test_headings_do_not_judge(notebook):
    """A claim in quotation marks as a heading is always a false one, and a heading such as "A bug" tells what to choose.

    So no question is below a heading in quotation marks. The section about a real bug has the same heading in each lesson.
    """
    misconception = False
    for cell in notebook.cells:
        assert not (misconception and "question" in cell.metadata.get("tags", ())), "the heading tells what to choose"
        if cell.cell_type == "markdown":
            for heading in re.findall(r"^#+ (.*)$", re.sub(r"<!--.*?-->", "", cell.source, flags=re.DOTALL), re.MULTILINE):
                misconception = re.fullmatch(r'"[^"]+"', heading) is not None
                if not misconception and heading != "A bug of 2007":
                    assert not re.search(r"""["“”]|\b(bug|mistake|wrong|stale|crash|harmless)""", heading), heading
            for heading in re.findall(r"^#+ (.*)$", "\n".join(re.findall(r"<!--.*?-->", cell.source, re.DOTALL)), re.MULTILINE):
                assert not re.search(r"\b(mistake|wrong|stale|crash|harmless)", heading), heading


@pytest.mark.slow
def test_what_happened_is_one_of_the_choices_and_has_a_reason(lesson, ran):
    book = ran(lesson.notebook.stem)
    choices = None
    for cell in book.cells:
        if "question" in cell.metadata.get("tags", ()):
            choices = re.findall(r"^  [A-Z]\. (.*)$", plain(cell)[0], re.MULTILINE)
            assert choices[-1] == DONT_KNOW and 3 <= len(choices) == len(set(choices))
        elif "answer" in cell.metadata.get("tags", ()) and ".reveal(" in cell.source:
            said = plain(cell)[0]
            happened, why = re.fullmatch(r"It was: (.*)\. \(You made no guess this time\.\)\nWhy: (.*\.)", said).groups()
            assert happened in choices and len(words(why)) >= 6
