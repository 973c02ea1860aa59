# SPDX-License-Identifier: GPL-2.0-only
import pytest

from kvmmmu_lab import HostCrash, Vm
from kvmmmu_lab.inspect.dump import mmu_part

from .guests import (
    ALL,
    LMA,
    LME,
    NX,
    NXE,
    ON,
    PAE,
    PE,
    PG,
    PS,
    PSE,
    WP,
    D,
    Guest,
    P,
    U,
    W,
    everything,
)

NW, CD = 1 << 29, 1 << 30


def registers(vm):
    """cr0, cr3, cr4, efer, cached PDPTEs"""
    return mmu_part(vm)[6:]


def refused(vm, load, value):
    """Whether a load causes a #GP and changes nothing."""
    before, gp = everything(vm), vm.stats.gp
    accepted = load(value)
    assert vm.stats.gp == gp + (not accepted)
    return not accepted and everything(vm) == before


@pytest.mark.parametrize("value", [PG, PG | WP, NW | PE, 1 << 6, 1 << 17, 1 << 28, 1 << 32, 1 << 63])
def test_cr0_refuses_paging_without_protection_nw_without_cd_and_reserved_bits(value):
    vm = Vm()
    assert refused(vm, vm.load_cr0, value)


@pytest.mark.parametrize("value", [PE, ON, PE | CD, PE | NW | CD, 0, PE | 0x3E])
def test_cr0_accepts_what_the_processor_accepts(value):
    vm = Vm()
    assert vm.load_cr0(value)
    assert (registers(vm)[0], vm.stats.gp) == (value, 0)


def test_long_mode_needs_pae_before_paging():
    vm = Vm()
    vm.load_efer(LME)
    assert refused(vm, vm.load_cr0, ON)
    vm.load_cr4(PAE)
    assert vm.load_cr0(ON)


def test_entering_and_leaving_long_mode():
    vm = Vm()
    assert vm.load_cr4(PAE) and vm.load_efer(LME | NXE) and vm.load_cr3(0x1000) and vm.load_cr0(ON)
    assert mmu_part(vm)[0] == 4 and registers(vm)[3] == LME | LMA | NXE, "LMA follows paging"
    assert refused(vm, vm.load_efer, NXE), "LME can't change while paging is on"
    assert refused(vm, vm.load_cr4, 0), "nor can PAE be cleared"
    assert vm.load_cr0(PE)
    assert mmu_part(vm)[0] == 0 and registers(vm)[3] == LME | NXE


@pytest.mark.parametrize("value", [1 << 11, 1 << 31, 1 << 63])
def test_cr4_refuses_reserved_bits(value):
    vm = Vm()
    assert refused(vm, vm.load_cr4, value)


@pytest.mark.parametrize(
    "mode, value", [("64", 0x10001), ("64", 0x10020), ("64", 1 << 40), ("32", 0x10001), ("pae", 0x10004)]
)
def test_cr3_refuses_reserved_bits(mode, value):
    guest = Guest(mode)
    assert refused(guest.vm, guest.vm.load_cr3, value)


@pytest.mark.parametrize("mode", ["64", "32"])
def test_cr3_accepts_its_two_cache_bits(mode):
    guest = Guest(mode)
    gfn = guest.map(0x1000)
    assert guest.vm.load_cr3(guest.root << 12 | 0x18)
    assert guest.vm.access(0x1000).gpa == gfn << 12


@pytest.mark.parametrize("value", [1 << 1, 1 << 9, 1 << 12, 1 << 63])
def test_efer_refuses_reserved_bits(value):
    vm = Vm()
    assert refused(vm, vm.load_efer, value)


def test_efer_is_stored_without_a_reset():
    vm = Vm()
    loads = vm.stats.root_loads
    assert vm.load_efer(LME | NXE)
    assert vm.stats.root_loads == loads


@pytest.mark.parametrize("bits", [1 << 1, 1 << 2, 1 << 5, 1 << 8, 1 << 36, 1 << 63])
def test_a_present_pdpte_with_a_reserved_bit_is_a_gp_and_the_old_four_stay(bits):
    guest = Guest("pae")
    guest.vm.poke(guest.root << 12 | 8, guest.vm.peek(guest.root << 12 | 8) | bits)
    assert refused(guest.vm, guest.vm.load_cr3, guest.root << 12)
    guest.vm.poke(guest.root << 12 | 8, bits)
    assert guest.vm.load_cr3(guest.root << 12), "not present: its bits don't matter"


def test_the_pdptes_are_found_32_byte_aligned_in_the_frame():
    guest = Guest("pae")
    gfn = guest.map(0x1000)
    for i in range(4):
        guest.vm.poke((guest.root << 12) + 0x7E0 + 8 * i, guest.vm.peek((guest.root << 12) + 8 * i))
        guest.vm.poke((guest.root << 12) + 8 * i, 0)
    assert guest.vm.load_cr3((guest.root << 12) + 0x7E0)
    assert guest.vm.access(0x1000).gpa == gfn << 12


def test_the_cached_pdptes_survive_a_change_of_mode():
    guest = Guest("pae")
    before = registers(guest.vm)[4]
    guest.vm.set_registers(ON, 0x50000, PSE, 0)
    assert registers(guest.vm)[4] == before != [0, 0, 0, 0]


def test_the_host_sets_all_four_unchecked():
    vm = Vm()
    vm.set_registers(1 << 63, 1 << 50, 1 << 60, 1 << 55)
    assert registers(vm)[:4] == [1 << 63, 1 << 50, 1 << 60, 1 << 55]
    assert vm.stats.gp == 0


def test_the_host_sets_lma_as_paging_is_turned_on_and_off():
    vm = Vm()
    vm.set_registers(ON, 0x1000, PAE, LME)
    assert registers(vm)[3] == LME | LMA
    vm.set_registers(PE, 0x1000, PAE, LME | LMA)
    assert registers(vm)[3] == LME


# 2007


def test_2007_cr3_gp_but_kept_bug():
    """A CR3 outside every slot causes a #GP, but is stored nevertheless: turning paging on crashes the host."""
    vm = Vm()
    assert not vm.load_cr3(0x7FFFF000)
    assert (vm.stats.gp, registers(vm)[1]) == (1, 0x7FFFF000)
    vm.load_cr4(PSE)
    with pytest.raises(HostCrash) as crash:
        vm.load_cr0(ON)
    assert crash.value.kind == "BUG"


def test_2007_after_the_gp_the_old_roots_are_used_with_the_new_cr3():
    """Addresses in the shadow are still reached; all others are translated by the new, empty tables."""
    guest = Guest("64")
    seen, unseen = guest.map(0x1000), guest.map(0x2000)
    guest.vm.access(0x1000)
    assert not guest.vm.load_cr3(0x7FFFF000)
    assert guest.vm.access(0x1000).gpa == seen << 12
    assert guest.vm.access(0x2000).outcome == "inject"
    guest.vm.load_cr3(guest.root << 12)
    assert guest.vm.access(0x2000).gpa == unseen << 12


def test_2007_set_cr4_gp_falls_through():
    """Turning PAE on while paging, with bad PDPTEs, causes a #GP, but CR4 changes nevertheless."""
    guest = Guest("32")
    guest.vm.poke(guest.root << 12, P | 1 << 1)
    resets = guest.vm.stats.root_loads
    assert not guest.vm.load_cr4(PAE)
    assert (guest.vm.stats.gp, registers(guest.vm)[2], mmu_part(guest.vm)[0]) == (1, PAE, 3)
    assert guest.vm.stats.root_loads == resets + 1


def test_2007_lme_selects_four_levels_not_lma():
    vm = Vm()
    vm.set_registers(ON, 0x1000, 0, LME)
    assert mmu_part(vm)[0] == 4, "without PAE: set_registers doesn't check"


def test_2007_wp0_to_wp1_stale_write():
    """CR0.WP isn't in the role: an entry that was made writable with WP=0 stays writable."""
    guest = Guest("64", cr0=PG | PE)
    guest.map(0x1000, flags=P)
    guest.vm.access(0x1000, write=True)
    guest.vm.load_cr0(ON)
    assert guest.vm.access(0x1000, write=True).outcome == "ok"
    guest.vm.zap_all()
    assert guest.vm.access(0x1000, write=True).outcome == "inject", "as it should be"


def test_2007_cr4_pse_toggle_stale():
    """CR4.PSE isn't in the role: the shadow of a large page stays."""
    guest = Guest("32", [(0, 0x100), (0x400, 0x10)])
    guest.map(0, 0x400, large=True)
    assert guest.vm.access(0x1000).gpa == 0x401000
    guest.vm.load_cr4(0)
    assert guest.vm.access(0x1000).gpa == 0x401000
    assert guest.vm.gva_to_gpa(0x1000) is None, "the guest's entry now leads to a table of zeroes"


def test_2007_efer_nx_toggle_stale():
    """EFER.NX isn't in the role: bit 63 was copied, and still denies fetches."""
    guest = Guest("64")
    guest.map(0x1000, flags=ALL | NX)
    guest.vm.access(0x1000)
    guest.vm.load_efer(LME | LMA)
    assert guest.vm.access(0x1000, fetch=True).outcome == "stuck"


def test_pse_matters_only_in_2_level_mode():
    guest = Guest("64", [(0, 0x100), (0x400, 0x10)])
    guest.map(0, 0x400, large=True, flags=P | W | U | D)
    assert guest.entry(0, 2) & PS and not registers(guest.vm)[2] & PSE
    assert guest.vm.access(0x1000).gpa == 0x401000
