# SPDX-License-Identifier: GPL-2.0-only
"""The working folder: a learner's own copy of the course, prepared and opened in JupyterLab.

The learner gets a copy even if the package runs from a checkout. A notebook changes when it runs, and a
learner's answers belong neither in a git repository nor in site-packages. The folder contains a record of
what was copied, so that a newer kit updates the files that are unchanged and keeps those that were edited.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from .errors import DataError, LabError
from .files import MissingFileError, parse_json, read_bytes, reason, replace_file
from .host_platform import HERE

PARTS = ("notebooks", "exercises")
"""The folders that make up a course."""

START = f"{PARTS[0]}/start.ipynb"
"""The start page: all lessons and exercises, with the learner's progress."""

MANIFEST = ".kvmmmu-lab.json"
"""The record in the working folder: the SHA-256 of each file, as it was copied."""

PACKAGE = Path(__file__).resolve().parent


class WorkspaceError(LabError):
    """The course can't be found, copied or opened. The message gives the path and says what to do."""


@dataclass
class Prepared:
    """The result of `prepare`: lists of files, as paths relative to the working folder."""

    folder: Path
    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Files that the learner has edited. They are not changed."""
    beside: list[str] = field(default_factory=list)
    """Newer versions of edited files, saved as ``NAME.new.EXT``, so that JupyterLab can open them."""


def default_folder() -> Path:
    """Return ``kvmmmu-lab`` in the home directory, which doesn't depend on the current directory. In a browser tab, return the
    drive.
    """
    if HERE.kept:
        return HERE.kept
    try:
        return Path.home() / "kvmmmu-lab"
    except RuntimeError as error:
        raise WorkspaceError("this user has no home directory; choose a working folder with --folder") from error


def course_root() -> Path:
    """Return the folder that contains ``notebooks/``: one inside the installed package, or else the checkout."""
    for root in (PACKAGE / "_course", PACKAGE.parent):
        if (root / PARTS[0]).is_dir():
            return root
    raise WorkspaceError(
        f"the course is missing: no {PARTS[0]}/ in {PACKAGE / '_course'} or in {PACKAGE.parent}; "
        f"install the kit again: {install_hint()}"
    )


def lesson_notebook(number: int) -> Path:
    """Return the path of a lesson's notebook in the course: the one in notebooks/ whose name begins with its number.

    Raises WorkspaceError if there is none.
    """
    folder = course_root() / PARTS[0]
    for path in sorted(folder.glob(f"{number:02}_*.ipynb")):
        return path
    raise WorkspaceError(
        f"lesson {number} has no notebook {number:02}_*.ipynb in {folder}; install the kit again: {install_hint()}"
    )


def start_page(root: Path) -> str:
    """Return the path of the notebook that JupyterLab opens, relative to ``root``, with forward slashes.

    It is the start page, or the first lesson of a course without one.
    """
    for path in [root / START, *sorted((root / PARTS[0]).glob("*.ipynb"))]:
        if path.is_file():
            return f"{PARTS[0]}/{path.name}"
    raise WorkspaceError(f"the course is empty: no notebook in {root / PARTS[0]}; install the kit again: {install_hint()}")


def kit_version() -> str:
    """Return the version of the installed kit."""
    from importlib import metadata  # takes 25 ms, which only few commands need

    try:
        return metadata.version("kvmmmu-lab")
    except metadata.PackageNotFoundError:
        return "(run from its source, not installed)"


def install_hint(extra: str = "") -> str:
    """Return the pip command that installs this kit, with an extra, for the running Python."""
    from_checkout = (PACKAGE.parent / "pyproject.toml").is_file()
    target = str(PACKAGE.parent) if from_checkout else "kvmmmu-lab"
    extras = f"[{extra}]" if extra else ""
    return f'"{sys.executable}" -m pip install {"-e " if from_checkout else ""}"{target}{extras}"'


def prepare(folder: Path, root: Path | None = None) -> Prepared:
    """Copy the course at ``root`` (default: the kit's) into ``folder``, but never overwrite an edited file.

    A missing file is copied, an unchanged copy is updated, and any other file is kept. If the kit has a newer
    version of a kept file, that version is saved next to it, once. If ``folder`` is the course's own folder, it is
    used in place and nothing is copied; authors of lessons work this way. Raise `WorkspaceError` if files
    can't be written.
    """
    root = course_root() if root is None else root
    prepared = Prepared(folder)
    if folder.resolve() == root.resolve():
        return prepared
    try:
        _copy(root, prepared)
    except (OSError, DataError) as error:
        what, where = (error.got, error.argument) if isinstance(error, DataError) else (reason(error), error.filename)
        raise WorkspaceError(f"can't prepare {folder}: {what} ({where}); choose another folder with --folder") from error
    if not os.access(folder, os.W_OK):
        raise WorkspaceError(f"{folder} is not writable, so nothing in it could be saved; choose another folder with --folder")
    return prepared


def open_lab(folder: Path, page: str, *, browser: bool = True, port: int | None = None) -> None:
    """Run JupyterLab in ``folder`` with the notebook ``page`` open; return when the user stops it."""
    try:
        from jupyterlab.labapp import LabApp
    except ImportError as error:
        raise WorkspaceError(
            f"JupyterLab can't be loaded ({error}); get it with {install_hint('lab')}\n"
            f"The notebooks are in {folder}; you can open them with any other program for notebooks."
        ) from error
    options = [
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--LabApp.default_url=/lab/tree/{quote(page)}",
        # a lesson needs no network, so do not ask about news or look for updates
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
    ]
    if not browser:
        options.append("--no-browser")
    if port is not None:
        options.append(f"--ServerApp.port={port}")
    # Jupyter refuses to run as root without this option; containers often have no other user
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")
    print("Opening the course in JupyterLab; stop it with Ctrl-C here.", flush=True)
    LabApp.launch_instance(argv=options)


def course_files(root: Path) -> dict[str, Path]:
    """Return the files that a learner gets: all except the ``.py`` files from which notebooks are built."""
    files = {}
    for path in sorted(path for part in PARTS for path in (root / part).rglob("*")):
        relative = path.relative_to(root)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
        source = relative.parts[0] == PARTS[0] and path.suffix == ".py" and path.with_suffix(".ipynb").exists()
        if path.is_file() and not hidden and not source:
            files[relative.as_posix()] = path
    return files


def _copy(root: Path, prepared: Prepared) -> None:
    folder, known = prepared.folder, read_record(prepared.folder)
    before = dict(known)

    def place(name: str, content: bytes) -> str:
        """Write one file unless it was edited; return what happened: new, updated, same or kept."""
        have, new = digest(folder / name), fingerprint(name, content)
        if have not in (None, new, known.get(name)):
            return "kept"
        if have != new:
            _write(folder / name, content)
        known[name] = new
        return "new" if have is None else "same" if have == new else "updated"

    for name, source in course_files(root).items():
        content = read_bytes(source)
        outcome = place(name, content)
        if outcome != "same":
            getattr(prepared, outcome).append(name)
        if outcome != "kept":
            continue
        # The record of a kept file stays at the version that the learner started from. A newer version
        # next to it has its own record, so that it is not offered again after the learner has deleted it.
        beside = beside_name(name)
        seen = fingerprint(name, content) in (known.get(name), known.get(beside))
        if not seen and place(beside, content) != "kept":
            prepared.beside.append(beside)
    if known != before:
        _write(folder / MANIFEST, record_content(known))


def beside_name(name: str, word: str = "new") -> str:
    """Return the name under which another version of a file is saved next to it."""
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}.{word}{path.suffix}"))


def record_content(known: dict[str, str]) -> bytes:
    """Return the content of the record `MANIFEST`: the fingerprint of each file, as it was copied."""
    return json.dumps({"files": known}, indent=1, sort_keys=True).encode()


def read_record(folder: Path) -> dict[str, str]:
    """Return the record. A damaged record counts as empty, so every file that differs is kept as edited."""
    try:
        return parsed_record(read_bytes(folder / MANIFEST))
    except DataError:
        return {}


def parsed_record(content: bytes) -> dict[str, str]:
    """Return what a record says, as far as it is one."""
    try:
        files = parse_json(content)["files"]
    except (ValueError, KeyError, TypeError):
        return {}
    return {name: one for name, one in files.items() if isinstance(one, str)} if isinstance(files, dict) else {}


def digest(path: Path) -> str | None:
    """Return the fingerprint of a file, None if there is none. Raises DataError."""
    try:
        return fingerprint(path.name, read_bytes(path))
    except MissingFileError:
        return None


def fingerprint(name: str, content: bytes) -> str:
    """Return a digest of the file, whatever its line ends; for a notebook, of its cells without outputs and counts."""
    if name.endswith(".ipynb"):
        try:
            cells = parse_json(content, finite=False)["cells"]
            texts = [[cell["cell_type"], "".join(cell["source"]).replace("\r\n", "\n")] for cell in cells]
            content = json.dumps(texts).encode()
        except (ValueError, KeyError, TypeError):
            pass  # not a valid notebook: compare all bytes
    else:
        content = content.replace(b"\r\n", b"\n")
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Write the whole file or nothing, because a partial file would count as edited next time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content)
