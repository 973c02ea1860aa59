# SPDX-License-Identifier: GPL-2.0-only
"""Compare the engine with a real guest's trace: replay it both ways, and report every difference."""

from __future__ import annotations

import functools
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..data.trace import Trace
from ..mmu import Vm
from ..replay.mechanisms import WITHOUT
from ..replay.trace_replay import WAYS, TraceReplay
from .report import FileReport

AUDITS = 10
"""The number of audits in a replay."""

STATISTICS = ("exits", "zapped", "entries_zapped", "flood_zaps", "evicted")
"""The VM statistics that a report contains."""


def verify_trace(path: Path, report: FileReport, audits: int = AUDITS, without: str | None = None) -> None:
    """Replay a trace both ways, with audits.

    ``without``: a mechanism. If it is given, the trace is replayed once more without it, which must cause differences.
    """
    trace = Trace.load(path)
    report.facts["trace"] = f"mode {trace.mode}, {len(trace.type):,} events"
    for way in WAYS:
        replay = TraceReplay(trace, way, report.differ)
        replay.run(audits)
        for what, n in replay.counts.items():
            report.count(what, n)
        statistics = asdict(replay.vm.stats)
        report.facts[way] = {name.replace("_", " "): n for name, n in statistics.items() if name in STATISTICS}
    report.count("audits", 2 * audits)
    if without is not None:
        _replay_without(trace, without, report)


def _replay_without(trace: Trace, without: str, report: FileReport) -> None:
    way, parts = WITHOUT[without]
    differences: list[str] = []

    def differ(where: str, what: str, expected: Any, got: Any) -> None:
        differences.append(f"{where}: {what}, {got}")

    replay = TraceReplay(trace, way, differ, functools.partial(Vm, **parts))
    replay.run()
    report.facts[f"without {without}"] = {"differences": replay.wrong, "first:": differences[0] if differences else "none"}
    if not replay.wrong:
        report.differ(f"{way} replay", f"without {without}", "differences", "none")
