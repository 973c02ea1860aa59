# SPDX-License-Identifier: GPL-2.0-only
"""The cells of a notebook file, in plain Python.

A cell that is Python stays as it is, byte for byte. In any other cell, IPython's own syntax becomes calls of
``get_ipython()``, as in a kernel; a worker has a stand-in for it (`sandbox.notebook_shell`). Line numbers stay as they are.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..files import parse_json, reason
from ..workspace import install_hint
from .deadline import Deadline
from .python_source import bound_names, normalized, parsed
from .sandbox.limits import SOURCE

RUNS = ("time", "capture", "prun", "debug", "memit", "record")
"""Cell magics that execute the cell's body in the notebook's namespace."""

QUIET = ("timeit", "writefile", "file", "html", "HTML", "markdown", "latex", "svg", "SVG", "javascript", "js")
"""Other cell magics that define no names in a notebook either, so that there is nothing to say about them."""

CELL_MAGIC = re.compile(r"%%(\w+)(?:[ \t]+(.*))?$")
PROMPT = re.compile(r"\s*In \[\d+\]: ")
PROVIDED = {"get_ipython", "display", "In", "Out", "__file__", *dir(builtins)}


class NotANotebook(ValueError):
    """The content of a file is not that of a notebook."""


@dataclass(frozen=True)
class Cell:
    """A code cell: its number in the notebook, counting code cells from 1, its source and its tags."""

    number: int
    source: str
    tags: tuple[str, ...]

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"code cell {self.number}"


def cells(content: bytes) -> list[Cell]:
    """The code cells of a notebook file in nbformat 3 or 4, with any encoding that JSON may have. Raises NotANotebook."""
    try:
        book = parse_json(content, finite=False)
        found = book["cells"] if "cells" in book else [cell for sheet in book["worksheets"] for cell in sheet["cells"]]
        code = [cell for cell in found if cell["cell_type"] == "code"]
        return [Cell(number, _source(cell), _tags(cell)) for number, cell in enumerate(code, 1)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotANotebook(reason(error)) from None


def _source(cell: dict[str, Any]) -> str:
    source = cell["source"] if "source" in cell else cell["input"]  # nbformat 3 says "input"
    return normalized(source if isinstance(source, str) else "".join(source))


def _tags(cell: dict[str, Any]) -> tuple[str, ...]:
    tags = (cell.get("metadata") or {}).get("tags") or ()
    return tuple(tag for tag in tags if isinstance(tag, str))


def as_python(cell: str, deadline: Deadline | None = None) -> str:
    """A cell's source in Python, with the same line numbers. A cell that IPython could not run stays as it is.

    Raises OutOfTime after the ``deadline``.
    """
    if not PROMPT.match(cell) and parsed(cell) is not None:
        return cell
    lines = [f"{line}\n" for line in cell.split("\n")]
    blank = next((number for number, line in enumerate(lines) if line.strip()), 0)
    magic = CELL_MAGIC.match(lines[blank])
    if magic is None:
        return "".join([*lines[:blank], *_statements(lines[blank:], deadline or Deadline())]).removesuffix("\n")
    name, argument, body = magic[1], magic[2] or "", "".join(lines[blank + 1 :])
    if name in RUNS:
        return "".join([*lines[:blank], _captured(name, argument), as_python(body.removesuffix("\n"), deadline)])
    call = f"get_ipython().run_cell_magic({name!r}, {argument!r}, {body!r})"
    return "".join([*lines[:blank], call, "\n" * body.count("\n")])


def _captured(magic: str, argument: str) -> str:
    """What replaces the first line of a cell whose body is executed: ``%%capture`` can assign to a name."""
    names = [word for word in argument.split() if not word.startswith("-")]
    return f"{names[0]} = get_ipython().captured()\n" if magic == "capture" and names and names[0].isidentifier() else "\n"


def _statements(lines: list[str], deadline: Deadline) -> list[str]:
    """Transform lines as IPython does, but keep their numbers: a magic over several lines is followed by blank lines."""
    try:
        from IPython.core import inputtransformer2 as ipython
    except ImportError:
        expected = f"a cell in plain Python, or IPython to translate it: {install_hint('lab')}"
        raise InputError("cell", "".join(lines).strip().partition("\n")[0], expected) from None
    manager, given = ipython.TransformerManager(), lines
    try:
        for prompt in (ipython.leading_indent, ipython.classic_prompt, ipython.ipython_prompt):
            lines = prompt(lines)
        for _ in range(ipython.TRANSFORM_LOOP_LIMIT):
            deadline.check()  # each time, IPython reads the whole cell
            before = lines
            changed, lines = manager.do_one_token_transform(before)
            if not changed:
                return lines
            lines = _padded(before, lines)
        return given
    except (SyntaxError, RecursionError):  # it stays as it is; Python will say what is wrong with it
        return lines


def _padded(before: list[str], after: list[str]) -> list[str]:
    missing = len(before) - len(after)
    if missing <= 0:
        return after
    first = next((number for number, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), len(after) - 1)
    return [*after[: first + 1], *["\n"] * missing, *after[first + 1 :]]


def left_out(source: str, title: str) -> Iterator[str]:
    """Say which parts of a cell, in Python, a worker does not execute."""
    tree = parsed(source)
    if tree is None or "get_ipython" not in source:
        return
    for node in ast.walk(tree):
        match node:
            case ast.Call(ast.Attribute(ast.Call(ast.Name("get_ipython")), method), [ast.Constant(str(first)), *_]):
                if method in ("system", "getoutput", "getoutput_list"):
                    yield f"not executed during a check: !{first} ({title}, line {node.lineno})"
                elif method == "run_cell_magic" and first not in QUIET:
                    yield f"not executed during a check: the cell after %%{first} ({title})"
                elif method == "run_line_magic" and first in ("run", "load", "loadpy") and ".ipynb" in ast.dump(node):
                    yield f"not executed during a check: %{first} of a notebook ({title}, line {node.lineno})"


def used_from(solution: Sequence[ast.Module], others: Iterable[Cell], deadline: Deadline | None = None) -> list[str]:
    """Say which names a solution uses that only other cells define. Raises OutOfTime after the ``deadline``."""
    nodes = [node for tree in solution for node in ast.walk(tree)]
    if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in nodes):
        return []
    used = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    lacking, said = used - PROVIDED - bound_names(nodes), []
    for cell in others if lacking else ():
        if len(cell.source) > SOURCE.bytes:
            continue
        tree = parsed(cell.source) or parsed(as_python(cell.source, deadline))
        defined = sorted(lacking & bound_names(ast.walk(tree))) if tree is not None else []
        if defined:
            names, it = ", ".join(defined), "it" if len(defined) == 1 else "them"
            where = f"which {cell.title} defines; that cell is not tagged 'solution', so it is not handed in"
            said.append(f"your solution uses {names}, {where}: move {it} to a tagged cell")
            lacking -= set(defined)
    return said
