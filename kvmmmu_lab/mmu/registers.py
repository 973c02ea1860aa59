# SPDX-License-Identifier: GPL-2.0-only
"""Control registers: how the guest loads them, and how the loads are checked (around mmu.c:943-952, 1108-1119; kvm_main.c).

If a load is refused, the guest gets a #GP (`Machine.general_protection`). CR0.WP, CR4.PSE and EFER.NX aren't part of the role
of a shadow page (2007: after one of them changes, existing shadow entries keep their access rights).
"""

from __future__ import annotations

from ..errors import HostCrash
from . import events as ev
from .bits import CR0_CD, CR0_NW, CR0_PE, CR0_PG, CR4_PAE, EFER_LMA, EFER_LME, PAGE_SHIFT, PRESENT
from .context import new_cr3, reset_context
from .events import traced
from .machine import Machine

CR0_RESERVED = 0xFFFFFFFF1FFAFFC0
CR4_RESERVED = ~0x7FF
CR3_RESERVED_LONG = 0xFFFFFF0000000FE7
CR3_RESERVED = 0x7
EFER_RESERVED = 0xFFFFFFFFFFFFF2FE
PDPTE_RESERVED = 0xFFFFFFF0000001E6


def load_pdptrs(vm: Machine, cr3: int) -> bool:
    """Cache the four PDPTEs to which cr3 points; its low five bits are ignored.

    Returns False, and changes nothing, if a present PDPTE has reserved bits set. Raises HostCrash (oops) if there is no memory
    at that address (2007).
    """
    hfn = vm.memory.frames[cr3 >> PAGE_SHIFT]
    if hfn is None:
        raise HostCrash("oops", "load_pdptrs", "kvm_main.c", f"CR3 {cr3:#x} is outside of every memory slot")
    first = (hfn << 9) | ((cr3 & 0xFE0) >> 3)
    pdptes = list(vm.memory.words[first : first + 4])
    if any(pdpte & PRESENT and pdpte & PDPTE_RESERVED for pdpte in pdptes):
        return False
    vm.cpu.pdptrs = pdptes
    if vm.emit is not None:
        vm.emit((ev.LOAD_PDPTES, *pdptes))
    return True


def _update_lma(vm: Machine, new_cr0: int) -> None:
    """Set or clear LMA when paging is turned on or off, if LME is set."""
    cpu = vm.cpu
    if cpu.long_mode and (new_cr0 ^ cpu.cr0) & CR0_PG:
        cpu.efer = cpu.efer | EFER_LMA if new_cr0 & CR0_PG else cpu.efer & ~EFER_LMA


def _set_cr0(vm: Machine, value: int) -> bool:
    """Load CR0. Returns False after a #GP. It refuses reserved bits, NW without CD, PG without PE, and PG with EFER.LME but
    without CR4.PAE."""
    cpu = vm.cpu
    turns_on = value & CR0_PG and not cpu.paging
    if value & CR0_RESERVED:
        return vm.general_protection("CR0: reserved bits")
    if value & CR0_NW and not value & CR0_CD:
        return vm.general_protection("CR0: NW without CD")
    if value & CR0_PG and not value & CR0_PE:
        return vm.general_protection("CR0: PG without PE")
    if turns_on and cpu.long_mode and not cpu.pae:
        return vm.general_protection("CR0: long mode without PAE")
    if turns_on and not cpu.long_mode and cpu.pae and not load_pdptrs(vm, cpu.cr3):
        return vm.general_protection("CR0: reserved bits in a PDPTE")
    _update_lma(vm, value)
    cpu.cr0 = value
    reset_context(vm)
    return True


def _set_cr4(vm: Machine, value: int) -> bool:
    """Load CR4. Returns False after a #GP. If the #GP is for bad PDPTEs, CR4 changes nevertheless (2007)."""
    cpu = vm.cpu
    accepted = True
    if value & CR4_RESERVED:
        return vm.general_protection("CR4: reserved bits")
    if cpu.long_mode:
        if not value & CR4_PAE:
            return vm.general_protection("CR4: long mode without PAE")
    elif cpu.paging and not cpu.pae and value & CR4_PAE and not load_pdptrs(vm, cpu.cr3):
        accepted = vm.general_protection("CR4: reserved bits in a PDPTE")
    cpu.cr4 = value
    reset_context(vm)
    return accepted


def _set_cr3(vm: Machine, value: int) -> bool:
    """Load CR3. Returns False after a #GP. A CR3 outside every slot causes a #GP, but is stored nevertheless (2007)."""
    cpu = vm.cpu
    if cpu.long_mode:
        if value & CR3_RESERVED_LONG:
            return vm.general_protection("CR3: reserved bits")
    else:
        if value & CR3_RESERVED:
            return vm.general_protection("CR3: reserved bits")
        if cpu.paging and cpu.pae and not load_pdptrs(vm, value):
            return vm.general_protection("CR3: reserved bits in a PDPTE")
    cpu.cr3 = value
    if vm.memory.slot_bits[value >> PAGE_SHIFT] is None:
        return vm.general_protection("CR3: outside of every memory slot")
    new_cr3(vm)
    return True


def _set_efer(vm: Machine, value: int) -> bool:
    """Load EFER. Returns False after a #GP, which is caused by reserved bits, or by a change of LME while paging is on. The
    context isn't reset (2007)."""
    cpu = vm.cpu
    if value & EFER_RESERVED:
        return vm.general_protection("EFER: reserved bits")
    if cpu.paging and (value ^ cpu.efer) & EFER_LME:
        return vm.general_protection("EFER: LME changed while paging is on")
    cpu.efer = value
    return True


def set_register(vm: Machine, register: str, value: int) -> bool:
    """Load a control register by name: "cr0", "cr3", "cr4" or "efer". Returns False after a #GP."""
    return LOADS[register](vm, value)


LOADS = {"cr0": _set_cr0, "cr3": _set_cr3, "cr4": _set_cr4, "efer": _set_efer}


@traced(ev.LOAD_CR0)
def load_cr0(vm: Machine, value: int) -> bool:
    """The guest loads CR0. Returns False after a #GP."""
    return vm.set_register(vm, "cr0", value)


@traced(ev.LOAD_CR3)
def load_cr3(vm: Machine, value: int) -> bool:
    """The guest loads CR3. Returns False after a #GP."""
    return vm.set_register(vm, "cr3", value)


@traced(ev.LOAD_CR4)
def load_cr4(vm: Machine, value: int) -> bool:
    """The guest loads CR4. Returns False after a #GP."""
    return vm.set_register(vm, "cr4", value)


@traced(ev.LOAD_EFER)
def load_efer(vm: Machine, value: int) -> bool:
    """The guest loads EFER. Returns False after a #GP."""
    return vm.set_register(vm, "efer", value)


@traced(ev.SET_REGISTERS)
def set_registers(vm: Machine, cr0: int, cr3: int, cr4: int, efer: int) -> None:
    """Set CR0, CR3, CR4 and EFER without checks, as the host does to restore a guest. If the new PDPTEs are invalid, the cached
    ones stay unchanged."""
    cpu = vm.cpu
    cpu.cr3, cpu.efer, cpu.cr4 = cr3, efer, cr4
    _update_lma(vm, cr0)
    cpu.cr0 = cr0
    if not cpu.long_mode and cpu.pae:
        load_pdptrs(vm, cr3)
    reset_context(vm)
