# SPDX-License-Identifier: GPL-2.0-only
"""Compare the engine with recorded data: golden traces, page tables and traces of real guests, permission matrices.

>>> print(verify_file("lin64_20k.npz"))  # doctest: +SKIP
lin64_20k.npz: trace of a real guest, 0 differences
...
"""

from __future__ import annotations

from pathlib import Path

from ..data.arrays import array_names
from ..errors import DataError
from ..files import open_regular, reading
from ..replay.mechanisms import WITHOUT
from .report import FileDifference, FileReport
from .traces import verify_trace

__all__ = ["WITHOUT", "FileDifference", "FileReport", "kind_of", "verify_file"]

GOLDEN, GUEST, TRACE, MATRIX = "golden trace", "page tables of a real guest", "trace of a real guest", "permission matrix"
ARRAYS = {"tlb_gva": GUEST, "type": TRACE, "result": MATRIX}
"""Maps the name of an array to the kind of archive that contains it. Other kinds don't contain it."""


def verify_file(path: str | Path, *, audit: bool = False, without: str | None = None) -> FileReport:
    """Compare the engine with the data in a file of any of the four kinds. Raises DataError if the file can't be used.

    ``audit``: whether to audit the VM after every operation of a golden trace. ``without``: a mechanism (a key of `WITHOUT`).
    If it is given, a guest's trace is replayed once more without this mechanism.
    """
    path = Path(path)
    kind = kind_of(path)
    report = FileReport(str(path), kind)
    with reading(path, "values that fit the recorded mode"):  # a file may contain values that no machine can have
        if kind == GOLDEN:  # each kind is loaded when it is needed: exercises only replay traces
            from .golden import verify_golden

            verify_golden(path, report, audit)
        elif kind == GUEST:
            from .guest_walks import verify_guest

            verify_guest(path, report)
        elif kind == TRACE:
            verify_trace(path, report, without=without)
        else:
            from .matrix import verify_matrix

            verify_matrix(path, report)
    return report


def kind_of(path: Path) -> str:
    """Return the kind of a file, determined from its content. Raises DataError if it is of no known kind."""
    if path.is_dir():
        raise DataError(str(path), "a folder", f"a file; to verify all files in it: {path}/*")
    with open_regular(path) as file:
        magic = file.read(4)
    if magic[:2] == b"\x1f\x8b":
        return GOLDEN
    if magic == b"PK\x03\x04":
        names = array_names(path)
        kinds = [kind for name, kind in ARRAYS.items() if name in names]
        if len(kinds) == 1:
            return kinds[0]
        expected = f"one that contains {' or '.join(f'{name} ({kind})' for name, kind in ARRAYS.items())}"
        raise DataError(str(path), f"an archive of {', '.join(names[:5])}", expected)
    expected = f"a {GOLDEN} (gzipped JSON lines) or an .npz archive of a guest, a guest's trace or a matrix"
    raise DataError(str(path), f"a file that begins with {magic!r}" if magic else "empty", expected)
