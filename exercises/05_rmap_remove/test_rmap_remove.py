# SPDX-License-Identifier: GPL-2.0-only
"""The rules of exercise 05 and their test cases. Run: pytest exercises/05_rmap_remove"""

from kvmmmu_lab.check import strategies as st
from kvmmmu_lab.exercises import Boot, Exercise, Golden, Rule, Scenario, play

FRAME = 0x1F
MANY = 0x8000000000  # the frame number with only its highest bit set, bit 51 of an entry
BEYOND = 2 * MANY  # bit 52 of an entry, which is not part of the frame number


def maps(*sptes, gfn=FRAME, flags="PW"):
    """Steps that make entries which point to one frame, and add each to the map."""
    return [("map", spte, gfn, flags) for spte in sptes]


def unmaps(*sptes):
    """Steps that remove entries and then zero them."""
    return [("unmap", spte) for spte in sptes]


def row(count, first=12):
    """Consecutive sptes of shadow page 7."""
    return [f"7:{first + n}" for n in range(count)]


def many(count, *steps):
    """``count`` entries of one frame at once, from #7:12 on, and then these steps."""
    return play(("maps", "7:12", count, FRAME, "PW"), *steps)


OTHER = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, *range(52, 64))
"""Bits of an entry that the reverse map ignores."""


def each_bit(flags):
    """For each of these bits, an entry with the bit and the flags, which points to its own frame."""
    return [("map", f"7:{bit}", 0x20 + bit, f"{flags}+{bit}") for bit in OTHER]


def each_frame():
    """For each bit of a frame number, an entry that points to the host frame with only this bit set; the last has all set."""
    return [*(("map", f"9:{bit}", -(1 << bit), "PW") for bit in range(40)), ("map", "9:40", -(1 << 40) + 1, "PW")]


def each_frame_twice():
    """For each of a few high bits of a frame number, two entries that point to one host frame; the first is removed."""
    bits = (20, 28, 31, 32, 38, 39)
    steps = [("map", f"{page}:{bit}", -(1 << bit), "PW") for bit in bits for page in (9, 10)]
    return [*steps, *unmaps(*(f"9:{bit}" for bit in bits))]


BIG = ((0, 0x100), (0x400, 0x800))
"""So much guest memory that `vm.memory.words` is replaced after the reverse map was made."""

MIXED = ("7:15", "7:12", "7:14", "7:13")
"""sptes that are neither in ascending nor in descending order."""

MORE_MEMORY = {"op": "set_slot", "slot": 2, "base": 0x1000, "npages": 0x800, "log": 0}
"""A step that adds so much memory that `vm.memory.words` is replaced once more."""

PAGES = [f"{page}:12" for page in range(1, 21)]
"""The same index in many pages."""


@st.composite
def lives(draw):
    """Up to 20 entries are added and removed, for a few frames; some of the entries cannot write."""
    frames = st.sampled_from([0x1F, 0x1F, 0x1F, 0x1E, 0x41F, 0x51F, -MANY - 0x21F])
    flags = st.sampled_from(["PW", "PW", "PW", "PWUAD", "PWGX", "P", "PUADGX", "W", ""])
    there, steps = [], []
    for at in draw(st.lists(st.integers(0, 11), min_size=2, max_size=20)):
        spte = f"{7 + at // 6}:{12 + at % 6}"
        if spte in there:
            there.remove(spte)
            steps.append(("unmap", spte))
        else:
            there.append(spte)
            steps.append(("map", spte, draw(frames), draw(flags)))
    return Scenario(tuple(steps))


EXERCISE = Exercise(
    title="Reverse maps, remove",
    about="Remove a shadow entry from its reverse map, before it is cleared or loses its W.",
    part="rmap_remove",
    defines=("ReverseMap", "ReverseMap.add", "ReverseMap.remove", "ReverseMap.sptes", "ReverseMap.frames"),
    rules=(
        Rule("add", 1, "Entries are added as in exercise 04.", cases=(
            play(*maps("7:12"), *maps("7:13", flags="P")),
            play(*maps("7:12", "9:12"), ("another",)),
            play(*maps("251:511", "0:0")),
            play(*maps("7:12"), ("another",), *maps("7:12", gfn=0x20), ("back",), *maps("7:13", gfn=0x21)),
            play(*maps("7:12", flags="PWX"), *maps("7:13", gfn=0x41F), *maps("7:14", gfn=0x51F), *maps("7:15")),
            *(many(count, *maps(f"7:{12 + count}")) for count in (4, 8, 12)),
            many(1100),
            play(*maps("7:12", "7:13"), slots=BIG),
            play(("page", 0x50, 1, 4), ("page", 0x60, 2, 4), ("fill", ("250:5",), 0x50), *maps("251:12")),
            *(many(count, *maps("9:0", flags="W"), *maps("9:1", flags="P"), *maps("9:2")) for count in (2, 3, 9)),
            play(*maps(*reversed(row(7)))),
            play(*maps(*PAGES)),
        )),
        Rule("last", 1, "When its only entry is removed, a frame no longer has a map; both can be added again.", cases=(
            play(*maps("7:12"), *unmaps("7:12")),
            play(*maps("7:12"), *maps("7:13", gfn=0x20), *unmaps("7:12")),
            play(*maps("7:12"), *unmaps("7:12"), *maps("7:12"), *unmaps("7:12")),
            play(*maps("7:12"), *unmaps("7:12"), *maps("7:12", gfn=0x20), *unmaps("7:12")),
            play(*maps("7:12"), *unmaps("7:12"), slots=BIG),
            play(*maps("7:12", "7:14"), MORE_MEMORY, *maps("7:13", gfn=0x20), *unmaps("7:13", "7:12")),
            play(("page", 0x50, 1, 4), ("page", 0x60, 2, 4), ("fill", ("250:5",), 0x50), *maps("251:12"), *unmaps("251:12")),
            play(*maps("7:12"), ("another",), *maps("7:12", gfn=0x20), ("back",), *maps("7:13", gfn=0x21), *unmaps("7:12")),
            play(*maps("7:12"), ("another",), *maps("7:12"), *unmaps("7:12"), ("back",), *maps("7:13")),
            *(play(*maps("7:12"), ("replace", "7:12", spte, gfn, "PW")) for spte in ("7:12", "9:0") for gfn in (FRAME, 0x20)),
        )),
        Rule("one", 2, "Of several entries, the given one is removed, and no other.", cases=(
            *(play(*maps(*row(2)), *unmaps(spte)) for spte in row(2)),
            *(play(*maps("7:12", "9:12"), *unmaps(spte)) for spte in ("7:12", "9:12")),
            *(play(*maps("251:511", "0:0"), *unmaps(spte)) for spte in ("251:511", "0:0")),
            play(*maps("7:12", "7:13"), *unmaps("7:12"), slots=BIG),
            play(*maps(*row(2)), *unmaps("7:12", "7:13"), *maps("7:14")),
            *(play(*maps(*row(3)), *unmaps(spte)) for spte in row(3)),
            *(play(*maps(*row(4)), *unmaps(spte)) for spte in row(4)),
            play(*maps(*row(3)), *unmaps("7:13"), *maps("7:15")),
            play(*maps(*row(3)), ("replace", "7:13", "7:15", FRAME, "PW")),
            *(play(*maps(*MIXED), *unmaps(spte)) for spte in MIXED),
        )),
        Rule("many", 2, "In long maps and with many frames, any entry can be removed, and those added later are found.", cases=(
            *(many(5, *unmaps(spte)) for spte in row(5)),
            *(many(9, *unmaps(spte)) for spte in row(9)),
            play(*maps(*PAGES), *unmaps(*PAGES[::3])),
            play(("frames", 4200, 2, True)),
            many(9, ("replace", "7:14", "9:0", FRAME, "PW")),
            *(many(14, *unmaps(spte)) for spte in ("7:20", "7:23", "7:24", "7:25")),
            many(5, *unmaps("7:12"), *maps("9:0")),
            many(6, *unmaps("7:13"), *maps("9:0"), *unmaps("7:17", "9:0")),
            many(9, ("unmaps", "7:12", 4), *maps("9:0"), *unmaps("7:16")),
            many(9, ("unmaps", "7:16", 4), *maps("9:0"), *unmaps("7:20")),
            many(9, ("unmaps", "7:12", 8), *maps("9:0"), *unmaps("7:20")),
            many(9, ("unmaps", "7:12", 9), *maps("9:0")),
            many(9, ("unmaps", "7:12", 3), ("maps", "9:0", 4, FRAME, "PW"), ("unmaps", "7:15", 6)),
            many(8, *unmaps("7:19", "7:18", "7:12"), *maps("9:0")),
            many(9, *unmaps("7:12", "7:16"), *maps("9:0")),
            *(many(34, *unmaps(spte), *maps("9:0"), *unmaps("7:45")) for spte in row(34)[::3]),
            many(34, *unmaps(*row(34))), many(34, *unmaps(*reversed(row(34)))),
            many(34, *unmaps(*row(34)[::2], *row(34)[1::2])),
            *(many(count, ("unmaps", "7:12", count, order), *maps("12:511"))
              for count, order in ((260, "first"), (260, "last"))),
            many(1030, *unmaps("7:12", "9:17"), ("unmaps", "7:13", 1028, "middle"), *maps("12:511")),
            many(600, ("unmaps", "7:100", 400), ("maps", "7:100", 400, FRAME, "PW"), ("unmaps", "7:12", 600, "last")),
            *(many(count, *unmaps("7:17"), *maps("9:0", "7:17"), *unmaps("7:12"), *maps("9:1")) for count in (8, 12, 13)),
        )),
        Rule("ignored", 1, "An entry that is not present and writable is ignored by `remove`.", cases=(
            play(*maps("7:12"), *maps("7:13", flags="P"), *unmaps("7:13")),
            play(*maps("7:12"), *maps("7:13", flags="W"), *unmaps("7:13")),
            play(*maps("7:13", flags="PUAD"), *unmaps("7:13"), *maps("7:12")),
            play(*maps("7:12"), *unmaps("7:20")),
            *(play(*maps("9:0"), *maps("7:13", flags=flags), *unmaps("7:13")) for flags in ("PUADGX", "WUADGX")),
            many(5, *maps("7:20", flags="PX"), *unmaps("7:20")),
            *(play(*maps("9:0"), *each_bit(flags), *unmaps(*(f"7:{bit}" for bit in OTHER))) for flags in ("P", "W")),
            play(*maps("9:0", gfn=0x20), *maps("7:13", flags="W"), *unmaps("7:13")),
        )),
        Rule("frame", 1, "Frames do not share a map, however similar their numbers are.", cases=(
            play(*maps("7:12", gfn=0x41F), *maps("7:13", gfn=0x51F), *unmaps("7:12")),
            play(*maps("7:12", gfn=0x51F), *maps("7:13", gfn=0x71F), *maps("7:14"), *unmaps("7:13", "7:12")),
            play(*maps("7:12", flags="PWX"), *maps("7:13"), *unmaps("7:12")),
            play(*maps("7:12", "7:13"), *maps("7:14", "7:15", gfn=0x20), *unmaps("7:12", "7:15")),
            play(*maps("7:12", gfn=-MANY - 0x21F), *maps("7:13"), *unmaps("7:12")),
            play(*maps("7:12", gfn=-BEYOND - 0x21F), *maps("7:13"), *unmaps("7:12")),
            play(*maps("7:12"), *each_frame(), *unmaps(*(f"9:{bit}" for bit in range(41)))),
            play(*each_frame_twice()),
            play(*maps("9:0"), *each_bit("PW"), *unmaps(*(f"7:{bit}" for bit in OTHER))),
        )),
        Rule("random", 1, "All these rules hold if entries are added and removed in any order.", drawn=lives, examples=30),
        Rule("engine", 1, "The engine works with your map as it does with the kernel's.", engine=(
            Golden("rmap", "rmap00", 150),
            Golden("l64", "l6408", 80),
            Golden("p32", "p3208", 100),
            Golden("wpmix", "wpmix00", 80),
            Golden("nonpaging", "np02", 60),
            Boot("lin64_20k", 3000),
        )),
        Rule("form", 2, "The map has the kernel's form, holes are filled in the same way, and no descriptor is lost.",
             looks=("form",), extra=True, cases=(
            play(*maps("7:12"), *unmaps("7:12")),
            play(*maps(*row(2)), *unmaps("7:12")),
            play(*maps(*row(2)), *unmaps("7:12", "7:13")),
            many(4, *unmaps("7:13")),
            many(6, *unmaps("7:13"), *maps("9:0")),
            many(6, *unmaps("7:16", "7:17"), *maps("9:0")),
            many(9, ("unmaps", "7:12", 4)),
            many(9, ("unmaps", "7:16", 4), *maps("9:0"), ("unmaps", "7:12", 4)),
            many(9, *unmaps("7:20", "7:13"), *maps("9:0", "9:1")),
            *(many(15, *unmaps(spte), *maps("9:0", "9:1")) for spte in ("7:17", "7:21", "7:24")),
            many(13, ("unmaps", "7:16", 4), *maps("9:0"), ("unmaps", "7:20", 4), *maps(*row(4, 30))),
        )),
    ),
    full=(
        *(Golden("rmap", f"rmap{n:02}") for n in (0, 2, 4, 6, 8, 10, 13)),
        *(Golden("l64", f"l64{n:02}") for n in (0, 2, 4, 6, 8, 10, 13, 15, 17, 19, 21, 23, 24, 26, 28)),
        *(Golden("pae", f"pae{n:02}") for n in (0, 4, 8, 13, 15, 19, 23, 24)),
        *(Golden("p32", f"p32{n:02}") for n in (0, 2, 4, 6, 8, 13, 15)),
        *(Golden("p32pse", f"p32pse{n:02}") for n in (2, 6, 13, 19)),
        *(Golden("nonpaging", f"np{n:02}") for n in (0, 2, 4, 6)),
        *(Golden("switch", f"switch{n:02}") for n in (0, 2, 4, 6, 8)),
        *(Golden("wpmix", f"wpmix{n:02}") for n in (0, 2, 4, 8, 10, 13, 15)),
        *(Golden("hostile", f"hostile{n:02}") for n in (0, 2, 4, 6, 8, 15)),
        *(Golden("pool", f"pool{n:02}") for n in (0, 4)),
        Boot("lin64_20k"), Boot("linpae_20k"), Boot("lin32_20k"),
    ),
)  # fmt: skip


def test_rmap_remove(rule, submission):
    """The submission obeys each rule (see `kvmmmu_lab.check.pytest_plugin`)."""
    submission.obeys(rule)
