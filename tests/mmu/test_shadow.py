# SPDX-License-Identifier: GPL-2.0-only
import pytest

from kvmmmu_lab.inspect.dump import rmap_part, state

from .guests import ALL, PAGED, Guest, P, U, W, leaf, leaves, shadows


def used(vm):
    return 256 - len(state(vm)["free"])


def links(vm):
    """Present entries above level 1: {(page id, index): id of the page below}."""
    above = {id for id, _, role, *_ in state(vm)["pages"] if role >> 4 & 15 > 1}
    return {
        (id, index): target
        for id, entries in state(vm)["sptes"]
        if id in above
        for index, flags, kind, target in entries
        if kind == "s"
    }


def test_two_addresses_below_one_guest_table_share_its_shadow():
    guest = Guest("64")
    guest.map(0x1000)
    guest.map(0x2000)
    before = used(guest.vm)
    guest.vm.access(0x1000)
    assert used(guest.vm) == before + 3, "the root was there already"
    guest.vm.access(0x2000)
    assert used(guest.vm) == before + 3
    assert len(leaves(guest.vm)) == 2


def test_one_guest_table_reached_by_two_paths_has_one_shadow_with_two_parents():
    guest = Guest("64")
    guest.map(0x1000)
    table = guest.table_gfn(0x1000)
    guest.map(0x200000, table=table)
    guest.vm.access(0x1000)
    guest.vm.access(0x201000)
    (shadow,) = shadows(guest.vm, table)
    assert sorted(links(guest.vm).values()).count(shadow) == 2


def test_one_frame_in_many_roles_has_many_shadows():
    """The root maps itself: it is PML4, PDPT, PD and PT at once."""
    guest = Guest("64")
    guest.vm.poke(guest.root << 12, guest.root << 12 | ALL)
    assert guest.vm.access(0).gpa == guest.root << 12
    assert len(shadows(guest.vm, guest.root)) == 4


@pytest.mark.parametrize("mode", PAGED)
def test_a_frame_that_becomes_a_table_loses_its_writable_mappings(mode):
    guest = Guest(mode)
    table = guest.map(0x1000)
    guest.vm.access(0x1000, write=True, user=True)
    assert [gfn for gfn, *_ in rmap_part(guest.vm)] == [table]
    guest.map(0x40000000, table=table)
    guest.vm.access(0x40000000)
    assert table not in [gfn for gfn, *_ in rmap_part(guest.vm)]
    mapping = next(flags for flags, kind, target in leaves(guest.vm).values() if target == table)
    assert mapping & P and not mapping & W


def test_a_zapped_table_leaves_its_parent_empty_and_its_children_without_parents_but_in_the_hash():
    guest = Guest("64")
    guest.map(0x1000)
    guest.vm.access(0x1000)
    directory, table = guest.table_gfn(0x1000, 2), guest.table_gfn(0x1000)
    (orphan,) = shadows(guest.vm, table)
    (above,) = shadows(guest.vm, guest.table_gfn(0x1000, 3))
    guest.map(0x2000, directory)
    assert guest.vm.unprotect(0x2000)
    assert shadows(guest.vm, directory) == []
    assert shadows(guest.vm, table) == [orphan]
    assert not [at for at in links(guest.vm) if at[0] == above]
    parents = next(chains for id, *_, chains in state(guest.vm)["pages"] if id == orphan)
    assert parents == []
    guest.vm.access(0x1000)
    assert shadows(guest.vm, table) == [orphan], "found again by the hash"


def test_zapping_a_live_root_clears_it_and_leaves_it_in_the_hash_at_the_head_of_the_active_list():
    guest = Guest("64")
    guest.map(0x1000)
    guest.map(0x2000, guest.root)
    guest.vm.access(0x1000)
    (root,) = shadows(guest.vm, guest.root)
    assert state(guest.vm)["pages"][0][0] != root
    assert guest.vm.unprotect(0x2000)
    assert shadows(guest.vm, guest.root) == [root] == [state(guest.vm)["pages"][0][0]]
    assert root not in [id for id, _ in links(guest.vm)]


def test_unprotect_zaps_the_shadows_of_all_roles_and_returns_whether_there_were_any():
    guest = Guest("32")
    guest.map(0x1000)
    guest.map(0x201000, table=guest.table_gfn(0x1000))  # the other half of the same table
    table = guest.table_gfn(0x1000)
    guest.map(0x3000, table)
    guest.vm.access(0x1000)
    guest.vm.access(0x201000)
    assert len(shadows(guest.vm, table)) == 2
    assert guest.vm.unprotect(0x3000) is True
    assert shadows(guest.vm, table) == []
    assert guest.vm.unprotect(0x3000) is False


def test_after_unprotect_the_frame_can_be_written():
    guest = Guest("64")
    guest.map(0x1000)
    guest.map(0x40000000, guest.table_gfn(0x1000))
    guest.vm.access(0x1000)
    assert guest.vm.access(0x40000000, write=True).outcome == "emul"
    guest.vm.unprotect(0x40000000)
    assert guest.vm.access(0x40000000, write=True).outcome == "ok"


def crowded(roots, mode="64"):
    """Make a guest that has loaded this many other roots; a 64-bit root takes one shadow page."""
    guest = Guest(mode, [(0, 0x400)])
    for gfn in range(0x100, 0x100 + roots):
        guest.vm.load_cr3(gfn << 12)
    return guest


def test_eviction_zaps_the_oldest_pages_until_25_are_free():
    guest = crowded(240)
    old = [id for id, *_ in state(guest.vm)["pages"]]
    guest.vm.free_some_pages()
    assert len(state(guest.vm)["free"]) == 25
    kept = [id for id, *_ in state(guest.vm)["pages"]]
    assert kept == old[: len(kept)], "first in, first out: the list runs from the newest to the oldest"


def test_eviction_does_nothing_while_25_pages_are_free():
    guest = crowded(200)
    before = state(guest.vm)
    guest.vm.free_some_pages()
    assert state(guest.vm) == before


def test_eviction_clears_a_live_root_and_continues():
    guest = crowded(0)
    guest.map(0x1000)
    guest.vm.access(0x1000)
    for gfn in range(0x100, 0x100 + 245):  # by faults, without a load of CR3
        guest.map(gfn << 21, table=gfn)
    for gfn in range(0x100, 0x100 + 245):
        guest.vm.access(gfn << 21)
    (root,) = shadows(guest.vm, guest.root)
    assert guest.vm.access(0x1000).outcome == "ok"
    assert state(guest.vm)["mmu"][2] == root
    assert len(state(guest.vm)["free"]) >= 4


def test_a_fault_refills_the_pool_when_fewer_than_5_pages_are_free():
    guest = crowded(0)
    vm = guest.vm
    while len(state(vm)["free"]) > 5:
        vm.load_cr3(0x100 + used(vm) << 12)
    vm.access(0x1000)  # the fault is injected, so no page is taken
    assert len(state(vm)["free"]) == 5
    vm.load_cr3(0x3FF << 12)
    assert len(state(vm)["free"]) == 4
    vm.access(0x1000)
    assert len(state(vm)["free"]) == 25


def test_removing_write_access_from_a_slot_removes_it_from_other_slots_entries_in_the_same_pages():
    """2007: the slot bit belongs to the shadow page, not to the entry."""
    guest = Guest("64", [(0, 0x100), (0x800, 16, True)])
    mine = guest.map(0x1000)
    guest.map(0x2000, 0x800)
    far = guest.map(0x200000)
    for gva in (0x1000, 0x2000, 0x200000):
        guest.vm.access(gva, write=True)
    assert [gfn for gfn, *_ in rmap_part(guest.vm)] == sorted([mine, far, 0x800])
    guest.vm.remove_write_access(1)
    assert [gfn for gfn, *_ in rmap_part(guest.vm)] == [far]


def test_the_header_of_a_page_records_the_slots_that_it_reaches():
    guest = Guest("64", [(0, 0x100), (0x800, 16)])
    guest.map(0x1000)
    guest.map(0x2000, 0x800)
    for gva, noted in ((None, []), (0x1000, [1]), (0x2000, [3])):
        if gva is not None:
            guest.vm.access(gva)
        assert [bitmap for *_, bitmap, _ in state(guest.vm)["pages"] if bitmap] == noted


def second_path(guest):
    """Add a read-only path to the table of 0x1000, at 0x201000; and map the table itself at 0."""
    table = guest.table_gfn(0x1000)
    guest.vm.poke(guest.entry_gpa(0x200000, 2), table << 12 | P | U)
    guest.map(0, table)


def test_2007_shared_pt_escalation():
    """The rights of the levels above aren't in the role: the second path gets the rights of the first."""
    guest = Guest("64")
    gfn = guest.map(0x1000)
    second_path(guest)
    assert guest.vm.access(0x201000, user=True).outcome == "ok"
    assert guest.vm.access(0x201000, write=True, user=True).outcome == "inject", "as it should be"
    guest.vm.unprotect(0)  # the shadow of the table is made again, now through the path that allows writing
    guest.vm.access(0x1000, write=True, user=True)
    guest.vm.access(0x201000, user=True)
    assert guest.vm.access(0x201000, write=True, user=True) == ("ok", gfn << 12, 0, None)
    assert leaf(guest.vm)[0] & W
    assert guest.vm.audit() == [], "the audits compare frames and counts, never rights"


def test_2007_shared_pt_livelock():
    """The opposite case: the first, weaker rights stay, and a write that the tables allow faults forever."""
    guest = Guest("64")
    guest.map(0x1000)
    second_path(guest)
    guest.vm.access(0x201000)
    assert guest.vm.access(0x1000, write=True).outcome == "stuck"
