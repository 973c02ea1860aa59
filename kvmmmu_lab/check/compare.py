# SPDX-License-Identifier: GPL-2.0-only
"""Where two runs of a scenario first differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

FIRST = ("rmap", "frames", "parents", "order", "sptes", "pages", "result", "caused", "flushes")
"""What is told first, where several things differ."""


class Transcript:
    """What was seen after each step, as the JSON that it comes and is remembered in. Read only where it matters."""

    def __init__(self, texts: Iterable[bytes] = ()) -> None:
        self.texts = list(texts)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, step: int) -> dict[str, Any]:
        """What was seen after this step. Raises ValueError or RecursionError for what is no JSON of an object."""
        seen = json.loads(self.texts[step])
        if not isinstance(seen, dict):
            raise ValueError(seen)
        return seen

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[step] for step in range(len(self)))

    def add(self, seen: dict[str, Any]) -> None:
        """Note what was seen after one more step."""
        self.texts.append(compact(seen))


def compact(seen: dict[str, Any]) -> bytes:
    """As a worker tells it."""
    return json.dumps(seen, separators=(",", ":")).encode()


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


def difference(expected: Transcript, got: Transcript, looks: Iterable[str]) -> Difference | None:
    """The first one, over the steps that both runs have. Raises ValueError or RecursionError for answers that are none."""
    looked = [*looks, *(["caused"] if "result" in looks else [])]
    order = sorted(looked, key=lambda look: FIRST.index(look) if look in FIRST else len(FIRST))
    for number, (right, mine) in enumerate(zip(expected.texts, got.texts, strict=False)):
        if right == mine:
            continue
        a, b = expected[number], got[number]
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
