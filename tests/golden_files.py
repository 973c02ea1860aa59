# SPDX-License-Identifier: GPL-2.0-only
"""Where the golden traces are."""

from kvmmmu_lab.data import HERE

GOLDEN = HERE / "golden"
FILES = sorted(GOLDEN.glob("*.jsonl.gz"))
