# SPDX-License-Identifier: GPL-2.0-only
"""The rules of exercise 02 and their test cases. Run: pytest exercises/02_walk"""

from kvmmmu_lab.check import strategies as st
from kvmmmu_lab.exercises import Boot, Exercise, Golden, Rule, Scenario, play

WIDE, NARROW = 9, 10
LOGS = ((0, 0x100, True), (0x400, 0x400, True))
HIGH = ((0, 0x100), (0x80000, 0x100), (0xFFF00, 0x200), (0xABCDE12300, 0x100))
"""Memory slots of a guest whose tables can be above 2 GiB, and above 4 GiB unless it is a 32-bit guest."""
OUTSIDE = 0x200
RESULT = ("result",)
TRACES = ("result", "guest", "dirty", "door", "mmu")


def gva(*indexes, bits=WIDE, offset=0x123):
    """The address that these indexes select, root first."""
    address = 0
    for index in indexes:
        address = address << bits | index
    address = address << 12 | offset
    return address | 0xFFFF << 48 if bits == WIDE and address >> 47 == 1 else address


def chain(*flags, tables=(1, 2, 3, 4), indexes=(5, 6, 7, 8), frame=0x1F):
    """The entries of one path with these flags, root first; the last points to ``frame``. A table outside memory gets no
    entry."""
    targets = (*tables[1:], frame)
    found = zip(tables, indexes, targets, flags, strict=False)
    return tuple(each for each in found if each[0] < 0x100 or 0x400 <= each[0] < 0x800)


def wide(*flags, **more):
    """A 64-bit guest with one path: entries with these flags."""
    machine = {name: more.pop(name) for name in ("wp", "nx", "slots", "note") if name in more}
    entries = chain(*flags, **more)
    return {"mode": "64", "root": entries[0][0], "entries": entries, **machine}


def pae(top, *flags, **more):
    """A PAE guest with one path: PDPTE 3 with flags ``top``, then entries with these flags."""
    machine = {name: more.pop(name) for name in ("wp", "nx", "slots") if name in more}
    entries = chain(top, *flags, **{"tables": (1, 2, 3), "indexes": (3, 7, 8), **more})
    return {"mode": "pae", "root": 1, "entries": entries, **machine}


def narrow(*flags, mode="32", **more):
    """A 32-bit guest with one path: entries with these flags."""
    machine = {name: more.pop(name) for name in ("wp", "nx", "slots") if name in more}
    entries = chain(*flags, **{"tables": (1, 2), "indexes": (768, 901), **more})
    return {"mode": mode, "root": 1, "entries": entries, **machine}


G64, GPAE, G32 = gva(5, 6, 7, 8), gva(3, 7, 8), gva(768, 901, bits=NARROW)
ALL, FULL = "PWUA", ("PWUA",) * 4
KINDS = ("", "w", "u", "wu", "x", "xu")
SELF = ((1, 9, 1, "PWU"),)


def walks(machine, address, *kinds):
    """A machine on which one address is walked once for each kind of access."""
    return play(*(("walk", address, kind) for kind in kinds), **machine)


def high(mode, address, tables):
    """A machine with a lot of memory on which one address is walked; its path leads through these tables."""
    indexes = {"64": (5, 6, 7, 8), "pae": (3, 7, 8), "32": (768, 901)}[mode]
    flags = ("P" if mode == "pae" else ALL, *(ALL,) * (len(tables) - 1))
    entries = tuple(zip(tables, indexes, (*tables[1:], 0x1F), flags, strict=True))
    return play(("walk", address, "wu"), mode=mode, root=tables[0], entries=entries, slots=HIGH)


def at(level, flags, count=4, other=ALL):
    """Flags for ``count`` levels: ``flags`` at this level, and ``other`` at the others."""
    return tuple(flags if count - n == level else other for n in range(count))


def entry(table, index, size=8):
    """The gpa of an entry."""
    return (table << 12) + index * size


def registers(**values):
    """A step that sets control registers, with bits that the walk must ignore."""
    return {"op": "regs", "cr0": 0x80010001, "cr3": 0x1000, "efer": 0, **values}


MORE_MEMORY = {"op": "set_slot", "slot": 2, "base": 0x1000, "npages": 0x800, "log": 0}
"""A step that adds so much memory that ``vm.memory.words`` and ``halves`` are replaced."""

FLAGS = ["PWUA", "PWU", "PWU", "PW", "PU", "PUA", "P", "PWUX", "PUX", "PWUS", "PS", "WU", "", "PWUAG", "PUD"]


@st.composite
def machines(draw):
    """A few tables that point anywhere, also to each other and outside memory, and walks through them."""
    mode = draw(st.sampled_from(["64", "pae", "32", "32 pse"]))
    bits, size = (NARROW, 4) if mode.startswith("32") else (WIDE, 8)
    indexes = st.sampled_from([3, (1 << bits) - 12])
    tables = [1, 2, 3, 0x41F]
    frames = st.sampled_from([*tables, *tables, 0x1F, 0x5A7, OUTSIDE, 0xFFFFF, 0xFFFFF if size == 4 else (1 << 40) - 2])
    flags = st.sampled_from([letters.replace("X", "") for letters in FLAGS] if size == 4 else FLAGS)
    entries = [(table, index, draw(frames), draw(flags)) for table in tables for index in (3, (1 << bits) - 12)]
    root = 1
    if mode == "pae":
        root = 0x50
        entries += [(root, n, draw(st.sampled_from(tables)), draw(st.sampled_from(["P", "P", "PWUA", ""]))) for n in range(4)]
    levels = {"64": 4, "pae": 2}.get(mode, 2)
    steps = []
    for _ in range(draw(st.integers(1, 8))):
        top = [draw(st.integers(0, 3))] if mode == "pae" else []
        address = gva(*top, *(draw(indexes) for _ in range(levels)), bits=bits, offset=draw(st.integers(0, 4095)))
        if draw(st.integers(0, 5)) == 0:
            letters = {"P": 1, "W": 2, "U": 4}
            value = draw(frames) << 12 | sum(letters.get(letter, 0) for letter in draw(st.sampled_from(FLAGS)))
            steps.append(("poke", entry(draw(st.sampled_from(tables)), draw(indexes), size), size, value))
        steps.append(("walk", address, draw(st.sampled_from(KINDS))))
    wp, nx = draw(st.booleans()), draw(st.booleans())
    return Scenario(tuple(steps), mode=mode, root=root, entries=tuple(entries), wp=wp, nx=nx, slots=LOGS)


WAY = (
    walks(wide(*FULL), G64, "", "wu"),
    walks(wide(*FULL, indexes=(511, 510, 3, 4)), gva(511, 510, 3, 4), ""),
    walks(wide(*FULL, indexes=(256, 0, 511, 511), frame=0xABCDE12345), gva(256, 0, 511, 511, offset=0xFFF), "w"),
    play(("walk", gva(9, 9, 9, 9), ""), mode="64", root=1, entries=SELF, note="a root that points to itself"),
    play(("walk", G64, ""), mode="64", root=1, entries=(*chain(*FULL)[:3], (4, 8, 0x7FF << 40 | 0x1F, "PWUAX"))),
    play(("walk", G64, ""), mode="64", root=1, entries=((1, 5, 0x7FF << 40 | 2, "PWUAX"), *chain(*FULL)[1:])),
    play(("poke", entry(2, 6), 8, 0x3E3F), ("poke", entry(4, 8), 8, 0x1FEFF), ("walk", G64, "u"), **wide(*FULL)),
    play(("walk", G64, ""), ("poke", entry(4, 8), 8, 0x20067), ("walk", G64, ""), **wide(*FULL)),
    play(("walk", G64, ""), ("poke", entry(3, 7), 8, 0x5067), ("walk", G64, ""), **wide(*FULL)),
    play({"op": "cr3", "v": 0x1018}, ("walk", G64, ""), **wide(*FULL)),
    walks(wide(*FULL, tables=(1, 0x402, 3, 0x4FF), frame=OUTSIDE), G64, "w"),
    walks(wide(*FULL, tables=(0, 2, 3, 4)), G64, ""),
    walks(wide(*FULL, tables=(1, 2, 0, 4), frame=0), G64, "wu"),
    play(("walk", G64, ""), ("alias", 3, 1, 0x403), ("poke", entry(3, 7), 8, 0x5067), ("poke", entry(5, 8), 8, 0x2F067),
         ("walk", G64, ""), **wide(*FULL), note="gfn 3 becomes another frame"),
    play(("walk", G64, ""), MORE_MEMORY, ("poke", entry(4, 8), 8, 0x20067), ("walk", G64, ""), **wide(*FULL)),
    play(("alias", 0x300, 0x10, 0), ("poke", entry(3, 7), 8, 0x304067), ("walk", G64, "u"), **wide(*FULL)),
    play(("alias", 0x300, 0x10, 0), ("walk", G64, "u"), **wide(*FULL, frame=0x30F)),
    play(("walk", G64, ""), ("another",), ("alias", 2, 1, 0x402), registers(cr4=0x20, efer=0x501), *(
        ("poke", entry(table, index), 8, gfn << 12 | 0x27) for table, index, gfn, _ in chain(*FULL)
    ), ("walk", G64, ""), **wide(*FULL, slots=LOGS), note="two machines in which gfn 2 is not the same frame"),
    *(high("64", G64, tables) for tables in ((0x100001, 2, 3, 4), (0xABCDE12345, 2, 3, 4), (1, 2, 0x100003, 0xABCDE12345))),
)  # fmt: skip

MODES = (
    walks(pae("P", ALL, ALL), GPAE, "", "wu"),
    walks(pae("P", ALL, ALL, indexes=(0, 511, 510)), gva(0, 511, 510), "", "u"),
    play(("walk", GPAE, ""), ("walk", gva(1, 7, 8), ""), mode="pae", root=1, entries=(
        *chain("P", ALL, ALL, tables=(1, 2, 3), indexes=(3, 7, 8)), (1, 1, 5, "P"), (5, 7, 6, ALL), (6, 8, 0x2F, ALL),
    )),
    play(("poke", entry(1, 3), 8, 0), ("walk", GPAE, ""), **pae("P", ALL, ALL)),
    play(("walk", GPAE, "wu"), mode="pae", root=1, entries=(
        (1, 3, 2, "P"), (2, 7, 0x7FF << 40 | 3, ALL), (3, 8, 0x7FF << 40 | 0xABCDE12345, "PWUAX"),
    )),
    play(("pdpte", 3, 0x7FF << 52 | 0x2001), ("walk", GPAE, ""), **pae("P", ALL, ALL)),
    play(("pdpte", 3, 1 << 63 | 0x2001), ("walk", GPAE, "x"), **pae("P", ALL, ALL)),
    play(("walk", GPAE, ""), ("pdpte", 3, 0x4001), ("poke", entry(4, 7), 8, 0x3067), ("walk", GPAE, ""), **pae("P", ALL, ALL)),
    walks(pae("P", ALL, ALL, indexes=(3, 511, 511)), gva(3, 511, 511, offset=0xFFF), ""),
    walks(narrow(ALL, ALL), G32, "", "wu"),
    walks(narrow(ALL, ALL, indexes=(1023, 512)), gva(1023, 512, bits=NARROW), ""),
    walks(narrow(ALL, ALL, tables=(1, 0), frame=0), G32, "w"),
    play(("walk", G32, ""), MORE_MEMORY, ("poke", entry(2, 901, 4), 4, 0x20067), ("walk", G32, ""), **narrow(ALL, ALL)),
    walks(narrow(ALL, ALL, indexes=(2, 5), frame=0xFFFFF), gva(2, 5, bits=NARROW, offset=0xFFF), "w"),
    play({"op": "cr3", "v": 0x1018}, ("walk", G32, ""), **narrow(ALL, ALL)),
    play(registers(cr3=0x700001000, cr4=0), ("walk", G32, ""), **narrow(ALL, ALL)),
    play(registers(cr3=0xFFF << 52 | 0x1000, cr4=0x20, efer=0x501), ("walk", G64, ""), **wide(*FULL)),
    *(high("32", G32, tables) for tables in ((0x80001, 2), (0xFFFFF, 2), (1, 0x80001), (1, 0xFFFFF))),
    *(high("pae", GPAE, (1, *tables)) for tables in ((0x100002, 3), (0xABCDE12345, 3), (2, 0x100003), (2, 0xABCDE12345))),
)  # fmt: skip

ABSENT = (
    *(walks(wide(*at(level, "WUA")), G64, *KINDS[:4]) for level in (1, 2, 3, 4)),
    *(walks(wide(*at(level, "WUADSGX")), G64, "") for level in (1, 2, 3, 4)),
    walks(narrow("WUADSG", ALL, mode="32 pse"), G32, ""),
    walks(wide(*at(1, "")), G64, "xu"),
    walks(wide(*at(3, ""), nx=False), G64, "x"),
    walks(wide(*FULL, tables=(1, 2, OUTSIDE, 4)), G64, "", "wu"),
    walks(wide(*FULL, tables=(1, 2, 3, 0xFFFFFFFFFF)), G64, "w"),
    walks(pae("", ALL, ALL), GPAE, "", "wu", "x"),
    walks(pae("P", ALL, ALL), gva(0, 7, 8), "u"),
    walks(pae("P", ALL, "A"), GPAE, "w"),
    walks(pae("P", ALL, ALL, tables=(1, 2, OUTSIDE)), GPAE, ""),
    walks(narrow("", ALL), G32, "", "xu"),
    walks(narrow(ALL, "WUA"), G32, "wu"),
    walks(narrow(ALL, ALL, tables=(1, 0xFFFFF)), G32, "u"),
)

REFUSED = (
    *(walks(wide(*at(level, "PUA")), G64, "wu", "w", "u") for level in (1, 2, 3, 4)),
    *(walks(wide(*at(level, "PUA"), wp=False), G64, "w", "wu") for level in (1, 3)),
    *(walks(wide(*at(level, "PWA")), G64, "u", "wu", "w", "") for level in (1, 2, 3, 4)),
    *(walks(wide(*at(level, "PWUAX")), G64, "x", "xu", "wu", "") for level in (1, 2, 3, 4)),
    walks(wide(*at(1, "PWUAX"), nx=False), G64, "x", "xu"),
    walks(wide(*at(2, "PWAX"), nx=False), G64, "x", "xu"),
    play(registers(cr4=0x20, efer=0x501), ("walk", G64, "x"), **wide(*at(1, "PWUAX"))),
    play(("walk", G64, "x"), registers(cr4=0x20, efer=0xD01), ("walk", G64, "x"), **wide(*at(1, "PWUAX"), nx=False)),
    play(("walk", G64, "w"), registers(cr4=0x20, cr0=0x80000001, efer=0x501), ("walk", G64, "w"), **wide(*at(1, "PUA"))),
    walks(wide(*FULL), G64, "x", "xu"),
    walks(wide(ALL, "PWA", ALL, ""), G64, "u", ""),
    walks(wide("PUA", ALL, "", ALL), G64, "w"),
    walks(wide(*("PA",) * 4, wp=False), G64, "w", "wu", "u", "x"),
    walks(pae("P", *at(1, "PUAX", 2)), GPAE, "x", "xu", "wu", "u"),
    walks(pae("P", *at(2, "PWAX", 2)), GPAE, "xu", "u", "w"),
    walks(pae("P", *at(2, "PWUAX", 2)), GPAE, "x", "xu"),
    walks(pae("P", *at(1, "PWA", 2)), GPAE, "u"),
    walks(pae("P", *at(2, "PUA", 2), wp=False), GPAE, "w", "wu"),
    walks(pae("P", *at(1, "PUAX", 2), nx=False), GPAE, "x"),
    walks(narrow("PUA", ALL), G32, "w", "wu", "x"),
    walks(narrow("PWA", ALL), G32, "u", "w"),
    walks(narrow(ALL, "PWA", frame=0xFFFFF), G32, "xu", "x", "u"),
    walks(narrow(ALL, "PUA", wp=False), G32, "w", "wu"),
)

LARGE = (
    walks(wide(*at(2, "PWUAS")), G64, "", "wu"),
    walks(wide(ALL, ALL, "PWUAS", tables=(1, 2, 3, 0x600), indexes=(5, 6, 7, 511)), gva(5, 6, 7, 511), ""),
    walks(wide(ALL, ALL, "PWUAS", tables=(1, 2, 3, 0x7FF)), G64, ""),
    walks(wide(ALL, ALL, "PWUAS", tables=(1, 2, 3, 0xABCDE12345)), G64, "u"),
    walks(wide(ALL, "PWUAS", ALL, ALL), G64, ""),
    walks(wide("PWUAS", ALL, ALL, ALL), G64, ""),
    walks(wide(ALL, ALL, ALL, "PWUAS"), G64, ""),
    walks(pae("P", "PWUAS", tables=(1, 2, 0x655), indexes=(3, 7)), GPAE, "w"),
    walks(pae("P", ALL, "PWUAS"), GPAE, "u"),
    walks(narrow("PWUAS", mode="32 pse", tables=(1, 0x400)), G32, "", "wu"),
    walks(narrow("PWUAS", mode="32 pse", tables=(1, 0x7FF)), gva(768, 1023, bits=NARROW), ""),
    walks(narrow("PWUAS", mode="32 pse", tables=(1, 0x41E)), G32, "u"),
    walks(narrow("PWUAS", ALL), G32, "", "w"),
    play(registers(cr4=0x7CF), ("walk", G32, ""), **narrow("PWUAS", ALL)),
    play(("walk", G32, ""), registers(cr4=0x10), ("walk", G32, ""), **narrow("PWUAS", ALL)),
    walks(narrow(ALL, "PWUAS", mode="32 pse"), G32, ""),
    walks(wide(ALL, "PUA", "PAS"), G64, ""),
    walks(pae("P", "PAS"), GPAE, ""),
    walks(narrow("PAS", mode="32 pse"), G32, ""),
    walks(wide(*at(2, "PWUASX")), G64, "x"),
    walks(wide(*at(2, "PUAS")), G64, "w", "u"),
    walks(wide(*at(2, "PWAS")), G64, "u", "w"),
    walks(narrow("PWUAS", mode="32 pse", tables=(1, 0x7FF)), gva(768, 5, bits=NARROW), ""),
    walks(narrow("PWAS", mode="32 pse"), G32, "u", "w"),
    walks(narrow("PUAS", mode="32 pse"), G32, "w", "u"),
    walks(pae("P", "PWAS"), GPAE, "u", "w"),
    walks(pae("P", "PUAS"), GPAE, "w", "u"),
    walks(pae("P", "PWUASX"), GPAE, "x", "w"),
)

PATH = (
    *(walks(wide(*at(level, flags)), G64, "") for level in (4, 3, 2) for flags in ("PUA", "PWA", "PA")),
    *(walks(wide(*at(1, flags)), G64, "") for flags in ("PUA", "PWA", "PA")),
    walks(wide("PUA", "PWA", ALL, ALL), G64, ""),
    walks(pae("P", "PUA", ALL), GPAE, "u"),
    *(play(("pdpte", 3, 0x2001 | flags), ("walk", GPAE, "wu"), **pae("P", ALL, ALL)) for flags in (2, 4, 0x24)),
    walks(narrow("PWA", ALL), G32, "w"),
    walks(narrow(ALL, "PA"), G32, ""),
)

ACCESSED = (
    walks(wide(*("PWU",) * 4, slots=LOGS), G64, "", ""),
    walks(wide(*("PWU",) * 4, tables=(1, 0x402, 3, 0x4FF), slots=LOGS), G64, "wu"),
    walks(wide(*FULL, slots=LOGS), G64, "wu"),
    walks(wide("PWU", ALL, ALL, "PWU", slots=LOGS), G64, ""),
    walks(wide(*("PWUD",) * 4, slots=LOGS), G64, "w"),
    walks(wide(*at(1, "PU", other="PWU"), frame=OUTSIDE, slots=LOGS), G64, "u"),
    play(("alias", 0x300, 0x10, 0), ("poke", entry(3, 7), 8, 0x304007), ("walk", G64, "w"), **wide(*("PWU",) * 4, slots=LOGS),
         note="the last table is reached under its second gfn, which is in no log"),
    walks(wide("PUA", "PWUA", "PWUA", "PWU", slots=LOGS), G64, ""),
    walks(wide("PWU", "PWU", "PW", "PWU", slots=LOGS), G64, "u"),
    walks(wide("PWU", "PWU", "PWU", "PWUX", slots=LOGS), G64, "x"),
    walks(wide("PWU", "PU", "PWU", "PWU", slots=LOGS), G64, "w"),
    walks(wide("PWU", "PWU", "WU", "PWU", slots=LOGS), G64, ""),
    walks(wide("PWU", "PWU", "PWU", "PWU", tables=(1, 2, 3, OUTSIDE), slots=LOGS), G64, ""),
    play(("poke", entry(4, 8), 8, 0x7FF000000001FE9F), ("walk", G64, ""), **wide(*("PWUXG",) * 4, slots=LOGS)),
    walks(wide("PWU", "PWU", "PWUS", tables=(1, 2, 3, 0x633), slots=LOGS), G64, "w"),
    walks(pae("P", "PWU", "PWU", slots=LOGS), GPAE, "u"),
    walks(pae("", "PWU", "PWU", slots=LOGS), GPAE, ""),
    play(("walk", G32, "w"), mode="32", root=1, slots=LOGS, entries=(
        (1, 767, 7, "PU"), (1, 768, 2, "PWU"), (1, 769, 9, "PU"), (2, 900, 8, "P"), (2, 901, 0x1F, "PWU"), (2, 902, 9, "PW"),
    )),
    walks(narrow("PWU", "PW", slots=LOGS), G32, "u"),
    walks(narrow("PWUS", mode="32 pse", slots=LOGS), G32, "w"),
    walks(narrow("PWUS", mode="32 pse", indexes=(769, 901), slots=LOGS), gva(769, 901, bits=NARROW), ""),
    walks(pae("P", "PWUS", slots=LOGS), GPAE, "w"),
    play(("walk", gva(9, 9, 9, 9), "w"), mode="64", root=1, entries=SELF, slots=LOGS),
    play(("walk", gva(9, 10, 9, 11), "w"), mode="64", root=1, slots=LOGS,
         entries=(*SELF, (1, 10, 1, "PWU"), (1, 11, 0x1F, "PWU"))),
)  # fmt: skip

NUMBERS = {
    "l64": (0, 2, 4, 6, 8, 10, 13, 15, 17, 19, 21, 23, 24, 26, 28),
    "p32": (0, 2, 4, 6, 8, 10, 13, 15, 17, 19),
    "p32pse": (0, 2, 4, 6, 8, 10, 13, 15, 17, 19),
    "pae": (0, 2, 4, 6, 8, 10, 13, 15, 17, 19, 21, 23, 24),
    "wpmix": (0, 2, 4, 6, 8, 10, 13, 15),
}

EXERCISE = Exercise(
    title="Walk the guest's tables",
    about="Walk the guest's page tables for one access: check each entry, set accessed bits, and say where it ended.",
    part="walk",
    defines=("walk",),
    rules=(
        Rule("way", 1, "In a 64-bit guest, the walk goes through four tables and finds the frame.", looks=RESULT, cases=WAY),
        Rule("modes", 1, "In PAE and 32-bit guests, the walk begins at the right table and reads their entry format.",
             looks=RESULT, cases=MODES),
        Rule("path", 1, "The rights are those of all entries above the last one, ANDed.", looks=RESULT, cases=PATH),
        Rule("absent", 1, "The walk ends at an entry that is not present, with its level and the right error code.",
             looks=RESULT, cases=ABSENT),
        Rule("refused", 2, "The walk ends at the first entry that does not allow the access, with the right error code.",
             looks=RESULT, cases=REFUSED),
        Rule("large", 1, "A large page ends the walk at level 2; the gfn is the 4 KiB frame that contains gva.",
             looks=RESULT, cases=LARGE),
        Rule("accessed", 1, "Each entry on the path gets its accessed bit, and a table that changes is marked dirty.",
             looks=TRACES, cases=ACCESSED),
        Rule("random", 1, "All these rules hold for any tables and any accesses.", looks=TRACES, drawn=machines, examples=50),
        Rule("engine", 1, "The engine works with your walk as it does with the kernel's.", engine=(
            Golden("l64", "l6400", 80),
            Golden("p32", "p3202", 60),
            Golden("p32pse", "p32pse02", 60),
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


def test_walk(rule, submission):
    """The submission obeys each rule (see `kvmmmu_lab.check.pytest_plugin`)."""
    submission.obeys(rule)
