# SPDX-License-Identifier: GPL-2.0-only
"""Steps, how they nest and how to find them; the machine at a step compared with a live one."""

import sys

import pytest

from kvmmmu_lab import HostCrash, InputError, Vm, VmDead, load_recording, open_guest, record
from kvmmmu_lab.draw.page_tables import hierarchy_scene
from kvmmmu_lab.inspect.dump import state
from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.rmap import ReverseMap
from kvmmmu_lab.recording.narration import TAGS

GVA = 0x343C9000
LEAF = "#248:457"


@pytest.fixture(scope="module")
def recording():
    """The first fault of a program, and then a write to the entry by its kernel."""
    vm = open_guest("lin64_A").vm()
    with record(vm) as recording:
        vm.access(GVA, user=True)
        vm.emulate_write_gpa(0x61C9E48, 0, 8)
        vm.poke(0x5000, 1)
    return recording


def test_a_recording_is_a_sequence_of_steps(recording):
    steps = list(recording)
    assert len(steps) == len(recording) and [step.number for step in steps] == [*range(len(steps))]
    assert (steps[0].words, steps[0].event, steps[0].place) == ("Before the first step.", None, "")
    assert recording[-1] == steps[-1]
    made = next(step for step in steps if step.event and step.event.name == "make_spte")
    assert made.place == "set_pte_common(), mmu.c:954-1000" and LEAF in made.words
    (change,) = made.changes
    assert (change.key, change.name, change.size, change.old) == ("s:248:457", LEAF, 8, 0)
    assert change.new == recording.at(made.number).memory.words[change.hpa >> 3]
    assert recording.at(made.number - 1).memory.words[change.hpa >> 3] == 0
    assert str(made).startswith(f"{made.number:>4}")


def test_steps_nest_as_calls_do(recording):
    for step in recording:
        chain = []
        while step is not None:
            chain.append(step.depth)
            step = None if step.parent is None or step.event.name == "end" else recording[step.parent]
        assert chain[-1] == 0 or chain == sorted(chain, reverse=True)
    protect = next(step for step in recording if step.event and step.event.name == "write_protect")
    path = []
    step = protect
    while step.parent is not None:
        step = recording[step.parent]
        path.append(step.event.name)
    assert path == ["get_page", "fetch", "page_fault", "access"]


def test_stepping_over_and_out(recording):
    fault = next(step for step in recording if step.event and step.event.name == "page_fault")
    after = recording.over(fault.number)
    assert recording[after].depth == fault.depth and after > fault.number + 20
    inside = fault.number + 2
    assert recording[recording.out(inside)].depth < recording[inside].depth
    assert recording.out(1) == recording.over(len(recording) - 1) == len(recording) - 1
    assert recording.over(0) == 1


def test_each_call_of_the_vm_is_an_operation(recording):
    names = [recording[first].event.name for first, _ in recording.operations()]
    assert names == ["access", "emulated_write", "poke"]
    assert "3 operations" in repr(recording)


def test_search_and_filters(recording):
    (zapped,) = recording.find("the SHADOW entry #248:457, which led")
    assert recording[zapped].event.name == "zap_spte"
    assert recording.where(spte=LEAF) == [recording.where(kind="make_spte")[0], zapped]
    assert recording.where(spte=LEAF, tag="zap") == [zapped]
    assert [recording[k].event.name for k in recording.where(tag="rmap")] == ["rmap_add", "rmap_remove"]
    concerned = {recording[k].event.name for k in recording.where(gfn=0x61C9)}
    assert {"guest_read", "alloc_page", "emulated_store"} <= concerned
    assert all(recording.where(tag=tag) is not None for tag in TAGS)


@pytest.mark.parametrize(
    "ask",
    [
        lambda r: r[len(r)],
        lambda r: r.at(-len(r) - 1),
        lambda r: r.at(True),
        lambda r: r.at("3"),
        lambda r: r.find(""),
        lambda r: r.where(kind="nothing"),
        lambda r: r.where(tag="nothing"),
        lambda r: r.where(spte="#256:0"),
        lambda r: r.where(gfn=-1),
    ],
)
def test_impossible_arguments_are_refused(recording, ask):
    with pytest.raises(InputError):
        ask(recording)


def test_a_moment_can_be_read_like_a_vm_but_not_operated(recording):
    early, late = recording.at(0), recording.at(-1)
    assert [state(early)["mmu"][3], state(late)["mmu"][3], state(early)["mmu"][3]] == [251, 248, 251]
    assert len(hierarchy_scene(early, [GVA]).of("shadow")) == 1 and len(hierarchy_scene(late, [GVA]).of("shadow")) == 4
    with pytest.raises(VmDead, match="moment of a recording"):
        late.access(GVA)


def test_a_recording_does_not_change_when_the_live_machine_runs_on():
    vm = open_guest("lin64_A").vm()
    with record(vm) as recording:
        vm.access(GVA, user=True)
        during = recording.at(-1).pool.free[-1].id
    then = state(recording.at(-1))
    assert then == state(vm) and during == then["free"][0]
    vm.zap_all()
    assert state(recording.at(-1)) == then != state(vm)


def test_memory_added_during_recording_is_there():
    vm = Vm()
    with record(vm) as recording:
        vm.set_slot(1, 0x1000, 4)
        vm.poke(0x1000000, 7)
    assert recording.at(-1).memory.words[recording.at(-1).memory.frames[0x1000] << 9] == 7
    assert recording.at(0).memory.frames[0x1000] is None


def test_a_crash_is_recorded_with_the_steps_that_led_to_it(tmp_path):
    vm = Vm()
    with pytest.raises(HostCrash), record(vm) as recording:
        vm.set_registers(0x80010001, 1 << 40, 0x20, 0x500)
    assert recording[-1].event.name == "host_crash" and recording[-1].tags == ("crash",)
    assert isinstance(recording.error, HostCrash)
    assert len(load_recording(recording.save(tmp_path / "crash.npz"))) == len(recording)


def test_a_second_sink_and_an_argument_that_is_no_vm_are_refused():
    vm = Vm()
    with record(vm), pytest.raises(InputError, match="sink"), record(vm):
        pass
    assert vm.emit is None
    with pytest.raises(InputError, match="vm"):
        record(3)
    recorder = record(vm)
    with recorder, pytest.raises(InputError, match="already recording"):
        recorder.__enter__()


class MyMap:
    """A reverse map as a learner might write it: a dict of lists."""

    def __init__(self, vm):
        self.vm, self.of = vm, {}

    def _hfn(self, spte):
        entry = self.vm.memory.words[spte]
        return (entry & 0xFFFFFFFFFF000) >> 12 if entry & 3 == 3 else None

    def add(self, spte):
        if (hfn := self._hfn(spte)) is not None:
            self.of.setdefault(hfn, []).append(spte)

    def remove(self, spte):
        if (hfn := self._hfn(spte)) is not None:
            self.of[hfn].remove(spte)
            if not self.of[hfn]:
                del self.of[hfn]

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in self.of.pop(hfn, []):
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~2, ev.PROTECT_SPTE)

    def sptes(self, hfn):
        return self.of.get(hfn, [])

    def frames(self):
        return list(self.of)


def test_a_replaced_reverse_map_is_recorded_by_reading_it(tmp_path):
    guest = open_guest("lin32_A")
    vm = guest.vm(rmap=MyMap)
    seen = []
    with record(vm) as recording:
        for gva in guest.tlb_gva[guest.tlb_flags & 3 == 3][:12].tolist():
            vm.access(gva, write=True, user=True)
            seen.append((len(recording) - 1, {hfn: list(sptes) for hfn, sptes in vm.rmap.of.items()}))
    assert seen[-1][1]
    for again in (recording, load_recording(recording.save(tmp_path / "mine.npz"))):
        for step, then in seen:
            assert {hfn: again.at(step).rmap.sptes(hfn) for hfn in again.at(step).rmap.frames()} == then


class Upside(ReverseMap):
    """Derived from the kernel's own, but with the newest entry first and without events for additions."""

    def add(self, spte):
        emit, self.vm.emit = self.vm.emit, None
        super().add(spte)
        self.vm.emit = emit

    def sptes(self, hfn):
        return super().sptes(hfn)[::-1]


class Unreadable(MyMap):
    """A reverse map whose sptes can't be read."""

    def sptes(self, hfn):
        raise LookupError(hfn)


def busy(vm, guest, n=12):
    for gva in guest.tlb_gva[guest.tlb_flags & 3 == 3][:n].tolist():
        vm.access(gva, write=True, user=True)


def test_a_part_derived_from_the_kernels_own_is_also_read():
    guest = open_guest("lin32_A")
    with record(vm := guest.vm(rmap=Upside)) as recording:
        busy(vm, guest)
    assert isinstance(vm.rmap, Upside), "the part is back in its place"
    now = recording.at(-1)
    assert {hfn: now.rmap.sptes(hfn) for hfn in now.rmap.frames()} == {hfn: vm.rmap.sptes(hfn) for hfn in vm.rmap.frames()}


def test_recording_does_not_stop_a_machine_whose_part_cannot_be_read():
    guest = open_guest("lin32_A")
    with record(vm := guest.vm(rmap=Unreadable)) as recording:
        busy(vm, guest)
    assert vm.dead is None and recording.at(-1).rmap.frames() == []


def test_a_replaced_part_costs_no_more_to_record_than_the_kernels_own():
    guest = open_guest("lin32_A")
    with record(vm := guest.vm(rmap=MyMap)) as recording:
        busy(vm, guest, 300)
    assert len(recording.tape.samples["rmaps"][0]) < len(recording) / 4


def test_memory_added_between_two_reads_of_a_running_recording_is_there(tmp_path):
    vm = Vm()
    with record(vm) as recording:
        vm.poke(0x5000, 1)
        assert recording.at(-1).memory.frames[0x5000] is None
        vm.set_slot(2, 0x5000, 16)
        vm.poke(0x5000000, 7)
        moment = recording.at(-1)
        assert moment.memory.words[moment.memory.frames[0x5000] << 9] == 7
        loaded = load_recording(recording.save(tmp_path / "running.npz"))
    assert loaded.at(-1).peek is not None and loaded.at(-1).memory.words[vm.memory.frames[0x5000] << 9] == 7


def test_an_audit_does_not_change_a_moment(recording):
    before = state(recording.at(-1))
    assert recording.at(-1).audit() == []
    assert state(recording.at(-1)) == before


def test_stepping_out_at_the_end_of_an_operation_leaves_the_enclosing_one(recording):
    ends = [step.number for step in recording if step.event and step.event.name == "end" and step.depth]
    assert ends and all(recording.out(end) > end for end in ends)


def test_an_event_of_a_kind_that_a_part_defines_has_a_sentence():
    mine = ev.Kind("my_spte", "mine", "here", "hpa size old new")
    del ev.KINDS["my_spte"]
    vm = Vm(set_spte=lambda vm, spte, entry, rights, gpa, gfn: vm.memory.put(spte, 0, mine))
    with record(vm) as recording:
        vm.memory.put(256 << 9, 5, mine)
    assert "changes from" in recording[1].words and recording.find("my_spte") == [1]


def test_the_result_of_an_operation_is_not_shared_with_the_recording():
    vm = Vm([(0, 16, True)])
    with record(vm) as recording:
        vm.access(0x1000, write=True)
        vm.dirty_log(0).append(99)
    assert "99" not in recording[-1].words


def test_a_step_costs_less_than_a_kilobyte():
    vm = open_guest("lin64_A").vm()
    with record(vm) as recording:
        for gva in open_guest("lin64_A").tlb_gva[:500].tolist():
            vm.access(gva)
    tape = recording.tape
    numbers = sum(sys.getsizeof(item) for item in tape.items if type(item) is int and item > 256)
    lists = sum(map(sys.getsizeof, (tape.items, tape.bounds, tape.changes, tape.moves)))
    kept = sum(sys.getsizeof(value) + 16 for _, values in tape.samples.values() for value in values)
    assert (numbers + lists + kept + sum(len(frame) for _, frame in tape.keyframes)) / len(recording) < 400
