# SPDX-License-Identifier: GPL-2.0-only
"""Exercises that check themselves: a submission runs in another process, and the judge compares what is observed of it.

Read it in this order (what an exercise is: `kvmmmu_lab.exercises`):

1. `subject`      the machine with the part under test in it; `steps`: what can happen to it; `fault_injection`: mistakes that
                  a step can plant; `scenarios`: steps that are put together
2. `observe`      what can be seen of a machine after a step, and how a difference is explained, in the words of `explain`;
                  `testbench`: takes a subject from step to step
3. `parts`        how a submission becomes a part; how the kit's own version is removed from a worker
4. `sandbox`      processes with submissions: `protocol`, the messages; `forkserver` and `runner`, the processes; `limits`, what
                  submissions may not do; `client`, the judge's side; `machine_data`, a machine as data; `inline`, without a
                  process, for a debugger
5. `judge`        tries each rule; `oracle`: what is expected; `compare`: what differs first; `shrink`: the shortest way there
6. `failure`      from a run that failed to what a learner reads; `side_by_side`: expected beside got, drawn; `report`:
                  verdicts, points, text and HTML
7. `submission`   files and notebooks; `notebook`: objects in a notebook; `progress`: points and hints
8. `cli`          the commands; `console`: a check in a terminal; `session`: the command ``watch``; `pytest_plugin`

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
    ``full`` also replays whole traces of real guests; ``seed`` chooses the random scenarios. A notebook displays the report
    with pictures. Raises InputError.
    """
    from .notebook import check_given

    return check_given(exercise, given, full=full, seed=seed)
