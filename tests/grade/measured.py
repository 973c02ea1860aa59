# SPDX-License-Identifier: GPL-2.0-only
"""What a command costs: its seconds, the processor time of all its processes, and their memory at its highest."""

import contextlib
import resource
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .processes import children

INTERVAL = 0.25
"""Seconds from one look at the memory to the next."""


@dataclass(frozen=True)
class Measured:
    """``memory`` is in bytes: a page that processes share counts once. ``status`` is the exit status."""

    seconds: float
    processor: float
    memory: int
    status: int
    said: str

    def each(self, count):
        """The costs for each of so many submissions, as text."""
        return (
            f"{self.seconds / count:.3f} s each, {self.processor / count:.3f} s of processor time each, "
            f"{self.memory / 1e6:.0f} MB at most"
        )


def measure(command, **options):
    """Run a command to its end. Its descendants count as far as somebody has waited for them, as all of the grader's are."""
    before, begin, peak = _processor(), time.monotonic(), 0
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options) as process:
        said = []
        reader = threading.Thread(target=lambda: said.append(process.stdout.read()))
        reader.start()
        while process.poll() is None:
            peak = max(peak, sum(map(_memory, children(process.pid))))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(INTERVAL)
        seconds = time.monotonic() - begin
        reader.join()
    return Measured(seconds, _processor() - before, peak, process.returncode, said[0].decode(errors="replace"))


def _processor():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory(pid):
    """The memory of a process in bytes, with its share of what it shares; 0 if it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
