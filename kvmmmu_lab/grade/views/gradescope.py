# SPDX-License-Identifier: GPL-2.0-only
"""The marks of a learner as Gradescope's results.json. Every format is "text", which Gradescope shows as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from ...check.failure import PASSED
from ...files import replace_file
from ...printable import printable, shortened
from ..mark import Mark, RuleMark
from ..record import Info
from .junit import explanation
from .learner_name import file_name

LONGEST = 10_000
"""The maximum number of characters of an output."""


def write_gradescope(marks: Iterable[Mark], info: Info, folder: Path) -> None:
    """Write a file for each learner into ``folder``. The marks of a learner must come one after the other. Raises OSError."""
    for learner, own in groupby(marks, attrgetter("learner")):
        content = f"{json.dumps(results(own, info), indent=1)}\n"
        replace_file(folder / f"{file_name(learner)}.json", content.encode())


def results(marks: Iterable[Mark], info: Info) -> dict[str, Any]:
    """The results of one learner: a test for each rule, so that the score is the sum of all points."""
    known = {exercise.name: (order, exercise.number) for order, exercise in enumerate(info.exercises)}
    own = sorted(marks, key=lambda mark: known.get(mark.exercise, (len(known), "")))
    tests = [test for mark in own for test in _tests(mark, known.get(mark.exercise, (0, ""))[1] or mark.exercise)]
    printed = [f"Your code for {mark.exercise} printed:\n{mark.printed}" for mark in own if mark.printed]
    notes = [f"{mark.exercise}: {note}" for mark in own for note in mark.notes]
    return {
        "score": sum(test["score"] for test in tests),
        "execution_time": round(sum(mark.seconds for mark in own)),
        "output": _text("\n\n".join([*notes, *printed])),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {
            "seed": own[0].seed if own else 0,
            "versions": _text(own[0].versions if own else ""),
            "sha256": {_text(mark.exercise): _text(mark.digest) for mark in own},
        },
        "tests": tests,
    }


def _tests(mark: Mark, number: str) -> list[dict[str, Any]]:
    if not mark.rules:
        why = mark.problem or mark.status
        return [_test(f"{mark.exercise}: {mark.status}", f"{number}.1", 0, mark.of, False, why, mark)]
    return [
        _test(
            f"{mark.exercise}: {rule.says}{' (extra)' * rule.extra}",
            f"{number}.{place}",
            rule.points,
            rule.of,
            rule.status == PASSED,
            _output(rule, mark.exercise),
            mark,
            [rule.status, *["extra"] * rule.extra],
        )
        for place, rule in enumerate(mark.rules, 1)
    ]


def _output(rule: RuleMark, exercise: str) -> str:
    if rule.status == PASSED:
        return ""
    hint = f"For a hint: kvmmmu-lab hint {exercise}"
    return "\n".join([*[f"{rule.message}."] * bool(rule.message), *explanation(rule), "", hint])


def _test(
    name: str, number: str, score: int, most: int, passed: bool, output: str, mark: Mark, tags: Iterable[str] = ()
) -> dict[str, Any]:
    return {
        "name": _text(name),
        "number": _text(number),
        "score": score,
        "max_score": most,
        "status": "passed" if passed else "failed",
        "output": _text(output),
        "tags": [_text(tag) for tag in tags or [mark.status]],
        "visibility": "visible",
    }


def _text(text: str) -> str:
    return printable(shortened(text, LONGEST))
