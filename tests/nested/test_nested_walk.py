# SPDX-License-Identifier: GPL-2.0-only
"""The nested walk: how many references it has, what each reads, and when the guest exits."""

import pytest

from kvmmmu_lab import InputError
from kvmmmu_lab.nested.nested_walk import DATA, GUEST_ENTRY, MOST_LEVELS, NestedMachine

LEVELS = range(1, MOST_LEVELS + 1)


def machine_of(n, m, gva, **how):
    machine = NestedMachine(n, m, 7, **how)
    machine.map(gva)
    return machine


def address(n):
    return 0x7F12_3456_7000 & (1 << 12 + 9 * n) - 1


@pytest.mark.parametrize("n", LEVELS)
@pytest.mark.parametrize("m", [0, *LEVELS])
def test_a_walk_has_n_times_m_plus_1_plus_m_references(n, m):
    walk = machine_of(n, m, address(n)).walk(address(n))
    assert len(walk.references) == n * (m + 1) + m
    assert [reference.number for reference in walk.references] == list(range(1, len(walk.references) + 1))
    assert walk.missing is None


def test_the_published_numbers():
    counts = {(n, m): len(machine_of(n, m, address(n)).walk(address(n)).references) for n, m in ((4, 4), (5, 5), (4, 0))}
    assert counts == {(4, 4): 24, (5, 5): 35, (4, 0): 4}


def test_each_column_ends_with_the_guests_entry_and_the_last_with_the_data():
    walk = machine_of(4, 3, address(4)).walk(address(4))
    places = [(reference.column, reference.row) for reference in walk.references]
    assert places == [(c, r) for c in (4, 3, 2, 1) for r in (3, 2, 1, GUEST_ENTRY)] + [(DATA, r) for r in (3, 2, 1)]


@pytest.mark.parametrize("m", [0, 1, 4])
def test_each_reference_is_read_in_the_frame_to_which_the_ones_before_lead(m):
    machine = machine_of(4, m, address(4))
    walk, gfn = machine.walk(address(4)), machine.guest_root
    at = iter(walk.references)
    for column in (4, 3, 2, 1, DATA):
        assert walk.gfns[column] == gfn
        hfn = machine.host_root if m else gfn
        for row in range(m, 0, -1):
            reference = next(at)
            assert (reference.column, reference.row, reference.hfn) == (column, row, hfn)
            hfn = reference.target
            assert machine.memory[reference.hfn][reference.index] == hfn
        assert hfn == machine.backing[gfn]
        if column != DATA:
            reference = next(at)
            assert (reference.hfn, reference.row) == (hfn, GUEST_ENTRY)
            gfn = reference.target
    assert walk.hfn == hfn and next(at, None) is None


def test_a_large_page_of_the_host_saves_a_reference_in_each_column():
    small, large = (len(machine_of(4, 4, address(4), large=large).walk(address(4)).references) for large in (False, True))
    assert small - large == 5


def test_a_lazy_host_fills_each_frame_at_its_first_use():
    machine = NestedMachine(4, 4, 7, lazy=True)
    for gva in (0x1000, 0x2000, 1 << 30):
        machine.map(gva)
    assert machine.walk(0x1000).missing == machine.guest_root
    assert [machine.access(gva) for gva in (0x1000, 0x1000, 0x2000, 1 << 30)] == [5, 0, 1, 3]
    assert machine.violations == 9


def test_a_change_of_an_entry_is_no_exit_and_a_new_frame_is_one():
    machine = NestedMachine(4, 4, 7, lazy=True)
    for gva in (0x1000, 0x2000):
        machine.map(gva)
        machine.access(gva)
    before, old = machine.violations, machine.walk(0x1000).hfn
    machine.change(0x1000, 0x2000)
    assert machine.violations == before and machine.access(0x1000) == 0
    assert machine.walk(0x1000).hfn == machine.walk(0x2000).hfn != old
    machine.change(0x1000)
    assert machine.access(0x1000) == 1 and machine.walk(0x1000).hfn not in (old, machine.walk(0x2000).hfn)
    for gva in (0x3000, 1 << 40):
        with pytest.raises(InputError, match="mapped"):
            machine.change(gva)


def test_a_missing_frame_ends_the_walk():
    walk = NestedMachine(3, 4, 7, lazy=True).walk(0)
    assert walk.hfn is None and walk.references[-1].target is None and len(walk.references) == 1


@pytest.mark.parametrize(
    ("name", "value"), [("guest_levels", 0), ("guest_levels", 6), ("guest_levels", 2.5), ("host_levels", -1)]
)
def test_impossible_levels_are_refused(name, value):
    with pytest.raises(InputError, match="levels"):
        NestedMachine(**{name: value})
    with pytest.raises(InputError, match="large"):
        NestedMachine(4, 1, large=True)
    with pytest.raises(InputError, match="mapped"):
        NestedMachine().walk(0x5000)


def test_the_seed_places_the_tables():
    assert machine_of(4, 4, 0x1000).walk(0x1000) == machine_of(4, 4, 0x1000).walk(0x1000)
    assert NestedMachine(4, 4, 7).guest_root != NestedMachine(4, 4, 8).guest_root
