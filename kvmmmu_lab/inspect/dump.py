# SPDX-License-Identifier: GPL-2.0-only
"""The whole state of a VM's MMU as plain lists and numbers, for comparing, hashing and printing.

It contains no host addresses, so two machines in the same state have the same dump, however they store their reverse maps.
To restore a state, use `recording.snapshot`. A *ref* is ``page id * 512 + index``. The parts, in order::

    mmu    [root_level, shadow_root_level, root, free pages, last_pt_write_gfn, last_pt_write_count,
            cr0, cr3, cr4, efer, [4 cached PDPTEs]]; root: a page id, -1 (none), or a list of four: page id, None (empty) or -1
    pages  active list from the head: [id, gfn, role, root_count, multimapped, slot_bitmap, [chain of refs, ...]]
    sptes  pages with nonzero entries: [id, [[index, flags, kind, target], ...]]; flags: bits 0..11 and 63
           kind and target: "g" gfn, "s" page id, "i" I/O gfn, "x" anything else (-1 if present, else the frame bits)
    rmap   frames with a reverse map, slot by slot: [gfn, 0 direct or 1 descriptors, [refs of a descriptor, ...]]
    hash   buckets in use: [bucket, [page ids, newest first]]
    dirty  slots with a log: [slot, [pages written]]
    free   ids of the free pages, in the order in which they will be taken
    caches [pte chains, rmap descriptors]: the number of free objects in each
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..mmu.bits import BASE_MASK, INVALID_PAGE, IO_MARK, NX, PAGE_SHIFT, PRESENT
from ..mmu.context import PAE_ROOT_HPA
from ..mmu.memory import FIRST_SHADOW
from ..mmu.parents import ParentChains
from ..mmu.pool import NUM_PAGES
from ..mmu.rmap import ReverseMap
from ..mmu.shadow import page_of

if TYPE_CHECKING:
    from ..mmu.machine import Machine

PARTS = ("mmu", "pages", "sptes", "rmap", "hash", "dirty")
FIRST_REF = FIRST_SHADOW << 9
"""The spte (hpa // 8) of the entry whose ref is 0: entry 0 of shadow page 0."""


def state(vm: Machine) -> dict[str, Any]:
    """All parts of the state by name. If the reverse map is replaced, the entries of each frame are listed as one descriptor;
    if the parent chains are replaced, the parents of each page are listed as one chain."""
    shadow = vm.memory.pages[FIRST_SHADOW : FIRST_SHADOW + NUM_PAGES]
    return {
        "mmu": mmu_part(vm),
        "pages": pages_part(vm),
        "sptes": [[id, page_entries(vm, id)] for id in np.flatnonzero(shadow.any(axis=1)).tolist()],
        "rmap": rmap_part(vm),
        "hash": hash_part(vm),
        "dirty": dirty_part(vm),
        "free": [page.id for page in reversed(vm.pool.free)],
        "caches": [vm.caches.pte_chain.free, vm.caches.rmap_desc.free],
    }


def _root_slot(word: int) -> int | None:
    if word == INVALID_PAGE:
        return -1
    return page_of((word & BASE_MASK) >> 3) if word else None


def mmu_part(vm: Machine) -> list[Any]:
    """The levels, the root, the number of free pages, the flood counter and the registers."""
    root: Any = -1
    if vm.root == PAE_ROOT_HPA:
        root = [_root_slot(vm.memory.words[(vm.root >> 3) + i]) for i in range(4)]
    elif vm.root != INVALID_PAGE:
        root = page_of(vm.root >> 3)
    cpu, last = vm.cpu, (vm.last_pt_write_gfn, vm.last_pt_write_count)
    registers = (cpu.cr0, cpu.cr3, cpu.cr4, cpu.efer, list(cpu.pdptrs))
    return [vm.root_level, vm.shadow_root_level, root, len(vm.pool.free), *last, *registers]


def pages_part(vm: Machine) -> list[Any]:
    """The headers of the pages in the active list."""
    part = list[Any]()
    for page in reversed(vm.pool.active):
        parents: Any = page.parents
        if not isinstance(vm.parents, ParentChains):
            parents = [row] if (row := list(vm.parents.sptes(page))) else None
        multimapped = int(isinstance(parents, list))
        part.append([page.id, page.gfn, page.role, page.root_count, multimapped, page.slot_bitmap, _chains(parents)])
    return part


def _chains(sptes: int | list[list[int]] | None) -> list[list[int]]:
    if sptes is None:
        return []
    return [[spte - FIRST_REF for spte in row] for row in sptes] if isinstance(sptes, list) else [[sptes - FIRST_REF]]


def page_entries(vm: Machine, id: int) -> list[Any]:
    """The nonzero entries of one shadow page."""
    row = vm.memory.pages[FIRST_SHADOW + id]
    found = np.flatnonzero(row)
    gfns, entries = vm.memory.gfns, list[Any]()
    for index, entry in zip(found.tolist(), row[found].tolist(), strict=True):
        frame = (entry & BASE_MASK) >> PAGE_SHIFT
        if not entry & PRESENT:
            kind, target = "i" if entry & IO_MARK else "x", frame
        elif FIRST_SHADOW <= frame < FIRST_SHADOW + NUM_PAGES:
            kind, target = "s", frame - FIRST_SHADOW
        else:
            gfn = gfns[frame]
            kind, target = ("x", -1) if gfn is None else ("g", gfn)
        entries.append([index, entry & (NX | 0xFFF), kind, target])
    return entries


def rmap_part(vm: Machine) -> list[Any]:
    """The reverse maps of frames in slots that have one, ordered by slot and gfn."""
    frames = [(number, vm.memory.gfns[hfn], hfn) for hfn in vm.rmap.frames() if (number := _slot_of(vm, hfn)) is not None]
    heads = vm.rmap.heads if isinstance(vm.rmap, ReverseMap) else None
    part = list[Any]()
    for _, gfn, hfn in sorted(frames):
        head = heads[hfn] if heads is not None else [list(vm.rmap.sptes(hfn))]
        part.append([gfn, int(isinstance(head, list)), _chains(head)])
    return part


def _slot_of(vm: Machine, hfn: int) -> int | None:
    for number, slot in enumerate(vm.memory.slots):
        if slot.hfn <= hfn < slot.hfn + slot.npages:
            return number
    return None


def hash_part(vm: Machine) -> list[Any]:
    """The hash buckets that contain pages."""
    return [[index, [page.id for page in bucket]] for index, bucket in enumerate(vm.pool.buckets) if bucket]


def dirty_part(vm: Machine) -> list[Any]:
    """The dirty logs of the slots that have one."""
    logs = ((number, slot.log) for number, slot in enumerate(vm.memory.slots) if slot.log is not None)
    return [[number, [page for page, written in enumerate(log) if written]] for number, log in logs]
