# SPDX-License-Identifier: GPL-2.0-only
"""`write_lab`: write into a guest's page table, predict which shadow entries die, and watch."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..draw.pictures import hierarchy
from ..draw.rows import LEVELS
from ..errors import InputError, LabError
from ..mmu import Vm, checks
from ..mmu.bits import PAGE_SHIFT, PAGE_SIZE, PRESENT, guest_format
from ..mmu.pool import METAPHYSICAL, ShadowPage
from ..mmu.prewrite import shadow_range
from ..mmu.shadow import entries_with
from ..read.entries import flags, guest_target, shadow_target
from ..read.names import Names
from ..read.paths import guest_path
from .builder import Builder, store
from .lab import Lab, Round
from .prediction import Prediction
from .writes_why import Facts, explain_write

NONE, PAGE = "none", "the whole page"
MOST = 16
"""So many entries of a table are offered; the tables of the prepared guests have fewer."""


def write_lab(vm: Vm | None = None, mode: str = "64", **parts: Any) -> WriteLab:
    """The lab of writes to page tables: on a prepared guest ("64", "pae" or "32"), or on ``vm`` with its shadowed tables.

    ``parts`` (``pre_write=...``) go into the VM that the lab makes. Raises InputError.
    """
    return WriteLab(vm, mode, parts)


@dataclass(frozen=True)
class GuestTableName:
    """A guest's table: where it stands, at which level, and whether it is shadowed."""

    gfn: int
    level: int
    shadowed: bool

    def __str__(self) -> str:
        return f"{LEVELS[self.level]} in gfn {self.gfn:#x}" + ("" if self.shadowed else " (not shadowed)")


class WriteLab(Lab):
    """`choose` a table, `guess`, `write`. ``gfn`` is the chosen table."""

    title = "Which shadow entries does a write kill?"

    def __init__(self, vm: Vm | None, mode: str, parts: dict[str, Any]) -> None:
        super().__init__(parts)
        if vm is not None and (parts or not isinstance(vm, Vm)):
            raise InputError("vm", vm, "a Vm (made with your parts), or none")
        self.given, self.mode = vm, mode
        self.known: dict[int, int] = {}
        self.gvas: list[int] = []
        self.dead = Prediction("Which entries die?", [NONE, PAGE])
        self.predictions = [self.dead]
        self.vm: Vm | None = None
        self.gfn = 0
        self.reset(mode)

    @functools.cached_property
    def form(self) -> Any:
        """The form. Raises ImportError without ipywidgets."""
        from .write_form import WriteForm

        return WriteForm(self)

    # The guest

    def reset(self, mode: str | None = None) -> None:
        """A new guest, in another mode if one is given. A VM of yours stays as it is."""
        if self.given is not None:
            self.vm = self.given
            self._know_all()
        else:
            self.mode = mode or self.mode
            self.vm, self.known, self.gvas = None, {}, []
            self.rounds.clear()
            try:
                self.vm = self.guarded(self._prepare)
            except InputError:
                raise
            except LabError as error:
                self.played(Round(error=error))
                return
        self.gfn = next((name.gfn for name in self.tables() if name.level == 1), 0) or next(iter(self.known))

    def _prepare(self) -> Vm:
        """Pages in two tables (of a 32-bit guest: in both quadrants of one), and a table that nobody used yet."""
        guest = Builder(self.mode, **self.parts)
        form = guest.mode.form
        region = 1 << PAGE_SHIFT + form.index_bits
        half = region // 2
        near = [0x1000, 0x2000, 0x3000, half + 0x1000, half + 0x2000]
        for gva in [*near, region + 0x1000, 3 * region]:
            guest.map(gva)
        vm = guest.start()
        self.gvas = [*near, region + 0x1000]
        self._touch(vm)
        for level in range(1, guest.mode.levels + 1):
            if not level == 3 == guest.mode.levels:
                self.known |= {guest.table(gva, level): level for gva in [*self.gvas, 3 * region]}
        return vm

    def _touch(self, vm: Vm) -> None:
        for gva in self.gvas:
            vm.access(gva, user=True)

    def _know_all(self) -> None:
        vm = self.machine
        pages = [page for page in vm.pool.active if not page.metaphysical and page.glevels == vm.root_level]
        self.known = {page.gfn: page.level for page in sorted(pages, key=lambda page: (page.level, page.gfn))}
        if not self.known:
            raise InputError("vm", vm, "a guest that pages, with shadowed tables: let it access something first")

    @property
    def machine(self) -> Vm:
        """The VM. Raises InputError if your own part let none come to be."""
        if self.vm is None:
            raise InputError("vm", self.vm, "a VM: none could be made with your part; mend it and make the lab anew")
        return self.vm

    def tables(self) -> list[GuestTableName]:
        """The tables to choose from, the last level first."""
        vm = self.machine
        names = [GuestTableName(gfn, level, bool(self.pages(gfn))) for gfn, level in self.known.items()]
        return sorted(names, key=lambda name: (name.level, not name.shadowed, name.gfn)) if vm else []

    def choose(self, gfn: int) -> None:
        """Choose a table by its gfn."""
        if gfn not in self.known:
            raise InputError("gfn", gfn, f"a table: {', '.join(map(hex, self.known))}")
        self.gfn = gfn

    def touch(self) -> Round:
        """The guest uses its pages again, so that what died comes back."""
        try:
            self.guarded(lambda: self._touch(self.machine))
        except LabError as error:
            return self.played(Round(error=error))
        return self.played(Round(reasons=("The guest has used its pages again: what was missing is in the shadow again.",)))

    # Entries

    def pages(self, gfn: int | None = None) -> list[ShadowPage]:
        """The shadow pages of a table: one, or the quadrants of a 32-bit guest's."""
        vm, gfn = self.machine, self.gfn if gfn is None else gfn
        found = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.role & METAPHYSICAL]
        return sorted(found, key=lambda page: page.role)

    def entries(self) -> list[tuple[int, str]]:
        """The chosen table's entries that aren't empty: (offset, what it says)."""
        vm, form = self.machine, guest_format(self.machine.root_level)
        level, values = self.known[self.gfn], dict[int, int]()
        for offset in range(0, PAGE_SIZE, form.size):
            if value := self._read(offset, form.size):
                values[offset] = value
        chosen = sorted(sorted(values, key=lambda offset: not self._in_shadow(offset))[:MOST])
        says = {offset: f"{flags(values[offset])} {guest_target(vm, level, values[offset])}" for offset in chosen}
        return [(offset, f"entry {offset // form.size} at {offset:#x}: {says[offset]}") for offset in chosen]

    def _read(self, offset: int, size: int) -> int:
        """What the chosen table holds there, also when the VM is dead."""
        memory = self.machine.memory
        hpa = (memory.frames[self.gfn] or 0) << PAGE_SHIFT | offset
        return int.from_bytes(memory.bytes[hpa : hpa + size], "little")

    def _in_shadow(self, offset: int) -> bool:
        """Whether something was made from the guest's entry at an offset."""
        ranges = [shadow_range(page, offset) for page in self.pages()]
        return any(self.machine.memory.words[first + n] for first, count in ranges for n in range(count))

    def candidates(self) -> dict[str, int]:
        """The shadow entries that could die, by name: those made from the chosen table."""
        vm = self.machine
        names = Names(vm)
        return {names.spte(spte): spte for page in self.pages() for spte in entries_with(vm, page)}

    def says(self, spte: int) -> str:
        """What a shadow entry says."""
        value = self.machine.memory.words[spte]
        return f"{flags(value)} {shadow_target(self.machine, value)}"

    def moved(self, offset: int, size: int) -> int:
        """A value to write there: what is there, with the frame next door where the bytes hold it."""
        value = self._read(offset, size)
        return value ^ 1 << PAGE_SHIFT if size > 1 and value & PRESENT else value ^ 1

    # Predicting and writing

    def guess(self, *dead: str) -> None:
        """Predict which die: names like ``"#248:1"``, or ``"none"``, or ``"the whole page"``; nothing is no guess."""
        known = {*self.candidates(), NONE, PAGE}
        wrong = next((name for name in dead if name not in known), None)
        if wrong is not None:
            raise InputError("dead", wrong, f"one of {', '.join(sorted(known))}")
        self.dead.answer = _words(dead, self.candidates()) if dead else None

    def write(self, offset: int, value: int | None = None, size: int | None = None) -> Round:
        """Write ``size`` bytes (of an entry, if not given) at ``offset`` of the chosen table, and compare.

        Without a ``value`` the frame next door is written. Raises InputError.
        """
        vm = self.machine
        size = checks.size(guest_format(vm.root_level).size if size is None else size)
        offset = checks.whole("offset", offset)
        if not 0 <= offset <= PAGE_SIZE - size:
            raise InputError("offset", offset, f"an offset at which {size} bytes fit into the page: 0..{PAGE_SIZE - size:#x}")
        value = checks.stored(self.moved(offset, size) if value is None else value, size)
        gpa, before, names = self.gfn << PAGE_SHIFT | offset, self.candidates(), Names(vm)
        facts = Facts.of(vm, self.gfn, offset, size, self.pages())
        try:
            film = self.film(lambda: store(vm, gpa, value, size), vm, self._focus(offset))
        except InputError:
            raise
        except LabError as error:
            return self.played(Round(error=error))
        if film.error is not None:
            return self.played(Round(film=film, error=film.error))
        zapped = [page for page in facts.pages if page not in vm.pool.active or not entries_with(vm, page)]
        gone = [name for name, spte in before.items() if not vm.memory.words[spte]]
        whole = bool(facts.pages) and facts.whole and len(zapped) == len(facts.pages)
        happened = _words([*gone, PAGE] if whole else gone or [NONE], before)
        reasons = explain_write(names, facts, gone, film.result)
        if self.parts and film.result:
            reasons = [*self._own(names, facts, gone, list(before)), *reasons]
        return self.played(Round((self.dead.compare(happened),), tuple(reasons), film))

    def _own(self, names: Names, facts: Facts, gone: list[str], before: list[str]) -> list[str]:
        """Where your own part did something else than the kernel would have."""
        meant = [name for name in before if facts.whole or name in facts.hit(names)]
        if set(meant) == set(gone):
            return []
        return [f"Your own {' or '.join(self.parts)} emptied: {_words(gone, before)}. The kernel: {_words(meant, before)}."]

    def _focus(self, offset: int) -> list[int]:
        """An address whose path has the written entry, if one of the guest's has; else any of them."""
        vm = self.machine
        form, level = guest_format(vm.root_level), self.known[self.gfn]
        index = offset // form.size
        hit = [gva for gva in self.gvas if form.index(gva, level) == index and self.gfn in _tables(vm, gva)]
        return (hit or [gva for gva in self.gvas if self.gfn in _tables(vm, gva)] or self.gvas)[:1]

    def picture(self) -> str:
        """The paths through the chosen table, as long as no film shows them."""
        if self.vm is None or self.vm.dead is not None or (self.last is not None and self.last.film is not None):
            return ""
        through = [gva for gva in self.gvas if self.gfn in _tables(self.vm, gva)]
        if not through:
            return ""
        ends = dict.fromkeys((through[0], through[-1]))
        return str(self.guarded(lambda: hierarchy(self.machine, *ends).html))

    def state(self) -> str:
        """The tables, the entries of the chosen one and their shadow."""
        if self.vm is None:
            return "There is no VM: your own part let none come to be."
        names = [f"{'>' if name.gfn == self.gfn else ' '} {name}" for name in self.tables()]
        entries = [f"  {says}" for _, says in self.entries()]
        shadow = [f"  {name} {self.says(spte)}" for name, spte in self.candidates().items()] or ["  nothing"]
        row = f"writes in a row: {self.vm.last_pt_write_count} to gfn {self.vm.last_pt_write_gfn:#x}"
        tables = ["Tables of this guest:", *names]
        return "\n".join([*tables, f"Entries of gfn {self.gfn:#x}:", *entries, "Made from it:", *shadow, row])


def _tables(vm: Vm, gva: int) -> list[int]:
    return [step.number for step in guest_path(vm, gva).steps]


def _words(dead: Iterable[str], candidates: Iterable[str]) -> str:
    """A set of entries in words, the same whatever its order."""
    chosen = set(dead)
    if PAGE in chosen:
        return PAGE
    return ", ".join(name for name in candidates if name in chosen) or NONE
