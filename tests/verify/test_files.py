# SPDX-License-Identifier: GPL-2.0-only
"""The kind of a file is recognised by its content; the command prints the differences and returns an exit status."""

import json

import numpy as np
import pytest

from kvmmmu_lab import DataError
from kvmmmu_lab.cli import main
from kvmmmu_lab.data import HERE
from kvmmmu_lab.verify import kind_of, verify_file

GUEST = HERE / "guests" / "lin32_early3_pg.npz"


def test_the_kind_is_recognised_by_content(tmp_path):
    assert kind_of(GUEST) == "page tables of a real guest"
    copy = tmp_path / "no_suffix"
    copy.write_bytes(GUEST.read_bytes())
    assert kind_of(copy) == "page tables of a real guest"
    assert verify_file(copy).ok


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8b", b"\x1f\x8bxxxx", b"PK\x03\x04 broken", b"\x93NUMPY"])
def test_files_of_other_kinds_are_refused_by_name(tmp_path, content):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(DataError, match="foreign"):
        verify_file(path)


def test_a_truncated_archive_is_refused(tmp_path):
    path = tmp_path / "cut.npz"
    path.write_bytes(GUEST.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"cut\.npz"):
        verify_file(path)


def test_a_damaged_archive_is_refused(tmp_path):
    path = tmp_path / "damaged.npz"
    content = bytearray(GUEST.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged\.npz"):
        verify_file(path)


def test_status_and_output(tmp_path, capsys):
    with np.load(GUEST) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["probe_gpa"][0] ^= 4096
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, **arrays)
    assert main(["verify", str(GUEST)]) == 0
    assert "0 differences" in capsys.readouterr().out
    assert main(["verify", str(GUEST), str(wrong)]) == 1
    out = capsys.readouterr().out
    assert "expected" in out and "got" in out and "1 with differences" in out
    assert main(["verify", str(wrong), str(tmp_path / "missing")]) == 2
    assert "missing" in capsys.readouterr().err


def test_the_json_contains_the_same_reports(tmp_path, capsys):
    assert main(["verify", "--json", str(GUEST), str(tmp_path / "missing")]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == 2
    good, bad = found["reports"]
    assert good["ok"] and good["difference_count"] == 0 and good["compared"]["probes"] > 2000
    assert not bad["ok"] and "missing" in bad["error"]


@pytest.mark.slow
def test_progress_is_shown_in_a_terminal_only(capsys, monkeypatch):
    guest = str(GUEST)
    assert main(["verify", guest]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(["verify", guest]) == 0
    assert capsys.readouterr().err == f"comparing {guest} ...\n"
