# SPDX-License-Identifier: GPL-2.0-only
"""The expected observations: those of the kit's own part. The judge compares a submission's observations with them.

They are cached, so that later checks in the same process are faster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import HostCrash
from ..exercises import Boot, Golden, Scenario
from ..inspect.paths import guest_path
from ..mmu.bits import (
    BASE_MASK,
    INVALID_PAGE,
    MODES,
    PAGE_SHIFT,
    PAGE_SIZE,
    PRESENT,
    ROOT_32,
    ROOT_64,
    WRITABLE,
    canonical,
)
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_SHADOW, PAE_ROOT
from ..mmu.pool import make_role
from ..mmu.shadow import entries_with
from .compare import Transcript
from .deadline import Deadline
from .parts import PARTS
from .testbench import Bench

Observed = tuple[Transcript, bool]
"""The observations after each step, and whether the run with the kit's own part ends in a host crash."""

MOST = 5_000
"""The maximum number of cached scenarios."""

_known: dict[Any, Observed] = {}


class Expected:
    """The expected observations for one ``part``. After the ``deadline`` it raises OutOfTime."""

    def __init__(self, part: str, deadline: Deadline) -> None:
        self.part, self.deadline = part, deadline

    def bench(self, scenario: Scenario) -> Bench:
        """A testbench with the kit's own part."""
        return Bench(scenario, {}, REFERENCES.get(self.part, {}))

    def __call__(
        self,
        scenario: Scenario,
        looks: tuple[str, ...],
        stretch: Golden | Boot | None = None,
        *,
        hashed: bool,
        sparse: bool = False,
    ) -> Observed:
        """Observe the kit's own part; ``sparse``: only after the steps that run it (see `Bench.play`).

        ``stretch``: the trace or boot that the scenario is derived from, as the cache key.
        """
        key = (self.part, looks, hashed, sparse, scenario if stretch is None else stretch)
        try:
            return _known[key]
        except KeyError:
            if len(_known) >= MOST:
                _known.clear()
            _known[key] = observed = self._play(scenario, looks, hashed, sparse)
            return observed
        except TypeError:  # not hashable: operations of golden traces are dicts, so a part of a trace is not cached
            return self._play(scenario, looks, hashed, sparse)

    def _play(self, scenario: Scenario, looks: tuple[str, ...], hashed: bool, sparse: bool) -> Observed:
        seen = Transcript()
        bench = self.bench(scenario)
        try:
            for each in bench.play(scenario.steps, looks, hashed, PARTS[self.part] if sparse else None):
                self.deadline.check()
                seen.add(each)
        except HostCrash:
            return seen, True
        return seen, False


def _split(gva: int, mode: str) -> tuple[int, ...]:
    guest = MODES[mode]
    return (*(guest.format.index(gva, level) for level in range(guest.levels, 0, -1)), gva % PAGE_SIZE)


def _quadrant(gva: int, level: int) -> int:
    return make_role(ROOT_32, level, gva, False, 0) >> 8 & 3


def _audit(vm: Machine) -> list[tuple[str, int]]:
    """The audit that exercise 10 asks for. It is exact, whereas the kernel's audits only compare counts."""
    words, kept = vm.memory.words, Counter((hfn, spte) for hfn in vm.rmap.frames() for spte in vm.rmap.sptes(hfn))
    leaves = [spte for page in vm.pool.active if page.level == 1 for spte in entries_with(vm, page)]
    right = Counter(((words[spte] & BASE_MASK) >> PAGE_SHIFT, spte) for spte in leaves if words[spte] & WRITABLE)
    wrong = {place[1] for place in {*kept, *right} if kept[place] != right[place]}
    tables = {page.gfn for page in vm.pool.active if not page.metaphysical}
    open_frames = {hfn for hfn, _ in right}
    opened = {gfn for gfn in tables if vm.memory.frames[gfn] in open_frames}
    misled = [gva for gva, hfn in _mapped(vm) if guest_path(vm, gva).hfn != hfn]
    found = {"rmap": wrong, "wp": opened, "map": misled}
    return [(kind, place) for kind, places in found.items() for place in places]


def _mapped(vm: Machine) -> Iterator[tuple[int, int]]:
    """The gva and host frame of each leaf below the root."""
    if vm.root == INVALID_PAGE:
        return
    if vm.root_level == ROOT_64:
        yield from _below(vm, vm.root, 0, 4)
        return
    for slot in range(4):
        entry = vm.memory.words[PAE_ROOT << 9 | slot]
        if entry & PRESENT:
            yield from _below(vm, entry & BASE_MASK, slot << 30, 2)


def _below(vm: Machine, table: int, gva: int, level: int) -> Iterator[tuple[int, int]]:
    for spte in entries_with(vm, vm.pool.pages[(table >> PAGE_SHIFT) - FIRST_SHADOW]):
        to, at = vm.memory.words[spte] & BASE_MASK, gva + ((spte & 511) << 3 + 9 * level)
        if level > 1:
            yield from _below(vm, to, at, level - 1)
        else:
            yield canonical(at), to >> PAGE_SHIFT


REFERENCES: dict[str, dict[str, Callable[..., Any]]] = {
    "split": {"split": _split, "quadrant": _quadrant},
    "audit": {"audit": _audit},
}
"""Reference versions of functions that the engine does not call, by part and name. A worker never sees them."""
