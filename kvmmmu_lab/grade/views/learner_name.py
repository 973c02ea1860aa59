# SPDX-License-Identifier: GPL-2.0-only
"""A learner's name as it is shown, and as the name of a file. The name itself is any text: it comes from a submission."""

from __future__ import annotations

import hashlib
import re

from ...printable import one_line, shortened

LONGEST = 60
"""The maximum number of characters of a name that are shown."""

SAFE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
"""Matches a name that is a file's name on every system as it is: one case, no dots, no spaces."""

RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)")
"""Matches the names that Windows reserves."""


def shown_name(learner: str) -> str:
    """The name in one line, without control characters."""
    return shortened(one_line(learner), LONGEST) if learner.strip() else f"(a name of {len(learner)} blanks)"


def file_name(learner: str) -> str:
    """The name of a learner's files, without a suffix: letters, digits and hyphens, and different for different learners."""
    if SAFE.fullmatch(learner) and not RESERVED.fullmatch(learner):
        return learner
    digest = hashlib.sha256(learner.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    plain = re.sub(r"[^a-z0-9]+", "-", learner.lower()).strip("-")[:40].strip("-")
    return f"{plain or 'learner'}.{digest}"
