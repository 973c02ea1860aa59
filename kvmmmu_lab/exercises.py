# SPDX-License-Identifier: GPL-2.0-only
"""What an exercise is: a folder with a task, a file to edit, hints, and rules, each worth points.

A folder ``exercises/NN_name/`` holds ``README.md`` (the task), ``name.py`` (stubs, the file that a learner edits),
``test_name.py`` (the `Exercise`, its rules and what they are tried on), ``hints.md`` and ``name.ipynb``. A rule is tried
on scenarios: a small guest, and steps. The part under test and the kit's own go through the same steps, and what can be
observed after each of them is compared (`kvmmmu_lab.check`).
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import InputError, LabError

StepData = Sequence[Any]
"""A name and operands, ("map", "7:12", 0x1F, "PW"), see `check.steps`; or an operation of a golden trace, a dict."""


@dataclass(frozen=True)
class Scenario:
    """A machine and what happens to it.

    ``mode`` is "none" (no paging), "32", "32 pse", "pae" or "64"; ``root`` the gfn of the guest's root table (CR3);
    ``entries`` are what its tables hold: (gfn of the table, index, gfn that it leads to, flags as letters of "PWUADGX" and
    "S" for PS). ``wp`` and ``nx`` are CR0.WP and EFER.NX; ``slots`` as for `Vm`. ``note`` says what it is about.
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
        """The same machine, other steps."""
        return replace(self, steps=tuple(steps))


def play(*steps: StepData, note: str = "", **machine: Any) -> Scenario:
    """A `Scenario`, in a shorter form."""
    return Scenario(steps, note=note, **machine)


@dataclass(frozen=True)
class Golden:
    """Operations of the real kernel: the first ``operations`` of a scenario of a golden trace (all: None).

    ``then`` are steps that follow after each ``every`` operations.
    """

    trace: str
    scenario: str
    operations: int | None = None
    every: int = 0
    then: tuple[StepData, ...] = ()


@dataclass(frozen=True)
class Boot:
    """A stretch of a real guest's life: the first ``events`` of its trace (all: None).

    ``way``: "native" writes through the shadow tables, so that missing write protection shows; "emulated" lets the host
    perform every write to a page table, so that all go through pre-write (`verify.replay`). ``then`` are steps that follow
    after each ``every`` events.
    """

    trace: str
    events: int | None = None
    way: str = "native"
    every: int = 0
    then: tuple[StepData, ...] = ()


@dataclass(frozen=True)
class Rule:
    """What must hold, in one sentence, and what it is worth.

    ``cases`` are directed scenarios; ``drawn`` makes a hypothesis strategy of scenarios, of which ``examples`` are tried;
    ``engine`` are stretches for the whole engine. ``looks`` names what is compared (`check.observe`), by default the usual
    observations. ``extra`` points come on top of full ones.
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
    """An exercise. ``part`` names what is replaced (`check.parts`), ``defines`` what the file must define.

    ``full`` are the stretches that ``--full`` replays in addition to those of the rules.
    """

    title: str
    part: str
    defines: tuple[str, ...]
    rules: tuple[Rule, ...]
    full: tuple[Golden | Boot, ...] = ()
    picture: str = ""
    folder: Path = field(default=Path(), compare=False)

    @property
    def name(self) -> str:
        """Its name, without the number: "rmap_add"."""
        return self.folder.name.partition("_")[2]

    @property
    def number(self) -> str:
        """Its number: "04"."""
        return self.folder.name.partition("_")[0]

    @property
    def file(self) -> Path:
        """The file with stubs."""
        return self.folder / f"{self.name}.py"

    @property
    def points(self) -> int:
        """Full points."""
        return sum(rule.points for rule in self.rules if not rule.extra)


def folders(root: Path) -> list[Path]:
    """The folders of all exercises below ``root``/exercises, in their order."""
    found = (root / "exercises").glob("[0-9][0-9]_*")
    return sorted(path for path in found if (path / f"test_{path.name.partition('_')[2]}.py").is_file())


def find(name: str, root: Path) -> Exercise:
    """The exercise of this name ("rmap_add", "04", "04_rmap_add"). Raises InputError."""
    known = folders(root)
    for folder in known:
        number, _, rest = folder.name.partition("_")
        if name in (folder.name, number, rest, number.lstrip("0")):
            return load(folder)
    expected = f"one of {', '.join(folder.name.partition('_')[2] for folder in known)}" if known else "an exercise"
    raise InputError("exercise", name, expected)


def load(folder: Path) -> Exercise:
    """The exercise in a folder, from its ``test_NAME.py``. Raises InputError for a folder without one."""
    name = folder.name.partition("_")[2]
    path = folder / f"test_{name}.py"
    if not path.is_file():
        raise InputError("exercise", str(folder), f"a folder with {path.name} in it")
    exercise = getattr(_module(path), "EXERCISE", None)
    if not isinstance(exercise, Exercise):
        raise InputError("exercise", str(path), "a file that defines EXERCISE")
    return replace(exercise, folder=folder)


def _module(path: Path) -> ModuleType:
    name = f"kvmmmu_lab_exercise_{path.parent.name}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and strategies look for their module
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise LabError(f'exercises need {error.name}, which is missing: pip install "kvmmmu-lab[lab]"') from error
    return module
