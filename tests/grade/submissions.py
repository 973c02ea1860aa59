# SPDX-License-Identifier: GPL-2.0-only
"""Makes folders and zips of submissions for tests. A tree is a dict: names to bytes, to text, to a dict, or to a `Link`."""

import io
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

RMAP, SPLIT, WALK = "04_rmap_add", "01_split", "02_walk"
PY, BOOK = b"class ReverseMap: ...\n", b'{"cells": []}'


@dataclass(frozen=True)
class Link:
    to: str


def make(folder, tree):
    """Write a tree into a folder, which is made if need be; return it."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in tree.items():
        path = folder / name
        if isinstance(content, dict):
            make(path, content)
        elif isinstance(content, Link):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(content.to)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def zipped(tree, packing=zipfile.ZIP_DEFLATED):
    """Return the bytes of a zip with a tree in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, content in flat(tree):
            info = zipfile.ZipInfo(name)
            info.compress_type = packing
            if isinstance(content, Link):
                info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
                content = content.to
            archive.writestr(info, content)
    return buffer.getvalue()


def flat(tree, above=""):
    """Yield each file of a tree with its whole path."""
    for name, content in tree.items():
        if isinstance(content, dict):
            yield from flat(content, f"{above}{name}/")
        else:
            yield above + name, content
