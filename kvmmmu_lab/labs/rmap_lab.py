# SPDX-License-Identifier: GPL-2.0-only
"""`rmap_lab`: map one frame many times, and watch its reverse map grow, lose entries, and become empty."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from ..draw.pictures import reverse_map
from ..draw.reverse_maps import reverse_map_scene, who_maps_scene
from ..draw.scene import Scene
from ..errors import InputError, LabError
from ..inspect.names import entry_name
from ..inspect.paths import shadow_path
from ..mmu import Vm, checks
from ..mmu.bits import PAGE_SHIFT, PRESENT, WRITABLE
from ..mmu.rmap import RMAP_EXT, ReverseMap
from .form import GuestForm, form_of
from .guests import FULL, Builder, store
from .lab import GuestLab, Round, form_picture, operation
from .prediction import Prediction

Places = list[list[str]]
"""A reverse map: for each descriptor, the list of the names of its entries."""

MOST = 14
"""The maximum number of mappings: enough for four descriptors, and few enough for one picture."""

NEAR, TABLE = 0x0000, 0x40000000
"""An address in the page table of all mappings, and one whose walk uses the frame itself as a page table."""

NONE = "none: there is no hole"


def rmap_lab(**parts: Any) -> RmapLab:
    """Return a lab about the kernel's reverse map, or about your own: ``rmap_lab(rmap=Mine)``.

    Raises InputError for a part that a VM doesn't have.
    """
    return RmapLab(parts)


class TooManyMappings(InputError):
    """The frame already has `MOST` mappings."""

    def __init__(self) -> None:
        super().__init__("mappings", MOST, "fewer: unmap one first")
        self.args = (f"there are {MOST} mappings already; unmap one first",)  # the usual message would contain the value


class RmapLab(GuestLab):
    """A lab about the frame ``gfn``: `map`, `unmap` and `protect` it in any order. Predictions: ``count`` and ``filler``."""

    title = "A reverse map: which entries allow writing to this frame?"

    def __init__(self, parts: dict[str, Any]) -> None:
        super().__init__(parts)
        self.count = Prediction("Entries in the map afterwards", list(range(MOST + 2)))
        self.filler = Prediction("Entry that fills the hole", [NONE])
        self.predictions = [self.count, self.filler]
        self.reset()

    # The guest

    def forget(self) -> None:
        """Clear the mappings of the frame."""
        self.mapped = list[int]()
        self.gfn = self.elsewhere = 0
        self.filler.ask_again([NONE])

    def prepare(self) -> Vm:
        """Return a guest with one page table for all mappings. It is already shadowed, so films show only the reverse map."""
        self.guest = guest = Builder("64", **self.parts)
        self.gfn, self.elsewhere = guest.frame(), guest.frame()
        other = guest.map(NEAR)
        guest.map(TABLE)
        at = guest.entry_gpa(TABLE, 2)
        guest.vm.poke(at, self.gfn << PAGE_SHIFT | FULL)
        guest.vm.poke(self.gfn << PAGE_SHIFT, other << PAGE_SHIFT | FULL)  # the frame contains a valid page-table entry
        vm = guest.start()
        vm.access(NEAR)
        return vm

    @property
    def hfn(self) -> int:
        """The hfn of the frame."""
        return self.machine.memory.frames[self.gfn] or 0

    # The reverse map and the mappings

    def places(self) -> Places:
        """Return the names of the map's entries: a list for each descriptor, or a single list if there are no descriptors."""
        vm = self.machine
        head = vm.rmap.heads.get(self.hfn) if type(vm.rmap) is ReverseMap else None
        rows = head if isinstance(head, list) else [list(self.run(lambda: vm.rmap.sptes(self.hfn)))]
        return [[entry_name(spte) for spte in row] for row in rows if row]

    def mappings(self) -> list[tuple[int, str]]:
        """Return (gva, description) of each mapping, oldest first."""
        return [(gva, f"{gva:#x}, shadow entry {self.entry(gva)}") for gva in self.mapped]

    def spte(self, gva: int) -> int | None:
        """Return the level-1 shadow entry of a mapping, as an index of ``memory.words``; None if it isn't present."""
        steps = shadow_path(self.machine, gva).steps
        last = steps[-1] if steps else None
        return last.key.spte if last is not None and last.level == 1 and last.entry & PRESENT else None

    def entry(self, gva: int) -> str:
        """Return the name of a mapping's shadow entry, marked if it is read-only; "none" if it isn't present."""
        spte = self.spte(gva)
        if spte is None:
            return "none"
        return entry_name(spte) + " (read-only)" * (not self.machine.memory.words[spte] & WRITABLE)

    # A round

    def guess(self, count: int | None = None, filler: str | None = None) -> None:
        """Predict how many entries the map will have, and which of ``lab.filler.choices`` will fill the hole."""
        self.answer(count=count, filler=filler)

    @operation
    def map(self, read_only: bool = False) -> Round:
        """Map the frame once more and write to it, or read it if the mapping is read-only."""
        if len(self.mapped) >= MOST:
            raise TooManyMappings
        gva = next(gva for gva in (NEAR + (i + 1 << PAGE_SHIFT) for i in range(MOST)) if gva not in self.mapped)
        entry = self.gfn << PAGE_SHIFT | (FULL & ~WRITABLE if read_only else FULL)

        def map_and_access() -> Any:
            self._store(gva, entry)
            return self.machine.access(gva, user=False, write=not read_only)

        def reasons(before: Places, after: Places) -> list[str]:
            return map_reasons(before, after, read_only, self._is_table())

        self.mapped.append(gva)
        title = "Map the frame" + " once more" * (len(self.mapped) > 1) + ", read-only" * read_only
        scene = who_maps_scene if self._is_table() else reverse_map_scene
        round_ = self._round(title, map_and_access, gva, reasons, scene=scene)
        if self.machine.dead is not None:
            self.mapped.remove(gva)
        return round_

    @operation
    def unmap(self, number: int) -> Round:
        """Clear the guest's entry for mapping ``number`` (0 is the oldest)."""
        number = checks.whole("mapping", number)
        if not 0 <= number < len(self.mapped):
            raise InputError(
                "mapping", number, f"0..{len(self.mapped) - 1}" if self.mapped else "an existing mapping: map the frame first"
            )
        gva = self.mapped[number]
        spte = self.spte(gva)
        name = "" if spte is None else entry_name(spte)
        round_ = self._round(
            f"Unmap {gva:#x}",
            lambda: self._store(gva, 0),
            gva,
            lambda before, after: unmap_reasons(name, before, after),
            removed=name,
        )
        if round_.error is None:
            self.mapped.remove(gva)
        return round_

    @operation
    def protect(self) -> Round:
        """Use the frame as a page table, so that it is write-protected. The film shows every entry that leads to it."""
        title = "Make the frame a page table"
        return self._round(title, lambda: self.machine.access(TABLE), TABLE, protect_reasons, scene=who_maps_scene)

    def add_round(self, round_: Round) -> Round:
        """Add a round, and make the entries that are now in the map the choices of ``filler``."""
        round_ = super().add_round(round_)
        if self.vm is not None:
            with contextlib.suppress(LabError):
                self.filler.ask_again([NONE, *(name for row in self.places() for name in row)])
        return round_

    def _is_table(self) -> bool:
        return self.machine.pool.lookup(self.gfn) is not None

    def _store(self, gva: int, entry: int) -> None:
        store(self.machine, self.guest.entry_gpa(gva), entry, 8)

    def _round(
        self,
        title: str,
        action: Callable[[], Any],
        gva: int,
        reasons: Callable[[Places, Places], list[str]],
        removed: str = "",
        scene: Callable[..., Scene] = reverse_map_scene,
    ) -> Round:
        """Watch an action and compare the map before and after it. ``removed``: the entry that the action removes."""
        vm = self.machine
        try:
            before = self.places()
            # The third write in a row to one table would zap all its shadow pages. A write elsewhere in between prevents that,
            # so the film shows only the reverse map.
            self.run(lambda: vm.emulate_write_gpa(self.elsewhere << PAGE_SHIFT, 0, 1))
            film = self.film(title, action, vm, [gva], lambda vm, marks: scene(vm, self.gfn, marks))
            if film.error is not None:
                return self.add_round(Round(film=film, error=film.error))
            after = self.places()
        except LabError as error:
            return self.add_failed_round(error)
        outcomes = [self.count.compare(sum(map(len, after)))]
        if removed and any(removed in row for row in before):
            outcomes.append(self.filler.compare(filler_of(removed, before, after)))
        return self.add_round(Round(tuple(outcomes), tuple(reasons(before, after)), film))

    # What it shows

    def state_text(self, vm: Vm) -> str:
        """Return the map, descriptor by descriptor, and the mappings, as text."""
        try:
            rows = self.places()
        except LabError as error:
            return f"{error}"
        head = vm.rmap.heads.get(self.hfn) if type(vm.rmap) is ReverseMap else None
        size = RMAP_EXT if isinstance(head, list) else 0
        shown = [f"  [{' | '.join([*row, *['.'] * (size - len(row))])}]" for row in rows] or ["  empty"]
        table = ", which is a shadowed page table" if self._is_table() else ""
        mapped = [f"  {number}: {text}" for number, (_, text) in enumerate(self.mappings())] or ["  none"]
        return "\n".join([f"Reverse map of gfn {self.gfn:#x}{table}:", *shown, "The guest's mappings of it:", *mapped])

    def picture_html(self, vm: Vm) -> str:
        """Return the reverse map as HTML."""
        return form_picture(reverse_map(vm, self.gfn)).html


# Why the map changed


def map_reasons(before: Places, after: Places, read_only: bool, is_table: bool) -> list[str]:
    """Explain the map after the frame was mapped. ``is_table``: whether the frame is a shadowed page table."""
    if sum(map(len, before)) < sum(map(len, after)):
        return [_place_of_new(before, after)]
    if is_table and not read_only:
        return ["The frame is a shadowed page table now, so the new entry doesn't get W, and isn't added to the map."]
    return ["The map contains only entries that are present and writable. The new one is read-only."]


def _place_of_new(before: Places, after: Places) -> str:
    old = sum(map(len, before))
    if not old:
        return "One entry needs no descriptor: most frames are mapped only once."
    if old == 1 and len(after) == 1:
        return "Two entries need a descriptor, which has four places. A map that already has one keeps using it."
    if len(after) > len(before):
        return "All descriptors were full, so a new one was added to the end of the chain."
    return "The new entry is added to the first descriptor that has a free place."


def protect_reasons(before: Places, after: Places) -> list[str]:
    """Explain the map after the frame became a page table."""
    count = sum(map(len, before))
    if not count:
        return ["The map was empty, so no entry had to lose W."]
    return [
        f"{count} {'entry' if count == 1 else 'entries'} lost W, one after the other: each is first removed from the map "
        "(while its bits still show that it belongs there), then the TLB is flushed, and then W is cleared.",
        "The order in the map makes no difference: the first entry is removed each time, until the map is empty.",
    ]


def unmap_reasons(removed: str, before: Places, after: Places) -> list[str]:
    """Explain the map after an unmap. ``removed``: the shadow entry of the mapping, or "" if it had none."""
    if not removed:
        return ["The mapping had no shadow entry, so there was nothing to remove."]
    row = next((row for row in before if removed in row), None)
    if row is None:
        return [f"{removed} was not in the map, because it did not allow writing, so there was nothing to remove."]
    if len(before) == 1 and len(row) == 1:
        return [f"{removed} was the only entry, so the map is empty now."]
    if len(row) == 1:
        return [f"{removed} was the only entry in its descriptor, so the descriptor is unlinked and freed."]
    filler = filler_of(removed, before, after)
    if filler == NONE:
        return [f"{removed} was the last entry in its descriptor, so there is no hole to fill."]
    stays = " The map has one entry left, but keeps its descriptor." if sum(map(len, after)) == 1 else ""
    return [f"The last entry of the same descriptor, {filler}, fills the hole: the order of the entries isn't kept.{stays}"]


def filler_of(removed: str, before: Places, after: Places) -> str:
    """Return the entry that is now in the place of ``removed``, or `NONE`."""
    at = next(number for number, row in enumerate(before) if removed in row)
    place, old = before[at].index(removed), before[at]
    if len(old) == 1 or at >= len(after) or place >= len(after[at]):
        return NONE
    return after[at][place]


# The form

HELP = (
    "The reverse map of a frame lists the shadow entries that allow writing to it. One entry needs no descriptor. Two or more "
    "are stored in a chain of descriptors, which have four places each. When an entry is removed, another entry moves into "
    "the hole. Which one?"
)
NO_MAPPING = -1
"""The menu's value if there is no mapping."""


@form_of(RmapLab)
class RmapForm(GuestForm):
    """A form with the predictions, buttons that map and unmap the frame, and the map."""

    lab: RmapLab

    def controls(self) -> list[Any]:
        """Return the predictions and the buttons."""
        lab, ui = self.lab, self.ui
        self.which = ui.menu("Mapping", [], None, "The mapping to unmap")
        self.count, self.filler = self.question(lab.count), self.question(lab.filler)
        self.map = self.button("Map once more", "The guest maps the frame once more, and writes to it", lab.map, primary=True)
        self.map_ro = self.button("Map read-only", "The guest maps the frame without W, and reads it", self.map_read_only)
        self.unmap = self.button("Unmap", "The guest removes this mapping", self.unmap_chosen)
        self.protect = self.button("Make it a page table", "The guest uses the frame as a page table", lab.protect)
        self.reset = self.button("New guest", "Start again with a new guest that doesn't map the frame", self.restart)
        return [
            ui.note(HELP),
            ui.heading("Predict first"),
            ui.row(self.count, self.filler),
            ui.row(self.map, self.map_ro, self.protect, self.reset),
            ui.row(self.which, self.unmap),
        ]

    def map_read_only(self) -> Round:
        """Map the frame read-only."""
        return self.lab.map(read_only=True)

    def unmap_chosen(self) -> Round:
        """Unmap the mapping selected in the menu."""
        return self.lab.unmap(-1 if self.which.value == NO_MAPPING else self.lab.mapped.index(self.which.value))

    def refresh(self) -> None:
        """Show the map, and list the mappings in the menu."""
        super().refresh()
        if self.lab.vm is not None:
            chosen = self.which.value
            known = [(f"{number}: {text}", gva) for number, (gva, text) in enumerate(self.lab.mappings())]
            self.which.options = known or [("(none yet)", NO_MAPPING)]
            self.which.value = chosen if chosen in self.lab.mapped else next(iter(self.lab.mapped), NO_MAPPING)
        self.unmap.disabled = self.which.disabled = not self.lab.mapped
        self.filler.layout.display = "" if self.lab.mapped else "none"  # only an unmap leaves a hole
