# SPDX-License-Identifier: GPL-2.0-only
"""The kit's exceptions, as a tree.

::

    LabError
    +-- InputError        an argument can't be used; nothing was changed
    |   +-- SlotError     a memory slot or alias is refused, with the kernel's errno
    |   +-- DataError     a file is truncated, damaged or of another kind; MissingFileError (files): there is none
    +-- HostCrash         the kernel of 2007 would have crashed here: BUG, oops or hang
    +-- VmDead            a VM is used after its host crashed, or after it was destroyed
    +-- RenderError       a drawing can't be made (draw.render); NoRenderer: no renderer is installed
    +-- WorkspaceError    the working folder can't be prepared (workspace)
    +-- MissingPackage    a package that is needed isn't installed (check.strategies)
    +-- ClusterError      a cluster can't be reached, or can't judge (grade.cluster)
    +-- OutOfTime         a check takes longer than it may
    +-- WorkerError       processes for submissions, or that judge them, can't be started (check.sandbox.forkserver)
    +-- RecordError       a grader's record or report can't be written (grade.record)

A fault of the *guest* (#PF, #GP) is a result, not an exception.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any

from .printable import one_line, printable, shortened

EINVAL = 22

NOT_YOURS = sys.stdlib_module_names | {"IPython", "ipykernel", "ipywidgets", "traitlets", __name__.partition(".")[0]}
"""The modules and packages whose lines a notebook leaves out when it shows a `LabError`."""


class LabError(Exception):
    """The base class of all exceptions that the kit raises on purpose.

    IPython and notebooks show the message first, then the lines of your own code that led to it; ``%tb`` shows everything.
    """

    status = 1
    """The exit status of a command that ends with this error."""

    _shown = False

    def __str__(self) -> str:
        """The message, in which names and values from outside control no terminal."""
        return printable(super().__str__())

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython prints for this exception: the short form the first time, then the whole traceback."""
        from IPython import get_ipython  # only IPython calls this

        shell = get_ipython()
        if self._shown and shell is not None:
            whole: list[str] = shell.InteractiveTB.structured_traceback(type(self), self, self.__traceback__)
            return whole
        self._shown = True
        red, plain = ("", "") if shell is None or str(shell.colors).lower() == "nocolor" else ("\x1b[31m", "\x1b[39m")
        error: BaseException | None = self
        lines = [f"{red}{type(self).__name__}{plain}: {self}"]
        while error is not None:
            lines += _own_lines(error, shell)
            error = error.__cause__
        return [*lines, "(%tb shows the whole traceback.)"]


def _own_lines(error: BaseException, shell: Any) -> list[str]:
    """Return the lines of the user's own code in the traceback of an exception, outermost first."""
    own = [
        (frame, number)
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__", "").partition(".")[0] not in NOT_YOURS
    ]
    lines = []
    for place in traceback.StackSummary.extract(iter(own)):
        cell = shell.compile.format_code_name(place.filename) if shell is not None else None
        where = " ".join(cell) if cell else place.filename
        if not (place.line or "").startswith("get_ipython()"):  # IPython's own line in place of a magic command
            lines.append(printable(f"  {where}, line {place.lineno}" + f": {place.line}" * bool(place.line)))
    return lines


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
    """A file can't be used: it is truncated, damaged or of another kind. ``argument`` is its name.

    The message is one line of at most `MOST` characters, whatever the file's name and contents are.
    """

    status = 2
    MOST, MOST_NAME = 300, 120

    def __init__(self, argument: str, got: object, expected: str) -> None:
        super().__init__(argument, got, expected)
        # here ``got`` is a description, not a value to quote
        name, found, wanted = shortened(one_line(argument), self.MOST_NAME), one_line(str(got)), one_line(expected)
        room = self.MOST - len(f"{name}: ; expected ")
        wanted = shortened(wanted, max(room // 2, room - len(found)))
        self.args = (f"{name}: {shortened(found, room - len(wanted))}; expected {wanted}",)


class OutOfTime(LabError):
    """The time for a check is over (`check.deadline`)."""


class HostCrash(LabError):
    """The host kernel of 2007 would have crashed, or hung, here.

    ``kind`` is "BUG" (a failed consistency check), "oops" (a bad pointer) or "hang" (an endless loop). ``function`` and
    ``source`` name the place in the kernel (``mmu.c:384``), and ``what`` gives the reason.
    """

    def __init__(self, kind: str, function: str, source: str, what: str) -> None:
        self.kind, self.function, self.source, self.what = kind, function, source, what
        super().__init__(f"the host {self.would} in {function}, {source}: {what}")

    @property
    def would(self) -> str:
        """What the host would have done, as a verb: "would have crashed (BUG)"."""
        return would_have(self.kind)


def would_have(kind: str) -> str:
    """Return what the host would have done in a crash of this kind, as a verb: "would have crashed (BUG)", "would hang"."""
    return "would hang" if kind == "hang" else f"would have crashed ({kind})"


class VmDead(LabError):
    """The VM's host crashed, or the VM was destroyed; make a new one."""
