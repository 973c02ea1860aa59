# SPDX-License-Identifier: GPL-2.0-only
"""The machine at one step of a tape. It can be read and drawn like a live `Vm`, but not operated.

One *replica* serves all moments of a tape. To go to a step, it first restores the last keyframe before that step, which
contains everything except memory; if the replica is already between the two, this isn't necessary. Then it replays the moves up
to the step with the engine's own parts. Memory goes directly from the current step to the new one, forwards or backwards: one
assignment sets every word that changed between them.
"""

from __future__ import annotations

import gc
import pickle
from bisect import bisect_right
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from ..mmu import events as ev
from ..mmu.audit import Complaint, undone
from ..mmu.machine import Machine, ParentsPart, ReverseMapPart
from ..mmu.vm import Vm
from . import snapshot
from .proxies import SeenMap, SeenParents
from .tape import Tape

FROZEN = "it is a moment of a recording, which is read-only; use a live VM"

MOVES: dict[ev.Kind, Callable[..., Any]] = {
    ev.ALLOC_PAGE: lambda vm, page, gfn, role: vm.pool.take(gfn, role),
    ev.FREE_PAGE: lambda vm, page: vm.pool.give(vm.pool.pages[page]),
    ev.ROTATE_PAGE: lambda vm, page: vm.pool.rotate(vm.pool.pages[page]),
    ev.ROOT_COUNT: lambda vm, page, count: setattr(vm.pool.pages[page], "root_count", count),
    ev.SLOT_BIT: lambda vm, page, bitmap: setattr(vm.pool.pages[page], "slot_bitmap", bitmap),
    ev.PARENT_ADD: lambda vm, page, spte, form: vm.parents.add(vm.pool.pages[page], spte),
    ev.PARENT_REMOVE: lambda vm, page, spte, form: vm.parents.remove(vm.pool.pages[page], spte),
    ev.RMAP_ADD: lambda vm, spte, hfn, form: vm.rmap.link(hfn, spte),
    ev.RMAP_REMOVE: lambda vm, spte, hfn, form: vm.rmap.unlink(hfn, spte),
    ev.MARK_DIRTY: lambda vm, gfn: vm.memory.mark_dirty(gfn),
    ev.CLEAR_LOG: lambda vm, slot: _clear(vm.memory.slots[slot].log),
}
"""For each kind of event that changes more than memory, the function that replays it. State that changes without an event is
sampled (see `Tape.samples`)."""

KEPT_BY = {ev.RMAP_ADD: "rmaps", ev.RMAP_REMOVE: "rmaps", ev.PARENT_ADD: "parents", ev.PARENT_REMOVE: "parents"}
"""For each kind of move in a replaceable part, the name of the part's samples. If the part is replaced, its contents are
sampled and its moves aren't replayed."""

PLENTY = 1 << 30


def _clear(log: bytearray | None) -> None:
    if log is not None:
        log[:] = bytes(len(log))


class Replica:
    """A machine that can go to any step of a tape."""

    def __init__(self, tape: Tape) -> None:
        self.tape, self.step = tape, 0
        self.vm = Vm(())
        self.vm.dead = FROZEN
        if "rmaps" in tape.parts:
            self.vm.rmap = cast(ReverseMapPart, SeenMap())
        if "parents" in tape.parts:
            self.vm.parents = cast(ParentsPart, SeenParents())
        self.moves = {kind: move for kind, move in MOVES.items() if KEPT_BY.get(kind) not in tape.parts}
        self.rows = np.zeros((0, 4), np.uint64)
        self.keyframes = [0]
        self._make_memory()

    def _make_memory(self) -> None:
        """Rebuild the machine at step 0, with as much memory as the machine has at the end."""
        tape, self.step, self.nframes = self.tape, 0, self.tape.nframes
        pages = np.zeros((self.nframes, 512), "<u8")
        pages[tape.frames] = tape.pages
        self.vm.memory.use(pages)
        self.words = pages.reshape(-1)
        snapshot.put(self.vm, tape.start)

    def _follow(self) -> None:
        """Load what was added to the tape since the last call. The tape grows while the machine is recorded."""
        if self.tape.nframes != self.nframes:
            self._make_memory()
        if len(self.tape.changes) != self.rows.size:
            self.rows = np.array(self.tape.changes, np.uint64).reshape(-1, 4)
        if len(self.tape.keyframes) + 1 != len(self.keyframes):
            self.keyframes = [0, *(step for step, _ in self.tape.keyframes)]

    def go(self, step: int) -> Machine:
        """The machine at ``step``. The result is valid until the next call."""
        self._follow()
        if step != self.step:
            # As many objects are freed as are made, so the garbage collector would only cost time
            collecting = gc.isenabled()
            gc.disable()
            try:
                self._update_memory(step)
                self._update_rest(step)
                self.step = step
            finally:
                if collecting:
                    gc.enable()
        return self.vm

    def changed(self, step: int) -> np.ndarray:
        """The words of host memory that changed at a step, shape (n, 3): index, old value, new value."""
        low, high = np.searchsorted(self.rows[:, 0], [step - 1, step], "right")
        return self.rows[low:high, 1:]

    def _update_memory(self, step: int) -> None:
        rows = self.rows
        first, last = sorted((self.step, step))
        low, high = np.searchsorted(rows[:, 0], [first, last], "right")
        between = rows[low:high]
        # If a word changed several times, the last assignment wins: the newest value forwards, the oldest backwards
        if step > self.step:
            self.words[between[:, 1]] = between[:, 3]
        else:
            self.words[between[::-1, 1]] = between[::-1, 2]

    def _update_rest(self, step: int) -> None:
        tape, vm = self.tape, self.vm
        at = bisect_right(self.keyframes, step) - 1
        begin = self.step
        if not self.keyframes[at] <= begin <= step:
            begin = self.keyframes[at]
            snapshot.put(vm, pickle.loads(tape.keyframes[at - 1][1]) if at else tape.start)
        moves, items, bounds = tape.moves, tape.items, tape.bounds
        sampled = self._between("slots", begin, step)
        vm.caches.pte_chain.free = vm.caches.rmap_desc.free = (
            PLENTY  # the moves take objects from these caches; afterwards a sample restores the numbers
        )
        for move in moves[bisect_right(moves, begin) : bisect_right(moves, step)]:
            while sampled and sampled[0][0] <= move:
                snapshot.put_slots(vm, sampled.pop(0)[1])
            kind, *operands = items[bounds[move - 1] : bounds[move]]
            if kind in self.moves:
                self.moves[kind](vm, *operands)
        for _, value in sampled:
            snapshot.put_slots(vm, value)
        for name in ("counters", "registers", "injected"):
            steps, values = tape.samples[name]
            snapshot.PARTS[name][1](vm, values[bisect_right(steps, step) - 1])
        for name in tape.parts:
            lists = cast(SeenMap, vm.rmap if name == "rmaps" else vm.parents).lists
            for _, (number, seen) in self._between(name, begin, step):
                lists[number] = list(seen)
                if not seen:
                    del lists[number]

    def _between(self, name: str, begin: int, end: int) -> list[tuple[int, Any]]:
        steps, values = self.tape.samples[name]
        low, high = bisect_right(steps, begin), bisect_right(steps, end)
        return list(zip(steps[low:high], values[low:high], strict=True))


class Moment:
    """The machine at one step. It has the attributes of a `Vm`, so every function that reads or draws a VM accepts it;
    operations raise VmDead.

    Its attributes (``memory``, ``pool``, ...) are valid until another moment of the same recording is read. The contents of a
    TLB aren't recorded.
    """

    def __init__(self, replica: Replica, step: int) -> None:
        self._replica, self._step = replica, step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._replica.go(self._step), name)

    def audit(self, undo: bool = True) -> list[Complaint]:
        """Run the three audits. The accessed bits that they set are always cleared again, regardless of ``undo``."""
        return undone(self._replica.go(self._step))

    def __repr__(self) -> str:
        return f"<the machine at step {self._step}>"
