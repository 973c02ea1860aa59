# SPDX-License-Identifier: GPL-2.0-only
"""Checks of arguments. Each returns the argument as a plain value, or raises an `InputError` that states what was expected."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from ..errors import EINVAL, InputError, SlotError
from .bits import ALL_ONES, PAGE_SHIFT, PAGE_SIZE, ROOT_64, canonical
from .machine import PARTS, Machine, part_methods

SIZES = "1, 2, 4 or 8 bytes"
FRAMES = "a frame number of at most 52 bits, or a count of frames (4 KiB pages, not bytes)"


def whole(name: str, value: Any, expected: str = "a whole number") -> int:
    """Check a whole number, which may be a numpy integer."""
    if type(value) is int:
        return value
    try:
        return operator.index(value)
    except TypeError:
        raise InputError(name, value, expected) from None


def word(name: str, value: Any) -> int:
    """Check the 64-bit value of a register or an address."""
    value = whole(name, value)
    if not 0 <= value <= ALL_ONES:
        raise InputError(name, value, "an unsigned value of 64 bits")
    return value


def flag(name: str, value: Any) -> bool:
    """Convert any value that `bool` accepts to True or False."""
    try:
        return bool(value)
    except (TypeError, ValueError):
        raise InputError(name, value, "True or False") from None


def gva(vm: Machine, value: Any) -> int:
    """Check an address that the guest uses: it must be valid in the current mode."""
    value = whole("gva", value, "an address, as a whole number")
    if 0 <= value < (1 << 32):
        return value
    if vm.root_level == ROOT_64:
        if not 0 <= value <= ALL_ONES or canonical(value) != value:
            raise InputError("gva", value, "a canonical 64-bit address (bits 48..63 like bit 47)")
    else:
        raise InputError("gva", value, "an address below 2**32 (the guest isn't in long mode)")
    return value


def size(value: Any) -> int:
    """Check the number of bytes that an instruction stores: 1, 2, 4 or 8."""
    value = whole("size", value, SIZES)
    if value not in (1, 2, 4, 8):
        raise InputError("size", value, SIZES)
    return value


def stored(value: Any, size: int) -> int:
    """Check that a value fits into ``size`` bytes."""
    value = whole("value", value)
    if not 0 <= value < (1 << (8 * size)):
        raise InputError("value", value, f"an unsigned value of {size} byte{'s' * (size > 1)}, 0..{(1 << (8 * size)) - 1:#x}")
    return value


def in_page(name: str, address: int, size: int) -> None:
    """Check that the ``size`` bytes at an address are all in one page."""
    if address % PAGE_SIZE + size > PAGE_SIZE:
        raise InputError(name, address, f"{size} bytes inside one page")


def ram(vm: Machine, gpa: Any, size: int) -> int:
    """Check that the ``size`` bytes at a gpa are in guest memory. Returns their hpa."""
    gpa = word("gpa", gpa)
    in_page("gpa", gpa, size)
    hfn = vm.memory.frames[gpa >> PAGE_SHIFT]
    if hfn is None:
        raise InputError("gpa", gpa, "an address in a memory slot")
    return (hfn << PAGE_SHIFT) | (gpa % PAGE_SIZE)


def page(data: Any) -> bytes:
    """Check the contents of a page."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputError("data", data, f"{PAGE_SIZE} bytes")
    data = bytes(data)
    if len(data) != PAGE_SIZE:
        raise InputError("data", f"{len(data)} bytes", f"{PAGE_SIZE} bytes")
    return data


def gfn(value: Any) -> int:
    """Check a guest frame number."""
    value = whole("gfn", value)
    if not 0 <= value < (1 << 52):
        raise InputError("gfn", value, "a frame number of at most 52 bits (a gpa without its low 12 bits)")
    return value


def number(name: str, value: Any, count: int) -> int:
    """Check the number of a slot or an alias."""
    expected = f"0..{count - 1}"
    try:
        value = whole(name, value)
    except InputError:
        raise SlotError(name, value, expected, EINVAL) from None
    if not 0 <= value < count:
        raise SlotError(name, value, expected, EINVAL)
    return value


def frames(name: str, value: Any) -> int:
    """Check a frame number or a number of frames."""
    try:
        value = whole(name, value)
    except InputError:
        raise SlotError(name, value, FRAMES, EINVAL) from None
    if not 0 <= value < (1 << 52):
        raise SlotError(name, value, FRAMES, EINVAL)
    return value


def span(name: str, base: Any, npages: Any) -> tuple[int, int]:
    """Check the range of frames that a slot or an alias covers."""
    base, npages = frames(name, base), frames("npages", npages)
    if base + npages > (1 << 52):
        raise SlotError(name, base, "frames that end below 2**52", EINVAL)
    return base, npages


def slots(given: Any) -> list[tuple[int, int, bool]]:
    """Check the slots of a new VM. Returns each as (base, pages, whether it has a dirty log)."""
    try:
        several = [tuple(slot) for slot in given]
        if not all(len(slot) in (2, 3) for slot in several):
            raise TypeError
    except TypeError:
        raise InputError("slots", given, "a list of (base gfn, pages) or (base gfn, pages, log)") from None
    return [(*span("base", slot[0], slot[1]), bool(slot[2:] and slot[2])) for slot in several]


def parts(given: Mapping[str, Any]) -> None:
    """Check the parts of a VM, by name: each is a class or a function."""
    for name, part in given.items():
        if name not in PARTS:
            raise InputError("parts", name, f"parts of a VM: {', '.join(PARTS)}")
        if not callable(part):
            kind = "class" if part_methods(name) else "function"
            raise InputError(name, part, f"a {kind} (see help(kvmmmu_lab.mmu.machine))")
