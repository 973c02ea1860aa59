# SPDX-License-Identifier: GPL-2.0-only
"""What an event means for the things that it concerns."""

from kvmmmu_lab import Vm, open_guest, record
from kvmmmu_lab.labs.guests import small_guest
from kvmmmu_lab.recording.story import Story


def story_of(vm, operation):
    """Return what each thing goes through, as {key: [clauses]}."""
    with record(vm) as recording:
        operation(vm)
    story, found = Story(), {}
    for number in range(1, len(recording)):
        for key, clause in story.parts(recording.at(number), recording.raw(number)).items():
            found.setdefault(key, []).append(clause)
    return found


def test_a_large_page_is_made_from_the_entry_of_the_directory():
    guest = open_guest("lin64_A")
    large = int(guest.tlb_gva[guest.tlb_flags >> 6 & 1 == 1][0])
    found = story_of(guest.vm(), lambda vm: vm.access(large))
    (made,) = [(key, clause) for key, clauses in found.items() for clause in clauses if "is made from it" in clause]
    assert made[0].startswith("g:"), made
    level_2 = [clause for clause in found[made[0]] if "its counterpart in the shadow" in clause]
    assert len(level_2) == 1, "the same entry of the directory has a counterpart at level 2, and pieces at level 1"


def test_a_32_bit_table_is_shadowed_by_pages_of_512_entries():
    guest = small_guest("32", 0x1000)
    guest.map(0x40101000)
    gva = 0x40101000
    found = story_of(guest.vm, lambda vm: vm.access(gva))
    guest_entries = {key: clauses for key, clauses in found.items() if key.startswith("g:")}
    ((key, clause),) = [(key, one) for key, clauses in guest_entries.items() for one in clauses if "made from it" in one]
    assert key.endswith(":257") and clause.endswith(":257 is made from it")


def test_a_store_that_crosses_two_entries_is_part_of_the_story_of_both():
    vm = open_guest("lin64_A").vm()
    vm.access(0x343C9000, user=True)
    found = story_of(vm, lambda vm: vm.emulate_write_gpa(0x61C9E4C, 0, 8))
    assert all("it is about to change" in found[f"g:61c9:{index}"][0] for index in (457, 458))


def test_an_entry_of_another_quadrant_is_zapped_although_its_guest_entry_stays():
    """2007: entries 257 and 769 of a table with 4-byte entries have the same place in the shadow pages of the two quadrants."""
    guest = small_guest("32", 0x101000, 0x301000)
    table = guest.table(0x101000)
    found = story_of(guest.vm, lambda vm: vm.emulate_write_gpa(guest.entry_gpa(0x101000), 0, 4))
    assert found["s:247:257"][-1] == "it is zapped: its guest entry is about to change"
    assert found["s:246:257"][-1] == "it is zapped, although its guest entry doesn't change"
    assert found[f"g:{table:x}:257"][-1] == "#247:257, which was made from it, is zapped"
    assert found[f"g:{table:x}:769"] == ["#246:257, which was made from it, is zapped"]


def test_a_page_that_shadows_no_table_has_no_guest_table_in_its_story():
    found = story_of(Vm(), lambda vm: vm.access(0x1000))
    assert not [key for key in found if key.startswith("g:")]
