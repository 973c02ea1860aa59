# SPDX-License-Identifier: GPL-2.0-only
"""Exhibits in which an access gets rights or a frame that the guest's tables don't give it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..labs.guests import FULL, Builder, store
from ..mmu import Vm, context, cpu, fault, registers, shadow, spte, walk
from ..mmu.bits import (
    ACCESSED,
    CR0_PE,
    CR0_PG,
    CR0_WP,
    CR4_PSE,
    DIRTY,
    EFER_NX,
    LARGE,
    NX,
    PAGE_SHIFT,
    PRESENT,
    RIGHTS,
    ROOT_32,
    USER,
    WRITABLE,
    guest_format,
)
from ..mmu.machine import Machine, Walk
from .exhibit import PERMISSIONS

Steps = Iterator[Vm]
Part = Any
READ_ONLY = PRESENT | USER | ACCESSED
SUPERVISOR = PRESENT | WRITABLE | ACCESSED

# Rights of the upper levels


def inherited_access(vm: Machine, gva: int, found: Walk, level: int) -> int:
    """Put the rights that a table inherits into its role: those that all entries above it allow."""
    return granted_above(vm, gva, found, level) >> 1 & 3


def granted_above(vm: Machine, gva: int, found: Walk, level: int) -> int:
    """The W and U bits that all guest entries from the root down to ``level`` grant, and NX if none of them has it."""
    form, granted = guest_format(vm.root_level), RIGHTS | NX
    for above in range(vm.root_level, level - 1, -1):
        if found.tables[above]:  # a PDPTE has no rights
            entry = found.tables[above] << PAGE_SHIFT | form.index(gva, above) * form.size
            granted &= vm.memory.load(vm.memory.gpa_to_hpa(entry), form.size) ^ NX
    return granted


CVE = "later kernels have an access field in the role; a similar bug was found in 2021, CVE-2021-38198 (b1bd5cba)"


@PERMISSIONS.exhibit(
    "A page is writable by an address that should only read it",
    "Two directory entries lead to one page table: the first allows writing, the second does not.",
    lesson=5, lines="mmu.c:602-611; paging_tmpl.h:224", fix={"table_access": inherited_access}, note=CVE,
)  # fmt: skip
def shared_pt_escalation(**fix: Part) -> Steps:
    """Two directory entries lead to the same page table: one allows writing, one doesn't. The rights of the upper levels are
    enforced in the last level of the shadow. But both paths share one shadow page, because these rights aren't in its role.
    The entry was made for the first path, and grants too much on the second."""
    guest = Builder("64", **fix)
    guest.map(0x1000)
    table = guest.table(0x1000)
    guest.vm.poke(guest.entry_gpa(0x201000, level=2), table << PAGE_SHIFT | READ_ONLY)
    vm = guest.start()
    vm.access(0x1000, user=True, write=True)
    yield vm
    vm.access(0x201000, user=True)
    vm.access(0x201000, user=True, write=True)


@PERMISSIONS.exhibit(
    "User code reads a page that only the kernel may read",
    "Two directory entries lead to one page table: the first is for user code, the second for the kernel.",
    lesson=5, lines="mmu.c:602-611; paging_tmpl.h:224", fix={"table_access": inherited_access}, note=CVE,
)  # fmt: skip
def shared_pt_supervisor_escalation(**fix: Part) -> Steps:
    """Like shared_pt_escalation, but the second directory entry is for supervisors only."""
    guest = Builder("64", **fix)
    guest.map(0x1000)
    table = guest.table(0x1000)
    guest.vm.poke(guest.entry_gpa(0x201000, level=2), table << PAGE_SHIFT | SUPERVISOR)
    vm = guest.start()
    vm.access(0x1000, user=True)
    yield vm
    vm.access(0x201000)
    vm.access(0x201000, user=True)


@PERMISSIONS.exhibit(
    "A write that is allowed faults for ever",
    "Two directory entries lead to one page table. The one that forbids writing is used first.",
    lesson=3, lines="mmu.c:602-611; paging_tmpl.h:224, 307, 392", fix={"table_access": inherited_access}, note=CVE,
)  # fmt: skip
def shared_pt_livelock(**fix: Part) -> Steps:
    """Like shared_pt_escalation, but the read-only path is used first. Its shadow entry records that the guest forbids writing.
    A write through the other path is allowed, so the guest gets no fault. But the host finds an entry that forbids writing,
    changes nothing, and lets the guest run again: the same fault follows."""
    guest = Builder("64", **fix)
    guest.map(0x1000)
    table = guest.table(0x1000)
    guest.vm.poke(guest.entry_gpa(0x201000, level=2), table << PAGE_SHIFT | READ_ONLY)
    vm = guest.start()
    vm.access(0x201000, user=True)
    yield vm
    vm.access(0x1000, user=True, write=True)


@PERMISSIONS.exhibit(
    "A large page is writable by an address that should only read it",
    "Two entries at level 3 lead to one directory with a large page: the first allows writing, the second does not.",
    lesson=11, lines="mmu.c:602-611; paging_tmpl.h:224", fix={"table_access": inherited_access}, note=CVE,
)  # fmt: skip
def large_upper_level_ro(**fix: Part) -> Steps:
    """Two entries at level 3 lead to the same directory, which maps a large page: one allows writing, one doesn't. The rights
    of the large page's own entry are in the role of its shadow page; those of the entries above are not."""
    guest = Builder("64", **fix)
    guest.map(0, gfn=0x400, large=True)
    directory = guest.table(0, level=2)
    guest.vm.poke(guest.entry_gpa(1 << 30, level=3), directory << PAGE_SHIFT | READ_ONLY)
    vm = guest.start()
    vm.access(0, user=True, write=True)
    yield vm
    vm.access(1 << 30, user=True)
    vm.access(1 << 30, user=True, write=True)


# NX


def access_with_inherited_nx(vm: Machine, gva: int, found: Walk, level: int) -> int:
    """Put NX of the entries above a table into its role, beside the writable and user bits."""
    executable = granted_above(vm, gva, found, level) & NX
    return fault.table_access(vm, gva, found, level) | (not executable) << 2


def spte_with_inherited_nx(vm: Machine, at: int, guest_entry: int, rights: int, gpa: int, gfn: int) -> None:
    """Set NX in an entry if its table inherits it."""
    page = vm.pool.pages[shadow.page_of(at)]
    spte.set_spte(vm, at, guest_entry | (page.role >> 19 & 1) << 63, rights, gpa, gfn)


@PERMISSIONS.exhibit(
    "Code runs in a region that forbids it",
    "A directory entry has NX. The guest reads a page below it, and then fetches an instruction there.",
    lesson=4, lines="mmu.c:954-1000; paging_tmpl.h:195, 224",
    fix={"table_access": access_with_inherited_nx, "set_spte": spte_with_inherited_nx},
)  # fmt: skip
def nx_in_pde_ignored(**fix: Part) -> Steps:
    """The guest's directory entry has NX, so nothing below it may be executed. NX is copied into the shadow only from the last
    entry. Once a read has made the shadow entry, a fetch is granted without a fault."""
    guest = Builder("64", **fix)
    guest.map(0x1000)
    guest.vm.poke(guest.entry_gpa(0x1000, level=2), guest.table(0x1000) << PAGE_SHIFT | FULL | NX)
    vm = guest.start()
    vm.access(0x1000)
    yield vm
    vm.access(0x1000, fetch=True)


def large_access_with_nx(vm: Machine, gva: int, found: Walk, level: int) -> int:
    """Put NX of a large page's entry into the role of its shadow page, beside the writable and user bits."""
    large = level == found.level
    return fault.table_access(vm, gva, found, level) | (large and bool(walk.read_entry(vm, found) & NX)) << 2


@PERMISSIONS.exhibit(
    "NX on a large page is ignored if its old shadow page is found",
    "The guest sets NX in the entry of a large page, reads the page, and fetches an instruction there.",
    lesson=11, lines="mmu.c:602-611; paging_tmpl.h:224", fix={"table_access": large_access_with_nx}, fixed_by="d55e2cb2",
)  # fmt: skip
def large_nx_set_ignored(**fix: Part) -> Steps:
    """The guest sets NX in the entry of a large page. Its shadow page loses its parent, but stays in the hash, with entries
    without NX. The role of the page has the writable and user bits of the guest's entry, but not NX. So the next access finds
    the old page again, and a fetch is granted."""
    guest = Builder("64", **fix)
    guest.map(0, gfn=0x400, large=True)
    vm = guest.start()
    vm.access(0, fetch=True)
    yield vm
    store(vm, guest.entry_gpa(0, level=2), 0x400 << PAGE_SHIFT | FULL | LARGE | NX, 8)
    vm.access(0)
    vm.access(0, fetch=True)


def spte_without_nx(vm: Machine, at: int, guest_entry: int, rights: int, gpa: int, gfn: int) -> None:
    """Copy bit 63 of the guest's entry only if EFER.NX is on."""
    if not vm.cpu.efer & EFER_NX:
        guest_entry &= ~NX
    spte.set_spte(vm, at, guest_entry, rights, gpa, gfn)


@PERMISSIONS.exhibit(
    "A fetch that is allowed faults for ever",
    "EFER.NX is off, and the guest's entry has bit 63. The guest fetches an instruction.",
    lesson=4, lines="mmu.c:954-1000; paging_tmpl.h:195, 392", fix={"set_spte": spte_without_nx},
)  # fmt: skip
def nx_bit63_without_nxe(**fix: Part) -> Steps:
    """The guest's entry has bit 63 set, while EFER.NX is off, so that the bit doesn't mean NX. The host copies it into the
    shadow entry, where it does mean NX. The walk of the guest's tables allows the fetch, the shadow doesn't, and the fault
    recurs. (A processor would report a reserved bit.)"""
    guest = Builder("64", **fix)
    guest.map(0x1000, flags=FULL | NX)
    vm = guest.start()
    vm.load_efer(vm.cpu.efer & ~EFER_NX)
    yield vm
    vm.access(0x1000, fetch=True)


# Registers that change what the entries mean


def role_with_modes(vm: Machine, level: int, gva: int, metaphysical: bool, access: int) -> int:
    """Put CR0.WP, CR4.PSE and EFER.NX into the role, so that a change of one of them finds other shadow pages."""
    now = vm.cpu
    modes = bool(now.cr0 & CR0_WP) | bool(now.cr4 & CR4_PSE) << 1 | bool(now.efer & EFER_NX) << 2
    return shadow.role(vm, level, gva, metaphysical, access) | modes << 20


@PERMISSIONS.exhibit(
    "A read-only page stays writable for the guest's kernel",
    "With CR0.WP clear, the guest's kernel writes a read-only page. It sets CR0.WP, and writes again.",
    lesson=4, lines="mmu.c:602-611, 1108-1119", fix={"role": role_with_modes},
    fixed_by="3dbe141595fa", note="later kernels have CR0.WP in the role",
)  # fmt: skip
def wp0_to_wp1_stale_write(**fix: Part) -> Steps:
    """With CR0.WP clear, the guest's kernel may write a read-only page, and the host makes a writable entry. Then the guest
    sets CR0.WP, which forbids it. But CR0.WP isn't in the role of a shadow page, so the old entries are used again."""
    guest = Builder("64", **fix)
    guest.map(0x1000, flags=READ_ONLY)
    vm = guest.start()
    vm.load_cr0(CR0_PG | CR0_PE)  # WP off
    vm.access(0x1000, write=True)
    yield vm
    vm.load_cr0(CR0_PG | CR0_WP | CR0_PE)
    vm.access(0x1000, write=True)


@PERMISSIONS.exhibit(
    "A large page survives, although large pages are turned off",
    "A 32-bit guest reads a large page, clears CR4.PSE, and reads the same address again.",
    lesson=12, lines="mmu.c:602-611, 1108-1119", fix={"role": role_with_modes},
)  # fmt: skip
def cr4_pse_toggle_stale(**fix: Part) -> Steps:
    """A 32-bit guest maps a large page, and then clears CR4.PSE: from now on the same entry leads to a page table. CR4.PSE
    isn't in the role of a shadow page. So the root is found again, and with it the shadow of the large page."""
    guest = Builder("32 pse", **fix)
    guest.map(0, gfn=0x400, large=True)
    guest.vm.poke(0x400 << PAGE_SHIFT, guest.frame() << PAGE_SHIFT | FULL, 4)  # it looks like a page table, too
    vm = guest.start()
    vm.access(0)
    yield vm
    vm.load_cr4(0)
    vm.access(0)


def reset_after_efer(vm: Machine, register: str, value: int) -> bool:
    """Build the roots again after a load of EFER, as after a load of CR0 or CR4."""
    accepted = registers.set_register(vm, register, value)
    if register == "efer" and accepted:
        context.reset_context(vm)
    return accepted


@PERMISSIONS.exhibit(
    "Code runs in a region that forbids it, after NX is turned on",
    "A directory entry has bit 63. The guest fetches an instruction, turns EFER.NX on, and fetches again.",
    lesson=2, lines="mmu.c:602-611, 1108-1119", fix={"role": role_with_modes, "set_register": reset_after_efer},
    fixed_by="9645bb56b31a",
)  # fmt: skip
def efer_nx_toggle_stale(**fix: Part) -> Steps:
    """The guest runs code while EFER.NX is off. KVM then ignores bit 63 of its directory entry (for a processor it is a
    reserved bit). Then the guest turns EFER.NX on: now the bit forbids execution. EFER.NX isn't in the role of a shadow page,
    so the old shadow entries stay in use, and the fetch is granted."""
    guest = Builder("64", **fix)
    guest.map(0x1000)
    guest.vm.poke(guest.entry_gpa(0x1000, level=2), guest.table(0x1000) << PAGE_SHIFT | FULL | NX)
    vm = guest.start()
    vm.load_efer(vm.cpu.efer & ~EFER_NX)
    vm.access(0x1000, fetch=True)
    yield vm
    vm.load_efer(vm.cpu.efer | EFER_NX)
    vm.access(0x1000, fetch=True)


# The wrong frame, or a lost dirty bit


def nonpaging_zaps_first(vm: Machine, gva: int, error: int) -> int:
    """Zap the shadow pages of a frame before it gets an entry that allows writing."""
    shadow.unprotect_page(vm, gva >> PAGE_SHIFT)
    return context.nonpaging_fault(vm, gva, error)


@PERMISSIONS.exhibit(
    "A page table is changed while paging is off, and the old shadow is used again",
    "The guest turns paging off, changes an entry of a page table, and turns paging on again.",
    lesson=9, lines="mmu.c:769-813, 893-914", fix={"nonpaging_fault": nonpaging_zaps_first},
)  # fmt: skip
def nonpaging_writes_shadowed_pt(**fix: Part) -> Steps:
    """The guest turns paging off, changes an entry of a page table, and turns paging on again. Without paging, the host maps
    each frame with all rights, even a frame that is write-protected because it is a shadowed page table. So the write isn't
    noticed, and the stale shadow page is found in the hash."""
    guest = Builder("64", **fix)
    guest.map(0x1000)
    entry, other = guest.entry_gpa(0x1000), guest.frame()
    vm = guest.start()
    vm.access(0x1000)
    yield vm
    vm.load_cr0(CR0_PE)
    vm.access(entry, write=True, value=other << PAGE_SHIFT | FULL, size=8)
    yield vm
    vm.load_cr0(CR0_PG | CR0_WP | CR0_PE)
    vm.access(0x1000)


def walk_with_pse36(vm: Machine, gva: int, write: bool, user: bool, fetch: bool) -> Walk:
    """Let the walk return the frame that the shadow maps: the upper bits of PSE-36 belong to it."""
    found = walk.walk_guest(vm, gva, write, user, fetch)
    if found.error is None and found.level == 2 and vm.root_level == ROOT_32:
        found.gfn = spte.large_gpa(vm, walk.read_entry(vm, found), found.gfn) >> PAGE_SHIFT
    return found


@PERMISSIONS.exhibit(
    "The host reads another frame than the guest",
    "The entry of a large page has PSE-36 bits, and the host emulates a write to the page.",
    lesson=11, lines="mmu.c:88-90, 176; paging_tmpl.h:72, 205", fix={"walk": walk_with_pse36}, focus=(0,),
)  # fmt: skip
def pse36_frame_mismatch(**fix: Part) -> Steps:
    """In a large entry of a 32-bit guest, bits 13 to 16 are bits 32 to 35 of the address (PSE-36). The shadow entry is made
    with these bits. The walk of the guest's tables ignores them, so the host translates the address to another frame: it
    emulates a write there, and looks there for a shadow page."""
    guest = Builder("32 pse", **fix)
    guest.vm.set_slot(2, 0x100400, 0x400)  # memory above 4 GB
    guest.map(0, gfn=0x400, flags=FULL | 1 << 13, large=True)
    vm = guest.start()
    vm.access(0)
    yield vm
    vm.emulate_write(0, 0x55, size=1)
    vm.gva_to_gpa(0)  # where the host has written


def clean_access(vm: Machine, gva: int, found: Walk, level: int) -> int:
    """While the dirty bit of a large page is clear, its shadow page has a role without the writable bit."""
    clean = level == found.level and not walk.read_entry(vm, found) & DIRTY
    return fault.table_access(vm, gva, found, level) & ~clean


def walk_sets_dirty(vm: Machine, gva: int, write: bool, user: bool, fetch: bool) -> Walk:
    """Set the dirty bit of a large page before the fault is handled. This is a write to a guest table, so the link to the
    shadow page of the clean large page is zapped."""
    found = walk.walk_guest(vm, gva, write, user, fetch)
    if write and found.error is None and found.level == 2 and not (entry := walk.read_entry(vm, found)) & DIRTY:
        size = guest_format(vm.root_level).size
        cpu.emulated_write(vm, found.tables[2] << PAGE_SHIFT | found.entry * size & 0xFFF, entry | DIRTY, size)
    return found


@PERMISSIONS.exhibit(
    "The dirty bit of a large page is never set again",
    "The guest clears the dirty bit in the entry of a large page, and writes to the page again.",
    lesson=11, lines="mmu.c:602-611; paging_tmpl.h:224, 307", fix={"table_access": clean_access, "walk": walk_sets_dirty},
    note="by 2010, KVM looked up a large page without D as read-only; commit 9e7b0e7f says so, and repairs a consequence",
)  # fmt: skip
def large_dirty_cleared_lost(**fix: Part) -> Steps:
    """The guest clears the dirty bit of a large page, to learn whether it is written again. The dirty bit isn't in the role of
    the page's shadow, so the old shadow page is found, with an entry that allows writing. The write doesn't fault, and the
    host doesn't set the dirty bit. The guest takes the page for unchanged."""
    guest = Builder("64", **fix)
    guest.map(0, gfn=0x400, large=True)
    vm = guest.start()
    vm.access(0, write=True)
    yield vm
    store(vm, guest.entry_gpa(0, level=2), 0x400 << PAGE_SHIFT | FULL & ~DIRTY | LARGE, 8)
    vm.access(0, write=True)
