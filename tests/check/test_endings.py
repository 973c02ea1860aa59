# SPDX-License-Identifier: GPL-2.0-only
"""A check that is interrupted or terminated ends at once, with all its processes, and leaves the terminal as it was."""

import gc
import os
import random
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest

from kvmmmu_lab.check.cli import ending_tidily

from ..exercises.checking import ROOT
from ..share import one_in
from .samples import RIGHT, before

pytestmark = [
    pytest.mark.usefixtures("nothing_ignored"),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc"),
]
COMMAND = [sys.executable, "-m", "kvmmmu_lab"]


def descendants(pid):
    """The pids of all processes that descend from a process."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, new = set(), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def runs(pid):
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(holds, seconds=10.0):
    """Wait until a condition holds; return whether it does."""
    end = time.monotonic() + seconds
    while not (found := holds()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


@pytest.fixture
def environment(tmp_path):
    return os.environ | {
        "KVMMMU_LAB_DATA": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path),
        "PYTHONPATH": str(ROOT), "KVMMMU_LAB_TIME": "10",
    }  # fmt: skip


def start(tmp_path, environment, source):
    (tmp_path / "mine.py").write_text(source)
    command = [*COMMAND, "check", "rmap_add", str(tmp_path / "mine.py")]
    return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(process, signum):
    """Send a signal, and return the output when the process has ended with all of its descendants, soon after it."""
    others = descendants(process.pid)
    process.send_signal(signum)
    begin = time.monotonic()
    out, error = process.communicate(timeout=10)
    assert time.monotonic() - begin < 5  # it takes 0.2 seconds if nothing else runs
    assert wait_until(lambda: not any(map(runs, others)), 5), [pid for pid in others if runs(pid)]
    return out.decode(), error.decode()


STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -9}
SLEEPS = before("import time; time.sleep(100)")
STUBBORN = before("import faulthandler; faulthandler.cancel_dump_traceback_later()\n        while True: pass")
SIGNALS = [(signal.SIGINT, STUBBORN), *(pytest.param(each, SLEEPS, marks=pytest.mark.slow) for each in STATUS)]


@pytest.mark.parametrize(("signum", "source"), SIGNALS)
def test_a_signal_ends_a_check_and_its_workers_at_once(tmp_path, environment, signum, source):
    process = start(tmp_path, environment, source)
    assert wait_until(lambda: len(descendants(process.pid)) >= 3)
    time.sleep(0.3)
    _, error = ended(process, signum)
    assert process.returncode == STATUS[signum] and "Traceback" not in error and error == "", error
    if signum != signal.SIGKILL:
        assert not list(tmp_path.glob("kvmmmu-lab-*")), "scratch folders are gone"


@pytest.mark.slow
@pytest.mark.parametrize("signum", one_in(3, STATUS, rest=pytest.mark.whole))
@pytest.mark.parametrize("source", [SLEEPS, STUBBORN, RIGHT], ids=["sleeps", "stubborn", "right"])
def test_a_signal_may_come_at_any_moment(tmp_path, environment, signum, source):
    moments = random.Random(13)
    for _ in range(5):
        process = start(tmp_path, environment, source)
        wait_until(lambda process=process: descendants(process.pid) or process.poll() is not None)
        time.sleep(moments.uniform(0, 1.5))
        _, error = ended(process, signum)
        assert "Traceback" not in error, error


class Terminal:
    """``kvmmmu-lab watch`` in a terminal of its own."""

    def __init__(self, folder, environment):
        import pty
        import termios

        self.pid, self.file = pty.fork()
        if not self.pid:
            os.chdir(folder)
            os.execve(sys.executable, [*COMMAND, "watch", "rmap_add"], environment)
        self.before = termios.tcgetattr(self.file)[3]
        self.said = b""

    def usual(self):
        """Whether it shows what is typed and waits for whole lines, as before."""
        import termios

        return termios.tcgetattr(self.file)[3] == self.before

    def read(self):
        import select

        while select.select([self.file], [], [], 0.02)[0]:
            try:
                self.said += os.read(self.file, 4096)
            except OSError:
                return self.said
        return self.said

    def wait(self):
        """The status with which it ends."""
        assert wait_until(lambda: self.read() and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def watched(tmp_path, environment):
    """A function that starts to watch a solution in a terminal."""
    import shutil

    opened = []

    def watch(source):
        folder = tmp_path / "exercises" / "04_rmap_add"
        shutil.copytree(ROOT / "exercises" / "04_rmap_add", folder)
        (folder / "rmap_add.py").write_text(source)
        opened.append(Terminal(tmp_path, environment))
        return opened[-1]

    yield watch
    for terminal in opened:
        os.close(terminal.file)


@pytest.mark.slow
@pytest.mark.parametrize(
    "signum", [signal.SIGTERM, *(pytest.param(each, marks=pytest.mark.slow) for each in (signal.SIGHUP, signal.SIGINT))]
)
def test_watch_restores_the_terminal(watched, signum):
    terminal = watched(RIGHT)
    assert wait_until(lambda: b"[q] quit" in terminal.read(), 20) and wait_until(lambda: not terminal.usual())
    os.kill(terminal.pid, signum)
    assert terminal.wait() == STATUS[signum]
    assert terminal.usual() and b"Traceback" not in terminal.said


def test_the_terminal_is_as_usual_while_a_submission_runs(watched):
    """So nothing has to be restored if the submission kills its judge."""
    terminal = watched(before("import time; time.sleep(100)"))
    assert wait_until(lambda: len(descendants(terminal.pid)) >= 3 and b"rmap_add.py" in terminal.read(), 20)
    assert terminal.usual()
    os.kill(terminal.pid, signal.SIGKILL)
    assert terminal.wait() == -9 and terminal.usual()


@pytest.mark.slow
def test_a_key_that_is_pressed_during_a_check_counts_after_it(watched):
    terminal = watched(RIGHT)
    assert wait_until(lambda: b"rmap_add.py" in terminal.read(), 20)
    os.write(terminal.file, b"q")
    assert terminal.wait() == 0 and terminal.usual()


@pytest.mark.parametrize(("signum", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_in_a_callback_of_the_garbage_collector_is_not_lost(signum, raised):
    """Python ignores what is raised there."""

    sent = []

    def callback(phase, info):
        if not sent:
            sent.append(signum)
            os.kill(os.getpid(), signum)
            time.sleep(0.01)

    gc.disable()
    gc.callbacks.append(callback)
    try:
        with pytest.raises(raised), ending_tidily():
            gc.collect()
            time.sleep(5)
    finally:
        gc.callbacks.remove(callback)
        gc.enable()
    assert sent


def test_nor_is_one_in_a_callback_of_a_weak_reference(nothing_ignored):
    class Thing:
        pass

    def callback(reference):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)

    thing = Thing()
    references = weakref.WeakValueDictionary({1: thing})
    kept = weakref.finalize(thing, callback, None)
    with pytest.raises(SystemExit), ending_tidily():
        del thing
        time.sleep(5)
    assert not kept.alive and not references
