# SPDX-License-Identifier: GPL-2.0-only
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmmmu_lab import SlotError, Vm
from kvmmmu_lab.mmu.memory import HPA_ERROR

from .guests import Guest


def test_new_guest_memory_is_zero_and_keeps_what_is_written():
    vm = Vm([(0, 4)])
    assert vm.peek(0x3FF8) == 0
    vm.poke(0x3FF8, 0x1122334455667788)
    assert vm.peek(0x3FF8) == 0x1122334455667788
    assert vm.peek(0x3FF8, 1) == 0x88, "little endian"


@given(st.integers(0, 0x3FF8), st.sampled_from([1, 2, 4, 8]), st.data())
def test_a_store_changes_its_own_bytes_and_no_others(gpa, size, data):
    gpa -= gpa % size
    value = data.draw(st.integers(0, 2 ** (8 * size) - 1))
    vm = Vm([(0, 4)])
    vm.load_page(gpa >> 12, b"\xaa" * 4096)
    vm.poke(gpa, value, size)
    page = bytearray(b"\xaa" * 4096)
    page[gpa % 4096 : gpa % 4096 + size] = value.to_bytes(size, "little")
    assert bytes(vm.memory.pages[vm.memory.frames[gpa >> 12]]) == bytes(page)


def test_host_and_guest_frames_are_each_others_inverse_in_every_slot():
    vm = Vm([(0, 4), (0x100, 8), (0xFFFF0, 2)])
    gfns = [*range(4), *range(0x100, 0x108), 0xFFFF0, 0xFFFF1]
    hfns = [vm.memory.frames[gfn] for gfn in gfns]
    assert len(set(hfns)) == len(gfns)
    assert [vm.memory.gfns[hfn] for hfn in hfns] == gfns
    assert [vm.memory.slot_bits[gfn] for gfn in (0, 0x107, 0xFFFF1)] == [1, 2, 4]
    for gfn in (4, 0xFF, 0x108, 0xFFFF2):
        assert vm.memory.frames[gfn] is None


def test_the_host_address_without_memory_is_the_guest_address_with_bit_63():
    vm = Vm([(0, 4)])
    assert vm.memory.gpa_to_hpa(0x5123) == 0x5123 | HPA_ERROR
    assert vm.memory.gpa_to_hpa(0x3123) == vm.memory.frames[3] << 12 | 0x123


def test_a_slot_that_is_added_leaves_the_others_unchanged():
    vm = Vm([(0, 4)])
    vm.poke(0x1000, 42)
    before = vm.memory.frames[1]
    vm.set_slot(1, 0x100, 4)
    assert (vm.peek(0x1000), vm.memory.frames[1]) == (42, before)
    assert vm.peek(0x100000) == 0


def test_the_frames_of_a_deleted_slot_are_never_used_again():
    vm = Vm([(0, 4), (0x100, 4)])
    vm.poke(0x100000, 42)
    gone = vm.memory.frames[0x100]
    vm.set_slot(1, 0x100, 0)
    assert vm.memory.frames[0x100] is None and vm.memory.gfns[gone] is None
    vm.set_slot(1, 0x100, 4)
    assert vm.memory.frames[0x100] != gone
    assert vm.peek(0x100000) == 0


def test_a_moved_slot_keeps_its_frames():
    vm = Vm([(0, 4), (0x100, 4)])
    vm.poke(0x100008, 42)
    vm.set_slot(1, 0x200, 4)
    assert vm.peek(0x200008) == 42
    assert vm.memory.frames[0x100] is None


@pytest.mark.parametrize(
    "base, npages, argument, errno",
    [(0x0F, 1, "base", 17), (0, 0x20, "base", 17), (0x10, 5, "npages", 22)],
    ids=["inside another", "around another", "another size"],
)
def test_a_slot_must_not_overlap_others_or_change_its_size(base, npages, argument, errno):
    vm = Vm([(0, 0x10), (0x40, 4)] if errno == 22 else [(0, 0x10)])
    with pytest.raises(SlotError) as refused:
        vm.set_slot(1, base, npages)
    assert (refused.value.argument, refused.value.errno) == (argument, errno)


def test_slots_may_be_adjacent():
    vm = Vm([(0, 0x10), (0x10, 0x10)])
    assert vm.memory.frames[0x0F] != vm.memory.frames[0x10] is not None


def test_2007_a_deleted_slot_still_refuses_a_range_around_its_base():
    vm = Vm([(0, 4), (0x100, 4)])
    vm.set_slot(1, 0x100, 0)
    with pytest.raises(SlotError):
        vm.set_slot(2, 0xF0, 0x20)
    vm.set_slot(2, 0x100, 0x20)


# Aliases


def aliased():
    vm = Vm([(0, 0x20, True)])
    vm.set_alias(0, 0x80, 4, 0x10)
    return vm


def test_an_alias_is_another_name_for_the_same_memory():
    vm = aliased()
    vm.poke(0x82008, 42)
    assert vm.peek(0x12008) == 42
    assert vm.memory.frames[0x83] == vm.memory.frames[0x13]
    assert vm.memory.frames[0x84] is None
    assert vm.memory.gfns[vm.memory.frames[0x82]] == 0x12, "the inverse gives the slot's own gfn"


def test_an_alias_can_be_moved_and_removed():
    vm = aliased()
    vm.set_alias(0, 0x80, 4, 0x18)
    assert vm.memory.frames[0x80] == vm.memory.frames[0x18]
    vm.set_alias(0, 0x80, 0, 0)
    assert vm.memory.frames[0x80] is None


def test_setting_an_alias_zaps_every_shadow_page():
    guest = Guest("64")
    guest.map(0x1000)
    guest.vm.access(0x1000)
    guest.vm.set_alias(0, 0x8000, 4, 0x10)
    assert len(guest.vm.pool.free) == 255, "all but the new root"


def test_2007_a_write_through_an_alias_is_not_in_the_dirty_log():
    vm = aliased()
    assert vm.emulate_write_gpa(0x80000, 1, 1)
    assert vm.dirty_log(0) == []
    assert vm.emulate_write_gpa(0x10000, 1, 1)
    assert vm.dirty_log(0) == [0x10]


# Dirty logs


def test_the_dirty_log_counts_pages_from_the_slots_base_and_is_cleared_when_read():
    vm = Vm([(0, 4), (0x100, 8, True)])
    for gfn in (0x107, 0x101, 1):
        vm.emulate_write_gpa(gfn << 12, 1, 1)
    assert vm.dirty_log(1) == [1, 7]
    assert vm.dirty_log(1) == []


def test_pages_are_protected_again_when_the_log_is_read_so_that_the_next_write_is_seen():
    vm = Vm([(0, 4, True)])
    for _ in range(3):
        vm.access(0x1000, write=True)
        assert vm.dirty_log(0) == [1]


def test_a_log_that_is_turned_off_and_on_is_empty():
    vm = Vm([(0, 4, True)])
    vm.emulate_write_gpa(0x1000, 1, 1)
    vm.set_slot(0, 0, 4, log=False)
    with pytest.raises(SlotError, match="log=True"):
        vm.dirty_log(0)
    vm.set_slot(0, 0, 4, log=True)
    assert vm.dirty_log(0) == []


def test_a_log_that_stays_on_keeps_its_marks():
    vm = Vm([(0, 4, True)])
    vm.emulate_write_gpa(0x1000, 1, 1)
    vm.set_slot(0, 0, 4, log=True)
    assert vm.dirty_log(0) == [1]
