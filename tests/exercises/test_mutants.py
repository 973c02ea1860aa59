# SPDX-License-Identifier: GPL-2.0-only
"""Checkers leave no gap: each generated mutant of a right solution loses points, or is listed with why it is right, too."""

import json

import pytest

from .checking import EXERCISES, HERE, solutions
from .mutants import killer, listed, mutants

pytestmark = pytest.mark.mutation
WHEATS = solutions("wheats")


@pytest.mark.parametrize(("name", "path"), WHEATS, ids=[f"{name}-{path.stem}" for name, path in WHEATS])
def test_every_mutant_is_killed_or_listed_with_a_reason(name, path, nursery):
    pytest.importorskip("cosmic_ray", reason="makes the mutants: pip install -e '.[mutation]'")
    exercise, known = EXERCISES[name], {key for wheat, key in listed(HERE / name) if wheat == path.stem}
    found = list(mutants(path.read_text("utf-8")))
    assert found
    alive = {mutant.name for mutant in found if survives(exercise, mutant, nursery, 2 if mutant.name in known else 1)}
    new, gone = sorted(alive - known), sorted(known - alive)
    assert not new, "right as well? Then list them in survivors.toml. Else a rule needs a case:\n" + "\n".join(map(entry, new))
    assert not gone, "listed, and not alive (any more):\n" + "\n".join(map(entry, gone))


@pytest.mark.parametrize("name", EXERCISES)
def test_the_list_names_wheats(name):
    assert {wheat for wheat, _ in listed(HERE / name)} <= {path.stem for of, path in WHEATS if of == name}


def survives(exercise, mutant, nursery, times):
    """Each listed one has two chances: time runs out on a busy machine."""
    return any(killer(exercise, mutant.source, nursery) is None for _ in range(times))


def entry(mutant):
    """A mutant, as it stands in a list."""
    return "in = {}\nwas = {}\nnow = [{}]\n".format(*(json.dumps(text) for text in mutant))
