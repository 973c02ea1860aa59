# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of the host's walk of the guest's tables: each check in its order, accessed bits, and the result."""

import pytest

from kvmmmu_lab.draw.guest_walk import RESULT, checks_key, guest_walk_scene
from kvmmmu_lab.draw.pictures import Picture, guest_walk
from kvmmmu_lab.draw.room import SLIDE
from kvmmmu_lab.draw.scene import check, scene_data, scene_of
from kvmmmu_lab.draw.text import alternative
from kvmmmu_lab.inspect.refusal import Request
from kvmmmu_lab.labs.guests import Builder
from kvmmmu_lab.labs.watch import watch_guest_walk
from kvmmmu_lab.mmu.bits import ACCESSED, CR0_WP, EFER_NX, LARGE, MODES, NX, PRESENT, USER, WRITABLE

from ..mmu.guests import everything
from .scenes import sound

GVA = 0x40605123
PAGING = [name for name, mode in MODES.items() if mode.levels]
ACCESSES = [
    {},
    {"write": True},
    {"user": True},
    {"user": True, "write": True},
    {"fetch": True},
    {"user": True, "fetch": True},
]


def guest(mode="64", flags=PRESENT | WRITABLE | USER, **entries):
    """A guest whose entries have no accessed bits. ``entries``: bits to be flipped in the entry of a level, as ``l2=USER``."""
    made = Builder(mode)
    made.map(GVA, flags=flags)
    size = made.mode.format.size
    for level in range(1, made.mode.levels + 1):
        at = made.entry_gpa(GVA, level)
        made.vm.poke(at, made.vm.peek(at, size) & ~ACCESSED ^ entries.get(f"l{level}", 0), size)
    made.start()
    return made


def scene_for(made, **access):
    before = everything(made.vm)
    scene = guest_walk_scene(made.vm, Request(GVA, **access))
    sound(scene)
    check(scene)
    assert scene_of(scene_data(scene)).tables and everything(made.vm) == before
    return scene


def verdicts(scene, level):
    return {row.index: row.target for row in scene.table(checks_key(level)).entries}


@pytest.mark.parametrize("mode", PAGING)
def test_a_walk_that_succeeds(mode):
    made = guest(mode)
    scene = scene_for(made, write=True, user=True)
    for level in range(1, made.mode.levels + 1):
        found = verdicts(scene, level)
        if mode == "pae" and level == 3:
            assert found == {"P": "ok"}
            continue
        no_execute = {} if made.mode.format.size == 4 else {"NX": "-"}
        assert found == {"P": "ok", "W": "ok", "U": "ok", **no_execute, "A": "to set", "=": ""}
        assert list(found) == ["P", "W", "U", *no_execute, "A", "="]
    assert scene.table(RESULT).words[0] == f"gpa {made.vm.gva_to_gpa(GVA):#x}"
    assert "a processor would come to the same result" in scene.notes


@pytest.mark.parametrize("access", ACCESSES)
@pytest.mark.parametrize(
    "flips", [{}, {"l1": USER}, {"l2": WRITABLE}, {"l2": USER, "l1": PRESENT}, {"l1": PRESENT}, {"l2": NX}]
)
@pytest.mark.parametrize("mode", PAGING)
def test_the_result_is_what_the_engine_does(mode, flips, access):
    if mode.startswith("32"):
        flips = {level: bits & 0xFFFFFFFF for level, bits in flips.items()}
    made = guest(mode, **flips)
    said = scene_for(made, **access).table(RESULT).words[0]
    got = made.vm.access(GVA, **access)
    assert said == (f"gpa {got.gpa:#x}" if got.error is None else f"error code {got.error:#x}")


def test_the_first_check_that_fails_stops_the_walk():
    made = guest(l3=USER, l1=PRESENT)
    scene = scene_for(made, user=True, write=True)
    assert verdicts(scene, 4)["A"] == "to set"
    assert verdicts(scene, 3) == {"P": "ok", "W": "ok", "U": "refused", "NX": "", "A": "stays 0", "=": ""}
    assert scene.entry(checks_key(3).entry(2)).mark == "read"
    for level in (2, 1):
        table = scene.table(checks_key(level))
        assert not any(row.flags or row.target for row in table.entries)
    result = scene.table(RESULT)
    assert result.words[0] == "error code 0x7"
    assert [(row.index, row.flags, row.target) for row in result.entries] == [
        ("P", "1", "refused"),
        ("W", "1", "write"),
        ("U", "1", "user code"),
        ("I", "0", "no fetch"),
    ]
    assert "a processor would say error code 0x6" in scene.notes


def test_wp_and_nx_decide_what_is_asked():
    made = guest(l1=WRITABLE | NX)
    assert verdicts(scene_for(made, write=True), 1)["W"] == "refused"
    assert verdicts(scene_for(made, fetch=True), 1)["NX"] == "refused"
    cpu = made.vm.cpu
    made.vm.set_registers(cpu.cr0 & ~CR0_WP, cpu.cr3, cpu.cr4, cpu.efer & ~EFER_NX)
    found = verdicts(scene_for(made, write=True), 1)
    assert found["W"] == "WP off" and found["NX"] == "-"
    assert verdicts(scene_for(made, write=True, user=True), 1)["W"] == "refused"
    assert verdicts(scene_for(made, fetch=True), 1)["NX"] == "NX off"


def test_rights_accumulate():
    made = guest(l3=WRITABLE, l2=USER)
    scene = scene_for(made)
    rights = [scene.table(checks_key(level)).entries[-1].flags for level in (4, 3, 2, 1)]
    assert rights == ["WU", ".U", "..", ".."]


@pytest.mark.parametrize("mode", ["64", "pae", "32 pse"])
def test_a_large_page_has_no_box_for_the_page_table(mode):
    made = Builder(mode)
    made.map(0x40000000, 0x400, large=True)
    vm = made.start()
    scene = guest_walk_scene(vm, Request(0x40005123, user=True))
    sound(scene)
    assert scene.table(checks_key(1)) is None and scene.table(RESULT).words[0] == "gpa 0x405123"


def test_without_paging_there_is_nothing_to_walk():
    made = guest()
    made.vm.load_cr0(1)
    scene = guest_walk_scene(made.vm, Request(0x5000))
    assert not scene.tables and scene.notes == ("the guest isn't paging: it has no tables, and a gva is a gpa",)


def test_a_missing_pdpte_is_found_in_a_register():
    made = guest("pae")
    made.vm.poke((made.root << 12) + 8, 0)
    assert made.vm.load_cr3(made.vm.cpu.cr3)
    film = watch_guest_walk(made.vm, GVA)
    assert film.result.outcome == "inject" and film.steps[-1].scene.table(RESULT).words[0] == "error code 0x0"
    assert guest_walk(made.vm, GVA).scene.table(checks_key(3)).entries[0].target == "missing"


def lit(step):
    """The levels whose accessed bit this step sets."""
    return [table.title.split()[-1] for table in step.scene.of("list") for row in table.entries if row.mark == "changed"]


@pytest.mark.parametrize("mode", PAGING)
def test_in_a_film_the_accessed_bits_light_up_from_the_root_down(mode):
    made = guest(mode)
    film = watch_guest_walk(made.vm, GVA, user=True, write=True)
    names = ["PML4", "PDPT", "PD", "PT"][-made.mode.levels :]
    assert [name for step in film.steps for name in lit(step)] == [name for name in names if mode != "pae" or name != "PDPT"]
    assert film.steps[0].scene.table(RESULT).words[0] == "not known yet"
    known = [step.scene.table(RESULT).words[0].startswith("gpa") for step in film.steps]
    assert known == sorted(known) and known[-1] and not known[1]
    (dirty,) = (step for step in film.steps if "sets the dirty bit" in step.words)
    assert [table.title for table, entry in dirty.scene.marked() if entry is not None] == ["PT"]
    assert film.result.outcome == "ok"


def test_a_film_of_a_refused_access_ends_with_its_error_code():
    made = guest(l2=USER)
    film = watch_guest_walk(made.vm, GVA, user=True)
    assert [name for step in film.steps for name in lit(step)] == ["PML4", "PDPT"]
    assert film.steps[-1].scene.table(RESULT).words[0] == "error code 0x5" and film.result.error == 5
    assert "made.vm" not in str(film) and not made.vm.peek(made.entry_gpa(GVA, 2)) & ACCESSED


def test_it_has_text_and_fits_a_slide():
    made = guest(l2=USER)
    picture = guest_walk(made.vm, GVA, user=True)
    assert "error code 0x5" in str(picture) and "the walk for a read by user code" in alternative(picture.scene)
    fitted = Picture(picture.scene).fitted(SLIDE)
    assert fitted.scale >= 1 and not fitted.folded
    assert made.vm.peek(made.entry_gpa(GVA, 2)) & LARGE == 0
