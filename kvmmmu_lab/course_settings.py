# SPDX-License-Identifier: GPL-2.0-only
"""The settings of a course: which exercises belong to it, the points of their rules, the seed. They are in one file, in TOML.

`exercises.settings_of` finds the file that comes with a course, and `exercises.load` applies it: every check, wherever it is
started, then uses the course's points and seed. ``kvmmmu-lab release`` writes the file; ``--example-course`` prints one.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from .errors import DataError, LabError
from .files import read_text

NAME = "course.toml"
"""The name of the file, in the folder of the exercises."""

PUBLIC = ("title", "seed", "exercises", "points", "extra")
"""The keys that learners may see."""

GRADING = "grading"
"""The table of what only the grader uses; it is never released."""

MOST_POINTS = 1000
MOST_SEED = (1 << 63) - 1
MOST_SECONDS = 86400
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class CourseSettings:
    """The settings of a course.

    ``exercises`` are names ("rmap_add"), in their order; none means all. ``points`` are those of rules, by the names of
    exercise and rule, if they aren't those of the kit; a rule with 0 points is checked, but doesn't count. ``extra`` names, for
    an exercise, all rules whose points are extra, if they aren't those of the kit. ``seed`` chooses the random scenarios.
    ``timeout`` is the time in seconds for one check; 0 means the usual one. ``file`` is where they were read, for messages.
    """

    title: str = ""
    seed: int = 0
    exercises: tuple[str, ...] = ()
    points: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    timeout: float = 0.0
    file: str = field(default="", compare=False)

    def wrong(self, key: str, got: object, expected: str) -> DataError:
        """An error about a key."""
        return _error(self.file or "the course", key, got, expected)


def read(path: Path, *, grading: bool = False) -> CourseSettings:
    """Read the settings of a course. ``grading``: what the table [grading] says comes first. Raises DataError.

    Whether there are such exercises and rules is checked in `exercises.check_settings`.
    """
    return of_text(read_text(path, MOST_BYTES), str(path), grading=grading)


def of_text(text: str, file: str, *, grading: bool = False) -> CourseSettings:
    """Return the settings that the text of a ``file`` holds, as `read` does."""
    return _settings(file, parsed(text, file), grading)


def parsed(text: str, file: str) -> dict[str, Any]:
    """Return the tables of a text in TOML. Raises DataError."""
    toml = _toml()
    try:
        found: dict[str, Any] = toml.loads(text)
    except (toml.TOMLDecodeError, RecursionError, ValueError) as error:
        raise DataError(file, f"not TOML: {error}", "lines such as seed = 7") from None
    return found


def _toml() -> ModuleType:
    name = "tomllib" if sys.version_info >= (3, 11) else "tomli"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise LabError(f'TOML is read with {error.name}, which is missing: pip install "kvmmmu-lab[lab]"') from error


def _error(file: str, key: str, got: object, expected: str) -> DataError:
    return DataError(file, f"{key} is {got if isinstance(got, _Missing) else repr(got)}", expected)


class _Missing(str):
    """What is there instead of a value, in words."""


def _settings(file: str, found: dict[str, Any], grading: bool) -> CourseSettings:
    def wrong(key: str, got: object, expected: str) -> NoReturn:
        raise _error(file, key, got, expected)

    for key in found:
        if key not in (*PUBLIC, GRADING):
            wrong(key, _Missing("not a key of a course"), f"one of {', '.join((*PUBLIC, GRADING))}")
    title = found.get("title", "")
    if not isinstance(title, str) or len(title) > 200 or not title.isprintable():
        wrong("title", title, "a line of text, at most 200 characters")
    own = found.get(GRADING, {})
    if not isinstance(own, dict) or not own.keys() <= {"seed", "timeout"}:
        wrong(GRADING, own, "a table with seed or timeout, or both")
    seed = _seed("seed", found.get("seed", 0), wrong)
    own_seed, timeout = _seed(f"{GRADING}.seed", own.get("seed", seed), wrong), own.get("timeout", 0.0)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 <= timeout <= MOST_SECONDS:
        wrong(f"{GRADING}.timeout", timeout, f"a number of seconds up to {MOST_SECONDS}, or 0 for the usual time")
    names = found.get("exercises", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        wrong("exercises", names, 'a list of different names, such as ["split", "walk"]')
    if "exercises" in found and not names:
        wrong("exercises", names, "at least one name; leave out the line for all exercises")
    points = _table("points", found, wrong)
    for name, rules in points.items():
        if not isinstance(rules, dict):
            wrong(f"points.{name}", rules, f"a table [points.{name}] with lines such as first = 2")
        for rule, value in rules.items():
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_POINTS:
                wrong(f"points.{name}.{rule}", value, f"a whole number from 0 to {MOST_POINTS}")
    extra = _table("extra", found, wrong)
    for name, rules in extra.items():
        if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
            wrong(f"extra.{name}", rules, "a list of the rules whose points are extra")
    return CourseSettings(
        title.strip(),
        own_seed if grading else seed,
        tuple(names),
        points,
        {name: tuple(rules) for name, rules in extra.items()},
        float(timeout) if grading else 0.0,
        file,
    )


def _seed(key: str, value: object, wrong: Callable[[str, object, str], NoReturn]) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_SEED:
        wrong(key, value, f"a whole number from 0 to {MOST_SEED}")
    return value


def _table(key: str, found: dict[str, Any], wrong: Callable[[str, object, str], NoReturn]) -> dict[str, Any]:
    value = found.get(key, {})
    if not isinstance(value, dict):
        wrong(key, value, f"a table [{key}]")
    return value


def as_toml(settings: CourseSettings) -> str:
    """The settings that learners may see, as a file: written anew, without comments, and without what only the grader uses."""
    lines = ["# The points, rules and seed of this course. Every check in this kit uses them."]
    lines += [f"title = {_text(settings.title)}"] * bool(settings.title)
    lines += [f"seed = {settings.seed}"]
    lines += [f"exercises = [{', '.join(map(_text, settings.exercises))}]"] * bool(settings.exercises)
    for name, rules in settings.points.items():
        lines += ["", f"[points.{_key(name)}]", *(f"{_key(rule)} = {value}" for rule, value in rules.items())]
    if settings.extra:
        rows = (f"{_key(name)} = [{', '.join(map(_text, rules))}]" for name, rules in settings.extra.items())
        lines += ["", "[extra]", *rows]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else _text(name)


def _text(text: str) -> str:
    """A string of TOML: JSON's escapes are TOML's, too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
