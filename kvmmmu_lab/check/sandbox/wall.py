# SPDX-License-Identifier: GPL-2.0-only
"""The wall around a worker: Linux namespaces, made by bubblewrap.

With the wall, the kernel lets a submission read only the libraries of the system and of Python, and write only to a scratch
folder of limited size in memory; it reaches no source of the engine, checker, expected result, home folder, other process or
network, and all that it starts ends with its worker. Without the wall (no bubblewrap, or user namespaces are forbidden), Python
itself refuses what is forbidden (`limits.fence`), which stops mistakes and easy cheating, but not an attacker; the kernel still
limits memory, time and file sizes, ends the workers with the judge, and keeps the judge's memory from them. In both cases the
verdict is computed in the judge, which never executes the submission, and the report says what is not enforced.

A worker is forked from a process that has loaded the engine, so bubblewrap can't start it. Instead, bubblewrap starts ``cat``
in new namespaces, and the worker joins these (setns(2)), completes them, and gives up its capabilities.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from .limits import FILES, PROCESSES_LIMITED, kernel

SCRATCH = "/scratch"
"""The folder of a submission behind the wall; it is in memory."""

WAIT = 10.0
"""The maximum time, in seconds, in which bubblewrap has to make a wall."""

NEW = {
    "--unshare-user": 0x10000000,  # CLONE_NEWUSER and so on, from the kernel's include/uapi/linux/sched.h
    "--unshare-pid": 0x20000000,
    "--unshare-net": 0x40000000,
    "--unshare-ipc": 0x08000000,
    "--unshare-uts": 0x04000000,
    "--unshare-cgroup": 0x02000000,
}
"""The namespaces that bubblewrap makes, in addition to one for mounts: its option for each, and the flag to join it."""

OPTIONS = ("--die-with-parent", "--cap-drop", "ALL", "--uid", "0", "--gid", "0")
"""Other options of bubblewrap. User 0 behind the wall is the user outside, has no capabilities, and may set `SETTINGS`."""

SETTINGS = {"kernel/shmmni": 0, "kernel/msgmni": 0, "fs/mqueue/queues_max": 0}
"""Settings of the namespaces, in /proc/sys: no shared memory and no messages, because nothing else limits their size."""

PROCESSES = 400
"""The highest number of a process behind the wall (see `limits.PROCESSES_LIMITED`). It holds for root, too."""

NEW_MOUNTS = 0x00020000
NOSUID, NODEV, NOEXEC, READ_ONLY, REMOUNT, BIND = 2, 4, 8, 1, 32, 4096
"""Flags of mount(2)."""

PDEATHSIG, DUMPABLE, CAPBSET_DROP, CHILD_SUBREAPER, NO_NEW_PRIVS = 1, 4, 24, 36, 38
"""Operations of prctl(2)."""

CAPABILITY_VERSION = 0x20080522
LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF = 444, 446  # the same numbers on all machines
MAKE_DEVICES, SCOPED = 1 << 6 | 1 << 11, 3
"""What Landlock is asked to refuse: making devices; sockets without a file name, and signals, to processes outside."""

KEYCTL, JOIN_SESSION_KEYRING = {"x86_64": 250, "aarch64": 219, "riscv64": 219}, 1

SYSTEM = ("/usr", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/nix/store", "/gnu/store")
LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
HIDDEN = ("mmu", "check", "data/golden", "_course")
"""Folders of the kit that would give a solution or an expected result away. The worker has loaded what it needs of them."""

LINUX = sys.platform == "linux"
ELSEWHERE = "bubblewrap exists for Linux only"


REFUSED = {
    errno.EROFS: "your code can change files only in its own folder",
    errno.ENOENT: "only files that are taken along with your code can be read",
    errno.EACCES: "only files that are taken along with your code can be read",
    errno.ENETUNREACH: "there is no network",
    errno.ECONNREFUSED: "there is no network",
    socket.EAI_AGAIN: "there is no network",
    errno.EAGAIN: "your code can't start other processes",
}
"""What an error of the system means behind the wall, by number."""


class NoWall(Exception):
    """This machine can't make a wall; the text says why."""


TRIES = 3
"""How often a wall is tried if a process that makes it was killed: that says nothing about this machine."""


def enter(server: int) -> None:
    """Continue behind a new wall, in a child process. The calling process waits for it, and ends as it ended.

    ``server``: the pid of the calling process's parent, with which both end. Raises NoWall or OSError.
    """
    for left in reversed(range(TRIES)):
        try:
            inside = os.pidfd_open(_namespaces())
            _call("setns", inside, NEW_MOUNTS | functools.reduce(int.__or__, NEW.values()))
            break
        except ProcessLookupError:
            if not left:
                raise
    os.close(inside)
    die_with(server)  # now, because a process that joins a user namespace forgets it; bubblewrap's processes end with this one
    pid = os.fork()
    if pid:
        _end_like(os.waitpid(pid, 0)[1])
    os.setsid()


def _namespaces() -> int:
    """Let bubblewrap make the namespaces, and return the pid of a process in them. They exist as long as this process.

    Raises NoWall, or ProcessLookupError if bubblewrap or this process was killed.
    """
    program, holder = shutil.which("bwrap"), shutil.which("cat")
    if program is None or holder is None:
        raise NoWall("bubblewrap is not installed")
    told, tells = os.pipe()
    made = subprocess.Popen(
        [program, *NEW, *OPTIONS, "--info-fd", str(tells), *_view(), os.path.realpath(holder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[tells],
        env={},
    )
    os.close(tells)
    assert made.stdin and made.stdout and made.stderr
    made.stdin.write(b"\n")
    made.stdin.flush()
    if not select.select([made.stdout], [], [], WAIT)[0] or os.read(made.stdout.fileno(), 1) != b"\n":
        with contextlib.suppress(subprocess.TimeoutExpired):
            if made.wait(0.5) in KILLED:
                raise ProcessLookupError("bubblewrap was killed")
        made.kill()
        said = made.stderr.read(500).decode(errors="replace").strip().removeprefix("bwrap: ")
        raise NoWall(f"bubblewrap can't make namespaces here ({said or 'it does not answer'})")
    found = re.search(rb'"child-pid": (\d+)', os.read(told, 4096))
    if found is None:
        raise NoWall("bubblewrap doesn't say which process it started")
    _KEPT.append(made)
    return int(found[1])


KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
"""How bubblewrap ends if it or its child is killed."""

_KEPT: list[subprocess.Popen[bytes]] = []
"""Keeps the pipe open on which the process in the namespaces waits."""


@functools.cache
def _view() -> tuple[str, ...]:
    """The options for what can be seen behind the wall."""
    options: list[str] = []
    for link in LINKS:
        if os.path.islink(link):
            options += ["--symlink", os.readlink(link), link]
    bound: list[Path] = []
    for path in sorted(set(_places())):
        if path.exists() and not any(path.is_relative_to(other) for other in bound):
            bound.append(path)
            options += ["--ro-bind", str(path), str(path)]
    for kit in _kits():
        for folder in (kit / name for name in HIDDEN):
            if folder.is_dir():
                options += _mask(folder)
    for path in _hidden_in(bound):
        options += _mask(path)
    for device in DEVICES:
        options += ["--dev-bind", device, device]
    return (*options, "--proc", "/proc", "--dir", SCRATCH, "--remount-ro", "/")


def hide(paths: Sequence[str]) -> None:
    """Let nobody behind the walls made from now on see these files and folders."""
    _hidden[:] = paths
    _view.cache_clear()


_hidden: list[str] = []


def _hidden_in(bound: Sequence[Path]) -> Iterator[Path]:
    """What has to be masked because it lies below what can be seen, by the path by which it can be seen."""
    found: list[Path] = []
    for place in bound:
        real = os.path.realpath(place)
        for path in sorted(map(os.path.realpath, _hidden)):
            seen = place / os.path.relpath(path, real)
            if Path(path).is_relative_to(real) and seen.exists() and not any(seen.is_relative_to(other) for other in found):
                found.append(seen)
    return iter(found)


def _mask(path: Path) -> list[str]:
    """The options that mask a folder, or a file."""
    if path.is_dir():
        return ["--tmpfs", str(path), "--remount-ro", str(path)]
    return ["--ro-bind", os.devnull, str(path)]


def _places() -> Iterator[Path]:
    """Files and folders that can be seen behind the wall."""
    yield from map(Path, SYSTEM)
    yield from (Path(link) for link in LINKS if not os.path.islink(link))
    for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix):
        yield from (Path(prefix, name) for name in ("lib", "lib64"))
    yield Path(os.__file__).parent
    yield from (Path(path) for path in sys.path if path.endswith("-packages"))  # not the folders that somebody added
    numpy = Path(sys.modules["numpy"].__file__ or "").parent
    yield from (numpy, numpy.with_name("numpy.libs"))
    yield from _kits()


def _kits() -> Iterator[Path]:
    """The folders of this copy of the kit and of all others that can be seen."""
    own = Path(__file__).absolute().parents[2]
    yield own
    folders = [Path(path) for path in sys.path if path.endswith("-packages")]
    for system in ("/usr", "/usr/local"):
        folders += Path(system).glob("lib/python3*/*-packages")
    for folder in folders:
        if (folder / own.name).is_dir() and folder / own.name != own:
            yield folder / own.name


def complete(space: int) -> None:
    """Make the scratch folder, of this size in bytes, and /proc; from now on nobody behind the wall can make a namespace."""
    _call("mount", b"proc", b"/proc", b"proc", NOSUID | NODEV | NOEXEC, None)
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    settings = SETTINGS | ({"kernel/pid_max": PROCESSES} if kernel() >= PROCESSES_LIMITED else {})
    for name, value in settings.items():
        with contextlib.suppress(OSError):  # a kernel may lack one
            Path("/proc/sys", name).write_text(str(value))
    _call("mount", None, b"/proc", None, REMOUNT | BIND | READ_ONLY | NOSUID | NODEV | NOEXEC, None)
    limits = f"size={space},nr_inodes={int(FILES.value)},mode=700".encode()
    _call("mount", b"tmpfs", SCRATCH.encode(), b"tmpfs", NOSUID | NODEV, limits)


def give_up_rights() -> None:
    """Give up all capabilities of this process for ever, and the keys of the session in which it was started."""
    if not LINUX:
        return
    number = KEYCTL.get(os.uname().machine)
    if number is not None:
        _libc().syscall(number, JOIN_SESSION_KEYRING, None)
    capability = 0
    while _libc().prctl(CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    _call("prctl", NO_NEW_PRIVS, 1, 0, 0, 0)
    _keep_to_descendants()
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    _call("capset", header, none)


def _keep_to_descendants() -> None:
    """Let Landlock, where the kernel has it, refuse access to the memory of processes that do not descend from this one.

    Since Linux 6.12, it refuses to send them signals, too.
    """
    for fields in ((MAKE_DEVICES, 0, SCOPED), (MAKE_DEVICES,)):
        attributes = (ctypes.c_uint64 * len(fields))(*fields)
        rules = _libc().syscall(LANDLOCK_CREATE_RULESET, attributes, ctypes.sizeof(attributes), 0)
        if rules >= 0:
            _libc().syscall(LANDLOCK_RESTRICT_SELF, rules, 0)
            os.close(rules)
            return


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, whose pid is given."""
    if LINUX:
        _call("prctl", PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it has ended already
            os._exit(70)


def adopt_orphans() -> None:
    """Become the parent of processes whose parent ends, if they descend from this process."""
    if LINUX:
        _libc().prctl(CHILD_SUBREAPER, 1, 0, 0, 0)


def hide_memory() -> None:
    """Let no other process of this user read or change the memory or the environment of this process."""
    if LINUX:
        _libc().prctl(DUMPABLE, 0, 0, 0, 0)


def _end_like(status: int) -> None:
    """End this process as another has ended, with this status from waitpid(2)."""
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 70)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    """Call a function of the C library. Raises OSError."""
    if getattr(_libc(), name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
