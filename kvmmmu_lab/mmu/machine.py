# SPDX-License-Identifier: GPL-2.0-only
"""The state of a VM with one vcpu, all in one place, and the replaceable parts of a VM (mmu.c:1237-1320).

``Vm(rmap=Mine)`` uses your reverse map instead of the kernel's; the other `PARTS` are replaced in the same way. A part may
read the whole state. It writes only through ``vm.memory.put``, ``vm.memory.store``, ``vm.memory.mark_dirty`` and
``vm.flush_tlb``. An spte is the index of a shadow entry's word: the entry is ``vm.memory.words[spte]``.

============= ====================================== ==============================
part          argument of `Vm`                       the kernel's own
============= ====================================== ==============================
rmap          a class; the VM makes one object       `rmap.ReverseMap`
parents       a class; the VM makes one object       `parents.ParentChains`
walk          a function (`GuestWalk`)               `walk.walk_guest`
set_spte      a function (`SpteMaker`)               `spte.set_spte`
pre_write     a function (`PreWrite`)                `prewrite.pre_write`
============= ====================================== ==============================

These five are also what exercises ask for. The other parts, all functions, are the places that later kernels changed to fix
bugs of 2007; `kvmmmu_lab.museum` replaces them.

=============== ======================================= =======================================
part            decides                                 the kernel's own
=============== ======================================= =======================================
role            when a shadow page is used again        `shadow.role`
table_access    the access rights in a table's role     `fault.table_access`
fix_read        how user access is restored             `spte.fix_read`
user_write      what a user write to a table does       `fault.user_write`
get_root        which page becomes a root               `context.get_root`
nonpaging_fault how a guest without paging is mapped    `context.nonpaging_fault`
set_register    how a register is loaded                `registers.set_register`
change_slot     what else a change of a slot does       `slots.change_slot`
=============== ======================================= =======================================

An exception in a part terminates the VM, as a host crash does, since the state of the VM may then be inconsistent.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import InputError
from . import events as ev
from .bits import CR0_PG, CR4_PAE, EFER_LME, INVALID_PAGE, NONPAGING, GuestMode, mode_of_registers
from .caches import Caches
from .memory import PAE_ROOT, Memory
from .pool import Pool, ShadowPage


class Machine:
    """The state of a VM, with paging off and no memory yet; `Vm` builds one and operates on it.

    ``memory``, ``pool``, ``caches``, ``cpu`` (registers), the parts, ``stats``, and:

    ``root`` (hpa of the root table), ``root_level`` (guest levels, 0 without paging), ``shadow_root_level``: the context;
    ``injected``: the page faults that the guest got in the last operation, as (gva, error code);
    ``dead``: why the VM can no longer be used, or None;
    ``tlb``: for each page number, the leaf entry and the access rights that all levels grant; None without a TLB;
    ``audit_log``: if ``audits`` is on, a pair for each audit: when it ran, such as "pre page fault", and its complaints.
    """

    rmap: ReverseMapPart
    parents: ParentsPart
    walk: GuestWalk
    set_spte: SpteMaker
    pre_write: PreWrite
    role: RoleMaker
    table_access: TableAccess
    fix_read: FixRead
    user_write: UserWrite
    get_root: RootMaker
    nonpaging_fault: NonpagingFault
    set_register: RegisterLoad
    change_slot: SlotChange

    def __init__(self, tlb: bool = False, audits: bool = False) -> None:
        self.dead: str | None = None
        self.emit: ev.Sink | None = None
        self.functions: dict[str, Callable[..., Any]] = {}
        """The parts that are functions, as they were passed to the VM. While a sink is attached, the VM's attributes of the
        same names are wrappers that report calls."""
        self.memory, self.pool, self.caches, self.cpu = Memory(), Pool(), Caches(), Registers()
        self.stats = Stats()
        self.injected: list[tuple[int, int]] = []
        self.tlb: dict[int, tuple[int, int]] | None = {} if tlb else None
        self.audits, self.audit_log = audits, list[tuple[str, list[Any]]]()
        self.last_pt_write_gfn = self.last_pt_write_count = 0
        self.root, self.root_level, self.shadow_root_level = INVALID_PAGE, NONPAGING, 3
        for i in range(4):
            self.memory.words[(PAE_ROOT << 9) + i] = INVALID_PAGE

    # Actions of the processor and of the VM around the engine

    def flush_tlb(self) -> None:
        """Flush the processor's TLB."""
        self.stats.tlb_flushes += 1
        if self.tlb is not None:
            self.tlb.clear()
        if self.emit is not None:
            self.emit((ev.FLUSH,))

    def load_root(self) -> None:
        """Load the root into the processor's CR3, which flushes the TLB."""
        self.stats.root_loads += 1
        if self.tlb is not None:
            self.tlb.clear()
        if self.emit is not None:
            self.emit((ev.LOAD_ROOT, self.root))

    def inject_page_fault(self, gva: int, error: int) -> None:
        """Inject a page fault into the guest (mmu.c:1002-1007)."""
        self.injected.append((gva, error))
        if self.emit is not None:
            self.emit((ev.INJECT, gva, error))

    def general_protection(self, why: str) -> bool:
        """Inject a #GP into the guest. Always returns False, so that a refused load can return the result."""
        self.stats.gp += 1
        if self.emit is not None:
            self.emit((ev.GENERAL_PROTECTION, why))
        return False

    # Events

    def attach(self, sink: ev.Sink) -> Callable[[], None]:
        """Report every step to ``sink`` until the returned function is called. Raises InputError if a sink is already attached.

        An exception in the sink interrupts the operation and terminates the VM.
        """
        if not callable(sink):
            raise InputError("sink", sink, "a function that takes an event, such as a list's append")
        if self.emit is not None:
            raise InputError("sink", sink, "no sink while another is attached (first call the function that attach returned)")
        self.listen(sink)

        def detach() -> None:
            if self.emit is sink:
                self.listen(None)

        return detach

    def listen(self, sink: ev.Sink | None) -> None:
        """Report to ``sink`` instead of the current one; with None, stop reporting."""
        self.emit = self.pool.emit = sink
        self.memory.listen(sink)
        for name, function in self.functions.items():
            kind = ev.KINDS.get(name)
            setattr(self, name, ev.traced(kind)(function) if sink is not None and kind is not None and kind.opens else function)


class Registers:
    """CR0, CR3, CR4, EFER as the guest loaded them, and the cached PDPTEs (kept across mode changes)."""

    __slots__ = ("cr0", "cr3", "cr4", "efer", "pdptrs")

    def __init__(self) -> None:
        self.cr0, self.cr3, self.cr4, self.efer = 0x10, 0, 0, 0
        self.pdptrs = [0, 0, 0, 0]

    @property
    def mode(self) -> GuestMode:
        """The paging mode that the registers select."""
        return mode_of_registers(self.cr0, self.cr4, self.efer)

    @property
    def paging(self) -> bool:
        """Whether paging is on (CR0.PG)."""
        return bool(self.cr0 & CR0_PG)

    @property
    def long_mode(self) -> bool:
        """Whether EFER.LME is set. This bit, not LMA, selects 4 levels (2007)."""
        return bool(self.efer & EFER_LME)

    @property
    def pae(self) -> bool:
        """Whether physical address extension is on (CR4.PAE)."""
        return bool(self.cr4 & CR4_PAE)


@dataclass
class Stats:
    """Counts of what has happened so far. ``fixed`` is the kernel's pf_fixed: it also counts faults that recur."""

    exits: int = 0
    fixed: int = 0
    zapped: int = 0
    entries_zapped: int = 0
    flood_zaps: int = 0
    evicted: int = 0
    tlb_flushes: int = 0
    root_loads: int = 0
    gp: int = 0


class Walk:
    """The result of a walk of the guest's tables.

    ``error`` is None if the guest's tables allow the access, else the #PF error code. ``level`` is the level at which the walk
    ended. ``tables[level]`` is the gfn of the table that was read at a level. ``entry`` is the index of the last guest entry
    in ``memory.words``, or in ``memory.halves`` for 4-byte entries. ``rights`` has the W and U bits that all entries above
    the last allow. ``gfn`` is the 4 KiB frame of gva, also in a large page; it is 0 after an error. If a PDPTE isn't present,
    the walk ends at level 3 and ``entry`` is 0.
    """

    __slots__ = ("level", "tables", "entry", "rights", "gfn", "error")

    def __init__(self, level: int, tables: list[int], entry: int, rights: int, gfn: int, error: int | None) -> None:
        self.level, self.tables, self.entry = level, tables, entry
        self.rights, self.gfn, self.error = rights, gfn, error

    @property
    def brief(self) -> str:
        """The result in a few words: "gfn 0x29a5", "#PF error 0x2"."""
        return f"gfn {self.gfn:#x}" if self.error is None else f"#PF error {self.error:#x}"

    def __repr__(self) -> str:
        return f"<Walk to level {self.level}: {self.brief}>"


class ReverseMapPart(Protocol):
    """A map from host frames to the present, writable level-1 entries that reach them (mmu.c:307-440)."""

    def add(self, spte: int) -> None:
        """Record the entry ``spte``, which has just been made, if it is present and writable."""

    def remove(self, spte: int) -> None:
        """Remove ``spte``, which is about to lose its present or writable bit. A recorded entry still has both bits."""

    def write_protect(self, gfn: int) -> None:
        """For each recorded entry of ``gfn``, in this order: remove it from the map, flush the TLB, clear its writable bit."""

    def sptes(self, hfn: int) -> Iterable[int]:
        """The recorded entries of host frame ``hfn``, for audits and pictures."""

    def frames(self) -> Iterable[int]:
        """The host frames with at least one recorded entry."""


class ParentsPart(Protocol):
    """A map from shadow pages to the entries that point to them (mmu.c:491-565)."""

    def add(self, page: ShadowPage, spte: int) -> None:
        """Record the entry ``spte``, which is about to point to ``page``."""

    def remove(self, page: ShadowPage, spte: int) -> None:
        """Remove the entry ``spte``, which no longer points to ``page``."""

    def first(self, page: ShadowPage) -> int | None:
        """One parent of ``page``, or None if it has none. To zap a page, the engine removes this parent until there are none
        left."""

    def sptes(self, page: ShadowPage) -> Iterable[int]:
        """All parents of ``page``, for pictures."""


class GuestWalk(Protocol):
    """Walk the guest's tables for one access, set accessed bits, return the result (paging_tmpl.h:72)."""

    def __call__(self, vm: Machine, gva: int, write: bool, user: bool, fetch: bool) -> Walk:
        """Call the part, as the class docstring describes."""


class SpteMaker(Protocol):
    """Make a level-1 shadow entry from a guest entry (mmu.c:954-1000).

    Writes the entry. Unless it is an I/O entry, marks the frame dirty if the entry is writable, and calls
    `shadow.update_slot` and ``vm.rmap.add``.
    """

    def __call__(self, vm: Machine, spte: int, guest_entry: int, rights: int, gpa: int, gfn: int) -> None:
        """Call the part, as the class docstring describes."""


class PreWrite(Protocol):
    """Zap the shadow entries that will be stale after a write of ``size`` bytes at ``gpa`` (mmu.c:1140-1212)."""

    def __call__(self, vm: Machine, gpa: int, size: int) -> None:
        """Call the part, as the class docstring describes."""


class RoleMaker(Protocol):
    """Return the role of a shadow page (mmu.c:602-611). Two uses of a guest table with equal roles share a shadow page.

    ``access``: what `TableAccess` returned; 0 for a root.
    """

    def __call__(self, vm: Machine, level: int, gva: int, metaphysical: bool, access: int) -> int:
        """Call the part, as the class docstring describes."""


class TableAccess(Protocol):
    """Return the access rights in the role of the table that is linked to an entry at ``level`` (paging_tmpl.h:224).

    Bit 0 is writable, bit 1 user. ``walk``: the walk of the guest's tables for gva.
    """

    def __call__(self, vm: Machine, gva: int, walk: Walk, level: int) -> int:
        """Call the part, as the class docstring describes."""


class FixRead(Protocol):
    """Restore the user access that a supervisor write with CR0.WP clear removed from an entry (mmu.c:1009-1024)."""

    def __call__(self, vm: Machine, spte: int) -> None:
        """Call the part, as the class docstring describes."""


class UserWrite(Protocol):
    """A user write to gfn may be a write to a page table. Return None if the write is allowed, else a shadow page of gfn: then
    the write is emulated (paging_tmpl.h:307)."""

    def __call__(self, vm: Machine, gfn: int) -> ShadowPage | None:
        """Call the part, as the class docstring describes."""


class RootMaker(Protocol):
    """Return the shadow page of a root, found or new; None if no page is free (mmu.c:858, 878)."""

    def __call__(self, vm: Machine, gfn: int, gva: int, level: int, metaphysical: bool) -> ShadowPage | None:
        """Call the part, as the class docstring describes."""


class NonpagingFault(Protocol):
    """Handle a page fault of a guest without paging. Returns 1 to emulate the instruction, 0 to run the guest again, a negative
    number for an error (mmu.c:893-914)."""

    def __call__(self, vm: Machine, gva: int, error: int) -> int:
        """Call the part, as the class docstring describes."""


class RegisterLoad(Protocol):
    """Load a control register, "cr0", "cr3", "cr4" or "efer", for the guest. Returns False after a #GP."""

    def __call__(self, vm: Machine, register: str, value: int) -> bool:
        """Call the part, as the class docstring describes."""


class SlotChange(Protocol):
    """Install a memory slot that has been checked, and bring the shadow tables up to date."""

    def __call__(self, vm: Machine, slot: int, base: int, npages: int, log: bool) -> None:
        """Call the part, as the class docstring describes."""


PARTS: dict[str, Any] = {
    "rmap": ReverseMapPart,
    "parents": ParentsPart,
    "walk": GuestWalk,
    "set_spte": SpteMaker,
    "pre_write": PreWrite,
    "role": RoleMaker,
    "table_access": TableAccess,
    "fix_read": FixRead,
    "user_write": UserWrite,
    "get_root": RootMaker,
    "nonpaging_fault": NonpagingFault,
    "set_register": RegisterLoad,
    "change_slot": SlotChange,
}
"""The parts by name, each with its protocol. The default parts are in `Vm`.

If a part is a function, its protocol has only ``__call__``. If there is a kind of event that opens an operation and has the
part's name, it reports the calls of the part. The other protocols describe the object that a class makes from the VM.
"""


@functools.cache
def part_methods(name: str) -> tuple[str, ...]:
    """The names of the methods that a part's object needs; empty for a part that is a function."""
    return tuple(method for method in vars(PARTS[name]) if not method.startswith("_"))
