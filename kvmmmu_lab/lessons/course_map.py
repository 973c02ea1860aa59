# SPDX-License-Identifier: GPL-2.0-only
"""The map of the course: its lessons, what each builds on, and the exercises after it, with the learner's progress."""

from __future__ import annotations

import textwrap

from ..draw.pictures import Picture
from ..draw.scene import Edge, Entry, Scene, Table
from ..progress import Progress
from .course import Course, LessonState, course

COLUMNS: tuple[dict[int, tuple[int, ...]], ...] = (
    {0: (), 1: (0,), 2: (1,)},
    {3: (2,), 4: (3,), 5: (3,)},
    {6: (4,), 7: (6,), 8: (5,)},
    {9: (7,), 10: (9,), 11: (5,)},
    {12: (8,), 13: (12,), 14: (7, 13)},
    {15: (14,), 16: (15,)},
)
"""The lessons of each column, from left to right, and from top to bottom; and the lessons on which each builds."""

WIDTH = 15
"""Characters in a line of a lesson's name."""


def course_map(progress: Progress | None = None) -> Picture:
    """Return the map as a picture, with the learner's progress (default: the one that is kept on this computer).

    A lesson or an exercise that is done has a tick; one that is begun says how many of its questions are answered.
    """
    return Picture(course_map_scene(course(progress)))


def course_map_scene(here: Course) -> Scene:
    """Return the map as a scene: a box for each lesson, a row for each exercise, and an arrow from what it builds on."""
    tables, edges = [], []
    states = {one.lesson.number: one for one in here.lessons}
    for column, numbers in enumerate(COLUMNS):
        for rank, (number, before) in enumerate(numbers.items()):
            if number in states:
                tables.append(_table(here, states[number], len(COLUMNS) - 1 - column, rank))
                edges += [Edge(_key(one), _key(number), "link") for one in before if one in states]
    finished = [one.done for one in here.lessons] + [one.done for one in here.exercises]
    has = f"{len(here.lessons)} lessons and {len(here.exercises)} exercises"
    title = f"The course: {has}, {sum(finished)} of {len(finished)} done"
    notes = ["an arrow leads from a lesson to one that builds on it; a tick means done"]
    return Scene(title, tuple(tables), tuple(edges), tuple(notes))


def _key(number: int) -> str:
    return f"lesson:{number}"


def _table(here: Course, state: LessonState, column: int, rank: int) -> Table:
    lesson, rows = state.lesson, []
    for one in here.exercises:
        if one.exercise.name in lesson.exercises:
            key = f"{_key(lesson.number)}:{int(one.exercise.number)}"
            target = "✓ solved" if one.done else "next" if one is here.next else "exercise"
            rows.append(Entry(key, one.exercise.number, "", target, "", one.words))
    name = lesson.title.partition(": ")[2] or lesson.title
    title = f"{'✓ ' if state.done else 'next: ' if state is here.next else ''}{lesson.number}"
    answered, every = state.answered + state.checked, state.questions + len(lesson.checks)
    if answered and not state.done:
        title += f" · {answered} of {every}"
    return Table(_key(lesson.number), "list", column, rank, title, tuple(textwrap.wrap(name, WIDTH)), tuple(rows))
