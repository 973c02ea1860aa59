# SPDX-License-Identifier: GPL-2.0-only
"""A hand-in: what one learner handed in for one exercise, as bytes, so that it can be judged on any machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HandIn:
    """The files that ``learner`` handed in for ``exercise`` ("rmap_add").

    ``files`` are by their names relative to the folder in which they were found, with "/" between folders. Each name is one
    that a file can have on every system, and no two of them differ only in case.

    ``main`` names the file to judge; it is "" if there is none. ``notebook`` is "" unless both "rmap_add.py" (then ``main``)
    and "rmap_add.ipynb" are there: to know which of them was changed they have to be parsed, which only a worker does (see
    `check.submission.submitted_file`). ``place`` says where they were found, for messages. ``problem`` is the reason, as
    a sentence without a full stop, why they can't be judged; "" if they can. ``notes`` say in sentences without a full stop
    what was left out.
    """

    learner: str
    exercise: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    main: str = ""
    notebook: str = ""
    place: str = ""
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The SHA-256 of all but learner, exercise and place, in hexadecimal: equal for two learners who handed in the same."""
        digest = hashlib.sha256()
        for part in (text.encode(errors="surrogatepass") for text in (self.main, self.notebook, self.problem, *self.notes)):
            digest.update(b"%d " % len(part) + part)
        for name in sorted(self.files):
            for part in (name.encode(errors="surrogatepass"), self.files[name]):
                digest.update(b"%d " % len(part) + part)
        return digest.hexdigest()
