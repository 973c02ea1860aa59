# SPDX-License-Identifier: GPL-2.0-only
"""Guests for the tests of pictures, and checks that hold for every scene."""

from kvmmmu_lab import open_guest
from kvmmmu_lab.draw.page_tables import hierarchy_scene
from kvmmmu_lab.draw.scene import Edge, Entry, Scene, Table
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


def paths(name, *gvas, user=True):
    vm = open_guest(name).vm()
    for gva in gvas:
        vm.access(gva, user=user and gva < 1 << 31)
    return hierarchy_scene(vm, gvas)


def made_table(key, kind, column, rank, rows=2, **more):
    entries = tuple(Entry(f"{key}:{k}", str(k), "PW.....", f"gfn {k:#x}", "", "says") for k in range(rows))
    return Table(key, kind, column, rank, more.pop("title", key), more.pop("words", ("words",)), entries, **more)


MIXED = Scene(
    "everything at once",
    (
        made_table("g:2", "guest", 2, 0),
        made_table("g:1", "guest", 1, 0, title="W" * 200),
        made_table("s:2", "shadow", 2, 0),
        made_table("s:1", "shadow", 1, 0, rest="511 empty"),
        made_table("s:0", "shadow", 1, 1, rows=0, words=()),
        made_table("f:1", "frame", 0, 0, rows=1),
        made_table("d:1", "rmap", -1, 0, rows=4),
        made_table("d:2", "rmap", -1, 1, rows=4),
        made_table("l:1", "list", 5, 0, rows=6),
        made_table("l:2", "list", 1, 2, rows=1),
    ),
    (
        Edge("g:2:0", "g:1", "guest"),
        Edge("s:2:1", "s:1", "shadow"),
        Edge("s:1:0", "f:1", "readonly"),
        Edge("g:2:1", "f:1", "guest"),
        Edge("g:2", "s:2", "shadows"),
        Edge("g:1", "s:1", "shadows"),
        Edge("g:1", "s:0", "shadows"),
        Edge("f:1:0", "s:1:1", "rmap"),
        Edge("d:1:0", "s:2:1", "rmap"),
        Edge("s:1", "s:2:1", "parent"),
        Edge("d:1:3", "d:2", "link"),
        Edge("d:2", "d:1", "link"),
        Edge("l:1:0", "s:2", "link"),
        Edge("l:1:1", "l:1:4", "link"),
        Edge("f:1:0", "d:1", "link"),
        Edge("nobody", "s:1", "link"),
        Edge("s:1", "s:1:99", "parent"),
    ),
)


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
