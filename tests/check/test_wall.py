# SPDX-License-Identifier: GPL-2.0-only
"""The wall around a worker: what a submission tries against the judge, the kit and the machine reaches nothing."""

import contextlib
import dataclasses
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.sandbox import scratch, wall
from kvmmmu_lab.check.sandbox.client import Worker
from kvmmmu_lab.check.sandbox.forkserver import ForkServer
from kvmmmu_lab.check.submission import Submission

from ..exercises.checking import EXERCISES, ROOT, unwalled_server
from ..share import case, one_in
from .samples import RIGHT

pytestmark = [
    pytest.mark.usefixtures("nothing_ignored"),
    pytest.mark.skipif(sys.platform != "linux", reason="namespaces and /proc are Linux's"),
]

EXERCISE = dataclasses.replace(EXERCISES["04_rmap_add"], rules=EXERCISES["04_rmap_add"].rules[:1])
NOBODY = 65534
SECRET = "geheim-4711"
STUB = """
class ReverseMap:
    def __init__(self, vm):
        self.vm = vm
    def add(self, spte):
        {add}
    def sptes(self, hfn):
        return []
    def frames(self):
        return []
"""

ATTEMPTS = {
    "runs the engine's own source, read with a path that lies": """
        import io, sys, types
        class Path:
            asked = 0
            def __fspath__(self):
                Path.asked += 1
                return "KIT/kvmmmu_lab/mmu/rmap.py" if Path.asked == 1 else "harmless"
        module = types.ModuleType("kvmmmu_lab.mmu.again")
        module.__package__ = "kvmmmu_lab.mmu"
        sys.modules[module.__name__] = module
        exec(io.FileIO(Path()).read().decode(), vars(module))
        ReverseMap = module.ReverseMap
    """,
    "runs it, read relative to its folder": """
        import os, types, sys
        here = os.open(".", os.O_RDONLY)
        os.chdir("/")
        source = os.read(os.open("..KIT/kvmmmu_lab/mmu/rmap.py", os.O_RDONLY, dir_fd=here), 1 << 20)
        module = sys.modules["kvmmmu_lab.mmu.again"] = types.ModuleType("kvmmmu_lab.mmu.again")
        module.__package__ = "kvmmmu_lab.mmu"
        exec(source, vars(module))
        ReverseMap = module.ReverseMap
    """,
    "runs it, read with a string that lies": """
        import os, types, sys
        class Text(str):
            def __getitem__(self, index): return ""
            def startswith(self, *_): return False
            def partition(self, _): return "harmless", "", ""
        source = os.read(os.open(Text("KIT/kvmmmu_lab/mmu/rmap.py"), os.O_RDONLY), 1 << 20)
        module = sys.modules["kvmmmu_lab.mmu.again"] = types.ModuleType("kvmmmu_lab.mmu.again")
        module.__package__ = "kvmmmu_lab.mmu"
        exec(source, vars(module))
        ReverseMap = module.ReverseMap
    """,
    "reads the source, or compiled code, in every way that Python has": """
        import importlib.resources, importlib.util, inspect, linecache, pkgutil, sys
        import kvmmmu_lab.mmu.rmap as rmap
        ways = [
            lambda: inspect.getsource(rmap),
            lambda: "".join(linecache.getlines(rmap.__file__)),
            lambda: importlib.resources.files("kvmmmu_lab").joinpath("mmu/rmap.py").read_text(),
            lambda: pkgutil.get_data("kvmmmu_lab.mmu", "rmap.py"),
            lambda: rmap.__loader__.get_source(rmap.__name__),
            lambda: rmap.__loader__.get_code(rmap.__name__),
            lambda: open(importlib.util.cache_from_source(rmap.__file__), "rb").read(),
            lambda: importlib.util.find_spec("kvmmmu_lab.check.oracle"),
        ]
        for way in ways:
            try: found = way()
            except Exception: continue
            assert not found, f"reached {found}"
    """,
    "looks for solutions, tests and repositories": """
        import os
        found = []
        for top in ("KIT", "/home", "/root", "/srv", "/var", "/opt", "/mnt", "/media", "/tmp"):
            for folder, folders, files in os.walk(top):
                found += [folder] if folder.endswith((".git", "tests/exercises", "mmu", "golden", "_course")) and files else []
                found += [name for name in files if name in ("rmap.py", "oracle.py", "test_rmap_add.py", "right.py")]
        assert not found, f"reached {found}"
    """,
    "looks for the engine's own functions among all objects": """
        import gc, types
        found = []
        def look(code):
            found.extend([code.co_name] if "mmu/rmap.py" in code.co_filename and code.co_name in ("add", "remove") else [])
            found.extend([code.co_filename] if "oracle" in code.co_filename else [])
            for inner in code.co_consts:
                if isinstance(inner, types.CodeType): look(inner)
        for thing in gc.get_objects():
            for near in (thing, *gc.get_referents(thing)):
                code = getattr(near, "__code__", near) if isinstance(near, types.FunctionType) else near
                if isinstance(code, types.CodeType): look(code)
        assert not found, f"reached {found}"
    """,
    "reads and writes the memory of other processes": """
        import ctypes, os
        libc = ctypes.CDLL(None)
        for pid in {1, 2, os.getppid(), *(int(name) for name in os.listdir("/proc") if name.isdigit())} - {0, os.getpid()}:
            for mode in ("rb", "r+b"):
                try: open(f"/proc/{pid}/mem", mode)
                except OSError: continue
                raise AssertionError("reached")
            assert libc.ptrace(16, pid, 0, 0) == -1, "reached"
    """,
    "reads the environment of the judge, in files and in its own memory": """
        import ctypes, os, re
        secret = re.compile(rb"geheim-\\d{4}")  # which does not contain it
        for pid in (name for name in os.listdir("/proc") if name.isdigit()):
            try: assert not secret.search(open(f"/proc/{pid}/environ", "rb").read()), "reached"
            except OSError: pass
        for line in open("/proc/self/maps").readlines():
            place, rights, *_ = line.split()
            if rights.startswith("rw") and "[v" not in line:
                begin, end = (int(number, 16) for number in place.split("-"))
                assert not secret.search(ctypes.string_at(begin, end - begin)), "reached"
    """,
    "reads secrets of the user": """
        import os
        for path in ("OUTSIDE/secret", "/etc/shadow", "/etc/passwd", "/proc/1/root/OUTSIDE/secret"):
            try: open(path)
            except OSError: continue
            raise AssertionError("reached")
    """,
    "changes files outside": """
        import ctypes, os, shutil, sqlite3
        open("mine", "w").write("{}")
        libc = ctypes.CDLL(None)
        kept = "OUTSIDE/progress.json"
        ways = [
            lambda: os.replace("mine", kept), lambda: os.link(kept, "link"), lambda: os.link("mine", "OUTSIDE/link"),
            lambda: os.symlink("mine", "OUTSIDE/soft"), lambda: os.mkfifo("OUTSIDE/fifo"), lambda: os.chmod(kept, 0o777),
            lambda: os.utime(kept, (0, 0)), lambda: os.truncate(kept, 0), lambda: os.remove(kept),
            lambda: shutil.rmtree("OUTSIDE"),
            lambda: sqlite3.connect("OUTSIDE/planted.db").execute("create table t(x)"), lambda: open("KIT/planted.py", "w"),
            lambda: os.mkdir("KIT/kvmmmu_lab/mmu/__pycache__"), lambda: os.chmod("KIT/kvmmmu_lab/__init__.py", 0o777),
            lambda: os.setxattr("KIT/kvmmmu_lab/__init__.py", "user.x", b"1"), lambda: open("/planted", "w"),
            lambda: open("/dev/planted", "w"), lambda: open("/usr/planted", "w"),
            lambda: os.mknod("device", 0o20666, os.makedev(1, 1)) or open("device", "rb").read(1),
        ]
        for number, way in enumerate(ways):
            try: way()
            except (OSError, sqlite3.Error, shutil.Error): continue
            raise AssertionError(f"reached by way {number}")
    """,
    "changes what is mounted": """
        import ctypes
        libc = ctypes.CDLL(None)
        calls = [
            libc.unshare(0x10000000), libc.unshare(0x20000), libc.umount2(b"KIT/kvmmmu_lab/mmu", 2), libc.umount2(b"/proc", 2),
            libc.mount(None, b"/", None, 32 | 4096, None), libc.mount(b"none", b"/scratch", b"tmpfs", 0, None),
            libc.chroot(b"/scratch"), libc.setns(3, 0), libc.capset(None, None),
        ]
        assert all(result == -1 for result in calls), f"reached {calls}"
        try: open("/proc/sys/user/max_user_namespaces", "w").write("9")
        except OSError: pass
        else: raise AssertionError("reached")
    """,
    "kills and stops all processes": """
        import os, signal
        for signum in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
            for pid in (-1, *range(1, 40_000)):
                if pid != os.getpid():
                    try: os.kill(pid, signum)
                    except OSError: pass
    """,
    "kills the judge by a pidfd": """
        import os, signal
        def parent(pid):
            return int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1])
        signal.pidfd_send_signal(os.pidfd_open(parent(os.getppid())), signal.SIGKILL)
    """,
    "listens to and calls other programs": """
        import socket
        assert [name for _, name in socket.if_nameindex()] == ["lo"], "reached"
        names = [line.split()[-1] for line in open("/proc/net/unix")][1:]
        assert not [name for name in names if name.startswith(("@", "/"))], "reached"
        for family, place in ((socket.AF_UNIX, "\\0wall-test"), (socket.AF_INET, ("1.1.1.1", 53))):
            try: socket.socket(family).connect(place)
            except OSError: continue
            raise AssertionError("reached")
    """,
    "finds files that the judge has open": """
        import os
        files = [file for file in range(64) if os.path.lexists(f"/proc/self/fd/{file}")]
        found = [os.readlink(f"/proc/self/fd/{file}") for file in files]
        assert all(name.startswith(("pipe:", "/dev/null", "/proc/")) for name in found), f"reached {found}"
    """,
    "uses keys, rings and messages of the kernel": """
        import ctypes, os
        libc, machine = ctypes.CDLL(None), os.uname().machine
        add, control = {"x86_64": (248, 250), "aarch64": (217, 219)}.get(machine, (0, 0))
        if add:
            assert libc.syscall(control, 10, -3, b"user", b"wall-test", 0) == -1, "reached"
            libc.syscall(add, b"user", b"planted", b"x", 1, -3)
        assert libc.shmget(0x77A12, 1 << 20, 0o1666) == libc.msgget(0x77A12, 0o1666) == -1, "reached"
        libc.semget(0x77A12, 1, 0o1666)
        libc.syscall(425, 8, (ctypes.c_char * 120)())
    """,
    "leaves shared memory": """
        import _posixshmem, os
        for number in range(6):
            try: file = _posixshmem.shm_open(f"/planted{number}", os.O_CREAT | os.O_RDWR, mode=0o600)
            except OSError: continue
            os.write(file, b"x" * (1 << 24))
    """,
    "leaves a daemon": """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.closerange(0, 64)
                time.sleep(600)
            os._exit(0)
    """,
    "leaves a process, by the address of fork()": """
        import ctypes, os, time
        libc = ctypes.CDLL(None)
        fork = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.cast(libc.fork, ctypes.c_void_p).value)
        if fork() == 0:
            os.setsid()
            os.closerange(0, 64)
            time.sleep(600)
            os._exit(0)
    """,
    "is a fork bomb": """
        import ctypes
        libc = ctypes.CDLL(None)
        while True: libc.fork()
    """,
    "fills its folder": """
        number = 0
        while True:
            number += 1
            assert number < 100, "reached"
            with open(f"big{number}", "wb") as file: file.write(b"x" * (1 << 24))
    """,
    "makes files without end": """
        number = 0
        while True:
            number += 1
            assert number < 20_000, "reached"
            open(f"small{number}", "wb").close()
    """,
    "makes folders in folders": """
        import os
        here = os.getcwd()
        for _ in range(2000):
            os.mkdir("d")
            os.chdir("d")
        os.chdir(here)
    """,
    "stops itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n",
    "asks for rights": """
        import os, subprocess
        for call in (lambda: os.setuid(0 if os.getuid() else 1), lambda: os.nice(-5), lambda: os.setgroups([0])):
            try: call()
            except OSError: continue
            raise AssertionError("reached")
        for program in ("/usr/bin/su", "/usr/bin/passwd"):
            try: subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True)
            except OSError: pass
    """,
}  # fmt: skip
"""Each raises an AssertionError with the word "reached" if it succeeds, or defines a right `ReverseMap`."""

WAITING = 5
"""The processes of the worker that waits behind its wall: itself, its parent, two of bubblewrap, and the keeper of the wall."""

FAST = {name: 0.5 for name in ("kills and stops all processes", "is a fork bomb", "stops itself")}
"""The time limits, as a factor, of those that are stopped."""


@pytest.fixture(scope="module")
def server():
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("MY_TOKEN", SECRET)
        with ForkServer() as shared:
            if shared.no_wall:
                pytest.skip(f"this machine can't make a wall: {shared.no_wall}")
            yield shared


@pytest.fixture(scope="module")
def unwalled():
    with unwalled_server() as shared:
        yield shared


@pytest.fixture
def outside(tmp_path):
    """A folder of the user's, with a secret, with progress, and with a program that listens."""
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "progress.json").write_text("{}")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("\0wall-test")
        listening.listen()
        yield tmp_path


def state(folder):
    """What a submission must not change: this folder, and shared memory."""
    files = {path: (path.read_bytes(), path.stat().st_mode, path.stat().st_nlink) for path in sorted(folder.iterdir())}
    return files, sorted(os.listdir("/dev/shm"))


def children(pid):
    """The processes that descend from a process, and are not its zombies."""
    found = set()
    with contextlib.suppress(OSError):
        for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            found |= {child, *children(child)}
    return found


def soon(holds, seconds=5.0):
    """Wait until something holds; return whether it does."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def submission(source, outside):
    text = textwrap.dedent(source).replace("KIT", str(ROOT)).replace("OUTSIDE", str(outside))
    return text + ("" if "ReverseMap = " in text else STUB.format(add="pass"))


def report_on(source, server, outside):
    return Judge(EXERCISE, Submission(submission(source, outside), "mine.py"), server).report()


@pytest.mark.parametrize("name", [case(name, number % 8 == 0 and name not in FAST) for number, name in enumerate(ATTEMPTS)])
def test_an_attempt_reaches_nothing_and_leaves_nothing(name, server, outside, monkeypatch):
    monkeypatch.setenv("KVMMMU_LAB_TIME", str(FAST.get(name, 2)))
    before, begin = state(outside), time.monotonic()
    report = report_on(ATTEMPTS[name], server, outside)
    assert report.points == 0 and not report.notes, str(report)
    assert "AssertionError" not in str(report), str(report)
    assert time.monotonic() - begin < 20
    assert state(outside) == before
    assert not (ROOT / "planted.py").exists()
    assert soon(lambda: len(children(server.process.pid)) == WAITING), "no process is left"
    assert server.process.poll() is None, "the fork server lives on"


def test_what_it_needs_works_behind_the_wall(server):
    source = """
        import asyncio, ctypes, tempfile, threading
        import numpy as np
        from kvmmmu_lab import open_guest
        from kvmmmu_lab.inspect import dump
        assert np.arange(4).sum() == 6
        assert open_guest("lin64_A") is not None
        with tempfile.TemporaryFile() as file: file.write(b"x")
        thread = threading.Thread(target=print, args=("in a thread",))
        thread.start(); thread.join()
        async def answer(): return 42
        assert asyncio.run(answer()) == 42
        assert open("table.txt").read() == "1 2 3"
        import helper
    """
    files = {"table.txt": b"1 2 3", "helper.py": b"x = 1\n"}
    mine = Worker(EXERCISE, Submission(textwrap.dedent(source) + RIGHT, "mine.py", files=files), server)
    assert mine.failed is None
    mine.close()
    assert Judge(EXERCISE, Submission(RIGHT, "mine.py"), server).report().points == 1


def test_little_can_be_seen_behind_the_wall(server):
    source = "import os\nraise ValueError(sorted(os.listdir('/')), os.listdir('.'), os.getcwd(), os.listdir('/dev'))\n"
    mine = Worker(EXERCISE, Submission(source, "mine.py"), server)
    seen, folder, here, devices = eval(mine.failed["what"])
    assert folder == [] and here == wall.SCRATCH and set(devices) == {Path(device).name for device in wall.DEVICES}
    needed = {Path(path).parts[1] for path in (sys.prefix, sys.base_prefix, str(ROOT), *sys.path) if path}
    system = {Path(path).parts[1] for path in (*wall.SYSTEM, *wall.LINKS)}
    assert set(seen) <= {"dev", "proc", "scratch", *system, *needed}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("open('/etc/hostname')", "only files that are taken along with your code can be read"),
        ("open('/usr/x', 'w')", "your code can change files only in its own folder"),
        ("import urllib.request; urllib.request.urlopen('http://example.org')", "no network"),
    ],
)
def test_the_report_says_what_an_error_of_the_system_means(source, words, server, monkeypatch):
    failed = Worker(EXERCISE, Submission(f"{source}\n", "mine.py"), server).failed
    assert words in failed["what"], failed


def run_check(path, folder, **variables):
    """Run ``kvmmmu-lab check`` as a process, in which the fork server is forked from the judge itself."""
    command = [sys.executable, "-m", "kvmmmu_lab", "check", "rmap_add", str(path), "--folder", str(folder)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), **variables}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
def test_a_worker_that_is_forked_from_the_judge_knows_nothing_of_its_environment(server, outside):
    name = "reads the environment of the judge, in files and in its own memory"
    path = outside / "mine.py"
    path.write_text(submission(ATTEMPTS[name], outside))
    said, _ = run_check(path, outside, MY_TOKEN=SECRET).communicate(timeout=60)
    assert "0 of 10 points" in said and "AssertionError" not in said, said


def test_without_bubblewrap_the_report_says_what_is_not_enforced(unwalled, outside):
    report = report_on("", unwalled, outside)
    (note,) = report.notes
    assert note.startswith("not enforced on this machine: what your code may read, change and start (only Python itself")
    assert "bubblewrap is not installed" in note


HELD_WITHOUT_A_WALL = [
    "reads and writes the memory of other processes", "leaves a daemon", "leaves a process, by the address of fork()",
    "looks for the engine's own functions among all objects",
]  # fmt: skip


@pytest.mark.parametrize("name", HELD_WITHOUT_A_WALL)
def test_some_attempts_fail_without_a_wall_too(name, unwalled, outside, monkeypatch):
    monkeypatch.setenv("KVMMMU_LAB_TIME", str(FAST.get(name, 2)))
    before = state(outside)
    report = report_on(ATTEMPTS[name], unwalled, outside)
    assert report.points == 0 and "AssertionError" not in str(report), str(report)
    assert state(outside) == before
    assert soon(lambda: len(children(unwalled.process.pid)) == 1), "no process but the next worker is left"


def test_a_scratch_folder_is_deleted_whatever_is_in_it():
    folder = scratch.make()
    os.makedirs(f"{folder}/closed/inner")
    os.chmod(f"{folder}/closed", 0)
    deep, here = Path(folder), os.getcwd()
    os.chdir(deep)
    for _ in range(1200):
        os.mkdir("d")
        os.chdir("d")
    os.chdir(here)
    scratch.discard(folder)
    assert not deep.exists()


SLEEPS = STUB.format(add="""import faulthandler, time
        faulthandler.cancel_dump_traceback_later()
        time.sleep(1000)""")


def started(pid):
    """When a process was started, to tell it from a later one with its number."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[19] if fields[0] not in "ZX" else None
    return None


def kill_the_judge(rounds, folder, seed, **variables):
    """Kill a check at random moments; return what was left of it."""
    chance, path = random.Random(seed), folder / "mine.py"
    path.write_text(SLEEPS)
    left = []
    for _ in range(rounds):
        process = run_check(path, folder, **variables)
        time.sleep(chance.uniform(0.1, 1.5))
        family = {pid: started(pid) for pid in children(process.pid)}
        process.send_signal(chance.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)))
        process.communicate()
        ended = soon(lambda family=family: not any(when and started(pid) == when for pid, when in family.items()))
        left += [] if ended else [family]
    return left


@pytest.mark.slow
def test_no_worker_survives_the_judge(server, tmp_path):
    assert kill_the_judge(4, tmp_path, seed=1) == []


@pytest.mark.slow
@pytest.mark.parametrize("rounds", one_in(2, [8, 100], rest=pytest.mark.whole))
@pytest.mark.parametrize("walled", [True, False])
def test_no_worker_survives_the_judge_in_many_rounds(walled, rounds, tmp_path):
    (tmp_path / "bin").mkdir()
    variables = {} if walled else {"PATH": str(tmp_path / "bin")}
    (tmp_path / "temporary").mkdir()
    assert kill_the_judge(rounds, tmp_path, seed=2, TMPDIR=str(tmp_path / "temporary"), **variables) == []
    assert list((tmp_path / "temporary").glob("kvmmmu-lab-*")) == []


@pytest.mark.slow
def test_progress_is_whole_after_the_judge_was_killed(tmp_path):
    own = tmp_path / "exercises" / "04_rmap_add" / "rmap_add.py"
    own.parent.mkdir(parents=True)
    command = [sys.executable, "-m", "kvmmmu_lab"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}

    def check():
        return subprocess.Popen(
            [*command, "check", "rmap_add", "--folder", str(tmp_path)], env=environment, stdout=subprocess.DEVNULL
        )

    own.write_text(RIGHT)
    assert check().wait() == 0
    chance = random.Random(3)
    for _ in range(30):
        with check() as process:
            time.sleep(chance.uniform(0.1, 1.5))
            process.send_signal(chance.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)))
    said = subprocess.run([*command, "progress", "--json"], env=environment, capture_output=True, text=True, check=True)
    assert '"best": 10' in said.stdout and not said.stderr, said


def ordinary_python(folder):
    """A Python that an ordinary user can execute, with the packages of this one."""
    site = "\n".join([*(path for path in sys.path if path.endswith("-packages")), str(ROOT)])
    for executable in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            subprocess.run([executable, "-m", "venv", "--without-pip", str(folder)], check=True, capture_output=True)
            (installed,) = folder.glob("lib/python3*/site-packages")
            (installed / "kit.pth").write_text(site)
            subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
            python = str(folder / "bin" / "python")
            subprocess.run([python, "-c", "import pytest, numpy, kvmmmu_lab.check"], user=NOBODY, env={}, check=True)
            return python
        shutil.rmtree(folder, ignore_errors=True)
    return None


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="these tests run as an ordinary user already")
def test_all_this_holds_for_an_ordinary_user(server):
    folder = Path(tempfile.mkdtemp(prefix="ordinary-"))
    try:
        folder.chmod(0o755)
        python = ordinary_python(folder / "python")
        if python is None:
            pytest.skip("an ordinary user can't execute this Python, or can't read its packages or the kit")
        (folder / "own").mkdir()
        os.chown(folder / "own", NOBODY, NOBODY)
        own = folder / "own"
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(own / "tests"), __file__]
        done = subprocess.run(
            command,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": str(own), "TMPDIR": str(own)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0 and " passed" in done.stdout, done.stdout[-3000:]
    finally:
        shutil.rmtree(folder)
