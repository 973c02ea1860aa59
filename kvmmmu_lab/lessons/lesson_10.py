# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 10, pre-write with entries of 4 bytes."""

from __future__ import annotations

from collections.abc import Iterable

from ..inspect.paths import shadow_path
from ..mmu.bits import PAGE_SHIFT, PAGE_SIZE
from ..mmu.cpu import Access
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_SHADOW
from ..mmu.pool import ShadowPage
from ..mmu.prewrite import shadow_pages, zap_spte
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import died, gfn_of, listed, names, sptes

LESSON = Lesson(10, "Which shadow entries does a store hit when guest entries are only 4 bytes long?", 45, ("pre_write_32",))


def page_of(vm: Vm, gva: int, level: int = 1) -> int:
    """Return the number of the shadow page on the path of gva at a level."""
    return next(step.number for step in shadow_path(vm, gva).steps if step.level == level)


def page_at(vm: Vm, spte: int) -> ShadowPage:
    """Return the shadow page that contains an spte."""
    return vm.pool.pages[(spte >> 9) - FIRST_SHADOW]


def numbers(vm: Vm, before: frozenset[int], pages: Iterable[int]) -> list[int]:
    """Return the indices of the entries in these pages that have died."""
    wanted = {FIRST_SHADOW + page for page in pages}
    return sorted(spte & 511 for spte in before - sptes(vm) if spte >> 9 in wanted)


@LESSON.question
def index(vm: Vm, gpa: int) -> Steps:
    """The spte that a store to a table of 4-byte entries hits."""
    offset, before = gpa & 0xFFF, sptes(vm)
    leaves = [spte for spte in before if page_at(vm, spte).level == 1]
    choices = [f"number {spte & 511}" for spte in sorted(leaves)] + ["none"]
    yield Ask(f"4 bytes at offset {offset:#x}: which spte dies?", choices, on=vm)
    hit = [spte & 511 for spte in sorted(before - sptes(vm))]
    doubled = offset * 2
    yield Answer(
        f"number {listed(hit)}" if hit else "none",
        f"{offset:#x} x 2 = {doubled:#x}, and {doubled:#x} / 8 = {doubled // 8}. "
        f"Number {offset // 8} was made from guest entry {offset // 8}, at offset {offset // 8 * 4:#x}, and stays.",
        more="""
        <!-- slide:
        | step | arithmetic | gives |
        | --- | --- | --- |
        | guest entry | `0x404` / 4 | 257 |
        | doubled | `0x404` x 2 | `0x808` |
        | in the page | `0x808 & 0xfff` | `0x808` |
        | spte | `0x808` / 8 | **257** |
        -->
        The arithmetic by hand, as the picture shows it:

        | step | arithmetic | gives |
        | --- | --- | --- |
        | guest entry | `0x404` / 4 | 257 |
        | doubled | `0x404` x 2 | `0x808` |
        | in the page | `0x808 & 0xfff` | `0x808` |
        | spte | `0x808` / 8 | **257** |

        An spte is twice as long as a guest entry and begins twice as far from the start, so in the first half an entry
        keeps its number.
        """,
    )


@LESSON.question
def quadrants(vm: Vm, written: int, other: int) -> Steps:
    """The sptes that a store to one half of a table hits."""
    before = sptes(vm)
    first, second = (shadow_path(vm, gva).steps[-1].key.spte for gva in (written, other))
    name = names([second])[0]
    one, two = (f"{names([spte])[0]} (quadrant {page_at(vm, spte).quadrant})" for spte in (first, second))
    both = listed([one, two])
    choices = [one, two, both, f"both pages, #{page_of(vm, written)} and #{page_of(vm, other)}, as a whole"]
    yield Ask("Which sptes die?", choices, on=vm)
    words = {(first,): one, (second,): two, (first, second): both}
    dead = before - sptes(vm)
    yield Answer(
        words.get(tuple(spte for spte in (first, second) if spte in dead), "none") if len(dead) < 3 else choices[3],
        "both pages shadow this gfn, and both are hit at the same number. The code ignores the quadrant of the written entry.",
        more=f"""
        <!-- slide:
        `{name}` was made from guest entry **769**, which was not written. The doubled offset, cut to three digits, has
        lost the bit that tells the two halves apart: offset `0xc04`, of entry 769, gives `0x808`, too. No program
        notices: it only costs a fault.
        -->
        Go back to the film and read the numbers in brackets: `{name}` was made from guest entry **769**, which was not
        written. That entry is at offset **`0xc04`**. Doubled, it is `0x1808`, and the last three digits are `0x808`, as
        for the offset that was written. Linux 2.6.22 doubles the offset and keeps only its last three digits, and so
        loses the one bit that tells the two halves apart. Then it clears the spte at that place *in the page of every
        quadrant*, because pre-write goes through all shadow pages of the written gfn, as you know from lesson 9.

        Is this a bug? No program notices, because the wrongly cleared entry is made again at the next access. It only
        costs a fault. The mistake became a real problem only when KVM was about to copy new values into the shadow at
        once (see lesson 9). *Filling* the other entry with a value that belongs elsewhere would have been an error. So
        the code first had to check the quadrant (commit fce0657f of the Linux kernel). The quadrant is part of the
        page's **role**, which says how the guest uses the table for which the page was made. So the host had known it
        all along. Your exercise follows Linux 2.6.22, which hits all quadrants.
        """,
    )


DIRECTORY = Passage(
    """
    <!-- slide:
    | step, for offset `0x404` | arithmetic | gives |
    | --- | --- | --- |
    | doubled | `0x404` x 2 | `0x808` |
    | rounded down to 8 | `0x808 & ~7` | `0x808` |
    | doubled again | `0x808` x 2 | `0x1010` |
    | in the page | `0x1010 & 0xfff` | `0x010` |
    | sptes | `0x010` / 8, and the next | **2 and 3** |
    -->
    The diagram does this arithmetic:

    | step | arithmetic | gives |
    | --- | --- | --- |
    | guest entry | `0x404` / 4 | 257 |
    | doubled | `0x404` x 2 | `0x808` |
    | rounded down to 8 | `0x808 & ~7` | `0x808` |
    | doubled again | `0x808` x 2 | `0x1010` |
    | in the page | `0x1010 & 0xfff` | `0x010` |
    | sptes | `0x010` / 8, and the next | **2 and 3** |

    Check it with the rule: 2 x 257 = 514, and quadrant 1 begins at 512, so the result is sptes 2 and 3 of quadrant 1.
    Pre-write hits them in all four quadrants: the mistake of the last section, now with four pages instead of two. So
    sptes 2 and 3 of quadrant 0 die as well. They are the links to #247 and #246, the shadow pages for `0x400000` and
    `0x600000`. These links were made from guest entry 1, which is not written. In quadrants 2 and 3 the two sptes are
    empty, and nothing is lost.
    """
)


@LESSON.question
def one_byte(vm: Vm, gpa: int, gva: int) -> Steps:
    """The sptes that a store of one byte to a directory hits."""
    offset, before = gpa & 0xFFF, sptes(vm)
    page = page_of(vm, gva, level=2)
    first = offset // 4 * 2
    choices = [f"only {first}", f"{first} and {first + 1}", f"{first + 1} and {first + 2}", f"only {first + 1}"]
    yield Ask(f"One byte at offset {offset:#x} of the directory. Which sptes die?", choices, on=vm)
    doubled, rounded = offset * 2, offset * 2 & ~7
    hit = numbers(vm, before, [page])
    yield Answer(
        f"only {hit[0]}" if len(hit) == 1 else listed(hit or ["none"]),
        f"{offset:#x} x 2 = {doubled:#x}, rounded {rounded:#x}, x 2 = {rounded * 2:#x}, / 8 = {rounded // 4}, and the next. "
        f"Entry {offset // 4} became {first} and {first + 1}, whichever byte is written.",
        more="""
        <!-- slide:
        Without the rounding: `0x16` x 2 x 2 = `0x58`, / 8 = 11, so 11 *and 12*. But 10 would have stayed, although its
        directory entry has changed. First round down, then double again.
        -->
        Without the rounding, `0x16` x 2 is `0x2c`, `0x2c` x 2 is `0x58`, and `0x58` / 8 is 11. The result would have
        been sptes 11 *and 12*. Number 12 belongs to guest entry 6, which was not written: losing it does little harm.
        But number 10 would have stayed, although its directory entry has changed. Each doubling also doubles the distance of
        the byte from the start of its entry. After two doublings this distance can be a whole spte or more. So first
        round down, and then double again.

        For a page table no rounding is needed. After one doubling, any byte of an entry is still in its spte: 3 x 2 is
        less than 8.
        """,
    )


@LESSON.question
def eight_bytes(vm: Vm, first: int, second: int) -> Steps:
    """What dies when a store of 8 bytes covers two entries of 4."""
    before = sptes(vm)
    one, two = page_of(vm, first), page_of(vm, second)
    whole = {page: f"#{page} (quadrant {vm.pool.pages[page].quadrant})" for page in (one, two)}
    choices = ["nothing: spte 2 is empty", f"spte 3 of #{one}", f"all of {whole[one]}", f"all of {whole[one]} and {whole[two]}"]
    yield Ask("8 bytes at offset 0x8: what dies?", choices, on=vm)
    freed = [page for page in (one, two) if vm.pool.pages[page] in vm.pool.free]
    dead = died(vm, before)
    yield Answer(
        f"all of {listed(whole[page] for page in freed)}"
        if freed
        else f"spte {listed(numbers(vm, before, [one]))} of #{one}"
        if dead
        else choices[0],
        "what counts is the size of an entry. 8 bytes at 0x8 are guest entries 2 and 3, so both pages are zapped.",
        more="""
        <!-- slide:
        | a store of | at offset | entries of 8 bytes | entries of 4 bytes |
        | --- | --- | --- | --- |
        | 4 bytes | `0x8` | in one entry | in one entry |
        | 4 bytes | `0xc` | in one entry (its upper half) | in one entry |
        | 4 bytes | `0xa` | in one entry | **misaligned** |
        | 8 bytes | `0x8` | in one entry | **misaligned** |
        | 8 bytes | `0xc` | **misaligned** | **misaligned** |

        **Misaligned**: the bytes are not all in one entry.
        -->
        You may have thought that a store across the edge of an entry hardly ever happens in a 32-bit guest, because
        kernels do not write to page tables at odd offsets. But a kernel may store 8 bytes to set two adjacent entries
        with one instruction, and the offset is a multiple of 8.

        **Misaligned** means that the bytes are not all in one entry. It depends on the size of the entries, not only on
        the store:

        | a store of | at offset | entries of 8 bytes | entries of 4 bytes |
        | --- | --- | --- | --- |
        | 4 bytes | `0x8` | in one entry | in one entry |
        | 4 bytes | `0xc` | in one entry (its upper half) | in one entry |
        | 4 bytes | `0xa` | in one entry | **misaligned** |
        | 8 bytes | `0x8` | in one entry | **misaligned** |
        | 8 bytes | `0xc` | **misaligned** | **misaligned** |

        You may find this crude: two entries are written. *Could* the code clear two entries instead? Yes. The kernel's
        authors thought that it was not worth the trouble: such a store usually means that the frame is no longer a page
        table (mmu.c:1173-1182), and later faults restore the zapped entries. The code in 2.6.22 does not clear two
        entries, so a model of it must not either.
        """,
    )


@LESSON.question
def pause(vm: Vm, gva: int) -> Steps:
    """What the third store to a table zaps if the program runs between the stores."""
    before = sptes(vm)
    page = page_of(vm, gva)
    here = [spte for spte in before if spte >> 9 == FIRST_SHADOW + page]
    choices = ["nothing", "one spte", f"all {len(here)} sptes of #{page}"]
    floods = vm.stats.flood_zaps
    yield Ask("The store for this new page zaps ...", choices, on=vm)
    dead = [spte for spte in here if not vm.memory.words[spte]]
    yield Answer(
        choices[2] if vm.stats.flood_zaps > floods else choices[min(len(dead), 1)],
        "only the gfn counts. The two faults between do not reset the count; only a trapped store to another gfn does.",
        more="""
        It does not matter what happens between the stores: the program may use the pages of the table for an hour, with
        any number of page faults. This is a mistake in Linux 2.6.22. The rule was meant to detect a `fork`, which
        stores as fast as possible, and demand paging behaves quite differently.
        """,
    )


@LESSON.question
def left(vm: Vm, gvas: list[int]) -> Steps:
    """The number of pages that are still in the shadow."""
    count = len(gvas)
    yield Ask(f"How many of the program's {count} pages are in the shadow after that?", [count, count - 2, 3, 1], on=vm)
    floods = vm.stats.flood_zaps
    found = sum(vm.access(gva, user=True).faults == 0 for gva in gvas)
    yield Answer(
        found,
        "from the third store on, each new page removed all the others. Only the last one is left.",
        more=f"""
        <!-- slide:
        The host took {floods} stores for a flood. A later change to KVM (commit a25f7e1f) resets the count at a fault
        of the guest: a page table that causes faults is still *in use*.

        **The shadow is a cache, and a cache that is cleared too often is still correct.**
        -->
        The host treated {floods} of the ten stores as a flood. The fork detector misfired on one of the most common
        access patterns, and made each step more expensive than necessary. A later change to KVM (commit a25f7e1f of the
        Linux kernel) resets the count whenever the guest itself gets a page fault, because a page table that causes
        faults is still *in use*. In 2.6.22, and in your exercise, the count is not reset.

        Again, the guest saw nothing wrong. That is why such bugs survive for a long time: **the shadow is a cache, and
        a cache that is cleared too often is still correct.** Only a timing measurement shows the problem.
        """,
    )


def early_pre_write(vm: Machine, gpa: int, size: int) -> None:
    """Pre-write as it was before commit ac1b714e of the Linux kernel, for a store to one entry of 4 bytes.

    It doubles the offset once, also for a directory, and clears one spte in each page.
    """
    offset = 2 * (gpa % PAGE_SIZE) % PAGE_SIZE
    for page in shadow_pages(vm, gpa >> PAGE_SHIFT):
        zap_spte(vm, page, page.spte + offset // 8)


@LESSON.question
def early(vm: Vm, first: int, second: int, other: int) -> Steps:
    """What a program reaches after a store to a directory before which the early version has run."""
    old, new = gfn_of(vm, second), gfn_of(vm, other)

    def ends(fault: int, again: int, gfn: int) -> str:
        cost = {0: "without a fault", 1: "after a fault"}
        frame = {old: "the old frame", new: "the new frame"}.get(gfn, "another frame")
        return f"{first:#x} {cost[fault]}; {second:#x} {cost[again]}: {frame}"

    choices = [ends(0, 1, new), ends(1, 1, new), ends(1, 0, old), ends(0, 0, old)]
    words = "The early version runs, and the store to directory entry 1 follows. The program then reads ..."
    reads: list[Access] = yield Ask(words, choices, on=vm)
    one, two = reads
    yield Answer(
        ends(one.faults, two.faults, (two.gpa or 0) >> PAGE_SHIFT),
        "0x4 doubled once is 0x8, which is spte 1: a link made from entry 0. Spte 2, a link made from entry 1, stayed.",
        more="""
        <!-- slide:
        The early version cleared spte 1, which cost a fault, and left spte 2, which still leads to the shadow page of the
        old page table. A zap too many costs a fault. **A zap too few costs the guest its data.**
        -->
        Two mistakes come together here. The link to the shadow page for `0x200000` was cleared although its directory
        entry was not written: this cost a fault, and the next access repaired it. Two sptes are made from entry 1. Spte 3
        was still empty; spte 2, which had to be cleared, stayed, and still leads to the shadow page of the *old* page table.

        The old frame may belong to another program by now, and a write there destroys its data. The message of the change
        that fixed this reports corrupted guest memory. A zap too many costs a fault. **A zap too few costs the guest its
        data.**
        """,
    )


SUMMARY = Passage(
    """
    <!-- slide:
    1. More than one entry **of 4 bytes**, or a flood: zap the whole page.
    2. Else double the offset.
    3. For a **directory**: round down to 8, double again, take two sptes.
    4. Keep three digits, / 8.
    5. Clear, in **all** quadrants.
    -->
    Once a shadow page of a table with 4-byte entries has passed the two tests of lesson 9, it is handled like this:

    1. If the bytes are not all in one entry **of 4 bytes**, or if it is a flood, the whole page is zapped.
    2. Otherwise double the offset.
    3. Only if the page shadows a **directory** (level 2): round down to 8, double again, and take two sptes in a row.
    4. Keep the last three hexadecimal digits and divide by 8: the result is the first spte.
    5. Clear it, or both, as in lesson 9: remove it from the reverse map or from the parents, then set it to zero.

    All quadrants are hit in the same way. You have understood this lesson if you can explain why step 3 rounds, and
    which link stays by mistake without the rounding.
    """
)
