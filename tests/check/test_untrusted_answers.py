# SPDX-License-Identifier: GPL-2.0-only
"""What a worker sends is untrusted: whatever it is, the judge ends in time with a verdict, and gives no points for it."""

import dataclasses
import json
import os
import signal
import time

import pytest

from kvmmmu_lab.check.deadline import Deadline
from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.oracle import Expected
from kvmmmu_lab.check.report import CRASHED, FAILED, TIMED_OUT
from kvmmmu_lab.check.sandbox.client import DAMAGED, Worker
from kvmmmu_lab.check.sandbox.forkserver import ForkServer
from kvmmmu_lab.check.sandbox.machine_data import machine_data
from kvmmmu_lab.check.submission import Submission
from kvmmmu_lab.check.testbench import Bench
from kvmmmu_lab.exercises import play
from kvmmmu_lab.mmu.memory import FIRST_SHADOW

from ..exercises.checking import EXERCISES
from ..share import one_in
from .samples import before

EXERCISE = EXERCISES["04_rmap_add"]
MANY_STEPS = play(*[("map", "7:12", 0x1F, "PW")] * 50)

SENDING = """
import os, sys

def local(name):
    "A variable of the functions that called this one."
    frame = sys._getframe()
    while name not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals[name]

def send(data):
    "Send bytes to the judge, as if they were answers. The worker's ticket takes the place of TICKET."
    tell = local("tell")
    answers = next(cell.cell_contents for cell in tell.__closure__ if isinstance(cell.cell_contents, int))
    os.write(answers, data.replace(b"TICKET", local("order")["ticket"].encode()))
"""


@pytest.fixture(scope="module")
def server():
    with ForkServer() as shared:
        yield shared


def run(server, statement):
    """How a run ends in which the submission executes this statement in ``add``."""
    mine = Worker(EXERCISE, Submission(SENDING + before(statement), "mine.py"), server)
    begin = time.monotonic()
    try:
        return mine.run(MANY_STEPS, ("rmap",), seconds=0.5)
    finally:
        mine.close()
        assert time.monotonic() - begin < 5


def traceback(line):
    """What a watchdog writes, with this number of a line."""
    return f'Timeout (0:00:01)!\nThread 0x1 (most recent call first):\n  File "mine.py", line {line} in add\n'.encode()


@pytest.mark.parametrize("line", ["9" * 5000, "0", "999999999", "-1", "x"])
def test_a_false_traceback_names_no_line(server, line):
    """Python refuses to convert a number of 5,000 digits."""
    ended = run(server, f"send({traceback(line)!r}); os._exit(0)")
    assert ended.end == "timeout"
    assert Submission("", "mine.py").place(ended.error.get("file"), ended.error.get("line"))[1] == ""


def test_a_traceback_without_end_is_read_to_its_limit(server):
    assert run(server, f"send({traceback(1)!r})\n        while True: send(b'x' * 60000)").end == "timeout"


def test_a_traceback_may_interrupt_an_answer(server):
    ended = run(server, f"""send(b'{{"ticket":"TICKET","step":0,"seen":{{"rmap":[[1,' + {traceback(3)!r}); os._exit(0)""")
    assert ended.end == "timeout" and ended.error["line"] == 3


RULE = dataclasses.replace(EXERCISE.rules[0], cases=EXERCISE.rules[0].cases[:1], drawn=None, engine=())
BENCH = Bench(RULE.cases[0], {}, {})
BENCH.do(RULE.cases[0].steps[0])
MACHINE = machine_data(BENCH.vm)
"""The machine after the only step, as a worker sends it."""

SEEN = Expected(EXERCISE.part, Deadline())(RULE.cases[0], RULE.looks, hashed=False)[0].texts[0]
"""The right observations after the only step."""


def verdict(server, sent):
    """The report, as text and as a page, on a submission that sends this as its observations after the only step."""
    text = b'{"ticket":"TICKET","step":0,"seen":' + sent + b"}\n"
    submission = Submission(SENDING + before(f"send({text!r}); os._exit(0)"), "mine.py")
    report = Judge(dataclasses.replace(EXERCISE, rules=(RULE,)), submission, server).report()
    assert report.points == 0
    return report.status, str(report) + report._repr_mimebundle_()["text/html"]


RMAPS = {
    "half a character": rb'"\ud800"',
    "a deep list": b"[" * 90 + b"]" * 90,
    "a fraction": b"[[3.1,[1e400]]]",
    "large numbers": b"[[31,[" + b"9" * 200 + b",-" + b"9" * 20 + b"]],[" + b"8" * 25 + b",[1]]]",
    "a number of 5,000 digits": b"[[31,[" + b"9" * 5000 + b"]]]",
    "another form": b'{"31":{"3596":true}}',
    "text for a list": b'"abc"',
    "mixed types": b'[[31,[3596,"a",null]],["b",[1]],[null,[2]]]',
    "lists as keys": b"[[[31],[3596]]]",
    "unequal rows": b"[[],[1],[1,2,3]]",
    "negative numbers": b"[[-1,[-5]],[31,[-1,-9999999999]]]",
    "control characters": rb'[["\u001b[2J\u202e\u0007",[1]]]',
    "equal hashes": b"[[31,[" + b",".join(b"%d" % (k * (2**61 - 1)) for k in range(5000)) + b"]]]",
    "many numbers": b"[" + b",".join(b"[%d,[%d]]" % (k, k) for k in range(20_000)) + b"]",
    "long text": b'[["' + b"x" * 500_000 + b'",[1]]]',
}


@pytest.mark.parametrize("name", one_in(4, RMAPS))
def test_reverse_maps_of_any_form_are_explained(server, name, capfd):
    begin = time.monotonic()
    status, said = verdict(server, SEEN.replace(b'"rmap":[[31,[3596]]]', b'"rmap":' + RMAPS[name]))
    assert time.monotonic() - begin < 10
    assert status == FAILED and len(said) < 10_000, said
    said.encode()
    assert not [character for character in said if not character.isprintable() and character != "\n"]
    assert "Traceback" not in said + capfd.readouterr().err


DAMAGED_ANSWERS = {
    "a deep list": b'{"rmap":' + b"[" * 500 + b"]" * 500 + b"}",
    "a very deep list": b'{"rmap":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a very deep object": b'{"rmap":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001,
    "no number": b'{"rmap":[[31,[NaN]]]}',
    "an infinite number": b'{"rmap":[[Infinity,[1]]]}',
    "one key twice": SEEN[:-1] + b',"rmap":[]}',
    "only one key": b'{"rmap":[[31,[3596]]]}',
    "a list": b'[["rmap",1]]',
    "bytes that are no text": b'{"rmap":"\xff\xfe"}',
    "another encoding": '{"rmap":1}'.encode("utf-16"),
    "half an object": b'{"rmap":',
    "two objects": b'{"rmap":1}{"rmap":1}',
}


@pytest.mark.parametrize("name", DAMAGED_ANSWERS)
def test_what_is_no_answer_is_called_that(server, name):
    status, said = verdict(server, DAMAGED_ANSWERS[name])
    assert status == CRASHED and DAMAGED in " ".join(said.split())


MACHINES = {
    "no machine": b'"a machine"',
    "more frames than there are": b'{"slots":[[],[],1048576],"words":[[536870911],[1]]}',
    "words that lead to each other": json.dumps(
        MACHINE | {"words": [[*range(FIRST_SHADOW << 9, (FIRST_SHADOW << 9) + 4000)], [FIRST_SHADOW << 12 | 0x67] * 4000]}
    ).encode(),
    "a reverse map of half a character": json.dumps(MACHINE | {"rmaps": [[0x21F, ["\ud800"]]]}).encode(),
    "a reverse map without end": json.dumps(MACHINE | {"rmaps": [[0x21F, [*range(100_000)]]]}).encode(),
    "pages of another form": json.dumps(MACHINE | {"pages": [[-1] * 1024, ["x"] * 252, None, {}]}).encode(),
}


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_of_any_form_is_drawn_or_left_out(server, name, capfd):
    wrong = SEEN.replace(b'"rmap":[[31,[3596]]]', b'"rmap":[[31,[3597]]]')
    begin = time.monotonic()
    status, said = verdict(server, wrong[:-1] + b',"machine":' + MACHINES[name] + b"}")
    assert time.monotonic() - begin < 10
    assert status == FAILED and "lacks spte #7:12" in said and len(said) < 200_000
    said.encode()
    assert "Traceback" not in said + capfd.readouterr().err


ENDS = {
    "no end": b'{"ticket":"TICKET"}\n',
    "done without the steps": b'{"ticket":"TICKET","end":"done"}\n',
    "another end": b'{"ticket":"TICKET","end":["done"]}\n',
    "an error that is a list": b'{"ticket":"TICKET","end":"raised","error":[["kind","raised"]]}\n',
    "no error": b'{"ticket":"TICKET","end":"raised"}\n',
    "another ticket": b'{"ticket":"1","end":"done"}\n',
    "another step": b'{"ticket":"TICKET","step":7,"seen":{}}\n',
    "a step that is no number": b'{"ticket":"TICKET","step":"0","seen":{}}\n',
}


@pytest.mark.parametrize("name", ENDS)
def test_an_end_that_is_none_is_called_that(server, name):
    ended = run(server, f"send({ENDS[name]!r}); os._exit(0)")
    assert ended.end == "damaged" and ended.error["what"] == DAMAGED


def test_an_error_is_reduced_to_short_texts(server):
    """The words for a message are those of the judge: braces have no meaning."""
    error = b'{"kind":"raised","type":"{what.__class__}","what":"{0}%s","line":true,"file":7,"function":{"a":1}}'
    ended = run(server, f"""send(b'{{"ticket":"TICKET","end":"raised","error":' + {error!r} + b"}}\\n"); os._exit(0)""")
    assert ended.end == "raised" and ended.error["type"] == "{what.__class__}" and "function" not in ended.error


MANY = """for n in range(50): send(b'{"ticket":"TICKET","step":%d,"seen":{"rmap":"%s"}}\\n' % (n, b"x" * 5000))"""


@pytest.mark.parametrize(
    ("variable", "statement", "words"),
    [
        ("KVMMMU_LAB_ANSWER", "while True: send(b'x' * 5000)", "after a step is larger than 0.1 MiB"),
        ("KVMMMU_LAB_ANSWERS", MANY, "in these steps is larger than 0.1 MiB"),
        ("KVMMMU_LAB_OUTPUT", "while True: os.write(1, b'x' * 5000)", "it printed more than 0.1 MiB"),
    ],
)
def test_the_limit_that_is_exceeded_is_named(server, monkeypatch, variable, statement, words):
    monkeypatch.setenv(variable, "0.1")
    ended = run(server, statement)
    assert words in ended.error["what"] and variable in ended.error["what"]


def test_threads_that_write_without_end_do_not_hold_the_judge_up(server, monkeypatch):
    monkeypatch.setenv("KVMMMU_LAB_OUTPUT", "1")
    thread = "threading.Thread(target=lambda: [os.write({}, b'.' * 65536) for _ in iter(int, 1)], daemon=True).start()"
    for file in ("1", "answers"):
        find = "answers = next(cell.cell_contents for cell in local('tell').__closure__ if isinstance(cell.cell_contents, int))"
        ended = run(server, f"import threading; {find}; {thread.format(file)}; self.lists = {{}}")
        assert ended.end in ("done", "died", "damaged")


def test_a_submission_that_is_not_always_loaded_gets_a_verdict(server):
    """A wrong one is loaded once more, to see whether it keeps state."""
    flaky = "import os\nif os.urandom(1)[0] & 1: raise RuntimeError('not now')\n" + before("return")
    said = set()
    for _ in range(6):
        with Judge(EXERCISE, Submission(flaky, "mine.py"), server) as judge:
            verdict = judge.rule(EXERCISE.rules[0])
        assert verdict.status in (FAILED, CRASHED)
        said.add(verdict.failure.sentence)
    assert all("lacks spte #7:12" in each or "raises RuntimeError in line 2" in each for each in said), said


def test_a_mistake_of_the_judge_is_a_verdict_and_can_be_found(server, monkeypatch, capfd):
    def mistake(*_):
        raise TypeError("a mistake")

    monkeypatch.setattr("kvmmmu_lab.check.judge.find_failure", mistake)
    small = dataclasses.replace(EXERCISE, rules=(RULE,))
    report = Judge(small, Submission(before("pass"), "mine.py"), server).report()
    assert report.points == 0 and report.status == CRASHED
    assert "can't judge what your code did (TypeError: a mistake)" in " ".join(str(report).split())
    assert "Traceback" not in capfd.readouterr().err
    monkeypatch.setenv("KVMMMU_LAB_DEBUG", "1")
    Judge(small, Submission(before("pass"), "mine.py"), server).report()
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system can't stop a process")
def test_a_fork_server_that_is_stopped_does_not_hold_the_judge_up(monkeypatch):
    monkeypatch.setenv("KVMMMU_LAB_CHECK", "1")
    with ForkServer() as stopped:
        assert stopped.no_wall is not None  # it has started
        os.kill(stopped.process.pid, signal.SIGSTOP)
        begin = time.monotonic()
        files = {"large": bytes(4 << 20)}  # more than what fits into a pipe
        report = Judge(EXERCISE, Submission(before("pass"), "mine.py", files=files), stopped).report()
        assert time.monotonic() - begin < 5 and report.status == TIMED_OUT
