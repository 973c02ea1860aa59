# SPDX-License-Identifier: GPL-2.0-only
"""Read numpy archives and check the types and shapes of their arrays."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..mmu.bits import CR0_PE, mode_of_levels, mode_of_registers


def read_arrays(path: Path, expected: dict[str, tuple[str, int]]) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file.

    ``expected`` maps the name of each required array to (dtype, number of dimensions). Raises DataError with the names of
    the file and the array.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError) as error:
        raise DataError(str(path), str(error), "a complete .npz archive of plain arrays") from None
    except AttributeError:  # np.load returns the array itself for an .npy file
        raise DataError(str(path), "one bare array", "an .npz archive of named arrays") from None
    for name, (dtype, dimensions) in expected.items():
        if name not in arrays:
            raise DataError(str(path), sorted(arrays), f"an archive with an array {name!r}")
        array = arrays[name]
        kind = array.dtype.kind if dtype == "U" else array.dtype.str[1:]
        if kind != dtype or array.ndim != dimensions:
            raise DataError(
                str(path), f"{name}: {array.dtype} {array.shape}", f"{name} of type {dtype}, {dimensions} dimensions"
            )
    return arrays


def read_meta(path: Path, arrays: dict[str, np.ndarray], names: str) -> dict[str, Any]:
    """Read the JSON object in the array ``meta``.

    It must contain a whole number for each of ``names`` (separated by spaces), and the ``mode`` that its register values
    select. Raises DataError if it doesn't.
    """
    try:
        meta = json.loads(str(arrays["meta"]))
        missing = [name for name in names.split() if not isinstance(meta[name], int)]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(str(path), f"meta: {error!r}", f"a JSON object with {names}") from None
    if missing or meta.get("mode") not in ("32", "pae", "64"):
        raise DataError(str(path), f"meta: {meta}", f"whole numbers in {names}, and a mode of 32, pae or 64")
    mode = mode_of_levels(mode_of_registers(meta["cr0"], meta["cr4"], meta["efer"]).levels)
    if mode.levels and (meta["mode"] != mode.name or not meta["cr0"] & CR0_PE):
        raise DataError(str(path), f"meta: {meta}", f"mode {mode.name}, which the registers select, with CR0.PE set")
    if meta["mem_bytes"] <= 0 or meta["mem_bytes"] % 4096:
        raise DataError(str(path), f"meta: mem_bytes {meta['mem_bytes']}", "a positive multiple of 4096")
    return meta


def check_lengths(path: Path, arrays: dict[str, np.ndarray], *groups: str) -> None:
    """Raise DataError unless the arrays of each group have the same length. A group is names in one string."""
    for group in groups:
        lengths = {name: len(arrays[name]) for name in group.split()}
        if len(set(lengths.values())) > 1:
            raise DataError(str(path), str(lengths), "arrays of the same length")


def check_pages(path: Path, arrays: dict[str, np.ndarray], name: str) -> None:
    """Raise DataError unless each row of an array has 4096 bytes."""
    if arrays[name].shape[1] != 4096:
        raise DataError(str(path), f"{name}: {arrays[name].shape}", "rows of 4096 bytes")
