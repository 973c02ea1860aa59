# SPDX-License-Identifier: GPL-2.0-only
"""Checks of what callers give: each returns a plain whole number, or raises an `InputError` that says what was
expected."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .bits import ALL_ONES, PAGE_SHIFT, PAGE_SIZE, ROOT_64, canonical

if TYPE_CHECKING:
    from .machine import Machine


def whole(name: str, value: Any, expected: str = "a whole number") -> int:
    """A whole number, numpy's among them."""
    if type(value) is int:
        return value
    try:
        return operator.index(value)
    except TypeError:
        raise InputError(name, value, expected) from None


def word(name: str, value: Any) -> int:
    """A register's or an address's 64 bits."""
    value = whole(name, value)
    if not 0 <= value <= ALL_ONES:
        raise InputError(name, value, "an unsigned value of 64 bits")
    return value


def gva(vm: Machine, value: Any) -> int:
    """An address that the guest can use in its current mode."""
    value = whole("gva", value, "an address, as a whole number")
    if 0 <= value < 1 << 32:
        return value
    if vm.root_level == ROOT_64:
        if not 0 <= value <= ALL_ONES or canonical(value) != value:
            raise InputError("gva", value, "a canonical 64-bit address (bits 48..63 like bit 47)")
    else:
        raise InputError("gva", value, "an address below 2**32 (the guest isn't in long mode)")
    return value


def stored(value: Any, size: Any) -> int:
    """A value that fits into so many bytes."""
    if size not in (1, 2, 4, 8):
        raise InputError("size", size, "1, 2, 4 or 8 bytes")
    value = whole("value", value)
    if not 0 <= value < 1 << 8 * size:
        raise InputError("value", value, f"an unsigned value of {size} bytes, 0..{(1 << 8 * size) - 1:#x}")
    return value


def in_page(name: str, address: int, size: int) -> None:
    """Bytes that don't cross a page."""
    if address % PAGE_SIZE + size > PAGE_SIZE:
        raise InputError(name, address, f"{size} bytes inside one page")


def ram(vm: Machine, gpa: Any, size: int) -> int:
    """The hpa of bytes in guest memory."""
    gpa = word("gpa", gpa)
    in_page("gpa", gpa, size)
    hfn = vm.memory.frames[gpa >> PAGE_SHIFT]
    if hfn is None:
        raise InputError("gpa", gpa, "an address in a memory slot")
    return hfn << PAGE_SHIFT | gpa % PAGE_SIZE
