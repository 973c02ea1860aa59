# SPDX-License-Identifier: GPL-2.0-only
"""Memory slots, aliases and dirty logs: how their changes affect the shadow tables (kvm_main.c, around mmu.c:1322-1359)."""

from __future__ import annotations

from . import events as ev
from .context import reset_context, zap_all
from .events import traced
from .machine import Machine
from .memory import Alias
from .shadow import slot_remove_write_access


@traced(ev.SET_SLOT)
def set_slot(vm: Machine, slot: int, base: int, npages: int, log: bool) -> None:
    """Change a slot; its arguments have been checked."""
    vm.change_slot(vm, slot, base, npages, log)


def change_slot(vm: Machine, slot: int, base: int, npages: int, log: bool) -> None:
    """Install a checked slot. If it has a dirty log, remove write access to it. Then reset the context.

    Shadow entries that reach a deleted or moved slot stay (2007: they reach frames that no longer belong to the guest). I/O
    entries for a slot that is added stay, too (2007: accesses to its memory are still emulated).
    """
    vm.memory.set_slot(slot, base, npages, log)
    if vm.memory.slots[slot].log is not None:
        slot_remove_write_access(vm, slot)
    reset_context(vm)


@traced(ev.SET_ALIAS)
def set_alias(vm: Machine, alias: int, base: int, npages: int, target: int) -> None:
    """Install a checked alias, and zap all shadow pages."""
    vm.memory.set_alias(alias, Alias(base, npages, target) if npages else None)
    zap_all(vm)


@traced(ev.DIRTY_LOG)
def dirty_log(vm: Machine, slot: int) -> list[int]:
    """Return the pages written since the last call. If there are any, remove write access to the slot, clear the log and flush
    the TLB."""
    log = vm.memory.log_of(slot)
    dirty = [page for page, written in enumerate(log) if written]
    if dirty:
        slot_remove_write_access(vm, slot)
        log[:] = bytes(len(log))
        if vm.emit is not None:
            vm.emit((ev.CLEAR_LOG, slot))
        vm.flush_tlb()
    return dirty
