# SPDX-License-Identifier: GPL-2.0-only
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmmmu_lab.mmu import Vm, bits
from kvmmmu_lab.mmu.pool import make_role

low = st.integers(0, 2**32 - 1)


@given(st.integers(0, 2**48 - 1))
def test_the_four_wide_indexes_and_the_offset_are_the_whole_address(gva):
    parts = [bits.WIDE.index(gva, level) << 12 + 9 * (level - 1) for level in (1, 2, 3, 4)]
    assert sum(parts) + gva % 4096 == gva


@given(low)
def test_the_two_narrow_indexes_and_the_offset_are_the_whole_address(gva):
    parts = [bits.NARROW.index(gva, level) << 12 + 10 * (level - 1) for level in (1, 2)]
    assert sum(parts) + gva % 4096 == gva


@given(low)
def test_a_quadrant_is_the_part_of_a_4_byte_table_that_a_shadow_page_shadows(gva):
    """The 1,024 entries of a page table have 2 x 512 shadow entries; those of a directory have 4 x 512, two for each."""
    table, directory = (make_role(2, level, gva, False, 0) >> 8 & 3 for level in (1, 2))
    assert bits.NARROW.index(gva, 1) == table * 512 + bits.shadow_index(gva, 1)
    assert bits.NARROW.index(gva, 2) == (directory * 512 + bits.shadow_index(gva, 2)) // 2


@given(st.integers(0, 2**48 - 1), st.integers(1, 4))
def test_a_shadow_index_is_that_of_a_guest_with_wide_entries(gva, level):
    assert bits.shadow_index(gva, level) == bits.WIDE.index(gva, level)


@pytest.mark.parametrize(
    "short, whole",
    [
        (0x00007FFF_FFFFFFFF, 0x00007FFF_FFFFFFFF),
        (0x00008000_00000000, 0xFFFF8000_00000000),
        (0x0000FFFF_FFFFF000, 0xFFFFFFFF_FFFFF000),
        (0x12340000_00001000, 0x00000000_00001000),
    ],
)
def test_bit_47_fills_the_bits_above_it(short, whole):
    assert bits.canonical(short) == whole == bits.canonical(whole)


@pytest.mark.parametrize("root_level, size", [(0, 8), (2, 4), (3, 8), (4, 8)])
def test_only_the_2_level_guest_has_4_byte_entries(root_level, size):
    assert bits.guest_format(root_level).size == size


def test_the_flags_that_a_shadow_entry_copies():
    everything = (1 << 64) - 1
    assert bits.flag_names(everything & bits.WIDE.copied) == "P A D G NX"
    assert bits.flag_names(everything & bits.NARROW.copied) == "P A D G"


def test_every_flag_in_the_model_has_a_letter_for_scenarios():
    assert "".join(flag.letter for flag in bits.FLAGS) == "PWUADGSX"
    assert len({flag.name for flag in bits.FLAGS}) == len({flag.mask for flag in bits.FLAGS}) == len(bits.FLAGS)
    assert [flag.bit for flag in bits.FLAGS if flag.name in ("P", "PWT", "NX")] == [0, 3, 63]


@pytest.mark.parametrize("mode", bits.MODES.values(), ids=lambda mode: mode.name)
def test_the_registers_of_a_mode_select_it(mode):
    assert bits.mode_of_registers(mode.cr0, mode.cr4, mode.efer) is mode
    assert bits.mode_of_registers(mode.cr0 | bits.CR0_WP, mode.cr4, mode.efer | bits.EFER_NX) is mode
    assert bits.mode_of_levels(mode.levels).levels == mode.levels
    vm = Vm()
    vm.set_registers(mode.cr0, 0, mode.cr4, mode.efer)
    assert (vm.root_level, vm.shadow_root_level) == (mode.levels, mode.shadow_levels)


def test_long_mode_takes_precedence_over_pae_and_pae_over_pse():
    both = bits.CR4_PAE | bits.CR4_PSE
    assert bits.mode_of_registers(bits.CR0_PG, both, bits.EFER_LME).name == "64"
    assert bits.mode_of_registers(bits.CR0_PG, both, 0).name == "pae"
    assert bits.mode_of_registers(0, both, bits.EFER_LME).name == "none"
    assert bits.mode_of_levels(2).name == "32"


@pytest.mark.parametrize(
    ("mode", "level", "names"),
    [
        ("64", 1, "P W U A D G NX"),
        ("64", 2, "P W U A D G PS NX"),
        ("64", 3, "P W U A D G NX"),
        ("pae", 3, "P"),
        ("32", 1, "P W U A D G"),
        ("32", 2, "P W U A D G PS"),
    ],
)
def test_the_flags_of_an_entry_at_each_level(mode, level, names):
    assert " ".join(flag.name for flag in bits.MODES[mode].flags(level)) == names


def test_the_words_for_a_mode():
    assert [mode.title for mode in bits.MODES.values()] == ["no paging", "32-bit", "32-bit with 4 MB pages", "PAE", "64-bit"]
    assert [mode.guest for mode in bits.MODES.values()][:2] == ["guest without paging", "32-bit guest"]
    assert [mode.large_pages for mode in bits.MODES.values()] == [False, False, True, True, True]


def test_the_marks_of_a_shadow_entry_are_in_bits_that_software_may_use():
    assert bits.IO_MARK == bits.PS_MARK == 1 << 9
    assert bits.SHADOW_WRITABLE == 1 << 10
    assert bits.SHADOW_USER == 1 << 11
    assert not (bits.IO_MARK | bits.SHADOW_WRITABLE | bits.SHADOW_USER) & bits.BASE_MASK


def test_the_base_masks_select_only_the_frame():
    assert bits.WIDE.base == 0x000F_FFFF_FFFF_F000 == bits.BASE_MASK
    assert bits.WIDE.large_base == 0x000F_FFFF_FFE0_0000
    assert bits.NARROW.base == 0xFFFF_F000
    assert bits.NARROW.large_base == 0xFFC0_0000
