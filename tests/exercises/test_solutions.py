# SPDX-License-Identifier: GPL-2.0-only
"""The checkers are checked: every right solution gets full points, every wrong one loses those of the rule that it breaks."""

import builtins
import dis
from types import CodeType

import pytest

from kvmmmu_lab.check.report import NOT_ATTEMPTED, PASSED, explained

from ..share import case
from . import solutions
from .checking import EXERCISES, RIGHT, WRONG, judge, judge_rule

SHORT = ("04_rmap_add", "08_pre_write")
"""The exercises that the short tests judge."""


@pytest.mark.parametrize("solution", [case(one, one.exercise in SHORT and number % 2 == 0) for number, one in enumerate(RIGHT)])
def test_a_right_solution_gets_full_points(solution, server):
    report = judge(solution.exercise, solution, server)
    assert report.passed and report.status == PASSED, str(report)


AT_LENGTH = [pytest.mark.slow], [pytest.mark.slow, pytest.mark.whole]
"""The marks of one in three, and of the others."""


WRONG_CASES = [
    case(one, one.exercise in SHORT and number % 6 == 0, rest=AT_LENGTH[number % 3 > 0]) for number, one in enumerate(WRONG)
]


@pytest.mark.parametrize("solution", WRONG_CASES)
def test_a_wrong_solution_loses_the_points_of_the_rule_that_it_breaks(solution, unwalled, monkeypatch):
    monkeypatch.setattr("kvmmmu_lab.check.judge.SHRINKING", 60)  # also on a busy computer, its steps get as short as possible
    verdict = judge_rule(solution, solution.breaks, unwalled)
    said = explained(verdict, EXERCISES[solution.exercise])
    assert verdict.status not in (PASSED, NOT_ATTEMPTED) and verdict.points == 0, said
    assert verdict.rule.says in said and verdict.failure.sentence
    assert len(verdict.failure.steps) <= 5 or verdict.failure.where, said


@pytest.mark.parametrize("name", EXERCISES)
def test_there_are_enough_of_both(name):
    assert len(solutions.right(name)) >= 4
    assert len(solutions.wrong(name)) >= 12


@pytest.mark.parametrize("name", EXERCISES)
def test_every_wrong_solution_has_a_sentence_of_its_own(name):
    says = [solution.says for solution in (*solutions.right(name).values(), *solutions.wrong(name).values())]
    assert all(sentence.endswith(".") for sentence in says)
    assert len(set(says)) == len(says)


@pytest.mark.parametrize("name", EXERCISES)
def test_every_name_in_a_composed_source_is_defined(name):
    """Else a wrong solution would fail because of a typing error, and not because of its mistake."""
    for solution in (*solutions.right(name).values(), *solutions.wrong(name).values()):
        assert not undefined(compile(solution.source, str(solution), "exec")), str(solution)


def undefined(module):
    """Global names that a module uses and that nothing in it defines."""
    codes = [module]
    for code in codes:
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    instructions = [instruction for code in codes for instruction in dis.get_instructions(code)]
    defined = {one.argval for one in instructions if one.opname in ("STORE_NAME", "STORE_GLOBAL")}
    used = {one.argval for one in instructions if one.opname in ("LOAD_NAME", "LOAD_GLOBAL")}
    return {name for name in used - defined - set(dir(builtins)) if not name.startswith("__")}


@pytest.mark.parametrize("name", [case(name, name in SHORT) for name in EXERCISES])
def test_the_stub_is_not_attempted(name, server):
    report = judge(name, EXERCISES[name].file, server)
    assert report.status == NOT_ATTEMPTED and report.points == 0
    assert {verdict.status for verdict in report.verdicts} == {NOT_ATTEMPTED}


@pytest.mark.parametrize("name", [case(name, name in SHORT) for name in EXERCISES])
def test_doing_nothing_earns_nothing(name, server):
    report = judge(name, nothing(EXERCISES[name]), server)
    assert report.points == 0, str(report)


def nothing(exercise):
    """A submission that defines everything that it has to, and does nothing."""
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
