# SPDX-License-Identifier: GPL-2.0-only
"""With a fix, random operations keep the tables consistent, also those that break the code of 2007.

`tests.mmu.test_state_machine` runs random operations under conditions that the code of 2007 needs. Here each fix is installed,
and the conditions that it makes unnecessary are dropped.
"""

from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from kvmmmu_lab import HostCrash
from kvmmmu_lab.mmu.bits import LARGE, NX
from kvmmmu_lab.mmu.pool import MIN_FREE
from kvmmmu_lab.museum import crashes, exhibits, livelocks, permissions

from ..mmu import world
from ..mmu.guests import MODES, ON, WP, D, U, W, in_ram, oracle
from ..mmu.test_state_machine import ANY, KINDS, Clean, check_structures, guest_entries
from ..share import case, one_in


class Fixed(Clean):
    """A VM with a fix. ``fix``: its parts."""

    fix: ClassVar = {}

    def make(self):
        return world.make(**self.fix)

    def access(self, gva, kind, choice):
        """One access, compared with the oracle in its outcome and its address. A fixed host may emulate user writes, too."""
        write, user, fetch = map(bool, kind)
        reach = oracle(self.vm, gva, write, user, fetch)
        if not self.allowed(reach, write, user):
            return
        store = {}
        if write and reach.error is None:
            offset, value, size = world.allowed_store(self.vm, self.unaliased(reach.gpa), choice)
            gva, store = gva & ~0xFFF | offset, {"value": value, "size": size}
        access = self.vm.access(gva, write=write, user=user, fetch=fetch, **store)
        if reach.error is not None:
            assert access.outcome == "inject"
            return
        gpa = self.unaliased(reach.gpa) & ~0xFFF | gva & 0xFFF
        assert access.gpa is not None and self.unaliased(access.gpa) == gpa
        assert access.outcome in (("ok", "emul") if in_ram(self.vm, gpa >> 12) else ("mmio",))
        if store and access.outcome != "mmio":
            assert self.vm.peek(gpa, store["size"]) == store["value"]
        if gpa >> 12 not in reach.tables:
            self.accessed_and_dirty(gva, write and in_ram(self.vm, gpa >> 12))

    @rule(n=ANY, kind=KINDS, present=st.booleans())
    def fault(self, n, kind, present):
        """A spurious fault. Where rights are denied above a table that isn't there, the error code differs (2007)."""
        gva, (write, user, fetch) = self.gva(n), map(bool, kind)
        reach = oracle(self.vm, gva, write, user, fetch)
        assume(self.allowed(reach, write, user))
        self.vm.page_fault(gva, present | write << 1 | user << 2 | fetch << 4)
        assert bool(self.vm.injected) == (reach.error is not None)


class UserWrites(Fixed):
    """Without condition 3: user code may write live tables."""

    start, fix = "64", {"user_write": crashes.emulate_user_write}

    def allowed(self, reach, write, user):
        return super().allowed(reach, write, False)


class Unpaged(Fixed):
    """Without condition 6: without paging, the guest may access shadowed frames."""

    start, fix = "32", {"nonpaging_fault": permissions.nonpaging_zaps_first}

    def allowed(self, reach, write, user):
        return self.mode == "none" or super().allowed(reach, write, user)


class FewPages(Fixed):
    """Without condition 8: the context is reset while the pool is almost empty."""

    start, fix = "32", {"get_root": crashes.get_root}

    def room(self):
        pass

    @precondition(lambda self: self.mode == "32")
    @rule()
    def use_nearly_all(self):
        for gfn in world.SPARE:
            if len(self.vm.pool.free) >= MIN_FREE:
                assert self.vm.load_cr3(gfn << 12)


class RootsAnywhere(Fixed):
    """Without condition 2: CR3 may lead to an address without memory."""

    start, fix = "32", {"get_root": crashes.root_outside_memory}

    @rule(mode=st.sampled_from(["32", "64"]), gfn=st.sampled_from([0x60, 0x7F000]))
    def enter_outside_memory(self, mode, gfn):
        self.room()
        self.vm.set_registers(ON, gfn << 12, MODES[mode].cr4, MODES[mode].efer)

    def table_write(self, gpa, choice, how):
        if in_ram(self.vm, gpa >> 12):
            super().table_write(gpa, choice, how)


class SlotsChange(Fixed):
    """Without condition 5: a memory slot is deleted and added."""

    start, fix = "pae", {"change_slot": crashes.zap_before_change}

    @rule()
    def delete_or_add(self):
        self.vm.set_slot(1, 0x400, 0 if self.vm.memory.slots[1].npages else 0x20)


class WriteProtectOff(Fixed):
    """Without condition 1: the guest clears and sets CR0.WP."""

    start, fix = "64", {"fix_read": crashes.fix_read, "role": permissions.role_with_modes}

    @invariant()
    def structures_agree(self):
        check_structures(self.vm, wp=False)

    @precondition(lambda self: self.mode != "none")
    @rule()
    def toggle_wp(self):
        self.room()
        assert self.vm.load_cr0(self.vm.cpu.cr0 ^ WP)

    @precondition(lambda self: self.mode != "none")
    @rule(n=ANY, kinds=st.lists(KINDS, max_size=3))
    def use_a_read_only_page(self, n, kinds):
        """The kernel writes it with CR0.WP clear, user code reads it, and the kernel writes again with CR0.WP set."""
        readable = [gva for gva in world.GVAS[self.mode] if oracle(self.vm, gva, user=True).error is None]
        found = [gva for gva in readable if oracle(self.vm, gva, user=True, write=True).error is not None]
        if not found:
            return
        gva = found[n % len(found)]
        for wp in (0, WP):
            self.room()
            assert self.vm.load_cr0(self.vm.cpu.cr0 & ~WP | wp)
            for kind in ((1, 0, 0), *kinds, (0, 1, 0)):
                self.access(gva, kind, 0)


def all_rights(vm, gva, found, level):
    """Both fixes of `table_access` for inherited rights in one: W, U and NX of all entries above the table."""
    granted = permissions.granted_above(vm, gva, found, level)
    return granted >> 1 & 3 | (not granted & NX) << 2


class AnyRights(Fixed):
    """Without condition 9: entries above the last forbid writing, user access or execution."""

    start, fix = "64", {"table_access": all_rights, "set_spte": permissions.spte_with_inherited_nx}

    @rule(n=ANY, level=ANY, clear=st.sampled_from([0, W, U, W | U]), nx=st.booleans(), kinds=st.lists(ANY, max_size=4))
    def restrict(self, n, level, clear, nx, kinds):
        gva = self.gva(n)
        upper = [(at, entry) for at, entry in guest_entries(self.vm, gva) if at > 1]
        if not upper:
            return
        at, entry = upper[level % len(upper)]
        mode, tables = MODES[self.mode], oracle(self.vm, gva).tables
        gpa = tables[upper.index((at, entry))] << 12 | mode.index(gva, at) * mode.size
        wide = NX if nx and mode.size == 8 else 0
        assert self.vm.emulate_write_gpa(gpa, entry & ~(clear | NX) | wide, mode.size)
        for kind in kinds:
            self.access(gva, [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 1), (0, 1, 1)][kind % 6], kind)


class LargeDirty(Fixed):
    """The dirty bit of a large page is set by each first write."""

    start, fix = "pae", {"table_access": permissions.clean_access, "walk": permissions.walk_sets_dirty}

    def accessed_and_dirty(self, gva, written):
        super().accessed_and_dirty(gva, written)
        for level, entry in guest_entries(self.vm, gva):
            assert level != 2 or not entry & LARGE or not written or entry & D


class Quadrants(Fixed):
    """A write zaps only entries of its quadrant."""

    start, fix = "32", {"pre_write": livelocks.pre_write_in_quadrant}


class Flood(Fixed):
    """The count of writes is reset when an entry is made."""

    start, fix = "32", {"set_spte": livelocks.reset_flood_count}


class Pse36(Fixed):
    """The walk knows PSE-36."""

    start, fix = "32", {"walk": permissions.walk_with_pse36}


class LargeNx(Fixed):
    """NX of a large page is in its role."""

    start, fix = "pae", {"table_access": permissions.large_access_with_nx}


class Nx(Fixed):
    """NX is copied only while it has a meaning."""

    start, fix = "64", {"set_spte": permissions.spte_without_nx}


class Cr3(Fixed):
    """CR3 is checked before it is stored."""

    start, fix = "pae", {"set_register": crashes.check_cr3_first}

    @rule()
    def load_bad_cr3(self):
        before = self.vm.cpu.cr3
        assert not self.vm.load_cr3(crashes.NOWHERE)
        assert self.vm.cpu.cr3 == before


class Cr4(Fixed):
    """A refused CR4 changes nothing."""

    start, fix = "32", {"set_register": livelocks.restore_cr4}


class Efer(Fixed):
    """A load of EFER builds new roots."""

    start, fix = "64", {"set_register": permissions.reset_after_efer, "role": permissions.role_with_modes}

    @rule()
    def load_efer(self):
        self.room()
        assert self.vm.load_efer(self.vm.cpu.efer)


MACHINES = Fixed.__subclasses__()


def name_of(kind):
    return kind.__name__


def play(kind, examples, steps, **options):
    """Run random operations."""
    options |= {"deadline": None, "suppress_health_check": list(HealthCheck)}
    run_state_machine_as_test(kind, settings=settings(max_examples=examples, stateful_step_count=steps, **options))


@pytest.mark.parametrize("kind", MACHINES)
def test_random_operations_with_a_fix(kind):
    play(kind, 2, 20)


@pytest.mark.slow
@pytest.mark.parametrize("kind", one_in(9, MACHINES, name_of, pytest.mark.whole))
def test_many_random_operations_with_a_fix(kind):
    play(kind, 100, 30)


def test_every_part_of_every_fix_is_run():
    run = {part for kind in MACHINES for part in kind.fix.values()}
    fixes = {part for one in exhibits() for part in one.fix.values()}
    replaced = {permissions.inherited_access, permissions.access_with_inherited_nx}  # all_rights is both in one
    assert fixes - run == replaced


DROPPED = [UserWrites, Unpaged, FewPages, RootsAnywhere, SlotsChange, WriteProtectOff, AnyRights, LargeDirty, Cr3]
"""The machines whose operations break the code of 2007."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", [case(one, one is not LargeDirty, name_of, pytest.mark.whole) for one in DROPPED])
def test_without_the_fix_the_same_operations_find_the_fault(kind):
    with pytest.raises((AssertionError, HostCrash)):
        only_find = {"phases": [Phase.generate], "report_multiple_bugs": False, "database": None}
        play(type(f"{kind.__name__}Of2007", (kind,), {"fix": {}}), 20_000, 30, **only_find)  # 2,000 are enough
