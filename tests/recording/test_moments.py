# SPDX-License-Identifier: GPL-2.0-only
"""The law of recordings: the machine at a step is what it was, whichever step a replica comes from."""

import random
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kvmmmu_lab import HostCrash, InputError, VmDead
from kvmmmu_lab.inspect.dump import state as canonical
from kvmmmu_lab.recording import proxies, recorder, snapshot
from kvmmmu_lab.recording.moment import Replica
from kvmmmu_lab.recording.recording import Recording

from ..mmu import world
from ..mmu.guests import MODES, PE

MODE_NAMES = [*MODES, "none"]
KINDS = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 1), (0, 1, 1)]


def everything(vm):
    """The whole state of a machine, small enough to be kept for every step."""
    pages = vm.memory.pages[:600]
    used = np.flatnonzero(pages.any(axis=1))  # the others are pages of zeroes
    return (
        canonical(vm),
        {name: get(vm) for name, (get, _) in snapshot.PARTS.items() if name in ("counters", "registers", "injected")},
        snapshot.slots(vm)[:2],  # without the size of memory, which in a moment is the final size
        zlib.crc32(pages[used], zlib.crc32(used)),
    )


class Story:
    """Recorded operations on a VM; ``seen`` has the whole state after each event."""

    def __init__(self, mode, **options):
        self.vm = world.make(**options)
        world.enter(self.vm, mode)
        self.tape = recorder.blank(self.vm)
        self.seen = [everything(self.vm)]
        calls, self.back = proxies.watch_parts(self.vm, self.tape.parts)
        keep = recorder.sink(self.vm, self.tape, calls)

        def sink(event):
            keep(event)
            self.seen.append(everything(self.vm))

        self.detach = self.vm.attach(sink)
        self.mode = mode

    def do(self, what, a, b):
        vm = self.vm
        gvas = world.GVAS[self.mode]
        gva = gvas[a % len(gvas)]
        try:
            OPERATIONS[what % len(OPERATIONS)](self, vm, gva, a, b)
        except InputError:
            pass
        except (HostCrash, VmDead):
            return False
        return True

    def switch(self, b):
        self.mode = MODE_NAMES[b % len(MODE_NAMES)]
        world.enter(self.vm, self.mode, b >> 2 & 1)

    def end(self):
        self.detach()
        self.back()
        self.tape.seal()
        return Recording(self.tape)


def _access(story, vm, gva, a, b):
    write, user, fetch = KINDS[b % len(KINDS)]
    stored = {"value": b, "size": 4} if write and b < 99 else {}
    vm.access(gva, write=bool(write), user=bool(user), fetch=bool(fetch), **stored)


def _emulate(story, vm, gva, a, b):
    gfn = [*world.TABLES][a % len(world.TABLES)]
    offset, value, size = world.allowed_store(vm, gfn << 12 | world.OFFSETS[b % 8], a >> 3)
    vm.emulate_write_gpa(gfn << 12 | offset, value, size)


OPERATIONS = [
    _access,
    _access,
    _access,
    _emulate,
    _emulate,
    lambda story, vm, gva, a, b: vm.page_fault(gva, b & 0x17),
    lambda story, vm, gva, a, b: vm.emulate_write(gva, b & 0xFF, 1),
    lambda story, vm, gva, a, b: vm.gva_to_gpa(gva),
    lambda story, vm, gva, a, b: vm.poke(0x30000 + b % 4000, a & 0xFFFF, 2),
    lambda story, vm, gva, a, b: vm.load_page(0x30 + b % 8, bytes([a & 255]) * 4096),
    lambda story, vm, gva, a, b: vm.dirty_log(0),
    lambda story, vm, gva, a, b: vm.remove_write_access(b % 3),
    lambda story, vm, gva, a, b: vm.set_slot(3, 0x2000, 8, bool(b & 1)),
    lambda story, vm, gva, a, b: vm.set_slot(1, 0x400, 0x20, bool(b & 1)),
    lambda story, vm, gva, a, b: vm.set_alias(0, world.ALIAS, world.ALIAS_PAGES * (b & 1), world.ALIASED),
    lambda story, vm, gva, a, b: vm.unprotect(gva),
    lambda story, vm, gva, a, b: vm.load_cr3(world.ROOTS[story.mode][b & 1] if story.mode != "none" else 0),
    lambda story, vm, gva, a, b: vm.load_cr0(PE if b & 1 else 0xFFFF_FFFF_FFFF),
    lambda story, vm, gva, a, b: vm.load_efer(b & 0xFFF),
    lambda story, vm, gva, a, b: vm.load_cr4(b & 0xFFF),
    lambda story, vm, gva, a, b: vm.free_some_pages(),
    lambda story, vm, gva, a, b: vm.zap_all(),
    lambda story, vm, gva, a, b: story.switch(b),
    lambda story, vm, gva, a, b: [vm.emulate_write_gpa(vm.cpu.cr3 & ~0xFFF, 0, 1) for _ in range(3)],  # zaps the root
]

STEPS = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 1 << 16), st.integers(0, 1 << 10)), min_size=3, max_size=25)


def check(story):
    recording, seen = story.end(), story.seen
    assert len(recording) == len(seen)
    for step, then in enumerate(seen):
        assert everything(recording.at(step)) == then, (step, step and recording.raw(step))
    for step in reversed(range(len(seen))):
        assert everything(recording.at(step)) == seen[step], ("backwards", step)
    jumps = random.Random(len(seen))
    for step in (jumps.randrange(len(seen)) for _ in range(20)):
        assert everything(recording.at(step)) == seen[step], ("a jump", step)
        assert everything(Replica(recording.tape).go(step)) == seen[step], ("from the start", step)


def law(examples):
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mode=st.sampled_from(MODE_NAMES), steps=STEPS, keyframe=st.sampled_from([40, 300, 60_000]))
    def test(mode, steps, keyframe):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recorder, "KEYFRAME", keyframe)
            story = Story(mode)
            all(story.do(*step) for step in steps)
            check(story)

    return test


test_the_machine_at_a_step_is_what_it_was = law(5)
test_the_machine_at_a_step_is_what_it_was_for_longer = pytest.mark.slow(law(40))
test_the_machine_at_a_step_is_what_it_was_at_length = pytest.mark.slow(pytest.mark.whole(law(150)))
