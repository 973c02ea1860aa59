# SPDX-License-Identifier: GPL-2.0-only
"""Recordings of real guests: each access reaches its frame, each guest page fault comes with its code, both ways
of replaying."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..data.recording import Recording
from ..mmu import Vm
from ..mmu.machine import Machine
from ..mmu.rmap import ReverseMap
from ..mmu.spte import set_spte
from .replay import WAYS, Replay
from .report import Report

AUDITS = 10


class NoWriteProtection(ReverseMap):
    """A reverse map that never protects a frame."""

    def write_protect(self, gfn: int) -> None:
        """Do nothing."""


def unprotected_spte(vm: Machine, spte: int, guest_entry: int, rights: int, gpa: int, gfn: int) -> None:
    """Make a shadow entry as if no frame were a page table."""
    set_spte(vm, spte, guest_entry, rights, gpa, -1)


def no_pre_write(vm: Machine, gpa: int, size: int) -> None:
    """Let the shadow tables be."""


WITHOUT: dict[str, tuple[str, dict[str, Any]]] = {
    "prewrite": ("emulated", {"pre_write": no_pre_write}),
    "write-protection": ("native", {"rmap": NoWriteProtection, "set_spte": unprotected_spte}),
}
"""What can be switched off, through replaceable parts, and the way of replaying that notices."""


def verify_recording(path: Path, report: Report, audits: int = AUDITS, without: str | None = None) -> None:
    """Replay both ways with audits; with ``without`` also once with that part switched off, which must go wrong."""
    recording = Recording.load(path)
    report.facts["recording"] = f"mode {recording.mode}, {len(recording.type):,} events"
    for way in WAYS:
        replay = Replay(recording, way, report.differ)
        replay.run(audits)
        for what, n in replay.counts.items():
            report.count(what, n)
        stats = asdict(replay.vm.stats)
        report.facts[way] = {name.replace("_", " "): n for name, n in stats.items() if name in SHOWN}
    report.count("audits", 2 * audits)
    if without is not None:
        way, parts = WITHOUT[without]
        told: list[str] = []
        replay = Replay(
            recording, way, lambda where, what, expected, got: told.append(f"{where}: {what}, {got}"), _vm_with(parts)
        )
        replay.run()
        report.facts[f"without {without}"] = {"wrong": replay.wrong, "first:": told[0] if told else "none"}
        if not replay.wrong:
            report.differ(f"{way} replay", f"without {without}", "something goes wrong", "nothing did")


SHOWN = ("exits", "zapped", "entries_zapped", "flood_zaps", "evicted")


def _vm_with(parts: dict[str, Any]) -> Any:
    return lambda slots: Vm(slots, **parts)
