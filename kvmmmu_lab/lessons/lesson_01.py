# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 1, two maps and one walker."""

from __future__ import annotations

import random
from dataclasses import dataclass

from ..draw.scene_builder import used_entries
from ..inspect.names import LEVELS
from ..inspect.paths import guest_path, guest_tree, shadow_path, shadow_tree
from ..labs.guests import Builder
from ..labs.watch import Watch
from ..mmu import events as ev
from ..mmu.bits import ACCESSED, BASE_MASK, DIRTY, MODES, PAGE_SHIFT, PRESENT, USER, WRITABLE
from ..mmu.cpu import Access
from ..mmu.memory import Slot
from ..mmu.vm import Vm
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps
from .sptes import gfn_of

LESSON = Lesson(1, "Which tables does the processor walk, and which numbers do their entries hold?", 30, ("split",))

SLOT = 0x400
"""The first gfn of slot 1 of the lesson's guests. Its host frames begin at hfn 0x300."""

MOVED = 0x900
"""The first gfn of slot 1 after it has been moved."""

FLAGS = PRESENT | WRITABLE | USER | ACCESSED | DIRTY


@dataclass(frozen=True)
class Place:
    """A running guest with an empty shadow, and two addresses in it, ``gva`` and ``neighbour``, which use the same tables.

    ``spare`` and ``other`` are gfns of slot 1 that no entry points to.
    """

    guest: Builder
    gva: int
    neighbour: int
    spare: int
    other: int

    @property
    def vm(self) -> Vm:
        """The machine of the guest."""
        return self.guest.vm

    def entry(self, gfn: int) -> int:
        """Return an entry of the guest's page table that points to a gfn, with all rights."""
        return gfn << PAGE_SHIFT | FLAGS

    def aim(self, gva: int, gfn: int) -> None:
        """Make the spte of an address point to another frame. No kernel does this: it is an experiment."""
        vm = self.vm
        spte = shadow_path(vm, gva).steps[-1].key.spte
        hfn = vm.memory.frames[gfn]
        assert hfn is not None
        vm.memory.words[spte] = vm.memory.words[spte] & ~BASE_MASK | hfn << PAGE_SHIFT


def place(seed: int, mode: str = "64") -> Place:
    """Return a place whose addresses and frames are made from a seed. Every other mode than "64" has addresses of 32 bits."""
    numbers = random.Random(f"{seed} {mode}")
    if mode == "64":
        page = numbers.randrange(1, 256) << 27 | numbers.randrange(1, 512) << 18 | numbers.randrange(1, 512) << 9
    else:
        page = numbers.randrange(0x41, 0xC0) << 12 | numbers.choice([0x200, 0x600, 0xA00, 0xE00])
    index, far = numbers.sample(range(8, 500), 2)
    gva = (page | index) << PAGE_SHIFT | numbers.randrange(0x10, 0x1000)
    neighbour = (page | far) << PAGE_SHIFT | gva & 0xFFF
    here, there, spare, other = (SLOT + gfn for gfn in numbers.sample(range(0x10, 0x100), 4))
    guest = Builder(mode)
    guest.map(gva, here, FLAGS)
    guest.map(neighbour, there, FLAGS)
    guest.start()
    return Place(guest, gva, neighbour, spare, other)


def narrow(seed: int) -> Place:
    """Return a place in a guest with entries of 4 bytes, for whose address the split into 9 bits gives other indices."""
    while True:
        found = place(seed, "32")
        gva = found.gva
        if len(set(splits(gva))) == len(splits(gva)):
            return found
        seed += 1


def splits(gva: int) -> list[tuple[int, int]]:
    """Return pairs of indices for an address of 32 bits: the right one for 10 and 10 bits, and those of typical mistakes."""
    page = gva >> PAGE_SHIFT
    return [(page >> 10, page & 1023), (page >> 9 & 511, page & 511), (page >> 10, page & 511), (page >> 12, page >> 2 & 1023)]


def indices(pair: tuple[int, int]) -> str:
    """Return a pair of indices in words."""
    return f"entry {pair[0]} of the PD, entry {pair[1]} of the PT"


@LESSON.question
def host_address(here: Place) -> Steps:
    """The host address of a byte in slot 1, from the numbers of the slot."""
    vm, gva = here.vm, here.gva
    gpa = gfn_of(vm, gva) << PAGE_SHIFT | gva & 0xFFF
    slot, first = vm.memory.slots[1], vm.memory.slots[0]
    choices = [
        gpa,
        gpa + (slot.hfn << PAGE_SHIFT),
        gpa + (first.hfn << PAGE_SHIFT),
        gpa + (slot.hfn - slot.base << PAGE_SHIFT),
    ]
    hpa = yield Ask(f"The byte has the gpa {gpa:#x}. What is its hpa?", [f"hpa {choice:#x}" for choice in sorted(choices)])
    page = (gpa >> PAGE_SHIFT) - slot.base
    yield Answer(
        f"hpa {hpa:#x}",
        f"gfn {gpa >> PAGE_SHIFT:#x} is page {page:#x} of slot 1, whose first host frame is {slot.hfn:#x}.",
        more=f"""
        <!-- slide:
        `hfn = gfn - {slot.base:#x} + {slot.hfn:#x}`, and the last three digits are the same in gva, gpa and hpa.
        -->
        So the hfn is {page:#x} + {slot.hfn:#x} = {page + slot.hfn:#x}. The last three hexadecimal digits are the place in the
        page. They are the same in all three addresses, because a table translates whole pages.

        `gpa_to_hpa` (`mmu.c:735-745`) does just this: it finds the slot, converts the gfn, and keeps the place in the page.
        For a gpa that is in no slot it returns the gpa with bit 63 set. This means *no memory here*.
        """,
    )


@LESSON.question
def narrow_split(here: Place) -> Steps:
    """The indices of an address in a guest with entries of 4 bytes."""
    choices = [indices(pair) for pair in sorted(splits(here.gva))]
    yield Ask(f"Which entries of the 32-bit guest does gva {here.gva:#x} select?", choices)
    found = [step.index for step in guest_path(here.vm, here.gva).steps]
    yield Answer(
        indices((found[0], found[1])),
        "the PD index is the highest 10 bits, so it is the gva shifted by 22; the PT index is the next 10 bits, shifted by 12.",
        more="""
        <!-- slide:
        Entries of 4 bytes: 1,024 in a page, so 10 bits. Entries of 8 bytes: 512 in a page, so 9 bits.
        -->
        The size of an entry decides the split. A table is always a page of 4,096 bytes. It has room for 1,024 entries of 4
        bytes, and 10 bits select one of 1,024. It has room for 512 entries of 8 bytes, and 9 bits select one of 512. The
        constants are in `mmu.c:65-68`, and the arithmetic in `mmu.c:114-135`.

        Entries of the shadow always have 8 bytes. So the same address has other indices in the shadow of this guest: compare
        the two lists of fields in the picture.
        """,
    )


def read_by(film: Watch) -> tuple[int, int, int]:
    """Return how many entries were read: shadow entries by the processor, guest entries by it, guest entries by the host."""
    events = [film.recording.raw(number)[0] for number in range(1, len(film.recording))]
    return events.count(ev.HARDWARE_READ), 0, events.count(ev.GUEST_READ)


def reads(shadow: int, guest: int, host: int) -> str:
    """Return the numbers of entries that are read, in words."""
    return f"the processor {shadow} shadow and {guest} guest entries, the host {host} guest entries"


@LESSON.question
def who_reads(here: Place) -> Steps:
    """Who reads how many entries when an address is used for the first time."""
    levels = MODES["64"].levels
    once = sum(range(1, levels + 1))
    choices = [
        reads(levels, levels, 0),
        reads(levels + 1, 0, levels),
        reads(levels, 0, 0),
        reads(once + levels, 0, levels * levels),
    ]
    film: Watch = yield Ask("How many entries are read in the walks of this first access?", choices, on=here.vm)
    yield Answer(
        reads(*read_by(film)),
        "the processor read 1 entry of the root and faulted, the host read 4 guest entries, and the processor's second walk "
        "read 4 shadow entries.",
        more="""
        <!-- slide:
        The processor: shadow entries only. The host: guest entries, and only while it handles a fault.
        -->
        Only one fault was needed: the host filled all levels at once. The processor never read a guest entry. Who looks into
        the guest's tables? **The host does, at a fault.** It does in software what the processor of a real machine would have
        done.

        From now on this address costs four reads of shadow entries, and none of guest entries.
        """,
    )


@LESSON.question
def poked(here: Place) -> Steps:
    """The frames that a program reaches at two addresses whose guest entries were changed without the host's knowledge."""
    new = [gfn_of(here.vm, gva) for gva in (here.gva, here.neighbour)]
    names = ("the old frame", "the new frame")

    def words(first: str, second: str) -> str:
        return f"{first} at the first address, {second} at the second"

    choices = [words(one, two) for one in names for two in names]
    results: list[Access] = yield Ask("Both guest entries were changed by poke. Which frames does the program read?", choices)
    reached = [result.gpa is not None and result.gpa >> PAGE_SHIFT == gfn for result, gfn in zip(results, new, strict=True)]
    yield Answer(
        words(names[reached[0]], names[reached[1]]),
        "the first address has an spte, so nobody looked at the guest's tables; for the second, the host had to look.",
        more="""
        <!-- slide:
        `poke` did not make the guest's tables invalid. It made the *first spte* stale.
        -->
        Both entries are in the same guest table, and both were changed in the same way. The difference is in the shadow: when
        the guest's entries changed, the first address had an spte and the second had none. For the second address the
        processor found nothing, so it faulted, and the host walked the guest's tables as they are now.

        This is why a wrong shadow is hard to notice: it is wrong only for addresses that were used before.
        """,
    )


@LESSON.question
def aimed(here: Place) -> Steps:
    """The frame that a program reads when its spte leads elsewhere than its guest entry."""
    vm, gva = here.vm, here.gva
    names = {
        gfn_of(vm, gva): f"gfn {gfn_of(vm, gva):#x}, as the guest's entry says",
        here.other: f"gfn {here.other:#x}, as the spte says",
    }
    choices = [*names.values(), "neither: the processor notices the difference and faults"]
    access: Access = yield Ask("The two maps disagree. Which frame does the program read?", choices)
    yield Answer(
        choices[2] if access.gpa is None else names[access.gpa >> PAGE_SHIFT],
        "the processor followed the shadow and did not compare it with anything: it does not know that there is another map.",
        more="""
        <!-- slide:
        If there is an spte, a change of the guest's entry alone has no effect, and a change of the spte alone has a full
        effect. **The shadow is the real page table**; the guest's tables are data that the host reads.
        -->
        The program now reads another frame. The guest's tables, which have not changed, do not matter. **The shadow is the
        real page table.** The guest's tables are data: the host reads them when it must make an entry.

        You have now changed each map alone. If an address has an spte, a change of the guest's entry alone has no effect, and
        a change of the spte alone has a full effect.
        """,
    )


@dataclass(frozen=True)
class Compared:
    """How many entries both sets of tables have, the frame numbers in both for one address, and the slot of its frame."""

    guest: int
    shadow: int
    gfn: int
    hfn: int
    slot: Slot

    def __str__(self) -> str:
        return (
            f"guest tables: {self.guest:,} entries; for this address, gfn {self.gfn:#x}\n"
            f"shadow pages: {self.shadow:,} entries; for this address, hfn {self.hfn:#x}\n"
            f"slot of this gfn: begins at gfn {self.slot.base:#x} and hfn {self.slot.hfn:#x}"
        )

    __repr__ = __str__


def compared(vm: Vm, gva: int) -> Compared:
    """Compare the guest's tables with the shadow pages under the present root."""
    guest = sum(len(used_entries(vm, key)) for key in guest_tree(vm))
    shadow = sum(len(used_entries(vm, key)) for key in shadow_tree(vm))
    gfn, hfn = guest_path(vm, gva).gfn, shadow_path(vm, gva).hfn
    assert gfn is not None and hfn is not None
    number = vm.memory.slot_of(gfn)
    assert number is not None
    return Compared(guest, shadow, gfn, hfn, vm.memory.slots[number])


@LESSON.question
def slot_moved(here: Place) -> Steps:
    """What a program reads whose slot has been moved while its spte existed."""
    vm, gva = here.vm, here.gva
    gfn = gfn_of(vm, gva)
    before = vm.memory.frames[gfn]
    choices = [
        "the same byte of the host's memory as before the move",
        "another byte of the slot: the one that has this gpa now",
        "nothing: no memory has this gpa now, so the host must emulate the access",
        "nothing: the guest gets a page fault",
    ]
    film: Watch = yield Ask("Slot 1 was moved. What does the program reach at its address?", choices, on=vm)
    access: Access = film.result
    if access.gpa is None:
        found = choices[3]
    elif access.outcome != "ok":
        found = choices[2]
    else:
        found = choices[0 if vm.memory.frames[access.gpa >> PAGE_SHIFT] == before else 1]
    yield Answer(
        found,
        f"no spte was zapped, so the walk still ends at hfn {before:#x}. By the new slots, gfn {gfn:#x} has no memory.",
        more=f"""
        <!-- slide:
        gva → gpa has not changed. gpa → hpa has. **An spte joins both maps, so it has to be made again when either one
        changes.**
        -->
        The guest's tables are the same as before: gva to gpa has not changed. What has changed is the other half, gpa to hpa.
        **An spte joins both halves. So it becomes stale when either half changes.** Write protection does not help here,
        because no page table was written.

        The spte has not changed either: it still holds hfn {before:#x}. The picture converts this number back to a gfn by
        the *new* slots, and so it shows gfn {gfn - SLOT + MOVED:#x}. (In step 2 of the film, the host looks for the root
        again. It finds the same page with all its entries, so the whole shadow stays as it was.)
        """,
    )


SLOT_AUDIT = Passage(
    """
    <!-- slide:
    The audit of mappings notices it. In 2007, changing an *alias* zapped everything; moving a *slot* zapped nothing.

    Since the commit 12d6e7538e2d (Marcelo Tosatti, August 2012), a move is treated like a deletion.
    -->
    The audit of mappings notices it. It walks the shadow, converts each address by the guest's tables and the slots, and
    compares the frames.

    The remedy was already in the kernel. Setting an alias zaps all shadow pages (`kvm_mmu_zap_all`, `mmu.c:1344-1359`).
    Moving a slot did not. Next, we call this function by hand. After that the access is emulated, as it should be: the
    guest's tables map the address to a gfn without memory.

    In later kernels, a slot that is moved is treated like one that is deleted. It first becomes invalid, and its shadow is
    thrown away. Then it gets its new place (Marcelo Tosatti, ["KVM: perform an invalid memslot step for gpa base
    change"](https://github.com/torvalds/linux/commit/12d6e7538e2d), August 2012). It is not traced whether a kernel between
    2007 and 2012 cleared the shadow for another reason.
    """
)


SUMMARY = Passage(
    """
    <!-- slide:
    - gva → gpa: the guest's tables. gpa → hpa: the slots. **gva → hpa: the shadow.**
    - The processor walks the shadow only. The host walks the guest's tables, at a fault.
    - Entries of 4 bytes: 10 bits of index. Entries of 8 bytes: 9 bits. The shadow: always 8 bytes.
    - A change of either half, gva → gpa or gpa → hpa, makes an spte stale.
    -->
    - **Two halves make one map.** The guest's tables lead from gva to gpa. The slots lead from gpa to hpa: subtract the first
      gfn of the slot, add its first hfn. An spte joins both halves: it leads from gva to hpa.
    - **One walker.** The processor walks the shadow and nothing else. The host walks the guest's tables, in software, when the
      processor has faulted. The guest's kernel writes its tables for the processor, and does not know that only the host
      reads them.
    - **The size of an entry decides how an address is split.** 4 bytes: 10 + 10 + 12. 8 bytes: 9 bits a level, 2 + 9 + 9 + 12
      in PAE mode and 9 + 9 + 9 + 9 + 12 in 64-bit mode. The shadow always has entries of 8 bytes.
    - **The shadow is the real page table, and it can be wrong**: after an unnoticed write to a guest table, and after a slot
      has moved.
    """
)


# Check questions


@LESSON.check
def pae_split(seed: int) -> Steps:
    """The indices of an address in a PAE guest."""
    here = place(seed + 100, "pae")
    page = here.gva >> PAGE_SHIFT

    def words(one: int, two: int, three: int) -> str:
        return f"PDPT {one}, PD {two}, PT {three}"

    choices = {
        words(page >> 18, page >> 9 & 511, page & 511),
        words(page >> 10 & 3, page >> 10, page & 1023),
        words(page >> 17 & 7, page >> 9 & 255, page & 511),
        words(page >> 9 & 511, page & 511, here.gva & 511),
    }
    yield Ask(f"A PAE guest uses gva {here.gva:#x}. Which entries does the address select?", sorted(choices))
    one, two, three = (step.index for step in guest_path(here.vm, here.gva).steps)
    yield Answer(words(one, two, three), "the split is 2 + 9 + 9 + 12 bits: shift the gva by 30, by 21 and by 12.")


@LESSON.check
def through_an_alias(seed: int) -> Steps:
    """The host frame of a gfn: in an alias, beyond the end of the alias, or among the gfns that the alias leads to."""
    here, numbers = place(seed + 200), random.Random(f"alias {seed}")
    vm, (low, high) = here.vm, here.vm.memory.slots[:2]
    first, pages, target = 0xA0, 0x20, SLOT + 0x10 * numbers.randrange(1, 0x30)
    vm.set_alias(0, first, pages, target)
    inside, beyond = numbers.randrange(1, pages), numbers.randrange(pages, 2 * pages)
    begin, offset = numbers.choice([(first, inside), (first, inside), (first, beyond), (target, inside)])
    gfn = begin + offset
    hfns = {high.hfn + target - SLOT + offset, high.hfn + offset, low.hfn + first + offset, target + offset}
    yield Ask(
        f"Slot 0 begins at gfn 0x0 and hfn {low.hfn:#x}, slot 1 at gfn {SLOT:#x} and hfn {high.hfn:#x}. An alias makes the "
        f"gfns {first:#x} to {first + pages - 1:#x} other names for the gfns {target:#x} to {target + pages - 1:#x}. The "
        f"guest's entry points to gfn {gfn:#x}. Which hfn is in the spte?",
        [f"hfn {hfn:#x}" for hfn in sorted(hfns)],
    )
    vm.poke(here.guest.entry_gpa(here.gva), here.entry(gfn))
    vm.access(here.gva, user=True)
    hfn = shadow_path(vm, here.gva).hfn
    assert hfn is not None
    if gfn in range(first, first + pages):
        why = f"the alias leads to gfn {target + offset:#x}, which is page {target + offset - SLOT:#x} of slot 1."
    else:
        number = int(begin == target)
        page = gfn - vm.memory.slots[number].base
        why = f"gfn {gfn:#x} is not in the alias, so only the slot counts. The gfn is page {page:#x} of slot {number}."
    yield Answer(f"hfn {hfn:#x}", why)


READ_BEFORE = {
    "this page": "the shadow already had entries for all levels of this address, so nobody read the guest's PD.",
    "another page that the same page table maps": "the shadow had the links but no spte for this address. So the read faulted, "
    "and the host walked the guest's tables with the new PD entry.",
    "nothing": "the shadow had no spte for this address. So the read faulted, and the host walked the guest's tables with the "
    "new PD entry.",
}
"""What a program may have read before an entry of a page directory changes, and why it then reaches the frame that it does."""


@LESSON.check
def table_replaced(seed: int) -> Steps:
    """The frame that a program reads after an entry of a page directory was changed unnoticed."""
    here, numbers = place(seed + 300), random.Random(f"replaced {seed}")
    vm, guest, gva = here.vm, here.guest, here.gva
    read = numbers.choice([*READ_BEFORE, "this page"])
    if read != "nothing":
        vm.access(gva if read == "this page" else here.neighbour, user=True)
    old, table = gfn_of(vm, gva), guest.frame()
    index = gva >> PAGE_SHIFT & 511
    choices = [f"gfn {old:#x}", f"gfn {here.spare:#x}", "none: the access fails"]
    yield Ask(
        f"The guest maps an address of a program to gfn {old:#x}. At first the shadow has only its root. Then the program "
        f"reads {read}. Now poke changes the guest's PD entry for the address: it points "
        f"to another page table, which maps the address to gfn {here.spare:#x}. Which frame does the program then read at this "
        "address?",
        choices,
    )
    vm.poke(table << PAGE_SHIFT | index << 3, here.entry(here.spare))
    vm.poke(guest.entry_gpa(gva, 2), table << PAGE_SHIFT | FLAGS & ~DIRTY)
    gpa = vm.access(gva, user=True).gpa
    yield Answer(choices[2] if gpa is None else f"gfn {gpa >> PAGE_SHIFT:#x}", READ_BEFORE[read])


@LESSON.check
def no_memory(seed: int) -> Steps:
    """What happens when an entry of the guest, at a level that depends on the seed, points to a gfn without memory."""
    here, numbers = place(seed + 400), random.Random(f"level {seed}")
    gfn, level = numbers.randrange(0x900, 0xF00), numbers.choice([1, 1, 1, 2, 3, 4])
    choices = [
        "the host crashes",
        "the guest gets a page fault",
        "the host emulates the access, as for a device",
        "the program reads a page of zeroes",
    ]
    yield Ask(
        f"The guest's {LEVELS[level]} entry for an address points to gfn {gfn:#x}, which is in no slot. A program reads at the "
        "address for the first time. What happens?",
        choices,
    )
    here.vm.poke(here.guest.entry_gpa(here.gva, level), here.entry(gfn) & ~(DIRTY if level > 1 else 0))
    outcome = here.vm.access(here.gva, user=True).outcome
    yield Answer(
        {"inject": choices[1], "mmio": choices[2], "ok": choices[3]}.get(outcome, choices[0]),
        "every table on the path has memory, so the walk finds an entry at each level. The page itself has none, so "
        "the host treats it as a device."
        if level == 1
        else "the host needs the table in this gfn and reads the bad page instead, a page of zeroes. An entry of zeroes is not "
        "present.",
    )
