# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 2, the guest walk."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from ..draw.scene_builder import plural
from ..inspect.names import LEVELS
from ..inspect.paths import guest_path
from ..inspect.processor import processor_error
from ..inspect.refusal import Request
from ..labs.guests import Builder
from ..labs.watch import Watch
from ..mmu.bits import ACCESSED, CR0_WP, EFER_NX, PRESENT, USER, WRITABLE
from ..mmu.cpu import Access
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import listed

LESSON = Lesson(2, "What would a processor have said, if it had walked the guest's tables itself?", 30, ("walk",))


@dataclass(frozen=True)
class Page:
    """A running guest that maps one page, at ``gva``. Nobody has used the page yet: no entry on its path has A or D."""

    guest: Builder
    gva: int

    @property
    def vm(self) -> Vm:
        """The machine of the guest."""
        return self.guest.vm

    def entry(self, level: int = 1) -> int:
        """Return the guest's entry at a level."""
        return self.vm.peek(self.guest.entry_gpa(self.gva, level))

    def flags(self) -> str:
        """Return the accessed and dirty bits of the guest's entries, from the root down."""
        return ", ".join(
            f"{LEVELS[step.level]}: A={step.entry >> 5 & 1}" + (f" D={step.entry >> 6 & 1}" if step.level == 1 else "")
            for step in guest_path(self.vm, self.gva).steps
        )

    def use(self, **access: bool) -> str:
        """Access the page, and return the number of faults that this took, and the accessed and dirty bits after it."""
        faults = self.vm.access(self.gva, **access).faults
        return f"{words_of(access)}: {plural(faults, 'fault')}; {self.flags()}"


def page(
    seed: int, clear: Mapping[int, int] | None = None, add: Mapping[int, int] | None = None, wp: bool = True, nx: bool = True
) -> Page:
    """Return a page whose address is made from a seed. All its entries have P, W and U, except as said.

    ``clear`` and ``add``: the bits to clear or to set in the entry at a level. ``wp``, ``nx``: the bits CR0.WP and
    EFER.NX.
    """
    numbers = random.Random(f"walk {seed}")
    gva = numbers.randrange(1, 256) << 39
    gva |= sum(numbers.randrange(1, 512) << shift for shift in (30, 21, 12)) | numbers.randrange(0x1000)
    guest = Builder("64")
    guest.map(gva, flags=PRESENT | WRITABLE | USER)
    vm = guest.start()
    for level in (1, 2, 3, 4):
        at = guest.entry_gpa(gva, level)
        vm.poke(at, vm.peek(at) & ~ACCESSED | (add or {}).get(level, 0))
    for level in (1, 2, 3, 4):
        at = guest.entry_gpa(gva, level)
        vm.poke(at, vm.peek(at) & ~(clear or {}).get(level, 0))
    cpu = vm.cpu
    cr0, efer = (cpu.cr0 if wp else cpu.cr0 & ~CR0_WP), (cpu.efer if nx else cpu.efer & ~EFER_NX)
    vm.set_registers(cr0, cpu.cr3, cpu.cr4, efer)
    return Page(guest, gva)


def access_of(seed: int) -> dict[str, bool]:
    """Return an access by user code: a read or a write, depending on the seed."""
    return {"user": True, "write": bool(random.Random(f"access {seed}").randrange(2))}


def level_of(seed: int) -> int:
    """Return a level below the root, depending on the seed."""
    return random.Random(f"level {seed}").choice([1, 2, 3])


def words_of(access: Mapping[str, bool]) -> str:
    """Return an access in words: "user code writes"."""
    verb = "fetches an instruction" if access.get("fetch") else "writes" if access.get("write") else "reads"
    return f"{'user code' if access.get('user') else 'the kernel'} {verb}"


def processor(here: Page, **access: bool) -> str:
    """Return what a processor would say about an access to the page."""
    error = processor_error(here.vm, Request(here.gva, **access))
    return "the access is allowed" if error is None else f"page fault, error code {error:#x}"


def outcome(result: Access) -> str:
    """Return what the guest gets, in words."""
    return "no fault" if result.error is None else f"error code {result.error:#x}"


def with_accessed(here: Page) -> str:
    """Return which entries of a path have A, in words, from the root down."""
    found = [LEVELS[step.level] for step in guest_path(here.vm, here.gva).steps if step.entry & ACCESSED]
    return named(found)


def named(levels: list[str]) -> str:
    """Return names of levels in words."""
    return "in none of them" if not levels else "in all four" if len(levels) == 4 else f"in {listed(levels)}"


ACCESSED_CHOICES = [named(names) for names in ([], ["PML4"], ["PML4", "PDPT"], ["PML4", "PDPT", "PD"])] + ["in all four"]


@LESSON.question
def no_user(here: Page, access: Mapping[str, bool]) -> Steps:
    """The error code of an access by user code when an entry above the last one has no U."""
    codes = [4, 5] if not access["write"] else [6, 7]
    choices = [f"error code {code:#x}" for code in [*codes, codes[1] ^ 4]] + ["no fault"]
    subject = words_of(access).capitalize()
    film: Watch = yield Ask(
        f"The PDPT entry has no U, but the PT entry has U. {subject}. What does the guest get?", choices, on=here.vm
    )
    yield Answer(
        outcome(film.result),
        "bit 0 is set because the entry is present and refuses; the other bits say what the access was.",
        more="""
        <!-- slide:
        One entry that refuses is enough: *all* entries on the path must allow the access.

        **Bit 0 says why, the other bits say what.**
        -->
        One entry that refuses is enough, on whatever level it is: *all* entries on the path must allow the access. The PT
        entry has U, but the walk never read it.

        Read the code from the right. Bit 0 says *why* the walk stopped: 1 if an entry refused, 0 if an entry was not
        present. The bits above it say *what* the access was: bit 1 a write, bit 2 user code.
        """,
    )


@LESSON.question
def accessed_bits(here: Page, level: int) -> Steps:
    """The entries that have A after an access that an entry has refused."""
    name = LEVELS[level]
    yield Ask(f"The {name} entry has no W, and user code writes. In which entries is A set afterwards?", ACCESSED_CHOICES)
    yield Answer(
        with_accessed(here),
        "A is set in an entry when all its checks have passed, before the next table is read.",
        more=f"""
        <!-- slide:
        The walk stops at the {name}. Above it, A is set: those entries *were used* to get there. A processor may also
        set A in the entry that refuses.
        -->
        The walk stops at the {name}, so A stays clear there and below. Above it, A is set, although the access failed:
        these entries *were used*. No walk takes an accessed bit back.

        A processor gives the same error code, but it may set A in other entries. Intel's manual says that an access without
        the necessary right sets A in the entry of the page directory. The manual leaves open whether it also sets A in the
        entry of the page table (volume 3, "Interrupt 14"). This kit is checked against the recorded answers of one processor.
        That processor sets A in the directory entry that refuses. The code of 2007 does not.
        """,
    )


WHICH_CODES = "Which error code does the guest get, and which would a processor report?"
"""The end of a question whose choices are made by `both`."""


def both(ours: int | None, theirs: int | None) -> str:
    """Return the error codes of the host's walk and of a processor, in words."""
    names = ["no fault" if code is None else f"{code:#x}" for code in (ours, theirs)]
    return f"the guest gets {names[0]}, a processor would report {names[1]}"


@LESSON.question
def two_reasons(here: Page) -> Steps:
    """The error codes of the host and of a processor when one entry refuses, and one below it isn't present."""
    theirs = processor_error(here.vm, Request(here.gva, user=True))
    codes = (4, 5)
    choices = [both(one, two) for one in codes for two in codes]
    result: Access = yield Ask(
        f"The PDPT entry has no U, the PT entry is not present, and user code reads. {WHICH_CODES}", choices, on=here.vm
    )
    yield Answer(
        both(result.error, theirs),
        "the host stops at the PDPT, which refuses; a processor reads all entries first, and finds that one is missing.",
        more="""
        <!-- slide:
        A guest's kernel looks at bit 0 first: missing page, or forbidden access? Here the host gives it another answer
        than a real machine. Since the commit 8cbc70696f14, KVM checks rights after the walk.
        -->
        Does the difference matter? A kernel looks at bit 0 first. If it is 0, a page is missing, and the kernel may load it
        and let the program go on. If it is 1, the access is forbidden, and the program usually gets a signal. Here a page is
        missing, and a real machine would say so. The guest's kernel gets bit 0 = 1 instead. So with the code of 2007, a
        kernel that gets bit 0 = 1 does not know whether all entries are present.

        Later, the order in KVM was changed: it now checks the rights of all levels together, after the walk, and sets the
        accessed bits only then (Avi Kivity, ["KVM: MMU: Update accessed and dirty bits after guest pagetable
        walk"](https://github.com/torvalds/linux/commit/8cbc70696f14)).
        """,
    )


@LESSON.question
def fetch_bit(here: Page) -> Steps:
    """The error codes of the host and of a processor for a fetch while EFER.NX is off."""
    access = {"user": True, "fetch": True}
    theirs = processor_error(here.vm, Request(here.gva, **access))
    choices = [both(one, two) for one in (0x5, 0x15) for two in (0x5, 0x15)]
    result: Access = yield Ask(
        f"EFER.NX is off. User code fetches an instruction, and the PD entry has no U. {WHICH_CODES}", choices, on=here.vm
    )
    yield Answer(
        both(result.error, theirs),
        "a processor leaves bit 4 clear while EFER.NX is off; the code of 2007 sets it for every fetch.",
        more="""
        <!-- slide:
        `0x15` = refused + user code + fetch. `0x5` = refused + user code.
        -->
        The same happens in every 32-bit guest, because entries of 4 bytes have no bit 63. Whenever a fetch faults there, the
        code of 2007 sets bit 4, and a real machine would not. (Intel's manual, volume 3, section 4.7, says when a processor
        sets it.)
        """,
    )


SHARED = Passage(
    """
    <!-- slide:
    After `poke`, the access reached the frame through the spte. No fault, no walk, no A. Only after a *noticed* write did
    an access fault, and the walk set A again.
    -->
    After `poke`, the access used the spte, so nobody walked the guest's tables, and A stayed clear. In the second experiment
    the guest's kernel cleared A with a write that the host noticed. The host zapped the spte, the next access faulted, and
    the walk set A again.

    So each accessed bit that a guest's kernel clears costs two faults. The first is for the write to the page table,
    which is write-protected. (The last output does not show it, because we called the function that performs the store.)
    The second comes at the next use of the page, and the host cannot avoid it. It has to notice this use to set A. But it
    notices only faults, and a present spte causes none. So there must be no spte while the guest's A is clear. The
    message of 2008 describes this dilemma.
    """
)


AFTER_NX = Passage(
    """
    <!-- slide:
    The walk would refuse the fetch, but there was no walk: the old spte was still there. **The three audits are
    silent**: they compare frames, not rights.

    Later kernels: EFER.NX is part of a shadow page's name (commit 9645bb56b31a).
    -->
    A walk would have refused this fetch. But there was no walk: the old spte was still in the shadow, and a load of EFER does
    not change the shadow. The three audits are silent, because they compare frames, and the frame is right.

    The film names a second gap: an spte gets its NX from the last entry alone, and here NX is one level higher (lesson 4).
    So the old spte has no NX that could stop the fetch.

    The fix in the kit has two short parts. First, EFER.NX becomes part of the *role* of a shadow page, by which the host
    finds the page (lesson 5). Second, a load of EFER builds the root again. So the old spte is not found, and this fetch
    needs a walk. The second gap stays open: a read that comes before the fetch makes an spte without NX. In the kernel,
    EFER.NX became part of the role in 2009 (Avi Kivity, ["KVM: MMU: Use different shadows when EFER.NXE
    changes"](https://github.com/torvalds/linux/commit/9645bb56b31a), March 2009).
    """
)


SUMMARY = Passage(
    """
    <!-- slide:
    - At each level, in this order: **P, W, U, NX, then set A**. The first check that fails ends the walk.
    - **Bit 0 says why, bits 1, 2 and 4 say what**: write, user code, fetch.
    - The walk sets A. `fix_write_pf` sets D. The processor sets neither in the guest's tables.
    - WP and NX decide what is checked. Code of 2007 ≠ processor: order of checks, A of an entry that refuses, fetch bit,
      reserved bits.
    -->
    - **The host walks in the processor's place.** At each level it checks P, W, U and NX, in this order, and then sets A. The
      first check that fails ends the walk. The guest then gets a page fault, unless the host only wanted to look up a gpa
      (`gva_to_gpa`).
    - **An error code**: bit 0 is 1 if an entry refused and 0 if one was missing. Bits 1, 2 and 4 say what the access
      was: a write, by user code, a fetch.
    - **A is set by the walk, D by `fix_write_pf`.** The processor sets neither in the guest's tables. So the host makes an
      spte only after A is set. It withholds W until the first write; then it gives W and sets D, before the guest continues.
    - **CR0.WP** decides whether W is checked for the kernel's writes. **EFER.NX** decides whether NX is checked.
    - **The walk of 2007 differs from a processor** in the order of checks, in the accessed bit of an entry that refuses, in
      the fetch bit, and in reserved bits, which it does not know.
    """
)


# Check questions


@LESSON.check
def code_of_an_access(seed: int) -> Steps:
    """The error code of an access that one entry refuses."""
    numbers = random.Random(f"code {seed}")
    level = numbers.choice([1, 2, 3, 4])
    bit, name = numbers.choice([(PRESENT, "P"), (WRITABLE, "W"), (USER, "U")])
    access = {"user": bit == USER or bool(numbers.randrange(2)), "write": bit == WRITABLE or bool(numbers.randrange(2))}
    right = access["user"] << 2 | access["write"] << 1
    codes = sorted({right, right | 1, right ^ 3, right ^ 5})
    yield Ask(
        f"The {LEVELS[level]} entry has no {name}; all other entries allow everything. CR0.WP is set, and {words_of(access)}. "
        "Which error code does the guest get?",
        [f"{code:#x}" for code in codes],
    )
    here = page(seed, {level: bit})
    error = here.vm.access(here.gva, **access).error
    why = "an entry was missing, so bit 0 is clear" if bit == PRESENT else "an entry was present and refused, so bit 0 is set"
    yield Answer(f"{error:#x}", f"{why}; bit 1 is the write, bit 2 the user code.")


@LESSON.check
def accessed_after(seed: int) -> Steps:
    """The entries that have A after an access was refused, or allowed."""
    numbers = random.Random(f"accessed {seed}")
    level = numbers.choice([0, 1, 2, 3, 4])
    said = f"The {LEVELS[level]} entry is not present" if level else "All entries allow everything"
    yield Ask(f"{said}, and the kernel reads. No entry had A before. In which entries is A set afterwards?", ACCESSED_CHOICES)
    here = page(seed, {level: PRESENT} if level else None)
    here.vm.access(here.gva)
    yield Answer(with_accessed(here), "the walk sets A at each level that it passes, and stops where an entry is not present.")


@LESSON.check
def order_of_checks(seed: int) -> Steps:
    """The codes of the host and of a processor when there are two reasons."""
    numbers = random.Random(f"order {seed}")
    refusing, missing = numbers.sample([1, 2, 3, 4], 2)
    access = {"user": bool(numbers.randrange(2)), "write": True}
    here = page(seed, {refusing: WRITABLE, missing: PRESENT})
    theirs = processor_error(here.vm, Request(here.gva, **access))
    codes = [access["user"] << 2 | 2, access["user"] << 2 | 3]
    yield Ask(
        f"The {LEVELS[refusing]} entry has no W, and the {LEVELS[missing]} entry is not present. CR0.WP is set, and "
        f"{words_of(access)}. {WHICH_CODES}",
        [both(one, two) for one in codes for two in codes],
    )
    error = here.vm.access(here.gva, **access).error
    first = "the entry that refuses is above the missing one" if refusing > missing else "the missing entry comes first"
    why = f"{first}, and the host stops at the first reason; a processor looks for missing entries first."
    yield Answer(both(error, theirs), why)


@LESSON.check
def write_by_the_kernel(seed: int) -> Steps:
    """What happens when somebody writes to a read-only page, with CR0.WP set or clear."""
    numbers = random.Random(f"wp {seed}")
    wp, user = bool(numbers.randrange(2)), not numbers.randrange(3)
    access = {"user": user, "write": True}
    choices = ["no fault", *(f"error code {code:#x}" for code in (2, 3, 6, 7))]
    said = f"The PT entry has no W. CR0.WP is {'set' if wp else 'clear'}, and {words_of(access)}. What does the guest get?"
    yield Ask(said, choices)
    here = page(seed, {1: WRITABLE}, wp=wp)
    yield Answer(
        outcome(here.vm.access(here.gva, **access)),
        "user code always needs W; the kernel needs it only if CR0.WP is set.",
    )
