# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 0, the first fault."""

from __future__ import annotations

import numpy as np

from ..draw.scene_builder import plural
from ..inspect.keys import SHADOW
from ..inspect.names import key_name
from ..inspect.paths import guest_path, shadow_path
from ..labs.addresses import GuestEntry
from ..mmu.bits import guest_format
from ..mmu.cpu import Access
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import FAILS, frame_name, gfn_of, listed, sptes

LESSON = Lesson(0, "What does the host do when a program reads one byte, and when the guest changes a page table?", 15)


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
    choices += [f"{every} entries: all of the {len(tables)} tables above", "all entries of all the guest's tables"]
    yield Ask("How much of the shadow will the host fill for this one access?", choices, on=vm)
    made, taken = len(sptes(vm) - before), free - len(vm.pool.free)
    yield Answer(
        {every: choices[2]}.get(made, plural(made, "entry", "entries")),
        "one at each level, from the root down to the page. A walk for this address needs these, and no others.",
        more=f"""
        <!-- slide:
        The guest has thousands of mappings; one is in the shadow. The host fills it *lazily*, fault by fault.
        -->
        The root existed, and the host took {plural(taken, "page")} from the pool for what is below it. The tables on the
        guest's path have {every} entries, but only those of your address have a counterpart in the shadow now. This is
        deliberate: the host cannot know which addresses the guest will use, so it fills the shadow *lazily*, one fault
        at a time. The next access to this page finds everything in place.
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
        The host looked up the sptes that were made from the bytes that were about to change. It removed {listed(dead)}
        from the reverse map of its frame, then cleared it: the picture shows the entry struck through. (In *Steps*, *a
        shadow entry or page is zapped* under *Stop when* takes you to that step: to remove something from the shadow is
        called a **zap**.) The guest's memory changed **only after that**. (For a 2 MB page, the write removes an entry one
        level higher.)

        Two things are important here. The host did *not* copy the new value into the shadow, because the guest may
        never use it. And the guest did not have to tell the host anything. A real processor may keep old translations
        until the guest tells it to forget them. If the hypervisor clears its entries *before* the write, its shadow is
        never stale.

        The processor may still have the old translation in its TLB, its own cache of translations. The film says that
        the host does not flush the TLB. This is no mistake: a kernel that changes an entry has to do this itself, with
        the instruction `INVLPG` or by loading its CR3, whether there is a hypervisor or not.
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
            "The tables above it are still there, so one spte was missing and nothing else."
            if not taken
            else "It led to a table."
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
    - A shadowed guest page table is **write-protected**: no spte that points to it has W set. So every write to it
      faults, and the host takes over. Otherwise the shadow would become stale, and you have seen what happens then.
    - Before such a write happens, the host **zaps** the sptes that were made from the bytes that are about to change.
      The next access faults, and the host makes the spte again from the new value.
    - The **reverse map** of a frame lists its writable sptes. The host needs this list when the frame becomes a page
      table.
    """
)
