# SPDX-License-Identifier: GPL-2.0-only
"""Python source as Python itself reads it: encodings, line ends, syntax trees."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections.abc import Iterable

TOP_LEVEL_AWAIT = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def decoded(content: bytes) -> str | None:
    """The text of a Python file, with a line feed at the end of each line; None if Python can't decode it.

    As in `tokenize.open`, the encoding is UTF-8, with or without a byte order mark, or that of a coding cookie (PEP 263).
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return normalized(content.decode(encoding))
    except (SyntaxError, UnicodeDecodeError, LookupError):
        return None


def normalized(text: str) -> str:
    """``text`` with a line feed at the end of each line."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parsed(source: str) -> ast.Module | None:
    """The syntax tree of Python source, in which ``await`` is allowed at top level; None if it isn't Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as an invalid escape sequence in a string
        try:
            tree = compile(source, "source", "exec", TOP_LEVEL_AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return tree if isinstance(tree, ast.Module) else None


def bound_names(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that any of these nodes binds, in any scope."""
    found = set[str]()
    for node in nodes:
        match node:
            case ast.Name(name, ast.Store() | ast.Del()) | ast.arg(name) | ast.ExceptHandler(name=str(name)):
                found.add(name)
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                found.add(name)
            case ast.Import(names) | ast.ImportFrom(names=names):
                found.update((alias.asname or alias.name).partition(".")[0] for alias in names)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                found.add(name)
    return found


def used_from_main(tree: ast.Module) -> set[str]:
    """The names that source uses, but binds only in blocks under ``if __name__ == "__main__":``."""
    inside = [node for node in tree.body if isinstance(node, ast.If) and _asks_for_main(node.test)]
    outside = [inner for node in tree.body if node not in inside for inner in ast.walk(node)]
    used = {node.id for node in outside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    block = [inner for node in inside for statement in node.body for inner in ast.walk(statement)]
    return used & bound_names(block) - bound_names(outside)


def _asks_for_main(test: ast.expr) -> bool:
    names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    return "__name__" in names and any(isinstance(node, ast.Constant) and node.value == "__main__" for node in ast.walk(test))
