# SPDX-License-Identifier: GPL-2.0-only
"""Open the kit's data files by name: page tables and traces of real guests, and golden traces.

>>> open_guest("lin64_A")
<Guest lin64_A: 64-bit Linux, 155 page-table frames, 74395 mapped pages>

A *trace* records what a real guest's processor did, event by event. A *golden trace* records what the kernel's own MMU code
did. ``PROVENANCE.md`` in this folder describes how they were made. When a file is opened, its SHA-256 is checked.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import DataError, InputError
from .guest import Guest
from .trace import Trace

__all__ = ["Guest", "Trace", "golden_trace", "golden_traces", "guests", "open_guest", "open_trace", "traces"]

HERE = Path(__file__).parent


def guests() -> list[str]:
    """The names that `open_guest` accepts."""
    return sorted(path.stem for path in (HERE / "guests").glob("*.npz"))


def traces() -> list[str]:
    """The names that `open_trace` accepts."""
    return sorted(path.stem for path in (HERE / "traces").glob("*.npz"))


def open_guest(name: str) -> Guest:
    """Open a real guest's page tables. Raises InputError for a name that isn't in `guests`, DataError for a damaged file."""
    return Guest.load(_find("guests", name, guests()))


def open_trace(name: str) -> Trace:
    """Open the trace of a real guest. Raises InputError for a name that isn't in `traces`, DataError for a damaged file."""
    return Trace.load(_find("traces", name, traces()))


def golden_traces() -> list[str]:
    """The names that `golden_trace` accepts."""
    return sorted(path.name.partition(".")[0] for path in (HERE / "golden").glob("*.jsonl.gz"))


def golden_trace(name: str) -> Path:
    """Return the path of a golden trace: operations executed by the kernel's own code, with results (see `verify.golden`).

    Raises InputError for a name that isn't in `golden_traces`, DataError for a damaged file.
    """
    return _find("golden", name, golden_traces(), "jsonl.gz")


def _find(folder: str, name: str, names: list[str], ending: str = "npz") -> Path:
    if name not in names:
        raise InputError("name", name, f"one of {', '.join(names)}")
    path = HERE / folder / f"{name}.{ending}"
    sums = dict(line.split()[::-1] for line in (HERE / "SHA256SUMS").read_text().splitlines())
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if sums.get(f"{folder}/{path.name}") != found:
        raise DataError(str(path), f"SHA-256 {found[:12]}...", "the file that came with the kit (reinstall the kit)")
    return path
