# SPDX-License-Identifier: GPL-2.0-only
"""A lab on your own part: an exception in it is told as what it is, and names the part."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

from ..errors import LabError


class PartError(LabError):
    """A part that was given to a lab raised something, or was stopped. ``part`` is its name, ``cause`` what it raised."""

    def __init__(self, part: str, cause: BaseException) -> None:
        self.part, self.cause = part, cause
        what = "was stopped" if isinstance(cause, KeyboardInterrupt) else f"raised {type(cause).__name__}: {cause}"
        super().__init__(f"your {part} {what}{_place(cause)}")

    @property
    def card(self) -> tuple[str, list[str]]:
        """Title and rows of the card that says so (see `player.card`)."""
        return "Your own part stopped here", [f"{self}.", "This VM is dead now; build a new one."]


def guarded(operation: Callable[[], Any], parts: Mapping[str, Any]) -> Callable[[], Any]:
    """``operation``, but what one of ``parts`` raises becomes a `PartError`. Without parts nothing changes."""
    if not parts:
        return operation

    def run() -> Any:
        try:
            return operation()
        except LabError:
            raise
        except (Exception, KeyboardInterrupt) as error:
            raise PartError(blame(error, parts), error) from error

    return run


def blame(error: BaseException, parts: Mapping[str, Any]) -> str:
    """The name of the part in whose code ``error`` came up; of all, if it can't be told."""
    codes = {name: _codes(part) for name, part in parts.items()}
    trace, found = error.__traceback__, ""
    while trace is not None:
        found = next((name for name, own in codes.items() if trace.tb_frame.f_code in own), found)
        trace = trace.tb_next
    return found or " or ".join(parts)


def _codes(part: Any) -> set[CodeType]:
    """The code of a function, or of all methods of a class and its bases."""
    members = [part]
    for base in inspect.getmro(part if isinstance(part, type) else type(part)):
        members += vars(base).values()
    functions = [inspect.unwrap(member) for member in members if callable(member)]
    return {function.__code__ for function in functions if inspect.isfunction(function)}


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f" (line {trace.tb_lineno}, in {trace.tb_frame.f_code.co_name})"
