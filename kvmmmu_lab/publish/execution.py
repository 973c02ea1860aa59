# SPDX-License-Identifier: GPL-2.0-only
"""Execute notebooks. The outputs are cached until the code of the notebook or of the kit changes."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import DataError, LabError
from ..files import parse_json, read_bytes, reading
from ..player.cell_output import UNATTENDED
from ..user_folders import cache_folder
from .widget_state import keep_needed_states

TIMEOUT = 300
"""The time limit for one cell, in seconds."""

ANSI_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def read_notebook(path: Path) -> Any:
    """Read a notebook. Raises DataError if the file doesn't exist, isn't a notebook, or has no cells."""
    import nbformat

    path = Path(path)
    content = read_bytes(path)
    with reading(path, "a Jupyter notebook (.ipynb)"):
        text = content.decode(json.detect_encoding(content))
        parse_json(text, finite=False)  # the limits, which nbformat hasn't
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
        if not notebook.cells:
            raise DataError(str(path), "no cells", "a notebook with at least one cell")
    return notebook


def executed(path: Path, *, cache: bool = True) -> Any:
    """Run a notebook from top to bottom in a new kernel, in the notebook's folder, and return it with its outputs.

    ``cache``: whether to reuse the outputs of an earlier run of the same code with the same kit. Raises InputError like
    `read_notebook`, and LabError if a cell fails; the error message contains the cell's source.
    """
    import nbformat

    path = Path(path)
    notebook = read_notebook(path)
    kept = cache_folder() / "notebooks" / f"{path.stem}-{_cache_key(notebook)}.ipynb"
    if cache and kept.is_file():
        try:
            before = read_notebook(kept)
            for cell, ran in zip(_code_cells(notebook), _code_cells(before), strict=True):
                cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
            notebook.metadata.pop("widgets", None)
            if "widgets" in before.metadata:
                notebook.metadata["widgets"] = before.metadata["widgets"]
            return notebook
        except (ValueError, AttributeError):
            kept.unlink(missing_ok=True)  # a damaged file, or one from another version of nbformat
    run(notebook, path)
    keep_needed_states(notebook)
    if cache:
        with contextlib.suppress(OSError):  # if the cache can't be written, the notebook runs again next time
            kept.parent.mkdir(parents=True, exist_ok=True)
            fresh = kept.with_suffix(f".{os.getpid()}")
            nbformat.write(notebook, fresh)
            fresh.replace(kept)
    return notebook


def has_outputs(notebook: Any) -> bool:
    """Return whether any cell has an output. For a notebook without code cells, return True."""
    return not _code_cells(notebook) or any(cell.outputs for cell in _code_cells(notebook))


def run(notebook: Any, path: Path) -> None:
    """Run all cells of ``notebook`` and store their outputs in it. ``path`` is its file. Raises LabError if a cell fails."""
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        store_widget_state=True,  # pages show a widget as it was saved; the kit's own have stills
        kernel_name="python3",  # use this Python, even if the notebook names another kernel
        resources={"metadata": {"path": str(path.resolve().parent)}},
        extra_arguments=["--log-level=40"],  # log only errors; warnings would mix with the command's output
    )
    try:
        with tempfile.TemporaryDirectory() as nothing_done:
            # nobody is there to answer a lesson's questions, and what the author has done is not for the pages
            client.execute(env={**os.environ, UNATTENDED: "1", "KVMMMU_LAB_DATA": nothing_done})
    except CellExecutionError as error:
        number, cell = _failed_cell(notebook)
        reason = ANSI_COLOURS.sub("", f"{error.ename}: {error.evalue}")
        source = "\n".join(f"    {line}" for line in cell.source.splitlines()[:15]) if cell else ""
        raise LabError(
            f"{path}: cell {number} of {len(notebook.cells)} fails with {reason}\n\n{source}\n\n"
            "Fix the cell, or tag it 'raises-exception' if it is meant to fail, or use --no-execute to export the outputs "
            "that the notebook already has"
        ) from None
    except CellTimeoutError:
        raise LabError(f"{path}: a cell took longer than {TIMEOUT} seconds") from None
    except (DeadKernelError, NoSuchKernel) as error:
        raise LabError(f"{path} can't be run: {error}. Run it in JupyterLab to find the cause") from None


def _code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _failed_cell(notebook: Any) -> tuple[int, Any]:
    """Return the number of the first cell with an error, counted from 1, and the cell."""
    for number, cell in enumerate(notebook.cells, 1):
        if any(output.output_type == "error" for output in cell.get("outputs", ())):
            return number, cell
    return 0, None


# The cache


def _cache_key(notebook: Any) -> str:
    """Hash everything that the outputs depend on: the kit, and the code cells with their tags, in order."""
    digest = hashlib.sha256(_kit_digest().encode())
    for cell in _code_cells(notebook):
        digest.update(repr((cell.source, list(cell.metadata.get("tags", ())))).encode())
    return digest.hexdigest()[:24]


@functools.cache
def _kit_digest() -> str:
    """Hash the version of Python and the code of the kit, except the packages `check` and `publish`."""
    digest = hashlib.sha256(sys.version.encode())
    root = Path(str(files("kvmmmu_lab")))
    for path in sorted(root.rglob("*")):
        if path.suffix in (".py", ".js", ".css") and not {"check", "publish", "_course"} & set(path.parts):
            digest.update(path.read_bytes())
    return digest.hexdigest()
