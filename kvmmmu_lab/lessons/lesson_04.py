# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 4, permissions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..data import open_guest
from ..draw.scene_builder import plural
from ..inspect.entries import flags, withheld
from ..inspect.names import LEVELS
from ..inspect.paths import guest_path, shadow_path
from ..labs.guests import FLAGS, FULL, Builder, GuestTable
from ..labs.watch import Watch
from ..mmu.bits import (
    CR0_WP,
    DIRTY,
    PRESENT,
    SHADOW_USER,
    SHADOW_WRITABLE,
    USER,
    WRITABLE,
)
from ..mmu.cpu import Access
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import listed

LESSON = Lesson(4, "The guest may write to a page, and yet the shadow maps it read-only. Why?", 30, ("spte",))


# The guests


@dataclass(frozen=True)
class OnePage:
    """A guest with one page at ``gva``. It prints as the guest's entries on the path, with their flags."""

    vm: Vm
    gva: int

    def __repr__(self) -> str:
        steps = guest_path(self.vm, self.gva).steps
        rows = (f"level {step.level}  {LEVELS[step.level]:<5} entry {step.index:>3}  {flags(step.entry)}" for step in steps)
        return "\n".join([f"the path of {self.gva:#x}", *rows])

    def entry(self) -> int:
        """Return the shadow entry of level 1; 0 if there is none."""
        step = shadow_path(self.vm, self.gva).steps[-1]
        return step.entry if step.level == 1 else 0


def some_address(random_: random.Random) -> int:
    """Return a page in the lower half of a 64-bit address space."""
    return random_.randrange(1 << 9, 1 << 35) << 12


def with_rights(seed: int) -> OnePage:
    """Make a guest whose entries on one path have rights that come from the seed. Only the spte at its end is missing."""
    random_ = random.Random(seed)
    guest, gva = Builder("64"), some_address(random_)
    dirty = random_.random() < 0.5
    guest.map(gva, flags=FULL if dirty else FULL & ~DIRTY)
    gpa = guest.entry_gpa(gva, random_.choice([1, 2, 3, 4, 2, 3, 4]))
    guest.vm.poke(gpa, guest.vm.peek(gpa, 8) & ~random_.choice([WRITABLE, USER]))
    guest.map(gva ^ 0x1000)
    vm = guest.start()
    vm.access(gva ^ 0x1000)
    return OnePage(vm, gva)


@dataclass(frozen=True)
class CleanPages:
    """A guest with two pages that are writable and not dirty."""

    guest: Builder
    first: int
    second: int

    @property
    def vm(self) -> Vm:
        """The VM of the guest."""
        return self.guest.vm

    def set_dirty(self, gva: int) -> None:
        """Set D in the guest's entry for an address by `poke`: the host doesn't notice."""
        gpa = self.guest.entry_gpa(gva)
        self.vm.poke(gpa, self.vm.peek(gpa, 8) | DIRTY)

    def read(self, *gvas: int) -> None:
        """Let the program read these pages."""
        for gva in gvas:
            self.vm.access(gva, user=True)

    def write(self, gva: int) -> Access:
        """Let the program write to a page."""
        return self.vm.access(gva, user=True, write=True)


def clean_pages(seed: int) -> CleanPages:
    """Make a guest with two clean pages, whose addresses come from the seed."""
    random_ = random.Random(seed)
    guest, gva = Builder("64"), some_address(random_) & ~0x1FF000
    pages = [gva + (number << 12) for number in random_.sample(range(512), 2)]
    for page in pages:
        guest.map(page, flags=FULL & ~DIRTY)
    guest.start()
    return CleanPages(guest, *pages)


def kind_of_page(kind: str) -> OnePage:
    """Return a guest with one page of a kind, and an empty spte for it. For ``kind``, see `guests.GuestTable`."""
    table = GuestTable("64", kind)
    vm, last = table.vm(), table.entry_gpa(table.last)
    vm.access(table.gva)
    vm.emulate_write_gpa(last, vm.peek(last, 8), 8)  # the same value again: the spte is zapped, the links stay
    return OnePage(vm, table.gva)


class Device:
    """A guest whose kernel uses a device: the guest maps its registers, and there is no memory behind them."""

    def __init__(self, seed: int) -> None:
        self.table = GuestTable("64", "device")
        self.vm, self.gva = self.table.vm(), self.table.gva
        self.times = random.Random(seed).randrange(2, 6)

    def read(self, times: int) -> list[Access]:
        """Let the guest's kernel read a register of the device."""
        return [self.vm.access(self.gva) for _ in range(times)]


KERNEL, PROGRAM = "the kernel writes", "the program reads"


@dataclass(frozen=True)
class OldKernel:
    """A guest that runs with CR0.WP clear, and its accesses to a page that user code may only read."""

    vm: Vm
    gva: int
    accesses: tuple[str, ...]

    def one(self, who: str) -> Access:
        """Make one access: `KERNEL` or `PROGRAM`."""
        return self.vm.access(self.gva, write=who == KERNEL, user=who == PROGRAM)

    def both(self) -> list[Access]:
        """Let the program read, and then the kernel write."""
        return [self.one(PROGRAM), self.one(KERNEL)]

    def run(self) -> list[Access]:
        """Make all accesses in their order."""
        return [self.one(who) for who in self.accesses]

    def __repr__(self) -> str:
        return "\n".join(f"{number}. {who}" for number, who in enumerate(self.accesses, 1))


def old_kernel(seed: int, count: int = 6) -> OldKernel:
    """Make a guest with CR0.WP clear from a seed, and ``count`` accesses."""
    random_ = random.Random(seed)
    guest, gva = Builder("64"), some_address(random_)
    guest.map(gva, flags=PRESENT | USER)
    vm = guest.start()
    vm.load_cr0(vm.cpu.cr0 & ~CR0_WP)
    accesses = [KERNEL]
    while changes(accesses) < 2:
        accesses = random_.choices([KERNEL, PROGRAM], k=count)
    return OldKernel(vm, gva, tuple(accesses))


def changes(accesses: Sequence[str]) -> int:
    """Return how many times a list of accesses switches between kernel and program."""
    return sum(one != other for one, other in pairwise(accesses))


# The misconception


@dataclass(frozen=True)
class Comparison:
    """Guest entries and the sptes made from them: what both have, kind by kind, or how many are equal."""

    lines: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join(self.lines)


def looks_copied(name: str) -> Comparison:
    """Let the program of a real guest read all of its pages, and count the sptes that have the flags of the guest's entry."""
    guest = open_guest(name)
    vm, own = guest.vm(), guest.tlb_gva[guest.tlb_flags & 2 != 0].tolist()
    for gva in own:
        vm.access(gva, user=True)
    pairs = [(guest_path(vm, gva).steps[-1].entry, shadow_path(vm, gva).steps[-1].entry) for gva in own]
    same = sum(flags(one) == flags(other) for one, other in pairs)
    writable = sum(bool(one & WRITABLE) for one, _ in pairs)
    clean = sum(bool(one & WRITABLE) and not one & DIRTY for one, _ in pairs)
    return Comparison(
        (
            f"pages that the program has read            {len(pairs)}",
            f"sptes with all flags of the guest's entry  {same}",
            f"guest entries with W                       {writable}",
            f"  of these, not dirty                      {clean}",
        )
    )


KINDS = (
    "all allowed",
    "not dirty",
    "read-only page",
    "supervisor page",
    "upper level read-only",
    "no execution",
    "its own page table",
    "device",
)


def tried(seed: int) -> Comparison:
    """Let the kernel read a page of each kind, in an order that comes from the seed, and list the guest's flags and the spte's.

    The last line is a page that the kernel has written as well.
    """
    kinds = random.Random(seed).sample(KINDS, len(KINDS))
    lines = [f"{'kind of page':<24}{'guest':<10}{'spte':<10}marks"]
    for kind in kinds:
        page = kind_of_page(kind)
        page.vm.access(page.gva)
        lines.append(_compared(kind, page))
    page = kind_of_page("not dirty")
    page.vm.access(page.gva)
    page.vm.access(page.gva, write=True)
    return Comparison((*lines, _compared("not dirty, then written", page)))


def _compared(kind: str, page: OnePage) -> str:
    spte = page.entry()
    marks = "".join(letter if spte & bit else "." for letter, bit in (("W", SHADOW_WRITABLE), ("U", SHADOW_USER)))
    guest = guest_path(page.vm, page.gva).steps[-1].entry
    return f"{kind:<24}{flags(guest):<10}{flags(spte, withheld(1, spte)):<10}{marks}"


# The bug


@dataclass(frozen=True)
class ReadOnlyPage:
    """A guest with a page that nobody may write, and with CR0.WP clear, so that its kernel may nevertheless."""

    vm: Vm
    gva: int

    def write(self) -> Access:
        """Let the guest's kernel write to the page."""
        return self.vm.access(self.gva, write=True)

    def set_wp(self) -> None:
        """Let the guest's kernel set CR0.WP."""
        self.vm.load_cr0(self.vm.cpu.cr0 | CR0_WP)


def read_only_page(seed: int) -> ReadOnlyPage:
    """Make a guest with a read-only page from a seed."""
    guest, gva = Builder("64"), some_address(random.Random(seed))
    guest.map(gva, flags=PRESENT | USER)
    vm = guest.start()
    vm.load_cr0(vm.cpu.cr0 & ~CR0_WP)
    return ReadOnlyPage(vm, gva)


# The questions


def rights_words(spte: int) -> str:
    """Return the rights and the marks of an spte: "U; marked: W U"."""
    have = " ".join(letter for letter, bit in (("W", WRITABLE), ("U", USER)) if spte & bit)
    marks = " ".join(letter for letter, bit in (("W", SHADOW_WRITABLE), ("U", SHADOW_USER)) if spte & bit)
    return f"{have or 'neither'}; marked: {marks or 'neither'}"


def all_rights() -> list[str]:
    """Return all combinations of rights and marks that an spte can have when it is new."""
    found = []
    for user in (0, USER | SHADOW_USER):
        found += [rights_words(user | write) for write in (WRITABLE | SHADOW_WRITABLE, SHADOW_WRITABLE, 0)]
    return found


def allowed(vm: Vm, gva: int) -> str:
    """Return the rights that all guest entries on a path allow, in words."""
    bits = WRITABLE | USER
    for step in guest_path(vm, gva).steps:
        bits &= step.entry
    letters = [letter for letter, bit in (("W", WRITABLE), ("U", USER)) if bits & bit]
    return listed(letters) if letters else "neither W nor U"


@LESSON.question
def new_rights(page: OnePage) -> Steps:
    """The rights and marks of an spte that is made from a path with given rights."""
    yield Ask("Which of W and U does the new spte have, and which are marked?", all_rights(), on=page.vm)
    last = guest_path(page.vm, page.gva).steps[-1].entry
    spte, may = page.entry(), allowed(page.vm, page.gva)
    withheld = bool(spte & SHADOW_WRITABLE and not spte & WRITABLE)
    state = "D is set" if last & DIRTY else "D is clear"
    so = ", so the host keeps W back for the moment" if withheld else ""
    yield Answer(
        rights_words(spte),
        f"the entries on the path together allow {may}; {state}{so}.",
        more="""
        The marks are always the rights that the entries together allow. The new spte has the marked rights, with one
        exception: W can be withheld. When a write faults later, the mark tells the host that W was only withheld.
        """,
    )


@LESSON.question
def dirty_by_hand(pages: CleanPages) -> Steps:
    """The faults of two first writes, one to a page whose D was set before the spte was made, one to a page where after."""
    choices = {(0, 0): "none, for either page", (0, 1): "none for the first, one for the second"}
    choices |= {(1, 0): "one for the first, none for the second", (1, 1): "one for each page"}
    results: list[Access] = yield Ask("How many faults do the two writes cause?", [*choices.values()], on=pages.vm)
    first, second = (result.faults for result in results)
    yield Answer(
        choices[first, second],
        "W was decided when each spte was made, and D was set at that time only in the entry of the first page.",
        more="""
        <!-- slide:
        The host looks at D **when it makes the spte**, and at no other time. The second spte didn't notice the poke.
        -->
        The first spte was made from an entry with D, so W was not withheld. The second spte was made from an entry
        without D, so W was withheld. When D was set later, the host did not notice. So the write faulted, and only then
        the host gave the spte its W.

        A guest's kernel can save this fault: if it maps a page in order to write to it, it sets D itself. Linux does this.
        """,
    )


@LESSON.question
def device_reads(device: Device) -> Steps:
    """The faults of several reads of a device's register."""
    times = device.times
    words = f"The kernel reads the register {times} times. How many faults of the processor is that?"
    results: list[Access] = yield Ask(words, [0, 1, times, times + 1, 2 * times], on=device.vm)
    yield Answer(
        sum(result.faults for result in results),
        "P stays clear, also after the first fault: the processor can never use this spte by itself.",
        more="""
        This is intended. The value of a register isn't in any memory to which an spte could point. A program on the host
        imitates the device, and has to compute the value each time. So the host *wants* each access to fault.

        The first fault is more work than the others, because the host fills the path. At the other faults, `fetch` finds
        the marked entry and makes nothing.
        """,
    )


@LESSON.question
def to_and_fro(old: OldKernel) -> Steps:
    """The faults of a kernel that writes and a program that reads in turns, with CR0.WP clear."""
    results: list[Access] = yield Ask("How many faults do these accesses cause?", [*range(len(old.accesses) + 1)], on=old.vm)
    yield Answer(
        sum(result.faults for result in results),
        "the first access finds no spte. Then the accesses switch between kernel and program "
        f"{plural(changes(old.accesses), 'time')}.",
        more="""
        <!-- slide:
        Each time the accesses switch between kernel and program, the spte changes between `PW.` and `P.U`: a fault each time.
        -->
        While only the kernel or only the program uses the page, there is no fault. When the other one uses the page next,
        the spte has the wrong form, and a fault changes the form. While the kernel may write, the program can't even
        *read*: U is missing, and U is needed for reads and for writes.
        """,
    )


WP_ENDS = {
    ("inject", 1): "the guest gets a page fault",
    ("ok", 0): "it succeeds, and there is no fault",
    ("ok", 1): "it succeeds after one fault",
    ("emul", 1): "the host carries it out for the guest",
}
"""The outcomes of a write to a read-only page."""


@LESSON.question
def after_wp(page: ReadOnlyPage) -> Steps:
    """What happens to a kernel's write to a read-only page after CR0.WP was set."""
    film: Watch = yield Ask("The kernel writes to the page once more. What happens?", [*WP_ENDS.values()])
    result: Access = film.result
    yield Answer(
        WP_ENDS[result.outcome, result.faults],
        "the spte still has the W that the kernel got before, and the host has found the same shadow pages again.",
        more="""
        <!-- slide:
        - CR0.WP clear: the host made an spte with W for the kernel.
        - CR0.WP set: the host looks for a root, and finds the same one.
        - With it, it finds all old sptes.
        -->
        At the load of CR0, the host looked for a root shadow page. It looks for pages by name, and CR0.WP is not part of a
        name. So it found the old root, and below it the old spte.

        For the guest this can be serious. A kernel sets CR0.WP because it *wants* a fault when it writes to a page that
        is read-only. Linux uses this for *copy-on-write*. Several programs share one frame, and each maps it read-only.
        At the first write, a program gets a frame of its own, also if the kernel writes for the program. Without the
        fault, the kernel writes into the shared frame, and all programs see it.
        """,
    )


SUMMARY = Passage(
    """
    <!-- slide:
    - A right is *allowed* if **all** guest entries on the path have it. It is kept in the **marks**, bits 10 and 11.
    - The spte has these rights, but W is **withheld** while D is clear, or the frame is a shadowed page table.
    - No memory: not present, bit 9: each access is emulated.
    - CR0.WP clear: one spte in two forms, a fault at each change.
    -->
    - Links allow everything; rights are enforced by the spte of level 1 alone. A right is **allowed** if *all* guest entries
      on the path have it. The host keeps this in the **marks**, bits 10 and 11 of the spte.
    - The spte gets the rights that are allowed. But **W is withheld while the guest's D is clear**, because the host has to
      set D at the first write. It is also withheld while the frame is a **shadowed page table**, because the host must see
      every write to it.
    - A gfn without memory gets an spte that is **not present and has bit 9 set**. Each access faults and is emulated.
    - With CR0.WP clear, a read-only user page needs two different sptes, but has only one. So the spte changes its form at
      a fault, each time the accesses switch between kernel and program.
    """
)


# The check questions


@LESSON.check
def which_rights(seed: int) -> Steps:
    """The rights and marks of an spte after a read."""
    random_ = random.Random(seed)
    table = GuestTable("64", "all allowed")
    for level in (4, 3, 2, 1):
        for letter in ("W", "U"):
            table.set(level, letter, random_.random() < 0.85)
    table.set(1, "D", random_.random() < 0.6)
    says = "; ".join(f"level {level} {flags(table.entry(level))}" for level in (4, 3, 2, 1))
    yield Ask(
        f"The guest's entries on a path: {says}. The kernel reads there. Which of W and U does the new spte have, and which "
        "are marked?",
        all_rights(),
    )
    vm = table.vm()
    vm.access(table.gva)
    spte = shadow_path(vm, table.gva).steps[-1].entry
    yield Answer(
        rights_words(spte),
        f"all entries together allow {allowed(vm, table.gva)}, and the marks say so. The spte has W only if W is allowed and "
        "D is set.",
    )


@LESSON.check
def first_writes(seed: int) -> Steps:
    """The faults of several programs' pages that are read and then written."""
    random_ = random.Random(seed)
    count = random_.randrange(3, 8)
    clean = random_.randrange(count + 1)
    guest, gva = Builder("64"), some_address(random_) & ~0x1FF000
    pages = [gva + (number << 12) for number in range(count)]
    for number, page in enumerate(pages):
        guest.map(page, flags=FULL & ~DIRTY if number < clean else FULL)
    vm = guest.start()
    yield Ask(
        f"A program may write to {count} pages, all mapped by one page table. For {clean} of them D is clear. The shadow is "
        "empty. The program first reads each page, and then writes to each. How many faults of the processor is that?",
        sorted({count, clean, count + clean, 2 * count, count + clean + 1, 0}),
    )
    before = vm.stats.exits
    for write in (False, True):
        for page in pages:
            vm.access(page, user=True, write=write)
    yield Answer(
        vm.stats.exits - before,
        "one for each page at the read, and one more for each clean page at the write.",
    )


WRITES = {
    ("ok", 0): "it succeeds without a fault",
    ("ok", 1): "a fault; the spte gets W, and the write succeeds",
    ("inject", 1): "a fault; the guest gets it",
    ("emul", 1): "a fault; the host carries the write out in memory",
    ("mmio", 1): "a fault; a device gets the value",
}
"""What can happen to a write, by its outcome and its number of faults."""


@LESSON.check
def what_a_write_does(seed: int) -> Steps:
    """What a write does that finds an spte with given bits."""
    kind = random.Random(seed).choice(["all allowed", "not dirty", "read-only page", "its own page table", "device"])
    page = kind_of_page(kind)
    page.vm.access(page.gva)
    spte, frame = page.entry(), ""
    if kind == "its own page table":
        frame = " It leads to a frame that is a shadowed page table."
    bits = [name for name, mask in FLAGS.items() if spte & mask and name != "PS"]
    bits += [f"bit {bit}" for bit in (9, 10, 11) if spte >> bit & 1]
    yield Ask(
        f"An spte has these bits set: {', '.join(bits)}.{frame} CR0.WP is set, and the guest's kernel writes through it. What "
        "happens?",
        [*WRITES.values()],
    )
    result = page.vm.access(page.gva, write=True)
    why = {
        "all allowed": "P and W are set, so the processor allows it and nobody else is asked.",
        "not dirty": "P is set and W isn't, but bit 10 says that the guest allows writing: W was only withheld.",
        "read-only page": "W and bit 10 are clear: the path doesn't allow writing. So the walk refuses the write, before "
        "anybody looks at the spte.",
        "its own page table": "bit 10 says that the guest allows writing, but no spte may write a shadowed page table.",
        "device": "P is clear and bit 9 is set: there is no memory, so the host emulates each access.",
    }
    yield Answer(WRITES[result.outcome, result.faults], why[kind])


@LESSON.check
def turns(seed: int) -> Steps:
    """The faults of accesses in turns, with CR0.WP clear."""
    old = old_kernel(seed + 1000, random.Random(seed).randrange(4, 9))
    said = ", ".join(old.accesses)
    yield Ask(
        f"CR0.WP is clear, and a page is read-only for user code (guest's entry: P and U). The shadow is empty. The page "
        f"is accessed {len(old.accesses)} times, in this order: {said}. How many faults are there?",
        [*range(len(old.accesses) + 1)],
    )
    yield Answer(
        sum(result.faults for result in old.run()),
        "one for the first access, and one each time the accesses switch between kernel and program, which need two forms.",
    )
