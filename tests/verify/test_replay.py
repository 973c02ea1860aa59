# SPDX-License-Identifier: GPL-2.0-only
"""The engine agrees with traces of real guests, replayed both ways. A missing mechanism or a wrong value is noticed."""

import numpy as np
import pytest

from kvmmmu_lab import DataError
from kvmmmu_lab.data import HERE, traces
from kvmmmu_lab.verify import WITHOUT, verify_file

from ..share import one_in

TRACES = HERE / "traces"


@pytest.mark.parametrize("name", traces())
def test_both_ways_agree_with_the_real_processor(name):
    report = verify_file(TRACES / f"{name}.npz")
    assert report.ok, str(report)
    assert report.compared["accesses"] > 20_000
    assert report.compared["guest page faults"] > 100
    assert report.facts["native"]["exits"] > report.facts["emulated"]["exits"] > 1000


@pytest.mark.parametrize("name", one_in(2, traces()))
@pytest.mark.parametrize("part", WITHOUT)
def test_without_a_mechanism_there_are_many_differences(name, part):
    report = verify_file(TRACES / f"{name}.npz", without=part)
    assert report.ok
    assert report.facts[f"without {part}"]["differences"] >= 20


@pytest.fixture
def short(tmp_path):
    """The first 8,000 events of a trace, and a way to save them."""
    with np.load(TRACES / "lin32_20k.npz") as file:
        arrays = {name: file[name][:8000] if name in ("type", "flag", "a", "b") else file[name] for name in file.files}

    def save():
        np.savez(tmp_path / "short.npz", **arrays)
        return verify_file(tmp_path / "short.npz")

    return arrays, save


def nth(arrays, kind, n=-1):
    """Return the index of the nth event of a type whose gpa is known."""
    return np.flatnonzero((arrays["type"] == kind) & (arrays["b"] != 2**64 - 1))[n]


def test_the_short_trace_is_right(short):
    assert short[1]().ok


@pytest.mark.parametrize(
    ("array", "kind", "change"),
    [
        ("b", 2, 0x1000),  # another frame
        ("b", 2, 0x8),  # another place in the page
        ("a", 2, 0x1000),  # another page
        ("b", 1, 0x1),  # a fault with the bit P
        ("a", 5, 0x1),  # the dropped frame was not a page table
        ("a", 3, 0x100000),  # the written frame is not a page table
    ],
)
def test_a_wrong_value_is_noticed(short, array, kind, change):
    arrays, save = short
    arrays[array][nth(arrays, kind)] ^= np.uint64(change)
    assert not save().ok


def test_a_wrong_cr3_is_noticed(short):
    arrays, save = short
    arrays["a"][nth(arrays, 0, 0)] ^= np.uint64(0x1000)
    assert not save().ok


def test_missing_writes_are_noticed(short):
    arrays, save = short
    writes = np.flatnonzero(arrays["type"] == 3)
    arrays["type"][writes[len(writes) // 2 :]] = 6
    assert not save().ok


def test_an_empty_trace_is_refused(short):
    arrays, save = short
    for name in ("type", "flag", "a", "b"):
        arrays[name] = arrays[name][:0]
    with pytest.raises(DataError, match="at least one"):
        save()


@pytest.mark.parametrize("change", ['"mode": "pae"', '"mode": "32", "cr0": 2147483649'])
def test_another_mode_or_no_write_protection_is_refused(short, change):
    arrays, save = short
    arrays["meta"] = np.array(str(arrays["meta"])[:-1] + f", {change}}}")
    with pytest.raises(DataError, match="meta"):
        save()


@pytest.mark.parametrize(
    ("array", "kind", "value", "words"),
    [
        ("type", 2, 77, "0..8"),
        ("flag", 3, 3, "1, 2, 4 or 8 bytes"),
        ("b", 4, 10**6, "number of images"),
        ("a", 2, 1 << 40, "32 bits"),
        ("a", 1, 1 << 40, "32 bits"),
        ("flag", 2, 3, "read, write or fetch"),
        ("flag", 2, 64, "read, write or fetch"),
        ("b", 1, 16, "error code with no bits outside 0x7"),
        ("flag", 4, 9, "levels of 1..2"),
    ],
)
def test_impossible_events_are_refused(short, array, kind, value, words):
    arrays, save = short
    arrays[array][nth(arrays, kind)] = value
    with pytest.raises(DataError, match=words):
        save()
