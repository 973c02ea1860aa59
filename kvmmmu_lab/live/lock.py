# SPDX-License-Identifier: GPL-2.0-only
"""Pyodide's lock file: which packages there are, where they are and what they need; ours are added to its own."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import InputError
from ..files import open_regular, parse_json, read_bytes, reading
from .versions import CORE, PYODIDE

LOCK = "pyodide-lock.json"

Entry = dict[str, Any]
"""What a lock file says about a package."""


def entry(path: Path, address: str, name: str, needs: Iterable[str]) -> Entry:
    """Return what the lock file says about a wheel that is at ``address``, relative to the root of the live course."""
    version = path.name.split("-")[1]
    return {
        "name": name,
        "version": version,
        "file_name": address,
        "install_dir": "site",
        "sha256": hashlib.sha256(read_bytes(path)).hexdigest(),
        "package_type": "package",
        "imports": _imports(path),
        "depends": list(needs),
        "unvendored_tests": False,
    }


def _imports(path: Path) -> list[str]:
    """Return the modules that a wheel provides."""
    with open_regular(path) as file, reading(path, "a wheel"), zipfile.ZipFile(file) as archive:
        places = [PurePosixPath(name) for name in archive.namelist()]
    packages = {
        place.parts[0] for place in places if len(place.parts) > 1 and not place.parts[0].endswith((".dist-info", ".data"))
    }
    return sorted(packages | {place.stem for place in places if len(place.parts) == 1 and place.suffix == ".py"})


def pyodide_packages(folder: Path) -> dict[str, Entry]:
    """Return the packages of the Pyodide in a folder. Raises InputError if it is none, or another version."""
    lost = [name for name in CORE if not (folder / name).is_file()]
    if lost:
        raise InputError("pyodide", str(folder), f"a folder with {', '.join(CORE)}, but it has no {', '.join(lost)}")
    lock = read_lock(folder)
    version = lock["info"].get("version")
    if version != PYODIDE:
        raise InputError("pyodide", f"{folder}, Pyodide {version}", f"Pyodide {PYODIDE}, for which this kernel is made")
    return dict(lock["packages"])


def read_lock(folder: Path) -> dict[str, Any]:
    """Return the lock file of the Pyodide in a folder. Raises DataError."""
    path = folder / LOCK
    with reading(path, "Pyodide's lock file"):
        lock = parse_json(read_bytes(path))
        return {"info": dict(lock["info"]), "packages": dict(lock["packages"])}


def needed(packages: Mapping[str, Entry], names: Iterable[str]) -> dict[str, Entry]:
    """Return these packages and all that they need, as far as ``packages`` has them."""
    by_name = {_plain(name): name for name in packages}
    found, queue = dict[str, Entry](), [_plain(name) for name in names]
    for name in queue:
        key = by_name.get(name)
        if key is not None and key not in found:
            found[key] = packages[key]
            queue += map(_plain, packages[key]["depends"])
    return found


def missing(packages: Mapping[str, Entry], names: Iterable[str]) -> list[str]:
    """Return what these packages, or those that they need, need but ``packages`` has not."""
    have = {_plain(name) for name in packages}
    wanted = [*names, *(each for one in needed(packages, names).values() for each in one["depends"])]
    return sorted({name for name in wanted if _plain(name) not in have})


def _plain(name: str) -> str:
    """Return the normalized name of a package."""
    return name.lower().replace("_", "-").replace(".", "-")
