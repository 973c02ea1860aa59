# SPDX-License-Identifier: GPL-2.0-only
"""Stretches for the whole engine as scenarios: operations of golden traces, events of recordings."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from ..data import golden_trace, open_recording
from ..errors import InputError
from ..exercises import Boot, Golden, Scenario, Step
from ..verify.golden import read_scenarios

PIECE = 200
"""Events of a recording between two looks at the machine."""


@functools.cache
def operations(trace: str) -> dict[str, list[dict[str, Any]]]:
    """The operations of all scenarios of a golden trace, by the scenario's name."""
    found = {}
    for header, lines in read_scenarios(golden_trace(trace)):
        found[header["name"]] = [line["op"] for line in lines if line["t"] == "op"]
    return found


@functools.cache
def as_scenario(stretch: Golden | Boot) -> Scenario:
    """A stretch as a scenario. Raises InputError for one that isn't there."""
    if isinstance(stretch, Boot):
        return Scenario(tuple(_pieces(stretch)))
    known = operations(stretch.trace)
    if stretch.scenario not in known:
        raise InputError("scenario", stretch.scenario, f"one of {', '.join(list(known)[:8])}...")
    steps: list[Any] = [step for step in known[stretch.scenario][: stretch.operations] if step["op"] != "destroy"]
    return Scenario(tuple(_with(steps, stretch.every or len(steps), stretch.then)))


def _with(steps: list[Any], every: int, then: tuple[Step, ...]) -> Iterator[Step]:
    """``steps``, with ``then`` after each ``every`` of them."""
    for begin in range(0, len(steps), every):
        yield from steps[begin : begin + every]
        yield from then


def _pieces(stretch: Boot) -> Iterator[Step]:
    recording = open_recording(stretch.recording)
    lead = next(i for i, kind in enumerate(recording.type.tolist()) if kind not in (4, 5, 7))
    last = min(len(recording.type), stretch.events or len(recording.type))
    piece = stretch.every or PIECE
    for begin in range(lead, max(last, lead + 1), piece):
        yield "boot", stretch.recording, stretch.way, begin, min(begin + piece, last)
        yield from stretch.then
