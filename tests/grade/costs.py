# SPDX-License-Identifier: GPL-2.0-only
"""What hand-ins cost: ``python -m tests.grade.costs [COUNT]`` grades so many on this machine, and sends them through a cluster.

It prints processor time, which depends less than other time on what else runs, for each hand-in beyond the first ones; and what
a hand-in takes in the record, in the report and on the network.
"""

import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kvmmmu_lab.grade import cluster
from kvmmmu_lab.grade.collection import collect
from kvmmmu_lab.grade.record import Record

from ..exercises.checking import ROOT
from .dask_cluster import DaskCluster
from .handing_in import RMAP_ADD, TASK, solved

FEW = 20


def submissions(folder, count):
    """Different hand-ins of so many learners: right and wrong ones in turn, every twentieth damaged or endless."""
    sources = [given.files["rmap_add.py"] for given in solved(RMAP_ADD, wrong=30, right=10)]
    for number in range(count):
        source = sources[number * 7 % len(sources)] + b"\n# %d\n" % number
        if number % 20 == 19:
            source = [b"def rmap_add(:\n", b"while True:\n    pass\n", b"\xff\xfe"][number // 20 % 3] + b"# %d\n" % number
        (folder / f"learner{number:06}").mkdir(parents=True)
        (folder / f"learner{number:06}" / "rmap_add.py").write_bytes(source)


def grade(folder, count):
    """Grade; return the processor time in seconds, of the command and of all processes that it started, and the report."""
    given, out = folder / f"{count}", folder / f"report{count}"
    if not given.exists():
        submissions(given, count)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    arguments = ["grade", str(given), "--out", str(out), "--exercise", "rmap_add"]
    subprocess.run([sys.executable, "-m", "kvmmmu_lab", *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, out


def own_time(pid):
    """The processor time in seconds of a process without those that it started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def size(path):
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


def main(count):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, _ = grade(folder, FEW)
        many, out = grade(folder, FEW + count)
        with Record(out / "record.sqlite") as record:
            marks = list(record.marks())
            seconds = sorted(mark.seconds for mark in marks)
        here = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        given = list(collect(folder / f"{FEW + count}", [RMAP_ADD]).hand_ins)
        print(f"{count} hand-ins for rmap_add, {len(os.sched_getaffinity(0))} processors")
        one = (many - few) / count
        print(f"  processor time for one        {one:8.3f} s (and {few - FEW * one:.1f} s to start)")
        print(f"  time for one, median and 99 % {seconds[len(seconds) // 2]:8.3f} s {seconds[len(seconds) * 99 // 100]:.3f} s")
        print(f"  the largest process           {here / 1024:8.0f} MiB")
        print(f"  record                        {(out / 'record.sqlite').stat().st_size / len(marks) / 1000:8.1f} kB for one")
        print(f"  whole report                  {size(out) / len(marks) / 1000:8.1f} kB for one")
        print(f"  hand-in on the network        {sum(len(pickle.dumps(each)) for each in given) / len(given) / 1000:8.1f} kB")
        print(f"  mark on the network           {sum(len(pickle.dumps(each)) for each in marks) / len(marks) / 1000:8.1f} kB")
        command, scheduler, workers = dask_alone(folder / "dask", given[:count], marks[0])
        print(f"  Dask: in the command          {command:8.4f} s for one")
        print(f"  Dask: in its scheduler        {scheduler:8.4f} s for one")
        print(f"  Dask: in its workers          {workers:8.4f} s for one")


def dask_alone(folder, given, mark):
    """The processor time that Dask takes for a hand-in: its workers answer at once, with this mark."""
    cluster.judge = lambda task, hand_in: mark
    with DaskCluster(folder, 2) as dask:
        dask.wait_for_workers(2)
        with cluster.Cluster(TASK, dask.address) as scheduler:
            for hand_ins in (given[:FEW], given):  # what is loaded at first is not counted
                before = [time.process_time(), *(own_time(each.pid) for each in dask.processes)]
                assert sum(1 for _ in scheduler.marks(hand_ins)) == len(hand_ins)
                after = [time.process_time(), *(own_time(each.pid) for each in dask.processes)]
    spent = [(end - begin) / len(given) for begin, end in zip(before, after, strict=True)]
    return spent[0], spent[1], sum(spent[2:])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
