# SPDX-License-Identifier: GPL-2.0-only
"""Load a submission in a worker: execute its file or cells, or unpickle the objects that were given in a notebook."""

from __future__ import annotations
import __future__

import ast
import base64
import builtins
import importlib
import inspect
import io
import linecache
import pickle
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any

from .notebook_shell import NotebookShell, display

FUTURES = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
"""The compiler flags of all ``from __future__ import`` statements, which hold for the cells after them too."""

NAME = "submission"
"""The name of the module that a submission is. It is not ``__main__``: as in tests, that block of a file is not executed."""


class Places:
    """Which code is the submission's: its ``units`` (source by file name), and files in the ``folder``."""

    def __init__(self, units: dict[str, str], folder: str) -> None:
        self.units, self.folder = units, folder

    def file(self, name: str) -> str | None:
        """How the submission calls the file of a code object; None if the file isn't the submission's."""
        if name in self.units:
            return name
        if name.startswith(self.folder):
            return name[len(self.folder) :].lstrip("/\\").replace("\\", "/")
        return None


def lay_out(files: dict[str, str], folder: Path) -> None:
    """Write the files that a submission uses (by relative name, in base64) into the worker's folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(content))


def prepare(submission: str, files: list[str], folder: str, *, notebook: bool) -> None:
    """Make the interpreter look as it does to a file of this name in a folder with these files."""
    sys.argv = [submission]
    sys.path.insert(0, folder)
    # a module or package beside the submission comes before an installed one of its name
    own = {file.removesuffix(".py").removesuffix("/__init__") for file in files if file.endswith(".py")}
    for name in [name for name in sys.modules if name.partition(".")[0] in own]:
        del sys.modules[name]
    check = sys.modules.get("kvmmmu_lab.check")
    if check is not None:
        check.check = _not_again  # type: ignore[attr-defined]  # a submission may end with a check of itself
    if notebook:
        provide_shell()


def provide_shell() -> None:
    """Provide the functions that a notebook's cells find among the built-in ones."""
    shell = NotebookShell()
    builtins.display = display  # type: ignore[attr-defined]
    builtins.get_ipython = lambda: shell  # type: ignore[attr-defined]


def _not_again(*_: Any, **__: Any) -> SimpleNamespace:
    return SimpleNamespace(passed=True, points=0, extra=0, status="", head="", verdicts=())


def execute(units: dict[str, str], file: str | None = None) -> dict[str, Any]:
    """Execute source in one namespace and return what it defines. ``file``: the value of ``__file__``; None for cells."""
    module = ModuleType(NAME)
    names = vars(module)
    names["__builtins__"] = builtins
    if file is not None:
        names["__file__"] = file
    sys.modules[NAME] = module
    flags = 0
    for name, source in units.items():
        lines = source.split("\n")
        linecache.cache[name] = len(source), None, [f"{line}\n" for line in lines], name
        allowed = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if file is None else 0
        code = compile(source, name, "exec", flags | allowed, dont_inherit=True)
        flags |= code.co_flags & FUTURES
        if code.co_flags & inspect.CO_COROUTINE:
            _await(eval(code, names))
        else:
            exec(code, names)
    return dict(names)


def _await(cell: Coroutine[Any, Any, None]) -> None:
    """Execute a cell with ``await`` at top level."""
    import asyncio  # only here: it takes time to load

    asyncio.run(cell)


def unpickle(pickled: bytes, units: dict[str, str]) -> dict[str, Any]:
    """Load the objects from a notebook, by name (see `check.notebook`). ``units``: the source of the cells."""
    for name, source in units.items():
        linecache.cache[name] = len(source), None, [f"{line}\n" for line in source.split("\n")], name
    module = sys.modules["__main__"] = sys.modules[NAME] = ModuleType("__main__")
    found: dict[str, Any] = _Unpickler(io.BytesIO(pickled)).load()
    for thing in found.values():  # so that, for example, annotations of its classes can be resolved
        function = inspect.unwrap(thing) if callable(thing) else thing
        if isinstance(function, FunctionType):
            vars(module).update(function.__globals__)
    vars(module).update(found)
    return found


class _Unpickler(pickle.Unpickler):
    """Finds objects that were pickled by the module and name where they are, as `check.notebook` does it."""

    def find_class(self, module: str, name: str) -> Any:
        """See `pickle.Unpickler.find_class`."""
        found = super().find_class(module, name)
        return _without_hooks(found) if name == "_make_skeleton_class" else found

    def persistent_load(self, place: Any) -> Any:
        module, name = place
        return getattr(importlib.import_module(module), name)


def _without_hooks(make: Callable[..., type]) -> Callable[..., type]:
    """Let cloudpickle build a class without ``__init_subclass__`` of its bases, which ran when the class was defined.

    ``bases`` may contain a function: `typing.NamedTuple` is one.
    """

    def build(constructor: Any, name: str, bases: tuple[type, ...], *rest: Any) -> type:
        mine = {kind for base in bases for kind in getattr(base, "__mro__", ()) if kind.__module__ in ("__main__", NAME)}
        hooks = [(kind, vars(kind)["__init_subclass__"]) for kind in mine if "__init_subclass__" in vars(kind)]
        for kind, _ in hooks:
            del kind.__init_subclass__
        try:
            return make(constructor, name, bases, *rest)
        finally:
            for kind, hook in hooks:
                kind.__init_subclass__ = hook

    return build


def code_in(file: str, make: Callable[..., CodeType], arguments: tuple[Any, ...]) -> CodeType:
    """Build a code object with its file name, which cloudpickle leaves out, so that messages can name the line."""
    return make(*arguments).replace(co_filename=file)


def cached(function: Any, parameters: dict[str, Any], attributes: dict[str, Any]) -> Any:
    """Build a function with `functools.lru_cache`, whose cache is empty."""
    import functools

    found = functools.lru_cache(**parameters)(function)
    vars(found).update(attributes)
    return found
