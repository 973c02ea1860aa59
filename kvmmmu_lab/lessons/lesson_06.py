# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 6, reverse maps."""

from __future__ import annotations

from ..inspect.paths import shadow_path
from ..labs.rmap_lab import RmapLab
from ..labs.watch import Watch
from ..mmu.bits import WRITABLE
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import gfn_of

LESSON = Lesson(6, "Through which shadow entries can one frame be written?", 30, ("rmap_add", "rmap_remove"))


def form(rows: list[list[str]]) -> str:
    """Return the content of a map as text: a bar separates its descriptors."""
    return " | ".join(" ".join(row) for row in rows)


def in_map(vm: Vm, gfn: int) -> list[int]:
    """Return the entries in the reverse map of a frame."""
    return list(vm.rmap.sptes(vm.memory.frames[gfn]))


@LESSON.question
def other_program(vm: Vm, gfn: int) -> Steps:
    """What is in the map of a program's page after the guest has switched to another program."""
    choices = ["nothing", "the entry, with W set", "the entry, without W"]
    yield Ask("Another program runs. What is in the map of the first program's heap page?", choices, on=vm)
    entries = in_map(vm, gfn)
    yield Answer(
        choices[0] if not entries else choices[1] if vm.memory.words[entries[0]] & WRITABLE else choices[2],
        "the host keeps the shadow pages of the first program. When it runs again, its next write will not fault.",
        more="""
        <!-- slide:
        A reverse map is not a history of what the guest did. It lists the entries through which the frame *could* be
        written without a fault, in all shadow pages.
        -->
        The picture shows the map from the frame's point of view. Loading CR3 changes which root the processor walks. So
        the host has to find entries in *all* shadow pages, also in those that no processor is walking at the moment.

        A reverse map is not a history of what the guest did: the program has only read. The map lists the entries through
        which the frame *could* be written without a fault. It does not matter how the entries have been used.
        """,
    )


@LESSON.question
def small_guest(vm: Vm, gfn: int) -> Steps:
    """What is made of a guest entry that has W but not D when the program reads."""
    choices = [
        "it has W, and is in the reverse map",
        "it has W, and a write will add it to the reverse map",
        "it has no W, and is not in the reverse map",
    ]
    yield Ask("The guest's entry is PWU, and the program reads. The new spte:", choices, on=vm)
    yield Answer(
        choices[0] if in_map(vm, gfn) else choices[1] if shadow_path(vm, 0x1000).steps[-1].entry & WRITABLE else choices[2],
        "D is clear in the guest's entry. The next write has to fault, because the host must set D there.",
        more="""
        <!-- slide:
        **W is set in an spte only if the guest's D is set, too.**

        D means: *this page has been written*. The processor walks the shadow, so it cannot set D in the guest's table.
        The host does this when the first write faults.
        -->
        In the picture the spte has a small `w`: the guest allows writing, and the host withholds it.

        **D**, *dirty*, means that the page has been written at some time in the past. In the first picture, where the
        flags are `PWUAD.NX`, D is set; this page has never been written. A kernel needs D: it tells the kernel which
        pages have been changed and must be saved before their frames are used for something else. On a real machine the
        processor sets D in the kernel's entry at the first write. Here the processor walks the shadow and never touches
        the guest's tables. So the host has to set D for it, and can only do this if the first write faults.

        So when does the host set W in an spte? The guest's entry and all entries above it must have W, and **the
        guest's D must be set** (or the same fault sets it). (Lesson 7 adds a third condition.)

        Now the program writes. Look for the two steps in which W is set in the spte and D in the guest's entry. The
        step after them adds the entry to the reverse map.
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
        Two dashed lines lead back from the frame. The next picture shows the frame's point of view again.
        In the middle is the map as the host stores it: a block of memory with four places, a *descriptor*. Each used
        place holds the **address of a shadow entry**. Pictures show its name instead: `#248:454` is entry 454 of shadow
        page 248.

        The frame has two numbers. The guest knows it by its gfn. The host keeps guest memory somewhere in its own
        memory, where the frame's number is the **hfn**, host frame number. `vm.memory.frames[gfn]` converts one to the
        other. An spte holds the hfn, because the processor needs to know where the frame really is. Reverse maps are
        indexed by hfn, too. Pictures show the gfn, so that you can compare both sides.
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
        "the store only zapped the old spte. The read made a new one, and made it with W, because W and D are set.",
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

        `who_maps` searches all entries that exist, so it also found the third one while it had no W. Only the first two
        had a dashed line. Remember this picture: *the reverse map is not the list of all entries that point to a
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
        "the last entry of the SAME descriptor fills the hole. No other entry moves: the order has no meaning.",
        more="""
        Each of the other answers would work, too. Two of them move entries from one descriptor to another and therefore
        touch more memory. One moves two entries where one is enough. You might expect the very last entry of the whole
        map to fill the hole. It does not: the host works on one descriptor and does not look at the next.
        """,
    )


@LESSON.question
def mapped_again(lab: RmapLab) -> Steps:
    """The descriptor of an entry that is added when the first descriptor has room."""
    before = lab.places()
    choices = ["in the first descriptor", "in the last descriptor", "in a new descriptor"]
    yield Ask("The frame is mapped once more. Where will the new entry be?", choices, on=lab.machine)
    rows = lab.places()
    found = 2 if len(rows) > len(before) else 0 if len(rows[0]) > len(before[0]) else 1
    yield Answer(
        choices[found],
        "the host looks for a free place from the first descriptor on. The removal has left one there.",
        more="""
        The new mapping uses the address that was freed, so its shadow entry has the name of the one that was removed.
        But its place in the map is a different one: it is the last entry in its descriptor.
        """,
    )


@LESSON.question
def last_one(lab: RmapLab) -> Steps:
    """Where the entry is kept that is left in a map which has shrunk to one."""
    choices = [
        "directly in the word of the frame, as after the first mapping",
        "in the descriptor, in the first place",
        "in the descriptor, in the second place, where it is now",
    ]
    stays = lab.places()[0][1]
    yield Ask(f"How will the remaining entry, {stays}, be kept?", choices, on=lab.machine)
    head = lab.machine.rmap.heads[lab.hfn]  # type: ignore[attr-defined]  # the kernel's part
    yield Answer(
        choices[0] if isinstance(head, int) else choices[1 + lab.places()[0].index(stays)],
        "it fills the hole, as every last entry does. The descriptor is not empty, so it is not freed.",
        more="""
        The film above shows a descriptor become empty: after the last of the four removals it is gone. The host
        **unlinked and freed** it (no step says so), and the second descriptor became the head of the list.

        So the form of a map depends on its history. A single entry may be kept directly or in a descriptor, and both
        mean the same thing. In the exercises you write your own reverse map. The checker first tests whether it holds
        the right *entries*, and only then whether it has the same *form* as the kernel's.
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
        "remove is given only the entry, and reads from it whether it is in a map, and in which.",
        more="""
        <!-- slide:
        **A map is found through the content of the entry, so the entry has to be removed from the map before its
        content is lost.**
        -->
        The entry is empty, and the map still contains it. The function that removes an entry reads two things from it.
        Is it present and writable? If not, it is in no map. And which frame does it point to? Without the frame, the
        function cannot find the map. A cleared entry is not present and points nowhere. **A map is found through the
        content of the entry, so the entry has to be removed from the map before its content is lost.**
        """,
    )


@LESSON.question
def becomes_table(lab: RmapLab) -> Steps:
    """What happens when a frame becomes a page table, and its map contains an entry that is zero."""
    ends = ["nothing: an empty entry does no harm", "the host skips the entry, as `remove` did", "the host crashes"]
    yield Ask("The map contains an empty entry, and the frame becomes a page table. What happens?", ends, on=lab.machine)
    yield Answer(
        ends[2] if lab.machine.dead else ends[1] if lab.places() else ends[0],
        "every entry in the map must be writable and point to this frame. The host checks this, and crashes if it is not true.",
        more="""
        The check (`mmu.c:430-433`) protects the host. Entries are reused: a little later the same entry may point to
        another frame. A host without the check would then clear W in an entry that should keep it. It is better to stop
        the machine than to continue with wrong tables.
        """,
    )


@LESSON.question
def two_addresses(vm: Vm, gfn: int) -> Steps:
    """The number of entries in the map of a frame with two addresses in one table, and the cost of the second write."""

    def ends(entries: int, fault: bool) -> str:
        count = {1: "one entry", 2: "two entries"}.get(entries, f"{entries} entries")
        return f"{count}; the second write {'faults' if fault else 'does not fault'}"

    choices = [ends(1, False), ends(1, True), ends(2, True)]
    film: Watch = yield Ask("What is in the map of the frame in the end, and what does the second write cost?", choices, on=vm)
    yield Answer(
        ends(len(in_map(vm, gfn)), bool(film.result[1].faults)),
        "a map holds shadow entries, not addresses. Both addresses go through the same entry.",
        more="""
        <!-- slide:
        **A reverse map leads from a frame to shadow entries**, not to addresses. The host clears W in entries; all
        addresses that go through an entry lose write access at once.
        -->
        The second access faulted as well, but this time the host made only the link in the directory. The shadow page
        below already existed, and so did the spte.

        You will often read: *the page tables translate gva to gfn, and the reverse map translates gfn back to gva.* It
        sounds symmetrical, but it is not true. **A reverse map leads from a frame to shadow entries**, which are
        places in the host's own memory. This is exactly what the host needs, because it clears W in entries, not at
        addresses. All addresses that go through the entry lose write access at once, and the host never has to know
        them. (To find the addresses, the host would have to climb every path above the entry.)
        """,
    )


@LESSON.question
def flipped(vm: Vm, gfn: int) -> Steps:
    """Whether an entry that has lost its W is still in its map."""
    choices = ["no: it has never been added", "no: it was added, and then removed", "yes: it was added, and not removed"]
    words = "The kernel writes, then the program reads. Is the entry in the reverse map in the end?"
    film: Watch = yield Ask(words, choices, on=vm)
    added = bool(film.recording.where(kind="rmap_add"))
    yield Answer(
        choices[2] if in_map(vm, gfn) else choices[added],
        "a write that gets W is recorded. To remove the entry, fix_read_pf would need the vcpu, and it has only the spte.",
        more="""
        <!-- slide:
        When the *kernel writes*, the spte gets W, loses U and is added to the map. When the *program reads*, it gets U
        and loses W, but **no step removes it from the map**.
        -->
        One function in Linux 2.6.22 breaks the rule *first remove the entry from its map*: `fix_read_pf`
        (`mmu.c:1009-1024`) is a few lines long and changes only the spte. So the map still contains an entry without W.
        You produced a similar state by hand earlier in this lesson, when you cleared the whole entry first.
        """,
    )


@LESSON.question
def written_again(vm: Vm, gfn: int) -> Steps:
    """What is in the map when an entry that was left over gets its W again."""
    choices = ["nothing: the host removes the entry", "the entry, once", "the entry, twice", "the host crashes before that"]
    yield Ask("The kernel writes to the page once more. What is in the map then?", choices, on=vm)
    yield Answer(
        choices[3] if vm.dead else choices[min(len(in_map(vm, gfn)), 2)],
        "the spte gets W, and is added. The function that adds an entry does not search the map for it.",
        more="""
        A search would take time at every fault. It is not needed as long as every function that clears W removes the
        entry from the map. With each switch to and fro the map becomes longer by one.
        """,
    )


IN_THE_END = Passage(
    """
    <!-- slide:
    The guest did nothing forbidden, and yet its *host* crashes. It crashes in `rmap_write_protect`, which is correct;
    the mistake is in another function.

    **Every function that clears W in an entry has to remove the entry from the map first.**
    -->
    Write protection took the entry from the map and cleared its W. Then it found the same entry a second time, and now
    W was clear. (Without the second write, it would have found the entry without W at once, with the same result.)

    The guest did nothing forbidden, and yet the *host's* kernel crashes, and all other guests on that host stop with
    it. Notice also how far the cause is from the effect: the host crashes in `rmap_write_protect`, which is correct.
    The mistake is in `fix_read_pf`, which knows nothing about reverse maps. Every function that clears W in an entry
    has to remove the entry from the map first.
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
