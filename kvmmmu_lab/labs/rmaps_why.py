# SPDX-License-Identifier: GPL-2.0-only
"""What changed in a reverse map, and why, in words. A map is a row of descriptors, each a row of entries by name."""

from __future__ import annotations

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
