# SPDX-License-Identifier: GPL-2.0-only
"""Where the copies of the golden traces are."""

from pathlib import Path

GOLDEN = Path(__file__).parent / "data" / "golden"
FILES = sorted(GOLDEN.glob("*.jsonl.gz"))
