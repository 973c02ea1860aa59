# SPDX-License-Identifier: GPL-2.0-only
"""The rules of exercise 01 and their test cases. Run: pytest exercises/01_split"""

from kvmmmu_lab.check import strategies as st
from kvmmmu_lab.exercises import Exercise, Rule, Scenario, play


def splits(mode, *gvas):
    """One call of ``split`` for each address."""
    return play(*(("call", "split", [gva, mode]) for gva in gvas))


def quadrants(level, *gvas):
    """One call of ``quadrant`` for each address."""
    return play(*(("call", "quadrant", [gva, level]) for gva in gvas))


def fields(*sizes):
    """For each field, from bit 0 up: addresses with all its bits set, only its lowest bit set, and only its highest bit set."""
    found, shift = [], 0
    for size in sizes:
        found += [(1 << size) - 1 << shift, 1 << shift, 1 << shift + size - 1]
        shift += size
    return found


@st.composite
def addresses(draw):
    """An address below 2**64; some are canonical. Each field is drawn alone, because a large int often has few bits."""
    gva = draw(st.sampled_from([0, 0, 0xFFFF, 0xFFFF, 1, 0x8000, 0x1234]))
    for bits in (9, 9, 9, 9, 12):
        last = (1 << bits) - 1
        gva = gva << bits | draw(st.one_of(st.sampled_from([0, 1, last // 2, last // 2 + 1, last]), st.integers(0, last)))
    return gva


@st.composite
def calls(draw):
    """Up to 12 calls."""
    steps = []
    for gva in draw(st.lists(addresses(), min_size=1, max_size=4)):
        low = gva & 0x3FFFFFFF | draw(st.integers(0, 3)) << 30
        steps += draw(st.permutations([
            ("call", "split", [gva, "64"]), ("call", "split", [low, "pae"]), ("call", "split", [low, "32"]),
            ("call", "quadrant", [low, 1]), ("call", "quadrant", [low, 2]), ("call", "split", [low, "64"]),
        ]))[:3]  # fmt: skip
    return Scenario(tuple(steps))


WIDE = fields(12, 9, 9, 9, 9)
PAE = fields(12, 9, 9, 2)
NARROW = fields(12, 10, 10)

EXERCISE = Exercise(
    title="Split an address",
    about="Split an address into the index of its entry in each table, in three formats, and find its quadrant.",
    part="split",
    defines=("split", "quadrant"),
    rules=(
        Rule("offset", 1, "The last number is the offset, the lowest 12 bits.", cases=(
            splits("64", 0x123, 0xFFF, 0xABC, 0), splits("pae", 0xFFF, 0x801, 0), splits("32", 0xFFF, 0x400, 0),
        )),
        Rule("64", 2, 'With "64", four indexes of 9 bits come first, beginning with the root.', cases=(
            splits("64", 0x403025000, 0x7FFCF92C8123, *WIDE),
        )),
        Rule("upper", 1, 'With "64", bits 48 to 63 of the address are ignored.', cases=(
            splits("64", 0xFFFF888002345678, 0xFFFFFFFF81000000, 0xFFFFFFFFFFFFFFFF, 0xFFFF800000000000, 0xFFFF000000000001,
                   0xFFFFC90000195FFF, 0x8000000000001000, 0x1000000000000 | 0x7FFFFFFFF000),
        )),
        Rule("pae", 1, 'With "pae", the number of the PDPTE (2 bits) comes first, then two indexes of 9 bits.', cases=(
            splits("pae", 0xC0101000, 0x80000000, 0xFFFFFFFF, 0xBF8A4123, *PAE),
        )),
        Rule("32", 2, 'With "32", two indexes of 10 bits come first.', cases=(
            splits("32", 0xC0101000, 0x80000000, 0xFFFFFFFF, 0xBF8A4123, *NARROW),
            play(*(("call", "split", [0xC0765432, mode]) for mode in ("64", "pae", "32"))),
        )),
        Rule("half", 1, "The lower half of a 32-bit guest's page table is quadrant 0, the upper half is quadrant 1.", cases=(
            quadrants(1, 0x200000, 0x1FF000, 0x3FFFFF, 0x400000, 0xC0200000, 0xC0101000, 0xFFDFFFFF, 0xFFFFFFFF, 0xC0000000),
        )),
        Rule("quarter", 1, "Each quarter of a 32-bit guest's directory is one quadrant, 0 to 3.", cases=(
            quadrants(2, 0x40000000, 0x80000000, 0xC0101000, 0x3FFFFFFF, 0xBF8A4123, 0x7FC00000, 0xFFFFFFFF, 0x20000000),
        )),
        Rule("random", 1, "All these rules hold for any addresses in any order.", drawn=calls, examples=60),
    ),
)  # fmt: skip


def test_split(rule, submission):
    """The submission obeys each rule (see `kvmmmu_lab.check.pytest_plugin`)."""
    submission.obeys(rule)
