# SPDX-License-Identifier: GPL-2.0-only
"""The rules of exercise 07 and their test cases. Run: pytest exercises/07_parents"""

from kvmmmu_lab.check import strategies as st
from kvmmmu_lab.check.observe import USUAL
from kvmmmu_lab.exercises import Boot, Exercise, Golden, Rule, Scenario, play

FEW = ("result", "parents", "first", "pages", "free")
LOOKS = (*(look for look in USUAL if look not in ("order", "flushes")), "first")
PAGE, OTHER = 251, 250  # the first two shadow pages that a new machine without paging takes, apart from its four roots


def new(count=1):
    """Steps that make ``count`` page tables, which are shadowed by #251, #250, ..."""
    return [("shadowed", 0x10 + n) for n in range(count)]


def links(*sptes, page=PAGE):
    """Steps in which entries will point to a page, one after the other."""
    return [("link", page, spte) for spte in sptes]


def unlinks(*sptes, page=PAGE):
    """Steps after which entries no longer point to a page."""
    return [("unlink", page, spte) for spte in sptes]


def row(count, above=255, page=PAGE):
    """A step in which ``count`` consecutive entries of shadow page ``above``, from 1 on, will point to a page."""
    return ("link", page, f"{above}:1", count)


LONG = ("link", PAGE, "253:0", 605)
"""A step in which 605 consecutive entries, of two shadow pages, will point to the page, one after the other."""


def without(count):
    """A step after which the first ``count`` of these entries no longer point to the page."""
    return ("unlink", PAGE, "255:1", count)


ROOT_FREED = (
    {"op": "regs", "cr0": 0x80010001, "cr3": 0x1000, "cr4": 0x20, "efer": 0x501}, {"op": "zap_all"},
    {"op": "cr3", "v": 0x2000}, ("zap", 1),
)  # fmt: skip
"""Steps after which page #255, the first root, is free, so that it can be used for a page table."""


KINDS = (
    ("page", 0, 1, 4), ("page", 0x50, 1, 2, 1), ("page", 0x51, 2, 2, 3), ("page", 0x52, 1, 3), ("page", 0x53, 3, 4),
    ("page", 0x54, 4, 4), ("page", 0x54, 1, 4, 0, "MWU"),
)  # fmt: skip
"""Pages #251 to #245, of all levels and kinds of guests."""


def each_kind(name, spare=0):
    """A step of this name for each of these pages: "link" and "unlink" have two entries, and a "stranger" is another page's."""
    count = (2,) if name != "stranger" else ()
    return [(name, PAGE - n, f"254:{2 * ((n + spare) % len(KINDS))}", *count) for n in range(len(KINDS))]


def shared(*steps):
    """A guest of four levels that reaches one page table (0x13, shadowed by #252) through seven entries of its directory."""
    ways = ((0x12, n, 0x13, "PWU") for n in range(7))
    tables = ((0x10, 0, 0x11, "PWU"), (0x11, 0, 0x12, "PWU"), *ways, (0x13, 0, 0x1F, "PWU"))
    return play(*steps, mode="64", root=0x10, entries=tables)


def reads(*entries):
    """Steps in which the guest reads through these entries of its directory: each then points to the shared page table."""
    return [("access", n << 21, "") for n in entries]


@st.composite
def lives(draw):
    """Up to 40 additions and removals, and pages that are zapped and taken again; no spte is added twice."""
    steps, free, parents, sptes = [], list(range(252)), {}, iter(range(1, 500))
    for gfn in range(0x10, 0x13):
        parents[free.pop()] = (gfn, [])
        steps.append(("shadowed", gfn))
    for _ in range(draw(st.integers(1, 40))):
        page = draw(st.sampled_from(sorted(parents)))
        gfn, held = parents[page]
        what = draw(st.sampled_from(["link"] * 6 + ["unlink"] * 4 + ["zap"]))
        if what == "link":
            spte = f"{draw(st.sampled_from([252, 253, 255]))}:{next(sptes)}"
            held.append(spte)
            steps.append(("link", page, spte))
        elif what == "unlink" and held:
            steps.append(("unlink", page, held.pop(draw(st.integers(0, len(held) - 1)))))
        elif what == "zap" and held:
            held.clear()
            steps += [("zap", gfn), ("shadowed", gfn)]
    return Scenario(tuple(steps))


EXERCISE = Exercise(
    title="The parents of a shadow page",
    about="Record the entries that point to each shadow page, so that the page can be zapped.",
    part="parents",
    defines=("Parents", "Parents.add", "Parents.remove", "Parents.first", "Parents.sptes"),
    rules=(
        Rule("one", 1, "A page's only parent is kept, and `sptes` and `first` return it.", looks=FEW, cases=(
            play(*new(), *links("255:1")),
            play(*new(), *links("254:0")),
            play(*new(), *links("255:1"), *unlinks("255:1"), *links("255:2")),
            play(*new(), *links("255:1"), ("another",), ("back",)),
        )),
        Rule("second", 1, "A second parent is kept in addition to the first.", looks=FEW, cases=(
            play(*new(), *links("255:1", "255:2")),
            play(*new(), *links("254:9", "255:9")),
        )),
        Rule("sixth", 1, "A sixth parent and all later ones are kept, and none is lost.", looks=FEW, cases=(
            play(*new(), row(5), *links("255:6")),
            play(*new(), row(10), *links("255:11", "255:12")),
            play(*new(), row(20), row(50, 254), *links("255:40")),
            play(*new(), LONG),
            play(*new(), ("link", PAGE, "253:0", 1100), *unlinks("253:0", "255:75")),
        )),
        Rule("remove", 2, "Any parent can be removed, in any order, and the others stay.", looks=FEW, cases=(
            play(*new(), *links("255:1", "255:2"), *unlinks("255:1")),
            play(*new(), *links("255:1", "255:2"), *unlinks("255:2")),
            play(*new(), row(3), *unlinks("255:2", "255:1", "255:3")),
            play(*new(), row(7), *unlinks("255:3"), *links("254:3")),
            play(*KINDS, *each_kind("link"), *unlinks("254:1"), *unlinks("254:13", page=245)),
            play(*KINDS, *each_kind("link"), *each_kind("unlink")),
            play(*new(), row(6), *unlinks("255:6", "255:1")),
            play(*new(), row(6), without(5)),
            play(*new(), row(12), ("unlink", PAGE, "255:11", 2), without(5), ("unlink", PAGE, "255:6", 5)),
            play(*new(), row(3), without(3), *links("255:1"), *unlinks("255:1"), row(2)),
            *(play(*new(), LONG, ("unlink", PAGE, "253:0", 605, order), row(7)) for order in ("first", "last", "middle")),
            play(*new(), LONG, ("unlink", PAGE, "253:100", 400), ("link", PAGE, "253:100", 400),
                 ("unlink", PAGE, "253:0", 605, "last")),
        )),
        Rule("apart", 1, "Each page has its own parents, however similar pages and entries are.", looks=FEW, cases=(
            play(*new(2), *links("255:1"), *links("255:2", page=OTHER)),
            play(*new(2), *links("255:1"), *links("254:1", page=OTHER), *unlinks("255:1")),
            play(("shadowed", 0x10), ("shadowed", 0x10), *links("255:1"), *links("255:2", page=OTHER)),
            play(*new(2), row(6), row(6, 254, OTHER), without(6)),
            play(*new(), *links("255:1", "254:1"), *unlinks("254:1")),
            play(("shadowed", 0x10, 129), *links("255:1"), *links("255:2", page=PAGE - 128)),
            play(("shadowed", 0x10, 252), *links("255:1", page=0), *links("254:1")),
            play(("shadowed", 0x10, 252), *links("255:1", "255:2", page=0), *links("254:1", "254:2")),
            *(play(*new(), *links("255:1", f"{255 - near}:1")) for near in (16, 32, 64, 128)),
            play(*new(2), *links("250:1", "255:7"), *links("251:1", "254:7", page=OTHER), *unlinks("251:1", page=OTHER)),
            play(*new(), *links("251:1", "255:1")),
            play(*new(2), *links("255:1"), *unlinks("255:1"), *links("255:1", page=OTHER)),
            play(*ROOT_FREED, ("shadowed", 0x10, 255), ("parents", 21)),
            play(*(("page", 0x10 + level, level, 4) for level in (2, 3, 4)), *links("255:1", "255:2", page=OTHER),
                 *links("255:3", page=OTHER - 1), *links("255:4", "255:5", page=OTHER - 2), *unlinks("255:4", page=OTHER - 2),
                 mode="64", root=0x50),
            play(("page", 0x400, 1, 4, 0, "MWU"), ("page", 0x400, 1, 4), *links("255:1", "255:2"),
                 *links("254:1", page=OTHER), *unlinks("255:1"), ("stranger", PAGE, "254:1")),
            play(*(("page", 0x10, 1, 2, quadrant) for quadrant in (0, 1)), *links("255:1"), *links("255:2", page=OTHER)),
        )),
        Rule("stranger", 1, "If an entry is not a parent of the page, `remove` raises an exception and changes nothing.",
             looks=FEW, cases=(
            play(*new(), *links("255:1"), *unlinks("255:2")),
            play(*new(), *links("255:2"), *unlinks("255:1")),
            play(*new(2), *links("255:1"), *links("255:2", page=OTHER), *unlinks("255:2")),
            play(*new(2), *links("255:1"), *links("255:2", page=OTHER), *unlinks("255:1", page=OTHER)),
            play(*new(), row(7), *unlinks("254:1")),
            play(*new(), *unlinks("255:1")),
            play(*new(), row(3), ("stranger", PAGE, "254:1")),
            play(*new(), row(7), ("stranger", PAGE, "254:1"), *links("254:1")),
            play(*new(2), row(2), ("stranger", OTHER, "255:1")),
            play(*new(), row(2), ("stranger", PAGE, "251:1")),
            play(*KINDS, *each_kind("link"), *each_kind("stranger", 1)),
            play(*new(), *links("255:1"), ("stranger", PAGE, "0:0"), ("stranger", 0, "255:1"), ("stranger", 255, "255:1")),
            play(*new(), *links("255:1"), *unlinks("255:1", "255:1")),
            play(*new(2), *links("255:99", page=OTHER), ("link", PAGE, "253:0", 1100, "255:99"), ("unlink", PAGE, "253:0", 99)),
            play(*new(), ("link", PAGE, "253:0", 605, "255:8"), ("unlink", PAGE, "253:0", 605)),
        )),
        Rule("again", 1, "A page that is zapped loses all parents, and has none when it is used again.",
             looks=LOOKS, cases=(
            play(*new(), *links("255:1"), ("zap", 0x10), ("shadowed", 0x20), *links("255:2")),
            play(*new(), row(3), ("zap", 0x10), ("shadowed", 0x20), *links("254:1", "254:2")),
            play(*new(), row(12), ("zap", 0x10), ("shadowed", 0x10), *links("255:1")),
            shared(*reads(0, 1, 2), ("zap", 0x13), *reads(1)),
            shared(*reads(*range(7)), ("zap", 0x13), *reads(0, 6), ("zap", 0x12), *reads(0)),
        )),
        Rule("random", 1, "All these rules hold for any pages and entries in any order.", drawn=lives, examples=40, looks=FEW),
        Rule("engine", 1, "The engine works with your class as it does with the kernel's.", looks=LOOKS, engine=(
            Golden("rmap", "rmap02"),
            Golden("l64", "l6421", 120),
            Golden("pae", "pae13"),
            Golden("p32", "p3208", 80),
            Golden("nonpaging", "np02", 60),
            Golden("switch", "switch00", 60),
            Boot("lin32_20k", 2000),
        )),
        Rule("form", 2, "The parents have the kernel's form: one directly, several in chains of five.", looks=("chains",),
             extra=True, cases=(
            play(*new(), *links("255:1")),
            play(*new(), *links("255:1", "255:2")),
            play(*new(), row(5), *links("255:6")),
            play(*new(), row(13)),
            play(*new(), row(7), *unlinks("255:2"), *links("254:1", "254:2")),
            play(*new(), row(10), *unlinks("255:2"), *links("254:1", "254:2")),
            play(*new(), row(5), *unlinks("255:2", "255:1")),
            play(*new(), row(3), *unlinks("255:2", "255:3", "255:1"), *links("254:1")),
            play(*new(), row(6), without(5), *links("255:1")),
            play(*new(2), row(2), row(11, 254, OTHER), *unlinks("254:11", page=OTHER), ("zap", 0x11)),
        )),
    ),
    full=(
        *(Golden("rmap", f"rmap{n:02}") for n in (0, 2, 4, 6, 8, 10, 13)),
        *(Golden("pool", f"pool{n:02}") for n in (0, 2, 4, 6, 8)),
        *(Golden("hostile", f"hostile{n:02}") for n in (0, 2, 4, 6, 8)),
        *(Golden("l64", f"l64{n:02}") for n in (0, 6, 8, 15, 28)),
        *(Golden("wpmix", f"wpmix{n:02}") for n in (0, 2, 4, 6)),
        Boot("lin32_20k"), Boot("lin64_20k"), Boot("linpae_20k"),
    ),
)  # fmt: skip


def test_parents(rule, submission):
    """The submission obeys each rule (see `kvmmmu_lab.check.pytest_plugin`)."""
    submission.obeys(rule)
