# SPDX-License-Identifier: GPL-2.0-only
"""Pipes to and from a worker: requests go in, answers come out, and beside them what the submission prints.

`Pipes` waits for several of them at once. Where a system can't do that (Windows), `Threads` reads each in a thread.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import subprocess
import threading
import time

ANSWERS, OUTPUT = "answers", "output"
PIECE = 1 << 16
Piece = tuple[str, bytes]
"""Which pipe, and what came; nothing at its end."""


class Pipes:
    """Three pipes of this process. ``theirs`` are the other ends: requests, answers, output."""

    def __init__(self) -> None:
        theirs, self.requests = os.pipe()
        self.files = {}
        self.files[ANSWERS], answers = os.pipe()
        self.files[OUTPUT], output = os.pipe()
        self.theirs = [theirs, answers, output]
        os.set_blocking(self.requests, False)

    def give_away(self) -> None:
        """Close the other ends, which somebody else has now."""
        for file in self.theirs:
            os.close(file)
        self.theirs = []

    def send(self, data: bytes, end: float) -> bool:
        """Send a request until ``end`` (of `time.monotonic`); whether all of it went."""
        left = memoryview(data)
        while left:
            wait = end - time.monotonic()
            if wait <= 0 or not select.select([], [self.requests], [], wait)[1]:
                return False
            try:
                left = left[os.write(self.requests, left) :]
            except BlockingIOError:
                continue
            except OSError:
                return False
        return True

    def receive(self, end: float) -> list[Piece]:
        """What came, as soon as something did; nothing if nothing did in time."""
        names = {file: name for name, file in self.files.items()}
        wait = end - time.monotonic()
        ready = select.select(list(names), [], [], wait)[0] if wait > 0 else []
        pieces = [(names[file], os.read(file, PIECE)) for file in ready]
        for name, data in pieces:
            if not data:
                os.close(self.files.pop(name))
        return pieces

    def close(self) -> None:
        """Close what is open."""
        for file in (self.requests, *self.files.values(), *self.theirs):
            with contextlib.suppress(OSError):
                os.close(file)
        self.files, self.theirs, self.requests = {}, [], -1


class Threads:
    """The same for the standard files of a process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin and process.stdout and process.stderr
        self.process, self.pieces = process, queue.Queue[Piece](64)
        for name, file in ((ANSWERS, process.stdout), (OUTPUT, process.stderr)):
            threading.Thread(target=self._read, args=(name, file.fileno()), daemon=True).start()

    def _read(self, name: str, file: int) -> None:
        data = b"?"
        while data:
            try:
                data = os.read(file, PIECE)
            except OSError:
                data = b""
            self.pieces.put((name, data))

    def send(self, data: bytes, end: float) -> bool:
        """Send a request; a worker that doesn't take it is ended by its own watchdog."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except OSError:
            return False
        return True

    def receive(self, end: float) -> list[Piece]:
        """What came, as soon as something did; nothing if nothing did in time."""
        try:
            return [self.pieces.get(timeout=max(0.0, end - time.monotonic()))]
        except queue.Empty:
            return []

    def close(self) -> None:
        """Close what is open; the process has been ended before."""
        with contextlib.suppress(queue.Empty):
            while True:
                self.pieces.get_nowait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]  # all three are pipes
