# SPDX-License-Identifier: GPL-2.0-only
"""The frame of a lesson: what each has, in which order, so that a learner finds the same things in the same places.

CONTRIBUTING.md describes the frame. `frame_faults` returns what a lesson lacks.
"""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from kvmmmu_lab.lessons.course import all_lessons
from kvmmmu_lab.lessons.lesson import Lesson
from kvmmmu_lab.lessons.question import DONT_KNOW, Reveal
from kvmmmu_lab.player.cell_output import UNATTENDED

from ..share import one_in
from .cells import seeds

EXEMPT = {0: {"seed", "change", "misconception", "bug"}}
"""What a lesson need not have. Lesson 0 is a tour of one access to a real guest: it comes before all terms, and is short."""

SEEDS = (0, 1, 12345)
SEED = re.compile(r"^seed = \d+\b", re.MULTILINE)
COMPREHENSION = Path(__file__).with_name("comprehension")
FILM = re.compile(r"\bwatch\w*\(|\.film\b|\bfilm\(")
EXERCISES = {"split": 1, "walk": 2, "spte": 4, "rmap_add": 6, "rmap_remove": 6, "rmap_write_protect": 7, "parents": 8}
EXERCISES |= {"pre_write": 9, "pre_write_32": 10, "audit": 14}
"""The lesson after which each exercise comes."""

LESSONS = all_lessons()


def tags(cell):
    return cell.metadata.get("tags", ())


def shown(cell):
    """A cell's text as a notebook shows it."""
    return re.sub(r"<!--.*?-->", "", cell.source, flags=re.DOTALL).strip()


class Sections:
    """The cells of a notebook below each of its headings."""

    def __init__(self, cells):
        self.headings, self.cells = [""], [[]]
        for cell in cells:
            heading = re.search(r"^##? (.+)$", shown(cell), re.MULTILINE) if cell.cell_type == "markdown" else None
            if heading:
                self.headings.append(heading[1])
                self.cells.append([])
            self.cells[-1].append(cell)

    def find(self, pattern):
        """The positions of the headings that match."""
        return [at for at, heading in enumerate(self.headings) if re.fullmatch(pattern, heading)]

    def text(self, at):
        return "\n".join(shown(cell) for cell in self.cells[at] if cell.cell_type == "markdown")

    def code(self, at):
        return "\n".join(cell.source for cell in self.cells[at] if cell.cell_type == "code")


def objectives(cell):
    """The list below "After this lesson you can", without emphasis."""
    _, _, after = shown(cell).partition("After this lesson you can")
    found = re.findall(r"^- (.+(?:\n  .+)*)[;.]$", after, re.MULTILINE)
    return [" ".join(one.replace("*", "").split()) for one in found]


def changes(cells):
    """Whether the text asks the reader to change a value and to watch again."""
    for at, cell in enumerate(cells):
        if cell.cell_type != "markdown" or not re.search(r"\b[Cc]hange\b", shown(cell)):
            continue
        following = next((n for n in range(at + 1, len(cells)) if cells[n].cell_type == "code"), None)
        if following is None or not re.search(r"^\w+ = .+$", cells[following].source, re.MULTILINE):
            continue
        if any(cell.cell_type == "code" and FILM.search(cell.source) for cell in cells[following : following + 3]):
            return True
    return False


def way_on(lesson):
    """The text after the check questions."""
    cells = nbformat.read(lesson.notebook, as_version=4).cells
    last = max((at for at, cell in enumerate(cells) if "check" in tags(cell)), default=len(cells))
    return "\n".join(shown(cell) for cell in cells[last:-1] if cell.cell_type == "markdown")


def frame_faults(lesson: Lesson) -> list[str]:
    """Return what a lesson lacks, in words."""
    cells, number = nbformat.read(lesson.notebook, as_version=4).cells, lesson.number
    exempt, sections = EXEMPT.get(number, set()), Sections(cells)
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    faults = []

    def need(holds, what):
        if not holds:
            faults.append(what)

    title = shown(cells[1])
    need(title.startswith(f"# Lesson {number}: "), "the first cell after the links has the title")
    first = "\n".join(title.split("\n\n")[1:2])
    need(len(re.findall(r"\*[^*]+\?\*", first)) == 1, "the first paragraph asks one question, in italics")
    need(3 <= len(objectives(cells[1])) <= 4, '"After this lesson you can", with three or four objectives')
    notes = cells[2]
    need(notes.metadata.get("slideshow", {}).get("slide_type") == "notes" and "*For teachers:*" in notes.source, "notes")

    picture = sections.find("The picture so far")
    need(picture, 'the heading "The picture so far"')
    need(f"course_picture({number})" in "".join(map(sections.code, picture)).splitlines(), f"the cell course_picture({number})")

    need(sum("question" in tags(cell) for cell in cells) >= 2, "at least two predictions")
    if "seed" not in exempt:
        asking = [cell.source for cell in cells if cell.cell_type == "code" and "check" not in tags(cell)]
        lines = "\n".join(asking).splitlines()
        need(sum(bool(SEED.match(line)) for line in lines) == 1, "one line: seed = 7")
        need(any("seed" in line for line in lines if not SEED.match(line)), "what uses the seed")
    need(any(map(FILM.search, code)), "a film")
    if "change" not in exempt:
        need(changes(cells), "something to change and to watch again")

    order = [picture[:1]]
    if "misconception" not in exempt:
        said = sections.find(r'"[^"]+"')
        need(said, 'a misconception: a heading in quotation marks, such as ## "It is a copy"')
        for at in said:
            need(sections.code(at), f"code that tries {sections.headings[at]}")
        need(any("](http" in sections.text(at) for at in said), "a link to the source of the misconception")
        order.append(said[-1:])
    if "bug" not in exempt:
        bug = sections.find("A bug of 2007")
        need(len(bug) == 1, 'the heading "A bug of 2007", once')
        need(any(FILM.search(sections.code(at)) or "exhibit(" in sections.code(at) for at in bug), "the film of the bug")
        need(any("audit" in sections.code(at) + sections.text(at) for at in bug), "what the audit says about the bug")
        order.append(bug[:1])
    saw = sections.find("What you saw")
    need(len(saw) == 1 and "lesson.SUMMARY" in sections.code(saw[0]), 'the heading "What you saw", and lesson.SUMMARY')
    checks = sections.find("Check yourself")
    need(len(checks) == 1, 'the heading "Check yourself", once')
    need(3 <= len(lesson.checks) <= 5, "three to five check questions")
    order += [saw[:1], checks[:1]]
    need(sum(order, []) == sorted(sum(order, [])), "these parts, in this order")

    way = way_on(lesson)
    need("](" in way, "the way on, after the check questions")
    for name, after in EXERCISES.items():
        need(after != number or f"_{name}/" in way, f"a link to the exercise {name}")
    need((COMPREHENSION / f"{number:02}.toml").is_file(), "questions for readers, in tests/lessons/comprehension/")
    return faults


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.notebook.stem)
def test_a_lesson_is_in_the_frame(lesson):
    assert frame_faults(lesson) == []


@pytest.mark.parametrize("lesson", LESSONS[:-1], ids=lambda lesson: lesson.notebook.stem)
def test_the_way_on_leads_to_the_next_lesson(lesson):
    following = LESSONS[LESSONS.index(lesson) + 1]
    assert following.notebook.name in way_on(lesson)


def test_an_exercise_comes_after_the_lesson_that_says_so():
    for lesson in LESSONS:
        for name in lesson.exercises:
            assert EXERCISES[name] == lesson.number


# The seed: a reader may choose any number

SEEDED = [lesson for lesson in LESSONS if SEED.search(lesson.notebook.with_suffix(".py").read_text("utf-8"))]


@pytest.mark.parametrize("seed", seeds(*SEEDS))
@pytest.mark.parametrize("lesson", one_in(8, SEEDED, lambda lesson: lesson.notebook.stem))
def test_a_lesson_works_with_another_seed(lesson, seed, monkeypatch):
    """Each cell runs, and each answer is one of the choices."""
    monkeypatch.setenv(UNATTENDED, "1")
    names, answered = {"__name__": "lesson"}, 0
    for cell in nbformat.read(lesson.notebook, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        source = SEED.sub(f"seed = {seed}", cell.source)
        *lines, last = ast.parse(source).body
        exec(compile(ast.Module(lines, []), lesson.notebook.name, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), lesson.notebook.name, "eval"), names)
            if isinstance(value, Reveal):
                choices = [choice for choice in value.question.choices if choice != DONT_KNOW]
                assert value.outcome.happened in choices and len(set(map(str, choices))) == len(choices)
                answered += 1
        else:
            exec(compile(ast.Module([last], []), lesson.notebook.name, "exec"), names)
    assert answered == len(lesson.questions)


# Questions for readers who have only the lesson


def questions_of(path):
    tomllib = pytest.importorskip("tomllib")
    return tomllib.loads(path.read_text("utf-8"))["question"]


def value_of(code):
    """The value of the last line of some code."""
    *lines, last = ast.parse(code).body
    names = {}
    exec(compile(ast.Module(lines, []), "code", "exec"), names)
    return eval(compile(ast.Expression(last.value), "code", "eval"), names)


FILES = sorted(COMPREHENSION.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_there_are_five_questions_for_readers_of_a_lesson(path):
    lesson = next(lesson for lesson in LESSONS if f"{lesson.number:02}" == path.stem)
    text = lesson.notebook.read_text("utf-8")
    questions = questions_of(path)
    assert len(questions) == 5
    for question in questions:
        assert set(question) - {"code"} == {"asks", "answer", "objective"}
        assert question["asks"].strip() and question["answer"].strip()
        assert question["objective"] in objectives(nbformat.read(lesson.notebook, 4).cells[1]), "an objective of the lesson"
        assert question["asks"] not in text, "not a question of the lesson"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_answers_to_them_are_computed(path):
    for question in questions_of(path):
        if "code" in question:
            found = value_of(question["code"])
            for value in found if isinstance(found, list | tuple) else [found]:
                forms = {str(value), f"{value:,}", f"{value:#x}"} if isinstance(value, int) else {str(value)}
                said = [form for form in forms if re.search(rf"(?<!\w){re.escape(form)}(?!\w)", question["answer"])]
                assert said, (value, question)
