# SPDX-License-Identifier: GPL-2.0-only
"""The three audits: reverse maps, write protection, mappings (mmu.c:1390-1546).

They compare frames and counts, but not access rights (2007: an entry that grants too much access passes all three audits).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from . import events as ev
from .bits import BASE_MASK, INVALID_PAGE, NX, PAGE_SHIFT, PRESENT, ROOT_64, UNMAPPED_GVA, WRITABLE, canonical
from .machine import Machine
from .memory import PAE_ROOT
from .pool import METAPHYSICAL
from .shadow import entries_with
from .walk import gva_to_gpa


class Complaint(NamedTuple):
    """An error that an audit found. ``audit`` is "rmap", "wp" or "map". The items of ``facts`` depend on it:

    rmap: the number of references in the reverse maps; the number of writable entries.
    wp: the gfn of the guest table; the role of its shadow page.
    map: the gva; the gpa to which the guest's tables map it (None if unmapped); the gfn of that gpa (None if there is no
    memory); the flags of the shadow entry; the gfn that the shadow entry maps (None if it maps no guest frame).
    """

    audit: str
    facts: tuple[Any, ...]

    def __str__(self) -> str:
        if self.audit == "rmap":
            return "rmap: {} references in reverse maps, {} writable entries".format(*self.facts)
        if self.audit == "wp":
            return "wp: the guest table in gfn {:#x} (role {:#x}) has writable mappings".format(*self.facts)
        gva, _, gfn, _, got = self.facts
        guest, shadow = (f"gfn {x:#x}" if x is not None else "nothing" for x in (gfn, got))
        return f"map: gva {gva:#x} reaches {shadow}; the guest's tables map it to {guest}"


def audit(vm: Machine) -> list[Complaint]:
    """Run all three audits in the kernel's order, or none if there is no root. As in the kernel, they set accessed bits."""
    if vm.root == INVALID_PAGE:
        return []
    return [*audit_rmap(vm), *audit_write_protection(vm), *audit_mappings(vm)]


def undone(vm: Machine) -> list[Complaint]:
    """Run the audits without side effects: accessed bits and dirty marks are restored, events aren't reported."""
    sink, changes = vm.emit, list[tuple]()
    logs = [slot.log and bytes(slot.log) for slot in vm.memory.slots]
    vm.listen(changes.append)
    try:
        return audit(vm)
    finally:
        vm.listen(sink)
        for kind, *operands in reversed(changes):
            if kind is ev.GUEST_ACCESSED:
                hpa, size, old, _ = operands
                vm.memory.bytes[hpa : hpa + size] = old.to_bytes(size, "little")
        for slot, log in zip(vm.memory.slots, logs, strict=True):
            if slot.log and log:
                slot.log[:] = log


def audit_rmap(vm: Machine) -> Iterator[Complaint]:
    """Check that the reverse maps of all frames in slots have as many entries as there are writable level-1 shadow entries
    (mmu.c:1446-1511)."""
    references = sum(len(list(vm.rmap.sptes(hfn))) for hfn in vm.rmap.frames() if vm.memory.gfns[hfn] is not None)
    words, both, writable = vm.memory.words, PRESENT | WRITABLE, 0
    for page in vm.pool.active:
        if page.level == 1:
            writable += sum((words[spte] & both) == both for spte in entries_with(vm, page))
    if references != writable:
        yield Complaint("rmap", (references, writable))


def audit_write_protection(vm: Machine) -> Iterator[Complaint]:
    """Check that no shadowed guest table has a writable mapping (mmu.c:1513-1533)."""
    for page in reversed(vm.pool.active):
        if not page.role & METAPHYSICAL:
            hfn = vm.memory.frames[page.gfn]
            if hfn is not None and list(vm.rmap.sptes(hfn)):
                yield Complaint("wp", (page.gfn, page.role))


def audit_mappings(vm: Machine) -> Iterator[Complaint]:
    """Check that every leaf of the shadow tables maps its address to the same frame as the guest's tables do
    (mmu.c:1401-1444)."""
    if vm.root_level == ROOT_64:
        yield from _mappings_below(vm, vm.root, 0, 4)
    else:
        for i in range(4):
            entry = vm.memory.words[(PAE_ROOT << 9) + i]
            if entry & PRESENT:
                yield from _mappings_below(vm, entry & BASE_MASK, i << 30, 2)


def _mappings_below(vm: Machine, table: int, gva: int, level: int) -> Iterator[Complaint]:
    page = vm.pool.header(table, "audit_mappings_page", "mmu.c:1404")
    for spte in entries_with(vm, page):
        entry = vm.memory.words[spte]
        at = canonical(gva + ((spte & 511) << (PAGE_SHIFT + 9 * (level - 1))))
        if level > 1:
            yield from _mappings_below(vm, entry & BASE_MASK, at, level - 1)
            continue
        gpa = gva_to_gpa(vm, at)
        hfn = vm.memory.frames[gpa >> PAGE_SHIFT]
        if hfn is None or (hfn << PAGE_SHIFT) != (entry & BASE_MASK):
            mapped = gpa != UNMAPPED_GVA
            yield Complaint(
                "map",
                (
                    at,
                    gpa if mapped else None,
                    gpa >> PAGE_SHIFT if hfn is not None else None,
                    entry & (NX | 0xFFF),
                    vm.memory.gfns[(entry & BASE_MASK) >> PAGE_SHIFT],
                ),
            )
