# SPDX-License-Identifier: GPL-2.0-only
"""An error as a card to be read, instead of a traceback."""

from __future__ import annotations

import html
from typing import Any

from ..errors import HostCrash, LabError

ENDS = {"BUG": "a consistency check failed", "oops": "a wild pointer was followed", "hang": "a loop never ended"}


def card_of(error: Exception | None) -> dict[str, Any] | None:
    """Title and rows of the card for an error; None for none."""
    if error is None:
        return None
    if isinstance(error, HostCrash):
        return {
            "title": "The host would have crashed",
            "rows": [
                f"{error.kind}, {ENDS.get(error.kind, 'the end')}: {error.what}.",
                f"It happened in {error.function}(), {error.source}. This VM is dead now; build a new one.",
            ],
        }
    if isinstance(error, LabError):
        return {"title": "This can't be done", "rows": [f"{error}."]}
    return {"title": f"A part of the machine failed: {type(error).__name__}", "rows": [f"{error}."]}


def card(error: Exception) -> str:
    """The card as HTML."""
    said = card_of(error)
    assert said is not None
    rows = "".join(f"<div>{html.escape(row)}</div>" for row in said["rows"])
    return (
        '<div role="alert" style="border:1px solid #B3261E;border-left-width:6px;border-radius:4px;padding:8px 12px;'
        f'background:#FDF1F0;color:#1F2933"><strong>{html.escape(said["title"])}</strong>{rows}</div>'
    )
