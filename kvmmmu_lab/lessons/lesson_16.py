# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 16, the epilogue: what nested paging costs, and what is still shadowed."""

from __future__ import annotations

import random

from ..data import traces
from ..draw.nested_grid import FIVE
from ..labs.guests import ALL, Builder
from ..labs.nested_film import nested_walk
from ..mmu import events as ev
from ..mmu.bits import ACCESSED, DIRTY, PAGE_SHIFT
from ..mmu.prewrite import FLOOD
from ..mmu.vm import Vm
from ..nested.nested_walk import DATA, GUEST_ENTRY, NestedMachine, NestedWalk
from ..replay.first_touches import first_touches
from ..replay.timeline import DEVICE, timeline
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps

LESSON = Lesson(16, "What replaced shadow paging, and what does the replacement cost?", 25)

SHAPES = [(2, 3), (2, 4), (3, 4), (3, 5), (4, 3), (4, 5), (5, 4), (5, 5)]
"""Levels in the guest and in the host, for a question."""

FULL = ALL | ACCESSED | DIRTY


def shape(seed: int) -> tuple[int, int]:
    """Return the levels of a guest's tables and of its host's, as a seed chooses them."""
    return random.Random(seed).choice(SHAPES)


def recording(seed: int) -> str:
    """Return the name of a recording, as a seed chooses it."""
    return random.Random(seed).choice(traces())


def nested_exits(name: str) -> dict[str, int]:
    """Return the exits of a recording with shadow paging, and with nested paging in pages of 4 KiB and of 2 MB."""
    line, touches = timeline(name), first_touches(name)
    devices = recorded_device_accesses(name)
    return {
        "shadow": sum(line.total.values()),
        "nested, 4 KiB": int(touches.frames[-1]) + devices,
        "nested, 2 MB": int(touches.large[-1]) + devices,
    }


def recorded_device_accesses(name: str) -> int:
    """Return how many accesses to devices a recording has: the first to each page since the last flush."""
    return int(timeline(name).exits[DEVICE][-1])


class Counted:
    """Counts the entries that the processor reads in one access of a machine."""

    def __init__(self, vm: Vm, gva: int) -> None:
        self.vm, self.gva = vm, gva

    def read(self) -> int:
        """Access the address, and return how many shadow entries the processor reads."""
        found = list[int]()

        def sink(event: tuple) -> None:
            if event[0] is ev.HARDWARE_READ:
                found.append(event[1])

        self.vm.emit = sink
        try:
            self.vm.access(self.gva, user=True)
        finally:
            self.vm.emit = None
        return len(found)


def shadowed_guest(seed: int) -> Counted:
    """Return a 64-bit guest whose program has used one page, at an address that the seed chooses."""
    gva = random.Random(seed).randrange(1, 1 << 35) << PAGE_SHIFT
    guest = Builder("64")
    guest.map(gva)
    vm = guest.start()
    vm.access(gva, user=True, write=True)
    return Counted(vm, gva)


class NestedGuest:
    """A hypervisor in a guest, and its own guest, the inner one.

    The inner hypervisor has tables that translate addresses of the inner guest. For the host they are tables of its guest like
    any others: it shadows them. ``vm`` is the host's machine; a "gva" of it is an address of the inner guest's memory.
    ``pages``: two such addresses.
    """

    def __init__(self, seed: int) -> None:
        first = random.Random(seed).randrange(0x100, 0x200)
        self.pages = [first << PAGE_SHIFT, first + 1 << PAGE_SHIFT]
        self.guest = Builder("64")
        for page in self.pages:
            self.guest.map(page)
        self.vm = self.guest.start()

    def use(self) -> None:
        """The inner guest writes to the first of its pages."""
        self.vm.access(self.pages[0], write=True)

    def move(self) -> None:
        """The inner hypervisor gives the inner guest another frame for its first page, and the inner guest uses it."""
        self.guest.edit(self.pages[0], self.guest.frame() << PAGE_SHIFT | FULL)
        self.vm.access(self.pages[0], write=True)


@LESSON.question
def references(seed: int) -> Steps:
    """How many entries a nested walk of four and four levels reads."""
    walk: NestedWalk = yield Ask(
        "The guest's tables have four levels, and the host's have four. The TLB is empty. How many table entries does the "
        "processor read for one access?",
        [4, 8, 16, 20, 24],
    )
    count = len(walk.references)
    yield Answer(
        count,
        "to find each of the four guest tables, the processor reads four entries of the host; then it reads one entry of the "
        "guest table. To find the data, it reads four more of the host: 4 × (4 + 1) + 4.",
        more=f"""
        <!-- slide:
        With *n* levels in the guest and *m* in the host: **n (m + 1) + m** references.

        4 and 4: {count}. 5 and 5: {len(nested_walk(5, 5, seed).references)}. Without a host: *n*.
        -->
        In general, with *n* levels in the guest and *m* levels in the host, there are **n (m + 1) + m** references. The grid
        shows why. It has *n* columns for the guest tables; each of them has *m* cells for the host's entries, and one on top
        for the guest's entry. The last column, for the data, has only the *m* cells. With five levels in both, processors read
        {len(nested_walk(5, 5, seed).references)} entries. Without a host, there are only *n* references.

        The number 24 is from the paper in which engineers of AMD described this walk (Bhargava, Serebrin, Spadini and Manne,
        [Accelerating two-dimensional page walks for virtualized systems](https://dl.acm.org/doi/10.1145/1346281.1346286),
        ASPLOS 2008). The paper is about ways to avoid most of these references: a processor keeps the upper entries of both
        kinds in small caches. So most real walks are much shorter, and 24 is the worst case.
        """,
    )


@LESSON.question
def other_levels(seed: int) -> Steps:
    """How many entries a nested walk with other levels reads."""
    n, m = shape(seed)
    yield Ask(
        f"And how many entries does it read with {n} levels in the guest and {m} in the host?",
        sorted({n + m, n * m, n * (m + 1), n * (m + 1) + m}),
    )
    count = len(nested_walk(n, m, seed).references)
    yield Answer(
        count,
        f"{n} × ({m} + 1) + {m} = {count}: {n} columns with {m} + 1 cells, and one with {m} for the data.",
        more="""
        <!-- slide:
        One more level in the **guest**: a column more, *m* + 1 references. One more level in the **host**: a cell more in each
        column, *n* + 1 references.
        -->
        The grid also shows what a level costs. One more level in the guest adds a column of *m* + 1 references. One more level
        in the host adds a cell to each of the *n* + 1 columns. So 57-bit addresses, which need five levels, have their price.
        """,
    )


@LESSON.question
def shadow_references() -> Steps:
    """How many entries the processor reads with shadow paging."""
    number = yield Ask(
        "The same access with shadow paging: the guest has four levels, its shadow tables are filled, and the TLB is empty. "
        "How many entries does the processor read?",
        [4, 5, 8, 24],
    )
    yield Answer(
        number,
        "the shadow tables lead from the gva directly to the hfn. That is their purpose.",
        more="""
        <!-- slide:
        Shadow paging is expensive when tables **change**, and nested paging when the TLB **misses**: for a program that jumps
        around in much memory and hardly changes its tables. VMware, 2009: EPT was up
        to 48 % faster where the MMU is busy, and memory latency was *higher* for a few workloads, unless large pages were used.
        -->
        So each of the two has its strength. Shadow paging is expensive when page tables *change*, because the host must notice
        each change. Nested paging is expensive when the TLB *misses*, because the walk is long. Which programs are slower with
        nested paging? Those that jump around in more memory than the TLB covers, as in a large hash table, and hardly change
        their page tables. Large pages help: the TLB covers more memory, and each walk is shorter.

        VMware measured both effects of EPT when Intel introduced it ([Performance Evaluation of Intel EPT Hardware
        Assist](https://blogs.vmware.com/performance/2009/03/performance-evaluation-of-intel-ept-hardware-assist-.html), 2009):

        - Benchmarks with much MMU activity gained up to 48 % in performance; micro-benchmarks of the MMU gained up to 600 %.
        - A few workloads had higher memory latencies. Large pages reduced these again.
        """,
    )


@LESSON.question
def exits(name: str) -> Steps:
    """How many exits a recording would have with nested paging."""
    found = nested_exits(name)
    shadow, small, devices = found["shadow"], found["nested, 4 KiB"], recorded_device_accesses(name)
    yield Ask(
        f"With shadow paging, {name} had {shadow:,} exits. How many does it have with nested paging, if the host maps single "
        "pages of 4 KiB, each at its first use?",
        [f"{n:,}" for n in (small // 10, small, shadow * 2, shadow * 5)],
    )
    yield Answer(
        f"{nested_exits(name)['nested, 4 KiB']:,}",
        f"{small - devices:,} frames are used for the first time, and there are {devices} recorded accesses to devices. "
        f"This is still more than half of {shadow:,}. But with pages of 2 MB, only {found['nested, 2 MB']} exits are left: "
        f"for {found['nested, 2 MB'] - devices} large pages, and again for the {devices} accesses to devices.",
        more="""
        <!-- slide:
        At the beginning, both fill tables. Then the curves part: **what shadow paging has zapped must be filled again, and
        again.** With 2 MB pages almost nothing is left.
        -->
        At the beginning of a recording, both hosts have empty tables to fill, and the two curves rise together. Then they
        separate. With nested paging, a frame that is in the host's tables stays there, whatever the guest does with its
        own tables. So a new process, a fork or the end of a process costs no exit by itself: only a frame that was never
        used before does. With shadow paging, each of these empties parts of the shadow, and the host has to fill them
        again.

        The host alone decides about its tables. So it can map memory in large pages, whatever pages the guest uses. A guest
        with 128 MB has only 64 large pages of 2 MB.
        """,
    )


SUMMARY = Passage(
    """
    <!-- slide:
    - **Nested paging**: the processor walks the guest's tables, and the host's tables for each of their addresses.
    - A walk has up to **n (m + 1) + m** references: 24 for 4 and 4. The shadow needs 4.
    - No exit for a write to a page table, for a CR3 load, for a true fault. For the MMU, **exits come from first uses only**.
      Devices exit as before.
    - Shadow paging lives on **in nested guests**, and so do its bugs.
    -->
    - With **nested paging** the processor walks the guest's tables itself, and walks the host's tables for each address that
      it finds there. A walk has up to **n (m + 1) + m** references: 24 with four levels each. With a shadow it has 4.
    - The guest writes its page tables, loads CR3, flushes its TLB and handles its faults without the host. For the MMU, it
      exits only when it uses memory **for the first time**. With large pages in the host, this is rare. Accesses to devices
      exit as before.
    - Nested paging makes TLB misses slower. But the host needs nothing of what this course was about: no reverse maps for
      write protection, no pre-write, no flooding.
    - **Shadow paging lives on** where the processor has no nested paging, and where a guest runs guests of its own. Its bugs
      live on, too.
    """
)


# Check questions


@LESSON.check
def count_references(seed: int) -> Steps:
    """The references of a walk, also with large pages."""
    chance = random.Random(seed)
    n, m = chance.choice([levels for levels in SHAPES if levels != shape(seed)])
    large = chance.random() < 0.5
    count = len(nested_walk(n, m, seed, large=large).references)
    how = "The host maps 2 MB with one entry at its level 2, where its walks end." if large else "All pages have 4 KiB."
    yield Ask(
        f"The guest's tables have {n} levels, the host's {m}. {how} How many entries does the processor read for one access, "
        "if nothing is cached?",
        sorted({n * (m + 1) + m, n * m + m - 1, n + m, n * (m + 1), count}),
    )
    yield Answer(
        count,
        f"a walk of the host's tables has {m - large} references. The processor needs {n + 1} such walks, one for each guest "
        f"table and one for the data. And it reads {n} entries of the guest: {n} × ({m - large} + 1) + {m - large}.",
    )


def words_of(column: int, row: int) -> str:
    """Return what a reference reads, in words."""
    name = FIVE.get(column, "")
    if row == GUEST_ENTRY:
        return f"an entry of the guest's {name}"
    return f"a host's entry of level {row}, on the way to {'the data' if column == DATA else f'the {name} of the guest'}"


@LESSON.check
def which_reference(seed: int) -> Steps:
    """What one reference of a walk reads."""
    chance = random.Random(seed)
    n, m = chance.choice([(4, 4), (3, 4), (5, 4), (4, 5)])
    walk = nested_walk(n, m, seed)
    reference = chance.choice(walk.references[m:])
    number = reference.number
    near = [one for one in walk.references if abs(one.number - number) in (1, m + 1)] + [walk.references[0]]
    choices = list(dict.fromkeys(words_of(one.column, one.row) for one in [reference, *chance.sample(near, min(3, len(near)))]))
    chance.shuffle(choices)
    yield Ask(f"A walk with {n} levels in the guest and {m} in the host, without caches. What is reference {number}?", choices)
    yield Answer(
        words_of(reference.column, reference.row),
        f"the processor needs {m + 1} references for each guest table: {m} to entries of the host, and then one to the guest's "
        f"entry. Reference {number} is number {(number - 1) % (m + 1) + 1} for "
        f"{'the data' if reference.column == DATA else f'guest table {(number - 1) // (m + 1) + 1}, counted from the root'}.",
    )


@LESSON.check
def first_uses(seed: int) -> Steps:
    """How often a fresh guest exits."""
    chance = random.Random(seed)
    levels, number = chance.choice([2, 3, 4]), chance.randint(2, 6)
    machine = NestedMachine(levels, 4, seed, lazy=True)
    base = chance.randrange(1, 1 << 9 * levels - 1) & -16
    gvas = [base + at << PAGE_SHIFT for at in range(number)]
    for gva in gvas:
        machine.map(gva)
    yield Ask(
        f"A guest has tables of {levels} levels, and the host's tables are still empty. At each exit, the host maps a single "
        f"frame of 4 KiB. The guest reads {number} pages, which one page table maps, and then reads all of them again. How "
        "often does it exit?",
        sorted({number, levels + number, 2 * number, levels * number, (levels + 1) * number}),
    )
    for gva in gvas * 2:
        machine.access(gva)
    yield Answer(
        machine.violations,
        f"the processor uses the frames of {levels} guest tables and of {number} pages. Only the first use of each exits.",
    )


@LESSON.check
def a_changed_entry(seed: int) -> Steps:
    """How many exits it costs to change some entries, and perhaps to use their pages, with shadow paging or nested paging."""
    chance = random.Random(seed)
    shadow, used, fresh = chance.random() < 0.6, chance.random() < 0.7, chance.random() < 0.5
    number = chance.choice([2, FLOOD, FLOOD + 2, FLOOD + 3])
    flooded = number > FLOOD
    yield Ask(
        f"A program has used {number} pages, which one page table maps. The host has {'shadow' if shadow else 'nested'} "
        f"paging, with pages of 4 KiB. Now the guest's kernel changes the entries of the {number} pages, one after the other. "
        f"The new frames have {'never been used before' if fresh else 'all been used before'}. After that, the program "
        f"{'uses each page once' if used else 'does not use the pages any more'}. How many exits does this cost?",
        sorted({0, number, 2 * number, *([FLOOD + 1, number + FLOOD + 1] if flooded else [3 * number])}),
    )
    if shadow:
        exits = _changes_with_shadow_paging(number, used)
        why = f"with shadow paging, each of the {number} writes to the page table traps."
        if flooded:
            why = (
                f"with shadow paging, the first {FLOOD} writes to the page table trap. Then the host takes them for a flood "
                f"and zaps the shadow page. Write {FLOOD + 1} faults, and the host makes the frame writable. The others are "
                "free."
            )
        why += f" Then each of the {number} pages faults once." if used else " A page that is not used does not fault."
    else:
        exits = _changes_with_nested_paging(seed, number, used, fresh)
        why = "with nested paging, the guest writes its page tables without an exit. "
        if not used:
            why += "A frame that is not used needs no entry of the host."
        elif fresh:
            why += "But each new frame is used for the first time, and the host has to add it to its tables."
        else:
            why += "And the frames are in the host's tables already."
    yield Answer(exits, why)


def _changes_with_shadow_paging(number: int, used: bool) -> int:
    """Return the exits when a guest's kernel changes this many shadowed entries and, if ``used``, a program uses the pages."""
    guest, gvas = Builder("64"), [at + 1 << PAGE_SHIFT for at in range(number)]
    for gva in gvas:
        guest.map(gva)
    vm = guest.start()
    table = 1 << 30
    guest.map(table, guest.table(gvas[0]))
    for gva in gvas:
        vm.access(gva, user=True, write=True)
    vm.access(table)
    before = vm.stats.exits
    for gva in gvas:
        vm.access(table | guest.entry_gpa(gva) & 0xFFF, write=True, value=guest.frame() << PAGE_SHIFT | FULL, size=8)
    for gva in gvas * used:
        vm.access(gva, user=True, write=True)
    return vm.stats.exits - before


def _changes_with_nested_paging(seed: int, number: int, used: bool, fresh: bool) -> int:
    """Return the exits of the same with nested paging. ``fresh``: whether the new frames are used for the first time."""
    machine = NestedMachine(4, 4, seed, lazy=True)
    gvas = [at + 1 << PAGE_SHIFT for at in range(number)]
    others = [gva + (1 << 30) for gva in gvas]
    for gva in gvas + others:
        machine.map(gva)
        machine.access(gva)
    before = machine.violations
    for gva, other in zip(gvas, others, strict=True):
        machine.change(gva, None if fresh else other)
    for gva in gvas * used:
        machine.access(gva)
    return machine.violations - before
