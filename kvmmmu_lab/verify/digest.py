# SPDX-License-Identifier: GPL-2.0-only
"""Digests of a VM's state: six times the first 12 hex digits of SHA-256, one for each part of `read.state`.

Hashing everything after each operation would take several ms, so the text of a shadow page is kept until its words
change.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from ..mmu import Vm
from ..mmu.arena import FIRST_SHADOW
from ..mmu.pool import NUM_PAGES
from ..read import state as st

WIDTH = 12


def compact(value: Any) -> str:
    """JSON without spaces, the text that is hashed."""
    return json.dumps(value, separators=(",", ":"))


def short_hash(text: str) -> str:
    """The first 12 hex digits of SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:WIDTH]


class Digester:
    """Digests of one VM's state, operation after operation."""

    def __init__(self, vm: Vm) -> None:
        self.vm = vm
        self.forget()

    def forget(self) -> None:
        """Drop the kept texts: the slots changed, so the same words may mean other frames."""
        self.seen = np.zeros((NUM_PAGES, 512), dtype=np.uint64)
        self.texts = [""] * NUM_PAGES

    def sptes(self) -> str:
        """Text of the sptes part."""
        now = self.vm.memory.pages[FIRST_SHADOW : FIRST_SHADOW + NUM_PAGES]
        for id in np.flatnonzero((now != self.seen).any(axis=1)).tolist():
            entries = st.page_entries(self.vm, id)
            self.texts[id] = compact([id, entries]) if entries else ""
            self.seen[id] = now[id]
        return f"[{','.join(filter(None, self.texts))}]"

    def parts(self) -> list[str]:
        """The six digests, in the order of `read.state.PARTS`."""
        vm = self.vm
        texts = (
            compact(st.mmu_part(vm)),
            compact(st.pages_part(vm)),
            self.sptes(),
            compact(st.rmap_part(vm)),
            compact(st.hash_part(vm)),
            compact(st.dirty_part(vm)),
        )
        return [short_hash(text) for text in texts]
