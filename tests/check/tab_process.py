# SPDX-License-Identifier: GPL-2.0-only
"""A process that does what ``live/judge_worker.js`` does with its Pyodide; and a host for such processes, without a browser."""

import contextlib
import json
import subprocess
import sys
import threading
import time

PROGRAM = """
import io, json, os, signal, sys
from kvmmmu_lab.check.sandbox.tab_runner import begin

answers = os.fdopen(os.dup(1), "w", buffering=1)

def post(**message):
    answers.write(json.dumps(message) + "\\n")

def end(status):
    post(state="ended", status=status)
    os._exit(status)

class Output(io.RawIOBase):
    def writable(self):
        return True

    def write(self, data):
        post(name="output", text=bytes(data).decode("latin-1"), last=False)
        return len(data)

def watch(seconds):
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0))

sys.stdout = io.TextIOWrapper(io.BufferedWriter(Output()), "utf-8", "backslashreplace")
hear = begin(lambda name, text, last: post(name=name, text=text, last=last), watch, end)
signal.signal(signal.SIGALRM, signal.getsignal(signal.SIGINT))
post(state="ready")
for line in sys.stdin:
    hear(line)
"""


class Run:
    """A process, and what it has said."""

    def __init__(self):
        self.pieces, self.state, self.status, self.turn = [], "starting", None, False
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM], text=True, **pipes)
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        for line in self.process.stdout:
            message = json.loads(line)
            with self.changed:
                if "state" in message:
                    self.state, self.status = message["state"], message.get("status")
                else:
                    self.pieces.append([message["name"], message["text"]])
                    self.turn |= message["last"]
                self.changed.notify()
        with self.changed:
            if self.state != "ended":
                self.state, self.status = "ended", self.process.wait()
            self.changed.notify()


class ProcessHost:
    """A `tab.Host` whose workers are processes. ``runs`` are all of them; while ``deaf`` it answers nothing."""

    def __init__(self):
        self.runs, self.deaf = {}, False

    def post(self, order):
        order = json.loads(order)
        run = self.runs.get(order["run"])
        match order["do"]:
            case "open":
                self.runs[order["run"]] = Run()
            case "send":
                with contextlib.suppress(BrokenPipeError):
                    run.process.stdin.write(order["text"])
                    run.process.stdin.flush()
            case "close":
                run.process.kill()

    def ask(self, question):
        question = json.loads(question)
        if self.deaf:
            return ""
        run, seen, end = self.runs[question["run"]], question["seen"], time.monotonic() + question["wait"] / 1000
        with run.changed:
            run.turn &= len(run.pieces) > seen
            run.changed.wait_for(lambda: run.turn or run.state != question["state"], end - time.monotonic())
            answer = {"pieces": run.pieces[seen:], "state": run.state, "status": run.status, "why": ""}
        return json.dumps(answer)

    def close(self):
        for run in self.runs.values():
            run.process.kill()
            run.process.wait()
            run.thread.join()
            for pipe in (run.process.stdin, run.process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
