# SPDX-License-Identifier: GPL-2.0-only
"""`write_lab`: choose a write to a guest page table, predict which shadow entries it zaps, and watch it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..draw.arguments import possible_gva
from ..draw.page_pool import hash_table_scene
from ..draw.pictures import hash_table, hierarchy
from ..errors import InputError, LabError
from ..inspect.entries import flags, guest_target, shadow_target
from ..inspect.names import LEVELS, entry_name
from ..inspect.paths import guest_path
from ..mmu import Vm, bits, checks
from ..mmu.bits import PAGE_SHIFT, PAGE_SIZE, PRESENT, guest_format
from ..mmu.machine import Machine
from ..mmu.pool import ShadowPage
from ..mmu.prewrite import FLOOD, shadow_pages
from ..mmu.shadow import entries_with, page_of
from ..player.cell_output import close_all
from ..player.film_steps import Draw
from ..replay.trace_moments import TableWrite, moment
from .form import GuestForm, form_of
from .guests import Builder, paging_mode, store
from .inverse_walk import InverseWalk, in_shadow
from .lab import GuestLab, Round, form_picture, operation, without_limits
from .prediction import Prediction
from .store_diagram import PteWrite

NONE, PAGE = "none", "the whole page"

MOST = 16
"""The maximum number of entries listed for a table; the tables of the lab's own guests have fewer."""

DRAWN = 6
"""The maximum number of shadow entries drawn, each with its path; enough for all in the lab's own guests."""


def write_lab(vm: Vm | None = None, mode: str = "64", preset: str = "", **parts: Any) -> WriteLab:
    """Return a lab about writes to page tables: those of its own guest ("64", "pae" or "32"), or the shadowed ones of ``vm``.

    ``preset``: a moment of a recording ("fork in lin64", see `replay.trace_moments`) at which a real guest is about to write a
    shadowed table. ``parts`` (``pre_write=...``) are passed to the VM that the lab builds. Raises InputError for an invalid
    argument.
    """
    return WriteLab(vm, mode, parts, preset)


class WriteLab(GuestLab):
    """A lab about writes to page tables: `choose` a table, `guess`, then `write`. `touch` accesses the guest's pages again."""

    title = "Which shadow entries does a write zap?"

    def __init__(self, vm: Vm | None, mode: str, parts: dict[str, Any], preset: str = "") -> None:
        super().__init__(parts)
        if vm is not None and (parts or not isinstance(vm, Vm)):
            raise InputError("vm", vm, "a Vm (built with your parts), or None")
        if vm is not None and preset:
            raise InputError("preset", preset, "no preset together with a VM of your own")
        self.moment = moment(preset) if preset else None
        """The moment of a recording from which the lab starts, or None."""
        self.given, self.mode, self.vm = vm, mode, vm
        if vm is not None:
            self.after_crash = "Create a new VM, and a new lab with it."
        self.zapped = Prediction("Which entries are zapped?", [NONE, PAGE])
        self.predictions = [self.zapped]
        self.forget()
        if vm is not None and not self.levels:
            raise InputError("vm", vm, "a guest with paging enabled and shadowed tables: let it access something first")
        self.reset(mode)
        if self.moment is not None and not self.parts and self.moment.next_write.gpa >> PAGE_SHIFT not in self.levels:
            raise InputError("preset", preset, "a moment before a write to a shadowed table, such as 'fork in lin64'")

    # The guest

    def reset(self, mode: str | None = None) -> None:
        """Build a new guest, in ``mode`` if given. Your own VM isn't changed."""
        mode = mode or self.mode
        paging_mode(mode)
        self.mode = mode if self.moment is None else self.moment.trace.mode
        if self.given is None:
            super().reset()
        else:
            self.choose_first()

    def rebuild(self) -> None:
        """Build a new guest, and choose its first table."""
        super().rebuild()
        self.choose_first()

    def choose_first(self) -> None:
        """Choose the first table, or the one that a recorded guest writes next, unless a table is chosen."""
        if self.vm is not None and self.gfn not in self.levels:
            if self.moment is not None and self.moment.next_write.gpa >> PAGE_SHIFT in self.levels:
                self.choose(self.moment.next_write.gpa >> PAGE_SHIFT)
                return
            for table in self.tables()[:1]:
                self.choose(table.gfn)

    @property
    def can_undo(self) -> bool:
        """Whether there is an operation that `undo` can take back. Your own VM can't be built again."""
        return self.given is None and super().can_undo

    def selected(self) -> int:
        """Return the gfn of the chosen table."""
        return self.gfn

    def select(self, selected: int) -> None:
        """Choose a table again, if it is still there."""
        if self.vm is not None and selected in self.levels:
            self.choose(selected)

    def forget(self) -> None:
        """Clear the tables and the addresses."""
        self._prepared_levels, self._touched = dict[int, int](), dict[int, None]()
        self.gfn = self.level = self.paging = 0

    def prepare(self) -> Vm:
        """Return a guest with accessed pages in two page tables, and a third page table that was never used; or a recorded one.

        In a 32-bit guest, both quadrants of the first page table are in use.
        """
        if self.moment is not None:
            return self.moment.replay(**self.parts).vm
        guest = Builder(self.mode, **self.parts)
        region = 1 << PAGE_SHIFT + guest.mode.format.index_bits
        half = region // 2
        touched = [0x1000, 0x2000, 0x3000, half + 0x1000, half + 0x2000, region + 0x1000]
        mapped = [*touched, 3 * region]
        for gva in mapped:
            guest.map(gva)
        vm = guest.start()
        for gva in touched:
            vm.access(gva, user=True)
        levels = [level for level in range(1, guest.mode.levels + 1) if not level == 3 == guest.mode.levels]
        self._prepared_levels = {guest.table(gva, level): level for level in levels for gva in mapped}
        self._touched = dict.fromkeys(touched)
        return vm

    @operation
    def touch(self) -> Round:
        """Access the guest's pages again, so that zapped entries are made again.

        In your own VM, access the pages whose entries were zapped in this lab.
        """
        vm = self.machine
        possible = [gva for gva in self._touched if vm.root_level and possible_gva(vm, gva)]
        mapped = [gva for gva in possible if guest_path(vm, gva).gfn is not None]
        try:
            self.run(lambda: [vm.access(gva) for gva in mapped])
        except LabError as error:
            return self.add_failed_round(error)
        reasons = ["The guest has accessed its pages again, so the host has made the missing shadow entries again."]
        if not self._touched:
            reasons = ["There is nothing to access: no address leads to an entry that was zapped here."]
        elif len(mapped) < len(self._touched):
            reasons.append(f"{len(self._touched) - len(mapped)} of the addresses are no longer mapped, so they were skipped.")
        return self.add_round(Round(reasons=tuple(reasons)))

    # Tables and entries

    @property
    def levels(self) -> dict[int, int]:
        """The level of each table, by gfn. In your own VM, these are the shadowed tables and the chosen one."""
        vm = self.vm if self.moment is not None else self.given
        if vm is None:
            return self._prepared_levels
        chosen = {self.gfn: self.level} if self.level and self.paging == vm.root_level else {}
        return chosen | shadowed_tables(vm)

    def tables(self) -> list[TargetTable]:
        """Return the tables to choose from, page tables first."""
        found = [TargetTable(self.machine, gfn, level) for gfn, level in self.levels.items()]
        return sorted(found, key=lambda table: (table.level, not table.shadowed, table.gfn))

    @property
    def table(self) -> TargetTable:
        """The chosen table."""
        return TargetTable(self.machine, self.gfn, self.levels.get(self.gfn, self.level))

    def choose(self, gfn: int) -> None:
        """Choose a table by its gfn."""
        levels = self.levels
        if gfn not in levels:
            raise InputError("gfn", gfn, f"the gfn of a table: {', '.join(map(hex, levels)) or 'there is none now'}")
        self.gfn, self.level, self.paging = gfn, levels[gfn], self.machine.root_level

    def pages(self) -> list[ShadowPage]:
        """Return the shadow pages of the chosen table."""
        return self.table.pages()

    def entries(self) -> list[tuple[int, str]]:
        """Return (offset, description) of the entries of the chosen table that aren't empty."""
        return self.table.entries()

    def candidates(self) -> dict[str, int]:
        """Return the shadow entries that a write can zap, by name: those that were made from the chosen table."""
        return self.table.candidates()

    def describe(self, spte: int) -> str:
        """Return the flags and the target of a shadow entry as text."""
        value = self.machine.memory.words[spte]
        return f"{flags(value)} {shadow_target(self.machine, value)}"

    @property
    def entry_size(self) -> int:
        """The size of a guest entry in bytes."""
        return guest_format(self.vm.root_level if self.vm is not None else 0).size

    # A round

    def guess(self, *zapped: str) -> None:
        """Predict what is zapped: names like ``"#248:1"``, or ``"none"`` or ``"the whole page"``.

        A call without names removes the guess.
        """
        known = {*self.candidates(), NONE, PAGE}
        wrong = next((name for name in zapped if name not in known), None)
        if wrong is not None:
            raise InputError("zapped", wrong, f"one of {', '.join(sorted(known))}")
        self.zapped.answer = listed(zapped, self.candidates()) if zapped else None

    @property
    def recorded(self) -> TableWrite | None:
        """The write that the recorded guest did next, if its table is chosen; None for other guests and other tables."""
        if self.moment is None or self.moment.next_write.gpa >> PAGE_SHIFT != self.gfn:
            return None
        return self.moment.next_write

    @operation
    def write_recorded(self) -> Round:
        """Do the write that the recorded guest did next, and compare. Raises InputError for other guests and other tables."""
        if self.recorded is None:
            raise InputError("table", self.gfn, "the one that a recorded guest writes next: write_lab(preset='fork in lin64')")
        gpa, value, size = self.recorded
        return self._write(gpa & PAGE_SIZE - 1, value, size)

    @operation
    def write(self, offset: int, value: int | None = None, size: int | None = None) -> Round:
        """Write ``size`` bytes (by default a whole entry) at ``offset`` of the chosen table, and compare.

        By default, ``value`` moves the entry to the neighbouring frame. Raises InputError for an invalid argument.
        """
        return self._write(offset, value, size)

    def _write(self, offset: int, value: int | None, size: int | None) -> Round:
        vm, table = self.machine, self.table
        offset, value, size = self._checked(offset, value, size)
        effect, gvas, (focus, draw) = WriteEffect(table, offset, size), self._gvas(), self._view(offset)
        try:
            title = f"Write {size} byte{'s' * (size > 1)} at offset {offset:#x} of the {table.name}"
            film = self.film(title, lambda: store(vm, table.gfn << PAGE_SHIFT | offset, value, size), vm, focus, draw)
        except LabError as error:
            return self.add_failed_round(error)
        if film.error is not None:
            return self.add_round(Round(film=film, error=film.error))
        self._touched |= {gvas[name]: None for name in effect.zapped() if name in gvas}
        reasons = effect.reasons(film.result, self.parts)
        if draw is not None:
            reasons.append("No address leads to this table from the current CR3, so the film shows its hash bucket.")
        return self.add_round(Round((self.zapped.compare(effect.happened()),), tuple(reasons), film))

    def _checked(self, offset: int, value: int | None, size: int | None) -> tuple[int, int, int]:
        """Return offset, value and size as numbers. Raises InputError if one is invalid or the table no longer exists."""
        if self.gfn not in self.levels:
            self.choose(self.gfn)
        size = checks.size(self.entry_size if size is None else size)
        offset = checks.whole("offset", offset)
        if not 0 <= offset <= PAGE_SIZE - size:
            raise InputError("offset", offset, f"an offset at which {size} bytes fit into the page: 0..{PAGE_SIZE - size:#x}")
        return offset, checks.stored(self.table.moved(offset, size) if value is None else value, size), size

    def _view(self, offset: int) -> tuple[list[int], Draw | None]:
        """Return what the film shows: paths through the written entry and the candidates or, without paths, the hash table."""
        walk, gfn = InverseWalk(self.machine), self.gfn
        index = offset // self.entry_size
        written = walk.gva_through(gfn, index)
        written = walk.lowest_gva(gfn, index) if written is None else written
        focus = [] if written is None else list(dict.fromkeys([written, *self._gvas(DRAWN).values()]))[:DRAWN]
        return focus, None if focus else lambda vm, marks: without_limits(hash_table_scene(vm, gfn, marks))

    def _gvas(self, most: int | None = None) -> dict[str, int]:
        """Return an address that uses each candidate, by the candidate's name. ``most``: only this many candidates."""
        vm, walk = self.machine, InverseWalk(self.machine)
        some = list(self.candidates().items())[:most]
        pages = [(name, vm.pool.pages[page_of(spte)], spte) for name, spte in some]
        found = {name: walk.gva_of_shadow(page, spte - page.spte) for name, page, spte in pages}
        return {name: gva for name, gva in found.items() if gva is not None}

    # What it shows

    def picture_html(self, vm: Vm) -> str:
        """Return the paths through the chosen table as HTML; "" after a crash of the host."""
        if vm.dead is not None:
            return ""
        gvas = self._gvas(DRAWN)
        focus = list(dict.fromkeys(gvas.values())) or InverseWalk(vm).first_and_last(self.gfn)
        left = len(self.candidates()) - len(gvas)
        drawing = form_picture(hierarchy(vm, *focus) if focus else hash_table(vm, self.gfn)).html
        if not gvas or not left:
            return drawing
        return f"{drawing}<p>Of the entries that can be zapped, {', '.join(gvas)} are drawn; {left} more aren't.</p>"

    def state_text(self, vm: Vm) -> str:
        """Return the tables, the entries of the chosen one, and the shadow entries made from it, as text."""
        tables = [f"{'>' if table.gfn == self.gfn else ' '} {table}" for table in self.tables()]
        if len(tables) > MOST:
            kept = tables[: MOST - 1] if self.gfn in [table.gfn for table in self.tables()[: MOST - 1]] else tables[: MOST - 2]
            kept += [line for line in tables if line.startswith(">") and line not in kept]
            tables = [*kept, f"  ... and {len(tables) - len(kept)} more"]
        entries = [f"  entry {text}" for _, text in self.entries()]
        shadow = [f"  {name} {self.describe(spte)}" for name, spte in self.candidates().items()] or ["  none"]
        count = vm.last_pt_write_count
        row = f"Writes in a row: {f'{count}, to gfn {vm.last_pt_write_gfn:#x}' if count else 'none'}"
        heads = ["Tables of this guest (> marks the chosen one):", f"Entries of gfn {self.gfn:#x}:"]
        if self.moment is not None:
            gpa, value, size = self.moment.next_write
            where = f"at offset {gpa & PAGE_SIZE - 1:#x} of gfn {gpa >> PAGE_SHIFT:#x}"
            what = f"Its next write to a page table: {value:#x}, {size} byte{'s' * (size > 1)}, {where}."
            heads[0] = f"The recording {self.moment.trace.name}: {self.moment.says}.\n{what}\n{heads[0]}"
        return "\n".join([heads[0], *tables, heads[1], *entries, "Shadow entries made from it:", *shadow, row])


def shadowed_tables(vm: Machine) -> dict[int, int]:
    """Return the level of each table that is shadowed in the guest's current mode, by gfn."""
    pages = [page for page in vm.pool.active if not page.metaphysical and page.glevels == vm.root_level]
    return {page.gfn: page.level for page in sorted(pages, key=lambda page: (page.level, page.gfn))}


def listed(chosen: Iterable[str], candidates: Iterable[str]) -> str:
    """Return names of entries as text, in the order of ``candidates``: "#248:1, #248:2"; or one of `NONE` and `PAGE`."""
    names = set(chosen)
    if PAGE in names:
        return PAGE
    return ", ".join(name for name in candidates if name in names) or NONE


@dataclass(frozen=True)
class TargetTable:
    """A guest table to write to. Only its gfn and level are stored; the rest is read from the VM, even after a crash."""

    vm: Machine
    gfn: int
    level: int

    @property
    def shadowed(self) -> bool:
        """Whether it has a shadow page."""
        return bool(self.pages())

    @property
    def name(self) -> str:
        """The kind and the gfn: "PT in gfn 0x14"."""
        return f"{LEVELS[self.level]} in gfn {self.gfn:#x}"

    def __str__(self) -> str:
        return self.name + ("" if self.shadowed else " (not shadowed)")

    def pages(self) -> list[ShadowPage]:
        """Return its shadow pages."""
        return sorted(shadow_pages(self.vm, self.gfn), key=lambda page: page.role)

    def candidates(self) -> dict[str, int]:
        """Return the shadow entries that were made from it, by name."""
        return {entry_name(spte): spte for page in self.pages() for spte in entries_with(self.vm, page)}

    def value(self, offset: int, size: int) -> int:
        """Return the ``size`` bytes at ``offset`` as a number."""
        memory = self.vm.memory
        hpa = (memory.frames[self.gfn] or 0) << PAGE_SHIFT | offset
        return int.from_bytes(memory.bytes[hpa : hpa + size], "little")

    def moved(self, offset: int, size: int) -> int:
        """Return a new value for these bytes: with the neighbouring frame if they contain a frame, else with bit 0 inverted."""
        value = self.value(offset, size)
        return value ^ 1 << PAGE_SHIFT if size > 1 and value & PRESENT else value ^ 1

    def entries(self) -> list[tuple[int, str]]:
        """Return (offset, description) of the entries that aren't empty: at most `MOST`, preferably those in the shadow."""
        size = guest_format(self.vm.root_level).size
        values = {offset: self.value(offset, size) for offset in range(0, PAGE_SIZE, size)}
        full = [offset for offset in values if values[offset]]
        chosen = sorted(sorted(full, key=lambda offset: not in_shadow(self.vm, self.gfn, offset // size))[:MOST])
        return [(offset, f"{offset // size} at {offset:#x}: {self._describe(values[offset])}") for offset in chosen]

    def _describe(self, entry: int) -> str:
        return f"{flags(entry)} {guest_target(self.vm, self.level, entry)}"


class WriteEffect:
    """The effect of a write. Create it before the write; after the write, its methods return what was zapped, and why."""

    def __init__(self, table: TargetTable, offset: int, size: int) -> None:
        self.vm, self.before = table.vm, table.candidates()
        self.write = PteWrite(table.vm, table.gfn, offset, size)
        self.level = self.write.pages[0].level if self.write.pages else 0
        self.root = any(page.root_count for page in self.write.pages)

    def zapped(self) -> list[str]:
        """Return the names of the entries that are empty now."""
        return [name for name, spte in self.before.items() if not self.vm.memory.words[spte]]

    def happened(self) -> str:
        """Return what was zapped as text, in the form of an answer to `WriteLab.zapped`."""
        pages, zapped = self.write.pages, self.zapped()
        empty = [page for page in pages if page not in self.vm.pool.active or not entries_with(self.vm, page)]
        whole = bool(pages) and self.write.whole_page and len(empty) == len(pages)
        return listed([*zapped, PAGE] if whole else zapped or [NONE], self.before)

    def reasons(self, emulated: bool, parts: Mapping[str, Any]) -> list[str]:
        """Return sentences that explain the effect.

        ``emulated``: whether the host emulated the write; ``parts``: your own parts.
        """
        write = self.write
        if not emulated or not write.pages:
            return [
                f"gfn {write.gfn:#x} isn't shadowed, so it isn't write-protected: the guest writes directly, and the host "
                "doesn't notice. It doesn't need to: no shadow entry was made from this table."
            ]
        reasons = self._difference(parts) if parts else []
        if write.misaligned:
            reasons.append(
                f"{write.size} bytes at offset {write.offset:#x} cross the boundary between two entries (an entry of this "
                f"guest has {write.entry_size} bytes): KVM 2.6.22 doesn't compute which entries are hit, but zaps the whole "
                "page."
            )
        if write.in_a_row >= FLOOD:
            reasons.append(
                f"This is write {write.in_a_row} in a row to gfn {write.gfn:#x}: from the third on, KVM assumes that the frame "
                "is no longer a page table, and zaps all its shadow pages. Page faults don't reset the count; only a write "
                "elsewhere does."
            )
        return reasons + (self._page_reasons() if write.whole_page else self._entry_reasons())

    def _shadow_of_entry(self) -> list[str]:
        """Return the names of the shadow entries for the written guest entry, empty or not."""
        return [entry_name(spte) for page in self.write.pages for spte in self.write.sptes(page)]

    def _difference(self, parts: Mapping[str, Any]) -> list[str]:
        """If your own part zapped other entries than the kernel would, return a sentence that says so."""
        hit = self.before if self.write.whole_page else self._shadow_of_entry()
        kernel, own = listed(set(hit) & set(self.before), self.before), listed(self.zapped(), self.before)
        return [] if kernel == own else [f"Your own {' or '.join(parts)} zapped: {own}. The kernel zaps: {kernel}."]

    def _page_reasons(self) -> list[str]:
        reasons = []
        if len(self.write.pages) > 1:
            reasons.append(f"The table has {len(self.write.pages)} shadow pages, one for each quadrant in use. All are zapped.")
        if self.root:
            reasons.append("A root in use can't be freed: it is only emptied, and faults fill it again.")
        elif self.level > 1:
            reasons.append("The shadow pages below it stay in the pool. A fault finds them again by gfn and role.")
        else:
            reasons.append("The entries that link to the page are cleared, too: no link may lead to a freed page.")
        return reasons

    def _entry_reasons(self) -> list[str]:
        write, zapped, shadow = self.write, self.zapped(), self._shadow_of_entry()
        narrow = write.entry_size == 4
        reasons = [f"The bytes are in guest entry {write.indices[0]}, for which KVM zaps {' and '.join(shadow)}."]
        if write.size < write.entry_size:
            reasons.append(f"The write changes only {write.size} of its {write.entry_size} bytes, but that is enough.")
        if narrow and self.level == 2:
            reasons.append(
                "A 4-byte directory entry maps 4 MB and a shadow entry only 2 MB, so the offset is doubled twice, and two "
                "consecutive entries are zapped."
            )
        elif narrow:
            reasons.append(
                "A table of 1024 4-byte entries has two shadow pages of 512 8-byte entries, so the offset is doubled."
            )
        if narrow and len(write.pages) > 1:
            reasons.append(
                "KVM 2.6.22 zaps this index in every quadrant's page, even where it doesn't shadow the written entry."
            )
        empty = [name for name in shadow if name not in zapped]
        if empty:
            reasons.append(f"{' and '.join(empty)} {'was' if len(empty) == 1 else 'were'} empty, so there was nothing to zap.")
        if self.level > 1 and zapped:
            reasons.append("Only the link is zapped: the shadow page below it stays in the pool, and can be linked again.")
        reasons.append("The new value makes no difference: a fault makes the shadow entry again when it is needed.")
        return reasons


# The form

MODES = [(bits.MODES[name].title, name) for name in ("64", "pae", "32")]
ANY, BY_OFFSET = -1, "(by offset)"
"""The menu's value and label if the offset is in none of the listed entries."""

TOUCH = "Access the guest's pages again, so that zapped entries are made again"


@form_of(WriteLab)
class WriteForm(GuestForm):
    """A form with the guest, the table and the write, a checkbox for each entry that can be zapped, and *Write*."""

    lab: WriteLab
    low = True

    def controls(self) -> list[Any]:
        """Return the controls, from the guest down to *Write*."""
        lab, ui = self.lab, self.ui
        self.table = ui.menu("Table", [], None, "The guest table to write to")
        self.entry = ui.menu("Entry", [(BY_OFFSET, ANY)], ANY, "An entry of that table; selecting it fills in the offset")
        self.table.observe(lambda change: self.chosen(self.choose_table), "value")
        self.entry.observe(lambda change: self.chosen(self.choose_entry), "value")
        offset = "The offset of the first byte in the page"
        self.offset = self.field("offset", "Offset", "0x0", offset, width="120px", live=True)
        self.offset.text.observe(lambda change: self.follow_offset(), "value")
        value = "The value to write; empty: the entry moves to the neighbouring frame"
        self.value = self.field("value", "Value", "", value, width="200px", placeholder="neighbouring frame", live=True)
        sizes: list[tuple[str, Any]] = [(str(size), size) for size in (1, 2, 4, 8)]
        self.size = ui.menu("Bytes", sizes, lab.entry_size, "The number of bytes that are written")
        self.ticks = ui.row(max_height="104px", overflow="auto")
        self.written: Any = None
        """What was entered in the form for the write whose verdict is shown; None for other verdicts."""
        for part in (self.offset.text, self.value.text, self.size):
            part.observe(lambda change: self.show_result(), "value")
        self.building = False
        self.shown: Any = None
        self.at: Any = None
        write = self.button("Write", "Write, and watch what is zapped", self.write, primary=True)
        return [
            ui.row(self.table, self.entry, self.offset.text, self.size, self.value.text),
            self.offset.below,
            self.value.below,
            ui.row(ui.heading("Predict first: which are zapped?"), self.ticks, write, grid_gap="0 16px"),
        ]

    def tools(self) -> list[Any]:
        """Return the controls for the guest as a whole."""
        lab, ui = self.lab, self.ui
        touch = self.button("Touch all pages again", TOUCH, lab.touch)
        if lab.given is not None:
            return [touch]
        if lab.moment is not None:
            again = self.button("Back to the moment", "Start again at the same moment of the recording", self.restart)
            fill = self.button("The recorded write", "Fill in the write that the recorded guest did next", self.fill_recorded)
            return [again, touch, fill]
        self.mode = ui.menu("Guest", MODES, lab.mode if lab.mode in dict(MODES).values() else "64", "The mode of a new guest")
        self.mode.observe(lambda change: self.act(self.choose_mode), "value")
        return [self.button("New guest", "A new guest in this mode", self.restart), touch, self.mode]

    def chosen(self, action: Callable[[], Any]) -> None:
        """Run ``action`` if a menu was changed by the user, not by `refresh`."""
        if not self.building:
            self.act(action)

    def entered(self) -> Any:
        """Return what is entered in the form."""
        return self.lab.gfn, self.offset.text.value, self.size.value, self.value.text.value

    def holds(self) -> bool:
        """Return whether the verdict is about the write that is entered in the form."""
        return self.written is None or self.written == self.entered()

    def show(self, round_: Round) -> None:
        """Show the verdict of a round, which is about the entered write if it has answers."""
        self.written = self.entered() if round_.outcomes or round_.error is not None else None
        super().show(round_)

    def refresh(self) -> None:
        """Update the tables, the entries, and the checkboxes."""
        super().refresh()
        lab, self.building = self.lab, True
        try:
            if lab.vm is not None:
                self.table.options = [(str(table), table.gfn) for table in lab.tables()]
                self.table.value = lab.gfn if lab.gfn in lab.levels else None
                self._fill_entries(lab.entries())
            self._fill_ticks()
        finally:
            self.building = False

    def _fill_entries(self, entries: list[tuple[int, str]]) -> None:
        """List the table's entries. Select the first one if the table is new; otherwise keep the offset."""
        self.entry.options = [(BY_OFFSET, ANY), *((text, at) for at, text in entries)]
        if (self.lab.vm, self.lab.gfn) != self.at and entries:
            self.offset.text.value = hex(entries[0][0])
            self.enter_recorded()
        self.at = self.lab.vm, self.lab.gfn
        self.follow_offset()

    def enter_recorded(self) -> None:
        """Fill in the write that the recorded guest did next, if its table is chosen."""
        if self.lab.recorded is not None:
            gpa, value, size = self.lab.recorded
            self.offset.text.value, self.value.text.value, self.size.value = hex(gpa & PAGE_SIZE - 1), hex(value), size

    def fill_recorded(self) -> None:
        """Choose the table that the recorded guest writes next, and fill in its write."""
        if self.lab.moment is not None:
            self.lab.choose(self.lab.moment.next_write.gpa >> PAGE_SHIFT)
            self.enter_recorded()

    def follow_offset(self) -> None:
        """Select the entry that contains the offset, if it is in the menu."""
        offset = self.peek(self.offset, prefer=10)
        at = ANY if offset is None else offset // self.lab.entry_size * self.lab.entry_size
        before, self.building = self.building, True
        try:
            self.entry.value = at if at in [known for _, known in self.entry.options] else ANY
        finally:
            self.building = before

    def _fill_ticks(self) -> None:
        lab, ui, old = self.lab, self.ui, self.ticks.children
        candidates = list(lab.candidates().items()) if lab.vm is not None else []
        shown = (len(lab.rounds), tuple(candidates))
        if shown == self.shown:  # keep the boxes as they are
            return
        self.shown = shown
        ticks = [ui.checkbox(name, False, f"{name} is zapped: {lab.describe(spte)}") for name, spte in candidates]
        ticks += [ui.checkbox(NONE, False, "Nothing is zapped"), ui.checkbox(PAGE, False, "The whole shadow page is zapped")]
        for box, name in zip(ticks, [*(name for name, _ in candidates), NONE, PAGE], strict=True):
            box.name = name
            box.observe(lambda change: self.ticked(change["owner"]), "value")
        self.ticks.children = ticks
        for box in old:
            close_all(box)

    def ticked(self, box: Any) -> None:
        """Clear the boxes that contradict the one just ticked: "none", the whole page and single entries exclude each other."""
        for other in self.ticks.children if box.value else ():
            if other is not box and (box.name in (NONE, PAGE) or other.name in (NONE, PAGE)):
                other.value = False

    def choose_mode(self) -> None:
        """Build a guest in another mode."""
        self.lab.mode = self.mode.value
        self.restart()
        self.size.value = self.lab.entry_size

    def choose_table(self) -> None:
        """Choose another table."""
        if self.table.value is not None:
            self.lab.choose(self.table.value)

    def choose_entry(self) -> None:
        """Fill in the offset of an entry."""
        if self.entry.value != ANY:
            self.offset.text.value = hex(self.entry.value)

    def write(self) -> Round:
        """Perform the write entered in the form."""
        offset = self.number(self.offset, prefer=10)
        value = self.number(self.value) if self.value.text.value.strip() else None
        ticked = [box.name for box in self.ticks.children if box.value]
        try:
            self.lab.guess(*ticked)
        except LabError:
            self.lab.guess()
        return self.lab.write(offset, value, self.size.value)
