# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 12, roots and modes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ..labs.guests import FULL, Builder
from ..mmu.bits import (
    CR0_PE,
    CR0_PG,
    CR0_WP,
    CR4_PAE,
    EFER_LME,
    NONPAGING,
    PAGE_SHIFT,
    PRESENT,
    ROOT_64,
    USER,
    mode_of_registers,
)
from ..mmu.cpu import Access
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import listed

LESSON = Lesson(12, "What does a load of CR3 cost?", 35)

KERNEL = 0xFFFF888000000000
"""Where the guest's kernel maps memory, in all of its root tables."""

PAGING = CR0_PG | CR0_WP | CR0_PE
"""The value of CR0 that turns paging on."""

OLD, NEW = "the large page, as before", "the frame to which the page table maps it"
FAULT, DIES = "no frame: the guest gets a page fault", "none: the host crashes"


# The guests, made from the seed


@dataclass
class Processes:
    """A 64-bit guest with three processes. They share the kernel's tables; each has user tables of its own.

    ``roots``: the CR3 of each process. ``user``: the addresses that each process uses, ``kernel``: those that the kernel uses.
    Process 0 is running, and has used all these addresses. Addresses of the kernel that were never used: ``spare``, each below
    a page table of its own, and ``beside``, below the page table of the first kernel page.
    """

    vm: Vm
    roots: list[int]
    user: list[int]
    kernel: list[int]
    spare: list[int]
    beside: list[int]

    def run(self, number: int | None = None) -> int:
        """Switch to a process, or stay in the present one, and use all its addresses. Return the number of faults."""
        before = self.vm.stats.exits
        if number is not None:
            self.vm.load_cr3(self.roots[number])
        for gva in self.user:
            self.vm.access(gva, write=True, user=True)
        for gva in self.kernel:
            self.vm.access(gva, write=True)
        return self.vm.stats.exits - before


def processes(seed: int, spare: int = 0) -> Processes:
    """Return a guest with three processes, and with a number of spare addresses of the kernel."""
    random = Random(seed)
    guest = Builder("64", 0x400)
    kernel = [KERNEL + (part << 21) + (random.randrange(512) << 12) for part in range(random.choice((2, 3, 4)))]
    user = [(part << 21) + (random.randrange(512) << 12) for part in range(1, random.choice((3, 4, 5)))]
    more = [KERNEL + (part << 21) for part in range(len(kernel), len(kernel) + spare)]
    beside = [kernel[0] ^ 1 << PAGE_SHIFT]
    for gva in (*kernel, *more, *beside):
        guest.map(gva, flags=FULL & ~USER)
    first, index = guest.root, KERNEL >> 39 & 511
    shared = guest.vm.peek(first << PAGE_SHIFT | index * 8)
    roots = [first, guest.frame(), guest.frame()]
    for root in roots:
        guest.root = root
        guest.vm.poke(root << PAGE_SHIFT | index * 8, shared)
        for gva in user:
            guest.map(gva)
    guest.root = first
    made = Processes(guest.start(), [root << PAGE_SHIFT for root in roots], user, kernel, more, beside)
    made.run()
    return made


def pae_processes(seed: int, kinds: Sequence[str] = ()) -> tuple[Vm, int, dict[str, int]]:
    """Return a PAE guest with two processes, the CR3 of the second, and how many of its PDPTEs are of which kind.

    ``kinds``: the kind of each PDPTE, in any order; otherwise the seed chooses them.
    """
    random = Random(seed)
    guest = Builder("pae")
    vm = guest.start()
    kinds = list(kinds) or ["its own", "shared", "not present", random.choice(("its own", "shared", "not present"))]
    random.shuffle(kinds)
    other = guest.frame()
    for index, kind in enumerate(kinds):
        own = guest.frame() << PAGE_SHIFT | PRESENT
        value = {"shared": vm.peek(guest.root << PAGE_SHIFT | 8 * index), "its own": own, "not present": 0}[kind]
        vm.poke(other << PAGE_SHIFT | 8 * index, value)
    return vm, other << PAGE_SHIFT, {kind: kinds.count(kind) for kind in ("its own", "shared", "not present")}


def directories(seed: int, mode: str = "32") -> tuple[Vm, list[int]]:
    """Return a guest, 32-bit unless told otherwise, and the CR3 of each of four root tables. The first is in use."""
    guest = Builder(mode, 0x100)
    roots = [guest.root, *(guest.frame() for _ in range(3 + seed % 2))][:4]
    return guest.start(), [root << PAGE_SHIFT for root in roots]


def pse_guest(seed: int) -> tuple[Vm, int]:
    """Return a 32-bit guest with a large page whose memory can be read as a page table, and an address in that page."""
    guest = Builder("32 pse")
    gva, data = Random(seed).randrange(1, 512) << 22, guest.frame()
    guest.map(gva, 0x400, large=True)
    guest.vm.poke(0x400 << PAGE_SHIFT, data << PAGE_SHIFT | FULL, 4)
    return guest.start(), gva


def early() -> Vm:
    """Return a guest that has just started, without paging."""
    return Vm()


def modes() -> dict[str, str]:
    """Return the guest's mode, and the roots of its shadow, for each combination of the bits that select it."""
    found = {}
    for name, cr0, efer, cr4 in (
        ("PG=0", 0, EFER_LME, CR4_PAE),
        ("PG=1, LME=1", CR0_PG, EFER_LME, CR4_PAE),
        ("PG=1, LME=0, PAE=1", CR0_PG, 0, CR4_PAE),
        ("PG=1, LME=0, PAE=0", CR0_PG, 0, 0),
    ):
        mode = mode_of_registers(cr0, cr4, efer)
        roots = "one root of level 4" if mode.shadow_levels == ROOT_64 else "four root slots"
        found[name] = f"{mode.words}, {mode.levels} guest levels, {roots}"
    return found


def switches(seed: int, throw_away: bool, turns: int = 6) -> list[int]:
    """Let the processes 1 and 0 take turns. Return the faults of each turn; ``throw_away``: zap everything at each load."""
    guest, faults = processes(seed), []
    for turn in range(1, turns + 1):
        if throw_away:
            guest.vm.zap_all()
        faults.append(guest.run(turn % 2))
    return faults


# What is measured


def root_pages(vm: Vm) -> int:
    """Return the number of shadow pages that are pinned."""
    return sum(bool(page.root_count) for page in vm.pool.active)


def choices_around(right: int, *others: int) -> list[int]:
    """Return four numbers to choose from, sorted: the right one, others, and more if these are equal."""
    found = list(dict.fromkeys([right, *others]))
    found += [number for number in range(right + 1, right + 5) if number not in found]
    return sorted(found[:4])


# The questions


@LESSON.question
def new_pages(guest: Processes) -> Steps:
    """The new shadow pages of a process that runs for the first time and shares the kernel's tables."""
    users, kernels, used = len(guest.user), len(guest.kernel), len(guest.vm.pool.active)
    choices = choices_around(2 + users, 2 + users + 2 + kernels, users + kernels, 2)
    words = f"The process uses {users} user pages, and the kernel {kernels} pages. How many shadow pages does the host take?"
    yield Ask(words, choices, on=guest.vm)
    yield Answer(
        len(guest.vm.pool.active) - used,
        "two for the upper user tables, and one for each user page table. The pages of the kernel's tables are found.",
        more="""
        <!-- slide:
        **Shared tables are shadowed once.** The name of a shadow page has no process in it: only gfn and role. The new root
        needs one link to the shared part, and has everything below it.
        -->
        The name of a shadow page is its gfn and its role. The process is no part of it. The kernel's tables have the same gfns
        in each process, so their shadow pages are found, with all their entries. Only the user tables need new pages: one of
        level 3, one of level 2, and one of level 1 for each page table. (The root was taken before, at the load of CR3.)
        """,
    )


@LESSON.question
def kernel_faults(guest: Processes) -> Steps:
    """The faults of the kernel's first accesses under a new root."""
    count, before = len(guest.kernel), guest.vm.stats.exits
    words = f"Process 2 begins. The kernel uses its {count} pages first. How many of these accesses fault?"
    yield Ask(words, choices_around(1, 0, count, count + 1), on=guest.vm)
    yield Answer(
        guest.vm.stats.exits - before,
        "the new root is empty, so the first access faults. The host links the shared page of level 3. All below it is there.",
        more="""
        <!-- slide:
        **One fault links a whole subtree.** The page of level 3 gets one more parent: the entry in the new root.
        -->
        One link makes the whole kernel part present at once: all tables below it and all their sptes. The shared page of level
        3 now has three parents, one in each of the three roots.
        """,
    )


@LESSON.question
def back(guest: Processes) -> Steps:
    """The faults of a process that runs again, after other processes."""
    count, before = len(guest.user) + len(guest.kernel), guest.vm.stats.exits
    words = f"Process 0 runs again, and its {count} addresses are used, those of the kernel included. How many accesses fault?"
    yield Ask(words, choices_around(0, 1, len(guest.user), count), on=guest.vm)
    yield Answer(
        guest.vm.stats.exits - before,
        "its root lost its pin but stayed in the hash, with its entries, and so did all pages below it.",
        more="""
        <!-- slide:
        **A switch back costs no fault.** It costs an exit to the host, a search by name, and a flush of the TLB.
        -->
        So what does a load of CR3 cost? An exit to the host, one search in the hash for each root, and a flush of the TLB,
        which a real processor does as well. As long as the pool has room (lesson 13), the host builds nothing again.
        """,
    )


@LESSON.question
def pae_roots(vm: Vm, kinds: dict[str, int]) -> Steps:
    """The new shadow pages at a load of CR3 in a PAE guest."""
    own, free = kinds["its own"], len(vm.pool.free)
    yield Ask("How many shadow pages does the host take at this load of CR3?", choices_around(own, 4, 1, 0, own + 1), on=vm)
    yield Answer(
        free - len(vm.pool.free),
        "one for each directory of its own. A shared directory has its page already. A PDPTE without P gives an empty slot.",
        more="""
        <!-- slide:
        **In PAE mode, the four directories are the roots.** No page shadows the PDPT itself: its four entries are in registers.
        -->
        A root page of a PAE guest shadows a *directory*, and its gfn comes from the PDPTE, not from CR3 (`mmu.c:870-875`). So
        two processes that share a directory share a root page. This page has a pin whichever of the two processes runs. The
        PDPT has no shadow page: the processor reads it only when CR3 is loaded, and KVM keeps its four entries in registers.
        """,
    )


@LESSON.question
def pse(vm: Vm, gva: int) -> Steps:
    """The frame that a read reaches after CR4.PSE was cleared."""
    choices = [NEW, OLD, FAULT, DIES]
    result: Access = yield Ask(
        "PSE is cleared, and the kernel reads at the same address. Which frame does it reach?", choices, on=vm
    )
    yield Answer(
        FAULT if result.gpa is None else OLD if result.gpa >> PAGE_SHIFT == 0x400 else NEW,
        "PSE isn't in the role. The host looks for the roots by gfn and role, and finds the old ones with all their links.",
        more="""
        <!-- slide:
        `kvm_mmu_reset_context` releases the roots and takes them again, **by the same name**. So the processor walks the same
        shadow as before. The third audit notices: the spte and the guest's tables lead to different frames.
        -->
        `kvm_mmu_reset_context` did its work: it released the roots, chose the mode, and took the roots of that mode. But the
        mode is the same, 32-bit, and so are the gfn and the role of each root. So the processor walks the same shadow as
        before. It still reaches gfn `0x400`, where the large page began. The new page table is there now, and the kernel reads
        it as if it were data. (The TLB has nothing to do with it: the processor of this guest has none.)

        Of the three audits (lesson 14), one notices: *map*. It compares each spte with the guest's tables, and here they lead
        to different frames.
        """,
    )


SUMMARY = Passage(
    """
    <!-- slide:
    - A load of CR3 **moves the pins**: release the old roots, look for the new ones by name, flush the TLB.
    - **All other shadow pages stay.** A switch back costs no fault; shared kernel tables are shadowed once.
    - The mode decides the roots: one of level 4, or four slots with pages of level 2.
    - PSE, WP and NX are not in the name of a shadow page.
    -->
    - A load of CR3 **moves the pins**: the host releases the old roots, looks for the new ones by gfn and role, pins them, and
      flushes the TLB. A pin is the root count of a page, and a page with a pin is never freed.
    - **All other shadow pages stay**, with their entries. A process that runs again finds them without a fault. Tables that
      processes share are shadowed once, and one fault links them below a new root.
    - The mode decides what the roots are. In 64-bit mode there is one, a page of level 4. In the other modes there are four
      slots with pages of level 2. They shadow the four directories of a PAE guest, or the four quadrants of the directory of a
      32-bit guest, or nothing.
    - `kvm_mmu_reset_context` takes the roots of the new mode by the same search. After a change of something that is not in
      the name, such as CR4.PSE, it finds the old shadow.
    """
)


# The check questions


@LESSON.check
def pinned(seed: int) -> Steps:
    """The shadow pages that were taken as roots, or those of them that are pinned, in 32-bit or 64-bit mode."""
    random = Random(seed)
    mode, kept = (("32", True), ("64", False), ("32", False), ("64", True))[seed % 4]
    vm, roots = directories(seed, mode)
    loads = [random.randrange(len(roots)) for _ in range(random.choice((3, 4, 5)))]
    names, used = ", ".join("ABCD"[number] for number in loads), len({0, *loads})
    which = "there then, with or without a pin" if kept else "pinned then"
    words = (
        f"A {mode}-bit guest runs process A, and then loads CR3 for the processes {names}. Each has a root table of its own. "
        f"How many shadow pages of root tables are {which}?"
    )
    roots_of_one, every = (4, 4 * used) if mode == "32" else (1, used)
    yield Ask(words, choices_around(every if kept else roots_of_one, 1, 4, used, 4 * used))
    before = sum(page.glevels == NONPAGING for page in vm.pool.active)
    for number in loads:
        vm.load_cr3(roots[number])
    each = "four shadow pages, one for each quadrant" if mode == "32" else "one shadow page"
    why = "They stay when they lose their pins." if kept else "Only those of the last root table have a pin."
    yield Answer(len(vm.pool.active) - before if kept else root_pages(vm), f"each root table has {each}. {why}")


@LESSON.check
def first_run(seed: int) -> Steps:
    """The new shadow pages when a process runs that has or has not run before, and the kernel uses one more page."""
    new, fresh = (seed % 4) in (0, 1), (seed % 4) in (1, 2)
    guest = processes(seed + 1, spare=1)
    users, kernels = len(guest.user), len(guest.kernel)
    before = [0, 2 if new else 1, 0]
    for number in before[1:]:
        guest.run(number)
    right, more = (3 + users) * new + fresh, guest.spare if fresh else guest.beside
    table = f"maps none of the {kernels} kernel pages" if fresh else f"also maps one of the {kernels} kernel pages"
    yield Ask(
        f"A 64-bit guest has three processes. Each has {users} user pages in different page tables, all below one directory of "
        f"its own, and all use the same {kernels} kernel pages. The processes {listed(before)} have run, in this order. Now "
        "process 1 runs: the guest loads CR3, and the process and the kernel use all these pages. Then the kernel uses one "
        f"more page. Its page table {table}. How many shadow pages does the host take, the root included?",
        choices_around(right, 3 + users, int(fresh), 2 + users + 2 * fresh, 5 + users + kernels),
    )
    used = len(guest.vm.pool.active)
    guest.run(1)
    for gva in more:
        guest.vm.access(gva, write=True)
    parts = [
        "a root, one page of level 3, one of level 2, and one of level 1 for each user page table." if new
        else "all pages of process 1 are still in the hash.",
        "The page table that was not used before takes one more." if fresh else "The kernel's tables have their pages already.",
    ]  # fmt: skip
    yield Answer(len(guest.vm.pool.active) - used, " ".join(parts))


@LESSON.check
def pae_load(seed: int) -> Steps:
    """The new shadow pages at a load of CR3 in a PAE guest."""
    own = seed % 4 + seed // 4 % 2
    shared = Random(seed).randint(0, 4 - own)
    vm, cr3, kinds = pae_processes(seed, ["its own"] * own + ["shared"] * shared + ["not present"] * (4 - own - shared))
    says = {
        "its own": ("leads to a directory that only this process has", "lead to directories that only this process has"),
        "shared": ("leads to a directory that the old process has used", "lead to directories that the old process has used"),
        "not present": ("is not present", "are not present"),
    }
    told = listed(f"{count} {says[kind][count > 1]}" for kind, count in kinds.items() if count)
    words = f"A PAE guest loads CR3 for a new process. Of its four PDPTEs, {told}. How many shadow pages does the host take?"
    yield Ask(words, [0, 1, 2, 3, 4])
    free = len(vm.pool.free)
    vm.load_cr3(cr3)
    yield Answer(
        free - len(vm.pool.free),
        "one for each directory that only the new process has. Shared ones are found, and a PDPTE that is not present needs "
        "none.",
    )


@LESSON.check
def choose_mode(seed: int) -> Steps:
    """The mode that the host chooses from the registers."""
    off = ((0, 1, 1), (0, 0, 1), (0, 0, 0))[seed // 4 % 3]
    pg, lme, pae = (off, (1, 0, 1), (1, 1, 1), (1, 0, 0))[seed % 4]
    choices = {
        "64": "one root of level 4",
        "pae": "four slots; the pages shadow different directories",
        "32": "four slots; the pages shadow one directory",
        "none": "four slots; the pages shadow no table",
    }
    yield Ask(f"CR0.PG is {pg}, EFER.LME is {lme}, CR4.PAE is {pae}. What are the roots of the shadow?", list(choices.values()))
    mode = mode_of_registers(pg * CR0_PG | CR0_PE, pae * CR4_PAE, lme * EFER_LME)
    yield Answer(
        choices[mode.name],
        f"the host asks for PG first, then for LME, then for PAE. This guest's mode is {mode.words}.",
    )


@LESSON.check
def not_in_the_name(seed: int) -> Steps:
    """Whether the old roots are found after a change of a register."""
    same, other = "CR3 is loaded with the same value", "CR3 is loaded with a directory that was never used"
    what = ("CR4.PSE is cleared", other, same, "paging is turned off")[seed % 4]
    words = f"A 32-bit guest with large pages is paging. Then {what}. Which root pages are pinned afterwards?"
    choices = ["the same four pages", "four other pages that exist already", "four new pages", "none: the guest gets a #GP"]
    yield Ask(words, choices)
    vm, _ = pse_guest(seed)
    before, known = {page for page in vm.pool.active if page.root_count}, set(vm.pool.active)
    if what in (same, other):
        accepted = vm.load_cr3(vm.cpu.cr3 if what == same else 0x40000)
    else:
        accepted = vm.load_cr0(vm.cpu.cr0 & ~CR0_PG) if "paging" in what else vm.load_cr4(0)
    now = {page for page in vm.pool.active if page.root_count}
    number = 3 if not accepted else 0 if now == before else 1 if now <= known else 2
    reasons = {
        "CR4.PSE is cleared": "PSE is not in the role: gfn and role are the same.",
        same: "the pins are released and taken again, by the same name.",
        other: "each quadrant of a new directory needs a shadow page. The old pages stay, without pins.",
        "paging is turned off": "the number of guest levels is in the role. The four pages of the start are found.",
    }
    yield Answer(choices[number], reasons[what])
