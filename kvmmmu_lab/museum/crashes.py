# SPDX-License-Identifier: GPL-2.0-only
"""Exhibits in which the host crashes, loops for ever, or leaves the guest a way to memory that isn't its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..draw.page_belt import page_belt_scene
from ..draw.root_slots import root_slots_scene
from ..labs.guests import FULL, Builder, store
from ..mmu import Vm, context, registers, shadow, slots, spte
from ..mmu.bits import ACCESSED, CR0_PE, CR0_PG, CR0_WP, PAGE_SHIFT, PRESENT, USER
from ..mmu.machine import Machine
from ..mmu.pool import MIN_FREE, ShadowPage
from .exhibit import CRASHES

Steps = Iterator[Vm]
Part = Any

# A user write to a page table


def emulate_user_write(vm: Machine, gfn: int) -> ShadowPage | None:
    """A user write to a page table is emulated, like a write of the guest's kernel. Nothing is zapped."""
    return vm.pool.lookup(gfn)


@CRASHES.exhibit(
    "A user write to the root table hangs the host",
    "User code writes to the root table of its own address space.",
    lesson=8, lines="mmu.c:671-696; paging_tmpl.h:307", fix={"user_write": emulate_user_write},
)  # fmt: skip
def user_write_root64(**fix: Part) -> Steps:
    """The kernel takes a user write to a page table as a sign that the frame isn't a page table any more. It zaps the frame's
    shadow pages until it finds none. But zapping leaves a live root in the hash, so it finds the root again, for ever."""
    guest = Builder("64", **fix)
    guest.map(0x1000, gfn=guest.root)  # user code can write its own root table
    vm = guest.start()
    vm.access(0x1000, user=True)
    yield vm
    vm.access(0x1000, user=True, write=True)


@CRASHES.exhibit(
    "A user write to the page directory of a 32-bit guest hangs the host",
    "User code writes to the page directory of a 32-bit guest.",
    lesson=8, lines="mmu.c:671-696; paging_tmpl.h:307", fix={"user_write": emulate_user_write},
)  # fmt: skip
def user_write_root32(**fix: Part) -> Steps:
    """The same bug in a 32-bit guest. Its page directory has four shadow pages, and all of them are live roots."""
    guest = Builder("32", **fix)
    guest.map(0x1000, gfn=guest.root)
    vm = guest.start()
    vm.access(0x1000, user=True)
    yield vm
    vm.access(0x1000, user=True, write=True)


@CRASHES.exhibit(
    "A user write to a page directory of a PAE guest hangs the host",
    "User code writes to a page directory of a PAE guest.",
    lesson=8, lines="mmu.c:671-696; paging_tmpl.h:307", fix={"user_write": emulate_user_write},
)  # fmt: skip
def user_write_rootpae(**fix: Part) -> Steps:
    """The same bug in a PAE guest. The roots of its shadow tables are the shadow pages of its page directories."""
    guest = Builder("pae", **fix)
    guest.map(0x1000, gfn=guest.table(0x1000, level=2))
    vm = guest.start()
    vm.access(0x1000, user=True)
    yield vm
    vm.access(0x1000, user=True, write=True)


@CRASHES.exhibit(
    "A freed shadow page keeps an entry, and the host follows this entry to page 0 of its own memory",
    "A page table maps itself. User code writes to it; then the guest turns paging off.",
    lesson=8, lines="mmu.c:771-813; paging_tmpl.h:307", fix={"user_write": emulate_user_write},
)  # fmt: skip
def user_write_own_pt(**fix: Part) -> Steps:
    """A page table maps itself, and user code writes to it. The host zaps and frees the shadow page that contains the entry for
    this write, and then sets the writable bit in that entry. So the freed page keeps an entry of 0x2, and the write faults
    again and again. When the guest turns paging off, the page becomes a root. The host takes the entry for a link, and
    follows the link to host page 0."""
    guest = Builder("64", **fix)
    guest.map(0)
    guest.map(0, gfn=guest.table(0))  # the page table maps itself
    vm = guest.start()
    vm.zap_all()  # so that no root from before is found again
    vm.access(0, user=True)
    yield vm
    vm.access(0, user=True, write=True)
    vm.load_cr0(CR0_PE)
    yield vm
    vm.access(0, write=True)


# A reverse map that keeps an entry that is no longer writable


def fix_read(vm: Machine, at: int) -> None:
    """Remove the entry from its reverse map before it loses the writable bit."""
    entry = vm.memory.words[at]
    if entry & spte.SHADOW_USER and not entry & USER:
        vm.rmap.remove(at)
    spte.fix_read(vm, at)


@CRASHES.exhibit(
    "A read leaves a read-only entry in a reverse map",
    "With CR0.WP clear, the guest's kernel writes a read-only page; then user code reads it.",
    lesson=6, lines="mmu.c:1009-1024", fix={"fix_read": fix_read},
)  # fmt: skip
def wp0_read_fix_rmap_leak(**fix: Part) -> Steps:
    """With CR0.WP clear, the guest's kernel may write read-only pages. For such a write, the host makes the entry writable
    and takes user access away. The next user read gives user access back and clears the writable bit. But the entry stays in
    the reverse map of the frame, which is for writable entries only."""
    guest = Builder("64", **fix)
    guest.map(0x1000, flags=PRESENT | USER | ACCESSED)  # read-only
    vm = guest.start()
    vm.load_cr0(CR0_PG | CR0_PE)  # WP off
    vm.access(0x1000, write=True)
    yield vm
    vm.access(0x1000, user=True)


@CRASHES.exhibit(
    "A frame becomes a page table, and the host crashes over an old entry",
    "With CR0.WP clear, the guest's kernel writes a read-only page, user code reads it, and the frame becomes a page table.",
    lesson=6, lines="mmu.c:430-433, 1009-1024", fix={"fix_read": fix_read},
)  # fmt: skip
def wp0_rmap_leak_then_pt_BUG(**fix: Part) -> Steps:
    """A user read has left a read-only entry in the reverse map of a frame (wp0_read_fix_rmap_leak). Now the guest uses the
    frame as a page table. To write-protect it, the host goes through the reverse map, and a consistency check fails: each
    entry there has to be writable."""
    guest = Builder("64", **fix)
    frame = guest.map(0x1000, flags=PRESENT | USER | ACCESSED)
    guest.map(0x2000)
    entry = guest.frame() << PAGE_SHIFT | FULL
    vm = guest.start()
    vm.load_cr0(CR0_PG | CR0_PE)  # WP off
    vm.access(0x1000, write=True, value=entry, size=8)  # the kernel prepares a page table
    yield vm
    vm.access(0x1000, user=True)
    yield vm
    store(vm, guest.entry_gpa(0x200000, level=2), frame << PAGE_SHIFT | FULL, 8)
    vm.access(0x200000)


# Roots


def get_root(vm: Machine, gfn: int, gva: int, level: int, metaphysical: bool) -> ShadowPage | None:
    """Evict first if few pages are free, as a load of CR3 does."""
    if len(vm.pool.free) < MIN_FREE:
        shadow.free_some_pages(vm)
    return context.get_root(vm, gfn, gva, level, metaphysical)


@CRASHES.exhibit(
    "The guest turns paging off while the pool is almost empty, and the host follows a null pointer",
    "Two shadow pages are free, and the guest turns paging off.",
    lesson=13, lines="mmu.c:845-886, 1108-1119", fix={"get_root": get_root}, fixed_by="17c3ba9d37db", draw=page_belt_scene,
    note='"Lazy guest cr3 switching" reworked it',
)  # fmt: skip
def pool_exhaust_reset_oops(**fix: Part) -> Steps:
    """To turn paging off takes four root pages. Only two are free, and the function that allocates roots doesn't look whether
    it got a page. A load of CR3 evicts pages first (pool_exhaust_cr3_refills); a reset of the context doesn't."""
    vm = almost_empty_pool(**fix)
    yield vm
    vm.load_cr0(CR0_PE)


def almost_empty_pool(**fix: Part) -> Vm:
    """A guest with two free shadow pages. A fault evicts pages only if fewer than five are free when it begins."""
    guest, far = Builder("64", frames=0x200, **fix), 1 << 39
    for region in range(256):
        guest.map(region << 21, gfn=0x400)
    guest.map(far, gfn=0x400)
    vm, region = guest.start(), 0
    vm.zap_all()  # so that no root from before is found again
    while len(vm.pool.free) > MIN_FREE:
        vm.access(region << 21)  # takes one page, for a page table
        region += 1
    vm.access(far)  # takes three: here each level is new
    return vm


def root_outside_memory(vm: Machine, gfn: int, gva: int, level: int, metaphysical: bool) -> ShadowPage | None:
    """A root without memory shadows no table, so there is nothing to write-protect. Its entries stay empty."""
    return context.get_root(vm, gfn, gva, level, metaphysical or vm.memory.frames[gfn] is None)


NOWHERE = 0x7F000000
"""An address without memory."""

DUMMY_ROOT = "Linux 6.6 takes a dummy root of zeroes in such a case (d011151616e7)"


@CRASHES.exhibit(
    "A PDPTE without memory crashes the host",
    "A PAE guest turns paging on with a PDPTE that leads to an address without memory.",
    lesson=12, lines="mmu.c:420, 845-886", fix={"get_root": root_outside_memory}, note=DUMMY_ROOT,
    draw=root_slots_scene,
)  # fmt: skip
def pdpte_outside_ram_BUG(**fix: Part) -> Steps:
    """A PDPTE of a PAE guest leads to an address where the guest has no memory. The host makes a root for it all the same, and
    wants to write-protect a frame that doesn't exist."""
    guest = Builder("pae", **fix)
    guest.vm.poke(guest.root << PAGE_SHIFT, NOWHERE | PRESENT)
    yield guest.vm
    guest.start()


@CRASHES.exhibit(
    "Restored registers with a CR3 without memory crash the host",
    "The host sets a guest's registers, with a CR3 that leads to an address without memory.",
    lesson=12, lines="mmu.c:420, 845-886", fix={"get_root": root_outside_memory}, note=DUMMY_ROOT,
    draw=root_slots_scene,
)  # fmt: skip
def cr3_outside_ram_sregs_BUG(**fix: Part) -> Steps:
    """The program on the host that runs the guest sets its registers, as when it restores a guest. Nothing checks that CR3 is
    an address in memory, so any user who can start a guest can crash the host."""
    guest = Builder("64", **fix)
    guest.root = NOWHERE >> PAGE_SHIFT
    yield guest.vm
    guest.start()


def check_cr3_first(vm: Machine, register: str, value: int) -> bool:
    """Refuse a CR3 without memory before anything else is done with it."""
    if register == "cr3" and vm.memory.slot_bits[value >> PAGE_SHIFT] is None:
        return vm.general_protection("CR3: outside of every memory slot")
    return registers.set_register(vm, register, value)


@CRASHES.exhibit(
    "A refused CR3 is stored nevertheless, and crashes the host later",
    "The guest loads a CR3 without memory, and then turns paging on.",
    lesson=12, lines="mmu.c:420, 845-886", fix={"set_register": check_cr3_first}, draw=root_slots_scene,
)  # fmt: skip
def cr3_gp_but_kept_BUG(**fix: Part) -> Steps:
    """The guest loads a CR3 without memory, and gets a #GP. But the kernel has stored the value before it checked it. When
    the guest turns paging on, the host makes a root for this address, and a consistency check fails."""
    vm = Vm(**fix)
    yield vm
    vm.load_cr3(NOWHERE)
    yield vm
    vm.load_cr0(CR0_PG | CR0_WP | CR0_PE)


@CRASHES.exhibit(
    "A PAE guest loads a CR3 without memory, and the host follows a bad pointer",
    "A PAE guest loads a CR3 without memory.",
    lesson=12, lines="kvm_main.c", fix={"set_register": check_cr3_first},
)  # fmt: skip
def pae_cr3_outside_ram_oops(**fix: Part) -> Steps:
    """When a PAE guest loads CR3, the kernel reads the four PDPTEs at this address. Whether there is memory is checked only
    afterwards."""
    guest = Builder("pae", **fix)
    vm = guest.start()
    yield vm
    vm.load_cr3(NOWHERE)


# Memory slots


def zap_before_change(vm: Machine, slot: int, base: int, npages: int, log: bool) -> None:
    """Zap all shadow pages before a slot changes."""
    context.zap_all(vm)
    slots.change_slot(vm, slot, base, npages, log)


@CRASHES.exhibit(
    "A deleted memory slot can still be read and written",
    "The host deletes a memory slot that the guest uses.",
    lesson=14, lines="mmu.c:1108-1119, 1344-1359", fix={"change_slot": zap_before_change}, fixed_by="34d4cb8fca1f",
)  # fmt: skip
def slot_delete_use_after_free(**fix: Part) -> Steps:
    """The host deletes a memory slot and frees its frames. The shadow entries that lead there stay. So the guest reads and
    writes frames that may already belong to somebody else."""
    guest = Builder("64", **fix)
    guest.map(0x1000, gfn=0x400)  # in slot 1
    vm = guest.start()
    vm.access(0x1000, write=True)
    yield vm
    vm.set_slot(1, 0x400, 0)  # no pages: the slot is deleted
    vm.access(0x1000, write=True)


@CRASHES.exhibit(
    "A memory slot moves, and the old address still works",
    "The host moves a memory slot that the guest uses.",
    lesson=1, lines="mmu.c:1108-1119, 1344-1359", fix={"change_slot": zap_before_change},
    note="34d4cb8fca1f zaps all shadow pages when a slot is deleted, 12d6e7538e2d (2012) treats a move like a deletion",
)  # fmt: skip
def slot_move_stale(**fix: Part) -> Steps:
    """The host moves a memory slot: its frames get other guest addresses. The guest's page tables still name the old address,
    where there is no memory any more. But the shadow entry stays, so the guest still reaches the frame."""
    guest = Builder("64", **fix)
    guest.map(0x1000, gfn=0x400)  # in slot 1
    vm = guest.start()
    vm.access(0x1000, write=True)
    yield vm
    vm.set_slot(1, 0x800, 0x400)
    vm.access(0x1000)


@CRASHES.exhibit(
    "Memory that is added is still treated as I/O",
    "The guest reads an address without memory, and then the host adds memory there.",
    lesson=14, lines="mmu.c:954-1000, 1108-1119", fix={"change_slot": zap_before_change},
)  # fmt: skip
def slot_add_stale_mmio(**fix: Part) -> Steps:
    """The guest touches an address without memory, and the host marks the shadow entry as I/O: each access is emulated. Then
    the host adds memory there. The mark stays, so the accesses are emulated for ever."""
    guest = Builder("64", **fix)
    guest.map(0x1000, gfn=0x900)  # no memory there
    vm = guest.start()
    vm.access(0x1000)
    yield vm
    vm.set_slot(2, 0x900, 0x10)
    vm.access(0x1000)
