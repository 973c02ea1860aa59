# SPDX-License-Identifier: GPL-2.0-only
"""A mark: all that is known about one learner's hand-in for one exercise after it was judged."""

from __future__ import annotations

from dataclasses import dataclass

NOT_HANDED_IN = "not handed in"
NOT_READABLE = "not readable"
NOT_JUDGED = "not judged"
"""Statuses of hand-ins on which no rule was tried; the others are those of a `check.report.Report`."""

WALL = "wall"
"""The isolation of a submission that was judged behind the wall; otherwise the reason why there was none."""


@dataclass(frozen=True)
class RuleMark:
    """The verdict on one rule. ``message`` says what went wrong; ``steps`` are the shortest that lead there, in words.

    ``where`` names the recording of a real kernel or guest in which it went wrong; ``guest`` is the kind of guest.
    ``calls`` is how many calls these steps make. ``kind`` and ``behaviour`` group wrong behaviours: the kind of the failure,
    and its sentence without the names of entries, frames and addresses.
    """

    rule: str
    says: str
    status: str
    points: int
    of: int
    extra: bool = False
    message: str = ""
    where: str = ""
    guest: str = ""
    steps: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    got: tuple[str, ...] = ()
    kind: str = ""
    behaviour: str = ""
    calls: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Mark:
    """The result of one hand-in. ``digest`` is that of its files, ``file`` the one that was judged.

    ``stamp`` identifies what the marks depend on besides: rules, seed, versions and limits. ``isolation``: see `WALL`.
    ``picture`` shows the failure to fix first: the scenes of the expected machine and of the submission's, as a JSON list of
    two `draw.scene.scene_data`. They are a tenth of the drawing, which the views make.
    ``print_count`` is the number of bytes that were printed, at most `marking.MOST_COUNTED`.
    ``problem`` says why no rule was tried. ``seconds`` are those from begin to end of the judging; nothing else depends on
    time.
    """

    learner: str
    exercise: str
    digest: str
    status: str
    points: int
    of: int
    extra: int = 0
    file: str = ""
    place: str = ""
    problem: str = ""
    rules: tuple[RuleMark, ...] = ()
    notes: tuple[str, ...] = ()
    printed: str = ""
    print_count: int = 0
    picture: str = ""
    isolation: str = ""
    seed: int = 0
    stamp: str = ""
    versions: str = ""
    seconds: float = 0.0
