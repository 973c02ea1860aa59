# SPDX-License-Identifier: GPL-2.0-only
"""The checkers are checked: right solutions of every build get full points, every wrong one loses them on its rule."""

import pytest

from kvmmmu_lab.check.report import NOT_ATTEMPTED, PASSED, told

from .checking import EXERCISES, breaks, judge, judge_rule, solutions


def ids(found):
    return [f"{name}-{path.stem}" for name, path in found]


@pytest.mark.parametrize(("name", "path"), solutions("wheats"), ids=ids(solutions("wheats")))
def test_a_wheat_gets_full_points(name, path, nursery):
    report = judge(name, path, nursery)
    assert report.passed and report.status == PASSED, str(report)


@pytest.mark.parametrize(("name", "path"), solutions("chaffs"), ids=ids(solutions("chaffs")))
def test_a_chaff_loses_points_on_the_rule_that_it_breaks(name, path, nursery):
    verdict = judge_rule(name, path, breaks(path), nursery)
    said = told(verdict, EXERCISES[name])
    assert verdict.status not in (PASSED, NOT_ATTEMPTED) and verdict.points == 0, said
    assert verdict.rule.says in said and verdict.failure.sentence
    assert len(verdict.failure.steps) <= 5 or verdict.failure.where, said


@pytest.mark.parametrize("name", EXERCISES)
def test_there_are_enough_of_both(name):
    assert len([path for of, path in solutions("wheats") if of == name]) >= 4
    assert len([path for of, path in solutions("chaffs") if of == name]) >= 12


@pytest.mark.parametrize("name", EXERCISES)
def test_the_stub_is_not_attempted(name, nursery):
    report = judge(name, EXERCISES[name].file, nursery)
    assert report.status == NOT_ATTEMPTED and report.points == 0
    assert {verdict.status for verdict in report.verdicts} == {NOT_ATTEMPTED}


@pytest.mark.parametrize("name", EXERCISES)
def test_doing_nothing_earns_nothing(name, nursery):
    report = judge(name, nothing(EXERCISES[name]), nursery)
    assert report.points == 0, str(report)


def nothing(exercise):
    """A submission that defines all that it has to, and does nothing."""
    classes = {}
    for name in exercise.defines:
        owner, _, method = name.partition(".")
        classes.setdefault(owner, []).extend([method] * bool(method))
    lines = []
    for owner, methods in classes.items():
        if methods:
            lines += [f"class {owner}:", "    def __init__(self, *_): pass"]
            lines += [f"    def {method}(self, *_): return {RETURNS.get(method, 'None')}" for method in methods]
        else:
            lines.append(f"def {owner}(*_): return {RETURNS.get(owner, 'None')}")
    return "\n".join(lines)


RETURNS = {"sptes": "[]", "frames": "[]", "audit": "[]"}
