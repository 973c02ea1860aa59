# SPDX-License-Identifier: GPL-2.0-only
"""The rules of exercise 08 and their test cases. Run: pytest exercises/08_pre_write"""

from kvmmmu_lab.check import strategies as st
from kvmmmu_lab.check.observe import USUAL
from kvmmmu_lab.check.scenarios import COUNTS, CROWD, TABLE, hit, hit_anywhere, hit_pages, scattered, sweep, take, three_writes
from kvmmmu_lab.exercises import Boot, Exercise, Golden, Rule, play

ROOT, UPPER, PD, PT, OTHER = 0x10, 0x11, 0x12, 0x13, 0x14
"""Where the guests keep their tables: PML4 (or the four PDPTEs), PDPT, directory, two page tables."""

ON = "PWUAD"
TOP = ((ROOT, 0, UPPER, ON), (UPPER, 0, PD, ON))
BELOW = ((PD, 0, PT, ON), (PD, 1, OTHER, ON), *((PT, n, 0x20 + n, ON) for n in (1, 2)), (PT, 3, 0x23, "PUA"),
         (PT, 511, 0x24, "PWUADX"), (OTHER, 1, 0x25, ON))  # fmt: skip
PDPTES = tuple((ROOT, n, gfn, "P") for n, gfn in enumerate((PD, 0x15, 0x16, 0x17)))
AT_2M = 0x200000

COUNTED = (*(look for look in USUAL if look != "order"), "door", "zaps")
"""Everything except the order of entries and flushes; all changes are made through `put`, and pages are zapped once each."""

LOOKS = tuple(look for look in COUNTED if look != "mmu")
"""The same without the counter, for the rules before "flood"."""


def wide(*steps, more=(), **machine):
    """A 64-bit guest."""
    return play(*steps, mode="64", root=ROOT, entries=TOP + BELOW + more, **machine)


def pae(*steps, more=()):
    """A PAE guest."""
    return play(*steps, mode="pae", root=ROOT, entries=PDPTES + BELOW + more)


PARTS = ((0, 1), (7, 1), (2, 2), (0, 4), (4, 4))
"""Parts of an entry: first byte, number of bytes."""

STAINS = ((0x21, "W"), (0x900, "U+63"), (0x900, "+63"), (0x900, "+9"), (0x21, "AX"))
"""Entries that are not present and not 0 (gfn 0x900 has no memory, so its entry has no address)."""

AS_PAE = {"op": "regs", "cr0": 0x80010001, "cr3": 0x18000, "cr4": 0x20, "efer": 0x800}
FAR = {0x200000: PT + 0x1000, 0x400000: PT + 0x10000, 0x600000: PT + 0x100000}
"""Addresses with page tables whose gfns differ from PT's in high bits only."""


def far(*steps):
    """A 64-bit guest whose memory slots are far apart."""
    tables = ((PD, 0, PT, ON), *((PD, gva >> 21, gfn, ON) for gva, gfn in FAR.items()))
    leaves = tuple((gfn, n, 0x20 + n, ON) for gfn in (PT, *FAR.values()) for n in (0, 1))
    slots = ((0, 0x100), *((gfn & -0x1000, 0x100) for gfn in FAR.values()))
    return play(*steps, mode="64", root=ROOT, entries=TOP + tables + leaves, slots=slots)


def use(*gvas):
    """Steps in which a program reads these addresses."""
    return [("access", gva, "u") for gva in gvas]


def change(gva):
    """A step in which a program writes to this address."""
    return ("access", gva, "wu")


def write(table, index, byte=0, size=8, value=0):
    """A step in which the guest writes some bytes of an entry."""
    return ("write", (table << 12) + 8 * index + byte, size, value)


def lead(gfn):
    """A guest entry that points to gfn."""
    return gfn << 12 | 0x67


SELF = ((PD, 3, PD, ON),)
"""An entry of the directory that points to the directory itself: from 6 MiB on it is a page table, too."""

RECURSIVE = ((ROOT, 2, ROOT, ON),)
ALL_ROLES = 2 << 39 | 2 << 30 | 2 << 21 | 2 << 12
"""The address at which the root is its own PDPT, directory and page table."""

TWIN = ((PD, 2, 0x413, ON), (0x413, 1, 0x26, ON))
"""A page table whose gfn is in the same bucket."""

LARGE = ((PD, 2, 0x400, ON), (0x400, 1, 0x26, ON), (PD, 4, 0x400, ON + "S"))
"""gfn 0x400 is a page table at 4 MiB and the beginning of a large page at 8 MiB."""

LOW = ((PD, 2, 0, ON), (0, 1, 0x26, ON))
"""A page table in gfn 0. Shadow pages made before paging was turned on have that gfn, too."""

DEVICE = ((PT, 5, 0x900, ON), (PT, 6, 0xFEE00, ON))
OWN = ((PT, 7, PT, ON),)
TWO_LINKS = ((PD, 2, PT, ON), (UPPER, 1, PD, ON))
CR3 = {"op": "cr3", "v": PD << 12}


ROLES = ((1, 3), (2, 3), (1, 4), (2, 4), (3, 4), (4, 4))
"""Roles of shadow pages: level, levels of the guest."""

PLACES = ((8, 8), (2047, 1), (2040, 8), (2048, 4), (4092, 4), (5, 2), (4088, 8))
ACROSS = ((1023, 2), (1022, 4), (2047, 2), (3070, 4), (1017, 8), (9, 8))
HIGH = PT + (1 << 39)
"""A table whose gfn differs from PT's only in its highest bit."""

APART = ((0, 0x100), (HIGH & -0x1000, 0x100))

SAME_MODE = {"op": "regs", "cr0": 0x80010001, "cr3": ROOT << 12, "cr4": 0x20, "efer": 0xD00}
OFF = {"op": "regs", "cr0": 1, "cr3": ROOT << 12, "cr4": 0x20, "efer": 0}
BETWEEN = (
    ([{"op": "cr3", "v": PD << 12}], [{"op": "cr3", "v": ROOT << 12}]),
    ([{"op": "cr3", "v": ROOT << 12}],) * 2,
    ([{"op": "cr0", "v": 0x80000001}], [{"op": "cr0", "v": 0x80010001}]),
    ([{"op": "cr4", "v": 0xA0}], [{"op": "cr4", "v": 0x20}]),
    ([{"op": "efer", "v": 0x500}], [{"op": "efer", "v": 0xD00}]),
    ([AS_PAE], [SAME_MODE]),
    ([OFF], [SAME_MODE]),
    ([{"op": "cr4", "v": 1 << 31}],) * 2,  # a #GP
    (use(0x1000),) * 2,
    (use(0x7FFFFFF000),) * 2,  # the guest gets a page fault
    ([*use(0x1000), ("zap", PT)],) * 2,
    ([("page", PT, 1, 3)],) * 2,
    ([{"op": "zap_all"}],) * 2,
    ([("shadowed", 0x60, 240), *use(0x1000)],) * 2,  # pages are evicted
    ([{"op": "getdirty", "slot": 0}],) * 2,
    ([("access", 0x1008, "wu", 1)],) * 2,
    ([("poke", (PT << 12) + 0x80, 8, 0)],) * 2,
)
"""What happens after the first and after the second of three writes to a gfn, and does not restart the count."""


def between(first, second):
    """Three writes to PT, with these steps between them, and a fourth; PT has a shadow page before the last two."""
    return wide(write(PT, 8), *first, write(PT, 9), *second, *use(0x3000), write(PT, 8), *use(0x3000), write(PT, 1),
                slots=((0, 0x100, True), (0x400, 0x400)))


def stained(page, table, byte, size):
    """Entry 5 takes each of the values in ``STAINS`` in turn, and is then written; no two writes in a row go to one gfn."""
    return [step for stain in STAINS for step in (("map", f"{page}:5", *stain), write(table, 5, byte, size), write(0x30, 0))]


@st.composite
def lives(draw):
    """A guest that uses and writes its tables: many roles of one gfn, pages in the same bucket, a device, a large page."""
    make = draw(st.sampled_from([wide, wide, pae]))
    guest = make(more=SELF + LARGE + LOW[1:] + TWIN[1:] + DEVICE + ((PD, 5, 0x413, ON), (PD, 6, PT, ON), (PD, 7, 0, ON)))
    tables = [PD, PD, PT, PT, PT, OTHER, 0x413, 0x400, 0, 0x26]
    indexes = st.sampled_from([0, 1, 1, 2, 3, 4, 5, 6, 7, 511])
    gvas = st.builds(lambda region, page: region << 21 | page << 12, st.integers(0, 7), indexes)
    if make is wide:
        tables += [ROOT, UPPER]
        guest = wide(more=guest.entries[len(TOP + BELOW):] + RECURSIVE + TWO_LINKS[1:])
        gvas = st.one_of(gvas, gvas, st.sampled_from([ALL_ROLES, 1 << 30 | 0x1000, 1 << 30 | 0x200000]))
    reads = st.tuples(st.just("access"), gvas, st.sampled_from(["u", "u", "", "w"]))
    places = st.one_of(st.just(0), st.just(0), st.integers(0, 7))
    writes = st.builds(write, st.sampled_from(tables), indexes, places, st.sampled_from([1, 2, 4, 8, 8, 8]))
    steps = draw(st.lists(st.one_of(reads, reads, writes), min_size=6, max_size=18))
    return guest.with_steps([*use(0x1000, 0x2000, AT_2M | 0x1000), *steps])


def anything():
    """Such a guest, or pages that are made without the engine."""
    return st.one_of(lives(), hit_anywhere(ROLES))


EXERCISE = Exercise(
    title="Before a write to a page table",
    about="Just before a guest writes to its page table, clear the shadow entries that were made from these bytes.",
    part="pre_write",
    defines=("pre_write",),
    rules=(
        Rule("leaf", 1, "The spte of the written entry leaves its reverse map and becomes zero, and no other does.",
             looks=LOOKS, cases=(
            wide(*use(0x1000, 0x2000), write(PT, 1)),
            wide(change(0x1000), change(0x2000), write(PT, 2)),
            wide(*use(0x2000, 0x3000), write(PT, 3)),
            wide(change(0x1000), change(0x1FF000), write(PT, 511)),
            wide(change(0x1000), change(0x8000), write(PT, 8, value=lead(0x22)), more=((PT, 8, 0x21, ON),)),
            pae(change(0x1000), *use(0x2000), write(PT, 1)),
            pae(change(0x1FF000), *use(AT_2M | 0x1000), write(PT, 511), write(OTHER, 1)),
            play(*take((1, 4)), ("map", "250:5", 0x21, "PW"), write(PT, 5)),
            sweep([(1, 4)], range(0, 4096, 16), 8),
        )),
        Rule("part", 1, "A write to a part of an entry counts as a write to all its 8 bytes.", looks=LOOKS, cases=(
            wide(*use(0x1000, 0x2000), write(PT, 2, 4, 4)),
            pae(*use(0x1000, 0x2000), write(PT, 2, 4, 4)),
            *(make(*use(0x1000, 0x2000), write(PT, 1, byte, size)) for make, byte, size in (
                (wide, 7, 1), (wide, 0, 1), (wide, 3, 2), (wide, 1, 4), (pae, 0, 4), (pae, 5, 2),
            )),
            hit_pages([(1, 4), (2, 3)], (19, 1), (22, 2), (20, 1), (18, 4), (19, 4), (23, 1)),
            wide(*use(0x1000, 0x1FF000), write(PT, 511, 7, 1)),
            *(wide(*use(0x1FF000), write(PT, 511, byte, 4)) for byte in (0, 4)),
            *(wide(*use(0x1000), write(table, 0, byte, size)) for table in (ROOT, UPPER, PD) for byte, size in PARTS[1:4:2]),
            sweep([(1, 3)], range(15, 4096, 16), 1),
        )),
        Rule("link", 1, "If the spte points to a shadow page, that page loses this one parent and keeps everything in it.",
             looks=LOOKS, cases=(
            wide(*use(0x1000, AT_2M | 0x1000), write(PD, 0)),
            wide(*use(0x1000), write(PD, 0, value=lead(PT)), *use(0x1000)),
            wide(*use(0x1000, 0x401000), write(PD, 2), more=TWO_LINKS),
            wide(*use(0x1000, 0x401000, 1 << 30 | 0x1000), write(UPPER, 1), write(PD, 0), more=TWO_LINKS),
            wide(*use(0x1000), write(UPPER, 0)),
            wide(*use(0x1000), write(ROOT, 0)),
            wide(*use(0x1000, AT_2M | 0x1000), write(PD, 1, 4, 4)),
            pae(*use(0x1000, AT_2M | 0x1000), write(PD, 1)),
            pae(*use(0x1000, AT_2M | 0x1000), write(PD, 0, 3, 1)),
            wide(*use(0x801000, 0x1000), write(PD, 4), more=LARGE),
            play(("page", 0x50, 3, 4, 0, "R"), ("page", PT, 4, 4), ("fill", ("250:5",), 0x50), write(PT, 5)),
            sweep([(2, 3), (4, 4)], range(8, 4096, 16), 8),
        )),
        Rule("marks", 1, "An entry that is not present becomes zero, too.", looks=LOOKS, cases=(
            wide(*use(0x5000), write(PT, 5, value=lead(0x26)), *use(0x5000), more=DEVICE),
            wide(*use(0x1000, 0x5000), write(PT, 5, 6, 2), more=DEVICE),
            wide(*use(0x5000, 0x6000), write(PT, 6), more=DEVICE),
            pae(*use(0x5000, 0x6000), write(PT, 5, 4, 4), more=DEVICE),
            wide(change(0x7000), *use(0x1000), write(PT, 7), more=OWN),
            wide(*use(0x1000), ("map", "249:5", 0x21, "W"), write(PD, 5)),
            *(wide(*use(0x1000), *stained(page, table, byte, size))
              for page, table in ((251, ROOT), (250, UPPER), (249, PD), (248, PT)) for byte, size in ((0, 8), (0, 4), (4, 4))),
        )),
        Rule("pages", 2, "Entries are cleared in every shadow page that was made from the written table, and in no other.",
             looks=LOOKS, cases=(
            wide(*use(0x1000), ("access", 0x600000, ""), write(PD, 0), more=SELF),
            wide(*use(0x1000), ("access", 0x603000, ""), write(PD, 3), more=SELF),
            pae(*use(0x1000), ("access", 0x600000, ""), write(PD, 0), more=SELF),
            wide(("access", ALL_ROLES, ""), write(ROOT, 2), more=RECURSIVE),
            wide(*use(0x1000), CR3, write(PD, 0)),
            wide(*use(0x1000, 0x2000), AS_PAE, *use(0x1000, 0x2000), write(PT, 1), more=((0x18, 0, PD, "P"),)),
            *(far(*use(0x1000, gva), write(table, 1)) for gva, high in FAR.items() for table in (PT, high)),
            *(play(("access", 0x5000, "w"), *stained, write(0, 5, byte, size))
              for stained in ((), [("map", "252:5", 0x900, "W")]) for byte, size in ((0, 8), (4, 4))),
            wide(*use(0x401000), ("map", "252:1", 0x900, "W"), ("map", "253:1", 0x900, "W"), write(0, 1, 4, 4), more=LOW),
            wide(*use(0x1000, 0x401000), write(PT, 1), more=TWIN),
            wide(*use(0x401000, 0x1000), write(PT, 1), more=TWIN),
            wide(*use(0x401000, 0x801000), write(0x400, 1), more=LARGE),
            wide(*use(0x801000, 0x401000), write(0x400, 1), more=LARGE),
            hit_pages(ROLES[:3], *PLACES),
            hit_pages(ROLES[3:], *PLACES),
            *(hit_pages([(*role, 0, "M"), (2, 4), (*role, 0, "MR")], *((9 * size, size) for size in (1, 2, 4, 8)), gfn=gfn)
              for role in ((1, 0), (2, 4)) for gfn in (0, PT)),
            play(*take((1, 4), (2, 4), gfn=HIGH), *take((1, 4), (2, 4))[1:],
                 *hit(4, *PLACES), *hit(4, *PLACES[:2], gfn=HIGH), slots=APART),
            play(("page", TABLE, *(1, 4)), ("map", "251:1", 0x21, "PW"), CROWD, ("write", (TABLE << 12) + 8, 4, 0),
                 slots=((0, 0x2000),)),
            play(*take(*ROLES), CROWD, *hit(6, (8, 8), (2044, 2)), slots=((0, 0x2000),)),
            wide(("alias", 0x300, 0x100, 0), *use(0x1000, 0x2000), write(0x313, 1), write(PT, 2)),
        )),
        Rule("across", 1, "A write across two entries zaps all shadow pages of the table, in the order of the bucket.",
             looks=LOOKS, cases=(
            wide(*use(0x1000, 0x3000), write(PT, 1, 4, 8)),
            wide(*use(0x3000), write(PT, 8, 7, 2)),
            pae(change(0x1000), write(PT, 510, 6, 4)),
            wide(*use(0x1000), write(PD, 8, 1, 8)),
            wide(*use(0x1000), write(ROOT, 0, 4, 8)),
            pae(*use(0x1000), write(PD, 0, 7, 4)),
            pae(*use(0x1000), write(PD, 0, 7, 4), more=((ROOT, 2, PD, "P"),)),
            wide(*use(0x1000), ("access", 0x600000, ""), write(PD, 7, 4, 8), more=SELF),
            wide(("access", ALL_ROLES, ""), write(ROOT, 100, 5, 4), more=RECURSIVE),
            wide(*use(0x401000, 0x1000), write(PT, 1, 1, 8), more=TWIN),
            wide(*use(0x401000, 0x801000), write(0x400, 1, 4, 8), more=LARGE),
            wide(*use(0x401000), write(0, 1, 4, 8), more=LOW),
            *(hit_pages([role, (1, 4)], place) for role, place in zip(ROLES, ACROSS, strict=True)),
            hit_pages([(2, 4), (1, 4), (4, 4, 0, "R"), (1, 3), (2, 4)], (4, 8)),
            hit_pages([(1, 4, 0, "M"), (1, 4), (2, 4, 0, "MR")], (7, 2)),
            play(*take((4, 4, 0, "R"), (1, 4), (2, 3, 0, "R"), (2, 4)), *hit(4, (4, 8), (12, 8))),
            play(*scattered((1, 4), (2, 4)), ("writes", ((TABLE << 12) + 4,), 8)),
            play(*take(*ROLES), CROWD, *hit(6, (4, 8)), slots=((0, 0x2000),)),
        )),
        Rule("flood", 1, "From the third write in a row to a gfn on, each zaps its shadow pages, whatever happens in between.",
             looks=COUNTED, cases=(
            wide(*use(0x3000), *[write(PT, n) for n in (1, 2, 9)]),
            wide(*use(0x3000), *[write(PT, n) for n in (1, 2)]),
            *(wide(*use(0x3000), *[write(PT, n, 0, size) for n in (8, 9, 10)]) for size in (1, 2, 4)),
            wide(*use(0x401000), *[write(0, n) for n in (8, 9, 10)], more=LOW),
            wide(write(PT, 8), write(PT, 9), *use(0x2000, 0x3000), write(PT, 8)),
            wide(*[write(PT, 9)] * 3, *use(0x3000), write(PT, 1)),
            wide(*use(0x3000), write(PT, 1), write(PT, 2), write(0x30, 0), write(PT, 9)),
            wide(*use(0x3000), write(PT, 9), write(0x30, 0), write(PT, 9), write(0x30, 0), write(PT, 9)),
            wide(write(PT, 8), write(0x413, 8), *use(0x3000, 0x401000), write(PT, 9), more=TWIN),
            wide(write(PT, 1), write(PT, 1, 4, 8), *use(0x3000), write(PT, 9)),
            wide(*use(0x3000), write(PT, 1, 4, 8), write(PT, 9), *use(0x3000), write(PT, 9)),
            wide(write(PT, 1), write(PT, 2), CR3, {"op": "cr3", "v": ROOT << 12}, *use(0x3000), write(PT, 9)),
            wide(*use(0x1000), *[write(ROOT, n) for n in (7, 8, 9)]),
            wide(("access", ALL_ROLES, ""), *[write(ROOT, n) for n in (7, 8, 9)], more=RECURSIVE),
            wide(*use(0x401000, 0x801000), *[write(0x400, 9)] * 3, more=LARGE),
            wide(*[write(0x30, 0)] * 3, write(0x31, 0), *use(0x3000)),
            wide(write(PT, 1), write(PT, 2), ("another",), write(PT, 3)),
            pae(*use(0x1000), write(PT, 1, 4, 4), write(PT, 2, 0, 4), write(PT, 2, 4, 4)),
            *(hit_pages([*ROLES[begin : begin + 3], (1, 4), ROLES[begin]], *[(80, 4)] * 4, apart=False) for begin in (0, 3)),
            hit_pages([(2, 4), (1, 3), (4, 4, 0, "R"), (4, 4, 0, "MR")], *[(80, 1)] * 5, apart=False),
            play(*take((1, 4), (2, 4)), *take((1, 4), gfn=0x413)[1:], *hit(3, *[(8, 8)] * 4, apart=False), slots=((0, 0x500),)),
            hit_pages([(1, 0, 0, "M"), (1, 4)], *[(80, 2)] * 4, gfn=0, apart=False),
            *(play(("flood", TABLE, level, levels, size, COUNTS)) for level, levels, size in ((1, 4, 8), (2, 3, 1))),
            *(play(*(step for count in range(1, 21) for step in (("page", TABLE, *role), ("write", TABLE << 12, 8, 0))))
              for role in ((1, 4), (4, 4))),
            *(between(*steps) for steps in BETWEEN),
            three_writes((1, 4), 1, 2, 4, 8),
            wide(write(0, 9), write(PT, 9), write(0, 9), write(PT, 9)),
            wide(*use(0x1000, 0x2000, 0x3000), write(PT, 1), write(PT, 2), write(PT, 3)),
            wide(("alias", 0x300, 0x100, 0), write(PT, 9), write(0x313, 9), write(PT, 9), *use(0x3000), write(0x313, 9),
                 write(PT, 9), write(PT, 9), *use(0x3000), write(PT, 9)),
            wide(write(PT, 9), *use(0x3000, AT_2M | 0x1000), *[write(table, 9) for _ in range(3) for table in (OTHER, PT)]),
            hit_pages([(4, 4, 0, "R"), (1, 4), (2, 3, 0, "R"), (2, 4)], *[(4, 8)] * 5, apart=False),
            play(*take((1, 4)), *hit(1, (40, 8), (80, 8), (40, 8), gfn=HIGH, apart=False), *hit(1, (40, 8)), slots=APART),
        )),
        Rule("random", 1, "All these rules hold, whatever a guest does.", looks=COUNTED, drawn=anything, examples=28),
        Rule("engine", 1, "The engine works with your function as with the kernel's.", looks=COUNTED, engine=(
            Golden("l64", "l6417", 90),
            Golden("pae", "pae15", 90),
            Golden("hostile", "hostile04", 60),
            Golden("switch", "switch08", 60),
            Boot("lin64_20k", 1500, "emulated"),
            Boot("linpae_20k", 1500, "emulated"),
        )),
    ),
    full=(
        *(Golden("l64", f"l64{n:02}") for n in (0, 2, 4, 6, 8, 10, 13, 15, 17, 19, 21, 23, 24, 26, 28)),
        *(Golden("pae", f"pae{n:02}") for n in (0, 2, 4, 6, 8, 10, 13, 15, 17, 19, 21, 23, 24)),
        *(Golden("hostile", f"hostile{n:02}") for n in (0, 4, 8, 13)),
        *(Golden("wpmix", f"wpmix{n:02}") for n in (0, 4, 8, 13)),
        *(Golden("directed", name) for name in ("flood_zaps_root", "emul_cross_page", "same_page_many_roles")),
        Golden("switch", "switch08"),
        *(Boot(name, None, way) for name in ("lin64_20k", "linpae_20k") for way in ("emulated", "native")),
    ),
)  # fmt: skip


def test_pre_write(rule, submission):
    """The submission obeys each rule (see `kvmmmu_lab.check.pytest_plugin`)."""
    submission.obeys(rule)
