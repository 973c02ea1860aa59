# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 11, large pages, and guests without paging."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ..labs.guests import FULL, Builder
from ..labs.watch import Watch
from ..mmu.bits import CR0_PG, DIRTY, LARGE, PAGE_SHIFT, PRESENT, USER, WRITABLE, flag_names
from ..mmu.cpu import Access
from ..mmu.pool import ShadowPage
from ..mmu.shadow import entries_with
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps

LESSON = Lesson(11, "What does the host shadow where the guest has no table?", 35)

FIRST, SECOND = 0x400, 0x600
"""The gfns of the two large pages of the guests below."""

RIGHTS = (PRESENT | WRITABLE | USER, PRESENT | WRITABLE, PRESENT | USER, PRESENT)
"""The rights that the guest's entry for a large page can have."""

LOW, HIGH = 0, 1 << 30
"""Where the memory of a guest without paging begins: 8 MB at 0, and 8 MB at 1 GB."""

ABSENT = "the guest gets a page fault, as on a real machine"
RUNS = "the code runs"
LOOPS = "the same fault comes again and again"
DIES = "the host crashes"


# The guests, made from the seed


def large_guest(seed: int, flags: int = FULL, mode: str = "64", beside: bool = False) -> tuple[Builder, int]:
    """Return a running guest with one large page, and the address of that page.

    ``beside``: the program has used a page of 4 KiB just below it, so that the upper levels of the shadow are filled.
    """
    guest = Builder(mode)
    gva = 0x40000000 + (Random(seed).randrange(1, 100) * guest.mode.format.large_size)
    guest.map(gva, FIRST, flags, large=True)
    if beside:
        guest.map(gva - 0x1000)
    guest.start()
    if beside:
        guest.vm.access(gva - 0x1000, user=True)
    return guest, gva


def touches(seed: int, page: int, used: int = 0) -> list[int]:
    """Return seven addresses in a large page: some in the same 4 KiB piece, and one in the piece ``used``."""
    random = Random(seed)
    pieces = random.sample(range(1, 512), random.choice((2, 3, 4)))
    chosen = [*pieces, used, *random.choices(pieces, k=6 - len(pieces))]
    random.shuffle(chosen)
    return [page + (piece << PAGE_SHIFT) + random.randrange(4096) for piece in chosen]


def aliases(seed: int, guest: Builder, page: int) -> list[int]:
    """Map the second large page at four more addresses, with rights that the seed chooses. Return the addresses.

    The 2 MB behind the first large page stay empty: there the lesson reads its piece 512, which doesn't exist.
    """
    random = Random(seed)
    kinds = random.sample(RIGHTS, random.choice((2, 3)))
    rights = [*kinds, *random.choices(kinds, k=4 - len(kinds))]
    random.shuffle(rights)
    gvas = [page + (number << 21) for number in range(2, 6)]
    for gva, flags in zip(gvas, rights, strict=True):
        guest.map(gva, SECOND, flags | DIRTY, large=True)
    return gvas


def rights_of(guest: Builder, gvas: Sequence[int]) -> dict[str, str]:
    """Return the rights in the guest's entry for each large page."""
    entries = {gva: guest.vm.peek(guest.entry_gpa(gva, 2)) for gva in gvas}
    return {f"{gva:#x}": flag_names(entry & (PRESENT | WRITABLE | USER)) for gva, entry in entries.items()}


def early_guest(seed: int = 0) -> tuple[Vm, list[int]]:
    """Return a guest that has just started and isn't paging, and five addresses in its memory."""
    random = Random(seed)
    every = [start + (part << 21) for start in (LOW, HIGH) for part in range(4)]
    parts = random.sample(every, random.choice((2, 3, 4)))
    chosen = [*parts, *random.choices(parts, k=5 - len(parts))]
    return Vm([(start >> PAGE_SHIFT, 0x800) for start in (LOW, HIGH)]), [part + random.randrange(1 << 21) for part in chosen]


def program(seed: int, mode: str = "64") -> tuple[Builder, list[int]]:
    """Return a running guest whose program has used some pages of 4 KiB, and their addresses."""
    random = Random(seed)
    guest = Builder(mode, 0x800)
    gvas = [0x40000000 + (part << 21) + (random.randrange(512) << 12) for part in range(random.choice((3, 4, 5)))]
    for gva in gvas:
        guest.map(gva)
    guest.start()
    for gva in gvas:
        guest.vm.access(gva, write=True, user=True)
    return guest, gvas


def flat_addresses(seed: int) -> list[int]:
    """Return three addresses below 8 MB that the guest's kernel reads while paging is off."""
    random = Random(seed)
    parts = random.choice(([0, 1, 1], [2, 2, 2], [0, 1, 2]))
    return [(part << 21) + random.randrange(1 << 21) for part in parts]


# What is measured


def pieces_pages(vm: Vm, gfn: int) -> list[ShadowPage]:
    """Return the shadow pages for the pieces of the large page at gfn."""
    return [page for page in vm.pool.active if page.metaphysical and page.level == 1 and page.gfn == gfn]


def count_entries(vm: Vm) -> dict[str, int]:
    """Return how many faults there were, and how many sptes of level 1 and how many entries with PS there are."""
    values = [(page.level, vm.memory.words[spte]) for page in vm.pool.active for spte in entries_with(vm, page)]
    return {
        "faults": vm.stats.exits,
        "sptes of level 1": sum(level == 1 for level, _ in values),
        "shadow entries with PS": sum(bool(value & LARGE) for _, value in values),
    }


def four_choices(right: int, *others: int) -> list[int]:
    """Return the numbers to choose from, sorted: the right one, the others that differ from it, and more up to four."""
    found = list(dict.fromkeys([right, *others]))
    more = iter(range(right + 1, right + 20))
    while len(found) < 4:
        number = next(more)
        if number not in found:
            found.append(number)
    return sorted(found[:4])


# The questions


@LESSON.question
def pieces(vm: Vm, gvas: list[int]) -> Steps:
    """The faults of some reads in a large page of which one piece has been used."""
    new = len({gva >> PAGE_SHIFT for gva in gvas}) - 1
    before = vm.stats.exits
    yield Ask(
        "The program reads at these seven addresses. How many of the reads fault?", four_choices(new, 1, new + 1, 7), on=vm
    )
    yield Answer(
        vm.stats.exits - before,
        "each piece faults once, at its first use. The other reads are in pieces that have their spte already.",
        more="""
        <!-- slide:
        **A large page is filled lazily, in pieces of 4 KiB.** The shadow page exists after the first fault. Each later fault
        makes one spte in it.
        -->
        The write in the film has already made the shadow page for the pieces. So each of these faults made one spte, and
        nothing else. A guest that uses a large page completely causes **512 faults**, not one.
        """,
    )


@LESSON.question
def aliased(vm: Vm, gvas: list[int]) -> Steps:
    """The shadow pages for one large page that the guest maps with several sets of rights."""
    yield Ask("How many shadow pages does the host use for the pieces of gfn 0x600?", [1, 2, 3, 4], on=vm)
    yield Answer(
        len(pieces_pages(vm, SECOND)),
        "W and U of the guest's entry are in the role. So entries with equal rights share a page, and others do not.",
        more="""
        <!-- slide:
        **The name of such a page is its gfn and its role, and the role contains W and U of the guest's entry.** Shared pages
        save faults: one fault makes a link, and all pieces that were used through the other link are there.
        -->
        Count the different sets of rights in the list: that is the number of shadow pages. Why? An spte contains rights.
        Suppose that one entry of the guest allows writing and another one only reading. Then the same piece needs two sptes
        with different rights. One shadow page has only one spte for each piece, so the host needs two shadow pages.

        Entries with equal rights share one shadow page. Each entry needs its own link to it, which costs one fault. After that,
        the pieces that were used through one of these entries are present through all of them.
        """,
    )


@LESSON.question
def flat(vm: Vm, gvas: list[int]) -> Steps:
    """The new shadow pages after some accesses of a guest without paging."""
    parts = len({gva >> 21 for gva in gvas} - {0})
    giga = len({gva >> 30 for gva in gvas})
    free = len(vm.pool.free)
    choices = four_choices(parts, parts + giga, len(gvas), 1)
    yield Ask("The guest reads at these five addresses. How many new shadow pages does the host take?", choices, on=vm)
    yield Answer(
        free - len(vm.pool.free),
        "one for each 2 MB region that was not used before. The root pages above them were made when the guest started.",
        more="""
        <!-- slide:
        **Without paging, each 2 MB that is used costs one shadow page of level 1.** The four root pages are made at the
        start. Where in a 2 MB region an address is makes no difference.
        -->
        The four root pages are pages of level 2. Each of their entries covers 2 MB and leads to a page of level 1. So the
        number of different 2 MB regions is what counts. (The region at address 0 got its page in the film. An address in it
        needs no new page.)
        """,
    )


@LESSON.question
def off(vm: Vm, gpas: list[int]) -> Steps:
    """The new shadow pages after paging was turned off."""
    regions, free = len({gpa >> 21 for gpa in gpas}), len(vm.pool.free)
    choices = four_choices(regions, regions + 4, regions + 1, 0)
    yield Ask("Paging is turned off, and the kernel reads at three addresses. How many new shadow pages?", choices, on=vm)
    yield Answer(
        free - len(vm.pool.free),
        "one for each 2 MB region. The host looks for four names, and the four roots exist already: this guest began without "
        "paging, too.",
        more="""
        <!-- slide:
        **The four roots of the start are found again.** Their name never changes: gfn 0, level 2, no guest levels, and the
        number of the GB.
        -->
        Every guest starts without paging. So the host made four root pages long before this guest had any table. When the
        guest turned paging on, the host stopped using them, but left them in the hash. Now it looks for the same four
        names and finds them.
        """,
    )


@LESSON.question
def on(vm: Vm, gvas: list[int]) -> Steps:
    """The faults of a program after paging was turned off and on again."""
    count, before = len(gvas), vm.stats.exits
    choices = four_choices(0, 1, count, 2 * count)
    yield Ask("Paging is on again, and the program uses its pages once more. How many accesses fault?", choices, on=vm)
    yield Answer(
        vm.stats.exits - before,
        "all old shadow pages are still in the hash, with their entries. The root is found by its name, and it leads to them.",
        more="""
        <!-- slide:
        **Turning paging off and on costs nothing that was built before.** The number of guest levels in the role keeps the
        pages of both modes apart, and none is zapped.
        -->
        The shadow pages of both modes are in the same pool. The host never takes one for the other, because the role contains
        the number of guest levels: 4 for this guest with paging, 0 without. A switch changes the roots and nothing else.

        To use the old sptes again is right only because this guest did not write to its tables while paging was off. The
        flat map allows writing to every frame, even to one that holds a shadowed table. The host does not notice such a
        write, and keeps the old sptes. This is another bug of 2007. In the museum,
        `exhibit("nonpaging_writes_shadowed_pt")` shows what follows.
        """,
    )


def end_of(fetch: Access) -> str:
    """Return the choice that says how an access ended."""
    return {"inject": ABSENT, "ok": RUNS, "stuck": LOOPS}[fetch.outcome]


@LESSON.question
def set_nx(vm: Vm) -> Steps:
    """What happens if the guest sets NX in the entry of a large page, reads there, and then runs code there."""
    words = "The kernel sets NX, reads in the page, and then jumps there. What happens at the jump?"
    film: Watch = yield Ask(words, [ABSENT, RUNS, LOOPS, DIES], on=vm)
    yield Answer(
        end_of(film.result[-1]),
        "NX isn't in the role. So the read finds the old page again, in which the spte of this piece has no NX.",
        more="""
        <!-- slide:
        The store zaps only the *link*. The page of pieces stays in the hash, and the next fault finds it: **same gfn, same
        W and U, so the same name.** Its sptes say what the guest's entry said before.
        -->
        The host noticed the store, and did what lesson 9 shows: it zapped the spte that was made from the written entry. For a
        large page this spte is only the link. The page of pieces stayed in the hash, with its sptes. At the read, the host
        looked for a page with the same gfn and the same W and U. It found the old page, and made a link to it.

        The same happens with two entries for one large page, one with NX and one without: they share one page of pieces. The
        first use of a piece decides whether its spte has NX.
        """,
    )


@LESSON.question
def clear_nx(vm: Vm) -> Steps:
    """What happens if the guest clears NX in the entry of a large page that it has read, and then runs code there."""
    words = "This time NX was set when the kernel read. The kernel clears NX, and then jumps there. What happens at the jump?"
    result: Access = yield Ask(words, [ABSENT, RUNS, LOOPS, DIES], on=vm)
    yield Answer(
        end_of(result),
        "the guest's tables allow the jump, so the guest gets no fault. But the old spte has NX, and nobody clears it.",
        more="""
        <!-- slide:
        The walk says *allowed*. The spte is present, so fetch changes nothing, and the processor faults once more. **No audit
        notices: frames and counts are right.**
        -->
        The first fault makes the link again. At each later fault, the walk of the guest's tables says that the access is
        allowed. The spte is present, so `fetch` has nothing to make. The host resumes the guest, and the processor faults at
        the same spte. (The kit stops after eight faults. A real guest would hang.) Pieces of this page that had no spte before
        are fine.
        """,
    )


SUMMARY = Passage(
    """
    <!-- slide:
    - An spte always maps **4 KiB**. A large page gets a **metaphysical** shadow page, filled piece by piece.
    - Its name: **gfn, level, quadrant, W and U** of the guest's entry. Not NX, and not D: two bugs of 2007.
    - Without paging: **four roots**, one page of level 1 for each 2 MB, all rights.
    - Paging off and on: **the pages of both modes stay in the hash.**
    -->
    - In Linux 2.6.22 an spte of level 1 always maps **4 KiB**. For a large page there is no guest page table, so the host
      takes a shadow page that shadows none. It is called **metaphysical**. Its entries are made one by one, at the first use
      of each piece.
    - The name of such a page is the gfn of the large page and the role, which contains **W and U** of the guest's entry. A
      large page of 4 MB needs two pages, one for each quadrant. NX and D are not in the name, so old sptes come back.
    - A guest without paging has no table at all. The host maps its memory flat, gva = gpa, below **four root pages**, with
      one page of level 1 for each 2 MB that is used, and with all rights.
    - When paging goes off and on again, the host changes the roots. **The shadow pages of both modes stay in the hash**, and
      the number of guest levels in the role tells them apart.
    """
)


# The check questions


@LESSON.check
def filled(seed: int) -> Steps:
    """The sptes for a large page that the guest reads at two addresses, with equal or with other rights."""
    random = Random(seed)
    guest, page = large_guest(seed)
    rights = [random.choice(RIGHTS)] * 2 if seed % 2 else random.sample(RIGHTS, 2)
    gvas = [page + (number << 21) for number in (2, 3)]
    for gva, flags in zip(gvas, rights, strict=True):
        guest.map(gva, SECOND, flags | DIRTY, large=True)
    *pieces, shared, last = random.sample(range(512), random.choice((3, 4, 5)))
    reads = [random.sample([*pieces, shared, shared], len(pieces) + 2), [shared, last]]
    offsets = [[(piece << PAGE_SHIFT) + random.randrange(4096) for piece in used] for used in reads]
    first, second = (", ".join(f"{offset:#x}" for offset in some) for some in offsets)
    named = " and ".join(words.replace(" ", "") for words in rights_of(guest, gvas).values())
    count = len(pieces) + 2
    yield Ask(
        f"A fresh guest maps the same 2 MB at two addresses, with the rights {named}. The kernel reads at the first address "
        f"(offsets {first}), and then at the second (offsets {second}). How many sptes of level 1 are there then?",
        [2, count, count + 1, count + 2],
    )
    for gva, some in zip(gvas, offsets, strict=True):
        for offset in some:
            guest.vm.access(gva + offset)
    yield Answer(
        sum(len(entries_with(guest.vm, found)) for found in pieces_pages(guest.vm, SECOND)),
        "entries with equal rights share a shadow page, others do not. In each shadow page, each used piece has one spte.",
    )


@LESSON.check
def shared(seed: int) -> Steps:
    """The shadow pages for a large page with several guest entries."""
    guest, page = large_guest(seed)
    gvas = aliases(seed + 1, guest, page)
    flags = ", ".join(words.replace(" ", "") for words in rights_of(guest, gvas).values())
    yield Ask(
        f"Four entries map the same 2 MB. Their rights are {flags}. The kernel reads once through each. "
        "How many shadow pages does the host use for its pieces?",
        [1, 2, 3, 4],
    )
    for gva in gvas:
        guest.vm.access(gva)
    yield Answer(len(pieces_pages(guest.vm, SECOND)), "there is one for each different pair of W and U.")


@LESSON.check
def halves(seed: int) -> Steps:
    """The shadow pages for a large page of 4 MB."""
    random = Random(seed)
    guest, page = large_guest(seed, mode="32 pse")
    offsets = [random.randrange(1 << random.choice((21, 22))) for _ in range(3)]
    listed = ", ".join(f"{offset:#x}" for offset in offsets)
    words = f"A 32-bit guest reads in its page of 4 MB, at offsets {listed}. How many shadow pages of level 1 does this take?"
    yield Ask(words, [0, 1, 2, 3])
    for offset in offsets:
        guest.vm.access(page + offset, user=True)
    yield Answer(
        len(pieces_pages(guest.vm, FIRST)),
        "one shadow page covers 2 MB. Offsets below 0x200000 are in the first half, the others in the second.",
    )


@LESSON.check
def flat_map(seed: int) -> Steps:
    """The shadow pages that a guest without paging takes: from its start on, after some use, or after it was paging."""
    case = seed % 3
    vm, gvas = early_guest(seed + 1)
    if case == 2:
        vm, gvas = program(seed)[0].vm, flat_addresses(seed)
    listed = ", ".join(f"{gva:#x}" for gva in gvas)
    before = gvas[0] ^ 0x100000
    words, why = (
        (
            f"A guest starts without paging and reads at {listed}. How many shadow pages does the host take in all?",
            "four roots, and one page of level 1 for each 2 MB region (address divided by 0x200000).",
        ),
        (
            f"A guest is not paging, and has read only at {before:#x}. Now it reads at {listed}. How many shadow pages does "
            "the host take for these reads?",
            "one of level 1 for each 2 MB region that was not used before (address divided by 0x200000). The roots exist.",
        ),
        (
            f"A 64-bit guest is paging. Then it turns paging off, and reads at {listed}. How many shadow pages does the host "
            "take?",
            "one of level 1 for each 2 MB region (address divided by 0x200000). The four roots are those of the start.",
        ),
    )[case]
    parts = len({gva >> 21 for gva in gvas})
    yield Ask(words, [parts - 1, parts, parts + 3, parts + 4])
    if case == 1:
        vm.access(before)
    free = len(vm.pool.pages) if case == 0 else len(vm.pool.free)
    if case == 2:
        vm.load_cr0(vm.cpu.cr0 & ~CR0_PG)
    for gva in gvas:
        vm.access(gva)
    yield Answer(free - len(vm.pool.free), why)


@LESSON.check
def and_back(seed: int) -> Steps:
    """The faults after paging was turned off and on, with some new pages, and with some stores before or in between."""
    random = Random(seed)
    guest, gvas = program(seed)
    new = [gvas[0] ^ 1 << 12 + bit for bit in range(random.choice((0, 1, 2)))]
    for gva in new:
        guest.map(gva)
    stored = gvas[-random.choice((1, 2)) :]
    case, count, extra = seed % 3, len(gvas), len(new)
    number = "entries of two" if len(stored) > 1 else "entry of one"
    stores = f"the kernel writes the page-table {number} of them again, with the same value{'s' * (len(stored) > 1)}"
    early, meanwhile = (("", "some memory is read"), (f"Then {stores}. ", "some memory is read"), ("", stores))[case]
    more = f" and {extra} more, for the first time" if extra else ""
    yield Ask(
        f"A program has used {count} of its pages. {early}Paging is turned off, {meanwhile}, and paging is turned on again. "
        f"The program then uses the same {count} pages{more}. How many accesses fault?",
        sorted({0, extra, extra + len(stored), count, count + extra}),
    )
    vm = guest.vm
    entries = [guest.entry_gpa(gva) for gva in stored]
    if case == 1:
        for gpa in entries:
            vm.emulate_write_gpa(gpa, vm.peek(gpa), 8)
    vm.load_cr0(vm.cpu.cr0 & ~CR0_PG)
    if case == 2:
        for gpa in entries:
            vm.access(gpa, write=True, value=vm.peek(gpa), size=8)
    else:
        for gpa in flat_addresses(seed):
            vm.access(gpa)
    vm.load_cr0(vm.cpu.cr0 | CR0_PG)
    before = vm.stats.exits
    for gva in (*gvas, *new):
        vm.access(gva, user=True)
    reasons = (
        "the old shadow pages are found with their sptes, so only new pages fault.",
        "each store zapped an spte. The other old sptes are found. New pages fault, too.",
        "without paging, the host does not notice such stores. So all old sptes are found, and only new pages fault.",
    )
    yield Answer(vm.stats.exits - before, reasons[case])
