# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 6, reverse maps."""

from __future__ import annotations

import random

from ..labs.guests import Builder
from ..labs.rmap_lab import RmapLab, rmap_lab
from ..mmu.bits import DIRTY, PRESENT, USER, WRITABLE, flag_names
from ..mmu.vm import Vm
from ..player.film import Film
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import gfn_of, names

__all__ = ["LESSON", "names"]

LESSON = Lesson(6, "Through which shadow entries can one frame be written?", 30, ("rmap_add", "rmap_remove"))


def form(rows: list[list[str]]) -> str:
    """Return the content of a map as text: a bar separates its descriptors."""
    return " | ".join(" ".join(row) for row in rows)


def in_map(vm: Vm, gfn: int) -> list[int]:
    """Return the entries in the reverse map of a frame."""
    return list(vm.rmap.sptes(vm.memory.frames[gfn]))


def goes_first(seed: int) -> int:
    """Return the address whose mapping is removed first, from a full map."""
    return random.Random(seed).choice([0x1000, 0x2000])


def goes_last(seed: int) -> int:
    """Return the address whose mapping is removed when two are left."""
    return random.Random(seed).choice([0x6000, 0x5000])


def first_leaves(mappings: int) -> Film | None:
    """Return the film of how the first of several mappings of a frame is removed."""
    lab = mapped(mappings)
    return lab.unmap(0).film


def mapped(mappings: int) -> RmapLab:
    """Return a lab whose frame is mapped several times."""
    lab = rmap_lab()
    for _ in range(mappings):
        lab.map()
    return lab


@LESSON.question
def other_program(vm: Vm, gfn: int) -> Steps:
    """What is in the map of a program's page after the guest has switched to another program."""
    choices = ["nothing", "the entry, with W set", "the entry, without W"]
    yield Ask("Another program runs. What is in the map of the first program's heap page?", choices, on=vm)
    entries = in_map(vm, gfn)
    yield Answer(
        choices[0] if not entries else choices[1] if vm.memory.words[entries[0]] & WRITABLE else choices[2],
        "the host keeps the shadow pages of the first program. So the program's next write will not fault when it runs again.",
        more="""
        <!-- slide:
        A reverse map is not a history of what the guest did. It lists the entries through which the frame *could* be
        written without a fault, in all shadow pages.
        -->
        The picture shows the map from the frame's point of view. Loading CR3 changes which root the processor walks. But the
        host has to find entries in *all* shadow pages, also in those that no processor is walking at the moment.

        The program has only read, and yet its spte is in the map. A reverse map is not a history of what the guest did. It
        lists the entries through which the frame *could* be written without a fault. It does not matter whether the guest
        has done so.
        """,
    )


@LESSON.question
def same_byte(vm: Vm, gva: int) -> Steps:
    """What is in the map of a frame with two addresses in different tables."""
    gfn = gfn_of(vm, gva)
    before = in_map(vm, gfn)
    choices = ["the program's entry alone", "the kernel's entry alone", "both entries"]
    yield Ask("The kernel has read the same byte through its own mapping. What is in the map of the frame now?", choices, on=vm)
    after = in_map(vm, gfn)
    yield Answer(
        choices[0] if after == before else choices[2] if {*before} < {*after} else choices[1],
        "the second address goes through other tables, and therefore through an spte of its own, which has W set, too.",
        more="""
        <!-- slide:
        Two dashed lines lead back from the frame, to two sptes. The host keeps the map in a *descriptor*: a block of memory
        with four places, each for the **address of a shadow entry**.
        -->
        Two dashed lines lead back from the frame. The next picture shows the frame's point of view again. In the middle
        is the map as the host stores it: a block of memory with four places, a *descriptor*. Each used place holds the
        **address of a shadow entry**. Pictures show the entry's name instead: `#248:454` is entry 454 of shadow page 248.

        A frame has two numbers. The guest knows it by its gfn. But the host keeps the guest's memory somewhere in its own
        memory, and there the frame has another number, the **hfn** (host frame number). `vm.memory.frames[gfn]` converts
        a gfn to an hfn. An spte holds the hfn, because the processor needs to know where the frame really is. Reverse maps
        are indexed by hfn, too. Pictures show the gfn everywhere, so that you can compare sptes with the guest's entries.
        """,
    )


@LESSON.question
def made_writable(lab: RmapLab) -> Steps:
    """The moment at which the entry of a mapping is recorded that gets its W later."""
    count = sum(map(len, lab.places()))
    choices = ["at the store to the page-table entry", "at the read", "at the write", "at none of them"]
    counts: list[int] = yield Ask("When is the third mapping's shadow entry recorded?", choices, on=lab.machine)
    yield Answer(
        choices[next((number for number, now in enumerate(counts) if now > count), 3)],
        "at the read the host made an spte without W, because D was clear. The write faulted and set D, and the spte got W.",
        more="""
        <!-- slide:
        **The map records only entries that are both present and writable.** In an entry without W there is nothing to
        clear.

        *The reverse map is not the list of all entries that point to a frame.*
        -->
        The store only zapped the old spte. The read made a new one. As in lesson 4, W was withheld: the host has to set
        D in the guest's entry at the first write, so the first write has to fault. At that fault the spte got W, and
        the host recorded it.

        Why does the map record only entries with W? It has one purpose: when the frame becomes a page table, the host
        clears W in every entry in the map. An entry that is not present causes a fault anyway, and in an entry without W
        there is nothing to clear. Many processes share read-only pages (program code, the C library). With these entries
        the map would become long for no purpose. So *the reverse map is not the list of all entries that point to a
        frame.*
        """,
    )


@LESSON.question
def fifth(lab: RmapLab) -> Steps:
    """The place of an entry for which the only descriptor has no room."""
    old = lab.places()
    choices = [
        "in a larger descriptor, which replaces the full one",
        "in a new descriptor, before the full one",
        "in a new descriptor, after the full one",
        "in a new descriptor, which also takes over half of the old entries",
    ]
    yield Ask("All four places of the descriptor are used. Where will the next entry go?", choices, on=lab.machine)
    rows = lab.places()
    found = 0 if len(rows) == 1 else 2 if rows[:1] == old else 1 if rows[1:] == old else 3
    yield Answer(
        choices[found],
        "the word still leads to the full descriptor, so the new one comes after it, and the old entries stay.",
        more="""
        The word of the frame leads to the first descriptor, and each descriptor has a link to the next.
        """,
    )


@LESSON.question
def hole(lab: RmapLab, gva: int) -> Steps:
    """The form of a map after the entry of one of the first two mappings was removed."""
    first, second = lab.places()
    gone = lab.entry(gva)
    at = first.index(gone)
    rest = [*first[:at], *first[at + 1 :]]
    choices = [
        form([[*rest, second[0]], second[1:]]),
        form([[*first[:at], second[-1], *first[at + 1 :]], second[:-1]]),
        form([[*first[:at], first[-1], *first[at + 1 : -1]], second]),
        form([rest, second]),
    ]
    yield Ask(f"Without {gone}, the map will be", choices, on=lab.machine)
    yield Answer(
        form(lab.places()),
        "the last entry of the SAME descriptor fills the hole. No other entry moves: the order has no meaning.",
        more="""
        <!-- slide:
        The host works on one descriptor and does not look at the next. The other maps would have no hole either, but cost
        more.
        -->
        Each of the other maps would have no hole either, but would cost more. Two of them take an entry from the second
        descriptor, so the host would work on both descriptors. Another one moves each entry after the hole by one place.
        """,
    )


@LESSON.question
def last_one(lab: RmapLab, gva: int) -> Steps:
    """Where the entry is kept that is left in a map which has shrunk to one."""
    choices = [
        "directly in the word of the frame, as after the first mapping",
        "in the descriptor, in the first place",
        "in the descriptor, in the second place",
    ]
    (stays,) = (name for name in lab.places()[0] if name != lab.entry(gva))
    yield Ask(f"How will the remaining entry, {stays}, be kept?", choices, on=lab.machine)
    head = lab.machine.rmap.heads[lab.hfn]  # type: ignore[attr-defined]  # the kernel's part
    yield Answer(
        choices[0] if isinstance(head, int) else choices[1 + lab.places()[0].index(stays)],
        "the descriptor is not empty, so it stays. In a descriptor, no empty place comes before a used one.",
        more="""
        <!-- slide:
        The form of a map depends on its history: a single entry may be kept directly or in a descriptor, and both mean the
        same thing.
        -->
        So the form of a map depends on its history. A single entry may be kept directly or in a descriptor, and both
        mean the same thing.
        """,
    )


@LESSON.question
def cleared_first(lab: RmapLab) -> Steps:
    """What `remove` does with an entry that is zero already."""
    before = lab.places()
    first, second = before[0]
    choices = [
        f"{second} alone: remove takes {first} out",
        f"{first} and {second}: remove does nothing",
        f"an empty place and {second}",
        "nothing: the host crashes",
    ]
    yield Ask(f"{first} is cleared, then `remove` is called for it. What is in the map then?", choices)
    rows = [] if lab.machine.dead else lab.places()
    yield Answer(
        choices[3] if lab.machine.dead else choices[0 if rows == [[second]] else 1 if rows == before else 2],
        "remove is not told the frame. From the bits of the entry it reads whether the entry is in a map, and of which frame.",
        more="""
        <!-- slide:
        **A map is found through the content of the entry, so the entry has to be removed from the map before its
        content is lost.**
        -->
        The entry is empty, and the map still contains it. `remove` reads two things from an entry. Is it present and
        writable? If not, it is in no map. And to which frame does it point? That frame has the map. But a cleared entry is
        not present, and points nowhere. **A map is found through the content of the entry, so the entry has to be
        removed from the map before its content is lost.**
        """,
    )


EMPTY_ENTRY = Passage(
    """
    <!-- slide:
    Every entry in the map must be writable and point to this frame. The host checks this, and stops: that is better than
    to continue with wrong tables.
    -->
    The host crashes. Every entry in the map must be writable and point to this frame, and the host checks this
    (`mmu.c:430-433`). The check is useful, because places for entries are used again: a little later, `#248:1` may lead
    to another frame, and be in the map of that frame, too. Without the check, the host would clear W in an entry that
    should keep it. It is better to stop the machine than to continue with wrong tables.
    """
)


@LESSON.question
def written_again(vm: Vm, gfn: int) -> Steps:
    """What is in the map when an entry has lost its W by a read of the program, and got it again."""
    choices = ["nothing", "the entry, once", "the entry, twice", "the host crashes before that"]
    yield Ask("The program reads, then the kernel writes. What is in the map of the frame in the end?", choices, on=vm)
    yield Answer(
        choices[3] if vm.dead else choices[min(len(in_map(vm, gfn)), 2)],
        "fix_read_pf has no vcpu, so it can't remove the entry from the map. The next write adds the entry again.",
        more="""
        <!-- slide:
        When the *program reads*, the spte loses W, but **no step removes it from the map**. When the *kernel writes*, the
        spte is added, and nobody searches the map for it.
        -->
        One function of Linux 2.6.22 breaks the rule *first remove the entry from its map*: `fix_read_pf` is a few lines
        long and changes only the spte. So after the read, the map contained an entry without W. At the write the entry
        got W, and was added. The function that adds an entry does not search the map for it: a search would take time
        at every fault, and is not needed as long as every function that clears W removes the entry from the map. From now
        on, each read by the program that is followed by a write of the kernel makes the map longer by one.
        """,
    )


IN_THE_END = Passage(
    """
    <!-- slide:
    The guest did nothing forbidden, and yet its *host* crashes. It crashes in `rmap_write_protect`, which is correct;
    the mistake is in another function.

    **Every function that clears W in an entry has to remove the entry from the map first.**
    -->
    `rmap_write_protect` took the entry from the map and cleared its W. Then it found the same entry a second time, and
    now W was clear. (The second write is not even needed: after the program's read, the map already has an entry
    without W, and the host crashes in the same way.)

    The guest did nothing forbidden, and yet the *host's* kernel crashes, and all other guests on that host stop with
    it. The cause is far from the effect: the host crashes in `rmap_write_protect`, which is correct. The mistake is in
    `fix_read_pf`, which knows nothing about reverse maps. Every function that clears W in an entry has to remove the
    entry from the map first.

    The first audit would have noticed this as soon as the program had read: one entry in the maps, no writable entry. We
    have not traced which later change to the kernel removed the bug. In the museum of bugs it is the exhibit
    `wp0_rmap_leak_then_pt_BUG`.
    """
)


SUMMARY = Passage(
    """
    <!-- slide:
    - *Through which shadow entries can this frame be written?* **Present and writable** entries are recorded.
    - **A map is empty, one entry, or a list of descriptors of four.**
    - The **last entry of the same descriptor** fills a hole.
    - **Remove from the map, then clear.**
    -->
    - A reverse map answers one question: *through which shadow entries can this frame be written?* So it records the
      entries that are **present and writable**, and no others.
    - It has three forms: **empty**; **one entry, kept directly**; **several entries, in descriptors of four places**. A
      new entry goes into the first descriptor with room, or else into a new one at the end of the list.
    - The **last entry of the same descriptor** fills a hole. An empty descriptor is unlinked. A map that has shrunk to
      one entry keeps its descriptor.
    - **First remove an entry from its map, then clear it**: the map is found through the content of the entry.
    """
)


# Check questions


@LESSON.check
def descriptors(seed: int) -> Steps:
    """The number of descriptors of a map, some of whose mappings are read-only."""
    rng = random.Random(seed)
    writable, readable = rng.randint(2, 9), rng.randint(1, 4)
    lab = rmap_lab()
    yield Ask(
        f"A frame is mapped {writable + readable} times, {readable} of them read-only. How many descriptors has its map?",
        [0, 1, 2, 3, 4],
    )
    kinds = [False] * writable + [True] * readable
    rng.shuffle(kinds)
    for read_only in kinds:
        lab.map(read_only=read_only)
    yield Answer(
        len(lab.places()),
        f"{writable} entries have W and are recorded, and a descriptor has places for four.",
    )


@LESSON.check
def fills_the_hole(seed: int) -> Steps:
    """The entry that fills the hole when an entry is removed."""
    rng = random.Random(seed)
    lab = mapped(rng.randint(5, 8))
    first, second = lab.places()
    at = rng.randrange(6)
    row = first if at < 3 else second
    gone = row[at % 3 % len(row)]
    words = f"The map of a frame is {form([first, second])}. {gone} is removed. Which entry is then in its place?"
    others = [*first, *second]
    choices = [name for name in dict.fromkeys([others[0], first[-1], second[0], second[-1]]) if name != gone]
    yield Ask(words, [*choices, "none: no entry moves"])
    where = row.index(gone)
    gva = next(gva for gva in lab.mapped if lab.entry(gva) == gone)
    lab.unmap(lab.mapped.index(gva))
    rows = lab.places()
    now = rows[0 if row is first else 1] if len(rows) > 1 or row is first else []
    yield Answer(
        now[where] if where < len(now) else "none: no entry moves",
        "the last entry of the same descriptor fills the hole. If the last entry itself is removed, nothing moves.",
    )


@LESSON.check
def recorded(seed: int) -> Steps:
    """Whether an entry is recorded after an access, given the flags of the guest's entry."""
    rng = random.Random(seed)
    flags = PRESENT | USER | rng.choice([0, WRITABLE, WRITABLE | DIRTY])
    write = rng.random() < 0.5
    builder = Builder()
    gfn = builder.map(0x1000, flags=flags)
    vm = builder.start()
    does = "writes to" if write else "reads from"
    letters = flag_names(flags).replace(" ", "")
    yield Ask(
        f"The guest's entry has the flags {letters} and no others. A program {does} the page. What is in the map of the frame?",
        ["the spte, with W set", "the spte, without W", "nothing: the spte has no W", "nothing: the guest refuses the access"],
    )
    access = vm.access(0x1000, write=write, user=True)
    entries = in_map(vm, gfn)
    if access.gpa is None:
        happened = "nothing: the guest refuses the access"
    elif entries:
        happened = "the spte, with W set" if vm.memory.words[entries[0]] & WRITABLE else "the spte, without W"
    else:
        happened = "nothing: the spte has no W"
    yield Answer(
        happened,
        "the map records an spte that has W. The spte gets W if the guest's entry has W, and D was set or this access sets it.",
    )


@LESSON.check
def shared_table(seed: int) -> Steps:
    """The entries in the map of a frame that has several addresses."""
    rng = random.Random(seed)
    entries, tables = rng.randint(1, 3), rng.randint(2, 4)
    builder = Builder()
    gfn = builder.map(0x1000)
    for number in range(2, entries + 1):
        builder.map(number << 12, gfn=gfn)
    table = builder.vm.peek(builder.entry_gpa(0x1000, 2))
    for number in range(1, tables):
        builder.vm.poke(builder.entry_gpa(number << 21, 2), table)
    vm = builder.start()
    yield Ask(
        f"A page table has {entries} {'entry' if entries == 1 else 'entries'} for one frame, and {tables} entries of the page "
        f"directory point to the table. The kernel writes at all {entries * tables} addresses. "
        "How many entries are in the map of the frame?",
        sorted({1, entries, tables, entries * tables, entries + tables}),
    )
    for number in range(tables):
        for page in range(1, entries + 1):
            vm.access(number << 21 | page << 12, write=True)
    yield Answer(
        len(in_map(vm, gfn)),
        "the map holds shadow entries. All addresses that share the table share its shadow entries.",
    )
