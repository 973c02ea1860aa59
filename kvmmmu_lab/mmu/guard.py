# SPDX-License-Identifier: GPL-2.0-only
"""What surrounds every public operation of a `Vm`: a dead one refuses, and one in which an operation breaks off dies."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import HostCrash, InputError, VmDead
from . import events as ev

if TYPE_CHECKING:
    from .machine import Machine

F = TypeVar("F", bound=Callable[..., Any])
CHECKING = {f"{__package__}.{name}" for name in ("vm", "checks", "memory", "arena", "slots", "events")}
"""Modules through which a refusal may come: a slot for which the machine has no memory gets as far as the arena."""


def _refused(error: BaseException) -> bool:
    """Whether a call was refused before anything began: by Python itself, or by a check of its arguments.

    An `InputError` of a replaced part comes from the middle of an operation, and is none.
    """
    trace = error.__traceback__ and error.__traceback__.tb_next
    if trace is not None and not isinstance(error, InputError):
        return False
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") not in CHECKING:
            return False
        trace = trace.tb_next
    return True


def operation(method: F) -> F:
    """A public operation: refused by a dead VM; a crash inside ends the VM, bad input doesn't."""

    @functools.wraps(method)
    def guarded(self: Machine, *args: Any, **kwargs: Any) -> Any:
        if self.dead is not None:
            raise VmDead(f"this VM is dead ({self.dead}); build a new one")
        before, self.injected = self.injected, []
        try:
            return method(self, *args, **kwargs)
        except BaseException as error:
            if _refused(error):
                self.injected = before
                raise
            self.dead = str(error) or type(error).__name__
            if self.emit is not None and isinstance(error, HostCrash):
                self.emit((ev.CRASH, error.kind, error.function, error.source, error.what))
            raise

    return guarded  # type: ignore[return-value]
