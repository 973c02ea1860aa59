# SPDX-License-Identifier: GPL-2.0-only
"""A learner's own copy of the kernel's source: ``drivers/kvm/mmu.c`` and ``paging_tmpl.h`` of Linux 2.6.22.

The kit has only references to its lines, such as "mmu.c:315-346". ``kvmmmu-lab source DIR`` registers a copy; from then on
films show the lines themselves. The registration, a path and two digests, is in the user's configuration folder; the lines are
read from the copy each time, and never stored in the kit.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import DataError, LabError
from .files import MissingFileError, parse_json, read_bytes, replace_file
from .printable import one_line, shortened
from .user_folders import config_folder

LANDMARKS: dict[str, dict[str, int]] = {
    "mmu.c": {
        "rmap_add": 315,
        "rmap_remove": 372,
        "rmap_write_protect": 412,
        "kvm_mmu_alloc_page": 473,
        "mmu_page_add_parent_pte": 491,
        "mmu_page_remove_parent_pte": 528,
        "kvm_mmu_get_page": 587,
        "kvm_mmu_zap_page": 671,
        "nonpaging_map": 769,
        "mmu_alloc_roots": 845,
        "set_pte_common": 954,
        "kvm_mmu_reset_context": 1108,
        "kvm_mmu_pre_write": 1140,
        "kvm_mmu_slot_remove_write_access": 1322,
        "kvm_mmu_zap_all": 1344,
    },
    "paging_tmpl.h": {
        "walk_addr": 72,
        "fetch": 224,
        "fix_write_pf": 307,
        "page_fault": 392,
        "gva_to_gpa": 457,
    },
}
"""For each file, the functions by which it is recognized, and the lines where they begin."""

PLACES = ("", "drivers/kvm", "kvm")
"""Where a folder may have the files: it is ``drivers/kvm`` itself, the root of the tree, or ``drivers``."""

MOST_BYTES = 1_000_000
"""Maximum size of a source file. Those of 2.6.22 have less than 40,000 bytes."""

CONTEXT = 3
"""Lines shown before and after a single line of a function."""

Line = tuple[int, str, bool]
"""A line of source: its number, its text, and whether the reference names it (the others are context)."""


class SourceError(LabError):
    """A folder doesn't contain the source of Linux 2.6.22, or the registration can't be stored."""

    status = DataError.status

    def __init__(self, text: str) -> None:
        super().__init__(shortened(one_line(text), DataError.MOST))


@dataclass(frozen=True)
class KernelSource:
    """A copy of the source. ``folder`` contains the files; ``files`` maps each name to its lines."""

    folder: Path
    files: dict[str, list[str]]

    @classmethod
    def read(cls, folder: Path) -> KernelSource:
        """Read and recognize a copy. Raises SourceError if a file is missing or isn't that of Linux 2.6.22."""
        folder = folder.expanduser().absolute()
        if not folder.is_dir():
            expected = "expected the root of Linux 2.6.22 or its drivers/kvm"
            raise SourceError(f"DIR is {str(folder)!r}; {expected}, but there is no such folder")
        found = next((folder / place for place in PLACES if all((folder / place / name).is_file() for name in LANDMARKS)), None)
        if found is None:
            names = " and ".join(LANDMARKS)
            raise SourceError(
                f"DIR is {str(folder)!r}; expected the root of Linux 2.6.22 or its drivers/kvm, but {names} are neither there "
                "nor in drivers/kvm below it"
            )
        return cls(found, {name: _recognized(found / name, landmarks) for name, landmarks in LANDMARKS.items()})

    @property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of the lines of each file."""
        return {name: hashlib.sha256("\n".join(lines).encode()).hexdigest() for name, lines in self.files.items()}

    def lines(self, reference: str) -> list[Line]:
        """Return the lines that a reference such as "mmu.c:473-489, 622-629" names; none if the file isn't part of the copy.

        The number of a single line stands for the function that begins there, or else for that line and its neighbours.
        """
        name, _, ranges = reference.partition(":")
        text = self.files.get(name)
        if text is None or not re.fullmatch(r"\d+(-\d+)?(, \d+(-\d+)?)*", ranges):
            return []
        shown: dict[int, bool] = {}
        for part in ranges.split(", "):
            first, _, last = part.partition("-")
            shown |= _span(text, int(first)) if not last else dict.fromkeys(range(int(first), int(last) + 1), True)
        return [(number, text[number - 1], named) for number, named in sorted(shown.items()) if 0 < number <= len(text)]


def _span(text: list[str], number: int) -> dict[int, bool]:
    """Return the lines to show for a single line: number, and whether the reference names it."""
    if number > len(text) or not text[number - 1].strip():
        return {}
    if text[number - 1][0] not in " \t{}":  # a definition begins here
        end = next((at for at in range(number, len(text)) if text[at].startswith("}")), number - 1)
        return dict.fromkeys(range(number, end + 2), True)
    around = range(max(1, number - CONTEXT), min(len(text), number + CONTEXT) + 1)
    return {at: at == number for at in around}


def _recognized(path: Path, landmarks: dict[str, int]) -> list[str]:
    """Return the lines of a file in which each landmark is where it should be."""
    try:
        # not splitlines(): editors and compilers don't count a form feed as the end of a line
        text = re.split(r"\r\n|\n", read_bytes(path, MOST_BYTES).decode("utf-8", "replace"))
    except DataError as error:
        raise SourceError(f"{path} isn't the file of Linux 2.6.22: {error.got}; expected {error.expected}") from None
    for function, number in landmarks.items():
        name = re.compile(rf"\b{function}\b")
        if number <= len(text) and name.search(text[number - 1]):
            continue
        begins = [at for at, line in enumerate(text, 1) if line[:1].strip() and name.search(line)]
        there = f"it is in line {begins[-1]}" if begins else "it isn't there"
        raise SourceError(f"{path} isn't that of Linux 2.6.22: expected {function}() in line {number}, but {there}")
    return text


# The registration


def config_file() -> Path:
    """Return the file with the registration, in the user's configuration folder."""
    return config_folder() / "source.json"


def register(folder: Path) -> KernelSource:
    """Recognize a copy and register it. Raises SourceError; the previous registration then stays."""
    source, path = KernelSource.read(folder), config_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps({"folder": str(source.folder), "sha256": source.digests}, indent=1).encode())
    except OSError as error:
        raise SourceError(f"the registration can't be stored in {path}: {error.strerror}") from None
    return source


def forget() -> bool:
    """Remove the registration; return whether there was one. Raises SourceError if it can't be removed."""
    path = config_file()
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SourceError(f"the registration in {path} can't be removed: {error.strerror}") from None
    return True


def registered() -> KernelSource | None:
    """Return the registered copy, or None if there is none. Raises SourceError if it changed or vanished since."""
    try:
        data: Any = parse_json(read_bytes(config_file(), MOST_BYTES))
        folder, digests = Path(data["folder"]), dict(data["sha256"])
    except MissingFileError:
        return None
    except (ValueError, LookupError, TypeError):
        raise SourceError(f"the registration in {config_file()} can't be read; register your copy again{AGAIN}") from None
    try:
        source = KernelSource.read(folder)
    except SourceError as error:
        raise SourceError(f"the registered copy of the kernel's source is no longer usable: {error}{AGAIN}") from None
    if source.digests != digests:
        raise SourceError(f"the registered copy of the kernel's source in {folder} has changed; register it again{AGAIN}")
    return source


AGAIN = " (kvmmmu-lab source DIR; to forget it: kvmmmu-lab source --forget)"


def excerpts(references: Iterable[str]) -> dict[str, list[Line]]:
    """Return the lines of each reference in the registered copy; nothing without one.

    If the copy changed or vanished, this is said once, and nothing is returned.
    """
    try:
        source = registered()
    except SourceError as error:
        _say_once(str(error))
        return {}
    if source is None:
        return {}
    return {reference: lines for reference in sorted(set(references)) if (lines := source.lines(reference))}


@functools.cache
def _say_once(text: str) -> None:
    print(f"kvmmmu-lab: {text}", file=sys.stderr)


def run(folder: Path | None, forgets: bool) -> int:
    """Run ``kvmmmu-lab source``: register a copy, forget it, or say what is registered. Raises SourceError."""
    if forgets:
        print("The registration is removed; your copy stays." if forget() else "No copy of the kernel's source is registered.")
        return 0
    source = register(folder) if folder is not None else registered()
    if source is None:
        print("No copy of the kernel's source is registered. To register yours: kvmmmu-lab source DIR")
        return 0
    lines = ", ".join(f"{name} ({len(text):,} lines)" for name, text in source.files.items())
    print(f"{'Registered' if folder is not None else 'Registered is'} {source.folder}: {lines}, of Linux 2.6.22.")
    if folder is not None:
        print("From now on your films show the lines that each step is about.")
    return 0
