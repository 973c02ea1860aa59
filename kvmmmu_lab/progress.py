# SPDX-License-Identifier: GPL-2.0-only
"""A learner's progress: the predictions made in lessons, the points of exercises, and the hints that were shown.

It is one JSON file in the user's data folder, so it outlives kernels, working folders and updates of the kit. Several
kernels and terminals may write to it at the same time: each change is made under a lock to what the file contains then. In a
browser tab there is no lock: a learner answers in one notebook at a time.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import DataError
from .files import MissingFileError, check_regular, parse_json, read_bytes, reason, replace_file
from .host_platform import HERE
from .printable import one_line, shortened
from .user_folders import data_folder

FILE = "progress.json"
LOCK_SECONDS = 5.0
"""How long a change waits while another process writes."""

MOST_BYTES = 4 << 20
"""The maximum size of the file; a learner's whole course takes less than 10 KB."""

Row = dict[str, Any]
"""What is known about one exercise or one prediction."""

Known = dict[str, dict[str, Row]]
"""What the file contains: the rows of "exercises" and of "predictions", by name; what else another version wrote is kept."""

Change = Callable[[Known], object]

_told: set[str] = set()
"""What this process has said about files that can't be read or written."""


class Progress:
    """The progress that is kept in ``folder`` (default: `data_folder`).

    A row that is damaged is left out, and a line on stderr says which; the other rows stay. A file that can't be parsed is
    set aside as ``progress.damaged`` before a new one is written. If the file can't be written, a line on stderr says so, once
    in each process; the change is kept in this object, which tries again at its next change.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._waiting: list[Change] = []  # changes that could not be saved yet
        self.path: Path | None = None
        try:
            self.path = (data_folder() if folder is None else folder) / FILE
        except (ImportError, OSError, RuntimeError) as error:  # no platformdirs, or no home directory
            self._tell_not_kept(Path(FILE), error)

    # Exercises

    def get(self, name: str, key: str) -> int:
        """Return the number stored under ``key`` for an exercise; 0 if there is none."""
        found = self._read()["exercises"].get(name, {}).get(key, 0)
        return found if type(found) is int else 0

    def hint(self, name: str, number: int) -> None:
        """Record under ``hints`` that an exercise's hint of this number, from 1 on, was shown; the highest number stays."""

        def add(known: Known) -> None:
            row = known["exercises"].setdefault(name, {})
            row["hints"] = max(number, row.get("hints", 0))

        self._change(add)

    def points(self, name: str, points: int) -> None:
        """Record the points of a check: ``last``, and ``best`` if there were never more."""

        def add(known: Known) -> None:
            row = known["exercises"].setdefault(name, {})
            row.update(last=points, best=max(points, row.get("best", points)))

        self._change(add)

    # Predictions

    @property
    def predictions(self) -> dict[str, Row]:
        """For each answered question, by its key such as "6/recorded": the ``choice``, and whether it was ``right``.

        Check questions are among them. ``choice`` is None for "I don't know". ``late``: whether it was chosen after the cell
        that shows the answer had run.
        """
        return self._read()["predictions"]

    def predicted(self, key: str, choice: str | None, right: bool, late: bool) -> None:
        """Record the answer to a question. Only the first answer counts: later ones change nothing."""
        row = {"choice": choice, "right": right, "late": late}
        self._change(lambda known: known["predictions"].setdefault(key, row))

    def checked(self, key: str, choice: str | None, right: bool) -> None:
        """Record the answer to a check question. It is asked again with other numbers; once it was right, it stays right."""

        def add(known: Known) -> None:
            if not known["predictions"].get(key, {}).get("right"):
                known["predictions"][key] = {"choice": choice, "right": right, "late": False}

        self._change(add)

    def reset(self) -> None:
        """Forget everything."""

        def clear(known: Known) -> None:
            for kind in ROWS:
                known[kind].clear()

        self._change(clear)

    # A copy

    def content(self) -> bytes:
        """Return everything as the content of a file, for `merge`."""
        return _packed(self._read())

    def merge(self, content: bytes) -> tuple[bool, bool]:
        """Add the progress of another file: answers to questions that are open here, and points and hints that are higher.

        Return whether that changed anything, and whether the other file was whole; damaged rows are left out.
        """
        theirs, wrong = _parsed(content)

        def add(known: Known) -> None:
            for key, row in theirs["predictions"].items():
                known["predictions"].setdefault(key, row)
            for name, row in theirs["exercises"].items():
                ours = known["exercises"].setdefault(name, row)
                ours.update({key: max(row[key], ours.get(key, row[key])) for key in ("best", "hints") if key in row})

        before = self._read()
        self._change(add)
        return self._read() != before, not wrong

    # The file

    def _read(self) -> Known:
        """What the file contains, with the changes that could not be saved yet."""
        known = _empty()
        if self.path is not None:
            try:
                known, wrong = _parsed(_content(self.path))
                for sentence in wrong:
                    self._tell(self.path, sentence)
            except DataError as error:
                self._tell_not_kept(self.path, error)
        for change in self._waiting:
            change(known)
        return known

    def _change(self, change: Change) -> None:
        """Apply a change to what the file contains now, and save it; other processes wait meanwhile."""
        self._waiting.append(change)
        if self.path is not None:
            try:
                self._save(self.path)
                self._waiting.clear()
            except (ImportError, OSError, DataError) as error:  # filelock.Timeout is an OSError, too
                self._tell_not_kept(self.path, error)

    def _save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_suffix(".lock")):
            content = _content(path)
            known, wrong = _parsed(content)
            if wrong:
                for sentence in wrong:
                    self._tell(path, sentence)
                replace_file(_free_name(path), content)
            for change in self._waiting:
                change(known)
            replace_file(path, _packed(known), f".{path.name}.part")

    def _tell_not_kept(self, path: Path, error: Exception) -> None:
        """Say that progress isn't kept."""
        advice = "set KVMMMU_LAB_DATA to a folder that you can write to"
        if isinstance(error, ImportError):
            advice = 'install the kit with its extra: pip install "kvmmmu-lab[lab]"'
        found = error.got if isinstance(error, DataError) else reason(error)
        self._tell(path, f"is not kept ({found}); {advice}", not_kept=True)

    def _tell(self, path: Path, sentence: str, not_kept: bool = False) -> None:
        """Say something about the file, once in this process."""
        key = str(path) if not_kept else f"{path} {sentence}"
        if key not in _told:
            _told.add(key)
            where = shortened(one_line(str(path)), 120)
            print(f"Your progress in {where} {shortened(one_line(sentence), 160)}.", file=sys.stderr)


def _locked(lock: Path) -> contextlib.AbstractContextManager[object]:
    """Return the lock that others use, too, as a context. Raises ImportError without filelock, OSError, DataError."""
    if not HERE.can_lock_files:
        return contextlib.nullcontext()
    from filelock import FileLock

    if os.path.lexists(lock):
        check_regular(lock)
    return FileLock(lock, timeout=LOCK_SECONDS, poll_interval=0.01)


def _empty() -> Known:
    return {kind: {} for kind in ROWS}


def _packed(known: Known) -> bytes:
    return json.dumps(known, indent=1, sort_keys=True).encode()


def _content(path: Path) -> bytes:
    """The content of the file; empty if there is none. Raises DataError if it can't be read."""
    try:
        return read_bytes(path, MOST_BYTES, follow=False)
    except MissingFileError:
        return b""


def _parsed(content: bytes) -> tuple[Known, list[str]]:
    """What the file contains, and a sentence for everything in it that is damaged and therefore left out."""
    if not content:
        return _empty(), []
    try:
        found = parse_json(content, unique=False, finite=False)
        if not isinstance(found, dict):
            raise ValueError("not an object")
    except ValueError as error:
        return _empty(), [f"is damaged and is set aside as progress.damaged ({error})"]
    known, wrong = _empty(), []
    for kind, rows in found.items():
        if kind not in ROWS:
            if _is_finite(rows):
                known[kind] = rows  # of a newer version
        elif not isinstance(rows, dict):
            wrong.append(f"is damaged: {kind} is left out, and is kept in progress.damaged")
        else:
            for name, row in rows.items():
                if isinstance(row, dict) and ROWS[kind](row) and _is_finite(row):
                    known[kind][name] = row
                else:
                    row_name = shortened(repr(name), 60)
                    wrong.append(f"is damaged: the row {row_name} of {kind} is left out, and is kept in progress.damaged")
    return known, wrong


def _is_finite(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _is_exercise(row: Row) -> bool:
    return all(type(row.get(key, 0)) is int for key in ("best", "last", "hints"))


def _is_prediction(row: Row) -> bool:
    flags = type(row.get("right")) is bool and type(row.get("late", False)) is bool
    return flags and isinstance(row.get("choice"), str | None)


ROWS: dict[str, Callable[[Row], bool]] = {"exercises": _is_exercise, "predictions": _is_prediction}
"""For each kind of row, whether a row of it is as it should be."""


def _free_name(path: Path) -> Path:
    """A name for a damaged file: ``progress.damaged``, or one with a number if there is such a file already."""
    names = (path.with_suffix(f".damaged{number or ''}") for number in range(100))
    return next((name for name in names if not os.path.lexists(name)), path.with_suffix(".damaged"))
