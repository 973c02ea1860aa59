# SPDX-License-Identifier: GPL-2.0-only
"""`pool_lab`: a guest that touches more memory than 256 shadow pages can shadow. Who has to go?"""

from __future__ import annotations

import functools
from typing import Any

from ..draw.page_pool import pool_scene
from ..draw.scene import Marks, Scene
from ..errors import InputError, LabError
from ..mmu import Vm, checks
from ..mmu.bits import ACCESSED
from ..mmu.machine import Machine
from ..mmu.pool import MIN_FREE, NUM_PAGES, REFILL, ShadowPage
from .display import picture, without_limits
from .guests import ALL, Builder
from .lab import GuestLab, Round
from .prediction import Prediction
from .widgets import Field, GuestForm, heading, quiet, row

REGIONS = 600
"""Regions of 2 MB, each with a page table of its own: a touch takes one shadow page, and some more now and then."""

SHIFT = 21
NOBODY, OLDEST, NEWEST = "nobody: there is room", "the pages taken first", "the pages taken last"
UNUSED, ROOT = "the pages not used for longest", "the root"
HOW_MANY = [0, 1, 5, *range(REFILL - MIN_FREE + 1, REFILL + 1), NUM_PAGES]


def pool_lab(**parts: Any) -> PoolLab:
    """The lab of the pool. ``parts`` (``parents=...``) go into its VM. Raises InputError."""
    return PoolLab(parts)


class PoolLab(GuestLab):
    """`touch` the next regions or an old one; ``who`` and ``evicted`` are the predictions. ``next`` is the next region."""

    title = "256 shadow pages: who has to go?"

    def __init__(self, parts: dict[str, Any]) -> None:
        super().__init__(parts)
        self.who = Prediction("Who goes first", [NOBODY, OLDEST, UNUSED, NEWEST, ROOT])
        self.evicted = Prediction("Pages given up to make room", HOW_MANY)
        self.predictions = [self.who, self.evicted]
        self.reset()

    @functools.cached_property
    def form(self) -> Any:
        """The form. Raises ImportError without ipywidgets."""
        pass

        return PoolForm(self)

    def forget(self) -> None:
        """The new guest has touched nothing yet."""
        self.next, self.touched = 0, list[int]()

    def prepare(self) -> Vm:
        """A guest that maps all regions to one frame."""
        self.guest = guest = Builder("64", REGIONS + 0x100, **self.parts)
        data = guest.frame()
        for region in range(REGIONS):
            guest.map(region << SHIFT, data, ALL | ACCESSED)
        return guest.start()

    # Doing

    def guess(self, who: str | None = None, evicted: int | None = None) -> None:
        """Predict who goes first, and how many pages are given up: ``lab.who.choices``, ``lab.evicted.choices``."""
        self.answer(who=who, evicted=evicted)

    def touch(self, count: int = 1) -> Round:
        """Touch the next ``count`` regions. It stops after the first that needs room to be made, so that you can look."""
        count = checks.whole("count", count)
        if not 1 <= count <= NUM_PAGES:
            raise InputError("count", count, f"1 to {NUM_PAGES} regions at a time")
        if self.next + count > REGIONS:
            raise InputError("count", count, f"at most {REGIONS - self.next}: so many of {REGIONS} regions are left")
        vm, done = self.machine, 0
        try:
            while done < count - 1 and len(vm.pool.free) >= MIN_FREE:
                self.guarded(lambda: vm.access(self.next << SHIFT))
                self._note(self.next)
                done += 1
        except LabError as error:
            return self.failed(error)
        said = [f"{done} {'region was' if done == 1 else 'regions were'} touched before this one."] if done else []
        if done < count - 1:
            said.append(f"Stopped at the first eviction, after {_regions(done + 1)} of {count}: look who had to go.")
        return self._watch(self.next, said)

    def again(self, region: int) -> Round:
        """Touch a region that was touched before."""
        region = checks.whole("region", region)
        if region not in self.touched:
            last = f"0..{self.next - 1}" if self.next else "none yet"
            raise InputError("region", region, f"a region that was touched before: {last}")
        return self._watch(region, [])

    def _note(self, region: int) -> None:
        if region in self.touched:
            self.touched.remove(region)
        self.touched.append(region)
        self.next = max(self.next, region + 1)

    def _watch(self, region: int, more: list[str]) -> Round:
        vm = self.machine
        tail, free = self.queue(), len(vm.pool.free)
        names = {page.id: self.name(page) for page in tail}
        unused, zapped, evicted = self._unused(), vm.stats.zapped, vm.stats.evicted
        try:
            film = self.film(f"Touch region {region}", lambda: vm.access(region << SHIFT), vm, draw=_scene)
        except LabError as error:
            return self.failed(error)
        if film.error is not None:
            return self.played(Round(film=film, error=film.error))
        doomed = tail[: vm.stats.zapped - zapped]
        self._note(region)
        outcomes = (self.who.compare(OLDEST if doomed else NOBODY), self.evicted.compare(vm.stats.evicted - evicted))
        reasons = [*more, *self._why(free, doomed, film.result), *_lost([names[page.id] for page in doomed], unused)]
        return self.played(Round(outcomes, tuple(reasons), film))

    # Looking

    def queue(self) -> list[ShadowPage]:
        """Shadow pages in use, the next to go first."""
        return list(self.machine.pool.active)

    def region_of(self, page: ShadowPage) -> int | None:
        """The region whose page table a page shadows."""
        return self._tables.get(page.gfn) if page.level == 1 and not page.metaphysical else None

    @functools.cached_property
    def _tables(self) -> dict[int, int]:
        return {self.guest.table(region << SHIFT): region for region in range(REGIONS)}

    def name(self, page: ShadowPage) -> str:
        """What a page is for."""
        region = self.region_of(page)
        if region is not None:
            return f"region {region} (gfn {page.gfn:#x})"
        if page.glevels == 0:
            return "from before paging"
        return f"root, L{page.level}" if page.root_count else f"level {page.level}"

    def _unused(self) -> int | None:
        """The region that LRU would choose among those in the shadow."""
        shadowed = {self.region_of(page) for page in self.queue()}
        return next((region for region in self.touched if region in shadowed), None)

    def _why(self, free: int, doomed: list[ShadowPage], result: Any) -> list[str]:
        """``doomed``: what was zapped from the tail on; their headers may have been used again since."""
        if not result.faults:
            return [
                "Everything was in place, so nobody but the processor saw this access: it moves no page in the queue. "
                "The host can't know what is used, only what was made; that is why it is FIFO, not LRU "
                "(first in, first out; not: the least recently used goes first)."
            ]
        if not doomed:
            return [f"{free} pages were free, and room is only made before a fault with fewer than {MIN_FREE}."]
        said = [
            f"{free} pages were free, fewer than {MIN_FREE}: from the tail of the queue on, pages are zapped until "
            f"{REFILL} are free. First in, first out: when a page was last used doesn't matter."
        ]
        if any(page.root_count for page in doomed):
            said.append("The root in use came up, too: it can't be given back, so it was emptied and went to the other end.")
        return said

    def told(self, vm: Vm) -> str:
        """The pool, from its tail on."""
        queue = self.queue()
        names = [f"#{page.id} {self.name(page)}" for page in queue]
        shown = names if len(names) <= 24 else [*names[:16], f"... {len(names) - 22} more ...", *names[-6:]]
        last = f"region {self.touched[-1]}" if self.touched else "nothing"
        return "\n".join(
            [
                f"{len(vm.pool.free)} of {NUM_PAGES} shadow pages are free, {len(queue)} in use; last touched: {last}.",
                "In use, the next to go first:",
                *(f"  {',  '.join(shown[at : at + 4])}" for at in range(0, len(shown), 4)),
            ]
        )

    def drawn(self, vm: Vm) -> str:
        """The pool."""
        return picture("pool", vm).html


def _scene(vm: Machine, marks: Marks) -> Scene:
    """The pool, as a film of a form shows it."""
    return without_limits(pool_scene(vm, marks))


def _regions(count: int) -> str:
    return f"{count} region{'s' * (count != 1)}"


def _lost(names: list[str], unused: int | None) -> list[str]:
    """What the pages that went were for."""
    said = []
    upper = [name for name in names if name.startswith("level")]
    if upper:
        said.append(
            f"Among them: {', '.join(upper)}. What hung below is still in the pool, but no path leads there until faults "
            "make the links again."
        )
    regions = [name for name in names if name.startswith("region")]
    if regions and unused is not None:
        said.append(f"Of the regions, {regions[0]} went first" + (f", {regions[-1]} last." if regions[1:] else "."))
        oldest = regions[0].partition(" (")[0]
        if f"region {unused}" == oldest:
            said.append("LRU would have begun there, too. Touch the oldest region again next time: will that save it?")
        else:
            said.append(f"LRU would have begun with region {unused}. {oldest.capitalize()} was used since, in vain.")
    return said


# FOLDED IN: labs.pool_form: The form of `pool_lab`.


HELP = (
    "A region is 2 MB of addresses: what one page table maps. So each region that is touched needs a shadow page of its own. "
    "FIFO (first in, first out) gives up what was made first; LRU (least recently used) what nobody used for longest."
)


class PoolForm(GuestForm):
    """Buttons that touch memory, the predictions, the queue."""

    lab: PoolLab

    def controls(self) -> list[Any]:
        """What the guest can do."""
        lab = self.lab
        self.counts = self.number("count", f"regions (1 to {NUM_PAGES})", 50, "How many regions to touch")
        self.regions = self.number("region", "region", 0, "Which one")
        self.count, self.region = self.counts.text, self.regions.text
        self.next = self.button("Touch the next region", "One more region of 2 MB", lab.touch, primary=True)
        self.many = self.button("Touch the next", "So many; it stops when room had to be made", self.touch_many)
        self.old = self.button("Touch again", "A region that was touched before", self.touch_old)
        self.reset = self.button("New guest", "Begin anew", self.anew)
        return [
            quiet(HELP),
            heading("Predict first: will this touch need room, and who has to go?"),
            row(lab.who.menu, lab.evicted.menu),
            row(self.next, self.reset),
            row(self.many, self.count, self.old, self.region),
            self.counts.message,
            self.regions.message,
        ]

    def number(self, argument: str, name: str, value: int, tooltip: str) -> Field:
        """A number to fill in. One that can't be is told, not bent into its bounds as a bounded field would."""
        return self.field(argument, name, value, tooltip, width=f"{110 + 7 * len(name)}px")

    def touch_many(self) -> Round:
        """As many as the field says."""
        return self.lab.touch(self.count.value)

    def touch_old(self) -> Round:
        """An old region."""
        return self.lab.again(self.region.value)

