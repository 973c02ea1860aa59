# SPDX-License-Identifier: GPL-2.0-only
"""Every kind of event as one plain sentence: what just happened, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from ..inspect.names import Names, amount, doing, reason
from ..mmu import events as ev
from ..mmu.bits import PAGE_SHIFT, PRESENT, WRITABLE
from ..mmu.memory import FIRST_GUEST, PAE_ROOT

Sentence = Callable[[Names, Any], str]
"""Gets the names and the operands, by name."""

MAIN: dict[ev.Kind, Sentence] = {
    ev.ACCESS: lambda n, o: f"{doing(o.write, o.user, o.fetch)} {o.gva:#x}.",
    ev.STORE: lambda n, o: f"The guest stores {amount(o.size)} at {n.gpa(o.hpa)}: {o.new:#x}.",
    ev.POKE: lambda n, o: f"{n.gpa(o.hpa)} becomes {o.new:#x}, and nobody tells the MMU.",
    ev.EMULATED_WRITE: lambda n, o: (
        f"The host will carry the store out for the guest: {amount(o.size)} at gpa {o.gpa:#x}. First, what do they change?"
    ),
    ev.EMULATED_STORE: lambda n, o: f"Only now does guest memory change: {n.stored(o.hpa, o.size, o.new)}.",
    ev.INJECT: lambda n, o: (
        f"The guest's own tables refuse this ({reason(o.error)} its tables): the guest gets a page fault for {o.gva:#x}."
    ),
    ev.GENERAL_PROTECTION: lambda n, o: f"The guest gets a #GP: {o.why}.",
    ev.LOAD_ROOT: lambda n, o: f"From now on the processor walks from {n.root(o.root)} down.",
    ev.PAGE_FAULT: lambda n, o: (
        f"A page fault stops the guest, and the host takes over: {reason(o.error)} the shadow tables for {o.gva:#x}."
    ),
    ev.NONPAGING_FAULT: lambda n, o: (
        f"A page fault stops the guest, and the host takes over. The guest doesn't page, so {o.gva:#x} is a gpa already."
    ),
    ev.GUEST_ACCESSED: lambda n, o: f"The walk sets the accessed bit in {n.entry(o.hpa)}, as a processor would.",
    ev.GUEST_DIRTY: lambda n, o: f"The dirty bit is set in {n.entry(o.hpa)}, as a processor would.",
    ev.ALLOC_PAGE: lambda n, o: n.new_page(o.page, o.gfn, o.role),
    ev.LINK_TABLE: lambda n, o: f"Entry {n.entry(o.hpa)} now leads to shadow page {n.target(o.new)}.",
    ev.NONPAGING_LINK: lambda n, o: f"Entry {n.entry(o.hpa)} now leads to shadow page {n.target(o.new)}.",
    ev.NONPAGING_MAP: lambda n, o: f"{n.entry(o.hpa)} now maps {n.target(o.new)}, with all rights.",
    ev.MAKE_SPTE: lambda n, o: n.made(o.hpa, o.new),
    ev.FIX_READ: lambda n, o: f"{n.entry(o.hpa)} gets user access back, and loses W.",
    ev.WITHHOLD_USER: lambda n, o: f"{n.entry(o.hpa)} loses U while the kernel writes with CR0.WP clear.",
    ev.DROP_SPTE: lambda n, o: f"{n.entry(o.hpa)} is emptied: the guest's entry is gone.",
    ev.ALLOW_WRITE: lambda n, o: f"{n.entry(o.hpa)} gets its W: {n.target(o.new)} is no shadowed page table.",
    ev.RMAP_ADD: lambda n, o: (
        f"The reverse map of {n.frame(o.hfn)} notes {n.spte(o.spte)}{_form(o.form)}: through it this frame can be written."
    ),
    ev.RMAP_REMOVE: lambda n, o: f"The reverse map of {n.frame(o.hfn)} forgets {n.spte(o.spte)}{_form(o.form)}.",
    ev.FLUSH: lambda n, o: "The processor is asked to forget its translations.",
    ev.PROTECT_SPTE: lambda n, o: f"{n.entry(o.hpa)} loses its W: {n.target(o.new)} is a page table now.",
    ev.PROTECT_SLOT_SPTE: lambda n, o: f"{n.entry(o.hpa)} loses its W, so that the next write is noticed.",
    ev.PRE_WRITE: lambda n, o: (
        f"Which shadow entries were made from the {amount(o.size)} at gpa {o.gpa:#x}? They have to go before the bytes change."
    ),
    ev.FLOODED: lambda n, o: (
        f"Write {o.writes} in a row to gfn {o.gfn:#x}: that looks like no page table any more, and all its shadow goes."
    ),
    ev.MISALIGNED: lambda n, o: f"{o.size} bytes at offset {o.offset:#x} cross the edge of an entry: all of #{o.page} goes.",
    ev.ZAP_SPTE: lambda n, o: (
        f"Zap: the shadow entry {n.entry(o.hpa)}, which led to {n.target(o.old)}, dies. Its guest entry is about to change."
    ),
    ev.ZAP_PAGE: lambda n, o: f"Shadow page #{o.page} is zapped: unhooked from its parents, emptied, given back.",
    ev.UNLINK_PARENT: lambda n, o: f"{n.entry(o.hpa)} is emptied: it led to the zapped page.",
    ev.UNLINK_CHILD: lambda n, o: f"{n.entry(o.hpa)} is emptied; it led to {n.target(o.old)}.",
    ev.ROTATE_PAGE: lambda n, o: f"#{o.page} is a root in use and stays, empty, at the head of the active list.",
    ev.EVICT: lambda n, o: f"Only {len(n.vm.pool.free)} shadow pages are free: the oldest are zapped.",
    ev.ROOT_SLOT: lambda n, o: f"{n.entry(o.hpa)} leads to {n.target(o.new)}.",
    ev.NEW_CR3: lambda n, o: f"CR3 is {n.vm.cpu.cr3:#x}: other guest tables, so another root. The shadow pages stay.",
    ev.ZAP_ALL: lambda n, o: "All shadow pages are zapped.",
    ev.DESTROY: lambda n, o: "The VM ends.",
    ev.CRASH: lambda n, o: f"The host would have crashed here ({o.kind}): {o.what}.",
}
"""Kinds that are a step of their own in a first look."""

MINOR: dict[ev.Kind, Sentence] = {
    ev.LOAD: lambda n, o: f"The page at {n.gpa(o.hpa)} is filled.",
    ev.SET_REGISTERS: lambda n, o: "The host sets the guest's control registers.",
    ev.LOAD_CR0: lambda n, o: f"The guest loads CR0 with {o.value:#x}.",
    ev.LOAD_CR3: lambda n, o: f"The guest loads CR3 with {o.value:#x}.",
    ev.LOAD_CR4: lambda n, o: f"The guest loads CR4 with {o.value:#x}.",
    ev.LOAD_EFER: lambda n, o: f"The guest loads EFER with {o.value:#x}.",
    ev.LOAD_PDPTES: lambda n, o: "The processor reads the guest's four topmost entries into registers.",
    ev.SET_SLOT: lambda n, o: f"Memory slot {o.slot} is set: {o.npages} pages from gfn {o.base:#x} on.",
    ev.SET_ALIAS: lambda n, o: f"Alias {o.alias}: {o.npages} pages from gfn {o.base:#x} on mean gfn {o.target:#x} and up.",
    ev.DIRTY_LOG: lambda n, o: f"The host asks which pages of slot {o.slot} were written.",
    ev.CLEAR_LOG: lambda n, o: f"The log of slot {o.slot} is cleared.",
    ev.MARK_DIRTY: lambda n, o: f"gfn {o.gfn:#x} is noted as written.",
    ev.WALK: lambda n, o: f"The host walks the guest's tables for {o.gva:#x}, as a processor would.",
    ev.FETCH: lambda n, o: f"Now the shadow tables are walked for {o.gva:#x}, and what is missing is made.",
    ev.MARK_LARGE: lambda n, o: f"{n.entry(o.hpa)} is marked: what is below it is a large page in pieces.",
    ev.SET_SPTE: lambda n, o: f"{n.spte(o.spte)} is to be made from the guest's {n.flags(o.guest_entry)}.",
    ev.FIX_WRITE: lambda n, o: f"This was a write: may {n.spte(o.spte)} become writable?",
    ev.TOP_UP: lambda n, o: f"The cache of {o.cache} takes {o.taken} more.",
    ev.GET_PAGE: lambda n, o: f"Is there a shadow page for gfn {o.gfn:#x} at level {o.level}?",
    ev.FREE_PAGE: lambda n, o: f"#{o.page} goes back to the pool.",
    ev.SLOT_BIT: lambda n, o: f"#{o.page} notes which memory slots it reaches.",
    ev.UNPROTECT: lambda n, o: f"All shadow pages of gfn {o.gfn:#x} are to go.",
    ev.PARENT_ADD: lambda n, o: f"#{o.page} notes its parent {n.spte(o.spte)}{_form(o.form)}.",
    ev.PARENT_REMOVE: lambda n, o: f"#{o.page} forgets its parent {n.spte(o.spte)}{_form(o.form)}.",
    ev.WRITE_PROTECT: lambda n, o: f"Who can write gfn {o.gfn:#x}? Its reverse map knows, and each entry there loses its W.",
    ev.SLOT_PROTECT: lambda n, o: f"Write access to slot {o.slot} is taken from all entries.",
    ev.ALLOC_ROOTS: lambda n, o: "The root of the shadow tables is found or made.",
    ev.FREE_ROOTS: lambda n, o: "The root of the shadow tables is let go; its pages stay.",
    ev.ROOT_COUNT: lambda n, o: f"#{o.page} counts {o.count} uses as a root.",
    ev.ROOT_SLOT_FREE: lambda n, o: f"{n.entry(o.hpa)} is let go.",
    ev.RESET_CONTEXT: lambda n, o: "The shadow is set up anew for the guest's mode.",
}
"""Kinds that only show in a look at every detail."""

BACK = "The fault is handled. The guest goes on, and tries the same instruction again."
OUTCOMES = {
    "ok": "The access is through. The next one like it needs no help from the host.",
    "emul": "The host has done the store, and the guest goes on behind it.",
    "mmio": "There is no memory: a device answers instead.",
    "inject": "The guest goes on in its own page-fault handler.",
    "stuck": "The same fault comes back for ever (2007).",
    "escape": "The access got to memory that is the guest's no longer (2007).",
    "error": "The host is out of shadow pages.",
}
EMULATE = "The frame is a page table that is shadowed: it stays write-protected, and the host has to do the store itself."

ENDINGS: dict[ev.Kind, Callable[[Any], str]] = {
    ev.ACCESS: lambda outcome: OUTCOMES.get(outcome, ""),
    ev.PAGE_FAULT: lambda result: BACK if result == 0 else "",
    ev.NONPAGING_FAULT: lambda result: BACK if result == 0 else "",
    ev.FIX_WRITE: lambda page_table: EMULATE if page_table else "",
}
"""What there is to say when an operation ends; nothing, for other kinds."""

SENTENCES = {**MAIN, **MINOR}

JOINED = {ev.HARDWARE_READ, ev.GUEST_READ, ev.SHADOW_READ, ev.UNLINK_CHILD, ev.UNLINK_PARENT, ev.ROOT_SLOT}
"""Kinds of which several in a row are one step."""


FORMS = {"0->1": ", its first", "1->many": ", its second, for which it takes a descriptor", "1->0": ", its last"}


def _form(form: str) -> str:
    """How the form of a reverse map, or of a page's parents, changes; nothing to say while it stays a list."""
    return FORMS.get(form, "")


def sentence(names: Names, events: Sequence[tuple], inside: tuple | None = None) -> str:
    """One event, or several of the same kind in a row, in words; ``inside``: the event that began the operation around."""
    kind = events[-1][0]
    operands = [SimpleNamespace(**dict(zip(kind.operands, event[1:], strict=True))) for event in events]
    if kind is ev.HARDWARE_READ:
        return _hardware_walk(names, operands)
    if kind is ev.GUEST_READ:
        way = ", ".join(f"{o.gfn:#x}:{o.index}" for o in operands)
        last = operands[-1].entry
        end = f"The last says {names.flags(last)}" if last & PRESENT else "The last isn't present: the guest maps nothing here"
        return f"The host reads the guest's tables{_sought(inside)}, level by level ({way}). {end}."
    if kind is ev.SHADOW_READ:
        return f"In the shadow: {', '.join(names.spte(o.spte) for o in operands)}."
    say = SENTENCES.get(kind)
    words = say(names, operands[-1]) if say else _unknown(names, kind, operands[-1])
    return f"{len(events)} entries in a row; the last: {words}" if len(events) > 1 else words


def _sought(inside: tuple | None) -> str:
    """What a walk of the guest's tables is for."""
    if inside is None or inside[0] is not ev.WALK:
        return ""
    _, gva, write, user, fetch = inside
    what = "a write" if write else "a fetch" if fetch else "a read"
    return f" for {what} by {'user code' if user else 'the kernel'} at {gva:#x}"


def _unknown(names: Names, kind: ev.Kind, operands: Any) -> str:
    """A kind that isn't the kit's own: a replaced part reports it."""
    if kind.change:
        return f"{names.entry(operands.hpa)} goes from {operands.old:#x} to {operands.new:#x} ({kind.name})."
    return f"{kind.name}: {', '.join(f'{name} {value}' for name, value in vars(operands).items())}."


def ending(opened: ev.Kind, result: Any) -> str:
    """What there is to say when an operation ends."""
    said = ENDINGS[opened](result) if opened in ENDINGS else ""
    name = opened.function or opened.name
    return said or f"{name} is done" + ("." if result is None else f": {result:#x}." if type(result) is int else f": {result}.")


def _hardware_walk(names: Names, operands: Sequence[Any]) -> str:
    way, last = ", ".join(names.entry(o.hpa) for o in operands), operands[-1]
    if not last.entry & PRESENT:
        return f"The processor walks the shadow tables ({way}) and finds {names.entry(last.hpa)} empty: it can't go on."
    rights = "" if last.level > 1 or last.entry & WRITABLE else ", without W"
    return f"The processor walks the shadow tables ({way}) and gets to {names.target(last.entry)}{rights}."


# FOLDED IN: film.tags: What steps are about, in few words: to filter by, and to stop at.


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
