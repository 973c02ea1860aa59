# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 9, pre-write with entries of 8 bytes."""

from __future__ import annotations

from ..inspect.paths import shadow_path
from ..mmu.memory import FIRST_SHADOW
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import FAILS, died, frame_name, gfn_of, listed, names, reached, sptes

LESSON = Lesson(9, "What does one store to a page table undo in the shadow?", 45, ("pre_write",))


def made(pages: int, entries: int) -> str:
    """Return what the host makes, in words: "1 page and 2 sptes"."""
    words = [f"{pages} page{'s' * (pages != 1)}"] * bool(pages) + [f"{entries} spte{'s' * (entries != 1)}"] * bool(entries)
    return " and ".join(words) or "nothing"


@LESSON.question
def page_below(vm: Vm, gva: int) -> Steps:
    """What happens to the sptes in a page when the link to the page is cut."""
    fates = ["die", "stay, and the processor can reach them", "stay, but cannot be reached"]
    page = shadow_path(vm, gva).steps[-1].number
    here = {spte for spte in sptes(vm) if spte >> 9 == FIRST_SHADOW + page}
    yield Ask(f"The {len(here)} sptes in #{page} ...", fates, on=vm)
    left, path = here & sptes(vm), shadow_path(vm, gva)
    yield Answer(
        fates[0] if not left else fates[2] if path.hfn is None else fates[1],
        "only the link died. The entries of the page table were not written, so the sptes made from them stay.",
        more=f"""
        <!-- slide:
        The only path to #{page} is cut. The page has lost only its parent: it is still in the **hash**, under the gfn
        of the guest's page table, with all its entries. This is safe: every write to that table is still trapped.
        -->
        Only the link died, and that is enough: the processor starts at the root, and the only path to #{page} is cut.
        Page #{page} itself lost only its **parent**, the entry that led to it. It is not returned to the pool. It is
        still in the **hash**, with all its entries. The hash is the host's index of its shadow pages. It consists of
        256 lists, called *buckets*, and a page is in the bucket whose number is the gfn of the guest's table modulo
        256. The next picture shows that #{page} has no parent. The one after it shows the bucket in which the host
        finds it.

        Is this safe? The guest may still write to that page table, although its own directory no longer points to it.
        Yes, it is safe. As long as #{page} is in the hash, the guest's table counts as shadowed, so no spte that points
        to it may have W set. Every write is still trapped and still zaps the spte that was made from the written entry.
        So whatever the host later finds in #{page} is correct.
        """,
    )


@LESSON.question
def next_access(vm: Vm) -> Steps:
    """What the host makes for the first access after a directory entry is restored."""
    before, free = sptes(vm), len(vm.pool.free)
    yield Ask("For this access the host makes ...", [made(1, 4), made(1, 2), made(0, 1), made(0, 0)], on=vm)
    new = sptes(vm) - before
    yield Answer(
        made(free - len(vm.pool.free), len(new)),
        f"it makes the link {listed(names(new))}. Everything below it already existed: the host found the page in the hash.",
        more="""
        The host looks up a page in the hash by two things: the gfn of the guest's table, and the page's **role**. The
        role says how the guest uses the table for which the page was made: at which level, and in tables of how many
        levels. (In the pictures above, the role of #248 is *level 1, 4 guest levels*.) The host found #248, with all
        its sptes. The same link makes the other two pages reachable again.
        """,
    )


@LESSON.question
def half(vm: Vm, gva: int) -> Steps:
    """What dies when half of a guest entry is written."""
    before = sptes(vm)
    page = shadow_path(vm, gva).steps[-1].number
    here = names(spte for spte in before if spte >> 9 == FIRST_SHADOW + page)
    choices = ["nothing", "one spte", f"all {len(here)} sptes of #{page}"]
    yield Ask("4 bytes, in the upper half of entry 2. What dies?", choices, on=vm)
    dead = died(vm, before)
    yield Answer(
        choices[0] if not dead else choices[1] if len(dead) == 1 else choices[2],
        "pre-write knows which bytes will change, not their new values. All of them are in entry 2, so its spte dies.",
        more="""
        The offset in the page is `0x14`. Divided by 8 it is 2.5, and only the integer part counts: 2. A store of a
        single byte works in the same way.
        """,
    )


@LESSON.question
def across(vm: Vm, gva: int) -> Steps:
    """What dies when a store covers parts of two guest entries."""
    before = sptes(vm)
    page = shadow_path(vm, gva).steps[-1].number
    choices = ["none", "spte 2", "sptes 2 and 3", "all three"]
    yield Ask("8 bytes, half of them in entry 2 and half in entry 3. Which sptes die?", choices, on=vm)
    here = [spte & 511 for spte in sorted(before - sptes(vm)) if spte >> 9 == FIRST_SHADOW + page]
    words = {(): choices[0], (2,): choices[1], (2, 3): choices[2], (1, 2, 3): choices[3]}
    yield Answer(
        words.get(tuple(here), listed(here)),
        "a store across two entries is not split: the host zaps the whole shadow page, spte 1 included, and the link above.",
        more="""
        <!-- slide:
        **Misaligned**: perhaps the frame is no longer a page table, and a program keeps its data there. So the host
        zaps the whole shadow page: it clears the links to the page and all its entries, and frees it.
        -->
        The code calls such a store **misaligned**, and it does not try to handle the two entries separately
        (mmu.c:1171-1185). A store like this is a sign that the frame may no longer be a page table: perhaps the kernel
        has given it to a program, which now keeps its data there. In that case it is best not to shadow it, and not to
        write-protect it either.

        So here the host zaps a whole shadow page. It clears the links to the page, removes all entries of the page from
        their reverse maps and clears them, and returns the page to the pool. (A root that is in use cannot be freed: it
        is emptied, and stays.) Compare this with the store to the directory, which removed only a link; the page
        stayed.

        The film ends with a TLB flush, which is missing after the zap of a single entry. The guest will tell the
        processor to forget the entries that it has written itself. It cannot know that spte 1 is gone, too, so for that
        one the host has to do it.
        """,
    )


@LESSON.question
def six_stores(vm: Vm, gva: int) -> Steps:
    """Which of six stores to two tables is the third in a row to the first table."""
    page = shadow_path(vm, gva).steps[-1].number
    choices = ["at the third", "at the fourth", "at the sixth", "at none of them"]
    before, ordinals = len(vm.pool.active), ["first", "second", "third", "fourth", "fifth", "sixth"]
    left: list[int] = yield Ask(f"At which of the six stores does the host zap the whole page #{page}?", choices, on=vm)
    zapping = [ordinal for ordinal, now in zip(ordinals, left, strict=True) if now < before]
    yield Answer(
        f"at the {zapping[0]}" if zapping else choices[3],
        "the store to the other table made the count start again. So the stores to entry 9 are numbers 1, 2 and 3.",
        more="""
        <!-- slide:
        The third store to the first table is no flood: another gfn was written in between. From 3 on, *every* trapped write
        is one. A fork copies whole page tables: after the third write, the remaining writes run at full speed.
        -->
        It does not matter which entry is written: the spte of entry 9 was empty all the time. And it does not matter
        how many stores a table has had before, if a single one went elsewhere in between. From 3 on, *every* trapped write
        is a flood, including the fourth and the hundredth.

        Why is there such a rule? Each trapped write costs thousands of cycles. A kernel that forks a process copies
        whole page tables, with hundreds of writes in a row. After the third write the shadow page is gone, and the
        write protection with it, so the remaining writes run at full speed.
        """,
    )


@LESSON.question
def device(vm: Vm, gva: int) -> Steps:
    """What happens to an spte with an I/O mark when its guest entry is written."""
    last = shadow_path(vm, gva).steps[-1]
    choices = ["nothing: it is not present", "it becomes zero", "it gets the new frame"]
    yield Ask(
        "The guest entry of the device is written, with the gfn of a frame. What does the host do with the spte?",
        choices,
        on=vm,
    )
    now = vm.memory.words[last.key.spte]
    yield Answer(
        choices[0] if now == last.entry else choices[2] if now else choices[1],
        "every spte that was made from the written bytes becomes zero, present or not.",
        more="""
        Only the reverse-map step was left out, because the spte was in no reverse map. If the spte had kept its mark,
        the host would continue to emulate a device, although the guest has memory there now. The next access finds the
        new frame: its outcome is `ok` and not `mmio`.
        """,
    )


@LESSON.question
def itself(vm: Vm) -> Steps:
    """The number of sptes made from an entry that makes a root table a table of all levels."""
    before = vm.stats.entries_zapped
    yield Ask("The guest writes that one entry. How many sptes die?", [0, 1, 2, 4], on=vm)
    yield Answer(
        vm.stats.entries_zapped - before,
        "the frame has four shadow pages, of levels 4, 3, 2 and 1. In each of them, entry 493 was made from the written entry.",
        more="""
        <!-- slide:
        *Every* page that passes both tests is hit. One guest table can have several shadow pages. This one is a table
        of all four levels at once.
        -->
        Pre-write goes through the bucket from the first page to the last, and hits *every* page that passes both tests.
        Why every page, and not only the first that passes? One guest table can have several shadow pages, with
        different roles. Some kernels let an entry of the root table point to the root table itself, so that they find
        all their tables at fixed addresses. Then one frame is a table of all four levels at once, and has a shadow page
        for each of these roles.
        """,
    )


@LESSON.question
def new_value(vm: Vm) -> Steps:
    """The faults of a read after two stores that pointed its guest entry to two new frames."""
    words = "The host performs both stores, then the program reads the page. How many faults does the read cause?"
    ends = ["none: the host copied the second value", "one", "two: one for each store"]
    before = vm.stats.fixed
    yield Ask(words, ends, on=vm)
    yield Answer(
        ends[min(vm.stats.fixed - before, 2)],
        "the host ignored both values. It only cleared what was made from the old one.",
        more="""
        Many people expect a copy: the host sees the store, so it could update the shadow at once.
        """,
    )


COPYING = Passage(
    """
    <!-- slide:
    The access faulted, and in *that* fault the host read the entry and made the spte. **Pre-write only removes entries.
    Only a fault makes them.**
    -->
    The access faulted (`faults=1`), and in *that* fault the host read the guest's entry and made
    the spte. **Pre-write only removes entries. Only a fault makes them**, and then the host checks the whole path: the
    rights at every level, and the dirty bit in the last entry, without which the spte gets no W (lesson 6).

    But copying is a good idea. In most cases a kernel writes an entry because a program is waiting for it, so a fault
    is certain to follow. A later change to KVM did copy the value at once (commit 0028425f of the Linux kernel), and
    its author measured that a kernel build became about a tenth faster. This had to be done with care: a zap in the
    wrong place costs a fault, but a *copy* in the wrong place is an error.
    """
)


@LESSON.question
def invlpg(vm: Vm, gva: int, wanted: int) -> Steps:
    """The frame that is reached after a hidden change and INVLPG."""
    old = gfn_of(vm, gva)
    words = "The host does not see the store, and the guest executes INVLPG. Which frame does the program reach?"
    yield Ask(words, [frame_name(old, old, wanted), frame_name(wanted, old, wanted), FAILS])
    yield Answer(
        reached(vm, gva, old, wanted),
        "INVLPG removes a translation from the processor's own TLB. It changed nothing in the shadow.",
        more="""
        In many descriptions of shadow paging everything depends on that instruction: the guest executes `INVLPG`, and
        then the host updates the shadow. Here the host did not even see it.
        """,
    )


INVLPG = Passage(
    """
    <!-- slide:
    The store alone was enough. The first versions of KVM trapped each `INVLPG`. Since page tables are write-protected,
    the host knows of a change *before* it happens.
    -->
    The store alone was enough to correct the *shadow*. `INVLPG` is not useless: in the TLB of a real processor, the old
    translation may be left until the processor executes `INVLPG`, as on a machine without a hypervisor. The host is
    simply not involved. (You can see this in a VM that is made with `tlb=True`: after the store, the program reaches the
    old frame until the guest executes `INVLPG`.)

    The first versions of KVM did trap each `INVLPG`. When page tables became write-protected, in January 2007, the trap
    was no longer needed and was removed: the host knows of a change *before* it happens, so it learns nothing new
    afterwards.
    """
)


@LESSON.question
def paging_off(vm: Vm) -> Steps:
    """Whether pre-write runs for a store to a page table while paging is off."""
    ends = ["it runs, and zaps an spte", "it runs, and finds no page to zap", "it does not run"]
    before, counted = sptes(vm), vm.last_pt_write_count
    yield Ask("Paging is off, and the guest writes to its page table. What does pre-write do?", ends, on=vm)
    yield Answer(
        ends[2] if vm.last_pt_write_count == counted else ends[0] if died(vm, before) else ends[1],
        "the function that maps pages without paging grants all rights on every frame, so the store was not trapped.",
        more="""
        Here the rule of lesson 7 is broken: `nonpaging_map` does not check whether the frame is a shadowed page table. So
        the box of the frame says *writable table*.
        """,
    )


@LESSON.question
def paging_on(vm: Vm) -> Steps:
    """What the host makes for the first access after paging is on again."""
    before, free = sptes(vm), len(vm.pool.free)
    levels = 4
    yield Ask("For this, the host makes ...", [made(0, 0), made(0, 1), made(levels, levels)], on=vm)
    yield Answer(
        made(free - len(vm.pool.free), len(sptes(vm) - before)),
        "the host found the root and all pages below it in the hash, and used them again. There was not even a fault.",
        more="""
        Compare the two arrows in the picture: the program reaches the *old* frame. With paging off, the shadow pages of the
        page tables stayed in the hash, and the store went straight to memory. This is a bug of 2007. The result is the
        same as after the cheat in lesson 0, but this time nobody cheated.

        Is there anything in the host that notices? The next cell runs the audit once more.
        """,
    )


AUDIT = Passage(
    """
    Each line is a complaint. `wp` and `map` are two of the audit's checks, for write protection and for mappings. (`role
    0x14` is the role of the shadow page as a number: level 1, 4 guest levels.) The audit reports both the cause and the
    effect: a page table that can be written, and an entry that leads to the wrong frame. But it is a tool for developers:
    a normal kernel is built without it (mmu.c:36), and then nothing notices.
    """
)


SUMMARY = Passage(
    """
    <!-- slide:
    1. Count. From the third in a row on, it is a **flood**.
    2. Find **every** page that shadows this gfn as a page table.
    3. A write across two entries, or a flood: zap the **whole page**.
    4. Else remove **entry offset / 8** from its map or the parents, then clear it.
    -->
    When some bytes at a gpa are about to change, **pre-write** does the following:

    1. It counts. If the gfn is the same as last time, the count goes up by 1; otherwise it is 1 again. From 3 on, it is
       a flood.
    2. It goes through the hash bucket of the gfn and selects every page that has this gfn and shadows a page table.
    3. If the bytes cross the edge of an entry, or if it is a flood, it zaps that page as a whole: it clears all entries,
       frees the page unless it is a root in use, and flushes the TLB.
    4. Otherwise it takes the entry that contains the bytes, offset / 8, and
       - if the entry is present, writable and a leaf (level 1), removes it from the reverse map of its frame;
       - if the entry is present and a link, removes it from the parents of the page below, which stays as it is;
       - in any case sets it to zero.

    It never looks at the new value, and it never makes an entry.
    """
)
