# SPDX-License-Identifier: GPL-2.0-only
"""Build a JupyterLite with the course in it, with the front ends and settings that fit each other."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..errors import LabError
from ..files import parse_json, read_bytes
from ..workspace import START, course_files, install_hint
from .start_page import live_start_page
from .versions import CLAIMED, LITE_MODULES

KERNEL = {"display_name": "Python (Pyodide)", "language": "python", "name": "python"}
"""The kernel's name in JupyterLite. A notebook with another name makes JupyterLab ask the reader."""

KERNEL_PLUGIN = "@jupyterlite/pyodide-kernel-extension:kernel"
CONFIG = "jupyter-lite.json"
APP_NAME = "kvmmmu_lab"

AUTOSAVE_SECONDS = 10
"""How often JupyterLab saves what has changed in a notebook or a file."""


FAULT = re.compile(r"\b(\w*(Error|Exception)|error|fatal)\b[: ]", re.IGNORECASE)
"""What a line of a build's output has that says why the build failed; most lines say what has been done."""

MOST_LINES = 4
"""The maximum number of such lines that are shown."""


def check_installed() -> None:
    """Raise LabError if a package of the extra ``live`` is missing."""
    for module, package in LITE_MODULES.items():
        if importlib.util.find_spec(module) is None:
            raise LabError(f"{package} is missing: install it with {install_hint('live')}")


def put_course(root: Path, folder: Path) -> list[str]:
    """Copy what a learner gets of the course into a folder, its notebooks for this kernel. Return the files' names."""
    files = course_files(root)
    for name, source in files.items():
        content = read_bytes(source)
        if name.endswith(".ipynb"):
            content = for_kernel(live_start_page(content) if name == START else content)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return sorted(files)


def for_kernel(notebook: bytes) -> bytes:
    """Return a notebook for JupyterLite's kernel. Its cells are unchanged."""
    value = parse_json(notebook)
    value.setdefault("metadata", {})["kernelspec"] = KERNEL
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


def build_lite(work: Path, contents: Path, front_ends: list[Path], out: Path, runtime: str) -> None:
    """Build a JupyterLite in ``out``. ``work`` is an empty folder, ``runtime`` the script that starts Pyodide."""
    check_installed()
    kernel = {"pyodideUrl": runtime, "disablePyPIFallback": True, "loadPyodideOptions": {"packages": list(CLAIMED)}}
    settings = {
        "appName": APP_NAME,
        "disabledExtensions": ["@jupyterlite/javascript-kernel-extension"],
        "exposeAppInBrowser": True,
        "litePluginSettings": {KERNEL_PLUGIN: kernel},
    }
    _write_json(work / CONFIG, {"jupyter-lite-schema-version": 0, "jupyter-config-data": settings})
    documents = {
        # a tab can be closed at any time; two minutes, the default, are much work
        "autosaveInterval": AUTOSAVE_SECONDS,
        # a link to a task shows its text; some versions of JupyterLab open its source otherwise
        "defaultViewers": {"markdown": "Markdown Preview"},
    }
    # JupyterLab lets readers scroll past the last cell; what they see there is an empty page
    notebooks = {"scrollPastEnd": False}
    plugins = {"@jupyterlab/docmanager-extension:plugin": documents, "@jupyterlab/notebook-extension:tracker": notebooks}
    _write_json(work / "overrides.json", plugins)
    config = {
        "apps": ["lab"],
        "contents": [str(contents)],
        "output_dir": str(out),
        "ignore_sys_prefix": True,
        "no_sourcemaps": True,
        "no_unused_shared_packages": True,
        "no_libarchive": True,
        "federated_extensions": [str(path) for path in front_ends],
    }
    _write_json(work / "jupyter_lite_config.json", {"LiteBuildConfig": config})
    command = [sys.executable, "-m", "jupyterlite_core", "build", "--lite-dir", str(work)]
    # the user's own settings of Jupyter would change the site
    environment = {**os.environ, "JUPYTER_NO_CONFIG": "1", "JUPYTER_CONFIG_DIR": str(work / "config")}
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    if done.returncode:
        why = "\n".join(f"  {line}" for line in _last_words(f"{done.stdout}\n{done.stderr}"))
        raise LabError(f"JupyterLite can't be built; its build ended with exit status {done.returncode}:\n{why}".rstrip(":\n"))
    page = out / "lab" / "index.html"
    if not page.is_file():
        raise LabError(f"JupyterLite can't be built; its build ended without an error, but there is no {page}")


def _last_words(output: str) -> list[str]:
    """The last lines of a build's output that name an error, such as that of a traceback; without one, its last lines."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return ([line for line in lines if FAULT.search(line)] or lines)[-MOST_LINES:]


def app_version(out: Path) -> str:
    """Return the version that a JupyterLite gives itself."""
    return str(_settings(out).get("appVersion", ""))


def _settings(out: Path) -> dict[str, Any]:
    return dict(parse_json(read_bytes(out / CONFIG))["jupyter-config-data"])


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1), "utf-8")
