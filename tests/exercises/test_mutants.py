# SPDX-License-Identifier: GPL-2.0-only
"""Checkers leave no gap: each generated mutant of a right solution loses points, or is listed with why it is right, too."""

import json

import pytest

from . import solutions
from .checking import EXERCISES, RIGHT
from .mutants import killer, listed, mutants

pytestmark = pytest.mark.mutation


@pytest.mark.parametrize("solution", RIGHT, ids=str)
def test_every_mutant_is_killed_or_listed_with_a_reason(solution, server):
    pytest.importorskip("cosmic_ray", reason="makes the mutants: pip install -e '.[mutation]'")
    exercise = EXERCISES[solution.exercise]
    known = {mutant for name, mutant in listed(solution.exercise) if name == solution.name}
    found = list(mutants(solution.source))
    assert found
    alive = {mutant.name for mutant in found if survives(exercise, mutant, server, 2 if mutant.name in known else 1)}
    new, gone = sorted(alive - known), sorted(known - alive)
    assert not new, "right as well? Then list them in survivors.toml. Else a rule needs a case:\n" + "\n".join(map(entry, new))
    assert not gone, "listed, but not alive (any more):\n" + "\n".join(map(entry, gone))


@pytest.mark.parametrize("name", EXERCISES)
def test_the_list_names_right_solutions(name):
    assert {solution for solution, _ in listed(name)} <= set(solutions.right(name))


def survives(exercise, mutant, server, times):
    """Whether a mutant loses no points. A listed one is tried twice: on a busy machine its time may run out."""
    return any(killer(exercise, mutant.source, server) is None for _ in range(times))


def entry(mutant):
    """A mutant as an entry of a list."""
    return "in = {}\nwas = {}\nnow = [{}]\n".format(*(json.dumps(text) for text in mutant))
