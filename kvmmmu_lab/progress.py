# SPDX-License-Identifier: GPL-2.0-only
"""A learner's progress: the predictions made in lessons, the points of exercises, and the hints that were shown.

It is one JSON file in the user's data folder, so it outlives kernels, working folders and updates of the kit. Several
kernels and terminals may write to it at the same time: each change is made under a lock to what the file contains then.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILE = "progress.json"
LOCK_SECONDS = 5.0
"""How long a change waits while another process writes."""

Row = dict[str, Any]
"""What is known about one exercise or one prediction."""

_told: set[Path] = set()
"""The files for which this process has reported that they can't be written."""


def data_folder() -> Path:
    """Return the folder of the user's data: KVMMMU_LAB_DATA if it is set, otherwise the system's usual place."""
    given = os.environ.get("KVMMMU_LAB_DATA")
    if given:
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_data_dir("kvmmmu-lab", appauthor=False))


class Progress:
    """The progress that is kept in ``folder`` (default: `data_folder`).

    A file that can't be parsed is renamed to ``progress.damaged``, and an empty record begins. If the file can't be
    written, a line on stderr says so, once in each process, and the change is kept only in this object.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._changed: dict[str, dict[str, Row]] | None = None  # what could not be saved
        self.path: Path | None = None
        try:
            self.path = (data_folder() if folder is None else folder) / FILE
        except (ImportError, OSError, RuntimeError) as error:  # no platformdirs, or no home directory
            self._tell(Path(FILE), error)

    # Exercises

    def get(self, name: str, key: str) -> int:
        """Return the number stored under ``key`` for an exercise; 0 if there is none."""
        found = self._read()["exercises"].get(name, {}).get(key, 0)
        return found if isinstance(found, int) else 0

    def note(self, name: str, **values: int) -> None:
        """Store numbers for an exercise."""
        self._change(lambda known: known["exercises"].setdefault(name, {}).update(values))

    def points(self, name: str, points: int) -> None:
        """Record the points of a check: ``last``, and ``best`` if there were never more."""

        def add(known: dict[str, dict[str, Row]]) -> None:
            row = known["exercises"].setdefault(name, {})
            best = row.get("best")
            row.update(last=points, best=max(points, best) if isinstance(best, int) else points)

        self._change(add)

    # Predictions

    @property
    def predictions(self) -> dict[str, Row]:
        """For each answered question, by its key such as "6/recorded": the ``choice``, and whether it was ``right``.

        ``choice`` is None for "I don't know". ``late``: whether it was chosen after the cell that shows the answer had run.
        """
        return self._read()["predictions"]

    def predicted(self, key: str, choice: str | None, right: bool, late: bool) -> None:
        """Record the answer to a question. Only the first answer counts: later ones change nothing."""
        row = {"choice": choice, "right": right, "late": late}
        self._change(lambda known: known["predictions"].setdefault(key, row))

    def reset(self) -> None:
        """Forget everything."""

        def clear(known: dict[str, dict[str, Row]]) -> None:
            for rows in known.values():
                rows.clear()

        self._change(clear)

    # The file

    def _read(self) -> dict[str, dict[str, Row]]:
        if self._changed is not None:
            return self._changed
        empty: dict[str, dict[str, Row]] = {"exercises": {}, "predictions": {}}
        if self.path is None:
            return empty
        try:
            found = json.loads(self.path.read_text("utf-8"))
            for kind, rows in empty.items():
                rows.update({str(name): dict(row) for name, row in found.get(kind, {}).items()})
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            self._tell(self.path, error)
        except (ValueError, TypeError, AttributeError):
            with contextlib.suppress(OSError):
                self.path.replace(self.path.with_suffix(".damaged"))
            return {"exercises": {}, "predictions": {}}
        return empty

    def _change(self, change: Callable[[dict[str, dict[str, Row]]], object]) -> None:
        """Apply a change to what the file contains now, and save it; other processes wait meanwhile."""
        if self.path is not None and self._changed is None:
            try:
                self._change_file(self.path, change)
                return
            except (ImportError, OSError) as error:  # filelock.Timeout is an OSError, too
                self._tell(self.path, error)
        known = self._read()
        change(known)
        self._changed = known

    def _change_file(self, path: Path, change: Callable[[dict[str, dict[str, Row]]], object]) -> None:
        from filelock import FileLock

        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=LOCK_SECONDS):
            known = self._read()
            change(known)
            new = path.with_suffix(f".{os.getpid()}.new")
            new.write_text(json.dumps(known, indent=1, sort_keys=True), "utf-8")
            os.replace(new, path)

    def _tell(self, path: Path, error: Exception) -> None:
        """Say once in this process that progress isn't kept."""
        if path not in _told:
            _told.add(path)
            reason = getattr(error, "strerror", None) or str(error)
            advice = "set KVMMMU_LAB_DATA to a folder that you can write to"
            if isinstance(error, ImportError):
                advice = 'install the kit with its extra: pip install "kvmmmu-lab[lab]"'
            print(f"Your progress is not kept ({path}: {reason}); {advice}.", file=sys.stderr)
