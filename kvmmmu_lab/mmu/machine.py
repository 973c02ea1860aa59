# SPDX-License-Identifier: GPL-2.0-only
"""The state of a VM with one vcpu, all in one place, and what the engine asks of what surrounds it
(mmu.c:1237-1320)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from . import checks, context, registers
from . import events as ev
from .audit import Complaint, audit
from .bits import INVALID_PAGE, NONPAGING
from .caches import Caches
from .memory import MEMORY_SLOTS, Memory
from .parents import ParentChains
from .parts import GuestWalk, ParentsPart, PreWrite, ReverseMapPart, SpteMaker
from .pool import Pool
from .prewrite import pre_write
from .rmap import ReverseMap
from .spte import set_spte
from .walk import walk_guest

PART_METHODS = {"rmap": ("add", "remove", "write_protect", "sptes", "frames"), "parents": ("add", "remove", "first", "sptes")}
PART_KINDS = {"walk": ev.WALK, "set_spte": ev.SET_SPTE, "pre_write": ev.PRE_WRITE}


@dataclass
class Stats:
    """What happened so far, counted. ``fixed`` counts as the kernel's pf_fixed: also faults that come back."""

    exits: int = 0
    fixed: int = 0
    zapped: int = 0
    entries_zapped: int = 0
    flood_zaps: int = 0
    evicted: int = 0
    tlb_flushes: int = 0
    root_loads: int = 0
    gp: int = 0


def _slots(given: Any) -> list[tuple[int, int, bool]]:
    """The slots of a new VM, each as base, pages and whether it has a log."""
    try:
        slots = [tuple(slot) for slot in given]
        if not all(len(slot) in (2, 3) for slot in slots):
            raise TypeError
    except TypeError:
        raise InputError("slots", given, "a list of (base gfn, pages) or (base gfn, pages, log)") from None
    return [(*checks.span("base", slot[0], slot[1]), bool(slot[2:] and slot[2])) for slot in slots]


class Machine:
    """A VM with its guest memory, shadow pages and vcpu, paging off.

    ``slots``: up to four ``(base gfn, pages)`` or ``(base gfn, pages, log)``. ``tlb``: the processor keeps
    translations until they are flushed. ``audits``: audit before and after each fault, into ``audit_log``. The
    other arguments replace parts (see `parts`). Raises SlotError.

    State, to be read: ``memory``, ``pool``, ``rmap``, ``parents``, ``caches``, ``cpu`` (registers), ``root`` (hpa),
    ``root_level`` (guest levels, 0 without paging), ``shadow_root_level``, ``stats``, ``injected`` (guest page
    faults of the last operation, as (gva, error code)), ``dead`` (why the VM can't be used any more, or None).
    """

    def __init__(
        self,
        slots: Iterable[tuple[int, int] | tuple[int, int, bool]] = ((0, 256),),
        *,
        rmap: Callable[[Machine], ReverseMapPart] = ReverseMap,
        parents: Callable[[Machine], ParentsPart] = ParentChains,
        walk: GuestWalk = walk_guest,
        set_spte: SpteMaker = set_spte,
        pre_write: PreWrite = pre_write,
        tlb: bool = False,
        audits: bool = False,
    ) -> None:
        parts: dict[str, Callable[..., Any]] = {
            "rmap": rmap,
            "parents": parents,
            "walk": walk,
            "set_spte": set_spte,
            "pre_write": pre_write,
        }
        for name, part in parts.items():
            if not callable(part):
                raise InputError(name, part, "something to call (see kvmmmu_lab.mmu.parts)")
        self.dead: str | None = None
        self.emit: ev.Sink | None = None
        self.memory, self.pool, self.caches, self.cpu = Memory(), Pool(), Caches(), registers.Registers()
        self.stats = Stats()
        self.injected: list[tuple[int, int]] = []
        self.tlb: dict[int, tuple[int, int]] | None = {} if tlb else None
        self.audits, self.audit_log = audits, list[tuple[str, list[Complaint]]]()
        self.last_pt_write_gfn = self.last_pt_write_count = 0
        self.root, self.root_level, self.shadow_root_level = INVALID_PAGE, NONPAGING, 3
        self.rmap, self.parents = rmap(self), parents(self)
        for name, methods in PART_METHODS.items():
            if not all(callable(getattr(getattr(self, name), method, None)) for method in methods):
                raise InputError(name, parts[name], f"what makes an object with the methods {', '.join(methods)}")
        self._functions: dict[str, Callable[..., Any]] = {name: parts[name] for name in PART_KINDS}
        self.walk, self.set_spte, self.pre_write = walk, set_spte, pre_write
        for number, (base, npages, log) in enumerate(_slots(slots)):
            self.memory.check_slot(checks.number("slot", number, MEMORY_SLOTS), base, npages)
            self.memory.set_slot(number, base, npages, log)
        for i in range(4):
            self.memory.words[(context.PAE_ROOT_HPA >> 3) + i] = INVALID_PAGE
        context.init_context(self)

    # What the engine asks of the VM around it

    def flush_tlb(self) -> None:
        """Ask the processor to forget its translations."""
        self.stats.tlb_flushes += 1
        if self.tlb is not None:
            self.tlb.clear()
        if self.emit is not None:
            self.emit((ev.FLUSH,))

    def load_root(self) -> None:
        """Load the root into the processor's CR3, which forgets its translations."""
        self.stats.root_loads += 1
        if self.tlb is not None:
            self.tlb.clear()
        if self.emit is not None:
            self.emit((ev.LOAD_ROOT, self.root))

    def inject_page_fault(self, gva: int, error: int) -> None:
        """The guest gets a page fault (mmu.c:1002-1007)."""
        self.injected.append((gva, error))
        if self.emit is not None:
            self.emit((ev.INJECT, gva, error))

    def general_protection(self, why: str) -> bool:
        """The guest gets a #GP; always False, so that a refusing load can return it."""
        self.stats.gp += 1
        if self.emit is not None:
            self.emit((ev.GENERAL_PROTECTION, why))
        return False

    def run_audit(self) -> list[Complaint]:
        """The three audits, with the accessed bits that the kernel's own would set."""
        return audit(self)

    # Events

    def attach(self, sink: ev.Sink) -> Callable[[], None]:
        """Report every step to ``sink`` from now on; the result undoes it. One sink at a time. Raises InputError.

        A sink that raises breaks the operation off, and so ends the VM.
        """
        if not callable(sink):
            raise InputError("sink", sink, "something to call with each event, such as a list's append")
        if self.emit is not None:
            raise InputError("sink", sink, "no sink while another is attached (call what attach returned first)")
        self.listen(sink)

        def detach() -> None:
            if self.emit is sink:
                self.listen(None)

        return detach

    def listen(self, sink: ev.Sink | None) -> None:
        """Report to ``sink`` and no other, or to nobody."""
        self.emit = self.pool.emit = sink
        self.memory.listen(sink)
        for name, function in self._functions.items():
            setattr(self, name, function if sink is None else ev.traced(PART_KINDS[name])(function))
