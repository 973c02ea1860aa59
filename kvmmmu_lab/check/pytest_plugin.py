# SPDX-License-Identifier: GPL-2.0-only
"""The plugin for pytest: ``pytest exercises/04_rmap_add [--submission FILE] [--full] [--inline]`` checks an exercise.

A module with an `EXERCISE` gets one test for each rule. The submission runs in a worker; pytest itself only sees the verdicts.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import LabError
from ..files import read_bytes
from ..printable import one_line, printable
from ..workspace import MANIFEST, PACKAGE

if TYPE_CHECKING:
    from ..exercises import Exercise, Rule
    from .judge import Judge
    from .report import Verdict


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's command-line options."""
    group = parser.getgroup("kvmmmu-lab", "exercises of kvmmmu-lab")
    group.addoption("--submission", metavar="FILE", help="check this .py or .ipynb instead of the exercise's own file")
    group.addoption("--full", action="store_true", help="replay every trace that suits the exercise, not only parts of a few")
    group.addoption("--inline", action="store_true", help="run it in this process, for a debugger; the result does not count")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Check exercises without the learner's configuration of pytest: it would run in the judge's process.

    Where there is some, pytest starts again without it, and says so. Before the output is captured: so it is a wrapper.
    """
    paths = _given(early_config)
    if all(map(_is_exercises, paths)):
        found = _configuration(early_config, paths)
        if found:
            names = ", ".join(one_line(str(path)) for path in found)
            print(f"Exercises are checked without your own configuration of pytest: {names}", file=sys.stderr, flush=True)
            raise SystemExit(_without_configuration(early_config, paths[0]))
    return (yield)


def _given(config: pytest.Config) -> list[Path]:
    """The folders in which pytest looks for tests."""
    names = config.known_args_namespace.file_or_dir or [config.invocation_params.dir]
    paths = [Path(config.invocation_params.dir, str(name).partition("::")[0]).absolute() for name in names]
    return [path if path.is_dir() else path.parent for path in paths]


def _is_exercises(folder: Path) -> bool:
    """Whether ``folder`` is an exercise, or holds exercises, or is a working folder."""
    name = folder.name.partition("_")[2]
    among = folder.name == "exercises" and (folder / "README.md").is_file()
    return among or (folder / f"test_{name}.py").is_file() or (folder / MANIFEST).is_file()


def _configuration(config: pytest.Config, paths: list[Path]) -> list[Path]:
    """The file with settings and the ``conftest.py`` files that pytest would use for exercises in these folders."""
    found = [config.inipath] if config.inipath is not None and _has_settings(config.inipath) else []
    if config.known_args_namespace.noconftest:
        return found
    top = config.known_args_namespace.confcutdir or (config.inipath.parent if config.inipath else config.rootpath)
    for folder in dict.fromkeys(folder for path in paths for folder in (path, *path.parents)):
        conftest = folder / "conftest.py"
        if conftest.is_file() and (folder.is_relative_to(top) or _is_exercises(folder)):
            found.append(conftest)
    return found


def _has_settings(path: Path) -> bool:
    """Whether a file that pytest has chosen has settings, which aren't those of a checkout of the kit."""
    if path in (PACKAGE.parent / "pyproject.toml", Path(os.devnull)):
        return False
    # pytest takes a pyproject.toml without settings as a sign of where a project begins
    return path.name != "pyproject.toml" or b"[tool.pytest" in read_bytes(path)


def _without_configuration(config: pytest.Config, folder: Path) -> int:
    """Run pytest with the same arguments, but without settings and ``conftest.py`` files; return its exit status."""
    # not `-m pytest`, which would import modules from the current folder
    program = "import sys; sys.path.remove(''); import pytest; sys.exit(pytest.console_main())"
    options = ["-c", os.devnull, "--rootdir", str(folder), "--noconftest"]
    command = [sys.executable, "-c", program, *map(str, config.invocation_params.args), *options]
    return subprocess.call(command, cwd=config.invocation_params.dir)


def pytest_configure(config: pytest.Config) -> None:
    """Prevent ``import`` from finding files in an exercise's folder."""
    if all(map(_is_exercises, _given(config))):
        config.option.importmode = "importlib"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test for each rule."""
    exercise = getattr(metafunc.module, "EXERCISE", None)
    if exercise is not None and "rule" in metafunc.fixturenames:
        metafunc.parametrize("rule", exercise.rules, ids=[rule.name for rule in exercise.rules])


class Checked:
    """The submission under test, and the ``verdicts`` on it so far."""

    def __init__(self, exercise: Exercise, judge: Judge, inline: bool) -> None:
        self.exercise, self.judge, self.inline = exercise, judge, inline
        self.verdicts: list[Verdict] = []

    def obeys(self, rule: Rule) -> None:
        """Fail with an explanation for the learner unless the rule holds."""
        from .report import NOT_ATTEMPTED, PASSED, explained

        verdict = self.judge.rule(next(own for own in self.exercise.rules if own.name == rule.name))
        wrong_before = any(other.status not in (PASSED, NOT_ATTEMPTED) for other in self.verdicts)
        self.verdicts.append(verdict)
        if verdict.status == NOT_ATTEMPTED and rule.extra:
            pytest.skip("extra, not attempted")
        if verdict.status == NOT_ATTEMPTED:
            pytest.fail(f"Not attempted: {rule.says}", pytrace=False)
        if verdict.status != PASSED:
            if wrong_before and verdict.failure is not None:  # only the first failure gets a picture
                verdict = replace(verdict, failure=replace(verdict.failure, picture=None, difference=None))
            pytest.fail(explained(verdict, self.exercise), pytrace=False)


@pytest.fixture(scope="module")
def submission(request: pytest.FixtureRequest) -> Iterator[Checked]:
    """The submission that is checked: ``--submission``, or the file in the exercise's folder."""
    from ..exercises import find, settings_of
    from ..workspace import course_root
    from .judge import Judge
    from .report import Report
    from .submission import read, submitted_file

    config, path = request.config, Path(request.module.__file__)
    chosen, inline = config.getoption("--submission"), bool(config.getoption("--inline"))
    try:
        exercise = replace(request.module.EXERCISE, folder=path.parent).in_course(settings_of(course_root()))
        given = read(Path(chosen) if chosen else submitted_file(find(exercise.name, course_root()), path.parent))
    except LabError as error:
        pytest.fail(str(error), pytrace=False)
    seed = config.getoption("--hypothesis-seed", default=None)
    seed = int(seed) if str(seed).isdigit() else exercise.seed
    judge = Judge(exercise, given, seed=seed, full=bool(config.getoption("--full")), inline=inline)
    with judge:
        checked = Checked(exercise, judge, inline)
        yield checked
    report = judge.report_on(checked.verdicts)
    config.stash.setdefault(REPORTS, []).append((report, inline))
    assert isinstance(report, Report)


REPORTS = pytest.StashKey[list[Any]]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print points, verdicts and notes."""
    for report, inline in config.stash.get(REPORTS, []):
        from .answers import new_note
        from .sandbox.inline import INLINE

        terminalreporter.section("exercise")
        tried = len(report.verdicts) == len(report.exercise.rules)
        terminalreporter.line(report.head if tried else f"{report.head}: {len(report.verdicts)} rules tried")
        for verdict in report.verdicts:
            terminalreporter.line(f"  {verdict.line}")
        for note in [*([INLINE] * inline), *report.submission.notes, *filter(new_note, report.notes), *report.printed_lines()]:
            terminalreporter.line(f"  {printable(note)}")
