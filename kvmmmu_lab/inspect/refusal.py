# SPDX-License-Identifier: GPL-2.0-only
"""Which of a guest's entries refuse an access, and why the shadow allows it nevertheless.

The host walks the guest's tables only at a page fault. If the shadow tables grant an access, there is no fault, and nobody asks
the guest's tables. They can disagree: the shadow then still has an older right, or one that the path of this address never had.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..mmu.bits import (
    CR0_WP,
    EFER_NX,
    NX,
    PRESENT,
    ROOT_32,
    SHADOW_WRITABLE,
    USER,
    WRITABLE,
)
from ..mmu.machine import Machine
from .keys import PDPT, ROOTS
from .names import LEVELS
from .paths import PathEntry


@dataclass(frozen=True)
class Request:
    """A requested access: the address, whether it is a write or a fetch, and whether user code makes it."""

    gva: int
    write: bool = False
    user: bool = False
    fetch: bool = False


@dataclass(frozen=True)
class Refusal:
    """A guest entry that refuses an access. ``bits``: the names of the bits that refuse it: P, W or U is clear, or NX is set.

    ``last``: whether the walk ends with this entry.
    """

    entry: PathEntry
    bits: tuple[str, ...]
    last: bool

    def __str__(self) -> str:
        if self.bits == ("P",):
            return f"{place(self.entry)} isn't present"
        lacking = " and ".join(f"no {bit}" for bit in self.bits if bit != "NX")
        return f"{place(self.entry)} has {' and '.join(filter(None, [lacking, 'NX' * ('NX' in self.bits)]))}"


def place(step: PathEntry) -> str:
    """Return the name that pictures give to a guest entry: "the PT entry (level 1, index 5)"."""
    return f"the {LEVELS[step.level]} entry (level {step.level}, index {step.index})"


def refusals(vm: Machine, request: Request, path: Iterable[PathEntry]) -> list[Refusal]:
    """Return the entries of a guest path that refuse an access, from the root down.

    The walk stops at the first of them, and the access is allowed only if there is none. A PDPTE of a PAE guest can only refuse
    by not being present.
    """
    steps = list(path)
    needs_w = request.write and (request.user or bool(vm.cpu.cr0 & CR0_WP))
    no_nx = request.fetch and vm.root_level != ROOT_32 and bool(vm.cpu.efer & EFER_NX)
    found = []
    for step in steps:
        entry = step.entry
        if not entry & PRESENT:
            bits: tuple[str, ...] = ("P",)
        elif step.table == PDPT:
            bits = ()
        else:
            lacking = (
                ("W", needs_w and not entry & WRITABLE),
                ("U", request.user and not entry & USER),
                ("NX", no_nx and entry & NX),
            )
            bits = tuple(bit for bit, refuses in lacking if refuses)
        if bits:
            found.append(Refusal(step, bits, step is steps[-1]))
    return found


def shadow_grants(request: Request, path: Iterable[PathEntry]) -> bool:
    """Whether the shadow tables grant an access, as the host's processor checks it: CR0.WP and EFER.NX are always set there."""
    steps = list(path)
    if not steps or steps[-1].level != 1 or not steps[-1].entry & PRESENT:
        return False
    entries = [step.entry for step in steps if step.table != ROOTS]
    return all(
        (entry & WRITABLE or not request.write)
        and (entry & USER or not request.user)
        and not (entry & NX and request.fetch)
        for entry in entries
    )  # fmt: skip


def why_shadow_allows(request: Request, refused: Iterable[Refusal], leaf: int) -> list[str]:
    """Return the reasons why the shadow entry ``leaf`` allows what these guest entries refuse, as clauses, each once."""
    return list(dict.fromkeys(_reason(request, refusal, bit, leaf) for refusal in refused for bit in refusal.bits))


def _reason(request: Request, refusal: Refusal, bit: str, leaf: int) -> str:
    if bit == "P":
        return "the shadow entries were made while it was present, and the host hasn't seen the change"
    if bit == "NX" and not refusal.last:
        return (
            "KVM 2.6.22 copies NX into the shadow from the last entry alone, so the NX of an upper level is lost: "
            "a shadow entry that exists lets a fetch through"
        )
    if bit == "W" and not request.user and not leaf & SHADOW_WRITABLE:
        return "the last shadow entry got its W when the kernel wrote while CR0.WP was clear, and it keeps it"
    if refusal.last and refusal.entry.level == 2 and bit == "NX":
        return (
            "the last shadow entry was made without NX, and KVM 2.6.22 uses it again: the role of its page contains W and U, "
            "but not NX"
        )
    if refusal.last:
        return f"the last shadow entry was made when {_right(bit)}, and the host hasn't seen the change"
    return (
        f"the last shadow entry was made when the path to it allowed {bit}: before an entry above was changed, or through "
        "another entry that leads to the same table. KVM 2.6.22 finds its shadow page again, because the role of the page "
        "doesn't contain the rights of the upper levels"
    )


def _right(bit: str) -> str:
    return "this entry had no NX" if bit == "NX" else f"this entry had {bit}"
