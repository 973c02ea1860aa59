# SPDX-License-Identifier: GPL-2.0-only
"""The rules of exercise 03 and their test cases. Run: pytest exercises/03_spte"""

import random

from kvmmmu_lab.check import strategies as st
from kvmmmu_lab.check.observe import USUAL
from kvmmmu_lab.check.subject import flag_bits
from kvmmmu_lab.exercises import Boot, Exercise, Golden, Rule, Scenario, play

TABLE = 0x20
FIRST = {"64": 250, "pae": 251, "32": 247, "32 pse": 247}
"""The shadow page that the first page table of a new guest gets, by mode."""

LOGS = ((0, 0x100, True), (0x400, 0x400, True), (0x100000, 0x100, True), (0x80000, 0x10, True))
FOUR_GB = 0x100000
HIGH = 0x7FF << 52
FREE = 0xE98
"""The bits below 12 of an 8-byte entry that have no meaning here: 3, 4, 7, 9, 10, 11."""


def make(index, flags, rights="WU", frame=0x1F, mode="64", page=0, more=0, names=None, gfn=None):
    """A step that calls ``set_spte`` for entry ``index`` of the first shadow page (``page`` 1: of the second) and a guest
    entry with these flags. ``more``: further bits of the guest entry; ``names``: the frame in the guest entry, if it differs
    from ``frame``; ``gfn``: the frame that the walk found, if it differs."""
    entry = (frame if names is None else names) << 12 | flag_bits(flags) | more
    entry &= 0xFFFFFFFF if mode.startswith("32") else -1
    return ("make", f"{FIRST[mode] - page}:{index}", entry, rights, frame << 12, frame if gfn is None else gfn)


def makes(*steps, mode="64", tables=(TABLE,), **more):
    """A scenario with these steps, in a guest in which the frames in ``tables`` are page tables."""
    return play(*(("shadowed", gfn) for gfn in tables), *steps, mode=mode, root=0x50, slots=LOGS, **more)


RIGHTS = ("", "W", "U", "WU")

COPIED = (
    makes(make(12, "P", ""), make(13, "PA", ""), make(14, "PAG", ""), make(15, "PAD", ""), make(16, "PADG", "", 0x2E)),
    makes(make(12, "PAX", ""), make(13, "PX", "", 0x41F)),
    makes(make(12, "PAX", ""), nx=False),
    makes(make(12, "PA", "", more=HIGH | FREE), make(13, "PADGX", "", 0x7F, more=HIGH | FREE)),
    makes(make(12, "PAS", "", 0x1F, names=0), make(511, "PADS", "", 0x4FF, names=0x400)),
    makes(make(12, "PAX", "", mode="pae"), make(13, "PADG", "", mode="pae", more=HIGH | FREE), mode="pae"),
    makes(make(12, "PA", "", mode="32"), make(13, "PADG", "", mode="32", more=FREE), mode="32"),
    makes(make(12, "PADS", "", mode="32 pse", names=0), mode="32 pse"),
    makes(make(12, "PAD", "", mode="32", frame=0x80001), mode="32"),
    makes(make(12, "PA", ""), make(12, "PDG", "", 0x2F)),
    makes(("host", 0x43, 0x8123456789), make(12, "PADG", "", 0x43)),
    makes(make(12, "PA", "", 0x43), ("host", 0x43, 0x8123456789), make(13, "PA", "", 0x43)),
    makes(("map", "250:12", 0x2F, "PWUADSGX+3+4+9+10+11+52+57+62"), make(12, "PA", "")),
)

ALLOWED = (
    makes(*(make(12 + n, "PWUAD", rights) for n, rights in enumerate(RIGHTS))),
    makes(*(make(12 + n, "PWAD", rights) for n, rights in enumerate(RIGHTS))),
    makes(*(make(12 + n, "PUAD", rights) for n, rights in enumerate(RIGHTS))),
    makes(*(make(12 + n, "PAD", rights) for n, rights in enumerate(RIGHTS))),
    makes(make(12, "PUAD", "WU", more=FREE), make(13, "PWAD", "W", more=FREE)),
    makes(*(make(12 + n, "PWUADX", rights, mode="pae") for n, rights in enumerate(RIGHTS)), mode="pae"),
    makes(*(make(12 + n, "PWUAD", rights, mode="32") for n, rights in enumerate(RIGHTS)), mode="32"),
    makes(make(12, "PUAD", "U"), make(12, "PWAD", "W")),
    makes(make(12, "PWUAD", "U"), make(13, "PWUAD", "W"), make(14, "PUAD", "WU"), make(15, "PAD", "W"), wp=False),
)

CLEAN = (
    makes(make(12, "PWUA"), make(13, "PWA"), make(14, "PWUA", "W"), make(15, "PWUAG", "WU", 0x41F)),
    makes(make(12, "PWUA", "U"), make(13, "PUA")),
    makes(make(12, "PWUAS", names=0), make(13, "PWUADS", names=0)),
    makes(make(12, "PWUAX", mode="pae"), mode="pae"),
    makes(make(12, "PWUA", mode="32"), make(13, "PWUADG", mode="32"), mode="32"),
    makes(make(12, "PWUA"), wp=False),
    makes(make(12, "PWUD"), make(13, "PWD", "W"), make(14, "PWU")),
)

MAPPED = (
    makes(make(12, "PWUAD"), make(13, "PWUAD"), make(14, "PUAD")),
    makes(make(12, "PWUAD"), make(13, "PWAD", "W", 0x41F), make(14, "PWUAD", frame=FOUR_GB + 1)),
    makes(make(12, "PUA", frame=0x41F), make(13, "PA", "")),
    makes(make(12, "PWUA", "U"), make(3, "PWUAD", "WU", 0x4FF, page=1), tables=(TABLE, 0x21)),
    makes(make(12, "PWUADS", names=0x400, frame=0x4FF)),
    makes(make(12, "PWUAD", mode="32"), make(13, "PWUA", mode="32"), mode="32"),
    makes(make(12, "PWUAD", mode="pae"), make(13, "PWUA", mode="pae"), mode="pae"),
    makes(make(12, "PWUAD"), make(12, "PWUAD", frame=0x2F)),
    makes(make(12, "PWUAD"), make(12, "PWUAD")),
)

WRITTEN = (
    makes(make(12, "PWUAD"), make(13, "PWAD", "W", 0x4FF)),
    makes(make(12, "PWUAD"), make(12, "PWUAD", frame=0x2F)),
    makes(make(12, "PWUA"), make(13, "PUAD"), make(14, "PWUAD", "U"), make(15, "PAD", ""), make(16, "PWUAD", "W", 0x2F)),
    makes(make(12, "PWUADS", names=0x400, frame=0x41F)),
    makes(make(12, "PWUAD", mode="32"), make(13, "PUAD", mode="32", frame=0x2F), mode="32"),
)

TABLES = (
    makes(make(12, "PWUAD", frame=TABLE)),
    makes(make(12, "PWUAD", frame=TABLE), make(13, "PWAD", "WU", TABLE), make(14, "PWUAD", frame=0x50)),
    makes(make(12, "PUAD", frame=TABLE), make(13, "PWUAD", "U", TABLE), make(14, "PWUA", frame=TABLE)),
    makes(make(12, "PAD", "", TABLE), make(13, "PWUAD", frame=TABLE)),
    makes(make(12, "PWUAD", frame=0x1F), make(13, "PWUAD", frame=0x51F), make(14, "PWUAD", frame=0x41F), tables=(0x41F,)),
    makes(make(12, "PWUAD", frame=0x7F), ("zap", 0x7F), make(13, "PWUAD", frame=0x7F), tables=(TABLE, 0x7F)),
    makes(make(12, "PWUAD", frame=0)),
    makes(("shadowed", 0x400, 250), make(12, "PWUAD", frame=0x400 + 249)),
    makes(make(0, "PWUADG", frame=TABLE), make(511, "PWUADX", frame=TABLE), make(12, "PWUAD", frame=FOUR_GB + TABLE)),
    makes(make(12, "PWUAD", frame=0), tables=(0,)),
    makes(("page", 0x7F, 1, 2, 1), make(12, "PWUAD", frame=0x7F)),
    makes(make(12, "PWUAD"), make(12, "PUAD", frame=0x2F), make(12, "PWUAD", frame=TABLE)),
    makes(make(12, "PWUADS", names=0, frame=TABLE), make(13, "PWUADS", names=TABLE, frame=TABLE + 1)),
    makes(make(12, "PWUAD", mode="pae", frame=TABLE), mode="pae"),
    makes(make(12, "PWUAD", mode="32", frame=TABLE), make(13, "PWUAD", mode="32", frame=0x50), mode="32"),
)

NO_MEMORY = (
    makes(make(12, "PWUAD", frame=0x200)),
    makes(make(12, "PWUA", frame=0xFEE00), make(13, "PWUAD", "U", 0xFEE00), make(14, "PAGX", "", 0x3FF)),
    makes(make(12, "PUAD", "U", 0x200), make(13, "PAD", "", 0x200)),
    play(("shadowed", 0x420), make(12, "PWUAD", frame=0), mode="64", root=0x450, slots=((0x400, 0x400),)),
    makes(make(12, "PWUADX", "WU", 0xABCDE12345, more=HIGH | FREE)),
    makes(make(12, "PWUAD", frame=0x200), make(12, "PUAD", frame=0x1F)),
    makes(make(12, "PUAD", frame=0x2F), make(12, "PWUAD", frame=0x200)),
    makes(("map", "250:12", 0x2F, "PUADX+3+4+10+11+57"), make(12, "PA", "", frame=0x200)),
    makes(make(12, "PWUADX", mode="pae", frame=0xE0000), mode="pae"),
    makes(make(12, "PWUAD", mode="32", frame=0xFEE00), make(13, "PUA", mode="32", frame=0x200), mode="32"),
)

PSE36 = (
    makes(make(12, "PWUADGS", mode="32 pse", frame=FOUR_GB + 0x1F, names=2, gfn=0x1F), mode="32 pse"),
    makes(make(12, "PWUADS", mode="32 pse", frame=FOUR_GB + TABLE, names=2, gfn=TABLE), mode="32 pse"),
    makes(make(12, "PWUADS", mode="32 pse", frame=FOUR_GB + 0x21, names=2, gfn=0x21),
          mode="32 pse", tables=(TABLE, FOUR_GB + 0x21)),
    makes(make(12, "PWUADS", mode="32 pse", frame=3 * FOUR_GB + TABLE, names=6, gfn=TABLE), mode="32 pse"),
    makes(make(12, "PWUADS", mode="32 pse", frame=FOUR_GB + 0x81, names=0x202, gfn=0x281), mode="32 pse"),
)  # fmt: skip


@st.composite
def guests(draw):
    """A few page tables and entries of all kinds, each made once."""
    mode = draw(st.sampled_from(["64", "pae", "32", "32 pse"]))
    frames = st.sampled_from([0, 0x1F, 0x1F, TABLE, 0x41F, 0x420, 0x51F, 0x7FF, 0x50, 0x200, 0xFEE00, FOUR_GB + 0x20])
    tables = draw(st.lists(st.sampled_from([0x1F, 0x41F, 0x420]), max_size=2, unique=True))
    steps = [("shadowed", gfn) for gfn in (TABLE, *tables)]
    for index in draw(st.lists(st.integers(0, 511), min_size=1, max_size=8, unique=True)):
        frame, more, names, gfn = draw(frames), 0, None, None
        flags = "P" + "".join(letter for letter in "WUADG" if draw(st.integers(0, 3)))
        if mode == "32 pse" and draw(st.booleans()):
            flags, names, gfn = flags + "S", draw(st.sampled_from([0, 2, 0x400])), frame % FOUR_GB
        elif mode[:2] == "32":
            frame %= FOUR_GB
        else:
            flags += draw(st.sampled_from(["", "X"]))
            more = draw(st.sampled_from([0, HIGH, FREE, HIGH | FREE]))
        rights, page = draw(st.sampled_from([*RIGHTS, "WU", "WU"])), draw(st.integers(0, len(tables)))
        steps.append(make(index, flags, rights, frame, mode, page, more, names, gfn))
    wp, nx = draw(st.booleans()), draw(st.booleans())
    return Scenario(tuple(steps), mode=mode, root=0x50, wp=wp, nx=nx, slots=LOGS)


def mixed(mode, count=30):
    """Entries of all kinds, made one over the other in a few places, so that any two properties meet."""
    pick, narrow = random.Random(mode).choice, mode == "32"
    frames = [0x1F, TABLE, TABLE, 0, 0x41F, 0x200, 0x80001, *[FOUR_GB + 1, FOUR_GB + 0x200, FOUR_GB + TABLE] * (not narrow)]
    bits = [3, 4, 9, 10, 11, *[52, 62] * (not narrow)]
    steps = []
    for _ in range(count):
        flags = "P" + "".join(letter for letter in "WUADGS" if pick([True, True, True, letter in "WUD"]))
        flags += pick(["", "" if narrow else "X"])
        more = sum(1 << bit for bit in bits if pick([True, False]))
        steps.append(make(pick([0, 12, 13, 511]), flags, pick([*RIGHTS, "WU", "WU"]), pick(frames), mode, more=more))
    return makes(*steps, mode=mode, wp=mode != "pae", nx=mode == "64")


SPTE = ("sptes", "door")
STATE = ("result", "sptes", "rmap", "frames", "pages", "dirty", "flushes", "guest", "door")
ENGINE = tuple(look for look in USUAL if look != "order")
NUMBERS = {
    "l64": (0, 2, 4, 6, 8, 10, 13, 15, 17, 19, 21, 23, 24, 26, 28),
    "p32": (0, 2, 4, 6, 8, 10, 13, 15, 17, 19),
    "p32pse": (0, 2, 4, 6, 8, 10, 13, 15, 17, 19),
    "pae": (0, 2, 4, 6, 8, 10, 13, 15, 17, 19, 21, 23, 24),
    "wpmix": (0, 2, 4, 6, 8, 10, 13, 15),
}

EXERCISE = Exercise(
    title="Make a shadow entry",
    about="Make a shadow entry from the guest's entry, and withhold W where the host must notice the first write.",
    part="set_spte",
    defines=("set_spte",),
    rules=(
        Rule("copied", 1, "The entry points to the host's frame and has the guest's P, A, D and G (with 8 bytes, NX too).",
             looks=SPTE, cases=COPIED),
        Rule("rights", 1, "W, U and their marks are set only if both the guest's entry and the levels above it allow it.",
             looks=SPTE, cases=ALLOWED),
        Rule("clean", 1, "While the guest's dirty bit is clear, W is withheld, but its mark is set.", looks=SPTE, cases=CLEAN),
        Rule("mapped", 1, "The entry is passed to the reverse map, and its shadow page records the slot.",
             looks=("sptes", "rmap", "frames", "pages"), cases=MAPPED),
        Rule("written", 1, "A frame that can be written through the entry is marked dirty, and no other frame is.",
             looks=("dirty",), cases=WRITTEN),
        Rule("table", 1, "W is withheld from a page table; in this case only, the TLB is flushed, once.",
             looks=("sptes", "flushes", "dirty"), cases=TABLES),
        Rule("io", 1, "Where the guest has no memory, the entry becomes an I/O entry, and nothing else happens.",
             looks=STATE, cases=NO_MEMORY),
        Rule("pse36", 1, "The gfn decides whether the frame is a page table; gpa decides everything else.",
             looks=("sptes", "rmap", "pages", "dirty", "flushes"), cases=PSE36),
        Rule("random", 1, "All these rules hold for any entries.", looks=STATE, drawn=guests, examples=42,
             cases=tuple(map(mixed, ("64", "pae", "32")))),
        Rule("engine", 1, "The engine works with your function as it does with the kernel's.", looks=ENGINE, engine=(
            Golden("directed", "nx_bit63_without_nxe"),
            Golden("l64", "l6400", 80),
            Golden("p32", "p3202", 60),
            Golden("p32pse", "p32pse02", 80),
            Golden("pae", "pae04", 60),
            Golden("wpmix", "wpmix00", 60),
            Boot("lin64_20k", 1200),
            Boot("linpae_20k", 800),
            Boot("lin32_20k", 800),
        )),
    ),
    full=(
        *(Golden(trace, f"{trace}{number:02}") for trace, numbers in NUMBERS.items() for number in numbers),
        *(Boot(f"{guest}_20k") for guest in ("lin64", "linpae", "lin32")),
    ),
)  # fmt: skip


def test_spte(rule, submission):
    """The submission obeys each rule (see `kvmmmu_lab.check.pytest_plugin`)."""
    submission.obeys(rule)
