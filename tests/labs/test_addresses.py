# SPDX-License-Identifier: GPL-2.0-only
"""Addresses that real guests map: lesson 0 works with each of them."""

import sys

import pytest

from kvmmmu_lab import InputError, Vm, open_guest
from kvmmmu_lab.data import guests
from kvmmmu_lab.labs import entry_of, hierarchy, pick_address
from kvmmmu_lab.labs.addresses import mappings

LINUX = ["lin64_A", "linpae_A", "lin32_A"]


@pytest.mark.parametrize("name", guests())
def test_addresses_are_really_mapped(name):
    guest = open_guest(name)
    choices = mappings(guest)
    assert len({choice.gva for choice in choices}) == len(choices)
    vm = guest.vm()
    for choice in choices:
        assert vm.access(choice.gva, user=choice.user).outcome in ("ok", "mmio")
        if choice.writable:
            assert vm.access(choice.gva, user=choice.user, write=True).outcome in ("ok", "mmio", "emul")


@pytest.mark.parametrize("name", LINUX)
def test_groups(name):
    groups = {choice.group for choice in mappings(open_guest(name))}
    assert {"program: code", "program: data", "stack"} <= groups
    assert any(group.startswith("kernel") for group in groups)


def test_a_64_bit_guest_has_more_groups():
    groups = [choice.group for choice in mappings(open_guest("lin64_A"), per_group=1)]
    assert groups[0].startswith("program")
    assert {"heap", "kernel: direct map", "kernel: code and data", "vDSO"} <= set(groups)
    assert len(groups) == len(set(groups))


@pytest.mark.parametrize("name", LINUX)
def test_lesson_0_works_for_every_choice(name):
    guest = open_guest(name)
    for choice in mappings(guest):
        vm = guest.vm()
        before = vm.access(choice.gva, user=choice.user).gpa
        entry = entry_of(vm, choice.gva)
        vm.poke(entry.gpa, entry.moved, entry.size)
        assert vm.access(choice.gva, user=choice.user).gpa == before, "stale"
        vm.poke(entry.gpa, entry.value, entry.size)
        vm.access(entry.kernel_gva)
        assert vm.stats.entries_zapped == 0
        write = vm.access(entry.kernel_gva, write=True, value=entry.moved, size=entry.size)
        assert (write.outcome, write.gpa, vm.stats.entries_zapped) == ("emul", entry.gpa, 1), choice
        again = vm.access(choice.gva, user=choice.user)
        assert again.faults == 1 and again.gpa != before, choice
        assert str(hierarchy(vm, choice.gva, entry.kernel_gva))


def test_the_picker():
    picker = pick_address(open_guest("lin64_A"))
    assert (picker.chosen.group, picker.gva, picker.user) == ("heap", 0x343C6000, True)
    assert "> heap   0x343c6000" in str(picker)
    pytest.importorskip("ipywidgets")
    other = next(choice for choice in picker.choices if choice.group == "kernel: code and data")
    picker.widget.value = other
    assert (picker.gva, picker.user) == (other.gva, False)
    bundle = picker._repr_mimebundle_()
    assert "> kernel: code and data" in bundle["text/plain"] and "&gt; kernel: code and data" in bundle["text/html"]


def test_the_picker_without_ipywidgets(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert set(pick_address(open_guest("lin32_A"))._repr_mimebundle_()) == {"text/plain", "text/html"}


def test_the_guests_entry():
    vm = open_guest("lin64_A").vm()
    entry = entry_of(vm, 0x343C9000)
    assert (entry.gpa, entry.size, entry.value) == (0x61C9E48, 8, vm.peek(0x61C9E48))
    assert entry.kernel_gva == 0xFFFF888000000000 + 0x61C9E48
    assert vm.gva_to_gpa(entry.kernel_gva) == entry.gpa
    assert entry.moved ^ entry.value == 0x1000
    assert "entry 457 of the table in gfn 0x61c9" in repr(entry)


def test_an_address_without_an_entry_is_refused():
    with pytest.raises(InputError, match="maps"):
        entry_of(open_guest("lin64_A").vm(), 0x10_0000_0000)
    with pytest.raises(InputError, match="paging"):
        entry_of(Vm(), 0x1000)
