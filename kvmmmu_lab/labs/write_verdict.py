# SPDX-License-Identifier: GPL-2.0-only
"""What a write to a page table killed, worked out from what was there before it and what is there after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..mmu.shadow import entries_with
from ..read.names import Names
from .write_table import Table
from .writes_why import Facts, explain_write

NONE, PAGE = "none", "the whole page"


def in_words(dead: Iterable[str], candidates: Iterable[str]) -> str:
    """A set of entries in words, the same whatever its order."""
    chosen = set(dead)
    if PAGE in chosen:
        return PAGE
    return ", ".join(name for name in candidates if name in chosen) or NONE


class Verdict:
    """Made before a write: notes what could die. Its methods say what did, once the write is done."""

    def __init__(self, table: Table, offset: int, size: int) -> None:
        self.vm, self.names, self.before = table.vm, Names(table.vm), table.candidates()
        self.facts = Facts.of(table.vm, table.gfn, offset, size, table.pages())

    def gone(self) -> list[str]:
        """The entries that are empty now."""
        return [name for name, spte in self.before.items() if not self.vm.memory.words[spte]]

    def happened(self) -> str:
        """All of it in words, as a prediction would say it."""
        facts, gone = self.facts, self.gone()
        empty = [page for page in facts.pages if page not in self.vm.pool.active or not entries_with(self.vm, page)]
        whole = bool(facts.pages) and facts.whole and len(empty) == len(facts.pages)
        return in_words([*gone, PAGE] if whole else gone or [NONE], self.before)

    def reasons(self, noticed: bool, parts: Mapping[str, Any]) -> list[str]:
        """Why. ``noticed``: whether the host carried the write out; ``parts``: your own parts."""
        gone = self.gone()
        own = self._own(gone, parts) if parts and noticed else []
        return own + explain_write(self.names, self.facts, gone, noticed)

    def _own(self, gone: list[str], parts: Mapping[str, Any]) -> list[str]:
        """Where your own part did something else than the kernel would have."""
        meant = [name for name in self.before if self.facts.whole or name in self.facts.hit(self.names)]
        if set(meant) == set(gone):
            return []
        emptied, kernel = in_words(gone, self.before), in_words(meant, self.before)
        return [f"Your own {' or '.join(parts)} emptied: {emptied}. The kernel: {kernel}."]
