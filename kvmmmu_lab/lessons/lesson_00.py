# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 0, the first fault."""

from __future__ import annotations

import random

import numpy as np

from ..draw.scene_builder import plural
from ..inspect.keys import SHADOW
from ..inspect.names import key_name
from ..inspect.paths import guest_path, shadow_path
from ..labs.addresses import GuestEntry
from ..labs.guests import FULL, Builder, small_guest
from ..mmu.bits import PAGE_SHIFT, guest_format
from ..mmu.cpu import Access
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import FAILS, frame_name, gfn_of, listed, names, sptes

LESSON = Lesson(0, "What does the host do when a program reads one byte, and when the guest changes a page table?", 30)


def entries_of(vm: Vm, gfn: int) -> int:
    """Return the number of entries of a guest table that aren't zero."""
    hfn = vm.memory.frames[gfn]
    return 0 if hfn is None else int(np.count_nonzero(vm.memory.pages[hfn].view(f"<u{guest_format(vm.root_level).size}")))


@LESSON.question
def filled(vm: Vm, gva: int) -> Steps:
    """The shadow entries that the host makes for the first access."""
    before, free = sptes(vm), len(vm.pool.free)
    tables = [step.number for step in guest_path(vm, gva).steps]
    every, levels = sum(entries_of(vm, gfn) for gfn in tables), 4 if vm.shadow_root_level == 4 else 2
    choices = [plural(count, "entry", "entries") for count in (1, levels)]
    choices += [f"{every} entries: all in use in the {len(tables)} tables above", "all entries in use in all guest tables"]
    yield Ask("How much of the shadow will the host fill for this one access?", choices, on=vm)
    made, taken = len(sptes(vm) - before), free - len(vm.pool.free)
    yield Answer(
        {every: choices[2]}.get(made, plural(made, "entry", "entries")),
        "one at each level, from the root down. A walk for this address needs these entries and no others.",
        more=f"""
        <!-- slide:
        The guest has thousands of mappings; one is in the shadow. The host fills it *lazily*, fault by fault.
        -->
        The root existed. For the levels below it, the host took {plural(taken, "page")} from the pool. The tables on the
        guest's path have {every} entries in use. Only the entries for your address have a counterpart in the shadow now. This
        is deliberate: the host cannot know which addresses the guest will use. So it fills the shadow *lazily*, one fault at
        a time. The next access to this page finds everything in place.
        """,
    )


@LESSON.question
def unnoticed(vm: Vm, entry: GuestEntry) -> Steps:
    """The frame that a program reaches after a write that the host has not noticed."""
    old = gfn_of(vm, entry.gva)
    new = old ^ entry.frames
    choices = [frame_name(old, old, new), frame_name(new, old, new), FAILS]
    access: Access = yield Ask(
        "The guest's entry changes, and the host does not notice. Which frame does the program reach?", choices
    )
    yield Answer(
        choices[2] if access.gpa is None else frame_name(access.gpa >> 12, old, new),
        "the processor reads only the spte, and nobody has changed the spte.",
        more="""
        <!-- slide:
        The guest's entry (blue) points to the new frame, the spte (orange) to the old one, and **the processor reads
        only the spte**. So the host has to *notice* the write.
        -->
        Two arrows in the picture lead to two different frames. The guest's entry (blue) points to the new frame. The
        spte (orange) still points to the old one: a *stale* entry. The program reads and writes a frame that its kernel
        may already have given to another program. On a real machine this means corrupted memory, or a way for one
        process to reach the memory of another.

        So the host has to *notice* when the guest writes to a page table that is shadowed.
        """,
    )


@LESSON.question
def stored(vm: Vm, gva: int) -> Steps:
    """What happens to the shadow entries on the path of a page when its guest entry is written."""
    path, words = [step for step in shadow_path(vm, gva).steps if step.key.kind == SHADOW], vm.memory.words
    *above, leaf = (key_name(step.key) for step in path)
    choices: dict[tuple[tuple[str, ...], tuple[str, ...]], str] = {
        ((), ()): "nothing: they stay as they are",
        ((), (leaf,)): f"{leaf} gets the new frame",
        ((leaf,), ()): f"{leaf} becomes empty",
        ((above[-1],), ()): f"{above[-1]}, the link to its table, becomes empty",
        ((*above, leaf), ()): f"{leaf} and all links above it become empty",
    }
    question = "The entry is written. What happens to the shadow entries on the path of your page?"
    yield Ask(question, list(choices.values()), on=vm)
    now = {key_name(step.key): words[step.key.spte] for step in path}
    dead = tuple(name for name, entry in now.items() if not entry)
    changed = tuple(key_name(step.key) for step in path if 0 != now[key_name(step.key)] != step.entry)
    yield Answer(
        choices.get((dead, changed), f"{listed(dead or ['no entry'])} becomes empty"),
        f"{listed(dead)} was made from the 8 bytes that changed. The others were made from other bytes, and stay.",
        more=f"""
        <!-- slide:
        *Which* shadow entry did the write remove? **The spte made from the guest entry that was written.** All others
        stay.

        - The host did *not* copy the new value, which may never be used.
        - The guest did *not* have to tell the host.
        -->
        The host knows which table the guest writes, and so it knows the shadow page of this table. The place of the bytes
        in the table gives the index of the spte: {listed(dead)}. Then it did three things, in this order:

        1. It removed the spte from the reverse map of its frame, if it was listed there.
        2. It **zapped** the spte: it cleared it. The picture shows the entry struck through.
        3. It changed the guest's memory. **This came last.**

        To go to the zap at once, open *Steps* and choose *a shadow entry or page is zapped* under *Stop when*.

        The host did *not* copy the new value into the shadow, because the guest may never use it. It cleared the spte
        *before* the write, so the shadow never has a stale entry. The guest did not have to tell the host anything.

        The TLB is different: it may still have the old translation. On any machine, with or without a hypervisor, a kernel
        that changes an entry must also make the TLB forget the old one. It does so with the instruction `INVLPG`, or by
        loading its CR3. That is why the host does not flush the TLB here.
        """,
    )


@LESSON.question
def afterwards(vm: Vm) -> Steps:
    """The cost of the access after the write."""
    free, exits = len(vm.pool.free), vm.stats.exits

    def cost(faults: int, pages: int) -> str:
        taken = f"{pages or 'no'} new page{'s' * (pages > 1)}"
        return f"a fault, and {taken}" if faults else "no fault"

    choices = [cost(0, 0), cost(1, 0), cost(1, 1), cost(1, 3)]
    yield Ask("The program accesses its page again. What does this cost?", choices, on=vm)
    taken = free - len(vm.pool.free)
    yield Answer(
        cost(vm.stats.exits - exits, taken),
        "the write removed one entry, so the access faulted. "
        + (
            "The links above it are still there, so nothing else was missing."
            if not taken
            else "That entry was the link to a table."
        ),
        more="""
        The host walked the guest's tables again and made the spte from the *new* value. The program now reaches the new
        frame, as its kernel intended.
        """,
    )


SUMMARY = Passage(
    """
    <!-- slide:
    - The processor walks the **shadow pages**. A **fault** adds what is missing.
    - A shadowed guest table is **write-protected**.
    - Sptes made from bytes that are about to change are **zapped**.
    - The **reverse map** leads from a frame to its writable sptes.
    -->
    - The processor walks the **shadow pages**, never the guest's tables. At a **fault**, the host adds the missing
      entries. It makes them from the guest's tables.
    - A shadowed guest page table is **write-protected**: no spte that leads to its frame has W set. So every write to it
      faults, and the host takes over. Otherwise the shadow would become stale, and you have seen what happens then.
    - Before such a write happens, the host **zaps** the sptes that were made from the bytes that are about to change.
      The next access faults, and the host makes the spte again from the new value.
    - The **reverse map** of a frame lists its writable sptes. When the frame becomes a shadowed page table, the host
      uses this list to clear their W.
    """
)


# Check questions

NONE = "none: the spte gets the new frame"
"""The choice that no shadow entry becomes empty."""


@LESSON.check
def faults(seed: int) -> Steps:
    """The faults of accesses to several pages below one page table, whose entries may change between two accesses."""
    rng, guest = random.Random(seed), Builder("64")
    pages = rng.sample(range(1, 500), rng.randint(3, 5))
    changed = rng.sample(pages, rng.randint(1, 2))
    for page in pages:
        guest.map(page << PAGE_SHIFT)
    vm = guest.start()
    both = len(changed) > 1
    change = f"Then the kernel changes {'the entries of two' if both else 'the entry of one'} of them"
    again = "both pages fault" if both else "the page faults"
    between, why = (
        ("", "The later accesses find the sptes."),
        (
            f"{change}, and the host performs the write{'s' * both}. ",
            f"Before a write, the host zaps the spte that was made from the entry. So {again} again.",
        ),
        (
            f"{change}, and the host does not notice it. ",
            "The change did not touch any spte, so the later accesses find them all.",
        ),
    )[seed % 3]
    count = len(pages)
    yield Ask(
        f"The shadow of a 64-bit guest has only a root. A program accesses {count} pages, which one page table maps. {between}"
        f"After that, the program accesses each page once more. How many of its {2 * count} accesses fault?",
        sorted({1, len(changed), count, count + len(changed), 2 * count, 4 * count}),
    )
    found = sum(vm.access(page << PAGE_SHIFT, user=True).faults for page in pages)
    for page in changed:
        entry, value = guest.entry_gpa(page << PAGE_SHIFT), guest.frame() << PAGE_SHIFT | FULL
        if seed % 3 == 1:
            vm.emulate_write_gpa(entry, value, 8)
        elif seed % 3 == 2:
            vm.poke(entry, value)
    found += sum(vm.access(page << PAGE_SHIFT, user=True).faults for page in pages)
    yield Answer(found, f"each page needs an spte of its own, which the first access to the page makes. {why}")


@LESSON.check
def reached_frame(seed: int) -> Steps:
    """The frame that a program reaches after its entry was changed."""
    rng, guest = random.Random(seed), Builder("64", frames=0x1000)
    guest.next = rng.randrange(0x20, 0x800)
    old, new = guest.map(0x2000), guest.frame()
    vm, noticed = guest.start(), rng.random() < 0.5
    vm.access(0x2000, user=True)
    how = "the host performs the write" if noticed else "the host does not notice it"
    choices = [f"gfn {old:#x}, without a fault", f"gfn {new:#x}, without a fault", f"gfn {new:#x}, after a fault"]
    yield Ask(
        f"A program has accessed a page in gfn {old:#x}. The kernel changes the page's entry to gfn {new:#x}, and {how}. "
        "What does the program reach then?",
        choices,
    )
    if noticed:
        vm.emulate_write_gpa(guest.entry_gpa(0x2000), new << PAGE_SHIFT | FULL, 8)
    else:
        vm.poke(guest.entry_gpa(0x2000), new << PAGE_SHIFT | FULL)
    read = vm.access(0x2000, user=True)
    assert read.gpa is not None
    yield Answer(
        f"gfn {read.gpa >> PAGE_SHIFT:#x}, {'after' if read.faults else 'without'} a fault",
        "the host zaps the spte before a write that it performs. If it does not notice the write, the spte stays.",
    )


@LESSON.check
def zapped_entry(seed: int) -> Steps:
    """The shadow entry that is zapped when the guest writes one of its entries."""
    rng = random.Random(seed)
    pages = sorted(rng.sample(range(1, 500), 3))
    guest = small_guest("64", *(page << PAGE_SHIFT for page in pages))
    written = rng.choice(pages)
    before = sptes(guest.vm)
    leaves = [key_name(shadow_path(guest.vm, page << PAGE_SHIFT).steps[-1].key) for page in pages]
    link = key_name(shadow_path(guest.vm, written << PAGE_SHIFT).steps[-2].key)
    yield Ask(
        f"A guest page table has entries {listed(pages)} in use. Their sptes are {listed(leaves)}, and {link} is the link to "
        f"the shadow page of these sptes. The guest writes entry {written} of the page table, and the host performs the "
        "write. Which shadow entry becomes empty?",
        [*leaves, link, "all of these", NONE],
    )
    guest.vm.emulate_write_gpa(guest.entry_gpa(written << PAGE_SHIFT), guest.frame() << PAGE_SHIFT | FULL, 8)
    dead = names(before - sptes(guest.vm))
    yield Answer(
        dead[0] if len(dead) == 1 else "all of these" if dead else NONE,
        f"it was made from entry {written}, whose bytes are about to change. The others were made from other bytes.",
    )
