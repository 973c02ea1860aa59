# SPDX-License-Identifier: GPL-2.0-only
"""Where two runs of a scenario first differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

FIRST = ("rmap", "frames", "parents", "order", "sptes", "pages", "result", "caused", "flushes")
"""What is told first, where several things differ."""


@dataclass(frozen=True)
class Difference:
    """The ``look`` in which step ``step`` (from 0) of two runs differs.

    ``before`` is what was expected one step earlier; ``wanted`` and ``seen`` all that was expected and seen in this one.
    """

    step: int
    look: str
    expected: Any
    got: Any
    before: Any = None
    wanted: dict[str, Any] = field(default_factory=dict, compare=False)
    seen: dict[str, Any] = field(default_factory=dict, compare=False)


def difference(expected: list[dict[str, Any]], got: list[dict[str, Any]], looks: Iterable[str]) -> Difference | None:
    """The first one, over the steps that both runs have."""
    looked = [*looks, *(["caused"] if "result" in looks else [])]
    order = sorted(looked, key=lambda look: FIRST.index(look) if look in FIRST else len(FIRST))
    for number, (a, b) in enumerate(zip(expected, got, strict=False)):
        wrong = [look for look in order if a.get(look) != b.get(look)]
        if wrong:
            if "result" in wrong and a["result"] is None and isinstance(b.get("result"), str):
                return Difference(number, "result", None, b["result"])  # a step that says itself what is wrong
            look = "pages" if "pages" in wrong and _in_use(a["pages"]) != _in_use(b.get("pages")) else wrong[0]
            before = expected[number - 1].get(look) if number else None
            return Difference(number, look, a.get(look), b.get(look), before, a, b)
    return None


def _in_use(pages: Any) -> Any:
    """Which shadow pages a look at them shows: where others are in use, the rest follows from that."""
    if not isinstance(pages, list) or not all(isinstance(row, list) and row for row in pages):
        return None
    return sorted(repr(row[0]) for row in pages)
