# SPDX-License-Identifier: GPL-2.0-only
"""Which steps concern an entry, a frame, a kind of event."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import InputError
from ..mmu import events as ev
from ..mmu.arena import FIRST_SHADOW
from ..mmu.bits import PAGE_SHIFT
from ..mmu.checks import whole
from ..mmu.pool import NUM_PAGES
from .tags import TAGS, tags_of

if TYPE_CHECKING:
    from .recording import Recording


class Filter:
    """Whether a step fits all that was asked for (see `Recording.where`)."""

    def __init__(
        self, recording: Recording, kind: str | None, tag: str | None, spte: str | int | None, gfn: int | None
    ) -> None:
        if kind is not None and (not isinstance(kind, str) or kind not in ev.KINDS):
            raise InputError("kind", kind, f"one of {', '.join(sorted(ev.KINDS))}")
        if tag is not None and (not isinstance(tag, str) or tag not in TAGS):
            raise InputError("tag", tag, f"one of {', '.join(TAGS)}")
        if gfn is not None and whole("gfn", gfn, "a guest frame number") < 0:
            raise InputError("gfn", gfn, "a guest frame number")
        self.recording, self.kind, self.tag, self.gfn = recording, kind, tag, gfn
        self.spte = None if spte is None else reference(spte)

    def __call__(self, number: int, event: tuple) -> bool:
        """Whether step ``number``, which is ``event``, fits."""
        kind = event[0]
        if self.kind is not None and kind.name != self.kind:
            return False
        if self.tag is not None and self.tag not in tags_of(event):
            return False
        if self.spte is not None and not (kind.change and event[1] >> 3 == self.spte):
            return False
        return self.gfn is None or self._concerns(number, event)

    def _concerns(self, number: int, event: tuple) -> bool:
        kind = event[0]
        values = dict(zip(kind.operands, event[1:], strict=True))
        if "gpa" in values:
            return values["gpa"] >> PAGE_SHIFT == self.gfn
        if "gfn" in values:
            return values["gfn"] == self.gfn
        if "hfn" in values:
            hfn = values["hfn"]
        elif "hpa" in values:
            hfn = values["hpa"] >> PAGE_SHIFT
        else:
            return False
        return self.recording.at(number).memory.gfns[hfn] == self.gfn


def reference(spte: str | int) -> int:
    """A reference to a shadow entry, from "#248:457" or a reference. Raises InputError."""
    found = re.fullmatch(r"#(\d+):(\d+)", spte) if isinstance(spte, str) else None
    if found and int(found[1]) < NUM_PAGES and int(found[2]) < 512:
        return (FIRST_SHADOW + int(found[1])) << 9 | int(found[2])
    if isinstance(spte, int) and not isinstance(spte, bool) and spte >= 0:
        return spte
    raise InputError("spte", spte, "an entry as pictures name it, '#248:457', or a reference (hpa // 8)")
