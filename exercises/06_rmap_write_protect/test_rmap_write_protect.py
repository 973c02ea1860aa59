# SPDX-License-Identifier: GPL-2.0-only
"""The rules of exercise 06 and their test cases. Run: pytest exercises/06_rmap_write_protect"""

from kvmmmu_lab.check import strategies as st
from kvmmmu_lab.exercises import Boot, Exercise, Golden, Rule, Scenario, play

FRAME = 0x1F
HIGH = 0x18000000000  # bits 51 and 52 of an entry: the highest bit of the frame number, and one that is not part of it
BITS = ("result", "rmap", "frames", "sptes", "door")  # entries and maps, but not flushes


def maps(*sptes, gfn=FRAME, flags="PW"):
    """Steps that make entries which point to one frame, and add each to the map."""
    return [("map", spte, gfn, flags) for spte in sptes]


def unmaps(*sptes):
    """Steps that remove entries and then zero them."""
    return [("unmap", spte) for spte in sptes]


def protect(gfn=FRAME):
    """A step in which the frame becomes a page table."""
    return [("protect", gfn)]


def row(count, first=12):
    """Consecutive sptes of shadow page 7."""
    return [f"7:{first + n}" for n in range(count)]


def many(count, *steps):
    """``count`` entries of one frame at once, from #7:12 on, and then these steps."""
    return play(("maps", "7:12", count, FRAME, "PW"), *steps)


OTHER = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, *range(52, 64))
"""Bits of an entry that the reverse map ignores."""


def each_bit(flags, step=0):
    """For each of these bits, an entry with the bit and the flags; the entries point to frames that are ``step`` apart."""
    return [("map", f"7:{bit}", FRAME + step * bit, f"{flags}+{bit}") for bit in OTHER]


def each_frame():
    """For each bit of a frame number, an entry that points to the host frame with only this bit set; the last has all set."""
    return [*(("map", f"9:{bit}", -(1 << bit), "PW") for bit in range(40)), ("map", "9:40", -(1 << 40) + 1, "PW")]


def hosted():
    """For each high bit of a frame number, an entry that points to the host frame with only this bit set, which is guest
    memory."""
    hosts = [("host", 0x20 + bit, 1 << bit) for bit in range(10, 40)]
    return [*hosts, *(("map", f"9:{bit}", 0x20 + bit, "PW") for bit in range(10, 40)), *maps("7:12")]


FAR = (0x1F, 0x1001F, 0x10001F, 0x1000001F)
"""gfns that differ in high bits only, and memory for them."""

SLOTS = tuple((gfn & -0x100, 0x100) for gfn in FAR)

SIZES = (5, 6, 9, 10, 14, 20, 34, 50, 64, 100, 128, 200, 255, 256, 257, 512, 1000)
"""Numbers of entries of one frame."""

OWN_TABLES = (
    ("page", 0x50, 1, 4), ("page", FRAME, 1, 4), ("page", FRAME, 1, 3), ("page", FRAME, 1, 2, 1),
    ("page", 0x400, 1, 4, 0, "MWU"), ("page", 0x51, 1, 4),
)  # fmt: skip
"""Shadow pages #251 to #246, all of level 1: #250, #249 and #248 shadow the frame itself, #247 is below a large page, and #246
is the newest."""

ALL_FIVES = tuple(f"{page}:5" for page in range(246, 252))

MORE_MEMORY = {"op": "set_slot", "slot": 2, "base": 0x1000, "npages": 0x800, "log": 0}
"""A step that adds so much memory that `vm.memory.words` is replaced once more."""

PAGES = [f"{page}:12" for page in range(1, 21)]
"""The same index in many pages."""


ENDS = ("255:0", "255:511", "0:0", "0:511")
"""The first and the last entry of the last and the first shadow page."""

ROOT_FREED = (
    {"op": "regs", "cr0": 0x80010001, "cr3": 0x1000, "cr4": 0x20, "efer": 0x501}, {"op": "zap_all"},
    {"op": "cr3", "v": 0x2000}, ("zap", 1),
)  # fmt: skip
"""Steps after which page #255, the first root, is free, so that it can be used for a page table. The new root is in gfn 2."""


def mapped(*steps):
    """A guest that maps one frame three times and writes through each of the mappings; then these steps."""
    tables = ((0x10, 0, 0x11, "PWU"), (0x11, 0, 0x12, "PWU"), (0x12, 0, 0x13, "PWU"), (0x12, 1, 0x14, "PWU"))
    ways = ((0x13, 0, FRAME, "PWUAD"), (0x13, 7, FRAME, "PWUAD"), (0x14, 0, FRAME, "PWUAD"))
    writes = [("access", gva, "w") for gva in (0, 0x7000, 0x200000)]
    return play(*writes, *steps, mode="64", root=0x10, entries=(*tables, *ways))


@st.composite
def lives(draw):
    """Up to 20 entries are added or removed, or their frames are protected."""
    frames = st.sampled_from([0x1F, 0x1F, 0x41F, 0x51F])
    flags = st.sampled_from(["PW", "PW", "PWUAD", "PWGX", "P", "W"])
    there, steps = {}, []
    for at in draw(st.lists(st.integers(0, 13), min_size=2, max_size=20)):
        spte = f"{7 + at // 6}:{12 + at % 6}"
        if at >= 12:
            steps.append(("protect", draw(frames)))
        elif spte in there:
            del there[spte]
            steps.append(("unmap", spte))
        else:
            there[spte] = draw(frames)
            steps.append(("map", spte, there[spte], draw(flags)))
    return Scenario(tuple([*steps, ("protect", FRAME)]))


EXERCISE = Exercise(
    title="Reverse maps, write-protect",
    about="Make a frame read-only: clear W in every shadow entry through which it can be written.",
    part="rmap_write_protect",
    defines=("ReverseMap", *(f"ReverseMap.{name}" for name in ("add", "remove", "write_protect", "sptes", "frames"))),
    rules=(
        Rule("maps", 1, "Entries are added and removed as in exercises 04 and 05.", cases=(
            play(*maps("7:12"), *maps("7:13", flags="P"), *unmaps("7:13")),
            play(*maps("7:12", "9:12"), *unmaps("7:12"), ("another",)),
            play(*maps("7:12", flags="PWX"), *maps("7:13", gfn=0x41F), *maps("7:14", gfn=0x51F), *unmaps("7:13")),
            play(*maps("7:12"), *unmaps("7:12"), *maps("7:12", gfn=0x20), *unmaps("7:12")),
            play(*maps("7:12", gfn=-HIGH - 0x21F), *maps("7:13"), *unmaps("7:12")),
            *(many(9, *unmaps(spte)) for spte in row(9)),
            many(9, ("unmaps", "7:12", 8), *maps("9:0"), *unmaps("7:20", "9:0")),
            play(*maps("7:12"), ("another",), *maps("7:12", gfn=0x20), ("back",), *maps("7:13", gfn=0x21), *unmaps("7:12")),
            play(*maps("7:12"), *each_frame(), *unmaps(*(f"9:{bit}" for bit in range(41)))),
            play(*maps("9:0"), *each_bit("PW", 1), *unmaps(*(f"7:{bit}" for bit in OTHER))),
            *(many(34, *unmaps(spte), *maps("9:0"), *unmaps("7:45")) for spte in row(34)),
            many(34, *unmaps(*row(34)[::2])),
            *(many(count, ("unmaps", "7:12", count, order), *maps("12:511"))
              for count, order in ((260, "first"), (260, "last"))),
            many(1030, *unmaps("7:12", "9:17"), ("unmaps", "7:13", 1028, "last"), *maps("12:511")),
            *(play(*maps("251:511", "0:0"), *unmaps(spte)) for spte in ("251:511", "0:0")),
            play(*maps("7:12"), ("replace", "7:12", "7:13", 0x20, "PW"), ("replace", "7:13", "7:12", 0x20, "PW")),
            play(*maps("7:12", "7:14"), MORE_MEMORY, *maps("7:13", gfn=0x20), *unmaps("7:13"), *protect()),
            play(("frames", 4200, 2, True)),
            *(play(*maps("7:12"), *maps("7:13", flags=flags), *unmaps("7:13")) for flags in ("W", "WUAD", "")),
            play(*maps("7:12", "7:13"), *unmaps("7:12"), *protect(), slots=((0, 0x100), (0x400, 0x800))),
            play(("page", 0x50, 1, 4), ("page", 0x60, 2, 4), ("fill", ("250:5",), 0x50), *maps("251:12"), *unmaps("251:12")),
            *(many(count, *unmaps("7:17"), *maps("9:0", "7:17"), *unmaps("7:12"), *maps("9:1")) for count in (8, 12, 13)),
            many(2, *maps("9:0", flags="W"), *maps("9:1", flags="P"), *maps("9:2")),
            play(*maps(*reversed(row(7))), *unmaps("7:14")),
            play(*maps("7:15", "7:12", "7:14", "7:13"), *unmaps("7:12", "7:14")),
            play(*maps("7:12"), ("another",), *maps("7:12"), *unmaps("7:12"), ("back",), *maps("7:13")),
            play(*maps(*PAGES), *unmaps(*PAGES[::3])),
        )),
        Rule("one", 1, "A single entry loses its W through `put`, keeps its other bits and leaves the map.", looks=BITS, cases=(
            play(*maps("7:12"), *protect()),
            play(*maps("7:12", flags="PWUADG"), *protect()),
            play(*maps("7:12", flags="PWX"), *protect()),
            play(*maps("7:12", flags="PWU"), ("flag", "7:12", "AD"), *protect()),
        )),
        Rule("all", 2, "Every entry that can write the frame loses its W, and its map is empty.", looks=BITS, cases=(
            *(play(*maps(*row(count)), *protect()) for count in (2, 3, 4)),
            play(*maps("7:12", "9:12"), *protect()),
            play(*maps("7:12", flags="PWUADX"), *maps("7:13", flags="PWG"), *protect()),
            *(many(count, *protect()) for count in SIZES),
            *(play(page, *maps("251:5", "251:6"), *protect()) for page in OWN_TABLES),
            play(*ROOT_FREED, ("page", 0x50, 1, 4), *maps(*ENDS), *protect()),
            play(("frames", 150, 1, True, 120)),
            mapped(*protect()),
            play(*OWN_TABLES, *maps(*ALL_FIVES), *protect()),
            play(*OWN_TABLES, *maps(*ALL_FIVES, flags="PWUAD"), ("alias", 0x300, 0x100, 0), *maps(*ALL_FIVES, flags="PWUAD"),
                 *protect(0x31F)),
            many(9, ("unmaps", "7:13", 5), *protect()),
            play(*maps(*PAGES), *protect()),
            play(*maps("9:0"), *each_bit("PW"), *protect()),
        )),
        Rule("flush", 2, "For each entry in turn, first the TLB is flushed, then W is cleared.", cases=(
            play(*maps("7:12"), *protect()),
            play(*maps(*row(2)), *protect()),
            *(many(count, *protect()) for count in (5, 9, 14, 21, 40, 1100)),
            *(play(*maps("7:12", "9:12", flags=f"PW{flags}"), *protect()) for flags in ("U", "A", "D", "AD", "UADGX", "S")),
            play(*OWN_TABLES, *maps(*ALL_FIVES), *protect()),
            play(("alias", 0x300, 0x100, 0), *maps("7:12"), *protect(0x31F)),
            play(("alias", 0x300, 0x100, 0), *maps("7:12"), *protect(), *maps("7:12"), *protect(0x31F)),
            *(play(*maps("7:12", gfn=gfn), *protect(gfn)) for gfn in (0, 0x41F)),
            *(play(*maps("7:12", gfn=gfn), *protect(gfn), slots=SLOTS) for gfn in FAR[1:]),
            play(*maps("7:12", "7:13", flags="PWUADX+9+10+11+62"), *protect()),
            *(play(("host", 0x50, 1 << bit), *maps("7:12", gfn=0x50), *protect(0x50)) for bit in (30, 39)),
            play(*ROOT_FREED, ("page", 0x50, 1, 4), *maps(*ENDS), *protect(), *maps(*ENDS, gfn=2), *protect(2)),
            mapped(*protect()),
        )),
        Rule("gfn", 1, "The frame is `vm.memory.frames[gfn]`, even if gfn is an alias.",
             looks=BITS, cases=(
            play(*maps("7:12", gfn=0x41F), *protect(0x41F)),
            play(("alias", 0x300, 0x100, 0), *maps("7:12"), *protect(0x31F)),
            play(("alias", 0x300, 0x100, 0x400), *maps("7:12", gfn=0x31F), *protect(0x41F)),
            play(("alias", 0x300, 0x100, 0), *maps("7:12"), *protect(0x31F),
                 ("alias", 0x300, 0x100, 0x400), *maps("7:13", gfn=0x41F), *protect(0x31F)),
            play(("alias", 0x300, 0x100, 0), *maps("7:12"), *protect(0x31F), *maps("7:12"),
                 ("alias", 0x300, 0x100, 0x400), *maps("7:13", gfn=0x41F), *protect(0x31F)),
            play(("alias", 0x300, 0x100, 0), *maps("7:12", gfn=0x31F), *protect(0x20),
                 ("alias", 0x300, 0x100, 0x400), *maps("7:13", gfn=0x41F), *protect(0x31F)),
            play(*maps("7:12", gfn=0), *maps("7:13"), *protect(0)),
            *(play(*(step for n, gfn in enumerate(FAR) for step in maps(f"7:{n}", gfn=gfn)), *protect(gfn), slots=SLOTS)
              for gfn in FAR),
            play(*hosted(), *(step for bit in range(10, 40) for step in protect(0x20 + bit))),
            *(play(("alias", 0x300, 0x100, 0), *maps("7:12", gfn=first), *maps("7:13", gfn=second), *protect(gfn), *protect())
              for first, second, gfn in ((FRAME, 0x31F, FRAME), (0x31F, FRAME, 0x31F), (FRAME, FRAME, 0x31F))),
        )),
        Rule("others", 1, "Nothing else changes: no entry of another frame, and no entry of this frame that cannot write.",
             looks=BITS, cases=(
            play(*maps("7:12"), *maps("7:13", gfn=0x20), *protect()),
            play(*maps("7:12"), *maps("7:13", flags="PUAD"), *maps("7:14", flags="W"), *protect()),
            play(("page", 0x50, 1, 4), *maps("251:12"), *maps("251:13", flags="PUAD"), *maps("251:14", flags="W"), *protect()),
            play(*maps("7:12", gfn=0x41F), *maps("7:13", gfn=0x51F), *protect(0x41F)),
            play(*maps("7:12", gfn=0x51F), *maps("7:13", gfn=0x41F), *maps("7:14"), *protect(0x51F)),
            *(play(*maps("7:12", gfn=-high - 0x21F), *maps("7:13"), *protect()) for high in (0x100000, 1 << 39)),
            play(*maps("7:12"), *protect(0x21F), slots=((0, 0x400),)),
            play(("alias", 0x300, 0x100, 0x400), *maps("7:12"), *protect(0x31F)),
        )),
        Rule("again", 1, "Without a map nothing happens, and a frame can be mapped and protected again.",
             looks=(*BITS, "flushes"), cases=(
            play(*maps("7:12"), *protect(0x20)),
            play(*maps("7:12"), *protect(), *protect()),
            play(*maps("7:12"), *unmaps("7:12"), *protect()),
            play(*maps("7:13", flags="P"), *protect(), *maps("7:12")),
            play(("page", 0x50, 1, 4), *maps("251:13", flags="PUAD"), *protect(), *maps("251:12"), *protect()),
            play(*maps("7:12"), *protect(), *unmaps("7:12"), *maps("7:12")),
            play(*maps("7:12"), *protect(), *maps("7:12", "7:13"), *protect()),
            play(*[*maps("7:0", "7:511"), *protect()] * 5),
            play(*maps("7:12"), ("another",), *maps("7:12"), *protect(), ("back",), *protect()),
        )),
        Rule("engine", 1, "All these rules hold in any order, and the engine works with your map as with the kernel's.",
             drawn=lives, examples=25, engine=(
            Golden("rmap", "rmap00", 120),
            Golden("l64", "l6408", 80),
            Golden("p32", "p3208", 80),
            Golden("pae", "pae15", 60),
            Boot("lin64_20k", 3000),
        )),
        Rule("form", 2, "The map has the kernel's form, even while it is emptied, and no descriptor is lost.",
             looks=("form",), extra=True, cases=(
            play(*maps("7:12"), *protect()),
            play(*maps(*row(2)), *protect(), *maps("7:12")),
            many(6, *unmaps("7:13"), *maps("9:0")),
            many(2, *unmaps("7:13"), *maps("9:0")),
            many(5, *unmaps("7:16"), *maps("9:0")),
            many(9, *protect()),
            many(13, ("unmaps", "7:16", 4), *protect(), *maps("7:12", "7:13")),
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
        Boot("lin64_20k"), Boot("linpae_20k"), Boot("lin32_20k"), Boot("lin32_20k", None, "emulated"),
    ),
)  # fmt: skip


def test_rmap_write_protect(rule, submission):
    """The submission obeys each rule (see `kvmmmu_lab.check.pytest_plugin`)."""
    submission.obeys(rule)
