# SPDX-License-Identifier: GPL-2.0-only
"""`write_lab`: write into a guest's page table, predict which shadow entries die, and watch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..draw.arguments import possible_gva
from ..draw.page_pool import hash_table_scene
from ..draw.scene_builder import LEVELS
from ..errors import InputError, LabError
from ..inspect.entries import flags, guest_target, shadow_target
from ..inspect.names import Names
from ..inspect.paths import guest_path
from ..mmu import Vm, bits, checks
from ..mmu.bits import PAGE_SHIFT, PAGE_SIZE, PRESENT, ROOT_32, guest_format
from ..mmu.machine import Machine
from ..mmu.pool import ShadowPage
from ..mmu.prewrite import FLOOD, shadow_range
from ..mmu.shadow import entries_with, page_of
from ..player.cell_output import close_all
from ..player.film import Draw
from .addresses import Reached, in_shadow, pages_of
from .display import picture, without_limits
from .entry_decoder import parse
from .guests import paging_mode, prepared, store
from .lab import GuestLab, Round
from .prediction import Prediction
from .widgets import ROW, GuestForm, choice, heading, menu, row, tick

# FOLDED IN: labs.writes_why: Why a write to a page table killed these shadow entries and no others, in words.


@dataclass(frozen=True)
class Facts:
    """What was known before a write: where, which shadow pages it meets, and how many writes in a row it makes."""

    gfn: int
    offset: int
    size: int
    pages: tuple[ShadowPage, ...]
    entry: int
    """Bytes of a guest entry."""
    narrow: bool
    level: int
    roots: tuple[int, ...]
    row: int

    @classmethod
    def of(cls, vm: Machine, gfn: int, offset: int, size: int, pages: list[ShadowPage]) -> Facts:
        """Look, and change nothing."""
        narrow = vm.root_level == ROOT_32
        row = vm.last_pt_write_count + 1 if gfn == vm.last_pt_write_gfn else 1
        roots = tuple(page.id for page in pages if page.root_count)
        level = pages[0].level if pages else 0
        return cls(gfn, offset, size, tuple(pages), 4 if narrow else 8, narrow, level, roots, row)

    @property
    def misaligned(self) -> bool:
        """Whether the bytes cross the edge of an entry."""
        return self.offset // self.entry != (self.offset + self.size - 1) // self.entry

    @property
    def whole(self) -> bool:
        """Whether all of the page goes."""
        return self.misaligned or self.row >= FLOOD

    def hit(self, names: Names) -> list[str]:
        """The shadow entries that were made from the guest entry at the offset, or would be."""
        ranges = [shadow_range(page, self.offset) for page in self.pages]
        return [names.spte(first + number) for first, count in ranges for number in range(count)]


def explain_write(names: Names, facts: Facts, gone: list[str], noticed: bool) -> list[str]:
    """Sentences that say what died and why."""
    if not noticed or not facts.pages:
        return [
            f"gfn {facts.gfn:#x} isn't shadowed, so nothing is write-protected for it: the guest writes, and nobody looks. "
            "Only shadowed tables matter; no shadow entry was made from this one."
        ]
    reasons = []
    if facts.misaligned:
        reasons.append(
            f"{facts.size} bytes at offset {facts.offset:#x} cross the edge of an entry (entries of this guest have "
            f"{facts.entry} bytes): the code of 2007 doesn't work out which entries are hit, and zaps the whole page."
        )
    if facts.row >= FLOOD:
        reasons.append(
            f"This is write {facts.row} in a row to gfn {facts.gfn:#x}: from the third on it is taken to be no page table "
            "any more, and all its shadow goes. Page faults between don't reset the count, only a write elsewhere does."
        )
    reasons += _whole(names, facts) if facts.whole else _entries(names, facts, gone)
    return reasons


def _whole(names: Names, facts: Facts) -> list[str]:
    said = []
    if len(facts.pages) > 1:
        said.append(f"The table has {len(facts.pages)} shadow pages, one for each quadrant in use, and all of them go.")
    if facts.roots:
        said.append("A root in use can't be given back: it stays, empty, and its entries come back by faults.")
    elif facts.level > 1:
        said.append("The shadow pages below stay in the pool, found again by their gfn and role when a fault needs them.")
    else:
        said.append("The entries above that led there are emptied, too: a link to a page that is gone would be wild.")
    return said


def _entries(names: Names, facts: Facts, gone: list[str]) -> list[str]:
    index, said = facts.offset // facts.entry, []
    part = "" if facts.size >= facts.entry else f" A part of it is enough: {facts.size} of its {facts.entry} bytes."
    hit = facts.hit(names)
    said.append(f"The bytes are in guest entry {index}; its shadow is {', '.join(hit)}.{part}")
    if facts.narrow and facts.level == 2:
        said.append(
            "A 4-byte directory entry maps 4 MB and a shadow entry only 2 MB, so offsets are doubled twice and two "
            "entries in a row go."
        )
    elif facts.narrow:
        said.append("1024 entries of 4 bytes have two shadow pages of 512 entries of 8 bytes, so the offset is doubled.")
    if facts.narrow and len(facts.pages) > 1:
        said.append(
            "The code of 2007 empties that place in the page of every quadrant, also in those that don't shadow this entry."
        )
    empty = [name for name in hit if name not in gone]
    if empty:
        said.append(f"There was nothing in {', '.join(empty)}: what isn't in the shadow can't die.")
    if facts.level > 1 and gone:
        said.append("Only the link dies: the shadow page that it led to stays in the pool, and can be linked again.")
    said.append("The new value plays no part: the entry is made anew when a fault needs it.")
    return said


# FOLDED IN: labs.write_table: A guest's table to be written to: its entries, and the shadow entries that were made
# from them.


MOST = 16
"""So many entries of a table are offered; the tables of the prepared guests have fewer."""


def shadowed_tables(vm: Machine) -> dict[int, int]:
    """Level by gfn of all tables that are shadowed now, in the guest's present mode."""
    pages = [page for page in vm.pool.active if not page.metaphysical and page.glevels == vm.root_level]
    return {page.gfn: page.level for page in sorted(pages, key=lambda page: (page.level, page.gfn))}


def says(vm: Machine, spte: int) -> str:
    """What a shadow entry says."""
    value = vm.memory.words[spte]
    return f"{flags(value)} {shadow_target(vm, value)}"


@dataclass(frozen=True)
class Table:
    """A guest's table: where it stands, and at which level. All else is read when it is asked for, from a dead VM too."""

    vm: Machine
    gfn: int
    level: int

    @property
    def shadowed(self) -> bool:
        """Whether something shadows it."""
        return bool(self.pages())

    @property
    def name(self) -> str:
        """Its level and place."""
        return f"{LEVELS[self.level]} in gfn {self.gfn:#x}"

    def __str__(self) -> str:
        return self.name + ("" if self.shadowed else " (not shadowed)")

    def pages(self) -> list[ShadowPage]:
        """Its shadow pages."""
        return pages_of(self.vm, self.gfn)

    def candidates(self) -> dict[str, int]:
        """The shadow entries that were made from it, by name."""
        names = Names(self.vm)
        return {names.spte(spte): spte for page in self.pages() for spte in entries_with(self.vm, page)}

    def value(self, offset: int, size: int) -> int:
        """What it holds there."""
        memory = self.vm.memory
        hpa = (memory.frames[self.gfn] or 0) << PAGE_SHIFT | offset
        return int.from_bytes(memory.bytes[hpa : hpa + size], "little")

    def moved(self, offset: int, size: int) -> int:
        """A value to write there: what is there, with the frame next door where the bytes hold it."""
        value = self.value(offset, size)
        return value ^ 1 << PAGE_SHIFT if size > 1 and value & PRESENT else value ^ 1

    def entries(self) -> list[tuple[int, str]]:
        """The entries that aren't empty, those in the shadow first of all: (offset, what it says)."""
        size = guest_format(self.vm.root_level).size
        values = {offset: self.value(offset, size) for offset in range(0, PAGE_SIZE, size)}
        full = [offset for offset in values if values[offset]]
        chosen = sorted(sorted(full, key=lambda offset: not in_shadow(self.vm, self.gfn, offset // size))[:MOST])
        return [(offset, f"entry {offset // size} at {offset:#x}: {self._says(values[offset])}") for offset in chosen]

    def _says(self, entry: int) -> str:
        return f"{flags(entry)} {guest_target(self.vm, self.level, entry)}"


# FOLDED IN: labs.write_verdict: What a write to a page table killed, worked out from what was there before it and
# what is there after.


NONE, PAGE = "none", "the whole page"


def in_words(dead: Iterable[str], candidates: Iterable[str]) -> str:
    """A set of entries in words, the same whatever its order."""
    chosen = set(dead)
    if PAGE in chosen:
        return PAGE
    return ", ".join(name for name in candidates if name in chosen) or NONE


class Verdict:
    """Made before a write: notes what could die. Its methods say what did, once the write is done."""

    def __init__(self, table: Table, offset: int, size: int) -> None:
        self.vm, self.names, self.before = table.vm, Names(table.vm), table.candidates()
        self.facts = Facts.of(table.vm, table.gfn, offset, size, table.pages())

    def gone(self) -> list[str]:
        """The entries that are empty now."""
        return [name for name, spte in self.before.items() if not self.vm.memory.words[spte]]

    def happened(self) -> str:
        """All of it in words, as a prediction would say it."""
        facts, gone = self.facts, self.gone()
        empty = [page for page in facts.pages if page not in self.vm.pool.active or not entries_with(self.vm, page)]
        whole = bool(facts.pages) and facts.whole and len(empty) == len(facts.pages)
        return in_words([*gone, PAGE] if whole else gone or [NONE], self.before)

    def reasons(self, noticed: bool, parts: Mapping[str, Any]) -> list[str]:
        """Why. ``noticed``: whether the host carried the write out; ``parts``: your own parts."""
        gone = self.gone()
        own = self._own(gone, parts) if parts and noticed else []
        return own + explain_write(self.names, self.facts, gone, noticed)

    def _own(self, gone: list[str], parts: Mapping[str, Any]) -> list[str]:
        """Where your own part did something else than the kernel would have."""
        meant = [name for name in self.before if self.facts.whole or name in self.facts.hit(self.names)]
        if set(meant) == set(gone):
            return []
        emptied, kernel = in_words(gone, self.before), in_words(meant, self.before)
        return [f"Your own {' or '.join(parts)} emptied: {emptied}. The kernel: {kernel}."]


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
        pass

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
        return says(self.machine, spte)

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


# FOLDED IN: labs.write_form: The form of `write_lab`.


MODES = [(bits.MODES[name].title, name) for name in ("64", "pae", "32")]
ANY, BY_OFFSET = -1, "(by offset)"
"""Stands for none of the entries in the menu: the offset that is filled in says where."""

AGAIN = "The guest uses its pages again, so that entries that died are made anew: then there is something to kill again"


class WriteForm(GuestForm):
    """Guest, table, offset, size and value; the entries to tick; *Write*."""

    lab: WriteLab

    def controls(self) -> list[Any]:
        """From the guest down to *Write*."""
        import ipywidgets as widgets

        lab = self.lab
        self.mode = menu("Guest", MODES, lab.mode if lab.mode in ("64", "pae", "32") else "64", "The mode of a new guest")
        self.mode.observe(lambda change: self.act(self.choose_mode), "value")
        self.table = menu("Table", [], None, "The guest table to write to")
        self.entry = menu("Entry", [(BY_OFFSET, ANY)], ANY, "An entry of that table: fills in the offset")
        self.table.observe(lambda change: self.by_hand(self.choose_table), "value")
        self.entry.observe(lambda change: self.by_hand(self.choose_entry), "value")
        offset = "Offset of the first byte in the page"
        self.offset = self.field("offset", "Offset", "0x0", offset, width="170px", live=True)
        self.offset.text.observe(lambda change: self.follow(), "value")
        empty = "empty: the frame next door"
        self.value = self.field("value", "Value", "", "The value to write", width="300px", empty=empty, live=True)
        sizes: list[tuple[str, Any]] = [("1 byte", 1), ("2 bytes", 2), ("4 bytes", 4), ("8 bytes", 8)]
        self.size = choice("Size", sizes, lab.entry_size, "How many bytes are written")
        self.ticks = widgets.HBox(layout=ROW)
        self.building = False
        self.shown: Any = None
        self.at: Any = None
        own = [] if lab.given is not None else [self.mode, self.button("New guest", "A new guest in this mode", self.anew)]
        touch = self.button("Touch all pages again", AGAIN, self.touch)
        return [
            row(*own, touch),
            row(self.table, self.entry),
            row(self.offset.text, self.size),
            self.offset.message,
            self.value.box,
            heading("Predict first: which shadow entries die?"),
            self.ticks,
            row(self.button("Write", "Write, and watch what dies", self.write, primary=True)),
        ]

    def by_hand(self, action: Callable[[], Any]) -> None:
        """Do what somebody chose; what a refresh fills in is no choice."""
        if not self.building:
            self.act(action)

    def refresh(self) -> None:
        """The tables, the entries, and what could die: all as they are now."""
        super().refresh()
        lab, self.building = self.lab, True
        try:
            if lab.vm is not None:
                self.table.options = [(str(table), table.gfn) for table in lab.tables()]
                self.table.value = lab.gfn if lab.gfn in lab.known else None
                self._fill_entries(lab.entries())
            self._build_ticks()
        finally:
            self.building = False

    def _fill_entries(self, entries: list[tuple[int, str]]) -> None:
        """The table's entries; the first is filled in when the table is another one, else the offset stays."""
        self.entry.options = [(BY_OFFSET, ANY), *((says, at) for at, says in entries)]
        if (self.lab.vm, self.lab.gfn) != self.at and entries:
            self.offset.text.value = hex(entries[0][0])
        self.at = self.lab.vm, self.lab.gfn
        self.follow()

    def follow(self) -> None:
        """The entry that holds the offset, if it is in the menu."""
        try:
            at = parse(self.offset.text.value) // self.lab.entry_size * self.lab.entry_size
        except InputError:
            at = ANY
        before, self.building = self.building, True
        try:
            self.entry.value = at if at in [known for _, known in self.entry.options] else ANY
        finally:
            self.building = before

    def _build_ticks(self) -> None:
        lab, old = self.lab, self.ticks.children
        known = list(lab.candidates().items()) if lab.vm is not None else []
        shown = (len(lab.rounds), tuple(known))
        if shown == self.shown:  # what was ticked stays, whatever else is filled in
            return
        self.shown = shown
        ticks = [tick(f"{name}  {lab.says(spte)}", False, f"{name} will die") for name, spte in known]
        for box, (name, _) in zip(ticks, known, strict=True):
            box.name = name
        for name, tooltip in ((NONE, "Nothing will die"), (PAGE, "The whole shadow page will be zapped")):
            ticks.append(tick(name, False, tooltip))
            ticks[-1].name = name
        for box in ticks:
            box.observe(lambda change: self.ticked(change["owner"]), "value")
        self.ticks.children = ticks
        for box in old:
            close_all(box)

    def ticked(self, box: Any) -> None:
        """Nothing, all and some can't be true at once: what contradicts the box that was ticked isn't ticked any more."""
        for other in self.ticks.children if box.value else ():
            if other is not box and (box.name in (NONE, PAGE) or other.name in (NONE, PAGE)):
                other.value = False

    def choose_mode(self) -> None:
        """A guest of another mode."""
        self.lab.mode = self.mode.value
        self.anew()
        self.size.value = self.lab.entry_size

    def touch(self) -> Round:
        """The guest uses its pages."""
        return self.lab.touch()

    def choose_table(self) -> None:
        """Another table."""
        if self.table.value is not None:
            self.lab.choose(self.table.value)

    def choose_entry(self) -> None:
        """The offset of an entry."""
        if self.entry.value != ANY:
            self.offset.text.value = hex(self.entry.value)

    def write(self) -> Round:
        """Write what the form says."""
        offset = self.number(self.offset.text.value, "offset")
        text = self.value.text.value.strip()
        value = self.number(text, "value") if text else None
        ticked = [box.name for box in self.ticks.children if box.value]
        try:
            self.lab.guess(*ticked)
        except LabError:
            self.lab.guess()
        return self.lab.write(offset, value, self.size.value)

    @staticmethod
    def number(text: str, argument: str) -> int:
        """A number out of a field."""
        try:
            return parse(text)
        except InputError as error:
            raise InputError(argument, text, error.expected) from None

