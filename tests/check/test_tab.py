# SPDX-License-Identifier: GPL-2.0-only
"""Checks in a browser tab: the judge's side and the worker's, with processes instead of web workers (see ``tests/live``)."""

import dataclasses
import importlib
import signal
import sys
import time

import pytest

from kvmmmu_lab.check import check, patience
from kvmmmu_lab.check import judge as module
from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.notebook import pickled
from kvmmmu_lab.check.report import IN_KERNEL, IN_TAB, OWN_MARK
from kvmmmu_lab.check.sandbox import in_kernel, tab
from kvmmmu_lab.check.sandbox.tab import NoHost, Tab, TabWorker
from kvmmmu_lab.check.submission import Submission
from kvmmmu_lab.errors import InputError
from kvmmmu_lab.exercises import play
from kvmmmu_lab.host_platform import described

from ..exercises.checking import EXERCISES
from .samples import RIGHT, WRONG, before
from .tab_process import ProcessHost

EXERCISE = EXERCISES["04_rmap_add"]
FEW = dataclasses.replace(EXERCISE, rules=EXERCISE.rules[:4])
TWO = play(("map", "7:12", 0x1F, "PW"), ("map", "7:13", 0x1F, "PW"))


@pytest.fixture
def host(monkeypatch, tmp_path):
    monkeypatch.setattr(tab, "SCRATCH", str(tmp_path / "kvmmmu-lab-submission"))
    found = ProcessHost()
    yield found
    found.close()


@pytest.fixture
def in_tab(monkeypatch, host):
    """The judge in a browser tab. Returns the tab's host."""
    monkeypatch.setattr(module, "HERE", described("emscripten"))
    monkeypatch.setattr(module, "CAN_FORK", False)
    monkeypatch.setattr(module, "find_host", lambda: host)
    return host


def worker(host, source=RIGHT):
    return TabWorker(Tab(host), EXERCISE, Submission(source, "mine.py"), module.Deadline())


def process(host, worker):
    return host.runs[worker.way.run].process


def test_a_scenario_is_played_step_by_step(host):
    mine = worker(host)
    for _ in range(2):
        run = mine.run(TWO, ("rmap", "frames"))
        assert run.end == "done"
        assert [seen["rmap"] for seen in run.seen] == [[[0x1F, [7 << 9 | 12]]], [[0x1F, [7 << 9 | 12, 7 << 9 | 13]]]]
    mine.close()
    mine.tab.close()
    assert process(host, mine).wait(10) == -9


def test_an_endless_loop_is_stopped_and_its_line_is_known(host):
    mine = worker(host, before("while True: pass"))
    begin = time.monotonic()
    run = mine.run(TWO, ("rmap",), seconds=0.3)
    assert run.end == "timeout" and time.monotonic() - begin < 10
    assert (run.error["function"], run.error["line"]) == ("add", 9)
    assert not mine.alive and process(host, mine).poll() is None, "the worker can load another submission"


@pytest.mark.slow
def test_a_loop_that_catches_everything_is_ended(host):
    loop = ["def spin():", "    while True: pass", "while True:", "    try: spin()", "    except BaseException: pass"]
    mine = worker(host, before(f"\n{' ' * 8}".join(loop)))
    run = mine.run(TWO, ("rmap",), seconds=0.3)
    assert run.end == "timeout" and run.error["function"] == "spin"
    assert process(host, mine).wait(10) == 1


def test_a_scenario_sent_in_advance_is_forgotten_with_the_loop_before_it(host):
    mine = worker(host, before("while True: pass"))
    first = play(TWO.steps[0])
    assert mine.run(TWO, ("rmap",), seconds=0.3, meanwhile=lambda: mine.ask(first, ("rmap",), seconds=0.3)).end == "timeout"
    again = TabWorker(mine.tab, EXERCISE, Submission(RIGHT, "mine.py"), module.Deadline())
    assert again.way is mine.way and again.failed is None
    assert again.run(TWO, ("rmap",)).end == "done"
    again.close()


KEEPS = """
import builtins, kvmmmu_lab.mmu.bits as bits, os, sys
class ReverseMap(ReverseMap):
    seen = []
    def add(self, spte):
        found = self.seen or os.listdir() or any(hasattr(each, "mine") for each in (type(self), builtins, bits))
        self.seen.append(spte)
        type(self).mine = builtins.mine = bits.mine = 1
        open("file", "w").close()
        if found:
            raise ValueError("not new")
        super().add(spte)
"""


def test_a_worker_that_is_used_again_is_as_new(host):
    mine = worker(host, RIGHT + KEEPS)
    assert mine.run(TWO, ("rmap",)).error["what"] == "not new"
    mine.close()
    again = TabWorker(mine.tab, EXERCISE, Submission(RIGHT + KEEPS, "mine.py"), module.Deadline())
    assert again.way is mine.way and again.run(play(TWO.steps[0]), ("rmap",)).end == "done"
    again.close()


@pytest.mark.slow
def test_a_loop_that_python_does_not_see_is_ended_from_outside(host):
    """A submission that swallows the signal, as a loop in C code does, is late nevertheless."""
    mine = worker(host, "import signal\n" + before("signal.pthread_sigmask(signal.SIG_BLOCK, [14])\n        while True: pass"))
    run = mine.run(TWO, ("rmap",), seconds=0.3)
    assert run.end == "timeout" and "line" not in run.error
    assert process(host, mine).wait(10) == -9


def test_what_a_submission_prints_comes_with_the_answers(host):
    mine = worker(host, before("print('gr\\u00fc\\u00dfe')"))
    mine.run(TWO, ("rmap",))
    assert mine.printed.decode().split() == ["grüße"] * 2 and mine.print_count == len("grüße\n".encode()) * 2
    mine.close()


def test_a_submission_that_ends_its_process_is_told_apart(host):
    mine = worker(host, before("import os; os._exit(3)"))
    run = mine.run(TWO, ("rmap",))
    assert run.end == "died" and "exit status 3" in run.error["what"]


@pytest.mark.parametrize("name", ["js", "pyodide.http", "pyodide_js"])
def test_a_submission_can_not_import_the_browser(host, name):
    mine = worker(host, f"import {name}\n{RIGHT}")
    assert mine.failed["kind"] == "forbidden" and f"reach the browser (import {name.partition('.')[0]}" in mine.failed["what"]


def test_the_time_until_a_worker_is_ready_does_not_count(host):
    deadline = module.Deadline(seconds=60)
    pipes = tab.TabPipes(host, deadline)
    begin, left = time.monotonic(), deadline.left
    pipes.wait_until_ready()
    assert left - deadline.left < (time.monotonic() - begin) / 2


def test_without_an_answer_the_check_ends_with_advice(host):
    mine = worker(host)
    host.deaf = True
    with pytest.raises(NoHost, match="reload the page"):
        mine.run(TWO, ("rmap",))


@pytest.mark.slow
@pytest.mark.parametrize("source", [RIGHT, WRONG, "raise ValueError(7)", "import os; os._exit(3)"])
def test_the_verdicts_are_those_of_a_computer(in_tab, source, monkeypatch):
    here = Judge(FEW, Submission(source, "mine.py"), seed=1).report()
    monkeypatch.undo()
    there = Judge(FEW, Submission(source, "mine.py"), seed=1).report()
    assert here.in_tab and not there.in_tab

    def said(report):
        return report.points, [
            (one.status, one.failure and (one.failure.sentence, one.failure.steps)) for one in report.verdicts
        ]

    assert said(here) == said(there)


def test_an_endless_loop_is_a_verdict(in_tab, monkeypatch):
    monkeypatch.setenv("KVMMMU_LAB_TIME", "0.5")
    report = Judge(FEW, Submission(before("while True: pass"), "mine.py")).report()
    assert report.status == "timed out" and "(while True: pass)" in str(report)


def test_the_report_says_that_the_mark_is_the_learners_own(in_tab):
    report = Judge(FEW, Submission(RIGHT, "mine.py")).report()
    assert report.notes == [OWN_MARK, IN_TAB]
    for sentence in ("This mark is for you: a teacher who wants proof runs the check again.", "Your code ran in a browser tab"):
        assert sentence in " ".join(str(report).split()) and sentence in report._repr_mimebundle_()["text/html"]


@pytest.fixture
def notebook():
    """A notebook's Python. Returns the outputs that it shows."""
    shells = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
    shell = shells.instance()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shell, "display_pub", importlib.import_module("IPython.core.displaypub").CapturingDisplayPublisher())
        yield shell.display_pub.outputs
    shells.clear_instance()


def test_a_notebook_in_a_tab_says_that_a_check_is_running_until_it_is_done(notebook, monkeypatch):
    monkeypatch.setattr(patience, "HERE", described("emscripten"))
    with pytest.raises(InputError, match="ReverseMap"):
        check("rmap_add")
    first, last = notebook
    assert first["data"]["text/plain"].startswith("Checking your solution.") and last["data"]["text/plain"] == ""
    assert last["update"] and last["transient"] == first["transient"]


def test_on_a_computer_a_check_says_nothing_of_the_kind(notebook):
    with pytest.raises(InputError):
        check("rmap_add")
    assert notebook == []


@pytest.fixture
def alone(monkeypatch, in_tab):
    """A tab without a host, as in a private window."""

    def nobody():
        raise NoHost("no service worker")

    def watch(seconds):
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0))

    set_handler = signal.signal
    monkeypatch.setattr(module, "find_host", nobody)
    monkeypatch.setattr(in_kernel, "find_watch", lambda: watch)
    monkeypatch.setattr(signal, "signal", lambda number, handler: set_handler(signal.SIGALRM, handler))


def test_without_a_host_the_notebooks_own_python_judges_and_the_report_says_so(alone):
    report = Judge(FEW, Submission(WRONG, "mine.py")).report()
    assert [one.status for one in report.verdicts] == ["passed"] * 3 + ["failed"]
    assert "has lost spte" in report.verdicts[3].failure.sentence
    assert report.notes[0] == OWN_MARK and IN_KERNEL in report.notes[1] and "no service worker" in str(report)


@pytest.mark.slow
def test_without_a_host_an_endless_loop_is_a_verdict_too(alone, monkeypatch):
    monkeypatch.setenv("KVMMMU_LAB_TIME", "0.3")
    report = Judge(FEW, Submission(before("while True: pass"), "mine.py")).report()
    assert report.status == "timed out" and "(while True: pass)" in str(report)
    report = Judge(FEW, Submission("raise ValueError(7)", "mine.py")).report()
    assert report.status == "crashed" and "raises ValueError" in str(report)


def test_without_a_host_objects_from_a_notebook_leave_it_as_it_is(alone):
    main = sys.modules["__main__"]
    names = {}
    exec(RIGHT, names)
    report = Judge(FEW, pickled({"ReverseMap": names["ReverseMap"]})).report()
    assert report.passed
    assert sys.modules["__main__"] is main
