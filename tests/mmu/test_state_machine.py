# SPDX-License-Identifier: GPL-2.0-only
"""All operations of a VM, in any order, under conditions that keep the tables of the code of 2007 correct.

The conditions:

1. CR0.WP is set while the guest pages;
2. roots lie in memory (CR3, the directories that PDPTEs name);
3. no user write goes to a live page table: one on the access's own path, or a root in use;
4. no PSE-36 bits;
5. no memory slot changes (aliases may: that zaps everything);
6. no access without paging reaches a frame that is shadowed;
7. page tables have one name: no alias of a frame that is a table;
8. a context is reset only with room for its roots in the pool.

For each of them, `test_condition_...` below shows what happens without it. Under these conditions the audits stay clean
and the invariants hold. One more condition is needed for every access to end where the guest's tables lead, since inherited
rights aren't in the role of a shadow page:

9. uniform rights: entries above the last allow everything and have no NX; CR4.PSE and EFER.NX stay as they are within a
   mode, and bit 63 is used only where EFER.NX is set; large pages have no NX.
"""

from collections import Counter

import pytest
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kvmmmu_lab import HostCrash, InputError
from kvmmmu_lab.inspect.dump import state

from . import world
from .guests import ALL, MODES, ON, PE, PG, A, D, Guest, P, U, W, everything, in_ram, kinds, oracle, unalias

ANY = st.integers(0, 1 << 20)
KINDS = st.sampled_from([(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 1), (0, 1, 1)])
BAD_CALLS = [
    lambda vm: vm.access(1 << 63),
    lambda vm: vm.access(0, write=True, fetch=True),
    lambda vm: vm.access(0xFFF, write=True, value=0, size=2),
    lambda vm: vm.emulate_write(0x1000, 256, 1),
    lambda vm: vm.emulate_write_gpa(-1, 0, 1),
    lambda vm: vm.page_fault(0, 8),
    lambda vm: vm.poke(0x60000, 0),
    lambda vm: vm.load_cr3(1 << 64),
    lambda vm: vm.set_registers(0, 0, 0, -1),
    lambda vm: vm.set_slot(3, 0x5F, 1),
    lambda vm: vm.set_slot(0, 0, 0x61),
    lambda vm: vm.set_alias(4, 0, 1, 0),
    lambda vm: vm.dirty_log(1),
    lambda vm: vm.remove_write_access(9),
    lambda vm: vm.load_page(0x60, bytes(4096)),
]


class Clean(RuleBasedStateMachine):
    """A VM under the conditions above."""

    start = "none"
    make = staticmethod(world.make)

    @initialize(root=st.integers(0, 1), alias=st.booleans())
    def begin(self, root, alias):
        self.vm = self.make()
        if alias:
            self.vm.set_alias(0, world.ALIAS, world.ALIAS_PAGES, world.ALIASED)
        world.enter(self.vm, self.start, root)

    # The current state

    @property
    def mode(self):
        cpu = self.vm.cpu
        return "none" if not cpu.cr0 & PG else {4: "64", 3: "pae", 2: "32"}[self.vm.root_level]

    def gva(self, n):
        return world.GVAS[self.mode][n % len(world.GVAS[self.mode])]

    def shadowed(self):
        return {gfn for _, gfn, role, *_ in state(self.vm)["pages"] if not role >> 16 & 1}

    def live(self, reach):
        roots = {gfn for _, gfn, role, count, *_ in state(self.vm)["pages"] if count and not role >> 16 & 1}
        return roots | set(reach.tables)

    def unaliased(self, gpa):
        return unalias(self.vm, gpa >> 12) << 12 | gpa & 0xFFF

    def room(self):
        """Condition 8."""
        if len(state(self.vm)["free"]) < 4:
            self.vm.free_some_pages()

    def allowed(self, reach, write, user):
        """Conditions 3 and 6."""
        if reach.error is not None:
            return True
        gfn = self.unaliased(reach.gpa) >> 12
        if self.mode == "none":
            return gfn not in self.shadowed()
        return not (write and user and gfn in self.live(reach))

    # Operations of the guest

    @rule(steps=st.lists(st.tuples(ANY, st.sampled_from(world.OFFSETS), KINDS, ANY), min_size=1, max_size=8))
    def accesses(self, steps):
        self.accesses_now(steps)

    def accesses_now(self, steps):
        for n, offset, kind, choice in steps:
            self.access(self.gva(n) | offset, kind, choice)

    def access(self, gva, kind, choice):
        """One access, if the conditions allow it, compared with the oracle."""
        write, user, fetch = map(bool, kind)
        reach = oracle(self.vm, gva, write, user, fetch)
        if not self.allowed(reach, write, user):
            return
        store = {}
        if write and reach.error is None:
            offset, value, size = world.allowed_store(self.vm, self.unaliased(reach.gpa), choice)
            gva, store = gva & ~0xFFF | offset, {"value": value, "size": size}
        shadowed = self.shadowed() | set(reach.tables)  # tables on its own path may become shadowed by this access
        access = self.vm.access(gva, write=write, user=user, fetch=fetch, **store)
        if reach.error is not None:
            assert (access.outcome, access.error) == ("inject", reach.error)
            assert self.vm.injected == [(gva, reach.error)]
            return
        gpa = self.unaliased(reach.gpa) & ~0xFFF | gva & 0xFFF
        assert self.unaliased(access.gpa) == gpa
        assert access.outcome in (("ok", "emul") if in_ram(self.vm, gpa >> 12) else ("mmio",))
        if access.outcome == "emul":
            assert write and not user and gpa >> 12 in shadowed
        if store and access.outcome != "mmio":
            assert self.vm.peek(gpa, store["size"]) == store["value"]
        if gpa >> 12 not in reach.tables:
            self.accessed_and_dirty(gva, write and in_ram(self.vm, gpa >> 12))

    def accessed_and_dirty(self, gva, written):
        """Check accessed and dirty bits on the path of a granted access; the dirty bit of a large page may be clear (2007)."""
        for level, entry in guest_entries(self.vm, gva):
            assert entry & A
            if level == 1:
                assert entry & D or not written

    @rule(n=ANY, steps=st.lists(st.tuples(ANY, KINDS, ANY), min_size=2, max_size=6))
    def one_frame_by_several_addresses(self, n, steps):
        gpa = oracle(self.vm, self.gva(n)).gpa
        same = [gva for gva in world.GVAS[self.mode] if gpa is not None and oracle(self.vm, gva).gpa == gpa]
        for pick, kind, choice in steps if same else ():
            self.access(same[pick % len(same)], kind, choice)

    @rule(n=ANY, level=ANY, choices=st.lists(ANY, min_size=1, max_size=4), how=ANY, kind=KINDS)
    def edit_and_use(self, n, level, choices, how, kind):
        """The kernel writes an entry on the path of an address, once or several times, and then uses the address."""
        gva, before = self.gva(n), kind
        self.access(gva, before, how)
        tables = oracle(self.vm, gva).tables
        if not tables:
            return
        level = level % len(tables)
        mode = MODES[self.mode]
        at = min(mode.levels, 2 if self.mode == "pae" else 4) - level
        gpa = tables[level] << 12 | mode.index(gva, at) * mode.size
        for choice in choices:
            self.table_write(gpa, choice, how)
        self.access(gva, kind, how)

    def table_write(self, gpa, choice, how):
        """Write a table in one of three ways: by an instruction, or as the host emulates one, at a gva or at a gpa."""
        offset, value, size = world.allowed_store(self.vm, gpa, choice)
        windows = [gva for gva in world.GVAS[self.mode] if oracle(self.vm, gva, write=True).gpa == gpa & ~0xFFF]
        if how % 3 == 0 or not windows:
            assert self.vm.emulate_write_gpa(gpa & ~0xFFF | offset, value, size)
            return
        gva = windows[how // 3 % len(windows)] | offset
        if how % 3 == 1:
            assert self.vm.emulate_write(gva, value, size) == "stored"
        else:
            assert self.vm.access(gva, write=True, value=value, size=size).outcome in ("ok", "emul")
        assert self.vm.peek(gpa & ~0xFFF | offset, size) == value

    @rule(n=ANY, offset=st.sampled_from(world.OFFSETS), choice=ANY)
    def emulated_write(self, n, offset, choice):
        gva = self.gva(n) | offset
        reach = oracle(self.vm, gva)
        if reach.error is not None:
            assert self.vm.emulate_write(gva, 1, 1) == "inject"
            return
        offset, value, size = world.allowed_store(self.vm, self.unaliased(reach.gpa), choice)
        outcome = self.vm.emulate_write(gva & ~0xFFF | offset, value, size)
        assert outcome == ("stored" if in_ram(self.vm, reach.gpa >> 12) else "mmio")

    @rule(table=st.sampled_from(sorted(world.TABLES)), index=ANY, choices=st.lists(ANY, min_size=1, max_size=4))
    def emulated_table_writes(self, table, index, choices):
        """Write tables of any mode, even of one that isn't in use now."""
        of, level = world.TABLES[table]
        at = world.INDEXES[of][level][index % len(world.INDEXES[of][level])] * MODES[of].size
        for choice in choices:
            offset, value, size = world.allowed_store(self.vm, table << 12 | at, choice)
            assert self.vm.emulate_write_gpa(table << 12 | offset, value, size)

    @rule(n=ANY, kind=KINDS, present=st.booleans())
    def fault(self, n, kind, present):
        """A spurious fault, as after a race."""
        gva, (write, user, fetch) = self.gva(n), map(bool, kind)
        reach = oracle(self.vm, gva, write, user, fetch)
        assume(self.allowed(reach, write, user))
        result = self.vm.page_fault(gva, present | write << 1 | user << 2 | fetch << 4)
        assert self.vm.injected == ([(gva, reach.error)] if reach.error is not None else [])
        if reach.error is None and not in_ram(self.vm, reach.gpa >> 12):
            assert result == 1

    @rule(n=ANY)
    def translate(self, n):
        """A translation sets accessed bits; INVLPG changes nothing."""
        assert self.vm.gva_to_gpa(self.gva(n)) == oracle(self.vm, self.gva(n)).gpa
        before = everything(self.vm)
        self.vm.invlpg(self.gva(n))
        assert everything(self.vm) == before

    @precondition(lambda self: self.mode != "none")
    @rule(root=st.integers(0, 1))
    def switch_address_space(self, root):
        assert self.vm.load_cr3(world.ROOTS[self.mode][root])

    @rule(mode=st.sampled_from(["none", "32", "pae", "64"]), root=st.integers(0, 1))
    def switch_mode(self, mode, root):
        self.room()
        world.enter(self.vm, mode, root)

    @rule(steps=st.lists(st.tuples(ANY, st.just(0), KINDS, ANY), max_size=3))
    def paging_off_and_on(self, steps):
        cr0 = self.vm.cpu.cr0
        self.room()
        self.vm.load_cr0(cr0 & ~PG)
        self.accesses_now(steps)
        self.room()
        assert self.vm.load_cr0(cr0)

    @precondition(lambda self: self.mode in ("32", "64"))
    @rule(first=st.integers(0, 63), count=st.integers(1, 64))
    def crowd(self, first, count):
        """Use enough address spaces to exhaust the pool, so that the oldest shadow pages are evicted."""
        for n in range(first, first + count):
            assert self.vm.load_cr3(world.SPARE[n % 64] << 12)
        assert self.vm.load_cr3(world.ROOTS[self.mode][0])

    # Operations of the host

    @rule(what=st.sampled_from(["protect", "log", "unprotect", "evict", "zap", "reset", "alias"]), n=ANY)
    def host(self, what, n):
        vm = self.vm
        if what == "protect":
            vm.remove_write_access(n % 3)
        elif what == "log":
            vm.dirty_log(0)
            assert vm.dirty_log(0) == []
        elif what == "unprotect":
            reach = oracle(vm, self.gva(n))
            any_there = reach.error is None and reach.gpa >> 12 in self.shadowed()
            assert vm.unprotect(self.gva(n)) == any_there
        elif what == "evict":
            vm.free_some_pages()
            assert len(state(vm)["free"]) >= 25
        elif what == "zap":
            vm.zap_all()
        elif what == "reset":
            self.room()
            vm.reset_context()
        else:
            vm.set_alias(0, world.ALIAS, n % (world.ALIAS_PAGES + 1), world.ALIASED + n % 9)

    @rule(bad=st.sampled_from(BAD_CALLS))
    def refused(self, bad):
        """A call with bad arguments changes nothing."""
        before = everything(self.vm)
        with pytest.raises(InputError):
            bad(self.vm)
        assert everything(self.vm) == before

    # What always holds

    @invariant()
    def audits_are_clean(self):
        assert self.vm.audit() == []

    @invariant()
    def structures_agree(self):
        check_structures(self.vm)


def guest_entries(vm, gva):
    """(level, entry) of the guest's entries on gva's path, without PDPTEs, down to the last."""
    tables = oracle(vm, gva).tables
    if tables:
        mode, top = {2: (MODES["32"], 2), 3: (MODES["pae"], 2), 4: (MODES["64"], 4)}[vm.root_level]
        for level, table in zip(range(top, 0, -1), tables, strict=False):
            yield level, vm.peek(table << 12 | mode.index(gva, level) * mode.size, mode.size)


def check_structures(vm, wp=True):
    """Check the laws that connect the structures, using only state(). ``wp``: whether CR0.WP has been set all the time."""
    now = state(vm)
    pages = {id: (gfn, role, count, bitmap, chains) for id, gfn, role, count, _, bitmap, chains in now["pages"]}
    entries = {id * 512 + index: rest for id, row in now["sptes"] for index, *rest in row}

    assert sorted([*pages, *now["free"]]) == list(range(256)), "every page is free or active"
    assert now["mmu"][3] == len(now["free"])
    assert all(ref // 512 in pages for ref in entries), "free pages are empty"

    hashed = Counter(id for _, ids in now["hash"] for id in ids)
    assert hashed == Counter(list(pages)), "every active page is in the hash, once"
    assert all(pages[id][0] % 256 == bucket for bucket, ids in now["hash"] for id in ids)
    assert len({page[:2] for page in pages.values()}) == len(pages), "gfn and role are a page's identity"

    level = {id: role >> 4 & 15 for id, (_, role, *_) in pages.items()}
    links = {(target, ref) for ref, (_, kind, target) in entries.items() if level[ref // 512] > 1 and kind == "s"}
    parents = Counter((id, ref) for id, (*_, chains) in pages.items() for chain in chains for ref in chain)
    assert parents == Counter(links), "the parents of a page are the entries that point to it"
    assert all(level[target] == level[ref // 512] - 1 for target, ref in links)

    roots = now["mmu"][2]
    counted = Counter(roots if isinstance(roots, list) else [roots])
    assert {id: page[2] for id, page in pages.items() if page[2]} == {
        id: n for id, n in counted.items() if id is not None
    }

    leaves = {ref: entry for ref, entry in entries.items() if level[ref // 512] == 1}
    writable = Counter((target, ref) for ref, (flags, _, target) in leaves.items() if flags & (P | W) == P | W)
    mapped = Counter((gfn, ref) for gfn, _, rows in now["rmap"] for row in rows for ref in row)
    assert mapped == writable, "the reverse maps are the present, writable leaves"

    shadowed = {gfn for gfn, role, *_ in pages.values() if not role >> 16 & 1}
    assert not shadowed & {gfn for gfn, _ in writable}, "a shadowed frame has no writable mapping"

    for ref, (flags, kind, target) in leaves.items():
        if kind == "g":
            slot = next(n for n, (base, count, *_) in enumerate(world.SLOTS) if base <= target < base + count)
            assert pages[ref // 512][3] >> slot & 1, "a page records the slots that it reaches"
        if pages[ref // 512][1] & 15 and flags & W and wp:
            assert flags & 1 << 10, "an entry is writable only if the guest allowed it"


def machine(mode, kind=Clean, **options):
    """The test case of a state machine that starts in a mode."""
    case = type(f"{kind.__name__}From{mode}", (kind,), {"start": mode}).TestCase
    case.settings = settings(stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), **options)
    return case


TestFromNonpaging = machine("none", max_examples=8)
TestFrom32Bit = machine("32", max_examples=8)
TestFromPae = machine("pae", max_examples=8)
TestFrom64Bit = machine("64", max_examples=8)


@pytest.mark.slow
@pytest.mark.whole
class TestLongFromNonpaging(machine("none", max_examples=200)):
    pass


@pytest.mark.slow
@pytest.mark.whole
class TestLongFrom32Bit(machine("32", max_examples=200)):
    pass


@pytest.mark.slow
@pytest.mark.whole
class TestLongFromPae(machine("pae", max_examples=200)):
    pass


@pytest.mark.slow
class TestLongFrom64Bit(machine("64", max_examples=200)):
    pass


# Each condition is needed


def test_condition_1_cr0_wp_is_needed():
    guest = Guest("64", cr0=PG | PE)
    guest.map(0x1000, flags=P | U)
    guest.vm.access(0x1000, write=True)
    guest.vm.access(0x1000, user=True)
    assert kinds(guest.vm.audit()) == ["rmap"]


def test_condition_2_roots_in_memory_are_needed():
    with pytest.raises(HostCrash, match="BUG"):
        Guest("64").start(root=0x60000)
    guest = Guest("pae")
    guest.vm.poke(guest.root << 12, 0x60000000 | P)
    with pytest.raises(HostCrash, match="BUG"):
        guest.vm.load_cr3(guest.root << 12)


def test_condition_3_no_user_write_to_a_live_table_is_needed():
    guest = Guest("64")
    guest.map(0x1000, guest.root)
    with pytest.raises(HostCrash, match="hang"):
        guest.vm.access(0x1000, write=True, user=True)
    guest = Guest("64")
    guest.map(0x1000, guest.frame())
    guest.vm.poke(guest.entry_gpa(0x1000), guest.table_gfn(0x1000) << 12 | ALL)
    guest.vm.page_fault(0x1000, 2 | 4)
    with pytest.raises(AssertionError, match="free pages are empty"):
        check_structures(guest.vm)


def test_condition_4_no_pse36_is_needed():
    guest = Guest("32", [(0, 0x800), (0x100400, 0x400)])
    guest.map(0, 0x400 | 1 << 1, large=True)
    guest.vm.access(0)
    assert kinds(guest.vm.audit()) == ["map"]


def test_condition_5_no_slot_change_is_needed():
    guest = Guest("64", [(0, 0x100), (0x800, 8)])
    guest.map(0x1000, 0x800)
    guest.vm.access(0x1000)
    guest.vm.set_slot(1, 0x800, 0)
    assert kinds(guest.vm.audit()) == ["map"]
    guest = Guest("64")
    guest.map(0x1000, 0x800)
    guest.vm.access(0x1000)
    guest.vm.set_slot(1, 0x800, 8)
    assert guest.vm.access(0x1000).outcome == "emul", "there is memory now, but it is still emulated"


def test_condition_6_no_unpaged_access_to_a_shadowed_frame_is_needed():
    guest = Guest("64")
    guest.map(0x1000)
    guest.vm.access(0x1000)
    guest.vm.load_cr0(PE)
    guest.vm.access(guest.entry_gpa(0x1000))
    assert kinds(guest.vm.audit()) == ["wp"], "even a read makes a writable mapping"


def test_condition_7_one_name_for_a_table_is_needed():
    guest = Guest("64")
    guest.vm.set_alias(0, 0x800, 0x100, 0)
    old, new = guest.map(0x1000), guest.frame()
    guest.map(0x2000, 0x800 + guest.table_gfn(0x1000))
    guest.vm.access(0x1000)
    assert guest.vm.access(0x2008, write=True, value=new << 12 | ALL, size=8).outcome == "ok", "not trapped"
    assert kinds(guest.vm.audit()) == ["wp", "map"]
    assert guest.vm.access(0x1000).gpa == old << 12


def test_condition_8_room_in_the_pool_is_needed():
    guest = Guest("64", [(0, 0x400)])
    for gfn in range(0x100, 0x400):
        if len(state(guest.vm)["free"]) > 5:
            guest.vm.load_cr3(gfn << 12)
    guest.vm.load_cr3(guest.root << 12)
    guest.map(0x1000)
    guest.vm.access(0x1000)
    with pytest.raises(HostCrash, match="oops"):
        guest.vm.set_registers(ON, 0x3F0 << 12, 0, 0)


@pytest.mark.parametrize("what", ["rights", "no execution"])
def test_condition_9_uniform_rights_are_needed(what):
    guest = Guest("64")
    guest.map(0x1000, upper=ALL if what == "rights" else ALL | 1 << 63)
    guest.vm.access(0x1000)
    if what == "rights":
        guest.map(0x200000, table=guest.table_gfn(0x1000), upper=ALL)
        guest.vm.poke(guest.entry_gpa(0x200000, 2), guest.table_gfn(0x1000) << 12 | P)  # for the kernel alone
        guest.vm.access(0x201000)
        reach, access = oracle(guest.vm, 0x201000, user=True), guest.vm.access(0x201000, user=True)
    else:
        reach, access = oracle(guest.vm, 0x1000, fetch=True), guest.vm.access(0x1000, fetch=True)
    assert reach.error is not None
    assert access.outcome == "ok"
    assert guest.vm.audit() == [], "no audit notices it"
