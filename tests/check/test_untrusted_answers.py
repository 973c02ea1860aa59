# SPDX-License-Identifier: GPL-2.0-only
"""What a worker sends is untrusted: whatever it is, the judge ends in time with a verdict, and gives no points for it."""

import dataclasses
import time

import pytest

from kvmmmu_lab.check.deadline import Deadline
from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.oracle import Expected
from kvmmmu_lab.check.report import CRASHED, FAILED
from kvmmmu_lab.check.sandbox.client import DAMAGED, Worker
from kvmmmu_lab.check.sandbox.forkserver import ForkServer
from kvmmmu_lab.check.submission import Submission
from kvmmmu_lab.exercises import play

from ..exercises.checking import EXERCISES
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


@pytest.mark.parametrize("name", RMAPS)
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
