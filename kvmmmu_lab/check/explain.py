# SPDX-License-Identifier: GPL-2.0-only
"""A difference as a part of a sentence: "frame 0x1f is no longer found from spte #7:15, which can write it"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ..inspect.dump import FIRST_REF
from ..inspect.entries import spell
from ..inspect.names import entry_name
from ..mmu.memory import FIRST_SHADOW
from ..mmu.pool import METAPHYSICAL, NUM_PAGES
from ..mmu.rmap import COUNTED
from .compare import Difference

# FOLDED IN: check.listing: What a bench sees (`check.testbench`), in words: frames, entries, whole looks line by line.


def ref(number: int) -> str:
    """The name of a shadow entry that `inspect.dump` refers to."""
    return entry_name(FIRST_REF + number)


def frame(gfn: int) -> str:
    """A frame by its gfn; one that is no guest memory is told by its host number, made negative."""
    return f"host frame {-gfn:#x}" if gfn < 0 else f"frame {gfn:#x}"


def entry_words(entry: Any) -> str:
    """An entry of `inspect.dump.page_entries`, in words."""
    if entry is None:
        return "empty"
    _, flags, kind, target = entry
    other = [str(bit) for bit in (3, 4, 7, *((9, 10, 11) if kind == "s" else (9,) if kind == "g" else ())) if flags >> bit & 1]
    also = f"; bit{'s' * (len(other) > 1)} {', '.join(other)} set, too" if other and kind in "gsi" else ""
    if kind == "i":
        allowed = f"; the guest allows {' '.join(marks)}" if (marks := _marks(flags)) else ""
        return f"an I/O mark for gfn {target:#x} ({spell(flags & ~(1 << 9))}{allowed}){also}"
    leads = {"g": f"leads to gfn {target:#x}", "s": f"leads to page #{target}"}.get(kind)
    if leads is None:
        here = f"(flags {flags:#x}, frame {target:#x})"
        return f"{spell(flags)}; leads nowhere {here}" if flags & 1 else f"not present, but not 0 either {here}"
    marks = _marks(flags)
    return f"{spell(flags)}; {leads}" + (f"; the guest allows {' '.join(marks)}" if marks and kind == "g" else "") + also


def _marks(flags: int) -> list[str]:
    return [word for bit, word in ((10, "W"), (11, "U")) if flags >> bit & 1]


def listed(look: str, value: Any) -> list[str] | None:
    """What a look shows, in words, a line each; None where nobody knows better than to print it."""
    tell = LISTED.get(look)
    try:
        return tell(value) if tell is not None else None
    except Exception:  # what came from a worker needn't be of the form that a bench gives
        return None


def _listed_form(value: Any) -> list[str]:
    if value is None:
        return ["it doesn't say"]
    kept, free = value
    maps = [f"{frame(gfn)}: {_listed_row(head)}" for gfn, head in kept] or ["no map"]
    return [*maps, f"descriptors set aside: {free}"]


def _listed_row(head: Any) -> str:
    """One entry that is kept directly, or what stands in each descriptor."""
    if isinstance(head, int):
        return ref(head)
    return f"[{', '.join('[' + ', '.join(map(ref, places)) + ']' for places in head)}]"


def _listed_pages(value: Any) -> list[str]:
    return [
        f"#{id}: level {role >> 4 & 15}, gfn {gfn:#x}, role {role:#x}, root x{count}, slots {slots:#x}"
        for id, gfn, role, count, slots in value
    ]


MMU = (
    "levels of the guest", "levels of the shadow", "root", "number of free pages", "gfn of the last page-table write",
    "count of writes in a row", "CR0", "CR3", "CR4", "EFER", "cached PDPTEs",
)  # fmt: skip
"""The numbers of `inspect.dump.mmu_part`."""


COUNTS = (*MMU[:2], MMU[3], MMU[5])
"""Those that are no addresses and no registers."""


def mmu_value(name: str, value: Any) -> str:
    """One of these numbers; counts are decimal."""
    return hex(value) if isinstance(value, int) and name not in COUNTS else str(value)


def _listed_mmu(value: Any) -> list[str]:
    return [f"{name}: {mmu_value(name, item)}" for name, item in zip(MMU, value, strict=True)]


LISTED: dict[str, Callable[[Any], list[str]]] = {
    "rmap": lambda value: [f"{frame(gfn)}: {', '.join(map(ref, refs))}" for gfn, refs in value],
    "frames": lambda value: [*map(frame, value)],
    "sptes": lambda value: [f"{ref(id << 9 | entry[0])} {entry_words(entry)}" for id, entries in value for entry in entries],
    "order": lambda value: [*map(str, value)],
    "form": _listed_form,
    "pages": _listed_pages,
    "mmu": _listed_mmu,
    "free": lambda value: [*(f"#{id}" for id in value[0]), f"then {value[1]} in their first order"],
}


# FOLDED IN: check.answers: What steps answered, and what they should have answered, as a part of a sentence.


REPR = 160  # characters of what is told as it came


def result(difference: Difference) -> str:
    """What a step answers, and what it should."""
    if difference.expected is None and isinstance(difference.got, str):
        return difference.got
    right, mine = difference.expected, difference.got
    if isinstance(right, dict) and isinstance(mine, dict) and right != mine:
        both = [name for name in right if name in mine and right[name] != mine[name]]
        wrong = both or [name for name in {**right, **mine} if name not in right or name not in mine]
        answers = [f"{_told(name, mine.get(name))}, where {_told(name, right.get(name))} is right" for name in wrong]
        return f"it answers {'; '.join(answers[:3])}" + ("; ..." if len(answers) > 3 else "")
    if isinstance(right, list) and isinstance(mine, list) and all(isinstance(item, str) for item in right):
        return _complaints(right, mine)
    if isinstance(right, str) and isinstance(mine, str):
        return f"{mine}; right is: {right}"
    return f"it answers {short(mine)}; right is {short(right)}"


def _complaints(right: list[Any], mine: list[Any]) -> str:
    """What an audit doesn't report, or reports though nothing is wrong there."""
    told = [item if isinstance(item, str) else repr(item) for item in mine]
    should, made = Counter(right), Counter(told)
    missing, extra = sorted((should - made).elements()), sorted((made - should).elements())
    name, others = (missing or extra)[0], len(missing or extra) - 1
    more = f" (and {others} more)" if others else ""
    if missing:
        return f"it doesn't report {name}{more}" + (f", but it reports {extra[0]}" if extra else "")
    if name in right:
        return f"it reports {name} {told.count(name)} times, where {right.count(name)} is right"
    known = name.partition(" ")[0] in ("rmap", "wp", "map")
    return f"it reports {name}{more}, " + ("though nothing is wrong there" if known else "which is no complaint of an audit")


def _told(name: str, value: Any) -> str:
    """A part of a result, in words."""
    if value is None:
        return f"no {name}"
    if name == "error" and isinstance(value, int):
        bits = [word for bit, word in ((0, "present"), (1, "write"), (2, "user"), (4, "fetch")) if value >> bit & 1]
        return f"{name} {value:#x} ({', '.join(bits) or 'no bit set'})"
    if name == "rights" and value in (0, 2, 4, 6):
        return f"{name} {value} ({' '.join(flag for flag, bit in (('W', 2), ('U', 4)) if value & bit) or 'neither W nor U'})"
    if isinstance(value, list):
        return f"{name} [{', '.join(map(number, value))}]"
    return f"{name} {number(value)}"


def caused(difference: Difference) -> str:
    """What a step brings upon the guest."""
    (faults, *counts), (mine, *others) = difference.expected, difference.got
    if faults != mine:
        return f"the guest gets {_faults(mine)}; it should get {_faults(faults)}"
    return f"loads of a root and #GPs: {others}; it should be {counts}"


def _faults(faults: list[list[int]]) -> str:
    told = [f"a page fault at gva {gva:#x} with {_told('error', error)}" for gva, error in faults]
    return " and ".join(told) or "no page fault"


def times(count: Any) -> str:
    """How often, in words."""
    return {0: "not flushed", 1: "flushed once", 2: "flushed twice"}.get(count, f"flushed {count} times")


def number(value: Any) -> str:
    """A number as messages write it."""
    return hex(value) if isinstance(value, int) and value > 9 else str(value)


def short(value: Any) -> str:
    """What came, cut where it is long."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= REPR else f"{text[:REPR]}..."




def sentence(difference: Difference) -> str:
    """What differs, as a part of a sentence: "spte #7:12 is no longer in ..."."""
    tell = TOLD.get(difference.look, _other)
    try:
        return tell(difference) + (_instead(difference) if difference.look in ("rmap", "parents", "sptes") else "")
    except Exception:  # what came from a worker needn't be of the form that a bench gives
        return _other(difference)


def subject(difference: Difference) -> int | None:
    """The gfn, or the id of the page, that a difference in reverse maps or parents is about."""
    try:
        expected, got = _by_key(difference)
        return next((key for key in sorted({*expected, *got}) if expected.get(key) != got.get(key)), None)
    except (TypeError, ValueError):
        return None


def _by_key(difference: Difference) -> tuple[dict[int, Any], dict[int, Any]]:
    return tuple({row[0]: row[1] for row in part or []} for part in (difference.expected, difference.got))  # type: ignore[return-value]


def _lost_and_found(difference: Difference) -> tuple[int, list[int], list[int], list[int]]:
    """Key, references that are missing, those too many, and those that were there before."""
    expected, got = _by_key(difference)
    key = next(key for key in sorted({*expected, *got}) if expected.get(key) != got.get(key))
    right, mine = Counter(expected.get(key, ())), Counter(got.get(key, ()))
    before = {row[0]: row[1] for row in difference.before or []}.get(key, [])
    return key, sorted((right - mine).elements()), sorted((mine - right).elements()), before


def _rmap(difference: Difference) -> str:
    gfn, missing, extra, before = _lost_and_found(difference)
    expected, got = _by_key(difference)
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        longer = "is no longer" if missing[0] in before else "isn't"
        return f"{frame(gfn)} {longer} found from spte {ref(missing[0])}{more}, which can write it"
    if extra[0] in expected.get(gfn, ()):
        return f"spte {ref(extra[0])} is in the map of {frame(gfn)} {got[gfn].count(extra[0])} times"
    if not 0 <= extra[0] < NUM_PAGES * 512:
        return f"the map of {frame(gfn)} has {extra[0] + FIRST_REF:#x} in it, which is no spte; is it an entry's value?"
    still = "is still" if extra[0] in before else "is"
    if extra[0] in before and _flags_of(difference, extra[0]) & COUNTED == COUNTED:
        return f"spte {ref(extra[0])} still has its W, and {still} in the map of {frame(gfn)}"
    return f"spte {ref(extra[0])} {still} in the map of {frame(gfn)}, which can't be written through it"


def _instead(difference: Difference) -> str:
    """Which entries are empty and should not be, where something else should have become so."""
    right, mine = (
        {page << 9 | entry[0] for page, entries in seen.get("sptes", ()) for entry in entries}
        for seen in (difference.wanted, difference.seen)
    )
    emptied, kept = sorted(right - mine), mine - right
    if not emptied or not kept:
        return ""
    more = f" and {len(emptied) - 1} more" if len(emptied) > 1 else ""
    return f"; your code emptied {ref(emptied[0])}{more} instead"


def _flags_of(difference: Difference, number: int) -> int:
    """The flags of a shadow entry, as the submission left it."""
    page = next((entries for id, entries in difference.seen.get("sptes", ()) if id == number >> 9), ())
    return next((flags for index, flags, *_ in page if index == number & 511), 0)


def _frames(difference: Difference) -> str:
    missing = sorted(set(difference.expected) - set(difference.got))
    if missing:
        return f"frames() doesn't name {frame(missing[0])}, which has a map"
    return f"frames() names {frame(sorted(set(difference.got) - set(difference.expected))[0])}, whose map is empty"


def _parents(difference: Difference) -> str:
    page, missing, extra, before = _lost_and_found(difference)
    if missing:
        longer = "is no longer" if missing[0] in before else "isn't"
        return f"{ref(missing[0])} {longer} among the parents of page #{page}, to which it should point"
    if extra[0] in before:
        return f"{ref(extra[0])} is still among the parents of page #{page}, to which it should point no more"
    return f"{ref(extra[0])} is among the parents of page #{page}, though it doesn't point there"


def _sptes(difference: Difference) -> str:
    expected, got = _by_key(difference)
    page = next(key for key in sorted({*expected, *got}) if expected.get(key) != got.get(key))
    right, mine = ({entry[0]: entry for entry in part.get(page, [])} for part in (expected, got))
    index = next(key for key in sorted({*right, *mine}) if right.get(key) != mine.get(key))
    others = sum(right.get(key) != mine.get(key) for key in {*right, *mine}) - 1
    more = f" (and {others} more of this page differ)" if others else ""
    name, is_, should = ref(page << 9 | index), entry_words(mine.get(index)), entry_words(right.get(index))
    return f"shadow entry {name} is {is_}{more}; it should be {should}"


def _pages(difference: Difference) -> str:
    right, mine = ({row[0]: row for row in part} for part in (difference.expected, difference.got))
    for id in sorted({*right, *mine}):
        if id not in right:
            return f"shadow page {_page(mine[id])} is still in use; it should have been zapped"
        if id not in mine:
            return f"shadow page {_page(right[id])} was zapped; it should live on"
        if right[id] != mine[id]:
            names = ("gfn", "role", "root count", "slot bits")
            wrong = [n for n in zip(names, mine[id][1:], right[id][1:], strict=True) if n[1] != n[2]]
            told = "; ".join(f"{name} {number(now)}, where {number(should)} is right" for name, now, should in wrong)
            return f"the header of shadow page {_page(right[id])} has {told}"
    roots = "; a root in use moves to the front when it is zapped" if any(row[3] for row in right.values()) else ""
    return f"the shadow pages in use are the right ones, but in another order: zapped, or made, in another order{roots}"


def _page(row: list[int]) -> str:
    id, gfn, role = row[:3]
    what = "metaphysical" if role & METAPHYSICAL else f"of the guest's table in gfn {gfn:#x}"
    return f"#{id} (level {role >> 4 & 15}, {what})"


def _door(difference: Difference) -> str:
    right, mine = ({tuple(row[:3]): row[3] for row in part} for part in (difference.expected, difference.got))
    place = next(key for key in sorted({*right, *mine}) if right.get(key) != mine.get(key))
    page, shadow, index = place
    what = f"shadow entry {ref(page << 9 | index)}" if shadow else f"entry {index} of the guest's table in gfn {page:#x}"
    if place not in mine:
        door = "`vm.memory.put`" if shadow else "`vm.memory.put` or `put_half`"
        return f"{what} doesn't become {right[place]:#x} through {door}"
    if place not in right:
        return f"{what} becomes {mine[place]:#x}; it should stay as it is"
    return f"{what} becomes {mine[place]:#x}; it should be {right[place]:#x}"


def _flushes(difference: Difference) -> str:
    should = f"should be {times(difference.expected)}" if difference.expected else "shouldn't be flushed"
    return f"the TLB is {times(difference.got)}; it {should}"


def _order(difference: Difference) -> str:
    return f"what happens is {_row(difference.got)}; it should be {_row(difference.expected)}"


def _row(tokens: list[str]) -> str:
    return ", ".join(map(str, tokens[:9])) + ", ..." * (len(tokens) > 9) or "nothing"


def _guest(difference: Difference) -> str:
    expected, got = _by_key(difference)
    gfn = next(key for key in sorted({*expected, *got}) if expected.get(key) != got.get(key))
    right, mine = (dict(map(tuple, part.get(gfn, []))) for part in (expected, got))
    index = next(key for key in sorted({*right, *mine}) if right.get(key) != mine.get(key))
    now, should = (part.get(index, 0) for part in (mine, right))
    return f"entry {index} of the guest's table in gfn {gfn:#x} is {_entry(now)}; it should be {_entry(should)}"


def _entry(value: int) -> str:
    return f"{value:#x} ({spell(value)})" if value else "0"


def _mmu(difference: Difference) -> str:
    name, got, expected = next(
        (name, b, a) for name, a, b in zip(MMU, difference.expected, difference.got, strict=True) if a != b
    )
    return f"{name}: {mmu_value(name, got)}; it should be {mmu_value(name, expected)}"


def _dirty(difference: Difference) -> str:
    right, mine = (dict(map(tuple, part)) for part in (difference.expected, difference.got))
    slot = next(key for key in right if right[key] != mine.get(key))
    missing = sorted(set(right[slot]) - set(mine[slot]))
    if missing:
        return f"page {missing[0]:#x} of slot {slot} isn't marked dirty, though it was written, or can be now"
    extra = sorted(set(mine[slot]) - set(right[slot]))
    return f"page {extra[0]:#x} of slot {slot} is marked dirty, though nothing wrote it and nothing may write it"


def _free(difference: Difference) -> str:
    return "shadow pages came back to the free list in another order: they were zapped in another order"


def _form(difference: Difference) -> str:
    got, expected = (listed("form", value) for value in (difference.got, difference.expected))
    if not got or not expected:
        return _other(difference)
    if got[:-1] == expected[:-1]:
        counts = f"{difference.got[1]} descriptors are set aside; it should be {difference.expected[1]}"
        return f"the maps are right, but {counts}: were `take()` and `give()` called for each that begins and ends?"
    return f"it is kept as {short('; '.join(got[:-1]))}; the kernel keeps {short('; '.join(expected[:-1]))}"


def _first(difference: Difference) -> str:
    expected, got = _by_key(difference)
    page = next(key for key in sorted({*expected, *got}) if expected.get(key) != got.get(key))
    if page not in expected:
        return f"first(page #{page}) answers {_spte(got[page])}; it should be None, for the page has no parent"
    return f"first(page #{page}) answers {_spte(got.get(page))}; it should be one of the page's parents"


def _spte(value: Any) -> str:
    """A value that should be an spte."""
    inside = isinstance(value, int) and FIRST_SHADOW <= value >> 9 < FIRST_SHADOW + NUM_PAGES
    return entry_name(value) if inside else repr(value)


def _chains(difference: Difference) -> str:
    """Kept as the kernel keeps it? In lists of chains and free chains."""
    (right, free), (mine, left) = difference.expected, difference.got
    for page in sorted({row[0] for row in [*right, *mine]}):
        kept, own = (dict(map(tuple, rows)).get(page) for rows in (right, mine))
        if kept != own:
            return f"the parents of page #{page} are kept as {_chain(own)}; the kernel keeps {_chain(kept)}"
    return f"{left} free chains are left; it should be {free}"


def _chain(kept: Any) -> str:
    if isinstance(kept, list):
        return f"[{', '.join(map(_chain, kept))}]"
    return "None" if kept is None else ref(kept)


def _other(difference: Difference) -> str:
    return f"{difference.look}: {short(difference.got)}; it should be {short(difference.expected)}"


TOLD = {
    "rmap": _rmap,
    "frames": _frames,
    "parents": _parents,
    "sptes": _sptes,
    "pages": _pages,
    "result": result,
    "flushes": _flushes,
    "order": _order,
    "guest": _guest,
    "mmu": _mmu,
    "dirty": _dirty,
    "free": _free,
    "form": _form,
    "first": _first,
    "chains": _chains,
    "door": _door,
    "caused": caused,
}
