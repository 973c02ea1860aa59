# SPDX-License-Identifier: GPL-2.0-only
"""The course as a whole: its lessons and exercises, and how far the learner has come."""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import exercises, workspace
from ..errors import LabError
from ..exercises import Exercise
from ..files import parse_json, read_bytes, replace_file
from ..host_platform import HERE
from ..player.cell_output import has_kernel
from ..progress import Progress
from .lesson import Lesson

FOR = "course"
"""The tag of the cell in the start page that shows the course."""


FOLLOW_SECONDS = 2.0
"""How often the start page looks whether the progress has changed."""


@dataclass
class LessonState:
    """A lesson, and what the learner has done in it: how many questions have been answered, and how many of them right.

    ``checked`` and ``checked_right`` are the same for its check questions.
    """

    lesson: Lesson
    answered: int
    right: int
    checked: int = 0
    checked_right: int = 0

    @property
    def questions(self) -> int:
        """The number of questions."""
        return len(self.lesson.questions)

    @property
    def done(self) -> bool:
        """Whether all questions and check questions have been answered."""
        return self.answered >= self.questions and self.checked >= len(self.lesson.checks)

    @property
    def words(self) -> str:
        """What was done, in words."""
        if not self.answered and not self.checked:
            return "not yet"
        predicted = f"{self.answered} of {self.questions} predictions, {self.right} right at first choice"
        checks = len(self.lesson.checks)
        return f"{predicted}; {self.checked_right} of {checks} check questions" if checks else predicted


@dataclass
class ExerciseState:
    """An exercise, and the learner's best points."""

    exercise: Exercise
    best: int

    @property
    def done(self) -> bool:
        """Whether the exercise is solved."""
        return self.best >= self.exercise.points

    @property
    def words(self) -> str:
        """What was done, in words."""
        return "solved" if self.done else f"{self.best} of {self.exercise.points} points"


@dataclass
class Course:
    """All lessons and exercises, with the learner's progress. A notebook shows it as a table with links.

    ``up`` is the path from the notebook's folder to the course's folder.
    """

    lessons: list[LessonState] = field(default_factory=list)
    exercises: list[ExerciseState] = field(default_factory=list)
    up: str = ".."

    @property
    def next(self) -> LessonState | ExerciseState | None:
        """What to do next: the first thing in the course that isn't done, or None."""
        return next((one for one in self.in_order() if not one.done), None)

    def in_order(self) -> Iterator[LessonState | ExerciseState]:
        """Yield each lesson, and after it its exercises; then the exercises of no lesson."""
        left = {one.exercise.name: one for one in self.exercises}
        for state in self.lessons:
            yield state
            for name in state.lesson.exercises:
                if name in left:
                    yield left.pop(name)
        yield from left.values()

    def link(self, one: LessonState | ExerciseState) -> str:
        """Return the Markdown link to a lesson or an exercise, for a notebook in notebooks/."""
        if isinstance(one, LessonState):
            return f"[{one.lesson.title}]({one.lesson.notebook.name})"
        folder = one.exercise.folder.name
        return f"[{one.exercise.heading}]({self.up}/exercises/{folder}/{one.exercise.name}.ipynb)"

    @property
    def markdown(self) -> str:
        """The course as Markdown: what to do next, the lessons, the exercises."""
        upcoming = self.next
        if upcoming is None:
            lines = ["**You have done it all.**"]
        else:
            begun = any(one.answered or one.checked for one in self.lessons) or any(one.best for one in self.exercises)
            lines = [f"**{'Next' if begun else 'Begin here'}: {self.link(upcoming)}**"]
        lines += ["", "| lesson | asks | minutes | done |", "| :-- | :-- | --: | :-- |"]
        for one in self.lessons:
            sign = "✓ " * one.done
            lines.append(f"| {self.link(one)} | {one.lesson.asks} | {one.lesson.minutes} | {sign}{one.words} |")
        after = {name: one.lesson.number for one in self.lessons for name in one.lesson.exercises}
        lines += ["", "| exercise | after lesson | points | done |", "| :-- | --: | --: | :-- |"]
        for task in self.exercises:
            lesson = after.get(task.exercise.name, "")
            lines.append(f"| {self.link(task)} | {lesson} | {task.exercise.points} | {'✓ ' * task.done}{task.words} |")
        return "\n".join(lines)

    def __str__(self) -> str:
        """The course as text for a terminal."""
        upcoming = self.next
        every: list[LessonState | ExerciseState] = [*self.lessons, *self.exercises]
        width = max((len(title_of(one)) for one in every), default=0)
        lines = []
        for one in every:
            sign = "✓" if one.done else ">" if one is upcoming else " "
            lines.append(f"{sign} {title_of(one):<{width}}  {one.words}")
        following = "You have done it all." if upcoming is None else f"Next: {title_of(upcoming)}"
        return "\n".join([*lines, "", following])

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/markdown": self.markdown, "text/plain": str(self)}

    def _ipython_display_(self) -> None:
        """Show the course, and in a notebook keep it up to date while its kernel runs."""
        from IPython.display import display

        if not has_kernel():
            print(self)
            return
        handle = display(self._repr_mimebundle_(), raw=True, display_id=True)
        _follow(lambda: handle.update(course()._repr_mimebundle_(), raw=True))

    def as_data(self) -> dict[str, Any]:
        """Return the course as data for JSON."""
        upcoming = self.next
        return {
            "next": None if upcoming is None else title_of(upcoming),
            "lessons": [
                {
                    "number": one.lesson.number,
                    "title": one.lesson.title,
                    "minutes": one.lesson.minutes,
                    "questions": one.questions,
                    "answered": one.answered,
                    "right": one.right,
                    "checks": len(one.lesson.checks),
                    "checked": one.checked,
                    "checked_right": one.checked_right,
                }
                for one in self.lessons
            ],
            "exercises": [
                {"name": one.exercise.name, "title": one.exercise.title, "points": one.exercise.points, "best": one.best}
                for one in self.exercises
            ],
        }


def title_of(one: LessonState | ExerciseState) -> str:
    """Return the title of a lesson or an exercise, as in "Exercise 04: Reverse maps, add"."""
    if isinstance(one, LessonState):
        return one.lesson.title
    return one.exercise.heading


def navigation(lesson: Lesson) -> str:
    """Return the links from a lesson to its neighbours, as Markdown for the first and the last cell of its notebook."""
    every = all_lessons()
    at = [one.number for one in every].index(lesson.number)
    links = [f"[All lessons]({Path(workspace.START).name})"]
    if at > 0:
        links.append(f"[← {every[at - 1].title}]({every[at - 1].notebook.name})")
    if at + 1 < len(every):
        links.append(f"[{every[at + 1].title} →]({every[at + 1].notebook.name})")
    return " \N{MIDDLE DOT}\n".join(links)


def exercise_navigation(exercise: Exercise) -> str:
    """Return the links from an exercise to the start page and to its lesson, as Markdown for the first cell of its notebook."""
    links = [f"[All lessons](../../{workspace.START})"]
    for lesson in all_lessons():
        if exercise.name in lesson.exercises:
            links.append(f"[{lesson.title}](../../notebooks/{lesson.notebook.name})")
    return " \N{MIDDLE DOT}\n".join(links)


def all_lessons() -> list[Lesson]:
    """Return the lessons, in order: ``LESSON`` of each module ``lesson_NN`` in this package."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("lesson_[0-9]*.py"))
    found: list[Lesson] = [importlib.import_module(f"{__package__}.{name}").LESSON for name in names]
    return sorted(found, key=lambda lesson: lesson.number)


def course(progress: Progress | None = None) -> Course:
    """Return the course with the learner's progress (default: the one that is kept on this computer)."""
    progress = progress or Progress()
    predicted = progress.predictions
    states = []
    for lesson in all_lessons():
        rows = [predicted[key] for key in map(lesson.key, lesson.questions) if key in predicted]
        right = sum(bool(row.get("right")) and not row.get("late") for row in rows)
        checked = [predicted[key] for key in map(lesson.key, lesson.checks) if key in predicted]
        states.append(LessonState(lesson, len(rows), right, len(checked), sum(bool(row.get("right")) for row in checked)))
    tasks = [exercises.load(folder) for folder in exercises.folders(workspace.course_root())]
    return Course(states, [ExerciseState(task, progress.get(task.name, "best")) for task in tasks])


_follower: threading.Event | None = None
"""Set to stop the thread that follows the progress for the latest output."""


def _follow(changed: Callable[[], object]) -> None:
    """Call ``changed`` whenever another notebook or terminal has changed the progress. Replaces the previous call."""
    global _follower
    if _follower is not None:
        _follower.set()
    path, stop = Progress().path, threading.Event()
    _follower, seen = stop, 0.0

    def stamp() -> float:
        try:
            return path.stat().st_mtime if path is not None else 0.0
        except OSError:
            return 0.0

    def look() -> None:
        nonlocal seen
        now = stamp()
        if now != seen:
            seen = now
            changed()

    def follow() -> None:
        while not stop.wait(FOLLOW_SECONDS):
            look()

    def look_again() -> None:
        if not stop.is_set():
            look()
            loop.call_later(FOLLOW_SECONDS, look_again)

    seen = stamp()
    if HERE.can_start_threads:
        threading.Thread(target=follow, name="kvmmmu-lab progress", daemon=True).start()
    else:  # between the cells of the notebook
        import asyncio  # slow to import

        loop = asyncio.get_event_loop()
        loop.call_later(FOLLOW_SECONDS, look_again)


def fill_start_page(folder: Path) -> None:
    """Store the present state of the course in the start page of a working folder, so that it is up to date when it opens.

    A start page that the learner has removed or changed beyond recognition, or that can't be written, is left alone.
    """
    path = folder / workspace.START
    try:
        book = parse_json(read_bytes(path), finite=False)
        cell = next(cell for cell in book["cells"] if FOR in cell["metadata"].get("tags", ()))
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return
    try:
        data = {kind: text.splitlines(keepends=True) for kind, text in course()._repr_mimebundle_().items()}
    except LabError:
        return  # without the kit's extra there are no exercises to list; the page says so when its cell runs
    cell["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": data}]
    try:
        replace_file(path, f"{json.dumps(book, indent=1, ensure_ascii=False)}\n".encode())
    except (OSError, UnicodeEncodeError):
        return
