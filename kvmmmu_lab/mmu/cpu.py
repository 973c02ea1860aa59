# SPDX-License-Identifier: GPL-2.0-only
"""The processor: it walks the shadow tables, never the guest's tables, and causes page faults (the hardware around mmu.c).

CR0.WP and EFER.NX are on in the host, so a supervisor write needs the writable bit, too. This processor doesn't set accessed
and dirty bits in shadow entries.
"""

from __future__ import annotations

from typing import NamedTuple

from . import events as ev
from .bits import (
    BASE_MASK,
    NONPAGING,
    NX,
    PAGE_SHIFT,
    PFERR_PRESENT,
    PFERR_WRITE,
    PRESENT,
    UNMAPPED_GVA,
    USER,
    WRITABLE,
    error_code,
)
from .events import traced
from .fault import page_fault
from .machine import Machine
from .memory import PAE_ROOT
from .shadow import refill
from .walk import gva_to_gpa

MAX_FAULTS = 8
ALL_LEVELS: tuple[int, ...] = (39, 30, 21, 12)
LEVELS_BELOW_PAE_ROOT = ALL_LEVELS[2:]
"""For each level below the PAE root, highest level first: the number of address bits below the level's index."""


class Access(NamedTuple):
    """The result of an access.

    ``outcome``: "ok" (the shadow tables allowed it), "emul" (the host emulated it, in memory), "mmio" (the host emulated it,
    and there is no memory at the address), "inject" (the guest got a page fault), "stuck" (it still faults after 8 faults),
    "escape" (it reached a frame that no longer belongs to a slot), "error" (the host has no free shadow page).
    ``gpa``: the byte address that was reached, or None. ``faults``: the number of page faults that were handled.
    ``error``: the error code of the injected fault.
    """

    outcome: str
    gpa: int | None = None
    faults: int = 0
    error: int | None = None

    @property
    def brief(self) -> str:
        """The outcome, which represents the result in events."""
        return self.outcome

    def __repr__(self) -> str:
        gpa, error = ("None" if value is None else hex(value) for value in (self.gpa, self.error))
        return f"Access(outcome={self.outcome!r}, gpa={gpa}, faults={self.faults}, error={error})"


def shadow_walk(vm: Machine, gva: int, write: bool, user: bool, fetch: bool) -> int:
    """Translate gva with the TLB or the shadow tables. Returns the hpa of its page, or ``-1 - error code`` for a fault."""
    entry, granted = walk_shadow(vm, gva) if vm.tlb is None else _look_up(vm, vm.tlb, gva)
    if not entry & PRESENT:
        return -1 - error_code(write, user, fetch)
    asked = (write and WRITABLE) | (user and USER) | (fetch and NX)
    if (granted & asked) != asked:
        if vm.tlb is not None:
            del vm.tlb[gva >> PAGE_SHIFT]  # a fault drops the translation of its page
        return -1 - (PFERR_PRESENT | error_code(write, user, fetch))
    return entry & BASE_MASK


def walk_shadow(vm: Machine, gva: int) -> tuple[int, int]:
    """Walk the shadow tables. Returns the last entry on gva's path, and the access rights that all levels grant.

    W and U are granted if every entry has them; execution is granted if no entry has NX. The four PAE root entries have no
    bits for access rights.
    """
    words, emit = vm.memory.words, vm.emit
    if vm.shadow_root_level == 4:
        entry, shifts = vm.root | PRESENT, ALL_LEVELS
    else:
        entry, shifts = words[(PAE_ROOT << 9) | ((gva >> 30) & 3)], LEVELS_BELOW_PAE_ROOT
    granted = WRITABLE | USER | NX
    for shift in shifts:
        if not entry & PRESENT:
            break
        at = ((entry & BASE_MASK) >> 3) | ((gva >> shift) & 511)
        entry = words[at]
        if emit is not None:
            emit((ev.HARDWARE_READ, at << 3, shift // 9, entry))
        granted &= entry ^ NX
    return entry, granted


def _look_up(vm: Machine, tlb: dict[int, tuple[int, int]], gva: int) -> tuple[int, int]:
    """Like `walk_shadow`, but look in the TLB first, and add a present entry to it."""
    found = tlb.get(gva >> PAGE_SHIFT)
    if found is None:
        found = walk_shadow(vm, gva)
        if found[0] & PRESENT:
            tlb[gva >> PAGE_SHIFT] = found
    return found


@traced(ev.ACCESS)
def access(vm: Machine, gva: int, write: bool, user: bool, fetch: bool, value: int | None, size: int) -> Access:
    """Perform one access by the guest: translate, handle the fault, try again."""
    for faults in range(MAX_FAULTS + 1):
        hpa = shadow_walk(vm, gva, write, user, fetch)
        if hpa >= 0:
            return _through(vm, gva, hpa | (gva & 0xFFF), write, value, size, faults)
        if faults == MAX_FAULTS:
            break
        injected = len(vm.injected)
        result = handle_fault(vm, gva, -1 - hpa)
        if result < 0:
            return Access("error", None, faults + 1)
        if len(vm.injected) > injected:
            return Access("inject", None, faults + 1, vm.injected[-1][1])
        if result:
            return _emulate(vm, gva, write, value, size, faults + 1)
    return Access("stuck", None, MAX_FAULTS)


def handle_fault(vm: Machine, gva: int, error: int) -> int:
    """Handle a page fault: refill the pool, then call the fault handler of the current paging mode."""
    vm.stats.exits += 1
    refill(vm)
    return vm.nonpaging_fault(vm, gva, error) if vm.root_level == NONPAGING else page_fault(vm, gva, error)


def _through(vm: Machine, gva: int, hpa: int, write: bool, value: int | None, size: int, faults: int) -> Access:
    gfn = vm.memory.gfns[hpa >> 12]
    if gfn is None:
        return Access("escape", None, faults)
    if write and value is not None:
        vm.memory.store(hpa, value.to_bytes(size, "little"), ev.STORE)
    return Access("ok", (gfn << 12) | (hpa & 0xFFF), faults)


def _emulate(vm: Machine, gva: int, write: bool, value: int | None, size: int, faults: int) -> Access:
    """Emulate an instruction that writes a page table, or whose address has no memory."""
    gpa = gva_to_gpa(vm, gva)
    if gpa == UNMAPPED_GVA:
        if write:
            vm.inject_page_fault(gva, PFERR_WRITE)
        return Access("inject", None, faults, PFERR_WRITE if write else None)
    hfn = vm.memory.frames[gpa >> 12]
    if write and hfn is not None:
        if value is None:
            value, size = vm.memory.bytes[(hfn << 12) | (gpa & 0xFFF)], 1
        emulated_write(vm, gpa, value, size)
    return Access("mmio" if hfn is None else "emul", gpa, faults)


@traced(ev.EMULATED_WRITE)
def emulated_write(vm: Machine, gpa: int, value: int, size: int) -> bool:
    """Carry out a store for the guest: call pre-write, mark the page dirty, write the bytes (post_write, mmu.c:1214, is empty).

    Returns False if there is no memory, or if the store crosses a page.
    """
    hfn = vm.memory.frames[gpa >> 12]
    stored = hfn is not None and (gpa & 0xFFF) + size <= 4096
    if stored:
        vm.pre_write(vm, gpa, size)
        vm.memory.mark_dirty(gpa >> 12)
        vm.memory.store((hfn << 12) | (gpa & 0xFFF), value.to_bytes(size, "little"), ev.EMULATED_STORE)
    return stored


def emulated_write_gva(vm: Machine, gva: int, value: int, size: int) -> str:
    """Like `emulated_write`, but at a gva. Returns "stored", "mmio", or "inject" if the guest gets a page fault."""
    gpa = gva_to_gpa(vm, gva)
    if gpa == UNMAPPED_GVA:
        vm.inject_page_fault(gva, PFERR_WRITE)
        return "inject"
    return "stored" if emulated_write(vm, gpa, value, size) else "mmio"


def invlpg(vm: Machine, gva: int) -> None:
    """INVLPG: drop one page from the TLB."""
    if vm.tlb is not None:
        vm.tlb.pop(gva >> PAGE_SHIFT, None)
