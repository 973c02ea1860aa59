# SPDX-License-Identifier: GPL-2.0-only
"""The wheels of the live course: those that pip fetches, and the kit's own, packed from the files that are installed."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

from ..errors import LabError
from ..files import read_bytes, read_text
from ..user_folders import cache_folder
from ..workspace import PACKAGE, PARTS, course_root, kit_version
from .versions import GRAPHVIZ, KIT, Wheel

PIP = ("download", "--quiet", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check")
ANYWHERE = ("--platform", "any", "--python-version", "312", "--implementation", "py", "--abi", "none")
"""The options for a wheel that needs neither a compiler nor this machine."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of each file in the kit's wheel: the same files make the same wheel."""


def downloads() -> Path:
    """Return the folder in which downloads are kept for the next build."""
    return cache_folder() / "live"


def fetch_wheels(wheels: Iterable[Wheel]) -> dict[str, Path]:
    """Return the file of each wheel by its package's name. What is not in the cache folder yet is fetched with pip."""
    wheels, folder = list(wheels), downloads() / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [wheel.requirement for wheel in wheels if _find(folder, wheel) is None]
    if missing:
        command = [sys.executable, "-m", "pip", *PIP, *ANYWHERE, "--dest", str(folder), *missing]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            reason = next((line for line in reversed(done.stderr.splitlines()) if line.startswith("ERROR")), done.stderr[-300:])
            raise LabError(f"pip can't fetch {', '.join(missing)}: {reason.strip()}")
    found = {wheel.name: _find(folder, wheel) for wheel in wheels}
    lost = [name for name, path in found.items() if path is None]
    if lost:
        raise LabError(f"pip put no wheel of {', '.join(lost)} into {folder}; delete this folder and try again")
    return {name: path for name, path in found.items() if path is not None}


def _find(folder: Path, wheel: Wheel) -> Path | None:
    stem = f"{wheel.name.replace('-', '_')}-{wheel.version}-"
    return next(iter(sorted(folder.glob(f"{stem}*.whl"))), None)


def fetch_graphviz() -> Path:
    """Return the archive of Graphviz as WebAssembly. If it is not in the cache folder yet, it is fetched with npm."""
    folder = downloads() / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{GRAPHVIZ.lstrip('@').replace('/', '-').replace('@', '-')}.tgz"
    if not (folder / name).is_file():
        done = subprocess.run([find_npm(), "pack", "--silent", GRAPHVIZ], cwd=folder, capture_output=True, text=True)
        if done.returncode or not (folder / name).is_file():
            raise LabError(f"npm can't fetch {GRAPHVIZ}: {done.stderr.strip()[-300:] or done.stdout.strip()[-300:]}")
    return folder / name


def find_npm() -> str:
    """Return the path of the program npm. Raises LabError."""
    npm = shutil.which("npm")
    if npm is None:
        raise LabError(
            f"Graphviz for the browser is missing: install npm, with which it is fetched, or get the npm package "
            f"{GRAPHVIZ} and name its .tgz file, or the index.js in it, with --graphviz"
        )
    return npm


def kit_wheel(folder: Path) -> Path:
    """Pack the installed kit, with its course, into a wheel in ``folder``; return its path."""
    version = _version()
    info, stem = f"kvmmmu_lab-{version}.dist-info", f"kvmmmu_lab-{version}"
    contents = {name: read_bytes(path) for name, path in _kit_files()}
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {KIT}\nVersion: {version}\n".encode()
    contents[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: kvmmmu-lab\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{name},{_record_hash(content)},{len(content)}\n" for name, content in contents.items())
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED, 9)
    path = folder / f"{stem}-py3-none-any.whl"
    path.write_bytes(buffer.getvalue())
    return path


def _kit_files() -> list[tuple[str, Path]]:
    """Return the kit's files with their names in the wheel. The course is inside the package, as in the published wheel."""
    found, root = [], course_root()
    folders = [(PACKAGE, "kvmmmu_lab")]
    if root != PACKAGE / "_course":
        folders += [(root / part, f"kvmmmu_lab/_course/{part}") for part in PARTS]
    for folder, prefix in folders:
        for path in sorted(folder.rglob("*")):
            parts = path.relative_to(folder).parts
            if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in parts):
                found.append(("/".join([prefix, *parts]), path))
    return found


def _version() -> str:
    version = kit_version()
    if not version.startswith("("):
        return version
    found = re.search(r'(?m)^version = "([^"]+)"', read_text(PACKAGE.parent / "pyproject.toml"))
    return found[1] if found else "0"


def _record_hash(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
