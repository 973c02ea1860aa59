# SPDX-License-Identifier: GPL-2.0-only
"""The marks as JUnit XML, in the form that Jenkins reads (its schema junit-10.xsd), and other CI systems, too.

A mark is a test suite, a rule is a test case. An extra rule that is not met is skipped: nobody fails for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

from ...check.failure import FAILED, NOT_ATTEMPTED, PASSED
from ...files import replacing
from ...printable import printable
from ..mark import NOT_HANDED_IN, Mark, RuleMark
from .learner_name import shown_name

FORBIDDEN = re.compile("[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Matches a character that XML can't hold."""

FAILURE, ERROR, SKIPPED = "failure", "error", "skipped"


def write_junit(marks: Iterable[Mark], path: Path) -> None:
    """Write the marks to a file. Raises OSError."""
    with replacing(path) as file:
        file.write(b'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="kvmmmu-lab grade">\n')
        for mark in marks:
            suite = _suite(mark)
            ET.indent(suite)
            file.write(ET.tostring(suite, "utf-8", xml_declaration=False) + b"\n")
        file.write(b"</testsuites>\n")


def _suite(mark: Mark) -> ET.Element:
    suite = ET.Element("testsuite")
    ET.SubElement(suite, "properties").extend(
        ET.Element("property", {"name": name, "value": _text(value)})
        for name, value in (
            ("learner", mark.learner),
            ("exercise", mark.exercise),
            ("points", f"{mark.points} of {mark.of}"),
            ("sha256", mark.digest),
            ("isolation", mark.isolation),
            ("seed", str(mark.seed)),
            ("versions", mark.versions),
        )
    )
    name = shown_name(mark.learner)
    # a dot would end the name of a package
    place = f"{mark.exercise}.{name.replace('.', '_')}"
    cases = [_case(place, rule) for rule in mark.rules] or [_not_judged(place, mark)]
    suite.extend(cases)
    if mark.printed:
        ET.SubElement(suite, "system-out").text = _text(mark.printed)
    count = {kind: sum(case.find(kind) is not None for case in cases) for kind in (FAILURE, ERROR, SKIPPED)}
    attributes = {
        "name": f"{mark.exercise}: {name}",
        "tests": str(len(cases)),
        "failures": str(count[FAILURE]),
        "errors": str(count[ERROR]),
        "skipped": str(count[SKIPPED]),
        "time": f"{mark.seconds:.3f}",
    }
    for key, value in attributes.items():
        suite.set(key, _text(value))
    return suite


def _case(place: str, rule: RuleMark) -> ET.Element:
    says = f"{rule.rule}: {rule.says} ({rule.points}/{rule.of}{' extra' * rule.extra})"
    case = ET.Element("testcase", {"classname": _text(place), "name": _text(says), "time": f"{rule.seconds:.3f}"})
    if rule.status != PASSED:
        kind = SKIPPED if rule.extra or rule.status == NOT_ATTEMPTED else FAILURE if rule.status == FAILED else ERROR
        wrong = ET.SubElement(case, kind, {"message": _text(rule.message or rule.status)})
        if kind != SKIPPED:
            wrong.set("type", _text(rule.kind or rule.status))
        wrong.text = _text("\n".join(explanation(rule))) or None
    return case


def _not_judged(place: str, mark: Mark) -> ET.Element:
    case = ET.Element("testcase", {"classname": _text(place), "name": "is judged", "time": f"{mark.seconds:.3f}"})
    kind = SKIPPED if mark.status == NOT_HANDED_IN else ERROR
    ET.SubElement(case, kind, {"message": _text(mark.problem or mark.status), "type": _text(mark.status)})
    return case


def explanation(rule: RuleMark) -> list[str]:
    """The steps that lead to a failure, and what was expected and what came, as lines of text."""
    lines = [f"({rule.guest})"] if rule.guest and rule.steps else []
    lines += [f"{number}. {step}" for number, step in enumerate(rule.steps, 1)]
    for title, values in (("Expected:", rule.expected), ("With your code:", rule.got)):
        lines += ["", title, *(f"    {line}" for line in values)] if values else []
    return lines


def _text(text: str) -> str:
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", printable(text))
