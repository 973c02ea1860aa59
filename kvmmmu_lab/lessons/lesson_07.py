# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 7, write protection."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ..inspect.paths import shadow_path
from ..labs.addresses import GuestEntry
from ..labs.guests import Builder
from ..labs.rmap_lab import RmapLab, rmap_lab
from ..labs.watch import Watch
from ..mmu.bits import PAGE_SHIFT, PRESENT, USER, WRITABLE
from ..mmu.cpu import Access
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import gfn_of

LESSON = Lesson(7, "How does the host notice every write to a page table?", 35, ("rmap_write_protect",))


def mappings(seed: int) -> tuple[int, int]:
    """Return how many mappings of the frame are writable, and how many are read-only."""
    rng = random.Random(seed)
    return rng.randint(5, 7), rng.randint(1, 2)


def mapped(writable: int, read_only: int) -> RmapLab:
    """Return a lab whose frame is mapped several times."""
    lab = rmap_lab()
    for number in range(writable + read_only):
        lab.map(read_only=number >= writable)
    return lab


def stores(seed: int) -> int:
    """Return the number of stores in a row."""
    return random.Random(seed).randint(5, 8)


@LESSON.question
def kernels_entry(vm: Vm, entry: GuestEntry) -> Steps:
    """What is left of an entry through which a frame could be written, when the frame has become a page table."""
    accesses = ["neither of them", "only the write", "both of them"]
    yield Ask("The guest's kernel reads its page table, then writes to it. Which of these accesses fault?", accesses, on=vm)
    path = shadow_path(vm, entry.kernel_gva)
    left = path.steps[-1].entry
    yield Answer(
        accesses[2] if path.hfn is None else accesses[0] if left & WRITABLE else accesses[1],
        "the entry loses its W, and nothing else. It still leads to the frame.",
        more="""
        <!-- slide:
        1. The entry **leaves the reverse map** of the frame.
        2. The host **flushes** the TLB: the processor may have cached the permission to write.
        3. The entry **loses its W**. It is not cleared.
        -->
        The kernel's read did not fault (`faults=0`). Its write will fault, as you will see soon. In the film, three steps
        follow when the shadow page for `gfn 0x61c9` has been taken from the pool. They are the write protection:

        1. The entry **leaves the reverse map** of the frame. (From lesson 6 you know why this comes first: for an entry
           without W, `remove` does nothing.)
        2. The host tells the processor to **forget its translations**: a *TLB flush*. The TLB is the processor's cache
           of translations. As long as a translation is in the TLB, with the permission to write, the processor does not
           read the entry again.
        3. The entry **loses its W**. It keeps the rest, because a read of the table does no harm and need not fault. In
           the picture, the small `w` means that the guest allows writing and the shadow does not.
        """,
    )


@LESSON.question
def flushes(lab: RmapLab, read_only: int) -> Steps:
    """The number of TLB flushes when a frame with several entries becomes a page table."""
    order = [name for row in lab.places() for name in row]
    before, count = lab.machine.stats.tlb_flushes, len(order)
    words = f"The frame has {count} writable mappings and {read_only} read-only, and becomes a page table. How many flushes?"
    yield Ask(words, [1, 2, count, count + read_only], on=lab.machine)
    yield Answer(
        lab.machine.stats.tlb_flushes - before,
        "the host repeats all three steps for each entry in the map, the flush too. One flush at the end would be enough.",
        more=f"""
        <!-- slide:
        The host takes the entry in the *first place*, again and again, until the map is empty. Each time, the last
        entry of that descriptor fills the hole.
        -->
        Step through the film once more. The dashed purple lines (the reverse map) disappear one by one, and each time W
        is cleared. To stop at each entry, choose *an entry loses its W* under *Stop when*.

        Look at the order in which the entries were removed: {", ".join(f"`{name}`" for name in _emptied(order))}. The
        host does not walk along the map. It takes the entry in the *first place*, again and again, until the map is
        empty. Each time, the last entry of the same descriptor fills the hole. A host that walked along the map would
        skip some entries: when it removes one, another moves into this place, and the host has already gone on.
        """,
    )


def _emptied(order: Sequence[str]) -> list[str]:
    """Return the entries of a map in the order in which write protection removes them. A descriptor has four places."""
    first, rest, taken = list(order[:4]), list(order[4:]), []
    while first or rest:
        if not first:
            first, rest = rest[:4], rest[4:]
        taken.append(first[0])
        first[:1] = [first.pop()] if len(first) > 1 else []
    return taken


@LESSON.question
def later(lab: RmapLab) -> Steps:
    """What a write through a new mapping of a page table costs, and what is left in the shadow."""

    def ends(faults: int, spte: bool) -> str:
        return f"{faults} fault{'s' * (faults != 1)}, and {'an' if spte else 'no'} spte for the new mapping is left"

    choices = [ends(1, False), ends(1, True), ends(2, False), ends(2, True)]
    film: Watch = yield Ask("The guest writes through its new mapping of the page table. This costs:", choices, on=lab.machine)
    yield Answer(
        ends(film.result.faults, lab.spte(lab.mapped[-1]) is not None),
        "the host makes the spte without W, because the frame is shadowed. In the same fault it performs the store itself.",
        more="""
        <!-- slide:
        | first | then | how the rule is kept |
        | --- | --- | --- |
        | a writable mapping | the frame becomes a page table | write protection goes through the reverse map |
        | the frame is a page table | a mapping is made | the host takes W out of the new spte |
        -->
        When the host makes the spte, it looks for a shadow page of this gfn in the hash, and finds one (`mmu.c:983-994`).
        So it clears W, and the reverse map stays empty. A read through the new mapping will not fault.

        There are two ways in which a page table could get a writable mapping, and the host prevents both:

        | first | then | how the rule is kept |
        | --- | --- | --- |
        | a writable mapping | the frame becomes a page table | write protection goes through the reverse map |
        | the frame is a page table | a mapping is made | the host takes W out of the new spte |
        """,
    )


@LESSON.question
def row_of_stores(vm: Vm, count: int) -> Steps:
    """What several stores in a row to one table cost, and how many of them the host performs."""

    def ends(faults: int, performed: int) -> str:
        return f"{faults} fault, and the host performs {performed}"

    choices = [ends(3, 3), ends(4, 3), ends(4, 4), ends(count, count)]
    words = f"How many of the {count} stores fault, and how many does the host perform?"
    accesses: list[Access] = yield Ask(words, choices, on=vm)
    yield Answer(
        ends(sum(access.faults for access in accesses), sum(access.outcome == "emul" for access in accesses)),
        "after the third store the table has no shadow any more. The fourth still faults: the kernel's spte has no W yet.",
        more="""
        <!-- slide:
        Without a shadow of the table there is no *reason* for write protection any more. At the fourth store the host
        gives the entry its W; the fifth does not even fault.
        -->
        After the third store, the table has no shadow, so there is no *reason* for write protection any more. But the spte
        of the kernel's mapping has not changed, so the fourth store faulted, too. At this fault the host found no shadow
        page for the frame. It gave the spte its W, and the guest performed the store itself (`ok` instead of `emul`).
        The fifth store did not even fault.

        If you know copy on write, you may have expected a single fault: there, the first fault makes the page writable.
        Here the spte must stay without W while the light is red.

        In the film of the first store, the host zaps an entry and does not flush the TLB. At write protection it flushes.
        Why this difference? The store was made by the guest's kernel, which will flush the TLB itself, as it must on a
        real machine. But the guest does not know that the host clears W, so there the host has to flush.
        """,
    )


@LESSON.question
def trapped_only(vm: Vm, entry: GuestEntry) -> Steps:
    """How long a program reaches the old frame if a store is trapped and performed, and the shadow stays as it is."""
    old = gfn_of(vm, entry.gva)
    choices = [
        "never: its first read reaches the new frame",
        "until it writes to the page",
        "until the guest's kernel has loaded CR3 again",
        "all the time, even after this load of CR3",
    ]
    words = "The store is trapped and performed, but pre_write does nothing. How long does the program reach the old frame?"
    accesses: list[Access] = yield Ask(words, choices, on=vm)
    reached = [access.gpa is not None and access.gpa >> 12 == old for access in accesses]
    yield Answer(
        choices[reached.index(False) if False in reached else 3],
        "the trap only lets the host run. The processor still uses the spte that was made from the old value.",
        more="""
        <!-- slide:
        The host traps every store and performs it, but **corrects nothing**. Loading CR3 does not help: the host finds
        its old shadow pages again.
        -->
        It is not enough to trap every store: the host must also correct the shadow. In the next picture, the guest's
        entry and the spte lead to two different frames. In lesson 0 you saw the same damage after `poke`, when the host had
        not noticed the change. This time it *did* notice. Loading CR3 does not help: it empties the TLB, but the host
        finds its old shadow pages again and keeps using them.
        """,
    )


NEXT_FAULT = Passage(
    """
    <!-- slide:
    **An entry that is present does not fault.** A fault tells the host what is *missing* in the shadow, never what
    is *wrong* in it.
    -->
    Both claims are wrong. The bytes of the red page table have changed: write protection *stops nothing*. It makes the
    write **visible**: the store is still performed, but by the host, at a time that the host chooses.

    And the fault at heap page 2 has corrected nothing. At a fault the host makes the spte that is missing; it does not
    compare the others with the guest's table. At heap page 1 there will never be a fault, because **an entry that is
    present does not fault**: the processor finds the spte, which allows the access. A fault tells the host what is
    *missing* in the shadow, never what is *wrong* in it.

    With the usual `pre_write`, a change of a page table never leaves a wrong spte. Here are two sentences of the film
    `trap`, in their order: the *zap* comes first, and then the store. The old spte was removed **before** the bytes
    changed. So the shadow never disagreed with the guest's table, not even for a moment. (A TLB may, until the guest
    flushes it.)
    """
)

THREE_GUESTS = Passage(
    """
    | how the guest's table is changed | faults | entries zapped | the program reads |
    | --- | --- | --- | --- |
    | by a trapped store, with a zap before it | 1 | 1 | the new frame |
    | by a trapped store, with no zap before it | 1 | 0 | the old frame: the shadow is stale |
    | by `poke`, unnoticed | 0 | 0 | the old frame: the shadow is stale |
    """
)

THREE_STEPS = Passage(
    """
    <!-- slide:
    **Remove from the map, flush, clear W:** this order is wrong. It was in the kernel for half a year.

    After a flush the processor reads the entry *again*. If W is still set, it is cached. W is cleared one line later,
    and the processor does not notice.
    -->
    **This is a real bug.** The three steps of write protection are: remove the entry from the map, flush, clear W. The
    last two are in the wrong order. If you noticed this before, well done: the mistake was in the kernel for half a year.
    (In 2.6.22 it has no effect yet, because a guest has only one processor.)

    A flush empties the TLB of a processor. When that processor next needs a translation, it reads the entry again. If W
    is still set at that moment, its TLB says *writing allowed* once more. W is cleared one line later (`mmu.c:436`
    flushes, `mmu.c:437` clears), and the processor does not notice.

    One audit complains. It compares the shadow with the guest's tables, and after the neighbour's store these disagree.
    Before that store the audit was silent: no audit looks into a TLB.

    The flush came into `rmap_write_protect` in January 2007, with [commit
    40907d5](https://github.com/torvalds/linux/commit/40907d5). A few days later, Ingo Molnar
    [proposed on the kernel's mailing list](https://lore.kernel.org/lkml/20070108083935.GB18259@elte.hu/) to remove it: he
    thought that a load of CR3 always follows, which flushes too, and his kernel seemed to work without the flush. Avi
    Kivity, the author of KVM, [answered](https://lore.kernel.org/lkml/45A20A0A.70403@qumranet.com/) that Intel's
    processors of the time probably flush everything anyway at each switch between guest and host. AMD's do not, and
    for them the flush is vital. So the flush stayed. Nobody mentioned its place.

    Now the neighbour's TLB is flushed once more, and then the neighbour stores again.
    """
)


@LESSON.question
def neighbours_store(lab: RmapLab) -> Steps:
    """What the host sees of a store by a processor that cached its entry between the flush and the change."""
    ends = [
        "nothing at all",
        "a fault, and it performs the store",
        "a fault, and it makes the frame a data page again",
    ]
    access: Access = yield Ask("The neighbour overwrites the entry in the new page table. The host sees:", ends, on=lab.machine)
    yield Answer(
        ends[0] if not access.faults else ends[1] if access.outcome == "emul" else ends[2],
        "the neighbour's TLB has a translation that allows writing. So the neighbour does not read the shadow again.",
        more="""
        <!-- slide:
        The host flushed; the neighbour walked the shadow and found W set; only then was W cleared. The rule holds in the
        shadow, but not in the neighbour's TLB.
        -->
        In the film, go to the flush, and then *one* step further: that step is the neighbour's. At the end of the film the
        picture looks correct, and the table's light is red. But look at the order of three steps. The host flushed. Then
        the neighbour walked the shadow, and W was still set. Then the host cleared W. So the rule of this lesson holds in
        the shadow, but not in the neighbour's TLB. The next picture shows the result: the entry in the guest's page table
        is empty, and the spte that was made from it still maps a frame.
        """,
    )


SECOND_TRY = Passage(
    """
    <!-- slide:
    In mid-2007, with support for several processors, the two lines were swapped. *First change the original, then throw
    away the copies.*
    -->
    Now the neighbour's store is trapped and emulated, as it should be: this time W was clear before the flush. So the fix
    costs nothing: **first clear W, then flush**. A processor that reads the entry after the flush finds W clear.

    In mid-2007, KVM gained support for guests with several processors. The flush was extended to the other
    processors (["KVM: Flush remote tlbs when reducing shadow pte
    permissions"](https://kernel.googlesource.com/pub/scm/linux/kernel/git/joro/linux/+/refs/tags/kvm-28)), and the two
    lines were swapped. (In another place, `mmu.c` always had the right order. You saw it in the film of the later mapping:
    the host clears W in the new spte (`mmu.c:989`) and then flushes (`mmu.c:990`).)

    This holds for every cache, not only in KVM: *first change the original, then throw away the copies.* In the reverse
    order, someone can copy the old state in between. (The exercise keeps the order of 2.6.22, because the kit does what
    that kernel did.)
    """
)

SUMMARY = Passage(
    """
    <!-- slide:
    - **A frame that is shadowed has no writable mapping**, now and later.
    - For each entry: **remove it from its map, clear W, flush.** (2.6.22 flushes before it clears W, which is wrong.)
    - A store to a page table is **trapped and emulated**. The host corrects the shadow *between the two*.
    -->
    - **A frame that is shadowed as a page table has no writable mapping.** The host enforces this rule in two ways.
      When a frame becomes a page table, all sptes that lead to it lose their W. When the host makes an spte that leads to a
      page table, it clears W before the guest continues.
    - For each entry there are three steps: **remove it from the reverse map, clear W, flush the TLB**. (2.6.22 flushes
      before it clears W, which is wrong.) So there are as many flushes as entries. The rest of the entry does not change,
      so a read causes no fault.
    - A store to a page table is **trapped and emulated**, as long as the table is shadowed. Protection does not stop
      the store; it makes it visible.
    - The host corrects the shadow **between the trap and the store**. A stale entry never faults, so there is no later
      chance to find it.
    """
)


# Check questions


@LESSON.check
def flush_count(seed: int) -> Steps:
    """The flushes when a frame with some read-only mappings becomes a page table."""
    rng = random.Random(seed)
    writable, read_only = rng.randint(1, 6), rng.randint(1, 4)
    lab = rmap_lab()
    kinds = [False] * writable + [True] * read_only
    rng.shuffle(kinds)
    for kind in kinds:
        lab.map(read_only=kind)
    before = lab.machine.stats.tlb_flushes
    yield Ask(
        f"A frame has {writable + read_only} mappings, {read_only} of them read-only, and becomes a page table. "
        "How many times does the host flush the TLB for write protection?",
        sorted({0, 1, read_only, writable, writable + read_only}),
    )
    lab.protect()
    yield Answer(lab.machine.stats.tlb_flushes - before, "there is one flush for each entry in the reverse map, and only "
                 "entries with W are in it.")  # fmt: skip


@LESSON.check
def light(seed: int) -> Steps:
    """What a write to a frame does, depending on whether the frame is shadowed as a table."""
    rng = random.Random(seed)
    builder = Builder()
    builder.map(0x1000)
    builder.map(0x40000000)
    table = builder.table(0x40000000)
    builder.map(0x2000, gfn=table)
    vm = builder.start()
    vm.access(0x2000, write=rng.random() < 0.5)
    used, dropped = rng.random() < 0.7, rng.random() < 0.5
    words = ["The guest maps a page table at 0x2000 and has accessed it there."]
    if used:
        vm.access(0x40000000)
        words.append("Then an access at 0x40000000 used that table.")
        if dropped:
            for number in range(3):
                vm.emulate_write_gpa((table << PAGE_SHIFT) + 0x800, number << PAGE_SHIFT | PRESENT, 8)
            words.append("Then the host performed three stores in a row to the table.")
    else:
        words.append("No access has used that table yet.")
    choices = ["it does not fault", "it faults, and the host performs the store", "it faults, and the host gives the spte W"]
    yield Ask(f"{' '.join(words)} Now the kernel writes at 0x2000. What happens?", choices)
    access = vm.access(0x2000, write=True)
    yield Answer(
        choices[0] if not access.faults else choices[1] if access.outcome == "emul" else choices[2],
        "the light is red from the first use of the table until its shadow is dropped. An spte without W faults at a write.",
    )


@LESSON.check
def trapped_stores(seed: int) -> Steps:
    """The stores that the host performs, of several to one table and to another."""
    rng = random.Random(seed)
    builder = Builder()
    for gva in (0x1000, 0x201000):
        builder.map(gva)
    tables = [builder.table(0x1000), builder.table(0x201000)]
    builder.map(0x400000, gfn=tables[0])
    builder.map(0x401000, gfn=tables[1])
    vm = builder.start()
    for gva in (0x1000, 0x201000):
        vm.access(gva)
    row = [rng.choice([0, 0, 1]) for _ in range(6)]
    row[0] = 0
    yield Ask(
        f"Two page tables A and B are shadowed. The kernel stores to {', '.join('AB'[one] for one in row)}, in this order. "
        "How many of these stores does the host perform?",
        [2, 3, 4, 5, 6],
    )
    done = [vm.access(0x400000 + 0x1000 * one + 0x800, write=True, value=0, size=8) for one in row]
    yield Answer(
        sum(access.outcome == "emul" for access in done),
        "all stores to a table, up to the third in a row. At the third, the host drops the shadow of that table.",
    )


@LESSON.check
def who_reaches(seed: int) -> Steps:
    """What a program reaches after a change of its entry that was seen or not seen."""
    rng = random.Random(seed)
    seen, touched = rng.random() < 0.5, rng.random() < 0.5
    builder = Builder()
    old = builder.map(0x1000)
    builder.map(0x2000)
    new = builder.frame()
    vm = builder.start()
    if touched:
        vm.access(0x1000, user=True)
    else:
        vm.access(0x2000, user=True)
    how = "and the host performs the store" if seen else "and the host does not notice"
    page = "the page at 0x1000" if touched else "only the page beside it, in the same table"
    choices = [f"the old frame, {old:#x}", f"the new frame, {new:#x}"]
    yield Ask(
        f"A program has accessed {page}. The entry of 0x1000 is changed from gfn {old:#x} to gfn {new:#x}, {how}. "
        "What does the program reach at 0x1000?",
        [*choices, "neither: the access fails"],
    )
    value = new << PAGE_SHIFT | PRESENT | WRITABLE | USER
    gpa = builder.entry_gpa(0x1000)
    if seen:
        vm.emulate_write_gpa(gpa, value, 8)
    else:
        vm.poke(gpa, value)
    reached = vm.access(0x1000, user=True).gpa
    assert reached is not None
    yield Answer(
        choices[reached >> PAGE_SHIFT == new],
        "an spte is stale only if it existed before the change, and the host did not see the store and zap it.",
    )
