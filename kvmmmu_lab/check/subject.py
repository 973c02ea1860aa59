# SPDX-License-Identifier: GPL-2.0-only
"""The subject of a check: a machine that contains the part under test. Steps act on it, and observations are made of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import InputError, LabError
from ..exercises import Scenario
from ..mmu import Vm
from ..mmu import events as ev
from ..mmu.bits import CR0_WP, EFER_NX, FLAGS, MODES, PAGE_SHIFT
from ..mmu.memory import FIRST_GUEST, FIRST_SHADOW
from ..mmu.pool import ShadowPage
from ..mmu.shadow import page_of
from ..replay.trace_replay import TraceReplay

FLAG_LETTERS = {flag.letter: flag.mask for flag in FLAGS if flag.letter}


@functools.cache
def flag_bits(flags: str) -> int:
    """The bits of an entry for flags, which are letters of "PWUADGSX". Other bits follow as numbers: "PW+52+3"."""
    letters, *numbers = flags.split("+")
    return sum(FLAG_LETTERS[letter] for letter in letters) | sum(1 << int(number) for number in numbers)


class WrongResult(LabError):
    """The part under test returned a value of the wrong form."""

    def __init__(self, call: str, got: object, expected: str) -> None:
        super().__init__(f"{call} returns {got!r}; it should return {expected}")


class Subject:
    """The machine of a ``scenario``, built with these ``parts`` (arguments of `Vm`).

    ``defined``: the submission's functions and classes, by name. ``result``: what the latest step returned.
    """

    vm: Vm
    events: list[tuple]
    """The machine's events during the latest step."""
    stores: list[tuple]
    """Those of these events that changed memory."""
    before: tuple[int, int, int]
    """The numbers of TLB flushes, root loads and #GPs before the latest step."""
    repairs: list[Callable[[], None]]
    """Functions that undo the planted mistakes; the most recent is last."""
    known: set[int]
    """Host frames whose reverse maps are observed."""
    touched: set[int]
    """Ids of the shadow pages that may have a nonzero entry; the set is complete if all stores go through `Memory.put`."""
    entries: dict[tuple[int, Any], tuple[bytes, list[Any]]]
    """By hfn of a shadow page or a guest's table, and by who decodes it: its words when last observed, and what they meant."""

    def __init__(self, scenario: Scenario, parts: Mapping[str, Any], defined: Mapping[str, Any]) -> None:
        self.parts, self.defined, self.slots = parts, defined, scenario.slots
        self.tables = sorted({table for table, *_ in scenario.entries})
        mode = MODES[scenario.mode]
        self.levels, self.entry_size = mode.levels, mode.format.size
        self.events, self.stores, self.result = [], [], None
        self.replay: TraceReplay | None = None
        self.another()
        self.first = self.vm
        memory = self.vm.memory
        words = memory.halves if self.entry_size == 4 else memory.words
        for table, index, gfn, flags in scenario.entries:
            hfn = memory.frames[table]
            if hfn is None:
                raise InputError("entries", table, "tables in gfns that have memory")
            words[(hfn << PAGE_SHIFT) // self.entry_size + index] = gfn << PAGE_SHIFT | flag_bits(flags)
        if self.levels:
            cr0, efer = mode.cr0 | (scenario.wp and CR0_WP), mode.efer | (scenario.nx and EFER_NX)
            self.vm.set_registers(cr0, scenario.root << PAGE_SHIFT, mode.cr4, efer)

    def build(self, slots: Any, **options: Any) -> Vm:
        """Build a machine with the part under test and continue with it."""
        self.use(Vm(slots, **options, **self.parts))
        self.before = (0, 0, 0)
        return self.vm

    def use(self, vm: Vm) -> None:
        """Continue with this machine."""
        self.vm, self.before = vm, counts(vm)
        self.repairs, self.known, self.touched, self.entries = [], set(), set(), {}
        self.changes = vm.memory.changes
        vm.attach(self.events.append)
        vm.memory.listen(self._changed)

    def _changed(self, event: tuple) -> None:
        """Record what happens to memory. A change is a change, whatever kind of event a part passes to `Memory.put`."""
        kind, *operands = event
        change = len(operands) == len(ev.STORE.operands) and not (isinstance(kind, ev.Kind) and kind.change)
        self.events.append((ev.STORE, *operands) if change else event)

    def decoded(self, hfn: int, words: bytes, decode: Callable[[Subject, int, bytes], list[Any]]) -> list[Any]:
        """What ``decode`` returns for the words of a page, kept as long as they and the slots stay the same."""
        if self.changes != self.vm.memory.changes:
            self.changes, self.entries = self.vm.memory.changes, {}
        known = self.entries.get((hfn, decode))
        if known is None or known[0] != words:
            known = self.entries[hfn, decode] = words, decode(self, hfn, words)
        return known[1]

    def another(self) -> None:
        """Continue with a new machine of the same kind."""
        self.build(self.slots)

    def back(self) -> None:
        """Continue with the first machine."""
        self.first.listen(None)
        self.use(self.first)
        self.touched.update(page.id for page in self.vm.pool.pages)

    def page_of(self, spte: int) -> ShadowPage:
        """The shadow page that an spte is in."""
        return self.vm.pool.pages[page_of(spte)]


def in_shadow_page(event: tuple) -> bool:
    """Whether the address of an event that changed memory is in a shadow page."""
    return FIRST_SHADOW <= event[1] >> PAGE_SHIFT < FIRST_GUEST


def counts(vm: Vm) -> tuple[int, int, int]:
    """The numbers of TLB flushes, root loads and #GPs so far."""
    return vm.stats.tlb_flushes, vm.stats.root_loads, vm.stats.gp
