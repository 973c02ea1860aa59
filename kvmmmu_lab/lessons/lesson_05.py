# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 5, naming shadow pages, and the guests that they are about."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from ..labs.guests import Builder
from ..labs.watch import Watch
from ..mmu.bits import ACCESSED, DIRTY, PAGE_SHIFT, PRESENT, USER, WRITABLE
from ..mmu.pool import ShadowPage
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps

LESSON = Lesson(5, "When may the host reuse a shadow page that it has already made?", 30)

LINK = PRESENT | WRITABLE | USER | ACCESSED
"""The flags of a guest entry that points to a table."""

KERNEL = PRESENT | WRITABLE | ACCESSED | DIRTY
"""The flags of an entry through which the guest's kernel sees its own tables."""


def gva_of(*indices: int) -> int:
    """Return the canonical address with these four indices, from the PML4 down."""
    number = 0
    for index in indices:
        number = number << 9 | index
    number <<= PAGE_SHIFT
    return number | 0xFFFF << 48 if number >> 47 & 1 else number


def pages_of(vm: Vm, *gfns: int) -> list[ShadowPage]:
    """Return the shadow pages of these guest tables, the newest first in each bucket."""
    return [page for gfn in gfns for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical]


def newest(vm: Vm) -> ShadowPage:
    """Return the shadow page that was taken from the pool last."""
    return next(reversed(vm.pool.active))


# A second path to one table


@dataclass(frozen=True)
class TwoPaths:
    """A 64-bit guest in which two addresses lead through different entries to the page table in ``table``."""

    vm: Vm
    first: int
    second: int
    table: int

    def __repr__(self) -> str:
        return f"first address: {self.first:#x}\nsecond address: {self.second:#x}\ntheir page table: gfn {self.table:#x}"


def two_paths(seed: int) -> TwoPaths:
    """Return a guest with two paths to one page table. They part in the PML4, the PDPT or the PD, as the seed decides."""
    rng, guest = random.Random(f"paths {seed}"), Builder("64")
    one = [rng.randrange(1, 255) for _ in range(4)]
    other = [*one]
    other[rng.randrange(3)] += 1
    first, second = gva_of(*one), gva_of(*other)
    guest.map(first)
    guest.map(second)
    guest.vm.poke(guest.entry_gpa(second, 2), guest.vm.peek(guest.entry_gpa(first, 2)))
    return TwoPaths(guest.start(), first, second, guest.table(first))


@LESSON.question
def second_path(vm: Vm) -> Steps:
    """The shadow pages that the first access through a second path takes."""
    free = len(vm.pool.free)
    yield Ask("How many shadow pages does the access to the second address take from the pool?", [0, 1, 2, 3], on=vm)
    yield Answer(
        free - len(vm.pool.free),
        "a guest table that only the new path uses needs a new shadow page. The page table of both paths has one already.",
        more="""
        <!-- slide:
        The host looks for a shadow page of the same guest table before it takes a new one. If it finds one, it only adds
        a link to it.
        -->
        In the film, the last link leads to a page that existed already: the shadow of the shared page table. The spte in
        it existed, too. So after this link, nothing was left to make.

        So the host first looks for a page that it has made earlier. For this, each shadow page needs a name.
        """,
    )


# The role word

TABLES = {4: "PML4", 3: "PDPT", 2: "page directory", 1: "page table"}


@dataclass(frozen=True)
class NextPage:
    """A guest that is about to use a table for the first time. Its ``vm`` makes the shadow page in an access to ``gva``."""

    vm: Vm
    gva: int
    level: int
    words: str

    def __repr__(self) -> str:
        return self.words


def next_page(seed: int) -> NextPage:
    """Return a guest, 64-bit or PAE, whose next access needs one new shadow page of a certain level."""
    rng = random.Random(f"role {seed}")
    mode, level = rng.choice([("64", 1), ("64", 2), ("64", 3), ("pae", 1)])
    guest = Builder(mode)
    one = [1, *(rng.randrange(1, 200) for _ in range(3))]
    other = [*one]
    other[3 - level] += 1
    first, second = (gva_of(*indices) if mode == "64" else gva_of(0, *indices[1:]) & 0xFFFFFFFF for indices in (one, other))
    guest.map(first)
    guest.map(second)
    vm = guest.start()
    if level > 1:  # the tables below have been used before, under another entry
        below = guest.vm.peek(guest.entry_gpa(first, level))
        guest.vm.poke(guest.entry_gpa(second, level), below)
    vm.access(first)
    title = "a 64-bit guest, with four levels" if mode == "64" else "a PAE guest, with three levels"
    words = f"{title}; its next access needs the shadow page of a {TABLES[level]} (level {level})"
    return NextPage(vm, second, level, words)


@LESSON.question
def role_word(case: NextPage) -> Steps:
    """The role word of the next shadow page."""
    vm, level = case.vm, case.level
    levels = vm.root_level
    words = [levels | level << 4, level | levels << 4, levels | level << 8, level << 4]
    words += [levels | level + 1 << 4] * (words[0] == words[1])
    choices = [f"{word:#x}" for word in dict.fromkeys(sorted(words))]
    yield Ask(f"{case.words[0].upper()}{case.words[1:]}. What is the role word of this page?", choices, on=vm)
    yield Answer(
        f"{newest(vm).role:#x}",
        "the guest's number of levels is in bits 0-3, so it is the last hexadecimal digit. The page's level is the one before.",
        more="""
        <!-- slide:
        The last hexadecimal digit of a role is the guest's number of levels, the digit before it the level of the page.
        -->
        In these guests all other parts are 0, so the role has two hexadecimal digits: the last one is the guest's number of
        levels, and the one before it is the level of the page.
        """,
    )


# One bucket


@dataclass(frozen=True)
class FullBucket:
    """A guest that has used several page tables, three of them with gfns that are equal modulo 256.

    ``used``: their gfns in the order of use. ``wanted``: the page for which the host will look.
    """

    vm: Vm
    used: tuple[int, ...]
    wanted: ShadowPage

    def __repr__(self) -> str:
        order = ", ".join(f"{gfn:#x}" for gfn in self.used)
        return f"page tables, in the order of their first use: gfn {order}\nthe host looks for gfn {self.wanted.gfn:#x}"


def full_bucket(seed: int) -> FullBucket:
    """Return a guest whose page tables stand in gfns that the seed decides, three of them in one bucket."""
    rng, guest = random.Random(f"bucket {seed}"), Builder("64", frames=0x400)
    low, other = rng.sample(range(0x40, 0xF0), 2)
    gfns = [low, low + 0x100, low + 0x200, other]
    rng.shuffle(gfns)
    for number, gfn in enumerate(gfns):
        gva = 0x200000 * number
        guest.map(gva)
        guest.vm.poke(guest.entry_gpa(gva, 2), gfn << PAGE_SHIFT | LINK)
        guest.map(gva)
    vm = guest.start()
    for number in range(len(gfns)):
        vm.access(0x200000 * number)
    wanted = rng.choice([gfn for gfn in gfns if gfn != other])
    return FullBucket(vm, tuple(gfns), pages_of(vm, wanted)[0])


@LESSON.question
def lookup(case: FullBucket) -> Steps:
    """The number of pages that a lookup compares."""
    words = f"The host looks for the page of gfn {case.wanted.gfn:#x}. With how many pages does it compare the name?"
    yield Ask(words, [1, 2, 3, 4])
    yield Answer(
        case.vm.pool.bucket(case.wanted.gfn).index(case.wanted) + 1,
        "three of the four gfns are equal modulo 256. In their bucket the newest is first, and the search ends at a match.",
        more="""
        <!-- slide:
        One bucket holds all tables whose gfns have the same last two hexadecimal digits. The gfn in the name tells them
        apart.
        -->
        The last two hexadecimal digits of a gfn are the gfn modulo 256. They are the same for three of the four tables, so
        the pages of these three share a bucket. The search skips the pages whose gfn is not the wanted one.
        """,
    )


# A table that points to itself


@dataclass(frozen=True)
class SelfMap:
    """A 64-bit guest whose PML4, in ``root``, has an entry that points to the PML4 itself.

    ``gva``: an address whose first ``times`` indices select this entry.
    """

    vm: Vm
    root: int
    slot: int
    times: int
    gva: int

    def __repr__(self) -> str:
        indices = [self.gva >> shift & 511 for shift in (39, 30, 21, 12)]
        return f"entry {self.slot} of the PML4 in gfn {self.root:#x} points to gfn {self.root:#x}\n{self.gva:#x} = {indices}"


def self_map(seed: int, times: int | None = None) -> SelfMap:
    """Return a guest with a PML4 that points to itself. ``times``: see `SelfMap`; by default, the seed decides."""
    rng, guest = random.Random(f"self {seed}"), Builder("64")
    slot, chosen = rng.randrange(256, 511), rng.randint(1, 3)
    times = chosen if times is None else times
    path = [rng.randrange(1, 200) for _ in range(4)]
    guest.map(gva_of(*path))
    guest.vm.poke(guest.root << PAGE_SHIFT | 8 * slot, guest.root << PAGE_SHIFT | KERNEL)
    return SelfMap(guest.start(), guest.root, slot, times, gva_of(*[slot] * times, *path[: 4 - times]))


@LESSON.question
def own_levels(case: SelfMap) -> Steps:
    """The shadow pages of a PML4 that an address uses several times."""
    yield Ask("How many shadow pages does the frame of the PML4 have after the access?", [1, 2, 3, 4], on=case.vm)
    yield Answer(
        len(pages_of(case.vm, case.root)),
        "one as the root, and one for each further level at which the walk uses the frame. The level is a part of the role.",
        more="""
        <!-- slide:
        One guest table at four levels needs four shadow pages: an entry of a PML4 leads to a shadow page, and the same entry,
        read as the entry of a page table, leads to a frame.
        -->
        Why is one shadow page not enough for all levels? The guest's table is the same, but its entries have another
        meaning at each level. In a PML4, the special entry leads to a PDPT, so the shadow needs a link to a shadow page of
        level 3. In a page table, the same entry leads to a page of memory, so the shadow needs the number of a frame. One
        shadow entry cannot be both.
        """,
    )


# Quadrants


@dataclass(frozen=True)
class Touched:
    """A 32-bit guest, and the addresses that it is going to read."""

    guest: Builder
    gvas: tuple[int, ...]

    def __repr__(self) -> str:
        return "the guest will read " + ", ".join(f"{gva:#x}" for gva in self.gvas)


def touched(seed: int) -> Touched:
    """Return a 32-bit guest with addresses in two page tables: all four in one half, or in several."""
    rng, guest = random.Random(f"quadrants {seed}"), Builder("32")
    directory = rng.randrange(1, 1000)
    halves = rng.choice([(0, 0, 1, 2), (0, 1, 1, 2), (0, 0, 0, 1), (0, 1, 2, 3), (0, 2, 2, 2)])
    gvas = [(directory * 2 + half << 21) + 0x1000 * rng.randrange(1, 500) for half in halves]
    gvas = list(dict.fromkeys(gvas))
    rng.shuffle(gvas)
    for gva in gvas:
        guest.map(gva)
    guest.start()
    return Touched(guest, tuple(gvas))


@LESSON.question
def halves(case: Touched) -> Steps:
    """The shadow pages that reads in a 32-bit guest take."""
    vm = case.guest.vm
    free = len(vm.pool.free)
    yield Ask("How many shadow pages do these reads take from the pool?", [1, 2, 3, 4, 5], on=vm)
    yield Answer(
        free - len(vm.pool.free),
        "each 2 MiB that the guest touches needs its own page. The four pages of the directory existed already.",
        more="""
        <!-- slide:
        A guest's page table covers 4 MiB, a shadow page of level 1 covers 2 MiB. Only the halves that are used get a page.
        -->
        Divide each address by 2 MiB (`gva >> 21`). Addresses with the same result share a shadow page. Only the halves of a
        page table that are used get one. The directory is different: when the guest loads CR3, the host makes all four
        pages of it.
        """,
    )


@dataclass(frozen=True)
class Window:
    """A guest whose tables appear in a window of its own address space. ``tables``: the gfns of its directories."""

    vm: Vm
    tables: tuple[int, ...]
    gvas: tuple[int, ...]

    def __repr__(self) -> str:
        gfns, gvas = (", ".join(f"{number:#x}" for number in numbers) for numbers in (self.tables, self.gvas))
        return f"directories: gfn {gfns}\nthe guest will read {gvas}"


def window_32(seed: int) -> Window:
    """Return a 32-bit guest whose directory has itself as its last page table, and addresses in that window."""
    rng, guest = random.Random(f"window {seed}"), Builder("32")
    halves = rng.choice([(0,), (1,), (0, 1), (1, 0)])
    entries = [512 * half + rng.randrange(1, 500) for half in halves]
    for entry in entries:
        guest.map(entry << 22)
    guest.vm.poke(guest.root << PAGE_SHIFT | 4 * 1023, guest.root << PAGE_SHIFT | KERNEL, 4)
    return Window(guest.start(), (guest.root,), tuple(0xFFC00000 + (entry << PAGE_SHIFT) for entry in entries))


def window_pae(seed: int) -> Window:
    """Return a PAE guest whose last directory has all four directories as page tables, and addresses in that window."""
    rng, guest = random.Random(f"window pae {seed}"), Builder("pae")
    tables = tuple(guest.vm.peek(guest.root << PAGE_SHIFT | 8 * number) >> PAGE_SHIFT for number in range(4))
    chosen = sorted(rng.sample(range(4), rng.randint(1, 3)))
    places = [(number, rng.randrange(1, 500)) for number in chosen]
    for number, entry in places:
        guest.map((number << 30) + (entry << 21))
    for number, gfn in enumerate(tables):
        guest.vm.poke(tables[3] << PAGE_SHIFT | 8 * (508 + number), gfn << PAGE_SHIFT | KERNEL)
    gvas = tuple(0xFF800000 + (number << 21) + (entry << PAGE_SHIFT) for number, entry in places)
    return Window(guest.start(), tables, gvas)


@LESSON.question
def own_directory(case: Window) -> Steps:
    """The shadow pages of a 32-bit directory that is also a page table."""
    yield Ask("How many shadow pages does the frame of the directory have after these reads?", [1, 2, 4, 5, 6, 8], on=case.vm)
    yield Answer(
        len(pages_of(case.vm, *case.tables)),
        "four as a directory, one for each GiB; and as a page table, one for each half that the guest has read.",
        more="""
        <!-- slide:
        Four shadow pages of level 2 and up to two of level 1, all of one frame. They differ in level and quadrant.
        -->
        In a 32-bit guest, one frame can have at most six shadow pages: four of level 2 and two of level 1. All of them are
        in one bucket.
        """,
    )


@LESSON.question
def own_directories(case: Window) -> Steps:
    """The shadow pages of the four directories of a PAE guest, some of which are also page tables."""
    yield Ask("How many shadow pages do the four directories have together after these reads?", [4, 5, 6, 7, 8, 16], on=case.vm)
    yield Answer(
        len(pages_of(case.vm, *case.tables)),
        "each directory has one page as a directory, and one more if it was used as a page table. There are no quadrants.",
        more="""
        <!-- slide:
        The entries of a PAE guest have 8 bytes, as those of the shadow have: the quadrant is always 0.
        -->
        In a PAE guest, a guest table and a shadow page both have 512 entries of 8 bytes. So no table is divided, and only
        the level tells the pages of one frame apart.
        """,
    )


# A large page

LARGE = 0x400
"""The first gfn of the large page."""


def large_page(seed: int) -> Vm:
    """Return a guest that has read one large page through two entries: the first allows writing, the second does not."""
    guest, first = Builder("64"), random.Random(f"large {seed}").randrange(1, 500) << 21
    guest.map(first, LARGE, LINK | DIRTY, large=True)
    guest.map(first + 0x200000, LARGE, LINK & ~WRITABLE | DIRTY, large=True)
    vm = guest.start()
    for gva in (first, first + 0x200000):
        vm.access(gva, user=True)
    return vm


# A real guest


@dataclass(frozen=True)
class Census:
    """How many guest tables are shadowed, and by how many shadow pages. ``tables[n]``: the number of tables with n pages."""

    tables: Counter[int]
    pages: int

    def __repr__(self) -> str:
        counts = [f"{number} {'has' if number == 1 else 'have'} {count}" for count, number in sorted(self.tables.items())]
        return f"{self.tables.total()} guest tables have {self.pages} shadow pages: {', '.join(counts)}"


def census(vm: Vm) -> Census:
    """Count the shadow pages of each guest table."""
    counts = Counter(page.gfn for page in vm.pool.active if not page.metaphysical)
    return Census(Counter(counts.values()), counts.total())


# What the name leaves out


@dataclass(frozen=True)
class WeakPath:
    """A 64-bit guest with one page table under two entries: user code may write at ``strong``, and only read at ``weak``."""

    vm: Vm
    strong: int
    weak: int

    def __repr__(self) -> str:
        return f"PD entry without W: {self.weak:#x}\nPD entry with W: {self.strong:#x}"


def weak_path(seed: int) -> WeakPath:
    """Return a guest with a strong and a weak path to the same page."""
    rng, guest = random.Random(f"weak {seed}"), Builder("64")
    path = [rng.randrange(1, 255) for _ in range(4)]
    strong = gva_of(*path)
    weak = strong + 0x200000
    guest.map(strong)
    guest.map(weak)
    table = guest.table(strong)
    guest.vm.poke(guest.entry_gpa(weak, 2), table << PAGE_SHIFT | LINK & ~WRITABLE)
    return WeakPath(guest.start(), strong, weak)


@LESSON.question
def forbidden_write(case: WeakPath) -> Steps:
    """What a write does that the guest's own tables forbid."""
    choices = ["the guest gets a page fault", "the byte is written", "the host crashes"]
    film: Watch = yield Ask("The program writes through the weak path. What happens?", choices)
    outcome = "crash" if film.error else film.result.outcome
    yield Answer(
        {"inject": choices[0], "ok": choices[1]}.get(outcome, choices[2]),
        "both paths share one shadow page, whose spte has the W of the strong path. Links always have W, so nothing stops it.",
        more="""
        <!-- slide:
        Rights inherited from upper levels are not in the role. Two paths with different rights share one shadow page, and
        the path that comes first decides the rights of both.
        -->
        A real processor would have refused the write: the directory's entry on the weak path has no W. The host also
        follows this rule when it makes an spte: the spte gets only the rights that *all* guest entries of the path grant.
        But the host made this spte for the strong path, and the name of its shadow page does not say so. For the weak path
        the host looked for a page with the same name, and found this one.

        So the program can write where its kernel does not allow it.
        """,
    )


SUMMARY = Passage(
    """
    <!-- slide:
    - **The name of a shadow page is its gfn and its role**: guest levels, level, quadrant, metaphysical, access of a large
      page.
    - The name is looked up in the bucket **gfn modulo 256**. A page with the same name is **used again**.
    - One guest table can need several pages: **one per level, and one per quadrant** in a 32-bit guest.
    - **Rights of upper levels are missing** in the role of 2007.
    -->
    - **The name of a shadow page is its gfn and its role.** The role has five parts: the guest's number of levels, the
      level of the page, the quadrant, the metaphysical bit, and the access rights of a large page.
    - Before the host takes a new page, it looks for the name in **bucket gfn modulo 256**. A page with this name is **used
      again**, whichever address or program the fault came from.
    - One guest table can need **several pages: one for each level** at which it is used. In a 32-bit guest it can need **one
      for each quadrant**: up to two for a page table, and four for a directory. And several programs can share one page.
    - **The rights of upper levels are not in the role.** In 2007 this gave a program rights that its kernel did not allow.
    """
)


# Check questions


@LESSON.check
def role_of_address(seed: int) -> Steps:
    """The role of the shadow page of level 1 for an address of a 32-bit guest."""
    rng, guest = random.Random(f"check role {seed}"), Builder("32")
    gva = rng.randrange(1, 1 << 10) << 21 | rng.randrange(1, 500) << PAGE_SHIFT
    guest.map(gva)
    vm = guest.start()
    choices = ["0x12", "0x21", "0x112", "0x121", "0x212"]
    yield Ask(f"A 32-bit guest reads {gva:#x}. What is the role of the shadow page of level 1?", choices)
    vm.access(gva)
    yield Answer(
        f"{newest(vm).role:#x}",
        f"2 guest levels, level 1, and quadrant {newest(vm).quadrant}: bit 21 of the address names the half of the page table.",
    )


@LESSON.check
def same_bucket(seed: int) -> Steps:
    """The gfn whose pages are in the same bucket as those of another."""
    rng = random.Random(f"check bucket {seed}")
    gfn = rng.randrange(0x1000, 0x10000)
    others = [gfn ^ 0x1 << rng.randrange(4), gfn + 0x100 * rng.randrange(1, 15), gfn ^ 0x10 << rng.randrange(3), gfn ^ 0x80]
    rng.shuffle(others)
    vm = Vm()
    words = f"Which of these tables has its shadow pages in the same bucket as gfn {gfn:#x}?"
    yield Ask(words, [f"{one:#x}" for one in others])
    (match,) = [one for one in others if vm.pool.bucket(one) is vm.pool.bucket(gfn)]
    yield Answer(f"{match:#x}", "the bucket is the gfn modulo 256, which is the last two hexadecimal digits.")


@LESSON.check
def reads_in_a_32_bit_guest(seed: int) -> Steps:
    """The shadow pages that reads take in a 32-bit guest."""
    case = touched(seed + 1000)
    vm, free = case.guest.vm, len(case.guest.vm.pool.free)
    gvas = ", ".join(f"{gva:#x}" for gva in case.gvas)
    yield Ask(
        f"A 32-bit guest has turned paging on. Now it reads {gvas}. How many new shadow pages are made?", [0, 1, 2, 3, 4, 5]
    )
    for gva in case.gvas:
        vm.access(gva)
    yield Answer(free - len(vm.pool.free), "count the different values of gva >> 21, the 2 MiB pieces that are touched.")


@LESSON.check
def used_again(seed: int) -> Steps:
    """Which of the pages exist already."""
    rng, guest = random.Random(f"check again {seed}"), Builder("64")
    slot = rng.randrange(256, 511)
    one = [rng.randrange(1, 200) for _ in range(4)]
    first, second = gva_of(*one), gva_of(one[0], one[1], one[2] + 1, one[3])
    guest.map(first)
    guest.map(second)
    guest.vm.poke(guest.root << PAGE_SHIFT | 8 * slot, guest.root << PAGE_SHIFT | KERNEL)
    link = guest.vm.peek(guest.entry_gpa(first, 2))
    cases = {
        "reads another page through the same page table": first ^ 0x1000,
        "reads at an address with another page directory entry, which points to the same page table": second,
        "reads at an address that uses another entry of the same page directory, which leads to another page table": second,
        f"reads its PDPT as a page, through PML4 entry {slot}, which points to the PML4": gva_of(slot, slot, slot, one[0]),
    }
    words = rng.choice(list(cases))
    gva = cases[words]
    if gva == first ^ 0x1000:
        guest.map(gva)
    elif "the same page table" in words:
        guest.vm.poke(guest.entry_gpa(second, 2), link)
    vm = guest.start()
    vm.access(first)
    free = len(vm.pool.free)
    yield Ask(f"A 64-bit guest has read one page. Then it {words}. How many new shadow pages are made?", [0, 1, 2, 3])
    vm.access(gva)
    yield Answer(
        free - len(vm.pool.free), "count the guest tables on the path that have no shadow page of the same gfn and role yet."
    )
