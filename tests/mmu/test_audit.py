# SPDX-License-Identifier: GPL-2.0-only
import pytest

from kvmmmu_lab import Vm

from .guests import FIRST, IO, PAGED, A, Guest, P, W, everything, kinds, shadows


def leaf_spte(guest, gva):
    """The spte of gva's level-1 shadow entry."""
    (page,) = shadows(guest.vm, guest.table_gfn(gva))
    return FIRST + page * 512 + (gva >> 12 & 511)


@pytest.mark.parametrize("mode", PAGED)
def test_an_undisturbed_vm_has_no_complaints(mode):
    guest = Guest(mode)
    for gva in (0x1000, 0x2000, 0x40000000):
        guest.map(gva)
        guest.vm.access(gva, write=True)
    assert guest.vm.audit() == []


def test_a_writable_entry_that_is_in_no_reverse_map():
    guest = Guest("64")
    guest.map(0x1000)
    guest.vm.access(0x1000)
    guest.vm.memory.words[leaf_spte(guest, 0x1000)] |= W
    (complaint,) = guest.vm.audit()
    assert (complaint.audit, complaint.facts) == ("rmap", (0, 1))
    assert str(complaint) == "rmap: 0 references in reverse maps, 1 writable entries"


def test_a_shadowed_table_that_can_be_written():
    guest = Guest("64")
    table = guest.map(0x1000)
    guest.vm.access(0x1000, write=True)
    guest.vm.pool.take(table, 4 | 1 << 4)  # bypassing write protection
    (complaint,) = guest.vm.audit()
    assert (complaint.audit, complaint.facts) == ("wp", (table, 0x14))
    assert str(complaint) == f"wp: the guest table in gfn {table:#x} (role 0x14) has writable mappings"


def test_a_leaf_that_reaches_another_frame_than_the_guests_tables():
    guest = Guest("64")
    old, new = guest.map(0x1000), guest.frame()
    guest.vm.access(0x1000)
    guest.vm.poke(guest.entry_gpa(0x1000), new << 12 | P)
    (complaint,) = guest.vm.audit()
    assert complaint.audit == "map"
    gva, gpa, gfn, flags, got = complaint.facts
    assert (gva, gpa, gfn, got) == (0x1000, new << 12, new, old) and flags & P
    assert str(complaint) == f"map: gva 0x1000 reaches gfn {old:#x}; the guest's tables map it to gfn {new:#x}"


def test_a_leaf_for_an_address_that_the_guests_tables_do_not_map():
    guest = Guest("64")
    gva = 0xFFFFFFFF80001000
    old = guest.map(gva)
    guest.vm.access(gva)
    guest.vm.poke(guest.entry_gpa(gva), 0)
    (complaint,) = guest.vm.audit()
    assert complaint.facts[:3] == (gva, None, None), "the address is canonical"
    assert str(complaint) == f"map: gva {gva:#x} reaches gfn {old:#x}; the guest's tables map it to nothing"


def test_the_audits_run_in_the_order_rmap_write_protection_mappings():
    guest = Guest("64")
    table = guest.map(0x1000)
    guest.vm.access(0x1000, write=True)
    guest.vm.pool.take(table, 4 | 1 << 4)
    guest.map(0x2000)
    guest.vm.access(0x2000)
    guest.vm.memory.words[leaf_spte(guest, 0x2000)] |= W
    guest.vm.poke(guest.entry_gpa(0x2000), 0)
    assert kinds(guest.vm.audit()) == ["rmap", "wp", "map"]


def test_write_protection_is_audited_from_the_newest_shadow_page_to_the_oldest():
    guest = Guest("64")
    tables = [guest.map(gva) for gva in (0x1000, 0x2000)]
    for gva, table in zip((0x1000, 0x2000), tables, strict=True):
        guest.vm.access(gva, write=True)
        guest.vm.pool.take(table, 4 | 1 << 4)
    assert [complaint.facts[0] for complaint in guest.vm.audit()] == tables[::-1]


def test_the_audits_ignore_an_io_entry():
    guest = Guest("64")
    guest.map(0x1000, 0xFEE00)
    guest.vm.access(0x1000)
    assert guest.vm.memory.words[leaf_spte(guest, 0x1000)] & IO
    assert guest.vm.audit() == []


def test_the_audits_never_look_at_rights():
    """2007: an entry that allows too much passes all three."""
    guest = Guest("64")
    guest.map(0x1000, flags=P)
    guest.vm.access(0x1000)
    guest.vm.memory.words[leaf_spte(guest, 0x1000)] |= 1 << 2 | 1 << 11
    assert guest.vm.audit() == []
    assert guest.vm.access(0x1000, user=True).outcome == "ok", "although the guest allows only the kernel"


@pytest.mark.parametrize("mode", PAGED)
def test_an_audit_undoes_what_it_changed(mode):
    """An audit walks the guest's tables, which sets accessed bits and marks the tables dirty."""
    guest = Guest(mode, [(0, 0x100, True)])
    guest.map(0x1000)
    guest.vm.access(0x1000)
    guest.vm.poke(guest.entry_gpa(0x1000), guest.entry(0x1000) & ~A, guest.mode.size)
    guest.vm.dirty_log(0)
    before = everything(guest.vm)
    assert guest.vm.audit() == []
    assert everything(guest.vm) == before
    assert guest.vm.audit(undo=False) == []
    assert guest.entry(0x1000) & A
    assert guest.vm.dirty_log(0) == [guest.table_gfn(0x1000)]


def test_an_audit_is_not_reported_as_events_of_the_guest():
    guest = Guest("64")
    guest.map(0x1000)
    guest.vm.access(0x1000)
    guest.vm.poke(guest.entry_gpa(0x1000), guest.entry(0x1000) & ~A)
    events = []
    guest.vm.attach(events.append)
    guest.vm.audit()
    assert events == []
    guest.vm.access(0x1000)
    assert events != [], "the sink is still attached"


def test_addresses_above_two_gigabytes_are_audited_in_three_level_shadows():
    """The kernel's code looks wrong, but isn't: the loop variable of the four roots is unsigned."""
    vm = Vm([(0, 4), (0x80000, 4), (0xC0000, 4)])
    for gva in (0x80001000, 0xC0001000):
        vm.access(gva)
    assert vm.audit() == []
    vm.set_slot(1, 0x90000, 4)
    assert [complaint.facts[0] for complaint in vm.audit()] == [0x80001000]
