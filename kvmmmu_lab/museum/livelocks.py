# SPDX-License-Identifier: GPL-2.0-only
"""Exhibits in which the same fault recurs for ever, or the host works for nothing."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ..labs.guests import FULL, Builder
from ..mmu import Vm, context, prewrite, registers, spte
from ..mmu.bits import CR4_PAE, PAGE_SHIFT, PAGE_SIZE
from ..mmu.machine import Machine
from ..mmu.pool import ShadowPage
from .crashes import emulate_user_write
from .exhibit import LIVELOCKS
from .symptom import Work

Steps = Iterator[Vm]
Part = Any


@LIVELOCKS.exhibit(
    "A user write to a page directory faults for ever",
    "User code writes to the page directory through which it writes.",
    lesson=8, lines="paging_tmpl.h:307, 392", fix={"user_write": emulate_user_write},
)  # fmt: skip
def user_write_own_pd(**fix: Part) -> Steps:
    """User code writes the page directory through which it writes. The host zaps the directory's shadow page and makes the
    entry writable. The guest runs again, and the next fault brings the shadow page back, which write-protects the directory.
    The host doesn't check whether the access can now succeed."""
    guest = Builder("64", **fix)
    guest.map(0x1000)
    guest.map(0x1000, gfn=guest.table(0x1000, level=2))
    vm = guest.start()
    vm.access(0x1000, user=True)
    yield vm
    vm.access(0x1000, user=True, write=True)


def pre_write_in_quadrant(vm: Machine, gpa: int, size: int) -> None:
    """Zap only entries that shadow the written entry."""
    prewrite.pre_write(vm, gpa, size, entries_in_quadrant)


def entries_in_quadrant(page: ShadowPage, offset: int) -> tuple[int, int]:
    """No entries in a shadow page of another quadrant than that of the written entry."""
    first, count = prewrite.shadow_range(page, offset)
    other = page.glevels == 2 and page.quadrant != (offset << page.level) // PAGE_SIZE
    return first, 0 if other else count


@LIVELOCKS.exhibit(
    "A write to one entry zaps two",
    "A 32-bit guest writes one entry of a page table.",
    lesson=10, lines="mmu.c:1188-1209", focus=(0, 0x200000), fix={"pre_write": pre_write_in_quadrant}, fixed_by="fce0657ff9f1",
)  # fmt: skip
def quadrant_overzap(**fix: Part) -> Generator[Vm, None, Work]:
    """A page table of a 32-bit guest has 1,024 entries, so it needs two shadow pages of 512. The guest writes one entry. The
    host zaps the entry with the same index in both shadow pages."""
    guest = Builder("32", **fix)
    guest.map(0)
    guest.map(0x200000)  # in the other half of the same page table
    vm = guest.start()
    vm.access(0)
    vm.access(0x200000)
    yield vm
    guest.edit(0x200000, guest.frame() << PAGE_SHIFT | FULL)
    return Work("shadow entries are zapped", vm.stats.entries_zapped, 1)


@LIVELOCKS.exhibit(
    "A write to one directory entry zaps four",
    "A 32-bit guest writes one entry of its page directory.",
    lesson=10, lines="mmu.c:1188-1209", focus=(0, 1 << 30), fix={"pre_write": pre_write_in_quadrant}, fixed_by="fce0657ff9f1",
)  # fmt: skip
def quadrant_overzap_pd(**fix: Part) -> Generator[Vm, None, Work]:
    """A page directory of a 32-bit guest is shadowed by four pages, one for each gigabyte. The guest writes one entry. The
    host zaps the entries with the same index in all four."""
    guest = Builder("32", **fix)
    for gigabyte in range(4):
        guest.map(gigabyte << 30)
    vm = guest.start()
    for gigabyte in range(4):
        vm.access(gigabyte << 30)
    yield vm
    vm.emulate_write_gpa(guest.entry_gpa(0, level=2), 0, 4)
    return Work("shadow entries are zapped", vm.stats.entries_zapped, 1)


def reset_flood_count(vm: Machine, at: int, guest_entry: int, rights: int, gpa: int, gfn: int) -> None:
    """An entry is made, so the guest uses the table: it isn't being rewritten as a whole."""
    vm.last_pt_write_count = 0
    spte.set_spte(vm, at, guest_entry, rights, gpa, gfn)


@LIVELOCKS.exhibit(
    "Memory on demand is taken for a flood of writes",
    "The guest maps three pages, one after the other, and uses each at once.",
    lesson=10, lines="mmu.c:1140-1164", fix={"set_spte": reset_flood_count}, fixed_by="a25f7e1f",
)  # fmt: skip
def flood_counts_forever(**fix: Part) -> Generator[Vm, None, Work]:
    """Three writes in a row to the same page table are taken for a flood: the frame is probably no page table any more, and its
    shadow page is zapped. But the guest only maps one page after the other, and uses each. The faults in between don't reset
    the count."""
    guest = Builder("64", **fix)
    guest.map(0)
    vm = guest.start()
    vm.access(0)
    yield vm
    for gva in (0x1000, 0x2000, 0x3000):
        guest.edit(gva, guest.frame() << PAGE_SHIFT | FULL)
        vm.access(gva)
    return Work("shadow pages are zapped", vm.stats.flood_zaps, 0)


def restore_cr4(vm: Machine, register: str, value: int) -> bool:
    """A load of CR4 that is refused changes nothing."""
    kept = vm.cpu.cr4
    accepted = registers.set_register(vm, register, value)
    if register == "cr4" and not accepted and vm.cpu.cr4 != kept:
        vm.cpu.cr4 = kept
        context.reset_context(vm)
    return accepted


@LIVELOCKS.exhibit(
    "CR4 is refused, and changes all the same",
    "A 32-bit guest turns PAE on, but the PDPTEs at CR3 have reserved bits.",
    lesson=12,
    lines="kvm_main.c",
    fix={"set_register": restore_cr4},
)
def set_cr4_gp_falls_through(**fix: Part) -> Steps:
    """A 32-bit guest turns PAE on. The kernel reads four PDPTEs at CR3, where the page directory is. They have reserved bits,
    so the guest gets a #GP. But the kernel goes on after that, and changes CR4 and the paging mode."""
    guest = Builder("32", **fix)
    guest.map(0)
    vm = guest.start()
    yield vm
    vm.load_cr4(CR4_PAE)
