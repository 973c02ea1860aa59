# SPDX-License-Identifier: GPL-2.0-only
"""Read numpy archives (.npz): the arrays that are expected, and nothing else.

Types, shapes and sizes are checked before memory is taken for an array; numpy itself evaluates the header of an array and
allocates what it says.
"""

from __future__ import annotations

import contextlib
import math
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import DataError
from ..files import MEGABYTE, open_regular, parse_json, reading
from ..mmu.bits import ALL_ONES, CR0_PE, mode_of_levels, mode_of_registers

Shapes = Mapping[str, tuple[str, int]]
"""Maps the name of each array to (dtype, number of dimensions)."""

MOST_BYTES = 256 * MEGABYTE
"""The maximum size of all arrays of a file together."""

MOST_TEXT = 64 * MEGABYTE
"""The maximum size of an array of text; it takes 4 bytes for each character."""

MOST_MEMBERS = 64
"""The maximum number of arrays in a file."""

ARCHIVE = "a complete archive (.npz) of plain arrays"

STORED_OR_DEFLATED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

END, END_SIZE = b"PK\x05\x06", 22
"""The record at the end of a zip archive without a comment: how it begins, and its size."""

MAGIC, HEADER_LENGTHS = b"\x93NUMPY", {1: 2, 2: 4, 3: 4}
"""How an array's file begins, and the size of the header's length for each version of the format."""

MOST_HEADER = 10_000

HEADER = re.compile(
    r"\{\s*'descr'\s*:\s*'(?P<kind>[<>|=][a-zA-Z]\d{1,9})'\s*,"
    r"\s*'fortran_order'\s*:\s*(?P<fortran>True|False)\s*,"
    r"\s*'shape'\s*:\s*\((?P<shape>[\d,\s]*)\)\s*,?\s*\}\s*"
)
"""An array's header as numpy writes it; numpy sorts the keys."""


def read_arrays(path: Path, expected: Shapes) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file, which has exactly the ``expected`` ones.

    Raises DataError with the names of the file and of the array.
    """
    with open_arrays(path, expected) as archive:
        archive.check_names()
        return {name: archive.read(name) for name in expected}


@contextlib.contextmanager
def open_arrays(path: Path, expected: Shapes) -> Iterator[Arrays]:
    """Open an .npz file whose arrays are read one by one. Raises DataError, also for what goes wrong in the block."""
    with open_regular(path, MOST_BYTES) as file, reading(path, ARCHIVE):
        yield Arrays(path, file, expected)


def array_names(path: Path) -> list[str]:
    """Return the names of the arrays in an .npz file. Raises DataError."""
    with open_regular(path, MOST_BYTES) as file, reading(path, ARCHIVE):
        return [info.filename.removesuffix(".npy") for info in _members(path, file)]


class Arrays:
    """The arrays of an open .npz file."""

    def __init__(self, path: Path, file: BinaryIO, expected: Shapes) -> None:
        self.path, self.expected = path, expected
        members = _members(path, file)
        self.archive = zipfile.ZipFile(file)
        self.members = {info.filename.removesuffix(".npy"): info for info in members}

    def check_names(self) -> None:
        """Raise DataError unless exactly the expected arrays are there."""
        for name in self.expected:
            self._check_name(name)
        for name, info in self.members.items():
            if name not in self.expected or info.filename != f"{name}.npy":
                found = f"an unexpected member {info.filename!r}"
                raise DataError(str(self.path), found, f"only {', '.join(self.expected)}")

    def _check_name(self, name: str) -> None:
        if name not in self.members:
            raise DataError(str(self.path), sorted(self.members), f"an archive with an array {name!r}")

    def read(self, name: str) -> np.ndarray:
        """Read one of the expected arrays. Raises DataError."""
        self._check_name(name)
        with reading(self.path, ARCHIVE, name), self.archive.open(self.members[name]) as member:
            return self._array(name, member, self.members[name].file_size)

    def _array(self, name: str, member: Any, size: int) -> np.ndarray:
        kind, fortran, shape, length = _header(member)
        wanted, dimensions = self.expected[name]
        got = kind.kind if wanted == "U" else kind.str[1:]
        if got != wanted or len(shape) != dimensions:
            expected = f"{name} of type {wanted}, {dimensions} dimensions"
            raise DataError(str(self.path), f"{name}: {kind} {shape}", expected)
        count = math.prod(shape)
        if count * kind.itemsize != size - length or (wanted == "U" and size > MOST_TEXT):
            found = f"{name}: shape {shape} in {size - length:,} bytes"
            raise DataError(str(self.path), found, "as many bytes as the shape says")
        content = bytearray(size - length)
        if member.readinto(content) != len(content) or member.read(1):
            raise DataError(str(self.path), f"{name}: truncated", ARCHIVE)
        if wanted == "U":  # numpy doesn't check the characters
            return np.array(content.decode("utf-32-le" if kind.str[0] == "<" else "utf-32-be").rstrip("\0"))
        array = np.frombuffer(content, kind)
        return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def _members(path: Path, file: BinaryIO) -> list[zipfile.ZipInfo]:
    """Return the members of an archive that can be read safely. Raises DataError."""
    # zipfile reads the whole directory, which may be as large as the file; so look at its size first
    size = file.seek(0, 2)
    file.seek(max(0, size - END_SIZE - 20))
    tail = file.read()
    end = tail[-END_SIZE:]
    if end[:4] != END or end[-2:] != b"\0\0" or tail[:4] == b"PK\x06\x07":
        raise DataError(str(path), "damaged or truncated: no end of an archive at its end", ARCHIVE)
    if int.from_bytes(end[10:12], "little") > MOST_MEMBERS or int.from_bytes(end[12:16], "little") > MEGABYTE:
        raise DataError(str(path), "an archive with a large directory", f"at most {MOST_MEMBERS} arrays")
    file.seek(0)
    members = zipfile.ZipFile(file).infolist()
    names = [info.filename for info in members]
    if len(members) > MOST_MEMBERS or len(set(names)) < len(names):
        raise DataError(str(path), "an archive with too many members, or two of the same name", ARCHIVE)
    for info in members:
        if info.flag_bits & 1:
            raise DataError(str(path), f"{info.filename} is encrypted", ARCHIVE)
        if info.compress_type not in STORED_OR_DEFLATED:
            found = f"{info.filename} is compressed by method {info.compress_type}"
            raise DataError(str(path), found, "members that are stored or deflated")
    if sum(info.file_size for info in members) > MOST_BYTES:
        total = sum(info.file_size for info in members)
        raise DataError(str(path), f"arrays of {total:,} bytes", f"at most {MOST_BYTES:,} bytes")
    return members


def _header(member: Any) -> tuple[np.dtype, bool, tuple[int, ...], int]:
    """Read an array's header: its type, whether it is in Fortran's order, its shape; and the header's length in bytes."""
    magic = member.read(8)
    width = HEADER_LENGTHS.get(magic[6], 0) if len(magic) == 8 and magic[:6] == MAGIC else 0
    length = int.from_bytes(member.read(width), "little") if width else 0
    if not 0 < length <= MOST_HEADER:
        raise ValueError("not an array of numpy")
    found = HEADER.fullmatch(member.read(length).decode("latin-1"))
    if found is None:
        raise ValueError("not the header of a plain array")
    shape = tuple(int(digits) for digits in re.findall(r"\d+", found["shape"][:400]))
    return np.dtype(found["kind"]), found["fortran"] == "True", shape, 8 + width + length


def read_meta(path: Path, arrays: dict[str, np.ndarray], names: str) -> dict[str, Any]:
    """Read the JSON object in the array ``meta``.

    It must contain a whole number for each of ``names`` (separated by spaces), and the ``mode`` that its register values
    select. Raises DataError if it doesn't.
    """
    with reading(path, f"a JSON object with {names}", "meta"):
        meta: dict[str, Any] = parse_json(str(arrays["meta"]))
        wrong = [name for name in names.split() if type(meta[name]) is not int or not 0 <= meta[name] <= ALL_ONES]
    if wrong or meta.get("mode") not in ("32", "pae", "64"):
        raise DataError(str(path), f"meta: {meta}", f"numbers of 64 bits in {names}, and a mode of 32, pae or 64")
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
