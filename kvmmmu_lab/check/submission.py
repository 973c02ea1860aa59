# SPDX-License-Identifier: GPL-2.0-only
"""A submission: a Python file, a notebook's cells tagged ``solution``, or objects from a running notebook."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DataError, InputError
from ..exercises import Exercise
from ..files import MOST_BYTES, read_bytes, reading
from .cells import Cell, NotANotebook, as_python, cells, left_out, used_from
from .deadline import Deadline
from .helper_files import files_beside, imports_of
from .python_source import decoded, parsed, used_from_main
from .sandbox.limits import SOURCE

STAYS = (
    ast.While, ast.Pass, ast.Continue, ast.If, ast.Expr, ast.Constant, ast.Assign, ast.AugAssign, ast.Add, ast.Name, ast.Load,
    ast.Store,
)  # fmt: skip
FUNCTIONS, LOOPS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda), (ast.For, ast.While, ast.AsyncFor)

TAG = "solution"
CELLS = "your cells"
"""The name of a submission that consists of objects from a running notebook."""


@dataclass(frozen=True)
class Unit:
    """A piece of source that is compiled on its own: a file, or a cell.

    ``file`` is the file name in its code objects, ``label`` names it in messages; it is empty for the submission's own file.
    ``above`` is the number of lines of the cell that stand above the source, such as ``%%time``.
    """

    file: str
    source: str
    label: str = ""
    above: int = 0

    @property
    def lines(self) -> list[str]:
        """The lines as Python counts them: a form feed or U+2028 doesn't end a line."""
        return self.source.split("\n")


@dataclass(frozen=True)
class Submission:
    """What a learner hands in. ``name`` is for messages (such as a file's name), ``path`` for debuggers.

    ``source`` is the text of a file. ``cells`` are those of a notebook, in Python. ``objects`` is a pickle, by names, of what
    was given in a running notebook (then ``cells`` are only for messages); the judge never loads it. ``files`` are files that
    the submission uses, by their names relative to it. ``notes`` says in sentences what was taken along and what was not.
    """

    source: str
    name: str
    path: str = ""
    cells: tuple[Unit, ...] = ()
    objects: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def units(self) -> tuple[Unit, ...]:
        """The pieces of source, in their order."""
        return self.cells or (Unit(self.name, self.source),)

    def place(self, file: object, line: object) -> tuple[str, str]:
        """A place in words ("line 6", "your cell, line 6", "helper.py, line 6") and its code without indentation."""
        unit = self._unit(file)
        if unit is None or not isinstance(line, int) or not line > 0:
            return "", ""
        number = line + unit.above
        words = f"{unit.label}, line {number}" if unit.label else f"line {number}"
        return words, unit.lines[line - 1].strip() if line <= len(unit.lines) else ""

    def loop(self, file: object, line: object) -> int:
        """The line where the outermost loop begins that is around a line, in the same function; else the line itself."""
        unit = self._unit(file)
        tree = parsed(unit.source) if unit is not None else None
        if tree is None or not isinstance(line, int):
            return line if isinstance(line, int) else 0
        around = [node for node in ast.walk(tree) if getattr(node, "lineno", line + 1) <= line <= (_last_line(node) or 0)]
        functions = [node.lineno for node in around if isinstance(node, FUNCTIONS)]
        inside = max(functions, default=0)
        loops = [node.lineno for node in around if isinstance(node, LOOPS) and node.lineno >= inside]
        return min(loops, default=line)

    def endless(self, file: object, line: object) -> bool:
        """Whether a line is in a loop that never ends, whatever happens in it: "while True:" without a way out."""
        unit = self._unit(file)
        tree = parsed(unit.source) if unit is not None else None
        if tree is None or not isinstance(line, int):
            return False
        loops = [node for node in ast.walk(tree) if isinstance(node, ast.While)]
        around = [loop for loop in loops if loop.lineno <= line <= (_last_line(loop) or 0)]
        return any(
            isinstance(loop.test, ast.Constant) and loop.test.value and all(map(_stays, ast.walk(loop))) for loop in around
        )

    def _unit(self, file: object) -> Unit | None:
        for unit in self.units:
            if unit.file == file:
                return unit
        if isinstance(file, str) and file in self.files:
            return Unit(file, decoded(self.files[file]) or "", file)
        return None


def _stays(node: ast.AST) -> bool:
    """Whether a part of a loop can neither leave it nor raise an exception after the first time."""
    return isinstance(node, STAYS)


def read(path: Path, deadline: Deadline | None = None) -> Submission:
    """Read a submission file, and the files beside it that it uses.

    Raises DataError if it can't be read, is not text, or is a notebook without a solution; OutOfTime after the ``deadline``.
    """
    deadline = (deadline or Deadline()).for_reading
    kind = path.suffix.lower()
    if kind not in (".py", ".ipynb"):
        raise DataError(str(path), "a file of another kind", "a .py file, or an .ipynb with cells tagged 'solution'")
    # the outputs of a notebook take much more room than its code
    content = read_bytes(path, max(SOURCE.bytes, MOST_BYTES))
    with reading(path, "a submission"):
        return (_read_file if kind == ".py" else _read_notebook)(content, path, deadline)


def _check_size(path: Path, size: int) -> None:
    if size > SOURCE.bytes:
        raise DataError(str(path), f"{size:,} bytes of code", f"at most {SOURCE.words}")


def _read_file(content: bytes, path: Path, deadline: Deadline) -> Submission:
    _check_size(path, len(content))
    text = decoded(content)
    if text is None:
        expected = "text that Python can read: in UTF-8, or with a coding cookie in line 1 or 2 (PEP 263)"
        raise DataError(str(path), "no such text", expected)
    tree = parsed(text)
    files, notes = files_beside(path, imports_of(tree), deadline) if tree is not None else ({}, ())
    lost = sorted(used_from_main(tree)) if tree is not None else []
    if lost:
        where = 'which only the block under if __name__ == "__main__" defines; that block does not run during a check'
        notes = (*notes, f"your code uses {', '.join(lost)}, {where}")
    return Submission(text, path.name, str(path.absolute()), files=files, notes=notes)


def _read_notebook(content: bytes, path: Path, deadline: Deadline) -> Submission:
    try:
        code = cells(content)
    except NotANotebook as error:
        raise DataError(str(path), str(error), "a notebook (JSON with cells)") from None
    tagged = [cell for cell in code if TAG in cell.tags]
    if not tagged:
        raise DataError(str(path), "no cell tagged 'solution'", "a notebook with code cells tagged 'solution'")
    _check_size(path, sum(len(cell.source.encode("utf-8", "replace")) for cell in tagged))
    units = tuple(_unit(cell, path.name, deadline, alone=len(tagged) == 1) for cell in tagged)
    trees = [tree for unit in units if (tree := parsed(unit.source)) is not None]
    files, notes = files_beside(path, imports_of(*trees), deadline)
    said = [sentence for unit, cell in zip(units, tagged, strict=True) for sentence in left_out(unit.source, cell.title)]
    said += used_from(trees, [cell for cell in code if TAG not in cell.tags], deadline)
    source = "\n\n".join(unit.source for unit in units)
    return Submission(source, path.name, str(path.absolute()), units, files=files, notes=(*notes, *said))


def _unit(cell: Cell, name: str, deadline: Deadline, *, alone: bool) -> Unit:
    return Unit(f"{name}, {cell.title}", as_python(cell.source, deadline), "your cell" if alone else cell.title)


def submitted_file(exercise: Exercise, folder: Path) -> Path:
    """The learner's file in their copy of an exercise's folder, or the notebook if only the notebook was changed.

    Raises DataError if there is no file.
    """
    path, book = folder / exercise.file.name, folder / f"{exercise.name}.ipynb"
    if not path.is_file():
        ways = "go to your working folder, name it with --folder, or make one with kvmmmu-lab --print-only"
        expected = f"your file for this exercise: {ways}"
        raise DataError(str(path), "no such file", expected)
    with contextlib.suppress(InputError, OSError):
        if _same_code(path, exercise.file) and book.is_file() and _changed(book, exercise.folder / book.name):
            return book
    return path


def _last_line(node: ast.AST) -> int | None:
    return getattr(node, "end_lineno", None)


def _same_code(path: Path, stub: Path) -> bool:
    """Whether a file is the stub, whatever its encoding, line ends, comments and blank lines."""
    mine, given = decoded(read_bytes(path, SOURCE.bytes)), decoded(read_bytes(stub))
    if mine is None or given is None:
        return False
    trees = parsed(mine), parsed(given)
    return mine == given or (None not in trees and ast.dump(trees[0]) == ast.dump(trees[1]))  # type: ignore[arg-type]


def _changed(book: Path, given: Path) -> bool:
    """Whether the solution's cells of a notebook differ from those of the course."""
    texts = []
    for path in (book, given):
        try:
            texts.append([cell.source.rstrip() for cell in cells(read_bytes(path)) if TAG in cell.tags])
        except NotANotebook:
            return False
    return texts[0] != texts[1]
