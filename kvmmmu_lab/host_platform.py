# SPDX-License-Identifier: GPL-2.0-only
"""The platform that Python runs on, and what it can do. This module decides; the rest of the kit asks it.

On a computer, Python can start programs, and it keeps all files. In a browser tab, Python is Pyodide, which is compiled to
WebAssembly. It has no programs, processes and threads, and it forgets all files but those of JupyterLite's drive. It defines
`os.fork` and `threading.Thread.start`, and both raise an exception; so to look for a function doesn't tell.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

DRIVE = Path("/drive")
"""The folder in which JupyterLite shows Python the files of the browser's storage."""


@dataclass(frozen=True)
class HostPlatform:
    """A platform. ``renderers``: the names of the renderers of drawings that it may have, the preferred one first."""

    in_browser: bool
    can_start_programs: bool
    can_fork: bool
    can_start_threads: bool
    can_lock_files: bool
    """Whether a file can be locked against other processes. On JupyterLite's drive, a lock file that is removed while it
    is open comes back when it is closed."""
    renderers: tuple[str, ...]
    slowness: float = 1
    """How many times as long as on a computer the engine takes, about. Time limits are so many times as long."""

    @property
    def kept(self) -> Path | None:
        """The only folder whose files are kept; None if all are, or if JupyterLite's drive is missing."""
        return DRIVE if self.in_browser and DRIVE.is_dir() else None

    def __str__(self) -> str:
        abilities = {"programs": self.can_start_programs, "fork": self.can_fork, "threads": self.can_start_threads}
        can = " and ".join(name for name, able in abilities.items() if able)
        if not self.in_browser:
            return f"a computer with {can}"
        kept = f"keeps files in {self.kept}" if self.kept else "keeps no files, because the browser allows no service worker"
        return f"a browser tab without {', '.join(abilities)}; it {kept}"


def described(system: str) -> HostPlatform:
    """Return the description of a platform with this `sys.platform`."""
    if system == "emscripten":
        return HostPlatform(True, False, False, False, False, ("wasm-graphviz",), 4)
    return HostPlatform(False, True, hasattr(os, "fork"), True, True, ("dot", "graphviz-pure"))


HERE = described(sys.platform)
"""The platform that this Python runs on."""
