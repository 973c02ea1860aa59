# SPDX-License-Identifier: GPL-2.0-only
"""The scratch folder of a worker without a wall, in the system's folder for temporary files."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile

from .limits import PREFIX


def make() -> str:
    """Make a scratch folder and return its path."""
    return tempfile.mkdtemp(prefix=PREFIX)


def discard(folder: str) -> None:
    """Delete a scratch folder, whatever a submission has made of it."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if os.path.lexists(folder) and os.name == "posix":  # deeper than Python can go, or not readable
        with contextlib.suppress(OSError):
            for command in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
                subprocess.run([*command, "--", folder], stderr=subprocess.DEVNULL, check=False)
