# SPDX-License-Identifier: GPL-2.0-only
"""`rmap_lab`: map one frame many times, and see its reverse map grow, get holes, and be emptied."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

from ..draw.reverse_maps import reverse_map_scene, who_maps_scene
from ..draw.scene import Scene
from ..errors import InputError, LabError
from ..inspect.names import Names
from ..inspect.paths import shadow_path
from ..mmu import Vm, checks
from ..mmu.bits import PAGE_SHIFT, PRESENT, WRITABLE
from ..mmu.rmap import RMAP_EXT, ReverseMap
from .display import picture
from .guests import FULL, Builder, store
from .lab import GuestLab, Round
from .prediction import Prediction
from .widgets import GuestForm, heading, menu, quiet, row

# FOLDED IN: labs.rmaps_why: What changed in a reverse map, and why, in words. A map is a row of descriptors, each a
# row of entries by name.


Places = list[list[str]]

NOBODY = "nobody: no hole is left"


def why_map(before: Places, after: Places, read_only: bool, protected: bool) -> list[str]:
    """After a mapping was made. ``protected``: the frame is a shadowed page table."""
    old, new = sum(map(len, before)), sum(map(len, after))
    if old == new and not read_only and protected:
        return ["The frame is a shadowed page table now: the new entry doesn't get its W, so it isn't in the map."]
    if old == new:
        return ["Only entries that are present and writable are in the map: this one may not write the frame."]
    return [_form(old, before, after)]


def why_protect(before: Places, after: Places) -> list[str]:
    """After the frame became a page table."""
    count = sum(map(len, before))
    if not count:
        return ["The map was empty: there was nobody to take W from."]
    return [
        f"{count} {'entry' if count == 1 else 'entries'} lost W, one after the other: each first leaves the map (its bits "
        "still say that it is in there), then the processor forgets what it knew, then W goes.",
        "The map has no need of an order: it is emptied from its first place on, until nothing is left.",
    ]


def filler_of(gone: str, before: Places, after: Places) -> str:
    """Who stands now where ``gone`` stood."""
    at = next(number for number, row in enumerate(before) if gone in row)
    place, old = before[at].index(gone), before[at]
    if len(old) == 1 or at >= len(after) or place >= len(after[at]):
        return NOBODY
    return after[at][place]


def why_hole(gone: str, before: Places, after: Places) -> list[str]:
    """After the mapping through ``gone`` was taken away."""
    row = next((row for row in before if gone in row), None)
    if row is None:
        return [f"{gone} was not in the map, since it could not write the frame: nothing to forget."]
    if len(before) == 1 and len(row) == 1:
        return [f"{gone} was the only entry, and the map is empty now."]
    if len(row) == 1:
        return [f"{gone} was alone in its descriptor: the descriptor is unhooked and given back."]
    filler = filler_of(gone, before, after)
    if filler == NOBODY:
        return [f"{gone} was the last in its descriptor: it just goes, and no hole is left."]
    stays = " The map has one entry left, and keeps its descriptor." if sum(map(len, after)) == 1 else ""
    return [f"The last entry of the same descriptor, {filler}, fills the hole: an order is kept for nobody.{stays}"]


def _form(old: int, before: Places, after: Places) -> str:
    if not old:
        return "The first entry is kept without any descriptor: most frames are mapped once, and need no more."
    if old == 1 and len(before) == len(after) == 1:
        return "Two entries need a descriptor, with four places; a map of one entry that has a descriptor keeps using it."
    if len(after) > len(before):
        return "All descriptors were full, so there is a new one at the end of the row."
    return "The first descriptor with a free place takes the new entry."


MOST = 14
"""So many mappings at a time: enough for four descriptors, and they all fit into one picture."""

NEAR, TABLE = 0x0000, 0x40000000
"""gva of the first mapping's entry, and one that the frame itself would map as a page table."""


class Full(InputError):
    """There are as many mappings as there may be."""

    def __init__(self) -> None:
        super().__init__("mappings", MOST, "fewer: unmap one first")
        self.args = (f"{MOST} mappings are there already; unmap one first",)  # what to do, not what came


def rmap_lab(**parts: Any) -> RmapLab:
    """The lab of reverse maps, also for your own: ``rmap_lab(rmap=Mine)``. Raises InputError."""
    return RmapLab(parts)


class RmapLab(GuestLab):
    """`map`, `unmap`, `protect` in any order; ``count`` and ``filler`` are the predictions. ``gfn`` is the frame."""

    title = "Who can write this frame? Its reverse map"
    after_crash = 'Press "Reset" to begin anew, or call reset().'

    def __init__(self, parts: dict[str, Any]) -> None:
        super().__init__(parts)
        self.count = Prediction("Entries in the map afterwards", list(range(MOST + 2)))
        self.filler = Prediction("Who fills the hole", [NOBODY])
        self.predictions = [self.count, self.filler]
        self.reset()

    @functools.cached_property
    def form(self) -> Any:
        """The form. Raises ImportError without ipywidgets."""
        pass

        return RmapForm(self)

    def forget(self) -> None:
        """The new guest maps the frame nowhere, so nobody can fill a hole."""
        self.mapped = list[int]()
        self.gfn = self.elsewhere = 0
        self.filler.ask_again([NOBODY])

    def prepare(self) -> Vm:
        """One page table for all mappings, shadowed already, so that pictures are about the map and nothing else."""
        self.guest = guest = Builder("64", **self.parts)
        self.gfn, self.elsewhere = guest.frame(), guest.frame()
        other = guest.map(NEAR)
        guest.map(TABLE)
        at = guest.entry_gpa(TABLE, 2)
        guest.vm.poke(at, self.gfn << PAGE_SHIFT | FULL)
        guest.vm.poke(self.gfn << PAGE_SHIFT, other << PAGE_SHIFT | FULL)  # data that would do as a page-table entry
        vm = guest.start()
        vm.access(NEAR)
        return vm

    @property
    def hfn(self) -> int:
        """The frame, as the host calls it."""
        return self.machine.memory.frames[self.gfn] or 0

    # What the map holds

    def places(self) -> Places:
        """The map, descriptor by descriptor; a single entry without a descriptor, and your own map, as one list."""
        vm = self.machine
        names = Names(vm)
        head = vm.rmap.heads.get(self.hfn) if type(vm.rmap) is ReverseMap else None
        rows = head if isinstance(head, list) else [list(self.guarded(lambda: vm.rmap.sptes(self.hfn)))]
        return [[names.spte(spte) for spte in row] for row in rows if row]

    def mappings(self) -> list[tuple[int, str]]:
        """(gva, what to call it) of each mapping, in the order in which they were made."""
        return [(gva, f"{gva:#x}, through {self.entry(gva)}") for gva in self.mapped]

    def entry(self, gva: int) -> str:
        """The shadow entry of a mapping: its name, and whether it may write."""
        steps = shadow_path(self.machine, gva).steps
        last = steps[-1] if steps else None
        if last is None or last.level != 1 or not last.entry & PRESENT:
            return "nothing: not in the shadow"
        return f"{last.key.replace('s:', '#')}{'' if last.entry & WRITABLE else ' (read-only)'}"

    # What can be done

    def guess(self, count: int | None = None, filler: str | None = None) -> None:
        """Predict how many entries the map will have, and which of them (see ``lab.filler.choices``) fills the hole."""
        self.answer(count=count, filler=filler)

    def map(self, read_only: bool = False) -> Round:
        """The guest maps the frame once more, and touches it: a write, or a read where it may not write."""
        if len(self.mapped) >= MOST:
            raise Full
        gva = next(gva for gva in (NEAR + (i + 1 << PAGE_SHIFT) for i in range(MOST)) if gva not in self.mapped)
        entry = self.gfn << PAGE_SHIFT | (FULL & ~WRITABLE if read_only else FULL)

        def do() -> Any:
            self._write(gva, entry)
            return self.machine.access(gva, user=False, write=not read_only)

        self.mapped.append(gva)
        title = "Map the frame once more" + ", read-only" * read_only
        scene = who_maps_scene if self._protected() else reverse_map_scene

        def why(before: Places, after: Places) -> list[str]:
            return why_map(before, after, read_only, self._protected())

        round_ = self._play(title, do, gva, why, scene=scene)
        if self.machine.dead is not None:
            self.mapped.remove(gva)
        return round_

    def unmap(self, number: int) -> Round:
        """The guest takes mapping ``number`` (0 is the oldest) out of its table."""
        number = checks.whole("mapping", number)
        if not 0 <= number < len(self.mapped):
            raise InputError("mapping", number, f"0..{len(self.mapped) - 1}" if self.mapped else "a mapping: there is none yet")
        gva = self.mapped[number]
        name, title = self.entry(gva).split()[0], f"Take mapping {number} ({gva:#x}) away"
        round_ = self._play(title, lambda: self._write(gva, 0), gva, lambda before, after: why_hole(name, before, after), name)
        if round_.error is None:
            self.mapped.remove(gva)
        return round_

    def protect(self) -> Round:
        """The guest uses the frame as a page table: nobody may write it any more. Films show all that lead to it then."""
        title = "Make the frame a page table"
        return self._play(title, lambda: self.machine.access(TABLE), TABLE, why_protect, scene=who_maps_scene)

    def played(self, round_: Round) -> Round:
        """Keep a round; the next hole can be filled by other entries."""
        round_ = super().played(round_)
        if self.vm is not None:
            with contextlib.suppress(LabError):
                self.filler.ask_again([NOBODY, *(name for row in self.places() for name in row)])
        return round_

    def _protected(self) -> bool:
        return self.machine.pool.lookup(self.gfn) is not None

    def _write(self, gva: int, entry: int) -> None:
        store(self.machine, self.guest.entry_gpa(gva), entry, 8)

    def _play(
        self,
        title: str,
        do: Callable[[], Any],
        gva: int,
        why: Callable[[Places, Places], list[str]],
        gone: str = "",
        scene: Callable[..., Scene] = reverse_map_scene,
    ) -> Round:
        vm = self.machine
        try:
            before = self.places()
            # Three writes in a row to one table would zap all of it. This guest writes elsewhere in between, so that
            # the picture is about the map alone.
            self.guarded(lambda: vm.emulate_write_gpa(self.elsewhere << PAGE_SHIFT, 0, 1))
            film = self.film(title, do, vm, [gva], lambda vm, marks: scene(vm, self.gfn, marks))
            if film.error is not None:
                return self.played(Round(film=film, error=film.error))
            after = self.places()
        except LabError as error:
            return self.failed(error)
        outcomes = [self.count.compare(sum(map(len, after)))]
        if gone and any(gone in row for row in before):
            outcomes.append(self.filler.compare(filler_of(gone, before, after)))
        return self.played(Round(tuple(outcomes), tuple(why(before, after)), film))

    def told(self, vm: Vm) -> str:
        """The map, place by place, and the mappings."""
        try:
            rows = self.places()
        except LabError as error:
            return f"{error}"
        heads = vm.rmap.heads.get(self.hfn) if type(vm.rmap) is ReverseMap else None
        free = RMAP_EXT if isinstance(heads, list) else 0
        shown = [f"  [{' | '.join([*row, *['.'] * (free - len(row))])}]" for row in rows] or ["  empty"]
        table = "; it is a shadowed page table" if self._protected() else ""
        mapped = [f"  {number}: {says}" for number, (_, says) in enumerate(self.mappings())] or ["  none"]
        return "\n".join([f"Reverse map of gfn {self.gfn:#x}{table}:", *shown, "Mappings by the guest:", *mapped])

    def drawn(self, vm: Vm) -> str:
        """The reverse map."""
        return picture("reverse_map", vm, self.gfn).html


# FOLDED IN: labs.rmap_form: The form of `rmap_lab`.


HELP = (
    "The reverse map of a frame lists the shadow entries through which it can be written. A single entry is kept directly, "
    "in the frame's own record. From two on they stand in descriptors: pieces of memory with four places each, one after "
    "the other. When a place is freed, another entry moves there: who fills the hole?"
)


NO_MAPPING = -1
"""Stands for no mapping in the menu: there is none to take away."""


class RmapForm(GuestForm):
    """Buttons that map and unmap, the predictions, the map."""

    lab: RmapLab

    def controls(self) -> list[Any]:
        """What can be done to the frame."""
        lab = self.lab
        self.which = menu("Mapping", [], None, "The mapping to take away")
        self.map = self.button("Map once more", "The guest maps the frame once more, and writes to it", lab.map, primary=True)
        self.map_ro = self.button("Map read-only", "The same, without W in the guest's entry", self.read_only)
        self.unmap = self.button("Unmap", "The guest takes the chosen mapping away", self.take_away)
        self.protect = self.button("Make it a page table", "The guest uses the frame as a page table", lab.protect)
        self.reset = self.button("Reset", "A new guest, and the frame mapped nowhere", self.anew)
        return [
            quiet(HELP),
            heading("Predict first"),
            row(lab.count.menu, lab.filler.menu),
            row(self.map, self.map_ro, self.protect, self.reset),
            row(self.which, self.unmap),
        ]

    def read_only(self) -> Round:
        """Map read-only."""
        return self.lab.map(read_only=True)

    def take_away(self) -> Round:
        """Unmap the chosen one."""
        return self.lab.unmap(-1 if self.which.value == NO_MAPPING else self.lab.mapped.index(self.which.value))

    def refresh(self) -> None:
        """The map, and the mappings that can be taken away."""
        super().refresh()
        if self.lab.vm is not None:
            chosen = self.which.value
            known = [(f"{number}: {says}", gva) for number, (gva, says) in enumerate(self.lab.mappings())]
            self.which.options = known or [("(none yet)", NO_MAPPING)]
            self.which.value = chosen if chosen in self.lab.mapped else next(iter(self.lab.mapped), NO_MAPPING)
        self.unmap.disabled = self.which.disabled = not self.lab.mapped
        self.lab.filler.menu.layout.display = "" if self.lab.mapped else "none"  # no hole without an unmap

