# SPDX-License-Identifier: GPL-2.0-only
"""`hypothesis.strategies`, loaded when the first scenario is drawn: ``from kvmmmu_lab.check import strategies as st``.

Loading hypothesis takes longer than checking a right solution. With this, an exercise can describe its random scenarios
without loading it, and a check can do so after the first verdicts, or not at all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..errors import LabError


def composite(function: Callable[..., Any]) -> Callable[..., Any]:
    """Like ``hypothesis.strategies.composite``: turn a function of ``draw`` into one that returns a strategy."""

    @functools.wraps(function)
    def strategy(*arguments: Any, **options: Any) -> Any:
        return loaded().composite(function)(*arguments, **options)

    return strategy


def __getattr__(name: str) -> Any:
    """Any other name is that of `hypothesis.strategies`."""
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(loaded(), name)


class MissingPackage(LabError):
    """A package that is needed isn't installed."""


def loaded() -> Any:
    """Return the module `hypothesis.strategies`. Raises MissingPackage if hypothesis isn't installed."""
    try:
        from hypothesis import strategies
    except ModuleNotFoundError as error:
        raise MissingPackage(f'exercises need {error.name}, which is missing: pip install "kvmmmu-lab[lab]"') from error
    return strategies
