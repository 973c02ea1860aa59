# SPDX-License-Identifier: GPL-2.0-only
"""The flow chart of a page fault: in a film, the part that runs is lit, and the trees above change with it."""

import pytest

from kvmmmu_lab import InputError, open_guest
from kvmmmu_lab.draw import fault_flow as flow
from kvmmmu_lab.draw.page_tables import hierarchy_scene
from kvmmmu_lab.draw.room import SLIDE
from kvmmmu_lab.draw.scene import Marks, check
from kvmmmu_lab.labs import Builder, fault_flow, watch, watch_fault
from kvmmmu_lab.labs.guests import GuestTable
from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import PRESENT, USER, WRITABLE

HEAP = 0x343C6000


def lit(film):
    """Return the rows of the chart that are lit, without repetitions."""
    found = []
    for step in film.steps:
        rows = [row.flags for table in step.scene.tables for row in table.entries if row.key[0] == "q" and row.mark]
        assert len(rows) <= 1
        boxes = [table.key for table in step.scene.tables if table.key[0] == "q" and table.mark]
        assert len(boxes) == len(rows), "the box of a lit row is lit, too"
        found += rows if rows != found[-1:] else []
    return found


def film(mode, preset, **access):
    table = GuestTable(mode, preset)
    vm = table.vm()
    return watch_fault(lambda: vm.access(table.gva, **access), vm, table.gva)


FILL = ["take a page", "link it"]
PARTS = {
    ("all allowed", False): ["make the spte", "run it again", "shadow walk"],
    ("not dirty", True): ["make the spte", "write: W and D", "run it again", "shadow walk"],
    ("its own page table", True): ["make the spte", "table, device", "read entries", "emulate it"],
    ("device", False): ["make the spte", "read entries", "emulate it"],
}


@pytest.mark.parametrize("mode", ["64", "pae", "32", "32 pse"])
@pytest.mark.parametrize(("preset", "write"), PARTS)
def test_a_hidden_fault_goes_from_left_to_right(mode, preset, write):
    found = lit(film(mode, preset, write=write))
    start = ["shadow walk", "host takes over", "read entries"]
    assert found[:3] == start and [row for row in found[3:] if row not in FILL] == PARTS[preset, write]
    assert found[3 : 3 + len(FILL)] == FILL


@pytest.mark.parametrize("mode", ["64", "pae", "32", "32 pse"])
def test_a_true_fault_leaves_the_chart_after_the_walk(mode):
    found = lit(film(mode, "not present", user=True))
    assert found == ["shadow walk", "host takes over", "read entries", "guest gets #PF"]


def test_a_refused_write_is_lit_each_time():
    """The 2007 kernel lets the guest try again although nothing changed."""
    guest = Builder()
    guest.map(0x1000, flags=PRESENT | WRITABLE | USER)
    link = guest.vm.peek(guest.entry_gpa(0x1000, 2))
    guest.vm.poke(guest.entry_gpa(0x201000, 2), link & ~WRITABLE)
    vm = guest.start()
    vm.access(0x201000)
    stuck = watch_fault(lambda: vm.access(0x1000, write=True), vm, 0x1000, 0x201000)
    assert stuck.result.outcome == "stuck"
    assert lit(stuck)[-5:] == ["host takes over", "read entries", "no change", "run it again", "shadow walk"]


def test_every_scene_is_sound_and_has_the_trees():
    vm = open_guest("lin64_A").vm()
    moving = watch_fault(lambda: vm.access(HEAP, user=True), vm, HEAP)
    for step in moving.steps:
        check(step.scene)
    last = moving.steps[-1].scene
    trees = hierarchy_scene(vm, [HEAP])
    assert {table.key for table in trees.tables} <= {table.key for table in last.tables}
    assert [table.title for table in last.of("list")] == [title for title, _, _ in flow.BOXES.values()]


def test_a_new_page_stays_in_the_picture_before_it_is_linked():
    vm = open_guest("lin64_A").vm()
    moving = watch_fault(lambda: vm.access(HEAP, user=True), vm, HEAP)
    counts = [len(step.scene.of("shadow")) for step in moving.steps]
    assert counts == sorted(counts) and counts[-1] == 4


def test_marks_say_what_runs():
    vm = open_guest("lin64_A").vm()
    seen = []

    def draw(machine, marks):
        seen.append(marks.running)
        return hierarchy_scene(machine, [HEAP], marks)

    _ = watch(lambda: vm.access(HEAP, user=True), vm, draw=draw)
    assert seen[0] == () and seen[1] == ("access",)
    assert ("alloc_page", "get_page", "fetch", "page_fault", "access") in seen
    assert ("end", "0", "page_fault", "access") in seen


def test_every_part_is_a_row_and_every_kind_an_event():
    rows = {row.key for table in flow.chart().tables for row in table.entries}
    assert {*flow.PARTS.values(), *flow.ENDS.values()} <= rows
    assert {*flow.PARTS, *(kind for kind, _ in flow.ENDS)} <= ev.KINDS.keys()
    assert flow.running_part(()) is flow.running_part(("flush_tlb",)) is flow.running_part(("end", "None", "walk")) is None


def test_it_fits_a_slide_with_nothing_folded():
    vm = open_guest("lin64_A").vm()
    moving = watch_fault(lambda: vm.access(HEAP, user=True), vm, HEAP)
    for picture in (moving.picture(9), fault_flow()):
        fitted = picture.fitted(SLIDE)
        assert fitted.scale >= 1 and fitted.folded == ()


def test_alone_or_with_a_machine():
    assert [table.kind for table in fault_flow().scene.tables] == ["list"] * 5
    assert "walk the guest" in str(fault_flow()) and "take a page" in str(fault_flow())
    vm = open_guest("lin64_A").vm()
    assert fault_flow(vm, HEAP).scene.title == hierarchy_scene(vm, [HEAP]).title
    assert flow.FaultFlow([0x1000])(GuestTable("none").vm(), Marks()).notes == (flow.UNPAGED,)


def test_impossible_arguments():
    vm = open_guest("lin64_A").vm()
    with pytest.raises(InputError):
        fault_flow(vm, -1)
    with pytest.raises(InputError):
        watch_fault(lambda: None, "vm")
