# SPDX-License-Identifier: GPL-2.0-only
"""Whole trees, from the root down: the guest's tables alone, the shadow alone, or both. What is too much is folded.

``depth`` is how many levels are drawn, ``limit`` how many tables, ``fold`` how many rows of a table; the first row that
leads to a drawn table is always there. Tables are chosen in turns, one of each level, so that few of them already show
every level; within a level, those come first that the lower indexes lead to. The paths of addresses in focus are always
complete, whatever the limits; without other wishes nothing else is drawn then. What a limit left out is said in the notes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ..mmu.bits import NONPAGING
from ..mmu.machine import Machine
from ..read.paths import Branch, Path, guest_path, guest_tree, shadow_path, shadow_tree
from . import rows as row
from .draft import LIMIT, Draft, more
from .hierarchy import NOT_PAGING
from .scene import Marks, Scene

FOLD = 4
"""Rows of a table."""

NO_ROOT = "there is no root: the shadow is empty"


@dataclass(frozen=True)
class Limits:
    """What was asked for; None is what suits."""

    depth: int | None = None
    limit: int | None = None
    fold: int | None = None

    def tables(self, focus: bool) -> int:
        """How many tables are drawn; with addresses in focus, only theirs."""
        return (0 if focus else LIMIT) if self.limit is None else self.limit

    def rows(self, focus: bool) -> int:
        """How many rows a table has."""
        return (0 if focus else FOLD) if self.fold is None else self.fold


def choose(
    tree: dict[str, Branch], limit: int, depth: int | None = None, given: Iterable[str] = (), prefer: Collection[str] = ()
) -> list[str]:
    """Keys of the tables to draw, in the order of the tree: ``given`` ones, then others in turns up to ``limit``.

    A table comes only after one that leads to it; of a level's, those in ``prefer`` come first.
    """
    chosen: dict[str, None] = {}
    waiting = [deque(list(tree)[:1])]

    def take(key: str, at: int) -> None:
        chosen[key] = None
        if at + 1 == len(waiting):
            waiting.append(deque())
        below = [to for _, to in tree[key].links if to not in chosen]
        waiting[at + 1].extendleft(reversed([to for to in below if to in prefer]))
        waiting[at + 1].extend(to for to in below if to not in prefer)

    distance = _distances(tree)
    for key in given:
        if key in tree and key not in chosen:
            take(key, distance[key]) if distance[key] < len(waiting) else chosen.setdefault(key)
    taken = True
    while taken and len(chosen) < limit:
        taken, at = False, 0
        while at < len(waiting) and at != depth and len(chosen) < limit:  # waiting grows on the way
            while waiting[at] and waiting[at][0] in chosen:
                waiting[at].popleft()
            if waiting[at]:
                take(waiting[at].popleft(), at)
                taken = True
            at += 1
    return [key for key in tree if key in chosen]


def _distances(tree: dict[str, Branch]) -> dict[str, int]:
    """How far each table is from the root."""
    found = dict.fromkeys(list(tree)[:1], 0)
    for key, branch in tree.items():  # breadth first, so that what leads to a table comes before it
        for _, to in branch.links:
            found.setdefault(to, found[key] + 1)
    return found


class Side:
    """One of the two trees, on its way into a draft."""

    def __init__(self, draft: Draft, kind: str, gvas: list[int]) -> None:
        self.draft, self.kind, self.gvas = draft, kind, gvas
        guest = kind == "guest"
        self.tree = (guest_tree if guest else shadow_tree)(draft.vm)
        self.paths: list[Path] = [(guest_path if guest else shadow_path)(draft.vm, gva) for gva in gvas]
        self.given = [step.table for path in self.paths for step in path.steps]
        self.chosen: list[str] = []

    @property
    def total(self) -> int:
        """Tables that the root leads to."""
        return sum(key != "r" for key in self.tree)

    @property
    def count(self) -> int:
        """Tables that are drawn."""
        return sum(key != "r" for key in self.chosen)

    @property
    def levels(self) -> int:
        """Levels of the whole tree."""
        return max(_distances(self.tree).values(), default=-1) + 1

    def choose(self, limit: int, depth: int | None, prefer: Collection[str] = ()) -> None:
        """Decide on the tables."""
        self.chosen = choose(self.tree, limit, depth, self.given, prefer)

    def draw(self, fold: int, frames: bool) -> None:
        """Put them into the draft: paths first, then the rest, each with its rows. ``frames``: with reverse maps."""
        draft = self.draft
        for rank, path in enumerate(self.paths):
            draft.path(rank, path, self.kind, rmap=frames)
        there = set(self.chosen)
        for rank, key in enumerate(self.chosen):
            branch = self.tree[key]
            draft.table(key, self.kind, branch.level, len(self.paths) + rank, branch.number)
            links = {index: to for index, to in branch.links if to in there}
            first = {to: index for index, to in reversed(links.items())}
            free = fold - len(first)
            for index, value in row.used_entries(draft.vm, key):
                leads = index in links and first[links[index]] == index
                if leads or free > 0:
                    draft.row(key, branch.level, index, value)
                    free -= not leads
                    if index in links:
                        draft.edge(f"{key}:{index}", links[index], self.kind)

    def depth_note(self, depth: int | None) -> list[str]:
        """What ``depth`` left out."""
        levels = self.levels
        if depth is None or depth >= levels:
            return []
        return [f"{depth} of {levels} {self.kind} levels are drawn; depth={depth + 1} draws the next"]


def guest_tables_scene(vm: Machine, gvas: Iterable[int] = (), marks: Marks | None = None, limits: Limits = Limits()) -> Scene:
    """The guest's page tables alone, and the frames that addresses in focus reach."""
    side = Side(Draft(vm, marks), "guest", list(gvas))
    _one_side(side, limits)
    notes = [NOT_PAGING] if vm.root_level == NONPAGING else []
    notes += _counted([(side, "guest table")], limits, bool(side.gvas)) if side.tree else []
    return side.draft.scene(_title(vm, "the guest's page tables", side.gvas), notes + _folded(side.draft, limits, side.gvas))


def shadow_tables_scene(vm: Machine, gvas: Iterable[int] = (), marks: Marks | None = None, limits: Limits = Limits()) -> Scene:
    """The shadow tables alone, with the parents that each page knows, and the frames that addresses in focus reach."""
    side = Side(Draft(vm, marks), "shadow", list(gvas))
    _one_side(side, limits)
    side.draft.changed(len(side.gvas) + len(side.chosen))
    side.draft.parents()
    notes = _counted([(side, "shadow page")], limits, bool(side.gvas)) if side.tree else [NO_ROOT]
    notes += _unreached(vm, side.tree) + _folded(side.draft, limits, side.gvas)
    return side.draft.scene(_title(vm, "the shadow tables", side.gvas), notes)


def overview_scene(vm: Machine, gvas: Iterable[int] = (), marks: Marks | None = None, limits: Limits = Limits()) -> Scene:
    """Both trees from their roots, those guest tables first that are shadowed by a page that is drawn, too."""
    draft, chosen = Draft(vm, marks), list(gvas)
    guest, shadow = Side(draft, "guest", chosen), Side(draft, "shadow", chosen)
    most = limits.tables(bool(chosen))
    shadow.choose(max(1, most // 2) if guest.tree else most, limits.depth)
    for _ in range(2):  # what one side leaves of the limit is the other's
        guest.choose(most - len(shadow.chosen), limits.depth, _shadowed(vm, shadow.chosen))
        shadow.choose(most - len(guest.chosen), limits.depth)
    for side in (guest, shadow):
        side.draw(limits.rows(bool(chosen)), frames=True)
    draft.changed(len(chosen) + len(draft.tables))
    draft.correspondences()
    draft.reverse_maps()
    notes = [NOT_PAGING] if vm.root_level == NONPAGING else []
    notes += _counted([(guest, "guest table"), (shadow, "shadow page")], limits, bool(chosen))
    notes += _unreached(vm, shadow.tree) + _folded(draft, limits, chosen)
    return draft.scene(_title(vm, "guest tables and shadow tables", chosen), notes)


def _one_side(side: Side, limits: Limits) -> None:
    focus = bool(side.gvas)
    side.choose(limits.tables(focus), limits.depth)
    side.draw(limits.rows(focus), frames=False)


def _shadowed(vm: Machine, keys: Iterable[str]) -> set[str]:
    """The guest tables that these shadow pages shadow."""
    pages = [vm.pool.pages[int(key[2:])] for key in keys if key.startswith("s:")]
    return {f"g:{page.gfn:x}" for page in pages if not page.metaphysical}


def _title(vm: Machine, what: str, gvas: list[int]) -> str:
    about = f"on the path of {', '.join(f'{gva:#x}' for gva in gvas)}" if gvas else "from the root down"
    return f"{row.MODES[vm.root_level]} guest: {what}, {about}"


def _counted(sides: list[tuple[Side, str]], limits: Limits, focus: bool) -> list[str]:
    """How many tables are drawn, what the depth left out, and how to see more."""
    notes = [note for side, _ in sides for note in side.depth_note(limits.depth)]
    there = sum(side.total for side, _ in sides)
    if sum(side.count for side, _ in sides) < there:
        parts = [f"{side.count} of {row.plural(side.total, name)}" for side, name in sides if side.tree]
        most = max(limits.tables(focus), sum(side.count for side, _ in sides))
        tail = f"; limit={more(most, there)} draws more" if not notes else ""
        notes.insert(0, f"{' and '.join(parts)} are drawn{tail}")
    return notes


def _unreached(vm: Machine, tree: dict[str, Branch]) -> list[str]:
    """Pages in use that this root doesn't lead to: other processes', and those whose parents were zapped."""
    count = sum(f"s:{page.id}" not in tree for page in vm.pool.active)
    if not count:
        return []
    return [f"the root doesn't lead to {row.plural(count, 'more shadow page')} in use; pool(vm) lists them"]


def _folded(draft: Draft, limits: Limits, gvas: list[int]) -> list[str]:
    """What ``fold`` left out, where no address is in focus: there, all else is folded on purpose."""
    most = limits.rows(bool(gvas))
    if gvas and limits.fold is None:
        return []
    for key, entries in draft.entries.items():
        if key[0] in "grs" and len(row.used_entries(draft.vm, key)) > len({entry.key for entry in entries}):
            return [f"of each table about {most} rows are drawn; fold={4 * most or FOLD} draws more"]
    return []
