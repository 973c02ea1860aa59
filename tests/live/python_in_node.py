# SPDX-License-Identifier: GPL-2.0-only
"""JupyterLite's kernel on Pyodide in node: the Python of a browser tab without a browser. It starts in a few seconds."""

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

from kvmmmu_lab.live.build import graphviz_script
from kvmmmu_lab.live.lock import entry, read_lock
from kvmmmu_lab.live.versions import FRONT_ENDS, KERNEL_WHEELS, KIT, KIT_NEEDS, LATER, WHEELS
from kvmmmu_lab.live.wheels import fetch_wheels, kit_wheel

HERE = Path(__file__).resolve().parent
KERNEL = "jupyterlite-pyodide-kernel"
PATIENCE = 1200
"""Seconds for a notebook, which takes ten on a quiet computer."""


def find_node():
    """The program node, of a version that Pyodide runs on; None if there is none."""
    node = shutil.which("node")
    if node is None:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    return node if re.match(r"v(1[89]|[2-9]\d)\.", version) else None


class PythonInNode:
    """``graphviz``: the script with Graphviz in WebAssembly."""

    def __init__(self, node, pyodide, graphviz_package, folder):
        self.node, self.pyodide, self.folder = node, pyodide, folder
        self.graphviz = folder / "graphviz.mjs"
        self.graphviz.write_bytes(graphviz_script(graphviz_package))
        self.lock = folder / "lock.json"
        self.lock.write_text(json.dumps(self._lock()))

    @property
    def lay_out(self):
        """The command that lays out drawings."""
        return [self.node, str(HERE / "lay_out.mjs"), str(self.graphviz)]

    def _lock(self):
        """Pyodide's lock file with the packages of the live course, where they are on this computer."""
        wheels = {wheel.name: (path, wheel.needs) for wheel, path in zip(WHEELS, fetch_wheels(WHEELS).values(), strict=True)}
        wheels[KIT] = kit_wheel(self.folder), KIT_NEEDS
        (front_end,) = fetch_wheels(one for one in FRONT_ENDS if one.name == KERNEL).values()
        with zipfile.ZipFile(front_end) as archive:
            for name, needs in KERNEL_WHEELS.items():
                (member,) = (one for one in archive.namelist() if f"/{name.replace('-', '_')}-" in one and one.endswith(".whl"))
                path = self.folder / member.rpartition("/")[2]
                path.write_bytes(archive.read(member))
                wheels[name] = path, needs
        lock = read_lock(self.pyodide)
        ours = {name: entry(path, str(path), name, needs) for name, (path, needs) in wheels.items()}
        lock["packages"] = {name: one for name, one in lock["packages"].items() if name.replace("_", "-") not in ours} | ours
        return lock

    def run(self, cells):
        """Run cells in a new kernel; return the outputs of each."""
        later = [name for name, pattern in LATER.items() if any(re.search(pattern, code) for code in cells)]
        settings, result = self.folder / "settings.json", self.folder / "result.json"
        settings.write_text(
            json.dumps(
                {
                    "pyodide": str(self.pyodide),
                    "lock": str(self.lock),
                    "graphviz": str(self.graphviz),
                    "packages": ["pyodide-kernel", KIT, *later],
                    "cells": cells,
                }
            )
        )
        command = [self.node, str(HERE / "run_cells.mjs"), str(settings), str(result)]
        result.unlink(missing_ok=True)
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, f"node failed: {done.stderr[-2000:]}"
        return json.loads(result.read_text("utf-8"))
