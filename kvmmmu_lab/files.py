# SPDX-License-Identifier: GPL-2.0-only
"""Read files that others made: golden traces, guests, recordings, notebooks, submissions, the kit's own records.

Every file that the kit reads, except the parts of the kit itself, is opened here: only a regular file, of bounded size, never
waiting for a writer. Whatever is wrong with a file raises a `DataError`: one sentence that names the file and the reason.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import gzip
import json
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from .errors import DataError, HostCrash, InputError, OutOfTime

MEGABYTE = 1 << 20

MOST_BYTES = 64 * MEGABYTE
"""The maximum size of a file, unless the caller knows better."""

DEPTH = 100
"""How deep lists and objects may be nested in JSON."""

DIGITS = 40
"""The maximum number of digits of a number in JSON. The largest numbers of the kit's files have 64 bits: 20 digits."""

KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISLNK: "a symbolic link",
}
"""What is not a regular file, in words."""

# no waiting for the writer of a pipe, no terminal taken over, no conversion of line ends on Windows
FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"))


# Files


class MissingFileError(DataError):
    """There is no such file."""


def check_regular(path: Path) -> None:
    """Raise DataError unless a path is that of a regular file, and not of a link to one."""
    try:
        _check_kind(str(path), os.lstat(path))
    except OSError as error:
        raise DataError(str(path), reason(error), "a regular file") from None


def open_regular(path: Path, most: int = MOST_BYTES, *, follow: bool = True, folder: int | None = None) -> BinaryIO:
    """Open a regular file of at most ``most`` bytes. ``follow``: whether it may be a symbolic link. Raises DataError.

    ``folder`` is the descriptor of the folder that ``path`` is relative to, on systems that can do that.
    """
    name = str(path)
    try:
        # first: to open some devices does something
        _check_kind(name, os.stat(path, dir_fd=folder, follow_symlinks=follow))
        file = os.open(path, FLAGS | (0 if follow else getattr(os, "O_NOFOLLOW", 0)), dir_fd=folder)
    except DataError:
        raise
    except FileNotFoundError:
        raise MissingFileError(name, "no such file", "the path of a file that exists") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise DataError(name, f"it can't be read: {reason(error)}", "a file that you can read") from None
    try:
        found = os.fstat(file)
        _check_kind(name, found)
        if found.st_size > most:
            raise DataError(name, f"{found.st_size:,} bytes", f"a file of at most {most:,} bytes")
        return os.fdopen(file, "rb")
    except BaseException:
        os.close(file)
        raise


def _check_kind(name: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = next((words for test, words in KINDS.items() if test(found.st_mode)), "not a file")
        raise DataError(name, kind, "a regular file")


def read_bytes(path: Path, most: int = MOST_BYTES, *, follow: bool = True) -> bytes:
    """Return the content of a regular file. Raises DataError if it isn't one, can't be read or has more than ``most`` bytes."""
    with open_regular(path, most, follow=follow) as file, reading(path, "a file that you can read"):
        content = file.read(most + 1)  # it may have grown, or be of a kind that has no size, as in /proc
    if len(content) > most:
        raise DataError(str(path), f"more than {most:,} bytes", f"a file of at most {most:,} bytes")
    return content


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """Return the text of a file in UTF-8. Raises DataError."""
    content = read_bytes(path, most)
    with reading(path, "text in UTF-8"):
        return content.decode("utf-8")


@contextlib.contextmanager
def replacing(path: Path, part: str = "") -> Iterator[BinaryIO]:
    """Open a file to be written as a whole or not at all: readers find the old content, or the new one after the block.

    Raises OSError. ``part`` is the name of the file that is written first and then renamed. The default is one for each
    process, which stays behind if the process is killed; where only one process writes at a time, a fixed name leaves at most
    one.
    """
    new = path.with_name(part or f".{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    try:
        # "x": nothing else that has appeared there meanwhile is written to, such as a pipe or a link
        with new.open("xb") as file:
            yield file
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def replace_file(path: Path, content: bytes, part: str = "") -> None:
    """Write a file as a whole or not at all, like `replacing`. Raises OSError."""
    with replacing(path, part) as file:
        file.write(content)


@contextlib.contextmanager
def reading(path: str | Path, expected: str, what: str = "") -> Iterator[None]:
    """Raise a DataError that names the file for every exception in the block. ``what`` says which part of the file is read.

    The checks of a file's content name what is wrong with it. This is the net below them: what else goes wrong is as much the
    file's fault, since the same code reads the kit's own files. HostCrash, a result of the engine, and OutOfTime pass.
    """
    try:
        yield
    except (HostCrash, OutOfTime):
        raise
    except DataError as error:
        if error.argument == str(path):
            raise
        raise DataError(str(path), f"{error.argument}: {error.got}", error.expected) from error
    except Exception as error:
        found = reason(error)
        if isinstance(error, InputError):  # a value in the file that no machine can have
            found, _, expected = found.partition("; expected ")
        raise DataError(str(path), f"{what}: {found}" if what else found, expected) from error


def reason(error: BaseException) -> str:
    """Return why an operation failed, in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, MemoryError):
        return "more memory needed than there is"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    text = str(error)
    return f"no {text} in it" if isinstance(error, KeyError) else text or type(error).__name__


# JSON


class NotJson(ValueError):
    """A text is not JSON, or not within the limits of what the kit reads."""


def parse_json(
    content: bytes | str, *, unique: bool = True, finite: bool = True, integer: Callable[[str], object] | None = None
) -> Any:
    """Return the value that a JSON text holds, in any encoding that JSON may have. Raises NotJson.

    Numbers have at most `DIGITS` digits, lists and objects are nested at most `DEPTH` deep. ``unique``: no object has a key
    twice. ``finite``: no number is infinite or NaN, which Python and notebooks write although JSON has no such numbers.
    ``integer`` converts the digits of whole numbers, and then decides how many there may be.
    """
    try:
        text = content.decode(json.detect_encoding(content), "surrogatepass") if isinstance(content, bytes) else content
        value = _decoder(unique, finite, integer or (_int if LONG.search(text) else None)).decode(text.removeprefix("\ufeff"))
    except RecursionError:
        raise NotJson(f"nested more than {DEPTH} deep") from None
    except NotJson:
        raise
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError
        raise NotJson(f"not JSON ({error})") from None
    if text.count("[") + text.count("{") > DEPTH:
        _check_depth(value)
    return value


LONG = re.compile(rf"\d{{{DIGITS + 1}}}")
"""Matches a text that may have a number of more than `DIGITS` digits: the conversion of all numbers here takes longer."""


@functools.cache
def _decoder(unique: bool, finite: bool, integer: Callable[[str], object] | None) -> json.JSONDecoder:
    """Return the decoder for these options: to make one takes longer than to parse a line of a golden trace."""
    return json.JSONDecoder(
        parse_int=integer,
        parse_constant=_constant if finite else None,
        object_pairs_hook=_object if unique else None,
    )


def _int(digits: str) -> int:
    count = len(digits.lstrip("-"))
    if count > DIGITS:
        raise NotJson(f"a number of {count:,} digits")
    return int(digits)


def _constant(name: str) -> float:
    raise NotJson(f"the number {name}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen = set[str]()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise NotJson(f"the key {twice[:40]!r} twice in an object")
    return found


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH + 1):
        level = [one for one in level if isinstance(one, (dict, list))]
        if not level:
            return
        level = [item for one in level for item in (one.values() if isinstance(one, dict) else one)]
    raise NotJson(f"nested more than {DEPTH} deep")


# Compressed data


def gzip_lines(path: Path, most: int, longest: int) -> Iterator[str]:
    """Yield the lines of a gzip file of JSON lines, at most ``most`` bytes in all and ``longest`` in a line. Raises DataError.

    Only as much is decompressed at a time as a line needs.
    """
    with open_regular(path) as file, reading(path, "a complete gzip file of JSON lines"), gzip.GzipFile(fileobj=file) as lines:
        total = 0
        while line := lines.readline(longest + 1):
            total += len(line)
            if len(line) > longest or total > most:
                found = f"a line of more than {longest:,} bytes" if len(line) > longest else f"more than {most:,} bytes of text"
                raise DataError(str(path), found, "a file of a usual size")
            yield line.decode("utf-8")


def packed(text: str) -> str:
    """Return a text deflated and in base64; `unpacked` and the player's ``loader.js`` read it."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpacked(text: str) -> str:
    """Return a text that was `packed`. Raises ValueError if it wasn't, or has more than `MOST_BYTES` bytes."""
    return inflated(base64.b64decode(text, validate=True), MOST_BYTES).decode()


def inflated(compressed: bytes, most: int) -> bytes:
    """Return what zlib compressed, at most ``most`` bytes. Raises ValueError."""
    reader = zlib.decompressobj()
    try:
        content = reader.decompress(compressed, most + 1)
    except zlib.error as error:
        raise ValueError(f"damaged: {error}") from None
    if len(content) > most or not reader.eof:
        raise ValueError("truncated" if len(content) <= most else f"more than {most:,} bytes when decompressed")
    return content
