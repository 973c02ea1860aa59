# SPDX-License-Identifier: GPL-2.0-only
"""`pool_lab`: a guest that uses more page tables than 256 shadow pages can shadow. Which pages are evicted?"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..draw.arguments import check_gfn
from ..draw.hash_bucket import hash_bucket_scene
from ..draw.page_belt import page_belt_scene
from ..draw.page_pool import pool_scene
from ..draw.parent_graph import parent_graph_scene
from ..draw.pictures import pool
from ..draw.scene import Marks, Scene
from ..errors import InputError, LabError
from ..inspect.keys import Key
from ..mmu import Vm, checks
from ..mmu import events as ev
from ..mmu.bits import ACCESSED
from ..mmu.machine import Machine
from ..mmu.pool import MIN_FREE, NUM_PAGES, REFILL, ShadowPage
from ..player.film_steps import Draw
from .form import GuestForm, form_of
from .guests import ALL, Builder
from .lab import GuestLab, Round, form_picture, operation, without_limits
from .prediction import Prediction
from .watch import Watch, watch

REGIONS = 600
"""The number of regions. Each is 2 MB and has its own page table; its first touch allocates one or more shadow pages."""

SHIFT = 21
NONE, OLDEST, NEWEST = "none: enough pages are free", "the pages allocated first", "the pages allocated last"
UNUSED, ROOT = "the pages unused for the longest time", "the root"
HOW_MANY = [0, 1, 5, *range(REFILL - MIN_FREE + 1, REFILL + 1), NUM_PAGES]


def pool_lab(**parts: Any) -> PoolLab:
    """Return a lab about the pool of shadow pages. ``parts`` (``parents=...``) are passed to its VM.

    Raises InputError for a part that a VM doesn't have.
    """
    return PoolLab(parts)


MOVES = frozenset(
    [
        *(ev.ACCESS, ev.PAGE_FAULT, ev.NONPAGING_FAULT, ev.NEW_CR3, ev.ZAP_ALL, ev.CRASH),
        *(ev.LOAD_CR0, ev.FREE_ROOTS, ev.EVICT, ev.ZAP_PAGE, ev.ROTATE_PAGE, ev.ALLOC_PAGE),
    ]
)
"""The kinds of events that a film of the belt shows: operations, what releases roots, and what moves pages."""


def watch_belt(operation: Callable[[], Any], vm: Machine, *, question: str = "") -> Watch:
    """Run ``operation``, and return a film whose picture at each step is the `belt` of the pool. ``question``: see `watch`.

    Steps that concern no shadow page as a whole are left out.
    """
    return watch(operation, vm, draw=page_belt_scene, detail=True, question=question, only=MOVES)


def watch_bucket(operation: Callable[[], Any], vm: Machine, gfn: int, *, question: str = "") -> Watch:
    """Run ``operation``, and return a film whose picture at each step is the `hash_bucket` of gfn. ``question``: see `watch`.

    The film is about new shadow pages, so it folds no steps. Raises InputError for an impossible gfn.
    """
    number = check_gfn(gfn)
    draw: Draw = lambda now, marks: hash_bucket_scene(now, number, marks=marks)  # noqa: E731
    return watch(operation, vm, draw=draw, seen=(), question=question)


def watch_parents(operation: Callable[[], Any], vm: Machine, *, question: str = "") -> Watch:
    """Run ``operation``, and return a film of every event, whose picture is the `parent_graph`. ``question``: see `watch`."""
    keep = {Key(table.key).page for table in parent_graph_scene(vm).tables}
    draw: Draw = lambda now, marks: parent_graph_scene(now, marks=marks, keep=keep)  # noqa: E731
    return watch(operation, vm, draw=draw, detail=True, question=question)


@dataclass(frozen=True)
class PageUse:
    """The use of a shadow page.

    ``region``: the region whose page table it shadows. ``upper``: whether it is above the page tables, but not the root.
    """

    name: str
    region: int | None = None
    upper: bool = False
    root: bool = False


class PoolLab(GuestLab):
    """A lab about eviction. `touch` accesses new regions, `again` an earlier one. Predictions: ``first`` and ``evicted``."""

    title = "256 shadow pages: which are evicted?"

    def __init__(self, parts: dict[str, Any]) -> None:
        super().__init__(parts)
        self.first = Prediction("Evicted first", [NONE, OLDEST, UNUSED, NEWEST, ROOT])
        self.evicted = Prediction("Pages evicted", HOW_MANY)
        self.predictions = [self.first, self.evicted]
        self.reset()

    # The guest

    def forget(self) -> None:
        """Clear the touched regions."""
        self.next, self.touched = 0, list[int]()

    def prepare(self) -> Vm:
        """Return a guest that maps all regions to one frame."""
        self.guest = guest = Builder("64", REGIONS + 0x100, **self.parts)
        data = guest.frame()
        for region in range(REGIONS):
            guest.map(region << SHIFT, data, ALL | ACCESSED)
        return guest.start()

    # The pool

    def queue(self) -> list[ShadowPage]:
        """Return the shadow pages in use, the next one to be evicted first."""
        return list(self.machine.pool.active)

    def use(self, page: ShadowPage) -> PageUse:
        """Return the use of a page."""
        region = self._regions.get(page.gfn) if page.level == 1 and not page.metaphysical else None
        if region is not None:
            return PageUse(f"region {region} (gfn {page.gfn:#x})", region)
        if page.glevels == 0:
            return PageUse("from before paging")
        if page.root_count:
            return PageUse(f"root, L{page.level}", root=True)
        return PageUse(f"level {page.level}", upper=True)

    @functools.cached_property
    def _regions(self) -> dict[int, int]:
        """The regions, by the gfn of their page tables."""
        return {self.guest.table(region << SHIFT): region for region in range(REGIONS)}

    def _least_recently_used(self) -> int | None:
        """Return the region in the shadow that was touched least recently, or None if there is none."""
        shadowed = {self.use(page).region for page in self.queue()}
        return next((region for region in self.touched if region in shadowed), None)

    # A round

    def guess(self, first: str | None = None, evicted: int | None = None) -> None:
        """Predict which pages are evicted first, and how many: see ``lab.first.choices`` and ``lab.evicted.choices``."""
        self.answer(first=first, evicted=evicted)

    @operation
    def touch(self, count: int = 1) -> Round:
        """Access the next ``count`` regions. Stop after the first eviction, so that you can examine it."""
        count = checks.whole("count", count)
        if not 1 <= count <= NUM_PAGES:
            raise InputError("count", count, f"1 to {NUM_PAGES} regions at a time")
        if self.next + count > REGIONS:
            raise InputError("count", count, f"at most {REGIONS - self.next}, the number of regions that are left")
        vm, done = self.machine, 0
        try:
            while done < count - 1 and len(vm.pool.free) >= MIN_FREE:
                self.run(lambda: vm.access(self.next << SHIFT))
                self._record_touch(self.next)
                done += 1
        except LabError as error:
            return self.add_failed_round(error)
        reasons = [f"{_regions(done)} {'was' if done == 1 else 'were'} touched before this one."] if done else []
        if done < count - 1:
            reasons.append(
                f"Stopped at the first eviction, after {_regions(done + 1)} of {count}, so that you can see what was evicted."
            )
        return self._round(self.next, reasons)

    @operation
    def again(self, region: int) -> Round:
        """Access a region that was touched before."""
        region = checks.whole("region", region)
        if region not in self.touched:
            last = f"0..{self.next - 1}" if self.next else "none yet"
            raise InputError("region", region, f"a region that was touched before: {last}")
        return self._round(region, [])

    def _record_touch(self, region: int) -> None:
        """Record that a region was touched."""
        if region in self.touched:
            self.touched.remove(region)
        self.touched.append(region)
        self.next = max(self.next, region + 1)

    def _round(self, region: int, reasons: list[str]) -> Round:
        vm = self.machine
        uses = [self.use(page) for page in self.queue()]  # before the access, which may reuse evicted pages
        free, unused = len(vm.pool.free), self._least_recently_used()
        zapped, evicted = vm.stats.zapped, vm.stats.evicted
        try:
            film = self.film(f"Touch region {region}", lambda: vm.access(region << SHIFT), vm, draw=_scene)
        except LabError as error:
            return self.add_failed_round(error)
        if film.error is not None:
            return self.add_round(Round(film=film, error=film.error))
        count = vm.stats.zapped - zapped
        self._record_touch(region)
        outcomes = (self.first.compare(OLDEST if count else NONE), self.evicted.compare(vm.stats.evicted - evicted))
        if not film.result.faults:
            reasons = [*reasons, HIT]
        elif not count:
            reasons = [
                *reasons,
                f"{free} pages were free. Pages are evicted only if fewer than {MIN_FREE} are free when a fault begins.",
            ]
        else:
            reasons = [*reasons, *eviction_reasons(free, uses[:count], unused)]
        return self.add_round(Round(outcomes, tuple(reasons), film))

    # What it shows

    def state_text(self, vm: Vm) -> str:
        """Return the pool as text, the next page to be evicted first."""
        queue = self.queue()
        names = [f"#{page.id} {self.use(page).name}" for page in queue]
        shown = names if len(names) <= 24 else [*names[:16], f"... {len(names) - 22} more ...", *names[-6:]]
        last = f"region {self.touched[-1]}" if self.touched else "none"
        return "\n".join(
            [
                f"{len(vm.pool.free)} of {NUM_PAGES} shadow pages are free, {len(queue)} in use; last region touched: {last}.",
                "In use, in the order of eviction:",
                *(f"  {',  '.join(shown[at : at + 4])}" for at in range(0, len(shown), 4)),
            ]
        )

    def picture_html(self, vm: Vm) -> str:
        """Return the pool as HTML."""
        return form_picture(pool(vm)).html


def _scene(vm: Machine, marks: Marks) -> Scene:
    """Return a scene of the pool, for the film that the form displays."""
    return without_limits(pool_scene(vm, marks))


def _regions(count: int) -> str:
    return f"{count} region{'s' * (count != 1)}"


# Why these pages were evicted

HIT = (
    "Everything was in the shadow, so the access caused no fault, and no page moved in the queue. The host knows when a page "
    "was allocated, but not when it was last used. So it evicts in FIFO order (first in, first out), not in LRU order (least "
    "recently used first)."
)


def eviction_reasons(free: int, evicted: list[PageUse], unused: int | None) -> list[str]:
    """Return sentences about an eviction. ``free``: how many pages were free; ``unused``: the least recently used region."""
    reasons = [
        f"{free} pages were free, fewer than {MIN_FREE}: pages are zapped from the tail of the queue until {REFILL} are free. "
        "First in, first out: it makes no difference when a page was last used."
    ]
    if any(use.root for use in evicted):
        reasons.append(
            "The root in use was also at the tail: it can't be freed, so it was emptied and moved to the head of the queue."
        )
    upper = [use.name for use in evicted if use.upper]
    if upper:
        reasons.append(
            f"The evicted pages include {', '.join(upper)}. The pages below these stay in the pool, but no path leads to them "
            "until faults create the links again."
        )
    regions = [use.region for use in evicted if use.region is not None]
    if regions and unused is not None:
        last = f" and region {regions[-1]} last" * (len(regions) > 1)
        reasons.append(f"Among the regions, region {regions[0]} was evicted first{last}.")
        if unused == regions[0]:
            reasons.append(
                "LRU would have started with it, too. Touch the oldest region before the next eviction: does that save it?"
            )
        else:
            reasons.append(
                f"LRU would have started with region {unused}. Region {regions[0]} was touched again, but that didn't save it."
            )
    return reasons


# The form

HELP = (
    "A region is 2 MB of addresses, mapped by one page table. So each region that is touched needs its own shadow page. FIFO "
    "(first in, first out) evicts the page that was allocated first; LRU (least recently used) evicts the page that hasn't "
    "been used for the longest time."
)


@form_of(PoolLab)
class PoolForm(GuestForm):
    """A form with the predictions, and buttons that touch regions."""

    lab: PoolLab
    low = True

    def controls(self) -> list[Any]:
        """Return the predictions and the buttons."""
        lab, ui = self.lab, self.ui
        self.first, self.evicted = self.question(lab.first), self.question(lab.evicted)
        self.counts = self.count_field("count", f"regions (1 to {NUM_PAGES})", 50, "How many regions to touch")
        self.regions = self.count_field("region", "region", 0, "Which region to touch again")
        self.count, self.region = self.counts.text, self.regions.text
        self.next = self.button("Touch the next region", "Access the next 2 MB", lab.touch, primary=True)
        self.many = self.button("Touch the next", "Access this many regions; stop at the first eviction", self.touch_many)
        self.old = self.button("Touch again", "Access a region that has been touched before", self.touch_old)
        self.reset = self.button("New guest", "Start again with a new guest", self.restart)
        return [
            ui.row(ui.heading("Predict first: does the next touch evict pages?"), self.first, self.evicted, grid_gap="0 16px"),
            ui.row(self.next, self.reset, self.many, self.count, self.old, self.region),
            ui.fold("What is a region, FIFO, LRU?", HELP),
            self.counts.below,
            self.regions.below,
        ]

    def count_field(self, argument: str, name: str, value: int, tooltip: str) -> Any:
        """Return a field for a number. If it is out of range, a message appears; a bounded field would silently change it."""
        return self.field(argument, name, value, tooltip, width=f"{110 + 7 * len(name)}px")

    def touch_many(self) -> Round:
        """Touch the number of new regions that is entered in the field."""
        return self.lab.touch(self.count.value)

    def touch_old(self) -> Round:
        """Touch again the region whose number is in the field."""
        return self.lab.again(self.region.value)
