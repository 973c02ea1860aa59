# SPDX-License-Identifier: GPL-2.0-only
"""`write_lab`: write into a guest's page table, predict which shadow entries die, and watch."""

from __future__ import annotations

import functools
from typing import Any

from ..draw.arguments import possible_gva
from ..draw.pools import hash_table_scene
from ..errors import InputError, LabError
from ..mmu import Vm, checks
from ..mmu.bits import PAGE_SHIFT, PAGE_SIZE, guest_format
from ..mmu.pool import ShadowPage
from ..mmu.shadow import page_of
from ..player.film import Draw
from ..read.paths import guest_path
from . import write_table
from .builder import paging_mode, store
from .cells import picture, without_limits
from .guest_lab import GuestLab
from .lab import Round
from .prediction import Prediction
from .reached import Reached
from .write_guest import prepared
from .write_table import Table, shadowed_tables
from .write_verdict import NONE, PAGE, Verdict, in_words

DRAWN = 6
"""So many shadow entries that could die are drawn, each with its path: all of them for the prepared guests."""


def write_lab(vm: Vm | None = None, mode: str = "64", **parts: Any) -> WriteLab:
    """The lab of writes to page tables: on a prepared guest ("64", "pae" or "32"), or on ``vm`` with its shadowed tables.

    ``parts`` (``pre_write=...``) go into the VM that the lab makes. Raises InputError.
    """
    return WriteLab(vm, mode, parts)


class WriteLab(GuestLab):
    """`choose` a table, `guess`, `write`. ``gfn`` is the chosen table."""

    title = "Which shadow entries does a write kill?"

    def __init__(self, vm: Vm | None, mode: str, parts: dict[str, Any]) -> None:
        super().__init__(parts)
        if vm is not None and (parts or not isinstance(vm, Vm)):
            raise InputError("vm", vm, "a Vm (made with your parts), or none")
        self.given, self.mode, self.vm = vm, mode, vm
        if vm is not None:
            self.after_crash = "Make another VM, and the lab anew."
        self.dead = Prediction("Which entries die?", [NONE, PAGE])
        self.predictions = [self.dead]
        self.forget()
        if vm is not None and not self.known:
            raise InputError("vm", vm, "a guest that pages, with shadowed tables: let it access something first")
        self.reset(mode)

    @functools.cached_property
    def form(self) -> Any:
        """The form. Raises ImportError without ipywidgets."""
        from .write_form import WriteForm

        return WriteForm(self)

    # The guest

    def reset(self, mode: str | None = None) -> None:
        """A new guest, in another mode if one is given. A VM of yours stays as it is."""
        mode = mode or self.mode
        paging_mode(mode)
        self.mode = mode
        if self.given is None:
            super().reset()
        if self.vm is not None and self.gfn not in self.known:
            for table in self.tables()[:1]:
                self.choose(table.gfn)

    def forget(self) -> None:
        """Of the new guest no table is known yet, and no address."""
        self.made, self.used = dict[int, int](), dict[int, None]()
        self.gfn = self.level = self.paging = 0

    def prepare(self) -> Vm:
        """The guest of `write_guest`."""
        vm, self.made, touched = prepared(self.mode, self.parts)
        self.used = dict.fromkeys(touched)
        return vm

    @property
    def known(self) -> dict[int, int]:
        """Level by gfn of the tables that there are now. Of a VM of yours: those shadowed, and the chosen one."""
        if self.given is None:
            return self.made
        chosen = {self.gfn: self.level} if self.level and self.paging == self.given.root_level else {}
        return chosen | shadowed_tables(self.given)

    def tables(self) -> list[Table]:
        """The tables to choose from, the last level first."""
        found = [Table(self.machine, gfn, level) for gfn, level in self.known.items()]
        return sorted(found, key=lambda table: (table.level, not table.shadowed, table.gfn))

    @property
    def table(self) -> Table:
        """The chosen table."""
        return Table(self.machine, self.gfn, self.known.get(self.gfn, self.level))

    def choose(self, gfn: int) -> None:
        """Choose a table by its gfn."""
        known = self.known
        if gfn not in known:
            raise InputError("gfn", gfn, f"a table: {', '.join(map(hex, known)) or 'there is none now'}")
        self.gfn, self.level, self.paging = gfn, known[gfn], self.machine.root_level

    def touch(self) -> Round:
        """The guest uses its pages again, so that what died comes back. A VM of yours: those whose entries died here."""
        vm = self.machine
        possible = [gva for gva in self.used if vm.root_level and possible_gva(vm, gva)]
        mapped = [gva for gva in possible if guest_path(vm, gva).gfn is not None]
        try:
            self.guarded(lambda: [vm.access(gva) for gva in mapped])
        except LabError as error:
            return self.failed(error)
        said = ["The guest has used its pages again: what was missing is in the shadow again."]
        if not self.used:
            said = ["There is nothing to bring back: no entry has died here that an address leads to."]
        elif len(mapped) < len(self.used):
            said.append(f"{len(self.used) - len(mapped)} addresses aren't mapped any more: nothing is made for them.")
        return self.played(Round(reasons=tuple(said)))

    # Entries

    def pages(self) -> list[ShadowPage]:
        """The shadow pages of the chosen table."""
        return self.table.pages()

    def entries(self) -> list[tuple[int, str]]:
        """The chosen table's entries that aren't empty: (offset, what it says)."""
        return self.table.entries()

    def candidates(self) -> dict[str, int]:
        """The shadow entries that could die, by name: those made from the chosen table."""
        return self.table.candidates()

    def says(self, spte: int) -> str:
        """What a shadow entry says."""
        return write_table.says(self.machine, spte)

    @property
    def entry_size(self) -> int:
        """Bytes of a guest's entry."""
        return guest_format(self.vm.root_level if self.vm is not None else 0).size

    # Predicting and writing

    def guess(self, *dead: str) -> None:
        """Predict which die: names like ``"#248:1"``, or ``"none"``, or ``"the whole page"``; nothing is no guess."""
        known = {*self.candidates(), NONE, PAGE}
        wrong = next((name for name in dead if name not in known), None)
        if wrong is not None:
            raise InputError("dead", wrong, f"one of {', '.join(sorted(known))}")
        self.dead.answer = in_words(dead, self.candidates()) if dead else None

    def write(self, offset: int, value: int | None = None, size: int | None = None) -> Round:
        """Write ``size`` bytes (of an entry, if not given) at ``offset`` of the chosen table, and compare.

        Without a ``value`` the frame next door is written. Raises InputError.
        """
        vm, table = self.machine, self.table
        offset, value, size = self._checked(offset, value, size)
        verdict, lost, (focus, draw) = Verdict(table, offset, size), self._asked(), self._view(offset)
        try:
            title = f"Write {size} byte{'s' * (size > 1)} at offset {offset:#x} of the {table.name}"
            film = self.film(title, lambda: store(vm, table.gfn << PAGE_SHIFT | offset, value, size), vm, focus, draw)
        except LabError as error:
            return self.failed(error)
        if film.error is not None:
            return self.played(Round(film=film, error=film.error))
        self.used |= {lost[name]: None for name in verdict.gone() if name in lost}
        reasons = verdict.reasons(film.result, self.parts)
        if draw is not None:
            reasons.append("CR3 as it is now leads to this table by no address; the film shows where the hash has its shadow.")
        return self.played(Round((self.dead.compare(verdict.happened()),), tuple(reasons), film))

    def _checked(self, offset: int, value: int | None, size: int | None) -> tuple[int, int, int]:
        """What to write, as plain numbers that fit together. The guest of a VM of yours may have lost the table meanwhile."""
        if self.gfn not in self.known:
            self.choose(self.gfn)
        size = checks.size(self.entry_size if size is None else size)
        offset = checks.whole("offset", offset)
        if not 0 <= offset <= PAGE_SIZE - size:
            raise InputError("offset", offset, f"an offset at which {size} bytes fit into the page: 0..{PAGE_SIZE - size:#x}")
        return offset, checks.stored(self.table.moved(offset, size) if value is None else value, size), size

    def _view(self, offset: int) -> tuple[list[int], Draw | None]:
        """What a film shows: an address with the written entry on its path, and those that the picture shows, or the hash."""
        reached, gfn = Reached(self.machine), self.gfn
        index = offset // self.entry_size
        written = reached.through(gfn, index)
        written = reached.to(gfn, index) if written is None else written
        focus = [] if written is None else list(dict.fromkeys([written, *self._asked(DRAWN).values()]))[:DRAWN]
        return focus, None if focus else lambda vm, marks: without_limits(hash_table_scene(vm, gfn, marks))

    def _asked(self, most: int | None = None) -> dict[str, int]:
        """For each shadow entry that could die (or the first ``most``): an address that leads through it, if one does."""
        vm, reached = self.machine, Reached(self.machine)
        some = list(self.candidates().items())[:most]
        pages = [(name, vm.pool.pages[page_of(spte)], spte) for name, spte in some]
        found = {name: reached.behind(page, spte - page.spte) for name, page, spte in pages}
        return {name: gva for name, gva in found.items() if gva is not None}

    def drawn(self, vm: Vm) -> str:
        """The paths through the chosen table, as long as no film shows them."""
        if vm.dead is not None or (self.last is not None and self.last.film is not None):
            return ""
        asked = self._asked(DRAWN)
        ways = list(dict.fromkeys(asked.values())) or Reached(vm).ends(self.gfn)
        left = len(self.candidates()) - len(asked)
        note = f"<p>Drawn of the entries that could die: {', '.join(asked)}; {left} more aren't.</p>" if asked and left else ""
        return (picture("hierarchy", vm, *ways) if ways else picture("hash_table", vm, self.gfn)).html + note

    def told(self, vm: Vm) -> str:
        """The tables, the entries of the chosen one and their shadow."""
        names = [f"{'>' if table.gfn == self.gfn else ' '} {table}" for table in self.tables()]
        entries = [f"  {says}" for _, says in self.entries()]
        shadow = [f"  {name} {self.says(spte)}" for name, spte in self.candidates().items()] or ["  nothing"]
        row = f"writes in a row: {vm.last_pt_write_count} to gfn {vm.last_pt_write_gfn:#x}"
        tables = ["Tables of this guest:", *names]
        return "\n".join([*tables, f"Entries of gfn {self.gfn:#x}:", *entries, "Made from it:", *shadow, row])
