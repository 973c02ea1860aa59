# SPDX-License-Identifier: GPL-2.0-only
"""A Dask cluster for tests: a scheduler and workers, processes of their own on the loopback address."""

import json
import os
import signal
import subprocess
import sys
import time

from ..exercises.checking import ROOT


class DaskCluster:
    """A scheduler and ``count`` workers with so many threads each, with their files in ``folder``."""

    def __init__(self, folder, count=2, threads=1):
        self.folder, self.processes, self.workers = folder, [], []
        folder.mkdir(parents=True, exist_ok=True)
        self.address = ""
        self.scheduler = self.start_scheduler()
        for _ in range(count):
            self.start_worker(threads)

    def start_scheduler(self):
        known = self.folder / "scheduler.json"
        place = self.address.rpartition(":")[2] or "0"
        options = ["--host", "127.0.0.1", "--port", place, "--no-dashboard", "--scheduler-file", str(known)]
        scheduler = self._start("scheduler", *options)
        end = time.monotonic() + 60
        while not self.address and time.monotonic() < end:
            try:
                self.address = json.loads(known.read_text())["address"]
            except (OSError, ValueError):
                assert scheduler.poll() is None, self.log()
                time.sleep(0.05)
        return scheduler

    def start_worker(self, threads=1, nanny=False, preload=None, cwd=ROOT, **environment):
        """Start a worker; with a ``nanny``, which starts it anew if it ends. It loads the kit that is in ``cwd``."""
        options = ["--nanny" if nanny else "--no-nanny", "--nthreads", str(threads), "--no-dashboard"]
        options += ["--host", "127.0.0.1", "--local-directory", str(self.folder / "local"), "--death-timeout", "60"]
        options += ["--preload", str(preload)] * bool(preload)
        environment |= {"PYTHONPATH": str(cwd)}
        self.workers.append(self._start("worker", self.address, *options, cwd=cwd, **environment))
        return self.workers[-1]

    def _start(self, command, *arguments, cwd=ROOT, **environment):
        with open(self.folder / "log.txt", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", command, *arguments],
                cwd=cwd,
                stdout=log,
                stderr=log,
                env=os.environ | environment,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def wait_for_workers(self, count):
        """Wait until there are so many."""
        from distributed import Client

        end = time.monotonic() + 60
        with Client(self.address, set_as_default=False) as client:
            while len(client.nthreads()) != count:
                assert time.monotonic() < end, self.log()
                time.sleep(0.1)

    def log(self):
        return (self.folder / "log.txt").read_text("utf-8", "replace")

    def kill(self, process, signum=signal.SIGKILL):
        """End a process of the cluster."""
        process.send_signal(signum)
        process.wait(30)

    def close(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
