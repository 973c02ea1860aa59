# SPDX-License-Identifier: GPL-2.0-only
"""Every kind of picture can be drawn for any step of a recording, and shows the state at that step."""

import pytest

from kvmmmu_lab import open_guest, record
from kvmmmu_lab.draw import pictures

GVA, GFN, TABLE = 0x343C9000, 0x29A5, 0x61C9
ASKED = {
    "hierarchy": (GVA,),
    "guest_tables": (),
    "shadow_tables": (),
    "walk": (GVA,),
    "entry_bits": (GVA,),
    "reverse_map": (GFN,),
    "who_maps": (GFN,),
    "parent_chains": (248,),
    "hash_bucket": (0x1C6E,),
    "hash_table": (),
    "parent_graph": (),
    "pool": (),
    "root_slots": (),
    "belt": (),
    "audit_counters": (),
    "large_page": (GVA,),
    "guest_walk": (GVA,),
    "bit_row": (GVA,),
    "memory_slots": (),
}


def doings(vm):
    vm.access(0xFFFF8880061C9E48)
    vm.emulate_write_gpa((TABLE << 12) + 0xE48, 0, 8)
    vm.access(0x400000, user=True)


def test_all_kinds_are_here():
    assert set(ASKED) == set(pictures.__all__)


@pytest.mark.parametrize("name", ASKED)
def test_the_picture_of_a_moment_is_the_picture_that_was(name):
    vm, draw = open_guest("lin64_A").vm(), getattr(pictures, name)
    vm.access(GVA, user=True)
    before = draw(vm, *ASKED[name]).scene
    with record(vm) as recording:
        doings(vm)
    after = draw(vm, *ASKED[name]).scene
    assert draw(recording.at(-1), *ASKED[name]).scene == after
    assert draw(recording.at(0), *ASKED[name]).scene == before
    assert all(draw(recording.at(step), *ASKED[name]).scene.tables for step in range(0, len(recording), 7))
