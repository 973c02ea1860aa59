# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 6, reverse maps."""

from __future__ import annotations

from ..labs.rmap_lab import RmapLab
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import gfn_of

LESSON = Lesson(6, "Through which shadow entries can one frame be written?", 30, ("rmap_add", "rmap_remove"))

NO, YES = "no", "yes"


def form(rows: list[list[str]]) -> str:
    """Return the content of a map as text: a bar separates its descriptors."""
    return " | ".join(" ".join(row) for row in rows)


def in_map(vm: Vm, gfn: int) -> list[int]:
    """Return the entries in the reverse map of a frame."""
    return list(vm.rmap.sptes(vm.memory.frames[gfn]))


@LESSON.question
def recorded(vm: Vm, gva: int) -> Steps:
    """Whether an access that only reads leaves something in the reverse map."""
    gfn = gfn_of(vm, gva)
    yield Ask("The program only reads. Is anything in the frame's reverse map afterwards?", [NO, YES], on=vm)
    yield Answer(
        YES if in_map(vm, gfn) else NO,
        "the guest allows writing here, so the spte has W set, and the next write would not fault.",
        more="""
        <!-- slide:
        The dashed purple line at the end is the **reverse map**: it runs backwards, from the frame to the spte. It
        lists the entries through which the processor *could* write right now.
        -->
        The dashed purple line at the end of the film is the reverse map: it runs backwards, from the frame to the spte.

        This is the first half of the rule. A reverse map is not a history of what the guest did. It lists the entries
        through which the processor *could* write right now, without a fault. It does not matter how the entries have
        been used.
        """,
    )


@LESSON.question
def unwritten(vm: Vm, gfn: int) -> Steps:
    """Whether a read of a page whose guest entry has W but not D leaves something in the reverse map."""
    yield Ask("W is set, D is clear, and the program reads. Is anything in the reverse map afterwards?", [NO, YES], on=vm)
    yield Answer(
        YES if in_map(vm, gfn) else NO,
        "the host left W out of the spte. The next write has to fault, because the host must set D in the guest's entry.",
        more="""
        <!-- slide:
        **W is set in an spte only if the guest's D is set, too.**

        D means: *this page has been written*. The processor walks the shadow, so it cannot set D in the guest's table.
        The host does this when the first write faults.
        -->
        In the picture the spte has a small `w`: the guest allows writing, and the host withholds it.

        A kernel needs D. It tells the kernel which pages have been changed and must be saved before their frames are
        used for something else. On a real machine the processor sets D in the kernel's entry at the first write. Here
        the processor walks the shadow and never touches the guest's tables. So the host has to set D for it, and can
        only do this if the first write faults.

        So when does the host set W in an spte? The guest's entry and all entries above it must have W, and **the
        guest's D must be set.** (Lesson 7 adds a third condition.)

        Now the program writes. Look for the two steps in which W is set in the spte and D in the guest's entry. The
        step after them adds the entry to the reverse map.
        """,
    )


@LESSON.question
def two_ways(vm: Vm, gva: int) -> Steps:
    """The number of entries in the map of a frame with two addresses in different tables."""
    gfn = gfn_of(vm, gva)
    yield Ask(
        "The kernel has read the same frame through its own mapping. How many entries are in the map now?", [0, 1, 2], on=vm
    )
    yield Answer(
        len(in_map(vm, gfn)),
        "the second address goes through other tables, and therefore through an spte of its own, which has W set, too.",
        more="""
        Two dashed lines lead back from the frame. The next picture shows the same thing from the frame's point of view.
        In the middle is the map as the host stores it: a block of memory with four places. Each used place holds the
        **name of a shadow entry**: `#248:454` is entry 454 of shadow page 248.

        The frame has two numbers. The guest knows it by its gfn. The host keeps guest memory somewhere in its own
        memory, where the frame's number is the **hfn**, host frame number. `vm.memory.frames[gfn]` converts one to the
        other. An spte holds the hfn, because the processor needs to know where the frame really is. Reverse maps are
        indexed by hfn, too. Pictures show the gfn, so that you can compare both sides.
        """,
    )


@LESSON.question
def read_only(lab: RmapLab) -> Steps:
    """The number of entries in the map after a mapping without W."""
    count = sum(map(len, lab.places()))
    choices = [count - 1, count, count + 1]
    yield Ask(f"The map has {count} entries. After a read-only mapping it has:", choices, on=lab.machine)
    yield Answer(
        sum(map(len, lab.places())),
        "an entry is recorded if it is present AND writable. This one cannot write the frame, so the host need not find it.",
        more="""
        <!-- slide:
        **The map records only entries that are both present and writable.** In an entry without W there is nothing to
        clear.

        *The reverse map is not the list of all entries that point to a frame.*
        -->
        **The map records only entries that are both present and writable.** Why only these? The map has one purpose:
        when the frame becomes a page table, the host clears W in every entry in the map. An entry that is not present
        causes a fault anyway, and in an entry without W there is nothing to clear. Many processes share read-only pages
        (program code, the C library). If the map recorded these entries, too, it would become long for no purpose.

        `who_maps` searches all entries that exist, so it also finds the third one. Only the first two have a dashed
        line. Remember this picture: *the reverse map is not the list of all entries that point to a frame.*
        """,
    )


@LESSON.question
def fifth(lab: RmapLab) -> Steps:
    """The place of an entry for which the only descriptor has no room."""
    old = lab.places()
    oldest = old[0][0]
    choices = [
        "in the word of the frame itself, beside the descriptor",
        "in a new descriptor, before the full one",
        "in a new descriptor, after the full one",
        f"in the place of {oldest}, the oldest entry",
    ]
    yield Ask("All four places of the descriptor are used. Where will the next entry go?", choices, on=lab.machine)
    rows = lab.places()
    found = 2 if rows[:1] == old and len(rows) == 2 else 1 if rows[1:] == old else 3 if len(rows) == 1 else 0
    yield Answer(
        choices[found],
        "a new entry goes into the first descriptor with a free place. There was none, so the host appended one to the list.",
    )


@LESSON.question
def hole(lab: RmapLab) -> Steps:
    """The form of a map after its second entry was removed."""
    first, second = lab.places()
    gone, rest = first[1], [first[0], *first[2:]]
    choices = [
        form([[*rest, second[0]], second[1:]]),
        form([[first[0], second[-1], *first[2:]], second[:-1]]),
        form([[first[0], first[-1], *first[2:-1]], second]),
        form([rest, second]),
    ]
    yield Ask(f"Without {gone}, the map will be", choices, on=lab.machine)
    yield Answer(
        form(lab.places()),
        "the last entry of the SAME descriptor fills the hole. No other entry moves: the map is a set and has no order.",
        more="""
        Each of the other answers would work, too. Two of them move entries from one descriptor to another and therefore
        touch more memory. One moves two entries where one is enough. You might expect the very last entry of the whole
        map to fill the hole. It does not: the host works on one descriptor and does not look at the next. So a
        descriptor that is not the last can have room.
        """,
    )


@LESSON.question
def refill(lab: RmapLab) -> Steps:
    """The descriptor of an entry that is added when the first descriptor has room."""
    before = lab.places()
    choices = ["in the first descriptor", "in the last descriptor", "in a new descriptor"]
    yield Ask("The frame is mapped once more. Where will the new entry be?", choices, on=lab.machine)
    rows = lab.places()
    found = 2 if len(rows) > len(before) else 0 if len(rows[0]) > len(before[0]) else 1
    yield Answer(
        choices[found],
        "the host looks for a free place from the first descriptor on.",
        more="""
        The new mapping uses the address that was freed, so its shadow entry has the name of the one that was removed.
        But its place in the map is a different one: it is the last entry in its descriptor.
        """,
    )


@LESSON.question
def last_one(lab: RmapLab) -> Steps:
    """The form of a map that has shrunk to one entry."""
    choices = ["directly", "in its descriptor"]
    yield Ask("How will the remaining entry be kept?", choices, on=lab.machine)
    head = lab.machine.rmap.heads[lab.hfn]  # type: ignore[attr-defined]  # the kernel's part
    yield Answer(
        choices[0] if isinstance(head, int) else choices[1],
        "a descriptor is freed when its last entry is removed, not before. The host never returns to the direct form.",
        more="""
        So the form of a map depends on its history. A single entry may be kept directly or in a descriptor, and both
        mean the same thing. In the exercises you write your own reverse map. The checker first tests whether it holds
        the right *entries*, and only then whether it has the same *form* as the kernel's.
        """,
    )


@LESSON.question
def cleared_first(lab: RmapLab) -> Steps:
    """What `remove` does with an entry that is zero already."""
    choices = ["it is empty: remove has taken the entry out", "it still contains the entry: remove has done nothing"]
    yield Ask("The entry was cleared, and then removed from the map. What is in the map?", choices)
    yield Answer(
        choices[1] if lab.machine.rmap.sptes(lab.hfn) else choices[0],
        "remove is given only the entry, and reads from it whether it is in a map, and in which.",
        more="""
        <!-- slide:
        **A map is found through the content of the entry, so the entry has to be removed from the map before its
        content is lost.**
        -->
        The entry is empty, and the map still contains it. The function that removes an entry reads two things from it.
        Is it present and writable? If not, it is in no map. And which frame does it point to? Without the frame, the
        function cannot find the map. A cleared entry is not present and points nowhere. **A map is found through the
        content of the entry, so the entry has to be removed from the map before its content is lost.** If you clear
        only W, the result is the same.

        Does it matter? The entry is empty, and the frame cannot be written through it.
        """,
    )


@LESSON.question
def ghost(lab: RmapLab) -> Steps:
    """What happens when a frame becomes a page table, and its map contains an entry that is zero."""
    ends = ["nothing: an empty entry does no harm", "another entry loses its W", "the host crashes"]
    yield Ask("The map contains an empty entry, and the frame becomes a page table. What happens?", ends, on=lab.machine)
    yield Answer(
        ends[2] if lab.machine.dead else ends[0],
        "every entry in the map must be writable and point to this frame. The host checks this, and crashes if it is not true.",
        more="""
        The check (`mmu.c:430-433`) protects the host. Entries are reused: a little later the same entry may point to
        another frame. A host without the check would then clear W in an entry that should keep it. It is better to stop
        the machine than to continue with wrong tables.
        """,
    )


@LESSON.question
def two_addresses(vm: Vm, gfn: int) -> Steps:
    """The number of entries in the map of a frame with two addresses in one table."""
    yield Ask("The frame can be written at two addresses. How many entries are in its reverse map?", [0, 1, 2], on=vm)
    yield Answer(
        len(in_map(vm, gfn)),
        "a map holds shadow entries, not addresses. Both addresses go through the same entry.",
        more="""
        <!-- slide:
        **A reverse map leads from a frame to shadow entries**, not to addresses. The host clears W in entries; all
        addresses that go through an entry lose write access at once.
        -->
        The second access faulted as well, but this time the host made only the link in the directory. The shadow page
        below already existed, and so did the spte. **A reverse map leads from a frame to shadow entries**, which are
        places in the host's own memory. This is exactly what the host needs, because it clears W in entries, not at
        addresses. All addresses that go through the entry lose write access at once, and the host never has to know
        them. (To find the addresses, the host would have to climb every path above the entry.)
        """,
    )


@LESSON.question
def flipped(vm: Vm, gfn: int) -> Steps:
    """Whether an entry that has lost its W is still in its map."""
    yield Ask(
        "The kernel writes to the page, then the program reads it. Is the entry in the reverse map in the end?",
        [NO, YES],
        on=vm,
    )
    yield Answer(
        YES if in_map(vm, gfn) else NO,
        "the first half of the switch adds it to the map. The second half changes the spte and leaves the map as it is.",
        more="""
        <!-- slide:
        When the *kernel writes*, the spte gets W, loses U and is added to the map. When the *program reads*, it gets U
        and loses W, but **no step removes it from the map**.
        -->
        One function in Linux 2.6.22 breaks the rule *first remove the entry from its map*. The first half of the switch
        updates the reverse map. The second half, `fix_read_pf` (`mmu.c:1009-1024`), is a few lines long and changes
        only the spte. So the map still contains an entry without W. You produced a similar state by hand earlier in
        this lesson.
        """,
    )


@LESSON.question
def later(vm: Vm) -> Steps:
    """What happens when the frame with the entry left over becomes a page table."""
    ends = ["the host protects it, as any page table", "the program can no longer read its page", "the host crashes"]
    yield Ask("Hours later, the guest's kernel uses that frame as a page table. What happens?", ends, on=vm)
    yield Answer(
        ends[2] if vm.dead else ends[0],
        "write protection goes through the map, and finds an entry in which W is clear already.",
        more="""
        <!-- slide:
        The guest did nothing forbidden, and yet its *host* crashes. It crashes in `rmap_write_protect`, which is
        correct; the mistake is in another function.

        **Every function that clears W in an entry has to remove the entry from the map first.**
        -->
        The guest did nothing forbidden, and yet the *host's* kernel crashes, and all other guests on that host stop
        with it. Notice also how far the cause is from the effect: the host crashes in `rmap_write_protect`, which is
        correct. The mistake is in another function, which knows nothing about reverse maps. Every function that clears
        W in an entry has to remove the entry from the map first.
        """,
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
