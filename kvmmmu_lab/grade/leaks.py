# SPDX-License-Identifier: GPL-2.0-only
"""Leaks: what in a kit for learners is not for them, with file and line.

A kit is checked before it is written, and again when somebody has edited it. What is looked for: solutions, in stubs, in
notebooks or as text; the instructor's files; settings of the course that are secret; marks; and whatever can't be looked into.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from .. import course_settings, workspace
from ..check.cells import NotANotebook, cells
from ..check.python_source import decoded
from ..check.submission import TAG
from ..errors import DataError, InputError, LabError
from ..exercises import Exercise
from ..files import KINDS, NotJson, parse_json, read_bytes, reason
from ..printable import one_line
from .learner_project import NAME
from .release import SETTINGS, Release, is_for_teachers
from .stubs import difference, written
from .text_lines import Lines, Solutions, text_lines

NOT_LOOKED_INTO = {".git", ".venv", "venv", "node_modules", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
"""Folders in a kit that tools make."""

INSTRUCTORS = {"tests", ".ci", "right", "wrong", "solutions", "comprehension"}
INSTRUCTORS_FILES = {"right.py", "survivors.toml", "mutants.py", "conftest.py", ".gitlab-ci.yml"}
CLASS_FOLDERS = {"submitted", "autograded", "feedback", "submissions"}
MARKS = re.compile(
    r"(record\.sqlite.*|marks\.(csv|jsonl)|gradebook\.(csv|db)|junit\.xml|results\.json|submission_metadata\.yml"
    r"|.*_assignsubmission_.*)"
)
MARKS_CONTENT = (
    re.compile(rb"SQLite format 3\0"),
    re.compile(rb"(\xef\xbb\xbf)?\"?learner\"?[,;\t]"),
    re.compile(rb"\s*\{\"learner\": "),
)
"""How the files of a grader's report begin."""

ARCHIVES = (".zip", ".whl", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bgh[pousr]_\w{36}|\bgithub_pat_\w{20}|\bAKIA[0-9A-Z]{16}\b|\bsk-[\w-]{32}"
    r"|^\s*[\w.\"'-]*(?:password|passwd|secret|token|api_?key)[\w\"'-]*\s*[:=]\s*[\"']?[^\s\"'$<{(]{8}",
    re.IGNORECASE,
)
SETTINGS_FILES = (".toml", ".ini", ".cfg", ".env", ".json", ".yml", ".yaml")
MOST = 64


@dataclass(frozen=True, order=True)
class Leak:
    """Something that learners must not get. ``line`` is 0 for a whole file."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{one_line(self.file)}:{self.line or 1}: {one_line(self.what)}"


@dataclass(frozen=True)
class Stub:
    """The stub of an exercise, as it is in the kit that runs."""

    exercise: Exercise
    source: str
    words: str


@dataclass(frozen=True)
class Recorded:
    """The files of the course at ``root`` as git or the installed wheel has recorded them. ``hashes``: those in the wheel."""

    where: str
    root: Path
    names: set[str]
    hashes: Mapping[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """The text of a file, in git's last commit."""
        content = _git(self.root, "show", f"HEAD:./{name}") if not self.hashes else None
        return None if content is None else decoded(content)

    def changed(self, name: str) -> bool:
        """Whether a file of the wheel was changed after it was installed."""
        if name not in self.hashes:
            return False
        digest = hashlib.sha256(read_bytes(self.root / name)).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=") != self.hashes[name]


def _in_wheel(root: Path) -> Recorded | None:
    try:
        entries = metadata.distribution(NAME).files or []
    except metadata.PackageNotFoundError:
        return None
    prefix = f"{workspace.PACKAGE.name}/{root.name}/"
    own = {entry.as_posix().removeprefix(prefix): entry.hash for entry in entries if entry.as_posix().startswith(prefix)}
    hashes = {name: found.value for name, found in own.items() if found is not None and found.mode == "sha256"}
    return Recorded("the installed wheel", root, {*own}, hashes) if hashes else None


class LeakFinder:
    """Finds leaks in the files of a kit, given the ``release`` that this course would give now.

    ``solutions`` is a folder with right solutions whose text must not be in the kit (default: those of the checkout).
    """

    def __init__(self, release: Release, solutions: Path | None = None) -> None:
        self.release, self.notes = release, list[str]()
        self.recorded = self._recorded()
        self.stubs = {f"exercises/{one.folder.name}": self._stub(one) for one in release.exercises}
        self.defined = {name for one in release.exercises for name in one.defines}
        self.solutions = self._solutions(solutions)

    def _stub(self, exercise: Exercise) -> Stub:
        """The stub of an exercise: that in git, where there is one."""
        name = f"exercises/{exercise.folder.name}/{exercise.name}.py"
        original = self.recorded.text(name) if self.recorded else None
        if self.recorded and original is not None:
            return Stub(exercise, original, f"the stub in {self.recorded.where}")
        return Stub(exercise, decoded(read_bytes(exercise.file)) or "", "the stub of the kit")

    def _solutions(self, given: Path | None) -> Solutions:
        root = self.release.root
        folder = given or root / "tests" / "exercises"
        paths = [path for path in sorted(folder.rglob("*.py")) if given or "right" in (path.parent.name, path.stem)]
        if given is not None and not paths:
            raise InputError("solutions", str(given), "a folder with right solutions, .py files")
        if not paths:
            self.notes.append("no right solutions to compare with: name their folder with --solutions")
        texts = [(_relative(path, root if given is None else given), decoded(read_bytes(path)) or "") for path in paths]
        return Solutions(texts, (stub.source for stub in self.stubs.values()))

    # the kit that would be written

    def in_release(self) -> list[Leak]:
        """What would leak from the kit if it were written now."""
        found = [leak for name, content in self.release.files.items() for leak in self._in_file(name, content)]
        return sorted({*found, *self._changed_sources()})

    def _changed_sources(self) -> Iterator[Leak]:
        """Files of the course that aren't those of git, or of the installed wheel: a stub that was solved, or a stray file."""
        known = self.recorded
        if known is None:
            self.notes.append("neither git nor the installed wheel says which files belong to the course")
            return
        for name in self.release.sources:
            if name not in known.names:
                yield Leak(name, 0, f"not in {known.where}: commit it if it belongs to the course, or move it away")
        for folder, stub in self.stubs.items():
            name = f"{folder}/{stub.exercise.name}.py"
            line = difference(decoded(read_bytes(stub.exercise.file)) or "", stub.source)
            if line or known.changed(name):
                yield Leak(name, line, f"its code differs from the stub in {known.where}")

    def _recorded(self) -> Recorded | None:
        root = self.release.root
        if root != workspace.PACKAGE.parent:
            return _in_wheel(root)
        listed = _git(root, "ls-files", "-z", "--", *workspace.PARTS)
        # nothing listed: no git, or a copy of the kit in another repository
        return Recorded("git", root, {*listed.decode(errors="replace").split("\0")}) if listed else None

    # a kit that is there

    def in_folder(self, kit: Path) -> list[Leak]:
        """What leaks from a kit that was written before, and may have been edited."""
        found = set[Leak]()
        for name, kind in self._walk(kit):
            if kind:
                found.add(Leak(name, 0, f"{kind}, and not a file: remove it"))
                continue
            try:
                content = read_bytes(kit / name, follow=False)
            except DataError as error:
                found.add(Leak(name, 0, f"it can't be looked into ({error.got}): remove it"))
                continue
            known = name in self.release.files or name == SETTINGS
            if not known and not PurePosixPath(name).parts[0].startswith("."):
                self.notes.append(f"not from the kit: {name}")
            found.update(self._in_file(name, content))
            stub = self.stubs.get(str(PurePosixPath(name).parent))
            if stub is not None and PurePosixPath(name).name == f"{stub.exercise.name}.py":
                line = difference(decoded(content) or "", stub.source)
                if line:
                    found.add(Leak(name, line, f"its code differs from {stub.words}"))
        return sorted(found)

    def _walk(self, kit: Path) -> Iterator[tuple[str, str]]:
        """The files in a kit, with the kind in words of what is none."""

        def fail(error: OSError) -> None:
            raise LabError(f"{error.filename or kit} can't be looked into: {reason(error)}")

        for folder, folders, files in os.walk(kit, onerror=fail):
            place = Path(folder).relative_to(kit)
            for name in sorted(folders):
                path = (place / name).as_posix()
                if name in NOT_LOOKED_INTO or name.endswith(".egg-info"):
                    self.notes.append(f"not looked into: {path}, which a tool has made; don't hand it out")
                    folders.remove(name)
                elif (kit / path).is_symlink():
                    yield path, "a link to a folder"
            folders.sort()
            for name in sorted(files):
                mode = os.lstat(Path(folder) / name).st_mode
                kind = next((words for test, words in KINDS.items() if test(mode)), "")
                yield (place / name).as_posix(), kind if not stat.S_ISREG(mode) else ""

    # one file

    def _in_file(self, name: str, content: bytes) -> Iterator[Leak]:
        path = PurePosixPath(name)
        of_package = path.parts[0] == workspace.PACKAGE.name
        if path.suffix == ".pyc":
            if not of_package and not path.name.startswith("test_"):
                yield Leak(name, 0, "compiled code, which may be that of a solution: remove it")
            return
        if not of_package:
            yield from _instructors(name, path)
        yield from _marks(name, path, content, of_package)
        lines = text_lines(name, content)
        if path.suffix in SETTINGS_FILES or path.name.startswith(".env"):
            for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
                if SECRET.search(line):
                    yield Leak(name, number, "it looks like a password, a key or a token")
        if path.suffix == ".toml":
            yield from _settings(name, lines)
        if path.suffix.lower() in ARCHIVES and not of_package:
            yield Leak(name, 0, "an archive, which is not looked into: remove it")
        for number, where in self.solutions.found(lines, engine=of_package):
            yield Leak(name, number, f"the text of a right solution ({where})")
        if path.parts[0] == workspace.PARTS[1] and path.suffix == ".py" and not path.name.startswith("test_"):
            for number, function in written(decoded(content) or "", self._defines(path)):
                yield Leak(name, number, f"{function} is written: a stub only raises NotImplementedError")
        if path.suffix == ".ipynb" and not of_package:
            yield from self._in_notebook(name, path, content, lines)

    def _defines(self, path: PurePosixPath) -> Iterable[str]:
        stub = self.stubs.get(str(path.parent))
        own = stub is not None and path.stem == stub.exercise.name
        return stub.exercise.defines if own and stub is not None else sorted(self.defined)

    def _in_notebook(self, name: str, path: PurePosixPath, content: bytes, lines: Lines) -> Iterator[Leak]:
        try:
            code, book = cells(content), parse_json(content, finite=False)
        except (NotANotebook, NotJson) as error:
            yield Leak(name, 0, f"it can't be looked into ({error}): remove it")
            return
        stub = self.stubs.get(str(path.parent)) or self.stubs.get(str(path.parent.parent))  # .ipynb_checkpoints
        own = stub is not None and path.name.startswith(stub.exercise.name)
        place = _Places(lines)
        for cell in code:
            tagged = TAG in cell.tags
            for number, function in written(cell.source, self._defines(path) if own or tagged else ()):
                line = place.of(cell.source, number)
                yield Leak(name, line, f"{function} is written in {cell.title}: a stub only raises NotImplementedError")
        solution = [cell for cell in code if TAG in cell.tags]
        if own and stub is not None and solution:
            source = "\n\n".join(cell.source for cell in solution)
            line = difference(source, stub.source)
            if line:
                first = solution[0]
                yield Leak(name, place.of(first.source, 1), f"its cells tagged {TAG!r} differ from {stub.words}")
        yield from _more_than_source(name, book, content)


class _Places:
    """The places of cells in a notebook's file."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines

    def of(self, source: str, number: int) -> int:
        """The line of the file in which a line of a cell is; 0 if it isn't found."""
        wanted = source.removesuffix("\n").split("\n")
        texts = [text for _, text in self.lines]
        for at in range(len(texts) - len(wanted) + 1):
            if texts[at : at + len(wanted)] == wanted:
                return self.lines[at + min(number, len(wanted)) - 1][0]
        return 0


def _more_than_source(name: str, book: Mapping[str, Any], content: bytes) -> Iterator[Leak]:
    """Outputs, and notes for teachers, in a notebook."""
    text = content.decode("utf-8", "replace")
    begins = [text.count("\n", 0, found.start()) + 1 for found in re.finditer(r'"cell_type"', text)]
    for number, cell in enumerate(book.get("cells", ())):
        line = begins[number] if len(begins) == len(book["cells"]) else 0
        if cell.get("outputs"):
            yield Leak(name, line, f"cell {number + 1} has outputs, which a release removes")
        if is_for_teachers(cell):
            yield Leak(name, line, f"cell {number + 1} has notes for teachers, which a release removes")


def _instructors(name: str, path: PurePosixPath) -> Iterator[Leak]:
    inside = next((part for part in path.parts[:-1] if part in INSTRUCTORS), "")
    if inside or path.name in INSTRUCTORS_FILES:
        yield Leak(name, 0, "for the instructor: it belongs to the tests of the kit")
    if any(part in CLASS_FOLDERS for part in path.parts[:-1]):
        yield Leak(name, 0, "it lies among what a class has handed in")


def _marks(name: str, path: PurePosixPath, content: bytes, of_package: bool) -> Iterator[Leak]:
    begins_so = any(pattern.match(content[:MOST]) for pattern in MARKS_CONTENT)
    if begins_so or (not of_package and any(map(MARKS.fullmatch, path.parts))):
        yield Leak(name, 0, "marks of a class")


def _settings(name: str, lines: Lines) -> Iterator[Leak]:
    """What only the grader uses, in a course's file, and keys that no course has."""
    for number, line in lines:
        if re.match(rf"\s*(\[\s*)?[\"']?{course_settings.GRADING}[\"']?\s*[\].=]", line):
            yield Leak(name, number, "the settings of the grader are not for learners")
    if name == SETTINGS:
        table, own = False, _released(name, lines)
        for number, line in lines:
            table = table or line.lstrip().startswith("[")
            key = re.match(r"\s*([\w\"'-]+)\s*[.=]", line)
            if key and not table and key[1].strip("\"'") not in (*course_settings.PUBLIC, course_settings.GRADING):
                yield Leak(name, number, f"{key[1]} is not a key of a course")
            elif "#" in line and line not in own:
                yield Leak(name, number, "a comment, which a release removes")


def _released(name: str, lines: Lines) -> set[str]:
    """The lines that a release writes for these settings."""
    try:
        settings = course_settings.of_text("\n".join(line for _, line in lines), name)
    except LabError:
        return set()
    return {*course_settings.as_toml(settings).splitlines()}


def _git(root: Path, *arguments: str) -> bytes | None:
    """What a command of git prints, or None if there is no git or no repository."""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def as_json(leaks: Iterable[Leak], notes: Iterable[str]) -> str:
    """The result as JSON."""
    data = {"leaks": [{"file": one.file, "line": one.line, "what": one.what} for one in leaks], "notes": list(notes)}
    return json.dumps(data, indent=1)
