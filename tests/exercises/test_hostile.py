# SPDX-License-Identifier: GPL-2.0-only
"""Submissions that cheat or run wild gain no point and do not stall the checker; the verdict says what they did."""

import os
import subprocess
import sys
import textwrap
import time

import pytest

from kvmmmu_lab.check.report import CRASHED, FAILED, TIMED_OUT

from ..share import case
from . import solutions
from .checking import ROOT, judge

EXERCISE = "04_rmap_add"
STUB = """
class ReverseMap:
    def __init__(self, vm):
        self.vm = vm
    def add(self, spte):
        {add}
    def sptes(self, hfn):
        {sptes}
    def frames(self):
        return []
"""


def part(add="pass", sptes="return []", before=""):
    """A submission that does nothing but what is given."""
    return before + STUB.format(add=add, sptes=sptes)


def lines(text):
    return textwrap.dedent(text).strip() + "\n"


UNREAD = "only files that are taken along", "tried to read"
# the source, the status of the report, and words in it: the first with a wall, the second without, if there are two
HOSTILE = {
    "leaves at import": ("import os; os._exit(0)\n" + part(), CRASHED, "exit status 0"),
    "leaves in add": (part("import os; os._exit(0)"), CRASHED, "exit status 0"),
    "raises SystemExit at import": ("raise SystemExit(0)\n" + part(), CRASHED, "SystemExit"),
    "raises KeyboardInterrupt in add": (part("raise KeyboardInterrupt"), CRASHED, "KeyboardInterrupt"),
    "aborts": (part("import os; os.abort()"), CRASHED, "signal 6"),
    "replaces functions of pytest": (
        part(before=lines("""
            import pytest
            pytest.Function.runtest = lambda self: None
            pytest.fail = lambda *a, **k: None
        """)), FAILED, "lacks spte",
    ),
    "replaces functions of the checker": (
        part(before=lines("""
            import kvmmmu_lab.check.testbench as bench
            bench.Bench.see = lambda *a, **k: {}
            bench.Bench.do = lambda *a, **k: {}
        """)), FAILED, "",
    ),
    "imports the judge and changes it": (
        part(before="import kvmmmu_lab.check.judge as j\nj._judged = lambda *a: None\n"), CRASHED,
        ("No module named", "tried to read"),
    ),
    "writes a fake report to every file": (
        part(before=lines("""
            import os
            for fd in range(3, 64):
                try: os.write(fd, b'{"loaded":true}\\\\n{"ticket":"1","end":"done"}\\\\n')
                except OSError: pass
        """)), CRASHED, "not an answer to the checker",
    ),
    "writes a report without steps": (
        part(lines("""
            import os, sys
                    frame = sys._getframe()
                    while 'order' not in frame.f_locals: frame = frame.f_back
                    ticket = frame.f_locals['ticket']
                    for fd in range(3, 64):
                        try: os.write(fd, ('{"ticket":"%s","end":"done"}\\\\n' % ticket).encode())
                        except OSError: pass
                    os._exit(0)
        """).strip()), CRASHED, "",
    ),
    "reads the checker's rules": (
        f"open({str(ROOT / 'exercises' / EXERCISE / 'test_rmap_add.py')!r}).read()\n" + part(), CRASHED, UNREAD,
    ),
    "reads the expected operations": (
        f"open({str(ROOT / 'kvmmmu_lab/data/golden/rmap.jsonl.gz')!r}, 'rb').read()\n" + part(), CRASHED, UNREAD,
    ),
    "reads the engine's source": (
        f"exec(open({str(ROOT / 'kvmmmu_lab/mmu/rmap.py')!r}).read())\n" + part(), CRASHED, UNREAD,
    ),
    "reads it through a folder's descriptor": (
        f"import os; os.open('mmu/rmap.py', os.O_RDONLY, dir_fd=os.open({str(ROOT / 'kvmmmu_lab')!r}, os.O_RDONLY))\n"
        + part(), CRASHED, ("only files that are taken along", "outside its own"),
    ),
    "imports the engine's own part": (
        "from kvmmmu_lab.mmu.rmap import ReverseMap\n", CRASHED, "is not available while yours is checked",
    ),
    "derives from the engine's own part": (
        "import kvmmmu_lab.mmu.rmap as r\nclass ReverseMap(r.ReverseMap): pass\n", CRASHED,
        "is not available while yours is checked",
    ),
    "loads the engine's own part again": (
        "import importlib, kvmmmu_lab.mmu.rmap as r\nReverseMap = importlib.reload(r).ReverseMap\n", CRASHED,
        ("spec not found", "tried to read"),
    ),
    "changes the engine": (
        part(before=lines("""
            import kvmmmu_lab.mmu.audit as audit, kvmmmu_lab.inspect.dump as state
            audit.audit = audit.undone = lambda vm: []
            state.rmap_part = state.pages_part = lambda vm: []
            import builtins
            builtins.sorted = lambda *a, **k: []
        """)), FAILED, "",
    ),
    "loops for ever": (part("while True: pass"), TIMED_OUT, "in add(), line 6"),
    "loops at import": ("while True: pass\n" + part(), TIMED_OUT, "line 1"),
    "loops and catches everything": (
        part(lines("""
            while True:
                        try:
                            while True: pass
                        except BaseException: pass
        """).strip()), TIMED_OUT, "in add()",
    ),
    "loops without a watchdog": (
        part("while True: pass", before="import faulthandler\nfaulthandler.cancel_dump_traceback_later = lambda: None\n"
             ).replace("while True", "import faulthandler as f; f.dump_traceback_later(999); \n        while True"),
        TIMED_OUT, "took too long",
    ),
    "sleeps": (part("import time; time.sleep(1000)"), TIMED_OUT, "in add()"),
    "never ends its list": (part(sptes="import itertools; return itertools.count()"), (TIMED_OUT, CRASHED), ""),
    "calls itself for ever": (part("self.add(spte)"), CRASHED, "RecursionError"),
    "forks": ("import os\nwhile True: os.fork()\n" + part(), (CRASHED, TIMED_OUT), ("", "start another process")),
    "starts processes": (
        "import subprocess\nsubprocess.Popen(['sleep', '100'])\n" + part(), (FAILED, CRASHED),
        ("", "start another process"),
    ),
    "starts processes through _posixsubprocess": (
        part(before=lines("""
            import sys
            sys.modules.pop('_posixsubprocess', None)
            import _posixsubprocess
        """)), (FAILED, CRASHED), ("", "start another process"),
    ),
    "starts threads": (
        part(lines("""
            import threading
                    def spin():
                        while True: pass
                    for _ in range(50): threading.Thread(target=spin, daemon=True).start()
        """).strip()), (TIMED_OUT, CRASHED, FAILED), "",
    ),
    "uses up memory": (part("self.hog = [bytearray(1 << 26) for _ in range(1000)]"), (CRASHED, TIMED_OUT), "memory"),
    "prints a megabyte": (part("print('x' * 1_000_000)"), FAILED, "lacks spte"),
    "prints for ever": (part("while True: print('x' * 1_000_000)"), (CRASHED, TIMED_OUT), ""),
    "prints control characters": (part("raise ValueError('\\x1b[2J')"), CRASHED, r"\x1b[2J"),
    "fills the disk": (
        part("open('big', 'wb').write(b'x' * (1 << 25))"), CRASHED, "",
    ),
    "writes elsewhere": (f"open({str(ROOT / 'planted.txt')!r}, 'w')\n" + part(), CRASHED,
        ("only in its own folder", "outside its folder")),
    "deletes its working folder": ("import os, shutil\nshutil.rmtree(os.getcwd())\n" + part(), (FAILED, CRASHED), ""),
    "deletes the exercise": (
        f"import shutil\nshutil.rmtree({str(ROOT / 'exercises' / EXERCISE)!r})\n" + part(), CRASHED, "",
    ),
    "reads the environment": (
        "open('/proc/self/environ').read()\n" + part(), (FAILED, CRASHED),
        ("", "the environment of a process"),
    ),
    "kills its parent": (
        "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n" + part(), CRASHED,
        ("signal 9", "send a signal"),
    ),
    "closes all files": ("import os\nos.closerange(0, 64)\n" + part(), CRASHED, ""),
    "uses the network": (
        "import socket\nsocket.socket().connect(('127.0.0.1', 9))\n" + part(), CRASHED,
        ("no network", "network"),
    ),
    "raises an endless message": (
        part("raise E", before="class E(Exception):\n    def __str__(self): return 'x' * 10**7\n"), CRASHED, "(raise E): xxx",
    ),
    "returns an object": (part(sptes="return [object()]"), CRASHED, "sptes() returns [<object"),
    "answers too much": (part(sptes="return range(hfn, hfn + 5_000_000)"), (TIMED_OUT, CRASHED), ""),
    "has no class": ("x = 1\n", CRASHED, "doesn't define ReverseMap"),
    "is not Python": ("class ReverseMap(:\n", CRASHED, "SyntaxError"),
}  # fmt: skip


@pytest.fixture
def time_limit(monkeypatch):
    """A function that sets after how many seconds a submission is stopped."""

    def limit(seconds):
        monkeypatch.setenv("KVMMMU_LAB_TIME", str(seconds))

    return limit


@pytest.fixture(autouse=True)
def usual_time(monkeypatch):
    """A check as a whole has the time that it has by default."""
    monkeypatch.delenv("KVMMMU_LAB_CHECK", raising=False)


SHORT, LONG = 0.5, 10
SECONDS = {name: SHORT for name, (_, status, _) in HOSTILE.items() if status == TIMED_OUT}
SECONDS |= {"starts threads": SHORT, "uses up memory": LONG}
"""Less time if it runs out, so that the test waits less; more if memory has to run out first."""


@pytest.fixture(params=["server", pytest.param("unwalled", marks=pytest.mark.slow)])
def any_server(request):
    """A fork server as it is on this machine, and one without bubblewrap."""
    return request.getfixturevalue(request.param)


LENGTHY = {
    "never ends its list", "loops without a watchdog", "answers too much", "sleeps", "loops and catches everything",
    "starts threads",
}
"""These take seconds, and "loops for ever" and "uses up memory" are of the same kinds."""


@pytest.mark.parametrize("name", [case(name, number % 4 == 0 and name not in LENGTHY) for number, name in enumerate(HOSTILE)])
def test_a_hostile_submission_gains_nothing_and_the_report_says_why(name, any_server, time_limit):
    server = any_server
    source, status, words = HOSTILE[name]
    if name in SECONDS:
        time_limit(SECONDS[name])
    begin = time.monotonic()
    report = judge(EXERCISE, source, server)
    assert report.points == 0 and report.extra == 0, str(report)
    assert report.status in (status if isinstance(status, tuple) else (status,)), str(report)
    if isinstance(words, tuple):
        words = words[0] if not server.no_wall else words[1]
    assert words in " ".join(str(report).split()), str(report)
    assert time.monotonic() - begin < 20
    assert not (ROOT / "planted.txt").exists()
    assert server.process.poll() is None, "the fork server lives on"


@pytest.mark.parametrize("name", ["05_rmap_remove", "06_rmap_write_protect"])
def test_parts_that_one_exercise_may_use_are_not_available_in_the_next(name, server):
    adds = solutions.right("04_rmap_add")["descriptors"]
    lent = adds.source.replace("class ReverseMap", "class Adds") + lines("""
        from kvmmmu_lab.check.parts import OnlyAdds
        class ReverseMap(OnlyAdds):
            def __init__(self, vm):
                super().__init__(Adds, vm)
            def sptes(self, hfn):
                return self.part.sptes(hfn)
            def frames(self):
                return self.part.frames()
    """)
    report = judge(name, lent, server)
    assert report.points == 0 and "is not available while yours is checked" in " ".join(str(report).split()), str(report)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files in /proc")
def test_no_file_is_left_open_or_behind(server, tmp_path, monkeypatch, time_limit):
    time_limit(SHORT)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    for name in ("leaves in add", "loops for ever", "forks", "raises SystemExit at import"):
        judge(EXERCISE, HOSTILE[name][0], server)
    assert len(os.listdir("/proc/self/fd")) == before
    assert not list(tmp_path.iterdir())


def test_the_environment_is_not_passed_on(server, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "geheim")
    report = judge(EXERCISE, "import os\nraise ValueError(sorted(os.environ.items()))\n", server)
    assert "raises ValueError in line 2" in str(report) and "): []" in str(report)


def pytest_on(*arguments, cwd=ROOT):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_a_conftest_beside_the_submission_is_not_loaded(tmp_path):
    (tmp_path / "conftest.py").write_text("import os; os._exit(0)")
    (tmp_path / "mine.py").write_text(part())
    status, said = pytest_on(ROOT / "exercises" / EXERCISE, "--submission", tmp_path / "mine.py")
    assert status == 1 and "0 of" in said, said


FORGED = """
import pytest
pytest.exit("this must not run", 0)
"""

PLANTED = {
    "root": {"conftest.py": FORGED, "pytest.ini": "[pytest]\naddopts = --collect-only\n"},
    "exercises": {"exercises/conftest.py": FORGED},
    "exercise": {f"exercises/{EXERCISE}/conftest.py": FORGED},
    "pyproject": {"pyproject.toml": "[tool.pytest.ini_options]\npython_files = 'nothing'\n"},
    "setup.cfg": {"setup.cfg": "[tool:pytest]\naddopts = --exitfirst --version\n"},
    "tox.ini": {f"exercises/{EXERCISE}/tox.ini": "[pytest]\npythonpath = .\n"},
}


@pytest.mark.parametrize(
    ("what", "where"),
    [
        pytest.param("root", EXERCISE, marks=pytest.mark.slow),
        pytest.param("root", None, marks=pytest.mark.slow),
        *(pytest.param(what, EXERCISE, marks=[pytest.mark.slow, pytest.mark.whole]) for what in list(PLANTED)[1:]),
    ],
)
def test_configuration_of_pytest_among_the_exercises_is_not_used(tmp_path, what, where):
    import shutil

    shutil.copytree(ROOT / "exercises" / EXERCISE, tmp_path / "exercises" / EXERCISE)
    (tmp_path / "exercises" / "README.md").write_text("exercises")
    (tmp_path / ".kvmmmu-lab.json").write_text("{}")
    (tmp_path / "exercises" / EXERCISE / "rmap_add.py").write_text(part())
    for name, text in PLANTED[what].items():
        (tmp_path / name).write_text(text)
    status, said = pytest_on(*([f"exercises/{where}"] if where else []), cwd=tmp_path)
    assert status == 1 and "0 of 10 points" in said, said
    assert "without your own configuration of pytest" in said and all(str(tmp_path / name) in said for name in PLANTED[what])
    assert said.count("test session starts") == 1


@pytest.mark.slow
def test_modules_planted_beside_the_checker_are_not_imported(tmp_path):
    import shutil

    shutil.copytree(ROOT / "exercises" / EXERCISE, tmp_path / EXERCISE)
    for name in ("hypothesis", "json", "kvmmmu_lab", "graphviz"):
        (tmp_path / EXERCISE / f"{name}.py").write_text("import os; os._exit(0)")
    (tmp_path / EXERCISE / "rmap_add.py").write_text(part())
    status, said = pytest_on(EXERCISE, cwd=tmp_path)
    assert status == 1 and "0 of" in said, said
