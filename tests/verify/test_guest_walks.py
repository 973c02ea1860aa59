# SPDX-License-Identifier: GPL-2.0-only
"""The engine agrees with the page tables of real guests, and a wrong value in any array is noticed."""

import json

import numpy as np
import pytest

from kvmmmu_lab import DataError
from kvmmmu_lab.data import HERE, guests
from kvmmmu_lab.verify import verify_file

from ..share import one_in

LARGE = ["lin64_A"]
"""It maps more pages than all others together, so it is left to the longer tests; another 64-bit guest is not."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in guests()])
def test_every_probe_line_and_range_end_agrees(name):
    report = verify_file(HERE / "guests" / f"{name}.npz")
    assert report.ok, str(report)
    assert min(report.compared[what] for what in ("probes", "TLB lines", "range ends", "tables")) > 0


@pytest.fixture
def arrays():
    with np.load(HERE / "guests" / "linpae_A.npz") as file:
        return {name: file[name] for name in file.files}


def differences(tmp_path, arrays):
    np.savez(tmp_path / "guest.npz", **arrays)
    return verify_file(tmp_path / "guest.npz")


@pytest.mark.parametrize("array", one_in(3, ["probe_gpa", "tlb_gpa", "tlb_gva", "mem_start", "mem_end"]))
@pytest.mark.parametrize("row", [3, -3])
def test_a_wrong_address_is_noticed(tmp_path, arrays, array, row):
    arrays[array][row] ^= 0x1000
    assert not differences(tmp_path, arrays).ok


@pytest.mark.parametrize("bit", one_in(4, range(9)))
def test_a_wrong_tlb_flag_is_noticed(tmp_path, arrays, bit):
    arrays["tlb_flags"][100] ^= 1 << bit
    assert not differences(tmp_path, arrays).ok


@pytest.mark.parametrize("bit", range(2))
def test_wrong_rights_of_a_range_are_noticed(tmp_path, arrays, bit):
    arrays["mem_flags"][7] ^= 1 << bit
    assert not differences(tmp_path, arrays).ok


@pytest.mark.parametrize("names", [("tlb_gva", "tlb_gpa", "tlb_flags"), ("mem_start", "mem_end", "mem_flags")])
def test_a_missing_or_repeated_row_is_noticed(tmp_path, arrays, names):
    for rows in (np.delete(np.arange(30), 7), np.insert(np.arange(30), 7, 7)):
        changed = {name: np.concatenate([arrays[name][:30][rows], arrays[name][30:]]) for name in names}
        assert not differences(tmp_path, arrays | changed).ok


@pytest.mark.parametrize(("array", "change"), [("tlb_gpa", 0x10), ("mem_end", 1), ("mem_start", 1), ("mem_flags", 4)])
def test_meaningless_bits_are_noticed(tmp_path, arrays, array, change):
    arrays[array][9] ^= change
    assert not differences(tmp_path, arrays).ok


@pytest.mark.parametrize("change", [{"mode": "64"}, {"mode": "32"}, {"cr0": 0x80000000}, {"mem_bytes": 4097}])
def test_registers_of_another_mode_are_refused(tmp_path, arrays, change):
    arrays["meta"] = np.array(json.dumps(json.loads(str(arrays["meta"])) | change))
    with pytest.raises(DataError, match="meta"):
        differences(tmp_path, arrays)


def test_without_paging_a_gva_is_its_gpa(tmp_path, arrays):
    meta = json.loads(str(arrays["meta"])) | {"cr0": 0x11}
    probes = np.array([0, 0x1234, 0xFFFFF000], np.uint64)
    empty = {name: value[:0] for name, value in arrays.items() if name.startswith(("tlb", "mem", "frame", "roots"))}
    same = {"meta": np.array(json.dumps(meta)), "probe_gva": probes, "probe_gpa": probes}
    assert differences(tmp_path, arrays | empty | same).ok
    assert not differences(tmp_path, arrays | empty | same | {"probe_gpa": probes + np.uint64(1)}).ok


def test_a_wrong_root_is_noticed(tmp_path, arrays):
    arrays["roots"][2] += 0x1000
    assert not differences(tmp_path, arrays).ok


def test_a_wrong_register_is_noticed(tmp_path, arrays):
    meta = json.loads(str(arrays["meta"]))
    arrays["meta"] = np.array(json.dumps(meta | {"cr3": meta["cr3"] + 32}))
    assert not differences(tmp_path, arrays).ok


def test_a_missing_frame_is_noticed(tmp_path, arrays):
    arrays["frame_pfn"], arrays["frame_data"] = arrays["frame_pfn"][:-1], arrays["frame_data"][:-1]
    assert not differences(tmp_path, arrays).ok


def test_entries_that_point_elsewhere_are_noticed(tmp_path, arrays):
    arrays["frame_data"][:, 1] ^= 0x10  # address bit 12 of the first entry of each table
    assert not differences(tmp_path, arrays).ok


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tlb_gva": np.zeros(3, np.uint64)}, "same length"),
        ({"frame_data": np.zeros((73, 100), np.uint8)}, "rows of 4096 bytes"),
        ({"probe_gpa": np.zeros(3)}, "probe_gpa of type u8"),
        ({"meta": np.array("{}")}, "meta"),
        ({"meta": np.array("no json")}, "JSON object"),
    ],
)
def test_damaged_arrays_are_refused(tmp_path, arrays, change, words):
    np.savez(tmp_path / "guest.npz", **arrays | change)
    with pytest.raises(DataError, match=words):
        verify_file(tmp_path / "guest.npz")
