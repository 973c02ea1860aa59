# SPDX-License-Identifier: GPL-2.0-only
"""Tells the learner in a browser tab, where a check takes long, that it is running.

This imports nothing large: in a tab, the imports of a check are a good part of the time that the learner waits.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from ..host_platform import HERE

WAIT = "Checking your solution. In a browser tab this can take half a minute."


@contextlib.contextmanager
def asking_for_patience() -> Iterator[None]:
    """In a notebook in a browser tab, show `WAIT` until the check is done; its report then takes the place."""
    ipython = sys.modules.get("IPython")
    if not HERE.in_browser or ipython is None or ipython.get_ipython() is None:
        yield
        return
    from IPython.display import display

    line = display({"text/plain": WAIT}, raw=True, display_id=True)
    try:
        yield
    finally:  # no `clear_output`, which would remove what the learner's cell has printed
        line.update({"text/plain": ""}, raw=True)
