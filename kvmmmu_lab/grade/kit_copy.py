# SPDX-License-Identifier: GPL-2.0-only
"""A copy of the kit on some machine, in terms of what marks depend on: two copies that are the same give the same marks."""

from __future__ import annotations

from dataclasses import dataclass

from .. import exercises
from ..check.answers import kit_digest, rules_digest
from ..check.sandbox import limits
from ..workspace import course_root
from .grader import versions


@dataclass(frozen=True)
class KitCopy:
    """The ``versions`` of the kit and of what it uses, digests of its ``files`` and ``rules``, and the ``limits``."""

    versions: str
    files: str
    rules: dict[str, str]
    limits: dict[str, float]

    def difference(self, other: KitCopy) -> str:
        """What another copy has that this one has not, in words; "" if the two are the same."""
        if other.versions != self.versions:
            return f"has {other.versions}; here are {self.versions}"
        if other.files != self.files or other.rules != self.rules:
            return f"has other {'files of the kit' if other.files != self.files else 'exercises'}, though of the same version"
        if other.limits != self.limits:
            names = sorted(name for name in self.limits | other.limits if self.limits.get(name) != other.limits.get(name))
            theirs, ours = (", ".join(f"{name}={of.limits.get(name, 0):g}" for name in names) for of in (other, self))
            return f"has {theirs}; here {'is' if len(names) == 1 else 'are'} {ours}"
        return ""


def copy_here() -> KitCopy:
    """The copy that this process has loaded."""
    rules = {folder.name: rules_digest(folder) for folder in exercises.folders(course_root())}
    return KitCopy(versions(), kit_digest(), rules, limits.values())
