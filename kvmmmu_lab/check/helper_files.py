# SPDX-License-Identifier: GPL-2.0-only
"""The files beside a submission that it uses: modules and packages that it imports, and files that it names."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..errors import DataError
from ..files import read_bytes, reason
from ..workspace import PACKAGE, course_root
from .deadline import Deadline
from .python_source import decoded, parsed
from .sandbox.limits import HELPER_FILES, HELPERS

EARLY = {
    "abc", "builtins", "codecs", "collections", "encodings", "enum", "functools", "io", "keyword", "operator", "os",
    "posixpath", "re", "reprlib", "site", "stat", "sys", "time", "types", "warnings", "zipimport", *sys.builtin_module_names,
}  # fmt: skip
"""Modules that Python has loaded before it runs a file; a file beside it never takes their place."""

LOOKED_AT = 20_000
"""The maximum number of files and folders that are looked at in a folder that may be taken along."""


@dataclass
class Uses:
    """What some source refers to: ``modules`` that it imports ("tools.bits"), and the ``strings`` in it."""

    modules: set[str] = field(default_factory=set)
    strings: set[str] = field(default_factory=set)


def imports_of(*trees: ast.AST) -> Uses:
    """What syntax trees refer to."""
    uses = Uses()
    for node in (node for tree in trees for node in ast.walk(tree)):
        match node:
            case ast.Import(names):
                uses.modules.update(alias.name for alias in names)
            case ast.ImportFrom(str(module), names, 0):
                uses.modules.update([module, *(f"{module}.{alias.name}" for alias in names)])
            case ast.Constant(str(text)) if len(text) < 200 and "\n" not in text:
                uses.strings.add(text)
            case ast.Call(ast.Attribute(attr="run_line_magic"), [ast.Constant("run"), ast.Constant(str(line))]):
                words = [word.strip("'\"") for word in line.split()]
                uses.strings.update([*words, *(f"{word}.py" for word in words)])
            case ast.Call(ast.Name("__import__") | ast.Attribute(attr="import_module"), [ast.Constant(str(module)), *_]):
                uses.modules.add(module)
    return uses


def files_beside(path: Path, uses: Uses, deadline: Deadline) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files that are taken along with the submission ``path``, by relative name; and sentences about them.

    Raises OutOfTime after the ``deadline``.
    """
    search = _Search(path, deadline)
    search.follow(uses)
    notes = []
    taken = sorted(search.files.keys() - {path.name})
    if taken:
        notes.append(f"taken along: {', '.join(taken)}")
    notes += search.refused
    return search.files, tuple(notes)


class _Search:
    """A search for files in the folder of ``path``."""

    def __init__(self, path: Path, deadline: Deadline) -> None:
        self.path, self.folder, self.deadline = path.absolute(), path.absolute().parent, deadline
        self.most = int(HELPER_FILES.value)
        self.files: dict[str, bytes] = {}
        self.refused: list[str] = []
        self.seen = set[Path]()
        # a notebook's kernel has loaded almost all standard modules; a file beside the notebook doesn't replace them
        self.loaded = EARLY | {PACKAGE.name} | (set() if path.suffix.lower() == ".py" else sys.stdlib_module_names)

    def follow(self, uses: Uses) -> None:
        """Take the modules and files that are referred to, and what they refer to."""
        for name in sorted(uses.modules):
            if name.partition(".")[0] not in self.loaded:
                self._module(name)
        for name in sorted(uses.strings):
            if _inside(name) and name != self.path.name:
                self._named(self.folder / name)

    def _named(self, path: Path) -> None:
        """Take a file, or all files in a folder."""
        try:
            if not path.is_dir():
                self._take(path)
            elif path not in self.seen and not _of_the_kit(path):
                self.seen.add(path)
                for each in self._all_in(path, "*"):
                    self._take(each)
        except (OSError, ValueError):  # the string is no file name here
            return

    def _module(self, name: str) -> None:
        """Take a module, and everything in the package that it is in."""
        top = self.folder / name.partition(".")[0]
        if (top / "__init__.py").is_file():
            self._package(top)
        elif top.with_name(f"{top.name}.py").is_file():
            self._take(top.with_name(f"{top.name}.py"))
        elif "." in name and top.is_dir():  # a package without __init__.py
            self._package(top)

    def _package(self, folder: Path) -> None:
        if folder in self.seen:
            return
        self.seen.add(folder)
        for path in self._all_in(folder, "*.py"):
            self._take(path)

    def _all_in(self, folder: Path, pattern: str) -> list[Path]:
        """All files in a folder that match, in order; none if there are too many."""
        found: list[Path] = []
        for number, path in enumerate(folder.rglob(pattern)):
            self.deadline.check()
            if not _hidden(path.relative_to(folder)) and path.is_file():
                found.append(path)
            if len(found) > self.most or number > LOOKED_AT:
                limit = HELPER_FILES.words if len(found) > self.most else f"{LOOKED_AT} files and folders to look at"
                self.refused.append(f"the folder {folder.name} is not taken along: it has more than {limit}")
                return []
        return sorted(found)

    def _take(self, path: Path) -> None:
        """Take a file, and follow what it refers to if it is a module."""
        self.deadline.check()
        if path in self.seen:
            return
        self.seen.add(path)
        try:
            if not path.is_file() or _of_the_kit(path):
                return
            name, size = path.relative_to(self.folder).as_posix(), path.stat().st_size
            if len(self.files) == self.most or sum(map(len, self.files.values())) + size > HELPERS.bytes:
                limit = (HELPER_FILES if len(self.files) == self.most else HELPERS).words
                self.refused.append(f"{name} is not taken along: the limit for the files beside a submission is {limit}")
                return
            content = read_bytes(path, size)
        except (OSError, ValueError) as error:
            found = error.got if isinstance(error, DataError) else reason(error)
            self.refused.append(f"{path.name} is not taken along: {found}")
            return
        self.files[name] = content
        text = decoded(content) if path.suffix == ".py" else None
        tree = parsed(text) if text is not None else None
        if tree is not None:
            self.follow(imports_of(tree))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def _inside(name: str) -> bool:
    """Whether a string can be the name of a file in the submission's folder."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and not any(part.startswith(".") for part in path.parts)


def _of_the_kit(path: Path) -> bool:
    """Whether a file belongs to the kit or is the test of an exercise: a submission must not read these."""
    real, course = path.resolve(), course_root().resolve()
    return real.is_relative_to(PACKAGE) or (real.is_relative_to(course) and real.name.startswith("test_"))
