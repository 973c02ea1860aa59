# SPDX-License-Identifier: GPL-2.0-only
"""What the grader's tests share: hand-ins made from solutions, and marks without the seconds that they took."""

from dataclasses import replace

from kvmmmu_lab.course_settings import CourseSettings
from kvmmmu_lab.grade.hand_in import HandIn
from kvmmmu_lab.grade.scheduler import Task

from ..exercises import solutions

TASK = Task(CourseSettings())
SPLIT, RMAP_ADD = "01_split", "04_rmap_add"


def hand_in(learner, source, exercise="rmap_add", **fields):
    """A hand-in of one file with this source."""
    content = source if isinstance(source, bytes) else source.encode()
    return HandIn(learner, exercise, {f"{exercise}.py": content}, f"{exercise}.py", **fields)


def solved(folder=RMAP_ADD, wrong=3, right=2):
    """Hand-ins made from right solutions and from wrong ones of an exercise; each is another learner's."""
    exercise = folder.partition("_")[2]
    found = [*list(solutions.right(folder).values())[:right], *list(solutions.wrong(folder).values())[:wrong]]
    return [hand_in(solution.name, solution.source, exercise) for solution in found]


def timeless(mark):
    """A mark without the seconds that it took."""
    return replace(mark, seconds=0.0, rules=tuple(replace(rule, seconds=0.0) for rule in mark.rules))


def by_learner(marks):
    """Marks without their seconds, by learner; there must be one for each."""
    found = list(marks)
    assert len({mark.learner for mark in found}) == len(found)
    return {mark.learner: timeless(mark) for mark in found}
