# SPDX-License-Identifier: GPL-2.0-only
"""What the grader's tests share: which processes there are."""

import contextlib
import time
from pathlib import Path


def children(pid):
    """The processes that descend from a process, itself among them."""
    found = [pid]
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += children(int(child))
    return found


def alive(pids):
    """Those of these processes that still run."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            found += [pid] * (state not in "ZX")
    return found


def gone(pids, seconds=10):
    """Wait until all these processes have ended; return whether they have."""
    end = time.monotonic() + seconds
    while alive(pids) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pids)
