# SPDX-License-Identifier: GPL-2.0-only
"""The report on a file: what was compared, and the differences between the file and the engine."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ..printable import one_line, printable

MAX_KEPT = 20
"""The maximum number of differences that a report lists. Further ones are only counted."""


@dataclass
class FileDifference:
    """A difference between a file and the engine. ``where`` names the operation, row or probe."""

    where: str
    what: str
    expected: Any
    got: Any

    def __str__(self) -> str:
        where = one_line(f"{self.where}: {self.what}")
        return f"{where}\n    expected {_short(self.expected)}\n    got      {_short(self.got)}"


@dataclass
class FileReport:
    """The report on a file.

    ``compared`` counts what was compared. ``apart`` counts the rows of each class in which the 2007 code is known to differ
    from the processor. ``facts`` contains other figures.
    """

    file: str
    kind: str
    compared: dict[str, int] = field(default_factory=dict)
    apart: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    differences: list[FileDifference] = field(default_factory=list)
    difference_count: int = 0

    def count(self, what: str, n: int = 1) -> None:
        """Add ``n`` to the number of ``what`` that were compared, for example "probes"."""
        self.compared[what] = self.compared.get(what, 0) + n

    def count_apart(self, name: str) -> None:
        """Record one more row of a class in which the 2007 code is known to differ from the processor."""
        self.apart[name] = self.apart.get(name, 0) + 1

    def differ(self, where: str, what: str, expected: Any, got: Any) -> None:
        """Record a difference."""
        self.difference_count += 1
        if len(self.differences) < MAX_KEPT:
            self.differences.append(FileDifference(where, what, expected, got))

    def check(self, where: str, what: str, expected: Any, got: Any) -> bool:
        """Record a difference unless the two values are equal; return whether they are."""
        if expected != got:
            self.differ(where, what, expected, got)
        return bool(expected == got)

    @property
    def ok(self) -> bool:
        """Whether anything was compared and no difference was found."""
        return not self.difference_count and any(self.compared.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data, for JSON."""
        return {
            "file": self.file,
            "kind": self.kind,
            "ok": self.ok,
            "compared": self.compared,
            "apart": self.apart,
            "facts": self.facts,
            "difference_count": self.difference_count,
            "differences": [vars(difference) for difference in self.differences],
        }

    def __str__(self) -> str:
        n = self.difference_count
        verdict = f"{n:,} difference{'s' if n != 1 else ''}" if any(self.compared.values()) else "nothing was compared"
        lines = [f"{self.file}: {self.kind}, {verdict}", f"  compared: {_listing(self.compared)}"]
        if self.apart:
            lines.append(f"  counted separately (the 2007 code is known to differ from the processor): {_listing(self.apart)}")
        lines += [f"  {name}: {_listing(value) if isinstance(value, dict) else value}" for name, value in self.facts.items()]
        if self.differences:
            lines.append(f"  first difference: {self.differences[0]}")
        return printable("\n".join(lines))


def _listing(counts: dict[str, Any]) -> str:
    return ", ".join(f"{n:,} {what}" if isinstance(n, int) else f"{what} {n}" for what, n in counts.items())


def _short(value: Any, limit: int = 400) -> str:
    text = one_line(value if isinstance(value, str) else json.dumps(value, default=str))
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
