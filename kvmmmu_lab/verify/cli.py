# SPDX-License-Identifier: GPL-2.0-only
"""The command ``kvmmmu-lab verify FILE...``."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import Any

from ..errors import DataError
from . import FileReport, verify_file


def run(args: Namespace) -> int:
    """Verify each file and print its report. With ``--json``, print one JSON object with ``reports`` and ``status`` instead.

    Return the exit status: 0 if there are no differences, 1 if there are some, 2 if a file can't be read.
    """
    reports: list[dict[str, Any]] = []
    status = 0
    for name in args.files:
        found: FileReport | DataError
        if sys.stderr.isatty():  # verifying the largest guest takes several seconds
            print(f"comparing {name} ...", file=sys.stderr, flush=True)
        try:
            found = verify_file(name, audit=args.audit, without=args.without)
            reports.append(found.as_dict())
            status = max(status, 0 if found.ok else 1)
        except DataError as error:
            found = error
            reports.append({"file": name, "ok": False, "error": str(error)})
            status = 2
        if not args.json:
            print(found, file=sys.stderr if isinstance(found, DataError) else sys.stdout, flush=True)
    if args.json:
        print(json.dumps({"status": status, "reports": reports}, indent=1))
    elif len(reports) > 1:
        bad = sum(not report["ok"] for report in reports)
        print(f"{len(reports)} files: {f'{bad} with differences or unreadable' if bad else 'all as recorded'}")
    return status
