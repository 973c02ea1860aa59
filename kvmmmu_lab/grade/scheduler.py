# SPDX-License-Identifier: GPL-2.0-only
"""Schedulers: the one interface of all ways to have hand-ins judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from ..course_settings import CourseSettings
from .hand_in import HandIn
from .mark import Mark


@dataclass(frozen=True)
class Task:
    """What all hand-ins of a run have in common: the ``settings`` of the course, and what must stay hidden.

    ``secret`` are files and folders, as absolute paths, that no submission may see: the hand-ins of others and their marks.
    ``staging`` is the folder in which the files of hand-ins lie while they are judged ("": a temporary one for each worker).
    """

    settings: CourseSettings
    secret: tuple[str, ...] = ()
    staging: str = ""


class Scheduler(Protocol):
    """Has hand-ins judged, by one process or by many. The marks are the same whichever it is."""

    def marks(self, hand_ins: Iterable[HandIn]) -> Iterator[Mark]:
        """Yield a mark for each hand-in as soon as it is ready. Only as many hand-ins are taken as are judged at a time."""

    def __enter__(self) -> Scheduler: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...
