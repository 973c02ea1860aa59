# SPDX-License-Identifier: GPL-2.0-only
"""Exhibits that look like a bug, and are none."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ..draw.page_belt import page_belt_scene
from ..labs.guests import FULL, Builder
from ..mmu import Vm
from ..mmu.bits import ACCESSED, CR0_PE, DIRTY, PAGE_SHIFT, PRESENT, USER
from .crashes import almost_empty_pool
from .exhibit import LOOK_ALIKES
from .symptom import Work

Steps = Iterator[Vm]
Part = Any


@LOOK_ALIKES.exhibit(
    "Pages are zapped while their hash bucket is searched",
    "One frame serves as a table of all four levels, and the host zaps its shadow pages.",
    lesson=8, lines="mmu.c:671-696, 698-718", note="zapping a page doesn't zap the pages below it: they stay in the hash",
)  # fmt: skip
def same_page_many_roles(**fix: Part) -> Generator[Vm, None, Work]:
    """One frame serves as a table of all four levels, so four shadow pages of it are in one hash bucket. The kernel goes
    through the bucket and zaps each of them. It would lose its way if zapping one page removed the next one from the bucket.
    But zapping isn't recursive: the pages below lose a parent, and stay where they are."""
    guest = Builder("64", **fix)
    root = guest.root << PAGE_SHIFT
    guest.vm.poke(root, root | FULL)  # the first entry leads to the table itself
    guest.vm.poke(root | 8, guest.frame() << PAGE_SHIFT | FULL)
    vm = guest.start()
    vm.access(0x1000)
    yield vm
    vm.unprotect(0)
    vm.access(0x1000)
    return Work("shadow pages are zapped", vm.stats.zapped, 4)


@LOOK_ALIKES.exhibit(
    "The audit goes through four roots with a shifted loop variable",
    "A guest without paging writes to an address above 2 GB, and the audits run.",
    lesson=14, lines="mmu.c:1401-1444", note="the loop variable is unsigned, so the shift doesn't extend a sign",
)  # fmt: skip
def audit_nonpaging_2g(**fix: Part) -> Steps:
    """The audit of three-level tables computes the first address of each root by shifting the loop variable by 30 bits. If
    the variable were signed, the addresses from 2 GB on would be negative, and the audit would complain about entries that
    are right."""
    vm = Vm([(0, 0x100), (0x80000, 0x100)], **fix)
    yield vm
    vm.access(0x80000000, write=True)


@LOOK_ALIKES.exhibit(
    "Two large pages of one frame, with different rights",
    "Two entries map one large frame: the first allows writing, the second does not.",
    lesson=5, lines="mmu.c:602-611; paging_tmpl.h:224", note="d28c6cfb put the rights of the large page's entry into the role",
)  # fmt: skip
def large_one_frame_two_rights(**fix: Part) -> Steps:
    """Two entries map the same large frame: one allows writing, one doesn't. It looks like shared_pt_escalation. But the
    rights of a large page's own entry are in the role of its shadow page, so there are two shadow pages."""
    guest = Builder("64", **fix)
    guest.map(0, gfn=0x400, large=True)
    guest.map(0x200000, gfn=0x400, flags=PRESENT | USER | ACCESSED | DIRTY, large=True)
    vm = guest.start()
    vm.access(0, user=True, write=True)
    yield vm
    vm.access(0x200000, user=True)
    vm.access(0x200000, user=True, write=True)


@LOOK_ALIKES.exhibit(
    "A load of CR3 takes a root while the pool is almost empty",
    "Two shadow pages are free. The guest loads CR3, and then turns paging off.",
    lesson=13, lines="mmu.c:943-952", note="a load of CR3 evicts pages first",
    draw=page_belt_scene,
)  # fmt: skip
def pool_exhaust_cr3_refills(**fix: Part) -> Steps:
    """Like pool_exhaust_reset_oops, but first the guest loads CR3. This path evicts pages before it allocates roots, so that
    enough are free, and turning paging off goes well."""
    vm = almost_empty_pool(**fix)
    yield vm
    vm.load_cr3(vm.cpu.cr3)
    vm.load_cr0(CR0_PE)
    vm.access(0)
