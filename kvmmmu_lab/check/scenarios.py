# SPDX-License-Identifier: GPL-2.0-only
"""Generated scenarios: a rule's random ones, stretches for the whole engine, and writes that hit shadow pages.

For the latter, shadow pages with any roles are taken from the pool, bypassing the engine, and filled with all entries
that a write could be mistaken for, so that a wrong write shows.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..data import golden_trace, open_trace
from ..data.trace import ADOPTED, DROPPED, ROOT_DIED
from ..errors import InputError
from ..exercises import Boot, Golden, Rule, Scenario, StepData, play
from ..verify.golden import read_scenarios

PIECE = 200
"""Events of a guest's trace between two observations."""

TABLE, TWIN, CHILD, ELSEWHERE = 0x13, 0x413, 0x50, 0x30
"""gfns: of the table that is written; of another one in the same bucket; of what all entries lead to; of no table."""

FIRST = 250
"""Id of the first shadow page of the table. Without paging, four pages are roots, and the next one is CHILD's."""

Role = tuple[Any, ...]
"""Level, levels of the guest, quadrant, and "M" for metaphysical, "R" for a root: operands of the step "page"."""

Hit = tuple[int, int]
"""A write: offset in the table, bytes."""


@functools.lru_cache(maxsize=256)
def random_scenarios(exercise: str, rule: Rule, seed: int) -> tuple[Scenario, ...]:
    """The random scenarios of a rule, made by hypothesis; the same ones for the same seed."""
    import hypothesis
    from hypothesis import HealthCheck, Phase
    from hypothesis.configuration import set_hypothesis_home_dir

    assert rule.drawn is not None
    # otherwise hypothesis creates a folder in the learner's folder
    set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "kvmmmu-lab-hypothesis")
    found: list[Scenario] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=rule.examples, database=None, deadline=None, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @hypothesis.given(rule.drawn())
    def each(scenario: Scenario) -> None:
        found.append(scenario)

    each()
    return tuple(found)


@functools.cache
def operations(trace: str) -> dict[str, list[dict[str, Any]]]:
    """The operations of all scenarios of a golden trace, by the scenario's name."""
    found = {}
    for header, lines in read_scenarios(golden_trace(trace)):
        found[header["name"]] = [line["op"] for line in lines if line["t"] == "op"]
    return found


@functools.cache
def as_scenario(stretch: Golden | Boot) -> Scenario:
    """A stretch as a scenario. Raises InputError for one that does not exist."""
    if isinstance(stretch, Boot):
        return Scenario(tuple(_pieces(stretch)))
    known = operations(stretch.trace)
    if stretch.scenario not in known:
        raise InputError("scenario", stretch.scenario, f"one of {', '.join(list(known)[:8])}...")
    steps: list[Any] = [step for step in known[stretch.scenario][: stretch.operations] if step["op"] != "destroy"]
    return Scenario(tuple(_interleaved(steps, stretch.every or len(steps), stretch.then)))


def _interleaved(steps: list[Any], every: int, then: tuple[StepData, ...]) -> Iterator[StepData]:
    """``steps``, with ``then`` after each ``every`` of them."""
    for begin in range(0, len(steps), every):
        yield from steps[begin : begin + every]
        yield from then


def _pieces(stretch: Boot) -> Iterator[StepData]:
    trace = open_trace(stretch.trace)
    lead = next(i for i, kind in enumerate(trace.type.tolist()) if kind not in (ADOPTED, DROPPED, ROOT_DIED))
    last = min(len(trace.type), stretch.events or len(trace.type))
    piece = stretch.every or PIECE
    for begin in range(lead, max(last, lead + 1), piece):
        yield "boot", stretch.trace, stretch.way, begin, min(begin + piece, last)
        yield from stretch.then


def take(*roles: Role, gfn: int = TABLE) -> list[StepData]:
    """Steps: take a page for entries to lead to, and shadow pages of gfn with these roles, #250 and down."""
    return [("page", CHILD, 1, 4), *(("page", gfn, *role) for role in roles)]


def fill_pages(count: int, indexes: Iterable[int]) -> StepData:
    """A step: let these entries of the first ``count`` pages lead to CHILD."""
    return ("fill", tuple(f"{FIRST - page}:{index}" for index in indexes for page in range(count)), CHILD)


def mistakable(offset: int) -> list[int]:
    """Indexes of entries that a write at this offset could be mistaken for, with guest entries of 4 or 8 bytes."""
    narrow = offset // 4
    meant = (offset // 8, narrow % 512, narrow * 2 % 512, narrow * 2 % 512 + 1)
    return sorted({index + more & 511 for index in meant for more in (-1, 0, 1)})


def hit(count: int, *hits: Hit, gfn: int = TABLE, apart: bool = True) -> Iterator[StepData]:
    """Steps: hit ``count`` pages with these writes. ``apart``: no two of the writes are consecutive."""
    for offset, size in hits:
        yield fill_pages(count, mistakable(offset))
        yield ("writes", ((gfn << 12) + offset, ELSEWHERE << 12)[: 1 + apart], size)


def hit_pages(roles: Sequence[Role], *hits: Hit, gfn: int = TABLE, apart: bool = True) -> Scenario:
    """A scenario: pages with these roles are hit by these writes."""
    return play(*take(*roles, gfn=gfn), *hit(len(roles), *hits, gfn=gfn, apart=apart))


def sweep(roles: Sequence[Role], offsets: Iterable[int], size: int) -> Scenario:
    """A scenario: all entries of these pages are filled, then many are hit, no two consecutively."""
    places = [place for offset in offsets for place in ((TABLE << 12) + offset, ELSEWHERE << 12)]
    return play(*take(*roles), fill_pages(len(roles), range(512)), ("writes", tuple(places), size))


def hit_anywhere(roles: Sequence[Role]) -> Any:
    """A hypothesis strategy of scenarios: pages with some of these roles are hit anywhere.

    Some pages shadow a neighbour in the hash bucket, are metaphysical, or are roots.
    """
    from hypothesis import strategies as st

    @st.composite
    def scenarios(draw: Any) -> Scenario:
        gfns = draw(st.sampled_from([(TABLE,), (TABLE, TABLE, TWIN), (TABLE, 0), (0,)]))
        role = st.tuples(st.sampled_from(gfns), st.sampled_from(roles), st.sampled_from(["", "", "", "", "M", "R", "MR"]))
        pages = [("page", gfn, *(*role, 0)[:3], kind) for gfn, role, kind in draw(st.lists(role, min_size=1, max_size=4))]
        steps: list[StepData] = [("page", CHILD, 1, 4), *pages]
        for _ in range(draw(st.integers(1, 4))):
            size = draw(st.sampled_from([1, 2, 4, 4, 8, 8]))
            near = st.builds(lambda block, offset: block * 1024 - 8 + offset, st.integers(1, 3), st.integers(0, 15))
            aligned = st.integers(0, 4096 // size - 1).map(size.__mul__)
            offset = draw(st.one_of(aligned, st.integers(0, 4096 - size), near))
            steps += hit(len(pages), (offset, size), gfn=draw(st.sampled_from(gfns)), apart=draw(st.booleans()))
        return play(*steps, slots=((0, 0x500),))

    return scenarios()
