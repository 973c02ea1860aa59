# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 8, parents and zapping, and the guests that they are about."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ..draw.reverse_maps import parent_chains_scene
from ..labs.guests import Builder
from ..labs.watch import Watch, watch
from ..mmu import events as ev
from ..mmu.bits import ACCESSED, DIRTY, PRESENT, USER, WRITABLE
from ..mmu.parents import CHAIN_ENTRIES
from ..mmu.pool import ShadowPage
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import listed

LESSON = Lesson(8, "How does a shadow page leave the shadow tables?", 30, ("parents",))

ALL = PRESENT | WRITABLE | USER | ACCESSED | DIRTY
MOST_LINKS = 30
"""The number of directory entries that link the page table of a `Chained` guest."""

LARGE_PAGE = 0x200000
"""The size of what one entry of a page directory maps."""


# Parents of one page


@dataclass
class Chained:
    """A 64-bit guest in which one page table is linked several times, and the shadow page of that table.

    ``gvas``: an address for each link that can be made; ``table``: the gfn of the page table; ``made``: the parents in the
    order in which they were made.
    """

    guest: Builder
    gvas: list[int]
    table: int
    made: list[int] = field(default_factory=list)

    @property
    def vm(self) -> Vm:
        """The machine."""
        return self.guest.vm

    @property
    def page(self) -> ShadowPage:
        """The shadow page of the page table."""
        page = self.vm.pool.lookup(self.table)
        assert page is not None
        return page

    def link(self) -> None:
        """The guest reads at the next address, so the host makes the next link."""
        self.vm.access(self.gvas[len(self.made)])
        (new,) = set(self.vm.parents.sptes(self.page)) - set(self.made)
        self.made.append(new)

    def unlink(self, number: int) -> None:
        """The guest clears the directory entry of a link, counted from 1, so the host removes the link."""
        self.vm.emulate_write_gpa(self.guest.entry_gpa(self.gvas[number - 1], 2), 0, 8)

    def chains(self) -> list[list[int]]:
        """Return the chains of the page, with the number of each parent in the order of the links."""
        parents = self.page.parents
        numbers = {spte: at for at, spte in enumerate(self.made, 1)}
        kept = [[parents]] if isinstance(parents, int) else parents or []
        return [[numbers[spte] for spte in chain] for chain in kept]

    def __repr__(self) -> str:
        return f"a page table in gfn {self.page.gfn:#x}, linked {len(self.made)} times; its shadow page is #{self.page.id}"


def chained(seed: int, links: int) -> Chained:
    """Return a guest that has linked one page table ``links`` times. The seed decides through which directory entries.

    Link 1 goes through entry 101, 201, 301 or 401, link 2 through the next one, and so on.
    """
    first, guest = random.Random(f"chains {seed}").choice([101, 201, 301, 401]), Builder("64")
    gvas = [(first + number) * LARGE_PAGE + 0x1000 for number in range(MOST_LINKS)]
    guest.map(gvas[0])
    link = guest.vm.peek(guest.entry_gpa(gvas[0], 2))
    for gva in gvas[1:]:
        guest.vm.poke(guest.entry_gpa(gva, 2), link)
    guest.start()
    case = Chained(guest, gvas, guest.table(gvas[0]))
    for _ in range(links):
        case.link()
    return case


def form(chains: list[list[int]]) -> str:
    """Return chains as text: a bar separates them."""
    return " | ".join(" ".join(map(str, chain)) for chain in chains)


def watch_chains(case: Chained, operation: Callable[[], object]) -> Watch:
    """Run an operation, and return the film of the page's parent chains."""
    id = case.page.id
    return watch(operation, case.vm, draw=lambda vm, marks: parent_chains_scene(vm, id, marks=marks), detail=True)


def slices(numbers: list[int], first: int = CHAIN_ENTRIES) -> list[list[int]]:
    """Return numbers in chains of five; the first chain has ``first`` of them."""
    rest = numbers[first:]
    return [numbers[:first], *(rest[at : at + CHAIN_ENTRIES] for at in range(0, len(rest), CHAIN_ENTRIES))]


def count_of(seed: int) -> int:
    """Return a number of links with which no chain but one has room."""
    return random.Random(f"count {seed}").choice([7, 8, 9, 12])


@LESSON.question
def chains(case: Chained, links: int) -> Steps:
    """The chains after a number of links."""
    numbers = list(range(1, links + 1))
    groups = slices(numbers)
    choices = [
        form(groups),
        form(groups[::-1]),
        form(slices(numbers[::-1])),
        form(slices(numbers, links % CHAIN_ENTRIES)),
    ]
    words = f"The links are numbered from 1 to {links}. Which chains does the page have, the first chain first?"
    yield Ask(words, choices, on=case.vm)
    yield Answer(
        form(case.chains()),
        "a full chain stays as it is, and a new one goes before it. So the chain with room is always the first.",
        more="""
        <!-- slide:
        The chain with free places is the first one, so the host does not have to search the full ones behind it.
        -->
        As long as nothing is removed, only the first chain can have room. So the host begins its search there. (In a reverse
        map it is the other way round: a new descriptor goes behind the others.)
        """,
    )


@dataclass
class ElevenLinks:
    """A page with eleven parents, and the number of the link that is going to be removed."""

    case: Chained
    gone: int

    def __repr__(self) -> str:
        return f"chains: {form(self.case.chains())}\nlink {self.gone} will be removed"


def eleven_links(seed: int) -> ElevenLinks:
    """Return a page with eleven parents. The seed decides which link will be removed."""
    return ElevenLinks(chained(seed, 11), random.Random(f"gone {seed}").choice([3, 3, 2, 7, 8]))


@LESSON.question
def one_removed(eleven: ElevenLinks) -> Steps:
    """The chains after one of eleven parents was removed, and one more was added."""
    case, gone = eleven.case, eleven.gone
    before = case.chains()
    without = [[number for number in chain if number != gone] for chain in before]
    at = next(number for number, chain in enumerate(before) if gone in chain)
    hole = [[12 if number == gone else number for number in chain] for chain in before]
    behind = [[*chain, 12] if number == at else chain for number, chain in enumerate(without)]
    first = [[*chain, 12] if number == 0 else chain for number, chain in enumerate(without)]
    last = [[*chain[: chain.index(gone)], chain[-1], *chain[chain.index(gone) + 1 : -1], 12] if gone in chain else chain
            for chain in before]  # fmt: skip
    choices = [form(one) for one in (hole, first, behind, last) if one]
    words = f"Link {gone} is removed, and then a twelfth link is made. Which chains does the page have?"
    yield Ask(words, list(dict.fromkeys(choices)), on=case.vm)
    yield Answer(
        form(case.chains()),
        "the later ones of its chain moved up. The new link goes to the first chain with room, and the search begins in front.",
        more="""
        <!-- slide:
        A removed parent leaves no hole. A reverse map fills the hole with its *last* entry; here all later parents move up,
        so the order stays.
        -->
        A search stops at the first empty place, so neither a reverse map nor a parent chain may have a hole. They fill it
        differently. In a reverse map (lesson 6), the *last* entry of the descriptor goes into the hole. In a parent chain, all
        later ones move up by one place, so their order stays.

        The place that became free is not lost. The host looks into the first chain first, and that one had room. If the first
        chain had been full, link 12 would have gone into the chain from which the link was removed.

        A chain that has become empty is unlinked and freed (`mmu.c:554-556`). A chain with one parent stays. So a page with one
        parent keeps it either directly or in a chain. This depends on the page's history, as in a reverse map.
        """,
    )


# What zapping does


@dataclass(frozen=True)
class SharedTable:
    """A 64-bit guest with two page directories, ``first`` and ``second``, which share one page table.

    ``own``: addresses of tables that only the first directory has; ``common``: the address of the shared table through the
    first directory; ``window``, ``top``: addresses at which the kernel sees the first directory, and the root table.
    """

    guest: Builder
    own: tuple[int, ...]
    common: int
    others: tuple[int, ...]
    window: int
    top: int

    @property
    def vm(self) -> Vm:
        """The machine."""
        return self.guest.vm

    @property
    def page(self) -> ShadowPage:
        """The shadow page of the first directory."""
        page = self.vm.pool.lookup(self.guest.table(self.common, 2))
        assert page is not None
        return page

    @property
    def below(self) -> list[int]:
        """The addresses that the first directory maps, each through another page table."""
        return [self.common, *self.own]

    def __repr__(self) -> str:
        through = ", ".join(f"{gva:#x}" for gva in self.below)
        return f"directory in gfn {self.page.gfn:#x}, shadow page #{self.page.id}\nread through it: {through}"


def shared(seed: int) -> SharedTable:
    """Return a guest with a shared page table that has read all its addresses. The seed decides how many tables it has."""
    rng, guest = random.Random(f"shared {seed}"), Builder("64")
    entries = rng.sample(range(1, 500), 4)
    giga = [rng.randrange(1, 200) << 30, rng.randrange(201, 400) << 30]
    below = [giga[0] + entry * LARGE_PAGE + 0x1000 for entry in sorted(entries[: rng.randint(2, 3)])]
    others = [giga[1] + entry * LARGE_PAGE + 0x1000 for entry in sorted(entries[:2])]
    for gva in [*below, *others]:
        guest.map(gva)
    common = rng.choice(below)
    guest.vm.poke(guest.entry_gpa(others[1], 2), guest.vm.peek(guest.entry_gpa(common, 2)))
    window, top = 500 << 39, 500 << 39 | 0x1000
    window, top = (gva | 0xFFFF << 48 for gva in (window, top))
    guest.map(window, guest.table(common, 2))
    guest.map(top, guest.root)
    vm = guest.start()
    for gva in [*below, *others]:
        vm.access(gva, user=True)
    return SharedTable(guest, tuple(gva for gva in below if gva != common), common, tuple(others), window, top)


@LESSON.question
def returned(case: SharedTable) -> Steps:
    """The shadow pages that return to the pool when a page is zapped."""
    vm, page = case.vm, case.page
    below = {child.id for gva in case.below if (child := vm.pool.lookup(case.guest.table(gva))) is not None}
    alone = {id for id in below if len(list(vm.parents.sptes(vm.pool.pages[id]))) == 1}
    sets = [{page.id}, {page.id} | alone, {page.id} | below, alone, set()]
    names = [", ".join(f"#{id}" for id in sorted(one, reverse=True)) or "none" for one in sets]
    free = {one.id for one in vm.pool.free}
    yield Ask(f"The host zaps #{page.id}. Which shadow pages return to the pool?", list(dict.fromkeys(names)), on=vm)
    found = {one.id for one in vm.pool.free} - free
    orphans = [f"#{id}" for id in sorted(below, reverse=True) if not list(vm.parents.sptes(vm.pool.pages[id]))]
    them = "it" if len(orphans) == 1 else "them"
    yield Answer(
        ", ".join(f"#{id}" for id in sorted(found, reverse=True)) or "none",
        "the pages below lose a parent, and nothing else. A page that no entry links to stays in the hash, with its sptes.",
        more=f"""
        <!-- slide:
        - The entries *above* are cleared: the processor can't reach the page.
        - Its own entries are cleared: each page below loses a parent.
        - **Zapping is not recursive.** A page below without parents keeps its content and its place in the hash.
        -->
        Look at the last step. No entry links to {listed(orphans)} any more, but the picture still shows {them}. **Zapping is
        not recursive.** A page without parents keeps its entries and its name, and waits in the hash. Why does the host not
        free it? The guest table that it shadows has not changed: the page is as good as before, and may be needed soon.

        Compare the order of the two steps. Above the zapped page, the host first drops the parent and then clears the entry.
        Below it, the host first clears the entry and then drops the parent. To drop a parent, the host needs two things: the
        *address* of the parent entry, and the page to which the entry leads. Above, this page is the zapped one. Below, the
        host has read the entry before it clears it. So it knows both in either order.

        For a reverse map the order matters. The function that removes an spte from a reverse map reads the spte itself, to find
        the frame. So it must run before the spte is cleared.
        """,
    )


@LESSON.question
def read_again(case: SharedTable) -> Steps:
    """What the host has to make when the program reads all its addresses again after a zap."""
    vm = case.vm
    many = len(case.below)
    choices = [(0, 0), (1, 0), (1, many), (many, many), (many + 1, many)]
    texts = [work(*choice) for choice in choices]
    film: Watch = yield Ask("The program reads its addresses again. What does the host have to make?", texts, on=vm)
    made = [len(film.recording.where(kind=kind.name)) for kind in (ev.ALLOC_PAGE, ev.SET_SPTE)]
    yield Answer(
        work(*made),
        "only the zapped page is missing. The pages below are found by their names, with all their sptes.",
        more="""
        <!-- slide:
        The content of the pages below survived. Each read costs a fault, but only to make links.
        -->
        Each read costs a fault, and each fault makes the link to one page below. The first fault also takes the new page, and
        makes the link to it from above. But the host makes no spte of level 1: the entries of the pages below have survived the
        zap, and the host has found these pages by their names.
        """,
    )


def work(pages: int, sptes: int) -> str:
    """Return new pages and new sptes in words."""
    return f"{pages or 'no'} shadow page{'s' * (pages != 1)} and {sptes or 'no'} spte{'s' * (sptes != 1)} of level 1"


@LESSON.question
def live_root(case: SharedTable) -> Steps:
    """What becomes of a root in use when it is zapped."""
    vm = case.vm
    root = vm.pool.lookup(case.guest.root)
    assert root is not None
    choices = [
        "it is in the pool of free pages",
        "it is in the hash, with its entries",
        "it is in the hash, without entries",
        "it is in neither",
    ]
    yield Ask(f"The root #{root.id}, which the processor is using, is zapped. Where is it then?", choices, on=vm)
    kept = root in vm.pool.bucket(root.gfn)
    used = any(vm.memory.words[root.spte + index] for index in range(512))
    yield Answer(
        choices[0] if root in vm.pool.free else choices[3] if not kept else choices[1 if used else 2],
        "the processor's CR3 holds its address, so the host must not free it. It only clears it.",
        more="""
        <!-- slide:
        A live root is emptied, keeps its name, and moves to the head of the active list. The guest goes on: the next access
        faults, and refills it.
        -->
        If the count of a page (`root_count`) is not 0, zapping stops before step 3: the entries are gone, but the page stays in
        the hash, with its name (`mmu.c:691-695`). It only moves to the head of the *active list*. When pages run out, the host
        evicts from the other end of this list (lesson 13).

        For the guest this is harmless. Its next access faults, and the host makes the first link again. (Remember for later:
        even after the zap, a search for the root's name finds the root.)
        """,
    )


# A real guest


@dataclass(frozen=True)
class ParentCensus:
    """How many shadow pages have how many parents."""

    pages: Counter[int]
    most: ShadowPage

    def __repr__(self) -> str:
        counts = [f"{number} with {count or 'no'} parent{'s' * (count != 1)}" for count, number in sorted(self.pages.items())]
        return f"{self.pages.total()} shadow pages: {', '.join(counts)}; the page with the most parents is #{self.most.id}"


def parent_census(vm: Vm) -> ParentCensus:
    """Count the parents of each shadow page."""
    counts = {page: len(list(vm.parents.sptes(page))) for page in vm.pool.active}
    return ParentCensus(Counter(counts.values()), max(counts, key=lambda page: counts[page]))


LOOP = Passage(
    """
    <!-- slide:
    ## The loop has no end

    - A live root stays in the hash. So the question "is there another page of this frame?" is always answered with yes.
    - No audit complains: each state on the way is consistent.
    - Since 2008, a zapped root is marked as invalid, and a lookup ignores it (commit 2e53d63acba7).
    -->
    You have seen the reason above: zapping empties a live root, but leaves it in the hash. So the host finds it again, and
    zaps it again, in a loop without an end. (The film ends in the first round.) The host does not crash, it *hangs*: its
    processor never comes back from this fault. A program in a guest can do this, if the guest's kernel lets it.

    The zap of the live root that you watched earlier was made by `kvm_mmu_unprotect_page`. This function goes only once
    through the pages in a bucket of the hash table. It leaves the root in the hash, too, but it does not look for the root
    again. So that zap came to an end.

    In 2008, [commit 2e53d63acba7](https://git.kernel.org/linus/2e53d63acba75795aa226febd140f67c58c6a353) ("KVM: MMU: ignore
    zapped root pagetables") changed the lookup: a zapped root is marked as *invalid*, and lookups ignore invalid pages.
    We have not checked whether an earlier commit had already removed the loop itself.
    """
)


SUMMARY = Passage(
    """
    <!-- slide:
    - **The parents of a shadow page are the entries that link to it**: none, one kept directly, or some in chains of five.
    - A new chain goes in front; a removed parent leaves no hole, because the later ones move up.
    - **Zapping clears the entries above and the page's own entries.** It is not recursive.
    - **A live root stays in the hash**, without entries.
    -->
    - **The parents of a shadow page are the entries that link to it.** One parent is kept directly in the header. Two or
      more are in chains; if all but one of them are removed, this one stays in its chain. A chain has **five places**. A
      root has none, nor has a page that only waits in the hash. A new chain goes in front of the others. A removed parent
      leaves no hole: the later ones of its chain move up. A chain that has become empty is freed.
    - **Zapping** a page clears the entries above it, so that the processor cannot reach it. Then it clears the page's own
      entries: each writable spte leaves its reverse map, and each page below loses a parent. Then the page returns to the pool.
    - Zapping is **not recursive**. Pages below stay in the hash with all their entries, and are found again by name.
    - **A live root cannot be freed.** It is emptied, and stays in the hash. In one place, the host of 2007 does not expect
      this, and hangs.
    """
)


# Check questions


@LESSON.check
def number_of_chains(seed: int) -> Steps:
    """The chains of a page with a number of parents."""
    links = random.Random(f"check chains {seed}").choice([1, 2, 4, 5, 6, 9, 10, 11, 14])
    times = "once" if links == 1 else f"{links} times"
    words = f"A page table is linked {times}, and no link was removed. How many chains does its shadow page have?"
    yield Ask(words, [0, 1, 2, 3, 4])
    case = chained(seed, links)
    yield Answer(
        len(case.page.parents) if isinstance(case.page.parents, list) else 0,
        "a single parent is kept directly if there were never more. Two or more are in chains, with five places in each.",
    )


@LESSON.check
def order_after_removal(seed: int) -> Steps:
    """The chains after a parent in a full chain was removed, and another one was added."""
    rng = random.Random(f"check order {seed}")
    links = (8, 10, 7, 5)[seed % 4]
    case, new = chained(seed, links), links + 1
    before = case.chains()
    at = rng.choice([number for number, chain in enumerate(before) if len(chain) == CHAIN_ENTRIES])
    gone = rng.choice(before[at][1:-2])

    def added(chains: list[list[int]], number: int) -> list[list[int]]:
        return [[*chain, new] if chain is chains[number] else chain for chain in chains]

    hole = [[new if number == gone else number for number in chain] for chain in before]
    moved = [[number for number in chain if number != gone] for chain in before]
    filled = [
        [chain[-1] if number == gone else number for number in chain[:-1]] if gone in chain else chain for chain in before
    ]
    room = len(before[0]) < CHAIN_ENTRIES
    first = added(moved, 0) if room else [[new], *moved]
    choices = [hole, added(moved, at), first, added(filled, 0 if room else at)]
    yield Ask(
        f"A page has the parents {form(before)}. Link {gone} is removed, and then link {new} is made. "
        "Which chains does the page have?",
        [form(one) for one in choices],
    )
    case.unlink(gone)
    case.link()
    yield Answer(
        form(case.chains()),
        "the later ones of its chain move up. The new link goes to the first chain with room, and the search begins in front.",
    )


@LESSON.check
def zapped_table(seed: int) -> Steps:
    """The number of pages that return to the pool when all shadow pages of a table are zapped."""
    mode, what = (("64", "table"), ("64", "directory"), ("64", "root"), ("32", "table"), ("32", "root"))[seed % 5]
    guest = Builder(mode)
    for gva in (0x1000, 0x201000, 0x401000):
        guest.map(gva)
    gfn = {"table": guest.table(0x1000), "directory": guest.table(0x1000, 2), "root": guest.root}[what]
    window = 0x3000
    guest.map(window, gfn)
    vm = guest.start()
    for gva in (0x1000, 0x201000, 0x401000):
        vm.access(gva)
    names = {"table": "the page table of 0x1000", "directory": "the page directory", "root": "the root table in use"}
    free = len(vm.pool.free)
    title = {"64": "64-bit", "32": "32-bit"}[mode]
    yield Ask(
        f"A {title} guest has read 0x1000, 0x201000 and 0x401000. The host zaps all shadow pages of {names[what]}. "
        "How many shadow pages return to the pool?",
        [0, 1, 2, 3, 4],
    )
    reasons = {
        ("64", "table"): "the table has one shadow page. The page above it only loses an entry.",
        ("64", "directory"): "the directory has one shadow page. The pages below it stay in the hash.",
        ("64", "root"): "the page is a live root. It is emptied, and stays in the hash, as do the pages below it.",
        ("32", "table"): "this table maps 0x1000 and 0x201000, one in each half, so it has two shadow pages.",
        ("32", "root"): "its four shadow pages are live roots. They are emptied, and stay in the hash, as do the pages below.",
    }
    vm.unprotect(window)
    yield Answer(len(vm.pool.free) - free, reasons[mode, what])


@LESSON.check
def parents_left(seed: int) -> Steps:
    """The parents of a page after one of the pages above it was zapped."""
    rng, guest = random.Random(f"check parents {seed}"), Builder("64")
    counts = [rng.randint(1, 3), rng.randint(1, 3)]
    gvas = [(number << 30) + entry * LARGE_PAGE + 0x1000 for number, count in enumerate(counts) for entry in range(count)]
    for gva in gvas:
        guest.map(gva)
    for gva in gvas[1:]:
        guest.vm.poke(guest.entry_gpa(gva, 2), guest.vm.peek(guest.entry_gpa(gvas[0], 2)))
    zapped = rng.randrange(2)
    window = 0x5000000000
    guest.map(window, guest.table(zapped << 30, 2))
    vm = guest.start()
    for gva in gvas:
        vm.access(gva)
    page = vm.pool.lookup(guest.table(gvas[0]))
    assert page is not None
    ordinal = ("first", "second")[zapped]
    yield Ask(
        f"One page table is linked {counts[0]} time{'s' * (counts[0] > 1)} in the first page directory and {counts[1]} "
        f"time{'s' * (counts[1] > 1)} in the second, and all links have been used. The host zaps the shadow page of the "
        f"{ordinal} directory. How many parents does the page table's shadow page have left?",
        [0, 1, 2, 3, 4, 5],
    )
    vm.unprotect(window)
    yield Answer(
        len(list(vm.parents.sptes(page))),
        "each cleared entry of the zapped page was a parent. The links in the other directory stay.",
    )
