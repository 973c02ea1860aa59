# SPDX-License-Identifier: GPL-2.0-only
"""The representation of a `Vm`, and the parts that it accepts."""

import inspect

import pytest
from IPython.core.formatters import DisplayFormatter

from kvmmmu_lab import InputError, Vm
from kvmmmu_lab.mmu import bits, events, memory
from kvmmmu_lab.mmu.machine import PARTS, part_methods

from .guests import Guest


def test_the_repr_of_a_vm():
    vm = Vm()
    assert repr(vm) == "<Vm: guest without paging, CR3 0x0, 4 shadow pages, 0 faults>"
    guest = Guest("64")
    guest.map(0x1000)
    guest.vm.access(0x1000)
    assert repr(guest.vm) == f"<Vm: 64-bit guest, CR3 {guest.vm.cpu.cr3:#x}, 8 shadow pages, 1 fault>"
    guest.vm.destroy()
    assert repr(guest.vm).endswith("0 shadow pages, 1 fault, dead: it was destroyed>")


@pytest.mark.parametrize("mode", ["32", "pae", "64"])
def test_the_mode_that_a_vm_shows_is_that_of_its_roots(mode):
    guest = Guest(mode)
    guest.map(0x1000)
    guest.start()
    assert repr(guest.vm).startswith(f"<Vm: {bits.MODES[mode].guest}, ")


def test_a_notebook_shows_the_repr_of_a_vm():
    vm = Vm()
    shown, _ = DisplayFormatter().format(vm)
    assert shown == {"text/plain": repr(vm)}


def test_each_part_is_an_argument_of_a_vm_and_has_a_default():
    arguments = inspect.signature(Vm).parameters
    assert list(arguments) == ["slots", *PARTS, "tlb", "audits"]
    assert all(callable(arguments[name].default) for name in PARTS)


def test_a_class_as_a_part_needs_the_methods_of_its_protocol():
    assert part_methods("parents") == ("add", "remove", "first", "sptes")
    with pytest.raises(InputError, match="rmap is .*; expected a class whose objects have the methods add, remove, write_prot"):
        Vm(rmap=lambda vm: object())
    with pytest.raises(InputError, match="walk is 5; expected a function"):
        Vm(walk=5)


def test_calls_of_a_part_that_is_a_function_are_a_kind_of_event():
    reported = [name for name in PARTS if not part_methods(name) and name in events.KINDS and events.KINDS[name].opens]
    assert reported == ["walk", "set_spte", "pre_write", "nonpaging_fault"]


def test_a_slot_too_large_for_the_computer_is_refused_and_nothing_changes(monkeypatch):
    def nothing_left(npages):
        raise MemoryError

    vm, seen = Vm(), []
    vm.attach(seen.append)
    monkeypatch.setattr(memory, "_zeroes", nothing_left)
    with pytest.raises(InputError, match="npages is 0x2000.*; expected guest memory that fits"):
        vm.set_slot(1, 0x10000, 0x2000)
    assert not seen and vm.dead is None and vm.memory.slots[1].npages == 0
    assert vm.access(0x1000).outcome == "ok"
