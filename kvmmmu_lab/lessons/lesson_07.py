# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 7, write protection."""

from __future__ import annotations

from collections.abc import Sequence

from ..inspect.paths import shadow_path
from ..labs.addresses import GuestEntry
from ..labs.rmap_lab import RmapLab
from ..labs.watch import Watch
from ..mmu.bits import WRITABLE
from ..mmu.cpu import Access
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import frame_name, gfn_of

LESSON = Lesson(7, "How does the host notice every write to a page table?", 40, ("rmap_write_protect",))


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
        The kernel's read in the last cell did not fault (`faults=0`). A write will, as you will see soon. Three steps in the
        film belong together. They come right after the shadow page for `gfn 0x61c9` was taken from the pool, and before any
        entry points to that page:

        1. The entry **leaves the reverse map** of the frame. (This comes first, as you know from lesson 6: the map is
           found through the content of the entry.)
        2. The host tells the processor to **forget its translations**: a *TLB flush*. The TLB is the processor's cache
           of translations. It may contain the permission to write here, and the processor does not read an entry again
           while the entry is in the TLB.
        3. The entry **loses its W**. It is not cleared, because reading the table does no harm and need not fault. The
           small `w` that is left in the picture means that the guest allows writing but the shadow does not.
        """,
    )


@LESSON.question
def flushes(lab: RmapLab) -> Steps:
    """The number of TLB flushes when a frame with several entries becomes a page table."""
    order = [name for row in lab.places() for name in row]
    before, count = lab.machine.stats.tlb_flushes, len(order)
    yield Ask(
        f"The map has {count} entries, and the frame becomes a page table. How many flushes?", [1, 2, count], on=lab.machine
    )
    yield Answer(
        lab.machine.stats.tlb_flushes - before,
        "the flush comes between the other two steps, so it is repeated with them. One at the end would have been enough.",
        more=f"""
        <!-- slide:
        The host takes the entry in the *first place*, again and again, until the map is empty. Each time, the last
        entry of that descriptor fills the hole.
        -->
        Step through the film once more and watch how the dashed purple lines (the reverse map) disappear one by one,
        and how W is cleared each time. Under *Stop when*, *an entry loses its W* takes you from one to the next. (The box
        says *writable table* until the last entry has lost its W. Until then, the guest must not run.)

        Look at the order in which the entries were removed: {", ".join(f"`{name}`" for name in _emptied(order))}. The
        host does not walk along the map. It takes the entry in the *first place*, again and again, until the map is
        empty. Each time, the last entry of that descriptor fills the hole. Removing entries from a list while walking
        along it is a classic mistake, and here it would skip entries. A loop that takes the first entry until there is
        none cannot skip any.
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
def seventh(lab: RmapLab) -> Steps:
    """What a write through a new mapping of a page table costs, and what is left in the shadow."""

    def ends(faults: int, spte: bool) -> str:
        return f"{faults} fault{'s' * (faults != 1)}, and {'an' if spte else 'no'} spte for the new mapping is left"

    choices = [ends(1, False), ends(1, True), ends(2, False), ends(2, True)]
    film: Watch = yield Ask("The guest writes through its new mapping of the page table. This costs:", choices, on=lab.machine)
    yield Answer(
        ends(film.result.faults, lab.spte(lab.mapped[-1]) is not None),
        "the host makes the spte, but leaves out W: the frame is shadowed. In the same fault it performs the store itself.",
        more="""
        <!-- slide:
        | first | then | how the rule is kept |
        | --- | --- | --- |
        | a writable mapping | the frame becomes a page table | write protection goes through the reverse map |
        | the frame is a page table | a mapping is made | the host does not set W |
        -->
        The entry was not added to the reverse map either. A read through it will not fault. There are two ways in which
        a page table could get a writable mapping, and the host prevents both:

        | first | then | how the rule is kept |
        | --- | --- | --- |
        | a writable mapping | the frame becomes a page table | write protection goes through the reverse map |
        | the frame is a page table | a mapping is made, or is used for a write | the host does not set W |
        """,
    )


@LESSON.question
def five_stores(vm: Vm) -> Steps:
    """What five stores in a row to one table cost, and how many of them the host performs."""

    def ends(faults: int, performed: int) -> str:
        return f"{faults} fault, and the host performs {performed}"

    choices = [ends(3, 3), ends(4, 3), ends(4, 4), ends(5, 5)]
    accesses: list[Access] = yield Ask("How many of the five stores fault, and how many does the host perform?", choices, on=vm)
    yield Answer(
        ends(sum(access.faults for access in accesses), sum(access.outcome == "emul" for access in accesses)),
        "the third is the last that the host performs. The fourth faults because the kernel's entry still has no W.",
        more="""
        With the shadow of the table, the *reason* for write protection is gone. But nothing has changed the kernel's entry,
        so the fourth store faulted once more. This time the host found no shadow page for the frame: it gave the entry its
        W, and the guest performed the store itself (`ok` instead of `emul`). The fifth store did not even fault.

        If you know copy on write, you may have expected a single fault: there the first fault repairs the entry. Here
        nothing is repaired as long as the light is red, because nothing is broken.

        One more thing in the film of the first store. At the zap the host does not flush the TLB, although at write
        protection it does. The difference is who makes the change. Here the guest's kernel changes an entry, so it will
        tell the processor to forget the old translation, as it must on a real machine. When the host takes W away, the
        guest knows nothing of it, so the host itself has to flush.
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
        "all the time, also after that",
    ]
    words = "The store is trapped and performed, but pre_write does nothing. How long does the program reach the old frame?"
    accesses: list[Access] = yield Ask(words, choices, on=vm)
    reached = [access.gpa is not None and access.gpa >> 12 == old for access in accesses]
    yield Answer(
        choices[reached.index(False) if False in reached else 3],
        "the trap only gives control to the host. The processor still uses the entry made from the old value.",
        more="""
        So there is another way to fail: the host traps every store and performs it for the guest, but corrects
        *nothing*. The next picture shows two arrows that lead to two different frames, as in lesson 0, where `poke` had
        changed the table without the host noticing. This time the host *did* notice, and the damage is the same.
        Loading CR3 does not help: it empties the TLB, but the host finds its old shadow pages again and keeps using
        them.
        """,
    )


@LESSON.question
def next_fault(vm: Vm, entry: GuestEntry) -> Steps:
    """The frame that a program reaches after a fault at an adjacent page, if a change was not noticed."""
    new = gfn_of(vm, entry.gva)
    old = new ^ entry.frames

    def ends(gfn: int, faults: int) -> str:
        return f"{frame_name(gfn, old, new)}, {'after a' if faults else 'without a'} fault"

    choices = [ends(new, 0), ends(new, 1), ends(old, 0)]
    words = "After the fault at the adjacent page, the program accesses the first heap page. It reaches:"
    access: Access = yield Ask(words, choices, on=vm)
    assert access.gpa is not None
    yield Answer(
        ends(access.gpa >> 12, access.faults),
        "at a fault the host makes the entry that is missing. It does not compare the others with the guest's table.",
        more="""
        <!-- slide:
        **An entry that is present does not fault.** A fault tells the host what is *missing* in the shadow, never what
        is *wrong* in it.
        -->
        Even good explanations say that the guest changes its page tables freely, and that the hypervisor notices at the
        next page fault and brings the shadow up to date. There was a fault, in this very table, and the stale entry
        stayed. At the first heap page there will never be one. **An entry that is present does not fault**: the
        processor finds it, the entry allows the access, and that is all. A fault tells the host what is *missing* in
        the shadow, never what is *wrong* in it.

        In the guest whose store was trapped and handled correctly, when was the old entry zapped? The next cell prints
        two sentences of that film, in their order: the *zap* comes first, and the store only after it. The old entry
        was removed **before** the bytes changed. The shadow never disagreed with the guest's table, not even for a
        moment.
        """,
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
    **This is a real bug.** Go back to the three steps of write protection: remove the entry from the map, flush, clear
    W. The last two are in the wrong order. If you have already seen it, well done: it was in the kernel for half a
    year. (In 2.6.22 it has no effect yet, because a guest has only one processor.)

    The flush was added to `rmap_write_protect` by a separate change to KVM in January 2007 (commit 40907d5 of the Linux
    kernel). A few days later, a developer proposed on the kernel's mailing list that it be removed again, because
    everything seemed to work without it. The author of KVM answered that Intel's processors of the time probably flush
    everything anyway whenever the host takes control. AMD's do not, and there the flush is vital. So it stayed. The
    line after it was not discussed.

    A flush empties the TLB of a processor. When that processor next needs a translation, it reads the entry again. If W
    is still set at that moment, its TLB says *writing allowed* once more. W is cleared one line later (`mmu.c:436`
    flushes, `mmu.c:437` clears), and the processor does not notice.

    The next cell flushes the neighbour's TLB once more, and then the neighbour stores again.
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
        "the neighbour's TLB holds the entry with W set. It does not read the shadow again, so it does not see the change.",
        more="""
        In the film, step to the flush, and then *one* step further: that step is the neighbour's. At the end of the
        film the picture looks correct, and the table's light is red. But look at the order. The host flushed; the neighbour
        walked the shadow and found W set; only then was W cleared. The rule of this lesson holds in the shadow, but not
        in the neighbour's TLB. The next picture shows the result: the guest's page table has an empty entry, and the
        shadow entry made from it still maps a frame.
        """,
    )


SECOND_TRY = Passage(
    """
    <!-- slide:
    In mid-2007, with support for several processors, the two lines were swapped. *First change the original, then throw
    away the copies.*
    -->
    Now the neighbour's store is trapped as it should be, and emulated. The fix costs nothing: **first clear, then
    flush**. Any entry that is cached after the flush was read after W was cleared.

    In mid-2007, KVM gained support for guests with several processors. The two lines were swapped, and the flush was
    extended to the other processors. (The same file had the right order in another place all along. You saw it in the
    film of the seventh mapping: where a new spte turns out to point to a page table, the host clears W in the entry
    (`mmu.c:989`) and then flushes (`mmu.c:990`).)

    The general lesson is older than KVM and holds for every cache: *first change the original, then throw away the
    copies.* In the reverse order, a new copy of the old state can be made in between. (The exercise keeps the order of
    2.6.22, because the kit does what that kernel did.)
    """
)

SUMMARY = Passage(
    """
    <!-- slide:
    - **A frame that is shadowed has no writable mapping**, now and later.
    - For each entry: **remove it from its map, flush, clear W** (the order of 2.6.22, which is wrong).
    - A store to a page table is **trapped and emulated**. The host corrects the shadow *between the two*.
    - Flush after the change, not before it.
    -->
    - **A frame that is shadowed as a page table has no writable mapping.** The host enforces this rule in two ways.
      When a frame becomes a page table, all its writable entries lose their W. When the host makes an spte for a page
      table, it does not set W.
    - For each entry there are three steps: **remove it from the reverse map, flush the TLB, clear W** (the order of
      2.6.22, which is wrong). The rest of the entry does not change. So there are as many flushes as entries, and
      reading causes no fault.
    - A store to a page table is **trapped and emulated**, as long as the table is shadowed. Protection does not stop
      the store; it makes it visible.
    - The host corrects the shadow **between the trap and the store**. A stale entry never faults, so there is no later
      chance to find it.
    - Flush after the change, not before it.
    """
)
