# SPDX-License-Identifier: GPL-2.0-only
"""A report folder: all views of a record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from ..mark import Mark
from ..record import ExerciseInfo, Info

GRADESCOPE = "gradescope"
"""The folder with a results.json for each learner."""


def write_views(marks: Callable[[], Iterator[Mark]], info: Info, folder: Path) -> None:
    """Write all views into ``folder``, each as a whole. Raises OSError.

    ``marks`` returns all marks each time it is called, those of a learner one after the other. They are read once for each
    view, and none is kept.
    """
    # only here: the views load the checker, and a process that forks graders must not have loaded it before
    from .class_page import LEARNERS, write_class_page
    from .gradescope import write_gradescope
    from .json_lines import write_json_lines
    from .junit import write_junit
    from .learner_page import write_learner_pages
    from .spreadsheet import write_grade_book, write_marks

    names = {mark.exercise for mark in marks()}
    info = replace(info, exercises=(*info.exercises, *_unknown(names, info)))
    for name in (LEARNERS, GRADESCOPE):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_marks(marks(), folder / "marks.csv")
    write_grade_book(marks(), [exercise.name for exercise in info.exercises], folder / "gradebook.csv")
    write_json_lines(marks(), folder / "marks.jsonl")
    write_junit(marks(), folder / "junit.xml")
    write_gradescope(marks(), info, folder / GRADESCOPE)
    write_learner_pages(marks(), info, folder / LEARNERS)
    write_class_page(marks(), info, folder / "index.html")


def _unknown(names: set[str], info: Info) -> list[ExerciseInfo]:
    """The exercises that only an earlier run judged."""
    return [ExerciseInfo(name) for name in sorted(names - {exercise.name for exercise in info.exercises})]
