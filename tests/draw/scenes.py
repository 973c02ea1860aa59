# SPDX-License-Identifier: GPL-2.0-only
"""Guests for the tests of pictures, and checks that hold for every scene."""

from kvmmmu_lab import open_guest
from kvmmmu_lab.draw.text import alternative, to_text

HEAP, DIRECT = 0x343C9000, 0xFFFF888000000000
SELF = DIRECT + 0x61C9E48
"""Where the guest's kernel maps the page table of HEAP."""


def busy(name="lin64_A", accesses=300):
    """Return a real guest after hundreds of accesses all over its memory."""
    guest = open_guest(name)
    vm = guest.vm()
    for gva in guest.tlb_gva[:: max(1, len(guest.tlb_gva) // accesses)].tolist():
        vm.access(gva)
    return vm


def rows(scene, key):
    return [(entry.index, entry.flags, entry.target) for entry in scene.table(key).entries]


def edges(scene, kind):
    return {(edge.source, edge.target) for edge in scene.edges if edge.kind == kind}


def sound(scene):
    """Check that keys are unique, that edges connect existing items, and that rows fit. Return the scene as text."""
    keys = [key for table in scene.tables for key in (table.key, *(entry.key for entry in table.entries))]
    assert len(keys) == len(set(keys))
    assert {end for edge in scene.edges for end in (edge.source, edge.target)} <= set(keys)
    for table in scene.tables:
        assert max(map(len, (table.title, *table.words))) <= 36
        for entry in table.entries:
            assert (len(entry.index) <= 12, len(entry.flags) <= 20, len(entry.target) <= 28) == (True, True, True)
    text = to_text(scene)
    for table in scene.tables:
        assert table.title in text and all(entry.target in text for entry in table.entries)
    assert all(note in text for note in scene.notes)
    assert scene.title in alternative(scene)
    return text
