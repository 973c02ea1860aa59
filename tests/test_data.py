# SPDX-License-Identifier: GPL-2.0-only
"""The kit's guests and traces are opened by name, verified by checksum, and ready to run."""

import doctest
import subprocess
import sys

import pytest

import kvmmmu_lab
from kvmmmu_lab import DataError, InputError, data, open_guest, open_trace


def test_the_first_session_of_the_package_docstring():
    assert doctest.testmod(kvmmmu_lab).failed == 0
    assert doctest.testmod(data).failed == 0


@pytest.mark.parametrize("name", data.guests())
def test_every_guest_runs(name):
    guest = open_guest(name)
    vm = guest.vm()
    gva, gpa = int(guest.tlb_gva[0]), int(guest.tlb_gpa[0])
    assert vm.access(gva).gpa == gpa


def test_numpy_addresses_are_addresses():
    guest = open_guest("lin32_A")
    assert guest.vm().access(guest.tlb_gva[5]).gpa == guest.tlb_gpa[5]


def test_the_error_for_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match="one of .*lin64_A"):
        open_guest("lin65")
    with pytest.raises(InputError, match="one of .*lin32_20k"):
        open_trace("x")


def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "guests").mkdir()
    (tmp_path / "guests" / "lin32_A.npz").write_bytes(b"PK")
    (tmp_path / "SHA256SUMS").write_text((data.HERE / "SHA256SUMS").read_text())
    monkeypatch.setattr(data, "HERE", tmp_path)
    with pytest.raises(DataError, match="SHA-256"):
        open_guest("lin32_A")


def test_every_file_has_its_checksum():
    listed = {line.split()[1] for line in (data.HERE / "SHA256SUMS").read_text().splitlines()}
    assert listed == {
        *(f"guests/{name}.npz" for name in data.guests()),
        *(f"traces/{name}.npz" for name in data.traces()),
        *(f"golden/{name}.jsonl.gz" for name in data.golden_traces()),
    }


def test_the_package_alone_loads_no_data():
    code = "import sys, kvmmmu_lab; sys.exit('kvmmmu_lab.data' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_names_of_the_package_are_errors():
    with pytest.raises(AttributeError, match="nonsense"):
        kvmmmu_lab.nonsense  # noqa: B018
