# SPDX-License-Identifier: GPL-2.0-only
"""An error as a card that explains it, in place of a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import HostCrash, LabError
from ..printable import escaped_html

CRASHES = {"BUG": "a consistency check failed", "oops": "a wild pointer was followed", "hang": "a loop never ended"}
"""The cause of a host crash, by its kind."""


def card_of(error: Exception | None) -> dict[str, Any] | None:
    """Return the title and rows of the card for an error, or None if there is none. An error may define its own ``card``."""
    if error is None:
        return None
    title, rows = getattr(error, "card", None) or _title_and_rows(error)
    return {"title": title, "rows": list(rows)}


def _title_and_rows(error: Exception) -> tuple[str, list[str]]:
    if isinstance(error, HostCrash):
        return "The host would hang" if error.kind == "hang" else "The host would have crashed", [
            f"{error.kind}, {CRASHES.get(error.kind, 'the host stopped')}: {error.what}.",
            f"It happened in {error.function}(), {error.source}. This VM is dead now; build a new one.",
        ]
    if isinstance(error, LabError):
        return "This can't be done", [f"{error}."]
    return f"A part of the machine failed: {getattr(error, 'name', type(error).__name__)}", [f"{error}."]


def card(error: Exception) -> str:
    """Return the card for an error as HTML."""
    data = card_of(error)
    assert data is not None
    return html_of(data["title"], data["rows"])


def html_of(title: str, rows: Sequence[str]) -> str:
    """Return a card as HTML."""
    text = "".join(f"<div>{escaped_html(row)}</div>" for row in rows)
    return (
        '<div role="alert" style="border:1px solid #B3261E;border-left-width:6px;border-radius:4px;padding:8px 12px;'
        f'background:#FDF1F0;color:#1F2933"><strong>{escaped_html(title)}</strong>{text}</div>'
    )
