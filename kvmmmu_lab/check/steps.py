# SPDX-License-Identifier: GPL-2.0-only
"""The steps of scenarios: each acts on a machine and can describe itself in words.

A scenario holds steps as data, such as ``("map", "7:12", 0x1F, "PW")``; `read_step` turns them into the objects of this
module. An spte is written as "7:12": entry 12 of shadow page 7. Flags are letters: P W U A D G, X for NX, S for PS (a large
page). An access is given as letters of "wux": write, user, fetch.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, ClassVar

from ..data import open_trace
from ..errors import HostCrash, InputError, LabError
from ..exercises import StepData
from ..inspect.dump import FIRST_REF
from ..inspect.keys import PDPT
from ..inspect.names import entry_name, parse_entry_name
from ..inspect.paths import guest_path
from ..mmu import Vm, shadow
from ..mmu import events as ev
from ..mmu.bits import (
    BASE_MASK,
    CR0_WP,
    CR4_PSE,
    EFER_NX,
    PAGE_SHIFT,
    PAGE_SIZE,
    ROOT_32,
    ROOT_64,
    ROOT_PAE,
    WRITABLE,
    flag_names,
    guest_format,
    mode_of_levels,
)
from ..mmu.caches import CAPACITY
from ..mmu.memory import FIRST_SHADOW
from ..mmu.pool import NUM_PAGES, ShadowPage, make_role
from ..mmu.rmap import COUNTED
from ..mmu.walk import Walk
from ..replay.trace_replay import TraceReplay
from ..verify.operations import apply
from .fault_injection import mistake
from .observe import hfns, refs
from .sandbox.protocol import plain
from .subject import Subject, WrongResult, flag_bits


class ScenarioStep:
    """A kind of step. Its annotated attributes are its operands, in this order. In scenarios, ``MapStep`` is called "map"."""

    kinds: ClassVar[dict[str, type[ScenarioStep]]] = {}
    """All kinds of steps by name."""

    operands: ClassVar[tuple[str, ...]] = ()
    required: ClassVar[int] = 0
    """The number of operands without a default."""

    fewer: ClassVar[tuple[str, ...]] = ()
    """Operands that say how many calls the step makes: a failure is easier to understand with fewer."""

    many: ClassVar[bool] = False
    """Whether the step makes more than one call."""

    def __init_subclass__(cls) -> None:
        cls.operands = tuple(cls.__annotations__)
        cls.required = sum(not hasattr(cls, operand) for operand in cls.operands)
        cls.many = "count" in cls.operands or cls.calls is not ScenarioStep.calls
        ScenarioStep.kinds[cls.__name__.removesuffix("Step").lower()] = cls

    def __init__(self, *values: Any) -> None:
        vars(self).update(zip(self.operands, values, strict=False))

    @property
    def calls(self) -> int:
        """About how many calls of the part the step makes: the more there are, the more time it gets."""
        return getattr(self, "count", 1)

    def halved(self) -> Iterator[tuple[Any, ...]]:
        """Steps like this one, as data, each with half of one of the numbers in ``fewer``."""
        for operand in self.fewer:
            half = getattr(self, operand) // 2
            if half:
                yield self._with(operand, half)

    def with_calls(self, count: int) -> tuple[Any, ...]:
        """The step with this many calls, as data; for a step that can be taken apart (see `singly`)."""
        return self._with("count", count)

    def _with(self, operand: str, value: int) -> tuple[Any, ...]:
        name = type(self).__name__.removesuffix("Step").lower()
        return name, *(value if each == operand else getattr(self, each) for each in self.operands)

    def singly(self) -> list[tuple[Any, ...]]:
        """The same as several steps with one call each, as data; empty if there are none."""
        return []

    def do(self, subject: Subject) -> Any:
        """Do the step and return its result as JSON data. Exceptions that a part raises propagate."""
        raise NotImplementedError

    def say(self, vm: Vm) -> str:
        """Describe the step before it happens. Text in [brackets] at the end is shown in lists, but not in sentences."""
        raise NotImplementedError


def read_step(step: StepData) -> ScenarioStep:
    """Convert data to a step; a dict is an operation of a golden trace. Raises InputError if there is no such step."""
    if isinstance(step, dict):
        return OperationStep(step)
    name, *values = step
    kind = ScenarioStep.kinds.get(name)
    if kind is None:
        raise InputError("step", name, f"one of {', '.join(ScenarioStep.kinds)}")
    if not kind.required <= len(values) <= len(kind.operands):
        raise InputError("step", step, f"({', '.join([repr(name), *kind.operands])})")
    return kind(*values)


def calls(step: StepData) -> int:
    """About how many calls of the part a step makes: see `ScenarioStep.calls`."""
    kind = OperationStep if isinstance(step, dict) else ScenarioStep.kinds.get(step[0])
    return read_step(step).calls if kind is None or kind.many else 1


# Reverse maps


class MapStep(ScenarioStep):
    """Make an entry, bypassing the engine, then call ``rmap.add(spte)``.

    A negative ``gfn`` is the negated number of a host frame, which may be high, as on a host with a lot of memory.
    """

    spte: str
    gfn: int
    flags: str

    def do(self, subject: Subject) -> None:
        _map(subject, parse_entry_name(self.spte), self.gfn, self.flags)

    def say(self, vm: Vm) -> str:
        return f"add(#{self.spte}) [{_entry(vm, self.gfn, self.flags)}]"


class MapsStep(ScenarioStep):
    """Like `MapStep`, for ``count`` consecutive entries, which can all write; their gfns are ``apart``.

    The result is None, or what is wrong with the frame's map after some of the calls.
    """

    spte: str
    count: int
    gfn: int
    flags: str
    apart: int = 0
    fewer = ("count",)

    def singly(self) -> list[tuple[Any, ...]]:
        sptes = _row(self.spte, self.count)
        names = [entry_name(spte).removeprefix("#") for spte in sptes]
        return [("map", name, self.gfn + number * self.apart, self.flags) for number, name in enumerate(names)]

    def do(self, subject: Subject) -> str | None:
        hfn, apart = _hfn(subject.vm, self.gfn), self.apart
        there = {} if apart else dict.fromkeys(_sptes(subject.vm.rmap.sptes(hfn)))
        for number, spte in enumerate(_row(self.spte, self.count)):
            subject.vm.caches.top_up(None)  # as before each fault
            _map(subject, spte, self.gfn + number * apart, self.flags)
            there[spte] = None
            if not apart and len(there) in WATCHED and (wrong := _wrong_map(subject.vm, hfn, there)):
                return f"after call {number + 1}, which is add({entry_name(spte)}), {wrong}"
        return None

    def say(self, vm: Vm) -> str:
        calls = f"add(#{self.spte}) to add({entry_name(_row(self.spte, self.count)[-1])})"
        if self.apart:
            return f"{calls} [{self.count} writable entries, each for a frame of its own, from gfn {self.gfn:#x} on]"
        return f"{calls} [{self.count} times {_entry(vm, self.gfn, self.flags)}]"


class UnmapStep(ScenarioStep):
    """Call ``rmap.remove(spte)``, then zero the entry. The result is None, or a message that ``remove`` changed the entry."""

    spte: str

    def do(self, subject: Subject) -> str | None:
        return _unmap(subject, parse_entry_name(self.spte))

    def say(self, vm: Vm) -> str:
        return f"remove(#{self.spte}) [the caller zeroes the entry afterwards]"


class UnmapsStep(ScenarioStep):
    """Like `UnmapStep`, for ``count`` consecutive entries of one frame, in this ``order``: "first", "last" or "middle" is which
    of the remaining ones is removed next. The result is None, or what is wrong after some of the calls."""

    spte: str
    count: int
    order: str = "first"
    fewer = ("count",)

    def do(self, subject: Subject) -> str | None:
        row, vm = _row(self.spte, self.count), subject.vm
        hfn = (vm.memory.words[row[0]] & BASE_MASK) >> PAGE_SHIFT
        there = dict.fromkeys(_sptes(vm.rmap.sptes(hfn)))
        for number, spte in enumerate(_taken(row, self.order), 1):
            wrong = _unmap(subject, spte)
            if spte in there:
                del there[spte]
                if not wrong and len(there) in WATCHED:
                    wrong = _wrong_map(vm, hfn, there)
            if wrong:
                return f"after call {number}, which is remove({entry_name(spte)}), {wrong}"
        return None

    def say(self, vm: Vm) -> str:
        row = [entry_name(spte) for spte in _taken(_row(self.spte, self.count), self.order)]
        how = ", each time the middle one of those left" if self.order == "middle" else ""
        return f"remove({row[0]}) to remove({row[-1]}){how} [the caller zeroes each entry afterwards]"


class ReplaceStep(ScenarioStep):
    """Remove one entry, zero it, and add another one in the same step, so that no map is looked at in between."""

    old: str
    spte: str
    gfn: int
    flags: str

    def do(self, subject: Subject) -> str | None:
        wrong = _unmap(subject, parse_entry_name(self.old))
        if not wrong:
            _map(subject, parse_entry_name(self.spte), self.gfn, self.flags)
        return wrong

    def say(self, vm: Vm) -> str:
        return f"remove(#{self.old}) and add(#{self.spte}) [{_entry(vm, self.gfn, self.flags)}]"


class FramesStep(ScenarioStep):
    """On a machine of its own, make ``each`` entries for each of ``count`` host frames, in turn, and add them to the maps.

    ``removes``: then remove all entries in the same order, but write-protect the last ``protects`` frames. The result is None,
    or what is wrong. Only a few maps are looked at, because a part may have to search for each.
    """

    count: int
    each: int
    removes: bool = False
    protects: int = 0
    fewer = "count", "each"

    @property
    def calls(self) -> int:
        return self.count * self.each * (1 + self.removes)

    def do(self, subject: Subject) -> str | None:
        vm, count, targets = Vm(subject.slots, **subject.parts), self.count, self._hfns()
        end = FIRST_REF + (NUM_PAGES << 9)
        sptes = range(end - count * self.each, end)
        words = vm.memory.pages.reshape(-1)
        words[sptes.start : sptes.stop] = [hfn << PAGE_SHIFT | COUNTED for hfn in targets] * self.each
        for page in vm.pool.pages[shadow.page_of(sptes[0]) :]:
            page.role = make_role(ROOT_64, 1, 0, False, 0)
        _prepared(vm, sptes, vm.rmap.add)
        if wrong := self._wrong(vm, targets, sptes):
            return f"after the last call of add, {wrong}"
        for removed in range(count, len(sptes) + 1, count) if self.removes else ():
            last = sptes.stop - self.protects
            row = sptes[removed - count : min(removed, last - sptes.start)]
            for spte in row:
                vm.rmap.remove(spte)
            words[row.start : row.stop] = 0
            if removed == len(sptes):
                for spte in range(last, sptes.stop):
                    if wrong := self._protect(vm, spte):
                        return wrong
            if wrong := self._wrong(vm, targets, sptes[removed:]):
                return f"after {removed} calls of remove, {wrong}"
        return None

    def _protect(self, vm: Vm, spte: int) -> str:
        """Write-protect the frame that an entry leads to; return what is wrong then."""
        entry, flushes = vm.memory.words[spte], vm.stats.tlb_flushes
        hfn = entry >> PAGE_SHIFT
        gfn = MANY_FRAMES + spte
        vm.memory.frames[gfn] = hfn
        vm.rmap.write_protect(gfn)
        after, times = vm.memory.words[spte], vm.stats.tlb_flushes - flushes
        call = f"after write_protect(gfn {gfn:#x}), whose hfn is {hfn:#x}"
        if after != entry & ~WRITABLE:
            return f"{call}, the entry {entry_name(spte)} is {after:#x}; it should be {entry & ~WRITABLE:#x}"
        return "" if times == 1 else f"{call} and whose map has one entry, the TLB was flushed {times} times"

    def _hfns(self) -> list[int]:
        """Half of them are consecutive; the others are scattered, so that a hash that is too short maps two to the same."""
        near = self.count // 2
        far = range(FAR_APART, (self.count - near + 1) * FAR_APART, FAR_APART)
        return [*range(MANY_FRAMES, MANY_FRAMES + near), *(hfn & BASE_MASK >> PAGE_SHIFT for hfn in far)]

    def _wrong(self, vm: Vm, targets: list[int], there: range) -> str:
        mapped, found = set(targets if there else ()), hfns(vm.rmap.frames())
        if missing := sorted(mapped - found):
            returns = f"{len(found)} of {len(mapped)} frames" if found else "nothing"
            return f"frames() lacks hfn {missing[0]:#x} and returns {returns}"
        if extra := sorted(found - mapped):
            return f"frames() includes hfn {extra[0]:#x}, whose reverse map is empty"
        looked_at = dict.fromkeys(at % self.count for at in FEW)
        wrong = (_wrong_map(vm, targets[at], there[at :: self.count]) for at in looked_at)
        return next(filter(None, wrong), "")

    def say(self, vm: Vm) -> str:
        count, sptes, end, near = self.count, self.count * self.each, FIRST_REF + (NUM_PAGES << 9), self.count // 2
        first, last = entry_name(end - sptes), entry_name(end - 1)
        calls = f"add({first}) to add({last})" if sptes > 1 else f"add({first})"
        calls += ", and then remove() for all of them in the same order" * self.removes
        calls += f", and write_protect() for the last {self.protects} frames" * bool(self.protects)
        targets = [f"{near} from {MANY_FRAMES:#x} on"] * bool(near)
        targets += [f"n * {FAR_APART:#x} % 2**40 for n from 1 to {count - near}" if count > 1 else f"{FAR_APART:#x}"]
        again = f", then another one for each in the same order, {self.each} in all" * (self.each > 1)
        one = f"one entry (PW) for each of {count} frames{again}" if count > 1 else f"{_entries(self.each)} (PW) for one frame"
        return f"{calls} [on a new machine: {one}; hfn{'s' * (count > 1)}: {', then '.join(targets)}]"


MANY_FRAMES, FAR_APART = 0x100000, 0x9E3779B97F
"""The first of the consecutive host frames of `FramesStep`, which the guest does not have; how far apart the others are."""

FEW = 0, 1, -2, -1
"""Which frames, or pages, are looked at where there are many: a limit concerns the first or the last ones."""


class ProtectStep(ScenarioStep):
    """Call ``rmap.write_protect(gfn)``."""

    gfn: int

    def do(self, subject: Subject) -> None:
        subject.vm.rmap.write_protect(self.gfn)  # first: looking the frame up would put it into the cache of `frames`
        subject.known.add(subject.vm.memory.frames[self.gfn] or 0)

    def say(self, vm: Vm) -> str:
        return f"write_protect(gfn {self.gfn:#x})"


# Parents


class LinkStep(ScenarioStep):
    """Call ``parents.add(page, spte)`` for ``count`` consecutive entries. Raises InputError if one is a parent already.

    ``stranger``: an entry that is not a parent; ``remove`` is called for it now and then, and must raise an exception. The
    result is None, or what is wrong after some of the calls.
    """

    page: int
    spte: str
    count: int = 1
    stranger: str = ""

    def do(self, subject: Subject) -> str | None:
        page, parents = subject.vm.pool.pages[self.page], subject.vm.parents
        there = dict.fromkeys(parents.sptes(page))
        for spte in _row(self.spte, self.count):
            if spte in there:
                raise InputError("spte", entry_name(spte), f"an entry that isn't a parent of page #{self.page} yet")
            subject.vm.caches.top_up(None)  # as before each fault
            parents.add(page, spte)
            there[spte] = None
            if self.count == 1 or len(there) not in WATCHED:
                continue
            wrong = _wrong_parents(subject.vm, page, there)
            if not wrong and self.stranger:
                wrong = _stranger(subject.vm, page, parse_entry_name(self.stranger), there)
            if wrong:
                return f"after add(page #{self.page}, {entry_name(spte)}), {wrong}"
        return None

    def say(self, vm: Vm) -> str:
        calls = f"add(page #{self.page}, #{self.spte}){_up_to(self.spte, self.count)}"
        return calls + f", and remove(page #{self.page}, #{self.stranger}), which is no parent" * bool(self.stranger)


class UnlinkStep(ScenarioStep):
    """Call ``parents.remove(page, spte)`` for ``count`` consecutive entries, in this ``order`` (see `UnmapsStep`).

    Now and then it is called twice, and must raise an exception. The result is None, or what is wrong after some of the calls.
    """

    page: int
    spte: str
    count: int = 1
    order: str = "first"

    def do(self, subject: Subject) -> str | None:
        page, parents = subject.vm.pool.pages[self.page], subject.vm.parents
        there = dict.fromkeys(parents.sptes(page) if self.count > 1 else ())
        for spte in _taken(_row(self.spte, self.count), self.order):
            parents.remove(page, spte)
            if spte in there:
                del there[spte]
                if len(there) not in WATCHED:
                    continue
                wrong = _wrong_parents(subject.vm, page, there) or _stranger(subject.vm, page, spte, there)
                if wrong:
                    return f"after remove(page #{self.page}, {entry_name(spte)}), {wrong}"
        return None

    def say(self, vm: Vm) -> str:
        if self.count == 1:
            return f"remove(page #{self.page}, #{self.spte})"
        row = [entry_name(spte) for spte in _taken(_row(self.spte, self.count), self.order)]
        how = ", each time the middle one of those left" if self.order == "middle" else ""
        return f"remove(page #{self.page}, {row[0]}), and so on up to {row[-1]}{how}"


class StrangerStep(ScenarioStep):
    """Call ``parents.remove(page, spte)`` for an entry that is not a parent. The result states whether this raises an error."""

    page: int
    spte: str

    def do(self, subject: Subject) -> str:
        try:
            subject.vm.parents.remove(subject.vm.pool.pages[self.page], parse_entry_name(self.spte))
        except NotImplementedError:
            raise
        except BaseException:
            return "it raises an exception"
        return "it raises no exception"

    def say(self, vm: Vm) -> str:
        return f"remove(page #{self.page}, #{self.spte}), which is not a parent of that page"


class ParentsStep(ScenarioStep):
    """Give each shadow page in use, except roots, ``each`` parents, in turn, and then remove them in the same order.

    The result is None, or what is wrong with the parents of a page. Only a few pages are looked at.
    """

    each: int

    @property
    def calls(self) -> int:
        return NUM_PAGES * self.each * 2

    def do(self, subject: Subject) -> str | None:
        vm, pages = subject.vm, self._pages(subject.vm)
        if not pages:
            raise InputError("step", ("parents", self.each), "shadow pages that are in use")
        links = [*enumerate(pages * self.each, FIRST_REF)]
        _prepared(vm, links, lambda link: vm.parents.add(link[1], link[0]))
        if wrong := self._wrong(vm, pages, 0):
            return f"after the last call of add, {wrong}"
        for number, (spte, page) in enumerate(links, 1):
            vm.parents.remove(page, spte)
            if number in (len(links) // 2, len(links)) and (wrong := self._wrong(vm, pages, number)):
                return f"after {number} calls of remove, {wrong}"
        return None

    def _pages(self, vm: Vm) -> list[ShadowPage]:
        return [page for page in vm.pool.active if not page.root_count]

    def _wrong(self, vm: Vm, pages: list[ShadowPage], removed: int) -> str:
        there = range(FIRST_REF, FIRST_REF + len(pages) * self.each)[removed:]
        asked = {at % len(pages) for at in FEW}
        return next(filter(None, (_wrong_parents(vm, pages[at], there[at :: len(pages)]) for at in sorted(asked))), "")

    def say(self, vm: Vm) -> str:
        count = len(self._pages(vm))
        return f"add() and then remove() for {count * self.each} entries, {self.each} for each of {count} shadow pages, in turn"


# Shadow pages and entries


class ShadowedStep(ScenarioStep):
    """Take shadow pages (``pages`` each) from the pool for ``count`` page tables, whose gfns are ``apart`` from ``gfn`` on."""

    gfn: int
    count: int = 1
    apart: int = 1
    pages: int = 1

    def do(self, subject: Subject) -> None:
        for gfn in [*range(self.gfn, self.gfn + self.count * self.apart, self.apart)] * self.pages:
            subject.vm.pool.take(gfn, make_role(subject.vm.root_level, 1, 0, False, 0))

    def say(self, vm: Vm) -> str:
        if self.count == 1:
            return f"gfn {self.gfn:#x} is a page table and gets {_next_page(vm)}"
        last = self.gfn + (self.count - 1) * self.apart
        apart = f" ({self.apart:#x} apart)" * (self.apart > 1)
        pages = "a shadow page" if self.pages == 1 else f"{self.pages} shadow pages"
        return f"gfns {self.gfn:#x} to {last:#x}{apart} are page tables and each get {pages}, the first {_next_page(vm)}"


class PageStep(ScenarioStep):
    """Take a shadow page with this role from the pool for ``gfn``.

    ``kind``: "M" for metaphysical, "R" for a root in use, "W" and "U" for the access of a large page.
    """

    gfn: int
    level: int
    glevels: int
    quadrant: int = 0
    kind: str = ""

    def do(self, subject: Subject) -> None:
        gva = self.quadrant << (PAGE_SHIFT + 9 * self.level)  # the first gva of this quadrant
        access = ("W" in self.kind) | ("U" in self.kind) << 1
        page = subject.vm.pool.take(self.gfn, make_role(self.glevels, self.level, gva, "M" in self.kind, access))
        if page is not None:
            page.root_count = int("R" in self.kind)

    def say(self, vm: Vm) -> str:
        guest = mode_of_levels(self.glevels).guest
        words = [f"gfn {self.gfn:#x} of a {guest} gets {_next_page(vm)} of level {self.level}"]
        words += [f"quadrant {self.quadrant}"] * (self.glevels == ROOT_32)
        words += ["metaphysical"] * ("M" in self.kind) + ["a root in use"] * ("R" in self.kind)
        return ", ".join(words)


class FillStep(ScenarioStep):
    """Make these entries, unless they are already nonzero, lead to ``gfn``, or in turn to ``count`` gfns from there on.

    A level-1 entry becomes a writable entry for the frame and is added to its reverse map. A higher-level entry leads to the
    newest shadow page of the gfn and becomes its parent.
    """

    sptes: Sequence[str]
    gfn: int
    count: int = 1

    def do(self, subject: Subject) -> None:
        vm, gfns = subject.vm, range(self.gfn, self.gfn + self.count)
        children = [next((page for page in vm.pool.bucket(gfn) if page.gfn == gfn), None) for gfn in gfns]
        for spte, gfn, child in zip(map(_spte, self.sptes), itertools.cycle(gfns), itertools.cycle(children), strict=False):
            page = subject.page_of(spte)
            if vm.memory.words[spte] or page not in vm.pool.active:
                continue
            vm.caches.top_up(None)  # as before each fault
            if page.level == 1:
                _map(subject, spte, gfn, "PWUAD")
            elif child is not None:
                vm.memory.put(spte, child.hpa | flag_bits("PWUAD"), ev.LINK_TABLE)
                vm.parents.add(child, spte)

    def say(self, vm: Vm) -> str:
        verb = "leads" if len(self.sptes) == 1 else "lead"
        where = f" to {self.gfn + self.count - 1:#x} in turn" * (self.count > 1)
        return f"{_some([f'#{spte}' for spte in self.sptes])}, if 0, now {verb} to gfn {self.gfn:#x}{where}"


class MakeStep(ScenarioStep):
    """Call ``set_spte`` for this spte. ``rights`` are given as letters.

    The result is None, or what ``set_spte`` calls although the guest has no memory there.
    """

    spte: str
    entry: int
    rights: str
    gpa: int
    gfn: int

    def do(self, subject: Subject) -> str | None:
        vm, gfn = subject.vm, self.gpa >> PAGE_SHIFT
        # not frames[gfn], which would put the frame into the cache of `frames`
        memory = gfn in vm.memory.frames or vm.memory.slot_of(vm.memory.unalias(gfn)) is not None
        with _called(vm) as names:
            vm.set_spte(vm, parse_entry_name(self.spte), self.entry, flag_bits(self.rights), self.gpa, self.gfn)
        wrong = f"it calls {', '.join(dict.fromkeys(names))}, although the guest has no memory at gpa {self.gpa:#x}"
        return wrong if names and not memory else None

    def say(self, vm: Vm) -> str:
        rights = self.rights or "none"
        given = f"#{self.spte}, guest entry {self.entry:#x}, rights {rights}, gpa {self.gpa:#x}, gfn {self.gfn:#x}"
        return f"set_spte({given}) [{mode_of_levels(vm.root_level).guest}; guest entry: {flag_names(self.entry) or 'no flags'}]"


class FlagStep(ScenarioStep):
    """The processor sets these bits, A or D, in an entry."""

    spte: str
    flags: str

    def do(self, subject: Subject) -> None:
        subject.vm.memory.words[parse_entry_name(self.spte)] |= flag_bits(self.flags)

    def say(self, vm: Vm) -> str:
        return f"the processor sets {' and '.join(self.flags)} in #{self.spte}"


class ZapStep(ScenarioStep):
    """Zap all shadow pages of the guest's table in ``gfn`` (unprotect)."""

    gfn: int

    def do(self, subject: Subject) -> None:
        shadow.unprotect_page(subject.vm, self.gfn)

    def say(self, vm: Vm) -> str:
        return f"all shadow pages of the table in gfn {self.gfn:#x} are zapped"


# The host and its memory


class AliasStep(ScenarioStep):
    """Make the gfns from ``base`` on aliases of the gfns from ``target`` on."""

    base: int
    npages: int
    target: int

    def do(self, subject: Subject) -> None:
        subject.vm.set_alias(0, self.base, self.npages, self.target)

    def say(self, vm: Vm) -> str:
        return f"gfns from {self.base:#x} on become aliases of those from {self.target:#x} on"


class HostStep(ScenarioStep):
    """Back the guest's frame with this host frame, which may have a high number, as on a host with a lot of memory."""

    gfn: int
    hfn: int

    def do(self, subject: Subject) -> None:
        subject.vm.memory.frames[self.gfn], subject.vm.memory.gfns[self.hfn] = self.hfn, None

    def say(self, vm: Vm) -> str:
        return f"gfn {self.gfn:#x} is in host frame {self.hfn:#x} from now on, as on a host with a lot of memory"


class AnotherStep(ScenarioStep):
    """Continue with another machine of the same kind."""

    def do(self, subject: Subject) -> None:
        subject.another()

    def say(self, vm: Vm) -> str:
        return "another machine of the same kind is built"


class BackStep(ScenarioStep):
    """Continue with the first machine."""

    def do(self, subject: Subject) -> None:
        subject.back()

    def say(self, vm: Vm) -> str:
        return "the first machine is used again"


# The guest


class WalkStep(ScenarioStep):
    """Call ``walk`` for an access. The result is a dict of the walk's findings."""

    gva: int
    kind: str

    def do(self, subject: Subject) -> Any:
        walk = subject.vm.walk(subject.vm, self.gva, "w" in self.kind, "u" in self.kind, "x" in self.kind)
        if not all(hasattr(walk, name) for name in Walk.__slots__):
            return plain(walk)
        if walk.error is not None:
            return {"error": plain(walk.error), "level": plain(walk.level)}
        top = 2 if subject.levels == ROOT_PAE else subject.levels  # a walk doesn't read PDPTEs: the processor holds them
        try:
            tables = [walk.tables[level] for level in range(walk.level, top + 1)]
        except (TypeError, IndexError, KeyError):
            tables = walk.tables
        found = {"level": walk.level, "gfn": walk.gfn, "rights": walk.rights, "tables": tables, "entry": walk.entry}
        return {"error": None} | {name: plain(value) for name, value in found.items()}

    def say(self, vm: Vm) -> str:
        registers = [name for name, value, bit in (
            ("CR0.WP", vm.cpu.cr0, CR0_WP), ("CR4.PSE", vm.cpu.cr4, CR4_PSE), ("EFER.NX", vm.cpu.efer, EFER_NX)
        ) if value & bit]  # fmt: skip
        path = [
            f"{'PDPTE' if step.table == PDPT else f'gfn {step.number:#x} entry'} {step.index}: "
            + (f"{step.entry:#x} {flag_names(step.entry)}" if step.entry else "0")
            for step in guest_path(vm, self.gva).steps
        ]
        guest = " ".join([mode_of_levels(vm.root_level).guest, *registers])
        what = "write" if "w" in self.kind else "instruction fetch" if "x" in self.kind else "read"
        who = "user code" if "u" in self.kind else "the guest kernel"
        return f"walk(gva {self.gva:#x}) for a{'n' * (what[0] == 'i')} {what} by {who} [{guest}; {', '.join(path)}]"


class AccessStep(ScenarioStep):
    """The guest accesses memory through the shadow tables; faults are handled. The result is an `Access`, as a list."""

    gva: int
    kind: str
    value: int | None = None
    size: int = 1

    def do(self, subject: Subject) -> list[Any]:
        store = {} if self.value is None else {"value": self.value, "size": self.size}
        write, user, fetch = (letter in self.kind for letter in "wux")
        return list(subject.vm.access(self.gva, write=write, user=user, fetch=fetch, **store))

    def say(self, vm: Vm) -> str:
        return f"{_access(self.kind)} gva {self.gva:#x}"


class WriteStep(ScenarioStep):
    """The host emulates a store of the guest: it calls ``pre_write``, then stores the bytes."""

    gpa: int
    size: int
    value: int

    def do(self, subject: Subject) -> Any:
        return subject.vm.emulate_write_gpa(self.gpa, self.value, self.size)

    def say(self, vm: Vm) -> str:
        return _say_write(vm, self.gpa, self.size)


class WritesStep(ScenarioStep):
    """The host emulates stores of 0 at these gpas, one after the other."""

    gpas: Sequence[int]
    size: int

    def do(self, subject: Subject) -> None:
        for gpa in self.gpas:
            subject.vm.emulate_write_gpa(gpa, 0, self.size)

    def say(self, vm: Vm) -> str:
        if len(self.gpas) == 1:
            return _say_write(vm, self.gpas[0], self.size)
        return f"the guest writes {_bytes(self.size)} {len(self.gpas)} times, at gpa {_some([*map(hex, self.gpas)])}"


class FloodStep(ScenarioStep):
    """The guest writes to ``gfn`` for the nth time in a row, for each n of ``counts``.

    The counter is set to n - 1 before, and each write finds a new shadow page with this role. The result is None, or which
    write did not zap its page or left a wrong count.
    """

    gfn: int
    level: int
    glevels: int
    size: int
    counts: Sequence[int]

    def do(self, subject: Subject) -> str | None:
        vm, role = subject.vm, make_role(self.glevels, self.level, 0, False, 0)
        for count in self.counts:
            vm.last_pt_write_gfn, vm.last_pt_write_count = self.gfn, count - 1
            page = vm.pool.take(self.gfn, role)
            vm.emulate_write_gpa(self.gfn << PAGE_SHIFT, 0, self.size)
            if page in vm.pool.active:
                return f"write {count} in a row to gfn {self.gfn:#x} doesn't zap its shadow page #{page and page.id}"
            if (vm.last_pt_write_gfn, vm.last_pt_write_count) != (self.gfn, count):
                left = f"vm.last_pt_write_gfn {_number(vm.last_pt_write_gfn)} and count {vm.last_pt_write_count}"
                return f"write {count} in a row to gfn {self.gfn:#x} leaves {left}"
        return None

    def say(self, vm: Vm) -> str:
        times = f"{_some([*map(str, self.counts)])} times in a row"
        return f"the guest writes {_bytes(self.size)} to gfn {self.gfn:#x} {times}; before each write it gets a new shadow page"


class PokeStep(ScenarioStep):
    """Change bytes of guest memory without notifying the MMU."""

    gpa: int
    size: int
    value: int

    def do(self, subject: Subject) -> None:
        subject.vm.poke(self.gpa, self.value, self.size)

    def say(self, vm: Vm) -> str:
        return f"{_bytes(self.size)} at gpa {self.gpa:#x} become {self.value:#x} behind the MMU's back"


class PdpteStep(ScenarioStep):
    """Set one of the four PDPTEs that the processor holds for a PAE guest."""

    number: int
    value: int

    def do(self, subject: Subject) -> None:
        subject.vm.cpu.pdptrs[self.number] = self.value

    def say(self, vm: Vm) -> str:
        return f"PDPTE {self.number}, as the processor keeps it, is {self.value:#x}"


# Functions of the submission


class CallStep(ScenarioStep):
    """Call a function of the submission. The result is what it returns."""

    name: str
    arguments: Sequence[Any]

    def do(self, subject: Subject) -> Any:
        return plain(subject.defined[self.name](*self.arguments))

    def say(self, vm: Vm) -> str:
        return f"{self.name}({', '.join(repr(a) if isinstance(a, str) else _number(a) for a in self.arguments)})"


class AuditStep(ScenarioStep):
    """Call the submission's ``audit(vm)``. The result is its sorted complaints; those of known kinds are put into words.

    Memory is read-only meanwhile. Raises LabError if the audit changes anything, even if it restores it.
    """

    def do(self, subject: Subject) -> list[Any]:
        with _locked(subject):
            found = subject.defined["audit"](subject.vm)
            found = list(found) if isinstance(found, Iterable) else found  # a generator has not run yet
        if not isinstance(found, Iterable):
            raise WrongResult("audit(vm)", found, "a list of complaints")
        return sorted((_complaint(item) for item in plain(found)), key=repr)

    def say(self, vm: Vm) -> str:
        return "audit(vm)"


class CorruptStep(ScenarioStep):
    """Plant a mistake (see `fault_injection`)."""

    what: str
    number: int = 0
    gfn: int = 0

    def do(self, subject: Subject) -> None:
        subject.repairs.append(mistake(self.what).plant(subject.vm, self.number, self.gfn))

    def say(self, vm: Vm) -> str:
        return mistake(self.what).say(vm, self.number, self.gfn)


class MendStep(ScenarioStep):
    """Undo the planted mistakes."""

    def do(self, subject: Subject) -> None:
        while subject.repairs:
            subject.repairs.pop()()

    def say(self, vm: Vm) -> str:
        return "the planted mistakes are undone"


# Steps for the whole engine


class BootStep(ScenarioStep):
    """Replay the events ``begin`` to ``end`` - 1 of a real guest's trace. The result lists how it differs from the real run."""

    trace: str
    way: str
    begin: int
    end: int

    def do(self, subject: Subject) -> list[Any]:
        if subject.replay is None:
            trace = open_trace(self.trace)
            subject.replay = TraceReplay(trace, self.way, lambda *difference: None, subject.build)
            subject.replay.events(0, self.begin)
            meta = trace.meta
            subject.vm.set_registers(meta["cr0"], meta["cr3"], meta["cr4"], meta["efer"])
        differences = list[Any]()
        subject.replay.differ = lambda *difference: differences.append(plain(difference[:4]))
        subject.events.clear()
        subject.replay.events(self.begin, self.end)
        return differences[:3]

    def say(self, vm: Vm) -> str:
        return f"the events {self.begin} to {self.end - 1} of {self.trace} are replayed"


class OperationStep(ScenarioStep):
    """Do an operation of a golden trace; "create" builds another machine. A host crash is recorded in the result."""

    operation: dict[str, Any]

    def do(self, subject: Subject) -> dict[str, Any]:
        got: dict[str, Any] = {}
        if self.operation["op"] == "create":
            slots = [(base, npages, bool(log)) for base, npages, log in self.operation["slots"]]
            subject.build(slots, audits=bool(self.operation.get("audit")))
            return got
        try:
            apply(subject.vm, self.operation, got)
        except HostCrash as crash:
            got["crash"] = [crash.kind, crash.function]
        return {name: plain(value) for name, value in got.items()}

    def say(self, vm: Vm) -> str:
        given, op = self.operation, self.operation["op"]
        if op == "access":
            return f"{_access(''.join(letter for letter in 'wux' if given[letter]))} gva {given['gva']:#x}"
        if op == "emul":
            return _say_write(vm, given["gpa"], given["n"])
        if op == "poke":
            gpas = [gpa for gpa, _ in given["w"]]
            what = f"{len(gpas)} words of guest memory" if len(gpas) > 1 else f"{_bytes(given['size'])} at gpa {gpas[0]:#x}"
            return f"{what} change behind the MMU's back"
        values = {name: _number(value) for name, value in given.items() if name != "op"}
        if op in OPERATION_WORDS:
            return OPERATION_WORDS[op].format_map(values)
        return f"{op} {', '.join(f'{name} {value}' for name, value in values.items())}".strip()


OPERATION_WORDS = {
    "create": "a new machine with the memory slots {slots} (base gfn, pages, log) is built",
    "regs": "the registers are set to CR0 {cr0}, CR3 {cr3}, CR4 {cr4} and EFER {efer}",
    "cr3": "the guest loads CR3 with {v}",
    "cr0": "the guest loads CR0 with {v}",
    "cr4": "the guest loads CR4 with {v}",
    "efer": "the guest loads EFER with {v}",
    "fault": "a page fault at gva {gva} with error code {err} is handled",
    "set_slot": "slot {slot} is set to {npages} pages from gfn {base} on, with log {log}",
    "gva2gpa": "gva {gva} is translated by the guest's tables",
    "unprot": "all shadow pages of the frame at gva {gva} are zapped",
    "rwa": "write access is taken from slot {slot}",
    "getdirty": "the dirty log of slot {slot} is read, and its pages are write-protected again",
    "free_some": "the oldest shadow pages are zapped until 25 are free",
    "zap_all": "every shadow page is zapped",
    "reset": "the MMU's context is rebuilt",
}
"""Descriptions of the operations of golden traces (`verify.operations`), by name."""


# Actions that several steps share

WATCHED = frozenset(
    near + size
    for sizes, around in ((range(33), (0,)), (range(50, 1100, 50), (0, 1)), ((1 << n for n in range(5, 11)), (-1, 0, 1)))
    for size in sizes
    for near in around
)
"""The sizes at which a growing or shrinking map is looked at: all small ones, and those at which a limit is likely."""


def _taken(row: Sequence[int], order: str) -> Iterator[int]:
    """The sptes of ``row``, always the "first", "last" or "middle" one of those that are left."""
    left = list(row)
    while left:
        yield left.pop({"first": 0, "last": -1, "middle": len(left) // 2}[order])


@contextlib.contextmanager
def _called(vm: Vm) -> Iterator[list[str]]:
    """The names of those functions that are called meanwhile which do nothing where the guest has no memory."""
    names, slot_bits = list[str](), vm.memory.slot_bits
    find = slot_bits.find

    def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            names.append(name)
            return function(*arguments)

        return call

    vars(vm.rmap)["add"] = noted("vm.rmap.add", vm.rmap.add)
    vars(vm.memory)["mark_dirty"] = noted("vm.memory.mark_dirty", vm.memory.mark_dirty)
    slot_bits.find = noted("update_slot", find)  # it looks up the frame's slot first
    try:
        yield names
    finally:
        del vars(vm.rmap)["add"], vars(vm.memory)["mark_dirty"]
        slot_bits.find = find


@contextlib.contextmanager
def _locked(subject: Subject) -> Iterator[None]:
    """Make the machine read-only, and raise LabError if it reports a change nevertheless."""
    vm, memory, events = subject.vm, subject.vm.memory, subject.events
    names = "pages", "words", "halves", "bytes"
    known, begin = [getattr(memory, name) for name in names], len(events)
    pages = memory.pages.view()
    pages.flags.writeable = False
    for name, view in zip(names, (pages, *(view.toreadonly() for view in known[1:])), strict=True):
        setattr(memory, name, view)
    kinds: list[tuple[Any, Any]] = [(thing, type(thing)) for thing in (vm, vm.stats, vm.cpu, *vm.pool.active)]
    for thing, kind in kinds:
        object.__setattr__(thing, "__class__", _read_only(kind))
    try:
        yield
    except (TypeError, ValueError) as error:
        if "read-only" in str(error):  # as memoryviews and arrays say
            error.args = (f"{error}. {ONLY_READ}",)
        raise
    finally:
        for thing, kind in kinds:
            object.__setattr__(thing, "__class__", kind)
        for name, view in zip(names, known, strict=True):
            setattr(memory, name, view)
    changes = [event[0].name for event in events[begin:] if not event[0].opens and event[0] not in READS]
    if changes:
        raise LabError(f"it changes the machine ({changes[0]}). {ONLY_READ}")


@functools.cache
def _read_only(kind: type) -> type:
    """A class like ``kind``, but the attributes that its objects have can't be changed."""

    def refuse(self: Any, name: str, value: Any) -> None:
        if hasattr(self, name) and name not in OF_EACH_OPERATION:
            raise TypeError(f"{kind.__name__}.{name} is read-only")
        object.__setattr__(self, name, value)

    return type(kind.__name__, (kind,), {"__slots__": (), "__setattr__": refuse})


OF_EACH_OPERATION = ("injected", "dead")
"""Attributes that each operation of a `Vm` sets, even one that only reads."""

ONLY_READ = "An audit should only read: it should not even make changes that it reverts afterwards"

READS = (ev.SHADOW_READ, ev.GUEST_READ, ev.HARDWARE_READ, ev.END)
"""The kinds of events that report no change."""


def _sptes(given: Any) -> list[int]:
    """The sptes that a part returned. Raises WrongResult for anything else."""
    return [ref + FIRST_REF for ref in refs(given)]


def _entries(count: int) -> str:
    return f"{count} entr{'y' if count == 1 else 'ies'}"


def _missing_or_extra(found: list[int], there: Collection[int]) -> str:
    """How the sptes that a part returned differ from the right ones; "" if they do not."""
    if len(found) == len(there) and set(found) == set(there):
        return ""
    many = _entries(len(there))
    order, wrong = list(there), set(found)
    missing, extra = sorted(set(order) - wrong), sorted(wrong - set(order))
    if missing and extra:
        return f"lacks {entry_name(missing[0])}, but contains {entry_name(extra[0])}, which should not be there"
    if missing:
        ends = {order[0]: ", the first one,", order[-1]: ", the last one,"} if len(missing) == 1 < len(order) else {}
        which = ends.get(missing[0], "")
        return f"lacks {entry_name(missing[0])}{which} and has {len(found)} of {many}"
    if extra:
        return f"contains {entry_name(extra[0])}, which should not be there, among its {len(found)} entries"
    twice = next(spte for spte in found if found.count(spte) > 1)
    return f"has {entry_name(twice)} {found.count(twice)} times among its {many}"


def _wrong_map(vm: Vm, hfn: int, there: Collection[int]) -> str:
    """What is wrong with a frame's reverse map, which should hold the sptes ``there``; "" if nothing is."""
    wrong = _missing_or_extra(_sptes(vm.rmap.sptes(hfn)), there)
    return wrong and f"the reverse map of hfn {hfn:#x} {wrong}"


def _wrong_parents(vm: Vm, page: ShadowPage, there: Collection[int]) -> str:
    """What is wrong with the parents of a page, which should be the sptes ``there``; "" if nothing is."""
    if wrong := _missing_or_extra(_sptes(vm.parents.sptes(page)), there):
        return f"sptes(page #{page.id}) {wrong}"
    first = vm.parents.first(page)
    if any(first == spte for spte in there) if there else first is None:
        return ""
    returned = entry_name(first) if isinstance(first, int) else _number(plain(first))
    right = f"one of the page's {len(there)} parents" if there else "None, because the page has no parents"
    return f"first(page #{page.id}) returns {returned}; it should return {right}"


def _stranger(vm: Vm, page: ShadowPage, spte: int, there: Collection[int]) -> str:
    """What is wrong with ``remove`` for an entry that is not a parent; "" if nothing is."""
    call = f"remove(page #{page.id}, {entry_name(spte)})"
    try:
        vm.parents.remove(page, spte)
    except NotImplementedError:
        raise
    except BaseException:
        wrong = _wrong_parents(vm, page, there)
        return wrong and f"and after {call}, which is not a parent, {wrong}"
    why = f"this entry is not one of the page's {len(there)} parents" if there else "the page has no parents"
    return f"{call} raises no exception, although {why}"


def _prepared(vm: Vm, items: Sequence[Any], call: Callable[[Any], object]) -> None:
    """Call a function for each item, with caches that are full enough for four objects a call, as before each fault."""
    some = CAPACITY // 4
    for first in range(0, len(items), some):
        vm.caches.empty()
        vm.caches.top_up(None)
        for item in items[first : first + some]:
            call(item)


@functools.lru_cache(maxsize=4096)
def _spte(name: str) -> int:
    """The spte with this name. Steps that fill whole pages have many of them."""
    return parse_entry_name(name)


def _row(spte: str, count: int) -> range:
    """The ``count`` consecutive sptes that start at this one."""
    first = parse_entry_name(spte)
    return range(first, first + count)


def _hfn(vm: Vm, gfn: int) -> int:
    """The host frame of gfn; a negative ``gfn`` is a negated host frame."""
    return -gfn if gfn < 0 else vm.memory.frames[gfn] or 0


def _map(subject: Subject, spte: int, gfn: int, flags: str) -> None:
    vm, page = subject.vm, subject.page_of(spte)
    if not page.role:  # the page was never taken: give it the role of a page table's shadow, for pictures
        page.gfn, page.role = page.id, make_role(ROOT_64, 1, 0, False, 0)
    hfn = _hfn(vm, gfn)
    subject.known.add(hfn & BASE_MASK >> PAGE_SHIFT)
    subject.touched.add(page.id)
    vm.memory.words[spte] = hfn << PAGE_SHIFT | flag_bits(flags)
    vm.rmap.add(spte)


def _unmap(subject: Subject, spte: int) -> str | None:
    words = subject.vm.memory.words
    before = words[spte]
    subject.vm.rmap.remove(spte)
    after, words[spte] = words[spte], 0
    changed = f"remove({entry_name(spte)}) changes the entry itself, from {before:#x} to {after:#x}; leave that to the caller"
    return changed if after != before else None


def _complaint(item: Any) -> Any:
    """Put a complaint into words; a string, which is no complaint, gets quotes; anything else is returned unchanged."""
    if isinstance(item, str):
        return f"the string {item!r}"
    kind, where = item if isinstance(item, list) and len(item) == 2 else (None, None)
    if not isinstance(where, int) or kind not in ("rmap", "wp", "map"):
        return item
    if kind == "rmap" and FIRST_SHADOW <= where >> 9 < FIRST_SHADOW + NUM_PAGES:
        return f"rmap {entry_name(where)}"
    return f"{kind} {'spte' if kind == 'rmap' else 'gfn' if kind == 'wp' else 'gva'} {where:#x}"


# Descriptions that several steps share


def _number(value: Any) -> str:
    if isinstance(value, list) and len(value) > 4:
        return f"({len(value)} of them)"
    if isinstance(value, list):
        return f"[{', '.join(map(_number, value))}]"
    return hex(value) if isinstance(value, int) and not isinstance(value, bool) and value > 9 else str(value)


def _bytes(size: int) -> str:
    return f"{size} byte{'s' * (size > 1)}"


def _some(names: Sequence[str]) -> str:
    """The first four of these names, and how many more there are."""
    return ", ".join(names[:4]) + f" and {len(names) - 4} more" * (len(names) > 4)


def _entry(vm: Vm, gfn: int, flags: str) -> str:
    """Describe an entry with these flags that leads to gfn, with the frame's gfn and hfn."""
    what = "a writable" if {"P", "W"} <= set(flags) else "a read-only" if "P" in flags else "a non-present"
    hfn = None if gfn < 0 else vm.memory.frames[gfn]
    frame = f"host frame {-gfn:#x}" if gfn < 0 else f"gfn {gfn:#x}" if hfn is None else f"gfn {gfn:#x} (hfn {hfn:#x})"
    return f"{what} entry{f' ({flags})' * bool(flags)} for {frame}"


def _up_to(spte: str, count: int) -> str:
    return f", and so on up to {entry_name(_row(spte, count)[-1])}" if count > 1 else ""


def _next_page(vm: Vm) -> str:
    return f"shadow page #{vm.pool.free[-1].id}" if vm.pool.free else "no shadow page, because all are in use,"


def _access(kind: str) -> str:
    """The subject and verb that describe an access, such as "user code reads"."""
    verb = "writes" if "w" in kind else "fetches an instruction from" if "x" in kind else "reads"
    return f"{'user code' if 'u' in kind else 'the guest kernel'} {verb}"


def _say_write(vm: Vm, gpa: int, size: int) -> str:
    """Describe a write of the guest, and which entries of which table it hits."""
    gfn, offset = gpa >> PAGE_SHIFT, gpa % PAGE_SIZE
    count = vm.last_pt_write_count + 1 if gfn == vm.last_pt_write_gfn else 1
    row = f", write {count} in a row to this gfn" if count > 2 else ""
    where = f"the guest writes {_bytes(size)} at gpa {gpa:#x}{row}"
    tables = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical]
    if not tables:
        return where
    entry_size = guest_format(tables[0].glevels).size
    first, last = offset // entry_size, (offset + size - 1) // entry_size
    which = f"entry {first}" if first == last else f"entries {first} {'and' if last == first + 1 else 'to'} {last}"
    part = "" if size == entry_size and not gpa % entry_size else "part of " if first == last else "across "
    levels = {page.level for page in tables}
    what = "page table" if levels == {1} else "directory" if levels == {2} else "table"
    many = f", which has {len(tables)} shadow pages" if len(tables) > 1 else ""
    return f"{where} ({part}{which} of its {what} in gfn {gfn:#x}{many})"
