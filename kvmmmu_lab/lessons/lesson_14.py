# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 14, dirty logs and audits, with a guest whose memory is logged and parts that make mistakes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..labs.guests import ALL, FULL, Builder
from ..mmu import events as ev
from ..mmu.audit import Complaint
from ..mmu.bits import ACCESSED, BASE_MASK, DIRTY, PAGE_SHIFT, PRESENT, USER, WRITABLE
from ..mmu.machine import Machine
from ..mmu.rmap import ReverseMap
from ..mmu.spte import set_spte
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import listed

LESSON = Lesson(14, "How does the host know what was written, and how do we know that it is right?", 30, ("audit",))

SLOT, BASE, PAGES = 1, 0x400, 0x400
"""The slot with the data pages of all guests here. The guest tables are in slot 0, which has no log."""


# Dirty logs


class Logged:
    """A 64-bit guest with a program whose pages are in slot 1. ``vm`` is its VM, ``pages`` has the address of each page,
    ``gfns`` its gfn.

    The program has written some of its pages and read the others: ``written`` and ``only_read`` are their numbers. ``writes``
    are the numbers of the pages that it is going to write, in order. All depends on the seed.
    """

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.guest = guest = Builder()
        count = chance.randint(7, 12)
        self.gfns = gfns = sorted(chance.sample(range(BASE, BASE + 0x100), count))
        self.pages = [number << PAGE_SHIFT for number in range(1, count + 1)]
        numbers = range(count)
        self.written = sorted(chance.sample(numbers, chance.randint(4, count - 2)))
        self.only_read = [number for number in numbers if number not in self.written]
        for gva, gfn in zip(self.pages, gfns, strict=True):
            guest.map(gva, gfn, ALL | ACCESSED)
        self.vm: Vm = guest.start()
        for number, gva in enumerate(self.pages):
            self.vm.access(gva, user=True, write=number in self.written)
        some = chance.sample(self.written, chance.randint(2, len(self.written) - 1))
        self.writes = some + chance.choices(some, k=chance.randint(2, 6))
        chance.shuffle(self.writes)

    def __repr__(self) -> str:
        lines = [f"The program has written pages {listed(self.written)}, and has only read pages {listed(self.only_read)}."]
        lines += ["", "page  gva     gfn    D in the guest's entry"]
        for number, (gva, gfn) in enumerate(zip(self.pages, self.gfns, strict=True)):
            dirty = "set" if self.vm.peek(self.guest.entry_gpa(gva)) & DIRTY else "clear"
            lines.append(f"{number:4}  {gva:#6x}  {gfn:#x}  {dirty}")
        return "\n".join(lines)

    def log(self) -> list[str]:
        """Read the dirty log, as the host does. Return the names of the pages in it."""
        return [f"page {self.gfns.index(gfn)} (gfn {gfn:#x})" for gfn in (BASE + page for page in self.vm.dirty_log(SLOT))]

    def turn_on(self) -> None:
        """Give the slot a dirty log."""
        self.vm.set_slot(SLOT, BASE, PAGES, log=True)

    def delete_slot(self) -> None:
        """Delete the slot with the data pages: set it again, with no pages."""
        self.vm.set_slot(SLOT, BASE, 0)

    def write(self, *numbers: int) -> int:
        """Write one byte to each of these pages, in this order. Return the number of faults."""
        return sum(self.vm.access(self.pages[number], user=True, write=True).faults for number in numbers)

    def read(self) -> int:
        """Read one byte of each page. Return the number of faults."""
        return sum(self.vm.access(gva, user=True).faults for gva in self.pages)


def contents(vm: Vm) -> list[int]:
    """Return the first word of each frame to which the program's pages may be mapped."""
    return [vm.peek(gfn << PAGE_SHIFT) for gfn in range(BASE, BASE + 0x100)]


@LESSON.question
def write_faults(logged: Logged) -> Steps:
    """The faults of some writes after a log was turned on."""
    writes = logged.writes
    distinct = len(set(writes))
    faults = yield Ask(
        f"The program writes {len(writes)} times, a byte each time, to these pages, in this order: {listed(writes)}. How many "
        "of the writes fault?",
        sorted({0, distinct, len(writes), len(logged.pages)}),
        on=logged.vm,
    )
    yield Answer(
        faults,
        f"the first write to each of the {distinct} pages found an entry without W, and faulted. The host gave W to the entry, "
        "so the processor did the later writes to the page alone.",
        more="""
        <!-- slide:
        **One fault for each page that is written, between two readings of the log.** The host learns *which* pages were
        written, never how often.
        -->
        At each of these faults, the host marked the page in the log, and then let the guest write. After that, the host saw
        no more writes to this page. So the log costs one fault for each page that is written between two readings. It says
        which pages were written, never how often or when.
        """,
    )


@LESSON.question
def in_the_log(logged: Logged) -> Steps:
    """The pages in the log after the program has only read, with new shadow entries."""
    every, dirty = len(logged.pages), len(logged.written)
    found = yield Ask(
        f"The log has just been read, and all shadow entries are gone. The program reads each of its {every} pages once, and "
        "writes nothing. How many pages are in the log then?",
        sorted({0, every - dirty, dirty, every}),
        on=logged.vm,
    )
    yield Answer(
        len(found),
        f"D is set in {len(found)} guest entries, so their new shadow entries got W at once. The host marks a page whenever "
        "its entry gets W, because it would not see a later write.",
        more="""
        <!-- slide:
        The host marks a page when an entry **gets W**, at a read, too (`mmu.c:995-996`). From then on the page *can* be
        written without a fault.
        -->
        Through an entry with W, the guest can write without a fault, and the host notices nothing. So the host has to mark
        the page when it makes such an entry, even if the access is a read (`mmu.c:995-996`). If D is clear in the guest's
        entry, the new shadow entry has no W, and the page is not marked.
        """,
    )


IN_THE_LOG = Passage(
    """
    <!-- slide:
    - **In the log: the page could be written without a fault.** To copy a page too often is waste. To miss one is corruption.
    - Later kernels: users of the log still see false alarms (commit 2a31b9db1535).
    -->
    So a mark in the log means: *this page could be written without a fault*. The mark may be a false alarm. Then the page
    is copied once more than necessary. The opposite mistake would be worse: a page that was written, but is not in the
    log, would have old contents on the new machine. So the host makes each mark early, before the write.
    """
)


# Parts that make mistakes


class OneForEachFrame(ReverseMap):
    """A reverse map that records only one entry of each frame."""

    def add(self, spte: int) -> None:
        """Record an entry if its frame has none."""
        if not self.sptes((self.vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT):
            super().add(spte)

    def remove(self, spte: int) -> None:
        """Remove an entry if it was recorded."""
        if spte in self.sptes((self.vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT):
            super().remove(spte)


class NeverProtects(ReverseMap):
    """A reverse map that takes W from no entry when a frame becomes a page table."""

    def write_protect(self, gfn: int) -> None:
        """Do nothing."""


def zaps_nothing(vm: Machine, gpa: int, size: int) -> None:
    """Zap no entry before the guest writes to a page table."""


def open_to_all(vm: Machine, spte: int, guest_entry: int, rights: int, gpa: int, gfn: int) -> None:
    """Make a shadow entry, and give it U, whatever the guest's entry says."""
    set_spte(vm, spte, guest_entry, rights, gpa, gfn)
    vm.memory.put(spte, vm.memory.words[spte] | USER, ev.ALLOW_WRITE)


def tables_stay_writable(vm: Machine, spte: int, guest_entry: int, rights: int, gpa: int, gfn: int) -> None:
    """Make a shadow entry, and give it W if the guest's entry allows it, also if the frame is a shadowed page table."""
    set_spte(vm, spte, guest_entry, rights, gpa, gfn)
    entry = vm.memory.words[spte]
    if rights & guest_entry & WRITABLE and not entry & WRITABLE and entry & PRESENT:
        vm.memory.put(spte, entry | WRITABLE, ev.ALLOW_WRITE)
        vm.rmap.add(spte)


@dataclass(frozen=True)
class WrongPart:
    """A part of a VM that makes a mistake: the name of the part, what it does wrong, and the part itself."""

    part: str
    says: str
    made: Callable[..., Any]


MISTAKES = {
    mistake.made.__name__: mistake
    for mistake in (
        WrongPart("rmap", "rmap.add records only one entry of each frame", OneForEachFrame),
        WrongPart("rmap", "rmap.write_protect takes W from no entry", NeverProtects),
        WrongPart("pre_write", "pre_write zaps nothing", zaps_nothing),
        WrongPart("set_spte", "set_spte gives U to each entry", open_to_all),
        WrongPart(
            "set_spte",
            "set_spte gives W also to entries that lead to shadowed tables, and records them",
            tables_stay_writable,
        ),
    )
}
"""The mistakes by name."""


class Suspect:
    """A 64-bit guest whose VM has one part with a mistake, or none. ``work`` lets the guest do the same things each time."""

    def __init__(self, seed: int, name: str = "") -> None:
        chance = random.Random(seed)
        self.mistake = MISTAKES.get(name)
        parts: dict[str, Any] = {self.mistake.part: self.mistake.made} if self.mistake else {}
        self.guest = guest = Builder(**parts)
        at = chance.randint(1, 400)
        self.one, self.two, self.kernel, self.own, self.later, self.moved = (at + n << PAGE_SHIFT for n in range(6))
        frame = guest.map(self.one, BASE + chance.randrange(0x100))
        guest.map(self.two, frame)
        guest.map(self.kernel, flags=FULL & ~USER)
        guest.map(self.own, guest.table(self.one))
        self.table = guest.frame()
        guest.map(self.later, self.table)
        guest.map(self.moved)
        self.target = guest.frame()
        guest.vm.poke(guest.entry_gpa(1 << 30, 3), guest.frame() << PAGE_SHIFT | FULL)
        guest.vm.poke(guest.entry_gpa(1 << 30, 2), self.table << PAGE_SHIFT | FULL)
        guest.vm.poke(self.table << PAGE_SHIFT, guest.frame() << PAGE_SHIFT | FULL)
        self.vm: Vm = guest.start()

    def work(self) -> None:
        """Write one frame through two addresses, read a kernel page and the page table itself, use a frame that was written
        as a page table, and change an entry."""
        vm = self.vm
        for gva in (self.one, self.two, self.later):
            vm.access(gva, write=True)
        vm.access(self.kernel)
        vm.access(self.own)
        vm.access(self.moved)
        vm.access(1 << 30)  # the frame at `later` is a page table now
        vm.emulate_write_gpa(self.guest.entry_gpa(self.moved), self.target << PAGE_SHIFT | FULL, 8)
        vm.access(self.one)


AUDITS = {"rmap": "the first (reverse maps)", "wp": "the second (write protection)", "map": "the third (mappings)"}
BOTH, NONE = "the first and the second", "none of them"
VERDICTS = [*AUDITS.values(), BOTH, NONE]


def verdict(complaints: list[Complaint]) -> str:
    """Return which audits complain, as one of `VERDICTS`."""
    names = {complaint.audit for complaint in complaints}
    if names == {"rmap", "wp"}:
        return BOTH
    (name,) = names or {""}
    return AUDITS.get(name, NONE)


REASONS = {
    "OneForEachFrame": "the frame with two addresses has two writable entries, but only one of them is in its map.",
    "NeverProtects": "a frame became a page table, and the entry through which it was written kept its W. So the frame's map "
    "is not empty. But the two numbers of the first audit are equal.",
    "zaps_nothing": "the guest's entry leads to another frame now, and the shadow entry still leads to the old one.",
    "open_to_all": "an entry grants more than the guest's tables do. But it leads to the right frame, and no audit looks at U.",
    "tables_stay_writable": "the guest has read a table of its own. The entry made for this read got W, and is in the map "
    "of the table's frame. So this map is not empty. But the two numbers of the first audit are equal.",
}


NOTICED = (("OneForEachFrame",), ("NeverProtects", "tables_stay_writable"), ("zaps_nothing",))
"""The names of the mistakes that an audit notices, one group for each audit."""


def suspects(seed: int) -> list[Suspect]:
    """Return two guests whose VMs make different mistakes, which different audits notice."""
    chance = random.Random(seed)
    return [Suspect(seed, chance.choice(group)) for group in chance.sample(NOTICED, 2)]


def _which(suspect: Suspect) -> Steps:
    assert suspect.mistake is not None
    yield Ask(f"In this VM, {suspect.mistake.says}. Which audit complains after the work?", VERDICTS, on=suspect.vm)
    complaints = suspect.vm.audit()
    lines = "\n\n        ".join(f"`{complaint}`" for complaint in complaints)
    yield Answer(
        verdict(complaints),
        REASONS[suspect.mistake.made.__name__],
        more=f"""
        {"The complaint:" if len(complaints) == 1 else "The complaints:"}

        {lines}
        """,
    )


@LESSON.question
def first_suspect(suspect: Suspect) -> Steps:
    """Which audit notices the first mistake."""
    yield from _which(suspect)


@LESSON.question
def second_suspect(suspect: Suspect) -> Steps:
    """Which audit notices the second mistake."""
    yield from _which(suspect)


@dataclass(frozen=True)
class TwoWays:
    """A guest with a page that has two addresses, which share one page table. At ``read_only`` it may only be read."""

    vm: Vm
    open: int
    read_only: int


def two_ways(seed: int) -> TwoWays:
    """Return a guest in which two entries of a directory lead to one page table; the second has no W. The shadow page was made
    for the first, at a write."""
    chance = random.Random(seed)
    guest = Builder()
    open_, way = (region << 21 | chance.randint(1, 511) << PAGE_SHIFT for region in (0, chance.randint(1, 511)))
    way = way & ~0x1FFFFF | open_ & 0x1FFFFF
    guest.map(open_)
    guest.vm.poke(guest.entry_gpa(way, 2), guest.table(open_) << PAGE_SHIFT | PRESENT | USER | ACCESSED)
    vm = guest.start()
    vm.access(open_, user=True, write=True)
    vm.access(way, user=True)
    return TwoWays(vm, open_, way)


@LESSON.question
def forbidden_write(two: TwoWays) -> Steps:
    """Which audit notices that a program wrote where the guest forbids it."""
    outcome = yield Ask(
        f"The program writes at {two.read_only:#x}, where the guest's tables allow only reading, and the write succeeds. Which "
        "audit complains afterwards?",
        VERDICTS,
    )
    assert outcome.outcome == "ok"
    yield Answer(
        verdict(two.vm.audit()),
        "the entry leads to the right frame, it is in the map of this frame, and the frame is no page table. No audit notices "
        "that the entry grants too much.",
        more="""
        <!-- slide:
        **The audits count entries with W, and compare frames. None compares the rights of an entry with the guest's.** A
        similar bug was found in 2021: CVE-2021-38198.
        -->
        The two addresses share one page table, and therefore one shadow page: the rights of the directory entries are not
        in its role (lesson 5). The entry was made for the path that allows writing. **The audits count entries with W, and
        compare frames. None compares the rights of an entry with those of the guest's entries.** So an entry may have W
        where it should not, and all audits are silent. A similar bug was found in 2021,
        *[CVE-2021-38198](https://nvd.nist.gov/vuln/detail/CVE-2021-38198)*.
        """,
    )


SUMMARY = Passage(
    """
    <!-- slide:
    - *Is W where it should be, and nowhere else?* The audits tell us only in part.
    - Log: W removed, first write faults, page marked, W given. Reading the log begins a new round.
    - **In the log = could be written since the last reading.**
    - Three audits: two **counts**, **no map** for a shadowed table, the same **frame** in both trees. Not: the guest's rights.
    -->
    - The dirty log works with W: **the host takes W away, and the first write to each page faults**. At this fault, the host
      marks the page and gives W back. When it reads the log, it takes W away again.
    - A page in the log **could be written** since the last reading. It is marked when its entry gets W, even at a read.
    - The first audit compares two **numbers**: references in reverse maps, and writable entries.
    - The second complains about each shadowed guest table **whose reverse map is not empty**.
    - The third walks both trees and compares **frames**.
    - *Is W where it should be, and nowhere else?* The audits tell us only in part: **none compares the rights of an entry
      with the guest's**, and the first compares numbers only. A silent audit proves little.
    """
)


# Check questions


@LESSON.check
def next_reading(seed: int) -> Steps:
    """The number of pages in the next log."""
    chance = random.Random(seed)
    logged = Logged(seed)
    logged.turn_on()
    logged.write(*logged.written)
    logged.log()
    every = list(range(len(logged.pages)))
    numbers = chance.choices(every, k=chance.randint(3, 9))
    gone = chance.random() < 0.5
    before = "it zaps all shadow entries, and the program" if gone else "the program"
    yield Ask(
        f"A program has {len(every)} pages with all rights. It has written pages {listed(logged.written)}, and has only read "
        f"the others. The log is on, and each page has a shadow entry. The host reads the log. Then {before} reads each page "
        f"once. After that it writes pages {listed(numbers)}, in this order. The host reads the log again. How many pages are "
        "in it?",
        sorted({len(set(numbers)), len(numbers), len({*numbers, *logged.written}), len(every)}),
    )
    if gone:
        logged.vm.zap_all()
    logged.read()
    logged.write(*numbers)
    yield Answer(
        len(logged.log()),
        "a page is marked when its entry gets W. "
        + (
            "After the zap, the reads made new entries, which got W where D was set. The other pages got W when they were "
            "written."
            if gone
            else "The reads changed nothing: the entries were there, without W. The first write to each page gave W to its "
            "entry."
        ),
    )


@LESSON.check
def printed_numbers(seed: int) -> Steps:
    """The two numbers that the first audit prints."""
    chance = random.Random(seed)
    guest = Builder(rmap=OneForEachFrame)
    counts = [chance.randint(2, 5) for _ in range(chance.randint(2, 4))]
    gva = 0
    for count in counts:
        frame = guest.frame()
        for _ in range(count):
            gva += 1 << PAGE_SHIFT
            guest.map(gva, frame)
    vm = guest.start()
    frames, total = len(counts), sum(counts)

    def words(references: int, writable: int) -> str:
        return f"{references} references, {writable} writable entries"

    choices = [words(frames, total), words(total, frames), words(total, total), words(frames, frames)]
    yield Ask(
        f"A reverse map records only one entry of each frame. A guest writes to {frames} frames, through {listed(counts)} "
        "addresses. Which numbers does the first audit compare?",
        chance.sample(list(dict.fromkeys(choices)), len(set(choices))),
    )
    for number in range(1, total + 1):
        vm.access(number << PAGE_SHIFT, write=True)
    complaints = [complaint for complaint in vm.audit() if complaint.audit == "rmap"]
    found = words(*complaints[0].facts) if complaints else words(total, total)
    yield Answer(found, "it counts the references in all maps, and the entries of level 1 that are present and writable.")


@LESSON.check
def which_audit(seed: int) -> Steps:
    """Which audit notices a mistake."""
    name = random.Random(seed).choice(sorted(MISTAKES))
    suspect = Suspect(seed, name)
    assert suspect.mistake is not None
    yield Ask(
        f"In a VM, {suspect.mistake.says}. The guest does the same work as in this lesson. Which audit complains?",
        VERDICTS,
    )
    suspect.work()
    yield Answer(verdict(suspect.vm.audit()), REASONS[name])


@LESSON.check
def deleted_slot(seed: int) -> Steps:
    """What the first audit counts after a slot was deleted."""
    chance = random.Random(seed)
    inside, outside = chance.randint(1, 6), chance.randint(1, 6)
    guest = Builder()
    for number in range(inside + outside):
        guest.map(number + 1 << PAGE_SHIFT, BASE + number if number < inside else None)
    vm = guest.start()
    for number in range(inside + outside):
        vm.access(number + 1 << PAGE_SHIFT, write=True)
    total = inside + outside
    pairs = [(outside, total), (total, total), (total, outside), (outside, outside), (0, total)]
    chance.shuffle(pairs)
    yield Ask(
        f"A program has written {inside} page{'s' * (inside > 1)} of slot 1 and {outside} of slot 0, each through one address. "
        "The host deletes slot 1. Which numbers of references and of writable entries does the first audit compare?",
        [f"{references} and {writable}" for references, writable in pairs],
    )
    vm.set_slot(SLOT, BASE, 0)
    complaint = next(complaint for complaint in vm.audit() if complaint.audit == "rmap")
    yield Answer(
        "{} and {}".format(*complaint.facts),
        "it counts references only for frames that are in a slot, so those of the deleted slot are missing. It counts writable "
        "entries in all shadow pages, so those that lead to the deleted slot are included.",
    )
