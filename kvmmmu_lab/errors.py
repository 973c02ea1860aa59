# SPDX-License-Identifier: GPL-2.0-only
"""What can go wrong, as a tree.

::

    LabError
    +-- InputError        what was given can't be used; nothing was changed
    |   +-- SlotError     a memory slot or alias is refused (has the kernel's errno)
    |   +-- DataError     a file is truncated, foreign or damaged
    +-- HostCrash         the kernel of 2007 would have died here: BUG, oops or hang
    +-- VmDead            a VM is used after it crashed or was destroyed
    +-- RenderError       a drawing could not be made (draw.render); NoRenderer: nothing here can draw
    +-- WorkspaceError    the working folder can't be made ready (workspace)

A fault that the *guest* gets (#PF, #GP) is no exception: it is a result.
"""

from __future__ import annotations

EINVAL = 22


class LabError(Exception):
    """Everything that kvmmmu_lab raises on purpose."""


class InputError(LabError, ValueError):
    """An argument that can't be used. Says which, what came, what was expected; the state is unchanged."""

    def __init__(self, argument: str, got: object, expected: str) -> None:
        self.argument, self.got, self.expected = argument, got, expected
        super().__init__(f"{argument} is {_shown(got)}; expected {expected}")


def _shown(got: object) -> str:
    """A number as hexadecimal, since most are addresses, and a small one, which may be a count, also as people count."""
    if not isinstance(got, int) or isinstance(got, bool) or abs(got) <= 9:
        return repr(got)
    return f"{got:#x}" if abs(got) >= 1_000_000 else f"{got:#x} ({got})"


class SlotError(InputError):
    """A memory slot or alias that is refused. ``errno`` is the kernel's answer (EINVAL 22, EEXIST 17, ENOENT 2)."""

    def __init__(self, argument: str, got: object, expected: str, errno: int) -> None:
        super().__init__(argument, got, expected)
        self.errno = errno


class DataError(InputError):
    """A file that isn't what it should be; ``argument`` is its name."""

    def __init__(self, argument: str, got: object, expected: str) -> None:
        super().__init__(argument, got, expected)
        self.args = (f"{argument}: {got}; expected {expected}",)  # what came is said in words, not quoted


class HostCrash(LabError):
    """The host kernel of 2007 would have died here.

    ``kind`` is "BUG" (a consistency check), "oops" (a bad pointer) or "hang" (a loop without end);
    ``function`` and ``source`` say where in the kernel (``mmu.c:384``), ``what`` says what was wrong.
    """

    def __init__(self, kind: str, function: str, source: str, what: str) -> None:
        self.kind, self.function, self.source, self.what = kind, function, source, what
        super().__init__(f"the host would have crashed ({kind}) in {function}, {source}: {what}")


class VmDead(LabError):
    """The VM crashed or was destroyed; build a new one."""
