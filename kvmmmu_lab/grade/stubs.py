# SPDX-License-Identifier: GPL-2.0-only
"""Stubs: the functions that an exercise asks for, none of which is written yet."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Iterator

from ..check.python_source import parsed

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def written(source: str, defines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of each function in ``source`` that an exercise ``defines`` and that is no stub.

    A stub has a docstring and raises NotImplementedError. Source that is no Python has none.
    """
    tree = parsed(source)
    for name in defines if tree is not None else ():
        *classes, own = name.split(".")
        for scope in _scopes(tree, classes):
            yield from ((node.lineno, name) for node in scope if _writes(node, own))


def _writes(node: ast.stmt, name: str) -> bool:
    """Whether a statement gives something other than a stub to a function's name."""
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name and not _is_stub(node)


def _scopes(tree: ast.Module | None, classes: list[str]) -> Iterator[list[ast.stmt]]:
    """The bodies in which a name is defined: that of the module, or those of all classes with this name."""
    assert tree is not None
    if not classes:
        yield tree.body
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and [node.name] == classes:
            yield node.body


def _is_stub(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    match _without_docstring(node.body):
        case [ast.Raise(ast.Call(ast.Name("NotImplementedError")) | ast.Name("NotImplementedError"))]:
            return True
    return False


def difference(source: str, stub: str) -> int:
    """Return the first line in which the code of ``source`` differs from a stub's, or 0 if they are the same code.

    Comments, docstrings and layout are no code.
    """
    if code_of(source) == code_of(stub):
        return 0
    mine, other = code_rows(source), code_rows(stub)
    before, now = ([" ".join(line.split()) for _, line in rows] for rows in (other, mine))
    for kind, _, _, begin, _ in difflib.SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if kind != "equal" and mine:
            return mine[min(begin, len(mine) - 1)][0]
    return 1


def code_rows(source: str) -> list[tuple[int, str]]:
    """The lines of code in a source, with their numbers: without comments, blank lines and docstrings."""
    tree, quoted = parsed(source), set[int]()
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, Definition | ast.Module) and len(_without_docstring(node.body)) < len(node.body):
            quoted.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines = enumerate(source.split("\n"), 1)
    return [(number, line) for number, line in lines if number not in quoted and line.strip() and line.strip()[0] != "#"]


def code_of(source: str) -> str:
    """The code of a source without comments, docstrings and layout; the text, if it is no Python."""
    tree = parsed(source)
    if tree is None:
        return source
    for node in ast.walk(tree):
        if isinstance(node, Definition | ast.Module):
            node.body = _without_docstring(node.body)
    return ast.dump(tree)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(ast.Constant(str())), *rest]:
            return rest
    return body
