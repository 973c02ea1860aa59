# SPDX-License-Identifier: GPL-2.0-only
"""Editions of a lesson: what only its notebook says, where cells run, and what only its page says, where nothing runs.

A cell with the tag ``notebook-only`` is on no page and no slide. Within a Markdown cell, comments mark a part::

    <!-- notebook -->
    Run the cells from top to bottom.
    <!-- /notebook -->
    <!-- page: The films play in your browser. -->
    <!-- live page: To run the code, choose *Open live*. -->
    <!-- static page: To run the code, install the kit. -->

The notebook shows the first sentence and no comment, and a slide nothing of this. A page shows the second sentence, and one of
the last two: the first of them on a site where the course also runs live.
"""

from __future__ import annotations

import re
from collections.abc import Callable

NOTEBOOK_ONLY = "notebook-only"
"""The tag of a cell that makes sense only where cells run."""

NOTEBOOK_PART = re.compile(r"[ \t]*<!--\s*notebook\s*-->.*?<!--\s*/notebook\s*-->", re.DOTALL)
LOST_MARK = re.compile(r"<!--\s*/?notebook\s*-->")
PAGE_COMMENT = re.compile(r"<!--\s*(live page|static page|page):(.*?)-->", re.DOTALL)


def exported_text(source: str, say: Callable[[str], object], *, page: bool, live: bool = False) -> str:
    """Return a Markdown text without what only the notebook shows; for a page, with what only pages show.

    ``live``: whether the course also runs live on the page's site. ``say`` is told if a mark has no counterpart; then nothing
    is left out for it.
    """
    source = NOTEBOOK_PART.sub("", source)
    for mark in LOST_MARK.findall(source):
        say(f"the mark {mark} has no counterpart, so the text beside it is kept")
    source = LOST_MARK.sub("", source)
    shown = ("page", "live page" if live else "static page") if page else ()
    return PAGE_COMMENT.sub(lambda found: found[2].strip() if found[1] in shown else "", source)
