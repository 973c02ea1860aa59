# SPDX-License-Identifier: GPL-2.0-only
"""The functions that draw: which arguments they accept and reject, and that they don't change the VM."""

from time import perf_counter

import numpy as np
import pytest

from kvmmmu_lab import HostCrash, InputError, open_guest
from kvmmmu_lab.draw import pictures
from kvmmmu_lab.draw.bit_row import ROW
from kvmmmu_lab.draw.page_tables import hierarchy_scene

from ..mmu import world
from ..mmu.guests import everything
from ..share import one_in
from .scenes import HEAP, busy, sound

CALLS = {
    "hierarchy": lambda vm: pictures.hierarchy(vm),
    "guest_tables": lambda vm: pictures.guest_tables(vm),
    "shadow_tables": lambda vm: pictures.shadow_tables(vm),
    "walk": lambda vm: pictures.walk(vm, 0x804D000),
    "entry_bits": lambda vm: pictures.entry_bits(vm, 0x804D000),
    "reverse_map": lambda vm: pictures.reverse_map(vm, 5),
    "who_maps": lambda vm: pictures.who_maps(vm, 5),
    "parent_chains": lambda vm: pictures.parent_chains(vm, next(iter(vm.pool.active)).id),
    "hash_bucket": lambda vm: pictures.hash_bucket(vm, 0x10, 0x14),
    "hash_table": lambda vm: pictures.hash_table(vm),
    "parent_graph": lambda vm: pictures.parent_graph(vm),
    "pool": lambda vm: pictures.pool(vm),
    "root_slots": lambda vm: pictures.root_slots(vm),
    "belt": lambda vm: pictures.belt(vm),
    "audit_counters": lambda vm: pictures.audit_counters(vm),
    "large_page": lambda vm: pictures.large_page(vm, 0x804D000),
    "guest_walk": lambda vm: pictures.guest_walk(vm, 0x804D000, user=True),
    "bit_row": lambda vm: pictures.bit_row(vm, 0x804D000),
    "memory_slots": lambda vm: pictures.memory_slots(vm),
}


@pytest.fixture(scope="module")
def lin64():
    return busy()


def test_these_are_all_of_them():
    assert set(CALLS) == set(pictures.__all__)


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
@pytest.mark.parametrize("name", one_in(2, ["lin64_A", "linpae_A", "lin32_A", "lin64_early3_pg"]))
def test_every_kind_of_every_guest(name, call):
    vm = busy(name, 60)
    before, start = everything(vm), perf_counter()
    picture = call(vm)
    took = perf_counter() - start
    assert everything(vm) == before
    assert sound(picture.scene) == str(picture)
    assert took < 0.5
    boxes_of_bits = 2 * len(ROW) if call is CALLS["bit_row"] else 0
    assert len(picture.scene.tables) <= 13 + boxes_of_bits


@pytest.mark.parametrize("mode", world.GVAS)
def test_every_kind_of_a_world_with_odd_tables(mode):
    vm = world.make()
    world.enter(vm, mode)
    for gva in world.GVAS[mode][::3]:
        vm.access(gva, write=True)
    before = everything(vm)
    for gva in world.GVAS[mode][::5]:
        for picture in (pictures.hierarchy(vm, gva), pictures.walk(vm, gva), pictures.entry_bits(vm, gva, 2)):
            sound(picture.scene)
    for gfn in (*world.TABLES, 0x30, 0x400, world.ALIAS, 0xFEE00):
        sound(pictures.reverse_map(vm, gfn).scene)
        sound(pictures.who_maps(vm, gfn).scene)
        sound(pictures.hash_table(vm, gfn).scene)
        sound(pictures.hash_bucket(vm, gfn).scene)
    for page in vm.pool.active:
        sound(pictures.parent_chains(vm, page.id).scene)
        sound(pictures.parent_graph(vm, page.id).scene)
    for call in CALLS.values():
        sound(call(vm).scene)
    assert everything(vm) == before


def test_addresses_in_focus(lin64):
    assert pictures.hierarchy(lin64, HEAP).scene == hierarchy_scene(lin64, [HEAP])
    assert pictures.hierarchy(lin64, np.uint64(HEAP)).scene == hierarchy_scene(lin64, [HEAP])
    assert len(pictures.hierarchy(lin64, HEAP, limit=20, fold=3).scene.tables) > 9


@pytest.mark.parametrize(
    "call, argument",
    [
        *((lambda vm, f=f, gva=gva: f(vm, gva), "gva")
          for f in (pictures.hierarchy, pictures.guest_tables, pictures.shadow_tables, pictures.walk, pictures.entry_bits)
          for gva in (1 << 47, -1, 1 << 64, "0x1000", None, True, 1.0)),
        *((lambda vm, f=f, gfn=gfn: f(vm, gfn), "gfn")
          for f in (pictures.reverse_map, pictures.who_maps, pictures.hash_table, pictures.hash_bucket)
          for gfn in (-1, 1 << 52, "5", True, [])),
        *((lambda vm, id=id: pictures.parent_graph(vm, id), "page_id") for id in (-1, 256, 0, "248", True)),
        *((lambda vm, id=id: pictures.parent_chains(vm, id), "page_id") for id in (-1, 256, 0, "248", None, True)),
        *((lambda vm, role=role: pictures.hash_bucket(vm, 5, role), "role") for role in (-1, 1 << 19, "0x14", True, [])),
        *((lambda vm, level=level: pictures.entry_bits(vm, HEAP, level), "level") for level in (0, 5, "1", None, True)),
        *((lambda vm, name=name, n=n: pictures.guest_tables(vm, **{name: n}), name)
          for name, n in (("limit", 0), ("limit", "12"), ("limit", True), ("depth", 0), ("depth", -1), ("fold", -1))),
        *((lambda vm, f=f: f(vm, limit=0), "limit")
          for f in (pictures.pool, pictures.belt, pictures.memory_slots, pictures.hash_table)),
        *((lambda vm, f=f: f(None), "vm") for f in (pictures.pool, pictures.hierarchy, pictures.memory_slots)),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_nothing_changes(lin64, call, argument):
    before = everything(lin64)
    with pytest.raises(InputError) as refusal:
        call(lin64)
    assert refusal.value.argument == argument
    assert everything(lin64) == before


def test_a_32_bit_guest_has_no_long_addresses_and_three_levels():
    vm = open_guest("lin32_A").vm()
    with pytest.raises(InputError, match="below"):
        pictures.walk(vm, 1 << 32)
    with pytest.raises(InputError, match="level"):
        pictures.entry_bits(vm, 0, 4)


def test_a_crashed_vm_can_be_looked_at():
    vm = busy(accesses=20)
    with pytest.raises(HostCrash):
        vm.set_registers(vm.cpu.cr0, 0x7FFFF000000, vm.cpu.cr4, vm.cpu.efer)
    assert vm.dead
    for call in CALLS.values():
        sound(call(vm).scene)


def test_a_destroyed_vm_can_be_looked_at():
    vm = busy("linpae_A", 20)
    vm.destroy()
    for name, call in CALLS.items():
        if name != "parent_chains":
            sound(call(vm).scene)
