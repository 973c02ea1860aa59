# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 10, pre-write with entries of 4 bytes."""

from __future__ import annotations

import random
from collections.abc import Iterable

from ..inspect.paths import shadow_path
from ..labs.guests import FULL, Builder, small_guest
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

LESSON = Lesson(10, "Which shadow entries does a store hit when guest entries are only 4 bytes long?", 35, ("pre_write_32",))


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


def three_pages(seed: int) -> tuple[Builder, int]:
    """Return a guest with three pages below one page table, and the gpa of one of their entries."""
    number = 2 * random.Random(seed).randrange(64, 250) + 1
    guest = small_guest("32", *(page << PAGE_SHIFT for page in (number // 2, number, number + 1)))
    return guest, guest.entry_gpa(number << PAGE_SHIFT)


def both_halves(seed: int) -> tuple[Builder, int, int]:
    """Return a guest with two pages at the same place in both halves of a page table, and their addresses."""
    number = random.Random(seed).randrange(16, 500)
    pages = number << PAGE_SHIFT, number + 512 << PAGE_SHIFT
    return small_guest("32", *pages), *pages


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
        more=f"""
        <!-- slide:
        | step | arithmetic | gives |
        | --- | --- | --- |
        | guest entry | `{offset:#x}` / 4 | {offset // 4} |
        | doubled | `{offset:#x}` x 2 | `{doubled:#x}` |
        | in the page | `{doubled:#x} & 0xfff` | `{doubled & 0xFFF:#x}` |
        | spte | `{doubled & 0xFFF:#x}` / 8 | **{(doubled & 0xFFF) // 8}** |
        -->
        The arithmetic by hand, as the picture shows it:

        | step | arithmetic | gives |
        | --- | --- | --- |
        | guest entry | `{offset:#x}` / 4 | {offset // 4} |
        | doubled | `{offset:#x}` x 2 | `{doubled:#x}` |
        | in the page | `{doubled:#x} & 0xfff` | `{doubled & 0xFFF:#x}` |
        | spte | `{doubled & 0xFFF:#x}` / 8 (without the remainder) | **{(doubled & 0xFFF) // 8}** |

        An spte is twice as long as a guest entry, and it begins twice as far from the start of its page. So in the first half
        of a table, the spte has the same number as its guest entry.
        """,
    )


@LESSON.question
def quadrants(vm: Vm, written: int, other: int) -> Steps:
    """The sptes that a store to one half of a table hits."""
    before = sptes(vm)
    first, second = (shadow_path(vm, gva).steps[-1].key.spte for gva in (written, other))
    name, entry = names([second])[0], other >> PAGE_SHIFT & 1023
    at, doubled, cut = entry * 4, entry * 8, entry * 8 % PAGE_SIZE
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
        `{name}` was made from guest entry **{entry}**, which was not written. The doubled offset, cut to three digits,
        has lost the bit that tells the two halves apart: offset `{at:#x}`, of entry {entry}, gives `{cut:#x}`, too. No
        program notices: it only costs a fault.
        -->
        Go back to the film and read the numbers in brackets: `{name}` was made from guest entry **{entry}**, which was not
        written. That entry is at offset **`{at:#x}`**. Doubled, it is `{doubled:#x}`, and the last three digits are `{cut:#x}`,
        as for the offset that was written. So with only three digits, Linux 2.6.22 loses the one bit that tells the two halves
        apart. Pre-write goes through *all* shadow pages of the written gfn (lesson 9), and clears the spte at that place in the
        page of *every quadrant*.

        Is this a bug? No program notices. The entry that was cleared by mistake is made again at the next access, so the
        mistake costs only a fault. It became a real problem when KVM's author wanted to copy new values into the shadow at once
        (lesson 9): the other entry would have got a value that belongs elsewhere. So first a check of the quadrant was added
        ([commit fce0657f](https://github.com/torvalds/linux/commit/fce0657ff9f1) of the Linux kernel). The check was easy,
        because the quadrant is part of the page's **role**. Your exercise follows Linux 2.6.22, which hits all quadrants.
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

    Check it with the rule: 2 x 257 = 514, and quadrant 1 begins at 512, so the result is sptes 2 and 3 of quadrant 1. But
    the last three digits do not tell the quadrants apart, as in the last section. So pre-write hits sptes 2 and 3 in all
    four quadrants. In quadrant 0 they are the links to #247 and #246, the shadow pages for `0x400000` and `0x600000`. These
    links were made from guest entry 1, which is not written, and they die as well. In quadrants 2 and 3 the two sptes are
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
        Without the rounding, the code would double `0x2c` to `0x58`, and `0x58` / 8 is 11. It would clear sptes 11 *and 12*.
        Spte 12 was made from guest entry 6, which was not written: losing it does little harm. But spte 10 would stay, although
        its directory entry has changed.

        The reason: each doubling also doubles the distance of the byte from the start of its entry. After two doublings, this
        distance can be 8 bytes or more, a whole spte. So the code rounds down first, and then doubles again.

        For a page table the code needs no rounding. After one doubling, any byte of an entry is still in its spte (3 x 2 is
        less than 8), and the division by 8 drops the remainder. For example, offset `0x15e` is byte 2 of entry 87. Doubled, it
        is `0x2bc`, which is 700, and 700 / 8 is 87 with a remainder of 4.
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
        "8 bytes at 0x8 are two guest entries, 2 and 3. Such a store zaps every shadow page of the table, in all quadrants.",
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
        In a 64-bit guest, a store across the edge of an entry is a sign that something is wrong: kernels do not write 8
        bytes at an offset that is not a multiple of 8. Here it can be normal. The offset is a multiple of 8, and a kernel
        may store 8 bytes to set two adjacent entries with one instruction.

        **Misaligned** means that the bytes are not all in one entry. Whether a store is misaligned depends also on the size of
        the entries:

        | a store of | at offset | entries of 8 bytes | entries of 4 bytes |
        | --- | --- | --- | --- |
        | 4 bytes | `0x8` | in one entry | in one entry |
        | 4 bytes | `0xc` | in one entry (its upper half) | in one entry |
        | 4 bytes | `0xa` | in one entry | **misaligned** |
        | 8 bytes | `0x8` | in one entry | **misaligned** |
        | 8 bytes | `0xc` | **misaligned** | **misaligned** |

        Could the code clear just the two entries? Yes. The kernel's authors thought that it was not worth the trouble: such a
        store usually means that the frame is no longer a page table (mmu.c:1173-1182), and later faults restore the zapped
        entries. A model of 2.6.22 must do the same.
        """,
    )


PAUSES = Passage(
    """
    <!-- slide:
    Only the gfn counts: neither faults nor time reset the count. One spte of eleven is left; 8 of the
    ten stores were taken for a flood. The later kernel resets the count at a fault of the guest.

    **The shadow is a cache, and a cache that is cleared too often is still correct.**
    -->
    Only the gfn counts. Faults of the program do not reset the count; only a trapped store to another gfn does. From the
    third store on, each new page removed all the others, so only the last one is left. The host treated 8 of the ten stores
    as a flood. Such stores are among the most common ones, and the host's fork detector made each step more expensive than
    necessary.

    The later change resets the count whenever the guest itself gets a page fault: a page table that causes faults is still
    *in use*. In 2.6.22, and in your exercise, such a fault does not reset the count.

    The guest saw nothing wrong. That is why such mistakes survive for a long time: **the shadow is a cache, and a cache
    that is cleared too often is still correct.** Only a timing measurement shows the problem.
    """
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
        Two things go wrong here. First, the link to the shadow page for `0x200000` was cleared although its directory entry was
        not written. This cost a fault, and the next access repaired it. Second, a link was not cleared. Two sptes belong to
        entry 1: 2 and 3. Spte 3 was empty, because nothing in the second half of these 4 MB is used. Spte 2 had to be cleared,
        but stayed. It still leads to the shadow page of the *old* page table.

        The old frame may belong to another program by now, and a write there destroys its data. The message of commit ac1b714e
        reports corrupted guest memory. A zap too many costs a fault. **A zap too few costs the guest its data.**
        """,
    )


EARLY = Passage(
    """
    The audit of mappings (lesson 14) notices the wrong entry. The other two audits are silent: the reverse maps are
    complete, and no page table can be written. Linux 2.6.22 has the fix: it doubles the offset of a directory twice and
    takes both links.
    """
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
    Pre-write goes through every shadow page of the written gfn, as in lesson 9. If the table has 4-byte entries, it
    handles the page like this:

    1. If the bytes are not all in one entry **of 4 bytes**, or if it is a flood, the whole page is zapped.
    2. Otherwise double the offset.
    3. Only if the page shadows a **directory** (level 2): round down to 8, double again, and take two sptes in a row.
    4. Keep the last three hexadecimal digits, divide by 8, and drop the remainder: the result is the first spte.
    5. Clear it, or both, as in lesson 9: remove it from the reverse map or from the parents, then set it to zero.

    All quadrants are hit in the same way. You have understood this lesson if you can answer two questions. Why does step 3
    round? Which link stays by mistake without the rounding?
    """
)


# Check questions


@LESSON.check
def table_entry(seed: int) -> Steps:
    """The quadrant and the number of the spte that a store to a page table hits."""
    rng = random.Random(seed)
    number = rng.randrange(8, 1016)
    guest = small_guest("32", number << PAGE_SHIFT)
    vm, gpa = guest.vm, guest.entry_gpa(number << PAGE_SHIFT) + rng.randrange(4)
    offset = gpa % PAGE_SIZE
    wrong = [(offset // 512 % 4, offset // 8), (number // 512, number), (1 - number // 512, number % 512)]
    right = (number // 512, number % 512)

    def words(quadrant: int, at: int) -> str:
        return f"quadrant {quadrant}, spte {at}"

    choices = list(dict.fromkeys(words(*one) for one in sorted({right, *wrong})))
    yield Ask(f"A 32-bit guest stores one byte at offset {offset:#x} of a page table. Which spte was made from it?", choices)
    before = sptes(vm)
    vm.emulate_write_gpa(gpa, 0, 1)
    (dead,) = before - sptes(vm)
    yield Answer(
        words(page_at(vm, dead).quadrant, dead & 511),
        f"the byte is in guest entry {number}, and each quadrant has 512. {offset:#x} x 2 is {offset * 2:#x}. Its last three "
        f"digits are {offset * 2 % PAGE_SIZE:#x}, and {offset * 2 % PAGE_SIZE:#x} / 8 is {number % 512}.",
    )


@LESSON.check
def directory_entry(seed: int) -> Steps:
    """The two links that a store to a directory hits."""
    rng = random.Random(seed)
    number, byte = rng.randrange(1, 255) + 256 * rng.randrange(2), rng.randrange(4)
    guest = small_guest("32", number << 22, (number << 22) + 0x200000)
    vm, gpa = guest.vm, guest.entry_gpa(number << 22, level=2) + byte
    offset, first = gpa % PAGE_SIZE, number * 2 % 512

    def words(at: int) -> str:
        return f"{at} and {at + 1}"

    wrong = (first + 1, offset * 4 // 8 % 512 + 2, number % 512, offset // 8 * 2 % 512)
    yield Ask(
        f"A 32-bit guest stores one byte at offset {offset:#x} of its directory. Which links of its shadow pages die?",
        [words(at) for at in sorted({first, *wrong})],
    )
    before = sptes(vm)
    vm.emulate_write_gpa(gpa, 0, 1)
    dead = sorted(spte & 511 for spte in before - sptes(vm))
    yield Answer(
        listed(dead),
        f"{offset:#x} x 2 is {offset * 2:#x}, rounded {offset * 2 & ~7:#x}, doubled again {(offset * 2 & ~7) * 2:#x}. Its last "
        f"three digits are {number * 16 % PAGE_SIZE:#x}, and {number * 16 % PAGE_SIZE:#x} / 8 is {first}.",
    )


@LESSON.check
def one_entry(seed: int) -> Steps:
    """Whether a store zaps one entry or whole shadow pages."""
    rng = random.Random(seed)
    mode = rng.choice(["32", "32", "pae", "64"])
    size = rng.choice([1, 2, 4, 8])
    offset = rng.randrange(16, 40)
    guest = small_guest(mode, *(page << PAGE_SHIFT for page in range(16)))
    vm, table = guest.vm, guest.table(0x1000)
    kind = {"32": "32-bit guest", "pae": "PAE guest", "64": "64-bit guest"}[mode]
    yield Ask(
        f"A {kind} stores {size} byte{'s' * (size > 1)} at offset {offset:#x} of a page table. What does the host zap?",
        ["one spte", "two sptes", "the whole shadow page"],
    )
    before = sptes(vm)
    vm.emulate_write_gpa((table << PAGE_SHIFT) + offset, 0, size)
    lost = len(before - sptes(vm))
    width = 4 if mode == "32" else 8
    yield Answer(
        "one spte" if lost == 1 else "two sptes" if lost == 2 else "the whole shadow page",
        f"entries have {width} bytes here: the first byte is in entry {offset // width}, "
        f"the last in entry {(offset + size - 1) // width}.",
    )


@LESSON.check
def slow_stores(seed: int) -> Steps:
    """The pages that are in the shadow after some new pages on demand."""
    rng = random.Random(seed)
    new, other = rng.randint(2, 6), rng.randint(0, 6)
    guest = small_guest("32", 0x1000, 0x400000)
    vm = guest.vm
    pages = [0x1000]
    elsewhere = f"After new page {other} the kernel also stores once into another page table. " if 0 < other < new else ""
    yield Ask(
        f"A program of a 32-bit guest has used one page. It then touches {new} new pages, one after the other, and each causes "
        f"one store into the same page table. {elsewhere}How many of the {new + 1} pages are in the shadow in the end?",
        list(range(1, new + 2)),
    )
    for number in range(1, new + 1):
        gva = (number + 1) << PAGE_SHIFT
        vm.access(gva, user=True)
        guest.edit(gva, guest.frame() << PAGE_SHIFT | FULL)
        vm.access(gva, user=True)
        pages.append(gva)
        if number == other and elsewhere:
            guest.edit(0x400000 + 0x5000, 0)
    before = {gva: shadow_path(vm, gva).hfn is not None for gva in pages}
    yield Answer(
        sum(before.values()),
        "the third store in a row zaps the whole shadow page, and so does each one after it. Only a store elsewhere resets the "
        "count.",
    )
