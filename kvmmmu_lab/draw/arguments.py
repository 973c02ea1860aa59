# SPDX-License-Identifier: GPL-2.0-only
"""Argument checks for pictures: each function returns a plain value or raises InputError."""

from __future__ import annotations

import operator
from typing import Any

from ..errors import InputError
from ..mmu.bits import ROOT_64, canonical
from ..mmu.machine import Machine
from ..mmu.pool import NUM_PAGES

STATE = ("memory", "pool", "rmap", "parents", "cpu", "root", "root_level", "shadow_root_level", "caches")
"""The attributes of a VM that pictures read."""


def check_vm(vm: Any) -> None:
    """Raise InputError unless ``vm`` has the state of a VM; a crashed VM and a moment of a recording are accepted."""
    if not all(hasattr(vm, name) for name in STATE):
        raise InputError("vm", vm, "a Vm, or a moment of a recording")


def whole(name: str, value: Any, expected: str) -> int:
    """Return ``value`` as an int. Numpy integers are accepted; True and False are not."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise InputError(name, value, expected) from None


def check_gva(vm: Machine, gva: Any) -> int:
    """Return ``gva`` as an int if it is a valid address in the guest's current mode."""
    number = whole("gva", gva, "an address, as a whole number")
    if not possible_gva(vm, number):
        wide = vm.root_level == ROOT_64
        raise InputError("gva", number, "a canonical address (bits 48..63 like bit 47)" if wide else "an address below 2**32")
    return number


def possible_gva(vm: Machine, gva: int) -> bool:
    """Return whether an address is valid in the guest's current mode."""
    return canonical(gva) == gva if vm.root_level == ROOT_64 else 0 <= gva < 1 << 32


def check_gfn(gfn: Any) -> int:
    """Return ``gfn`` as an int; it need not be backed by memory."""
    expected = "a frame number of at most 52 bits (a gpa without its low 12 bits)"
    number = whole("gfn", gfn, expected)
    if not 0 <= number < 1 << 52:
        raise InputError("gfn", number, expected)
    return number


def check_role(role: Any) -> int:
    """Return ``role`` as an int if it has no other bits than those of a role word."""
    expected = "a role word of at most 19 bits, such as page.role"
    number = whole("role", role, expected)
    if not 0 <= number < 1 << 19:
        raise InputError("role", number, expected)
    return number


def check_page(vm: Machine, page_id: Any) -> int:
    """Return ``page_id`` as an int if that shadow page is in use."""
    number = whole("page_id", page_id, "the id of a shadow page, as a whole number")
    if not 0 <= number < NUM_PAGES or vm.pool.pages[number] not in vm.pool.active:
        raise InputError("page_id", number, "a shadow page in use (a number after #; pool lists them)")
    return number


def check_level(vm: Machine, level: Any) -> int:
    """Return ``level`` as an int if the shadow tables have that level."""
    expected = f"a level from 1 (the last) to {vm.shadow_root_level}"
    number = whole("level", level, expected)
    if not 1 <= number <= vm.shadow_root_level:
        raise InputError("level", number, expected)
    return number


def check_count(name: str, value: Any, least: int = 1) -> int | None:
    """Return ``value`` as an int if it is at least ``least``; None is returned unchanged."""
    if value is None:
        return None
    expected = f"a whole number of at least {least}, or None"
    number = whole(name, value, expected)
    if number < least:
        raise InputError(name, number, expected)
    return number
