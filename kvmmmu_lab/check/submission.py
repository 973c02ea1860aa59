# SPDX-License-Identifier: GPL-2.0-only
"""A submission: a Python file, a notebook's cells tagged ``solution``, or source taken from a running notebook."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..exercises import Exercise

TAG = "solution"
CELLS = "your cells"
"""The name of a submission that consists of joined cells of a running notebook."""

LARGEST = 1 << 20
"""The maximum size of a file, in bytes."""


@dataclass(frozen=True)
class Submission:
    """Source text, its ``name`` for messages (such as a file's name), and its ``path`` for debuggers."""

    source: str
    name: str
    path: str = ""

    @property
    def lines(self) -> list[str]:
        """The lines of the source."""
        return self.source.splitlines()

    def line(self, number: int) -> str:
        """A line by its number, from 1 on, without indentation; empty if there is none."""
        return self.lines[number - 1].strip() if 0 < number <= len(self.lines) else ""


def read(path: Path) -> Submission:
    """Read a submission file. Raises InputError if it can't be read, is not text, or is a notebook without a solution."""
    expected = "a .py file, or an .ipynb with cells tagged 'solution'"
    if path.suffix not in (".py", ".ipynb"):
        raise InputError("submission", str(path), expected)
    try:
        if path.stat().st_size > LARGEST:
            raise InputError("submission", f"{path.stat().st_size} bytes", "a file of at most 1 MiB")
        text = path.read_text("utf-8")
    except OSError as error:
        raise InputError("submission", str(path), f"a readable file ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError("submission", str(path), "text in UTF-8") from None
    if path.suffix == ".py":
        return Submission(text, path.name, str(path.absolute()))
    return Submission(_cells(text, path), path.name)


def submitted_file(exercise: Exercise, folder: Path) -> Path:
    """The learner's file in their copy of an exercise's folder, or the notebook if only the notebook was changed.

    Raises InputError if there is no file.
    """
    path, book = folder / exercise.file.name, folder / f"{exercise.name}.ipynb"
    if not path.is_file():
        ways = "go to your working folder, name it with --folder, or make one with kvmmmu-lab --print-only"
        expected = f"your file for this exercise: {ways}"
        raise InputError("file", str(path), expected)
    with contextlib.suppress(InputError, OSError):
        untouched = path.read_bytes() == exercise.file.read_bytes()
        if untouched and book.is_file() and read(book).source != read(exercise.folder / book.name).source:
            return book
    return path


def _cells(text: str, path: Path) -> str:
    try:
        cells = json.loads(text)["cells"]
        tagged = [
            "".join(cell["source"])
            for cell in cells
            if cell["cell_type"] == "code" and TAG in cell.get("metadata", {}).get("tags", ())
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError("submission", str(path), "a notebook (JSON with cells)") from None
    if not tagged:
        raise InputError("submission", str(path), "a notebook with code cells tagged 'solution'")
    return "\n\n".join("\n".join(_plain(line) for line in cell.splitlines()) for cell in tagged) + "\n"


def _plain(line: str) -> str:
    """A line of a cell, in plain Python: IPython magics become comments."""
    return "pass  # " + line if line.startswith(("%", "!")) else line
