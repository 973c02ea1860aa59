# SPDX-License-Identifier: GPL-2.0-only
"""What the lab gives as a reason agrees with the engine: change what it names, and the outcome changes as it says."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvmmmu_lab import Vm
from kvmmmu_lab.inspect.paths import guest_path, shadow_path
from kvmmmu_lab.inspect.refusal import Request, refusals
from kvmmmu_lab.labs import fault_lab
from kvmmmu_lab.labs.explain_access import PathsBefore, explain_access
from kvmmmu_lab.labs.guests import FLAGS, GuestTable
from kvmmmu_lab.mmu.bits import CR0_PE, CR0_PG, CR0_WP, CR4_PAE, EFER_LME, EFER_NX, MODES, SHADOW_WRITABLE, WRITABLE

PAGING = [name for name, mode in MODES.items() if mode.levels]
SOURCES = st.sampled_from(PAGING)
ACCESSES = st.sampled_from([(False, False), (True, False), (False, True)])


@st.composite
def tables(draw):
    """Tables for one address: any mode, any flags, a data page or a page table at the end."""
    table = GuestTable(draw(SOURCES))
    for level in table.flags:
        for flag in table.choices(level):
            likely = [False, False, True] if flag in ("NX", "PS", "G") else [True, True, True, False]
            table.set(level, flag, draw(st.sampled_from(likely)))
    return table


@st.composite
def requests(draw, gva):
    (write, fetch), user = draw(ACCESSES), draw(st.booleans())
    return Request(gva, write, user, fetch)


def run(vm, request):
    """Make an access; return the paths before it, the result, and the reasons."""
    before = PathsBefore.of(vm, request)
    result = vm.access(request.gva, write=request.write, user=request.user, fetch=request.fetch)
    return before, result, explain_access(vm, before, result.outcome, result.error, 0)


def grant(table, refusal, but=None):
    """Return a copy of the tables in which the bits of a refusal grant the access, except the bit ``but``."""
    changed = GuestTable(table.mode.name)
    changed.flags, changed.frame = dict(table.flags), table.frame
    for bit in refusal.bits:
        if bit != but:
            changed.set(refusal.entry.level, bit, bit != "NX")
    return changed


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_refusal_names_the_bits_that_decide(data):
    table = data.draw(tables())
    wp, nx, request = data.draw(st.booleans()), data.draw(st.booleans()), data.draw(requests(table.gva))
    before, result, reasons = run(table.vm(wp, nx), request)
    assert (result.outcome == "inject") == bool(before.refused)
    if not before.refused:
        return
    first = before.refused[0]
    assert f"(level {first.entry.level}, index {first.entry.index})" in reasons[0]
    allowed = table
    for refusal in before.refused:
        allowed = grant(allowed, refusal)
    path = guest_path(allowed.vm(wp, nx), request.gva).steps
    left = refusals(allowed.vm(wp, nx), request, path)
    assert all(one.entry.level <= before.refused[-1].entry.level for one in left), "only what a missing entry hid"
    for refusal in before.refused:
        for bit in refusal.bits:
            all_but_one = grant(allowed, refusal)
            all_but_one.set(refusal.entry.level, bit, bit == "NX")
            assert run(all_but_one.vm(wp, nx), request)[1].outcome == "inject", "each bit that is named is enough to refuse"


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_change_is_claimed_where_nothing_changed(data):
    """Accesses to one path whose entries the guest never changes: the shadow can only differ because of NX and CR0.WP."""
    table = data.draw(tables())
    vm = table.vm(wp := data.draw(st.booleans()), data.draw(st.booleans()))
    for _ in range(3):
        if data.draw(st.booleans()):
            wp = not wp
            vm.load_cr0(vm.cpu.cr0 ^ CR0_WP)
        before, result, reasons = run(vm, data.draw(requests(table.gva)))
        told = " ".join(reasons)
        assert not re.search("was made when|were made while|hasn't seen|other rights|old rights", told), told
        if result.outcome == "ok" and before.refused:
            leaf = before.shadow[-1].entry
            lost_nx = "copies NX into the shadow from the last entry alone" in told
            kept_w = "got its W when the kernel wrote while CR0.WP was clear" in told
            assert lost_nx == any("NX" in refusal.bits for refusal in before.refused)
            assert kept_w == any("W" in refusal.bits for refusal in before.refused)
            assert not kept_w or (leaf & WRITABLE and not leaf & SHADOW_WRITABLE)
        if vm.dead is not None or result.outcome in ("stuck", "error"):
            return


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_said_about_withheld_rights_is_so(data):
    table = data.draw(tables())
    wp, nx, request = data.draw(st.booleans()), data.draw(st.booleans()), data.draw(requests(table.gva))
    vm = table.vm(wp, nx)
    _, result, reasons = run(vm, request)
    if result.outcome != "ok":
        return
    told, leaf = " ".join(reasons), shadow_path(vm, request.gva).steps[-1].entry
    last = guest_path(vm, request.gva).steps[-1].level
    if "W is withheld: the guest's D is clear" in told:
        table.set(last, "D", True)
        vm = table.vm(wp, nx)
        run(vm, request)
        assert not leaf & WRITABLE and shadow_path(vm, request.gva).steps[-1].entry & WRITABLE
    for letter in re.findall(r"has ([WU]), but the \w+ entry \(level \d, index \d+\) doesn't", told):
        assert not leaf & FLAGS[letter]
        for upper in range(last + 1, table.mode.levels + 1):
            if letter in table.choices(upper):
                table.set(upper, letter, True)
        vm = table.vm(wp, nx)
        run(vm, request)
        path = shadow_path(vm, request.gva).steps
        assert path[-1].entry & FLAGS[letter] << 9, "with the right at all levels, the shadow records it"
    if "A fetch would now go through" in told:
        assert vm.access(request.gva, user=bool(leaf & FLAGS["U"]), fetch=True).outcome == "ok"


@pytest.mark.parametrize("level", [4, 3, 2])
def test_a_fetch_through_an_upper_nx_is_explained_as_a_copy_of_the_last_entry_alone(level):
    lab = fault_lab()
    lab.keep = lab.user = True
    lab.table.set(level, "NX", True)
    assert "copies NX from the last entry alone. A fetch would now go through" in str(lab.go())
    lab.fetch = True
    round_ = lab.go()
    told = " ".join(round_.reasons)
    assert round_.outcomes[0].happened == "the access succeeds without a fault"
    assert f"(level {level}, index" in round_.reasons[1] and "has NX" in round_.reasons[1]
    assert "copies NX into the shadow from the last entry alone" in told
    assert not re.search("other rights|old rights|before|changed", told)


def test_a_kernel_page_directory_with_nx_as_page_table_isolation_makes_it():
    vm = Vm([(0x17E00, 0x200), (0x1A600, 0x200), (0x1E600, 0x100)])
    root = 0x17F50000
    entries = {
        root: 0x8000000017E7B067,
        0x17E7B000: 0x1E687067,
        0x1E687010: 0x17F40067,
        0x17F40000: 0x1A6E1005,
    }
    for gpa, entry in entries.items():
        vm.poke(gpa, entry)
    vm.set_registers(CR0_PE | CR0_WP | CR0_PG, root, CR4_PAE, EFER_LME | EFER_NX)
    request = Request(0x400630, user=True, fetch=True)
    assert run(vm, request)[1].outcome == "inject"
    vm.access(0x400630, user=True)
    _, result, reasons = run(vm, request)
    assert result.outcome == "ok"
    assert reasons[1] == "The PML4 entry (level 4, index 0) has NX."
    assert reasons[2].startswith("KVM 2.6.22 copies NX into the shadow from the last entry alone")
    vm.emulate_write_gpa(root, 0x17E7B067, 8)
    assert "has NX" not in " ".join(run(vm, request)[2])


def test_the_right_of_another_path_to_the_same_table():
    """Two entries of the directory lead to one table; the second has no W. No entry changes."""
    table = GuestTable("64")
    vm = table.vm()
    other = table.entry_gpa(2) + 8
    vm.poke(other, table.entry(2) & ~WRITABLE)
    vm.access(table.gva, write=True, user=True)
    vm.access(table.gva + (1 << 21), user=True)
    before, result, reasons = run(vm, Request(table.gva + (1 << 21), write=True, user=True))
    assert result.outcome == "ok" and [refusal.bits for refusal in before.refused] == [("W",)]
    assert "through another entry that leads to the same table" in " ".join(reasons)


def test_a_store_to_the_table_that_maps_it_is_not_blamed_on_pse_36():
    lab = fault_lab()
    lab.build("32 pse", "its own page table")
    lab.write = True
    assert "PSE-36" not in str(lab.go())


def test_w_that_was_given_while_wp_was_clear():
    lab = fault_lab()
    lab.build("64", "read-only page")
    lab.keep, lab.write, lab.wp = True, True, False
    lab.go()
    lab.wp = True
    told = " ".join(lab.go().reasons)
    assert "got its W when the kernel wrote while CR0.WP was clear, and it keeps it" in told


def test_several_bits_of_one_entry_and_entries_below():
    lab = fault_lab()
    lab.build("64", "read-only page")
    lab.table.set(1, "U", False)
    lab.table.set(2, "W", False)
    lab.write = lab.user = True
    round_ = lab.go()
    assert round_.reasons[0].startswith("The PD entry (level 2, index 3) has no W, and user code always needs W")
    assert "So does the PT entry (level 1, index 5); but the walk stops at the first refusal." in round_.reasons
    lab.table.set(1, "P", False)
    assert "would report an entry that isn't present" in str(lab.go())
