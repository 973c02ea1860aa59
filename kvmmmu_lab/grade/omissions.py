# SPDX-License-Identifier: GPL-2.0-only
"""What is left out of a collection, as sentences: a few names for each reason, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

from ..printable import one_line, shortened

EXAMPLES = 3
"""The number of names in a sentence."""

MOST_NAME = 80
"""The maximum number of characters of a name in a sentence."""

MOST_REASONS = 20
"""The maximum number of sentences."""


def named(name: str) -> str:
    """Return the name of a file or a folder as it is put into a sentence: in one line, and not too long."""
    return shortened(one_line(name), MOST_NAME)


def enumerated(names: Sequence[str], count: int = 0) -> str:
    """Return the first of some names, such as "a, b, c and 2 more"; ``count``: how many there are, if not all are given."""
    more = max(count, len(names)) - len(names[:EXAMPLES])
    return f"{', '.join(map(named, names[:EXAMPLES]))}{f' and {more:,} more' if more else ''}"


class Omissions:
    """Names, by the reason why they are left out."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}
        self.counts: dict[str, int] = {}

    def add(self, name: str, reason: str, count: int = 1) -> None:
        """Note that a file or folder of this name is left out; ``count``: and that so many are."""
        if reason not in self.counts and len(self.counts) == MOST_REASONS:
            reason = "other reasons"
        self.counts[reason] = self.counts.get(reason, 0) + count
        names = self.names.setdefault(reason, [])
        if len(names) < EXAMPLES:
            names.append(name)

    @property
    def sentences(self) -> list[str]:
        """A sentence without a full stop for each reason, such as "left out: a, b, c and 2 more (symbolic links)"."""
        return [f"left out: {enumerated(names, self.counts[reason])} ({reason})" for reason, names in self.names.items()]
