# SPDX-License-Identifier: GPL-2.0-only
"""The rules of exercise 04 and their test cases. Run: pytest exercises/04_rmap_add"""

from kvmmmu_lab.check import strategies as st
from kvmmmu_lab.exercises import Boot, Exercise, Golden, Rule, Scenario, play

FRAME = 0x1F
ALIKE = (0x1F, 0x41F, 0x51F, 0x71F)  # gfns of host frames 0x21f, 0x31f, 0x41f and 0x61f
MANY = 0x8000000000  # the frame number with only its highest bit set, bit 51 of an entry
BEYOND = 2 * MANY  # bit 52 of an entry, which is not part of the frame number


def maps(*sptes, gfn=FRAME, flags="PW"):
    """Steps that make entries which point to one frame, and add each to the map."""
    return [("map", spte, gfn, flags) for spte in sptes]


def row(count, first=12):
    """Consecutive sptes of shadow page 7."""
    return [f"7:{first + n}" for n in range(count)]


def full(count):
    """``count`` entries of one frame at once, from #7:12 on, and then one more."""
    return play(("maps", "7:12", count, FRAME, "PW"), *maps(f"7:{12 + count}"))


OTHER = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, *range(52, 64))
"""Bits of an entry that the reverse map ignores."""


def each_bit(flags):
    """For each of these bits, an entry with the bit and the flags, which points to its own frame."""
    return [("map", f"7:{bit}", 0x20 + bit, f"{flags}+{bit}") for bit in OTHER]


def each_frame():
    """For each bit of a frame number, an entry that points to the host frame with only this bit set; the last has all set."""
    return [*(("map", f"9:{bit}", -(1 << bit), "PW") for bit in range(40)), ("map", "9:40", -(1 << 40) + 1, "PW")]


BIG = ((0, 0x100), (0x400, 0x800))
"""So much guest memory that `vm.memory.words` is replaced after the reverse map was made."""

MORE_MEMORY = {"op": "set_slot", "slot": 2, "base": 0x1000, "npages": 0x800, "log": 0}
"""A step that adds so much memory that `vm.memory.words` is replaced once more."""

PAGES = [f"{page}:12" for page in range(1, 21)]
"""The same index in many pages."""


@st.composite
def adds(draw):
    """Up to 16 entries for a few frames, each spte once; some of the entries cannot write."""
    frames = st.sampled_from([0x1F, 0x1F, 0x1E, 0x41F, 0x51F, -MANY - 0x21F])
    flags = st.sampled_from(["PW", "PW", "PWUAD", "PWGX", "P", "PUADGX", "W", ""])
    places = draw(st.lists(st.integers(0, 1023), min_size=1, max_size=16, unique=True))
    return Scenario(tuple(("map", f"{7 + at // 512}:{at % 512}", draw(frames), draw(flags)) for at in places))


EXERCISE = Exercise(
    title="Reverse maps, add",
    about="Record the shadow entries through which each frame can be written, and list them.",
    part="rmap_add",
    defines=("ReverseMap", "ReverseMap.add", "ReverseMap.sptes", "ReverseMap.frames"),
    rules=(
        Rule("first", 1, "The first entry that can write a frame is found, in the right map and the right machine.", cases=(
            play(*maps("7:12")),
            play(*maps("7:12"), *maps("9:0", gfn=0x20)),
            play(*maps("7:12"), ("another",)),
            play(*maps("7:12"), slots=BIG),
            play(*maps("7:12"), MORE_MEMORY, *maps("7:13", gfn=0x20)),
            play(*maps("7:12"), ("another",), *maps("7:12", gfn=0x20), ("back",), *maps("7:13", gfn=0x21)),
        )),
        Rule("writable", 2, "An entry is in the map if it is present and writable, whatever its other bits are.", cases=(
            play(*maps("7:12"), *maps("7:13", flags="P")),
            play(*maps("7:12"), *maps("7:13", flags="W")),
            play(*maps("7:13", flags=""), *maps("7:12")),
            play(*maps("7:13", flags="PUADG"), *maps("7:12", flags="PWUADG")),
            *(play(*maps("9:0"), *each_bit(flags)) for flags in ("PW", "P", "W")),
            play(*maps(*row(4)), *maps("7:20", flags="P"), *maps("7:21", flags="W"), *maps("7:22", flags="")),
            play(("page", 0x50, 1, 4), ("page", 0x60, 2, 4), ("fill", ("250:5",), 0x50), *maps("251:12")),
        )),
        Rule("second", 2, "A second entry is found in addition to the first.", cases=(
            play(*maps("7:12", "7:13")),
            play(*maps("7:12", "9:12")),
            play(*maps("7:12"), *maps("7:13", gfn=0x20), *maps("7:14")),
            play(*maps("7:12", "23:12")),
            play(*maps("251:511", "0:0")),
        )),
        Rule("fifth", 2, "No entry is lost: a fifth one and all later ones are found, for however many frames.", cases=(
            play(*maps(*row(3))),
            play(*maps(*row(4))),
            play(*maps(*row(5))),
            *(full(count) for count in (5, 8, 12, 16, 20)),
            play(("maps", "7:12", 1100, FRAME, "PW"), *maps("20:0")),
            play(("frames", 4200, 2)),
            play(*maps(*reversed(row(20)))),
            play(*maps(*PAGES)),
        )),
        Rule("frame", 1, "The frame is bits 12 to 51 of the entry, all of them and no others.", cases=(
            play(*maps("7:12", flags="PWX"), *maps("7:13")),
            play(*(step for n, gfn in enumerate(ALIKE) for step in maps(f"7:{12 + n}", gfn=gfn))),
            play(*maps("7:12", gfn=-0x10021F), *maps("7:13")),
            play(*maps("7:12", gfn=-MANY - 0x21F), *maps("7:13")),
            play(*maps("7:12", gfn=-0x10021F), *maps("7:13", gfn=-MANY - 0x21F)),
            play(*maps("7:12", gfn=-BEYOND - 0x21F), *maps("7:13")),
            play(*maps("7:12"), *each_frame()),
        )),
        Rule("random", 1, "Random entries, in any order, are all found in the right maps.", drawn=adds, examples=30),
        Rule("engine", 1, "The engine works with your map as it does with the kernel's.", engine=(
            Golden("rmap", "rmap00", 150),
            Golden("p32", "p3208", 100),
            Golden("nonpaging", "np02", 60),
            Boot("lin64_20k", 3000),
        )),
        Rule("form", 2, "The map has the kernel's form: one entry directly, several in descriptors of four.",
             looks=("form",), extra=True, cases=(
            play(*maps(*row(1))),
            play(*maps(*row(2))),
            play(*maps(*row(5))),
            *map(full, (8, 13, 20, 36)),
        )),
    ),
    full=(
        *(Golden("rmap", f"rmap{n:02}") for n in (0, 2, 4, 6, 8, 10, 13)),
        *(Golden("l64", f"l64{n:02}") for n in (0, 6, 8, 15, 28)),
        *(Golden("pae", f"pae{n:02}") for n in (0, 4, 15, 24)),
        *(Golden("p32", f"p32{n:02}") for n in (0, 6, 8, 13)),
        *(Golden("p32pse", f"p32pse{n:02}") for n in (13, 19)),
        *(Golden("nonpaging", f"np{n:02}") for n in (0, 2, 4)),
        *(Golden("switch", f"switch{n:02}") for n in (0, 4)),
        *(Golden("wpmix", f"wpmix{n:02}") for n in (0, 2, 10)),
        *(Golden("hostile", f"hostile{n:02}") for n in (2, 4, 8, 15)),
        Golden("pool", "pool00"),
        Boot("lin64_20k"), Boot("linpae_20k"), Boot("lin32_20k"),
    ),
)  # fmt: skip


def test_rmap_add(rule, submission):
    """The submission obeys each rule (see `kvmmmu_lab.check.pytest_plugin`)."""
    submission.obeys(rule)
