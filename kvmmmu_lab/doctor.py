# SPDX-License-Identifier: GPL-2.0-only
"""Diagnose this machine: what is installed, what is missing, what doesn't work as a result, and how to get it."""

from __future__ import annotations

import importlib
import json
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata

from . import workspace
from .check.sandbox.forkserver import CAN_FORK, ForkServer
from .check.sandbox.limits import not_enforced
from .check.sandbox.wall import ELSEWHERE
from .draw.render import NAMES, VARIABLE, renderers
from .errors import LabError
from .host_platform import HERE

FREE_BYTES = 50_000_000
"""The space that a working folder may need for the course and for notebooks saved with their drawings."""


GET_BUBBLEWRAP = "apt install bubblewrap or dnf install bubblewrap; elsewhere, check the code of others in a Linux machine"
ALLOW_BUBBLEWRAP = "let bwrap make user namespaces: on Ubuntu, by an AppArmor profile; in a container, by its options"


@dataclass(frozen=True)
class Check:
    """The result of one check. If it failed, ``cost`` says what doesn't work, and ``remedy`` says how to fix it."""

    name: str
    ok: bool
    found: str
    needed: bool
    """Whether the lessons need what is checked."""
    cost: str
    remedy: str


def run(as_json: bool = False) -> int:
    """Print the diagnosis. Return 0 if the machine has everything that the lessons need, otherwise 1."""
    found = checks()
    ok = all(check.ok for check in found if check.needed)
    print(_as_json(ok, found) if as_json else _as_text(ok, found))
    return 0 if ok else 1


def checks() -> list[Check]:
    """Run all checks that make sense on this platform. They take about a second, since they import packages."""
    return _on_a_computer() if HERE.can_start_programs else _in_a_browser_tab()


def _on_a_computer() -> list[Check]:
    lab = workspace.install_hint("lab")
    return [
        _platform(),
        _python(),
        _package("numpy", True, "the engine does not run", workspace.install_hint()),
        _package("jupyterlab", True, "no lesson can be opened in JupyterLab", lab),
        _package("ipywidgets", True, "the lessons have no menus, and the labs have no controls", lab),
        _package("anywidget", False, "films play, but clicks in them don't reach Python", lab),
        _package("hypothesis", False, "exercises can't be checked", lab),
        _package("pytest", False, "pytest can't check exercises; `kvmmmu-lab check` can", lab),
        _slides(),
        _live(),
        _package("graphviz", False, "nothing is drawn; lessons show text instead", lab),
        *(_renderer(name) for name in NAMES),
        _package("matplotlib", False, "plots are shown as tables of their numbers", lab),
        _fork(),
        _limits(),
        _folder(),
        _course(),
    ]


def _in_a_browser_tab() -> list[Check]:
    """The checks without those of programs and processes. The site brings the packages, and they can't be installed."""
    site = "build the site again with `kvmmmu-lab site --live`"
    return [
        _platform(),
        _python(),
        _package("numpy", True, "the engine does not run", site),
        _package("ipywidgets", True, "the lessons have no menus, and the labs have no controls", site),
        _package("anywidget", False, "films play, but clicks in them don't reach Python", site),
        _package("hypothesis", False, "exercises can't be checked", site),
        *(_renderer(name) for name in NAMES),
        _package("matplotlib", False, "plots are shown as tables of their numbers", site),
        _course(),
    ]


def _platform() -> Check:
    lost = HERE.in_browser and HERE.kept is None
    remedy = "open the site over https or from localhost, in a window that is not private, so that the service worker starts"
    return Check("platform", not lost, str(HERE), False, "edited notebooks, exercises and progress are lost", remedy)


def _python() -> Check:
    return Check(
        "python",
        sys.version_info >= (3, 10),
        f"{platform.python_version()} at {sys.executable}",
        True,
        "the kit does not run",
        "install Python 3.10 or newer",
    )


def _package(name: str, needed: bool, cost: str, remedy: str) -> Check:
    """Check a package by importing it, since an installed package may be broken."""
    try:
        importlib.import_module(name)
        found, ok = metadata.version(name), True
    except Exception as error:  # a broken package may raise anything; the diagnosis continues
        missing = isinstance(error, ModuleNotFoundError) and error.name == name
        found, ok = "missing" if missing else f"broken: {type(error).__name__}: {error}", False
    return Check(name, ok, found, needed, cost, remedy)


def _slides() -> Check:
    """Check the packages for slides without importing Sphinx, on which sphinx-revealjs depends."""
    from .publish.template import PAGE_MODULES, require, reveal_asset

    try:
        require(*PAGE_MODULES, "playwright", "PIL")
        reveal_asset("reveal.js")
        found, ok = f"reveal.js of sphinx-revealjs {metadata.version('sphinx-revealjs')}", True
    except LabError as error:
        found, ok = str(error).partition(":")[0], False
    cost = "lessons can't be exported as slides or pages, and films can't be saved as GIFs"
    return Check("slides", ok, found, False, cost, workspace.install_hint("slides"))


def _live() -> Check:
    """Check what `kvmmmu-lab site --live` needs."""
    from .live.lite import check_installed
    from .live.wheels import find_npm

    try:
        check_installed()
        found, ok = f"jupyterlite-core {metadata.version('jupyterlite-core')}, {find_npm()}", True
    except LabError as error:
        found, ok = str(error).partition(":")[0], False
    remedy = f"{workspace.install_hint('live')}, and npm from https://nodejs.org or your system's packages"
    return Check("live", ok, found, False, "no site with the course live in a browser can be built", remedy)


def _renderer(name: str) -> Check:
    """Check a renderer by drawing a sample. One renderer is enough; without any, lessons show text."""
    sample = 'digraph { a [shape=plain, label=<<TABLE><TR><TD PORT="p">x</TD></TR></TABLE>>]; a:p -> b }'
    remedies = {
        "dot": "apt install graphviz, brew install graphviz or winget install graphviz",
        "graphviz-pure": workspace.install_hint("lab"),
        "wasm-graphviz": "reload the page while the site can be reached",
    }
    others = " or ".join(other for other in NAMES if other != name)
    cost = f"{others} draws instead; without any renderer, lessons show text" if others else "lessons show text, not drawings"
    found, ok = "missing", False
    try:
        for renderer in renderers():
            if renderer.name == name:
                renderer.draw(sample)
                found, ok = renderer.path, True
    except LabError as error:
        found = f"broken: {error}"
    if not ok and os.environ.get(VARIABLE):
        found += f" ({VARIABLE}={os.environ[VARIABLE]} is set)"
    return Check(name, ok, found, False, cost, remedies[name])


def _fork() -> Check:
    return Check(
        "fork",
        HERE.can_fork,
        "yes" if HERE.can_fork else "this system has no fork",
        False,
        "exercises can't be checked in forked workers",
        "use Linux or macOS; on Windows, the Windows Subsystem for Linux",
    )


def _limits() -> Check:
    missing = not_enforced(_no_wall())
    return Check(
        "limits of checks",
        not missing,
        f"not enforced: {', '.join(missing)}" if missing else "all enforced",
        False,
        "code that is checked may use, read and change more than it should",
        ALLOW_BUBBLEWRAP if shutil.which("bwrap") else GET_BUBBLEWRAP,
    )


@cache
def _no_wall() -> str:
    """The reason why code that is checked has no wall around it; "" if it has one. A fork server tries it."""
    if not CAN_FORK:
        return ELSEWHERE
    with ForkServer() as server:
        return server.no_wall


def _folder() -> Check:
    """Check that files can be written to the default working folder, or to the folder in which it will be created."""
    try:
        folder = workspace.default_folder()
        place = next(path for path in (folder, *folder.parents) if path.exists())
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
        found, ok = f"{folder}, {free / 1e9:.1f} GB free", free >= FREE_BYTES
    except (LabError, OSError) as error:
        found, ok = str(error), False
    remedy = f"use --folder to choose a folder with {FREE_BYTES // 1_000_000} MB of free space"
    return Check("working folder", ok, found, True, "the course can't be copied", remedy)


def _course() -> Check:
    try:
        root = workspace.course_root()
        found, ok = str(root / workspace.start_page(root)), True
    except LabError as error:
        found, ok = str(error).partition(";")[0], False
    return Check("course", ok, found, True, "there is no lesson to open", workspace.install_hint())


def _as_json(ok: bool, found: list[Check]) -> str:
    report = {"kvmmmu-lab": workspace.kit_version(), "platform": platform.platform(), "ok": ok}
    return json.dumps({**report, "checks": [asdict(check) for check in found]}, indent=2)


def _as_text(ok: bool, found: list[Check]) -> str:
    lines = [f"kvmmmu-lab {workspace.kit_version()} on {platform.platform()}", ""]
    for check in found:
        verdict = "ok" if check.ok else "NEEDED" if check.needed else "optional"
        lines.append(f"  {verdict:8} {check.name:15} {check.found}")
        if not check.ok:
            lines += [f"{'':11}without it: {check.cost}", f"{'':11}to get it:  {check.remedy}"]
    ready = "ready for the lessons." if ok else "not ready for the lessons: see NEEDED above."
    return "\n".join([*lines, "", f"This machine is {ready}"])
