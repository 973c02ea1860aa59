# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 9, pre-write with entries of 8 bytes."""

from __future__ import annotations

import random

from ..inspect.paths import shadow_path
from ..labs.guests import FULL, Builder, small_guest
from ..mmu.bits import PAGE_SHIFT
from ..mmu.memory import FIRST_SHADOW
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import listed, names, sptes

LESSON = Lesson(9, "What does one store to a page table undo in the shadow?", 35, ("pre_write",))

PAGES = range(8)
"""The pages of `eight_pages`; page n is at address n << 12, and is mapped by entry n of the page table."""

TABLE_A, TABLE_B = 0x1000, 0x201000
"""Addresses below the two page tables of `row_of_stores`."""


def eight_pages() -> Builder:
    """Return a guest that maps eight adjacent pages through one page table, and has accessed all of them."""
    return small_guest("64", *(page << PAGE_SHIFT for page in PAGES))


def part_of_entry(rng: random.Random) -> tuple[int, int]:
    """Return the first byte and the number of bytes of a store inside one entry of 8 bytes."""
    size = rng.choice([1, 2, 4])
    return rng.randrange(0, 9 - size), size


def partial_store(seed: int) -> tuple[Builder, int, int]:
    """Return a guest, and the gpa and the size of a store to a part of one entry of its page table."""
    rng, guest = random.Random(seed), eight_pages()
    first, size = part_of_entry(rng)
    return guest, guest.entry_gpa(rng.choice(PAGES[2:7]) << PAGE_SHIFT) + first, size


def order_of_stores(rng: random.Random) -> list[str]:
    """Return an order of seven stores to two tables."""
    row = [rng.choice("AB")]
    while len(row) < 7:
        row += rng.choice("AB") * rng.randint(1, 3)
    return row[:7]


def row_of_stores(seed: int) -> tuple[Builder, dict[str, int], list[str]]:
    """Return a guest with two page tables, A and B, the gpa of an unused entry of each, and an order of stores to them."""
    guest = small_guest("64", TABLE_A, 0x2000, 0x3000, TABLE_B)
    unused = {"A": guest.entry_gpa(TABLE_A) + 64, "B": guest.entry_gpa(TABLE_B) + 64}
    return guest, unused, order_of_stores(random.Random(seed))


def made(pages: int, entries: int) -> str:
    """Return what the host makes, in words: "1 page and 2 sptes"."""
    words = [f"{pages} page{'s' * (pages != 1)}"] * bool(pages) + [f"{entries} spte{'s' * (entries != 1)}"] * bool(entries)
    return " and ".join(words) or "nothing"


@LESSON.question
def entry_hit(vm: Vm, gpa: int, size: int) -> Steps:
    """The spte that a store to a part of an entry hits."""
    before, offset = sptes(vm), gpa & 0xFFF
    index = offset // 8
    choices = [f"spte {number}" for number in (index - 1, index, index + 1)]
    choices += [f"all {len(PAGES)} sptes", "none"]
    words = f"{size} byte{'s' * (size > 1)} at offset {offset:#x} of the page table. Which spte dies?"
    yield Ask(words, choices, on=vm)
    dead = [spte & 511 for spte in sorted(before - sptes(vm))]
    yield Answer(
        choices[4] if not dead else f"spte {dead[0]}" if len(dead) == 1 else choices[3],
        f"{offset:#x} / 8 is {index}, with {offset % 8} left over: the bytes are in entry {index}. A part counts as the whole.",
        more="""
        <!-- slide:
        Divide the offset by 8 and keep the integer part. **A part of an entry counts as the whole entry.** Pre-write
        knows which bytes will change, not their new values.
        -->
        Divide the offset by the size of an entry and keep the integer part. Pre-write knows which bytes will change,
        but not their new values. So it cannot know whether the change is harmless, and **a part of an entry counts as
        the whole entry**.
        """,
    )


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
        Page #{page} itself lost only its **parent**, the entry that led to it. The page does not return to the pool. It
        is still in the **hash**, with all its entries.

        The hash is the host's index of its shadow pages. It consists of 256 lists, called *buckets*. A page is in the
        bucket whose number is the gfn of the guest's table modulo 256. Two pictures follow: #{page} without a parent,
        and the bucket in which the host finds #{page}.

        Is this safe? The guest may still write to that page table, although its own directory no longer points to it.
        Yes, it is safe. As long as #{page} is in the hash, the guest's table counts as shadowed, and no spte that leads
        to the table may have W. So the host still traps every write, and zaps the spte that was made from the written
        entry. Therefore each spte in #{page} leads to the frame that its guest entry names.

        The rights are less safe. The rights of an spte come from all entries on the path, also from the directory entry. If
        the directory entry comes back with its old rights, the sptes are right. If it comes back with fewer rights, the sptes
        keep the old ones. This is the security hole of lesson 5.
        """,
    )


@LESSON.question
def next_access(vm: Vm) -> Steps:
    """What the host makes for the first access after a directory entry is restored."""
    before, free = sptes(vm), len(vm.pool.free)
    yield Ask(
        "For this access the host makes ... (a link counts as an spte)", [made(1, 4), made(1, 2), made(0, 1), made(0, 0)], on=vm
    )
    new = sptes(vm) - before
    yield Answer(
        made(free - len(vm.pool.free), len(new)),
        f"it makes the link {listed(names(new))}. Everything below it already existed: the host found the page in the hash.",
        more="""
        <!-- slide:
        The host finds a page in the hash by the gfn of the guest's table and the page's **role**. It found #248, with all its
        sptes.
        -->
        The host looks for a page in the hash by two things: the gfn of the guest's table, and the page's **role**. The
        role says how the guest used the table when the page was made: at which level it stood, and how many levels the
        guest's tables had. (In the pictures above, the role of #248 is *level 1, 4 guest levels*.) The host found #248,
        with all its sptes. So this one link makes every page of that table reachable again.
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
        **Misaligned**: perhaps the frame is no longer a page table, and holds other data now. So the host
        zaps the whole shadow page: it clears the links to the page and all its entries, and frees it.
        -->
        The code calls such a store **misaligned**, and does not handle the two entries separately (mmu.c:1170-1187).
        The store is a sign that the frame may no longer be a page table: perhaps the kernel keeps other data there now.
        Then it is best to shadow the frame no longer, and to let the guest write to it freely.

        So here the host zaps a whole shadow page. It clears the links to the page, removes all entries of the page from
        their reverse maps and clears them, and returns the page to the pool. (A root in use cannot be freed. It is
        emptied, and stays.) The store to the directory was different: it removed only a link, and the page below
        stayed.

        This film has a TLB flush before the bytes change. The zap of a single entry had none. There, the guest itself
        tells the processor to forget the entry that it has written. Here, spte 1 is gone, too. The guest has not
        written entry 1, so it has no reason to flush. But spte 1 has left its reverse map. If the TLB kept it, the
        frame could still be written, and the host would not find out. So the host has to flush.
        """,
    )


ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")


def flood_choices() -> list[str]:
    """Return the stores of a row that can be the first flood, and "at none of them"."""
    return [*(f"at the {ordinal}" for ordinal in ORDINALS[2:]), "at none of them"]


@LESSON.question
def first_flood(vm: Vm, gva: int, row: list[str]) -> Steps:
    """Which of several stores to two tables is the third in a row to one of them."""
    before, choices = len(vm.pool.active), flood_choices()
    words = f"The stores go to {', '.join(row)}. At which of them does the host first zap a shadow page as a whole?"
    left: list[int] = yield Ask(words, choices, on=vm)
    zapping = [ordinal for ordinal, now in zip(ORDINALS, left, strict=True) if now < before]
    yield Answer(
        f"at the {zapping[0]}" if zapping else choices[-1],
        "only the third store in a row to one gfn is a flood. After a store elsewhere, the count starts again at 1.",
        more="""
        <!-- slide:
        Another gfn in between, and the count starts again. From 3 on, *every* counted write is a flood. A fork writes all
        entries of a page table: after the third write and one more fault, the rest run at full speed.
        -->
        The list has the number of shadow pages in use after each store. It does not matter which entries are written:
        their sptes were empty all the time. And it does not matter how many stores a table has had before, if one store
        went to another table in between.

        A flood does not reset the count: the fourth write in the row makes it 4, and is a flood, too. But the host counts
        only the writes that it performs. After a flood, the table is not shadowed (unless it is a root in use). So the
        guest's writes to it are not carried out by the host, and not counted. If the guest uses the table again, the host
        shadows it again. But it does not reset the count, so the next write in the row is a flood at once.

        Why is there such a rule? A trapped write costs far more than a normal one, and in two cases a kernel writes hundreds
        of entries of one table. When it forks a process, it takes W out of the entries of the old process. Or the frame is no
        longer a page table, and the kernel fills it with other data. The count cannot tell these cases apart. It need not:
        after the third write the shadow page is gone. The fourth still faults, because the kernel's spte has no W yet (lesson
        7). Then the spte gets W, and all further writes run at full speed.

        (Pre-write is not called for a write by *user code*. Such a write zaps the shadow pages of the frame at once:
        lesson 8.)
        """,
    )


COPYING = Passage(
    """
    <!-- slide:
    The access faulted, and in *that* fault the host read the entry and made the spte. **Pre-write only removes entries.
    Only a fault makes them.**
    -->
    After both stores no spte leads to the new frame. The access faulted (`faults=1`), and in *that* fault the host read
    the guest's entry and made the spte. **Pre-write only removes entries. Only a fault makes them**, and then the host
    checks the whole path: the rights at every level, and the dirty bit in the last entry, without which the spte gets
    no W (lesson 4).

    Still, copying is a good idea. In most cases a kernel writes an entry because a program is waiting for it, so a
    fault is certain to follow. The author of the later change measured that a kernel build became about a tenth faster.
    But copying needs care. The frame may no longer be a page table, and the bytes may be data. Then a needless zap
    costs only a fault, but a *copy* would make an spte out of data.
    """
)


INVLPG = Passage(
    """
    <!-- slide:
    The store alone was enough. The first versions of KVM trapped each `INVLPG`. Since page tables are write-protected,
    the host knows of a change *before* it happens.
    -->
    In the first case the program reached the old frame: `INVLPG` removes a translation from the processor's own TLB,
    and changes nothing in the shadow. In the second case the store alone was enough to correct the *shadow*.

    `INVLPG` is not useless. The TLB of a real processor may hold the old translation until the processor executes `INVLPG`,
    as on a machine without a hypervisor. The host has nothing to do with this. (Make the guest with `tlb=True` and run both
    cases again. Now the program reaches the old frame in the second case, too, until the guest executes `INVLPG`.)

    The first versions of KVM did trap each `INVLPG`. In January 2007, page tables became write-protected. Since then,
    the host knows of a change *before* it happens, and `INVLPG` tells it nothing new. So the trap was removed ([the
    author's message](https://www.mail-archive.com/linux-kernel@vger.kernel.org/msg108877.html)).
    """
)


AUDIT = Passage(
    """
    <!-- slide:
    With paging off, the host grants all rights on every frame, so the store was not trapped. The shadow pages stayed in
    the hash and are used again: the program reaches the *old* frame. Two of the three audits notice it.
    -->
    `nonpaging_map` does not check whether a frame is a shadowed page table, and grants all rights. So the rule of
    lesson 7 is broken: from step 8 on, the film says *writable table* in the box of gfn 0x14. The store went straight
    to memory. When paging is on again, the host finds the old root and all pages below it in the hash. There is not
    even a fault, and the program reaches the *old* frame. The result is the same as after `poke` in lesson 0, but this
    time the guest used only normal stores.

    The last two lines are the audits' complaints. The audit of write protection sees the cause: a page table that can
    be written. (Role 0x14 means level 1 in tables of 4 levels.) The audit of mappings sees the effect: an entry that
    leads to the wrong frame. The third audit, of reverse maps, finds nothing. A normal kernel is built without the
    audits (`mmu.c:36`), and then nothing notices.

    We have not traced which later change to KVM fixed this bug. `bug.film(fixed=True)` shows one way: zap the shadow
    pages of a frame before it is mapped with all rights.
    """
)


SUMMARY = Passage(
    """
    <!-- slide:
    1. Count. The third in a row is a **flood**, and so is each one after it.
    2. Find **every** page that shadows this gfn as a page table.
    3. A write across two entries, or a flood: zap the **whole page**.
    4. Else remove **entry offset / 8** from its map or the parents, then clear it.
    -->
    When some bytes at a gpa are about to change, **pre-write** does the following:

    1. It counts. If the gfn is the same as last time, the count goes up by 1. Otherwise the count starts again at 1.
       From 3 on, it is a flood.
    2. It goes through the hash bucket of the gfn and selects every page that has this gfn and shadows a page table.
    3. If the bytes cross the edge of an entry, or if it is a flood, it zaps each of these pages as a whole: it clears
       all entries, frees the page unless it is a root in use, and flushes the TLB.
    4. Otherwise it takes one entry in each of these pages: the entry with the number offset / 8.
       - If the entry leads to a frame (level 1) and is writable, it leaves the reverse map of the frame.
       - If the entry is a link, it leaves the parents of the page below. That page stays as it is.
       - In any case the entry becomes zero.

    It never looks at the new value, and it never makes an entry.
    """
)


# Check questions


@LESSON.check
def which_dies(seed: int) -> Steps:
    """The spte that a store hits, which may cross the edge of an entry."""
    rng, guest = random.Random(seed), eight_pages()
    entry = rng.choice(PAGES[1:6])
    first, size = (rng.randrange(1, 8), 8) if rng.random() < 0.3 else part_of_entry(rng)
    gpa = guest.entry_gpa(entry << PAGE_SHIFT) + first
    before = sptes(guest.vm)
    lowest = entry - rng.randint(0, 1)
    choices = [f"spte {number}" for number in range(lowest, lowest + 3)]
    choices += [f"sptes {entry} and {entry + 1}", "the whole page"]
    yield Ask(
        f"A page table has eight entries in use, 0 to 7. The guest stores {size} byte{'s' * (size > 1)} at offset "
        f"{gpa & 0xFFF:#x} of it. What dies in its shadow page?",
        choices,
    )
    guest.vm.emulate_write_gpa(gpa, 0, size)
    dead = [spte & 511 for spte in sorted(before - sptes(guest.vm))]
    yield Answer(
        f"spte {dead[0]}" if len(dead) == 1 else choices[3] if len(dead) == 2 else choices[4],
        f"{gpa & 0xFFF:#x} / 8 is {(gpa & 0xFFF) // 8}, and the last byte is in entry {((gpa & 0xFFF) + size - 1) // 8}.",
    )


@LESSON.check
def unchanged_values(seed: int) -> Steps:
    """The faults of a program after stores that change no value."""
    rng = random.Random(seed)
    pages = rng.randint(3, 4)
    guest = small_guest("64", *((page + 1) << PAGE_SHIFT for page in range(pages)))
    vm, entries = guest.vm, [guest.entry_gpa((page + 1) << PAGE_SHIFT) for page in range(2)]
    directory = guest.entry_gpa(0x1000, 2)
    again = "The kernel stores the old value once more into"
    stored = {
        f"{again} the page-table entry of 0x1000": [(entries[0], vm.peek(entries[0]))],
        f"{again} the page-table entries of 0x1000 and 0x2000, one after the other": [(gpa, vm.peek(gpa)) for gpa in entries],
        f"{again} the directory entry above these pages": [(directory, vm.peek(directory))],
        "With one store of 8 bytes, the kernel writes the second half of the page-table entry of 0x1000 and the first half of "
        "the next entry. The bytes are the same as before": [
            (entries[0] + 4, vm.peek(entries[0]) >> 32 | vm.peek(entries[1]) % (1 << 32) << 32)
        ],
    }
    reasons = [
        "The store zaps the spte that was made from this entry.",
        "Each store zaps the spte that was made from its entry.",
        "The store zaps the link, and the page below is found with its sptes.",
        "A store across two entries zaps the whole page, with the link to it.",
    ]
    words, why = list(zip(stored, reasons, strict=True))[seed % 4]

    def cost(faults: int, count: int) -> str:
        return f"{faults} fault{'s' * (faults != 1)}, {count} spte{'s' * (count != 1)}"

    yield Ask(
        f"A program has accessed {pages} pages, from 0x1000 on, below one page table. {words}. "
        f"Then the program accesses all {pages} pages again. How many of these accesses fault, and how many "
        "sptes does the host make, links included?",
        [cost(*pair) for pair in ((0, 0), (1, 1), (2, 2), (1, pages + 1), (pages, pages), (pages, pages + 1))],
    )
    for gpa, value in stored[words]:
        vm.emulate_write_gpa(gpa, value, 8)
    before = sptes(vm)
    faults = sum(vm.access((page + 1) << PAGE_SHIFT, user=True).faults for page in range(pages))
    yield Answer(
        cost(faults, len(sptes(vm) - before)),
        f"the value does not matter. {why}",
    )


@LESSON.check
def flood_at(seed: int) -> Steps:
    """The first flood in a row of stores to two tables."""
    guest = small_guest("64", TABLE_A, TABLE_B)
    row, choices = order_of_stores(random.Random(seed + 1000)), flood_choices()
    yield Ask(f"Stores go to the page tables {', '.join(row)}. At which of them is the first flood?", choices)
    begun = ""
    for ordinal, name in zip(ORDINALS, row, strict=True):
        guest.vm.emulate_write_gpa(guest.entry_gpa(TABLE_A if name == "A" else TABLE_B) + 64, 0, 8)
        if guest.vm.last_pt_write_count >= 3 and not begun:
            begun = f"at the {ordinal}"
    yield Answer(begun or choices[-1], "the count starts again at each change of the table, and at 3 it is a flood.")


@LESSON.check
def after_stores(seed: int) -> Steps:
    """What a program reaches, and at what cost, after some stores to its entry."""
    rng, guest = random.Random(seed), small_guest("64", 0x1000, 0x2000)
    vm, count = guest.vm, rng.randint(1, 2)
    frames = [guest.frame() for _ in range(count)]
    hidden = rng.random() < 0.4
    old = (vm.peek(guest.entry_gpa(0x2000)) & ~0xFFF) >> PAGE_SHIFT
    how = "The host does not see them" if hidden else "The host performs them"
    costs = ("without a fault", "after a fault")
    choices = [f"gfn {gfn:#x}, {cost}" for gfn in (old, *frames) for cost in costs]
    stored = listed(f"gfn {gfn:#x}" for gfn in frames)
    yield Ask(
        f"The entry of a page in use leads to gfn {old:#x}. The kernel stores {stored} into it"
        f"{', one after the other' * (count > 1)}. {how if count > 1 else how.replace('them', 'it')}, and the guest executes "
        "INVLPG. Then the program reads the page. What does it reach?",
        choices,
    )
    for gfn in frames:
        if hidden:
            vm.poke(guest.entry_gpa(0x2000), gfn << PAGE_SHIFT | FULL)
        else:
            vm.emulate_write_gpa(guest.entry_gpa(0x2000), gfn << PAGE_SHIFT | FULL, 8)
    vm.invlpg(0x2000)
    read = vm.access(0x2000, user=True)
    assert read.gpa is not None
    yield Answer(
        f"gfn {read.gpa >> PAGE_SHIFT:#x}, {'after' if read.faults else 'without'} a fault",
        "the host zaps nothing for a store that it does not see, and INVLPG changes nothing in the shadow."
        if hidden
        else "the host zaps the spte and copies nothing. So the next access faults, and the host reads the guest's entry.",
    )


@LESSON.check
def hit_pages(seed: int) -> Steps:
    """Whether a shadow page in the bucket of a gfn is hit by a store."""
    rng = random.Random(seed)
    kinds = ["the table itself", "another gfn", "a large page", "another bucket"]
    kind = kinds[seed % 4]
    guest = Builder("64", frames=0x300)
    guest.next += rng.randrange(0x60)
    guest.map(0x1000)
    table = guest.table(0x1000)
    if kind == kinds[1]:
        guest.next = table + 0x100 - 1  # a data page, and then a page table in the same bucket
        guest.map(0x200000)
    guest.map(0x400000, 0x400, large=True)
    vm = guest.start()
    for gva in (0x1000, 0x400000, *([0x200000] if kind == kinds[1] else [])):
        vm.access(gva)
    gfn = 0x400 if kind == kinds[2] else guest.table(0x200000) if kind == kinds[1] else table
    about = f"A shadow page was made from the guest's page table in gfn {gfn:#x}"
    if kind == kinds[2]:
        about = f"A shadow page maps a large page of the guest, whose first gfn is {gfn:#x}"
    at = {kinds[1]: gfn ^ 0x100, kinds[3]: gfn + rng.choice((1, 0x101))}.get(kind, gfn)
    yield Ask(
        f"{about}. The host performs a store to gfn {at:#x}, to one entry. Is the shadow page hit?",
        ["yes: an spte of it becomes zero", "no: it is in the bucket, but fails a test", "no: it is in another bucket"],
    )
    page = next(page for page in vm.pool.active if page.gfn == gfn)
    before = sum(spte >> 9 == FIRST_SHADOW + page.id for spte in sptes(vm))
    entry = next(spte for spte in sptes(vm) if spte >> 9 == FIRST_SHADOW + page.id)
    vm.emulate_write_gpa((at << PAGE_SHIFT) + 8 * (entry & 511), 0, 8)
    now = sum(spte >> 9 == FIRST_SHADOW + page.id for spte in sptes(vm))
    same = page in vm.pool.bucket(at)
    yield Answer(
        "yes: an spte of it becomes zero" if now < before
        else "no: it is in the bucket, but fails a test" if same else "no: it is in another bucket",
        "a page is hit if it shadows a table in the written gfn. Gfns that are equal modulo 256 share a bucket.",
    )  # fmt: skip
