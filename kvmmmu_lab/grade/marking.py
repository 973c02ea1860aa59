# SPDX-License-Identifier: GPL-2.0-only
"""Marking: a judge's report becomes a mark, which is plain data and holds no object of the checker."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import groupby

from ..check.failure import BEFORE, TIMED_OUT, Failure, ending
from ..check.report import Report, Verdict, both_sides, capital
from ..check.steps import read_step
from ..printable import printable, shortened
from .hand_in import HandIn
from .mark import WALL, Mark, RuleMark

LONGEST = 2000
"""The maximum number of characters of a sentence or a line that is kept."""

LONGEST_BEHAVIOUR = 400
"""The maximum number of characters of a `RuleMark.behaviour`."""

MOST_COUNTED = 1_000_000
"""The highest number of printed bytes that is told: what prints for ever prints as much as there is time."""

ADDRESS = re.compile(r" at 0x[0-9a-f]{6,16}\b")
"""Matches the address in Python's description of an object: "<object object at 0x7f3a5c1d2e40>"."""

TOO_LONG = "your code took too long and was stopped"
"""The behaviour of everything that timed out: how long it took depends on the computer."""

STUCK = f"{TOO_LONG} while it was being loaded"
"""The behaviour of what timed out before any rule was tried."""

NAME = r"(?<!\w)(?:#\d+(?::\d+)?|0x[0-9a-f]+)\b"
NAMES = re.compile(rf"{NAME}(?:(?:, | and | to ){NAME})*|(?<=\bentry )\d+\b|(?<=\bslot )\d+\b")
"""Matches what names an entry, a frame or an address, such as #7:12 or 0x1f, or a list of such names."""

FRAME = re.compile(r"gfn \.\.\. \(hfn \.\.\.\)|hfn \.\.\. \(gfn \.\.\.\)|the hfn of gfn \.\.\.")
"""Matches a frame without its numbers, named by both of them or by one."""

LONGEST_STEP = 60
"""The maximum number of characters of a step in a `RuleMark.behaviour`."""

NUMBER = r"(?<!\w)#?(?:0x[0-9a-f]+|\d+(?:,\d{3})*(?:\.\d+)?)(?::\d+)?\b(?!-bit)"
NUMBERS = re.compile(rf"{NUMBER}(?:(?:, | and | to ){NUMBER})*")
"""Matches a number such as 0x1f, 1,024 or #7:12, or a list of them."""


def mark_of(report: Report, hand_in: HandIn, *, seed: int = 0, stamp: str = "", versions: str = "") -> Mark:
    """The mark for a hand-in on which the judge wrote ``report``."""
    first = report.first
    return Mark(
        learner=hand_in.learner,
        exercise=hand_in.exercise,
        digest=hand_in.digest,
        status=report.status,
        points=report.points,
        of=report.exercise.points,
        extra=report.extra,
        file=hand_in.main,
        place=hand_in.place,
        rules=tuple(map(rule_mark_of, report.verdicts)),
        notes=tuple(printable(note) for note in report.submission.notes),
        printed=_without_addresses(printable(report.printed)),
        print_count=min(report.print_count, MOST_COUNTED),
        picture=_picture(first.failure) if first is not None and first.failure is not None else "",
        isolation=report.no_wall or WALL,
        seed=seed,
        stamp=stamp,
        versions=versions,
        seconds=report.seconds,
    )


def rule_mark_of(verdict: Verdict) -> RuleMark:
    """The mark for one rule."""
    rule, failure = verdict.rule, verdict.failure
    mark = RuleMark(rule.name, rule.says, verdict.status, verdict.points, rule.points, rule.extra, seconds=verdict.seconds)
    if failure is None:
        return mark
    expected, got = both_sides(failure) if not _is_told(failure) else ([], [])
    return replace(
        mark,
        message=_text(capital(failure.sentence)),
        where=failure.where,
        guest=failure.guest,
        steps=tuple(map(_text, failure.steps)),
        expected=tuple(map(_text, expected)),
        got=tuple(map(_text, got)),
        kind=failure.kind,
        behaviour=behaviour(failure),
        calls=_calls(failure),
    )


def _calls(failure: Failure) -> int:
    """How many calls the steps of a failure make; 0 if they are not known."""
    steps = failure.scenario.steps[: len(failure.steps)] if failure.scenario is not None else ()
    return sum(read_step(step).calls for step in steps)


def _is_told(failure: Failure) -> bool:
    """Whether the sentence tells both sides already: that something is wrong where nothing should be."""
    difference = failure.difference
    if failure.picture is not None or difference is None:
        return False
    return difference.expected is None and isinstance(difference.got, str) and printable(difference.got) in failure.sentence


def behaviour(failure: Failure) -> str:
    """What a failure has in common with those of other learners: its sentence, without step and line of code.

    Of a difference, the names of entries, frames and addresses are left out, but how many there are is not: who keeps 4 of 5
    entries has another mistake than who keeps 8 of 9. The calls that lead there follow in [brackets], if they are known. Of an
    error, all numbers are left out.
    """
    if failure.status == TIMED_OUT:
        return STUCK if failure.step == BEFORE and failure.kind == "timeout" else TOO_LONG
    difference = failure.difference
    if difference is None:
        sentence, names = ending(failure) if failure.error else failure.sentence, NUMBERS
    elif difference.hashed:
        sentence, names = difference.sentence, NUMBERS
    else:
        sentence, names = difference.sentence, NAMES
    words = names.sub("...", printable(sentence))
    if names is NAMES:
        words = FRAME.sub("gfn ...", words) + _steps_in_brief(failure)
    return shortened(words, LONGEST_BEHAVIOUR)


def _steps_in_brief(failure: Failure) -> str:
    """The steps that lead to a failure without names, each kind of step once in a row, and how many calls they make."""
    said = [FRAME.sub("gfn ...", NAMES.sub("...", step)).replace(" for gfn ...", "") for step in failure.steps]
    short = [step if len(step) <= LONGEST_STEP else step.partition(" [")[0] for step in said]
    short = [step.replace(" [", ", ").removesuffix("]") for step in short]
    calls = _calls(failure)
    many = f"{calls} call{'s' * (calls != 1)}: " if calls else ""
    return f" [{many}{', '.join(step for step, _ in groupby(short))}]" if short else ""


def _picture(failure: Failure) -> str:
    if failure.picture is None:
        return ""
    from ..draw.scene import scene_data  # only here, as in `failure`: a right solution needs no picture

    scenes = [scene_data(scene) for scene in (failure.picture.expected, failure.picture.got)]
    return json.dumps(scenes, separators=(",", ":"))


def _text(text: str) -> str:
    return shortened(_without_addresses(printable(text)), LONGEST)


def _without_addresses(text: str) -> str:
    """Return ``text`` without the addresses of objects, which are different in each process."""
    return ADDRESS.sub(" at 0x...", text)
