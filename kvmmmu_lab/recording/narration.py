# SPDX-License-Identifier: GPL-2.0-only
"""How each kind of event is presented: its sentence, its tags, its marks in a picture, and whether a film shows it.

`NARRATIONS` has one entry for each kind in `mmu.events`. Learners read the sentence of every step. It explains what just
happened, and why.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from ..errors import would_have
from ..inspect.entries import flags, guest_target, shadow_target, withheld
from ..inspect.keys import Key, frame_key, guest_table, key_of, shadow_page, spte_key
from ..inspect.names import Names, entry_name, key_name
from ..inspect.paths import guest_path, shadow_path
from ..inspect.refusal import Request, refusals, shadow_grants, why_shadow_allows
from ..mmu import events as ev
from ..mmu.bits import BASE_MASK, DIRTY, NX, PAGE_SHIFT, PRESENT, SHADOW_WRITABLE, USER, WRITABLE, guest_format
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_GUEST, PAE_ROOT
from ..mmu.pool import METAPHYSICAL
from .story import source_of, written_entries

TAGS = {
    "fault": "a page fault begins",
    "spte": "a shadow entry changes",
    "rmap": "a reverse map changes",
    "protect": "an entry loses its W",
    "zap": "a shadow entry or page is zapped",
    "page": "a shadow page is taken, freed or moved",
    "parent": "a page's parents change",
    "guest": "guest memory changes",
    "inject": "the guest gets a fault",
    "flush": "the TLB is flushed",
    "crash": "the host crashes",
}
"""The tags of steps and their meanings. A reader can filter steps by tag, or stop at the steps that have a tag."""


@dataclass(frozen=True)
class Ended:
    """An operation that has just ended.

    ``opened``: the event that began it. ``before``: the machine when it began; ``names``: the names in the machine now.
    ``kinds``: a function that returns the kinds of the events in it.
    """

    names: Names
    opened: tuple
    result: Any
    before: Machine
    kinds: Callable[[], frozenset[ev.Kind]]

    @property
    def kind(self) -> ev.Kind:
        """The kind of the event that began the operation."""
        return self.opened[0]


@dataclass(frozen=True)
class Narration:
    """How a kind of event is presented. The functions get ``n``, a `Names`, and ``o``, which has the operands by name.

    ``words``: the sentence for one event. In it, ``o.inside`` has the events that opened the operations around the event,
    innermost first.
    ``run``: the sentence for several consecutive events, if they form one step. A kind without ``words`` uses it for a single
    event, too.
    ``main``: whether every film shows the event as a step; the others are only in detailed films.
    ``ending``: the sentence for the end of the operation that it opens; empty if there is nothing to say.
    ``result``: the result of the operation in words, if its value doesn't explain itself.
    ``tags``: keys of `TAGS`, without "guest" and "spte", which are added to changes of memory according to the address.
    ``mark``: what to mark in a picture, and how, for an event that doesn't change memory.
    ``path``: whether the first operand is an address whose path a film should show.
    ``noun``: what a list of routine steps calls the event, with its plural in brackets: "page fault(s)". Steps without a noun
    are never folded.
    ``routine``: whether it is the way to what an operation is about: a walk, the fault, the tables and links on the path. A
    later film folds it if an earlier one has shown it.
    """

    words: Callable[[Names, Any], str] | None = None
    run: Callable[[Names, Sequence[Any]], str] | None = None
    main: bool = True
    ending: Callable[[Ended], str] | None = None
    result: Callable[[Any], str] | None = None
    tags: tuple[str, ...] = ()
    mark: Callable[[Machine, Any], tuple[Key, str]] | None = None
    path: bool = False
    noun: str = ""
    routine: bool = False


UNKNOWN = Narration(main=False)
"""The narration of kinds of events that replaced parts define."""


def narration(kind: ev.Kind) -> Narration:
    """The narration of a kind of event."""
    return NARRATIONS.get(kind, UNKNOWN)


def sentence(names: Names, events: Sequence[tuple], inside: Sequence[tuple] = ()) -> str:
    """The sentence for one event, or several of the same kind in a row. ``inside``: the events that opened the operations
    around them, innermost first."""
    kind, operands = events[-1][0], [_operands(event) for event in events]
    known = narration(kind)
    if known.run is None and known.words is None:
        return _unknown(names, kind, operands[-1])
    for o in operands:
        o.inside = inside
    if known.words is None or (known.run is not None and len(events) > 1):
        assert known.run is not None
        return known.run(names, operands)
    return known.words(names, operands[-1])


def closing(ended: Ended) -> str:
    """The sentence that a film shows at the end of an operation; empty if the end says nothing new."""
    known = narration(ended.kind).ending
    return known(ended) if known else ""


def ending(ended: Ended) -> str:
    """The sentence for the end of an operation. If there is no special one, it names the function and its result."""
    if said := closing(ended):
        return said
    kind, result = ended.kind, ended.result
    known, name = narration(kind), kind.function or kind.name
    if result is None or (result is True and not known.result):
        return f"{name} is done."
    if result is False and not known.result:
        return f"{name} is done, without success."
    return f"{name} is done: {known.result(result) if known.result else f'{result:#x}' if type(result) is int else result}."


RETURN = "return(s) to the guest"
"""The noun for the end of an operation that has a noun."""


def counted(nouns: Iterable[str]) -> str:
    """Count nouns that have their plurals in brackets: "a page fault, 2 new links"."""
    return ", ".join(
        re.sub(r"\((\w+)\)", "" if number == 1 else r"\1", f"{'a' if number == 1 else number} {noun}")
        for noun, number in Counter(nouns).items()
    )


def tags_of(event: tuple) -> tuple[str, ...]:
    """The tags of an event."""
    kind = event[0]
    found = NARRATIONS.get(kind, UNKNOWN).tags
    if kind.change:
        hfn = event[1] >> PAGE_SHIFT
        found += ("guest",) if hfn >= FIRST_GUEST else ("spte",) if hfn >= PAE_ROOT else ()
    return found


def mark_of(vm: Machine, event: tuple) -> tuple[Key, str] | None:
    """The key that an event marks in a picture of ``vm``, and the mark; None if it marks nothing, or changes memory."""
    mark = narration(event[0]).mark
    return None if mark is None else mark(vm, _operands(event))


def _operands(event: tuple) -> Any:
    return SimpleNamespace(**dict(zip(event[0].operands, event[1:], strict=True)))


def _unknown(names: Names, kind: ev.Kind, o: Any) -> str:
    if kind.change:
        return f"{_entry(names, o.hpa)} changes from {o.old:#x} to {o.new:#x} ({kind.name})."
    return f"{kind.name}: {', '.join(f'{name} {value}' for name, value in vars(o).items())}."


# Parts of sentences


def _entry(n: Names, hpa: int) -> str:
    """The name of an entry, for use at the beginning of a sentence: "Entry #248:457"."""
    name = n.entry(hpa)
    return f"Entry {name}" if name.startswith("#") else name[0].upper() + name[1:]


def _count(number: int, one: str) -> str:
    """A number with its noun: "1 byte", "8 bytes"."""
    return f"{number} {one}" + "s" * (number != 1)


def access_clause(write: bool, user: bool, fetch: bool) -> str:
    """Return the subject and the verb of a sentence about an access: "User code reads"."""
    who = "User code" if user else "The guest's kernel"
    return f"{who} {'writes' if write else 'fetches an instruction' if fetch else 'reads'}"


def access_noun(write: bool, user: bool, fetch: bool) -> str:
    """Return an access as a noun: "a write by the kernel"."""
    return f"a {'write' if write else 'fetch' if fetch else 'read'} by {'user code' if user else 'the kernel'}"


def _access(o: Any) -> str:
    return f"{access_clause(o.write, o.user, o.fetch)}{' from' if o.fetch else ''} {o.gva:#x}"


def _refused(error: int) -> str:
    """How the tables refuse an access, according to its page-fault error code: "do not allow a write in user mode"."""
    kind = "an instruction fetch" if error & 16 else "a write" if error & 2 else "a read"
    mode = "user" if error & 4 else "supervisor"
    return f"{'do not allow' if error & 1 else 'have no present entry for'} {kind} in {mode} mode"


def _stored(n: Names, hpa: int, size: int, value: int) -> str:
    """The result of a store in a guest table: the new entry if a whole entry was stored, else the new bytes."""
    if size == guest_format(n.vm.root_level).size and not hpa % size:
        entry = f"{flags(value)} {guest_target(n.vm, 1, value)}" if value else "empty"
        return f"{n.entry(hpa)} is now {entry}"
    where = f"the byte at {n.gpa(hpa)} is" if size == 1 else f"the {size} bytes at {n.gpa(hpa)} are"
    return f"{where} now {value:#x}"


def _new_page(page: int, gfn: int, role: int) -> str:
    level, glevels = role >> 4 & 15, role & 15
    if not role & METAPHYSICAL:
        why = f"it will shadow the guest table in gfn {gfn:#x}, which the host now write-protects"
    elif glevels:
        why = "it will map a large page of the guest in 4 KiB pieces, so it has no guest table (metaphysical)"
    else:
        why = "the guest isn't paging, so it has no guest table (metaphysical)"
    return f"Shadow page #{page} of level {level} is taken from the pool: {why}."


def _made(n: Names, hpa: int, entry: int) -> str:
    """The sentence about a level-1 shadow entry that was just made: its flags, its target, and the reason if W is withheld."""
    said = f"The spte {n.entry(hpa)} is made from the guest's entry: {flags(entry, withheld(1, entry))} "
    said += f"{shadow_target(n.vm, entry)}."
    if not entry & PRESENT:
        return f"{said} No memory slot has this frame, so the entry isn't present, and bit 9 marks it: a device answers."
    if not entry & SHADOW_WRITABLE or entry & WRITABLE:
        return said
    gfn = n.vm.memory.gfns[(entry & BASE_MASK) >> PAGE_SHIFT]
    if gfn is not None and n.vm.pool.lookup(gfn) is not None:
        return f"{said} W is withheld (small w): the frame is a shadowed page table, so the host must see every write to it."
    if not entry & DIRTY:
        return f"{said} W is withheld (small w): the guest's dirty bit is clear, so the host must see the first write."
    return said


def _allowed(n: Names, o: Any) -> str:
    if not o.new & PRESENT:
        cleared = "the zap of its own shadow page has just cleared it"
        return f"{_entry(n, o.hpa)} gets W without P: {cleared}. This is a bug of KVM 2.6.22."
    return f"{_entry(n, o.hpa)} gets its W: {n.target(o.new)} is not a shadowed page table."


def _zapped(n: Names, o: Any) -> str:
    led = f", which led to {n.target(o.old)}," if o.old & PRESENT else ""
    said = f"The shadow entry {n.entry(o.hpa)}{led} is zapped"
    store = next((_operands(event) for event in o.inside if event[0] is ev.PRE_WRITE), None)
    source = source_of(n.vm, o.hpa)
    if store is not None and source is not None and source not in written_entries(n.vm, store.gpa, store.size):
        return f"{said}, although {key_name(source)}, from which it was made, doesn't change."
    return f"{said}: its guest entry is about to change."


def _root_count(n: Names, o: Any) -> str:
    if o.count:
        return f"#{o.page} is pinned as a root: its root count is now {o.count}."
    return f"#{o.page} is no longer pinned: its root count is now 0. The page stays in the pool, with its entries."


def _root_slot(n: Names, o: Any) -> str:
    if not o.new & PRESENT:
        return f"{_entry(n, o.hpa)} is cleared: the guest's PDPTE isn't present."
    return f"{_entry(n, o.hpa)} now leads to shadow page {n.target(o.new)}."


def _found(n: Names, link: int) -> str:
    """What a new link adds if its shadow page isn't new, but has entries."""
    first = (link & BASE_MASK) >> 3
    return ", found in the hash, with its entries" if any(n.vm.memory.words[first : first + 512]) else ""


def _unlinked_parent(n: Names, o: Any) -> str:
    return f"{_entry(n, o.hpa)} is cleared: it led to the zapped page."


def _unlinked(n: Names, o: Any) -> str:
    return f"{_entry(n, o.hpa)} is cleared" + (f"; it led to {n.target(o.old)}." if o.old & PRESENT else ".")


def _evicted(n: Names, o: Any) -> str:
    free = len(n.vm.pool.free)
    return f"Only {_count(free, 'shadow page')} {'is' if free == 1 else 'are'} free: the oldest are zapped."


def _form(form: str, holder: str) -> str:
    """The phrase for a change in the form of a reverse map or of a page's parents: ", its first"; empty if it stays a list."""
    return {"0->1": ", its first", "1->many": f", its second, which takes a {holder}", "1->0": ", its last"}.get(form, "")


# Several events in a row


def _last_of(words: Callable[[Names, Any], str]) -> Callable[[Names, Sequence[Any]], str]:
    return lambda n, run: f"{len(run)} entries change, one after the other. The last one: {words(n, run[-1])}"


def _hardware_walk(n: Names, run: Sequence[Any]) -> str:
    way, last = ", ".join(n.entry(o.hpa) for o in run), run[-1]
    asked = _access_around(last)
    # The processor that has faulted doesn't walk until the fault is handled.
    other = bool(last.inside) and asked is None
    who = "Meanwhile the guest's other processor" if other else "The processor"
    if not last.entry & PRESENT:
        return f"{who} walks the shadow tables ({way}) and stops: {n.entry(last.hpa)} isn't present."
    return f"{who} walks the shadow tables ({way}) and reaches {n.target(last.entry)}{_denied(last, asked)}."


def _access_around(o: Any) -> Any:
    """The access whose own event is the innermost around a walk, or None."""
    return _operands(o.inside[0]) if o.inside and o.inside[0][0] is ev.ACCESS else None


def _denied(o: Any, asked: Any) -> str:
    """What the last entry of a walk denies: ", without W". U and NX are named only if the access needs them."""
    if o.level > 1:
        return ""
    flags = ["W"] * (not o.entry & WRITABLE) + ["U"] * bool(asked and asked.user and not o.entry & USER)
    denied = f", without {' and '.join(flags)}" if flags else ""
    return f"{denied}, with NX" if asked and asked.fetch and o.entry & NX else denied


def _guest_walk(n: Names, run: Sequence[Any]) -> str:
    way, last = ", ".join(f"{o.gfn:#x}:{o.index}" for o in run), run[-1].entry
    entry = "last entry" if len(run) > 1 else "entry"
    end = f"It finds the flags {flags(last)} in the {entry}"
    if not last & PRESENT:
        end = f"The {entry} isn't present: the guest maps nothing here"
    how = ", level by level" if len(run) > 1 else ""
    return f"The host reads the guest's tables{_aim(run[-1].inside)}{how} ({way}). {end}."


def _aim(inside: Sequence[tuple]) -> str:
    """Why the host walks the guest's tables. To emulate a store, it needs only the gpa, and asks as for a kernel's read."""
    if not inside or inside[0][0] is not ev.WALK:
        return ""
    _, gva, *access = inside[0]
    if any(event[0] is ev.PAGE_FAULT for event in inside):
        return f" for {access_noun(*access)} at {gva:#x}"
    return f" to find the gpa of {gva:#x}, with the rights of {access_noun(*access)}"


def _shadow_walk(n: Names, run: Sequence[Any]) -> str:
    return f"The host reads the shadow entr{'ies' if len(run) > 1 else 'y'} {', '.join(n.spte(o.spte) for o in run)}."


def _flushed(n: Names, o: Any) -> str:
    said = "The TLB is flushed: the processor forgets its translations."
    if not o.inside:
        return said
    kind, around = o.inside[0][0], _operands(o.inside[0])
    if kind is ev.SET_SPTE and n.vm.pool.lookup(around.gfn) is not None:
        # The engine reports a new entry once, when it is finished
        return (
            f"The new spte {n.spte(around.spte)} has W for a moment. But gfn {around.gfn:#x} is a shadowed page table, so the "
            f"host clears W (mmu.c:989) and then flushes the TLB. The next step shows the finished entry."
        )
    if kind is ev.ZAP_PAGE:
        return f"{said} The guest doesn't know which entries were cleared with the page, so the host has to do this."
    return said


# Sentences for the end of an operation

OUTCOMES = {
    "ok": "The access succeeds. The next one like it needs no help from the host.",
    "emul": "The host has carried out the store, and the guest continues with its next instruction.",
    "mmio": "There is no memory at this address: a device answers instead.",
    "inject": "The guest continues in its own page-fault handler.",
    "stuck": "The same fault recurs forever: a bug of KVM 2.6.22.",
    "escape": "The access reached memory that no longer belongs to the guest: a bug of KVM 2.6.22.",
    "error": "The host is out of shadow pages.",
}
"""The sentence for each outcome of an access."""


def _access_end(ended: Ended) -> str:
    _, gva, write, user, fetch = ended.opened
    request = Request(gva, bool(write), bool(user), bool(fetch))
    refused = refusals(ended.before, request, guest_path(ended.before, gva).steps) if ended.result == "ok" else []
    if not refused:
        return OUTCOMES.get(ended.result, "")
    shadow = shadow_path(ended.before, gva).steps
    reasons = why_shadow_allows(request, refused, shadow[-1].entry) if shadow_grants(request, shadow) else []
    said = f"The access succeeds, although {' and '.join(map(str, refused))}"
    return ". ".join([said, *(reason[0].upper() + reason[1:] for reason in reasons)]) + "."


def _pre_write_end(ended: Ended) -> str:
    kinds = ended.kinds()
    if ev.ZAP_SPTE not in kinds or ev.FLUSH in kinds:
        return ""
    return (
        "The host doesn't flush the TLB: a guest that changes an entry does this itself, as on a real processor, with INVLPG "
        "or a load of CR3."
    )


def _fault_end(ended: Ended) -> str:
    if ended.result or ended.names.vm.injected:
        return ""
    return "The fault is handled. The guest continues, and tries the same instruction again."


def _fault_result(emulate: Any) -> str:
    return "the host has to emulate the instruction" if emulate else "the guest continues"


def _fix_write_end(ended: Ended) -> str:
    if ended.result:
        return "The frame is a shadowed page table: it stays write-protected, and the host carries out the store itself."
    spte, vm = ended.opened[1], ended.names.vm
    if vm.memory.words[spte] & WRITABLE or ev.DROP_SPTE in ended.kinds():
        return ""
    return f"The marks in {ended.names.spte(spte)} don't allow this write, so the host changes nothing."


def _crash(n: Names, o: Any) -> str:
    return f"The host {would_have(o.kind)} here: {o.what}."


NARRATIONS: dict[ev.Kind, Narration] = {
    ev.CRASH: Narration(_crash, tags=("crash",)),
    # The processor and the VM around the MMU
    ev.ACCESS: Narration(lambda n, o: f"{_access(o)}.", ending=_access_end, path=True),
    ev.HARDWARE_READ: Narration(
        run=_hardware_walk, mark=lambda vm, o: (key_of(vm, o.hpa), "read"), noun="walk(s) by the processor", routine=True
    ),
    ev.STORE: Narration(lambda n, o: f"The guest stores {_count(o.size, 'byte')} at {n.gpa(o.hpa)}: {o.new:#x}."),
    ev.POKE: Narration(lambda n, o: f"Memory at {n.gpa(o.hpa)} becomes {o.new:#x}, and the MMU doesn't notice."),
    ev.LOAD: Narration(lambda n, o: f"The page at {n.gpa(o.hpa)} is filled.", main=False, tags=("guest",)),
    ev.EMULATED_WRITE: Narration(
        lambda n, o: (
            f"The host carries out the store for the guest: {_count(o.size, 'byte')} at gpa {o.gpa:#x}. "
            f"It checks the shadow tables first, and changes guest memory last."
        )
    ),
    ev.EMULATED_STORE: Narration(lambda n, o: f"Guest memory changes only now: {_stored(n, o.hpa, o.size, o.new)}."),
    ev.SET_REGISTERS: Narration(lambda n, o: "The host sets the guest's control registers.", main=False),
    ev.LOAD_CR0: Narration(lambda n, o: f"The guest loads CR0 with {o.value:#x}.", main=False),
    ev.LOAD_CR3: Narration(lambda n, o: f"The guest loads CR3 with {o.value:#x}.", main=False),
    ev.LOAD_CR4: Narration(lambda n, o: f"The guest loads CR4 with {o.value:#x}.", main=False),
    ev.LOAD_EFER: Narration(lambda n, o: f"The guest loads EFER with {o.value:#x}.", main=False),
    ev.LOAD_PDPTES: Narration(lambda n, o: "The processor reads the guest's four PDPTEs into registers.", main=False),
    ev.GENERAL_PROTECTION: Narration(lambda n, o: f"The guest gets a #GP: {o.why}.", tags=("inject",)),
    ev.SET_SLOT: Narration(
        lambda n, o: f"Memory slot {o.slot} is set to {_count(o.npages, 'page')} starting at gfn {o.base:#x}."
    ),
    ev.SET_ALIAS: Narration(
        lambda n, o: (
            f"Alias {o.alias} is set: {_count(o.npages, 'page')} starting at gfn {o.base:#x} are other names for those "
            f"starting at gfn {o.target:#x}."
        ),
    ),
    ev.DIRTY_LOG: Narration(lambda n, o: f"The host reads the dirty log of slot {o.slot}."),
    ev.CLEAR_LOG: Narration(lambda n, o: f"The dirty log of slot {o.slot} is cleared."),
    ev.MARK_DIRTY: Narration(lambda n, o: f"gfn {o.gfn:#x} is marked as written in the dirty log of its slot."),
    ev.FLUSH: Narration(_flushed, tags=("flush",), noun="TLB flush(es)"),
    ev.LOAD_ROOT: Narration(lambda n, o: f"The processor's own CR3 now leads to {n.root(o.root)}: its walks start there."),
    ev.INJECT: Narration(
        lambda n, o: f"The guest's own tables {_refused(o.error)} at {o.gva:#x}: the guest gets a page fault.",
        tags=("inject",),
    ),
    # Page faults and walks of the guest's tables
    ev.PAGE_FAULT: Narration(
        lambda n, o: (
            f"A page fault stops the guest, and the host takes over: the shadow tables {_refused(o.error)} at {o.gva:#x}."
        ),
        ending=_fault_end,
        result=_fault_result,
        tags=("fault",),
        path=True,
        noun="page fault(s)", routine=True,
    ),
    ev.WALK: Narration(lambda n, o: f"The host walks the guest's tables for {o.gva:#x}, as a processor would.", main=False),
    ev.GUEST_READ: Narration(
        run=_guest_walk,
        mark=lambda vm, o: (guest_table(o.gfn).entry(o.index), "read"),
        noun="walk(s) of the guest's tables",
        routine=True,
    ),
    ev.GUEST_ACCESSED: Narration(
        lambda n, o: f"The walk sets the accessed bit in {n.entry(o.hpa)}, as a processor would.", noun="new accessed bit(s)"
    ),
    ev.FETCH: Narration(
        lambda n, o: f"The host walks the shadow tables for {o.gva:#x}, and makes the entries that are missing.",
        main=False,
        result=lambda spte: f"spte {entry_name(spte)}",
    ),
    ev.SHADOW_READ: Narration(run=_shadow_walk, main=False, mark=lambda vm, o: (spte_key(o.spte), "read")),
    ev.LINK_TABLE: Narration(
        lambda n, o: (
            f"{_entry(n, o.hpa)} now leads to shadow page {n.target(o.new)}{_found(n, o.new)}. A link always has W and U: the "
            f"last entry decides."
        ),
        noun="new link(s)", routine=True,
    ),
    ev.MARK_LARGE: Narration(
        lambda n, o: f"{_entry(n, o.hpa)} is marked: below it is a large page in 4 KiB pieces.", main=False
    ),
    ev.SET_SPTE: Narration(
        lambda n, o: f"Entry {n.spte(o.spte)} will be made from the guest's entry {flags(o.guest_entry)}.", main=False
    ),
    ev.MAKE_SPTE: Narration(lambda n, o: _made(n, o.hpa, o.new), noun="new spte(s)"),
    ev.FIX_READ: Narration(
        lambda n, o: (
            f"{_entry(n, o.hpa)} gets U back, because user code reads here. It loses its W, which only the kernel may use."
        )
    ),
    ev.FIX_WRITE: Narration(
        lambda n, o: f"This is a write, so the host checks whether {n.spte(o.spte)} may become writable.",
        main=False,
        ending=_fix_write_end,
        result=lambda page_table: "the guest tries again",
    ),
    ev.WITHHOLD_USER: Narration(
        lambda n, o: f"{_entry(n, o.hpa)} loses U: with CR0.WP clear the kernel may write here, but user code may not."
    ),
    ev.DROP_SPTE: Narration(lambda n, o: f"{_entry(n, o.hpa)} is cleared: the guest's entry is no longer present."),
    ev.ALLOW_WRITE: Narration(
        lambda n, o: _allowed(n, o),
        noun="newly writable spte(s)",
    ),
    ev.GUEST_DIRTY: Narration(
        lambda n, o: f"The host sets the dirty bit in {n.entry(o.hpa)}, as a processor would.", noun="new dirty bit(s)"
    ),
    ev.NONPAGING_FAULT: Narration(
        lambda n, o: (
            f"A page fault stops the guest, and the host takes over. The guest isn't paging, so {o.gva:#x} is already a gpa."
        ),
        ending=_fault_end,
        result=_fault_result,
        tags=("fault",),
        path=True,
        noun="page fault(s)", routine=True,
    ),
    ev.NONPAGING_LINK: Narration(
        lambda n, o: f"{_entry(n, o.hpa)} now leads to shadow page {n.target(o.new)}.", noun="new link(s)", routine=True
    ),
    ev.NONPAGING_MAP: Narration(
        lambda n, o: f"{_entry(n, o.hpa)} now maps {n.target(o.new)}, with all rights.", noun="new spte(s)"
    ),
    # Shadow pages
    ev.TOP_UP: Narration(lambda n, o: f"{o.taken} {o.cache} are allocated in advance.", main=False),
    ev.GET_PAGE: Narration(
        lambda n, o: f"The host looks for a shadow page of gfn {o.gfn:#x} at level {o.level}.",
        main=False,
        result=lambda page: f"shadow page #{page}",
    ),
    ev.ALLOC_PAGE: Narration(
        lambda n, o: _new_page(o.page, o.gfn, o.role),
        tags=("page",),
        mark=lambda vm, o: (shadow_page(o.page), "new"),
        noun="new shadow page(s)", routine=True,
    ),
    ev.FREE_PAGE: Narration(
        lambda n, o: f"Shadow page #{o.page} returns to the pool.",
        main=False,
        tags=("page",),
        mark=lambda vm, o: (shadow_page(o.page), "dead"),
    ),
    ev.ROTATE_PAGE: Narration(
        lambda n, o: f"#{o.page} is a root in use, so it isn't freed: it is emptied, and moves to the head of the active list.",
        tags=("page",),
        mark=lambda vm, o: (shadow_page(o.page), "changed"),
    ),
    ev.ZAP_PAGE: Narration(
        lambda n, o: f"Shadow page #{o.page} is zapped: its entries, and those that lead to it, are cleared.",
        tags=("zap",),
        mark=lambda vm, o: (shadow_page(o.page), "dead"),
    ),
    ev.UNLINK_PARENT: Narration(_unlinked_parent, run=_last_of(_unlinked_parent), tags=("zap",), noun="cleared link(s)"),
    ev.UNLINK_CHILD: Narration(_unlinked, run=_last_of(_unlinked), tags=("zap",), noun="cleared spte(s)"),
    ev.SLOT_BIT: Narration(lambda n, o: f"Shadow page #{o.page} records which memory slots it reaches.", main=False),
    ev.EVICT: Narration(_evicted),
    ev.UNPROTECT: Narration(lambda n, o: f"All shadow pages of the table in gfn {o.gfn:#x} are zapped.", main=False),
    ev.PARENT_ADD: Narration(
        lambda n, o: f"#{o.page} records the parent {n.spte(o.spte)}{_form(o.form, 'chain')}.", main=False, tags=("parent",)
    ),
    ev.PARENT_REMOVE: Narration(
        lambda n, o: f"#{o.page} drops the parent {n.spte(o.spte)}{_form(o.form, 'chain')}.", main=False, tags=("parent",)
    ),
    ev.RMAP_ADD: Narration(
        lambda n, o: (
            f"The reverse map of {n.frame(o.hfn)} records {n.spte(o.spte)}{_form(o.form, 'descriptor')}: "
            f"the frame can be written through it."
        ),
        tags=("rmap",),
        mark=lambda vm, o: (frame_key(vm, o.hfn).entry("rmap"), "changed"),
        noun="new reverse mapping(s)",
    ),
    ev.RMAP_REMOVE: Narration(
        lambda n, o: f"The reverse map of {n.frame(o.hfn)} drops {n.spte(o.spte)}{_form(o.form, 'descriptor')}.",
        tags=("rmap",),
        mark=lambda vm, o: (frame_key(vm, o.hfn).entry("rmap"), "changed"),
        noun="dropped reverse mapping(s)",
    ),
    ev.WRITE_PROTECT: Narration(
        lambda n, o: f"The reverse map of gfn {o.gfn:#x} lists the entries that can write it. Each of them loses its W.",
        main=False,
    ),
    ev.PROTECT_SPTE: Narration(
        lambda n, o: f"{_entry(n, o.hpa)} loses its W: {n.target(o.new)} is a page table now.",
        tags=("protect",),
        noun="write-protected spte(s)",
    ),
    ev.SLOT_PROTECT: Narration(
        lambda n, o: f"In all shadow pages that reach slot {o.slot}, every entry loses its W.", main=False
    ),
    ev.PROTECT_SLOT_SPTE: Narration(
        lambda n, o: f"{_entry(n, o.hpa)} loses its W, so that the host sees the next write.", tags=("protect",)
    ),
    ev.PRE_WRITE: Narration(
        lambda n, o: (
            f"The host looks for the shadow entries that were made from the {_count(o.size, 'byte')} at gpa {o.gpa:#x}: "
            f"they must be zapped before the bytes change."
        ),
        ending=_pre_write_end,
    ),
    ev.FLOODED: Narration(
        lambda n, o: (
            f"Write {o.writes} in a row to gfn {o.gfn:#x}: it may no longer be a page table. "
            f"All its shadow pages are zapped."
        )
    ),
    ev.MISALIGNED: Narration(
        lambda n, o: f"{_count(o.size, 'byte')} at offset {o.offset:#x} cross the edge of an entry: all of #{o.page} is zapped."
    ),
    ev.ZAP_SPTE: Narration(_zapped, tags=("zap",)),
    # Contexts and the whole VM
    ev.ALLOC_ROOTS: Narration(lambda n, o: "The root of the shadow tables is found or made.", main=False),
    ev.FREE_ROOTS: Narration(lambda n, o: "The root of the shadow tables is released; the shadow pages stay.", main=False),
    ev.ROOT_COUNT: Narration(_root_count, main=False, mark=lambda vm, o: (shadow_page(o.page), "changed")),
    ev.ROOT_SLOT: Narration(_root_slot, run=_last_of(_root_slot), noun="new link(s)"),
    ev.ROOT_SLOT_FREE: Narration(lambda n, o: f"{_entry(n, o.hpa)} is cleared.", main=False),
    ev.RESET_CONTEXT: Narration(lambda n, o: "The MMU is set up for the guest's current mode.", main=False),
    ev.NEW_CR3: Narration(
        lambda n, o: (
            f"The guest's CR3 is now {n.vm.cpu.cr3:#x}: the host changes the root of the shadow tables. All shadow pages stay."
        )
    ),
    ev.ZAP_ALL: Narration(lambda n, o: "All shadow pages are zapped."),
    ev.DESTROY: Narration(lambda n, o: "The VM is destroyed."),
}
"""The narration of each kind of event, in the order of `mmu.events`."""

ENTRY, MEMORY, PAGE = "A shadow entry changes", "Guest memory changes", "A shadow page is taken, freed or moved"

OPERATIONS: dict[ev.Kind, str] = {
    ev.CRASH: "The last step",
    ev.ACCESS: "The guest accesses memory",
    ev.HARDWARE_READ: "The processor walks the shadow tables",
    ev.STORE: MEMORY,
    ev.POKE: MEMORY,
    ev.EMULATED_WRITE: "The host acts for the guest",
    ev.EMULATED_STORE: MEMORY,
    ev.GENERAL_PROTECTION: "The host answers the guest",
    ev.SET_SLOT: "The host changes the guest's memory",
    ev.SET_ALIAS: "The host changes the guest's memory",
    ev.DIRTY_LOG: "The host deals with the dirty log",
    ev.CLEAR_LOG: "The host deals with the dirty log",
    ev.MARK_DIRTY: "The host deals with the dirty log",
    ev.FLUSH: "The host deals with the TLB",
    ev.LOAD_ROOT: "The host deals with the root of the shadow tables",
    ev.INJECT: "The host answers the guest",
    ev.PAGE_FAULT: "The host takes over",
    ev.GUEST_READ: "The host reads the guest's tables",
    ev.GUEST_ACCESSED: MEMORY,
    ev.LINK_TABLE: ENTRY,
    ev.MAKE_SPTE: ENTRY,
    ev.FIX_READ: ENTRY,
    ev.WITHHOLD_USER: ENTRY,
    ev.DROP_SPTE: ENTRY,
    ev.ALLOW_WRITE: ENTRY,
    ev.GUEST_DIRTY: MEMORY,
    ev.NONPAGING_FAULT: "The host takes over",
    ev.NONPAGING_LINK: ENTRY,
    ev.NONPAGING_MAP: ENTRY,
    ev.ALLOC_PAGE: PAGE,
    ev.ROTATE_PAGE: PAGE,
    ev.ZAP_PAGE: PAGE,
    ev.UNLINK_PARENT: ENTRY,
    ev.UNLINK_CHILD: ENTRY,
    ev.EVICT: "The host counts the free shadow pages",
    ev.RMAP_ADD: "A reverse map changes",
    ev.RMAP_REMOVE: "A reverse map changes",
    ev.PROTECT_SPTE: ENTRY,
    ev.PROTECT_SLOT_SPTE: ENTRY,
    ev.PRE_WRITE: "The host looks for entries that the write concerns",
    ev.FLOODED: "The host checks the write",
    ev.MISALIGNED: "The host checks the write",
    ev.ZAP_SPTE: ENTRY,
    ev.ROOT_SLOT: ENTRY,
    ev.NEW_CR3: "The host handles a new CR3",
    ev.ZAP_ALL: PAGE,
    ev.DESTROY: PAGE,
}
"""What each kind of event that every film shows does, without the outcome: a film's list of steps doesn't tell what follows."""


def operation(kind: ev.Kind, ends: bool = False) -> str:
    """Return what an event does, or the end of the operation that it opened, without the outcome."""
    if ends:
        return f"{kind.function}() ends" if kind.function else "The end"
    return OPERATIONS.get(kind) or (f"A step of {kind.function}()" if kind.function else "A step")


SHADOW = "what happens to the shadow tables?"
ASKED = {
    False: "what does the processor find in the shadow tables, and what must the host do?",
    True: "who carries out the write, and what changes in the shadow tables?",
}
"""What a film of an access asks, by whether it is a write."""

QUESTIONS: dict[ev.Kind, Callable[[Names, Any], str]] = {
    # The processor and the VM around the MMU
    ev.ACCESS: lambda n, o: f"{_access(o)}: {ASKED[bool(o.write)]}",
    ev.STORE: lambda n, o: f"The guest stores {_count(o.size, 'byte')} at {n.gpa(o.hpa)}: {SHADOW}",
    ev.POKE: lambda n, o: f"Memory at {n.gpa(o.hpa)} changes, and the MMU doesn't notice: which shadow entries are now wrong?",
    ev.LOAD: lambda n, o: f"The page at {n.gpa(o.hpa)} is filled: {SHADOW}",
    ev.EMULATED_WRITE: lambda n, o: f"The guest writes {_count(o.size, 'byte')} at gpa {o.gpa:#x}: {SHADOW}",
    ev.SET_REGISTERS: lambda n, o: f"The host sets the guest's control registers: {SHADOW}",
    ev.LOAD_CR0: lambda n, o: f"The guest loads CR0 with {o.value:#x}: {SHADOW}",
    ev.LOAD_CR3: lambda n, o: f"The guest loads CR3 with {o.value:#x}: {SHADOW}",
    ev.LOAD_CR4: lambda n, o: f"The guest loads CR4 with {o.value:#x}: {SHADOW}",
    ev.LOAD_EFER: lambda n, o: f"The guest loads EFER with {o.value:#x}: {SHADOW}",
    ev.SET_SLOT: lambda n, o: (
        f"Memory slot {o.slot} is set to {_count(o.npages, 'page')} starting at gfn {o.base:#x}: {SHADOW}"
    ),
    ev.SET_ALIAS: lambda n, o: (
        f"{_count(o.npages, 'page')} starting at gfn {o.base:#x} {'is' if o.npages == 1 else 'are'} now another name for "
        f"{'the one' if o.npages == 1 else 'those'} starting at gfn {o.target:#x}: {SHADOW}"
    ),
    ev.DIRTY_LOG: lambda n, o: f"The host reads the dirty log of slot {o.slot}: how will it see the next write?",
    ev.FLUSH: lambda n, o: "The TLB is flushed: which translations does the processor look up again?",
    # Page faults and walks of the guest's tables
    ev.PAGE_FAULT: lambda n, o: f"The guest's access at {o.gva:#x} causes a page fault: what does the host do?",
    ev.NONPAGING_FAULT: lambda n, o: f"The guest isn't paging, and faults at {o.gva:#x}: what does the host map there?",
    ev.WALK: lambda n, o: f"The host walks the guest's tables for {o.gva:#x}: where do they lead, and what do they allow?",
    ev.FETCH: lambda n, o: f"The host walks the shadow tables for {o.gva:#x}: which entries does it have to make?",
    ev.SET_SPTE: lambda n, o: f"The spte {n.spte(o.spte)} is made from the guest's entry: which rights does it get?",
    ev.FIX_WRITE: lambda n, o: f"The guest writes through {n.spte(o.spte)}: may the entry become writable?",
    # Shadow pages
    ev.GET_PAGE: lambda n, o: (
        f"The host needs a shadow page of gfn {o.gfn:#x} at level {o.level}: is there one, or must it be made?"
    ),
    ev.ZAP_PAGE: lambda n, o: f"Shadow page #{o.page} is zapped: which entries have to be cleared?",
    ev.EVICT: lambda n, o: "Few shadow pages are free: which ones does the host zap?",
    ev.UNPROTECT: lambda n, o: f"The host stops shadowing the table in gfn {o.gfn:#x}: which shadow pages are zapped?",
    ev.WRITE_PROTECT: lambda n, o: (
        f"The table in gfn {o.gfn:#x} is now shadowed: how does the host find all entries that can write it?"
    ),
    ev.SLOT_PROTECT: lambda n, o: f"The host wants to see every write to slot {o.slot}: which entries lose their W?",
    ev.PRE_WRITE: lambda n, o: (
        f"{_count(o.size, 'byte')} at gpa {o.gpa:#x} {'is' if o.size == 1 else 'are'} about to change: which shadow entries "
        f"were made from {'it' if o.size == 1 else 'them'}?"
    ),
    # Contexts and the whole VM
    ev.ALLOC_ROOTS: lambda n, o: "The processor needs a root of the shadow tables: is there one, or must it be made?",
    ev.FREE_ROOTS: lambda n, o: "The root of the shadow tables is released: which shadow pages stay?",
    ev.RESET_CONTEXT: lambda n, o: "The guest's paging mode changes: which shadow tables does the processor walk now?",
    ev.NEW_CR3: lambda n, o: f"The guest's CR3 is now {n.vm.cpu.cr3:#x}: which shadow tables does the processor walk now?",
    ev.ZAP_ALL: lambda n, o: "All shadow pages are zapped: what is left?",
    ev.DESTROY: lambda n, o: "The VM is destroyed: what has to be freed?",
}
"""For each kind of event that begins an operation, the question that a film of it answers, without the outcome."""


def question(names: Names, event: tuple) -> str:
    """Return the question of a film whose first operation begins with this event. ``names``: those in the machine then."""
    known = QUESTIONS.get(event[0])
    if known is not None:
        return known(names, _operands(event))
    return f"{operation(event[0])}: {SHADOW}"
