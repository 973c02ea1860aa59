# SPDX-License-Identifier: GPL-2.0-only
"""The questions of lesson 15, and what it plays and counts on the recordings of real guests."""

from __future__ import annotations

import functools
import random
from collections import Counter
from dataclasses import dataclass

import numpy as np

from ..data import open_trace, traces
from ..data.trace import (
    ACCESS,
    ADOPTED,
    CR3_LOAD,
    DROPPED,
    FLUSH,
    INTERRUPT,
    PAGE_FAULT,
    ROOT_DIED,
    TABLE_WRITE,
    Trace,
)
from ..labs.inverse_walk import InverseWalk
from ..mmu.bits import MODES, PAGE_SHIFT, PAGE_SIZE
from ..mmu.prewrite import FLOOD
from ..mmu.vm import Vm
from ..museum.livelocks import reset_flood_count
from ..replay.timeline import DEVICE, EXITS, FILLED, TRAPPED, TRUE, Timeline, count, shadowed_again, timeline
from ..replay.trace_moments import moment
from ..replay.wrong_accesses import WrongAccess, wrong_accesses
from .lesson import Lesson
from .question import Answer, Ask, Passage, Steps

LESSON = Lesson(15, "How often does a real guest need the host, and what for?", 30)

WORDS = {
    ACCESS: "access to a page",
    TABLE_WRITE: "write to a page table",
    PAGE_FAULT: "page fault of the guest's own",
    CR3_LOAD: "load of CR3",
    FLUSH: "INVLPG or load of CR4",
    INTERRUPT: "other interrupt",
    ADOPTED: "frame becomes a page table",
    DROPPED: "frame ceases to be a page table",
    ROOT_DIED: "root is no longer used",
}
"""What each type of event is called, in the order of `contents`."""

STUCK = "stuck"
"""What happens to an access that faults again and again."""

LEAST, MOST = 12_000, 20_000
"""The smallest and the largest number of events that a seed chooses."""


@dataclass(frozen=True)
class Contents:
    """How many events of each type a recording has. Prints as a table."""

    trace: Trace

    @property
    def counts(self) -> dict[str, int]:
        """The number of events of each type, by its words."""
        found = Counter(self.trace.type.tolist())
        return {words: found[kind] for kind, words in WORDS.items()}

    def __str__(self) -> str:
        width = max(map(len, self.counts))
        lines = [f"{words:<{width}}  {n:>6,}" for words, n in self.counts.items()]
        return "\n".join([f"{self.trace.name}: mode {self.trace.mode}, {len(self.trace.type):,} events", *lines])

    __repr__ = __str__


class Said(str):
    """A sentence that a cell shows without quotation marks."""

    def __repr__(self) -> str:
        return str(self)


class Study:
    """One recording, and how many of its events this lesson looks at; both depend on the seed."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.name = chance.choice(traces())
        self.events = chance.randrange(LEAST, MOST + 1, 500)

    def __repr__(self) -> str:
        return f"the first {self.events:,} events of {self.name}"

    @property
    def line(self) -> Timeline:
        """The timeline of the whole recording."""
        return timeline(self.name)

    @property
    def contents(self) -> Contents:
        """How many events of each type the whole recording has."""
        return Contents(open_trace(self.name))

    @property
    def exits(self) -> dict[str, int]:
        """The exits of the chosen events, by reason."""
        return {kind: int(counts[self.events - 1]) for kind, counts in self.line.exits.items()}

    @property
    def writes(self) -> int:
        """The guest's writes to page tables among the chosen events."""
        return int(self.line.writes[self.events - 1])

    @property
    def trapped(self) -> int:
        """Those of these writes that the host carried out for the guest."""
        return int(self.line.emulated[self.events - 1])

    # What cells show

    @property
    def says_exits(self) -> Said:
        """The exits of the chosen events, a line for each kind."""
        return Said("\n".join([f"In {self!r}:", *(f"{n:>6,}  {kind}" for kind, n in self.exits.items())]))

    @property
    def says_writes(self) -> Said:
        """How many writes to page tables there are, and how many the host carried out."""
        return Said(f"In {self!r}: {self.writes:,} writes to page tables; the host carried out {self.trapped} of them.")

    @property
    def says_floods(self) -> Said:
        """How often the host has zapped shadow pages after three writes in a row."""
        floods = len(self.line.floods)
        return Said(f"In the whole {self.name}, the host zapped shadow pages {floods} times after three writes in a row.")

    @property
    def says_wrong(self) -> Said:
        """How many accesses go wrong without write protection, and the first of each kind."""
        found = self.wrong("write-protection", "native")
        stuck = [access for access in found if access.got == STUCK]
        others = [access for access in found if access.got != STUCK]
        kinds = [(others, "reach another frame"), (stuck, "are stuck")]
        lines = [f"{len(some)} {words}; the first: {some[0]}" for some, words in kinds if some]
        return Said("\n".join([f"In {self!r}, {len(found)} accesses go wrong.", *lines]))

    def wrong(self, without: str | None, way: str) -> list[WrongAccess]:
        """Return the accesses among the chosen events that go wrong without a mechanism (see `wrong_accesses`)."""
        return [access for access in wrong_accesses(self.name, without, way) if access.event < self.events]

    def left_over(self) -> tuple[int, int]:
        """Return how many frames were page tables and are none at the end, and how many of these are still shadowed then."""
        tables = {life.gfn for life in self.line.lives if life.end is None}
        gone = {life.gfn for life in self.line.lives} - tables
        return len(gone), sum(life.end is None and life.gfn in gone for life in self.line.shadows)

    def written_since(self) -> int:
        """Return how many of the frames that are still shadowed have been written since they ceased to be page tables."""
        last = {life.gfn: life.end for life in self.line.lives}
        shadowed = {life.gfn for life in self.line.shadows if life.end is None}
        left = {gfn: end for gfn, end in last.items() if end is not None and gfn in shadowed}
        return sum(written(self.line.trace, gfn, end, len(self.line.trace.type)) for gfn, end in left.items())


def written(trace: Trace, gfn: int, begin: int, end: int) -> bool:
    """Whether a recorded access writes to a frame at one of the events ``begin`` to ``end - 1``."""
    part = slice(begin, end)
    writes = (trace.type[part] == ACCESS) & (trace.flag[part] & 3 == 1)
    return bool((writes & (trace.b[part] >> PAGE_SHIFT == gfn)).any())


class Happening:
    """A moment of a recording, just before the guest's next write to a page table. ``vm`` is its machine.

    ``focus``: an address that leads through the entry that is written. `writes` goes on until this many writes are done.
    """

    def __init__(self, name: str) -> None:
        found = moment(name)
        self.trace, self.replay = found.trace, found.replay()
        events = np.flatnonzero(self.trace.type == TABLE_WRITE)
        self.events: list[int] = events[events >= found.event].tolist()
        self.gpa = found.next_write.gpa
        first = self.events[0]
        self.replay.to(first - bool(self.trace.type[first - 1] == ACCESS))
        self.vm: Vm = self.replay.vm
        index = (self.gpa & PAGE_SIZE - 1) // MODES[self.trace.mode].format.size
        gva = InverseWalk(self.vm).lowest_gva(self.gpa >> PAGE_SHIFT, index)
        self.focus = [] if gva is None else [gva]

    def writes(self, number: int) -> None:
        """Replay the recording until the guest has done this many more writes to page tables."""
        self.replay.to(self.events[number - 1] + 1)
        del self.events[:number]


def band(part: int, whole: int, limits: list[int], words: list[str]) -> str:
    """Return the words for a share: the first whose limit, in percent, is above it; the last word has no limit."""
    share = 100 * part / whole
    return next((text for limit, text in zip(limits, words, strict=False) if share < limit), words[-1])


@LESSON.question
def exits(study: Study) -> Steps:
    """How many of the events make the guest leave for the host."""
    total, filled = sum(study.exits.values()), study.exits[FILLED]
    yield Ask(
        f"The engine replays {study}. How many exits are there?",
        [f"{n:,}" for n in (total // 8, total, 4 * total, study.events - total)],
    )
    yield Answer(
        f"{sum(study.exits.values()):,}",
        f"there are {total:,} exits in {study.events:,} events. At the first access to a page, the host fills its shadow "
        "entry. After that, the processor needs no help.",
        more=f"""
        <!-- slide:
        **{total:,} exits**, {filled:,} of them to fill the shadow. The curve is steep at the beginning, where the shadow is
        empty, and wherever the guest uses many pages for the first time.
        -->
        The plot shows when they happen. The line for *shadow filled* is steep at the beginning: the recording starts in the
        middle of a guest's life, but the shadow starts empty. After that, the line climbs in steps. At each step, the guest
        uses many pages for the first time, for example in a new process, whose page tables are not shadowed yet.

        How far can we trust these numbers? A recording contains only the *first* access to each page since the last flush. The
        real guest made many millions of other accesses in the same time.

        - Most of these other accesses need no exit. So our share of exits does not say how much of its time a guest spends in
          them.
        - Some of them do exit. Either the host has cleared the shadow entry in the meantime, for example at a flood (see
          below), or the access is to a device, for which there is never a shadow entry that a processor can use. These exits
          are missing from our counts, so the true number of exits is larger.
        """,
    )


@LESSON.question
def own_faults(study: Study) -> Steps:
    """Which share of the exits are page faults of the guest's own."""
    words = ["fewer than 15", "15 to 40", "40 to 70", "more than 70"]
    yield Ask("Of a hundred exits, how many are page faults of the guest's own, which the host passes on to it?", words)
    total = sum(study.exits.values())
    yield Answer(
        band(study.exits[TRUE], total, [15, 40, 70], words),
        f"{study.exits[TRUE]} of {total:,} exits are true faults. Without a host, the guest would have had only these.",
        more=f"""
        <!-- slide:
        {study.exits[TRUE]} true faults, {total - study.exits[TRUE]:,} others: **shadow paging costs mainly hidden
        faults.**
        -->
        The guest would have had each **true fault** on bare hardware, too. The hidden faults exist only because the processor
        walks the shadow instead of the guest's tables. Linux needs few faults of its own, because it fills up to 16 entries at
        one fault, as you will see below.
        """,
    )


@LESSON.question
def left_over(study: Study) -> Steps:
    """How many frames that are no page tables any more are still shadowed at the end of the recording."""
    words = ["none of them", "fewer than half of them", "half of them or more"]
    yield Ask(
        f"At the end of {study.name}, some frames are no longer page tables. How many of them still have a shadow page?",
        words,
    )
    gone, still = study.left_over()
    reused = study.written_since()
    unseen = (
        f"But {reused} of these {still} frames have been written since they ceased to be page tables. A recording has all "
        "writes to page tables, but only the first write to any other page since the last flush. Perhaps the real guest wrote "
        "such a frame three times in a row. Then a real host would have zapped its shadow page, so the real number may be "
        "smaller."
    )
    happened = words[0] if not still else words[1] if 2 * still < gone else words[2]
    yield Answer(
        happened,
        f"{still} of {gone} such frames have one. Nobody has told the host what the guest uses them for now.",
        more=f"""
        <!-- slide:
        **Nobody tells the host that a page table has ended.** It notices only writes: three in a row by the kernel, or one by
        user code, and the shadow page goes. A frame that is not written stays shadowed until the pool needs its page.
        -->
        An orange line begins later than its blue line: with the first access through the table. In these recordings it ends
        only at a flood. If the guest uses the table again after a flood, a new orange line begins. Without a flood, the orange
        line goes on even if the blue line ends: a guest frees a page table like any other frame, by putting its number into a
        list of its own. No instruction tells the processor about it, so nothing tells the host.

        The shadow page is then *left over*. What happens to its frame? If the guest uses the frame for something else, it
        writes there, and the write traps, because the frame is still write-protected. After three writes by the kernel in
        a row (lesson 9), or one write by user code (lesson 8), the host zaps the shadow page, and the frame is an
        ordinary one again. If the guest does not write to the frame, the shadow page stays. It costs one page of the pool
        and nothing else.

        {unseen if reused else ""}
        """,
    )


@LESSON.question
def trapped(study: Study) -> Steps:
    """How many writes to page tables trap."""
    number, writes = study.trapped, study.writes
    yield Ask(
        f"In {study}, the guest writes {writes:,} times to page tables. How many of these writes does the host carry out?",
        [f"{n:,}" for n in (number // 10, number, 4 * number, writes // 2)],
    )
    yield Answer(
        f"{study.trapped:,}",
        f"the host carried out {number} of {writes:,} writes. The guest did the others alone, because they went to tables that "
        "were not shadowed at that moment.",
        more=f"""
        <!-- slide:
        The first two writes to a shadowed table zap one entry each, at most. The third zaps the page, and **the others are
        free**. A new table is filled *before* it is used, so those writes are free, too.
        -->
        Two kinds of writes are not carried out by the host:

        - **Writes to a new table.** Linux clears and fills it before the first access through it, so it is not shadowed yet.
        - **Writes after a flood.** A table that is written {FLOOD} times in a row loses its shadow page. The next write still
          faults, because the spte that leads to the frame has no W. The host only gives W to this spte. All writes after
          that cost nothing.
        """,
    )


@LESSON.question
def used_again(study: Study) -> Steps:
    """How often a flooded table was shadowed as a page table again."""
    words = ["in none of the cases", "in fewer than half of the cases", "in more than half of the cases"]
    yield Ask(
        f"In {study.name}, the host zaps shadow pages after three writes in a row, because it assumes that the frame is no "
        "page table any more. How often is this wrong: the frame stays a page table, and is shadowed again later?",
        words,
    )
    floods = study.line.floods
    again = sum(shadowed_again(study.line, flood) for flood in floods)
    yield Answer(
        words[0] if not again else words[1] if 2 * again < len(floods) else words[2],
        f"in {again} of {len(floods)} cases, the frame was still a page table. The guest only wrote many entries of it.",
        more="""
        <!-- slide:
        The assumption is usually **wrong**. But it still saves exits: one shadow page must be built again, and a long run of
        writes is free.
        -->
        So the assumption is usually wrong: a fault-around, as in the first film, writes many entries of a table that the guest
        still uses. But the plot shows that the assumption saves exits. When it is wrong, the host has to build one shadow page
        again, which takes a few faults. Without the assumption, each write of the run would trap.
        """,
    )


@LESSON.question
def unprotected(study: Study) -> Steps:
    """How many accesses go wrong without write protection."""
    found = study.wrong("write-protection", "native")
    accesses = int(np.count_nonzero(study.line.trace.type[: study.events] == ACCESS))
    yield Ask(
        f"No frame is write-protected any more, so the host learns of no write to a page table. {study!r} contain "
        f"{accesses:,} accesses. How many of them go wrong?".replace("the first", "The first", 1),
        [f"{n:,}" for n in (0, len(found), accesses // 10, accesses // 2)],
    )
    yield Answer(
        f"{len(found):,}",
        f"{len(found)} of {accesses:,} accesses go wrong. The first is at event {found[0].event:,}.",
        more="""
        <!-- slide:
        A stale entry does harm only if the guest **changes an entry that is in the shadow** and uses the same address again.
        Linux mostly adds entries, or ends a whole process.
        -->
        Most writes to page tables do no harm. A *new* entry was empty before, so no shadow entry was made from it. A process
        that *ends* does not use its addresses again. An access goes wrong only if the guest changes an entry that is in the
        shadow, and then uses the same address. This happens after a fork, for example, when a page is copied and its entry
        gets another frame.

        So such errors are rare, and therefore dangerous. The guest runs for hundreds or thousands of events before the first
        access goes wrong. And nobody notices an access that reaches another frame, which may belong to another program by now.
        """,
    )


@LESSON.question
def unnoticed(study: Study) -> Steps:
    """How many accesses go wrong without write protection in an emulated replay."""
    native = len(study.wrong("write-protection", "native"))
    yield Ask(
        "The same recording, again without write protection, but replayed in the emulated way. How many accesses go wrong?",
        sorted({0, native // 2, native, 2 * native}),
    )
    found = len(study.wrong("write-protection", "emulated"))
    writes, trapped = int(study.line.writes[-1]), int(study.line.emulated[-1])
    yield Answer(
        found,
        "in the emulated way, the host is told of every write, so none of them has to trap.",
        more=f"""
        <!-- slide:
        The emulated way cannot notice that write protection is missing. **A test that passes says only what it could have
        noticed.**
        -->
        So the emulated way cannot notice that write protection is missing. The native way notices both defects. Without
        pre-write, both ways find the same wrong accesses. But in the whole of {study.name}, the native way tests
        pre-write only with the {trapped:,} writes that the host carries out; the emulated way tests it with all
        {writes:,}. Therefore `kvmmmu-lab verify` replays each recording in both ways.

        One number in the plot needs an explanation. In `lin32`, fewer accesses go wrong without write protection than
        without pre-write. The reason is the recording. Some frames cease to be page tables, are written, and become page
        tables again. The recording does not have these writes. It only has the new contents of such a frame when it
        becomes a page table again. In both ways, the replay then hands the changed entries to the host. Pre-write then
        zaps the stale entries, even without write protection. Without this help, more accesses would go wrong.
        """,
    )


SUMMARY = Passage(
    """
    <!-- slide:
    - About one event in ten exits, and nearly always **to fill the shadow**.
    - Few writes to page tables trap: new tables are filled before they are shadowed, and the **third write in a row** ends
      the shadowing.
    - **Nobody tells the host** that a page table has ended.
    - Without pre-write or write protection **few accesses go wrong, and late**.
    -->
    - About one of ten recorded events is an exit, and most exits **fill the shadow**. True faults of the guest, trapped
      writes and device accesses are far fewer.
    - Of the writes to page tables, few trap. A new table is filled before it is shadowed, and the **third write in a row**
      ends the shadowing of an old one: the host assumes that it is no table any more. This assumption is usually wrong, but
      it saves exits.
    - **Nobody tells the host** that a frame is no page table any more. Many shadow pages are left over.
    - Without pre-write or write protection **few accesses go wrong, and late**. An emulated replay cannot notice that
      write protection is missing.
    """
)


def writes_and_traps() -> Said:
    """Return, for each recording, how many writes to page tables it has, and how many of these trapped."""
    lines = [(name, timeline(name)) for name in traces()]
    return Said(
        "\n".join(f"{name:<10}  {int(line.emulated[-1])} of {int(line.writes[-1]):,} writes trap" for name, line in lines)
    )


def says_flood_counts(name: str) -> Said:
    """Return `flood_counts` as two lines of text."""
    return Said(
        "\n".join(f"{words:<6} {floods:>4} floods, {exits:,} exits" for words, (floods, exits) in flood_counts(name).items())
    )


def flood_counts(name: str) -> dict[str, tuple[int, int]]:
    """Return the floods and the exits of a recording, as in 2007 and with the later change that resets the count at a fault."""
    fixed = count(open_trace(name), set_spte=reset_flood_count)
    lines = {"2007": timeline(name), "later": fixed}
    return {words: (len(line.floods), sum(line.total.values())) for words, line in lines.items()}


# Check questions


@functools.cache
def runs(name: str) -> dict[int, list[tuple[int, int, int]]]:
    """Return runs of writes to one shadowed table of level 1: the first event, the writes, and how many of them trap.

    They are sorted by the number of writes, 4 for all longer ones. In each the host begins to count at the first write, and
    besides the writes only the spte of the frame itself may fault.
    """
    line, trace, found = timeline(name), open_trace(name), dict[int, list[tuple[int, int, int]]]()
    leaves = set(trace.a[(trace.type == ADOPTED) & (trace.flag == 1)].tolist())
    events = np.flatnonzero(trace.type == TABLE_WRITE).tolist()
    gfns = [int(trace.a[event]) >> PAGE_SHIFT for event in events]
    done = [bool(line.emulated[event] > line.emulated[event - 1]) for event in events]
    at, counted = 0, -1
    while at < len(events):
        end = next((n for n in range(at, len(events)) if gfns[n] != gfns[at]), len(events))
        first, last = events[at], events[end - 1]
        exits = {kind: int(counts[last] - counts[first - 1]) for kind, counts in line.exits.items()}
        shadowed = any(life.gfn == gfns[at] and life.covers(first) for life in line.shadows)
        alone = exits[TRUE] == exits[DEVICE] == 0 and exits[FILLED] <= (end - at > FLOOD)
        if gfns[at] in leaves and shadowed and alone and counted != gfns[at]:
            found.setdefault(min(end - at, FLOOD + 1), []).append((first, end - at, sum(done[at:end])))
        counted = gfns[at] if any(done[at:end]) else counted
        at = end
    return found


@LESSON.check
def run_of_writes(seed: int) -> Steps:
    """How many writes of a run trap."""
    chance = random.Random(seed)
    name = chance.choice(["lin32_20k", "lin64_20k"])
    found = runs(name)
    first, number, trapped = chance.choice(found[chance.choice([2, FLOOD, FLOOD + 1, FLOOD + 1])])
    gfn = int(open_trace(name).a[first]) >> PAGE_SHIFT
    yield Ask(
        f"At event {first:,} of {name}, the page table in gfn {gfn:#x} is shadowed. The guest's kernel writes {number} times "
        "in a row to this table, and does not use the table between these writes. The write before them was to another table. "
        "How many of these writes does the host carry out?",
        sorted({0, 1, number, min(number, FLOOD), min(number, FLOOD - 1)}),
    )
    yield Answer(
        trapped,
        f"at each of the first {FLOOD - 1} writes, the host zaps at most one entry. A third write in a row makes it zap the "
        "shadow page. Then the frame is an ordinary one, and the guest writes it alone.",
    )


CLUES = {
    FILLED: "The guest's tables allow the access, and lead to ordinary memory",
    TRAPPED: "The guest's tables allow the access, and lead to a frame that is shadowed as a page table",
    TRUE: "The guest's tables refuse the access",
    DEVICE: "The guest's tables allow the access, and lead to a gfn that is in no memory slot",
}
"""What is known about an exit of each kind."""

REASONS = {
    FILLED: "the guest's tables allow the access, so the fault is not the guest's own. The shadow lacks the entry, or a right.",
    TRAPPED: "the guest's tables allow the write, but the frame is write-protected. So the host carries out the write.",
    TRUE: "the guest's tables refuse the access, so the host passes the fault on.",
    DEVICE: "no memory slot has this gfn, so a device must answer, and the host emulates it.",
}
"""Why an exit is of each kind."""


@LESSON.check
def kind_of_exit(seed: int) -> Steps:
    """The reason of one exit of a recording."""
    chance = random.Random(seed)
    name, kind = chance.choice(traces()), chance.choice(EXITS)
    line = timeline(name)
    events = np.flatnonzero(np.diff(line.exits[kind], prepend=0))
    types = {TRAPPED: TABLE_WRITE, TRUE: PAGE_FAULT}
    events = events[line.trace.type[events] == types.get(kind, ACCESS)]
    event = int(chance.choice(events.tolist()))
    what = "makes a store" if kind == TRAPPED else f"accesses gva {int(line.trace.a[event]):#x}"
    yield Ask(f"At event {event:,} of {name}, the guest {what} and exits. {CLUES[kind]}. What kind of exit is it?", list(EXITS))
    happened = next(reason for reason, counts in line.exits.items() if counts[event] > counts[event - 1])
    yield Answer(
        happened,
        REASONS[kind],
    )


WAYS = ["in no access", "in some accesses"]


@LESSON.check
def what_a_replay_notices(seed: int) -> Steps:
    """Whether a way of replay notices that a mechanism is missing."""
    chance = random.Random(seed)
    name = chance.choice(traces())
    without, words = chance.choice([("prewrite", "pre-write"), ("write-protection", "write protection")])
    way = chance.choice(["native", "emulated"])
    yield Ask(f"{name} is replayed in the {way} way, without {words}. Does the engine differ from the recording?", WAYS)
    yield Answer(
        WAYS[bool(wrong_accesses(name, without, way))],
        "without pre-write, no stale entry is zapped, in either way of replay."
        if without == "prewrite"
        else "in an emulated replay, the host is handed each write to a page table. In a native replay, it learns of a write "
        "only if the write traps, and without write protection none does.",
    )


STATES = ["it is a page table, and shadowed", "it is a page table, and not shadowed", "it is no page table, but shadowed"]


@LESSON.check
def is_shadowed(seed: int) -> Steps:
    """Whether a frame is a page table, and whether it is shadowed, at one moment."""
    chance = random.Random(seed)
    name, wanted = chance.choice(traces()), chance.choice(STATES)
    line = timeline(name)
    found = dict[str, set[int]]()
    while not found.get(wanted):
        event = chance.randrange(line.start + 1000, len(line.trace.type))
        tables = {life.gfn for life in line.lives if life.begin < event and (life.end is None or event <= life.end)}
        shadowed = {life.gfn for life in line.shadows if life.covers(event)}
        ended = {life.gfn: life.end or 0 for life in line.lives if life.begin < event}
        left = {gfn for gfn in shadowed - tables if gfn in ended and not written(line.trace, gfn, ended[gfn], event)}
        flooded = {flood.gfn for flood in line.floods if flood.event < event}
        found = dict(zip(STATES, (tables & shadowed, tables & flooded - shadowed, left), strict=True))
    gfn = chance.choice(sorted(found[wanted]))
    used = max(life.begin for life in line.shadows if life.gfn == gfn and life.begin < event)
    facts = [f"at event {used:,}, the guest used an address whose walk goes through this frame"]
    if wanted == STATES[1]:
        flood = max(one.event for one in line.floods if one.gfn == gfn and one.event < event)
        facts.append(
            f"at event {flood:,}, it wrote to the frame for the third time in a row; since then, it hasn't used the table"
        )
    else:
        facts.append("since then, the guest has not written three times in a row to the frame")
    if wanted == STATES[2]:
        facts.append(
            f"at event {ended[gfn]:,}, the last root that led to the frame was gone, and it has not been written since"
        )
    else:
        facts.append("a root of the guest still leads to it")
    facts.append("the pool has never been almost empty")
    yield Ask(f"The frame gfn {gfn:#x} in {name}: {'; '.join(facts)}. What is this frame at event {event:,}?", STATES)
    yield Answer(
        next(words for words, gfns in found.items() if gfn in gfns),
        "a frame is a page table as long as a root of the guest leads to it. It is shadowed from its first use on, until it is "
        "written three times in a row, or until the pool is almost empty.",
    )
