# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 13, the pool of shadow pages, and the program that fills it."""

from __future__ import annotations

import random

from ..errors import HostCrash
from ..labs.guests import ALL, Builder
from ..mmu.bits import ACCESSED, CR0_PG, PAGE_SHIFT
from ..mmu.caches import CAPACITY
from ..mmu.pool import MIN_FREE, NUM_PAGES, REFILL, ShadowPage
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps

LESSON = Lesson(13, "Which shadow page goes first when the pool is used up?", 30)

REGION = 21
"""A region is 2 MB of addresses: one page table maps it, so one level-1 shadow page is enough for it."""

MANY = 340
"""The number of regions that the program can read."""

FIRST = 40
"""The number of regions that the program has read when the lesson begins, at least."""


class Program:
    """A 64-bit guest with one program, which reads a byte in one region of 2 MB after the other. ``vm`` is its VM.

    The seed decides in which gigabytes the regions are, and how many have been read before. ``gvas`` has one address in each
    region, in the order in which they are read; ``done`` counts the regions that were read.
    """

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.guest = Builder("64", 0x400)
        self.done = 0
        self.data = self.guest.frame()
        gigabytes = sorted(chance.sample(range(1, 500), chance.randint(1, 3)))
        within = [chance.sample(range(512), MANY) for _ in gigabytes]
        # One region in each gigabyte first, so that the page directories are among the oldest shadow pages
        self.gvas = [gigabytes[at % len(gigabytes)] << 30 | within[at % len(gigabytes)][at] << REGION for at in range(MANY)]
        for gva in self.gvas:
            self.guest.map(gva, self.data, ALL | ACCESSED)
        self.vm: Vm = self.guest.start()
        self.read(FIRST + chance.randrange(100))

    def __repr__(self) -> str:
        return f"A program that has read {self.done} regions. {len(self.vm.pool.free)} of {NUM_PAGES} shadow pages are free."

    def read(self, count: int = 1) -> None:
        """Read the next regions."""
        for _ in range(count):
            self.vm.access(self.gvas[self.done], user=True)
            self.done += 1

    def read_until(self, free: int) -> None:
        """Read on until this many pages are free, or fewer."""
        while len(self.vm.pool.free) > free:
            self.read()

    def read_on(self) -> int:
        """Read on until a read makes the host evict pages. Return the number of that read, counted from 1."""
        before, number = self.vm.stats.zapped, 0
        while self.vm.stats.zapped == before:
            self.read()
            number += 1
        return number

    def read_again(self) -> int:
        """Read all regions that were read before, except the last one, once more. Return how many of these reads fault."""
        return sum(self.faults(region) for region in range(self.done - 1))

    def faults(self, region: int) -> int:
        """Read a region that was read before. Return the number of faults."""
        return self.vm.access(self.gvas[region], user=True).faults

    def page(self, region: int) -> ShadowPage | None:
        """Return the shadow page of a region's page table, or None if it isn't in the pool."""
        return self.vm.pool.lookup(self.guest.table(self.gvas[region]))

    def place(self, region: int) -> int:
        """Return the place of a region's page on the belt, counted from the tail, from 1; 0 if it isn't there."""
        page = self.page(region)
        return 0 if page is None else list(self.vm.pool.active).index(page) + 1

    def region_at(self, place: int) -> int:
        """Return the region whose page is at this place of the belt. It must be the page of a region."""
        page = list(self.vm.pool.active)[place - 1]
        return next(region for region in range(self.done) if self.page(region) is page)


def short_of_pages(seed: int, free: int, evicted: bool = False) -> Program:
    """Return a program that has left exactly this many pages free, 2 at least.

    ``evicted``: whether pages were evicted before.
    """
    program = Program(seed)
    if evicted:
        program.read_on()
    # Fewer than 4 are left only by a read that takes several pages at once: two in a new gigabyte, three in a new 512 GB
    several = {2: 1 << 39, 3: 511 << 30}.get(free)
    program.read_until(MIN_FREE if several else free)
    if several:
        program.guest.map(several, program.data, ALL | ACCESSED)
        program.vm.access(several, user=True)
    return program


def paging_off(vm: Vm) -> bool:
    """Turn paging off, as the guest does: it clears PG in CR0."""
    return vm.load_cr0(vm.cpu.cr0 & ~CR0_PG)


def two_regions(program: Program, seed: int) -> tuple[int, int]:
    """Return two regions whose pages are on the belt: one near the tail, and one further from it."""
    chance = random.Random(seed)
    return program.region_at(chance.randint(1, REFILL - MIN_FREE)), program.region_at(chance.randint(50, 150))


def many_addresses(seed: int) -> tuple[Vm, list[int]]:
    """Return a guest that maps one frame at several addresses of one page table, and these addresses."""
    guest = Builder()
    gvas = [number << 12 for number in range(1, random.Random(seed).randint(6, 60))]
    frame = guest.map(gvas[0])
    for gva in gvas[1:]:
        guest.map(gva, frame)
    return guest.start(), gvas


@LESSON.question
def first_to_evict(program: Program) -> Steps:
    """The first read that evicts pages."""
    free = len(program.vm.pool.free)
    choices = [f"read {number}" for number in (free - REFILL + 2, free - MIN_FREE + 1, free - MIN_FREE + 2, free + 1)]
    number = yield Ask(
        f"{free} pages are free, and each further read takes one page. The next read is read 1. Which read is the first that "
        "makes the host evict?",
        choices,
        on=program.vm,
    )
    yield Answer(
        f"read {number}",
        f"read {number - 1} began with {MIN_FREE} free pages and took one; nothing was evicted. Read {number} began with "
        f"{MIN_FREE - 1}. The host counts when a fault begins, not when a page is taken.",
        more=f"""
        <!-- slide:
        **Fewer than {MIN_FREE} free when a fault begins: zap from the tail until {REFILL} are free.**

        A fault takes three pages at most, a load of CR3 four. So neither finds the pool empty on its way.
        -->
        Why {MIN_FREE}? The functions that take pages do not check whether they got one. So there must be enough from the
        beginning. A fault takes at most three pages, one for each level below the root. A load of CR3 takes at most four
        roots. So four free pages would be enough, and {MIN_FREE} are on the safe side.

        Why {REFILL}? If the host freed only one page, it would have to evict again at the next fault. If it freed far
        more, it would lose pages that are still needed, and each of them costs faults later.
        """,
    )


@LESSON.question
def free_after(program: Program) -> Steps:
    """The number of free pages after a read that evicts."""
    free = len(program.vm.pool.free)
    yield Ask(
        f"{free} pages are free. The program reads a byte in a new region. How many pages are free when the read is done?",
        sorted({free - 1, REFILL - 4, REFILL - 3, REFILL - 1, REFILL}),
        on=program.vm,
    )
    now = len(program.vm.pool.free)
    evicted = program.vm.stats.evicted
    yield Answer(
        now,
        f"eviction stops at {REFILL} free pages, and then the read takes {REFILL - now}: one for its page table, and one each "
        "for the PDPT and the page directory above it. The old pages for these two were among those evicted.",
        more=f"""
        <!-- slide:
        {evicted + 1} pages were zapped, and {evicted} freed. **The root was not freed**: it is in use, so it was emptied and
        moved to the head.

        It does not count as free, so one more page had to go.
        -->
        In this film {evicted + 1} pages were zapped, and {evicted} of them were freed ({free} + {evicted} = {free + evicted}).
        The other one is **the root in use, at place 5**. The host cannot free it, because the processor's own CR3 leads to
        it. So the host emptied it and moved it to the head (`mmu.c:695`). As the number of free pages did not grow, one more
        page had to go.

        Look once more at the oldest pages. After the four roots from before paging and the root in use came the PDPT and the
        page directories, which were taken for the very first reads. A shadow page is always taken before the pages below it.
        So **until the first eviction, the top of the tree is its oldest part**, and the first eviction takes it.
        """,
    )


@LESSON.question
def faults_again(program: Program) -> Steps:
    """The number of faults when all regions are read again after an eviction."""
    vm, before = program.vm, program.done - 1
    regions = sum(program.page(region) is not None for region in range(before))
    free = len(vm.pool.free)
    faults = yield Ask(
        f"The program reads its first {before} regions again. For {regions} of them, the shadow page of the page table is "
        "still on the belt. How many of the reads fault?",
        sorted({0, before - regions, regions, before}),
        on=vm,
    )
    taken = free - len(vm.pool.free)
    tables = before - regions
    directories = taken - tables
    also = f", and {directories} for {'a page directory' if directories == 1 else 'page directories'}" if directories else ""
    yield Answer(
        faults,
        "the root was emptied, and the pages for the PDPT and the directories were zapped. So no path led to the pages below, "
        "and each region needed one fault to get its link back.",
        more=f"""
        <!-- slide:
        {faults} faults, but only **{taken} pages taken**: a page without parents stays in the hash, is found there, and gets
        its link back with all its entries.
        -->
        But these {faults} faults took only **{taken} pages**: {tables} for page tables whose shadow pages had left the
        belt{also}. When a page is zapped, the pages below it stay in the hash and on the belt, with all their entries. A
        later fault finds such a page, and only sets the link to it. So the loss of a page at the top costs many faults, but
        cheap ones.
        """,
    )


@LESSON.question
def still_there(program: Program, busy: int, idle: int) -> Steps:
    """Which of two regions answers without a fault after an eviction: the one in use, or the one whose page is younger."""
    names, free = [f"region {busy}", f"region {idle}"], len(program.vm.pool.free)
    choices = ["both of them", f"only {names[0]}", f"only {names[1]}", "neither of them"]
    faults = yield Ask(
        f"The program has just read {names[0]} a hundred times, and {free} pages are free. Then it reads new regions "
        f"until the host evicts. Which of {names[0]} and {names[1]} can it read without a fault after that?",
        choices,
        on=program.vm,
    )
    first, second = (not count for count in faults)
    yield Answer(
        choices[0 if first and second else 1 if first else 2 if second else 3],
        f"the page of {names[0]} was older, so it was evicted. The processor did the hundred reads alone: the host did not see "
        "them, and the page kept its place.",
        more="""
        <!-- slide:
        The host sees faults, not reads. **The belt knows when a page was taken, never when it was used.**
        -->
        The hundred reads went through the shadow without a fault. That is what the shadow is for. But it also means that
        the host knows nothing of them. The host could find out that a page is in use: the processor sets the accessed bit in
        each spte that it uses. The kernel of 2007 does not look at these bits.
        """,
    )


@LESSON.question
def descriptors_left(machine: Vm, gvas: list[int]) -> Steps:
    """The objects left in the cache of descriptors after a frame was written through several addresses."""
    count, needed = len(gvas), -(-len(gvas) // 4)
    yield Ask(
        f"Both caches hold {CAPACITY} objects. The program writes to one frame through {count} addresses, one after the other, "
        "and a descriptor has places for four entries. How many rmap descriptors are in the cache then?",
        sorted({CAPACITY - count % CAPACITY, CAPACITY - needed, CAPACITY - needed - 1, CAPACITY}),
        on=machine,
    )
    left = machine.caches.rmap_desc.free
    yield Answer(
        left,
        f"{count} entries need {CAPACITY - left} descriptors. When each fault began, at least one descriptor was in the cache. "
        "So the cache was never filled up.",
        more="""
        <!-- slide:
        A fault fills a cache only if it holds less than its minimum: **1 descriptor, 4 parent chains**. What is freed goes
        back into the cache, until it holds 20.
        -->
        Why are the two minimums different? A fault makes at most one spte, which needs at most one descriptor. But on its way
        down, the fault also sets up to three links, and each link may need a parent chain. So three chains would be enough,
        and four are on the safe side.
        """,
    )


IN_ORDER = Passage(
    """
    <!-- slide: The pages of small numbers leave, and reading makes no difference: this is **FIFO**. -->
    The page of a region with a small number leaves, that of a region with a large number stays. Reading makes no
    difference. So the rule is FIFO. Later kernels kept it.
    """
)


SUMMARY = Passage(
    f"""
    <!-- slide:
    - *Which page goes first?* **The one that was taken first.** Use makes no difference.
    - Fewer than **{MIN_FREE}** free at the beginning of a fault or a CR3 load: zap from the tail until **{REFILL}** are free.
    - A **root in use** is emptied and moves to the head.
    - At first, the top of the tree is its oldest part. Without it, everything below faults once, and is found in the hash.
    -->
    - *Which shadow page goes first?* **The page that was taken first.** It makes no difference when it was used.
    - The host evicts when a fault or a CR3 load begins with fewer than **{MIN_FREE}** free pages, and stops at **{REFILL}**.
    - A **root in use** is emptied and moves to the head. It does not count as freed.
    - Until the first eviction, the top of a tree is its oldest part, so it leaves first. The pages below stay in the pool,
      but each path to them faults once.
    - **Object caches** hold descriptors and parent chains that were allocated before they are needed, {CAPACITY} at most.
    """
)


# Check questions


@LESSON.check
def free_pages(seed: int) -> Steps:
    """The number of free pages after one more read."""
    chance = random.Random(seed)
    program = short_of_pages(seed, chance.choice([2, 4, 4, 5, 6, 9]))
    free = len(program.vm.pool.free)
    yield Ask(
        f"{free} of {NUM_PAGES} shadow pages are free, and nothing has been evicted yet. The program reads a new region. If "
        "the host evicts nothing, this takes one page. How many pages are free afterwards?",
        sorted({free - 1, REFILL - 1, REFILL - 3, REFILL}),
    )
    program.read()
    yield Answer(
        len(program.vm.pool.free),
        f"with {MIN_FREE} free pages or more, nothing is evicted, and the read takes one. With fewer, the host evicts until "
        f"{REFILL} are free. The first eviction also takes the pages for the PDPT and the directory, so the read then takes "
        "three.",
    )


@LESSON.check
def goes_first(seed: int) -> Steps:
    """Which of four regions loses its page first."""
    chance = random.Random(seed)
    program = Program(seed)
    program.read(150 - program.done)
    regions = [chance.randrange(at, at + 8) for at in (20, 55, 90, 125)]
    again = chance.sample(regions, 2)
    program.read_on()
    for region in again * 20:
        program.faults(region)
    shown = chance.sample(regions, 4)
    yield Ask(
        "A program read its regions in order, from region 0 on, until pages were evicted for the first time. Since then it "
        f"reads regions {again[0]} and {again[1]} all the time. Of these four, which region loses its page first?",
        [f"region {region}" for region in shown],
    )
    order = sorted(regions, key=program.place)
    while all(program.page(region) is not None for region in regions):
        program.read_on()
    gone = next(region for region in order if program.page(region) is None)
    yield Answer(
        f"region {gone}",
        "its page was taken first of the four. Reading doesn't move a page on the belt.",
    )


OUTCOMES = ["the host crashes", "it evicts pages first, and then goes on", "it goes on without evicting"]


@LESSON.check
def needs_roots(seed: int) -> Steps:
    """What happens when a guest needs new roots and few pages are free."""
    chance = random.Random(seed)
    program = short_of_pages(seed, chance.choice([2, 3, 4, 5, 6]), evicted=True)
    vm, free, off = program.vm, len(program.vm.pool.free), chance.random() < 0.5
    does = (
        "turns paging off, so it needs four new root pages"
        if off
        else "loads CR3 with the address of a table that isn't shadowed, so it needs a new root page"
    )
    yield Ask(f"{free} pages are free, and the guest {does}. What does the host do?", OUTCOMES)
    before = vm.stats.zapped
    try:
        if off:
            paging_off(vm)
        else:
            vm.load_cr3(program.data << PAGE_SHIFT)
        happened = OUTCOMES[1] if vm.stats.zapped > before else OUTCOMES[2]
    except HostCrash:
        happened = OUTCOMES[0]
    yield Answer(
        happened,
        "at a change of CR0, the host doesn't count its free pages: with four or more it gets its roots, with fewer it crashes."
        if off
        else f"at a load of CR3, the host counts its free pages: with fewer than {MIN_FREE} it evicts first.",
    )


@LESSON.check
def chains_left(seed: int) -> Steps:
    """The parent chains left in the cache after a page table got several parents."""
    parents = random.Random(seed).randint(2, 24)
    guest = Builder()
    guest.map(0)
    vm = guest.vm
    link = vm.peek(guest.entry_gpa(0, 2))
    for number in range(1, parents):
        vm.poke(guest.entry_gpa(number << REGION, 2), link)
    guest.start()
    chains = -(-parents // 5)
    yield Ask(
        f"{parents} entries of a page directory lead to one page table, and the guest reads through each of them once. The "
        f"cache of parent chains holds {CAPACITY} before, and a chain has five places. How many does it hold afterwards?",
        sorted({CAPACITY, CAPACITY - chains, CAPACITY - parents % CAPACITY, CAPACITY - chains - 1}),
    )
    for number in range(parents):
        vm.access(number << REGION)
    yield Answer(
        vm.caches.pte_chain.free,
        f"{parents} parents need {chains} chain{'s' * (chains != 1)}. When each fault began, four chains or more were in the "
        "cache. So the cache was never filled up.",
    )
