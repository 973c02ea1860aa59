# SPDX-License-Identifier: GPL-2.0-only
"""Limits on what a submission may do and use while it is checked.

The operating system limits memory, time and file sizes, where it can; `not_enforced` lists what it cannot limit. Where there is
no `wall`, Python in addition permanently refuses in this process to start processes, to open sockets, to load libraries, to
read the files of the part under test and the files with expected results, and to change files outside the scratch folder.
This stops honest mistakes and easy cheating. It does not stop a determined attacker: the wall does.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...host_platform import HERE


class Limit:
    """A limit that the learner can set with an environment variable. ``default`` and the value set are in ``unit``.

    ``on`` says what is limited.
    """

    def __init__(self, variable: str, default: float, on: str, unit: str = "MiB") -> None:
        self.variable, self.default, self.on, self.unit = variable, default, on, unit

    @property
    def value(self) -> float:
        """The limit in force. Raises InputError."""
        text = os.environ.get(self.variable, "")
        try:
            found = float(text) if text else _ADOPTED.get(self.variable, self.default)
        except ValueError:
            found = math.nan
        if not 0 < found < 1 << 20:
            raise InputError(self.variable, text, f"a number of {self.unit} above 0, such as {self.default:g}")
        return found

    @property
    def bytes(self) -> int:
        """The limit in bytes."""
        return int(self.value * (1 << 20))

    @property
    def words(self) -> str:
        """The limit and how it is set."""
        return f"{self.value:g} {self.unit}; {self.how}"

    @property
    def how(self) -> str:
        """How the limit is set."""
        return f"the environment variable {self.variable} sets another limit"


_ADOPTED: dict[str, float] = {}


def values() -> dict[str, float]:
    """All limits in force, by variable. Raises InputError."""
    return {limit.variable: limit.value for limit in LIMITS}


def adopt(given: dict[str, float]) -> None:
    """Use the `values` of the judge from now on: a worker does not have its environment variables."""
    _ADOPTED.update(given)


TIMES, SECONDS = "times the usual time", "seconds"
LIMITS = (
    TIME := Limit("KVMMMU_LAB_TIME", HERE.slowness, "a factor for all time limits", TIMES),
    CHECK := Limit("KVMMMU_LAB_CHECK", 15, "the time for a whole check", SECONDS),
    MEMORY := Limit("KVMMMU_LAB_MEMORY", 512, "the memory that your code uses"),
    OUTPUT := Limit("KVMMMU_LAB_OUTPUT", 32, "what your code prints"),
    ANSWER := Limit("KVMMMU_LAB_ANSWER", 1, "what there is to be seen after one step, as your code left it"),
    ANSWERS := Limit("KVMMMU_LAB_ANSWERS", 16, "the sum of this over all steps of a scenario"),
    FILE := Limit("KVMMMU_LAB_FILE", 16, "a file that your code writes"),
    SPACE := Limit("KVMMMU_LAB_SPACE", 64, "all files that your code writes"),
    FILES := Limit("KVMMMU_LAB_FILES", 4096, "the number of files and folders that your code makes", "files"),
    OPEN := Limit("KVMMMU_LAB_OPEN", 64, "the number of files that your code has open", "files"),
    THREADS := Limit("KVMMMU_LAB_THREADS", 32, "the number of threads of your code", "threads"),
    SOURCE := Limit("KVMMMU_LAB_SOURCE", 1, "the source of your code"),
    HELPERS := Limit("KVMMMU_LAB_HELPERS", 8, "all files that are taken along with your code"),
    HELPER_FILES := Limit("KVMMMU_LAB_HELPER_FILES", 200, "the number of files that are taken along", "files"),
    OBJECTS := Limit("KVMMMU_LAB_OBJECTS", 32, "the objects from a notebook"),
)
"""All limits. Those on what is written, on threads and on files need a system that enforces them (see `not_enforced`)."""


class NotAllowed(BaseException):
    """A submission tried something forbidden. It is not an Exception, so that ``except Exception`` does not hide it."""


STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn")
REFUSED = {
    **dict.fromkeys(STARTS, "start another process"),
    "os.kill": "send a signal",
    "os.killpg": "send a signal",
    "signal.pthread_kill": "send a signal",
    "ctypes.dlopen": "load a library",
    "ctypes.dlsym": "load a library",
    "webbrowser.open": "open a browser",
}
NETWORK = "use the network"
CLOSED = {
    "_posixsubprocess": "start another process",
    "_ctypes": "load a library",
    "_multiprocessing": "start another process",
    "_socket": NETWORK,
}
"""Modules that a submission may not import: some of their functions raise no audit event."""

UNIX = 1
"""AF_UNIX: a pair of such sockets reaches nobody else, and an event loop of asyncio needs one. They can't be connected."""

CHANGES = {
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
    "shutil.rmtree", "shutil.move", "shutil.copyfile", "os.utime",
}  # fmt: skip
PREFIX = "kvmmmu-lab-"
"""The beginning of the names of all folders that the kit makes in the system's folder for temporary files."""

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def fence(scratch: str, secret: tuple[str, ...]) -> None:
    """Refuse forbidden actions from now on. ``secret``: files and folders that must not be read.

    The folders of the kit beside the scratch folder, which are those of other submissions, must not be read either.
    """
    here = os.path.realpath(scratch)
    others = os.path.join(os.path.dirname(here), PREFIX)
    kept = tuple(os.path.realpath(path) for path in secret)
    inside, devices = (here + os.sep, here), ("/dev/null", "/dev/tty")
    realpath, isdir, fsdecode, writing = os.path.realpath, os.path.isdir, os.fsdecode, WRITING
    if hasattr(subprocess, "_fork_exec"):
        subprocess._fork_exec = _no_process
    loaded = sys.modules.get("_posixsubprocess")
    if loaded is not None:
        loaded.fork_exec = _no_process  # type: ignore[attr-defined]

    def within(path: str, folders: tuple[str, ...]) -> bool:
        return any(path == folder or path.startswith(folder + os.sep) for folder in folders)

    def check(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith("socket.") and not (event == "socket.__new__" and arguments[1] == UNIX):
            raise NotAllowed(f"your code tried to {NETWORK} ({event})")
        if event in REFUSED:
            raise NotAllowed(f"your code tried to {REFUSED[event]} ({event})")
        if event == "import" and arguments[0] in CLOSED:
            raise NotAllowed(f"your code tried to {CLOSED[arguments[0]]} (import {arguments[0]})")
        if event == "open" or event in CHANGES or event in ("os.listdir", "os.scandir"):
            path = arguments[0]
            if path is None or isinstance(path, int):
                return
            path = realpath(fsdecode(path))
            flags = arguments[2] if event == "open" and len(arguments) > 2 and isinstance(arguments[2], int) else 0
            if (event in CHANGES or flags & writing) and not path.startswith(inside) and path not in devices:
                raise NotAllowed(f"your code tried to change {path}, outside its folder")
            if event == "open" and arguments[1] is None and not path.startswith(inside) and isdir(path):
                # with an open folder, a submission could use file names relative to it, which are not checked
                raise NotAllowed(f"your code tried to open the folder {path}, outside its own")
            if path.startswith("/proc/") and path.endswith("/environ"):
                raise NotAllowed(f"your code tried to read the environment of a process ({path})")
            beside = path.startswith(others) and path != here and not path.startswith(inside)
            if beside or within(path, kept) or (path.endswith(".pyc") and within(_source(path), kept)):
                raise NotAllowed(f"your code tried to read {path}")

    sys.addaudithook(check)


def _no_process(*arguments: Any) -> Any:
    raise NotAllowed("your code tried to start another process")


def _source(compiled: str) -> str:
    """The source file of a bytecode file such as ``__pycache__/NAME.cpython-311.pyc``."""
    folder, _, name = compiled.rpartition(os.sep)
    return os.path.join(os.path.dirname(folder), name.partition(".")[0] + ".py")


def limit(seconds: float, *, walled: bool) -> None:
    """Let the operating system limit this process's memory (in addition to what it uses now), its files, its processor time
    (to well above ``seconds``) and, behind a wall, the number of its threads and processes.
    """
    try:
        import resource
    except ImportError:
        return
    limits = {
        "RLIMIT_AS": _address_space() + MEMORY.bytes,
        "RLIMIT_FSIZE": FILE.bytes,
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": int(OPEN.value),
        "RLIMIT_CPU": int(seconds) + 60,
    }
    if walled and kernel() >= (5, 14):  # before, it counts all processes of the user, not only those here
        limits["RLIMIT_NPROC"] = int(THREADS.value)
    for name, value in limits.items():
        kind = getattr(resource, name, None)
        if kind is not None:
            try:
                resource.setrlimit(kind, (value, value))
            except (ValueError, OSError):
                continue


def _address_space() -> int:
    """The size of this process's address space in bytes; a guess if the system does not report it."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 1 << 30


PROCESSES_LIMITED = 6, 14
"""The first version of Linux that limits the processes of a namespace. Before, that setting was the whole machine's."""


def kernel() -> tuple[int, ...]:
    """The version of the running kernel, such as (6, 1)."""
    return tuple(int(number) for number in os.uname().release.split("-")[0].split(".")[:2])


def not_enforced(no_wall: str) -> list[str]:
    """The limits that cannot be enforced on this machine, in words. ``no_wall``: why there is no `wall`, or ""."""
    found = []
    if sys.platform != "linux":
        found.append("memory")
    if not HERE.can_fork:
        found.append("the size of files")
    if no_wall:
        found.append(f"what your code may read, change and start (only Python itself refuses it: {no_wall})")
    elif os.geteuid() == 0 and kernel() < PROCESSES_LIMITED:
        found.append("the number of processes")
    return found
