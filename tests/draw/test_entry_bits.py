# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of one entry, bit by bit, with the reason for each difference, and of the walk of one address, field by field."""

import pytest

from kvmmmu_lab import Vm
from kvmmmu_lab.draw.entry_bits import entry_bits_scene
from kvmmmu_lab.draw.page_tables import walk_scene
from kvmmmu_lab.draw.scene import Marks

from ..mmu.guests import ALL, NX, PAGED, PE, PG, D, G, Guest, P, U, W, everything
from .scenes import SELF, busy, edges, sound


def became(scene, bit):
    """Return the target cell of a shadow bit."""
    return scene.entry(f"e:s:{bit}").target


def bits(vm, gva, level=1):
    before = everything(vm)
    scene = entry_bits_scene(vm, gva, level)
    sound(scene)
    assert everything(vm) == before
    return scene


@pytest.mark.parametrize("mode", PAGED)
def test_what_is_copied(mode):
    guest = Guest(mode)
    frame = guest.map(0x400000, flags=ALL | D | G | (NX if mode != "32" else 0))
    guest.vm.access(0x400000, write=True)
    scene = bits(guest.vm, 0x400000)
    for bit in (0, 1, 2, 5, 6, 8):
        assert became(scene, bit) == "1   copied"
        assert (f"e:g:{bit}", f"e:s:{bit}") in edges(scene, "link")
    assert became(scene, 10) == "1   guest allows writing" and became(scene, 11) == "1   guest allows user access"
    assert {("e:g:1", "e:s:10"), ("e:g:2", "e:s:11"), ("e:g:12", "e:s:12")} <= edges(scene, "link")
    assert scene.entry("e:g:12").target == f"gfn {frame:#x}"
    assert became(scene, 12) == f"host {guest.vm.memory.frames[frame]:#x}"
    assert became(scene, 63) == ("0" if mode == "32" else "1   copied")
    digits = 8 if mode == "32" else 16
    assert len(scene.table("e:g").words[0]) == 2 + digits and len(scene.table("e:s").words[0]) == 18
    assert scene.table("e:g").entries[-1].index == ("12-31" if mode == "32" else "63")
    assert scene.notes == ()


def why_not_writable(guest, gva=0x400000):
    scene = bits(guest.vm, gva)
    assert scene.entry("e:g:1").target.startswith("1") and became(scene, 1).startswith("0")
    assert ("e:g:1", "e:s:1") in edges(scene, "readonly")
    return became(scene, 1)[4:], next(note for note in scene.notes if note.startswith("bit 1 (W): "))


def test_w_is_withheld_while_not_dirty():
    guest = Guest("64")
    guest.map(0x400000)
    guest.vm.access(0x400000)
    short, note = why_not_writable(guest)
    assert short == "withheld: not dirty yet" and "the first write must fault" in note


def test_w_is_withheld_from_a_page_table():
    guest = Guest("64")
    guest.map(0x400000, flags=ALL | D)
    guest.map(0x401000, guest.table_gfn(0x400000), ALL | D)
    guest.vm.access(0x401000)
    assert why_not_writable(guest, 0x401000)[0] == "withheld: a page table"


def test_w_is_refused_by_an_upper_level():
    guest = Guest("64")
    guest.map(0x400000, flags=ALL | D, upper=P | U)
    guest.vm.access(0x400000)
    assert why_not_writable(guest)[0] == "refused above"


@pytest.mark.parametrize("mode", PAGED)
def test_a_right_that_an_upper_level_took_back(mode):
    guest = Guest(mode)
    guest.map(0xC05000, flags=ALL | D)
    guest.vm.access(0xC05000, write=True, user=True)
    guest.edit(0xC05000, guest.entry(0xC05000, 2) & ~(U | W), level=2)
    guest.vm.access(0xC05000)
    scene = bits(guest.vm, 0xC05000)
    assert became(scene, 1) == became(scene, 2) == "1   differs"
    assert became(scene, 10) == "1   once allowed writing" and became(scene, 11) == "1   once allowed user access"
    assert not {("e:g:1", "e:s:1"), ("e:g:2", "e:s:2")} & edges(scene, "link")
    assert all("an entry above no longer allows it" in note and "(2007)" in note for note in scene.notes)
    assert len(scene.notes) == 2


def test_a_right_that_an_upper_level_gave_since():
    guest = Guest("64")
    guest.map(0x400000, flags=ALL | D, upper=P | U)
    guest.vm.access(0x400000)
    for level in (4, 3, 2):
        guest.vm.poke(guest.entry_gpa(0x400000, level), guest.entry(0x400000, level) | W)
    scene = bits(guest.vm, 0x400000)
    assert became(scene, 1) == "0   differs" and "or one above, didn't allow it" in scene.notes[0]
    assert scene.entry("e:s:10").says == "the guest didn't allow writing when the entry was made"


def test_w_is_taken_away_for_a_dirty_log():
    guest = Guest("64", slots=((0, 0x200, True),))
    guest.map(0x400000, flags=ALL | D)
    guest.vm.access(0x400000, write=True)
    guest.vm.dirty_log(0)
    assert why_not_writable(guest)[0] == "taken away later"


def test_the_kernel_writes_what_is_read_only_without_wp():
    guest = Guest("64", cr0=PG | PE)
    guest.map(0x400000, flags=P | U)
    guest.vm.access(0x400000, write=True)
    scene = bits(guest.vm, 0x400000)
    assert became(scene, 1) == "1   for the kernel" and became(scene, 2) == "0   withheld: kernel writes"
    # KVM set the guest's dirty bit but not its own copy
    assert became(scene, 6) == "0   differs" and "the first write" in scene.notes[-1]
    guest.vm.access(0x400000, user=True)
    assert became(bits(guest.vm, 0x400000), 2) == "1   copied"


def test_no_memory():
    guest = Guest("64")
    guest.map(0x400000, 0xFEE00, ALL | D)
    guest.vm.access(0x400000)
    scene = bits(guest.vm, 0x400000)
    assert became(scene, 0) == "0   taken away" and became(scene, 9) == "1   no memory (I/O)"
    assert became(scene, 12) == "I/O 0xfee00, as it is"
    assert scene.notes == ("bit 0 (P): there is no memory, so each access must fault and be emulated",)


def test_a_stale_entry_differs():
    guest = Guest("64")
    guest.map(0x400000, flags=ALL | D)
    guest.vm.access(0x400000, write=True)
    guest.vm.poke(guest.entry_gpa(0x400000), 0x77067 | G)
    scene = bits(guest.vm, 0x400000)
    assert became(scene, 8) == "0   differs" and became(scene, 12).endswith(" differs")
    assert ("e:g:12", "e:s:12") not in edges(scene, "link")
    assert any("the guest has changed its entry since" in note for note in scene.notes)


def test_links_allow_everything():
    guest = Guest("64")
    guest.map(0x400000, upper=P | U)
    guest.vm.access(0x400000)
    for level in (2, 3, 4):
        scene = bits(guest.vm, 0x400000, level)
        assert [became(scene, bit) for bit in (0, 1, 2)] == ["1   always, in a link"] * 3
        assert became(scene, 12).startswith("shadow page #")
        assert edges(scene, "link") == {("e:g:12", "e:s:12")}


def test_a_piece_of_a_large_page_comes_from_the_entry_above():
    vm = busy(accesses=5)
    vm.access(SELF)
    leaf, link = bits(vm, SELF), bits(vm, SELF, 2)
    assert leaf.table("e:g").title == link.table("e:g").title == "guest PD entry 48"
    assert leaf.entry("e:g:12").target == "2 MB at gfn 0x6000"
    assert became(leaf, 7) == "0   not copied"
    assert became(link, 9) == "1   large page below"


@pytest.mark.parametrize("name, gva", [("lin32_A", 0xC1400000), ("linpae_A", 0x804D000)])
def test_root_slots(name, gva):
    vm = busy(name, 5)
    vm.access(gva)
    scene = bits(vm, gva, 3)
    assert scene.table("e:s").title.startswith("root slot")
    assert became(scene, 0) == "1   always, in a link"
    words = {"lin32_A": ("its tables have 2 levels",), "linpae_A": (f"0x{vm.cpu.pdptrs[0]:016x}", "held in registers")}[name]
    assert scene.table("e:g").words == words


def test_what_is_not_there():
    guest = Guest("64")
    guest.map(0x400000)
    scene = bits(guest.vm, 0x400000)
    assert scene.table("e:s").words == ("the shadow ends at level 4",)
    scene = bits(guest.vm, 0x10000000000)
    assert scene.table("e:g").words == ("the walk ends at the PML4",)
    vm = Vm()
    vm.access(0x5000, write=True)
    scene = bits(vm, 0x5000)
    assert scene.table("e:g").words == ("the guest isn't paging",)
    assert became(scene, 1) == "1   always"
    vm.destroy()
    assert bits(vm, 0x5000).table("e:s").words == ("there is no root",)


def test_a_moment_marks_the_bits_that_changed():
    guest = Guest("64")
    guest.map(0x400000)
    guest.vm.access(0x400000)
    key = next(e for e, _ in edges(walk_scene(guest.vm, 0x400000), "readonly"))
    now = guest.vm.memory.words[256 + int(key.split(":")[1]) << 9 | int(key.split(":")[2])]
    scene = entry_bits_scene(guest.vm, 0x400000, 1, Marks({key: "changed"}, {key: now ^ W}))
    assert [entry.key for _, entry in scene.marked()] == ["e:s:1"]


# The walk


def fields(scene, side):
    return [(entry.index, entry.flags, entry.target) for entry in scene.table(f"w:{side}").entries]


@pytest.mark.parametrize("mode", PAGED)
def test_fields_select_entries(mode):
    guest = Guest(mode)
    guest.map(0x40403123 & ~0xFFF, flags=ALL | D)
    guest.vm.access(0x40403123)
    scene = walk_scene(guest.vm, 0x40403123)
    sound(scene)
    expected = {
        "64": [("47-39", "PML4", "0"), ("38-30", "PDPT", "1"), ("29-21", "PD", "2"), ("20-12", "PT", "3")],
        "pae": [("31-30", "PDPT", "1"), ("29-21", "PD", "2"), ("20-12", "PT", "3")],
        "32": [("31-22", "PD", "257"), ("21-12", "PT", "3")],
    }[mode]
    assert fields(scene, "guest") == [*expected, ("11-0", "offset", "0x123")]
    top = [("47-39", "L4", "0"), ("38-30", "L3", "1")] if mode == "64" else [("31-30", "root", "1")]
    assert fields(scene, "shadow") == [*top, ("29-21", "L2", "2"), ("20-12", "L1", "3"), ("11-0", "offset", "0x123")]
    # each field except the offset leads to the entry whose index it contains
    for source, target in edges(scene, "link"):
        assert scene.entry(source).target == scene.entry(target).index
    assert len(edges(scene, "link")) == len(expected) + len(top) + 2
    assert scene.table("w:guest").column > max(table.column for table in scene.tables if table.kind != "list")


def test_results_in_words():
    guest = Guest("64")
    frame = guest.map(0x400000, flags=ALL | D)
    scene = walk_scene(guest.vm, 0x400123)
    assert scene.table("w:guest").words == (f"guest: gpa {frame << 12 | 0x123:#x}",)
    assert scene.table("w:shadow").words == ("shadow: ends at L4: fault",)
    assert scene.notes[1].endswith("isn't present; an access faults, and the host takes over")
    guest.vm.access(0x400123)
    scene = walk_scene(guest.vm, 0x400123)
    hpa = guest.vm.memory.frames[frame] << 12 | 0x123
    assert scene.table("w:shadow").words == (f"shadow: hpa {hpa:#x}",)
    assert scene.notes[1].startswith(f"shadow tables: hpa {hpa:#x}, which is gpa {frame << 12 | 0x123:#x};")
    scene = walk_scene(guest.vm, 0x10000000)
    assert scene.table("w:guest").words == ("guest: ends in the PD: #PF",)
    assert "gives the guest #PF, error code 0x0 (not present)" in scene.notes[0]


def test_a_large_page_has_a_longer_offset():
    vm = busy(accesses=5)
    vm.access(SELF)
    scene = walk_scene(vm, SELF)
    assert fields(scene, "guest")[-2:] == [("29-21", "PD", "48"), ("20-0", "offset", "0x1c9e48")]
    assert fields(scene, "shadow")[-1] == ("11-0", "offset", "0xe48")


def test_a_device_and_no_paging():
    guest = Guest("64")
    guest.map(0x400000, 0xFEE00, ALL | D)
    guest.vm.access(0x400000)
    scene = walk_scene(guest.vm, 0x400000)
    assert scene.notes[0].endswith("gpa 0xfee00000; there is no memory, so the access is emulated")
    assert "says that there is no memory" in scene.notes[1]
    vm = Vm()
    assert fields(walk_scene(vm, 0x5123), "guest") == [("31-12", "gfn", "0x5"), ("11-0", "offset", "0x123")]
    vm.destroy()
    assert walk_scene(vm, 0x5123).table("w:shadow").words[0] == "shadow: no root"
