# SPDX-License-Identifier: GPL-2.0-only
"""Self-checking exercises: a submission runs in a separate process, and the judge compares its behaviour with the kit's
own.

Read the modules in this order (`kvmmmu_lab.exercises` defines what an exercise is):

1. `subject`      the machine that contains the part under test; `steps`: the actions on it; `fault_injection`: mistakes that
                  a step can plant; `scenarios`: generated sequences of steps; `strategies`: hypothesis, loaded when needed
2. `observe`      what is observed of a machine after a step, and how differences are explained; `explain` formats the values;
                  `testbench` runs the steps on a subject
3. `parts`        puts a submission into a machine, and removes the kit's own version from a worker
4. `sandbox`      runs submissions in processes: `protocol`, the messages; `forkserver` and `runner`, the processes; `loading`
                  loads a submission, with a `notebook_shell` for cells; `wall` and `limits`, what submissions can't do;
                  `scratch`, their folders; `client`, the judge's side; `machine_data`, a machine as data; `inline`, a run
                  without a process, for a debugger; `tab` and `tab_runner`, both sides in a browser tab, and
                  `in_kernel`, where that is not to be had
5. `judge`        tries each rule; `deadline`: the time for a whole check; `oracle`: the expected observations; `answers`:
                  what is known from earlier checks; `compare`: finds the first difference; `shrink`: shortens a failing
                  scenario
6. `failure`      explains a failed run to the learner; `side_by_side`: draws the expected machine and the learner's; `report`:
                  verdicts and points, as text and HTML
7. `submission`   files and notebooks; `python_source`: source as Python reads it; `cells`: a notebook's cells in Python;
                  `helper_files`: files beside a submission; `notebook`: objects in a notebook; `patience`: a word while a
                  tab checks; `hints`
8. `cli`          the commands; `console`: a check in a terminal; `session`: the command ``watch``; `pytest_plugin`: for
                  pytest

>>> from kvmmmu_lab.check import check
>>> check("rmap_add", ReverseMap)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .report import Report

__all__ = ["check", "hint"]


def check(exercise: str, *given: Any, full: bool = False, seed: int | None = None) -> Report:
    """Check your solution: ``check("rmap_add", ReverseMap)`` in a notebook, ``check("rmap_add", "mine.py")`` for a file.

    ``given``: the classes or functions that the exercise asks for, in any order, or the path of a .py or .ipynb file. Objects
    go along as they are, with everything that they use, and their points are kept as your progress.
    ``full`` also replays whole traces of real guests; ``seed`` chooses the random scenarios (default: that of the course). In a
    notebook, the report is displayed with pictures. Raises InputError.
    """
    from .patience import asking_for_patience

    with asking_for_patience():
        from .notebook import check_given  # slow to import

        return check_given(exercise, given, full=full, seed=seed)


def hint(exercise: str, number: int | None = None) -> None:
    """Print the next hint for an exercise, or the one with this number, from 1 on: ``hint("rmap_add")``. Raises InputError."""
    from .. import exercises, workspace
    from ..progress import Progress
    from .hints import next_hint

    print(next_hint(exercises.find(exercise, workspace.course_root()), Progress(), number))
