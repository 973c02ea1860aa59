# SPDX-License-Identifier: GPL-2.0-only
"""Entries are sets of names, which become a number at the end."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.shadow import update_slot

BITS = {"P": 0, "W": 1, "U": 2, "A": 5, "D": 6, "G": 8, "io": 9, "mark W": 10, "mark U": 11, "NX": 63}


def names(value):
    return {name for name, bit in BITS.items() if value >> bit & 1}


def number(these):
    return sum(1 << BITS[name] for name in these)


def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
    guest = names(guest_entry)
    allowed = guest & names(rights) & {"W", "U"}
    new = guest & ({"P", "A", "D", "G"} if vm.root_level == 2 else {"P", "A", "D", "G", "NX"})
    new |= allowed | {f"mark {right}" for right in allowed}
    if "D" not in guest:
        new.discard("W")
    frame, memory = gpa // 4096, vm.memory
    hfn = memory.frames[frame]
    if hfn is None:
        memory.put(spte, gpa + number(new - {"P"} | {"io"}), ev.MAKE_SPTE)
        return
    if "W" in new and vm.pool.lookup(gfn):
        vm.flush_tlb()
        new.remove("W")
    memory.put(spte, hfn * 4096 + number(new), ev.MAKE_SPTE)
    vm.rmap.add(spte)
    update_slot(vm, spte, frame)
    if "W" in new:
        memory.mark_dirty(frame)
