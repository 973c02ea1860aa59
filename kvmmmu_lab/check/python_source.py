# SPDX-License-Identifier: GPL-2.0-only
"""Python source as Python itself reads it: encodings, line ends, syntax trees."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings

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
