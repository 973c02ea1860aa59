# SPDX-License-Identifier: GPL-2.0-only
"""What questions measure: the shadow entries that exist, and those that have died."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..inspect.names import entry_name
from ..inspect.paths import guest_path
from ..mmu.bits import PAGE_SHIFT
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_SHADOW
from ..mmu.pool import NUM_PAGES
from ..mmu.vm import Vm


def sptes(vm: Machine) -> frozenset[int]:
    """Return the shadow entries that aren't zero, each as its hpa // 8."""
    pages = vm.memory.pages[FIRST_SHADOW : FIRST_SHADOW + NUM_PAGES]
    return frozenset((np.flatnonzero(pages) + (FIRST_SHADOW << 9)).tolist())


def names(entries: Iterable[int]) -> list[str]:
    """Return the names of shadow entries, such as "#248:454", in the order of their pages, newest page last."""
    return [entry_name(spte) for spte in sorted(entries, key=lambda spte: (-(spte >> 9), spte & 511))]


def died(vm: Machine, before: frozenset[int]) -> list[str]:
    """Return the names of the entries that existed ``before`` and are zero now."""
    return names(before - sptes(vm))


def listed(words: Iterable[object]) -> str:
    """Join words with commas and "and": "2", "2 and 3", "1, 2 and 3"."""
    *first, last = map(str, words)
    return f"{', '.join(first)} and {last}" if first else last


def gfn_of(vm: Machine, gva: int) -> int:
    """Return the gfn to which the guest's tables map gva. The guest must map it."""
    gfn = guest_path(vm, gva).gfn
    assert gfn is not None
    return gfn


FAILS = "neither: the access fails"
"""The choice of a question about an old and a new frame that neither is reached."""


def reached(vm: Vm, gva: int, old: int, new: int) -> str:
    """Return the name of the frame that a program reaches at gva, or `FAILS`."""
    gpa = vm.access(gva, user=True).gpa
    return FAILS if gpa is None else frame_name(gpa >> PAGE_SHIFT, old, new)


def frame_name(gfn: int, old: int, new: int) -> str:
    """Return the name of a frame: the old one, the new one, or another."""
    return f"gfn {gfn:#x}, the {'old' if gfn == old else 'new' if gfn == new else 'wrong'} frame"
