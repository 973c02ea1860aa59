# SPDX-License-Identifier: GPL-2.0-only
"""The command ``progress``."""

from __future__ import annotations

import argparse
import json
import sys

from ..errors import InputError
from ..progress import Progress
from .course import course


def progress(args: argparse.Namespace) -> int:
    """Print the course with the learner's progress, or forget the progress."""
    if args.reset:
        return _reset(ask=not args.yes)
    if args.json:
        print(json.dumps(course().as_data(), indent=1, ensure_ascii=False))
    else:
        print(course())
    return 0


def _reset(ask: bool) -> int:
    kept = Progress()
    if ask:
        if not sys.stdin.isatty():
            raise InputError("--reset", "given without a terminal to ask in", "--reset --yes")
        print(f"Forget all predictions, points and hints in {kept.path}? [y/N] ", end="", flush=True)
        answer = input("")
        if answer.strip().lower() not in ("y", "yes"):
            print("Nothing was changed.")
            return 1
    kept.reset()
    print("All progress is forgotten.")
    return 0
