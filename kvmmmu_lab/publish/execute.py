# SPDX-License-Identifier: GPL-2.0-only
"""A notebook is read and run. What ran is remembered by what it says, until the notebook or the kit changes."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import InputError, LabError

SECONDS = 300
"""Seconds that one cell may take."""

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def notebook(path: Path) -> Any:
    """The notebook in a file. Raises InputError for a file that isn't there or is none."""
    import nbformat

    path = Path(path)
    if not path.is_file():
        raise InputError("notebook", str(path), "the path of a notebook (.ipynb) that exists")
    try:
        found = nbformat.read(path, as_version=4)
        nbformat.validate(found)
    except Exception as error:  # whatever its reader makes of a file that isn't one
        said = str(error).splitlines() or [type(error).__name__]
        raise InputError("notebook", str(path), f"a Jupyter notebook, which this file isn't ({said[0][:120]})") from None
    if not found.cells:
        raise InputError("notebook", str(path), "a notebook with at least one cell")
    return found


def executed(path: Path, *, remember: bool = True) -> Any:
    """The notebook, run from the top in a kernel of its own, in its folder. ``remember``: if exactly this ran before, with
    this kit, its outputs are taken from then. Raises LabError with the cell that fails."""
    import nbformat

    path = Path(path)
    found = notebook(path)
    kept = cache_folder() / f"{path.stem}-{_key(found)}.ipynb"
    if remember and kept.is_file():
        try:
            ran = nbformat.read(kept, as_version=4)
        except Exception:
            kept.unlink(missing_ok=True)  # half written, or by another version
        else:
            for cell, before in zip(_code(found), _code(ran), strict=True):
                cell.outputs, cell.execution_count = before.outputs, before.execution_count
            return found
    run(found, path)
    if remember:
        with contextlib.suppress(OSError):  # where nothing can be kept, it runs again next time
            kept.parent.mkdir(parents=True, exist_ok=True)
            fresh = kept.with_suffix(f".{os.getpid()}")
            nbformat.write(found, fresh)
            fresh.replace(kept)
    return found


def has_outputs(found: Any) -> bool:
    """Whether a notebook holds what its code shows, or has no code."""
    return not _code(found) or any(cell.outputs for cell in _code(found))


def run(found: Any, path: Path) -> None:
    """Run all cells; their outputs are put in their places."""
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    # this Python, whatever kernel a notebook from elsewhere names
    client = NotebookClient(
        found,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.resolve().parent)}},
        extra_arguments=["--log-level=40"],  # else a kernel's own warnings come between what is said here
    )
    try:
        client.execute()
    except CellExecutionError as error:
        number, cell = _failing(found)
        said = COLOURS.sub("", f"{error.ename}: {error.evalue}")
        shown = "\n".join(f"    {line}" for line in cell.source.splitlines()[:15]) if cell else ""
        raise LabError(
            f"{path}: cell {number} of {len(found.cells)} fails with {said}\n\n{shown}\n\n"
            "Mend the cell; or tag it 'raises-exception' if the error is meant to be shown; or export what the notebook "
            "holds already, with --no-execute"
        ) from None
    except CellTimeoutError:
        raise LabError(f"{path}: a cell took longer than {SECONDS} seconds") from None
    except (DeadKernelError, NoSuchKernel) as error:
        raise LabError(f"{path}: it can't be run: {error}. Run it in JupyterLab, to see how far it comes") from None


def _code(found: Any) -> list[Any]:
    return [cell for cell in found.cells if cell.cell_type == "code"]


def _failing(found: Any) -> tuple[int, Any]:
    for number, cell in enumerate(found.cells, 1):
        if any(output.output_type == "error" for output in cell.get("outputs", ())):
            return number, cell
    return 0, None


def cache_folder() -> Path:
    """Where notebooks that ran are remembered: KVMMMU_LAB_CACHE, or where this system keeps such things."""
    given = os.environ.get("KVMMMU_LAB_CACHE")
    if given:
        return Path(given)
    home = Path.home()
    base = {"win32": home / "AppData/Local", "darwin": home / "Library/Caches"}.get(sys.platform, home / ".cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or base) / "kvmmmu-lab" / "notebooks"


def _key(found: Any) -> str:
    """Of all that decides what the cells show: their code, their order, and the kit."""
    digest = hashlib.sha256(kit_digest().encode())
    for cell in _code(found):
        digest.update(repr((cell.source, list(cell.metadata.get("tags", ())))).encode())
    return digest.hexdigest()[:24]


@functools.cache
def kit_digest() -> str:
    """Of the kit's own code and of Python's version."""
    digest = hashlib.sha256(sys.version.encode())
    root = Path(str(files("kvmmmu_lab")))
    for path in sorted(root.rglob("*")):
        if path.suffix in (".py", ".js", ".css") and not {"check", "publish", "_course"} & set(path.parts):
            digest.update(path.read_bytes())
    return digest.hexdigest()
