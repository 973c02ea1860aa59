# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 3, lazy filling."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from ..data import open_guest
from ..draw.scene_builder import plural
from ..inspect.entries import flags
from ..inspect.paths import guest_tree
from ..labs.guests import FULL, Builder, GuestTable
from ..mmu.bits import ACCESSED, DIRTY, PAGE_SHIFT, PRESENT, USER, WIDE, WRITABLE
from ..mmu.cpu import Access, handle_fault, shadow_walk
from ..mmu.pool import METAPHYSICAL
from ..mmu.vm import Vm
from ..recording.narration import access_clause
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import listed, sptes

LESSON = Lesson(3, "When is an entry of the shadow made?", 30)

GB, MB2 = 1 << 30, 1 << 21


# What the guest does


@dataclass(frozen=True)
class PlannedAccess:
    """An access that the program, or the guest's kernel, is going to make."""

    gva: int
    write: bool
    user: bool
    guest_flags: str

    def run(self, vm: Vm) -> Access:
        """Make the access."""
        return vm.access(self.gva, write=self.write, user=self.user)

    def __str__(self) -> str:
        return f"{access_clause(self.write, self.user, False):<26} {self.gva:#x}   guest's entry: {self.guest_flags}"


@dataclass(frozen=True)
class Results:
    """The results of several accesses. It prints how many times the processor faulted."""

    results: tuple[Access, ...]

    @property
    def faults(self) -> int:
        """The number of faults of the processor."""
        return sum(result.faults for result in self.results)

    @property
    def given(self) -> int:
        """The number of faults that the guest got."""
        return sum(result.outcome == "inject" for result in self.results)

    def __repr__(self) -> str:
        return f"{plural(len(self.results), 'access', 'accesses')}, {plural(self.faults, 'fault')} of the processor"


class Schedule(tuple[PlannedAccess, ...]):
    """Accesses in the order in which they are made. It prints as a list, one line for each."""

    def __repr__(self) -> str:
        return "\n".join(map(str, self))


@dataclass(frozen=True)
class FourPages:
    """A guest that is made by hand, with the addresses that its program uses. Its shadow is empty but for the root.

    ``gvas``: four pages in two regions of 1 GB. ``absent``: an address in a third region whose last entry isn't present.
    """

    vm: Vm
    gvas: tuple[int, ...]
    absent: int
    requests: Schedule

    def read(self, *gvas: int) -> None:
        """Let the program read these addresses, one after the other."""
        for gva in gvas:
            self.vm.access(gva, user=True)

    def run(self) -> Results:
        """Make the accesses in ``requests``."""
        return Results(tuple(request.run(self.vm) for request in self.requests))

    def __repr__(self) -> str:
        head = f"{'address':<15}{'PML4':>6}{'PDPT':>6}{'PD':>6}{'PT':>6}"
        return "\n".join([head, *(f"{gva:#15x}{indices(gva)}" for gva in self.gvas)])


def indices(gva: int) -> str:
    """Return the indices of an address in the tables of the four levels, highest level first, in columns."""
    return "".join(f"{WIDE.index(gva, level):>6}" for level in (4, 3, 2, 1))


def address(*parts: int) -> int:
    """Return the address that has these indices, highest level first."""
    gva = 0
    for part in parts:
        gva = gva << 9 | part
    return gva << PAGE_SHIFT


def program(seed: int) -> FourPages:
    """Make the guest of this lesson from a seed."""
    random_ = random.Random(seed)
    top, regions = random_.randrange(1, 256), random_.sample(range(512), 3)
    pairs = []
    for region in regions[:2]:
        one, other = random_.sample(range(512), 2)
        same = random_.random() < 0.5
        pairs.append([address(top, region, one, random_.randrange(200))])
        pairs[-1].append(address(top, region, one if same else other, random_.randrange(300, 500)))
    first, *rest = [gva for pair in pairs for gva in pair]
    random_.shuffle(rest)
    absent = address(top, regions[2], random_.randrange(512), random_.randrange(512))
    guest = Builder("64")
    for gva in (first, *rest):
        guest.map(gva)
    guest.map(absent, flags=0)
    special = {
        first + 0x1000: PRESENT | USER | ACCESSED,
        first + 0x2000: PRESENT | WRITABLE | ACCESSED | DIRTY,
        first + 0x3000: PRESENT | WRITABLE | USER,
        first + 0x4000: 0,
    }
    for gva, given in special.items():
        guest.map(gva, flags=given)
    kinds = [(first, False, True), *((gva, write, user) for gva, (write, user) in zip(special, WAYS, strict=True))]
    requests = [kinds[0], *random_.choices(kinds, k=5)]
    made = (PlannedAccess(*one, guest_flags(guest, one[0])) for one in requests)
    return FourPages(guest.start(), (first, *rest), absent, Schedule(made))


WAYS = ((True, False), (False, True), (True, True), (False, True))
"""How each of the special pages of a `FourPages` is accessed: whether it is written, and whether by user code."""


def guest_flags(guest: Builder, gva: int) -> str:
    """Return the flags of the guest's last entry for an address."""
    return flags(guest.vm.peek(guest.entry_gpa(gva), 8))


def one_page(preset: str, seed: int = 0) -> tuple[Vm, int]:
    """Return a guest with one page and the address of the page. For ``preset``, see `GuestTable`."""
    table = GuestTable("64", preset)
    return table.vm(), table.gva


@dataclass(frozen=True)
class Tally:
    """Some counts, each with what it counts. It prints as a list, one line for each."""

    counts: tuple[tuple[str, int], ...]

    def __repr__(self) -> str:
        return "\n".join(f"{words:<34}{count:>6,}" for words, count in self.counts)


@dataclass(frozen=True)
class WholeProgram:
    """A real 64-bit guest whose program has read each of its pages once."""

    vm: Vm
    results: Results

    def faults(self) -> Tally:
        """Count the faults."""
        pages, got = ("pages that the program reads", len(self.results.results)), self.results.given
        return Tally((pages, ("faults of the processor", self.results.faults), ("faults that the guest got", got)))

    def tables(self) -> Tally:
        """Count the tables and entries of both maps."""
        vm = self.vm
        tables = [vm.memory.pages[vm.memory.frames[branch.number] or 0] for branch in guest_tree(vm).values()]
        entries = sum(int(np.count_nonzero(table)) for table in tables)
        pages = sum(not page.role & METAPHYSICAL for page in vm.pool.active)
        inside = "their entries that aren't empty"
        return Tally(
            (
                ("guest tables, with the root", len(tables)),
                (inside, entries),
                ("shadow pages of these tables", pages),
                (inside, len(sptes(vm))),
            )
        )


def read_all(name: str) -> WholeProgram:
    """Let the program of a real 64-bit guest read each of its pages once."""
    guest = open_guest(name)
    vm, own = guest.vm(), guest.tlb_gva[guest.tlb_flags & USER_PAGE != 0].tolist()
    return WholeProgram(vm, Results(tuple(vm.access(gva, user=True) for gva in own)))


USER_PAGE = 1 << 1
"""The flag of a page that user code may access, in the snapshot of a guest (see `data.Guest`)."""


@dataclass(frozen=True)
class Shared:
    """A guest in which two entries of the page directory lead to one page table.

    ``writable``: an address whose path allows writing; ``readonly``: an address of the same page, whose path doesn't.
    """

    vm: Vm
    writable: int
    readonly: int

    def write(self) -> Access:
        """Let the guest's kernel write through the path that allows it. After some faults, the kit gives up."""
        return self.vm.access(self.writable, write=True)

    def one_round(self) -> None:
        """Let the processor try the write once, and the host handle the fault."""
        hpa = shadow_walk(self.vm, self.writable, write=True, user=False, fetch=False)
        handle_fault(self.vm, self.writable, -1 - hpa)


def shared_table(seed: int) -> Shared:
    """Make a guest with a shared page table from a seed."""
    random_ = random.Random(seed)
    top, third, last = random_.randrange(1, 256), random_.randrange(512), random_.randrange(512)
    one, other = random_.sample(range(512), 2)
    writable, readonly = address(top, third, one, last), address(top, third, other, last)
    guest = Builder("64")
    guest.map(writable, flags=FULL)
    link = guest.vm.peek(guest.entry_gpa(writable, 2), 8)
    guest.vm.poke(guest.entry_gpa(readonly, 2), link & ~WRITABLE)
    return Shared(guest.start(), writable, readonly)


# The questions


@LESSON.question
def the_rest(at: FourPages) -> Steps:
    """The shadow pages that three more addresses take."""
    free = len(at.vm.pool.free)
    yield Ask("How many shadow pages will the host take for the other three addresses?", [1, 2, 3, 4, 6, 9], on=at.vm)
    taken = free - len(at.vm.pool.free)
    tables = [len({gva >> shift for gva in at.gvas}) for shift in (39, 30, 21)]
    yield Answer(
        taken,
        "one for each guest table that is on one of the paths and has no shadow page yet, even if several paths share it.",
        more=f"""
        <!-- slide:
        Count the different tables on all paths: {tables[0]} PDPT, {tables[1]} PDs and {tables[2]} PTs. Three of them had a
        shadow page already.
        -->
        Compare the indices of the four addresses from the left. All four share their PML4 index, so they share the PDPT.
        Their first two indices form {tables[1]} different pairs, so there are {tables[1]} page directories. Their first three
        indices form {tables[2]} different triples, so there are {tables[2]} page tables. Together with the PDPT that is
        {sum(tables)} tables below the root. Three of them have had a shadow page since the first address.

        In another order, the accesses would need the same number of pages in all. The order only decides which access needs
        them.
        """,
    )


@LESSON.question
def not_there(at: FourPages) -> Steps:
    """What the host does about an address that the guest doesn't map."""
    free = len(at.vm.pool.free)

    def ends(taken: int, given: bool) -> str:
        return f"it takes {plural(taken, 'page')}, and {'the guest gets a page fault' if given else 'the read succeeds'}"

    choices = [ends(0, False), ends(0, True), ends(2, True), ends(3, True)]
    yield Ask("The program reads there, and the processor faults. What does the host do?", choices, on=at.vm)
    yield Answer(
        ends(free - len(at.vm.pool.free), bool(at.vm.injected)),
        "the guest's last entry isn't present. A real processor would fault as well, so the guest must get this fault.",
        more="""
        The walk comes before the filling. The host found an entry that isn't present, so the guest gets its fault, and
        nothing is filled. The shadow is the same as before. Only guest memory can change: as a processor would, the walk sets
        the accessed bits that are clear in the entries above. (Here they were all set.)

        The program may read here again and again. Each time the processor faults, the host walks the guest's tables again,
        and the guest gets its fault. This ends when the guest's kernel maps a page there. Linux does this for the heap of
        each program: it maps a page only when the program first touches it.
        """,
    )


@LESSON.question
def given(at: FourPages) -> Steps:
    """The number of accesses of a list whose faults the guest gets."""
    words = "How many page faults will the guest's kernel get?"
    run: Results = yield Ask(words, [*range(len(at.requests) + 1)], on=at.vm)
    ends = ["a hidden fault" if access.faults else "no fault" for access in run.results]
    ends = ["a true fault" if access.outcome == "inject" else end for access, end in zip(run.results, ends, strict=True)]
    yield Answer(
        run.given,
        f"the processor faulted {plural(run.faults, 'time')}. In {run.given} of these cases the guest's own entries don't "
        "allow the access.",
        more=f"""
        Line by line: {", ".join(ends)}.

        Go through the list, and ask for each line: *do the guest's own flags allow this?* A write needs W, an access by
        user code needs U, and all need P. D isn't needed for a write. If the flags allow the access, the guest never
        hears of the fault.

        What if an access is repeated? If the first access filled the shadow, the second doesn't fault. If the guest got the
        fault of the first access, nothing was filled, so the second faults, too.
        """,
    )


ENDS = {
    "ok": "it succeeds after one fault",
    "inject": "the guest gets a page fault",
    "emul": "the host carries it out for the guest",
    "stuck": "it faults again and again, and never succeeds",
}
"""The outcomes of the write to a shared page table."""


@LESSON.question
def through_the_other(at: Shared) -> Steps:
    """What happens to a write that the guest's tables allow, after a read through a path that doesn't allow writing."""
    words = "The kernel writes through the first path. What happens to the write?"
    result: Access = yield Ask(words, [*ENDS.values()], on=at.vm)
    yield Answer(
        ENDS[result.outcome],
        "the spte says that writing isn't allowed here. No box of the chart changes such an spte or makes a new one.",
        more="""
        <!-- slide:
        - `walk_addr()`: the guest allows the write.
        - `fetch()` adds the missing link in the first round. The spte exists, and is used as it is.
        - `fix_write_pf()`: the spte's mark doesn't allow it, so nothing changes.
        - `page_fault()` only asks whether to emulate: *run it again*.
        -->
        Go through the chart. The walk finds that the guest's tables allow the write, so the fault is a hidden one. In the
        first round `fetch()` adds the missing link. From then on nothing is missing, because the read has made the spte. But
        the read came through the path without W, and the spte has the rights of that path. So `fix_write_pf()` changes
        nothing. It tells `page_fault()` only whether the host has to emulate the write: no. So the guest tries the write
        again, and the next round is like this one. The kit gave up after 8 faults. A real processor would have gone on
        forever, with the guest's kernel stuck on one instruction.
        """,
    )


SUMMARY = Passage(
    """
    <!-- slide:
    - A fault goes to the **host** first. It walks the guest's tables: do *they* allow the access?
    - No: a **true fault**. The guest gets it, and the shadow stays as it is.
    - Yes: a **hidden fault**. The host fills what is missing on one path.
    - One new shadow page for each table on the path that has none.
    -->
    - Every page fault of the processor goes to the **host** first. The host walks the guest's tables, to find out what a
      real processor would have done.
    - If the guest's tables don't allow the access, it is a **true fault**. The guest gets it, with the error code of the
      walk, and the shadow stays as it is.
    - If they allow it, it is a **hidden fault**, and the guest never learns of it. The host takes **one shadow page for each
      table on the path that has none**, links it, and makes the spte if it is missing. For a write, it may only have to add
      W. Then the guest runs the instruction again. If running it again can't help, the host emulates it.
    - So an entry of the shadow is made **when an access needs it**, and no sooner. What nobody has touched isn't in the
      shadow, although the guest maps it.
    """
)


# The check questions


@LESSON.check
def second_read(seed: int) -> Steps:
    """The shadow pages that a second address takes."""
    random_ = random.Random(seed)
    shared = random_.randrange(4)
    first = random_.sample(range(1, 256), 4)
    second = first[:shared] + random_.sample(range(256, 512), 4 - shared)
    second[0] = first[0] if shared else (first[0] + 1 + random_.randrange(200)) % 256
    guest = Builder("64")
    gvas = address(*first), address(*second)
    for gva in gvas:
        guest.map(gva)
    vm = guest.start()
    places = " and ".join(f"{gva:#x} ({' '.join(indices(gva).split())})" for gva in gvas)
    yield Ask(
        f"A program reads {places}; the indices are in brackets. How many shadow pages does the host take for the second read?",
        [0, 1, 2, 3, 4],
    )
    vm.access(gvas[0], user=True)
    free = len(vm.pool.free)
    vm.access(gvas[1], user=True)
    yield Answer(
        free - len(vm.pool.free),
        f"the paths share {plural(1 + shared, 'table')}, counted from the root. Each of the others needs a new shadow page.",
    )


NOTICED = {
    "ok": "no: the fault is hidden, and the access is made again",
    "inject": "yes: the fault is a true one, and the guest's kernel gets it",
    "emul": "no: the fault is hidden, and the host emulates the access",
}
"""Whether the guest notices the fault of an access, by the outcome of the access."""


@LESSON.check
def who_notices(seed: int) -> Steps:
    """Whether a fault is hidden or true."""
    random_ = random.Random(seed)
    presets = ["all allowed", "read-only page", "supervisor page", "not dirty", "not present", "upper level read-only"]
    table = GuestTable("64", random_.choice(presets))
    write, user = random_.random() < 0.6, random_.random() < 0.6
    says = listed(flags(table.entry(level)) for level in (4, 3, 2, 1))
    who = "user code" if user else "the kernel"
    yield Ask(
        f"The shadow is empty, and CR0.WP is set. The guest's entries on the path of an address are {says}, from "
        f"level 4 down to level 1. When {who} {'writes' if write else 'reads'} there, the processor faults. Does "
        "the guest notice the fault?",
        [*NOTICED.values()],
    )
    outcome = table.vm().access(table.gva, write=write, user=user).outcome
    why = {
        "ok": "every entry on the path allows the access, so the guest must not notice anything.",
        "inject": "an entry on the path doesn't allow the access. A real processor would fault, too.",
    }
    yield Answer(NOTICED[outcome], why[outcome])


@LESSON.check
def how_many_faults(seed: int) -> Steps:
    """The number of faults of a few accesses to two pages of one table."""
    random_ = random.Random(seed)
    dirty = random_.random() < 0.5
    guest = Builder("64")
    gva = address(random_.randrange(1, 256), *(random_.randrange(500) for _ in range(3)))
    for page in (gva, gva + 0x1000):
        guest.map(page, flags=FULL if dirty else FULL & ~DIRTY)
    accesses = [(gva, False), (gva, True), (gva + 0x1000, False), (gva + 0x1000, True)]
    chosen = [accesses[0], *random_.sample(accesses[1:], 2)]
    random_.shuffle(chosen)
    vm = guest.start()
    says = ", then ".join(f"{'writes' if write else 'reads'} {page:#x}" for page, write in chosen)
    state = "set" if dirty else "clear"
    yield Ask(
        f"The guest's entries for {gva:#x} and the page after it have P, W and U, and D is {state}. The shadow is empty. The "
        f"program {says}. How many times does the processor fault?",
        [0, 1, 2, 3],
    )
    before = vm.stats.exits
    for page, write in chosen:
        vm.access(page, write=write, user=True)
    yield Answer(
        vm.stats.exits - before,
        "the first access to each page faults. A write after a read faults once more if D was clear: the spte had no W.",
    )


@LESSON.check
def entries_made(seed: int) -> Steps:
    """The shadow entries that an access makes after another one."""
    random_ = random.Random(seed)
    present, shared = random_.random() < 0.6, random_.randrange(1, 4)
    first = [random_.randrange(1, 256), *(random_.randrange(256) for _ in range(3))]
    second = first[:shared] + [random_.randrange(256, 512) for _ in range(4 - shared)]
    guest, gva, other = Builder("64"), address(*first), address(*second)
    guest.map(gva)
    guest.map(other, flags=FULL if present else 0)
    vm = guest.start()
    vm.access(gva, user=True)
    before = sptes(vm)
    state = "All guest entries on both paths are present."
    if not present:
        state = (
            "The guest's last entry for the second address isn't present. All other guest entries on both paths are present."
        )
    yield Ask(
        f"A program has read {gva:#x} (indices {' '.join(indices(gva).split())}). Now it reads {other:#x} "
        f"({' '.join(indices(other).split())}). {state} How many entries of the shadow does the host make for this read?",
        [0, 1, 2, 3, 4],
    )
    vm.access(other, user=True)
    yield Answer(
        len(sptes(vm) - before),
        "one in the last table that both paths share, and one in each shadow page below it."
        if present
        else "none: the guest's own tables don't allow the read, so the host fills nothing.",
    )
