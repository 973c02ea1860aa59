# SPDX-License-Identifier: GPL-2.0-only
"""Answers that are known from earlier checks: a file for each exercise, in the user's cache folder.

It holds a digest of its own text, then JSON: a digest of the right answers to each scenario, and the random scenarios. A right
solution is then checked without playing the scenarios with the kit's own part too. An answer with another digest proves
nothing: the judge then compares it as if there were no file. A file is used only for the code, the data and the Python for
which it was written (its stamp), so a missing, damaged or old file costs time and nothing else. It reveals no expected value.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..exercises import Boot, Exercise, Golden, Rule, Scenario, rules_file
from ..files import parse_json, read_bytes, read_text, replace_file
from ..user_folders import cache_folder
from .sandbox.forkserver import PACKAGE
from .scenarios import random_scenarios

MOST = 1 << 22
"""The maximum size of a file, in bytes."""


COURSE = "_course"
"""The folder of the course in an installed kit. A checkout has it beside the kit."""

DAMAGED = (ValueError, KeyError, TypeError, AttributeError, StopIteration)
"""What can be raised if a file was damaged."""


class KnownAnswers:
    """What is known about an exercise from earlier checks with this ``seed``.

    ``path`` is the file (see `answers_file`). Without one, nothing is kept. Give one only in a process whose engine nobody can
    have changed: in a notebook, somebody may have.
    """

    def __init__(self, exercise: Exercise, seed: int, path: Path | None = None) -> None:
        self.exercise, self.seed, self.path = exercise, seed, path
        self.stamp = stamp(exercise) if path is not None else ""
        self.digests: dict[str, str] = {}
        self.drawn: dict[str, list[Any]] = {}  # as JSON data
        self.scenarios: dict[str, tuple[Scenario, ...]] = {}  # the same, for use
        self.changed = False
        if path is not None:
            with contextlib.suppress(*DAMAGED):
                self._load(path)

    def _load(self, path: Path) -> None:
        digest, _, text = read_bytes(path, MOST).partition(b"\n")
        if digest.decode() != _digest([text]):
            return
        found = parse_json(text)
        if found["stamp"] == self.stamp:
            self.digests, self.drawn = dict(found["digests"]), dict(found["drawn"])

    def random_scenarios(self, rule: Rule) -> tuple[Scenario, ...]:
        """The random scenarios of a rule, as `scenarios.random_scenarios` draws them."""
        if self.seed != self.exercise.seed or self.path is None:
            return random_scenarios(self.exercise.name, rule, self.seed)
        if rule.name not in self.scenarios:
            try:
                found = tuple(Scenario(*_from_json(fields)) for fields in self.drawn[rule.name])
            except DAMAGED:
                found = random_scenarios(self.exercise.name, rule, self.seed)
                self.drawn[rule.name] = [_as_json(tuple(vars(scenario).values())) for scenario in found]
                self.changed = True
            self.scenarios[rule.name] = found
        return self.scenarios[rule.name]

    def key(self, rule: Rule, played: Scenario | Golden | Boot) -> str:
        """The name of a scenario, or of a trace, with the observations that a rule makes of it; "" if nothing is kept."""
        if self.path is None:
            return ""
        return _digest([repr((rule.looks, played)).encode()])

    def right(self, key: str, answers: Iterable[bytes]) -> bool:
        """Whether these are known to be the right answers."""
        return key in self.digests and self.digests[key] == _digest(answers)

    def learn(self, key: str, answers: Iterable[bytes]) -> None:
        """Keep the right answers to a scenario."""
        self.digests[key] = _digest(answers)
        self.changed = True

    def save(self) -> None:
        """Write the file, if there is anything new. Without a folder to write to, nothing is kept."""
        if not self.changed or self.path is None:
            return
        self.changed = False
        known = {"stamp": self.stamp, "digests": self.digests, "drawn": self.drawn}
        text = json.dumps(known, separators=(",", ":")).encode()
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.path, _digest([text]).encode() + b"\n" + text)


def known_answers(exercise: Exercise, seed: int | None = None) -> KnownAnswers:
    """What is known about an exercise on this computer. The random scenarios are kept for the course's seed, the default."""
    return KnownAnswers(exercise, exercise.seed if seed is None else seed, answers_file(exercise))


def answers_file(exercise: Exercise) -> Path:
    """The file for an exercise."""
    return cache_folder() / "answers" / f"{exercise.folder.name}.json"


def new_note(note: str) -> bool:
    """Whether a note has not been shown to this user before. From now on, it has been."""
    path = cache_folder() / "notes.txt"
    try:
        shown = read_text(path, MOST).splitlines()
    except ValueError:
        shown = []
    if note in shown:
        return False
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, "".join(f"{line}\n" for line in [*shown, note]).encode())
    return True


def stamp(exercise: Exercise) -> str:
    """A digest of all that the right answers depend on: the kit's code and data, the rules, the seed, Python and numpy."""
    rules = rules_digest(exercise.folder).encode()
    return _digest([_kit_stamp().encode(), rules, *[str(exercise.seed).encode()] * bool(exercise.seed)])


@cache
def _kit_stamp() -> str:
    return _digest([repr((sys.version, np.__version__)).encode(), kit_digest().encode()])


@cache
def kit_digest() -> str:
    """A digest of the code and data of the kit: the same for every copy, wherever and whenever it was installed."""
    paths = sorted([*PACKAGE.rglob("*.py"), *(PACKAGE / "data").rglob("*.*z")])
    names = [path.relative_to(PACKAGE) for path in paths]
    kept = [name for name in names if name.parts[0] != COURSE]
    return _digest(part for name in kept for part in (name.as_posix().encode(), (PACKAGE / name).read_bytes()))


def rules_digest(folder: Path) -> str:
    """A digest of the rules of the exercise in ``folder``."""
    return _digest([rules_file(folder).read_bytes()])


def _digest(parts: Iterable[bytes]) -> str:
    """A digest of these parts in this order."""
    whole = hashlib.blake2b(digest_size=16)
    for part in parts:
        whole.update(b"%d:" % len(part))
        whole.update(part)
    return whole.hexdigest()


def _as_json(value: Any) -> Any:
    """Part of a scenario as JSON data that tells lists and tuples apart: tuples, which are more frequent, become lists."""
    if isinstance(value, list):
        return {"list": list(map(_as_json, value))}
    if isinstance(value, dict):
        return {"dict": {name: _as_json(item) for name, item in value.items()}}
    return list(map(_as_json, value)) if isinstance(value, tuple) else value


def _from_json(value: Any) -> Any:
    """The inverse of `_as_json`."""
    if isinstance(value, list):
        return tuple(map(_from_json, value))
    if isinstance(value, dict):
        (kind, items) = next(iter(value.items()))
        return list(map(_from_json, items)) if kind == "list" else {name: _from_json(item) for name, item in items.items()}
    return value
