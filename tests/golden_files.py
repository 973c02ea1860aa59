# SPDX-License-Identifier: GPL-2.0-only
"""The paths of the golden traces."""

from kvmmmu_lab.data import HERE

GOLDEN = HERE / "golden"
FILES = sorted(GOLDEN.glob("*.jsonl.gz"))
