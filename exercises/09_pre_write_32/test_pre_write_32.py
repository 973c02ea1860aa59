# SPDX-License-Identifier: GPL-2.0-only
"""The rules of exercise 09 and their test cases. Run: pytest exercises/09_pre_write_32"""

from kvmmmu_lab.check import strategies as st
from kvmmmu_lab.check.observe import USUAL
from kvmmmu_lab.check.scenarios import COUNTS, CROWD, TABLE, hit, hit_anywhere, hit_pages, scattered, sweep, take, three_writes
from kvmmmu_lab.exercises import Boot, Exercise, Golden, Rule, play

TOP, UPPER, PD, PT, OTHER = 0x10, 0x11, 0x12, 0x13, 0x14
"""Where the guests keep their tables. In guests with 4-byte entries, the directory is the root."""

ON = "PWUAD"
LEAVES = (
    (PT, 1, 0x21, ON), (PT, 2, 0x22, ON), (PT, 3, 0x23, "PUA"), (PT, 257, 0x24, ON), (PT, 511, 0x25, ON), (PT, 512, 0x26, ON),
    (PT, 513, 0x27, ON), (PT, 514, 0x28, ON), (PT, 1023, 0x29, ON), (OTHER, 1, 0x2A, ON), (OTHER, 2, 0x2E, ON),
    (OTHER, 513, 0x2B, ON),
)  # fmt: skip
LINKS = ((PD, 0, PT, ON), (PD, 1, OTHER, ON), *((PD, index, OTHER, ON) for index in (256, 300, 600, 900, 1023)))

COUNTED = (*(look for look in USUAL if look != "order"), "door", "zaps")
"""Everything except the order of entries and flushes; all changes are made through `put`, and pages are zapped once each."""

LOOKS = tuple(look for look in COUNTED if look != "mmu")
"""The same without the counter, for the rules before "flood"."""


def narrow(*steps, more=(), mode="32", **machine):
    """A guest with entries of 4 bytes."""
    return play(*steps, mode=mode, root=PD, entries=LINKS + LEAVES + more, **machine)


def pse(*steps, more=()):
    """The same guest with CR4.PSE set."""
    return narrow(*steps, more=more, mode="32 pse")


WIDE = ((PD, 0, PT, ON), (PD, 1, OTHER, ON), *((PT, n, gfn, ON) for n, gfn in ((1, 0x21), (2, 0x22), (257, 0x24), (511, 0x25))),
        (OTHER, 1, 0x2A, ON))  # fmt: skip


def wide(*steps):
    """A 64-bit guest."""
    return play(*steps, mode="64", root=TOP, entries=((TOP, 0, UPPER, ON), (UPPER, 0, PD, ON), *WIDE))


def pae(*steps):
    """A PAE guest."""
    return play(*steps, mode="pae", root=TOP, entries=((TOP, 0, PD, "P"), (TOP, 1, 0x15, "P"), *WIDE))


def both(*steps):
    """A guest that starts with 4-byte entries. Each even entry and the empty one after it also form an 8-byte entry."""
    entries = ((0x18, 0, PT, ON), (TOP, 0, PD, "P"), (PD, 0, PT, ON), (PT, 2, 0x21, ON), (PT, 4, 0x22, ON))
    return play(*steps, mode="32", root=0x18, entries=entries)


TO_PAE = {"op": "regs", "cr0": 0x80010001, "cr3": TOP << 12, "cr4": 1 << 5, "efer": 0}
TO_32 = {"op": "regs", "cr0": 0x80010001, "cr3": 0x18 << 12, "cr4": 0, "efer": 0}


STAINS = ((0x21, "W"), (0x900, "U+63"), (0x900, "+63"), (0x900, "+9"))
"""Entries that are not present and not 0 (gfn 0x900 has no memory, so its entry has no address)."""


def use(*gvas):
    """Steps in which a program reads these addresses."""
    return [("access", gva, "u") for gva in gvas]


def change(gva):
    """A step in which a program writes to this address."""
    return ("access", gva, "wu")


def gva(directory, page):
    """The address with these two indexes."""
    return directory << 22 | page << 12


def write(table, index, byte=0, size=4, value=0):
    """A step in which the guest writes some bytes; the first is byte ``byte`` of a 4-byte entry."""
    return ("write", (table << 12) + 4 * index + byte, size, value)


def write8(table, index, byte=0, size=8):
    """The same as ``write``, for entries of 8 bytes."""
    return write(table, 2 * index, byte, size)


def lead(gfn):
    """A guest entry that points to gfn."""
    return gfn << 12 | 0x67


def stained(spte, table, index, byte, size):
    """The spte takes each of the values in ``STAINS`` in turn, and the guest's entry is written; no two writes in a row."""
    return [step for stain in STAINS for step in (("map", spte, *stain), write(table, index, byte, size), write(0x30, 0))]


SELF = ((PD, 3, PD, ON),)
"""An entry of the directory that points to the directory itself: from 12 MiB on it is a page table, too."""

TWIN = ((PD, 2, 0x413, ON), (0x413, 1, 0x2C, ON))
"""A page table whose gfn is in the same bucket."""

LARGE = ((PD, 2, 0x400, ON), (0x400, 1, 0x2C, ON), (0x400, 513, 0x2D, ON), (PD, 4, 0x400, ON + "S"))
"""gfn 0x400 is a page table at 8 MiB and the beginning of a large page at 16 MiB."""

LOW = ((PD, 2, 0, ON), (0, 1, 0x2C, ON))
"""A page table in gfn 0. Shadow pages made before paging was turned on have that gfn, too."""

DEVICE = ((PT, 5, 0x900, ON), (PT, 517, 0xFEE00, ON))
TWO_LINKS = ((PD, 2, PT, ON),)
CR3 = {"op": "cr3", "v": OTHER << 12}


NARROW_ROLES = ((1, 2, 0), (1, 2, 1), (2, 2, 0), (2, 2, 1), (2, 2, 2), (2, 2, 3))
WIDE_ROLES = ((1, 3), (2, 3), (1, 4), (2, 4), (3, 4), (4, 4))
"""Roles of shadow pages: level, levels of the guest, quadrant."""


HIGH = PT + (1 << 39)
"""A table whose gfn differs from PT's only in its highest bit."""

APART = ((0, 0x100), (HIGH & -0x1000, 0x100))

BACK = {"op": "regs", "cr0": 0x80010001, "cr3": PD << 12, "cr4": 0, "efer": 0}
OFF = {"op": "regs", "cr0": 1, "cr3": PD << 12, "cr4": 0, "efer": 0}
BETWEEN = (
    ([{"op": "cr3", "v": OTHER << 12}], [{"op": "cr3", "v": PD << 12}]),
    ([{"op": "cr3", "v": PD << 12}],) * 2,
    ([{"op": "cr0", "v": 0x80000001}], [{"op": "cr0", "v": 0x80010001}]),
    ([{"op": "cr4", "v": 0x10}], [{"op": "cr4", "v": 0}]),
    ([{"op": "efer", "v": 0x800}], [{"op": "efer", "v": 0}]),
    ([{"op": "regs", "cr0": 0x80010001, "cr3": 0x18000, "cr4": 0x20, "efer": 0}], [BACK]),
    ([OFF], [BACK]),
    ([{"op": "cr4", "v": 1 << 31}],) * 2,  # a #GP
    (use(gva(0, 1)),) * 2,
    (use(gva(77, 1)),) * 2,  # the guest gets a page fault
    ([*use(gva(0, 1)), ("zap", PT)],) * 2,
    ([("page", PT, 1, 3)],) * 2,
    ([{"op": "zap_all"}],) * 2,
    ([("shadowed", 0x60, 240), *use(gva(0, 1))],) * 2,  # pages are evicted
    ([{"op": "getdirty", "slot": 0}],) * 2,
    ([("access", gva(0, 1), "wu", 1)],) * 2,
    ([("poke", (PT << 12) + 0x80, 4, 0)],) * 2,
)
"""What happens after the first and after the second of three writes to a gfn, and does not restart the count."""


def between(first, second):
    """Three writes to PT, with these steps between them, and a fourth; PT has a shadow page before the last two."""
    return narrow(write(PT, 8), *first, write(PT, 9), *second, *use(gva(0, 3)), write(PT, 8), *use(gva(0, 3)), write(PT, 1),
                  slots=((0, 0x100, True), (0x400, 0x400)))


EDGES = tuple((4 * index, 4) for index in (0, 255, 512, 767, 1023))
BYTES = tuple((4 * index + byte, size) for index, byte, size in ((1, 1, 1), (255, 3, 1), (256, 2, 2), (513, 1, 2), (770, 3, 1)))


@st.composite
def lives(draw):
    """A guest that uses and writes its tables: quadrants, roles of one gfn, pages in the same bucket, devices, a large page."""
    make = draw(st.sampled_from([narrow, pse, pse]))
    tied = ((PD, 2, 0x400, ON), (PD, 5, 0x413, ON), (PD, 6, PT, ON), (PD, 7, 0, ON), (PD, 258, PT, ON), (PD, 259, PD, ON))
    guest = make(more=SELF + LARGE[1:] + LOW[1:] + TWIN[1:] + DEVICE + tied)
    directories = st.sampled_from([0, 0, 1, 2, 3, 4, 5, 6, 7, 256, 257, 258, 259, 300, 600, 900, 1023])
    pages = st.sampled_from([0, 1, 1, 2, 3, 5, 257, 258, 511, 512, 513, 513, 514, 517, 1023])
    tables = st.sampled_from([PD, PD, PD, PT, PT, PT, OTHER, 0x413, 0x400, 0, 0x2C])
    reads = st.tuples(st.just("access"), st.builds(gva, directories, pages), st.sampled_from(["u", "u", "", "w"]))
    places = st.one_of(st.just(0), st.just(0), st.integers(0, 3))
    indexes = st.one_of(directories, pages)
    sizes = st.sampled_from([1, 2, 4, 4, 4, 4, 8])
    steps = draw(st.lists(st.one_of(reads, reads, st.builds(write, tables, indexes, places, sizes)), min_size=6, max_size=16))
    return guest.with_steps([*use(gva(0, 1), gva(0, 513), gva(1, 1)), *steps])


def anything():
    """Such a guest, or pages that are made without the engine."""
    return st.one_of(lives(), hit_anywhere([*NARROW_ROLES, *NARROW_ROLES, *WIDE_ROLES]))


EXERCISE = Exercise(
    title="Before a write to a page table, 32-bit guests",
    about="Do the same for 32-bit guests: their entries have 4 bytes, so one table has several shadow pages.",
    part="pre_write",
    defines=("pre_write",),
    rules=(
        Rule("leaf", 1, "The spte of a page table's 4-byte entry leaves its reverse map and becomes zero, and no other in that "
             "page.", looks=LOOKS, cases=(
            narrow(*use(gva(0, 1), gva(0, 2)), write(PT, 1)),
            narrow(change(gva(0, 1)), change(gva(0, 2)), write(PT, 2, value=lead(0x30))),
            narrow(*use(gva(0, 2), gva(0, 3)), write(PT, 3)),
            pse(*use(gva(0, 2), gva(0, 257)), write(PT, 257)),
            narrow(change(gva(0, 511)), write(PT, 511)),
            narrow(change(gva(0, 514)), *use(gva(0, 513)), write(PT, 514)),
            narrow(*use(gva(0, 512), gva(0, 1023)), write(PT, 1023)),
            narrow(*use(gva(0, 512), gva(0, 1023)), write(PT, 512)),
            narrow(*use(gva(0, 512), gva(0, 1023)), write(PT, 1023, 3, 1)),
            *(narrow(*use(gva(0, 1), gva(0, 2), gva(0, 3)), write(PT, 2, byte, size))
              for byte, size in ((3, 1), (1, 2))),
            pse(*use(gva(0, 513), gva(0, 514)), write(PT, 514, 3, 1)),
            narrow(*use(gva(0, 5)), write(PT, 5), more=DEVICE),
            narrow(*use(gva(0, 517)), write(PT, 517, 2, 2), more=DEVICE),
            *(narrow(*use(gva(0, 1), gva(0, 513)), *stained(f"{page}:5", PT, index, 2, 1))
              for page in (246, 247) for index in (5, 517)),
            play(*take((1, 2, 0)), ("map", "250:5", 0x21, "PW"), write(PT, 5)),
            sweep([(1, 2, 0)], [*range(0, 2048, 16), *range(2056, 4096, 16)], 4),
            sweep([(1, 2, 1)], [*range(11, 2048, 16), *range(2051, 4096, 16)], 1),
        )),
        Rule("pair", 1, "Both sptes of a directory entry are cleared; the pages below lose these parents and nothing else.",
             looks=LOOKS, cases=(
            narrow(*use(gva(0, 1), gva(0, 513)), write(PD, 0)),
            narrow(*use(gva(0, 513)), write(PD, 0)),
            narrow(*use(gva(0, 1), gva(1, 1)), write(PD, 0, value=lead(OTHER))),
            narrow(*use(gva(0, 1), gva(1, 1), gva(1, 513)), write(PD, 1)),
            *(make(*use(gva(0, 1), gva(index, 1), gva(index, 513)), write(PD, index))
              for make, index in ((narrow, 300), (pse, 600), (narrow, 900), (pse, 1023))),
            narrow(*use(gva(0, 1), gva(2, 1), gva(2, 513)), write(PD, 2), more=TWO_LINKS),
            pse(*use(gva(4, 1), gva(4, 513), gva(0, 1)), write(PD, 4), more=LARGE),
            narrow(*use(gva(0, 1)), ("map", "251:10", 0x21, "W"), write(PD, 5)),
            play(("page", 0x50, 1, 2, 0, "R"), ("page", PT, 2, 2), ("fill", ("250:2", "250:3"), 0x50), write(PT, 1)),
            sweep(NARROW_ROLES[2:], [at for at in range(0, 4096, 4) if at % 32 == at // 1024 * 4], 4),
        )),
        Rule("rounding", 1, "Both sptes of a directory entry are cleared, whichever part of the entry is written.",
             looks=LOOKS, cases=(
            *(make(*use(gva(0, 1), gva(0, 513), gva(1, 1)), write(PD, 0, byte, size))
              for make, byte, size in ((narrow, 2, 1), (pse, 1, 1), (pse, 0, 2))),
            narrow(*use(gva(1, 1), gva(1, 513), gva(300, 1)), write(PD, 300, 3, 1)),
            narrow(*use(gva(0, 1), gva(1023, 1), gva(1023, 513)), write(PD, 1023, 3, 1)),
            narrow(*use(gva(0, 1), gva(1023, 1), gva(1023, 513)), write(PD, 1023, 2, 2)),
            *(sweep([(2, 2, 0), (2, 2, 3)], [at + byte for at in range(0, 4096, 4) if at % 32 == 16 + at // 1024 * 4], size)
              for byte, size in ((3, 1), (1, 2))),
        )),
        Rule("pages", 2, "Entries are cleared in every shadow page of the written table, whatever its quadrant, and no other.",
             looks=LOOKS, cases=(
            narrow(*use(gva(0, 1), gva(0, 513)), write(PT, 1)),
            narrow(*use(gva(0, 1), gva(0, 513)), write(PT, 513)),
            narrow(*use(gva(0, 513), gva(0, 1), gva(0, 514)), write(PT, 514, 1, 2)),
            narrow(*use(gva(0, 2)), write(PT, 514)),
            narrow(*use(gva(0, 1), gva(256, 1)), write(PD, 0)),
            narrow(*use(gva(0, 1), gva(0, 513), gva(256, 513)), write(PD, 256)),
            narrow(*use(gva(0, 513), gva(256, 1)), write(PD, 768)),
            narrow(*use(gva(0, 1)), ("access", gva(3, 0), ""), write(PD, 0), more=SELF),
            pse(*use(gva(0, 1)), ("access", gva(3, 3), ""), write(PD, 3), more=SELF),
            narrow(*use(gva(300, 1)), ("access", gva(3, 600), ""), ("access", gva(3, 300), ""), write(PD, 300), more=SELF),
            narrow(*use(gva(1, 1), gva(1, 2)), CR3, write(OTHER, 1)),
            narrow(*use(gva(0, 1), gva(2, 1)), write(PT, 1), more=TWIN),
            narrow(*use(gva(2, 1), gva(0, 1)), write(PT, 1), more=TWIN),
            pse(*use(gva(2, 1), gva(4, 1), gva(4, 513)), write(0x400, 1), more=LARGE),
            pse(*use(gva(4, 1), gva(2, 1)), write(0x400, 1), more=LARGE),
            *(narrow(*use(gva(0, 1)), *stained(f"{page}:10", PD, 5, 3, 1), *stained(f"{page}:11", PD, 773, 3, 1))
              for page in (248, 249, 250, 251)),
            *(hit_pages(NARROW_ROLES[begin:end], *EDGES, *BYTES) for begin, end in ((0, 2), (2, 6))),
            hit_pages([(2, 2, 3), (1, 2, 0), (2, 2, 3)], *EDGES),
            *(hit_pages([(*role, "M"), (2, 2, 1), (*role, "MR")], *((9 * size, size) for size in (1, 2, 4)), gfn=gfn)
              for role in ((1, 0, 0), (2, 2, 1)) for gfn in (0, PT)),
            play(*take((1, 2, 0), (2, 2, 0), gfn=HIGH), *take((1, 2, 0), (2, 2, 2))[1:],
                 *hit(4, *BYTES), *hit(4, *BYTES[:2], gfn=HIGH), slots=APART),
            play(("page", TABLE, *(1, 2)), ("map", "251:2", 0x21, "PW"), CROWD, ("write", (TABLE << 12) + 8, 4, 0),
                 slots=((0, 0x2000),)),
            play(*take(*NARROW_ROLES, *WIDE_ROLES), CROWD, *hit(12, (8, 4), (2044, 1)), slots=((0, 0x2000),)),
            narrow(("alias", 0x300, 0x100, 0), *use(gva(0, 1), gva(0, 2)), write(0x313, 1), write(PT, 2)),
        )),
        Rule("across", 1, "A write across two entries zaps all shadow pages of the table, in the order of the bucket.",
             looks=LOOKS, cases=(
            narrow(*use(gva(0, 1), gva(0, 3)), write(PT, 1, 2)),
            narrow(*use(gva(0, 1), gva(0, 3)), write(PT, 2, 0, 8)),
            narrow(*use(gva(0, 513), gva(0, 1)), write(PT, 9, 0, 8)),
            pse(*use(gva(0, 1), gva(0, 513)), write(PT, 600, 3, 2)),
            narrow(*use(gva(0, 1)), write(PT, 1022, 0, 8)),
            pse(*use(gva(0, 1)), write(PT, 1022, 1, 4)),
            narrow(*use(gva(0, 1), gva(300, 1), gva(900, 513)), write(PD, 600, 0, 8)),
            pse(*use(gva(0, 1), gva(256, 1)), write(PD, 5, 3, 2)),
            narrow(*use(gva(0, 1)), ("access", gva(3, 0), ""), ("access", gva(3, 600), ""), write(PD, 8, 0, 8), more=SELF),
            pse(*use(gva(2, 1), gva(4, 1)), write(0x400, 2, 0, 8), more=LARGE),
            narrow(*use(gva(2, 1)), write(0, 1, 1), more=LOW),
            narrow(*use(gva(0, 1), gva(2, 1)), write(PT, 1, 0, 8), more=TWIN),
            *(hit_pages([(1, 2, 0), (2, 2, 3), (2, 2, 1)], (offset, size))
              for offset, size in ((1023, 2), (1022, 4), (2047, 2), (3070, 4), (1016, 8), (8, 8), (10, 8))),
            hit_pages([(2, 2, 0), (1, 2, 0), (2, 2, 3, "R"), (1, 2, 1), (2, 2, 0)], (4, 8)),
            hit_pages([(1, 2, 0, "M"), (1, 2, 1), (2, 2, 0, "MR")], (3, 2)),
            play(*take((2, 2, 0, "R"), (1, 2, 0), (2, 2, 1, "R"), (1, 2, 1)), *hit(4, (4, 8), (12, 8))),
            play(*scattered((1, 2), (2, 2)), ("writes", ((TABLE << 12) + 4,), 8)),
            play(*take(*NARROW_ROLES, *WIDE_ROLES), CROWD, *hit(12, (4, 8)), slots=((0, 0x2000),)),
        )),
        Rule("flood", 1, "From the third write in a row to a gfn on, each zaps its shadow pages, whatever happens in between.",
             looks=COUNTED, cases=(
            narrow(*use(gva(0, 3), gva(0, 513)), *[write(PT, n) for n in (8, 9, 600)]),
            narrow(*use(gva(0, 3)), *[write(PT, n) for n in (1, 2)]),
            narrow(*use(gva(0, 3)), *[write(PT, n, 0, 2) for n in (8, 9, 10)]),
            narrow(write(PT, 8), write(PT, 9), *use(gva(0, 2), gva(0, 3)), write(PT, 8)),
            narrow(*[write(PT, 9)] * 3, *use(gva(0, 3)), write(PT, 1)),
            narrow(*use(gva(0, 3)), write(PT, 1), write(PT, 2), write(0x30, 0), write(PT, 9)),
            narrow(*use(gva(0, 3)), write(PT, 9), write(0x30, 0), write(PT, 9), write(0x30, 0), write(PT, 9)),
            narrow(write(PT, 8), write(0x413, 8), *use(gva(0, 3), gva(2, 1)), write(PT, 9), more=TWIN),
            narrow(write(PT, 1), write(PT, 1, 2), *use(gva(0, 3)), write(PT, 9)),
            narrow(*use(gva(0, 3)), write(PT, 1, 2), write(PT, 9), *use(gva(0, 3)), write(PT, 9)),
            narrow(*use(gva(0, 1), gva(256, 1)), *[write(PD, n, 3, 1) for n in (7, 8, 9)]),
            pse(*use(gva(2, 1), gva(4, 1)), *[write(0x400, 9)] * 3, more=LARGE),
            narrow(write(PT, 1), write(PT, 2), ("another",), write(PT, 3)),
            narrow(*[write(0x30, 0)] * 3, write(0x31, 0), *use(gva(0, 3))),
            *(hit_pages([*WIDE_ROLES[begin : begin + 3], (1, 2, 0), WIDE_ROLES[begin], (2, 2, 1)], *[(80, 4)] * 4, apart=False)
              for begin in (0, 3)),
            hit_pages([(2, 2, 3), (1, 2, 1), (2, 2, 0), (2, 3), (1, 2, 0)], *[(80, 1)] * 5, apart=False),
            hit_pages([(2, 2, 3), (1, 2, 1), (2, 2, 0, "R"), (2, 2, 0, "MR")], *[(80, 1)] * 5, apart=False),
            play(*take((1, 2, 0), (2, 2, 1)), *take((1, 2, 0), gfn=0x413)[1:], *hit(3, *[(8, 4)] * 4, apart=False),
                 slots=((0, 0x500),)),
            hit_pages([(1, 0, 0, "M"), (1, 2, 0)], *[(80, 2)] * 4, gfn=0, apart=False),
            *(play(("flood", TABLE, level, levels, size, COUNTS)) for level, levels, size in ((1, 2, 4), (2, 2, 1), (1, 4, 8))),
            *(play(*(step for count in range(1, 21) for step in (("page", TABLE, *role), ("write", TABLE << 12, 4, 0))))
              for role in ((1, 2, 1), (2, 2, 3), (3, 4))),
            *(between(*steps) for steps in BETWEEN),
            three_writes((1, 2, 0), 1, 2, 4),
            narrow(write(0, 9), write(PT, 9), write(0, 9), write(PT, 9)),
            wide(write8(PT, 8), {"op": "cr3", "v": 0x15000}, write8(PT, 9), {"op": "cr3", "v": TOP << 12}, *use(0x1000),
                 write8(PT, 8)),
            narrow(*use(gva(0, 1), gva(0, 2), gva(0, 3)), write(PT, 1), write(PT, 2), write(PT, 3)),
            narrow(("alias", 0x300, 0x100, 0), write(PT, 9), write(0x313, 9), write(PT, 9), *use(gva(0, 3)), write(0x313, 9),
                   write(PT, 9), write(PT, 9), *use(gva(0, 3)), write(PT, 9)),
            narrow(*use(gva(0, 3), gva(1, 1)), *[write(table, 9) for _ in range(3) for table in (OTHER, PT)]),
            narrow(write(PT, 9), write(PT, 8, 0, 8), *use(gva(0, 3)), write(PT, 9)),
            hit_pages([(2, 2, 0, "R"), (1, 2, 0), (2, 2, 1, "R"), (1, 2, 1)], *[(4, 8)] * 5, apart=False),
            play(*take((1, 2, 0)), *hit(1, (40, 4), (80, 4), (40, 4), gfn=HIGH, apart=False), *hit(1, (40, 4)), slots=APART),
            hit_pages([(1, 2, 0), (1, 3)], (40, 8), (40, 4), (40, 8), apart=False),
            hit_pages([(2, 2, 0, "R")], (40, 8), (40, 8), apart=False),
        )),
        Rule("wide", 1, "Tables of 8-byte entries are handled as before; the role of each shadow page decides.",
             looks=LOOKS, cases=(
            wide(*use(0x1000, 0x2000), write8(PT, 1)),
            wide(*use(0x1000, 0x101000), write8(PT, 257)),
            wide(*use(0x1000, 0x1FF000), write8(PT, 511, 7, 1)),
            pae(*use(0x1000, 0x2000), write8(PT, 2, 4, 4)),
            wide(*use(0x1000, 0x201000), write8(PD, 1)),
            pae(*use(0x1000, 0x201000), write8(PD, 0)),
            pae(*use(0x1000, 0x201000), write8(PD, 1, 4, 4)),
            wide(*use(0x1000), write8(UPPER, 0, 5, 2)),
            wide(*use(0x1000), write8(TOP, 0)),
            wide(*use(0x1000), write8(UPPER, 1), write8(TOP, 1)),
            pae(*use(0x1000), write8(PT, 8, 4)),
            play(*use(0x1000), write8(PD, 0, 7, 4), mode="pae", root=TOP,
                 entries=((TOP, 0, PD, "P"), (TOP, 2, PD, "P"), *WIDE)),
            *(wide(*use(0x1000), write8(PT, 8, byte, size)) for byte, size in ((7, 2), (5, 4))),
            both(*use(0x2000), TO_PAE, *use(0x1000), write8(PT, 1, 0, 4)),
            both(*use(0x2000), TO_PAE, *use(0x1000, 0x2000), TO_32, write8(PT, 1, 4, 4)),
            both(TO_PAE, *use(0x1000), TO_32, *use(0x2000), write8(PT, 1)),
            both(TO_PAE, *use(0x1000), TO_32, write8(PD, 0)),
            hit_pages(WIDE_ROLES[:3], (8, 8), (2047, 1), (2048, 4), (4092, 4), (5, 2)),
            hit_pages(WIDE_ROLES[3:], (8, 8), (2047, 1), (2048, 4), (4092, 4), (5, 2)),
            hit_pages([(2, 3), (2, 2, 0), (2, 4), (2, 3)], *EDGES[1:4], (512, 8)),
            hit_pages([(2, 2, 3), (2, 3), (1, 2, 0), (1, 4), (2, 2, 0)], *EDGES[1:], (1020, 2)),
            hit_pages([(1, 3), (1, 4), (1, 3), (1, 2, 1)], *EDGES[:3], (512, 8)),
            hit_pages([(2, 4), (1, 3), (3, 4)], (1025, 8)),
            hit_pages([(2, 4), (1, 3), (3, 4)], (1028, 8)),
            hit_pages([(1, 3), (1, 2, 0), (2, 4), (2, 2, 1)], (1026, 4)),
            play(("page", PT, 2, 3), ("page", PT, 1, 2), ("fill", ("251:1",), PT), write8(PT, 1)),
        )),
        Rule("random", 1, "All these rules hold, whatever a guest does.", looks=COUNTED, drawn=anything, examples=24),
        Rule("engine", 1, "The engine works with your function as with the kernel's.", looks=COUNTED, engine=(
            Golden("p32", "p3217", 60),
            Golden("p32pse", "p32pse13", 60),
            Golden("hostile", "hostile06", 50),
            Golden("switch", "switch04", 50),
            Golden("l64", "l6417", 30),
            Golden("pae", "pae15", 30),
            Boot("lin32_20k", 1500, "emulated"),
        )),
    ),
    full=(
        *(Golden("p32", f"p32{n:02}") for n in (0, 2, 4, 6, 8, 10, 13, 15, 17, 19)),
        *(Golden("p32pse", f"p32pse{n:02}") for n in (0, 2, 4, 6, 8, 10, 13, 15, 17, 19)),
        *(Golden("hostile", f"hostile{n:02}") for n in (0, 2, 4, 6, 8, 10, 13, 15)),
        *(Golden("switch", f"switch{n:02}") for n in (0, 2, 4, 6, 8)),
        *(Golden("wpmix", f"wpmix{n:02}") for n in (0, 2, 4, 6, 8, 10, 13, 15)),
        *(Golden("l64", f"l64{n:02}") for n in (0, 8, 15, 17, 28)),
        *(Golden("pae", f"pae{n:02}") for n in (4, 15, 23, 24)),
        *(Golden("directed", name) for name in ("quadrant_overzap", "flood_zaps_root", "same_page_many_roles")),
        *(Boot("lin32_20k", None, way) for way in ("emulated", "native")),
        *(Boot(name, None, "emulated") for name in ("lin64_20k", "linpae_20k")),
    ),
)  # fmt: skip


def test_pre_write_32(rule, submission):
    """The submission obeys each rule (see `kvmmmu_lab.check.pytest_plugin`)."""
    submission.obeys(rule)
