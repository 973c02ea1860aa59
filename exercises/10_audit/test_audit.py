# SPDX-License-Identifier: GPL-2.0-only
"""The rules of exercise 10 and their test cases. Run: pytest exercises/10_audit"""

from kvmmmu_lab.check import strategies as st
from kvmmmu_lab.exercises import Boot, Exercise, Golden, Rule, Scenario, play

LOOK = (("audit",),)

PAGES = ("PWUAD", "PWUAD", "PUA", "PWUA", "PWADG")
"""Flags of a guest's pages 0, 1, ...: two writable ones, a read-only one, one that was never written, one of the kernel."""


def leaves(table, rights=PAGES):
    """The entries of a page table: frames 0x20, 0x21, ...; entries 8 and 9 are the guest's own tables 0x12 and 0x10, and
    entry 10 is a frame without memory."""
    own = ((table, 8, 0x12, "PWUAD"), (table, 9, 0x10, "PWUAD"), (table, 10, 0x900, "PWUAD"))
    return (*((table, n, 0x20 + n, flags) for n, flags in enumerate(rights)), *own)


NX_PAGES = ("PWUAD", "PWUADX", "PUAX", "PWUA", "PWADGX")
GUESTS = {
    "none": {},
    "32": {"root": 0x10, "entries": (
        (0x10, 0, 0x12, "PWU"), (0x10, 1023, 0x15, "PWU"), (0x10, 0x301, 0x12, "PWU"),
        *leaves(0x12), (0x12, 600, 0x2A, "PWUAD"), (0x15, 1023, 0x2F, "PWUAD"),
    )},
    "pae": {"root": 0x10, "entries": (
        (0x10, 0, 0x11, "P"), (0x10, 1, 0x18, "P"), (0x10, 3, 0x14, "P"), (0x11, 0, 0x12, "PWU"), (0x18, 5, 0x12, "PWU"),
        (0x14, 511, 0x15, "PWU"), (0x11, 2, 0x400, "PWUADS"), *leaves(0x12, NX_PAGES), (0x15, 511, 0x2F, "PWUADX"),
    )},
    "64": {"root": 0x10, "entries": (
        (0x10, 0, 0x11, "PWU"), (0x11, 0, 0x13, "PWU"), (0x13, 0, 0x12, "PWU"), (0x13, 1, 0x12, "PWU"),
        (0x13, 2, 0x400, "PWUADS"), (0x10, 255, 0x14, "PWU"), (0x10, 256, 0x11, "PWU"), (0x10, 511, 0x14, "PWU"),
        (0x14, 511, 0x15, "PWU"), (0x15, 511, 0x16, "PWU"), (0x16, 511, 0x2F, "PWUADX"), *leaves(0x12, NX_PAGES),
    )},
}  # fmt: skip
"""For each mode, a guest with a page table 0x12 (reached in more than one way), one more table for the last page of the
address space, and a large page."""
ROOT_IN_FRAME_0 = (
    (0, 0, 0x11, "PWU"), (0x11, 0, 0x13, "PWU"), (0x13, 0, 0x12, "PWU"), (0x12, 0, 0x20, "PWUAD"), (0x12, 8, 0, "PWUAD"),
)  # fmt: skip
"""A guest in which entry 8 of the page table is the root. Shadow pages made before paging was turned on have its gfn, too."""
GUESTS["32 pse"] = GUESTS["32"] | {"entries": (*GUESTS["32"]["entries"], (0x10, 1, 0x400, "PWUADS"))}

LARGE = {"32 pse": 0x400000, "pae": 0x400000, "64": 0x400000}
HIGH = {"none": 0xFF000, "32": 0xFFFFF000, "32 pse": 0xFFFFF000, "pae": 0xFFFFF000, "64": 0xFFFFFFFFFFFFF000}
AGAIN = {"32": 0xC0400000, "32 pse": 0xC0400000, "pae": 0x40A00000, "64": 0x200000}
"""The second address at which page table 0x12 begins."""
BITS_51_52 = 0x18000000000
"""Two bits of an entry: the highest bit of its frame number, and one that is not part of it."""
LOW_END, HIGH_BEGIN = 0x7FFFFFFFF000, 0xFFFF800000000000
"""The end of the lower and the beginning of the upper half of a 64-bit address space: the same frames as at `HIGH` and at 0."""

PAGING_OFF = {"op": "regs", "cr0": 1, "cr3": 0, "cr4": 0, "efer": 0}
LOGGED = ((0, 0x100, True), (0x400, 0x400))
FORMS = {"none": 0, "32": 4, "32 pse": 4, "pae": 8, "64": 8}
MODES = tuple(FORMS)


def guest(mode, *steps, **more):
    """One of these guests, and these steps."""
    return play(*steps, mode=mode, **GUESTS[mode], **more)


def reads(*gvas):
    """Steps in which the guest reads these addresses."""
    return [("access", gva, "") for gva in gvas]


def writes(*gvas):
    """Steps in which the guest writes to these addresses."""
    return [("access", gva, "w") for gva in gvas]


def cr3(gfn):
    """A step in which the guest loads CR3 with the root table in this frame."""
    return {"op": "cr3", "v": gfn << 12}


def plant(*mistake):
    """Steps that plant a mistake and run the audit."""
    return [("corrupt", *mistake), *LOOK]


def entry(mode, index, value):
    """A step that changes an entry of page table 0x12 without the MMU noticing."""
    return ("poke", 0x12000 + index * FORMS[mode], FORMS[mode], value)


def planted(*mistakes):
    """Steps that plant mistakes, run the audit, and mend the mistakes."""
    return (*(("corrupt", *mistake) for mistake in mistakes), *LOOK, ("mend",))


EVERY = (*LOOK, *planted(("forget", 1), ("misplace", 2, 0x20), ("close", 3)), *planted(("open", 1), ("mislead", 5, 0x21)))
"""Steps that audit a healthy machine, and then one with mistakes of each kind."""

OFTEN = (
    "forget", "double", "misplace", "empty", "close", "absent", "invent", "open", "let in", "mislead", "mislead", "upper",
    "stray", "ghost",
)  # fmt: skip


@st.composite
def lives(draw):
    """A guest of any mode that has accessed a few addresses; it is audited healthy, and with one to three mistakes."""
    mode = draw(st.sampled_from(MODES))
    places = [n << 12 for n in range(5)] + [0x8000, 0xA000, HIGH[mode]]
    places += [at + offset for at in (AGAIN.get(mode), LARGE.get(mode)) if at for offset in (0, 0x3000)]
    steps = []
    for gva in draw(st.lists(st.sampled_from(places), min_size=1, max_size=6)):
        steps.append(("access", gva, draw(st.sampled_from(["", "w", "u"]))))
    steps += LOOK
    for _ in range(draw(st.integers(1, 3))):
        mistake = (draw(st.sampled_from(OFTEN)), draw(st.integers(0, 9)), draw(st.sampled_from([0x20, 0x2B, 0x12])))
        steps.append(("corrupt", *mistake))
    steps += LOOK
    if draw(st.booleans()):
        steps += [("mend",), *LOOK]
    return Scenario(tuple(steps), mode=mode, **GUESTS[mode])


EXERCISE = Exercise(
    title="An audit",
    about="Check a whole machine, and report each entry that breaks an invariant.",
    part="audit",
    defines=("audit",),
    rules=(
        Rule("forgotten", 1, "An entry that can write a frame but is not in the frame's map is reported.", cases=(
            guest("none", *writes(0x5000), *LOOK, *plant("forget")),
            guest("64", *writes(0), *LOOK, *plant("forget")),
            guest("64", *writes(0, 0x1000), *reads(0x2000), *LOOK, *plant("forget", 1)),
            guest("64", *writes(0x4000, 0xA000), *LOOK, *plant("forget")),
            guest("64", *writes(0), ("zap", 0x13), *LOOK, *plant("forget")),
            guest("none", *writes(0x5000), ("maps", "251:32", 60, 0x20, "PW", 1), *LOOK, *plant("forget", 57)),
            guest("none", ("shadowed", 0x80, 70), *writes(0x5000), *LOOK, *plant("forget")),
        )),
        Rule("invented", 1, "An spte that is in a frame's map but cannot write the frame is reported.", cases=(
            guest("none", *writes(0x5000, 0x6000), *LOOK, *plant("empty", 1)),
            guest("64", *writes(0), *LOOK, *plant("close")),
            guest("64", *writes(0, 0x1000), *LOOK, *plant("absent", 1)),
            guest("64", *reads(0x8000), *LOOK, *plant("invent")),
            guest("64", *reads(0x2000, 0), *LOOK, *plant("invent")),
            guest("64", *writes(0), *LOOK, *plant("upper", 1, 0x20)),
            guest("64", *writes(0), *LOOK, *plant("link", 1)),
            guest("64", *writes(0), *plant("ghost", 250, 0x21)),
            guest("64", *writes(0), *plant("stray", 250, 0x21), *plant("forget")),
            guest("64", *writes(0, HIGH["64"]), ("zap", 0x12), *plant("stray", 245, 0x21), *plant("forget")),
            guest("64", *writes(0), ("zap", 0x12), *plant("ghost", 248, 0x21)),
        )),
        Rule("once", 1, "All wrong entries are reported, once each, including those recorded twice or for another frame.",
             cases=(
            guest("64", *writes(0, 0x1000), *LOOK, *plant("misplace", 0, 0x21)),
            guest("none", *writes(0x5000), *plant("double"), *plant("double")),
            guest("none", *writes(0x5000, 0x6000), ("corrupt", "forget"), ("corrupt", "forget", 1), *LOOK),
            guest("64", *writes(0, 0x1000), ("corrupt", "forget", 1), *plant("upper", 0, 0x21)),
            guest("64", *writes(0), *reads(0x2000), ("corrupt", "forget"), *plant("invent")),
            guest("64", *reads(0x2000), ("corrupt", "invent"), *plant("invent")),
            guest("64", *writes(0, 0x1000), ("corrupt", "link", 1), *plant("link", 1)),
            guest("none", *writes(0x5000), *plant("misplace", 0, 0x9)),
            *(guest("64", *writes(0), ("map", "248:0", gfn, "PW"), *LOOK) for gfn in (0x9, 0x30)),
            guest("none", *writes(0x5000), ("page", 0x50, 1, 4), ("maps", "250:0", 512, 0x30, "PW"), *LOOK,
                  *plant("forget", 500)),
            guest("none", *writes(0x5000), ("maps", "7:0", 1100, 0x30, "PW"), *LOOK),
        )),
        Rule("tables", 1, "A guest table that is shadowed and can be written is reported by its gfn, once.", cases=(
            guest("64", *reads(0x8000), *LOOK, *plant("open")),
            guest("64", *reads(0x8000), *LOOK, *plant("let in")),
            guest("64", *reads(0x8000, 0x9000), ("corrupt", "open"), *plant("open")),
            guest("32", *reads(0x8000, 0x258000), *LOOK, *plant("open")),
            guest("32", *reads(0x9000), *LOOK, *plant("open")),
            guest("pae", *reads(0x8000), *LOOK, *plant("open")),
            guest("none", *writes(0, 0x5000), *LOOK, *plant("forget")),
            guest("64", *writes(0x400000), *LOOK, *plant("forget")),
            guest("64", *writes(0), *LOOK, *plant("mislead", 0, 0x12)),
            guest("64", *writes(0), *plant("ghost", 250, 0x12)),
            play(("alias", 0x300, 0x100, 0), ("shadowed", 0x50, 2, 0x300), *reads(0x5000), ("map", "249:6", 0x50, "PW"), *LOOK),
            guest("64", *writes(0), ("page", 0x50, 1, 4), ("map", "247:0", 0x12, "PW"), *LOOK),
            guest("64", *writes(0), PAGING_OFF, *writes(0x5000), ("map", "248:0", 0x10, "PW"), *LOOK),
            play(*reads(0x8000), *LOOK, *plant("let in"), mode="64", root=0, entries=ROOT_IN_FRAME_0),
            guest("64", ("alias", 0x300, 0x100, 0), ("poke", 0x13000, 8, 0x312007), *writes(0x8000), *LOOK),
            guest("none", ("shadowed", 0x80, 110), *writes(0x5000), ("maps", "141:128", 110, 0x80, "PW", 1), *LOOK),
            play(("shadowed", 0x10050), *reads(0x5000), ("map", "250:6", 0x10050, "PW"), *LOOK,
                 slots=((0, 0x100), (0x10000, 0x100))),
        )),
        Rule("misled", 2, "A gva that the shadow maps to a different frame than the guest's tables do is reported.", cases=(
            guest("64", *reads(0x2000), *LOOK, *plant("mislead", 0, 0x30)),
            guest("64", *writes(0x1000), *LOOK, *plant("mislead", 0, 0x30)),
            guest("64", *reads(0, 0x2000, 0x3000), ("corrupt", "mislead", 1, 0x30), *plant("mislead", 2, 0x30)),
            guest("64", *reads(0x2000), *LOOK, entry("64", 2, 0x23025), *LOOK),
            guest("64", *reads(0x2000), *LOOK, entry("64", 2, 0), *LOOK),
            guest("64", *reads(0x2000), *LOOK, entry("64", 2, 0x800025), *LOOK),
            guest("64", *reads(0x2000, 0x3000), entry("64", 2, 0x22001), *LOOK, *plant("mislead", 1, 0x30)),
            guest("32", *reads(0x2000), *LOOK, entry("32", 2, 0x23025), *LOOK),
            guest("pae", *reads(0x2000), *LOOK, entry("pae", 2, 0x23025), *LOOK),
            guest("none", *reads(0x2000), *LOOK, *plant("mislead", 0, 0x30)),
            guest("64", *reads(0x2000), ("zap", 0x13), entry("64", 2, 0x23025), *LOOK, *reads(0x3000), *LOOK),
            guest("64", *writes(0), ("map", "248:5", -BITS_51_52 - 0x21F, "PW"), *LOOK),
            guest("64", *reads(0x2000, AGAIN["64"], HIGH_BEGIN), *LOOK, entry("64", 2, 0x23025), *LOOK),
            guest("64", *reads(0, 0x1000, 0x2000, 0x3000, 0x4000), *LOOK, ("poke", 0x13000, 8, 0x900007), *LOOK),
            guest("64", ("host", 0x30, 0), *reads(0x2000), *LOOK, *plant("mislead", 0, 0x30)),
            guest("64", ("host", 0x30, 0), *reads(0x2000), entry("64", 2, 0), *plant("mislead", 0, 0x30)),
            guest("64", *reads(0, AGAIN["64"], HIGH_BEGIN), ("maps", "248:11", 500, 0x30, "PW"), *LOOK),
        )),
        Rule("everywhere", 1, "These rules hold in every mode, in large pages and in both halves of the address space.", cases=(
            *(guest(mode, *reads(HIGH[mode]), *LOOK, *plant("mislead", 0, 0x30)) for mode in MODES),
            *(guest(mode, *reads(LARGE[mode] + 0x5000), *LOOK, *plant("mislead", 0, 0x30)) for mode in LARGE),
            *(guest(mode, *reads(LARGE[mode], LARGE[mode] + 0x5000), *LOOK, *plant("mislead", 1, 0x30)) for mode in LARGE),
            *(guest(mode, *reads(0x1000, AGAIN[mode] + 0x1000), *LOOK, *plant("mislead", 0, 0x30)) for mode in AGAIN),
            *(guest(mode, *writes(AGAIN[mode]), *LOOK, *plant("forget")) for mode in AGAIN),
            guest("64", *writes(0x1000), *LOOK, *plant("forget")),
            guest("64", *writes(0xA000), *reads(0x2000), *LOOK, *plant("mislead", 0, 0x30)),
            guest("32", *reads(0x258000), *LOOK, *plant("mislead", 0, 0x30)),
            guest("32 pse", *reads(0x600000), *LOOK, *plant("mislead", 0, 0x30)),
            *(guest("64", *reads(gva), *LOOK, *plant("mislead", 0, 0x30)) for gva in (LOW_END, HIGH_BEGIN)),
            guest("none", *writes(0x40005000), *LOOK, *plant("mislead", 0, 0x30), slots=((0, 0x100), (0x40000, 0x100))),
            guest("64", cr3(0x14), cr3(0x10), *writes(0), cr3(0x14), *LOOK, *plant("forget")),
            *(guest(mode, *writes(0), *plant("slot"), *plant("mislead", 0, 0x30), *plant("forget")) for mode in ("32", "none")),
            guest("pae", *reads(0x2000), *writes(0), *plant("slot"), *plant("mislead", 0, 0x30), *plant("forget")),
            guest("pae", *reads(0x2000), ("poke", 0x10000, 8, 0), *LOOK, *plant("mislead", 0, 0x30)),
            play(*reads(0x2000), *LOOK, *plant("mislead", 0, 0x30), mode="pae", root=0x10,
                 entries=(*GUESTS["pae"]["entries"], (0x10, 2, 0x11, "P"))),
            guest("pae", ("poke", 0x10000, 8, 0), cr3(0x10), *reads(HIGH["pae"]), *LOOK, *plant("mislead", 0, 0x30)),
            guest("pae", ("poke", 0x10000, 8, 0), cr3(0x10), *reads(HIGH["pae"]), *plant("stray", 0, 0x21), *plant("forget")),
        )),
        Rule("untouched", 1, "The audit changes nothing, not even accessed bits of the guest's tables.", cases=(
            *(guest(mode, *reads(0x2000), entry(mode, 2, 0x22005), *plant("mislead", 0, 0x30)) for mode in ("64", "pae", "32")),
            guest("64", *reads(0x2000), ("poke", 0x13000, 8, 0x12007), *plant("mislead", 0, 0x30), slots=LOGGED),
            guest("64", *reads(0x2000), {"op": "getdirty", "slot": 0}, ("poke", 0x13000, 8, 0x12007),
                  *plant("mislead", 0, 0x30), slots=LOGGED),
            guest("none", *writes(0x5000), *plant("close"), *LOOK),
            guest("64", *writes(0, 0x1000), *reads(0x2000), *LOOK, *plant("forget")),
        )),
        Rule("random", 1, "All these rules hold for any guest and any mistakes.", drawn=lives, examples=50),
        Rule("engine", 1, "The audit is right in machines that have run for a while, healthy or not, and in real guests.",
             engine=(
            Golden("l64", "l6400", 80, 40, EVERY),
            Golden("pae", "pae04", 80, 40, EVERY),
            Golden("p32", "p3200", 80, 40, EVERY),
            Golden("p32pse", "p32pse13", 120, 60, EVERY),
            Golden("nonpaging", "np00", 60, 30, EVERY),
            Golden("switch", "switch04", 120, 60, EVERY),
            Boot("lin64_20k", 1200, every=600, then=EVERY),
            Boot("lin32_20k", 800, every=400, then=EVERY),
        )),
    ),
    full=(
        *(Golden(name, f"{name}{n:02}", None, 30, EVERY) for name in ("l64", "pae", "p32", "p32pse") for n in (0, 4, 8)),
        *(Golden("rmap", f"rmap{n:02}", None, 30, EVERY) for n in (0, 4, 8)),
        *(Golden("wpmix", f"wpmix{n:02}", None, 30, EVERY) for n in (0, 4, 8)),
        *(Golden("nonpaging", f"np{n:02}", None, 30, EVERY) for n in (0, 4, 8)),
        *(Golden("switch", f"switch{n:02}", None, 30, EVERY) for n in (0, 2, 4, 6, 8)),
        Golden("pool", "pool00", None, 100, EVERY),
        *(Boot(f"{name}_20k", every=2000, then=EVERY) for name in ("lin32", "linpae", "lin64")),
    ),
)  # fmt: skip


def test_audit(rule, submission):
    """The submission obeys each rule (see `kvmmmu_lab.check.pytest_plugin`)."""
    submission.obeys(rule)
