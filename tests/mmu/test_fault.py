# SPDX-License-Identifier: GPL-2.0-only
import pytest

from kvmmmu_lab import HostCrash, VmDead
from kvmmmu_lab.inspect.dump import rmap_part, state

from .guests import ALL, PAGED, PE, PG, SHADOW_W, A, D, Guest, P, U, W, kinds, leaf, leaves, shadows


@pytest.mark.parametrize("mode, made", [("32", 1), ("pae", 1), ("64", 3)])
def test_a_read_fault_makes_the_missing_shadow_tables_and_one_entry(mode, made):
    guest = Guest(mode)
    gfn = guest.map(0x1000)
    free = len(state(guest.vm)["free"])
    assert guest.vm.page_fault(0x1000) == 0
    assert len(state(guest.vm)["free"]) == free - made
    assert leaf(guest.vm)[1:] == ("g", gfn)
    assert guest.vm.injected == []


def test_an_access_that_the_guests_own_tables_deny_is_a_fault_of_the_guest():
    guest = Guest("64")
    guest.map(0x1000, flags=P | U)
    assert guest.vm.page_fault(0x1000, 2 | 4) == 0
    assert guest.vm.injected == [(0x1000, 1 | 2 | 4)]
    assert leaves(guest.vm) == {}


def test_only_the_faults_of_the_last_operation_are_kept():
    guest = Guest("64")
    guest.vm.page_fault(0x1000)
    guest.vm.page_fault(0x2000, 2)
    assert guest.vm.injected == [(0x2000, 2)]
    guest.map(0x1000)
    guest.vm.page_fault(0x1000)
    assert guest.vm.injected == []


@pytest.mark.parametrize("mode", PAGED)
def test_a_write_fault_marks_frame_and_table_dirty_in_the_log(mode):
    guest = Guest(mode, [(0, 0x100, True)])
    gfn = guest.map(0x1000)
    guest.vm.access(0x1000)
    guest.vm.dirty_log(0)
    guest.vm.access(0x1000, write=True)
    assert guest.vm.dirty_log(0) == sorted([gfn, guest.table_gfn(0x1000)])


@pytest.mark.parametrize("mode", PAGED)
def test_a_kernel_write_to_a_page_table_is_emulated(mode):
    guest = Guest(mode)
    guest.map(0x1000)
    guest.map(0x40000000, guest.table_gfn(0x1000))
    guest.vm.access(0x1000)
    new = guest.frame()
    at = 0x40000000 + guest.entry_gpa(0x1000) % 4096
    access = guest.vm.access(at, write=True, value=new << 12 | ALL, size=guest.mode.size)
    assert (access.outcome, access.gpa) == ("emul", guest.entry_gpa(0x1000))
    assert guest.vm.access(0x1000).gpa == new << 12
    assert guest.entry(0x40000000) & D, "the fault sets the dirty bit of the entry through which the table is written"


def test_a_user_write_to_a_page_table_that_is_not_in_use_zaps_its_shadow():
    """2007: a user write is assumed not to be a page-table update."""
    guest = Guest("64")
    guest.map(0x1000)
    guest.map(0x40000000, guest.table_gfn(0x1000))
    guest.vm.access(0x1000)
    assert shadows(guest.vm, guest.table_gfn(0x1000))
    assert guest.vm.access(0x40000000, write=True, user=True).outcome == "ok"
    assert shadows(guest.vm, guest.table_gfn(0x1000)) == []
    assert guest.vm.audit() == []


@pytest.mark.parametrize("mode", PAGED)
def test_2007_user_write_root(mode):
    """A user write to the frame of the live root: zapping leaves roots in the hash, so the host zaps forever."""
    guest = Guest(mode)
    root = guest.root if mode != "pae" else guest.table_gfn(0x1000, 2)
    guest.map(0x1000, root)
    with pytest.raises(HostCrash) as crash:
        guest.vm.access(0x1000, write=True, user=True)
    assert crash.value.kind == "hang"
    with pytest.raises(VmDead):
        guest.vm.access(0x1000)


def user_writes_own_table():
    """A guest whose user code has just written to the table that maps the address."""
    guest = Guest("64")
    guest.map(0)
    guest.vm.poke(guest.entry_gpa(0), guest.table_gfn(0) << 12 | ALL | D)
    guest.vm.zap_all()
    assert guest.vm.page_fault(0, 4) == guest.vm.page_fault(0, 1 | 2 | 4) == 0
    return guest


def test_2007_user_write_own_pt_leaves_an_entry_in_a_freed_page():
    """fix_write zaps the page that holds its own entry, then sets the writable bit there."""
    guest = user_writes_own_table()
    freed = state(guest.vm)["free"][0]
    assert dict(map(tuple, state(guest.vm)["sptes"]))[freed] == [[0, W, "x", 0]]


def test_2007_user_write_own_pt_then_nonpaging_follows_it_to_host_page_0():
    guest = user_writes_own_table()
    guest.vm.set_registers(PE, 0, 0, 0)
    with pytest.raises(HostCrash) as crash:
        guest.vm.page_fault(0, 2)
    assert (crash.value.kind, crash.value.function) == ("oops", "nonpaging_map")


def test_2007_a_user_write_to_a_table_on_its_own_path_faults_forever():
    guest = Guest("64")
    guest.map(0x1000)
    guest.vm.poke(guest.entry_gpa(0x1000), guest.table_gfn(0x1000, 2) << 12 | ALL)
    assert guest.vm.access(0x1000, write=True, user=True).outcome == "stuck"


def test_with_cr0_wp_clear_a_kernel_write_to_a_read_only_page_makes_it_a_kernel_page():
    guest = Guest("64", cr0=PG | PE)
    guest.map(0x1000, flags=P | U | D)
    assert guest.vm.access(0x1000, write=True).outcome == "ok"
    assert leaf(guest.vm)[0] & (P | W | U | SHADOW_W) == P | W
    assert guest.vm.access(0x1000, user=True, write=True).outcome == "inject"


def test_with_cr0_wp_set_a_kernel_write_to_a_read_only_page_is_refused():
    guest = Guest("64")
    guest.map(0x1000, flags=P | U | D)
    assert guest.vm.access(0x1000, write=True).outcome == "inject"


def test_a_fault_changes_nothing_in_a_correct_shadow():
    guest = Guest("64")
    guest.map(0x1000)
    guest.vm.access(0x1000, write=True)
    before = state(guest.vm)
    assert guest.vm.page_fault(0x1000, 2) == 0
    assert state(guest.vm) == before


def test_the_shadow_of_a_large_page_is_found_again_by_frame_and_rights_after_its_link_was_zapped():
    guest = Guest("64", [(0, 0x100), (0x400, 0x200)])
    guest.map(0, 0x400, large=True)
    guest.vm.access(0x3000)
    before = leaves(guest.vm)
    guest.edit(0, guest.entry(0, 2), level=2)
    guest.vm.access(0x4000)
    assert before.items() < leaves(guest.vm).items()


def test_with_the_option_audits_the_audits_around_a_fault_are_logged():
    guest = Guest("64", audits=True)
    guest.map(0x1000)
    guest.vm.audit_log.clear()
    guest.vm.access(0x1000)
    assert [(when, found) for when, found in guest.vm.audit_log] == [
        ("pre page fault", []),
        ("post page fault (fixed)", []),
    ]
    guest.vm.audit_log.clear()
    guest.vm.access(0x9000)
    assert [when for when, _ in guest.vm.audit_log] == ["pre page fault"], "injected, so not fixed"


def test_every_entry_in_a_reverse_map_belongs_to_a_frame_that_was_written():
    guest = Guest("64")
    gfns = [guest.map(gva) for gva in (0x1000, 0x2000, 0x3000)]
    for gva in (0x1000, 0x2000, 0x3000):
        guest.vm.access(gva, write=gva != 0x2000)
    assert [gfn for gfn, *_ in rmap_part(guest.vm)] == [gfns[0], gfns[2]]
    assert kinds(guest.vm.audit()) == []
    assert all(flags & A for flags, *_ in leaves(guest.vm).values())
