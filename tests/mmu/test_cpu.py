# SPDX-License-Identifier: GPL-2.0-only
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvmmmu_lab import Vm
from kvmmmu_lab.mmu.memory import Memory

from .guests import ALL, FIRST, PAGED, A, D, Guest, P, U, W, leaf, shadows


@pytest.mark.parametrize("mode", PAGED)
def test_the_first_access_faults_and_the_second_does_not(mode):
    guest = Guest(mode)
    gfn = guest.map(0x1000)
    assert guest.vm.access(0x1234) == ("ok", gfn << 12 | 0x234, 1, None)
    assert guest.vm.access(0x1234) == ("ok", gfn << 12 | 0x234, 0, None)


@pytest.mark.parametrize("mode", PAGED)
def test_a_first_write_is_one_fault_and_a_write_after_a_read_is_another(mode):
    guest = Guest(mode)
    for gva in (0x1000, 0x2000):
        guest.map(gva)
    assert guest.vm.access(0x1000, write=True).faults == 1
    assert guest.vm.access(0x2000).faults == 1
    assert guest.vm.access(0x2000, write=True).faults == 1
    assert guest.vm.access(0x2000, write=True).faults == 0


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_a_write_stores_its_value(size):
    guest = Guest("64")
    gfn = guest.map(0x1000)
    value = 0x1122334455667788 & (1 << 8 * size) - 1
    guest.vm.access(0x1238, write=True, value=value, size=size)
    assert guest.vm.peek(gfn << 12 | 0x238) == value


def test_a_write_without_a_value_changes_no_byte():
    guest = Guest("64")
    gfn = guest.map(0x1000)
    guest.vm.poke(gfn << 12, 0x55)
    before = guest.vm.memory.bytes[guest.vm.memory.frames[gfn] << 12 : guest.vm.memory.frames[gfn] + 1 << 12].tobytes()
    guest.vm.access(0x1000, write=True)
    frame = guest.vm.memory.frames[gfn]
    assert guest.vm.memory.bytes[frame << 12 : frame + 1 << 12].tobytes() == before


def test_a_write_without_a_value_to_a_page_table_goes_through_pre_write_too():
    guest = Guest("64")
    guest.map(0x1000)
    guest.map(0x40000000, guest.table_gfn(0x1000))
    guest.vm.access(0x1000)
    entry = guest.entry(0x1000)
    access = guest.vm.access(0x40000000 | guest.entry_gpa(0x1000) & 0xFFF, write=True)
    assert access.outcome == "emul"
    assert guest.entry(0x1000) == entry
    assert guest.vm.access(0x1000).faults == 1, "its shadow was zapped"


def test_upper_levels_of_the_shadow_withhold_no_rights():
    """Links allow everything; only leaves withhold rights."""
    guest = Guest("64")
    guest.map(0x1000, upper=P | U)
    guest.vm.access(0x1000)
    assert guest.vm.access(0x1000, write=True) == ("inject", None, 1, 3)


@pytest.mark.parametrize("level", [2, 3, 4])
def test_the_processor_nevertheless_ands_the_rights_of_all_levels(level):
    guest = Guest("64")
    guest.map(0x1000)
    guest.vm.access(0x1000, write=True)
    (page,) = shadows(guest.vm, guest.table_gfn(0x1000, level))
    guest.vm.memory.words[FIRST + page * 512] &= ~W
    assert guest.vm.access(0x1000).outcome == "ok"
    assert guest.vm.access(0x1000, write=True).outcome == "stuck", "the fault handler doesn't check upper levels"


def test_a_write_that_the_shadow_withholds_is_a_fault_with_the_present_bit():
    guest = Guest("64")
    guest.map(0x1000, flags=P | U | A | D)
    guest.vm.access(0x1000)
    events = []
    guest.vm.attach(events.append)
    guest.vm.access(0x1000, write=True, user=True)
    (fault,) = [event for event in events if event[0].name == "page_fault"]
    assert fault[1:] == (0x1000, 1 | 2 | 4)


def test_outcomes():
    """One example of each; the next test is for "stuck"."""
    guest = Guest("64", [(0, 0x100), (0x800, 4)])
    gfn, gone = guest.map(0x1000), guest.map(0x2000, 0x800)
    guest.map(0x3000, guest.root)
    guest.map(0x4000, 0xFEE00)
    guest.vm.access(0x2000)
    guest.vm.set_slot(1, gone, 0)
    assert guest.vm.access(0x1008) == ("ok", gfn << 12 | 8, 1, None)
    assert guest.vm.access(0x3008, write=True) == ("emul", guest.root << 12 | 8, 1, None)
    assert guest.vm.access(0x4008) == ("mmio", 0xFEE00008, 1, None)
    assert guest.vm.access(0x9008, user=True) == ("inject", None, 1, 4)
    assert guest.vm.access(0x2008) == ("escape", None, 0, None)


def test_an_access_that_still_faults_after_eight_faults_is_stuck():
    guest = Guest("64")
    guest.map(0x1000, flags=ALL)
    guest.vm.poke(guest.entry_gpa(0x1000), guest.table_gfn(0x1000, 2) << 12 | ALL)
    exits = guest.vm.stats.exits
    assert guest.vm.access(0x1000, write=True, user=True) == ("stuck", None, 8, None)
    assert guest.vm.stats.exits == exits + 8


def test_a_mapped_address_beyond_the_memory_is_emulated_for_reads_and_writes():
    guest = Guest("64")
    guest.map(0x1000, 0xFEE00)
    assert guest.vm.access(0x1000, write=True, value=1, size=4) == ("mmio", 0xFEE00000, 1, None)
    assert guest.vm.emulate_write(0x1000, 1, 4) == "mmio"


@pytest.mark.parametrize("gva, expected", [(0x1000, "stored"), (0x1FFD, "mmio"), (0x9000, "inject")])
def test_an_emulated_write_at_a_gva(gva, expected):
    """A store across a page counts as MMIO (2007)."""
    guest = Guest("64")
    guest.map(0x1000)
    assert guest.vm.emulate_write(gva, 0x11223344, 4) == expected
    assert guest.vm.injected == ([(0x9000, 2)] if expected == "inject" else [])
    if expected == "stored":
        assert guest.vm.peek(guest.vm.gva_to_gpa(gva), 4) == 0x11223344


def test_a_64_bit_guest_can_use_the_upper_canonical_addresses():
    guest = Guest("64")
    gfn = guest.map(0xFFFFFFFF80000000)
    assert guest.vm.access(0xFFFFFFFF80000123).gpa == gfn << 12 | 0x123


# The TLB


def test_without_the_option_there_is_no_tlb():
    assert Vm().tlb is None


def test_a_tlb_keeps_a_translation_until_it_is_flushed():
    guest = Guest("64", tlb=True)
    old, new = guest.map(0x1000), guest.frame()
    guest.vm.access(0x1000)
    guest.edit(0x1000, new << 12 | ALL)
    assert guest.vm.access(0x1000).gpa == old << 12
    guest.vm.invlpg(0x1000)
    assert guest.vm.access(0x1000).gpa == new << 12


def test_invlpg_drops_one_translation_and_a_cr3_load_drops_all():
    guest = Guest("64", tlb=True)
    old = [guest.map(gva) for gva in (0x1000, 0x2000)]
    for gva in (0x1000, 0x2000):
        guest.vm.access(gva)
        guest.edit(gva, 0)
    guest.vm.invlpg(0x1000)
    assert [guest.vm.access(gva).outcome for gva in (0x1000, 0x2000)] == ["inject", "ok"]
    assert guest.vm.access(0x2000).gpa == old[1] << 12
    guest.vm.load_cr3(guest.root << 12)
    assert guest.vm.access(0x2000).outcome == "inject"


@pytest.mark.parametrize(
    "reset", [lambda guest: guest.vm.reset_context(), lambda guest: guest.start()], ids=["reset", "set"]
)
def test_a_new_context_drops_all_translations(reset):
    guest = Guest("64", tlb=True)
    guest.map(0x1000)
    guest.vm.access(0x1000)
    guest.edit(0x1000, 0)
    assert guest.vm.access(0x1000).outcome == "ok"
    reset(guest)
    assert guest.vm.access(0x1000).outcome == "inject"


def test_a_frame_that_becomes_a_table_is_flushed_from_the_tlb():
    guest = Guest("64", tlb=True)
    table = guest.map(0x1000)
    guest.vm.access(0x1000, write=True)
    guest.map(0x40000000, table=table)
    guest.vm.access(0x40000000)
    assert guest.vm.access(0x1000, write=True).outcome == "emul"


def test_zapping_a_page_table_flushes_and_zapping_a_directory_does_not():
    guest = Guest("64")
    guest.map(0x1000)
    guest.map(0x2000, guest.table_gfn(0x1000))
    guest.map(0x3000, guest.table_gfn(0x1000, 2))
    guest.vm.access(0x1000)
    flushes = guest.vm.stats.tlb_flushes
    assert guest.vm.unprotect(0x3000)
    assert guest.vm.stats.tlb_flushes == flushes
    assert guest.vm.unprotect(0x2000)
    assert guest.vm.stats.tlb_flushes == flushes + 1


def test_a_fault_drops_the_translation_of_its_page():
    guest = Guest("64", tlb=True)
    guest.map(0x1000)
    guest.vm.access(0x1000)
    assert guest.vm.access(0x1000, write=True) == ("ok", guest.vm.gva_to_gpa(0x1000), 1, None)
    assert leaf(guest.vm)[0] & W


def test_2007_removing_write_access_from_a_slot_does_not_flush():
    """kvm_mmu_slot_remove_write_access leaves the flush to its caller; only the dirty log flushes."""
    guest = Guest("64", [(0, 0x100, True)], tlb=True)
    guest.map(0x1000)
    guest.vm.access(0x1000, write=True)
    guest.vm.remove_write_access(0)
    assert guest.vm.access(0x1000, write=True).faults == 0
    guest.vm.dirty_log(0)
    assert guest.vm.access(0x1000, write=True).faults == 1


GVAS = [0x1000, 0x2000, 0x200000, 0x201000, 0x40000000]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("access"), st.sampled_from(GVAS), st.booleans(), st.booleans()),
        st.tuples(
            st.just("edit"),
            st.sampled_from(GVAS),
            st.sampled_from([0, P, P | U, ALL, ALL | D]),
            st.integers(0x40, 0x44),
        ),
        st.tuples(st.just("zap")),
        st.tuples(st.just("log")),
    ),
    max_size=25,
)


@pytest.mark.parametrize("mode", PAGED)
@settings(max_examples=25)
@given(steps=STEPS)
def test_a_guest_that_flushes_after_each_edit_sees_no_difference_with_a_tlb(mode, steps):
    """The law of TLBs. Here a flush is a load of CR3."""
    seen = []
    for tlb in (False, True):
        guest = Guest(mode, [(0, 0x100, True)], tlb=tlb)
        for gva in GVAS:
            guest.map(gva)
        outcomes = [step(guest, *arguments) for arguments in steps]
        outcomes.append([bytes(guest.vm.memory.pages[guest.vm.memory.frames[gfn]]) for gfn in range(0x100)])
        seen.append(outcomes)
    assert seen[0] == seen[1]


def step(guest, name, *arguments):
    vm = guest.vm
    if name == "access":
        gva, write, user = arguments
        access = vm.access(gva, write=write, user=user, **({"value": 7} if write else {}))
        return access.outcome, access.gpa, access.error
    if name == "edit":
        gva, flags, gfn = arguments
        guest.edit(gva, gfn << 12 | flags)
        return vm.load_cr3(vm.cpu.cr3)
    return vm.zap_all() if name == "zap" else vm.dirty_log(0)


def test_the_bad_page_of_a_new_arena_is_zero():
    guest = Guest("64")
    guest.vm.poke(guest.root << 12, 0xFFFF000 | ALL)
    assert guest.vm.access(0x1000).outcome == "inject"
    assert not Memory().pages.any()
