# SPDX-License-Identifier: GPL-2.0-only
"""Names of files that every system can have: only these are taken from what learners hand in."""

from __future__ import annotations

import os
import re
import unicodedata

from ..printable import CONTROLS
from .tree import Parts

MOST_BYTES = 255
"""The maximum length of a name in UTF-8."""

REFUSED = re.compile(r'[<>:"|?*\\/]|[. ]\Z')
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE | re.DOTALL)
"""Names of devices on Windows, in every folder and with every ending."""


def is_portable(path: Parts) -> bool:
    """Whether every system can have a file at this path."""
    return bool(path) and all(map(_is_portable, path))


def _is_portable(name: str) -> bool:
    if REFUSED.search(name) or DEVICES.fullmatch(name) or any(unicodedata.category(one) in CONTROLS for one in name):
        return False
    return name not in ("", "..") and len(name.encode()) <= MOST_BYTES


def same_file(path: Parts) -> Parts:
    """Return a form of a path that is equal for two paths which are the same file on some systems."""
    return tuple(unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()) for name in path)


def as_text(name: str) -> str:
    r"""Return a name as text that every format can store: a byte that is not UTF-8 becomes ``\xff``, a surrogate ``\udead``."""
    try:
        name.encode()
        return name
    except UnicodeEncodeError:
        pass
    try:
        return os.fsencode(name).decode(errors="backslashreplace")
    except UnicodeEncodeError:
        return name.encode(errors="backslashreplace").decode()
