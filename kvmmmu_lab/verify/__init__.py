# SPDX-License-Identifier: GPL-2.0-only
"""Check the engine against recorded truth: golden traces, page tables and traces of real guests, permission matrices.

>>> print(verify_file("lin64_20k.npz"))  # doctest: +SKIP
lin64_20k.npz: trace of a real guest, 0 differences
...
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from ..errors import DataError, InputError
from .golden import verify_golden
from .guest_walks import verify_guest
from .matrix import verify_matrix
from .replay import WITHOUT, verify_trace
from .report import Difference, Report

__all__ = ["WITHOUT", "Difference", "Report", "kind_of", "verify_file"]

KINDS = {
    "tlb_gva.npy": "page tables of a real guest",
    "type.npy": "trace of a real guest",
    "result.npy": "permission matrix",
}
GOLDEN = "golden trace"


def kind_of(path: Path) -> str:
    """What a file is, by its content. Raises DataError."""
    if path.is_dir():
        raise DataError(str(path), "a folder", f"a file; name those in it: {path}/*")
    if not path.exists():
        raise DataError(str(path), "no such file", "a trace, a guest or a permission matrix; check the path")
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        if magic[:2] == b"\x1f\x8b":
            return GOLDEN
        if magic == b"PK\x03\x04":
            with zipfile.ZipFile(path) as archive:
                kinds = [kind for name, kind in KINDS.items() if name in archive.namelist()]
                names = ", ".join(archive.namelist()[:5])
            if len(kinds) == 1:
                return kinds[0]
            expected = f"one of {', '.join(f'{name[:-4]} ({kind})' for name, kind in KINDS.items())} in it"
            raise DataError(str(path), f"an archive of {names}", expected)
    except OSError as error:
        raise DataError(str(path), str(error), "a file that can be read") from None
    except zipfile.BadZipFile as error:
        raise DataError(str(path), f"damaged or cut short ({error})", "a whole archive: copy it again") from None
    expected = f"a {GOLDEN} (gzip'd JSON lines) or an .npz archive of a guest, a guest's trace or a matrix"
    raise DataError(str(path), f"a file that begins with {magic!r}" if magic else "empty", expected)


def verify_file(path: str | Path, *, audit: bool = False, without: str | None = None) -> Report:
    """Verify one file of any kind. ``audit``: of a golden trace, audit after every operation; ``without``: of a
    guest's trace, replay it also with this part switched off (a key of `WITHOUT`). Raises DataError."""
    path = Path(path)
    try:
        return _verify(path, kind_of(path), audit, without)
    except DataError:
        raise
    except InputError as error:  # the file asks for what no machine can do
        raise DataError(str(path), str(error), "values that fit the recorded mode") from error


def _verify(path: Path, kind: str, audit: bool, without: str | None) -> Report:
    report = Report(str(path), kind)
    if kind == GOLDEN:
        verify_golden(path, report, audit)
    elif kind == KINDS["tlb_gva.npy"]:
        verify_guest(path, report)
    elif kind == KINDS["type.npy"]:
        verify_trace(path, report, without=without)
    else:
        verify_matrix(path, report)
    return report
