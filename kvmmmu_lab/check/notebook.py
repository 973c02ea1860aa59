# SPDX-License-Identifier: GPL-2.0-only
"""Check solutions from a notebook: collect the source of functions and classes, and what they use from other cells."""

from __future__ import annotations

import ast
import builtins
import contextlib
import inspect
import linecache
import os
import symtable
import sys
import textwrap
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from .. import exercises, workspace
from ..errors import InputError
from .judge import Judge
from .report import Report
from .submission import CELLS, Submission, read

PLAIN = (int, float, str, bytes, bool, type(None), tuple, list, dict, set, frozenset)


def check_given(name: str, given: tuple[Any, ...], *, full: bool, seed: int) -> Report:
    """See `kvmmmu_lab.check.check`."""
    exercise = exercises.find(name, workspace.course_root())
    wanted = list(dict.fromkeys(name.partition(".")[0] for name in exercise.defines))
    if len(given) == 1 and isinstance(given[0], str | os.PathLike):
        submission = read(Path(given[0]))
    elif not given:
        raise InputError("given", "nothing", f"what you wrote: check({exercise.name!r}, {', '.join(wanted)})")
    else:
        submission = Submission(source_of(dict(zip(_names(given, wanted), given, strict=True))), CELLS)
    return Judge(exercise, submission, full=full, seed=seed).report()


def _names(given: tuple[Any, ...], wanted: list[str]) -> list[str]:
    """The name of each object: its `__name__`, or the wanted name at the same position."""
    if len(given) != len(wanted):
        raise InputError("given", f"{len(given)} objects", f"{len(wanted)}: {', '.join(wanted)}")
    names = [getattr(thing, "__name__", "") for thing in given]
    return names if sorted(names) == sorted(wanted) else wanted


def source_of(things: dict[str, Any]) -> str:
    """Source text that defines all ``things`` and what they use.

    The notebook's functions and classes are copied as source, imports by name, plain values with their current value. Raises
    InputError for anything else.
    """
    parts: dict[int, str] = {}
    names: dict[str, str] = {}
    for name, thing in things.items():
        _collect(thing, parts, names, vars(sys.modules["__main__"]))
        own = getattr(thing, "__name__", "")
        if own != name:
            names[f"{name} = {own}"] = ""
    imports = [line for line in names if line.startswith(("import ", "from ")) or names[line]]
    last = [line for line in names if line not in imports]
    return "\n".join([*imports, "", *parts.values(), *last, ""])


def _collect(thing: Any, parts: dict[int, str], names: dict[str, str], around: dict[str, Any]) -> None:
    """Add the source of ``thing``, after the sources of what it uses."""
    if id(thing) in parts:
        return
    if not isinstance(thing, type | FunctionType):
        raise InputError("given", thing, "a class or a function that was defined in a cell")
    source = _source(thing)
    parts[id(thing)] = ""  # a function may use itself
    for name in _used(source):
        _name(name, _globals(thing, around), parts, names)
    del parts[id(thing)]  # its source follows the sources of what it uses
    parts[id(thing)] = source


def _source(thing: Any) -> str:
    """The source of a function or class. Raises InputError."""
    try:
        return _class_source(thing) if isinstance(thing, type) else textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError, SyntaxError):
        expected = "something whose source can be found: define it in a cell, or check a file"
        raise InputError("given", thing, expected) from None


def _class_source(thing: type) -> str:
    """The source of a class. In a notebook, find it by its methods' cell, or else take the latest class with this name."""
    codes = [value.__code__ for value in vars(thing).values() if isinstance(value, FunctionType)]
    for file in dict.fromkeys([*(code.co_filename for code in codes), *reversed(list(linecache.cache))]):
        lines = [code.co_firstlineno for code in codes if code.co_filename == file]
        text = "".join(linecache.getlines(file))
        with contextlib.suppress(SyntaxError):
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ClassDef) and node.name == thing.__name__:
                    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                    if not lines or any(first <= line <= (node.end_lineno or 0) for line in lines):
                        return textwrap.dedent("\n".join(text.splitlines()[first - 1 : node.end_lineno])) + "\n"
    return textwrap.dedent(inspect.getsource(thing))


def _globals(thing: Any, around: dict[str, Any]) -> dict[str, Any]:
    """The namespace of ``thing``; for a class without methods, that of the object that uses it."""
    if isinstance(thing, FunctionType):
        return thing.__globals__
    functions = [value for value in vars(thing).values() if isinstance(value, FunctionType)]
    return functions[0].__globals__ if functions else around


def _used(source: str) -> list[str]:
    """The global names that a source uses, in order of first use."""
    taken = set[str]()
    tables = [symtable.symtable(source, "cell", "exec")]
    while tables:
        table = tables.pop()
        top = table.get_type() == "module"
        taken.update(symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() or top)
        tables += table.get_children()
    names = (node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name))
    return [name for name in dict.fromkeys(names) if name in taken]


def _name(name: str, known: dict[str, Any], parts: dict[int, str], names: dict[str, str]) -> None:
    """Add the definition of ``name``, if it is a global name."""
    if name not in known or (hasattr(builtins, name) and known[name] is getattr(builtins, name)):
        return
    value = known[name]
    if isinstance(value, ModuleType):
        names[f"import {value.__name__} as {name}"] = ""
    elif isinstance(value, PLAIN) and not isinstance(value, type):
        names[f"{name} = {value!r}"] = "value"
    elif isinstance(value, np.generic):
        names[f"{name} = __import__('numpy').{type(value).__name__}({value.item()!r})"] = "value"
    elif getattr(value, "__module__", "__main__") != "__main__" and hasattr(value, "__qualname__"):
        names[f"from {value.__module__} import {value.__name__} as {name}"] = ""
    elif isinstance(value, type | FunctionType):
        _collect(value, parts, names, known)
    elif type(value).__module__ != "__main__":
        raise InputError(name, value, "a class, a function, a module or a plain value: other objects can't be copied")
