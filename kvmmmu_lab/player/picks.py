# SPDX-License-Identifier: GPL-2.0-only
"""What somebody clicked on in a film, and what happens to it there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .shoot import FilmStep

HAPPENS = {"new": "comes", "changed": "changes", "dead": "dies", "read": "is read"}


@dataclass(frozen=True)
class Pick:
    """A table or an entry of a film: its ``key``, its ``name`` in words, the ``step`` at which it was clicked on.

    ``history``: by mark ("new", "changed", "read", "dead"), the steps that mark it.
    """

    key: str
    name: str
    step: int
    history: dict[str, list[int]]

    @property
    def dies(self) -> bool:
        """Whether it is gone at the end of some step."""
        return "dead" in self.history

    def __str__(self) -> str:
        told = [
            f"{HAPPENS[mark]} in step{'s' * (len(steps) > 1)} {', '.join(map(str, steps))}"
            for mark, steps in self.history.items()
        ]
        return f"You clicked on {self.name}. In this film it {' and '.join(told) or 'stays as it is'}."

    __repr__ = __str__


class NoPick:
    """Nothing was clicked on yet."""

    key = name = None
    dies = False

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "Nothing was clicked on yet: click on a table or an entry in the film, then run this cell again."


def pick_of(steps: Sequence[FilmStep], key: str, step: int) -> Pick:
    """What is known of ``key`` from the steps of a film."""
    name, history = key, dict[str, list[int]]()
    for number, shown in enumerate(steps):
        for table in shown.scene.tables:
            title, entry = f"{table.title}, {', '.join(table.words)}", shown.scene.entry(key)
            if table.key == key:
                name, mark = title, table.mark
            elif entry is not None and entry in table.entries:
                name, mark = f"entry {entry.index} of {title}", entry.mark
            else:
                continue
            if mark:
                history.setdefault(mark, []).append(number)
    return Pick(key, name, step, history)
