# SPDX-License-Identifier: GPL-2.0-only
"""Shrink a failing scenario: find a scenario that is as short as possible and fails in the same way."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..errors import InputError
from ..exercises import Scenario, StepData
from .steps import read_step

Steps = tuple[StepData, ...]
Fails = Callable[[Scenario], int | None]
"""A function that returns the number of the step in which a scenario fails in the same way, or None if it does not."""


def shrink(scenario: Scenario, step: int, fails: Fails, seconds: float) -> Scenario:
    """Remove smaller and smaller groups of steps, as long as the scenario still fails and there is time."""
    end = time.monotonic() + seconds
    steps = scenario.steps[: step + 1]
    size = max(1, len(steps) // 2)
    while time.monotonic() < end:
        smaller = _without(scenario, steps, size, fails, end)
        if smaller is not None:
            steps = smaller
            size = max(1, min(size, len(steps) // 2))
        elif size == 1:
            break
        else:
            size //= 2
    return _less(scenario.with_steps(steps), fails, end)


def _without(scenario: Scenario, steps: Steps, size: int, fails: Fails, end: float) -> Steps | None:
    """Return ``steps`` without up to ``size`` consecutive unneeded steps, trying the last first; None if all are needed."""
    for at in range(len(steps) - 1, -1, -size):
        first = max(0, at - size + 1)
        if any(isinstance(step, dict) and step.get("op") == "create" for step in steps[first : at + 1]):
            continue
        left = steps[:first] + steps[at + 1 :]
        if not left or time.monotonic() > end:
            continue
        failing = fails(scenario.with_steps(left))
        if failing is not None:
            return left[: failing + 1]
    return None


def _less(scenario: Scenario, fails: Fails, end: float) -> Scenario:
    """Remove unneeded entries of the guest's tables and unneeded items of long operands, and make fewer calls in a step."""
    for number in range(len(scenario.steps)):
        scenario = _halved(scenario, number, fails, end)
    for number, step in enumerate(scenario.steps):
        for place, items in enumerate(step if not isinstance(step, dict) else ()):
            if isinstance(items, tuple):
                scenario = _fewer(scenario, number, place, items, fails, end)
    for entry in reversed(scenario.entries):
        left = replace(scenario, entries=tuple(other for other in scenario.entries if other != entry))
        if time.monotonic() < end and fails(left) is not None:
            scenario = left
    return scenario


def _halved(scenario: Scenario, number: int, fails: Fails, end: float) -> Scenario:
    """Let step ``number`` make half as many calls, again and again."""
    with contextlib.suppress(InputError):  # a step that is none is left as it is
        tried = list(read_step(scenario.steps[number]).halved())
        while tried and time.monotonic() < end:
            smaller = scenario.with_steps((*scenario.steps[:number], tried.pop(0), *scenario.steps[number + 1 :]))
            if fails(smaller) == len(scenario.steps) - 1:
                scenario, tried = smaller, list(read_step(smaller.steps[number]).halved())
    return scenario


def _fewer(scenario: Scenario, number: int, place: int, items: tuple[Any, ...], fails: Fails, end: float) -> Scenario:
    """Remove unneeded ``items`` from operand ``place`` of step ``number``."""
    size = len(items) // 2
    while size and time.monotonic() < end:
        for at in range(len(items) - size, -1, -size):
            left = items[:at] + items[at + size :]
            step = scenario.steps[number]
            shorter = (*step[:place], left, *step[place + 1 :])
            tried = scenario.with_steps((*scenario.steps[:number], shorter, *scenario.steps[number + 1 :]))
            if left and time.monotonic() < end and fails(tried) == len(scenario.steps) - 1:
                scenario, items = tried, left
                break
        else:
            size //= 2
    return scenario
