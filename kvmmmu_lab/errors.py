# SPDX-License-Identifier: GPL-2.0-only
"""The kit's exceptions, as a tree.

::

    LabError
    +-- InputError        an argument can't be used; nothing was changed
    |   +-- SlotError     a memory slot or alias is refused, with the kernel's errno
    |   +-- DataError     a file is truncated, damaged or of another kind
    +-- HostCrash         the kernel of 2007 would have crashed here: BUG, oops or hang
    +-- VmDead            a VM is used after its host crashed, or after it was destroyed
    +-- RenderError       a drawing can't be made (draw.render); NoRenderer: no renderer is installed
    +-- WorkspaceError    the working folder can't be prepared (workspace)

A fault of the *guest* (#PF, #GP) is a result, not an exception.
"""

from __future__ import annotations

EINVAL = 22


class LabError(Exception):
    """The base class of all exceptions that the kit raises on purpose."""


class InputError(LabError, ValueError):
    """An argument can't be used. The message gives its name, its value and what was expected; nothing was changed."""

    def __init__(self, argument: str, got: object, expected: str) -> None:
        self.argument, self.got, self.expected = argument, got, expected
        super().__init__(f"{argument} is {_formatted(got)}; expected {expected}")


def _formatted(got: object) -> str:
    """Format a number in hexadecimal, since most are addresses, and also in decimal if it may be a count."""
    if not isinstance(got, int) or isinstance(got, bool) or abs(got) <= 9:
        return repr(got)
    return f"{got:#x}" if abs(got) >= 1_000_000 else f"{got:#x} ({got})"


class SlotError(InputError):
    """A memory slot or alias is refused. ``errno`` is the kernel's error number (EINVAL 22, EEXIST 17, ENOENT 2)."""

    def __init__(self, argument: str, got: object, expected: str, errno: int) -> None:
        super().__init__(argument, got, expected)
        self.errno = errno


class DataError(InputError):
    """A file can't be used: it is truncated, damaged or of another kind. ``argument`` is its name."""

    def __init__(self, argument: str, got: object, expected: str) -> None:
        super().__init__(argument, got, expected)
        self.args = (f"{argument}: {got}; expected {expected}",)  # here ``got`` is a description, not a value to quote


class HostCrash(LabError):
    """The host kernel of 2007 would have crashed here.

    ``kind`` is "BUG" (a failed consistency check), "oops" (a bad pointer) or "hang" (an endless loop). ``function`` and
    ``source`` name the place in the kernel (``mmu.c:384``), and ``what`` gives the reason.
    """

    def __init__(self, kind: str, function: str, source: str, what: str) -> None:
        self.kind, self.function, self.source, self.what = kind, function, source, what
        super().__init__(f"the host would have crashed ({kind}) in {function}, {source}: {what}")


class VmDead(LabError):
    """The VM's host crashed, or the VM was destroyed; make a new one."""
