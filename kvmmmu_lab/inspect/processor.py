# SPDX-License-Identifier: GPL-2.0-only
"""What a processor would say about an access if it walked the guest's tables itself.

The host's walk (`kvmmmu_lab.mmu.walk`) takes the processor's place, and differs from it in three points: it checks the rights
of each entry at once, reports a fetch even if EFER.NX is off, and knows no reserved bits. `processor_error` is the processor's
answer. It is computed from the guest's entries alone, and changes nothing, not even accessed bits.
"""

from __future__ import annotations

from ..mmu.bits import (
    CR0_WP,
    EFER_NX,
    NX,
    PFERR_FETCH,
    PFERR_PRESENT,
    PFERR_USER,
    PFERR_WRITE,
    PRESENT,
    ROOT_32,
    USER,
    WRITABLE,
)
from ..mmu.machine import Machine
from .keys import PDPT
from .paths import guest_path
from .refusal import Request

PFERR_RESERVED = 1 << 3
"""The bit of an error code that says: an entry has a reserved bit. The code of 2007 has no name for it."""

RESERVED = ((1 << 52) - 1) & ~((1 << 40) - 1)
"""Bits 40 to 51 of an entry, for a processor with physical addresses of 40 bits."""


def processor_error(vm: Machine, request: Request) -> int | None:
    """The error code of the page fault that a processor would report, or None if it would allow the access.

    It reads all entries first, and stops at one that isn't present or has a reserved bit. Only then it checks the rights, those
    of all levels together.
    """
    wide = vm.root_level != ROOT_32
    no_execute = wide and bool(vm.cpu.efer & EFER_NX)
    code = (request.write and PFERR_WRITE) | (request.user and PFERR_USER)
    code |= PFERR_FETCH if request.fetch and no_execute else 0
    granted = WRITABLE | USER | NX  # NX here: no entry has it
    for step in guest_path(vm, request.gva).steps:
        if not step.entry & PRESENT:
            return code
        if step.table == PDPT:
            continue
        if wide and step.entry & (RESERVED | (0 if no_execute else NX)):
            return code | PFERR_PRESENT | PFERR_RESERVED
        granted &= step.entry ^ NX
    refused = (
        (request.write and not granted & WRITABLE and (request.user or vm.cpu.cr0 & CR0_WP))
        or (request.user and not granted & USER)
        or (request.fetch and no_execute and not granted & NX)
    )
    return code | PFERR_PRESENT if refused else None
