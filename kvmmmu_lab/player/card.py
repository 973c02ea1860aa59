# SPDX-License-Identifier: GPL-2.0-only
"""An error as a card to be read, instead of a traceback."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from ..errors import HostCrash, LabError

ENDS = {"BUG": "a consistency check failed", "oops": "a wild pointer was followed", "hang": "a loop never ended"}


def card_of(error: Exception | None) -> dict[str, Any] | None:
    """Title and rows of the card for an error; None for none. An error may bring its own: ``error.card``, (title, rows)."""
    if error is None:
        return None
    title, rows = getattr(error, "card", None) or _told(error)
    return {"title": title, "rows": list(rows)}


def _told(error: Exception) -> tuple[str, list[str]]:
    if isinstance(error, HostCrash):
        return "The host would have crashed", [
            f"{error.kind}, {ENDS.get(error.kind, 'the end')}: {error.what}.",
            f"It happened in {error.function}(), {error.source}. This VM is dead now; build a new one.",
        ]
    if isinstance(error, LabError):
        return "This can't be done", [f"{error}."]
    return f"A part of the machine failed: {getattr(error, 'name', type(error).__name__)}", [f"{error}."]


def card(error: Exception) -> str:
    """The card as HTML."""
    said = card_of(error)
    assert said is not None
    return html_of(said["title"], said["rows"])


def html_of(title: str, rows: Sequence[str]) -> str:
    """Any card as HTML."""
    text = "".join(f"<div>{html.escape(row)}</div>" for row in rows)
    return (
        '<div role="alert" style="border:1px solid #B3261E;border-left-width:6px;border-radius:4px;padding:8px 12px;'
        f'background:#FDF1F0;color:#1F2933"><strong>{html.escape(title)}</strong>{text}</div>'
    )
