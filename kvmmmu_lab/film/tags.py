# SPDX-License-Identifier: GPL-2.0-only
"""What steps are about, in few words: to filter by, and to stop at."""

from __future__ import annotations

from ..mmu import events as ev
from ..mmu.arena import FIRST_GUEST, PAE_ROOT
from ..mmu.bits import PAGE_SHIFT

TAGS = {
    "fault": "a page fault begins",
    "spte": "a shadow entry changes",
    "rmap": "a reverse map changes",
    "protect": "an entry loses its W",
    "zap": "a shadow entry or page dies",
    "page": "a shadow page comes or goes",
    "parent": "a page's parents change",
    "guest": "guest memory changes",
    "inject": "the guest gets a fault",
    "flush": "the TLB is flushed",
    "crash": "the host crashes",
}

KINDS: dict[ev.Kind, tuple[str, ...]] = {
    ev.PAGE_FAULT: ("fault",),
    ev.NONPAGING_FAULT: ("fault",),
    ev.RMAP_ADD: ("rmap",),
    ev.RMAP_REMOVE: ("rmap",),
    ev.PROTECT_SPTE: ("protect",),
    ev.PROTECT_SLOT_SPTE: ("protect",),
    ev.ZAP_SPTE: ("zap",),
    ev.ZAP_PAGE: ("zap",),
    ev.UNLINK_CHILD: ("zap",),
    ev.UNLINK_PARENT: ("zap",),
    ev.ALLOC_PAGE: ("page",),
    ev.FREE_PAGE: ("page",),
    ev.ROTATE_PAGE: ("page",),
    ev.PARENT_ADD: ("parent",),
    ev.PARENT_REMOVE: ("parent",),
    ev.LOAD: ("guest",),
    ev.INJECT: ("inject",),
    ev.GENERAL_PROTECTION: ("inject",),
    ev.FLUSH: ("flush",),
    ev.CRASH: ("crash",),
}


def tags_of(event: tuple) -> tuple[str, ...]:
    """The tags of an event."""
    found = KINDS.get(event[0], ())
    if event[0].change:
        hfn = event[1] >> PAGE_SHIFT
        found += ("guest",) if hfn >= FIRST_GUEST else ("spte",) if hfn >= PAE_ROOT else ()
    return found
