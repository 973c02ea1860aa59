# SPDX-License-Identifier: GPL-2.0-only
"""A learner's work as one zip: what was changed in a working folder, and the progress.

The zip is a part of a working folder: ``kvmmmu-lab grade`` takes it, and who unpacks it has a folder for JupyterLab on a
computer. The live course keeps its working folder in the browser's storage, where no other program can copy it.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .. import workspace
from ..errors import DataError
from ..files import MEGABYTE, read_bytes, replace_file
from ..grade.learner_files import is_left_out
from ..grade.omissions import Omissions
from ..grade.portable_name import is_portable
from ..grade.tree import FILE, FOLDER, MOST_DEPTH, Below, OverLimit, Parts, Tree, TreeEntry
from ..grade.zip_tree import ZipTree
from ..progress import FILE as PROGRESS_FILE
from ..progress import MOST_BYTES as MOST_PROGRESS
from ..progress import Progress
from ..user_folders import NAME

ZIP_NAME = f"{NAME}-work.zip"
"""What the zip is called when it is downloaded."""

PROGRESS = f".{NAME}/{PROGRESS_FILE}"
"""Where the progress is in the zip."""

MOST_ZIP = 64 * MEGABYTE
"""The maximum size of a zip that is uploaded, and of all files in it."""

EXPECTED = f"a zip that the live course has made, such as {ZIP_NAME}"

OTHERS = "uploaded"
"""The word in the name of an uploaded file next to a changed one: ``rmap_add.uploaded.py``."""


def changed_files(folder: Path, root: Path) -> dict[str, bytes]:
    """Return the files of a working folder that differ from the course at ``root`` and from what was copied from it.

    What programs make on their own is left out. Raises DataError, OSError.
    """
    known = workspace.read_record(folder)
    course = workspace.course_files(root)
    found = {}
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        content = read_bytes(path)
        fingerprint = workspace.fingerprint(name, content)
        same = fingerprint == known.get(name) or (
            name in course and fingerprint == workspace.fingerprint(name, read_bytes(course[name]))
        )
        if not same:
            found[name] = content
    return found


def _files(folder: Path) -> Iterator[Path]:
    for entry in sorted(os.listdir(folder)):
        path = folder / entry
        if is_left_out(entry) or path.is_symlink():
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path


def pack(folder: Path, progress: Progress, root: Path | None = None) -> tuple[bytes, list[str]]:
    """Return the zip of a learner's work, and the names of the changed files in it. Raises DataError, OSError."""
    files = changed_files(folder, workspace.course_root() if root is None else root)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        # the record says which version of the course each file began as; it also tells this zip from others
        known = workspace.read_record(folder)
        archive.writestr(workspace.MANIFEST, workspace.record_content({name: known[name] for name in files if name in known}))
        archive.writestr(PROGRESS, progress.content())
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue(), list(files)


@dataclass
class Restored:
    """What an upload did, as paths relative to the working folder."""

    restored: list[str] = field(default_factory=list)
    """Files that are now as in the zip. They were missing, or as the course has them."""
    same: list[str] = field(default_factory=list)
    beside: dict[str, str] = field(default_factory=dict)
    """Files that have been changed here, too, and stay. The one of the zip is next to each, under the name that this gives."""
    progress: bool = False
    """Whether the zip has brought progress that wasn't here."""
    left_out: list[str] = field(default_factory=list)
    """Sentences about what was not taken."""


def restore(content: bytes, name: str, folder: Path, progress: Progress, root: Path | None = None) -> Restored:
    """Put the work of a zip into a working folder. What was changed there stays.

    ``name`` is for messages. Raises DataError if nothing in the zip can be used, before anything is written; OSError.
    """
    root = workspace.course_root() if root is None else root
    files, brought, left_out = _unpacked(content, name)
    known = workspace.read_record(folder)
    theirs = workspace.parsed_record(files.pop(workspace.MANIFEST, b""))
    course = {one: workspace.fingerprint(one, read_bytes(path)) for one, path in workspace.course_files(root).items()}
    done = Restored(left_out=left_out)
    before = dict(known)
    for one, new in files.items():
        have = workspace.digest(folder / one)
        if have == workspace.fingerprint(one, new):
            done.same.append(one)
        elif have in (None, known.get(one), course.get(one)):
            _write(folder / one, new)
            done.restored.append(one)
            if one in theirs:
                known[one] = theirs[one]  # so that a newer version of the course is noticed
        else:
            done.beside[one] = _put_beside(folder, one, new)
    if known != before:
        _write(folder / workspace.MANIFEST, workspace.record_content(known))
    if brought:
        done.progress, whole = progress.merge(brought)
        if not whole:
            done.left_out.append("left out: damaged rows of the progress")
    return done


def _put_beside(folder: Path, name: str, content: bytes) -> str:
    """Save a file next to another, under a name at which nothing else is. Return the name."""
    number = 1
    while True:
        beside = workspace.beside_name(name, OTHERS if number == 1 else f"{OTHERS}-{number}")
        have = workspace.digest(folder / beside)
        if have is None:
            _write(folder / beside, content)
        if have in (None, workspace.fingerprint(beside, content)):
            return beside
        number += 1


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content)


def _unpacked(content: bytes, name: str) -> tuple[dict[str, bytes], bytes, list[str]]:
    """Return the files of a zip, the progress in it, and sentences about what is left out. Raises DataError."""
    if len(content) > MOST_ZIP:
        raise OverLimit(name, f"{len(content):,} bytes", f"a zip of at most {MOST_ZIP:,} bytes")
    if not content.startswith(b"PK"):
        raise DataError(name, "not a zip", EXPECTED)
    with ZipTree(io.BytesIO(content), name) as packed:
        tree = _inner(packed)
        top = {entry.name for entry in tree.entries() if entry.kind in (FILE, FOLDER)}
        ours = workspace.MANIFEST in top
        if not ours and top.isdisjoint(workspace.PARTS):
            raise DataError(name, f"a zip without {workspace.MANIFEST}, notebooks/ and exercises/", EXPECTED)
        omissions, files, left = Omissions(), dict[str, bytes](), MOST_ZIP
        for path in _paths(tree, omissions):
            if path[0] not in workspace.PARTS and not ours:
                omissions.add("/".join(path), "neither in notebooks/ nor in exercises/")
                continue
            files["/".join(path)] = tree.read(path, left)
            left -= len(files["/".join(path)])
        if ours:
            files[workspace.MANIFEST] = tree.read((workspace.MANIFEST,), MEGABYTE)
        progress = b""
        if any(entry.name == PROGRESS_FILE for entry in _entries(tree, (f".{NAME}",))):
            progress = tree.read((f".{NAME}", PROGRESS_FILE), MOST_PROGRESS)
        return files, progress, [*omissions.sentences, *packed.notes]


def _entries(tree: Tree, folder: Parts) -> list[TreeEntry]:
    try:
        return tree.entries(folder)
    except DataError:
        return []  # no such folder


def _inner(tree: Tree) -> Tree:
    """Return the folder that somebody has packed as a whole, or else the tree itself."""
    visible = [entry for entry in tree.entries() if entry.name != "__MACOSX"]
    wrapped = len(visible) == 1 and visible[0].kind == FOLDER and visible[0].name not in workspace.PARTS
    return Below(tree, (visible[0].name,)) if wrapped else tree


def _paths(tree: Tree, omissions: Omissions) -> Iterator[Parts]:
    """Yield the path of each file that may be written to a working folder."""
    folders: list[Parts] = [()]
    while folders:
        folder = folders.pop(0)
        if len(folder) > MOST_DEPTH:
            continue
        for entry in tree.entries(folder):
            path = (*folder, entry.name)
            if is_left_out(entry.name):
                continue
            if not is_portable(path):
                omissions.add("/".join(path), "not every system can have a file of this name")
            elif entry.kind == FOLDER:
                folders.append(path)
            elif entry.kind == FILE:
                yield path
            else:
                omissions.add("/".join(path), entry.kind)
