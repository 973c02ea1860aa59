# SPDX-License-Identifier: GPL-2.0-only
"""The scheduler without workers: this process judges one hand-in after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .grader import Grader
from .hand_in import HandIn
from .mark import Mark
from .scheduler import Task


class Serial:
    """Judges in this process. A hand-in that crashes it, as by a fault of the parser, ends the run; a `WorkerPool` goes on."""

    def __init__(self, task: Task) -> None:
        self.grader = Grader(task)

    def marks(self, hand_ins: Iterable[HandIn]) -> Iterator[Mark]:
        """Yield the marks in the order of the hand-ins."""
        return map(self.grader.mark, hand_ins)

    def __enter__(self) -> Serial:
        return self

    def __exit__(self, *_: object) -> None:
        self.grader.close()
