# SPDX-License-Identifier: GPL-2.0-only
"""What a worker sends is untrusted: whatever it is, the judge ends in time with a verdict, and gives no points for it."""

import time

import pytest

from kvmmmu_lab.check.sandbox.client import Worker
from kvmmmu_lab.check.sandbox.forkserver import ForkServer
from kvmmmu_lab.check.submission import Submission
from kvmmmu_lab.exercises import play

from ..exercises.checking import EXERCISES
from .samples import before

EXERCISE = EXERCISES["04_rmap_add"]
ONE = play(("map", "7:12", 0x1F, "PW"))

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
        return mine.run(ONE, ("rmap",), seconds=0.5)
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
