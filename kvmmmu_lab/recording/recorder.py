# SPDX-License-Identifier: GPL-2.0-only
"""`record`: record what a machine does, cheaply enough for long runs.

A sink gets one tuple per event. Keeping 100,000 tuples slows Python's garbage collector so much that the engine takes four
times as long. So the sink appends their items to one long list. The data needed to restore a state goes into the other lists
of a `Tape`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from types import TracebackType

import numpy as np

from ..errors import InputError
from ..mmu import events as ev
from ..mmu.machine import Machine
from . import snapshot
from .moment import MOVES
from .proxies import Calls, look, replaced, watch_parts
from .recording import Recording
from .tape import KEYFRAME, Tape

CALM = frozenset((ev.ACCESS, ev.PAGE_FAULT, ev.NONPAGING_FAULT, ev.EMULATED_WRITE))
"""The kinds of operations that don't change registers, roots or memory slots. Most operations are of these kinds."""


def record(vm: Machine) -> Recorder:
    """Record what ``vm`` does: ``with record(vm) as recording: vm.access(...)``.

    The recording is complete when the block ends, even if it raises an exception. Raises InputError unless ``vm`` is a VM
    without a sink.
    """
    return Recorder(vm)


class Recorder:
    """The context manager behind `record`."""

    def __init__(self, vm: Machine) -> None:
        if not isinstance(vm, Machine):
            raise InputError("vm", vm, "a Vm")
        self.vm = vm
        self.detach: Callable[[], object] | None = None

    def __enter__(self) -> Recording:
        if self.detach is not None:
            raise InputError("record", self, "a new record(vm); this one is already recording")
        if self.vm.emit is not None:
            raise InputError("vm", self.vm, "a Vm without a sink (detach the one it has, or end the other recording)")
        self.tape = blank(self.vm)
        calls, back = watch_parts(self.vm, self.tape.parts)
        detach = self.vm.attach(sink(self.vm, self.tape, calls))
        self.recording = Recording(self.tape)
        self.detach = lambda: (detach(), back())
        return self.recording

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self.detach is not None
        self.detach()
        self.detach = None
        self.tape.seal()
        self.recording.error = error if isinstance(error, Exception) else None


def blank(vm: Machine) -> Tape:
    """Make a tape that starts at the current state."""
    pages = vm.memory.pages
    used = np.flatnonzero(pages.any(axis=1))
    tape = Tape(pickle.loads(pickle.dumps(snapshot.take(vm))), used, pages[used], replaced(vm))
    for name in ("counters", "registers", "injected", "slots"):
        tape.samples[name] = [0], [tape.start[name]]
    for name in tape.parts:
        tape.samples[name] = [], []
    return tape


def sink(vm: Machine, tape: Tape, calls: Calls) -> Callable[[tuple], None]:
    """Make the sink that fills a tape. The sink is called for each event, so everything that it needs is in local variables."""
    items, changes = tape.items, tape.changes
    extend, bound, change, move = items.extend, tape.bounds.append, changes.extend, tape.moves.append
    bounds, words = tape.bounds, vm.memory.words
    stats, chain, desc = vars(vm.stats), vm.caches.pte_chain, vm.caches.rmap_desc
    last = tape.samples["counters"][1][0][:4]
    last_stats, map_changes, due = stats.copy(), vm.memory.changes, KEYFRAME
    sample_context = sample_injected = True  # "context" means registers, roots and slots

    def append(event: tuple) -> None:
        nonlocal last, last_stats, map_changes, due, words, sample_context, sample_injected
        kind = event[0]
        extend(event)
        if kind.change:
            _, hpa, size, old, new = event
            if size == 8 and not hpa & 7:
                change((len(bounds), hpa >> 3, old, new))
            else:
                _record_words(change, len(bounds), words, hpa, size, old)
        elif kind in MOVES:
            move(len(bounds))
        elif kind is ev.LOAD:
            _record_page_words(change, len(bounds), event)
            items[-2:] = None, None  # a page is large, and its changed words are already recorded
        now = (vm.last_pt_write_gfn, vm.last_pt_write_count, chain.free, desc.free)
        if now != last or stats != last_stats:
            last, last_stats = now, stats.copy()
            _sample(vm, tape, "counters")
        if sample_context:
            sample_context = kind not in CALM
            _sample(vm, tape, "registers")
            if vm.memory.changes != map_changes:
                map_changes, words = vm.memory.changes, vm.memory.words
                _sample(vm, tape, "slots")
        elif kind.context:
            sample_context = True
        if vm.injected or sample_injected:
            sample_injected = bool(vm.injected)
            _sample(vm, tape, "injected")
        if calls.about:
            _record_parts(vm, tape, calls)
        bound(len(items))
        if len(items) > due:
            due = len(items) + KEYFRAME
            tape.keyframes.append((len(bounds) - 1, pickle.dumps(snapshot.take(vm))))

    return append


def _record_parts(vm: Machine, tape: Tape, calls: Calls) -> None:
    """Record the current contents of replaced parts, for the frames and pages that the calls concern."""
    for name, number in calls.about:
        steps, values = tape.samples[name]
        steps.append(len(tape.bounds))
        values.append((number, look(vm, name, number)))
    if not calls.open:
        calls.about.clear()


def _sample(vm: Machine, tape: Tape, name: str) -> None:
    steps, values = tape.samples[name]
    value = snapshot.PARTS[name][0](vm)
    if value != values[-1]:
        steps.append(len(tape.bounds))
        values.append(value)


def _record_words(change: Callable[[tuple], None], step: int, words: memoryview, hpa: int, size: int, old: int) -> None:
    """Record the changed words of a store that isn't one whole word. Memory already contains the new bytes."""
    for at in range(hpa >> 3, (hpa + size - 1 >> 3) + 1):
        new, shift = words[at], (hpa - (at << 3)) * 8
        mask = (1 << size * 8) - 1
        mask, was = (mask << shift, old << shift) if shift >= 0 else (mask >> -shift, old >> -shift)
        mask &= (1 << 64) - 1
        change((step, at, new & ~mask | was & mask, new))


def _record_page_words(change: Callable[[tuple], None], step: int, event: tuple) -> None:
    _, hpa, old, new = event
    before, after = np.frombuffer(old, "<u8"), np.frombuffer(new, "<u8")
    for index in np.flatnonzero(before != after).tolist():
        change((step, (hpa >> 3) + index, int(before[index]), int(after[index])))
