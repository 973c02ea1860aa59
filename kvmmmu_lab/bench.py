# SPDX-License-Identifier: GPL-2.0-only
"""Measure the cost of a fault, a page-table write, a replayed event, an import, a recording and a picture.

The faults occur in a 64-bit guest with 4,096 pages. Its page tables are already shadowed, and its dirty bits are clear. A
write fault is the first write to a page that was read before.
"""

from __future__ import annotations

import json as json_module
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from .data import open_guest, open_trace
from .mmu import Vm
from .mmu.bits import ACCESSED, CR0_WP, MODES, PFERR_PRESENT, PFERR_WRITE, PRESENT, USER, WRITABLE
from .recording import Recording, record
from .replay.trace_replay import TraceReplay

ROUNDS = 9
PAGES = 4096
TABLES = PAGES // 512
FIRST_TABLE, FIRST_DATA = 4, 64
TRACE = "lin64_20k"
GUEST, GVA = "lin64_A", 0x400000
RECORDED_STEPS, SEEKS = 100_000, 300
IMPORT = "import time, numpy; t = time.perf_counter(); import kvmmmu_lab; print(time.perf_counter() - t)"


def _vm() -> Vm:
    """Create the guest: PML4 in gfn 1, PDPT in gfn 2, directory in gfn 3, eight page tables from gfn 4, pages from gfn 64."""
    vm = Vm([(0, 2 * PAGES)])
    allow = PRESENT | WRITABLE | USER | ACCESSED
    vm.poke(0x1000, 0x2000 | allow)
    vm.poke(0x2000, 0x3000 | allow)
    for table in range(TABLES):
        vm.poke(0x3000 + 8 * table, FIRST_TABLE + table << 12 | allow)
    for page in range(PAGES):
        vm.poke((FIRST_TABLE << 12) + 8 * page, FIRST_DATA + page << 12 | allow)
    mode = MODES["64"]
    vm.set_registers(mode.cr0 | CR0_WP, 0x1000, mode.cr4, mode.efer)
    return vm


def _timed(action: Callable[[int], object], n: int, step: int = 1) -> float:
    """Call ``action`` n times; return the microseconds per call."""
    begin = time.perf_counter()
    for i in range(0, n * step, step):
        action(i)
    return (time.perf_counter() - begin) / n * 1e6


def _faults() -> tuple[float, float]:
    """Return the average cost of a read fault and of a write fault, in microseconds."""
    vm = _vm()
    for table in range(TABLES):  # a fault on the last page of each table shadows the tables on its path
        vm.page_fault((table + 1 << 21) - 4096)
    fault, write = vm.page_fault, PFERR_PRESENT | PFERR_WRITE
    return _timed(fault, PAGES, 4096), _timed(lambda gva: fault(gva, write), PAGES, 4096)


def _page_table_writes() -> float:
    """Return the average cost of an emulated write, in microseconds.

    Successive writes go to different tables, since repeated writes to the same table count as flooding.
    """
    vm = _vm()
    for page in range(PAGES):
        vm.page_fault(page << 12)
    gpas = [(FIRST_TABLE + i % TABLES << 12) + i // TABLES * 8 for i in range(PAGES)]
    zapped = vm.stats.entries_zapped
    cost = _timed(lambda i: vm.emulate_write_gpa(gpas[i], 0, 8), PAGES)
    if vm.stats.entries_zapped - zapped != PAGES:
        raise AssertionError("each write must zap one entry")
    return cost


def _replay() -> float:
    """Return how many events of a real guest's trace are replayed per second."""
    trace = open_trace(TRACE)
    replay = TraceReplay(trace, "emulated", print)
    begin = time.perf_counter()
    replay.run()
    return len(trace.type) / (time.perf_counter() - begin)


def _bare_walk() -> float:
    """Return the cost of a minimal walk in microseconds. It reads four entries through a memoryview and checks P in three."""
    vm = _vm()
    words, base = vm.memory.words, vm.memory.frames[0]
    assert base is not None

    def walk(gva: int) -> int:
        entry = words[base + 1 << 9 | gva >> 39 & 511]
        if not entry & 1:
            return 0
        entry = words[(entry >> 12 & 0xFFFFFFFFFF) + base << 9 | gva >> 30 & 511]
        if not entry & 1:
            return 0
        entry = words[(entry >> 12 & 0xFFFFFFFFFF) + base << 9 | gva >> 21 & 511]
        if not entry & 1:
            return 0
        return words[(entry >> 12 & 0xFFFFFFFFFF) + base << 9 | gva >> 12 & 511]

    assert walk(0) & 1
    return _timed(walk, PAGES, 4096)


def _import() -> float:
    """Return the time that a new interpreter takes to import the kit, in milliseconds. It imports numpy before that."""
    found = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    return float(found.stdout) * 1e3


def _fault_time(vm: Vm, gvas: list[int]) -> float:
    """Return the time that read faults at these addresses take, in seconds."""
    begin = time.perf_counter()
    for gva in gvas:
        vm.page_fault(gva)
    return time.perf_counter() - begin


def recorded(**parts: Any) -> tuple[float, float, float]:
    """Measure a recording: the slowdown of the VM (a factor), the longest of many seeks (ms), and the bytes per step.

    ``parts`` are passed to `Vm`.
    """
    guest = open_guest(GUEST)
    gvas = guest.tlb_gva[: RECORDED_STEPS // 17].tolist()
    plain = _fault_time(guest.vm(**parts), gvas)
    with record(vm := guest.vm(**parts)) as recording:
        watched = _fault_time(vm, gvas)
    _seek(recording, 0)  # the first seek builds the replica
    numbers = random.Random(1)
    jumps = [_seek(recording, numbers.randrange(len(recording))) for _ in range(SEEKS)]
    return watched / plain, max(jumps), _size(recording) / len(recording)


def _seek(recording: Recording, step: int) -> float:
    begin = time.perf_counter()
    assert recording.at(step).root is not None
    return (time.perf_counter() - begin) * 1e3


def _size(recording: Recording) -> int:
    """Return the size of the tape in bytes, without the initial state."""
    tape = recording.tape
    numbers = sum(sys.getsizeof(item) for item in tape.items if type(item) is int and item > 256)
    lists = sum(map(sys.getsizeof, (tape.items, tape.bounds, tape.changes, tape.moves)))
    samples = sum(sys.getsizeof(value) + 16 for _, values in tape.samples.values() for value in values)
    return numbers + lists + samples + sum(len(frame) for _, frame in tape.keyframes)


def pictures() -> tuple[float, float]:
    """Return two times in milliseconds: until a picture of a fault is drawn, and until a film of the fault is ready."""
    from .draw.pictures import hierarchy
    from .player.film import film

    vm = open_guest(GUEST).vm()
    begin = time.perf_counter()
    with record(vm) as recording:
        vm.access(GVA, user=True)
    picture = hierarchy(vm, GVA).svg
    first = time.perf_counter()
    ready = film(recording, GVA, detail=True).html
    assert picture and ready
    return (first - begin) * 1e3, (time.perf_counter() - begin) * 1e3


def measure(rounds: int = ROUNDS) -> dict[str, float]:
    """Return all figures. Each one is the median of several rounds."""
    faults = [_faults() for _ in range(rounds)]
    watched = [recorded() for _ in range(rounds)]
    drawn = [pictures() for _ in range(rounds)]
    figures = {
        "read_fault_us": [read for read, _ in faults],
        "write_fault_us": [write for _, write in faults],
        "pt_write_us": [_page_table_writes() for _ in range(rounds)],
        "replay_events_per_s": [_replay() for _ in range(rounds)],
        "bare_walk_us": [_bare_walk() for _ in range(rounds)],
        "import_ms": [_import() for _ in range(rounds)],
        "recording_slowdown": [slower for slower, _, _ in watched],
        "slowest_seek_ms": [slowest for _, slowest, _ in watched],
        "recording_bytes_per_step": [size for _, _, size in watched],
        "first_picture_ms": [first for first, _ in drawn],
        "film_ms": [ready for _, ready in drawn],
    }
    return {name: round(statistics.median(values), 3) for name, values in figures.items()}


def run(json: bool = False) -> int:
    """Run ``kvmmmu-lab bench``: measure and print the figures."""
    figures = measure()
    if json:
        print(json_module.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<20} {value:>12,.3f}")
    return 0
