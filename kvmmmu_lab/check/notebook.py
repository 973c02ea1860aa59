# SPDX-License-Identifier: GPL-2.0-only
"""Check objects from a running notebook: they are pickled with everything that they use.

The pickle is made in the learner's kernel, and loaded only in a worker (`sandbox.loading`). What belongs to the installation
goes by name; the learner's own objects go by value, also those of modules beside the notebook.
"""

from __future__ import annotations

import ast
import dis
import functools
import io
import linecache
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import cloudpickle

from .. import exercises, workspace
from ..errors import InputError
from ..progress import Progress
from .deadline import Deadline
from .helper_files import Uses, files_beside
from .judge import Judge
from .python_source import normalized
from .report import Report
from .sandbox.limits import OBJECTS
from .sandbox.loading import cached, code_in
from .submission import CELLS, Submission, Unit, read

STANDARD = tuple(
    os.path.realpath(path) for path in (*map(sysconfig.get_path, ("stdlib", "platstdlib")), os.path.dirname(linecache.__file__))
)
"""The folders of the standard library. Pyodide has it in a ZIP file, which only modules that aren't frozen name."""

INSTALLED = {"site-packages", "dist-packages"}
"""Names of folders in which packages are installed."""

PROVIDED, IPYTHONS = ("open", "get_ipython", "display", "exit", "quit"), ("_io", "io", "IPython.core.getipython")
"""Functions that IPython puts into a notebook's namespace, and their modules; a worker has its own."""

IMMUTABLE = (str, bytes, int, float, complex, bool, tuple, frozenset, type(None))
BY_NAME = (*IMMUTABLE, type, FunctionType, BuiltinFunctionType, ModuleType)
"""Types whose objects pickle handles well: immutable values, and what it finds by name itself."""


def check_given(name: str, given: tuple[Any, ...], *, full: bool, seed: int | None) -> Report:
    """See `kvmmmu_lab.check.check`."""
    deadline = Deadline(full=full)
    exercise = exercises.find(name, workspace.course_root())
    wanted = list(dict.fromkeys(name.partition(".")[0] for name in exercise.defines))
    if len(given) == 1 and isinstance(given[0], str | os.PathLike):
        submission = read(Path(given[0]), deadline)
    elif not given:
        raise InputError("given", "nothing", f"what you wrote: check({exercise.name!r}, {', '.join(wanted)})")
    else:
        submission = pickled(dict(zip(names_of(given, wanted), given, strict=True)), deadline)
    report = Judge(exercise, submission, full=full, seed=exercise.seed if seed is None else seed, deadline=deadline).report()
    if submission.objects:  # a file may be somebody else's
        Progress().points(exercise.name, report.points)
    return report


def names_of(given: tuple[Any, ...], wanted: list[str]) -> list[str]:
    """The name of each object: a wanted name that it has in the notebook, its `__name__`, or the next of the other names."""
    if len(given) != len(wanted):
        raise InputError("given", f"{len(given)} objects", f"{len(wanted)}: {', '.join(wanted)}")
    for thing in given:
        if not callable(thing):
            raise InputError("given", thing, "a class or a function")
    main = vars(sys.modules["__main__"])
    found = [next((name for name in wanted if main.get(name) is thing), getattr(thing, "__name__", "")) for thing in given]
    known = [name for name in found if name in wanted]
    if len(known) > len(set(known)):
        return wanted
    others = iter(name for name in wanted if name not in known)
    return [name if name in wanted else next(others) for name in found]


def pickled(things: Mapping[str, Any], deadline: Deadline | None = None) -> Submission:
    """A submission that consists of these objects, by name. Raises InputError if something can't be taken along."""
    own = [module for module in list(sys.modules.values()) if isinstance(module, ModuleType) and _own(module)]
    registered = [module for module in own if module.__name__ not in cloudpickle.list_registry_pickle_by_value()]
    for module in registered:
        cloudpickle.register_pickle_by_value(module)
    try:
        content = _dumped(dict(things))
    finally:
        for module in registered:
            cloudpickle.unregister_pickle_by_value(module)
    files, notes = files_beside(Path.cwd() / CELLS, content.uses, deadline or Deadline())
    modules = sorted(Path(str(module.__file__)).name for module in own if module.__file__ in content.codes)
    taken = [f"taken along as they are now in this notebook: {', '.join(modules)}"] if modules else []
    units = tuple(unit for file, codes in content.codes.items() if (unit := _unit(file, codes)) is not None)
    return Submission("", CELLS, cells=units, objects=content.data, files=files, notes=(*taken, *notes))


def _own(module: ModuleType) -> bool:
    """Whether a module is the learner's: a file that is neither installed nor a part of the kit."""
    file = getattr(module, "__file__", None)
    registered = module.__name__ != "__main__" and sys.modules.get(module.__name__) is module
    return registered and isinstance(file, str) and _own_file(file)


@functools.cache
def _own_file(file: str) -> bool:
    real = os.path.realpath(file)
    folders = {*Path(file).parts, *Path(real).parts}
    system = tuple(folder + os.sep for folder in (*STANDARD, str(workspace.PACKAGE)))
    return file.endswith(".py") and not INSTALLED & folders and not real.startswith(system)


class _Pickled:
    """A pickle as ``data``; ``codes``: the code objects in it, by file name; ``uses``: the modules and files that they name."""

    def __init__(self) -> None:
        self.data = b""
        self.codes: dict[str, list[CodeType]] = {}
        self.uses = Uses()

    def see(self, code: CodeType) -> None:
        """Note a code object that is pickled."""
        self.codes.setdefault(code.co_filename, []).append(code)
        for instruction in dis.get_instructions(code):
            if instruction.opname == "IMPORT_NAME":
                self.uses.modules.add(str(instruction.argval))
        for constant in code.co_consts:
            if isinstance(constant, str) and len(constant) < 200 and "\n" not in constant:
                self.uses.strings.add(constant)


class _Pickler(cloudpickle.Pickler):
    """Pickles also what cloudpickle can't: cached functions, locks, and mutable objects that belong to an installed module."""

    def __init__(self, file: io.BytesIO, seen: _Pickled, known: dict[int, tuple[str, str]]) -> None:
        super().__init__(file)
        self.seen, self.known = seen, known

    def persistent_id(self, thing: Any) -> Any:
        """The module and name of an object that belongs to the installation, such as ``sys.stdout`` or a table of the kit."""
        return self.known.get(id(thing))

    def reducer_override(self, thing: Any) -> Any:
        """See `pickle.Pickler.reducer_override`."""
        if isinstance(thing, CodeType):
            self.seen.see(thing)
            return code_in, (thing.co_filename, *self.dispatch_table[CodeType](thing))
        elif isinstance(thing, functools._lru_cache_wrapper):
            if _by_name(thing):
                return NotImplemented
            attributes = {name: value for name, value in vars(thing).items() if name != "__wrapped__"}
            return cached, (thing.__wrapped__, thing.cache_parameters(), attributes)
        elif type(thing) in LOCKS:
            return LOCKS[type(thing)], ()
        elif isinstance(thing, FROM_ITEMS):
            return type(thing), (), None, None, iter(list(thing.items()))  # type: ignore[attr-defined]
        return super().reducer_override(thing)


class _TooLarge(ValueError):
    """The pickle is larger than the limit."""


class _Bounded(io.BytesIO):
    """A file for a pickle of limited size."""

    def write(self, data: Any) -> int:
        """Write, or raise `_TooLarge`."""
        if self.tell() + memoryview(data).nbytes > OBJECTS.bytes:
            raise _TooLarge(f"it is larger than {OBJECTS.words}")
        return super().write(data)


class NotTaken(InputError):
    """Something can't be taken along to the process that checks it. ``path``: the names that lead to it, from outside."""

    def __init__(self, path: list[str], culprit: Any, error: Exception) -> None:
        first, *rest = path
        inner = "".join(name if name[0] in ".[" else f", {name}" for name in rest).removeprefix(", ")
        what = f"{first} uses {inner}, {_kind(culprit)}, which" if inner else f"{first}, {_kind(culprit)},"
        super().__init__(first, inner, "something that can be taken along")
        advice = "build it inside your function or class, or check the saved notebook with kvmmmu-lab check"
        self.args = (f"{what} can't be taken along to the process that checks your code ({error}); {advice}",)


def _locks() -> dict[type, Callable[[], Any]]:
    import threading

    return {type(make()): make for make in (threading.Lock, threading.RLock)}


def _from_items() -> tuple[type, ...]:
    import weakref

    return weakref.WeakKeyDictionary, weakref.WeakValueDictionary


LOCKS, FROM_ITEMS = _locks(), _from_items()


def _by_name(thing: Any) -> bool:
    """Whether a module that is not the learner's has this object under its name."""
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    if module is None or module.__name__ == "__main__" or _own(module):
        return False
    return getattr(module, getattr(thing, "__qualname__", ""), None) is thing


def _dumped(things: dict[str, Any]) -> _Pickled:
    """Pickle objects by name. Raises NotTaken."""
    known = _known()
    found, buffer = _Pickled(), _Bounded()
    try:
        _Pickler(buffer, found, known).dump(things)
    except Exception as error:
        raise NotTaken(*_culprit(things, known), error) from None
    found.data = buffer.getvalue()
    return found


def _known() -> dict[int, tuple[str, str]]:
    """The mutable objects that belong to modules of the installation, by id: their module and name."""
    found: dict[int, tuple[str, str]] = {}
    for name, module in list(sys.modules.items()):
        if not isinstance(module, ModuleType) or name == "__main__" or _own(module):
            continue
        for key, value in list(vars(module).items()):
            if not isinstance(value, BY_NAME) and not key.startswith("__"):
                found.setdefault(id(value), (name, key))
    main = vars(sys.modules["__main__"])
    for name in PROVIDED:
        if type(main.get(name)).__module__.startswith("IPython") or getattr(main.get(name), "__module__", "") in IPYTHONS:
            found[id(main[name])] = "builtins", name
    return found


def _kind(thing: Any) -> str:
    kind = type(thing)
    home = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    return f"a {home}{kind.__qualname__}"


def _culprit(things: dict[str, Any], known: dict[int, tuple[str, str]]) -> tuple[list[str], Any]:
    """The names that lead to the innermost object that can't be pickled, and the object."""
    path: list[str] = []
    thing: Any = things
    seen = {id(thing)}
    while True:
        for name, inner in things.items() if thing is things else _inside(thing):
            if id(inner) in seen:
                continue
            seen.add(id(inner))
            try:
                _Pickler(_Bounded(), _Pickled(), known).dump(inner)
            except Exception:
                path.append(name)
                thing = inner
                break
        else:
            return path or list(things), thing


def _inside(thing: Any) -> Iterator[tuple[str, Any]]:
    """The objects that are pickled with an object, each with a name for messages."""
    if isinstance(thing, functools._lru_cache_wrapper):
        thing = thing.__wrapped__
    if isinstance(thing, FunctionType):
        yield from zip(thing.__code__.co_freevars, (_content(cell) for cell in thing.__closure__ or ()), strict=False)
        for name in _global_names(thing.__code__):
            if name in thing.__globals__:
                yield name, thing.__globals__[name]
        yield from zip(thing.__code__.co_varnames, thing.__defaults__ or (), strict=False)
    elif isinstance(thing, type):
        yield from vars(thing).items()
        yield from ((base.__name__, base) for base in thing.__bases__)
    elif isinstance(thing, Mapping):
        for key, value in thing.items():
            yield f"[{key!r:.40}]" if isinstance(key, str | int) else f"[{_kind(key)}]", value
            yield "a key", key
    elif isinstance(thing, list | tuple | set | frozenset):
        yield from ((f"[{number}]", item) for number, item in enumerate(thing))
    elif isinstance(thing, functools.partial):
        yield from [("its function", thing.func), *((f"argument {n}", item) for n, item in enumerate(thing.args))]
        yield from thing.keywords.items()
    else:
        yield from (("__wrapped__", thing.__wrapped__),) if hasattr(thing, "__wrapped__") else ()
        yield from ((f".{name}", value) for name, value in (getattr(thing, "__dict__", None) or {}).items())
        yield from (("its function", thing.__func__), ("its object", thing.__self__)) if hasattr(thing, "__func__") else ()
        yield _kind(thing), type(thing)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _global_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)


def _unit(file: str, codes: list[CodeType]) -> Unit | None:
    """The source of a cell or of the learner's module, for messages; None if it can't be found."""
    lines = linecache.getlines(file)
    if not lines:  # %%time, for example, compiles the cell's body without keeping it
        return next((Unit(file, body, "your cell", above) for body, above in _bodies() if _defines_all(body, codes)), None)
    source = normalized("".join(lines)).removesuffix("\n")
    title = getattr(getattr(_shell(), "compile", None), "format_code_name", lambda file: None)(file)
    label = " ".join(title) if title else "your cell" if file.startswith("<") else Path(file).name
    above = next((above for body, above in _bodies() if body.rstrip() == source.rstrip()), 0)  # %%capture
    return Unit(file, source, label.replace("Cell In", "your cell In"), above)


def _bodies() -> Iterator[tuple[str, int]]:
    """The bodies of all cells that began with a cell magic, the latest first, and how many lines stood above each."""
    for cell in reversed(list(getattr(_shell(), "user_ns", {}).get("In", ()))):
        if not str(cell).startswith("get_ipython().run_cell_magic("):
            continue
        match ast.parse(str(cell)).body:
            case [ast.Expr(ast.Call(_, [_, _, ast.Constant(str(body))]))]:
                lines = normalized(body).split("\n")
                blank = next((number for number, line in enumerate(lines) if line.strip()), 0)  # IPython leaves them out
                yield "\n".join(lines[blank:]), 1 + blank


def _defines_all(body: str, codes: list[CodeType]) -> bool:
    """Whether all these code objects can come from this source."""
    lines = body.split("\n")
    return all(_defines(lines, code) for code in codes)


def _defines(lines: list[str], code: CodeType) -> bool:
    number = code.co_firstlineno
    if code.co_name.startswith("<"):
        return number <= len(lines)
    return 0 < number <= len(lines) and any(code.co_name in line for line in lines[number - 1 : number + 10])


def _shell() -> Any:
    """The IPython shell of this process, or None."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None
