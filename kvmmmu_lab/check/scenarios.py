# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios in which shadow pages are made past the engine, with any roles, and then hit by writes: of each write much can
be seen, as all entries that it could be taken for are there."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..data import golden_trace, open_trace
from ..errors import InputError
from ..exercises import Boot, Golden, Scenario, StepData, play
from ..verify.golden import read_scenarios

# FOLDED IN: check.stretches: Stretches for the whole engine as scenarios: operations of golden traces, events of
# traces of real guests.


PIECE = 200
"""Events of a guest's trace between two looks at the machine."""


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


def _with(steps: list[Any], every: int, then: tuple[StepData, ...]) -> Iterator[StepData]:
    """``steps``, with ``then`` after each ``every`` of them."""
    for begin in range(0, len(steps), every):
        yield from steps[begin : begin + every]
        yield from then


def _pieces(stretch: Boot) -> Iterator[StepData]:
    trace = open_trace(stretch.trace)
    lead = next(i for i, kind in enumerate(trace.type.tolist()) if kind not in (4, 5, 7))
    last = min(len(trace.type), stretch.events or len(trace.type))
    piece = stretch.every or PIECE
    for begin in range(lead, max(last, lead + 1), piece):
        yield "boot", stretch.trace, stretch.way, begin, min(begin + piece, last)
        yield from stretch.then


TABLE, TWIN, CHILD, ELSEWHERE = 0x13, 0x413, 0x50, 0x30
"""gfns: of the table that is written, of another one in the same bucket, to what all entries lead, of what is no table."""

FIRST = 250
"""Number of the first of these pages. Without paging, four pages are roots, and the next one is CHILD's."""

Role = tuple[Any, ...]
"""Level, levels of the guest, quadrant, and "M" for metaphysical, "R" for a root: operands of the step "page"."""

Hit = tuple[int, int]
"""Offset in the table, bytes."""


def made(*roles: Role, gfn: int = TABLE) -> list[StepData]:
    """A page to lead to, and shadow pages of gfn with these roles: #250 and down."""
    return [("page", CHILD, 1, 4), *(("page", gfn, *role) for role in roles)]


def filled(count: int, indexes: Iterable[int]) -> StepData:
    """These entries of so many pages lead to CHILD."""
    return ("fill", tuple(f"{FIRST - page}:{index}" for index in indexes for page in range(count)), CHILD)


def mistakable(offset: int) -> list[int]:
    """Entries that a write at this offset could be taken for, with guest entries of either size, and those beside them."""
    narrow = offset // 4
    meant = (offset // 8, narrow % 512, narrow * 2 % 512, narrow * 2 % 512 + 1)
    return sorted({index + more & 511 for index in meant for more in (-1, 0, 1)})


def hit(count: int, *hits: Hit, gfn: int = TABLE, apart: bool = True) -> Iterator[StepData]:
    """So many pages are hit by these writes. ``apart``: no two of them in a row."""
    for offset, size in hits:
        yield filled(count, mistakable(offset))
        yield ("writes", ((gfn << 12) + offset, ELSEWHERE << 12)[: 1 + apart], size)


def sheets(roles: Sequence[Role], *hits: Hit, gfn: int = TABLE, apart: bool = True) -> Scenario:
    """Pages with these roles are hit."""
    return play(*made(*roles, gfn=gfn), *hit(len(roles), *hits, gfn=gfn, apart=apart))


def swept(roles: Sequence[Role], offsets: Iterable[int], size: int) -> Scenario:
    """All entries of these pages are there, and then many are hit, no two in a row."""
    places = [place for offset in offsets for place in ((TABLE << 12) + offset, ELSEWHERE << 12)]
    return play(*made(*roles), filled(len(roles), range(512)), ("writes", tuple(places), size))


def hit_anywhere(roles: Sequence[Role]) -> Any:
    """A hypothesis strategy: pages with some of these roles, also of a neighbour in the bucket, metaphysical ones and
    roots, hit anywhere."""
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

