# SPDX-License-Identifier: GPL-2.0-only
"""The engine agrees with two recorded permission matrices, and with a 64-bit one made by a model processor."""

from pathlib import Path

import numpy as np
import pytest

from kvmmmu_lab import DataError
from kvmmmu_lab.verify import verify_file
from kvmmmu_lab.verify.matrix import COUNTS

from ..share import one_in

MATRICES = Path(__file__).parents[1] / "data" / "access"
P, W, U, A, D, PS = 1, 2, 4, 8, 16, 32


@pytest.mark.slow
@pytest.mark.parametrize("mode", one_in(2, ["32", "pae"], rest=pytest.mark.whole))
def test_every_row_of_a_recorded_matrix_agrees(mode):
    report = verify_file(MATRICES / f"access{mode}.npz")
    assert report.ok, str(report)
    assert report.compared["executed"] == COUNTS[mode]["executed"]
    assert report.compared["warm accesses"] > 10_000


@pytest.mark.parametrize("mode", ["32", "pae"])
def test_every_thirteenth_row_of_a_recorded_matrix_agrees(mode, tmp_path):
    """The rows of a whole file are counted, too; nothing else may differ here."""
    with np.load(MATRICES / f"access{mode}.npz") as arrays:
        result = arrays["result"].copy()
    executed = np.flatnonzero(result & 0x8000)
    result[np.delete(executed, np.arange(0, len(executed), 13))] = 0
    np.savez(tmp_path / "part.npz", mode=mode, result=result)
    report = verify_file(tmp_path / "part.npz")
    assert {difference.where for difference in report.differences} == {"the matrix"}, str(report)
    assert report.difference_count == len(COUNTS[mode]), str(report)
    assert report.compared["warm accesses"] > 1000 and set(report.apart) >= COUNTS[mode].keys() - {"executed"}


@pytest.fixture(scope="module")
def recorded():
    """The results of the recorded 32-bit matrix, and its executed rows."""
    with np.load(MATRICES / "access32.npz") as arrays:
        result = arrays["result"]
    return result, np.flatnonzero(result & 0x8000)


def with_rows(folder, recorded, rows, changed):
    """Verify a matrix with these rows of the recorded one; ``changed`` maps further rows to wrong results."""
    result = np.zeros_like(recorded[0])
    result[rows] = recorded[0][rows]
    for row, value in changed.items():
        result[row] = value
    np.savez(folder / "changed.npz", mode="32", result=result)
    return verify_file(folder / "changed.npz")


def test_a_wrong_bit_in_any_row_is_noticed(tmp_path, recorded):
    result, executed = recorded
    faults, granted = executed[result[executed] & 1 == 1], executed[result[executed] & 1 == 0]
    wrong = {int(faults[7]): 1 << 1, int(faults[901]): 1 << 3, int(granted[5]): 1, int(granted[77]): 1 << 7}
    wrong |= {int(granted[200]): 1 << 8, int(faults[44]): 1 << 12, int(granted[300]): 1 << 14}
    wrong |= {int(granted[400]): 1 << 3, int(faults[1200]): 1 << 5, int(faults[1300]): 1 << 10}
    neighbours = [faults[8], faults[902], granted[6], granted[78], granted[201]]
    report = with_rows(tmp_path, recorded, neighbours, {row: result[row] ^ bit for row, bit in wrong.items()})
    noticed = {int(difference.where.split()[1], 16) for difference in report.differences if "row" in difference.where}
    assert noticed == set(wrong)


def test_a_result_without_execution_is_noticed(tmp_path, recorded):
    result, executed = recorded
    row = int(np.flatnonzero(result & 0x8000 == 0)[4])
    assert f"row {row:#x}" in str(with_rows(tmp_path, recorded, executed[:5], {row: 0x3}))


def test_rows_left_out_are_noticed_by_the_counts(tmp_path, recorded):
    _, executed = recorded
    report = with_rows(tmp_path, recorded, executed[:100], {})
    (counted,) = [difference for difference in report.differences if "executed rows" in str(difference)]
    assert (counted.expected, counted.got) == (len(executed), 100) and COUNTS["32"]["executed"] == len(executed)


def processor(index: int) -> int:
    """Return the result of a row of the 64-bit matrix by the architecture's rules, but RSVD without P, as was recorded."""
    pte, pde, upper = index & 127, index >> 7 & 255, index >> 15 & 3
    user, write, fetch, wp, nxe = (bool(index >> bit & 1) for bit in range(17, 22))
    rights, nx, accessed_above, fault = upper << 1, False, False, None
    entries = [(pde & 31 | (pde & 0xC0) >> 1, bool(pde & PS)), (pte, True)]  # P W U A D, NX, bit 51
    reached = []
    for bits, leaf in entries:
        if not bits & P:
            fault = 0
            break
        if bits & 64 or (bits & 32 and not nxe):
            fault = 8
            break
        reached.append(bits)
        rights &= bits
        nx |= bool(bits & 32)
        if leaf:
            break
        accessed_above = True
    if fault is None:
        denied = (write and not rights & W and (user or wp)) or (user and not rights & U) or (fetch and nx)
        fault = 1 if denied else None
    a = [(pte >> 3 & 1), (pde >> 3 & 1) | accessed_above]
    d = [(pte >> 4 & 1), (pde >> 4 & 1)]
    if fault is None:
        leaf_at = 1 if len(reached) == 1 else 0
        a[leaf_at], d[leaf_at] = 1, d[leaf_at] | write
    result = 0x8000 | a[0] << 6 | d[0] << 7 | a[1] << 8 | d[1] << 9 | 1 << 10 | 1 << 11
    if fault is not None:
        result |= 1 | (fault | write << 1 | user << 2 | (fetch and nxe) << 4) << 1 | 1 << 12
    return result


def rows_of_the_64_bit_matrix(n: int) -> np.ndarray:
    """Return random rows without those that both write and fetch, or set bits below a large or absent directory entry."""
    rng = np.random.default_rng(5)
    index = rng.integers(0, 1 << 22, 12 * n, dtype=np.int64)
    write_and_fetch = (index >> 18 & 3) == 3
    pointless = ((index >> 7 & 1 == 0) | (index >> 12 & 1 == 1)) & (index & 127 != 0)
    return np.unique(index[~write_and_fetch & ~pointless])[:n]


def test_a_64_bit_matrix_agrees_with_a_model_processor(tmp_path):
    result = np.zeros(1 << 22, dtype=np.uint16)
    for index in rows_of_the_64_bit_matrix(4000).tolist():
        result[index] = processor(index)
    np.savez(tmp_path / "access64.npz", mode="64", result=result)
    report = verify_file(tmp_path / "access64.npz")
    assert report.ok, str(report)
    assert {"RS", "F", "O", "A"} <= set(report.apart)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"mode": "65", "result": np.zeros(1 << 16, np.uint16)}, "mode 32, pae or 64"),
        ({"mode": "32", "result": np.zeros(10, np.uint16)}, "10 rows"),
        ({"mode": "32", "result": np.zeros(1 << 16, np.int32)}, "result of type u2"),
        ({"result": np.zeros(1 << 16, np.uint16)}, "'mode'"),
    ],
)
def test_a_file_that_is_not_a_matrix_is_refused(tmp_path, arrays, words):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError, match=words):
        verify_file(tmp_path / "x.npz")
