# SPDX-License-Identifier: GPL-2.0-only
"""Exercises. Each is a folder with a task, a file to edit, hints, and rules that are worth points.

A folder ``exercises/NN_name/`` contains ``README.md`` (the task), ``name.py`` (stubs, the file that a learner edits),
``test_name.py`` (the `Exercise`, with its rules and their scenarios), ``hints.md`` and ``name.ipynb``. A rule is checked
on scenarios. A scenario is a small guest and the steps that it executes. The steps are executed with the learner's part and
with the kit's own part, and the observable states are compared after each step that runs it (`kvmmmu_lab.check`).
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from . import course_settings
from .course_settings import CourseSettings
from .errors import InputError, LabError

StepData = Sequence[Any]
"""A step: a name and operands, such as ("map", "7:12", 0x1F, "PW") (`check.steps`), or an operation of a golden trace."""


@dataclass(frozen=True)
class Scenario:
    """A machine and the steps that it executes.

    ``mode`` is "none" (no paging), "32", "32 pse", "pae" or "64". ``root`` is the gfn of the guest's root table (CR3).
    ``entries`` are the entries in its tables, as (gfn of the table, index, gfn that the entry points to, flags). The flags are
    letters from "PWUADGX", and "S" for PS. ``wp`` and ``nx`` are CR0.WP and EFER.NX. ``slots`` are memory slots, as for `Vm`.
    ``note`` describes the scenario.
    """

    steps: tuple[StepData, ...]
    mode: str = "none"
    root: int = 0
    entries: tuple[tuple[int, int, int, str], ...] = ()
    wp: bool = True
    nx: bool = True
    slots: tuple[tuple[Any, ...], ...] = ((0, 0x100), (0x400, 0x400))
    note: str = ""

    def with_steps(self, steps: Iterable[StepData]) -> Scenario:
        """Return a scenario with the same machine and other steps."""
        return replace(self, steps=tuple(steps))


def play(*steps: StepData, note: str = "", **machine: Any) -> Scenario:
    """Return a scenario. This is a short form of `Scenario` for use in exercise files."""
    return Scenario(steps, note=note, **machine)


@dataclass(frozen=True)
class Golden:
    """Operations executed by the real kernel: the first ``operations`` of a scenario in a golden trace (None: all).

    ``every``: after how many operations the steps in ``then`` are executed again (0: only once, at the end).
    """

    trace: str
    scenario: str
    operations: int | None = None
    every: int = 0
    then: tuple[StepData, ...] = ()


@dataclass(frozen=True)
class Boot:
    """The boot of a real guest: the first ``events`` of its trace (None: all).

    ``way`` is "native" or "emulated" (see `replay.trace_replay`). A native replay writes to page tables through the shadow
    tables, so that missing write protection is noticed. An emulated replay emulates each of these writes, so that all of them
    go through pre-write. ``every``: after how many events the steps in ``then`` are executed again (0: a default number).
    """

    trace: str
    events: int | None = None
    way: str = "native"
    every: int = 0
    then: tuple[StepData, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A requirement on solutions, in one sentence (``says``), and the points for meeting it.

    ``cases`` are directed scenarios; ``drawn`` returns a hypothesis strategy, from which ``examples`` scenarios are drawn;
    ``engine`` lists traces to replay on the whole engine. ``looks`` names the observations that are compared
    (`check.observe`; default: the usual ones). The points of an ``extra`` rule don't count towards the full points.
    """

    name: str
    points: int
    says: str
    cases: tuple[Scenario, ...] = ()
    drawn: Callable[[], Any] | None = None
    examples: int = 40
    engine: tuple[Golden | Boot, ...] = ()
    looks: tuple[str, ...] = ()
    extra: bool = False


@dataclass(frozen=True)
class Exercise:
    """An exercise. ``part`` is the part of the engine to write (`check.parts`); ``defines`` lists what the file must define.

    ``title`` and ``about``, one sentence that says what to write, are also in the task and in the table of all exercises.
    ``full`` lists the traces that ``--full`` replays in addition to those of the rules. ``seed`` chooses the random scenarios.
    """

    title: str
    part: str
    defines: tuple[str, ...]
    rules: tuple[Rule, ...]
    full: tuple[Golden | Boot, ...] = ()
    folder: Path = field(default=Path(), compare=False)
    seed: int = 0
    about: str = ""

    @property
    def name(self) -> str:
        """The name without the number, such as "rmap_add"."""
        return self.folder.name.partition("_")[2]

    @property
    def number(self) -> str:
        """The number, such as "04"."""
        return self.folder.name.partition("_")[0]

    @property
    def heading(self) -> str:
        """The title with the number, such as "Exercise 04: Reverse maps, add"."""
        return f"Exercise {self.number}: {self.title}"

    @property
    def file(self) -> Path:
        """The path of the file with stubs."""
        return self.folder / f"{self.name}.py"

    @property
    def points(self) -> int:
        """The full points: the sum of the points of all rules that aren't ``extra``."""
        return sum(rule.points for rule in self.rules if not rule.extra)

    def in_course(self, settings: CourseSettings) -> Exercise:
        """Return the exercise with the points and the seed of a course. Raises DataError if that names an unknown rule."""
        points, extra = settings.points.get(self.name, {}), settings.extra.get(self.name)
        names = [rule.name for rule in self.rules]
        for key, given in (("points", points), ("extra", extra or ())):
            for rule in given:
                if rule not in names:
                    raise settings.wrong(f"{key}.{self.name}", rule, f"a rule of this exercise: {', '.join(names)}")
        rules = (
            replace(
                rule,
                points=points.get(rule.name, rule.points),
                # a rule that doesn't count is like an extra one: without it, a submission has passed
                extra=(rule.extra if extra is None else rule.name in extra) or points.get(rule.name) == 0,
            )
            for rule in self.rules
        )
        return replace(self, rules=tuple(rules), seed=settings.seed)


def folders(root: Path) -> list[Path]:
    """Return the folders of all exercises in ``root``/exercises, in order."""
    found = (root / "exercises").glob("[0-9][0-9]_*")
    return sorted(path for path in found if rules_file(path).is_file())


def rules_file(folder: Path) -> Path:
    """The file with the rules of the exercise in ``folder``."""
    return folder / f"test_{folder.name.partition('_')[2]}.py"


def find(name: str, root: Path, settings: CourseSettings | None = None) -> Exercise:
    """Return the exercise with this name ("rmap_add", "4", "04" or "04_rmap_add"). Raises InputError if there is none.

    ``settings``: see `load`.
    """
    known = folders(root)
    for folder in known:
        number, _, rest = folder.name.partition("_")
        if name in (folder.name, number, rest, number.lstrip("0")):
            return load(folder, settings)
    expected = f"one of {', '.join(folder.name.partition('_')[2] for folder in known)}" if known else "an exercise"
    raise InputError("exercise", name, expected)


def load(folder: Path, settings: CourseSettings | None = None) -> Exercise:
    """Load an exercise from the ``test_NAME.py`` in its folder. Raises InputError if there is none.

    It has the points and the seed of ``settings`` (default: those of the course that the folder belongs to).
    """
    path = rules_file(folder)
    if not path.is_file():
        raise InputError("exercise", str(folder), f"a folder with {path.name} in it")
    exercise = getattr(_module(path), "EXERCISE", None)
    if not isinstance(exercise, Exercise):
        raise InputError("exercise", str(path), "a file that defines EXERCISE")
    return replace(exercise, folder=folder).in_course(settings_of(folder.parent.parent) if settings is None else settings)


def settings_of(root: Path) -> CourseSettings:
    """Return the settings that come with the course at ``root``: those of exercises/course.toml. Raises DataError."""
    path = root / "exercises" / course_settings.NAME
    return course_settings.read(path) if path.is_file() else CourseSettings()


def check_settings(settings: CourseSettings, root: Path) -> None:
    """Check that all exercises and rules in ``settings`` are those of the course at ``root``. Raises DataError."""
    known = {folder.name.partition("_")[2]: folder for folder in folders(root)}
    for key, names in (("exercises", settings.exercises), ("points", settings.points), ("extra", settings.extra)):
        for name in names:
            if name not in known:
                raise settings.wrong(key, name, f"exercises of the kit: {', '.join(known)}")
            load(known[name], settings)


def _module(path: Path) -> ModuleType:
    name = f"kvmmmu_lab_exercise_{path.parent.name}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and strategies look up their module here
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise LabError(f'exercises need {error.name}, which is missing: pip install "kvmmmu-lab[lab]"') from error
    return module
