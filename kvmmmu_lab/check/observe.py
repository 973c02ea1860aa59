# SPDX-License-Identifier: GPL-2.0-only
"""The observations of a machine that contains a part under test, and how their differences are explained.

Observations are plain data, independent of host addresses and of how a part stores its data: a reverse map is a sorted list of
references (``page id * 512 + index``, see `inspect.dump`). The judge observes the kit's own part; a worker observes the
submission's.
"""

from __future__ import annotations

import contextlib
import functools
import mmap
import operator
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..errors import InputError
from ..inspect import dump
from ..inspect.dump import FIRST_REF
from ..mmu import events as ev
from ..mmu.bits import BASE_MASK, PAGE_SHIFT, PAGE_SIZE, PRESENT, WRITABLE
from ..mmu.memory import FIRST_GUEST, FIRST_SHADOW, PAE_ROOT
from ..mmu.parents import ParentChains
from ..mmu.pool import NUM_PAGES, ShadowPage
from ..mmu.rmap import COUNTED, ReverseMap
from ..printable import printable
from .explain import (
    frame,
    guest_entry,
    kept,
    more,
    number,
    reference,
    result_part,
    shadow_entry,
    short,
    spte,
    times,
)
from .sandbox.protocol import plain
from .subject import Subject, WrongResult, counts, in_shadow_page

EMPTY = bytes(PAGE_SIZE)
FEW = 32
"""If there are more reverse maps than this and digests are enough, only those that may have changed are observed."""

REVERSE_MAPS, FRAMES = "the reverse maps", "the frames that frames() returns"
"""What is observed of a reverse map."""

REVERSE_MAP, PARENTS, SHADOW_TABLES = "reverse map", "parents", "shadow tables"
"""What the picture of a difference can show."""

Seen = dict[str, Any]
"""The observed values, by the names of the observations."""


class View:
    """The state of a subject from which observations are made.

    ``hashed``: digests are enough, as in long scenarios. ``whole``: also search shadow pages that are not known to have
    been taken or changed, which takes longer. ``used``: the contents of the shadow pages with a nonzero entry, by id.
    """

    def __init__(self, subject: Subject, hashed: bool = False, whole: bool = True) -> None:
        self.subject, self.vm, self.hashed, self.whole = subject, subject.vm, hashed, whole
        self.used = self._used()

    def _used(self) -> dict[int, bytes]:
        pages, touched = self.vm.memory.pages, self.subject.touched
        touched.update([page.id for page in self.vm.pool.active])
        ids = written_pages(pages[:FIRST_GUEST], FIRST_SHADOW) if self.whole else sorted(touched)
        found = {id: words for id in ids if (words := pages[FIRST_SHADOW + id].tobytes()) != EMPTY}
        self.subject.touched = set(found)
        return found

    def frames(self) -> set[int]:
        """The host frames that the part's ``frames()`` returns. Raises WrongResult if they are not integers."""
        return hfns(self.vm.rmap.frames())

    def active(self) -> list[ShadowPage]:
        """The shadow pages in use, in the order of their ids."""
        return sorted(self.vm.pool.active, key=operator.attrgetter("id"))

    def by_gfn(self, by_hfn: dict[int, Any]) -> list[Any]:
        """Convert values by host frame to sorted [gfn, value] pairs; a frame outside guest memory gets its negated number."""
        gfns = self.vm.memory.gfns
        return sorted([gfns[hfn] if gfns[hfn] is not None else -hfn, value] for hfn, value in by_hfn.items())


def written_pages(pages: np.ndarray, first: int) -> list[int]:
    """The pages from ``first`` on, numbered from 0, that have ever been written to, and perhaps others.

    Linux knows which ones they are: a machine's memory comes directly from it, and gets frames only when it is written to. It
    is asked, because to read all the others takes longer than any other observation.
    """
    count, address = len(pages), pages.__array_interface__["data"][0]
    data = b""
    if mmap.PAGESIZE == PAGE_SIZE and address % PAGE_SIZE == 0:
        with contextlib.suppress(OSError):
            data = os.pread(_page_map(os.getpid()), count * 8, address // PAGE_SIZE * 8)
    known = np.frombuffer(data, "<u8")
    if len(known) != count or not known[PAE_ROOT] & IN_MEMORY:  # this page has been written to in every machine
        return list(range(count - first))
    return np.flatnonzero(known[first:] & IN_MEMORY).tolist()


IN_MEMORY = np.uint64(3 << 62)
"""Bits in Linux's map of a process's pages: the page is in memory, or was moved to the disk."""


@functools.cache
def _page_map(process: int) -> int:
    """The file in which Linux describes each page of this process. It stays open. Raises OSError if there is none."""
    return os.open("/proc/self/pagemap", os.O_RDONLY)


def refs(sptes: Any) -> list[int]:
    """The refs of sptes that a part returned, sorted. Raises WrongResult for anything else."""
    return sorted([spte - FIRST_REF for spte in integers("sptes()", sptes, "integers, in a list or another iterable")])


def hfns(frames: Any) -> set[int]:
    """The host frames that a part returned. Raises WrongResult for anything else."""
    return set(integers("frames()", frames, "the numbers of host frames, in a list or another iterable"))


def integers(call: str, given: Any, expected: str) -> list[int]:
    """What ``call`` returned, as a list of integers. Raises WrongResult if it is anything else.

    An exception that the part itself raises, for example in a generator, propagates: it is not a wrong result.
    """
    try:
        iterator = iter(given)
    except TypeError:
        raise WrongResult(call, given, expected) from None
    items = list(iterator)
    try:
        return list(map(operator.index, items))
    except TypeError:
        raise WrongResult(call, items, expected) from None


def form(call: str, sptes: Any) -> Any:
    """Convert what ``call`` returned, one spte or lists of sptes, to refs; keep None. Raises WrongResult for anything else."""
    if sptes is None or isinstance(sptes, int):
        return sptes if sptes is None else sptes - FIRST_REF
    expected = "an spte, or a list of lists of sptes"
    try:
        rows = iter(sptes)
    except TypeError:
        raise WrongResult(call, sptes, expected) from None
    return [[spte - FIRST_REF for spte in integers(call, row, expected)] for row in rows]


class Observation:
    """A kind of observation. Subclasses are defined in the order in which differences are reported.

    ``usual``: whether it is compared when a rule names no observations.
    """

    name: ClassVar[str]
    usual: ClassVar[bool] = True
    digested: ClassVar[bool] = True
    """Whether a digest replaces the value where only digests are compared."""

    starred: ClassVar[bool] = True
    """Whether the lines of its `listing` that differ are marked with a star."""

    what: ClassVar[str] = ""
    """What is observed, as a plural, for sentences about digests of it."""

    picture: ClassVar[str] = ""
    """What its picture shows: `REVERSE_MAP` or `PARENTS` (those of `Difference.key`), or `SHADOW_TABLES`; "" for no picture."""

    def __init_subclass__(cls, name: str = "") -> None:
        if name:
            cls.name = name
            OBSERVATIONS[name] = cls()

    def look(self, view: View) -> Any:
        """Make the observation now; return it as JSON data."""
        raise NotImplementedError

    def outranks(self, expected: Any, got: Any) -> bool:
        """Whether to report this difference before any other."""
        return False

    def explain(self, difference: Difference) -> str:
        """Describe the difference, as part of a sentence."""
        return f"{self.name}: {short(difference.got)}; it should be {short(difference.expected)}"

    def listing(self, value: Any) -> list[str] | None:
        """Format an observed value as lines; None if the raw value should be printed."""
        return None


OBSERVATIONS: dict[str, Observation] = {}
"""All observations by name."""


@dataclass(frozen=True)
class Difference:
    """The first ``observation`` that differs between two runs, after step ``step`` (from 0).

    ``before`` is the value expected one step earlier; ``wanted`` and ``seen`` are all observations after this step, expected
    and actual. ``got`` and ``seen`` come from a worker and may be anything. ``call`` is the function that the step calls, if
    it calls one of the submission; ``hfn_of`` returns the hfn of a gfn, or None.
    """

    step: int
    observation: Observation
    expected: Any
    got: Any
    before: Any = None
    wanted: Seen = field(default_factory=dict, compare=False)
    seen: Seen = field(default_factory=dict, compare=False)
    call: str = field(default="", compare=False)
    hfn_of: Callable[[int], int | None] = field(default=lambda gfn: None, compare=False)

    @property
    def sentence(self) -> str:
        """Describe the difference, as part of a sentence: "the reverse map of frame 0x1f has lost spte #7:12, ..."."""
        if self.hashed:
            what = self.observation.what or f"the observations of {self.observation.name!r}"
            return f"after step {self.step + 1}, {what} differ from those of a correct solution; only digests were compared"
        try:
            return printable(self.observation.explain(self))
        except Exception:  # the data comes from a worker and may not have the form of an observation
            return printable(Observation.explain(self.observation, self))

    @property
    def hashed(self) -> bool:
        """Whether only digests were compared, as in long scenarios: they tell nobody what is wrong."""
        return self.observation.digested and type(self.expected) is int

    def listings(self) -> tuple[list[str], list[str]] | None:
        """The expected and the actual value as lines; None if the raw values should be printed."""
        try:
            expected, got = self.observation.listing(self.expected), self.observation.listing(self.got)
            if self.observation.what in (REVERSE_MAPS, FRAMES):  # code has to use the hfn, the pictures show the gfn
                expected, got = ([self._with_hfn(line) for line in lines or ()] for lines in (expected, got))
        except Exception:  # for the same reason
            return None
        return None if expected is None or got is None else (expected, [*map(printable, got)])

    # For observations in the form of lists of [key, value, ...]

    def by_key(self) -> tuple[dict[int, Any], dict[int, Any]]:
        """The expected and the actual values, by the first element of each row."""
        expected, got = ({row[0]: row[1] for row in value or []} for value in (self.expected, self.got))
        return expected, got

    def key(self) -> int:
        """The first key whose values differ."""
        expected, got = self.by_key()
        return first_different(expected, got)

    def missing_and_extra(self) -> tuple[int, list[int], list[int], list[int]]:
        """The first key whose lists of refs differ, its missing and its extra refs, and the refs expected one step earlier."""
        key, (expected, got) = self.key(), self.by_key()
        right, mine = Counter(expected.get(key, ())), Counter(got.get(key, ()))
        before = {row[0]: row[1] for row in self.before or []}.get(key, [])
        return key, sorted((right - mine).elements()), sorted((mine - right).elements()), before

    def frame(self, gfn: int) -> str:
        """Name a frame by its gfn and its hfn, or by its negated hfn; a number that is only a gfn is called one."""
        hfn = self.hfn_of(abs(gfn)) if abs(gfn) < 1 << 40 else None
        if gfn < 0 and hfn is not None:
            return f"hfn {-gfn:#x} ({-gfn:#x} is a gfn; its hfn is {hfn:#x})"
        return frame(gfn, hfn)

    def hfn_first(self, gfn: int) -> str:
        """Name a frame by its hfn, if it is known: the number that a part has to use."""
        hfn = self.hfn_of(gfn) if 0 <= gfn < 1 << 40 else None
        return self.frame(gfn) if gfn < 0 else f"the hfn of gfn {gfn:#x}" if hfn is None else f"hfn {hfn:#x} (gfn {gfn:#x})"

    def _with_hfn(self, line: str) -> str:
        return re.sub(r"^gfn (0x[0-9a-f]{1,10})\b", lambda found: self.frame(int(found[1], 16)), line)

    def entries(self) -> tuple[dict[int, Any], dict[int, Any]]:
        """The expected and the actual shadow entries, by ref; empty if they were not observed, or only as digests."""
        expected, got = (
            {page << 9 | entry[0]: entry for page, entries in found if isinstance(entries, list) for entry in entries}
            for found in (seen.get("sptes") or () for seen in (self.wanted, self.seen))
            if isinstance(found, list | tuple)
        )
        return expected, got

    def emptied_instead(self) -> str:
        """The end of a sentence: which entries were emptied instead of the right ones; empty if there are none."""
        expected, got = self.entries()
        emptied = sorted({*expected} - {*got})
        if not emptied or not {*got} - {*expected}:
            return ""
        return f"; your code emptied {reference(emptied[0])}{more(len(emptied) - 1)} instead"

    def wrongly_changed(self, refs: list[int]) -> str:
        """How the first of these entries was changed although it should not be, as a sentence; empty if none was."""
        expected, got = self.entries()
        for ref in refs:
            right, mine = expected.get(ref), got.get(ref)
            if right is None or right == mine:
                continue
            others = sorted({*got} - {*expected})
            instead = f"; the entry to empty is {reference(others[0])}{more(len(others) - 1)}" if others else ""
            if mine is None:
                return f"shadow entry {reference(ref)} was emptied; it should still be {shadow_entry(right)}{instead}"
            return f"shadow entry {reference(ref)} is {shadow_entry(mine)}; it should still be {shadow_entry(right)}{instead}"
        return ""

    def flags_of(self, ref: int) -> int:
        """The flags of a shadow entry, as the submission left it."""
        entries = next((entries for id, entries in self.seen.get("sptes", ()) if id == ref >> 9), ())
        return next((flags for index, flags, *_ in entries if index == ref & 511), 0)


def first_different(expected: dict[Any, Any], got: dict[Any, Any]) -> Any:
    """The lowest key whose values differ. Raises StopIteration if there is none."""
    return next(key for key in sorted({*expected, *got}) if expected.get(key) != got.get(key))


class ReverseMaps(Observation, name="rmap"):
    """The entries in each frame's reverse map, by gfn."""

    what = REVERSE_MAPS
    picture = REVERSE_MAP

    def look(self, view: View) -> Any:
        vm, subject = view.vm, view.subject
        for id, words in view.used.items():
            subject.known.update(subject.decoded(FIRST_SHADOW + id, words, self._writable))
        subject.known |= view.frames()
        asked = subject.known if not view.hashed or len(subject.known) <= FEW else self._changed(view)
        return view.by_gfn({hfn: found for hfn in asked if (found := refs(vm.rmap.sptes(hfn)))})

    def _writable(self, subject: Subject, hfn: int, words: bytes) -> list[int]:
        """The guest frames that entries of one shadow page allow writes to."""
        entries = np.frombuffer(words, "<u8")
        found = entries[entries & (PRESENT | WRITABLE) == PRESENT | WRITABLE]
        return [frame for entry in found.tolist() if (frame := (entry & BASE_MASK) >> PAGE_SHIFT) >= FIRST_GUEST]

    def _changed(self, view: View) -> set[int]:
        """The frames that the changed shadow entries led to before and after this step."""
        changes = [event for event in view.subject.stores if event[1] >> PAGE_SHIFT < FIRST_GUEST]
        hfns = {(entry & BASE_MASK) >> PAGE_SHIFT for event in changes for entry in event[3:5]}
        return {hfn for hfn in hfns if hfn >= FIRST_GUEST}

    def explain(self, difference: Difference) -> str:
        changed = difference.wrongly_changed(difference.missing_and_extra()[1])
        return changed or self._explain(difference) + difference.emptied_instead()

    def _explain(self, difference: Difference) -> str:
        gfn, missing, extra, before = difference.missing_and_extra()
        expected, got = difference.by_key()
        reverse_map = f"the reverse map of {difference.frame(gfn)}"
        if missing:
            elsewhere = next((other for other in got if other not in expected and missing[0] in got[other]), None)
            if elsewhere is not None:
                where = difference.hfn_first(gfn).removeprefix("the hfn of ")
                return (
                    f"spte {reference(missing[0])} is in the reverse map of {difference.frame(elsewhere)}; "
                    f"it should be in that of {where}"
                )
            verb = "has lost" if missing[0] in before else "lacks"
            words = f"{reverse_map} {verb} spte {reference(missing[0])}{more(len(missing) - 1)}, which can write it"
            return words + self._instead(len(expected[gfn]), len(missing), extra)
        ref = extra[0]
        right = next((other for other, found in expected.items() if ref in found), None)
        if right not in (None, gfn) and ref not in before:
            where = difference.hfn_first(right).removeprefix("the hfn of ")
            return f"spte {reference(ref)} is in {reverse_map}; it should be in that of {where}"
        if ref in expected.get(gfn, ()):
            return f"{reverse_map} has spte {reference(ref)} {times(got[gfn].count(ref))}"
        if not 0 <= ref < NUM_PAGES * 512:
            return f"{reverse_map} contains {_no_spte(ref)}"
        if ref in before and difference.flags_of(ref) & COUNTED == COUNTED:
            zapped = ref not in difference.entries()[0]
            why = "was not zapped: it still allows writes" if zapped else "still has its W"
            return f"spte {reference(ref)} {why} and is still in {reverse_map}"
        observed, emptied = bool(difference.wanted.get("sptes")), ref not in difference.entries()[1]
        why = "was emptied" if observed and emptied and ref in before else "can't write it"
        return f"{reverse_map} {'still has' if ref in before else 'has'} spte {reference(ref)}, which {why}"

    def _instead(self, count: int, missing: int, extra: list[int]) -> str:
        """What a map that lacks some of its ``count`` entries holds, as the end of a sentence."""
        if not extra:
            return f"; the map has {count - missing} of {count} entries" if missing < count else "; the map is empty"
        if 0 <= extra[0] < NUM_PAGES * 512:
            return f"; the map contains {reference(extra[0])}{more(len(extra) - 1)} instead"
        return f"; instead, the map contains {_no_spte(extra[0])}"

    def listing(self, value: Any) -> list[str]:
        return [f"{frame(gfn)}: {', '.join(map(reference, found))}" for gfn, found in value]


def _no_spte(ref: int) -> str:
    return f"{ref + FIRST_REF:#x}, which is not an spte; is it the value of an entry?"


class MappedFrames(Observation, name="frames"):
    """The gfns of the frames that the reverse map's ``frames()`` returns."""

    what = FRAMES

    def look(self, view: View) -> Any:
        return [gfn for gfn, _ in view.by_gfn(dict.fromkeys(view.frames(), 0))]

    def explain(self, difference: Difference) -> str:
        missing = sorted(set(difference.expected) - set(difference.got))
        if missing:
            many = f"{len(set(difference.expected)) - len(missing)} of {len(set(difference.expected))} frames"
            returns = f"returns {many}" if difference.got else "returns nothing"
            return f"frames() lacks {difference.hfn_first(missing[0])} and {returns}"
        extra = sorted(set(difference.got) - set(difference.expected))
        return f"frames() includes {difference.hfn_first(extra[0])}, whose reverse map is empty"

    def listing(self, value: Any) -> list[str]:
        return [*map(frame, value)]


class ParentEntries(Observation, name="parents"):
    """The entries that point to each shadow page in use, by page id."""

    what = "the parents of shadow pages"
    picture = PARENTS

    def look(self, view: View) -> Any:
        vm = view.vm
        return [[page.id, found] for page in view.active() if (found := refs(vm.parents.sptes(page)))]

    def explain(self, difference: Difference) -> str:
        page, missing, extra, before = difference.missing_and_extra()
        changed = difference.wrongly_changed(missing)
        if changed:
            return changed
        if missing:
            verb = "has lost" if missing[0] in before else "lacks"
            words = f"page #{page} {verb} its parent {reference(missing[0])}{more(len(missing) - 1)}"
        elif extra[0] in before:
            expected, got = difference.entries()
            if extra[0] in got and extra[0] not in expected:
                words = f"spte {reference(extra[0])} was not zapped: it still leads to page #{page}, as one of its parents"
            else:
                words = f"{reference(extra[0])} is still a parent of page #{page}; it should have been removed"
        else:
            words = f"{reference(extra[0])} is a parent of page #{page}; it should not be"
        return words + difference.emptied_instead()

    def listing(self, value: Any) -> list[str]:
        return [f"page #{id}: {', '.join(map(reference, found))}" for id, found in value]


class ChangeOrder(Observation, name="order"):
    """TLB flushes and changes of shadow entries, in the order in which they happened."""

    what = "TLB flushes and changes of shadow entries, in their order,"
    picture = SHADOW_TABLES
    starred = False

    def look(self, view: View) -> Any:
        return list(self._steps(view))

    def _steps(self, view: View) -> Iterator[str]:
        for event in view.subject.events:
            if event[0] is ev.FLUSH:
                yield "TLB flush"
            elif event[0].change and in_shadow_page(event):
                old, new = event[3:5]
                yield "entry emptied" if not new else "W cleared" if new == old & ~WRITABLE else "entry set"

    def explain(self, difference: Difference) -> str:
        return f"the order is {self._row(difference.got)}; it should be {self._row(difference.expected)}"

    def _row(self, steps: list[str]) -> str:
        return ", ".join(map(str, steps[:9])) + ", ..." * (len(steps) > 9) or "nothing at all"

    def listing(self, value: Any) -> list[str]:
        return [*map(str, value)] or ["nothing"]


class ShadowEntries(Observation, name="sptes"):
    """The nonzero entries of shadow pages, in the form that `inspect.dump.page_entries` returns."""

    what = "the shadow entries"
    picture = SHADOW_TABLES

    def look(self, view: View) -> Any:
        subject = view.subject
        if view.hashed:
            return [[id, zlib.crc32(words)] for id, words in view.used.items()]
        return [[id, subject.decoded(FIRST_SHADOW + id, words, self._entries)] for id, words in view.used.items()]

    def _entries(self, subject: Subject, hfn: int, words: bytes) -> list[Any]:
        return dump.page_entries(subject.vm, hfn - FIRST_SHADOW)

    def explain(self, difference: Difference) -> str:
        page, (expected, got) = difference.key(), difference.by_key()
        right, mine = ({entry[0]: entry for entry in part.get(page, [])} for part in (expected, got))
        index = first_different(right, mine)
        others = sum(right.get(key) != mine.get(key) for key in {*right, *mine}) - 1
        rest = f" ({others} more entries of this page differ)" if others else ""
        is_, should = shadow_entry(mine.get(index)), shadow_entry(right.get(index))
        words = f"shadow entry {reference(page << 9 | index)} is {is_}{rest}; it should be {should}"
        return words + difference.emptied_instead()

    def listing(self, value: Any) -> list[str]:
        return [f"{reference(id << 9 | entry[0])} {shadow_entry(entry)}" for id, entries in value for entry in entries]


class ShadowPages(Observation, name="pages"):
    """Shadow pages in use, newest first: id, gfn, role, root count, slot bits."""

    what = "the shadow pages in use"
    picture = SHADOW_TABLES

    def look(self, view: View) -> Any:
        pages = reversed(view.vm.pool.active)
        return [[page.id, page.gfn, page.role, page.root_count, page.slot_bitmap] for page in pages]

    def outranks(self, expected: Any, got: Any) -> bool:
        """Whether different pages are in use, since all other differences follow from that."""
        if not isinstance(got, list) or not all(isinstance(row, list) and row for row in got):
            return True
        return Counter(repr(row[0]) for row in expected) != Counter(repr(row[0]) for row in got)

    def _page(self, row: list[int]) -> ShadowPage:
        page = ShadowPage(row[0])
        page.gfn, page.role, page.root_count, page.slot_bitmap = row[1:]
        return page

    def _say(self, row: list[int]) -> str:
        page = self._page(row)
        what = "metaphysical" if page.metaphysical else f"for the guest's table in gfn {page.gfn:#x}"
        return f"shadow page #{page.id} (level {page.level}, {what})"

    def explain(self, difference: Difference) -> str:
        right, mine = ({row[0]: row for row in part} for part in (difference.expected, difference.got))
        for id in sorted({*right, *mine}):
            if id not in right:
                return f"{self._say(mine[id])} is still in use; it should have been zapped"
            if id not in mine:
                return f"{self._say(right[id])} was zapped; it should still be in use"
            if right[id] != mine[id]:
                names = ("gfn", "role", "root count", "slot bits")
                fields = [field for field in zip(names, mine[id][1:], right[id][1:], strict=True) if field[1] != field[2]]
                wrong = "; ".join(f"{name} {number(is_)} instead of {number(should)}" for name, is_, should in fields)
                return f"the header of {self._say(right[id])} has {wrong}"
        first, mine_first = difference.expected[0], difference.got[0]
        if first[3] and first[0] != mine_first[0]:
            return (
                f"root {self._say(first)} was not zapped; it should have been. (A root that is in use keeps its shadow page, "
                "but it loses its entries and moves to the front of the list of pages in use)"
            )
        if mine_first[3] and first[0] != mine_first[0]:
            return f"root {self._say(mine_first)} was zapped; it should not have been"
        return "the right shadow pages are in use, but they were zapped or created in another order than the kernel does"

    def listing(self, value: Any) -> list[str]:
        return [
            f"#{page.id}: level {page.level}, gfn {page.gfn:#x}, role {page.role:#x}, root x{page.root_count}, "
            f"slots {page.slot_bitmap:#x}"
            for page in map(self._page, value)
        ]


class ZappedPages(Observation, name="zaps"):
    """The ids of the shadow pages that `zap_page` was called for in the step, in this order."""

    usual = False
    picture = SHADOW_TABLES
    starred = False

    def look(self, view: View) -> Any:
        return [event[1] for event in view.subject.events if event[0] is ev.ZAP_PAGE]

    def explain(self, difference: Difference) -> str:
        expected, got = difference.expected, difference.got
        twice = next((id for id in got if got.count(id) > expected.count(id) > 0), None)
        if twice is not None:
            return f"zap_page is called {times(got.count(twice))} for page #{twice}; once is enough"
        should = f"be called for {self._row(expected)}, in the order of the bucket" if expected else "not be called"
        return f"zap_page is called for {self._row(got)}; it should {should}"

    def _row(self, ids: list[int]) -> str:
        return ", ".join(f"#{id}" for id in ids[:9]) + ", ..." * (len(ids) > 9) or "no page"

    def listing(self, value: Any) -> list[str]:
        return [f"page #{id}" for id in value] or ["no page"]


RESULT_NAMES = {
    "split": {
        5: ("the index at level 4", "the index at level 3", "the index at level 2", "the index at level 1", "the offset"),
        4: ("the index of the PDPTE", "the index at level 2", "the index at level 1", "the offset"),
        3: ("the index in the directory", "the index in the page table", "the offset"),
    },
}
"""By the name of a function and the length of what it should return: what the numbers are."""


def _crash(result: Any) -> str:
    """The crash of the host that a step's result reports, in words; "" if there is none."""
    crash = result.get("crash") if isinstance(result, dict) else None
    if not isinstance(crash, list):
        return ""
    what = f"the host crashes: {' in '.join(map(str, crash))}"
    if "mmu_memory_cache_alloc" in crash:
        what += ", because a cache in `vm.caches` is empty: `take()` was called too often"
    return what


class StepResult(Observation, name="result"):
    """What the step returned."""

    digested = False

    def look(self, view: View) -> Any:
        return view.subject.result

    def outranks(self, expected: Any, got: Any) -> bool:
        """Whether the step itself reports an error: its result is a text, although None was expected, or the host crashed."""
        return (expected is None and isinstance(got, str)) or _crash(got) not in ("", _crash(expected))

    def explain(self, difference: Difference) -> str:
        right, mine = difference.expected, difference.got
        if self.outranks(right, mine):
            return _crash(mine) or str(mine)
        if isinstance(right, dict) and isinstance(mine, dict):
            both = [name for name in right if name in mine and right[name] != mine[name]]
            wrong = both or [name for name in {**right, **mine} if name not in right or name not in mine]
            parts = [f"{result_part(name, mine.get(name))} instead of {result_part(name, right.get(name))}" for name in wrong]
            return f"it returns {'; '.join(parts[:3])}" + "; ..." * (len(parts) > 3)
        if isinstance(right, list) and isinstance(mine, list) and all(isinstance(item, str) for item in right):
            return self._complaints(right, mine)
        if isinstance(right, str) and isinstance(mine, str):
            return f"{mine}; expected: {right}"
        names = self._names(difference.call, right)
        sentence = f"it returns {self._value(mine, names)}; it should return {self._value(right, names)}"
        if not names or not isinstance(mine, list) or len(mine) != len(right):
            return sentence + f", {len(right)} numbers" * bool(names and isinstance(mine, list))
        wrong = [name for name, item, should in zip(names, mine, right, strict=True) if item != should]
        are = f"{', '.join(wrong[:-1])} and {wrong[-1]} are" if len(wrong) > 1 else f"{wrong[0]} is"
        return f"{sentence}: {are} wrong"

    def _value(self, value: Any, names: tuple[str, ...]) -> str:
        """Format what a call returns; several named numbers are a tuple, as in the README, which JSON turns into a list."""
        return short(tuple(value) if names and isinstance(value, list) else value)

    def _names(self, call: str, right: Any) -> tuple[str, ...]:
        """The names of the numbers that a call returns, if it returns several."""
        return RESULT_NAMES.get(call, {}).get(len(right), ()) if isinstance(right, list) else ()

    def listing(self, value: Any) -> list[str] | None:
        if not isinstance(value, dict):
            return None
        return [result_part(name, item) for name, item in value.items()]

    def _complaints(self, right: list[Any], mine: list[Any]) -> str:
        """Describe the mistakes that an audit misses, and its false alarms."""
        reported = [item if isinstance(item, str) else repr(item) for item in mine]
        missing = sorted((Counter(right) - Counter(reported)).elements())
        extra = sorted((Counter(reported) - Counter(right)).elements())
        name, others = (missing or extra)[0], more(len(missing or extra) - 1)
        if missing:
            return f"it doesn't report {name}{others}" + (f", but it reports {extra[0]}" if extra else "")
        if name in right:
            return f"it reports {name} {times(reported.count(name))} instead of {times(right.count(name))}"
        known = name.partition(" ")[0] in ("rmap", "wp", "map")
        why = "although nothing is wrong there" if known else "which is not a known kind of complaint"
        return f"it reports {name}{others}, {why}"


class CausedFaults(Observation, name="caused"):
    """The page faults delivered to the guest in the step, as [gva, error code], and the numbers of root loads and #GPs."""

    usual = False
    digested = False

    def look(self, view: View) -> Any:
        _, loads, gps = (now - then for now, then in zip(counts(view.vm), view.subject.before, strict=True))
        return [[list(fault) for fault in view.vm.injected], loads, gps]

    def explain(self, difference: Difference) -> str:
        (faults, *expected), (mine, *got) = difference.expected, difference.got
        if faults != mine:
            return f"the guest gets {self._faults(mine)}; it should get {self._faults(faults)}"
        return f"the numbers of root loads and of #GPs are {got}; they should be {expected}"

    def _faults(self, faults: list[list[int]]) -> str:
        words = [f"a page fault at gva {gva:#x} with {result_part('error', error)}" for gva, error in faults]
        return " and ".join(words) or "no page fault"

    def listing(self, value: Any) -> list[str]:
        faults, loads, gps = value
        return [f"for the guest: {self._faults(faults)}", f"root loads: {loads}", f"#GPs: {gps}"]


class TlbFlushes(Observation, name="flushes"):
    """The number of TLB flushes in the step."""

    digested = False
    picture = SHADOW_TABLES

    def look(self, view: View) -> Any:
        return counts(view.vm)[0] - view.subject.before[0]

    def explain(self, difference: Difference) -> str:
        is_ = f"flushed {times(difference.got)}" if difference.got else "not flushed"
        should = f"be flushed {times(difference.expected)}" if difference.expected else "not be flushed"
        return f"the TLB is {is_}; it should {should}"

    def listing(self, value: Any) -> list[str]:
        return [f"TLB flushes: {value}"]


class GuestEntries(Observation, name="guest"):
    """The nonzero entries of each guest table, as [index, entry], by the table's gfn."""

    what = "the guest's tables"

    def look(self, view: View) -> Any:
        memory = view.vm.memory
        changed = {event[1] >> PAGE_SHIFT for event in view.subject.stores}
        tables = {memory.frames[gfn] for gfn in view.subject.tables} | {hfn for hfn in changed if hfn >= FIRST_GUEST}
        hfns = sorted(hfn for hfn in tables if hfn is not None)
        if view.hashed:
            return [[memory.gfns[hfn], zlib.crc32(memory.pages[hfn].tobytes())] for hfn in hfns]
        return [[memory.gfns[hfn], view.subject.decoded(hfn, memory.pages[hfn].tobytes(), self._entries)] for hfn in hfns]

    def _entries(self, subject: Subject, hfn: int, words: bytes) -> list[tuple[int, int]]:
        table = np.frombuffer(words, f"<u{subject.entry_size}")
        used = table.nonzero()[0]
        return list(zip(used.tolist(), table[used].tolist(), strict=True))

    def explain(self, difference: Difference) -> str:
        gfn, (expected, got) = difference.key(), difference.by_key()
        right, mine = (dict(map(tuple, part.get(gfn, []))) for part in (expected, got))
        index = first_different(right, mine)
        is_, should = (guest_entry(part.get(index, 0)) for part in (mine, right))
        return f"entry {index} of the guest's table in gfn {gfn:#x} is {is_}; it should be {should}"

    def listing(self, value: Any) -> list[str]:
        return [f"gfn {gfn:#x} entry {index}: {guest_entry(entry)}" for gfn, entries in value for index, entry in entries]


class DirtyLogs(Observation, name="dirty"):
    """The pages marked in the dirty log of each slot that has one."""

    what = "the dirty logs"

    def look(self, view: View) -> Any:
        return dump.dirty_part(view.vm)

    def explain(self, difference: Difference) -> str:
        slot, (expected, got) = difference.key(), difference.by_key()
        missing = sorted(set(expected[slot]) - set(got[slot]))
        if missing:
            return f"page {missing[0]:#x} of slot {slot} isn't marked dirty, although it was written or can be written now"
        extra = sorted(set(got[slot]) - set(expected[slot]))
        return f"page {extra[0]:#x} of slot {slot} is marked dirty, although nothing wrote it and nothing can write it"

    def listing(self, value: Any) -> list[str]:
        return [f"slot {slot}: dirty pages {', '.join(map(hex, pages)) or 'none'}" for slot, pages in value]


class MmuNumbers(Observation, name="mmu"):
    """Levels, root, flood counter and registers: the numbers that `inspect.dump.mmu_part` returns."""

    what = "the levels, the root, the flood counter or the registers"

    names = (
        "vm.root_level", "vm.shadow_root_level", "the root", "the number of free pages", "vm.last_pt_write_gfn",
        "vm.last_pt_write_count", "CR0", "CR3", "CR4", "EFER", "vm.cpu.pdptrs",
    )  # fmt: skip
    decimal = (*names[:2], names[3], names[5])
    """The names of numbers that are shown in decimal."""

    def look(self, view: View) -> Any:
        return [int(value) if isinstance(value, bool) else plain(value) for value in dump.mmu_part(view.vm)]

    def explain(self, difference: Difference) -> str:
        values = zip(self.names, difference.got, difference.expected, strict=True)
        name, got, expected = next(row for row in values if row[1] != row[2])
        return f"{name} is {self._number(name, got)}; it should be {self._number(name, expected)}"

    def listing(self, value: Any) -> list[str]:
        return [f"{name}: {self._number(name, item)}" for name, item in zip(self.names, value, strict=True)]

    def _number(self, name: str, value: Any) -> str:
        return hex(value) if isinstance(value, int) and name not in self.decimal else str(value)


class HashBuckets(Observation, name="hash"):
    """For each nonempty bucket of the hash table, the ids of its pages, newest first."""

    what = "the hash buckets"

    def look(self, view: View) -> Any:
        pool = view.vm.pool
        if view.whole:
            return dump.hash_part(view.vm)
        places = sorted({page.gfn % NUM_PAGES for page in pool.active})
        return [[place, [page.id for page in pool.buckets[place]]] for place in places if pool.buckets[place]]

    def explain(self, difference: Difference) -> str:
        place, (expected, got) = difference.key(), difference.by_key()
        is_, should = self._pages(got.get(place)), self._pages(expected.get(place))
        return f"the hash bucket {place:#x} has {is_}; it should have {should}"

    def _pages(self, ids: list[int] | None) -> str:
        return "page " + ", ".join(f"#{id}" for id in ids) if ids else "no page"

    def listing(self, value: Any) -> list[str]:
        return [f"bucket {place:#x}: {self._pages(ids)}" for place, ids in value]


class FreeList(Observation, name="free"):
    """The ids of the free shadow pages that are not in their initial order, next one first, and the number of the others."""

    what = "the lists of free shadow pages"

    def look(self, view: View) -> Any:
        free, pages = view.vm.pool.free, view.vm.pool.pages
        unused = len(free)
        if free != pages[:unused]:
            unused = next(at for at, (page, there) in enumerate(zip(free, pages, strict=False)) if page is not there)
        return [[page.id for page in reversed(free[unused:])], unused]

    def explain(self, difference: Difference) -> str:
        right, mine = difference.expected[0], difference.got[0]
        if len(right) + difference.expected[1] != len(mine) + difference.got[1]:
            return f"{len(mine) + difference.got[1]} shadow pages are free; it should be {len(right) + difference.expected[1]}"
        return (
            "the right shadow pages were zapped, but in another order: the kernel zaps them in the order of the bucket "
            "(the list of free pages shows it)"
        )

    def listing(self, value: Any) -> list[str]:
        free = [f"page #{id}" for id in value[0]]
        return [*free, f"{'then ' * bool(free)}{value[1]} in their initial order"]


class MemoryWrites(Observation, name="door"):
    """The entries of guest tables and shadow pages that were changed through `Memory.put` or a similar method.

    Each is [page id or gfn, whether it is a shadow page, index, current entry]. Changes made in other ways are not included.
    """

    usual = False

    def look(self, view: View) -> Any:
        old, new = dict[int, int](), dict[int, int]()
        for event in view.subject.stores:
            _, hpa, size, before, after = event
            if size == 8 and in_shadow_page(event):  # most changes: the word, and not each of its bytes
                old.setdefault(hpa, before)
                new[hpa] = after
                continue
            for at in range(size):
                old.setdefault(hpa + at, before >> 8 * at & 255)
                new[hpa + at] = after >> 8 * at & 255
        changed = [at for at in new if new[at] != old[at] and at >> PAGE_SHIFT >= FIRST_SHADOW]
        return sorted(map(list, {self._entry(view, at) for at in changed}))

    def _entry(self, view: View, hpa: int) -> tuple[Any, ...]:
        memory, hfn = view.vm.memory, hpa >> PAGE_SHIFT
        if hfn < FIRST_GUEST:
            return hfn - FIRST_SHADOW, True, hpa % PAGE_SIZE // 8, memory.words[hpa // 8]
        size = view.subject.entry_size
        return memory.gfns[hfn], False, hpa % PAGE_SIZE // size, (memory.halves if size == 4 else memory.words)[hpa // size]

    def explain(self, difference: Difference) -> str:
        right, mine = ({tuple(row[:3]): row[3] for row in part} for part in (difference.expected, difference.got))
        place = first_different(right, mine)
        what, door = self._place(*place)
        if place not in mine:
            return f"{what} is not set to {right[place]:#x} through {door}, so nothing learns of the change"
        if place not in right:
            return f"{what} becomes {mine[place]:#x}; it should not change"
        return f"{what} becomes {mine[place]:#x}; it should become {right[place]:#x}"

    def listing(self, value: Any) -> list[str]:
        return [f"{self._place(*row[:3])[0]} set to {row[3]:#x}" for row in value]

    def _place(self, page: int, shadow: bool, index: int) -> tuple[str, str]:
        """The name of an entry, and the functions through which it has to be changed."""
        if shadow:
            return f"shadow entry {reference(page << 9 | index)}", "`vm.memory.put`"
        return f"entry {index} of the guest's table in gfn {page:#x}", "`vm.memory.put` or `put_half`"


class DescriptorForm(Observation, name="form"):
    """How each reverse map is stored, by gfn: as one ref, or as descriptors (lists); and the number of spare descriptors.

    None if the part lacks the optional method ``descriptors(hfn)``.
    """

    usual = False

    def look(self, view: View) -> Any:
        vm, rmap = view.vm, view.vm.rmap
        tell = getattr(rmap, "descriptors", None)
        own = rmap if type(rmap) is ReverseMap else None
        if tell is None and own is None:
            return None
        maps = {hfn: form("descriptors()", own.heads.get(hfn) if own else tell(hfn)) for hfn in view.frames()}  # type: ignore[misc]
        return [view.by_gfn(maps), vm.caches.rmap_desc.free]

    def explain(self, difference: Difference) -> str:
        got, expected = self.listing(difference.got), self.listing(difference.expected)
        if got[:-1] == expected[:-1]:
            left, should = difference.got[1], difference.expected[1]
            return (
                f"the maps are right, but {left} spare descriptors are left; there should be {should}: "
                "call `take()` for each descriptor that you start and `give()` for each that you no longer need"
            )
        return f"the maps are {short('; '.join(got[:-1]))}; the kernel keeps {short('; '.join(expected[:-1]))}"

    def listing(self, value: Any) -> list[str]:
        if value is None:
            return ["not reported"]
        maps = [f"{frame(gfn)}: {kept(head)}" for gfn, head in value[0]] or ["no map"]
        return [*maps, f"spare descriptors: {value[1]}"]


class FirstParents(Observation, name="first"):
    """For each shadow page with parents: "a parent" if ``first`` returns one of them, otherwise the returned value."""

    usual = False

    def look(self, view: View) -> Any:
        parents, found = view.vm.parents, []
        for page in view.active():
            first, sptes = parents.first(page), list(parents.sptes(page))
            if first is not None or sptes:
                known = any(first == spte for spte in sptes)
                found.append([page.id, "a parent" if known else plain(first)])
        return found

    def explain(self, difference: Difference) -> str:
        page, (expected, got) = difference.key(), difference.by_key()
        parents = [FIRST_REF + ref for id, refs in difference.wanted.get("parents") or () if id == page for ref in refs]
        is_ = f"first(page #{page}) returns {spte(got.get(page))}"
        if got.get(page) in parents:
            return f"{is_}, which is right, but then sptes(page #{page}) no longer returns it; `first` must not change anything"
        if page not in expected:
            return f"{is_}; it should return None, because the page has no parent"
        which = ", ".join(map(spte, parents[:4])) + ", ..." * (len(parents) > 4)
        should = f"{which}, its only parent" if len(parents) == 1 else "one of its parents" + f" ({which})" * bool(parents)
        return f"{is_}, which is not a parent of this page; it should return {should}"

    def listing(self, value: Any) -> list[str]:
        return [f"first(page #{id}): {first if first == 'a parent' else spte(first)}" for id, first in value]


class ChainForm(Observation, name="chains"):
    """How each shadow page's parents are stored: as one ref, or as chains (lists); and the number of spare chains.

    None if the part lacks the optional method ``chains(page)``.
    """

    usual = False

    def look(self, view: View) -> Any:
        vm = view.vm
        tell = getattr(vm.parents, "chains", None)
        if tell is None and not isinstance(vm.parents, ParentChains):
            return None
        rows = [[page.id, form("chains()", tell(page) if tell else page.parents)] for page in view.active()]
        return [[row for row in rows if row[1] is not None], vm.caches.pte_chain.free]

    def explain(self, difference: Difference) -> str:
        (right, free), (mine, left) = difference.expected, difference.got
        expected, got = dict(map(tuple, right)), dict(map(tuple, mine))
        if expected == got:
            return f"{left} spare chains are left; there should be {free}"
        page = first_different(expected, got)
        return f"the parents of page #{page} are {kept(got.get(page))}; the kernel keeps {kept(expected.get(page))}"

    def listing(self, value: Any) -> list[str]:
        if value is None:
            return ["not reported"]
        return [*(f"page #{id}: {kept(chains)}" for id, chains in value[0]), f"spare chains: {value[1]}"]


USUAL = tuple(name for name, observation in OBSERVATIONS.items() if observation.usual)
"""The observations that are compared when a rule names none."""


@functools.cache
def observations(names: tuple[str, ...]) -> tuple[Observation, ...]:
    """The observations with these names (default: the usual ones), in reporting order; "result" includes "caused"."""
    chosen = names or USUAL
    unknown = [name for name in chosen if name not in OBSERVATIONS]
    if unknown:
        raise InputError("looks", unknown[0], f"one of {', '.join(OBSERVATIONS)}")
    return tuple(
        observation for name, observation in OBSERVATIONS.items() if name in chosen or (name == "caused" and "result" in chosen)
    )


def observe(subject: Subject, names: tuple[str, ...], hashed: bool = False, whole: bool = True) -> Seen:
    """Make these observations now (see `View`). ``hashed``: replace a value by its digest where that is enough."""
    view = View(subject, hashed, whole)
    seen = {observation.name: observation.look(view) for observation in observations(names)}
    if not hashed:
        return seen
    return {name: zlib.crc32(repr(value).encode()) if OBSERVATIONS[name].digested else value for name, value in seen.items()}
