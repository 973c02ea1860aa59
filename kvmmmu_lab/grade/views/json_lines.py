# SPDX-License-Identifier: GPL-2.0-only
"""The marks as JSON Lines: one object a line, with all that the record holds but the pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...files import replacing
from ..mark import Mark

SURROGATE = re.compile("[\ud800-\udfff]")
ESCAPED = "\\ud"
"""How a surrogate begins in JSON, alone or in a pair."""


def write_json_lines(marks: Iterable[Mark], path: Path) -> None:
    """Write the marks to a file. Raises OSError."""
    with replacing(path) as file:
        for mark in marks:
            data = vars(mark) | {"rules": [*map(vars, mark.rules)]}
            del data["picture"]
            text = json.dumps(data)
            file.write(f"{json.dumps(_whole(data)) if ESCAPED in text else text}\n".encode())


def _whole(value: Any) -> Any:
    """A value without lone surrogates, which come from file names that aren't UTF-8 and which most readers of JSON refuse."""
    if isinstance(value, str):
        return SURROGATE.sub(lambda found: f"\\u{ord(found[0]):x}", value)
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, tuple | list) else value
