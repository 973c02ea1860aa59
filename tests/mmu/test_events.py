# SPDX-License-Identifier: GPL-2.0-only
import re

import numpy as np
import pytest
from hypothesis.stateful import invariant

from kvmmmu_lab import Event, HostCrash, InputError, Vm, describe
from kvmmmu_lab.inspect.dump import state
from kvmmmu_lab.mmu import events as ev

from . import world
from .guests import ALL, PAGED, A, D, Guest, P, everything
from .test_state_machine import Clean, machine


def names(events):
    return [event[0].name for event in events]


def watched(guest):
    events = []
    guest.vm.attach(events.append)
    return events


def test_a_read_fault_step_by_step():
    """All events of one fault, in order."""
    guest = Guest("pae")
    guest.map(0x1000)
    events = watched(guest)
    guest.vm.access(0x1000)
    assert names(events) == [
        "access",
        "hardware_read",
        "page_fault",
        "walk", "guest_read", "guest_accessed", "guest_read", "guest_accessed", "end",
        "fetch",
        "shadow_read", "get_page", "alloc_page", "parent_add", "write_protect", "end", "end", "link_table",
        "shadow_read", "set_spte", "make_spte", "slot_bit", "end",
        "end",
        "end",
        "hardware_read", "hardware_read",
        "end",
    ]  # fmt: skip


def test_the_first_write_makes_the_entry_writable():
    guest = Guest("64")
    gfn = guest.map(0x1000, flags=ALL | A)
    guest.vm.access(0x1000)
    events = watched(guest)
    guest.vm.access(0x1000, write=True)
    records = [describe(event) for event in events]
    (allow,) = [event for event in records if event.name == "allow_write"]
    assert allow.operands["old"] ^ allow.operands["new"] == 2
    (dirty,) = [event for event in records if event.name == "guest_dirty"]
    assert (dirty.operands["old"], dirty.operands["new"]) == (gfn << 12 | ALL | A, gfn << 12 | ALL | A | D)
    (add,) = [event for event in records if event.name == "rmap_add"]
    assert add.operands["form"] == "0->1"


def test_an_emulated_write_to_a_table():
    guest = Guest("64")
    guest.map(0x1000)
    guest.vm.access(0x1000)
    events = watched(guest)
    guest.edit(0x1000, 0)
    assert names(events) == ["emulated_write", "pre_write", "zap_spte", "end", "emulated_store", "end"]


def test_a_record_has_the_kernels_function_and_lines_and_the_operands_by_name():
    guest = Guest("64")
    events = watched(guest)
    guest.vm.access(0x5000, user=True)
    record = describe(next(event for event in events if event[0].name == "inject_page_fault"))
    assert record == Event("inject_page_fault", "inject_page_fault", "mmu.c:1002-1007", {"gva": 0x5000, "error": 4})
    assert str(record) == "inject_page_fault  gva=0x5000 error=0x4  [inject_page_fault mmu.c:1002-1007]"


def test_only_events_can_be_described():
    with pytest.raises(ValueError):
        describe((ev.FLUSH, 1))


@pytest.mark.parametrize("kind", ev.KINDS.values(), ids=repr)
def test_every_kind_names_its_function_and_source(kind):
    assert ev.KINDS[kind.name] is kind
    assert len(set(kind.operands)) == len(kind.operands)
    if kind not in (ev.END, ev.CRASH):
        assert re.fullmatch(
            r"(mmu\.c|paging_tmpl\.h):\d+(-\d+)?(, \d+(-\d+)?)*|kvm_main\.c|the processor|the test bench", kind.source
        )
        assert kind.function or not re.match("mmu|paging", kind.source)


def test_a_crash_is_the_last_event():
    guest = Guest("64")
    events = watched(guest)
    with pytest.raises(HostCrash) as crash:
        guest.start(root=0xFFFF)
    assert describe(events[-1]).operands == {
        "kind": "BUG",
        "function": "rmap_write_protect",
        "source": "mmu.c:420",
        "what": crash.value.what,
    }


def test_a_refused_call_reports_no_event():
    guest = Guest("64")
    events = watched(guest)
    for bad in (
        lambda vm: vm.access(-1),
        lambda vm: vm.poke(0, 256, 1),
        lambda vm: vm.set_slot(9, 0, 0),
        lambda vm: vm.load_cr0(-1),
    ):
        with pytest.raises(InputError):
            bad(guest.vm)
    assert events == []


def test_a_detached_sink_gets_no_more_events():
    vm = Vm()
    events = []
    detach = vm.attach(events.append)
    vm.access(0)
    before = len(events)
    detach()
    vm.access(0x1000)
    vm.free_some_pages()
    assert before == len(events) > 0


def test_a_sink_gets_the_changes_of_memory_that_is_added_while_it_is_attached():
    guest = Guest("64")
    events = watched(guest)
    guest.vm.set_slot(1, 0x800, 8)
    guest.vm.poke(0x800000, 1)
    assert names(events)[0] == "set_slot" and names(events)[-1] == "poke"


# The laws of events, for everything that the state machine does


def nesting(events):
    """The depth after each event; every `END` closes the innermost open operation."""
    depth = 0
    for event in events:
        depth += event[0].opens - (event[0] is ev.END)
        yield depth


class Copy:
    """A copy of all host memory, changed by events only."""

    def __init__(self, vm):
        self.bytes = bytearray(vm.memory.pages.tobytes())

    def change(self, event):
        kind, *operands = event
        values = dict(zip(kind.operands, operands, strict=True))
        if kind is ev.LOAD:
            self.bytes[values["hpa"] : values["hpa"] + 4096] = values["new"]
        elif "old" in values:
            size = values.get("size", 8)
            place = slice(values["hpa"], values["hpa"] + size)
            assert int.from_bytes(self.bytes[place], "little") == values["old"], event
            self.bytes[place] = values["new"].to_bytes(size, "little")


class Twins:
    """A VM with a sink and one without: every operation runs on both, and the results have to be the same."""

    def __init__(self):
        self.watched, self.plain = world.make(), world.make()
        self.events, self.copy = [], Copy(self.watched)
        self.watched.attach(self.events.append)

    def __getattr__(self, name):
        here, there = getattr(self.watched, name), getattr(self.plain, name)
        if name not in vars(Vm):
            return here

        def both(*arguments, **named):
            results = []
            for method in (here, there):
                try:
                    results.append(method(*arguments, **named))
                except InputError as error:
                    results.append(error)
            assert repr(results[0]) == repr(results[1])
            if isinstance(results[0], InputError):
                raise results[0]
            return results[0]

        return both


class Watched(Clean):
    make = Twins

    @invariant()
    def the_laws_of_events(self):
        events, copy = self.vm.events, self.vm.copy
        depths = list(nesting(events))
        assert min(depths, default=0) >= 0 and depths[-1:] in ([], [0]), "nesting is balanced"
        for event in events:
            assert type(event) is tuple and len(event) == 1 + len(event[0].operands)
            copy.change(event)
        events.clear()
        now = self.vm.watched.memory.pages
        assert np.array_equal(np.frombuffer(copy.bytes, now.dtype).reshape(now.shape), now), "every change is an event"
        assert everything(self.vm.watched) == everything(self.vm.plain), "a sink changes nothing"
        assert self.vm.watched.stats == self.vm.plain.stats


TestEventsFromNonpaging = machine("none", Watched, max_examples=4)
TestEventsFrom32Bit = machine("32", Watched, max_examples=4)
TestEventsFromPae = machine("pae", Watched, max_examples=4)
TestEventsFrom64Bit = machine("64", Watched, max_examples=4)


@pytest.mark.slow
@pytest.mark.whole
class TestLongEventsFromPae(machine("pae", Watched, max_examples=100)):
    pass


@pytest.mark.slow
class TestLongEventsFrom32Bit(machine("32", Watched, max_examples=100)):
    pass


@pytest.mark.parametrize("mode", PAGED)
def test_events_name_pages_by_their_id_and_entries_by_their_spte(mode):
    guest = Guest(mode)
    guest.map(0x1000)
    events = watched(guest)
    guest.vm.access(0x1000, write=True)
    ids = {id for id, *_ in state(guest.vm)["pages"]}
    for event in map(describe, events):
        if "page" in event.operands:
            assert event.operands["page"] in ids
        if "spte" in event.operands:
            assert event.operands["spte"] // 512 - 256 in ids
        if event.name in ("guest_read", "guest_accessed") and "entry" in event.operands:
            assert event.operands["entry"] & P
