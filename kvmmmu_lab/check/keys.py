# SPDX-License-Identifier: GPL-2.0-only
"""Single keys from a terminal, without waiting for Enter; from anything else, the first letter of each line."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Any


class Keys:
    """``with Keys() as keys: keys.get(0.3)`` gives a key, "" if none was pressed in time, None when there will be none."""

    def __init__(self) -> None:
        self.terminal = sys.stdin.isatty()
        self.before: Any = None
        self.waiting = b""

    def __enter__(self) -> Keys:
        if self.terminal and sys.platform != "win32":
            import termios
            import tty

            self.before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.before is not None and sys.platform != "win32":
            import termios

            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self.before)

    def get(self, seconds: float) -> str | None:
        """Wait for a key."""
        if sys.platform == "win32":
            return self._windows(seconds)
        import select

        # read without Python's buffer, since what is in there `select` doesn't know
        if not self.waiting:
            if not select.select([sys.stdin], [], [], seconds)[0]:
                return ""
            self.waiting = os.read(sys.stdin.fileno(), 1024)
            if not self.waiting:
                return None
        key, self.waiting = self.waiting[:1], self.waiting[1:]
        return key.decode("ascii", "replace").strip().lower()

    def _windows(self, seconds: float) -> str | None:
        if not self.terminal:
            text = sys.stdin.readline()
            return text[:1].lower() if text else None
        import msvcrt

        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if msvcrt.kbhit():  # type: ignore[attr-defined,unused-ignore]
                return str(msvcrt.getwch()).lower()  # type: ignore[attr-defined,unused-ignore]
            time.sleep(0.02)
        return ""
