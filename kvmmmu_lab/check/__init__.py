# SPDX-License-Identifier: GPL-2.0-only
"""Exercises that check themselves. A submission runs in a process of its own; the judge compares what it shows.

Read it in this order (what an exercise is: `kvmmmu_lab.exercises`):

1. `steps`       what can happen to a machine in a scenario; `corrupt`: planted mistakes; `words`: how steps are said;
                 `made`: scenarios with shadow pages of any roles
2. `bench`       a machine with a part in it, which goes step by step; `looks`: what can be seen after each
3. `parts`       how a submission becomes a part; how a worker loses the kit's own version
4. `worker`      the process in which submissions run, and what they may not do there (`sandbox`)
5. `workers`     the judge's side of it, by `pipes`; `heard`: what comes from there; `nursery`: where workers are forked
                 from; `inline`: for a debugger
6. `judge`       tries each rule; `expected`: what the kit's own part shows (`references`: of functions); `compare`: what
                 differs; `shrink`: the shortest way there; `stretches`: the real kernel's operations, real guests' boots
7. `telling`     from a difference to what a learner reads: `sentences`, `answers`, `listing`; `draws`: expected beside got
                 (`machine`: a machine as data); `report` and `report_html`: verdicts, points, text
8. `submission`  files and notebooks; `notebook`: objects in a notebook
9. `plugin`      pytest; `cli`, `watch`, `hints`, `progress`, `keys`: the command line

>>> from kvmmmu_lab.check import check
>>> check("rmap_add", ReverseMap)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .report import Report

__all__ = ["check"]


def check(exercise: str, *given: Any, full: bool = False, seed: int = 0) -> Report:
    """Check what you wrote: ``check("rmap_add", ReverseMap)`` in a notebook, or a file, ``check("rmap_add", "mine.py")``.

    ``given``: the classes or functions that the exercise asks for, in any order, or the path of a .py or .ipynb file.
    The report shows itself, with pictures. Raises InputError.
    """
    from .notebook import check_given

    return check_given(exercise, given, full=full, seed=seed)
