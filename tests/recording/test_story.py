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


def test_a_page_that_shadows_no_table_has_no_guest_table_in_its_story():
    found = story_of(Vm(), lambda vm: vm.access(0x1000))
    assert not [key for key in found if key.startswith("g:")]
