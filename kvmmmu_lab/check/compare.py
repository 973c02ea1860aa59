# SPDX-License-Identifier: GPL-2.0-only
"""Find where two runs of a scenario first differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from .observe import Difference, Seen, observations
from .sandbox.protocol import parsed


class Transcript:
    """The observations after each step of a run, as the JSON text that a worker sends. Only what is needed is parsed."""

    def __init__(self, texts: Iterable[bytes] = ()) -> None:
        self.texts = list(texts)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, step: int) -> Seen:
        """The observations after this step. Raises ValueError for text that is not a JSON object."""
        seen = parsed(self.texts[step])
        if not seen and self.texts[step] != b"{}":
            raise ValueError(self.texts[step][:100])
        return seen

    def __iter__(self) -> Iterator[Seen]:
        return (self[step] for step in range(len(self)))

    def add(self, seen: Seen) -> None:
        """Add the observations after the next step."""
        self.texts.append(json.dumps(seen, separators=(",", ":")).encode())


def first_difference(expected: Transcript, got: Transcript, looks: tuple[str, ...]) -> Difference | None:
    """The first difference in the steps that both runs finished. Raises ValueError for what is no answer."""
    for step, (right, mine) in enumerate(zip(expected.texts, got.texts, strict=False)):
        if right == mine:
            continue
        a, b = expected[step], got[step]
        if b and a.keys() - b.keys():
            raise ValueError(f"there is no {min(a.keys() - b.keys())}")
        wrong = [one for one in observations(looks) if a.get(one.name) != b.get(one.name)]
        if wrong:
            first = next((one for one in wrong if one.outranks(a.get(one.name), b.get(one.name))), wrong[0])
            before = expected[step - 1].get(first.name) if step else None
            return Difference(step, first, a.get(first.name), b.get(first.name), before, a, b)
    return None
