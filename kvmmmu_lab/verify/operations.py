# SPDX-License-Identifier: GPL-2.0-only
"""Apply the operations of golden traces to a `Vm`. Each operation adds its results to ``got``."""

from __future__ import annotations

from typing import Any

from ..errors import DataError, SlotError
from ..mmu import Vm
from ..mmu.checks import size

Operation = dict[str, Any]
Result = dict[str, Any]


def apply(vm: Vm, op: Operation, got: Result) -> None:
    """Apply one operation (but not ``create``). Raises DataError if it is unknown, HostCrash if it crashes the host."""
    if op["op"] not in OPERATIONS:
        raise DataError("operation", op["op"], f"one of create, {', '.join(OPERATIONS)}")
    OPERATIONS[op["op"]](vm, op, got)


def _poke(vm: Vm, op: Operation, got: Result) -> None:
    for gpa, value in op["w"]:
        vm.poke(gpa, value, op["size"])


def _regs(vm: Vm, op: Operation, got: Result) -> None:
    vm.set_registers(op["cr0"], op["cr3"], op["cr4"], op["efer"])


def _cr0(vm: Vm, op: Operation, got: Result) -> None:
    vm.load_cr0(op["v"])


def _cr3(vm: Vm, op: Operation, got: Result) -> None:
    vm.load_cr3(op["v"])


def _cr4(vm: Vm, op: Operation, got: Result) -> None:
    vm.load_cr4(op["v"])


def _efer(vm: Vm, op: Operation, got: Result) -> None:
    vm.load_efer(op["v"])


def _fault(vm: Vm, op: Operation, got: Result) -> None:
    got["ret"] = vm.page_fault(op["gva"], op["err"])


def _access(vm: Vm, op: Operation, got: Result) -> None:
    kind = {"write": bool(op["w"]), "user": bool(op["u"]), "fetch": bool(op["x"])}
    store = {"value": _stored(op), "size": op["n"]} if "val" in op else {}
    access = vm.access(op["gva"], **kind, **store)
    got |= {"out": access.outcome, "nf": access.faults, "gpa": access.gpa}


def _stored(op: Operation) -> int:
    """The value that an instruction stores: the lowest ``n`` bytes of ``val``."""
    return int(op["val"] & (1 << 8 * size(op["n"])) - 1)


def _emul(vm: Vm, op: Operation, got: Result) -> None:
    got["ret"] = int(vm.emulate_write_gpa(op["gpa"], _stored(op), op["n"]))


def _gva2gpa(vm: Vm, op: Operation, got: Result) -> None:
    got["gpa"] = vm.gva_to_gpa(op["gva"])


def _unprot(vm: Vm, op: Operation, got: Result) -> None:
    got["ret"] = int(vm.unprotect(op["gva"]))


def _rwa(vm: Vm, op: Operation, got: Result) -> None:
    try:
        vm.remove_write_access(op["slot"])
    except SlotError as error:
        got["ret"] = -error.errno


def _getdirty(vm: Vm, op: Operation, got: Result) -> None:
    try:
        got["log"] = vm.dirty_log(op["slot"])
    except SlotError as error:
        got["ret"] = -error.errno


def _set_slot(vm: Vm, op: Operation, got: Result) -> None:
    try:
        vm.set_slot(op["slot"], op["base"], op["npages"], bool(op["log"]))
    except SlotError as error:
        got["ret"] = -error.errno


def _free_some(vm: Vm, op: Operation, got: Result) -> None:
    vm.free_some_pages()


def _zap_all(vm: Vm, op: Operation, got: Result) -> None:
    vm.zap_all()


def _reset(vm: Vm, op: Operation, got: Result) -> None:
    vm.reset_context()


def _destroy(vm: Vm, op: Operation, got: Result) -> None:
    vm.destroy()


OPERATIONS = {
    "poke": _poke,
    "regs": _regs,
    "cr0": _cr0,
    "cr3": _cr3,
    "cr4": _cr4,
    "efer": _efer,
    "fault": _fault,
    "access": _access,
    "emul": _emul,
    "gva2gpa": _gva2gpa,
    "unprot": _unprot,
    "rwa": _rwa,
    "getdirty": _getdirty,
    "set_slot": _set_slot,
    "free_some": _free_some,
    "zap_all": _zap_all,
    "reset": _reset,
    "destroy": _destroy,
}
