# SPDX-License-Identifier: GPL-2.0-only
import pytest

from kvmmmu_lab import HostCrash, Vm, VmDead
from kvmmmu_lab.inspect.dump import mmu_part, rmap_part, state

from .guests import ON, PAE, PAGED, PE, PSE, Guest, P, W, kinds, leaf, leaves, shadows


def levels(vm):
    return tuple(mmu_part(vm)[:2])


def root(vm):
    return mmu_part(vm)[2]


@pytest.mark.parametrize("mode, expected", [("32", (2, 3)), ("pae", (3, 3)), ("64", (4, 4))])
def test_guest_levels_and_shadow_levels(mode, expected):
    guest = Guest(mode)
    assert levels(guest.vm) == expected
    guest.vm.load_cr0(PE)
    assert levels(guest.vm) == (0, 3)
    guest.vm.load_cr0(ON)
    assert levels(guest.vm) == expected


def test_a_new_vm_has_four_roots_and_no_paging():
    vm = Vm()
    assert root(vm) == [255, 254, 253, 252]
    pages = {id: (gfn, role >> 8 & 3, role >> 16 & 1, count) for id, gfn, role, count, *_ in state(vm)["pages"]}
    assert pages == {255 - n: (0, n, 1, 1) for n in range(4)}


def test_a_32_bit_directory_has_four_shadows_that_are_roots():
    guest = Guest("32")
    assert sorted(root(guest.vm)) == shadows(guest.vm, guest.root)
    assert len(root(guest.vm)) == 4


def test_a_pdpte_that_is_not_present_leaves_its_root_empty():
    guest = Guest("pae")
    guest.vm.poke(guest.root << 12 | 16, 0)
    guest.vm.load_cr3(guest.root << 12)
    assert [slot is None for slot in root(guest.vm)] == [False, False, True, False]
    guest.map(0x1000)
    assert guest.vm.access(0x1000).outcome == "ok"
    assert guest.vm.access(0x80001000) == ("inject", None, 1, 0)


def test_pdptes_are_read_when_cr3_is_loaded_and_not_later():
    guest = Guest("pae")
    guest.map(0x1000)
    guest.vm.poke(guest.root << 12, 0)
    assert guest.vm.access(0x1000).outcome == "ok"
    guest.vm.load_cr3(guest.root << 12)
    assert guest.vm.access(0x1000).outcome == "inject"


def test_four_pdptes_may_be_one_directory():
    guest = Guest("pae")
    for i in range(4):
        guest.vm.poke(guest.root << 12 | 8 * i, guest.table_gfn(0, 2) << 12 | P)
    guest.start()
    assert len(set(root(guest.vm))) == 1
    (shared,) = [page for page in state(guest.vm)["pages"] if page[0] == root(guest.vm)[0]]
    assert shared[3] == 4, "counted four times"


@pytest.mark.parametrize("mode", PAGED)
def test_another_cr3_changes_the_roots_and_the_shadow_pages_stay(mode):
    guest = Guest(mode)
    guest.map(0x1000)
    guest.vm.access(0x1000)
    before = leaves(guest.vm)
    other = guest.frame()
    guest.vm.load_cr3(other << 12)
    assert guest.vm.access(0x1000).outcome == "inject"
    guest.vm.load_cr3(guest.root << 12)
    assert leaves(guest.vm) == before
    assert guest.vm.access(0x1000).faults == 0, "its shadow pages are still there"


def test_a_cr3_load_flushes_and_loads_the_root_even_if_it_is_the_same():
    guest = Guest("64")
    before = (guest.vm.stats.tlb_flushes, guest.vm.stats.root_loads)
    guest.vm.load_cr3(guest.root << 12)
    assert (guest.vm.stats.tlb_flushes, guest.vm.stats.root_loads) == (before[0] + 1, before[1] + 1)


def test_without_paging_a_cr3_load_only_stores_the_value():
    vm = Vm()
    before = state(vm)
    assert vm.load_cr3(0x5000)
    after = state(vm)
    assert after["mmu"].pop(7) == 0x5000
    before["mmu"].pop(7)
    assert before == after


def test_a_reset_keeps_the_shadow_pages_and_zap_all_does_not():
    guest = Guest("64")
    guest.map(0x1000)
    guest.vm.access(0x1000)
    guest.vm.reset_context()
    assert guest.vm.access(0x1000).faults == 0
    guest.vm.zap_all()
    assert leaves(guest.vm) == {} and len(state(guest.vm)["free"]) == 255
    assert guest.vm.access(0x1000).faults == 1


def test_destroy_frees_every_page_and_empties_every_map():
    guest = Guest("64")
    guest.map(0x1000)
    guest.vm.access(0x1000, write=True)
    guest.vm.destroy()
    end = state(guest.vm)
    assert (end["pages"], end["sptes"], end["rmap"], end["hash"], root(guest.vm)) == ([], [], [], [], -1)
    assert sorted(end["free"]) == list(range(256))
    with pytest.raises(VmDead, match="destroyed"):
        guest.vm.access(0x1000)


# Without paging


def test_without_paging_each_page_is_mapped_at_its_own_address_with_all_rights():
    vm = Vm([(0, 0x100)])
    assert vm.access(0x5123, user=True, write=True) == ("ok", 0x5123, 1, None)
    assert leaf(vm) == (7, "g", 5)
    assert rmap_part(vm)[0][0] == 5


def test_without_paging_even_a_read_makes_a_writable_mapping_and_a_dirty_mark():
    vm = Vm([(0, 0x100, True)])
    vm.access(0x5000)
    assert vm.dirty_log(0) == [5]


def test_without_paging_an_access_where_there_is_no_memory_is_emulated():
    vm = Vm([(0, 0x100)])
    assert vm.page_fault(0xFEE00000) == 1
    assert vm.access(0xFEE00000) == ("mmio", 0xFEE00000, 1, None)
    assert leaves(vm) == {}


def test_the_four_roots_are_the_four_gigabytes():
    vm = Vm([(0, 4), (0x40000, 4), (0xC0000, 4)])
    for gva in (0x1000, 0x40001000, 0xC0001000):
        assert vm.access(gva) == ("ok", gva, 1, None)
    assert vm.access(0x80001000).outcome == "mmio"


# 2007


def test_2007_nonpaging_writes_shadowed_pt():
    """Writes without paging bypass write protection; when paging is on again, the stale shadow is still used."""
    guest = Guest("64")
    old = guest.map(0x1000)
    guest.vm.access(0x1000)
    table, new = guest.entry_gpa(0x1000), guest.frame()
    guest.vm.load_cr0(PE)
    assert guest.vm.access(table, write=True, value=new << 12 | 7, size=8).outcome == "ok"
    assert kinds(guest.vm.audit()) == ["wp"]
    guest.vm.load_cr0(ON)
    assert guest.vm.gva_to_gpa(0x1000) == new << 12
    assert guest.vm.access(0x1000).gpa == old << 12
    assert "map" in kinds(guest.vm.audit())


def nearly_exhausted(free):
    """Make a 64-bit guest with ``free`` free shadow pages."""
    guest = Guest("64", [(0, 0x400)])
    gfn = 0x100
    while len(state(guest.vm)["free"]) > free:
        guest.vm.load_cr3(gfn << 12)
        gfn += 1
    return guest


def test_2007_pool_exhaust_reset_oops():
    """A reset builds its roots without checking the pool, and the root allocator doesn't notice that it got no page."""
    guest = nearly_exhausted(free=5)
    guest.vm.load_cr3(guest.root << 12)
    guest.map(0x1000)
    guest.vm.access(0x1000)  # three tables
    assert len(state(guest.vm)["free"]) == 2
    with pytest.raises(HostCrash) as crash:
        guest.vm.set_registers(ON, 0x3F0 << 12, PSE, 0)  # a 32-bit directory takes four pages
    assert (crash.value.kind, crash.value.function) == ("oops", "mmu_alloc_roots")


def test_with_exactly_enough_pages_a_reset_succeeds():
    guest = nearly_exhausted(free=4)
    guest.vm.set_registers(ON, 0x3F0 << 12, PSE, 0)
    assert len(state(guest.vm)["free"]) == 0


def test_2007_a_cr3_load_refills_the_pool_first():
    guest = nearly_exhausted(free=4)
    assert guest.vm.load_cr3(0x3F0 << 12)
    assert len(state(guest.vm)["free"]) == 24


def test_2007_pdpte_outside_ram_bug():
    guest = Guest("pae")
    guest.vm.poke(guest.root << 12, 0xFFFF000 | P)
    with pytest.raises(HostCrash) as crash:
        guest.vm.load_cr3(guest.root << 12)
    assert (crash.value.kind, crash.value.function) == ("BUG", "rmap_write_protect")


def test_2007_cr3_outside_ram_sregs_bug():
    with pytest.raises(HostCrash) as crash:
        Guest("64").start(root=0xFFFF)
    assert (crash.value.kind, crash.value.function) == ("BUG", "rmap_write_protect")


def test_2007_pae_cr3_outside_ram_oops():
    with pytest.raises(HostCrash) as crash:
        Guest("pae").vm.load_cr3(0xFFFF000)
    assert (crash.value.kind, crash.value.function) == ("oops", "load_pdptrs")


def test_2007_slot_delete_use_after_free():
    """Shadow entries still reach the frames of a deleted slot."""
    guest = Guest("64", [(0, 0x100), (0x800, 16)])
    guest.map(0x1000, 0x800)
    guest.vm.access(0x1000, write=True)
    guest.vm.set_slot(1, 0x800, 0)
    assert guest.vm.access(0x1000, write=True, value=1, size=1) == ("escape", None, 0, None)
    assert "map" in kinds(guest.vm.audit())


def test_2007_slot_move_stale():
    guest = Guest("64", [(0, 0x100), (0x800, 16)])
    guest.map(0x1000, 0x800)
    guest.vm.access(0x1000)
    guest.vm.set_slot(1, 0x900, 16)
    assert guest.vm.access(0x1000).gpa == 0x900000, "although the guest's table still has gfn 0x800"


def test_2007_slot_add_stale_mmio():
    """An I/O entry stays when memory is added, so accesses are still emulated."""
    guest = Guest("64")
    guest.map(0x1000, 0x800)
    assert guest.vm.access(0x1000).outcome == "mmio"
    guest.vm.set_slot(1, 0x800, 16)
    assert guest.vm.access(0x1000) == ("emul", 0x800000, 1, None)


def test_a_root_in_use_is_counted_until_the_mode_changes():
    guest = Guest("64")
    counts = lambda: sorted(page[3] for page in state(guest.vm)["pages"] if page[3])  # noqa: E731
    assert counts() == [1]
    guest.vm.load_cr0(PE)
    assert counts() == [1, 1, 1, 1]
    guest.vm.set_registers(PE, 0, PAE, 0)
    assert counts() == [1, 1, 1, 1]


def test_the_frame_of_a_root_is_write_protected_when_the_root_is_loaded():
    guest = Guest("64")
    other = guest.frame()
    guest.map(0x1000, other)
    guest.vm.access(0x1000, write=True)
    assert leaf(guest.vm)[0] & W
    guest.vm.load_cr3(other << 12)
    assert not leaf(guest.vm)[0] & W
