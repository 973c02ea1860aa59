# SPDX-License-Identifier: GPL-2.0-only
"""A machine with a part under test in it: goes through the steps of a scenario, and says after each what can be seen
(`looks`).

The same bench serves the judge, with the kit's own parts, and the worker, with a submission's. What is observed is free of
host addresses and of how a part keeps what it keeps: a reverse map is a list of references, sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..data import open_trace
from ..errors import HostCrash
from ..exercises import Scenario
from ..mmu import Vm
from ..mmu.bits import CR0_WP, EFER_NX, MODES, PAGE_SHIFT
from ..verify.operations import apply
from ..verify.replay import TraceReplay
from .observe import Looks, Seen
from .sandbox.protocol import plain
from .steps import STEPS, flag_bits


class Bench(Looks):
    """One machine, built for ``scenario`` with these ``parts``; ``defined`` are a submission's functions, by name."""

    def __init__(self, scenario: Scenario, parts: Mapping[str, Any], defined: Mapping[str, Any]) -> None:
        self.parts, self.defined = parts, defined
        self.tables = sorted({table for table, *_ in scenario.entries})
        mode = MODES[scenario.mode]
        self.top = mode.levels
        self.events: list[tuple] = []
        self.replay: TraceReplay | None = None
        self.slots = scenario.slots
        self.another()
        self.first = self.vm
        size = mode.format.size
        for table, index, gfn, flags in scenario.entries:
            self.vm.poke((table << PAGE_SHIFT) + index * size, gfn << PAGE_SHIFT | flag_bits(flags), size)
        if self.top:
            cr0, efer = mode.cr0 | (scenario.wp and CR0_WP), mode.efer | (scenario.nx and EFER_NX)
            self.vm.set_registers(cr0, scenario.root << PAGE_SHIFT, mode.cr4, efer)

    def use(self, vm: Vm) -> None:
        """Go on with this machine."""
        super().use(vm)
        self.planted = list[Callable[[], None]]()  # what takes each planted mistake back
        vm.attach(self.events.append)

    def another(self) -> None:
        """Go on with a new machine, of the same kind."""
        self.use(Vm(self.slots, **self.parts))
        self.before = (0, 0, 0)

    def back(self) -> None:
        """Go on with the first machine."""
        self.first.listen(None)
        self.use(self.first)
        self.touched.update(page.id for page in self.vm.pool.pages)

    def do(self, step: Any) -> Seen:
        """Go one step. What a part raises comes through."""
        vm = self.vm
        self.events.clear()
        vm.injected = []
        vm.caches.top_up(None)
        self.before = (vm.stats.tlb_flushes, vm.stats.root_loads, vm.stats.gp)
        if isinstance(step, dict):
            return self._golden(step)
        name, *operands = step
        if name == "boot":
            return self._boot(*operands)
        return {"result": STEPS[name](self, *operands), **self._caused()}

    def _golden(self, operation: dict[str, Any]) -> Seen:
        """An operation of a golden trace; ``create`` makes another machine. A crash of the host is a result."""
        if operation["op"] == "create":
            slots = [(base, npages, bool(log)) for base, npages, log in operation["slots"]]
            self.use(Vm(slots, audits=bool(operation.get("audit")), **self.parts))
            self.before = (0, 0, 0)
            return {"result": {}, **self._caused()}
        got: dict[str, Any] = {}
        try:
            apply(self.vm, operation, got)
        except HostCrash as crash:
            got["crash"] = [crash.kind, crash.function]
        return {"result": plain_dict(got), **self._caused()}

    def _boot(self, name: str, way: str, begin: int, end: int) -> Seen:
        """A stretch of a guest's trace. The result has the differences from the real run."""
        differences = list[Any]()
        if self.replay is None:
            trace = open_trace(name)

            def make(slots: Any) -> Vm:
                self.use(Vm(slots, **self.parts))
                return self.vm

            self.replay = TraceReplay(trace, way, lambda *difference: None, make)
            self.replay.events(0, begin)
            meta = trace.meta
            self.vm.set_registers(meta["cr0"], meta["cr3"], meta["cr4"], meta["efer"])
            self.before = (0, 0, 0)
        self.replay.differ = lambda *difference: differences.append(plain(difference[:4]))
        self.events.clear()
        self.replay.events(begin, end)
        return {"result": differences[:3], **self._caused()}

    def _caused(self) -> Seen:
        vm = self.vm
        loads, gp = vm.stats.root_loads - self.before[1], vm.stats.gp - self.before[2]
        return {"caused": [[list(fault) for fault in vm.injected], loads, gp]}


def plain_dict(value: dict[str, Any]) -> dict[str, Any]:
    """A result, as it comes out of JSON."""
    return {key: plain(item) for key, item in value.items()}
