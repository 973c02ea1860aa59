# SPDX-License-Identifier: GPL-2.0-only
"""Parts can be replaced by different implementations; the rest of the VM works as before."""

import json

import pytest

from kvmmmu_lab import HostCrash, InputError, Vm, VmDead
from kvmmmu_lab.inspect.dump import state
from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.walk import Walk, walk_guest
from kvmmmu_lab.verify import FileReport
from kvmmmu_lab.verify.golden import ScenarioReplay, read_scenarios, verify_golden

from ..golden_files import GOLDEN
from ..share import one_in
from .guests import ALL, FRAME, PAGED, Guest, P, W, kinds, oracle

# Different implementations


class SetMap:
    """A reverse map that is a set of entries for each frame."""

    def __init__(self, vm):
        self.vm, self.sets = vm, {}

    def _frame(self, spte):
        entry = self.vm.memory.words[spte]
        return (entry & FRAME) >> 12 if entry & (P | W) == P | W else None

    def add(self, spte):
        if (hfn := self._frame(spte)) is not None:
            self.sets.setdefault(hfn, set()).add(spte)

    def remove(self, spte):
        if (hfn := self._frame(spte)) is not None:
            try:
                self.sets.get(hfn, set()).remove(spte)
            except KeyError:
                raise HostCrash("BUG", "rmap_remove", "here", f"no {spte}") from None
            if not self.sets[hfn]:
                del self.sets[hfn]

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        if hfn is None:
            raise HostCrash("BUG", "rmap_write_protect", "here", f"no {gfn}")
        for spte in sorted(self.sets.get(hfn, ())):
            if self._frame(spte) != hfn:
                raise HostCrash("BUG", "rmap_write_protect", "here", f"{spte} doesn't lead to the frame")
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~W, ev.PROTECT_SPTE)

    def sptes(self, hfn):
        return iter(self.sets.get(hfn, ()))

    def frames(self):
        return iter(self.sets)


class FlatParents:
    """Parents in one list of pairs for all pages, with nothing in the pages' headers."""

    def __init__(self, vm):
        self.pairs = []

    def add(self, page, spte):
        self.pairs.append((page.id, spte))

    def remove(self, page, spte):
        if (page.id, spte) not in self.pairs:
            raise HostCrash("BUG", "mmu_page_remove_parent_pte", "here", f"{page} has no parent {spte}")
        self.pairs.remove((page.id, spte))

    def first(self, page):
        return next(self.sptes(page), None)

    def sptes(self, page):
        return (spte for id, spte in self.pairs if id == page.id)


def scenarios(name):
    return [scenario for scenario in read_scenarios(GOLDEN / f"{name}.jsonl.gz")]


def shape(part, vm):
    """state() without the form of the parts, and without the caches, which another implementation may not need."""
    now = json.loads(json.dumps(state(vm)))
    del now["caches"]
    for row in now["rmap"]:
        row[1:] = [sorted(sum(row[2], []))]
    for page in now["pages"]:
        page[4:] = [page[5], sorted(sum(page[6], []))]
    return now


@pytest.mark.parametrize("name, index", [("rmap", 0), ("rmap", 3), ("l64", 1), ("p32", 2), ("hostile", 1), ("wpmix", 2)])
@pytest.mark.parametrize(
    "part", one_in(3, [{"rmap": SetMap, "parents": FlatParents}, {"rmap": SetMap}, {"parents": FlatParents}])
)
def test_part_of_a_golden_trace_with_other_structures(part, name, index):
    """Every result is the recorded one, and every state is that of the kernel's own structures, except for their form."""
    header, lines = scenarios(name)[index]
    report = FileReport(name, "golden trace")
    theirs, ours = (ScenarioReplay(header, report, False, make) for make in (Vm, lambda *a, **k: Vm(*a, **k, **part)))
    for line in [line for line in lines if line["t"] == "op"][:150]:
        results = []
        for replay in (theirs, ours):
            got = {}
            try:
                replay.apply(line["op"], got)
            except HostCrash as crash:
                got["crash"] = crash.kind, crash.function
            results.append(got)
        assert results[0] == results[1], line
        if "crash" in results[0]:
            break
        assert shape(part, ours.vm) == shape(part, theirs.vm), line
        ours.compare_result(line["op"]["op"], line["r"], results[1], "")
    assert report.difference_count == 0


def test_the_audits_work_with_other_structures():
    guest = Guest("64", rmap=SetMap, parents=FlatParents)
    table = guest.map(0x1000)
    guest.vm.access(0x1000, write=True)
    assert guest.vm.audit() == []
    guest.vm.pool.take(table, 4 | 1 << 4)
    assert kinds(guest.vm.audit()) == ["wp"]


@pytest.mark.parametrize("mode", PAGED)
def test_a_walk_without_side_effects_can_replace_the_kernels(mode):
    """With the oracle as the walk, the frames are the same, and accessed bits stay clear."""
    seen = []

    def walk(vm, gva, write, user, fetch):
        seen.append(gva)
        memory = vm.memory.pages.copy()
        result = walk_guest(vm, gva, write, user, fetch)
        vm.memory.pages[:] = memory
        assert (result.error is None) == (oracle(vm, gva, write, user, fetch).error is None)
        return result

    guest = Guest(mode, walk=walk)
    gfn = guest.map(0x1000)
    assert guest.vm.access(0x1000).gpa == gfn << 12
    assert guest.entry(0x1000) == gfn << 12 | ALL
    assert guest.vm.gva_to_gpa(0x1000) == gfn << 12
    assert guest.vm.access(0x9000).outcome == "inject"
    assert seen == [0x1000, 0x1000, 0x9000]


def test_a_walk_that_denies_everything():
    guest = Guest("64", walk=lambda vm, gva, write, user, fetch: Walk(4, [0] * 5, 0, 0, 0, 0))
    guest.map(0x1000)
    assert guest.vm.access(0x1000) == ("inject", None, 1, 0)


def test_a_set_spte_that_makes_no_entry_lets_the_guest_fault_forever():
    guest = Guest("64", set_spte=lambda vm, spte, guest_entry, rights, gpa, gfn: None)
    guest.map(0x1000)
    assert guest.vm.access(0x1000).outcome == "stuck"


# Parts with mistakes


def nothing(*_):
    pass


@pytest.mark.slow
def test_verify_notices_a_pre_write_that_does_nothing():
    report = FileReport("l64", "golden trace")
    verify_golden(GOLDEN / "l64.jsonl.gz", report, make_vm=lambda *a, **k: Vm(*a, **k, pre_write=nothing))
    assert report.difference_count > 100


def test_the_mapping_audit_notices_a_pre_write_that_does_nothing():
    guest = Guest("64", pre_write=nothing)
    guest.map(0x1000)
    guest.vm.access(0x1000)
    guest.edit(0x1000, 0)
    assert kinds(guest.vm.audit()) == ["map"]


class Broken(SetMap):
    def remove(self, spte):
        raise ZeroDivisionError("my mistake")


def broken(*_):
    raise ZeroDivisionError("my mistake")


BROKEN = {
    "rmap": ({"rmap": Broken}, lambda guest: guest.edit(0x1000, 0)),
    "parents": ({"parents": type("Broken", (FlatParents,), {"remove": broken})}, lambda guest: guest.vm.zap_all()),
    "walk": ({"walk": broken}, lambda guest: guest.vm.gva_to_gpa(0x1000)),
    "set_spte": ({"set_spte": broken}, lambda guest: guest.vm.access(0x1000)),
    "pre_write": ({"pre_write": broken}, lambda guest: guest.edit(0x1000, 0)),
}


@pytest.mark.parametrize("part", BROKEN)
def test_an_exception_in_a_part_is_passed_on_and_ends_the_vm(part):
    parts, act = BROKEN[part]
    guest = Guest("64", **parts)
    guest.map(0x1000)
    if part in ("rmap", "parents"):
        guest.vm.access(0x1000, write=True)
    with pytest.raises(ZeroDivisionError, match="my mistake"):
        act(guest)
    with pytest.raises(VmDead, match="my mistake"):
        guest.vm.access(0x1000)


def test_a_part_that_raises_an_input_error_ends_the_vm_too():
    """When the part raises the error, the state has already changed."""

    def confused(vm, gpa, size):
        raise InputError("gpa", gpa, "something else")

    guest = Guest("64", pre_write=confused)
    with pytest.raises(InputError):
        guest.vm.emulate_write_gpa(0x1000, 0, 1)
    with pytest.raises(VmDead):
        guest.vm.access(0x1000)


def test_parts_that_are_not_callable_are_refused_at_once():
    for part in ("rmap", "parents", "walk", "set_spte", "pre_write"):
        with pytest.raises(InputError, match=part):
            Vm(**{part: 5})


def test_calls_of_a_replaced_function_are_reported():
    guest = Guest("64", pre_write=nothing)
    events = []
    guest.vm.attach(events.append)
    guest.vm.emulate_write_gpa(0x1000, 0, 1)
    assert [event[0].name for event in events] == ["emulated_write", "pre_write", "end", "emulated_store", "end"]
